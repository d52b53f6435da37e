//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! The modules in the order a newcomer meets them:
//!
//! - [`setup`]: installs or names prerequisites, fetches the model and converts it.
//! - [`demo`]: a noisy recording in, a clean one, a picture and a report out.
//! - [`bundle`], [`install`]: the plugin formats and the standalone, and where hosts look for them.
//! - [`package`]: what people download.
//! - [`soak`]: many instances of the built plugin for a long time.
//! - [`torch`]: the optional torch backend and its runtime pack.
//! - [`mod@bench`]: time per hop beside the official runtime's.
//! - [`mod@test`]: everything that checks the project.
//! - [`tidy`]: what a reviewer would nag about, checked by machine.
//! - [`quality`]: measures the result beside the official runtime's.
//! - [`venv`]: Python environments for what compares us with Python tools.
//! - `binary`: what a built library or program exports and needs.
//! - `cross`: other platforms to build for.
//! - [`workspace`], [`shell`]: where things lie, and how other programs are run.
//!
//! Every command may be repeated: what is done already is found done, in milliseconds where possible.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

pub mod bench;
mod binary;
pub mod bundle;
mod cross;
pub mod demo;
pub mod install;
pub mod package;
pub mod quality;
pub mod setup;
pub mod shell;
pub mod soak;
pub mod test;
pub mod tidy;
pub mod torch;
pub mod venv;
pub mod workspace;

use workspace::Workspace;

/// Sets up, builds, tests, measures and installs Tacet.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install or name what is missing, fetch the model, convert it.
    Setup(setup::Options),
    /// Denoise a noisy recording and report: sets up and builds first.
    Demo(demo::Options),
    /// Make the plugin bundles and the standalone in target/bundled.
    Bundle(bundle::Options),
    /// Put the bundles where hosts look for them.
    Install(install::Options),
    /// Remove what install has put there.
    Uninstall(install::Options),
    /// Pack what people download: one archive with everything for this platform, on Debian also a .deb
    Package(package::Options),
    /// Play many instances of the built plugin for a long time and compare them with their offline renders.
    Soak(soak::Options),
    /// Fetch libtorch, build the torch backend, install both for this user.
    Torch(torch::Options),
    /// Measure.
    Bench(bench::Options),
    /// Run everything that checks the project.
    Test(test::Options),
    /// Check what a reviewer would nag about.
    Tidy,
    /// Measure the quality of denoised speech beside the official runtime's, and print the README's table.
    Quality(quality::Options),
}

/// Parses the command line and runs it; errors go to standard error with their causes.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let workspace = Workspace::find()?;
    match cli.command {
        Command::Setup(options) => {
            setup::run(&workspace, &options)?;
            println!("Everything is here: {}", workspace.display(&workspace.model_dir()));
            Ok(())
        }
        Command::Demo(options) => demo::run(&workspace, &options),
        Command::Bundle(options) => bundle::run(&workspace, options),
        Command::Package(options) => package::run(&workspace, &options),
        Command::Install(options) => install::install(&workspace, &options),
        Command::Uninstall(options) => install::uninstall(&workspace, &options),
        Command::Soak(options) => soak::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Torch(options) => torch::run(&workspace, options),
        Command::Test(options) => test::run(&workspace, &options),
        Command::Tidy => tidy::run(&workspace),
        Command::Quality(options) => quality::run(&workspace, &options),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
