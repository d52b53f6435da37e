//! What Tacet and its torch backend agree on.
//!
//! - [`abi`]: the functions of the backend, as C sees them. The backend and the loader compile the same definitions.
//! - [`manifest`]: the pack on disk, what it must contain and how it is checked.
//! - [`wheels`]: which published files make a pack, by name, version and hash.
//! - [`assemble`]: fetching those and laying them out.

pub mod abi;
#[cfg(feature = "disk")]
pub mod assemble;
#[cfg(feature = "disk")]
pub mod manifest;
#[cfg(feature = "disk")]
pub mod wheels;
