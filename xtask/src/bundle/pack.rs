//! The torch runtime pack inside the macOS bundles, for hosts in a sandbox that may read nothing else, and beside the
//! bundles of the other systems. The loader looks in both places.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tacet_torch_pack::locate::BUNDLED_DIR;
use tacet_torch_pack::manifest::{Manifest, lib_dir};
use tacet_torch_pack::platform::Platform as Torch;

use super::layout::{Bundle, Format, Platform, System};
use super::{remove, sign::sign};

/// The part of libtorch that comes with the bundles.
#[derive(Clone, Debug)]
pub struct Part {
    /// The pack that it is taken from.
    pub pack: PathBuf,
    /// The backend's library and nothing else, which is no pack: the program installs one with it.
    pub is_backend_alone: bool,
}

impl Part {
    /// Copies it to where a pack belongs, replacing one that is there. On macOS its libraries are signed, and then
    /// described: a signature is part of the file.
    ///
    /// # Errors
    /// Something cannot be read, written or signed.
    pub fn place(&self, dest: &Path) -> Result<()> {
        let copy = || -> Result<()> {
            let manifest = Manifest::check(&self.pack)?;
            let platform = Torch::current().context("there is no libtorch for this system")?;
            let lib = lib_dir(dest);
            remove(dest)?;
            remove(&lib)?;
            fs::create_dir_all(&lib)?;
            let is_wanted = |name: &str| !self.is_backend_alone || name == platform.backend_file();
            for file in manifest.files.iter().filter(|file| is_wanted(&file.name)) {
                let library = lib.join(&file.name);
                fs::copy(lib_dir(&self.pack).join(&file.name), &library)?;
                sign(&library, None)?;
            }
            if !self.is_backend_alone {
                fs::create_dir_all(dest)?;
                Manifest::describe(dest, platform, manifest.cuda)?.write(dest)?;
            }
            Ok(())
        };
        copy().with_context(|| format!("the torch runtime pack cannot be placed in {}", dest.display()))
    }
}

/// The folders of packs, relative to the directory that holds the bundles: one inside each, or one beside all.
pub fn dirs(platform: Platform, bundles: &[Bundle]) -> Vec<PathBuf> {
    match platform.system {
        System::MacOs => bundles.iter().filter(|bundle| is_inside(platform, bundle)).map(inside).collect(),
        System::Linux | System::Windows => vec![BUNDLED_DIR.into()],
    }
}

/// Whether a pack goes into the bundle itself: on macOS, but for the program, which is a single file.
pub(crate) fn is_inside(platform: Platform, bundle: &Bundle) -> bool {
    platform.system == System::MacOs && bundle.format != Format::Program
}

/// The pack's place in a macOS bundle: its libraries go to `Contents/Frameworks`.
pub fn inside(bundle: &Bundle) -> PathBuf {
    bundle.root.join("Contents").join("Resources").join(BUNDLED_DIR)
}

#[cfg(test)]
mod tests {
    use tacet_torch_pack::assemble;
    use tacet_torch_pack::locate;

    use super::super::layout::{Architecture, bundles, names};
    use super::*;

    #[test]
    fn the_loader_looks_where_the_pack_is_placed() {
        for (system, n_places) in [(System::Linux, 1), (System::Windows, 1), (System::MacOs, 4)] {
            let platform = Platform { system, processor: Architecture::X86_64 };
            let bundles = bundles(platform, &names());
            let places = dirs(platform, &bundles);
            assert_eq!(places.len(), n_places);
            let may_open_it = |bundle: &&Bundle| match bundle.format {
                // It runs on the native engine alone.
                Format::Lv2 => false,
                _ => system != System::MacOs || is_inside(platform, bundle),
            };
            for bundle in bundles.iter().filter(may_open_it) {
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
                Part { pack: from, is_backend_alone: false }.place(&dest).unwrap();
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
        let pack = dir.path().join("pack");
        Part { pack, is_backend_alone: true }.place(&found[0]).unwrap();
        assert!(framework.is_file() && Manifest::check(&found[0]).is_err());
    }
}
