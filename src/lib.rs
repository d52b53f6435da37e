//! Tacet denoises speech in real time with DeepFilterNet3, in a DAW, on a microphone and for files.
//!
//! The modules in the order a hop of audio meets them:
//!
//! - [`frame`]: the types that travel.
//! - [`engine`]: what runs the network; [`engine::Engine`] is the contract.

pub use tacet_model as model;

pub mod engine;
pub mod frame;
