//! Python environments for what compares us with Python tools, and for tools that come as Python packages: below
//! `target/`, and reused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::python::Python;
use crate::shell;
use crate::workspace::{Workspace, write_atomically};
use tacet_model::sha256_hex;

/// Libraries to compute with: version ranges, so that any recent Python finds wheels.
const LIBRARIES: &str = "libraries.txt";
/// Tools whose results count, where there are any: exact versions and hashes, without their dependencies.
const TOOLS: &str = "tools.txt";
/// Written last, so that an environment is whole or made again.
const STAMP: &str = "installed";

/// A virtual environment that holds what a directory of the repository asks for.
pub struct Venv {
    dir: PathBuf,
}

impl Venv {
    /// Makes or finds the environment for `requirements`, a directory with `libraries.txt` and perhaps `tools.txt`.
    ///
    /// # Errors
    /// There is no Python 3 with pip and venv, or a package cannot be installed.
    pub(crate) fn provide(workspace: &Workspace, requirements: &Path) -> Result<Self> {
        let (libraries, tools) = (requirements.join(LIBRARIES), requirements.join(TOOLS));
        let mut wanted = Vec::new();
        for list in [&libraries, &tools].into_iter().filter(|list| *list == &libraries || list.exists()) {
            wanted.extend(fs::read(list).with_context(|| format!("{} cannot be read", list.display()))?);
        }
        let wanted = sha256_hex(&wanted);
        let name = requirements.file_name().context("the requirements' directory has no name")?;
        let venv = Self { dir: workspace.target.join("venv").join(name) };
        let stamp = venv.dir.join(STAMP);
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(venv);
        }

        let title = workspace.display(&venv.dir);
        shell::run_quietly(
            &format!("Making the Python environment {title}"),
            Python::find()?.command().args(["-m", "venv", "--clear"]).arg(&venv.dir),
        )
        .context("Python's venv is missing (Debian and Ubuntu: `apt-get install python3-venv`)")?;
        venv.install(&libraries, &[])?;
        if tools.exists() {
            venv.install(&tools, &["--no-deps", "--require-hashes"])?;
        }
        write_atomically(&stamp, wanted.as_bytes())?;
        Ok(venv)
    }

    /// A command that starts with this environment's Python.
    pub fn python(&self) -> Command {
        self.program("python")
    }

    /// A command that starts with a program that a package brought along.
    pub fn program(&self, name: &str) -> Command {
        let folder = self.dir.join(if cfg!(windows) { "Scripts" } else { "bin" });
        Command::new(folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
    }

    /// The folder of a package's files.
    ///
    /// # Errors
    /// There is no such package.
    pub(crate) fn package(&self, name: &str) -> Result<PathBuf> {
        let mut python = self.python();
        python.args(["-c", &format!("import {name}; print({name}.__path__[0])")]);
        let path = shell::run_quietly(&format!("Finding {name}"), &mut python)?;
        Ok(path.trim().into())
    }

    fn install(&self, requirements: &Path, options: &[&str]) -> Result<()> {
        let mut pip = self.python();
        pip.args(["-m", "pip", "--disable-pip-version-check", "install"]).args(options);
        shell::run_quietly(
            &format!("Installing {}", requirements.display()),
            pip.arg("--requirement").arg(requirements),
        )?;
        Ok(())
    }
}
