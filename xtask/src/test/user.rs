//! Somebody who has downloaded an archive.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use zip::ZipArchive;

use super::emulator::Emulator;
use crate::bundle::layout::{Bundle, Format, bundles};
use crate::bundle::names::Names;
use crate::package::{CHECKSUMS, NOTICES, Package, archive};
use crate::shell;
use crate::workspace::Workspace;

/// Somebody with an empty home directory and the unpacked archive.
pub(super) struct User {
    home: TempDir,
    /// The unpacked folder.
    pub(super) folder: PathBuf,
    bundles: Vec<Bundle>,
    /// Runs the programs of the archive, where this machine does not.
    emulator: Option<Emulator>,
}

impl User {
    /// Unpacks the archive of `package`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn unpack(
        workspace: &Workspace,
        package: &Package,
        emulator: Option<Emulator>,
    ) -> Result<Self> {
        let home = tempfile::tempdir()?;
        if package.archive.extension().is_some_and(|extension| extension == "zip") {
            ZipArchive::new(File::open(&package.archive)?)?.extract(home.path())?;
        } else {
            shell::run(Command::new("tar").arg("-xzf").arg(&package.archive).current_dir(home.path()))?;
        }
        let folder = fs::read_dir(home.path())?.next().context("the archive is empty")??.path();
        let bundles = bundles(package.platform, &Names::read(&workspace.root)?);
        Ok(Self { home, folder, bundles, emulator })
    }

    /// The home directory.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Compares the unpacked files with the list of checksums.
    ///
    /// # Errors
    /// A file is missing, damaged or not listed.
    pub(super) fn check_files(&self) -> Result<()> {
        for name in ["README.md", "INSTALL.txt", "LICENSE-MIT", "LICENSE-APACHE", NOTICES] {
            ensure!(self.folder.join(name).is_file(), "the archive lacks {name}");
        }
        for bundle in &self.bundles {
            ensure!(
                self.folder.join(&bundle.binary).is_file(),
                "the archive lacks {}",
                bundle.binary.display()
            );
        }
        let mut sums = Command::new("sha256sum");
        shell::run(sums.args(["--check", "--strict", "--quiet", CHECKSUMS]).current_dir(&self.folder))?;
        let listed = fs::read_to_string(self.folder.join(CHECKSUMS))?.lines().count();
        // All but the list.
        ensure!(listed + 1 == archive::files(&self.folder)?.len(), "{CHECKSUMS} does not list every file");
        Ok(())
    }

    /// The binary of a format.
    ///
    /// # Errors
    /// The archive has no such format.
    pub(super) fn file(&self, format: Format) -> Result<PathBuf> {
        let bundle = self.bundles.iter().find(|bundle| bundle.format == format);
        Ok(self.folder.join(&bundle.context("no such bundle")?.binary))
    }

    /// A program of the archive, with nothing of this machine's environment but where programs are.
    fn program(&self, format: Format) -> Result<Command> {
        let path = self.file(format)?;
        let mut program = self.emulator.as_ref().map_or_else(|| Command::new(&path), |e| e.program(&path));
        program.env_clear().envs(self.emulator.iter().flat_map(|e| e.variables.iter().cloned()));
        program.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        program.env("HOME", self.home()).current_dir(self.home());
        Ok(program)
    }

    /// Denoises a recording; gives the result.
    ///
    /// # Errors
    /// The program fails.
    pub(super) fn denoise(&self, recording: &Path) -> Result<PathBuf> {
        let output = self.home().join("clean.wav");
        let mut tacet = self.program(Format::Program)?;
        shell::run(tacet.args(["denoise", "--quiet", "--float"]).arg(recording).arg("-o").arg(&output))?;
        Ok(output)
    }

    /// Lets the standalone list audio devices.
    ///
    /// # Errors
    /// The program fails.
    pub(super) fn list_devices(&self) -> Result<()> {
        shell::run(self.program(Format::Standalone)?.arg("--list"))
    }
}
