//! A microphone that is denoised while it is used: `tacet mic`. Linux with PipeWire.
//!
//! Two streams on the user's sound server, linked to each other in this process: what one takes from the default source,
//! the other offers as a source of its own, *Tacet Microphone*, which calls and recorders choose. Or the other way round
//! (`--speakers`): a sink that callers are played to, denoised on its way to the default sink. The session manager links
//! them, follows a changed default, and never links the two to each other.
//!
//! - `pipewire`: PipeWire's library, opened at run time, and the two streams. The server's threads.
//! - [`settings`]: settings that may change while it runs, from any thread.
//! - [`sound`]: the denoiser between them.
//! - [`control`]: the socket by which `tacet mic status` and its like reach the running one.
//! - `commands`: the commands sent to it.
//! - [`memory`]: the memory between runs.
//! - [`run()`]: opens the streams, and reconnects after the sound server was away.
//! - [`mod@unit`]: starting with the session.

#![cfg(target_os = "linux")]

mod commands;
pub mod control;
pub mod memory;
pub(crate) mod pipewire;
pub mod run;
pub mod settings;
pub mod sound;
pub mod unit;

pub use run::{Options, run, run_with};

/// The direction of the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a source to a source of our own.
    Microphone,
    /// From a sink of our own to a sink.
    Speakers,
}

impl Direction {
    /// The name in other programs' lists.
    pub fn title(self) -> &'static str {
        match self {
            Self::Microphone => "Tacet Microphone",
            Self::Speakers => "Tacet Speakers",
        }
    }

    /// The name for machines: the node, the socket, the unit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Microphone => "tacet-mic",
            Self::Speakers => "tacet-speakers",
        }
    }

    /// The command that starts it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Microphone => "tacet mic",
            Self::Speakers => "tacet mic --speakers",
        }
    }
}
