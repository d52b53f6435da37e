//! DeepFilterNet3 on libtorch: the library that Tacet opens when a torch device is asked for.
//!
//! It links libtorch, so nothing else may link it: the plugin opens it on demand and talks to it through the C ABI of
//! [`tacet_torch_pack::abi`]. Everything runs on the thread that calls.
//!
//! In reading order:
//!
//! - [`target`]: a device, what libtorch knows of it, and CUDA's libraries.
//! - [`weights`]: the network's tensors, merged and laid out for matrix products.
//! - [`layers`]: the products.
//! - [`dfop`]: the deep filter, six ways.
//! - [`network`]: one hop of a batch of lanes.
//! - `packing`: what crosses to the device for a step.
//! - [`streams`]: the lanes' states, the packed transfers, the step.
//! - [`graph`]: a step recorded as a CUDA graph.
//! - `stretches`: hops in a row that treat the hidden states alike.
//! - [`sequence`]: many hops at once, for whole files.
//! - [`entry`]: the C ABI.

pub mod dfop;
pub mod entry;
pub mod error;
pub mod graph;
pub mod layers;
pub mod network;
mod packing;
pub mod sequence;
mod shim;
pub mod streams;
mod stretches;
pub mod target;
pub mod weights;

pub use error::{Result, TorchError};
pub use shim::Inference;
