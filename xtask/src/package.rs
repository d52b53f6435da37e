//! `cargo xtask package`: what people download. One archive for the platform, with everything that [`bundle`] makes,
//! licences, instructions and checksums; on Debian also a `.deb`; recipes for other package managers, filled in. Nothing
//! is published.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tacet_torch_pack::locate::{BUNDLED_DIR, BUNDLED_MODELS_DIR};

pub(crate) mod archive;
pub(crate) mod debian;
mod instructions;
pub(crate) mod notices;
pub(crate) mod recipes;

use crate::bundle::layout::{self, Bundle, Platform, System};
use crate::bundle::names::Names;
use crate::bundle::{self, remove};
use crate::install;
use crate::setup::prerequisites;
use crate::workspace::Workspace;
use tacet_model::sha256_hex;

/// The project's version, which is this program's.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The list of checksums in an archive, and of archives beside them; `sha256sum --check` reads it.
pub(crate) const CHECKSUMS: &str = "SHA256SUMS";
/// The licences of what is compiled in.
pub(crate) const NOTICES: &str = "THIRD-PARTY.txt";
/// Texts of the repository that go along; README.md refers to all of them.
const DOCUMENTS: [&str; 9] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "assets/README.md",
    "assets/panel.png",
    "assets/panel_devices.png",
    "docs",
];

/// Options of `cargo xtask package`.
#[derive(Clone, Debug, Default, clap::Args)]
// Its only group is that of the bundles.
#[group(skip)]
pub struct Options {
    #[command(flatten)]
    bundle: bundle::Options,
}

/// Everything that was made for a platform.
pub(crate) struct Package {
    /// The archive.
    pub(crate) archive: PathBuf,
    /// Debian's package, where it could be made.
    pub(crate) deb: Option<PathBuf>,
    /// The folder that holds them, the checksums and the recipes.
    pub(crate) dir: PathBuf,
    pub(crate) platform: Platform,
}

/// Builds, bundles and packs; prints what was made.
///
/// # Errors
/// The bundles cannot be made, or something not be written.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let package = make(workspace, &options.bundle)?;
    let others = [package.dir.join(CHECKSUMS), package.dir.join(recipes::DIR)];
    for path in std::iter::once(&package.archive).chain(&package.deb).chain(&others) {
        println!("{}", workspace.display(path));
    }
    Ok(())
}

/// Packs for the platform of `options`.
///
/// # Errors
/// As [`run`].
pub(crate) fn make(workspace: &Workspace, options: &bundle::Options) -> Result<Package> {
    let target = options.target.as_deref();
    let platform = bundle::platform(target)?;
    bundle::build(workspace, options)?;
    let contents = Contents {
        bundles: layout::bundles(platform, &Names::read(&workspace.root)?),
        source: bundle::directory(workspace, target),
        notices: notices::text(workspace, platform.system, target)?,
        platform,
        has_backend: options.torch || options.torch_backend,
    };
    let dir = workspace.target.join("package");
    fs::create_dir_all(&dir)?;
    let archive = pack(&contents, workspace, &dir)?;
    let deb = if platform != Platform::current()? || platform.system != System::Linux {
        None
    } else if prerequisites::is_debian() {
        Some(debian::make(workspace, &contents, &dir)?)
    } else {
        eprintln!("without a .deb, which needs Debian's dpkg");
        None
    };
    let files: Vec<&Path> = std::iter::once(&archive).chain(&deb).map(PathBuf::as_path).collect();
    list(&dir, &files)?;
    recipes::write(workspace, &dir)?;
    Ok(Package { archive, deb, dir, platform })
}

/// The contents of a package.
pub(crate) struct Contents {
    /// The bundles.
    pub(crate) bundles: Vec<Bundle>,
    /// The folder that they were made in.
    pub(crate) source: PathBuf,
    /// Licences of what is compiled in.
    pub(crate) notices: String,
    pub(crate) platform: Platform,
    has_backend: bool,
}

impl Contents {
    /// Folders that lie beside the bundles: the low-latency model if it could be fetched, and what there is of libtorch.
    pub(crate) fn folders(&self) -> Vec<&'static str> {
        let backend = self.has_backend.then_some(BUNDLED_DIR);
        let model = self.source.join(BUNDLED_MODELS_DIR).is_dir().then_some(BUNDLED_MODELS_DIR);
        backend.into_iter().filter(|dir| self.source.join(dir).is_dir()).chain(model).collect()
    }
}

/// Lays everything out below one folder and packs it; gives the archive.
fn pack(contents: &Contents, workspace: &Workspace, dir: &Path) -> Result<PathBuf> {
    let stem = format!("tacet-{VERSION}-{}", contents.platform);
    let staging = dir.join(&stem);
    remove(&staging)?;
    fs::create_dir_all(&staging)?;
    for bundle in &contents.bundles {
        install::copy(&contents.source.join(&bundle.root), &staging.join(&bundle.root))?;
    }
    for folder in contents.folders() {
        install::copy(&contents.source.join(folder), &staging.join(folder))?;
    }
    for document in DOCUMENTS {
        let target = staging.join(document);
        fs::create_dir_all(target.parent().context("no directory")?)?;
        install::copy(&workspace.root.join(document), &target)?;
    }
    fs::write(staging.join(NOTICES), &contents.notices)?;
    fs::write(staging.join("INSTALL.txt"), instructions::text(contents)?)?;
    let files = archive::files(&staging)?;
    list(&staging, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let archive = match contents.platform.system {
        System::Linux => archive::tar_gz(&staging, dir)?,
        System::MacOs | System::Windows => archive::zip(&staging, dir)?,
    };
    remove(&staging)?;
    Ok(archive)
}

/// Writes the checksums of `files` below `dir` into its list, in place of those that it holds for them; others' lines stay,
/// as of another platform's archive.
fn list(dir: &Path, files: &[&Path]) -> Result<()> {
    let path = dir.join(CHECKSUMS);
    let mut lines: Vec<String> = match fs::read_to_string(&path) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    };
    for file in files {
        let name = file.strip_prefix(dir)?.to_string_lossy().replace('\\', "/");
        let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        lines.retain(|line| line.split_once("  ").is_none_or(|(_, listed)| listed != name));
        lines.push(format!("{}  {name}", sha256_hex(&bytes)));
    }
    fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>())
        .with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_replaces_the_lines_of_its_files_and_keeps_others() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b c.txt");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(dir.path().join(CHECKSUMS), "00  other.zip\n").unwrap();
        for content in ["old", "abc"] {
            fs::write(&file, content).unwrap();
            list(dir.path(), &[&file]).unwrap();
        }
        // The digest of "abc" is FIPS 180-2's example.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let expected = format!("00  other.zip\n{abc}  a/b c.txt\n");
        assert_eq!(fs::read_to_string(dir.path().join(CHECKSUMS)).unwrap(), expected);
    }

    #[test]
    fn files_named_by_the_readme_go_along() {
        let root = Workspace::find().unwrap().root;
        assert!(DOCUMENTS.iter().all(|document| root.join(document).exists()));
        let readme = fs::read_to_string(root.join("README.md")).unwrap();
        for link in readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_there = DOCUMENTS.iter().any(|document| Path::new(link).starts_with(document));
            assert!(is_there || link.starts_with("https://"), "{link}");
        }
    }
}
