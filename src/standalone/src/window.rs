//! The plugin in a window of its own, on the microphone: options, devices and the framework's command line.
//!
//! The framework's standalone connects no input unless asked to, adds 150 ms and ignores Ctrl-C. This launcher looks at the
//! machine's devices first, chooses what a person at a microphone wants, and says clearly where there is nothing to choose.
//!
//! - [`devices`]: what the machine has.
//! - [`choice`]: what is taken of it; a pure function.
//! - `alias`: has ALSA open what the framework would not find.
//! - `console`: on Windows, the terminal that the program was started from.
//! - `microphone`: the panel of a virtual microphone.
//! - `parameters`: options for the parameters.
//! - `jack_client`: the plugin as a client of a JACK server.
//! - `jack_library`: PipeWire's library of that kind.
//! - `memory`: what is remembered between runs.
//! - `messages`: what the framework writes to the terminal.
//! - [`restart`]: begins again with another device, as the panel asks.
//! - `watch`: notices that the sound has stopped, and begins again.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nice_plug::prelude::nice_export_standalone_with_args;

#[cfg(target_os = "linux")]
mod alias;
pub mod choice;
#[cfg(windows)]
pub mod console;
pub mod devices;
mod jack_client;
#[cfg(target_os = "linux")]
mod jack_library;
mod memory;
mod messages;
#[cfg(target_os = "linux")]
mod microphone;
mod parameters;
mod played;
pub mod restart;
mod watch;

use choice::{DeviceChoice, Wishes};
use jack_client::JackClient;
use restart::{Opened, Running};

use tacet::model::SAMPLE_RATE_HZ;
use tacet::panel::view_model::Audio;
use tacet::parameters::between;
use tacet::plugin::Tacet;
use tacet::plugin::window::audio;

/// How long a restarted program waits for what the former one held.
const RESTART_PATIENCE: Duration = Duration::from_secs(3);

/// Smallest and largest scale of the window.
const MIN_SCALE: f32 = 0.5;
const MAX_SCALE: f32 = 4.0;

/// Denoises the microphone in a window of its own.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "tacet-live", version)]
pub struct Options {
    /// List the audio devices and exit
    #[arg(long)]
    pub list: bool,
    /// Input device, as listed
    #[arg(long, value_name = "NAME")]
    pub input: Option<String>,
    /// Output device, as listed
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
    /// Audio system
    #[arg(long, value_enum, default_value_t)]
    pub backend: AudioBackend,
    /// Sample rate in hertz; on JACK, the server decides
    #[arg(long, value_name = "HZ")]
    pub rate: Option<u32>,
    /// Samples per audio callback, or the nearest that the devices offer; on JACK, the server decides
    #[arg(long, value_name = "SAMPLES")]
    pub buffer: Option<u32>,
    /// Name among JACK's clients; where another has it, a number is added
    #[arg(long, value_name = "NAME", default_value = "tacet")]
    pub client_name: String,
    /// Scale of the window, over the system's
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub scale: f64,
    /// Without a window: a status line in the terminal, until Ctrl-C
    #[arg(long)]
    pub headless: bool,
    /// Start with the defaults instead of the settings of the last run
    #[arg(long)]
    pub forget: bool,
    /// Parameters by their names.
    #[command(flatten)]
    pub parameters: parameters::Parameters,
    /// Parameters to begin with, as the panel writes them when it restarts the program
    #[arg(long, value_name = "JSON", hide = true)]
    pub values: Option<String>,
    /// The input before the panel asked for another one
    #[arg(long, value_name = "NAME", hide = true)]
    pub former_input: Option<String>,
    /// The output before the panel asked for another one
    #[arg(long, value_name = "NAME", hide = true)]
    pub former_output: Option<String>,
    /// The output muted, as it was before the program was restarted
    #[arg(long, hide = true)]
    pub muted: bool,
    /// Only whether there are devices to open: a running program looks for its devices with it
    #[arg(long, hide = true)]
    pub probe: bool,
    /// The virtual microphone to be played, as `tacet mic --panel` writes it
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "JSON", hide = true)]
    pub microphone: Option<String>,
}

/// Audio systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum AudioBackend {
    /// JACK or PipeWire if a server is running, otherwise the system's own
    #[default]
    Auto,
    /// JACK, or PipeWire's implementation of it
    Jack,
    /// The system's own: ALSA, CoreAudio or WASAPI
    System,
    /// None: the window without audio
    Dummy,
}

/// Reads `--scale`.
fn scale(text: &str) -> Result<f64, String> {
    between(text, MIN_SCALE, MAX_SCALE).map(f64::from)
}

/// Lists devices, or opens the window and processes until it is closed or Ctrl-C is pressed.
///
/// # Errors
/// There is no device to take, or the audio system does not open it.
pub fn run(options: &Options) -> Result<()> {
    if options.list {
        print!("{}", devices::list(options.backend)?);
        return Ok(());
    }
    if options.probe {
        anyhow::ensure!(can_open(options), "there is no device to open");
        return Ok(());
    }
    end_on_interrupt()?;
    messages::log_to_terminal();
    #[cfg(target_os = "linux")]
    if let Some(handover) = &options.microphone {
        return microphone::run(handover, options.scale);
    }
    let options = &with_remembered_devices(options);
    let Opened { options, devices: (arguments, running), fault } = restart::open(options, arguments)?;
    let is_gone = running.jack.as_ref().map(|jack| jack.end());
    audio::set_host(Box::new(running));
    if let Some(fault) = fault {
        eprintln!("{fault}");
        audio::set_fault(Some(fault));
    }
    watch::start(&options, move || is_gone.as_ref().is_some_and(|is_gone| is_gone()))?;
    if !nice_export_standalone_with_args::<Tacet, _>(arguments) {
        bail!("the audio devices could not be opened; see above, and `tacet live --list`");
    }
    Ok(())
}

/// The options, with the devices that were chosen when the program last ran where none is named and they are there.
fn with_remembered_devices(options: &Options) -> Options {
    let mut options = options.clone();
    if options.forget || options.values.is_some() || options.backend == AudioBackend::Dummy {
        return options;
    }
    let remembered = memory::Remembered::read();
    for device in [
        Options { input: options.input.clone().or(remembered.input), ..options.clone() },
        Options { output: options.output.clone().or(remembered.output), ..options.clone() },
    ] {
        if can_open(&device) {
            options.input = device.input.or(options.input);
            options.output = device.output.or(options.output);
        }
    }
    options
}

/// Whether there are devices to open as the options ask.
fn can_open(options: &Options) -> bool {
    if options.backend == AudioBackend::Dummy {
        return true;
    }
    let wishes = options.wishes();
    if options.backend != AudioBackend::System
        && let Some(jack) = devices::jack()
    {
        return choice::jack::check(&jack, &wishes).is_ok() && choice::jack::ports(&jack, &wishes).is_ok();
    }
    options.backend != AudioBackend::Jack
        && devices::system().is_ok_and(|system| choice::choose(&system.devices, &wishes).is_ok())
}

impl Options {
    fn wishes(&self) -> Wishes {
        Wishes {
            input: self.input.clone(),
            output: self.output.clone(),
            rate_hz: self.rate,
            buffer: self.buffer,
        }
    }
}

/// Lets Ctrl-C and a request to terminate end the program: the framework's own handler ends only one without a window.
///
/// Called before any thread is started. The signals are blocked in all of them, so no handler is ever run, whoever sets
/// it; one thread waits for them.
#[cfg(unix)]
fn end_on_interrupt() -> Result<()> {
    let empty = || {
        let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset makes the set before it is read.
        unsafe {
            libc::sigemptyset(signals.as_mut_ptr());
            signals.assume_init()
        }
    };
    // What the program was started to ignore, as by `nohup`, is waited for by nobody.
    let (mut blocked, mut signals) = (empty(), empty());
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: the signals are valid and the sets made above; an action of zeros is one, if nothing is written.
        unsafe {
            libc::sigaddset(&mut blocked, signal);
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            if action.assume_init().sa_sigaction != libc::SIG_IGN {
                libc::sigaddset(&mut signals, signal);
            }
        }
    }
    // SAFETY: the set is made above; the mask is this thread's.
    let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, std::ptr::null_mut()) };
    anyhow::ensure!(failed == 0, "Ctrl-C cannot be watched (error {failed})");
    std::thread::Builder::new().name("tacet signals".into()).spawn(move || {
        let mut signal = 0;
        // SAFETY: the set is initialised above, and the signal's place is ours.
        while unsafe { libc::sigwait(&signals, &mut signal) } != 0 {}
        #[cfg(target_os = "linux")]
        microphone::end();
        let _ = std::io::Write::flush(&mut std::io::stdout());
        // SAFETY: it ends the process and touches nothing. What a graphics driver would do at an ordinary exit, while the
        // window's thread still draws, has crashed.
        unsafe { libc::_exit(0) };
    })?;
    Ok(())
}

#[cfg(windows)]
use console::end_on_interrupt;

/// The framework's command line for what is chosen, and what that is.
fn arguments(options: &Options) -> Result<(Vec<String>, Running)> {
    let mut arguments = vec!["tacet".to_owned()];
    let mut add = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
    if options.backend == AudioBackend::Dummy {
        add("backend", "dummy".into());
        let audio = Audio { backend: "No sound".into(), ..Audio::default() };
        return Ok((arguments, Running { audio, jack: None, options: options.clone() }));
    }
    let wishes = options.wishes();
    let jack = match options.backend {
        AudioBackend::System => None,
        _ => devices::jack(),
    };
    if let Some(jack) = jack {
        choice::jack::check(&jack, &wishes)?;
        let ports = choice::jack::ports(&jack, &wishes)?;
        // A restarted program waits for the former one's name; another program keeps it.
        let patience = if options.values.is_some() { RESTART_PATIENCE } else { Duration::ZERO };
        let client = JackClient::open(&options.client_name, ports.inputs.len(), patience)
            .context("JACK takes no client: set the server up, or use `--backend system`")?;
        client.keep_connected(&ports, move || choice::jack::ports(&devices::jack()?, &wishes).ok())?;
        let [input, output] = [&ports.inputs, &ports.outputs].map(|ports| ports.join(","));
        println!(
            "JACK: {} Hz, {} samples; {input} to {output} as {}",
            jack.rate_hz,
            jack.buffer,
            client.name()
        );
        tell_rate(jack.rate_hz as u32);
        add("backend", "dummy".into());
        add("audio-layout", layout(ports.inputs.len()));
        add("sample-rate", jack.rate_hz.to_string());
        add("period-size", jack.buffer.to_string());
        let latency_ms = |samples| samples as f32 * 1e3 / jack.rate_hz as f32;
        // Two ports together are a choice of their own.
        let choices = |chosen: &str, ports: Vec<String>| {
            let others = ports.into_iter().filter(|port| port != chosen);
            std::iter::once(chosen.to_owned()).filter(|chosen| !chosen.is_empty()).chain(others).collect()
        };
        let audio = Audio {
            backend: "JACK".into(),
            device_latency_ms: client.device_latency_samples(&ports).map(latency_ms),
            inputs: choices(&input, jack.inputs),
            outputs: choices(&output, jack.outputs),
            input: Some(input),
            output: Some(output).filter(|output| !output.is_empty()),
            n_period_samples: jack.buffer as usize,
            ..Audio::default()
        };
        return Ok((arguments, Running { audio, jack: Some(client), options: options.clone() }));
    }
    if options.backend == AudioBackend::Jack {
        bail!("no JACK server runs: start one (or PipeWire's), or use `--backend system`");
    }
    let system = devices::system()?;
    let choice = choice::choose(&system.devices, &wishes)?;
    let (source, sink) = open_as(&system, &choice, &wishes)?;
    let DeviceChoice { input, output, n_channels, n_input_channels, rate_hz, buffer } = choice;
    println!(
        "{}: {input} to {output}, {} Hz, {buffer} samples. Use headphones: speakers feed back.",
        system.name, rate_hz
    );
    tell_rate(rate_hz);
    if let Some(asked) = options.buffer.filter(|&asked| asked != buffer) {
        println!("The devices do not offer {asked} samples per callback: {buffer} are the nearest.");
    }
    if n_input_channels > n_channels {
        println!("The first {n_channels} of the input's {n_input_channels} channels are taken.");
    }
    add("backend", system.backend.into());
    add("audio-layout", layout(n_channels));
    add("input-device", source);
    add("output-device", sink);
    add("sample-rate", rate_hz.to_string());
    add("period-size", buffer.to_string());
    // Two callbacks cover the two devices' different moments; the capacity, their drift until it is corrected.
    let latency_s = (2.0 * f64::from(buffer) / f64::from(rate_hz)).max(0.005);
    add("input-latency", latency_s.to_string());
    add("input-capacity", (4.0 * latency_s).max(0.1).to_string());
    let names = |devices: Vec<choice::AudioDevice>| devices.into_iter().map(|device| device.name).collect();
    let audio = Audio {
        backend: system.name.into(),
        inputs: names(system.devices.inputs),
        outputs: names(system.devices.outputs),
        input: Some(input),
        output: Some(output),
        // The blocks that wait for a callback at the input and at the output, and the buffer between the two.
        device_latency_ms: Some(1e3 * (latency_s + 2.0 * f64::from(buffer) / f64::from(rate_hz)) as f32),
        n_period_samples: buffer as usize,
        ..Audio::default()
    };
    Ok((arguments, Running { audio, jack: None, options: options.clone() }))
}

/// The framework's name of the plugin's layout: they are counted from one, stereo and mono.
fn layout(n_channels: usize) -> String {
    if n_channels == 2 { "1" } else { "2" }.into()
}

/// Says that the devices run at another rate than the network, and what is done about it.
fn tell_rate(rate_hz: u32) {
    if rate_hz != SAMPLE_RATE_HZ {
        println!(
            "The devices run at {rate_hz} Hz: Tacet converts to {SAMPLE_RATE_HZ} Hz and back, which takes more time. Set them to \
             {SAMPLE_RATE_HZ} Hz where that is possible."
        );
    }
}

/// The names by which the framework finds the two devices: their descriptions, or aliases where it would find another
/// device or could not open the format.
#[cfg(target_os = "linux")]
fn open_as(system: &devices::System, choice: &DeviceChoice, wishes: &Wishes) -> Result<(String, String)> {
    let (input, output) = system.devices.pair(wishes)?;
    let mut aliases = Vec::new();
    let mut title = |device: &choice::AudioDevice, has_format: bool, description| {
        if has_format && device.is_first {
            return device.title.clone();
        }
        aliases.push(alias::Alias { id: device.id.clone(), description });
        description.to_owned()
    };
    let has_format = choice.n_input_channels == choice.n_channels;
    let source = title(input, has_format, "Tacet input");
    let sink = title(output, true, "Tacet output");
    alias::define(&aliases)?;
    Ok((source, sink))
}

/// The names by which the framework finds the two devices: their descriptions.
#[cfg(not(target_os = "linux"))]
fn open_as(system: &devices::System, choice: &DeviceChoice, wishes: &Wishes) -> Result<(String, String)> {
    let (input, output) = system.devices.pair(wishes)?;
    if choice.n_input_channels > choice.n_channels {
        bail!(
            "{} delivers {} channels and nothing less: make a device of two of them in the system's audio settings, and \
             choose that with --input",
            input.name,
            choice.n_input_channels
        );
    }
    if let Some(device) = [input, output].into_iter().find(|device| !device.is_first) {
        bail!(
            "another device is called {} as well, and the first of them would be opened: rename one of them in the system's \
             audio settings",
            device.title
        );
    }
    Ok((input.title.clone(), output.title.clone()))
}
