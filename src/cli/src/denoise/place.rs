//! Places that audio is read from and written to.

use std::path::{Path, PathBuf};

/// A path that means standard input or output.
const STANDARD: &str = "-";

/// Source or destination of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard input or output.
    Standard,
    /// A file.
    File(PathBuf),
}

impl Place {
    /// The one that a path on the command line means.
    pub fn new(path: &Path) -> Self {
        if path == Path::new(STANDARD) { Self::Standard } else { Self::File(path.to_owned()) }
    }

    /// As it is written on the command line.
    pub fn path(&self) -> &Path {
        match self {
            Self::Standard => Path::new(STANDARD),
            Self::File(path) => path,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standard => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
