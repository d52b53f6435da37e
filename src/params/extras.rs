//! Saved state besides the parameters.

use serde::{Deserialize, Serialize};

/// Version of the state's meaning. Raise it when a parameter's meaning changes, and translate older states in
/// [`tidy`](super::state::tidy).
pub(crate) const VERSION: u32 = 1;
/// Its key in a saved state.
pub(crate) const KEY: &str = "tacet";

/// Saved state besides the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extras {
    /// Version of the state's meaning; see `VERSION`.
    pub version: u32,
    /// The preset recalled last.
    #[serde(default)]
    pub preset: Option<String>,
    /// Size of the panel's window in points; zero if it was never open.
    #[serde(default)]
    pub window: (u32, u32),
    /// The panel's own memory.
    #[serde(default)]
    pub panel: serde_json::Value,
}

impl Default for Extras {
    fn default() -> Self {
        Self { version: VERSION, preset: None, window: (0, 0), panel: serde_json::Value::Null }
    }
}
