//! `cargo xtask bench`: the benches under `benches/`, each on one core where the system can pin it, but for what has
//! several threads.
//!
//! A bench is a program that measures ours beside the baseline in one run and prints the ratio. [`plugin`] measures what
//! the built plugin costs a host.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell;
use crate::torch;
use crate::workspace::Workspace;

pub mod plugin;

/// The name of the one that is no program of its own.
const PLUGIN: &str = "plugin";
/// The one that starts the program.
const PROGRAM: &str = "hour";
/// Benches whose threads must not take each other's core.
const MANY_THREADS: [&str; 3] = ["audio_thread", PROGRAM, "sequence"];

/// Options of `cargo xtask bench`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Only the benches whose name contains this
    #[arg(value_name = "NAME")]
    only: Option<String>,
    /// Passed on to the benches
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Builds and runs one after the other.
///
/// # Errors
/// There is no such bench, or one cannot be built or fails.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let only = options.only.as_deref().unwrap_or("");
    let names = names(&workspace.root.join("benches"))?;
    let wanted: Vec<&String> = names.iter().filter(|name| name.contains(only)).collect();
    if wanted.is_empty() && !PLUGIN.contains(only) {
        bail!("no bench is called {only}; there are: {}, {PLUGIN}", names.join(", "));
    }
    if PLUGIN.contains(only) {
        plugin::run(workspace)?;
    }
    if wanted.is_empty() {
        return Ok(());
    }
    setup::run(workspace, &setup::Options::default())?;
    shell::run(cargo_bench(workspace, &wanted).arg("--no-run"))?;
    if wanted.iter().any(|name| *name == PROGRAM) {
        shell::run(&mut workspace.cargo("build --locked --release --package tacet-cli"))?;
    }
    for name in wanted {
        let cargo = cargo_bench(workspace, &[name]);
        let mut bench = if MANY_THREADS.contains(&name.as_str()) { cargo } else { pinned(&cargo) };
        bench.current_dir(&workspace.root).arg("--").args(&options.arguments);
        // The pack of this working tree, where there is one, rather than what is installed.
        let pack = torch::pack_dir(workspace);
        if pack.exists() {
            bench.env("TACET_TORCH_DIR", pack);
        }
        shell::run(&mut bench)?;
    }
    Ok(())
}

fn cargo_bench(workspace: &Workspace, names: &[&String]) -> Command {
    let mut cargo = workspace.cargo("bench --locked --package tacet-benches");
    for name in names {
        cargo.args(["--bench", name]);
    }
    cargo
}

/// The same command on one core: measurements then do not move between cores, and both sides use the same.
fn pinned(command: &Command) -> Command {
    // There may be no taskset, or core 0 not be ours to use.
    if !shell::succeeds("taskset", &["--cpu-list", "0", "true"]) {
        let mut same = Command::new(command.get_program());
        same.args(command.get_args());
        return same;
    }
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", "0"]).arg(command.get_program()).args(command.get_args());
    pinned
}

/// The benches by file name, in order.
fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benches_are_the_rust_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.rs", "a.rs", "notes.md"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("shared")).unwrap();
        assert_eq!(names(dir.path()).unwrap(), ["a", "b"]);
    }

    #[test]
    fn pinning_keeps_the_command() {
        let mut command = Command::new("cargo");
        command.args(["bench", "--bench", "a"]);
        assert!(shell::typed(&pinned(&command)).ends_with("cargo bench --bench a"));
    }
}
