//! Tacet's files of this user, all in one directory. Never on the audio thread.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

pub use tacet_torch_pack::locate::data_dir;
pub use tacet_torch_pack::replace::write;

/// The remedy if the system names no folder for this user's files.
pub const NO_FOLDER_REMEDY: &str =
    if cfg!(windows) { "sign in as a user with a profile folder" } else { "set HOME to your home directory" };

/// Why a file of this user's could not be written or removed.
#[derive(Debug, thiserror::Error)]
pub enum UserFileError {
    /// There is no home directory.
    #[error("no per-user data directory is known: {NO_FOLDER_REMEDY}")]
    NoDirectory,
    /// The file system refused.
    #[error("{path}: {reason}; check the directory's permissions and space")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: io::Error,
    },
}

/// Values kept as JSON under a name in this user's directory; the defaults where the file cannot be read or understood.
pub fn recall<T: DeserializeOwned + Default>(name: &str) -> T {
    data_dir().map(|dir| read_json(&dir.join(name))).unwrap_or_default()
}

/// Keeps values as JSON under a name in this user's directory, whole or not at all.
///
/// # Errors
/// [`UserFileError`].
pub fn remember(name: &str, values: &impl Serialize) -> Result<(), UserFileError> {
    write_json(&data_dir().ok_or(UserFileError::NoDirectory)?.join(name), values)
}

/// Values kept as JSON; the defaults where the file cannot be read or understood.
pub fn read_json<T: DeserializeOwned + Default>(path: &Path) -> T {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Keeps values as JSON, whole or not at all.
///
/// # Errors
/// [`UserFileError::File`].
pub fn write_json(path: &Path, values: &impl Serialize) -> Result<(), UserFileError> {
    let bytes = serde_json::to_vec_pretty(values).map_err(io::Error::from);
    let written = bytes.and_then(|bytes| write(path, &bytes));
    written.map_err(|reason| UserFileError::File { path: path.to_owned(), reason })
}
