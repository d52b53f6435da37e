//! Preferences of this user on this computer, for all projects: one small JSON file in the per-user data directory.

use serde::{Deserialize, Serialize};
use tacet_realtime::user_files::{self, UserFileError};

/// Their file.
const FILE: &str = "preferences.json";

/// The choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Operations that MPS lacks run on the CPU.
    pub mps_fallback: bool,
}

impl Preferences {
    /// The user's, or the defaults where there are none or they cannot be read.
    pub fn load() -> Self {
        user_files::recall(FILE)
    }

    /// Keeps them.
    ///
    /// # Errors
    /// [`UserFileError`].
    pub fn save(&self) -> Result<(), UserFileError> {
        user_files::remember(FILE, self)
    }
}
