//! Tacet's files of this user, all in one directory. Never on the audio thread.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

pub use tacet_torch_pack::locate::data_dir;

/// The remedy if the system names no folder for this user's files.
pub const NO_FOLDER_REMEDY: &str =
    if cfg!(windows) { "sign in as a user with a profile folder" } else { "set HOME to your home directory" };

/// Writes a file whole or not at all: beside it first, then renamed over it, so that neither a reader nor a full disk finds
/// half of it. Makes its folder. Who may read it is as for any new file: a model installed for all users is there for all.
///
/// # Errors
/// Errors of the file system; an existing file is kept.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    std::fs::create_dir_all(dir)?;
    let mut options = tempfile::Builder::new();
    #[cfg(unix)]
    options.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut staged = options.tempfile_in(dir)?;
    staged.write_all(bytes)?;
    staged.persist(path)?;
    Ok(())
}

/// Values kept as JSON; the defaults where the file cannot be read or understood.
pub fn read_json<T: DeserializeOwned + Default>(path: &Path) -> T {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Keeps values as JSON, whole or not at all.
///
/// # Errors
/// As [`write`].
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new folder").join("file");
        for content in [&b"the first"[..], b"another"] {
            write(&path, content).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let ordinary = dir.path().join("ordinary");
        std::fs::write(&ordinary, "").unwrap();
        let rights = |path| std::fs::metadata(path).unwrap().permissions();
        assert_eq!(rights(&path), rights(&ordinary));
        std::fs::remove_file(&ordinary).unwrap();
        // A folder is in its place: an error, and no trace.
        std::fs::create_dir(dir.path().join("taken")).unwrap();
        assert!(write(&dir.path().join("taken"), b"").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
