//! `cargo xtask torch`: a libtorch for this machine, the torch backend built against it, both as a runtime pack.
//!
//! Everything lies under `torch/` of the target directory: `wheels` as fetched, `sdk` to build against (`LIBTORCH`), `pack`
//! as it is installed. What is there already is not made again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tacet_torch_pack::abi::TORCH_VERSION;
use tacet_torch_pack::assemble::{self, Layout, Pip};
use tacet_torch_pack::locate;
use tacet_torch_pack::manifest::{LIB_DIR, Manifest};
use tacet_torch_pack::platform::Platform;
use tacet_torch_pack::wheels::{self, Wheel};

use crate::shell;
use crate::workspace::Workspace;

/// Options.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Options {
    /// Also fetch CUDA's libraries (Linux; 2.3 GB).
    #[arg(long)]
    cuda: bool,
    /// Leave the pack in target/torch/pack; use it with TACET_TORCH_DIR.
    #[arg(long)]
    no_install: bool,
}

/// The folders that were made.
#[derive(Clone, Debug)]
pub struct Made {
    /// For `LIBTORCH`.
    pub sdk: PathBuf,
    /// For `TACET_TORCH_DIR`.
    pub pack: PathBuf,
}

/// Whether a libtorch is published for this system.
pub(crate) const IS_OFFERED: bool = Platform::current().is_some();

/// The folder of this working tree's pack: for `TACET_TORCH_DIR`.
pub(crate) fn pack_dir(workspace: &Workspace) -> PathBuf {
    workspace.target.join("torch").join("pack")
}

/// Fetches, builds, packs and installs.
///
/// # Errors
/// A step failed; the text holds what to do.
pub fn run(workspace: &Workspace, options: Options) -> Result<()> {
    let platform = Platform::current().context("there is no libtorch for this system")?;
    let made = provide(workspace, options.cuda)?;
    if options.no_install {
        println!("The pack is in {}: set TACET_TORCH_DIR to it", workspace.display(&made.pack));
        return Ok(());
    }
    let dest = locate::user_dir().context("this user has no data directory")?;
    let libraries = files(&made.pack.join(LIB_DIR))?;
    let manifest = assemble::install(&libraries, &dest, platform, options.cuda)?;
    println!("Installed {} MB: {}", manifest.n_bytes() / 1_000_000, dest.display());
    Ok(())
}

/// Makes the SDK and the pack of this working tree.
///
/// # Errors
/// A step failed; the text holds what to do.
pub(crate) fn provide(workspace: &Workspace, cuda: bool) -> Result<Made> {
    let platform = Platform::current().context("there is no libtorch for this system")?;
    anyhow::ensure!(!cuda || platform == Platform::LinuxX86_64, "CUDA is offered on Linux only");
    let dir = workspace.target.join("torch");
    let made = Made { sdk: dir.join("sdk"), pack: pack_dir(workspace) };
    provide_sdk(platform, &dir, &made.sdk)?;
    let backend = build(workspace, platform, &made.sdk)?;

    let mut libraries = vec![backend];
    if cuda {
        libraries.push(compile_cuda_graphs(workspace, &made.sdk, &dir)?);
        libraries.extend(files(&provide_cuda(platform, &dir)?)?);
    } else {
        libraries.extend(files(&made.sdk.join(LIB_DIR))?.into_iter().filter(|file| !links_only(file)));
    }
    if !is_current(&made.pack, &libraries, cuda) {
        assemble::install(&libraries, &made.pack, platform, cuda)?;
    }
    Ok(made)
}

/// Headers and libraries to build against. `build-version` is written last and says that the rest is there.
fn provide_sdk(platform: Platform, dir: &Path, sdk: &Path) -> Result<()> {
    let stamp = sdk.join("build-version");
    // The build variant after the plus sign is what torch-sys' check ignores.
    let version = format!("{TORCH_VERSION}+cpu\n");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == version) {
        return Ok(());
    }
    let lib = sdk.join(LIB_DIR);
    fetch(&wheels::wheels(platform, false), dir, &Layout { lib: &lib, sdk: Some(sdk) })?;
    if platform == Platform::LinuxX86_64 {
        link_stub(&lib)?;
    }
    fs::write(&stamp, version).with_context(|| stamp.display().to_string())
}

/// torch-sys links `torch`, whose own file needs CUDA: an empty library of that name needs libtorch_cpu instead.
fn link_stub(lib: &Path) -> Result<()> {
    let empty = tempfile::Builder::new().suffix(".c").tempfile()?;
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-shared", "-Wl,-soname,libtorch.so", "-Wl,--no-as-needed"]).arg(empty.path());
    cc.arg("-L").arg(lib).arg("-ltorch_cpu").arg("-o").arg(lib.join(STUB));
    shell::run_quietly("Linking libtorch.so", &mut cc)?;
    Ok(())
}

const STUB: &str = "libtorch.so";

/// Parts of the SDK's libraries that only the linker needs.
fn links_only(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "lib")
        || file.file_name().is_some_and(|name| name == STUB)
}

fn provide_cuda(platform: Platform, dir: &Path) -> Result<PathBuf> {
    let lib = dir.join("cuda");
    let stamp = dir.join("cuda-version");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == TORCH_VERSION) {
        return Ok(lib);
    }
    fetch(&wheels::wheels(platform, true), dir, &Layout { lib: &lib, sdk: None })?;
    fs::write(&stamp, TORCH_VERSION).with_context(|| stamp.display().to_string())?;
    Ok(lib)
}

fn fetch(wheels: &[&'static Wheel], dir: &Path, layout: &Layout<'_>) -> Result<()> {
    let files = assemble::fetch(&Pip::find()?, wheels, &dir.join("wheels"))?;
    for (wheel, file) in wheels.iter().zip(&files) {
        let spinner = shell::spinner(&format!("Unpacking {}", wheel.name));
        let unpacked = assemble::extract(wheel, file, layout);
        spinner.finish_and_clear();
        unpacked?;
    }
    Ok(())
}

fn build(workspace: &Workspace, platform: Platform, sdk: &Path) -> Result<PathBuf> {
    shell::run(workspace.cargo("build --locked --release --package tacet-torch").env("LIBTORCH", sdk))?;
    Ok(workspace.target.join("release").join(platform.backend_file()))
}

/// The library that records CUDA graphs. Its undefined symbols are libtorch_cuda's, which is opened before it.
fn compile_cuda_graphs(workspace: &Workspace, sdk: &Path, dir: &Path) -> Result<PathBuf> {
    let out = dir.join("libtacet_torch_cuda.so");
    let mut cxx = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    cxx.args(["-O2", "-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-s"]);
    for include in ["include", "include/torch/csrc/api/include"] {
        cxx.arg("-isystem").arg(sdk.join(include));
    }
    cxx.arg(workspace.root.join("src/torch/shim/cuda_graph.cpp")).arg("-o").arg(&out);
    shell::run_quietly("Compiling the CUDA graph library", &mut cxx)?;
    Ok(out)
}

/// Whether the pack is whole and holds these very libraries.
fn is_current(pack: &Path, libraries: &[PathBuf], cuda: bool) -> bool {
    let Ok(manifest) = Manifest::check(pack) else { return false };
    let same = |library: &PathBuf| {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        let Some(entry) = manifest.files.iter().find(|file| *file.name == *name) else { return false };
        let found = fs::metadata(library).map_or(0, |metadata| metadata.len());
        let backend = name.contains("tacet");
        found == entry.bytes
            && (!backend
                || tacet_torch_pack::manifest::hash(library).is_ok_and(|(_, sha256)| sha256 == entry.sha256))
    };
    manifest.cuda == cuda && manifest.files.len() == libraries.len() && libraries.iter().all(same)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    read().with_context(|| dir.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linker_files_stay_out_of_the_pack() {
        for file in ["lib/libtorch.so", "lib/torch_cpu.lib"] {
            assert!(links_only(Path::new(file)), "{file}");
        }
        for file in ["lib/libtorch_cpu.so", "lib/libgomp.so.1", "lib/torch.dll", "lib/libtorch.dylib"] {
            assert!(!links_only(Path::new(file)), "{file}");
        }
    }

    #[test]
    fn a_pack_is_current_only_with_the_same_libraries() {
        let Some(platform) = Platform::current() else { return };
        let dir = tempfile::tempdir().unwrap();
        let backend = dir.path().join(platform.backend_file());
        let other = dir.path().join("other");
        fs::write(&backend, b"backend").unwrap();
        fs::write(&other, b"other").unwrap();
        let (pack, libraries) = (dir.path().join("pack"), [backend.clone(), other]);
        assert!(!is_current(&pack, &libraries, false));
        assemble::install(&libraries, &pack, platform, false).unwrap();
        assert!(is_current(&pack, &libraries, false) && !is_current(&pack, &libraries, true));
        assert!(!is_current(&pack, &libraries[..1], false));
        fs::remove_file(&backend).unwrap();
        fs::write(&backend, b"BACKEND").unwrap();
        assert!(!is_current(&pack, &libraries, false), "the backend was built anew");
    }
}
