//! Preferences of this user on this computer, for all projects: one small JSON file in the per-user data directory.

use std::fs;
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
        let read = || serde_json::from_slice(&fs::read(path()?).ok()?).ok();
        read().unwrap_or_default()
    }

    /// Keeps them.
    ///
    /// # Errors
    /// [`PreferenceError`].
    pub fn save(&self) -> Result<(), PreferenceError> {
        let path = path().ok_or(PreferenceError::NoDirectory)?;
        let write = || -> std::io::Result<()> { user_files::write(&path, &serde_json::to_vec_pretty(self)?) };
        write().map_err(|reason| PreferenceError::File { path: path.clone(), reason })
    }
}

fn path() -> Option<PathBuf> {
    Some(data_dir()?.join("preferences.json"))
}
