//! `cargo xtask setup`: everything that a build needs and that the repository does not hold.

use anyhow::Result;
use tacet_model::ModelKind;

use crate::workspace::Workspace;

pub mod models;
pub mod prerequisites;
pub mod python;

/// Options of `setup` beyond the minimum.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Options {
    /// Also fetch the low-latency model, DeepFilterNet3_ll.
    #[arg(long)]
    pub ll: bool,
    /// Also install what the tests need (Debian and Ubuntu).
    #[arg(long)]
    pub tests: bool,
}

/// Whether builds embed the published model, not a user's own.
pub(crate) fn embeds_published_model() -> bool {
    std::env::var_os("TACET_MODEL").is_none()
}

/// Provides what a build needs; with a model named by `TACET_MODEL`, which is then built in, none is fetched.
///
/// # Errors
/// As [`run`].
pub(crate) fn provide(workspace: &Workspace) -> Result<()> {
    if !embeds_published_model() {
        return prerequisites::provide(false);
    }
    run(workspace, &Options::default())
}

/// Installs or names prerequisites, then fetches and converts the models. Quick if nothing is missing.
///
/// # Errors
/// A prerequisite or a model is missing; the text says what to do.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    prerequisites::provide(options.tests)?;
    models::provide(workspace, ModelKind::DeepFilterNet3)?;
    if options.ll {
        models::provide(workspace, ModelKind::DeepFilterNet3Ll)?;
    }
    Ok(())
}
