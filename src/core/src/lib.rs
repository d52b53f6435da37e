//! Processing of one hop of audio, and of many at a time for recordings, without file formats or a host: the
//! performance-critical part of Tacet.
//!
//! A crate of its own so that it is always compiled for speed, and seldom. `tacet_realtime` and `tacet` re-export its
//! modules under the same names; the map in `tacet` says who runs what on which thread.

pub use tacet_model as model;

pub mod clean;
mod decibels;
pub mod denoiser;
pub mod denormals;
pub mod dry;
#[cfg(test)]
#[path = "../../../tests/support/emulator.rs"]
mod emulator;
pub mod engine;
pub mod enhance;
pub mod erb;
pub mod features;
pub mod frame;
pub mod halves;
pub mod history;
pub mod limit;
pub mod powers;
pub mod random;
pub mod rules;
pub mod samples;
pub mod sequence;
pub mod stft;
pub mod tails;
pub mod weights;
pub mod whisper;
