//! Tacet's files of this user, all in one directory. Never on the audio thread.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

pub use tacet_torch_pack::locate::data_dir;
pub use tacet_torch_pack::replace::write;

/// The remedy if the system names no folder for this user's files.
pub const NO_FOLDER_REMEDY: &str =
    if cfg!(windows) { "sign in as a user with a profile folder" } else { "set HOME to your home directory" };

/// Values kept as JSON; the defaults where the file cannot be read or understood.
pub fn read_json<T: DeserializeOwned + Default>(path: &Path) -> T {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Keeps values as JSON, whole or not at all.
///
/// # Errors
/// As [`write()`].
pub fn write_json(path: &Path, values: &impl Serialize) -> io::Result<()> {
    write(path, &serde_json::to_vec_pretty(values)?)
}

/// The file of this name in this user's directory.
///
/// # Errors
/// There is no such directory.
pub fn file(name: &str) -> io::Result<PathBuf> {
    let dir = data_dir().ok_or_else(|| io::Error::other("this user has no data directory"))?;
    Ok(dir.join(name))
}
