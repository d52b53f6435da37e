//! What Tacet and its torch backend agree on.
//!
//! - [`abi`]: the functions of the backend, as C sees them. The backend and the loader compile the same definitions.

pub mod abi;
