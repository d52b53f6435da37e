//! Preferences of this user on this computer, for all projects: one small JSON file in the per-user data directory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tacet_realtime::user_files::{self, data_dir};

/// The choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Operations that MPS lacks run on the CPU.
    pub mps_fallback: bool,
}

/// Why the choices could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum PreferenceError {
    /// There is no home directory.
    #[error("no per-user data directory is known: {}", tacet_realtime::user_files::NO_FOLDER_REMEDY)]
    NoDirectory,
    /// The file system refused.
    #[error("{path}: {reason}; check the directory's permissions and space")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: std::io::Error,
    },
}

impl Preferences {
    /// The user's, or the defaults where there are none or they cannot be read.
    pub fn load() -> Self {
        path().map(|path| user_files::read_json(&path)).unwrap_or_default()
    }

    /// Keeps them.
    ///
    /// # Errors
    /// [`PreferenceError`].
    pub fn save(&self) -> Result<(), PreferenceError> {
        let path = path().ok_or(PreferenceError::NoDirectory)?;
        user_files::write_json(&path, self).map_err(|reason| PreferenceError::File { path, reason })
    }
}

fn path() -> Option<PathBuf> {
    Some(data_dir()?.join("preferences.json"))
}
