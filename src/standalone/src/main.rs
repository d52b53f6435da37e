//! The program `tacet-live`: denoises the microphone in a window of its own. `tacet live` starts it.

mod window;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match window::run(&window::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
