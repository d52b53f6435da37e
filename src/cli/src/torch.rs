//! `tacet torch`: installs, removes and checks the runtime pack of the torch backend.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use tacet_realtime::engine::torch::installed;
use tacet_torch_pack::abi::TORCH_VERSION;
use tacet_torch_pack::assemble::{self, Layout, Pip};
use tacet_torch_pack::locate::{self, Origin};
use tacet_torch_pack::manifest::{self, Manifest, PackError};
use tacet_torch_pack::platform::Platform;
use tacet_torch_pack::wheels;

use super::io_errors::explained;

/// The optional libtorch backend: CPU, Apple's GPU (MPS), NVIDIA GPUs (CUDA). Tacet works without it.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what is installed and check it
    Status {
        /// Also verify the hash of every library, which takes seconds
        #[arg(long)]
        verify: bool,
    },
    /// Fetch libtorch from PyPI with pip and install it for this user
    Install(Install),
    /// Remove this user's installation
    Remove,
}

#[derive(clap::Args, Debug)]
struct Install {
    /// Include CUDA (Linux; a download of 2.3 GB)
    #[arg(long)]
    cuda: bool,
    /// The backend's library [default: the one shipped with this program]
    #[arg(long, value_name = "FILE")]
    backend: Option<PathBuf>,
    /// The library that records CUDA graphs [default: next to the backend, if present]
    #[arg(long, value_name = "FILE", requires = "cuda")]
    cuda_graphs: Option<PathBuf>,
}

/// Runs the command; false if `status` finds nothing usable.
///
/// # Errors
/// A failed download, extraction or file operation, with the next step.
pub fn run(args: &Args) -> Result<bool> {
    match &args.action {
        Action::Status { verify } => status(*verify),
        Action::Install(options) => install(options).map(|()| true),
        Action::Remove => remove().map(|()| true),
    }
}

fn status(verify: bool) -> Result<bool> {
    match installed() {
        Ok((place, manifest)) => {
            let origin = match place.origin {
                Origin::Variable => "named by TACET_TORCH_DIR",
                Origin::User => "installed for this user",
                Origin::Bundle => "beside this program",
            };
            let cuda = if manifest.cuda { "with CUDA" } else { "without CUDA" };
            println!("libtorch {} {cuda}, {} MB, {origin}", manifest.torch, manifest.n_bytes() / 1_000_000);
            println!("{}", place.dir.display());
            if verify {
                manifest.verify(&place.dir)?;
                println!("All {} libraries are as installed", manifest.files.len());
            }
            Ok(true)
        }
        Err(problem @ PackError::Missing { .. }) => {
            println!("{problem}");
            Ok(false)
        }
        Err(problem) => bail!(problem),
    }
}

fn install(options: &Install) -> Result<()> {
    let platform = Platform::current().ok_or(PackError::Platform)?;
    if options.cuda && platform != Platform::LinuxX86_64 {
        bail!("CUDA is offered on Linux on x86-64 only; leave --cuda out");
    }
    let backend = match &options.backend {
        Some(backend) => backend.clone(),
        None => backend_of(
            &std::env::current_exe()
                .context("this program's own folder is not known; name the library with --backend")?,
            platform,
        ),
    };
    if !backend.is_file() {
        bail!(
            "the backend's library is not there ({}); name it with --backend, or build and install it with `cargo xtask \
             torch`",
            backend.display()
        );
    }
    let dest = locate::user_dir()
        .context("this user has no data directory; set TACET_TORCH_DIR to a pack instead")?;
    if let Some(dir) = locate::variable_dir().filter(|dir| *dir != dest) {
        bail!(
            "{} names {}, where a pack is looked for instead: unset it, then install one",
            locate::DIR_VARIABLE,
            dir.display()
        );
    }
    let parent = dest.parent().context("its folder has no parent; set TACET_TORCH_DIR to a pack instead")?;
    // Beside the destination, so that libraries are linked and not copied; kept after a failure, so that what was
    // fetched is not fetched again.
    let work = parent.join(assemble::FETCHED_DIR);
    let wheels = wheels::wheels(platform, options.cuda);
    let lib = work.join("lib");
    let files = assemble::fetch(&Pip::find()?, &wheels, &work)?;
    // An installation that was interrupted may have unpacked another set.
    if lib.exists() {
        std::fs::remove_dir_all(&lib)
            .map_err(|error| explained(format_args!("cannot remove {}", lib.display()), &error))?;
    }
    for (wheel, file) in wheels.iter().zip(&files) {
        eprintln!("Unpacking {}", wheel.name);
        assemble::extract(wheel, file, &Layout { lib: &lib, sdk: None })?;
    }
    let mut libraries: Vec<PathBuf> =
        std::fs::read_dir(&lib)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    let graphs = options.cuda.then(|| {
        options.cuda_graphs.clone().unwrap_or_else(|| backend.with_file_name("libtacet_torch_cuda.so"))
    });
    libraries.extend(graphs.filter(|graphs| graphs.is_file()));
    libraries.push(backend);
    let manifest = assemble::install(&libraries, &dest, platform, options.cuda)?;
    assemble::remove_leftovers(&dest)?;
    println!("Installed libtorch {TORCH_VERSION}, {} MB: {}", manifest.n_bytes() / 1_000_000, dest.display());
    println!("See what it offers with `tacet devices`, and how fast it is with `tacet bench`");
    Ok(())
}

fn remove() -> Result<()> {
    let dest =
        locate::user_dir().context("this user has no data directory, so nothing is installed there")?;
    assemble::remove_leftovers(&dest)?;
    let bytes = Manifest::read(&dest).map_or(0, |manifest| manifest.n_bytes());
    if assemble::remove(&dest)? {
        println!("Removed {} MB: {}", bytes / 1_000_000, dest.display());
    } else {
        println!("Nothing is installed in {}", dest.display());
    }
    Ok(())
}

/// The backend beside a program, where cargo builds it, or where a pack that comes with the program would have it.
fn backend_of(program: &Path, platform: Platform) -> PathBuf {
    let beside = program.with_file_name(platform.backend_file());
    let packs = locate::bundle_dirs(program).into_iter();
    let mut places = std::iter::once(beside.clone())
        .chain(packs.map(|pack| manifest::lib_dir(&pack).join(platform.backend_file())));
    places.find(|file| file.is_file()).unwrap_or(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backend_comes_with_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let platform = Platform::LinuxX86_64;
        let program = dir.path().join("Tacet.app/Contents/MacOS/tacet");
        let beside = program.with_file_name(platform.backend_file());
        assert_eq!(backend_of(&program, platform), beside);
        let framework = dir.path().join("Tacet.app/Contents/Frameworks/tacet-torch");
        let folder = dir.path().join("Tacet.app/Contents/MacOS/tacet-torch/lib");
        for place in [folder, framework, beside.parent().unwrap().to_path_buf()] {
            std::fs::create_dir_all(&place).unwrap();
            let file = place.join(platform.backend_file());
            std::fs::write(&file, "").unwrap();
            assert_eq!(backend_of(&program, platform), file);
        }
    }
}
