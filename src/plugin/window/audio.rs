//! The standalone's audio devices on the panel; a host has none of this.
//!
//! The program that runs the plugin in a window of its own names itself here before the window opens. The plugin does not
//! know it.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::panel::view_model::Audio;
use crate::params::presets::PresetValues;

/// A device chosen in the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The sound comes from here.
    Input(String),
    /// The sound goes here.
    Output(String),
}

/// A program that runs the plugin and opens the audio devices itself.
pub trait AudioHost: Send + Sync {
    /// The devices in use, and those to choose from.
    fn devices(&self) -> Audio;

    /// The parameters to begin with, where the program was restarted.
    fn values(&self) -> Option<PresetValues>;

    /// Begins again with another device and these parameters. Returns only where that is not possible, with the reason.
    fn restart(&self, chosen: Chosen, values: &PresetValues) -> io::Error;
}

static HOST: OnceLock<Box<dyn AudioHost>> = OnceLock::new();

/// Names the program that runs the plugin. The first call lasts: a process is one program.
pub fn set_host(host: Box<dyn AudioHost>) {
    let _ = HOST.set(host);
}

/// Whether a program of its own runs the plugin: then the framework may write to the terminal.
pub(in crate::plugin) fn has_host() -> bool {
    HOST.get().is_some()
}

/// The devices of the program that runs the plugin; `None` in a host.
pub(super) fn devices() -> Option<Audio> {
    Some(HOST.get()?.devices())
}

/// The parameters that a restart carries over, once.
pub(super) fn take_values() -> Option<PresetValues> {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    let host = HOST.get()?;
    if IS_TAKEN.swap(true, Ordering::Relaxed) { None } else { host.values() }
}

/// Begins again with another device. Returns only where that is not possible, with the reason.
pub(super) fn restart(chosen: Chosen, values: &PresetValues) -> io::Error {
    match HOST.get() {
        Some(host) => host.restart(chosen, values),
        None => io::Error::other("the host chooses the audio devices"),
    }
}
