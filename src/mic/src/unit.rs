//! Starting with the session: a unit of the user's systemd.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::Direction;

/// The unit's file name.
fn file_name(direction: Direction) -> String {
    format!("{}.service", direction.name())
}

/// The folder of the user's units.
fn dir() -> Result<PathBuf> {
    Ok(dirs::config_dir()
        .context("there is no configuration directory: HOME is not set")?
        .join("systemd/user"))
}

/// The unit that runs `program` with these arguments.
fn text(direction: Direction, program: &Path, arguments: &[OsString]) -> Result<String> {
    let words = std::iter::once(program.as_os_str()).chain(arguments.iter().map(OsString::as_os_str));
    let words: Vec<String> = words
        .map(|word| {
            let word = word.to_str().with_context(|| format!("{} is no text", word.display()))?;
            ensure!(!word.contains(['\n', '\r']), "{word:?} has a line break");
            // Quotes and backslashes end and escape, per cent and dollar signs stand for something.
            let word = word.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
            Ok(format!("\"{word}\""))
        })
        .collect::<Result<_>>()?;
    let (title, words) = (direction.title(), words.join(" "));
    Ok(format!(
        "# Written by `tacet mic enable`, removed by `tacet mic disable`.\n\
         [Unit]\nDescription={title}\nAfter=pipewire.service wireplumber.service\n\n\
         [Service]\nExecStart={words}\nRestart=on-failure\nRestartSec=2\n\n\
         [Install]\nWantedBy=default.target\n"
    ))
}

fn systemctl(arguments: &[&str]) -> Result<()> {
    let typed = format!("systemctl --user {}", arguments.join(" "));
    let status = Command::new("systemctl").arg("--user").args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("`{typed}` failed: run it in your session, where systemd answers"),
        Err(error) => Err(error).with_context(|| format!("`{typed}` cannot be run: this needs systemd")),
    }
}

/// Writes the unit that runs `program` with these arguments, starts it now and with every session; gives its file.
///
/// # Errors
/// The file cannot be written, or systemd does not take it; the file stays then.
pub fn enable(direction: Direction, program: &Path, arguments: &[OsString]) -> Result<PathBuf> {
    let path = dir()?.join(file_name(direction));
    let write = || -> Result<()> {
        fs::create_dir_all(path.parent().context("no directory")?)?;
        fs::write(&path, text(direction, program, arguments)?)?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))?;
    let name = file_name(direction);
    systemctl(&["daemon-reload"])
        .and_then(|()| systemctl(&["enable", &name]))
        .and_then(|()| systemctl(&["restart", &name]))
        .with_context(|| format!("{} is written and not started", path.display()))?;
    Ok(path)
}

/// Stops the unit and removes it; false if there is none.
///
/// # Errors
/// systemd does not answer, or the file cannot be removed.
pub fn disable(direction: Direction) -> Result<bool> {
    let (path, name) = (dir()?.join(file_name(direction)), file_name(direction));
    if !path.exists() {
        return Ok(false);
    }
    // Without systemd nothing runs: the file goes all the same.
    let stopped = systemctl(&["disable", "--now", &name]);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => stopped.and_then(|()| systemctl(&["daemon-reload"])).map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_through_as_they_are() {
        let arguments = ["mic", "--input", r#"a "b" 100% $x\"#].map(OsString::from);
        let text = text(Direction::Microphone, Path::new("/opt/my tools/tacet"), &arguments).unwrap();
        let line = r#"ExecStart="/opt/my tools/tacet" "mic" "--input" "a \"b\" 100%% $$x\\""#;
        assert!(text.lines().any(|found| found == line), "{text}");
        assert!(super::text(Direction::Microphone, Path::new("a\nb"), &[]).is_err());
    }
}
