//! The program `tacet-live`: denoises the microphone in a window of its own. `tacet live` starts it.
#![cfg_attr(all(windows, not(test)), windows_subsystem = "windows")]

mod window;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    #[cfg(windows)]
    window::console::join();
    match window::run(&window::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            #[cfg(windows)]
            window::console::show_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
