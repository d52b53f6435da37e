//! Running other programs: found or not, failed or not, said in one line.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// The cargo that runs this program.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether a program starts and succeeds with these arguments; its output is discarded.
pub fn succeeds(program: impl AsRef<OsStr>, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A command as one would type it.
pub fn typed(command: &Command) -> String {
    let quote = |word: &OsStr| {
        let word = word.to_string_lossy();
        if word.contains(' ') { format!("'{word}'") } else { word.into_owned() }
    };
    std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect::<Vec<_>>().join(" ")
}

/// Runs a command with its output on the terminal.
///
/// # Errors
/// It cannot be started or does not succeed; the text holds the command.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` could not be started", typed(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", typed(command));
    }
    Ok(())
}

/// Runs a command behind a spinner and returns its standard output; shows its messages only if it fails.
///
/// # Errors
/// It cannot be started or does not succeed; the text holds the command and what it said.
pub(crate) fn run_quietly(message: &str, command: &mut Command) -> Result<String> {
    let spinner = spinner(message);
    let output = output(command);
    spinner.finish_and_clear();
    output
}

/// Runs a command without its output or input, and returns what it printed.
///
/// # Errors
/// As [`run_quietly`].
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("`{}` could not be started", typed(command)))?;
    if !output.status.success() {
        let said = [&output.stdout[..], &output.stderr[..]]
            .map(|text| String::from_utf8_lossy(text).trim().to_owned());
        bail!("`{}` failed ({})\n{}", typed(command), output.status, said.join("\n").trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A spinner with elapsed time; where standard error is no terminal, one plain line.
pub fn spinner(message: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message.to_owned());
    if spinner.is_hidden() {
        eprintln!("{message} ...");
    } else if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
        spinner.enable_steady_tick(Duration::from_millis(120));
    }
    spinner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_hold_the_command_and_what_it_said() {
        let error = run_quietly("trying", cargo().arg("--no-such-option")).unwrap_err().to_string();
        assert!(error.contains("--no-such-option") && error.contains("unexpected argument"), "{error}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.contains("no-such-program"), "{error}");
        assert!(!succeeds("no-such-program", &[]));
    }

    #[test]
    fn a_typed_command_can_be_pasted() {
        let mut command = Command::new("sudo");
        command.args(["apt-get", "install", "a b"]);
        assert_eq!(typed(&command), "sudo apt-get install 'a b'");
    }
}
