//! `tacet live`: starts `tacet-live`, the plugin in a window of its own on the microphone.
//!
//! A program of its own because it needs audio libraries, which a machine that only denoises files may lack.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Denoise the microphone in a window of its own; the same as no command
#[derive(clap::Args, Debug, Default)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Options of `tacet-live`; `tacet live --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<OsString>,
}

/// Runs the window until it is closed; true if it ended well.
///
/// # Errors
/// `tacet-live` is not beside this program, or cannot be started.
pub fn run(args: &Args) -> Result<bool> {
    run_with(&args.options)
}

/// Runs the window with these options until it is closed; true if it ended well.
///
/// # Errors
/// As [`run`].
pub fn run_with(options: &[impl AsRef<OsStr>]) -> Result<bool> {
    let program = std::env::current_exe()
        .context("this program's own file is not known: start it by its whole path")?;
    let Some(live) = candidates(&program).into_iter().find(|path| path.is_file()) else {
        let dir = program.parent().unwrap_or(Path::new("."));
        bail!(
            "the window on the microphone is a program of its own, tacet-live, which is not in {}: put it there, or run it \
             from where it is. `tacet --help` lists what works without it",
            dir.display()
        );
    };
    start(Command::new(&live).args(options)).with_context(|| {
        format!("{} could not be started: run it in a terminal, where it says why", live.display())
    })
}

/// Candidate paths of the window's program, relative to `program`, most likely first.
fn candidates(program: &Path) -> Vec<PathBuf> {
    let plain = program.with_file_name(format!("tacet-live{}", std::env::consts::EXE_SUFFIX));
    let bundle = program.with_file_name("Tacet.app").join("Contents").join("MacOS").join("Tacet");
    if cfg!(target_os = "macos") { vec![bundle, plain] } else { vec![plain] }
}

/// In the same process where the system can: signals and the terminal are the window's.
#[cfg(unix)]
fn start(command: &mut Command) -> Result<bool> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn start(command: &mut Command) -> Result<bool> {
    Ok(command.status()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_looked_for_beside_the_program() {
        let program = Path::new("some").join("folder").join("tacet");
        for path in candidates(&program) {
            assert!(path.starts_with(Path::new("some").join("folder")), "{path:?}");
        }
    }
}
