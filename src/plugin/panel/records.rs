//! The lab's measurements as a file that the user finds again.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::device::Device;
use crate::editor::shown::{Shown, SlotState};
use crate::lab::{CsvError, Row, rows, write_csv};

use super::gauges::Gauges;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no home directory.
    #[error("the measurements were not saved: no documents folder is known; set HOME")]
    NoDirectory,
    /// The file system refused.
    #[error("the measurements were not saved: {path}: {reason}; check the folder's permissions and space")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file was begun and not completed.
    #[error("the measurements were not saved completely: {0}")]
    Csv(#[from] CsvError),
}

/// Writes the measurements to a new file in the user's documents; returns where.
///
/// # Errors
/// [`RecordError`].
pub fn export(shown: &Shown, gauges: &Gauges) -> Result<PathBuf, RecordError> {
    let documents = dirs::document_dir().or_else(dirs::home_dir).ok_or(RecordError::NoDirectory)?;
    write(&documents.join("Tacet"), &measured(shown, gauges))
}

/// The rows of the slots in use, and where they were measured.
fn measured(shown: &Shown, gauges: &Gauges) -> Vec<Row> {
    let environment = [
        ("Tacet", shown.process.version.clone()),
        ("Model", shown.model.clone()),
        ("System", shown.system.os.clone()),
        ("CPU level", shown.system.cpu.clone()),
        ("libtorch", shown.system.libtorch.clone()),
        ("Host rate in Hz", shown.stream.rate_hz.to_string()),
        ("Channels", shown.stream.n_channels.to_string()),
        ("Streams", shown.process.workers.iter().map(|(_, n_streams)| n_streams).sum::<usize>().to_string()),
    ];
    let devices = [0, 1].map(|slot| gauges.device(slot).map(Device::name).unwrap_or_default());
    let slots: Vec<_> = ["A", "B"]
        .into_iter()
        .enumerate()
        .filter(|&(i, _)| shown.slots[i].state != SlotState::Off)
        .map(|(i, slot)| (slot, devices[i].as_str(), gauges.statistics(i)))
        .collect();
    rows(&environment, &slots, shown.null_db)
}

/// Writes rows to the first free name in a folder, which is made if it is not there.
fn write(folder: &Path, rows: &[Row]) -> Result<PathBuf, RecordError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |reason| RecordError::File { path, reason }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut number = 1;
    loop {
        let path = folder.join(format!("measurements {number}.csv"));
        match File::create_new(&path) {
            Ok(file) => {
                write_csv(rows, file)?;
                return Ok(path);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(failed(&path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::read_csv;

    #[test]
    fn a_file_is_never_written_over_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("Tacet");
        let rows = measured(&Shown::default(), &Gauges::default());
        let names: Vec<PathBuf> = (0..2).map(|_| write(&folder, &rows).unwrap()).collect();
        assert_eq!(names, [folder.join("measurements 1.csv"), folder.join("measurements 2.csv")]);
        assert_eq!(read_csv(File::open(&names[1]).unwrap()).unwrap(), rows);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write(&file.join("Tacet"), &[]).unwrap_err().to_string();
        assert!(error.contains("file") && error.contains("permissions"), "{error}");
    }
}
