//! Restarts the standalone with another device.
//!
//! The framework opens its audio devices once. So the program runs itself anew, with the devices that were chosen and the
//! parameters as they stand, in a fraction of a second.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum as _;

use tacet::panel::view_model::Audio;
use tacet::params::presets::PresetValues;
use tacet::plugin::shared::Shared;
use tacet::plugin::window::audio::{self, AudioHost, Chosen, Memory};
use tacet::processor::Processor;

use super::jack_client::JackClient;
use super::{Options, memory};

/// How long a process that looks for devices may take, and the time between two looks at it.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
const PROBE_PAUSE: Duration = Duration::from_millis(20);

/// The program's audio and options.
pub struct Running {
    /// The devices or ports in use, and those to choose from.
    pub audio: Audio,
    /// The client that plays, where JACK is the audio system.
    pub jack: Option<Arc<JackClient>>,
    /// The program's options.
    pub options: Options,
}

impl AudioHost for Running {
    fn devices(&self) -> Audio {
        self.audio.clone()
    }

    fn memory(&self) -> Memory {
        memory::at_start(&self.options)
    }

    fn remember(&self, memory: &Memory) {
        // A full disk is no reason to end: the next run begins with what was written last.
        let _ = memory::Remembered {
            program: memory.clone(),
            // As the user has named them; what was chosen for want of a name is no choice to remember.
            input: self.options.input.clone(),
            output: self.options.output.clone(),
        }
        .write();
    }

    fn n_xruns(&self) -> Option<u64> {
        self.jack.as_ref().map(|jack| jack.n_xruns())
    }

    fn play(&self, processor: Processor, shared: &Arc<Shared>) -> Option<Processor> {
        match &self.jack {
            Some(jack) => {
                jack.play(processor, shared);
                None
            }
            None => Some(processor),
        }
    }

    fn scale(&self) -> f32 {
        self.options.scale as f32
    }

    fn is_muted(&self) -> bool {
        self.options.muted
    }

    fn is_headless(&self) -> bool {
        self.options.headless
    }

    fn restart(&self, chosen: Chosen, values: &PresetValues) -> io::Error {
        begin_again(arguments(self, chosen, values))
    }
}

/// Devices that have been opened.
#[derive(Debug)]
pub struct Opened<T> {
    /// The options, with the names of the devices that were opened.
    pub options: Options,
    /// The devices.
    pub devices: T,
    /// Why they are not those that the panel has asked for.
    pub fault: Option<String>,
}

/// Opens the devices that the options name, by `devices`. A program that the panel has restarted goes on with the former
/// ones, or with any, where that fails: its window would be gone.
///
/// # Errors
/// Those of `devices`.
pub fn open<T>(options: &Options, devices: impl Fn(&Options) -> Result<T>) -> Result<Opened<T>> {
    let refusal = match devices(options) {
        Ok(devices) => return Ok(Opened { options: options.clone(), devices, fault: None }),
        Err(refusal) => refusal,
    };
    let former = (options.former_input.clone(), options.former_output.clone());
    let others = options.values.is_some().then_some([former, (None, None)]);
    for (input, output) in others.into_iter().flatten() {
        let options = Options { input, output, ..options.clone() };
        if let Ok(devices) = devices(&options) {
            let fault = Some(format!("Tacet goes on with other devices: {refusal:#}"));
            return Ok(Opened { options, devices, fault });
        }
    }
    Err(refusal)
}

/// Runs this program anew with the devices that were asked for and these parameters. Returns only where that is not
/// possible, with the reason.
pub fn again(options: &Options, values: &PresetValues) -> io::Error {
    begin_again(words(options, options.input.clone(), options.output.clone(), values))
}

/// Whether a program that began now would find devices to open.
///
/// Another process looks: after the end of a server, JACK's library may wait for ever, and only in this process.
pub fn can_open(options: &Options) -> bool {
    let words = words(options, options.input.clone(), options.output.clone(), &PresetValues::default());
    let probe = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command
            .args(words)
            .arg("--probe")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    let Ok(mut probe) = probe else { return false };
    let deadline = Instant::now() + PROBE_PATIENCE;
    while Instant::now() < deadline {
        match probe.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(PROBE_PAUSE),
            Err(_) => return false,
        }
    }
    let _ = probe.kill();
    let _ = probe.wait();
    false
}

fn begin_again(words: Vec<String>) -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    replace(Command::new(program).args(words))
}

/// The command line of the program to be.
fn arguments(running: &Running, chosen: Chosen, values: &PresetValues) -> Vec<String> {
    let Running { audio, options, .. } = running;
    let (input, output) = match chosen {
        Chosen::Input(name) => (Some(name), audio.output.clone()),
        Chosen::Output(name) => (audio.input.clone(), Some(name)),
    };
    let former = [("input", &options.input), ("output", &options.output)];
    let former =
        former.into_iter().filter_map(|(what, name)| Some(format!("--former-{what}={}", name.as_ref()?)));
    words(options, input, output, values).into_iter().chain(former).collect()
}

fn words(
    options: &Options,
    input: Option<String>,
    output: Option<String>,
    values: &PresetValues,
) -> Vec<String> {
    let backend = options.backend.to_possible_value().map(|value| value.get_name().to_owned());
    // Rate and buffer are what the user asked for, not what the former devices made of it. Parameters that were options are
    // among the values by now.
    let asked = [
        ("backend", backend),
        ("input", input),
        ("output", output),
        ("rate", options.rate.map(|rate| rate.to_string())),
        ("buffer", options.buffer.map(|buffer| buffer.to_string())),
        ("client-name", Some(options.client_name.clone())),
        ("scale", Some(options.scale.to_string())),
        ("values", serde_json::to_string(values).ok()),
    ];
    let is_muted = audio::instance().is_some_and(|instance| instance.is_muted.load(Ordering::Relaxed));
    let flags = [("headless", options.headless), ("forget", options.forget), ("muted", is_muted)];
    let flags = flags.into_iter().filter(|&(_, is_set)| is_set).map(|(name, _)| format!("--{name}"));
    asked.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?))).chain(flags).collect()
}

/// More descriptors than a standalone has.
#[cfg(unix)]
const MAX_DESCRIPTORS: i32 = 1024;

/// In the same process where the system can: the terminal keeps waiting for it.
#[cfg(unix)]
fn replace(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    // A sound server takes a connection that outlives the program for the program. Standard input and output stay.
    for descriptor in 3..MAX_DESCRIPTORS {
        // SAFETY: it sets a flag of a descriptor; where there is none, it reports an error and does nothing.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    command.exec()
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> io::Error {
    match command.spawn() {
        Ok(_) => std::process::exit(0),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use tacet::parameters::ParamId;
    use tacet::params::presets::PresetValue;

    use super::*;

    #[test]
    fn the_new_program_reads_what_the_old_one_wrote() {
        let options = Options::parse_from(["tacet-live", "--rate", "44100", "--scale", "1.5"]);
        let audio = Audio {
            input: Some("Interface".into()),
            output: Some("Headphones, left=right".into()),
            ..Audio::default()
        };
        let running = Running { audio, jack: None, options };
        let values = PresetValues::from_iter([(ParamId::Limit, PresetValue::Number(24.0))]);
        let arguments = arguments(&running, Chosen::Input("USB mic".into()), &values);
        let options = Options::parse_from(std::iter::once("tacet-live".to_owned()).chain(arguments));
        assert_eq!(options.input.as_deref(), Some("USB mic"));
        assert_eq!(options.output.as_deref(), Some("Headphones, left=right"));
        assert_eq!((options.rate, options.buffer, options.scale), (Some(44_100), None, 1.5));
        let read: PresetValues = serde_json::from_str(&options.values.unwrap()).unwrap();
        assert_eq!(read, values);
    }

    #[test]
    fn a_choice_that_cannot_be_opened_leaves_the_former_devices_or_any() {
        let options = Options::parse_from(["tacet-live", "--input", "USB mic", "--output", "Headphones"]);
        let running = Running { audio: Audio::default(), jack: None, options };
        let values = PresetValues::from_iter([]);
        let arguments = arguments(&running, Chosen::Input("unplugged".into()), &values);
        let mut options = Options::parse_from(std::iter::once("tacet-live".to_owned()).chain(arguments));
        let present = |present: &'static [&str]| {
            move |options: &Options| match &options.input {
                Some(name) if !present.contains(&name.as_str()) => anyhow::bail!("{name} is not there"),
                name => Ok(name.clone()),
            }
        };
        let opened = open(&options, present(&["unplugged"])).unwrap();
        assert_eq!((opened.devices.as_deref(), opened.fault), (Some("unplugged"), None));
        let opened = open(&options, present(&["USB mic"])).unwrap();
        assert_eq!(opened.options.input.as_deref(), Some("USB mic"));
        assert_eq!(opened.options.output.as_deref(), Some("Headphones"));
        assert!(opened.fault.unwrap().contains("unplugged is not there"));
        assert_eq!(open(&options, present(&[])).unwrap().devices, None);
        // On the command line a name is an order: nothing else is taken.
        options.values = None;
        assert!(open(&options, present(&[])).is_err());
    }
}
