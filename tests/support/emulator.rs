//! Programs that this processor does not run by itself.
#![allow(dead_code, reason = "no test needs all of it")]

use std::path::Path;
use std::process::Command;

/// Words before a binary where this processor does not run it: an emulator and its options.
const EMULATOR: &str = "TACET_EMULATOR";

/// Whether an emulator runs the binaries: memory, scheduling and libraries are then the emulator's, and what is asserted of
/// them is left out.
pub fn is_emulated() -> bool {
    let is_emulated = std::env::var_os(EMULATOR).is_some();
    if is_emulated {
        eprintln!("skipped: it is run by an emulator");
    }
    is_emulated
}

/// `n`, and under an emulator, which takes some twenty times as long, at most `n_emulated`: how much of the same a test
/// does, never what it asserts of it.
pub fn bounded<N: Ord>(n: N, n_emulated: N) -> N {
    if std::env::var_os(EMULATOR).is_some() { n.min(n_emulated) } else { n }
}

/// A command that runs a binary of the build.
pub fn command(binary: impl AsRef<Path>) -> Command {
    let emulator = std::env::var(EMULATOR).unwrap_or_default();
    let mut words = emulator.split_whitespace();
    let Some(program) = words.next() else { return Command::new(binary.as_ref()) };
    let mut command = Command::new(program);
    command.args(words).arg(binary.as_ref());
    command
}
