//! The command line end to end: the built binary on files made here, on `tests/data/audio`, and on broken input.

mod containers;
mod failures;
mod formats;
mod outputs;
#[cfg(target_os = "linux")]
mod resources;
mod results;
mod room;
mod streams;
mod support;
mod torch;
#[cfg(windows)]
mod windows;
