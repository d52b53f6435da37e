//! Lets the framework open any PCM of ALSA: it looks devices up by their descriptions, of which two may be the same, and
//! opens them with one or two channels only.
//!
//! A PCM that it would miss gets an alias, in a configuration of this process alone: a description of its own, and ALSA's
//! conversion between channels. The file is in memory and ends with the process.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// Names the files of ALSA's configuration, with colons between.
const CONFIG_VARIABLE: &str = "ALSA_CONFIG_PATH";
/// ALSA's own configuration where the variable is not set (alsa-lib's default).
const CONFIG: &str = "/usr/share/alsa/alsa.conf";

/// A PCM under another description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// ALSA's name of the PCM.
    pub id: String,
    /// Its name for the framework.
    pub description: &'static str,
}

/// Defines the aliases for this process. Called before audio is opened, while no other thread reads the environment.
///
/// # Errors
/// There is no memory for a file, or ALSA's own configuration is elsewhere.
pub fn define(aliases: &[Alias]) -> Result<()> {
    if aliases.is_empty() {
        return Ok(());
    }
    let before = match std::env::var(CONFIG_VARIABLE) {
        Ok(path) if !path.is_empty() => path,
        _ => CONFIG.to_owned(),
    };
    let is_there = before.split(':').any(|path| Path::new(path).exists());
    ensure!(is_there, "ALSA's configuration is not at {before}: name it with {CONFIG_VARIABLE}");
    // SAFETY: the name is a terminated string; the result is checked below.
    let descriptor = unsafe { libc::memfd_create(c"tacet alsa".as_ptr(), 0) };
    ensure!(descriptor >= 0, "no memory for ALSA's configuration");
    // SAFETY: the descriptor was just made and has no other owner.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    file.write_all(config(aliases).as_bytes()).context("ALSA's configuration")?;
    let path = format!("{before}:/proc/self/fd/{}", file.as_raw_fd());
    // ALSA reads it again and again, until the process ends.
    std::mem::forget(file);
    // SAFETY: no other thread reads the environment now: audio and window are opened after this, and the thread that waits
    // for signals reads nothing.
    unsafe { std::env::set_var(CONFIG_VARIABLE, path) };
    Ok(())
}

/// The configuration: a PCM with conversion around each of those that are meant.
fn config(aliases: &[Alias]) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    aliases
        .iter()
        .enumerate()
        .map(|(number, Alias { id, description })| {
            format!(
                "pcm.tacet_{number} {{\n  type plug\n  slave.pcm \"{}\"\n  hint {{\n    show on\n    description \"{}\"\n  }}\n}}\n",
                quoted(id),
                quoted(description)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_the_pcm_whatever_its_characters() {
        let alias = |id: &str| Alias { id: id.into(), description: "Tacet input" };
        let text = config(&[alias("hw:CARD=Mic,DEV=1"), alias("a\"b\\c")]);
        assert!(text.contains("pcm.tacet_0 {\n  type plug\n  slave.pcm \"hw:CARD=Mic,DEV=1\"\n"), "{text}");
        assert!(text.contains("pcm.tacet_1 {") && text.contains(r#"slave.pcm "a\"b\\c""#), "{text}");
        assert_eq!(text.matches("description \"Tacet input\"").count(), 2);
    }
}
