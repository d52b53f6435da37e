//! `tacet mic`: a microphone that is denoised while it is used. The work is `tacet_mic`'s; this is its command line.

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use tacet_mic::memory::{Handover, Remembered};
use tacet_mic::run::{Handle, Listener};
use tacet_mic::settings::Settings;
use tacet_mic::{Direction, Options, control, unit};
use tacet_realtime::device::Device;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::model::ModelKind;
use tacet_realtime::models;
use tacet_realtime::parameters::Choice as _;
use tacet_realtime::presets::{self, Preset};

use super::interrupt::on_interrupt;
use super::options::one_of;
use super::{live, usage};

/// Stands for the default source or sink, whichever that is.
const DEFAULT_TARGET: &str = "default";

/// Offer a denoised microphone to calls and recorders (Linux with PipeWire)
///
/// Creates a source called Tacet Microphone that calls and recorders can choose. It follows the default source and lasts
/// until Ctrl-C or `tacet mic stop`. The real microphone is open only while an application records. After a restart of
/// the sound server the source comes back by itself. Options and parameters are remembered for the next start.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// Options of a microphone to run.
#[derive(clap::Args, Debug)]
struct RunArgs {
    /// The other direction: a sink called Tacet Speakers, denoised before it is heard
    #[arg(long)]
    speakers: bool,

    /// The source to take from, or the sink to play to, by its name (`wpctl status -n`, `pactl list short sources`); `default`
    /// follows the system's default
    #[arg(long, visible_alias = "output", value_name = "NAME")]
    input: Option<String>,

    /// Channels [at first: 1, with --speakers 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    channels: Option<u8>,

    /// Block size requested from the sound server, in samples at 48 kHz [at first: 256]
    #[arg(long, value_name = "SAMPLES", value_parser = clap::value_parser!(u32).range(32..=8192))]
    buffer: Option<u32>,

    /// DeepFilterNet3 (dfn3), or its low-latency variant (dfn3-ll), which `tacet model install ll` gets [at first: dfn3]
    #[arg(long, value_name = "MODEL", value_parser = one_of::<ModelKind>())]
    model: Option<ModelKind>,

    /// Time for inference: safe is one hop (10 ms), lowest none [at first: safe]
    #[arg(long, value_name = "MODE", value_parser = one_of::<LatencyMode>())]
    latency: Option<LatencyMode>,

    /// Device that runs the network: native, native16, or libtorch's cpu, cuda, cuda:N [at first: native]
    #[arg(long, value_name = "DEVICE")]
    device: Option<Device>,

    /// Preset to begin with, one of the plugin's or your own; other options prevail
    #[arg(long, value_name = "NAME", value_parser = presets::find)]
    preset: Option<Preset>,

    /// A parameter's value, as `tacet mic set` takes it; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,

    /// Begin with the defaults instead of the last settings
    #[arg(long)]
    forget: bool,

    /// Show the panel in a window; closing it stops the microphone
    #[arg(long)]
    panel: bool,
}

/// Selects the microphone or the speakers.
#[derive(clap::Args, Clone, Copy, Debug)]
struct Which {
    /// Address the speakers, started with --speakers
    #[arg(long)]
    speakers: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show state, latency, late hops and parameters of the running microphone
    Status(Which),
    /// Mute the microphone
    Mute(Which),
    /// Unmute the microphone
    Unmute(Which),
    /// Pass the input unchanged, at the same delay
    Bypass {
        /// on or off
        #[arg(value_parser = ["on", "off"], default_value = "on")]
        state: String,
        #[command(flatten)]
        which: Which,
    },
    /// Set a parameter: attenuation-limit, post-filter, mix, gain-db, latency or another that `tacet mic status` lists
    Set {
        /// The parameter
        name: String,
        /// Its value
        #[arg(allow_negative_numbers = true)]
        value: String,
        #[command(flatten)]
        which: Which,
    },
    /// Apply a preset, one of the plugin's or your own
    Preset {
        /// Its name
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// Stop the microphone
    Stop(Which),
    /// Start the microphone now and with every session, as a systemd user unit
    Enable(RunArgs),
    /// Remove the systemd user unit
    Disable(Which),
}

fn direction(speakers: bool) -> Direction {
    if speakers { Direction::Speakers } else { Direction::Microphone }
}

/// Runs the command; true if it went well.
///
/// # Errors
/// PipeWire is not there, another one runs, or none runs that could be asked.
pub fn run(args: &Args) -> Result<bool> {
    let send = |which: &Which, command: &str| -> Result<bool> {
        print!("{}", control::send(direction(which.speakers), command)?);
        Ok(true)
    };
    match &args.command {
        None => start(&args.run),
        Some(Command::Status(which)) => send(which, "status"),
        Some(Command::Mute(which)) => send(which, "mute"),
        Some(Command::Unmute(which)) => send(which, "unmute"),
        Some(Command::Bypass { state, which }) => send(which, &format!("bypass {state}")),
        Some(Command::Set { name, value, which }) => send(which, &format!("set {name} {value}")),
        Some(Command::Preset { name, which }) => send(which, &format!("preset {name}")),
        Some(Command::Stop(which)) => send(which, "stop"),
        Some(Command::Enable(run)) => enable(run),
        Some(Command::Disable(which)) => {
            let title = direction(which.speakers).title();
            let was_there = unit::disable(direction(which.speakers))?;
            println!(
                "{title} {}",
                if was_there { "no longer starts with the session" } else { "was not enabled" }
            );
            Ok(true)
        }
    }
}

impl RunArgs {
    /// The remembered options and values, overridden by those of the command line.
    fn prepare(&self) -> Result<(Options, Settings)> {
        let direction = direction(self.speakers);
        self.prepare_from(if self.forget { Remembered::default() } else { Remembered::read(direction) })
    }

    fn prepare_from(&self, mut remembered: Remembered) -> Result<(Options, Settings)> {
        remembered.target =
            self.input.clone().or(remembered.target).filter(|target| target != DEFAULT_TARGET);
        remembered.n_channels = self.channels.or(remembered.n_channels);
        remembered.block_samples = self.buffer.or(remembered.block_samples);
        remembered.device = self.device.map(Device::id).or(remembered.device);
        let options = Options::from_remembered(direction(self.speakers), &remembered);
        let settings = Settings::default();
        settings.restore(&remembered.values);
        if let Some(preset) = &self.preset {
            settings.set_preset(&preset.values);
        }
        let choices = [
            ("latency", self.latency.map(|mode| mode.choice_id())),
            ("model", self.model.map(|model| model.choice_id())),
        ];
        for (name, id) in choices {
            if let Some(id) = id {
                settings.set(name, id).map_err(usage)?;
            }
        }
        for value in &self.values {
            let (name, number) =
                value.split_once('=').ok_or_else(|| usage(format!("--set {value}: NAME=VALUE is needed")))?;
            settings.set(name, number).map_err(|error| usage(format!("--set {value}: {error}")))?;
        }
        Ok((options, settings))
    }
}

/// The model is there; live sound must not begin with another one than was asked for.
fn check_model(settings: &Settings) -> Result<()> {
    let (_, wanted) = settings.mode_and_model();
    if models::available(wanted) != wanted {
        anyhow::bail!(
            "{}; --model {} goes without",
            models::missing(wanted),
            models::embedded_kind().choice_id()
        );
    }
    Ok(())
}

/// Writes its messages to the terminal; Ctrl-C ends it.
struct Terminal;

impl Listener for Terminal {
    fn started(&mut self, handle: Handle) {
        // Without a handler Ctrl-C ends the process, and the sound server takes the streams back.
        let _ = on_interrupt(move || handle.stop());
    }

    fn say(&mut self, text: &str) {
        eprintln!("{text}");
    }
}

fn start(args: &RunArgs) -> Result<bool> {
    let (options, settings) = args.prepare()?;
    check_model(&settings)?;
    if args.panel {
        let handover = Handover { speakers: args.speakers, remembered: options.remembered(&settings) };
        return live::run_with(&[format!("--microphone={}", serde_json::to_string(&handover)?)]);
    }
    tacet_mic::run(&options, Arc::new(settings), &mut Terminal)
        .with_context(|| format!("`{}`", options.direction.command()))?;
    Ok(true)
}

fn enable(args: &RunArgs) -> Result<bool> {
    anyhow::ensure!(
        !args.panel,
        usage("a session has no window to begin with: --panel is for `tacet mic` alone")
    );
    // Refuse to enable a microphone that could not run.
    check_model(&args.prepare()?.1)?;
    let program = std::env::current_exe()
        .context("this program's own file is not known: start it by its whole path")?;
    // The same words without the command's own.
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "enable") {
        words.remove(at);
    }
    let direction = direction(args.speakers);
    let path = unit::enable(direction, &program, &words)?;
    println!("{} starts with every session: {}", direction.title(), path.display());
    Ok(true)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser, Debug)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Line::try_parse_from(std::iter::once("mic").chain(line.split_whitespace())).map(|line| line.args)
    }

    fn prepare(line: &str, remembered: Remembered) -> Result<(Options, Settings)> {
        parse(line).unwrap().run.prepare_from(remembered)
    }

    #[test]
    fn a_microphone_is_mono_and_speakers_are_stereo_by_default() {
        let options = |line: &str| prepare(line, Remembered::default()).unwrap().0;
        assert_eq!((options("").n_channels, options("").block_samples), (1, 256));
        let (speakers, settings) =
            prepare("--speakers --buffer 512 --latency lowest", Remembered::default()).unwrap();
        assert_eq!((speakers.n_channels, speakers.block_samples), (2, 512));
        assert_eq!(settings.mode_and_model().0, LatencyMode::Lowest);
        assert_eq!(options("--speakers --channels 1").n_channels, 1);
    }

    #[test]
    fn options_overrule_a_preset_and_both_what_is_remembered() {
        let (_, settings) =
            prepare("--set attenuation-limit=18 --set gain-db=-3", Remembered::default()).unwrap();
        let remembered = Remembered {
            values: settings.to_values(),
            target: Some("webcam".into()),
            n_channels: Some(2),
            block_samples: None,
            device: Some(Device::Native16.id()),
            window: serde_json::Value::Null,
        };
        let (options, settings) = prepare("", remembered.clone()).unwrap();
        assert_eq!((options.target.as_deref(), options.n_channels), (Some("webcam"), 2));
        assert_eq!(options.device, Device::Native16);
        assert_eq!(settings.controls().shaping.attenuation_limit_db, 18.0);
        let line = "--input default --device native --preset live-mic --latency safe";
        let (options, settings) = prepare(line, remembered).unwrap();
        assert_eq!((options.target, options.device), (None, Device::Native));
        assert_eq!(settings.controls().shaping.attenuation_limit_db, 30.0);
        assert!((settings.controls().output_gain - 0.708).abs() < 1e-3, "presets leave the gain");
        assert_eq!(settings.mode_and_model().0, LatencyMode::Safe);
        let refused = parse("--preset loud").unwrap_err().to_string();
        assert!(refused.contains("podcast"), "{refused}");
    }

    #[test]
    fn commands_and_options_are_distinguished() {
        assert!(matches!(parse("status --speakers").unwrap().command, Some(Command::Status(_))));
        let Some(Command::Set { value, .. }) = parse("set gain-db -3").unwrap().command else { panic!() };
        assert_eq!(value, "-3");
        assert!(matches!(parse("enable --input x").unwrap().command, Some(Command::Enable(_))));
        for wrong in ["--channels 3", "bypass maybe", "--input x status", "--buffer 1", "--device x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let wrong = prepare("--set mix=200", Remembered::default()).unwrap_err();
        assert!(wrong.to_string().contains("0 to 100"), "{wrong}");
    }
}
