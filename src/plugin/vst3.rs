//! The VST3: a host of the CLAP on one side, a VST3 plugin on the other, so that both formats are one plugin.
//!
//! - `factory`: what a host finds in the library.
//! - `bridge`: what both sides share; the CLAP's host.
//! - `component`, `audio`, `controller`: the plugin, in the order of the interfaces that a host asks for.
//! - `param`, `changes`: parameters, and their automation in a block.
//! - `view`: the panel's window.
//! - `text`: strings as VST3 wants them.
//!
//! The framework's own VST3 is not used. On Linux it hands tasks to a thread of its own, which panics if the panel is being
//! opened or closed, and the last instance then ends the host. Here, whatever belongs on a host's main thread is run by the
//! host: in its calls, and by its run loop while the panel is open.

#![allow(clippy::unnecessary_cast, reason = "VST3's constants are signed on Windows and unsigned elsewhere")]

mod audio;
mod bridge;
mod changes;
mod component;
mod controller;
mod factory;
mod param;
mod text;
mod view;

pub use factory::{GetPluginFactory, class_id};
