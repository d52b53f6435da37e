//! The command line: `tacet COMMAND`. It needs no audio library: the window on the microphone is a program of its own.
//!
//! Each subcommand is a module of its own with its arguments and a `run`. What they share, in the order a file meets
//! it:
//!
//! - [`decode`]: a file's bytes to samples.
//! - [`resample`]: to 48 kHz and back.
//! - [`pipeline`]: hops through the network, sample-aligned.
//! - [`encode`]: samples to WAV, into an [`output`] that appears whole or not at all.
//! - [`spectrogram`], [`progress`]: what the user sees of it.
//! - [`model`]: which network.
//!
//! [`denoise`] also plans which files are read and written, and reports on them. Beside it, [`score`] compares recordings,
//! [`devices`] and [`mod@bench`] list what can run the network and measure it there, [`torch`] manages the optional
//! backend's files, [`install_model`] those of models that are not embedded, [`live`] starts the window on the microphone,
//! and on Linux `mic` offers a denoised one to other programs.

#![allow(rustdoc::private_intra_doc_links, reason = "a program's library: its maps name private modules")]

mod bench;
pub mod decode;
mod denoise;
mod devices;
mod encode;
mod install_model;
mod interrupt;
mod io_errors;
mod live;
#[cfg(target_os = "linux")]
mod mic;
mod model;
mod options;
mod output;
mod panics;
mod paths;
mod pipeline;
mod progress;
mod resample;
mod score;
pub mod scores;
mod spectrogram;
mod standard;
mod torch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Exit code of a run in which something failed.
const FAILED: u8 = 1;
/// Exit code of a wrong command line; clap's own.
const WRONG_USAGE: u8 = 2;

/// Removes noise from speech, in real time and in files.
#[derive(Parser)]
#[command(name = "tacet", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Denoise(denoise::Args),
    Score(score::Args),
    Devices(devices::Args),
    Bench(bench::Args),
    Model(install_model::Args),
    Torch(torch::Args),
    Live(live::Args),
    #[cfg(target_os = "linux")]
    Mic(mic::Args),
}

/// A command line that asks for something that cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

/// A [`Usage`] error: reported with exit code 2.
fn usage(text: impl Into<String>) -> anyhow::Error {
    Usage(text.into()).into()
}

/// Extensions that promise a format.
const FORMATS: [&str; 24] = [
    "aac", "aif", "aiff", "caf", "flac", "m4a", "mp3", "mp4", "oga", "ogg", "opus", "wav", "wave",
    "wma", // Sound.
    "bmp", "gif", "jpeg", "jpg", "pdf", "png", "svg", "tif", "tiff", "webp", // Pictures.
];

/// Refuses a file whose name promises another format than those that `option` writes. Any other name is the user's.
///
/// # Errors
/// A [`Usage`] error with the extension to use.
fn refuse_other_format(option: &str, path: &Path, written: &[&str]) -> Result<()> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref().filter(|name| FORMATS.contains(name) && !written.contains(name)) {
        None => Ok(()),
        Some(promised) => Err(usage(format!(
            "{option} writes {}, not {promised}: name it .{}, and convert it afterwards",
            written.join(" or "),
            written[0]
        ))),
    }
}

/// Parses the command line and runs it. Errors go to standard error with their causes; the exit code is 0 if all went
/// well, 1 if something failed, 2 for a wrong command line.
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let (Some(Command::Denoise(args)), Some((_, matches))) = (&mut cli.command, matches.subcommand()) {
        args.apply_preset(matches);
    }
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<Usage>() { WRONG_USAGE } else { FAILED })
        }
    }
}

/// Runs the command; true if all of it went well.
fn run(cli: Cli) -> Result<bool> {
    match cli.command {
        Some(Command::Denoise(args)) => denoise::run(&args),
        Some(Command::Score(args)) => score::run(&args),
        Some(Command::Devices(args)) => devices::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Model(args)) => install_model::run(&args),
        Some(Command::Torch(args)) => torch::run(&args),
        Some(Command::Live(args)) => live::run(&args),
        #[cfg(target_os = "linux")]
        Some(Command::Mic(args)) => mic::run(&args),
        None => live::run(&live::Args::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
