//! `cargo xtask install` and `uninstall`: the bundles where hosts look for them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tacet_model::ModelKind;
use tacet_torch_pack::locate::{self, BUNDLED_DIR, BUNDLED_MODELS_DIR};
use tacet_torch_pack::replace;

use crate::bundle;
use crate::bundle::layout::{self, Format, Platform, System};
use crate::bundle::names::Names;
use crate::setup;
use crate::torch;
use crate::workspace::Workspace;

/// Options of `cargo xtask install`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// For all users; needs the rights to write there
    #[arg(long, conflicts_with = "dest")]
    system: bool,
    /// Into one folder, side by side, instead of where hosts look
    #[arg(long, value_name = "DIR")]
    dest: Option<PathBuf>,
    /// Also the torch backend: inside the bundles on macOS, beside them with --dest, else for this user
    #[arg(long, conflicts_with = "system")]
    torch: bool,
}

/// Builds, bundles and installs; prints what went where.
///
/// # Errors
/// The bundles cannot be made, or a folder not be written.
pub fn install(workspace: &Workspace, options: &Options) -> Result<()> {
    // Beside the bundles, where they are side by side, or inside them; else the per-user pack serves all of them.
    let is_bundled = options.torch && (options.dest.is_some() || cfg!(target_os = "macos"));
    bundle::build(workspace, &bundle::Options { torch: is_bundled, ..bundle::Options::default() })?;
    if options.torch && !is_bundled {
        torch::run(workspace, torch::Options::default())?;
    }
    place(workspace, &workspace.bundle_dir(), options)
}

/// Copies the bundles in `bundled` to their places.
fn place(workspace: &Workspace, bundled: &Path, options: &Options) -> Result<()> {
    for target in targets(workspace, options)? {
        let source = bundled.join(target.file_name().context("no file name")?);
        keep_other(&target)?;
        put(&source, &target)?;
        println!("installed {}", target.display());
    }
    if let Some(target) = model_target(options) {
        let source = bundled.join(BUNDLED_MODELS_DIR).join(target.file_name().context("no file name")?);
        // If it could not be fetched, `build` has said so.
        if setup::embeds_published_model() && source.is_file() {
            put(&source, &target)?;
            println!("installed {}", target.display());
        }
    }
    Ok(())
}

/// The low-latency model's place: one for all formats.
fn model_target(options: &Options) -> Option<PathBuf> {
    let dir = match &options.dest {
        Some(dest) => Some(dest.join(BUNDLED_MODELS_DIR)),
        None if options.system => locate::system_models_dirs().into_iter().next(),
        None => locate::user_models_dir(),
    };
    dir.map(|dir| dir.join(ModelKind::DeepFilterNet3Ll.safetensors_file()))
}

/// Removes what `install` with the same options put there.
///
/// # Errors
/// Something is there and cannot be removed.
pub(crate) fn uninstall(workspace: &Workspace, options: &Options) -> Result<()> {
    for target in targets(workspace, options)? {
        if fs::symlink_metadata(&target).is_ok() && !is_others(&target)? {
            take(&target)?;
            println!("removed {}", target.display());
            bring_back(&target)?;
        }
    }
    if let Some(model) = model_target(options).filter(|model| model.is_file()) {
        take(&model)?;
        println!("removed {}", model.display());
        // The folder goes with the last model in it.
        let _ = model.parent().map(fs::remove_dir);
    }
    Ok(())
}

/// Every bundle's place.
fn targets(workspace: &Workspace, options: &Options) -> Result<Vec<PathBuf>> {
    let platform = Platform::current()?;
    let bundles = layout::bundles(platform, &Names::read(&workspace.root)?);
    let folder = |format| match &options.dest {
        Some(dest) => Ok(dest.clone()),
        None if options.system => system_folder(platform.system, format),
        None => own_folder(platform.system, format),
    };
    let beside = options.dest.as_ref().filter(|_| options.torch && platform.system != System::MacOs);
    let packs = beside.into_iter().map(|dest| Ok(dest.join(BUNDLED_DIR)));
    bundles.iter().map(|bundle| Ok(folder(bundle.format)?.join(&bundle.root))).chain(packs).collect()
}

/// The folder where hosts (and shells) look for a format, in its base: the user's or the system's.
fn folder(system: System, format: Format, base: PathBuf) -> PathBuf {
    let below = match (system, format) {
        (System::MacOs, Format::Clap) => "Audio/Plug-Ins/CLAP",
        (System::MacOs, Format::Vst3) => "Audio/Plug-Ins/VST3",
        (System::MacOs, Format::AudioUnit) => "Audio/Plug-Ins/Components",
        (System::Windows, Format::Clap) => "CLAP",
        (System::Windows, Format::Vst3) => "VST3",
        (System::Windows, Format::Standalone | Format::Program) => "Tacet",
        // Bases of the rest are complete.
        _ => return base,
    };
    base.join(below)
}

/// A format's folder for the user who runs this.
fn own_folder(system: System, format: Format) -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    let (has_home, has_local) = (home.is_some(), local.is_some());
    let folder = user_folder(system, format, &home.unwrap_or_default(), &local.unwrap_or_default())?;
    match system {
        System::Windows if !has_local => bail!("LOCALAPPDATA is not set: use --dest"),
        System::Linux | System::MacOs if !has_home => bail!("no home directory: use --dest"),
        _ => Ok(folder),
    }
}

/// A format's folder for a user with these directories.
///
/// # Errors
/// The system does not have the format.
pub(crate) fn user_folder(system: System, format: Format, home: &Path, local: &Path) -> Result<PathBuf> {
    let base = match (system, format) {
        (System::Linux, Format::Clap) => home.join(".clap"),
        (System::Linux, Format::Vst3) => home.join(".vst3"),
        (System::Linux, Format::Ladspa) => home.join(".ladspa"),
        (System::Linux, Format::Lv2) => home.join(".lv2"),
        (System::Linux, Format::Standalone | Format::Program) | (System::MacOs, Format::Program) => {
            home.join(".local/bin")
        }
        (System::MacOs, Format::Standalone) => home.join("Applications"),
        (System::MacOs, _) => home.join("Library"),
        (System::Windows, Format::Standalone | Format::Program) => local.join("Programs"),
        (System::Windows, _) => local.join("Programs/Common"),
        (System::Linux, Format::AudioUnit) => bail!("there are no Audio Units on Linux"),
    };
    Ok(folder(system, format, base))
}

/// A format's folder for all users.
///
/// # Errors
/// The system does not have the format, or does not say where its folders are.
pub(crate) fn system_folder(system: System, format: Format) -> Result<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).with_context(|| format!("{name} is not set: use --dest"))
    };
    let base = match (system, format) {
        (System::Linux, Format::Clap) => "/usr/lib/clap".into(),
        (System::Linux, Format::Vst3) => "/usr/lib/vst3".into(),
        (System::Linux, Format::Ladspa) => "/usr/lib/ladspa".into(),
        (System::Linux, Format::Lv2) => "/usr/lib/lv2".into(),
        (System::Linux, Format::Standalone | Format::Program) | (System::MacOs, Format::Program) => {
            "/usr/local/bin".into()
        }
        (System::MacOs, Format::Standalone) => "/Applications".into(),
        (System::MacOs, _) => "/Library".into(),
        (System::Windows, Format::Standalone | Format::Program) => variable("ProgramFiles")?,
        (System::Windows, _) => variable("CommonProgramFiles")?,
        (System::Linux, Format::AudioUnit) => bail!("there are no Audio Units on Linux"),
    };
    Ok(folder(system, format, base))
}

/// Suffix of a foreign LADSPA library while Tacet's has its place.
const KEPT: &str = "before-tacet";

/// The backup path of another LADSPA library of the same name, DeepFilterNet's own. `None` for the other bundles, whose
/// names nobody else has.
fn kept(target: &Path) -> Option<PathBuf> {
    (target.file_name()? == layout::LADSPA_FILE).then(|| target.with_added_extension(KEPT))
}

/// Keeps what has the place of our LADSPA library and is not ours.
fn keep_other(target: &Path) -> Result<()> {
    if let Some(kept) = kept(target)
        && is_others(target)?
    {
        fs::rename(target, &kept).with_context(|| format!("{} cannot be kept", target.display()))?;
        println!("kept DeepFilterNet's own as {}; uninstall brings it back", kept.display());
    }
    Ok(())
}

/// Whether somebody else's library has the place of our LADSPA library.
fn is_others(target: &Path) -> Result<bool> {
    if kept(target).is_none() || !target.is_file() {
        return Ok(false);
    }
    let bytes = fs::read(target).with_context(|| format!("{} cannot be read", target.display()))?;
    // Its maker, which a host shows.
    Ok(!bytes.windows(VENDOR.len()).any(|part| part == VENDOR))
}

/// A text that Tacet's LADSPA library holds, in every version.
const VENDOR: &[u8] = b"Tacet contributors";

/// Undoes [`keep_other`].
fn bring_back(target: &Path) -> Result<()> {
    match kept(target).filter(|kept| kept.is_file()) {
        Some(kept) => {
            fs::rename(&kept, target)
                .with_context(|| format!("{} cannot be brought back", kept.display()))?;
            println!("brought back {}", target.display());
            Ok(())
        }
        None => Ok(()),
    }
}

/// The next step for a bundle that can be neither replaced nor removed.
const IN_USE: &str = "nothing has changed; close the hosts that have it open, then run this again";

/// Puts a copy in place of what is there, at once: a host that has the old file open keeps it, none sees half of the
/// new.
fn put(source: &Path, target: &Path) -> Result<()> {
    let place = || -> Result<()> {
        let dir = target.parent().context("no directory")?;
        fs::create_dir_all(dir)?;
        replace::sweep(dir);
        let staging = tempfile::Builder::new().prefix(".tacet-install-").tempdir_in(dir)?;
        let staged = staging.path().join("new");
        copy(source, &staged)?;
        replace::replace(&staged, target)?;
        Ok(())
    };
    place().with_context(|| format!("{} cannot be installed: {IN_USE}", target.display()))
}

/// Removes what is at `target`, at once.
fn take(target: &Path) -> Result<()> {
    if let Some(dir) = target.parent() {
        replace::sweep(dir);
    }
    let removed = replace::remove(target);
    removed.with_context(|| format!("{} cannot be removed: {IN_USE}", target.display()))?;
    Ok(())
}

/// Copies a file, or a directory with everything in it.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn copy(source: &Path, target: &Path) -> Result<()> {
    if !source.is_dir() {
        fs::copy(source, target).with_context(|| format!("{} cannot be copied", source.display()))?;
        return Ok(());
    }
    fs::create_dir(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        copy(&entry.path(), &target.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This one, without a question to cargo, which an emulator does not run.
    fn workspace() -> Workspace {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        Workspace { root: root.to_owned(), target: root.join("target") }
    }

    #[test]
    fn every_system_has_its_folders() {
        let folder = |system, format| folder(system, format, "base".into());
        assert_eq!(folder(System::MacOs, Format::AudioUnit), Path::new("base/Audio/Plug-Ins/Components"));
        assert_eq!(folder(System::Windows, Format::Vst3), Path::new("base/VST3"));
        assert_eq!(folder(System::Linux, Format::Clap), Path::new("base"));
        assert_eq!(system_folder(System::Linux, Format::Vst3).unwrap(), Path::new("/usr/lib/vst3"));
        let clap = system_folder(System::MacOs, Format::Clap).unwrap();
        assert_eq!(clap, Path::new("/Library/Audio/Plug-Ins/CLAP"));
        let user = own_folder(System::Linux, Format::Vst3).unwrap();
        assert!(user.ends_with(".vst3") && user.is_absolute());
    }

    #[test]
    fn uninstall_undoes_install_and_touches_nothing_else() {
        let workspace = workspace();
        let dir = tempfile::tempdir().unwrap();
        let options = Options { dest: Some(dir.path().to_owned()), torch: true, ..Options::default() };
        fs::write(dir.path().join("Another.clap"), "").unwrap();
        for target in targets(&workspace, &options).unwrap() {
            fs::create_dir_all(target.join("Contents")).unwrap();
        }
        assert_eq!(dir.path().join(BUNDLED_DIR).exists(), !cfg!(target_os = "macos"));
        let model = model_target(&options).unwrap();
        fs::create_dir_all(model.parent().unwrap()).unwrap();
        fs::write(&model, "").unwrap();
        uninstall(&workspace, &options).unwrap();
        uninstall(&workspace, &options).unwrap();
        let left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["Another.clap"]);
    }

    /// Bundles that a step has made for the system that runs this, under an emulator. Without them, files of their names.
    const BUNDLES: &str = "TACET_BUNDLES";

    #[test]
    fn bundles_are_installed_work_and_are_removed() {
        let workspace = workspace();
        let dir = tempfile::tempdir().unwrap();
        let installed = dir.path().join("with a space");
        let options = Options { dest: Some(installed.clone()), ..Options::default() };
        let bundled = std::env::var_os(BUNDLES).map(PathBuf::from);
        let source = bundled.clone().unwrap_or_else(|| dir.path().join("bundled"));
        let bundles = layout::bundles(Platform::current().unwrap(), &Names::read(&workspace.root).unwrap());
        if bundled.is_none() {
            for bundle in &bundles {
                let binary = source.join(&bundle.binary);
                fs::create_dir_all(binary.parent().unwrap()).unwrap();
                fs::write(binary, "Tacet contributors").unwrap();
            }
        }
        // The second time over what is there.
        for _ in 0..2 {
            place(&workspace, &source, &options).unwrap();
            for bundle in &bundles {
                let read = |dir: &Path| fs::read(dir.join(&bundle.binary)).unwrap();
                assert!(read(&installed) == read(&source), "{}", bundle.root.display());
            }
        }
        if bundled.is_some() {
            let program = installed.join(format!("tacet{}", std::env::consts::EXE_SUFFIX));
            let output = std::process::Command::new(program).arg("--version").output().unwrap();
            assert!(String::from_utf8_lossy(&output.stdout).starts_with("tacet "), "{output:?}");
        }
        uninstall(&workspace, &options).unwrap();
        assert_eq!(fs::read_dir(&installed).unwrap().count(), 0);
    }

    #[test]
    fn somebody_elses_ladspa_library_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("built.so"), dir.path().join("x").join(layout::LADSPA_FILE));
        fs::write(&source, "... Tacet contributors ...").unwrap();
        fs::create_dir(target.parent().unwrap()).unwrap();
        fs::write(&target, "another's").unwrap();
        for _ in 0..2 {
            keep_other(&target).unwrap();
            put(&source, &target).unwrap();
        }
        assert_eq!(fs::read(kept(&target).unwrap()).unwrap(), b"another's");
        take(&target).unwrap();
        bring_back(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"another's");
        assert!(is_others(&target).unwrap(), "a second removal leaves it");
        assert!(!is_others(&source).unwrap());
        assert_eq!(kept(Path::new("Tacet.clap")), None);
    }

    #[test]
    fn files_and_directories_replace_each_other_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("source"), dir.path().join("installed/Tacet.vst3"));
        fs::create_dir_all(source.join("Contents/x")).unwrap();
        fs::write(source.join("Contents/x/a.so"), "new").unwrap();
        for old in ["nothing", "a file", "a directory"] {
            take(&target).unwrap();
            match old {
                "a file" => fs::write(&target, "old").unwrap(),
                "a directory" => fs::create_dir_all(target.join("stale")).unwrap(),
                _ => {}
            }
            put(&source, &target).unwrap();
            assert_eq!(fs::read(target.join("Contents/x/a.so")).unwrap(), b"new", "{old}");
            assert!(!target.join("stale").exists());
            assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1, "staging is gone");
        }
    }
}
