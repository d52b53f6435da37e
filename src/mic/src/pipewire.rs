//! PipeWire: its library, opened at run time, and the two streams of a microphone.
//!
//! - [`library`]: the functions and structures that are used of PipeWire's C interface.
//! - [`mod@format`]: how a stream's format is written down for it.
//! - [`streams`]: the two streams.
//! - `chain`: the audio thread's half.

mod chain;
pub mod format;
pub mod library;
pub mod streams;
