//! Paths of the workspace and its build products, as cargo sees them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use tacet_torch_pack::replace;

use crate::shell;

/// The workspace, described by `cargo metadata`; honours `CARGO_TARGET_DIR` and cargo's own configuration.
#[derive(Clone, Debug, Deserialize)]
pub struct Workspace {
    /// Directory of the top-level Cargo.toml.
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Cargo's target directory.
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
}

/// This package's folder, as `cargo run` states it: a clone may have been moved since it was compiled.
pub(crate) fn package_dir() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()).into()
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// cargo cannot be run or the workspace does not parse.
    pub fn find() -> Result<Self> {
        let manifest = package_dir().with_file_name("Cargo.toml");
        let mut metadata = shell::cargo();
        metadata.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(&manifest);
        serde_json::from_str(&shell::output(&mut metadata)?)
            .context("cargo metadata gave something unexpected")
    }

    /// The cargo that started this program, in the workspace, with these words.
    pub(crate) fn cargo(&self, words: &str) -> Command {
        let mut cargo = shell::cargo();
        cargo.args(words.split_whitespace()).current_dir(&self.root);
        cargo
    }

    /// The folder of fetched and converted models; the build reads them from here.
    pub fn model_dir(&self) -> PathBuf {
        self.target.join("model")
    }

    /// Output directory of `demo`.
    pub(crate) fn demo_dir(&self) -> PathBuf {
        self.target.join("demo")
    }

    /// The folder of the plugin bundles.
    pub(crate) fn bundle_dir(&self) -> PathBuf {
        self.target.join("bundled")
    }

    /// A path for people: relative to the current directory where it lies below it.
    pub fn display(&self, path: &Path) -> String {
        let short =
            std::env::current_dir().ok().and_then(|dir| path.strip_prefix(dir).ok().map(Path::to_path_buf));
        short.as_deref().unwrap_or(path).display().to_string()
    }
}

/// Writes a file whole or not at all, so that no reader ever sees half of it. Makes missing directories.
///
/// # Errors
/// The directory cannot be made, or the file not written or renamed.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace::write(path, bytes).with_context(|| format!("{} could not be written", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_workspace_is_found() {
        let workspace = Workspace::find().unwrap();
        assert!(workspace.root.join("xtask/Cargo.toml").is_file());
        assert_eq!(workspace.model_dir().parent(), Some(workspace.target.as_path()));
    }

    #[test]
    fn a_failure_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"").unwrap();
        let error = write_atomically(&dir.path().join("file/below"), b"").unwrap_err();
        assert!(format!("{error:#}").contains("below"), "{error:#}");
    }
}
