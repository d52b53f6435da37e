//! The files that are read, which no output may replace.

use std::collections::HashMap;
use std::fs::File;
#[cfg(unix)]
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::find::{Input, resolved};
use super::place::Place;
use crate::{standard, usage};

/// A file, whatever names it has.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(windows)]
type Identity = same_file::Handle;

/// The file that a path leads to. Nothing is opened: to open a named pipe waits for its other end, or ends the program
/// there.
#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    path.metadata().ok().map(identity_in)
}

#[cfg(unix)]
fn identity_of_open(file: File) -> Option<Identity> {
    file.metadata().ok().map(identity_in)
}

#[cfg(unix)]
fn identity_in(metadata: Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(windows)]
fn identity(path: &Path) -> Option<Identity> {
    same_file::Handle::from_path(path).ok()
}

#[cfg(windows)]
fn identity_of_open(file: File) -> Option<Identity> {
    same_file::Handle::from_file(file).ok()
}

/// See the module. Each is looked at once, however many outputs there are.
pub(crate) struct ReadFiles {
    by_identity: HashMap<Identity, Place>,
    by_path: HashMap<PathBuf, Place>,
}

impl ReadFiles {
    pub(crate) fn of(inputs: &[Input]) -> Self {
        let (mut by_identity, mut by_path) = (HashMap::new(), HashMap::new());
        for input in inputs {
            let place = input.place();
            let found = match &place {
                Place::Standard => standard::input_file().and_then(identity_of_open),
                Place::File(path) => {
                    by_path.insert(resolved(path), place.clone());
                    identity(path)
                }
            };
            if let Some(found) = found {
                by_identity.insert(found, place);
            }
        }
        Self { by_identity, by_path }
    }

    /// Refuses an output that is one of the files, under whatever name: links of both kinds, too.
    ///
    /// # Errors
    /// A [usage error](crate::Usage) that names both.
    pub(crate) fn refuse(&self, output: &Path) -> Result<()> {
        // Files that do not exist are nobody's.
        let found = identity(output).and_then(|identity| self.by_identity.get(&identity));
        let Some(input) = found.or_else(|| self.by_path.get(&resolved(output))) else { return Ok(()) };
        Err(usage(format!(
            "the output {} is the input {input}; inputs are never overwritten",
            output.display()
        )))
    }
}
