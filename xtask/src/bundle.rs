//! `cargo xtask bundle`: the built library as CLAP, VST3 and (macOS) Audio Unit, and the two programs.
//!
//! The framework's own bundler is not used: it looks for the workspace in every parent directory, names VST3's folder
//! for Windows on ARM wrongly, and on macOS writes a property list without our identifier, version and microphone text,
//! which a rewrite and a second signature would have to replace; it knows no Audio Units.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tacet_model::{Model, ModelKind};
use tacet_torch_pack::locate::BUNDLED_MODELS_DIR;
use tacet_torch_pack::replace;

mod format;
pub mod layout;
pub mod names;
pub mod pack;
pub(crate) mod plist;
pub(crate) mod sign;

use layout::{Bundle, Platform, System};
use names::Names;
use pack::Part;

use crate::cross;
use crate::setup;
use crate::shell;
use crate::torch;
use crate::workspace::Workspace;

/// Largest size of a plugin's binary: hosts map it at every scan, and users fetch it. 7.4 MB of them are
/// the network's weights. Windows has more code for its windows and sound, and longer tables for unwinding.
const fn max_plugin_bytes(system: System) -> u64 {
    match system {
        System::Windows => 20_500_000,
        System::Linux | System::MacOs => 19_500_000,
    }
}

/// How to build.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Bundle the development build: checks on, slower
    #[arg(long)]
    pub debug: bool,
    /// For another platform, by rustc's name: x86_64-pc-windows-gnu, aarch64-unknown-linux-gnu (on Debian)
    #[arg(long, value_name = "TRIPLE", conflicts_with_all = ["torch", "torch_backend"])]
    pub target: Option<String>,
    /// With the torch backend and libtorch: inside each bundle on macOS, in one folder beside them elsewhere (0.5 GB)
    #[arg(long)]
    pub torch: bool,
    /// With the torch backend alone (1.3 MB), in the same places: `tacet torch install` fetches libtorch for it
    #[arg(long, conflicts_with = "torch")]
    pub torch_backend: bool,
}

/// Sets up, builds and bundles; prints where the bundles are.
///
/// # Errors
/// Something cannot be set up, built or written.
pub fn run(workspace: &Workspace, options: Options) -> Result<()> {
    for path in build(workspace, &options)? {
        println!("{}", workspace.display(&path));
    }
    Ok(())
}

/// Sets up and builds one program, `tacet` or the engine's `denoise-live`, so that [`build`] compiles nothing again.
///
/// # Errors
/// Something cannot be set up or built.
pub(crate) fn build_program(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    build_targets(workspace, &["--package", "tacet-core", "--bin", name])?;
    Ok(program_path(workspace, name))
}

/// Sets up and builds targets of the packages that are bundled: of all packages, so that their dependencies have the
/// features that they have together.
fn build_targets(workspace: &Workspace, targets: &[&str]) -> Result<()> {
    setup::provide(workspace)?;
    let mut cargo = workspace.cargo("build --locked --release");
    shell::run(cargo.args(packages(Platform::current()?.system)).args(targets))
}

fn program_path(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// cargo's arguments that name all that is bundled: the plugin, the window on the microphone, the program for files, and on
/// Linux LADSPA.
pub(crate) fn packages(system: System) -> impl Iterator<Item = &'static str> {
    let ladspa = (system == System::Linux).then_some("tacet-ladspa");
    let packages = ["tacet", "tacet-standalone", "tacet-cli"].into_iter().chain(ladspa);
    packages.flat_map(|package| ["--package", package])
}

/// The platform of a target, or the one that this program runs on.
///
/// # Errors
/// Nothing is known of it.
pub(crate) fn platform(target: Option<&str>) -> Result<Platform> {
    target.map_or_else(Platform::current, Platform::of_target)
}

/// The folder of the bundles for a target.
pub(crate) fn directory(workspace: &Workspace, target: Option<&str>) -> PathBuf {
    match target {
        Some(target) => workspace.target.join(target).join("bundled"),
        None => workspace.bundle_dir(),
    }
}

/// Sets up, builds and bundles; gives the bundles' paths in `target/bundled/`, of another platform in
/// `target/TRIPLE/bundled/`.
///
/// # Errors
/// As [`run`].
pub fn build(workspace: &Workspace, options: &Options) -> Result<Vec<PathBuf>> {
    let target = options.target.as_deref();
    let platform = platform(target)?;
    let names = Names::read(&workspace.root)?;
    setup::provide(workspace)?;
    let profile = if options.debug { "dev" } else { "release" };
    let mut cargo = workspace.cargo(&format!("build --locked --profile {profile}"));
    if let Some(target) = target {
        cross::provide(workspace, target)?.prepare(&mut cargo);
    }
    shell::run(cargo.args(packages(platform.system)))?;

    // cargo's directory of the development profile is the one exception to the rule.
    let profile = if options.debug { "debug" } else { "release" };
    let built = workspace.target.join(target.unwrap_or("")).join(profile);
    let destination = directory(workspace, target);
    let bundles = layout::bundles(platform, &names);
    let mut made = Vec::new();
    let torch = if options.torch || options.torch_backend {
        let pack = torch::provide(workspace, false)?.pack;
        Some(Part { pack, is_backend_alone: options.torch_backend })
    } else {
        None
    };
    for bundle in &bundles {
        let inside = torch.as_ref().filter(|_| pack::is_inside(platform, bundle));
        made.push(assemble(bundle, &built, &destination, inside)?);
        if bundle.format.is_plugin() && !options.debug {
            check_size(&destination.join(&bundle.binary), platform.system)?;
        }
    }
    if let Some(part) = torch.filter(|_| platform.system != System::MacOs) {
        for dir in pack::dirs(platform, &bundles) {
            let dir = destination.join(dir);
            part.place(&dir)?;
            made.push(dir);
        }
    }
    if !options.debug && setup::embeds_published_model() {
        made.extend(place_low_latency_model(workspace, &destination));
    }
    Ok(made)
}

/// Puts the low-latency model beside the bundles, in one folder for all formats, with its large matrices rounded to 16
/// bits. Everything else works without it: where it cannot be fetched this says so.
fn place_low_latency_model(workspace: &Workspace, destination: &Path) -> Option<PathBuf> {
    let dir = destination.join(BUNDLED_MODELS_DIR);
    let place = || -> Result<()> {
        setup::models::provide(workspace, ModelKind::DeepFilterNet3Ll)?;
        fs::create_dir_all(&dir)?;
        let file = ModelKind::DeepFilterNet3Ll.safetensors_file();
        let model = Model::from_file(&workspace.model_dir().join(file))?;
        fs::write(dir.join(file), model.to_rounded_safetensors()?)?;
        Ok(())
    };
    match place() {
        Ok(()) => Some(dir),
        Err(error) => {
            eprintln!("without the low-latency model ({error:#}); `tacet model install ll` gets it later");
            None
        }
    }
}

/// Makes the bundles of the formats for plugins from the library in `built`, in `destination`; gives their paths.
///
/// # Errors
/// There is no library, or a bundle cannot be written.
pub(crate) fn assemble_plugins(
    workspace: &Workspace,
    built: &Path,
    destination: &Path,
) -> Result<Vec<PathBuf>> {
    let bundles = layout::bundles(Platform::current()?, &Names::read(&workspace.root)?);
    let plugins = bundles.iter().filter(|bundle| bundle.format.is_plugin());
    plugins.map(|bundle| assemble(bundle, built, destination, None)).collect()
}

/// The CLAP to measure: the release's, built and bundled, or the one that `TACET_CLAP` names.
///
/// # Errors
/// It cannot be built.
pub(crate) fn clap_to_measure(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("TACET_CLAP") {
        return Ok(named.into());
    }
    build_targets(workspace, &["--lib"])?;
    bundle_plugins(workspace)
}

/// Sets up and builds `tacet` and the plugin's library, bundles the formats for plugins, and gives the program and the
/// CLAP's binary. One build of both takes less time than one after the other, as each ends with a large crate on one core.
///
/// # Errors
/// Something cannot be set up, built or written.
pub(crate) fn build_program_and_plugins(workspace: &Workspace) -> Result<(PathBuf, PathBuf)> {
    let program = "tacet";
    build_targets(workspace, &["--lib", "--bin", program])?;
    Ok((program_path(workspace, program), bundle_plugins(workspace)?))
}

/// Bundles the formats for plugins from the built library; gives the CLAP's binary.
fn bundle_plugins(workspace: &Workspace) -> Result<PathBuf> {
    assemble_plugins(workspace, &workspace.target.join("release"), &workspace.bundle_dir())?;
    clap_binary(workspace)
}

/// The CLAP's binary among the bundles.
///
/// # Errors
/// The platform has none.
fn clap_binary(workspace: &Workspace) -> Result<PathBuf> {
    let bundles = layout::bundles(Platform::current()?, &Names::read(&workspace.root)?);
    let clap = bundles.into_iter().find(|bundle| bundle.format == layout::Format::Clap);
    Ok(workspace.bundle_dir().join(clap.context("there is no CLAP for this platform")?.binary))
}

/// Copies a bundle's binary, writes what macOS wants beside it, puts in what it gets of libtorch, signs. What was there is
/// replaced.
fn assemble(bundle: &Bundle, built: &Path, destination: &Path, torch: Option<&Part>) -> Result<PathBuf> {
    let root = destination.join(&bundle.root);
    let place = || -> Result<()> {
        remove(&root)?;
        let binary = destination.join(&bundle.binary);
        fs::create_dir_all(binary.parent().context("no directory")?)?;
        let product = built.join(&bundle.product);
        fs::copy(&product, &binary).with_context(|| format!("{} cannot be copied", product.display()))?;
        for (path, text) in &bundle.texts {
            fs::write(destination.join(path), text)?;
        }
        Ok(())
    };
    place().with_context(|| format!("{} cannot be made", root.display()))?;
    if let Some(torch) = torch {
        torch.place(&destination.join(pack::inside(bundle)))?;
    }
    sign::sign(&root, sign::entitlements(bundle.format).as_deref())?;
    Ok(root)
}

/// Refuses a plugin that has grown beyond [what it may have](max_plugin_bytes).
fn check_size(binary: &Path, system: System) -> Result<()> {
    let n_bytes = fs::metadata(binary)?.len();
    let limit = max_plugin_bytes(system);
    ensure!(
        n_bytes < limit,
        "{} has {:.1} MB, more than the limit of {:.1} MB: see what made it grow with `cargo bloat --release --lib`",
        binary.display(),
        n_bytes as f64 / 1e6,
        limit as f64 / 1e6
    );
    Ok(())
}

/// Removes a file or a directory with everything in it; a link is removed, not followed. Nothing there is fine.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    replace::remove(path).with_context(|| format!("{} cannot be removed", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        Bundle {
            root: "A.vst3".into(),
            binary: "A.vst3/Contents/x/A.so".into(),
            product: "liba.so".into(),
            texts: vec![("A.vst3/Contents/note".into(), "text".into())],
            format: layout::Format::Vst3,
        }
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn a_bundle_replaces_the_old_one_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (built, destination) = (dir.path().join("built"), dir.path().join("bundled"));
        fs::create_dir(&built).unwrap();
        fs::write(built.join("liba.so"), "new").unwrap();
        fs::create_dir_all(destination.join("A.vst3/Contents")).unwrap();
        fs::write(destination.join("A.vst3/Contents/stale"), "").unwrap();

        let root = assemble(&bundle(), &built, &destination, None).unwrap();
        assert_eq!(fs::read(root.join("Contents/x/A.so")).unwrap(), b"new");
        assert_eq!(fs::read(root.join("Contents/note")).unwrap(), b"text");
        assert!(!root.join("Contents/stale").exists());
    }

    /// The texts of a property list's keys.
    fn keys(list: &str) -> Vec<&str> {
        list.split("<key>").skip(1).filter_map(|rest| rest.split("</key>").next()).collect()
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn on_macos_the_standalone_alone_asks_for_the_microphone_and_programs_load_what_others_signed() {
        const LIBRARIES: &str = "com.apple.security.cs.disable-library-validation";
        let dir = tempfile::tempdir().unwrap();
        let (built, destination) = (dir.path().join("built"), dir.path().join("bundled"));
        fs::create_dir(&built).unwrap();
        let platform = Platform::of_target("aarch64-apple-darwin").unwrap();
        for bundle in layout::bundles(platform, &layout::names()) {
            fs::write(built.join(&bundle.product), "binary").unwrap();
            let root = assemble(&bundle, &built, &destination, None).unwrap();
            let rights = sign::entitlements(bundle.format).map(|path| fs::read_to_string(path).unwrap());
            let expected: &[&str] = match bundle.format {
                layout::Format::Standalone => &["com.apple.security.device.audio-input", LIBRARIES],
                layout::Format::Program => &[LIBRARIES],
                _ => &[],
            };
            assert_eq!(rights.as_deref().map(keys).unwrap_or_default(), expected, "{root:?}");
            let Ok(info) = fs::read_to_string(root.join("Contents/Info.plist")) else {
                assert_eq!(bundle.format, layout::Format::Program);
                continue;
            };
            let asks = info.split("<key>NSMicrophoneUsageDescription</key><string>").nth(1);
            assert_eq!(asks.is_some(), bundle.format == layout::Format::Standalone, "{root:?}");
            assert!(asks.is_none_or(|text| text.starts_with("Tacet")), "{info}");
            assert!(keys(&info).contains(&"LSMinimumSystemVersion"));
            assert_eq!(fs::read(root.join("Contents/PkgInfo")).unwrap().len(), 8);
        }
    }

    #[test]
    fn a_plugin_that_is_too_large_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("a.clap");
        let file = fs::File::create(&binary).unwrap();
        for (system, says) in [(System::Linux, "limit of 19.5 MB"), (System::Windows, "limit of 20.5 MB")] {
            file.set_len(max_plugin_bytes(system) - 1).unwrap();
            check_size(&binary, system).unwrap();
            file.set_len(max_plugin_bytes(system)).unwrap();
            assert!(check_size(&binary, system).unwrap_err().to_string().contains(says));
        }
    }

    #[test]
    fn a_missing_product_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = format!("{:#}", assemble(&bundle(), dir.path(), dir.path(), None).unwrap_err());
        assert!(error.contains("liba.so") && error.contains("A.vst3"), "{error}");
    }

    #[test]
    fn removing_takes_files_and_directories_and_forgives_absence() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        for name in ["a", "file", "nothing"] {
            remove(&dir.path().join(name)).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_removed_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("kept")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("kept"), dir.path().join("link")).unwrap();
        remove(&dir.path().join("link")).unwrap();
        assert!(dir.path().join("kept").is_dir() && !dir.path().join("link").exists());
    }
}
