//! `tacet mic`: a microphone that is denoised while it is used. The work is `tacet_mic`'s; this is its command line.

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Subcommand, ValueEnum};
use tacet_mic::settings::Settings;
use tacet_mic::{Direction, Options, control, unit};
use tacet_realtime::device::Device;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::model::ModelKind;
use tacet_realtime::models;

use super::usage;

/// Offer a denoised microphone to calls and recorders (Linux with PipeWire)
///
/// Creates a source called Tacet Microphone that calls and recorders can choose. It follows the default source and lasts
/// until Ctrl-C or `tacet mic stop`. The real microphone is open only while an application records. After a restart of
/// the sound server the source comes back by itself.
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

    /// The source to take from, or the sink to play to, by its name (`wpctl status -n`, `pactl list short sources`)
    /// [default: the system's default, also when it changes]
    #[arg(long, visible_alias = "output", value_name = "NAME")]
    input: Option<String>,

    /// Channels [default: 1, with --speakers 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    channels: Option<u8>,

    /// Block size requested from the sound server, in samples at 48 kHz
    #[arg(long, value_name = "SAMPLES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..=8192))]
    buffer: u32,

    /// DeepFilterNet3, or its low-latency variant, which must be installed
    #[arg(long, value_enum, default_value_t = ModelChoice::Dfn3)]
    model: ModelChoice,

    /// Time for inference: safe is one hop (10 ms), lowest none
    #[arg(long, value_enum, default_value_t = LatencyChoice::Safe)]
    latency: LatencyChoice,

    /// Device that runs the network: native, native16, or libtorch's cpu, cuda, cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "native")]
    device: Device,

    /// A parameter's value, as `tacet mic set` takes it; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelChoice {
    #[value(name = "dfn3")]
    Dfn3,
    #[value(name = "dfn3-ll")]
    Dfn3Ll,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LatencyChoice {
    Safe,
    Lowest,
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
    /// Set a parameter: attenuation-limit, post-filter, min-db, max-erb-db, max-df-db, mix, gain-db, voice or ambience
    Set {
        /// The parameter
        name: String,
        /// Its value
        #[arg(allow_negative_numbers = true)]
        value: String,
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
    fn options(&self) -> Options {
        Options {
            direction: direction(self.speakers),
            target: self.input.clone(),
            n_channels: usize::from(self.channels.unwrap_or(if self.speakers { 2 } else { 1 })),
            block_samples: self.buffer,
            model: match self.model {
                ModelChoice::Dfn3 => ModelKind::DeepFilterNet3,
                ModelChoice::Dfn3Ll => ModelKind::DeepFilterNet3Ll,
            },
            mode: match self.latency {
                LatencyChoice::Safe => LatencyMode::Safe,
                LatencyChoice::Lowest => LatencyMode::Lowest,
            },
            device: self.device,
        }
    }

    fn settings(&self) -> Result<Settings> {
        let settings = Settings::default();
        for value in &self.values {
            let (name, number) =
                value.split_once('=').ok_or_else(|| usage(format!("--set {value}: NAME=VALUE is needed")))?;
            settings.set(name, number).map_err(|error| usage(format!("--set {value}: {error}")))?;
        }
        Ok(settings)
    }

    /// The model is there; live sound must not begin with another one than was asked for.
    fn check_model(&self) -> Result<()> {
        let wanted = self.options().model;
        if models::available(wanted) != wanted {
            anyhow::bail!(models::missing(wanted));
        }
        Ok(())
    }
}

fn start(args: &RunArgs) -> Result<bool> {
    let (options, settings) = (args.options(), Arc::new(args.settings()?));
    args.check_model()?;
    let mut say = |text: &str| eprintln!("{text}");
    let on_start = |stop: tacet_mic::run::Stop| {
        // Without a handler Ctrl-C ends the process, and the sound server takes the streams back.
        let _ = ctrlc::set_handler(move || stop.stop());
    };
    tacet_mic::run(&options, settings, on_start, &mut say)
        .with_context(|| format!("`{}`", options.direction.command()))?;
    Ok(true)
}

fn enable(args: &RunArgs) -> Result<bool> {
    // What cannot run is not enabled.
    args.settings()?;
    args.check_model()?;
    let program = std::env::current_exe().context("this program's own file is not known")?;
    // The same words without `enable`.
    let words: Vec<OsString> = std::env::args_os().skip(1).filter(|word| word != "enable").collect();
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

    #[test]
    fn a_microphone_is_mono_and_speakers_are_stereo_unless_told() {
        assert_eq!(parse("").unwrap().run.options().n_channels, 1);
        let speakers = parse("--speakers --buffer 512 --latency lowest").unwrap().run.options();
        assert_eq!(
            (speakers.n_channels, speakers.block_samples, speakers.mode),
            (2, 512, LatencyMode::Lowest)
        );
        assert_eq!(parse("--speakers --channels 1").unwrap().run.options().n_channels, 1);
    }

    #[test]
    fn commands_and_options_are_told_apart() {
        assert!(matches!(parse("status --speakers").unwrap().command, Some(Command::Status(_))));
        let Some(Command::Set { value, .. }) = parse("set gain-db -3").unwrap().command else { panic!() };
        assert_eq!(value, "-3");
        assert!(matches!(parse("enable --input x").unwrap().command, Some(Command::Enable(_))));
        for wrong in ["--channels 3", "bypass maybe", "--input x status", "--buffer 1", "--device x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let wrong = parse("--set mix=2").unwrap().run.settings().unwrap_err();
        assert!(wrong.to_string().contains("0 to 1"), "{wrong}");
    }
}
