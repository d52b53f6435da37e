//! `cargo xtask quality`: the README's quality table, from a speech set made here.

use anyhow::{Result, ensure};
use tacet_model::ModelKind;

use crate::bundle;
use crate::setup::models;
use crate::shell;
use crate::venv::Venv;
use crate::workspace::Workspace;

/// How the quality is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// Items scored at a time.
    #[arg(long, default_value_t = 2)]
    pub jobs: usize,
    /// Leave DNSMOS out, which takes most of the time.
    #[arg(long)]
    pub no_dnsmos: bool,
    /// Instead, measure the rules around the network and the presets: quiet, narrow, clean and whispered speech.
    #[arg(long)]
    pub conditions: bool,
}

/// Builds the command line, makes the speech set, denoises it with the official runtime and with ours, and scores.
///
/// # Errors
/// The official runtime does not run on this machine, something cannot be fetched or built, or an item's STOI is not
/// the official runtime's.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure!(
        models::HAS_OFFICIAL_RUNTIME,
        "the official runtime, which this compares with, is published for Linux on x86-64 (glibc) only: run this there"
    );
    let kind = ModelKind::DeepFilterNet3;
    models::provide(workspace, kind)?;
    let venv = Venv::provide(workspace, &workspace.root.join("tests/quality"))?;
    let tacet = bundle::build_program(workspace, "tacet")?;

    if options.conditions {
        let live = bundle::build_program(workspace, "denoise-live")?;
        for (script, live) in [("conditions", Some(live)), ("presets", None)] {
            let mut python = venv.python();
            python
                .arg(workspace.root.join("tests/quality").join(script).with_extension("py"))
                .arg("--tacet")
                .arg(&tacet)
                .arg("--out")
                .arg(workspace.target.join(script));
            if let Some(live) = live {
                python.arg("--live").arg(live);
            }
            shell::run(&mut python)?;
        }
        return Ok(());
    }
    let out = workspace.target.join("quality");
    shell::run(
        venv.python()
            .arg(workspace.root.join("tests/quality/quality.py"))
            .arg("--tacet")
            .arg(&tacet)
            .arg("--runtime")
            .arg(workspace.model_dir().join(models::OFFICIAL_RUNTIME))
            .arg("--model")
            .arg(workspace.model_dir().join(kind.archive_file()))
            .arg("--out")
            .arg(&out)
            .args(["--jobs", &options.jobs.to_string()])
            .args(options.no_dnsmos.then_some("--no-dnsmos")),
    )?;
    eprintln!(
        "The table is {}, every item is in results.json beside it",
        workspace.display(&out.join("table.md"))
    );
    Ok(())
}
