//! `cargo xtask demo`: sets up, builds the engine and denoises a noisy recording; then builds the program and the plugin,
//! prints the program's report and compares what the plugin makes of the recording.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

mod engine;
pub(crate) mod plugin;
mod report;

use report::Report;

use crate::bundle;
use crate::shell;
use crate::workspace::Workspace;

/// The recording, relative to the workspace's root; assets/README.md has its source and licence.
pub(crate) const RECORDING: &str = "assets/demo_noisy.wav";

/// Options of the demo.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// A recording of your own: WAV, FLAC, MP3, Ogg Vorbis, AAC or M4A
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Outputs of a demo in `target/demo/`.
struct Products {
    wav: PathBuf,
    /// As heard live, by the engine alone.
    live: PathBuf,
    spectrogram: PathBuf,
    json: PathBuf,
    /// As 32-bit float, which is what a plugin puts out.
    float: PathBuf,
}

impl Products {
    fn of(workspace: &Workspace, recording: &Path) -> Self {
        let stem = recording.file_stem().unwrap_or_default().to_string_lossy();
        let product = |suffix: &str| workspace.demo_dir().join(format!("{stem}{suffix}"));
        Self {
            wav: product("-denoised.wav"),
            live: product("-live.wav"),
            spectrogram: product("-spectrogram.png"),
            json: product("-report.json"),
            float: product("-denoised-float.wav"),
        }
    }
}

/// Denoises the project's recording, or the user's, by the engine alone, by the program, whose report is printed, and by
/// the plugin, which is compared.
///
/// # Errors
/// Something cannot be set up, built, read or denoised, or the plugin makes something else of the project's recording than
/// the command line.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let recording = match &options.file {
        Some(file) => file.canonicalize().with_context(|| format!("{} cannot be read", file.display()))?,
        None => workspace.root.join(RECORDING),
    };
    let products = Products::of(workspace, &recording);
    fs::create_dir_all(workspace.demo_dir())?;
    if plugin::takes(&recording) {
        println!("The engine first, which is soon built:");
        let engine = bundle::build_program(workspace, "denoise-live")?;
        engine::denoise(&engine, &recording, &products.live)?;
        println!("\n  {:<18}{}\n", "heard live", workspace.display(&products.live));
        println!("Now the program, for recordings of every kind, and the plugin:");
    }
    let (program, clap) = bundle::build_program_and_plugins(workspace)?;
    let mut denoise = tacet(&program, &recording, &products.wav);
    shell::run(denoise.arg("--spectrogram").arg(&products.spectrogram).arg("--json").arg(&products.json))?;

    let report = fs::read(&products.json).with_context(|| products.json.display().to_string())?;
    let report: Report =
        serde_json::from_slice(&report).context("the report of `tacet denoise` is not understood")?;
    println!("\n{}", report.screen()?);
    for (what, path) in [
        ("before", &recording),
        ("after", &products.wav),
        ("picture", &products.spectrogram),
        ("report", &products.json),
    ] {
        println!("  {what:<18}{}", workspace.display(path));
    }
    println!("  {:<18}{}", "plugin", compare(workspace, &program, &clap, &recording)?);
    Ok(())
}

/// `tacet denoise` with the recording and the output.
fn tacet(program: &Path, recording: &Path, output: &Path) -> Command {
    let mut denoise = Command::new(program);
    denoise.args(["denoise", "--quiet"]).arg(recording).arg("--output").arg(output);
    denoise
}

/// The built CLAP beside the command line; with the project's recording where the user's is one that the plugin would
/// resample.
fn compare(workspace: &Workspace, program: &Path, clap: &Path, recording: &Path) -> Result<String> {
    let project = workspace.root.join(RECORDING);
    let used = if plugin::takes(recording) { recording } else { &project };
    let float = Products::of(workspace, used).float;
    shell::run(tacet(program, used, &float).arg("--float"))?;
    let comparison = plugin::compare(clap, used, &float)?;
    ensure!(used != project || comparison.n_different == 0, "the plugin: {}", comparison.row());
    let of_what =
        if used == recording { "" } else { ", on the project's recording: yours is no WAV at 48 kHz" };
    Ok(comparison.row() + of_what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_is_there() {
        assert!(Workspace::find().unwrap().root.join(RECORDING).is_file());
    }

    #[test]
    fn products_are_named_after_the_recording() {
        let workspace = Workspace { root: "root".into(), target: "target".into() };
        let products = Products::of(&workspace, Path::new("elsewhere/my talk.flac"));
        assert_eq!(products.wav, Path::new("target/demo/my talk-denoised.wav"));
        assert_eq!(products.spectrogram, Path::new("target/demo/my talk-spectrogram.png"));
    }
}
