//! Other platforms to build for on a Debian machine, with its compilers and rustup's standard library.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::setup::prerequisites;
use crate::shell;
use crate::workspace::Workspace;

/// Linux on arm64.
pub(crate) const ARM64: &str = "aarch64-unknown-linux-gnu";
/// Windows on x86-64, with the GNU linker.
pub(crate) const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// A platform whose compiler and libraries are here.
pub(crate) struct Cross {
    target: String,
    /// Its [folder](dir).
    pub(crate) dir: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Cross {
    /// Lets cargo build for the platform.
    pub(crate) fn prepare(&self, cargo: &mut Command) {
        cargo.args(["--target", &self.target]);
        cargo.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }
}

/// The folder of the builds' and tests' files for `target` beside cargo's.
pub(crate) fn dir(workspace: &Workspace, target: &str) -> PathBuf {
    workspace.target.join("cross").join(target)
}

/// Provides what builds for `target` need.
///
/// # Errors
/// The platform is unknown here, or something cannot be installed.
pub(crate) fn provide(workspace: &Workspace, target: &str) -> Result<Cross> {
    ensure!(prerequisites::is_debian(), "building for {target} needs Debian's or Ubuntu's packages");
    let dir = dir(workspace, target);
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let environment = match target {
        ARM64 => {
            // The C++ compiler brings the C library that the linker needs.
            prerequisites::provide_packages(&[
                "gcc-aarch64-linux-gnu",
                "g++-aarch64-linux-gnu",
                "pkg-config",
            ])?;
            let libraries = prerequisites::provide_foreign("arm64", &ARM64_LIBRARIES, &dir)?;
            let pkg_config = libraries.join("usr/lib/aarch64-linux-gnu/pkgconfig");
            vec![
                ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc".to_owned()),
                ("CC_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-gcc".to_owned()),
                ("PKG_CONFIG_ALLOW_CROSS_aarch64_unknown_linux_gnu", "1".to_owned()),
                ("PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu", pkg_config.display().to_string()),
                ("PKG_CONFIG_SYSROOT_DIR_aarch64_unknown_linux_gnu", libraries.display().to_string()),
            ]
        }
        WINDOWS => {
            prerequisites::provide_packages(&["gcc-mingw-w64-x86-64-win32"])?;
            vec![("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", "x86_64-w64-mingw32-gcc".to_owned())]
        }
        _ => bail!("only {ARM64} and {WINDOWS} can be built for here, not {target}"),
    };
    add_standard_library(workspace, target)?;
    Ok(Cross { target: target.to_owned(), dir, environment })
}

/// Adds rustup's standard library for `target`, unless `RUSTC` names a compiler, which has brought what it compiles for.
///
/// # Errors
/// There is none, or it cannot be fetched.
pub(crate) fn add_standard_library(workspace: &Workspace, target: &str) -> Result<()> {
    if std::env::var_os("RUSTC").is_none() {
        let mut add = Command::new("rustup");
        shell::run(add.args(["target", "add", target]).current_dir(&workspace.root))?;
    }
    Ok(())
}

/// The standalone's audio backends, and what they bring.
const ARM64_LIBRARIES: [&str; 4] = ["libasound2-dev", "libasound2", "libjack-jackd2-dev", "libjack-jackd2-0"];
