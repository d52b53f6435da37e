//! The network's fixed numbers, its configuration and its weights.
//!
//! A model arrives as the official archive (a gzip'd tar with three ONNX graphs and a `config.ini`) or as the
//! safetensors file made from one. Either way it ends as [`Model`]: a [`Config`] and shape-checked tensors with the
//! canonical names. Nothing here runs on the audio thread.

mod spec;

pub use spec::*;
