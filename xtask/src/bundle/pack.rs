//! The torch runtime pack inside the macOS bundles, for hosts in a sandbox that may read nothing else, and beside the
//! bundles of the other systems. The loader looks in both places.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tacet_torch_pack::locate::BUNDLED_DIR;
use tacet_torch_pack::manifest::{Manifest, lib_dir};
use tacet_torch_pack::platform::Platform as Torch;

use super::layout::{Bundle, Platform, System};
use super::remove;
use crate::shell;

/// What of libtorch comes with the bundles.
#[derive(Clone, Debug)]
pub enum Part {
    /// The pack in this directory.
    Pack(PathBuf),
    /// This library alone, which is no pack: the program installs one with it.
    Backend(PathBuf),
}

impl Part {
    /// Puts it where a pack belongs, replacing one that is there.
    ///
    /// # Errors
    /// Something cannot be read, written or signed.
    pub fn place(&self, dest: &Path) -> Result<()> {
        match self {
            Self::Pack(from) => place(from, dest),
            Self::Backend(library) => place_backend(library, dest),
        }
        .with_context(|| format!("{} cannot be made", dest.display()))
    }
}

/// Where a pack goes, relative to the directory that holds the bundles: one inside each, or one beside all.
pub fn dirs(platform: Platform, bundles: &[Bundle]) -> Vec<PathBuf> {
    match platform.system {
        System::MacOs => bundles.iter().map(inside).collect(),
        System::Linux | System::Windows => vec![BUNDLED_DIR.into()],
    }
}

/// The pack's place in a macOS bundle: its libraries go to `Contents/Frameworks`.
pub fn inside(bundle: &Bundle) -> PathBuf {
    bundle.root.join("Contents").join("Resources").join(BUNDLED_DIR)
}

/// Copies the pack `from`. Its libraries are described as they are then: a signature is part of the file.
fn place(from: &Path, dest: &Path) -> Result<()> {
    let manifest = Manifest::check(from)?;
    let platform = Torch::current().context("there is no libtorch for this system")?;
    let lib = empty_lib(dest)?;
    fs::create_dir_all(dest)?;
    for file in &manifest.files {
        copy(&lib_dir(from).join(&file.name), &lib.join(&file.name))?;
    }
    Manifest::describe(dest, platform, manifest.cuda)?.write(dest)?;
    Ok(())
}

fn place_backend(library: &Path, dest: &Path) -> Result<()> {
    let name = library.file_name().context("the backend has no name")?;
    copy(library, &empty_lib(dest)?.join(name))
}

/// The directory of the libraries of the pack in `dest`, with nothing left of the one before.
fn empty_lib(dest: &Path) -> Result<PathBuf> {
    let lib = lib_dir(dest);
    remove(dest)?;
    remove(&lib)?;
    fs::create_dir_all(&lib)?;
    Ok(lib)
}

/// Copies a library; on macOS signs it ad hoc.
fn copy(library: &Path, dest: &Path) -> Result<()> {
    fs::copy(library, dest)?;
    if cfg!(target_os = "macos") {
        let mut sign = Command::new("codesign");
        sign.args(["--force", "--sign", "-"]).arg(dest);
        let name = library.file_name().unwrap_or_default().display();
        shell::run_quietly(&format!("Signing {name}"), &mut sign)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tacet_torch_pack::assemble;
    use tacet_torch_pack::locate;

    use super::super::layout::{Processor, bundles, names};
    use super::*;

    #[test]
    fn the_loader_looks_where_the_pack_is_placed() {
        for (system, n_places) in [(System::Linux, 1), (System::Windows, 1), (System::MacOs, 4)] {
            let platform = Platform { system, processor: Processor::X86_64 };
            let bundles = bundles(platform, &names());
            let places = dirs(platform, &bundles);
            assert_eq!(places.len(), n_places);
            for bundle in &bundles {
                let module = Path::new("/hosts").join(&bundle.binary);
                let looked = locate::bundle_dirs(&module);
                let found = places.iter().any(|dir| looked.contains(&Path::new("/hosts").join(dir)));
                assert!(found, "{module:?} looks in {looked:?}, not in {places:?}");
            }
        }
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn a_placed_pack_is_whole_and_replaces_the_one_before() {
        let Some(platform) = Torch::current() else { return };
        let dir = tempfile::tempdir().unwrap();
        let backend = dir.path().join(platform.backend_file());
        for dest in ["tacet-torch", "A.clap/Contents/Resources/tacet-torch"].map(|dest| dir.path().join(dest))
        {
            for content in ["old", "new and longer"] {
                fs::write(&backend, content).unwrap();
                let from = dir.path().join("pack");
                assemble::install(std::slice::from_ref(&backend), &from, platform, false).unwrap();
                Part::Pack(from).place(&dest).unwrap();
                assert_eq!(Manifest::check(&dest).unwrap().n_bytes(), content.len() as u64);
                assert_eq!(Manifest::check(&dest).unwrap().verify(&dest), Ok(()));
            }
        }
        let framework =
            dir.path().join("A.clap/Contents/Frameworks/tacet-torch").join(platform.backend_file());
        assert!(framework.is_file());
        // And it is what a program in the bundle finds.
        let found = locate::bundle_dirs(&dir.path().join("A.clap/Contents/MacOS/A"));
        assert_eq!(found[0], dir.path().join("A.clap/Contents/Resources/tacet-torch"));
        assert!(Manifest::check(&found[0]).is_ok());
        // The backend alone is no pack.
        Part::Backend(backend).place(&found[0]).unwrap();
        assert!(framework.is_file() && Manifest::check(&found[0]).is_err());
    }
}
