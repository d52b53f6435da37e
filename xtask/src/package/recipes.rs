//! Recipes for other package managers, filled in with the version and the archive's checksum.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{CHECKSUMS, VERSION};
use crate::bundle::remove;
use crate::workspace::Workspace;

/// Their folder, beside the archives.
pub(crate) const DIR: &str = "recipes";

/// A recipe of the repository.
pub(crate) struct Recipe {
    /// Below `packaging/`.
    pub(crate) path: &'static str,
    /// The platform of the archive that it installs.
    platform: &'static str,
    extension: &'static str,
}

/// All of them.
pub(crate) const RECIPES: [Recipe; 3] = [
    Recipe { path: "arch/PKGBUILD", platform: "linux-x86_64", extension: "tar.gz" },
    Recipe {
        path: "flatpak/org.freedesktop.LinuxAudio.Plugins.Tacet.json",
        platform: "linux-x86_64",
        extension: "tar.gz",
    },
    Recipe { path: "homebrew/tacet.rb", platform: "macos-arm64", extension: "zip" },
];

impl Recipe {
    /// The archive's file name.
    fn archive(&self) -> String {
        format!("tacet-{VERSION}-{}.{}", self.platform, self.extension)
    }

    /// The recipe for an archive with this checksum.
    ///
    /// # Errors
    /// It cannot be read, or lacks a place to fill in.
    pub(crate) fn filled(&self, workspace: &Workspace, sha256: &str) -> Result<String> {
        let path = workspace.root.join("packaging").join(self.path);
        let mut text =
            fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        for (mark, value) in [("@VERSION@", VERSION), ("@SHA256@", sha256)] {
            ensure!(text.contains(mark), "{} lacks {mark}", path.display());
            text = text.replace(mark, value);
        }
        Ok(text)
    }
}

/// Writes those whose archives are in `dir`, each in a folder of its own with its archive.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn write(workspace: &Workspace, dir: &Path) -> Result<()> {
    let checksums = fs::read_to_string(dir.join(CHECKSUMS))?;
    for recipe in &RECIPES {
        let archive = recipe.archive();
        let listed = checksums.lines().filter_map(|line| line.split_once("  "));
        let Some((sha256, _)) = listed.into_iter().find(|(_, name)| *name == archive) else { continue };
        let path = dir.join(DIR).join(recipe.path);
        let folder = path.parent().context("no directory")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, recipe.filled(workspace, sha256)?)?;
        let beside = folder.join(&archive);
        remove(&beside)?;
        // The same file under a second name where that works.
        if fs::hard_link(dir.join(&archive), &beside).is_err() {
            fs::copy(dir.join(&archive), &beside)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_written_beside_its_archive() {
        let workspace = Workspace::find().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut checksums = String::new();
        for recipe in &RECIPES {
            fs::write(dir.path().join(recipe.archive()), "archive").unwrap();
            checksums += &format!("{}  {}\n", "ab".repeat(32), recipe.archive());
        }
        fs::write(dir.path().join(CHECKSUMS), checksums).unwrap();
        for _ in 0..2 {
            write(&workspace, dir.path()).unwrap();
        }
        for recipe in &RECIPES {
            let path = dir.path().join(DIR).join(recipe.path);
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.contains(&"ab".repeat(32)) && text.contains(VERSION) && !text.contains('@'),
                "{text}"
            );
            assert!(path.with_file_name(recipe.archive()).is_file());
        }
    }

    #[test]
    fn the_cask_installs_every_bundle_of_macos() {
        let workspace = Workspace::find().unwrap();
        let cask = RECIPES[2].filled(&workspace, "ab").unwrap();
        let names = crate::bundle::names::Names::read(&workspace.root).unwrap();
        let platform = crate::bundle::layout::Platform::of_target("aarch64-apple-darwin").unwrap();
        assert_eq!(platform.to_string(), RECIPES[2].platform);
        for bundle in crate::bundle::layout::bundles(platform, &names) {
            assert!(cask.contains(&format!("#{{folder}}/{}\"", bundle.root.display())), "{bundle:?}");
        }
    }
}
