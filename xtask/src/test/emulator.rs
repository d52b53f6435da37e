//! Emulators of other platforms on a Debian machine: qemu's user mode and wine.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::setup::prerequisites;
use crate::shell;
use crate::workspace::Workspace;

/// Runs a program for arm64, with Debian's libraries for it; found without a `PATH`, too.
const QEMU: &str = "/usr/bin/qemu-aarch64 -L /usr/aarch64-linux-gnu";
/// Debian's wine without the part for 32-bit programs.
const WINE: &str = "/usr/lib/wine/wine64";
const WINE_PACKAGES: [&str; 4] = ["wine64", "wine", "xvfb", "xauth"];

/// An emulator that is installed.
pub(super) struct Emulator {
    /// The command that a program's path ends.
    pub(super) command: String,
    /// Variables of its own.
    pub(super) variables: Vec<(&'static str, OsString)>,
}

impl Emulator {
    /// Installs qemu.
    ///
    /// # Errors
    /// It cannot be installed.
    pub(super) fn qemu() -> Result<Self> {
        prerequisites::provide_packages(&["qemu-user"])?;
        Ok(Self { command: QEMU.to_owned(), variables: Vec::new() })
    }

    /// Installs wine, with its files in `dir`.
    ///
    /// # Errors
    /// It cannot be installed, or makes no files.
    pub(super) fn wine(workspace: &Workspace, dir: &Path) -> Result<Self> {
        prerequisites::provide_packages(&WINE_PACKAGES)?;
        let prefix = dir.join("wine");
        let variables = vec![
            ("WINEPREFIX", prefix.as_os_str().to_owned()),
            ("WINEDEBUG", "-all".into()),
            ("WINEARCH", "win64".into()),
        ];
        let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
        if !library.is_file() {
            let mut boot = Command::new("xvfb-run");
            // It complains about what is not installed, and succeeds.
            shell::run_quietly(
                "Making a wine prefix",
                boot.args(["-a", WINE, "wineboot", "-i"]).envs(variables.iter().cloned()),
            )?;
            ensure!(
                library.parent().is_some_and(Path::is_dir),
                "wine made no prefix in {}",
                prefix.display()
            );
            let mut compile = Command::new("x86_64-w64-mingw32-gcc");
            compile.args(["-O2", "-shared", "-s", "-o"]).arg(&library);
            compile.arg(workspace.root.join("xtask/src/test/bcryptprimitives.c"));
            shell::run(compile.arg("-ladvapi32"))?;
        }
        Ok(Self { command: format!("xvfb-run -a {WINE}"), variables })
    }

    /// Runs a program.
    pub(super) fn program(&self, path: &Path) -> Command {
        let mut words = self.command.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(path);
        command
    }
}
