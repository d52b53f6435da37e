//! The standalone begins again with another device.
//!
//! The framework opens its audio devices once. So the program runs itself anew, with the devices that were chosen and the
//! parameters as they stand, in a fraction of a second.

use std::io;
use std::process::Command;
use std::sync::OnceLock;

use clap::ValueEnum as _;

use super::Options;
use crate::params::presets::Values;

/// The devices in use, and those to choose from.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// The audio system, for people.
    pub backend: &'static str,
    /// Input devices or ports.
    pub inputs: Vec<String>,
    /// The one in use.
    pub input: Option<String>,
    /// Output devices or ports.
    pub outputs: Vec<String>,
    /// The one in use.
    pub output: Option<String>,
    /// Samples per audio callback; 0 without sound.
    pub buffer: u32,
    /// What the program was started with.
    pub options: Options,
}

static RUNNING: OnceLock<Running> = OnceLock::new();

pub(super) fn note(running: Running) {
    // A process is one standalone.
    let _ = RUNNING.set(running);
}

/// What runs, if this process is the standalone.
pub fn running() -> Option<&'static Running> {
    RUNNING.get()
}

/// The parameters to begin with, where the program was restarted.
pub fn values() -> Option<Values> {
    serde_json::from_str(running()?.options.values.as_deref()?).ok()
}

/// A device chosen in the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The sound comes from here.
    Input(String),
    /// The sound goes here.
    Output(String),
}

/// Runs the program anew. Returns only where that is not possible, with the reason.
pub fn restart(chosen: Chosen, values: &Values) -> io::Error {
    let Some(running) = running() else { return io::Error::other("this is not the standalone") };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut command = Command::new(program);
    command.args(arguments(running, chosen, values));
    replace(&mut command)
}

/// The command line of the program to be.
fn arguments(running: &Running, chosen: Chosen, values: &Values) -> Vec<String> {
    let Running { options, .. } = running;
    let (input, output) = match chosen {
        Chosen::Input(name) => (Some(name), running.output.clone()),
        Chosen::Output(name) => (running.input.clone(), Some(name)),
    };
    let backend = options.backend.to_possible_value().map(|value| value.get_name().to_owned());
    // Rate and buffer are what the user asked for, not what the former devices made of it.
    let asked = [
        ("backend", backend),
        ("input", input),
        ("output", output),
        ("rate", options.rate.map(|rate| rate.to_string())),
        ("buffer", options.buffer.map(|buffer| buffer.to_string())),
        ("scale", Some(options.scale.to_string())),
        ("values", serde_json::to_string(values).ok()),
    ];
    let pairs = asked.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
    std::iter::once("live".to_owned()).chain(pairs).collect()
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

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        live: String,
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_new_program_reads_what_the_old_one_wrote() {
        let running = Running {
            input: Some("Interface".into()),
            output: Some("Headphones, left=right".into()),
            options: Options { rate: Some(44_100), scale: 1.5, ..Options::default() },
            ..Running::default()
        };
        let values = Values { limit_db: 24.0, ..Values::default() };
        let arguments = arguments(&running, Chosen::Input("USB mic".into()), &values);
        let Program { live, options } =
            Program::parse_from(std::iter::once("tacet".to_owned()).chain(arguments));
        assert_eq!(live, "live");
        assert_eq!(options.input.as_deref(), Some("USB mic"));
        assert_eq!(options.output.as_deref(), Some("Headphones, left=right"));
        assert_eq!((options.rate, options.buffer, options.scale), (Some(44_100), None, 1.5));
        let read: Values = serde_json::from_str(&options.values.unwrap()).unwrap();
        assert_eq!(read, values);
    }
}
