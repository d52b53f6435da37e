//! Files that appear whole or not at all.
//!
//! An output is written under a temporary name in its folder and renamed when complete. The list of unfinished
//! files is shared with the handler of Ctrl-C (and SIGTERM, SIGHUP), which removes them and leaves; an error or a panic
//! removes its own. Devices and pipes (`/dev/null`, a FIFO) are written to directly.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use tempfile::{NamedTempFile, TempPath};

use super::interrupt::on_interrupt;
use super::io_errors::explained;

/// The temporary files that exist now. Held while one is made, renamed or removed, so that the handler sees all of
/// them; it never lets go of it again.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The exit code of a run that was interrupted: 128 + SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on an interruption removes what is unfinished, then ends the process.
///
/// # Errors
/// The system refuses a signal handler.
pub(crate) fn clean_up_when_interrupted() -> Result<()> {
    on_interrupt(|| {
        let unfinished = unfinished();
        for path in unfinished.iter() {
            // Nothing to be done about a failure: the process ends.
            let _ = fs::remove_file(path);
        }
        std::process::exit(INTERRUPTED);
    })
    .context("cannot handle Ctrl-C: start it anew")
}

/// A file on its way to `path`. Its errors name that and the next step.
pub struct Output {
    file: BufWriter<File>,
    path: PathBuf,
    target: Target,
}

enum Target {
    /// Complete on rename.
    Regular { temporary: Option<TempPath> },
    /// A device or a pipe.
    Direct,
}

impl Output {
    /// Begins a file at `path`, through symbolic links; an existing one stays until [`Output::commit`].
    ///
    /// # Errors
    /// The folder does not exist or cannot be written to, or `path` is a folder.
    pub fn create(path: &Path) -> Result<Self> {
        let is_device = is_device(path);
        // A device has no other name.
        let real = if is_device { None } else { dunce::canonicalize(path).ok() };
        let path = real.unwrap_or_else(|| path.to_owned());
        let metadata = fs::metadata(&path);
        if metadata.as_ref().is_ok_and(fs::Metadata::is_dir) {
            bail!("{} is a folder; use --out-dir", path.display());
        }
        if is_device || metadata.is_ok_and(|metadata| !metadata.is_file()) {
            let file = File::options().write(true).open(&path);
            let file = file.map_err(|error| failed(&path, &error))?;
            return Ok(Self { file: BufWriter::new(file), path, target: Target::Direct });
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            bail!("the folder {} does not exist; create it, or choose another", folder.display());
        }
        let mut unfinished = unfinished();
        let (file, temporary) = new_temporary(folder)
            .map_err(|error| {
                explained(format_args!("cannot write into the folder {}", folder.display()), &bare(&error))
            })?
            .into_parts();
        unfinished.insert(temporary.to_path_buf());
        drop(unfinished);
        let target = Target::Regular { temporary: Some(temporary) };
        Ok(Self { file: BufWriter::new(file), path, target })
    }

    /// Whether the file can be rewound, to complete a header.
    pub(crate) fn is_seekable(&self) -> bool {
        matches!(self.target, Target::Regular { .. })
    }

    /// Completes the file: from here on it is there, whole.
    ///
    /// # Errors
    /// The last bytes cannot be written, or the file not be renamed; then nothing is left.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.flush()?;
        let path = &self.path;
        if let Target::Regular { temporary } = &mut self.target
            && let Some(temporary) = temporary.take()
        {
            let mut unfinished = unfinished();
            unfinished.remove(temporary.as_ref() as &Path);
            temporary.persist(path).map_err(|error| failed(path, &error.error))?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Target::Regular { temporary } = &mut self.target
            && let Some(temporary) = temporary.take()
        {
            let mut unfinished = unfinished();
            unfinished.remove(temporary.as_ref() as &Path);
            drop(temporary);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| failed(&self.path, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| failed(&self.path, &error))
    }
}

impl io::Seek for Output {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to).map_err(|error| failed(&self.path, &error))
    }
}

/// Whether Windows takes the name for its device that swallows everything, in whatever folder.
fn is_device(path: &Path) -> bool {
    cfg!(windows) && path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("nul"))
}

fn failed(path: &Path, error: &io::Error) -> io::Error {
    explained(format_args!("cannot write {}", path.display()), error)
}

/// The system's own error, without the temporary name that tempfile puts behind it.
fn bare(error: &io::Error) -> io::Error {
    let text = error.to_string();
    io::Error::new(error.kind(), text.split(" at path ").next().unwrap_or_default())
}

/// A new file with the permissions that any program's new file has.
fn new_temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tacet-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The process's umask still applies.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(output);
        assert_eq!(names(folder.path()), Vec::<String>::new());

        let mut output = Output::create(&path).unwrap();
        output.write_all(b"whole").unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["a.wav"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.wav"), folder.path().join("link.wav"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut output = Output::create(&link).unwrap();
        output.write_all(b"new").unwrap();
        output.commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn devices_stay_devices() {
        let name = if cfg!(windows) { "nul" } else { "/dev/null" };
        let mut null = Output::create(Path::new(name)).unwrap();
        assert!(!null.is_seekable());
        null.write_all(b"swallowed").unwrap();
        null.commit().unwrap();
        assert!(!fs::metadata(name).is_ok_and(|metadata| metadata.is_file()));
    }

    #[test]
    fn paths_are_as_people_write_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        Output::create(&path).unwrap().commit().unwrap();
        let error = Output::create(folder.path()).err().unwrap();
        assert!(!error.to_string().contains(r"\\?\"), "{error}");
        let output = Output::create(&path).unwrap();
        assert!(!output.path.to_string_lossy().contains(r"\\?\"), "{}", output.path.display());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Output::create(Path::new("no/such/folder/a.wav")).err().unwrap();
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }
}
