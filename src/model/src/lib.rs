//! The network's fixed numbers, its configuration and its weights.
//!
//! A model arrives as the official archive (a gzip'd tar with three ONNX graphs and a `config.ini`) or as the
//! safetensors file made from one. Either way it ends as [`Model`]: a [`Config`] and shape-checked tensors with the
//! canonical names. Nothing here runs on the audio thread, nothing is unpacked to disk, and no input makes it panic.
//!
//! In reading order:
//!
//! - `spec`: numbers shared by every model.
//! - `kind`: the two published models, their files and hashes.
//! - `config`: what a model's `config.ini` decides.
//! - `layout`: names and shapes of the tensors that a configuration implies.
//! - `archive`: the members of the tar.gz, with bounded memory.
//! - `onnx`: a graph's weights by canonical name.
//! - `container`: the safetensors file.
//! - `rounding`, `compressed`: its weights in less space.
//! - `model`: the pieces together.
//! - `error`: everything that can be wrong, with the next step.

mod archive;
mod compressed;
mod config;
mod container;
mod error;
mod kind;
mod layout;
mod model;
mod onnx;
pub mod rounding;
mod spec;
#[cfg(test)]
mod testing;

pub use config::{Config, MAX_KERNEL_T};
pub use error::ModelError;
pub use kind::{ModelKind, sha256_hex};
pub use layout::Layout;
pub use model::{MAX_FILE_BYTES, Model, Tensor};
pub use spec::*;
