//! The interface between Tacet and its torch backend.
//!
//! - [`abi`]: the functions of the backend, as C sees them. The backend and the loader compile the same definitions.
//! - [`platform`]: file names and what is offered where.
//! - [`locate`]: where a runtime pack is looked for.
//! - [`manifest`]: what a pack says it holds, and the check that it does.
//! - [`wheels`]: the published files that a pack is made of, by name, version and hash.
//! - [`replace`]: files and folders written and put in place of each other, whole or not at all.
//! - [`assemble`]: fetching those, laying them out, installing and removing.

pub mod abi;
#[cfg(feature = "disk")]
pub mod assemble;
#[cfg(feature = "disk")]
pub mod locate;
#[cfg(feature = "disk")]
pub mod manifest;
#[cfg(feature = "disk")]
pub mod platform;
#[cfg(feature = "disk")]
pub mod replace;
#[cfg(feature = "disk")]
pub mod wheels;

/// An error with what caused it: "dlopen failed" alone names no library.
pub fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
