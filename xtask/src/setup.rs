//! `cargo xtask setup`: everything that a build needs and that the repository does not hold.

use std::ffi::OsString;

use anyhow::{Context, Result};
use tacet_model::{Model, ModelKind};

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

/// The user's own model that builds embed in place of the published one.
fn own_model() -> Option<OsString> {
    std::env::var_os("TACET_MODEL")
}

/// Whether builds embed the published model, not a user's own.
pub(crate) fn embeds_published_model() -> bool {
    own_model().is_none()
}

/// Provides what a build needs; with a model named by `TACET_MODEL`, which is checked and then built in, none is fetched.
///
/// # Errors
/// As [`run`]; or the user's own model cannot be used.
pub(crate) fn provide(workspace: &Workspace) -> Result<()> {
    let Some(own) = own_model() else { return run(workspace, &Options::default()) };
    Model::from_file(&workspace.root.join(own)).context("TACET_MODEL")?;
    prerequisites::provide(false)
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
