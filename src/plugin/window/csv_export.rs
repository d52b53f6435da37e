//! Exports the lab's measurements to a file in the user's documents.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::device::Device;
use crate::lab::{CsvError, Row, rows, write_csv};
use crate::panel::view_model::{DeviceState, ViewModel};

use super::meter_reader::MeterReader;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no home directory.
    #[error(
        "the measurements were not saved: no documents folder is known; {}",
        tacet_realtime::user_files::NO_FOLDER_REMEDY
    )]
    NoDirectory,
    /// The file system refused.
    #[error("the measurements were not saved: {path}: {reason}; check the folder's permissions and space")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's message.
        reason: std::io::Error,
    },
    /// The file was begun and not completed.
    #[error("the measurements were not saved completely: {0}")]
    Csv(#[from] CsvError),
}

/// Writes the measurements to a new file in the user's documents; returns where.
///
/// # Errors
/// [`ExportError`].
pub fn export(view_model: &ViewModel, meter_reader: &MeterReader) -> Result<PathBuf, ExportError> {
    let documents = dirs::document_dir().or_else(dirs::home_dir).ok_or(ExportError::NoDirectory)?;
    write(&documents.join("Tacet"), &measured(view_model, meter_reader))
}

/// The rows of the slots in use, and where they were measured.
fn measured(view_model: &ViewModel, meter_reader: &MeterReader) -> Vec<Row> {
    let environment = [
        ("Tacet", view_model.process.version.clone()),
        ("Model", view_model.model.clone()),
        ("System", view_model.system.os.clone()),
        ("CPU level", view_model.system.cpu.clone()),
        ("libtorch", view_model.system.libtorch.clone()),
        ("Host rate in Hz", view_model.stream.rate_hz.to_string()),
        ("Channels", view_model.stream.n_channels.to_string()),
        (
            "Streams",
            view_model.process.workers.iter().map(|(_, n_streams)| n_streams).sum::<usize>().to_string(),
        ),
    ];
    let devices = [0, 1].map(|slot| meter_reader.device(slot).map(Device::name).unwrap_or_default());
    let slots: Vec<_> = ["A", "B"]
        .into_iter()
        .enumerate()
        .filter(|&(i, _)| view_model.slots[i].state != DeviceState::Off)
        .map(|(i, slot)| (slot, devices[i].as_str(), meter_reader.statistics(i)))
        .collect();
    rows(&environment, &slots, view_model.null_db)
}

/// Writes rows to the first free name in a folder, which is made if it is not there.
fn write(folder: &Path, rows: &[Row]) -> Result<PathBuf, ExportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |reason| ExportError::File { path, reason }
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

    #[test]
    fn a_file_is_whole_and_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("Tacet");
        let rows = measured(&ViewModel::default(), &MeterReader::default());
        let names: Vec<PathBuf> = (0..2).map(|_| write(&folder, &rows).unwrap()).collect();
        assert_eq!(names, [folder.join("measurements 1.csv"), folder.join("measurements 2.csv")]);
        let mut expected = Vec::new();
        write_csv(&rows, &mut expected).unwrap();
        assert!(!rows.is_empty() && names.iter().all(|name| fs::read(name).unwrap() == expected));
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
