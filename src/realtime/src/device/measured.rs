//! What `tacet bench` measured on this machine, kept per user: the automatic choice for live audio rests on numbers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Device;

/// The file's name, in `tacet` in the per-user data directory.
const FILE: &str = "measured.json";
/// Most bytes that are read.
const MAX_BYTES: u64 = 1 << 16;

#[derive(Deserialize, Serialize)]
struct Entry {
    device: String,
    /// 99th percentile of a live step of one stream, in microseconds.
    p99_us: f32,
}

fn file() -> Option<PathBuf> {
    Some(dirs::data_local_dir()?.join("tacet").join(FILE))
}

/// The devices that were measured, each with the 99th percentile of a live step of one stream in microseconds: for
/// [`Use::Live`](super::Use::Live). Empty if nothing was measured or the file cannot be read.
pub fn measured() -> Vec<(Device, f32)> {
    file().map_or_else(Vec::new, |file| read(&file))
}

/// Keeps measurements; devices that were measured before and are not among them stay.
///
/// # Errors
/// The file cannot be written.
pub fn keep_measured(new: &[(Device, f32)]) -> io::Result<()> {
    match file() {
        Some(file) => keep(&file, new),
        None => Ok(()),
    }
}

fn read(file: &Path) -> Vec<(Device, f32)> {
    let is_small = fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MAX_BYTES);
    let bytes = if is_small { fs::read(file).unwrap_or_default() } else { Vec::new() };
    let entries: Vec<Entry> = serde_json::from_slice(&bytes).unwrap_or_default();
    let known = |entry: Entry| Some((entry.device.parse().ok()?, entry.p99_us));
    entries.into_iter().filter_map(known).collect()
}

fn keep(file: &Path, new: &[(Device, f32)]) -> io::Result<()> {
    let mut all = read(file);
    all.retain(|(device, _)| !new.iter().any(|(other, _)| other == device));
    all.extend_from_slice(new);
    let entry = |&(device, p99_us): &(Device, f32)| Entry { device: device.id(), p99_us };
    let entries: Vec<Entry> = all.iter().map(entry).collect();
    let dir = file.parent().unwrap_or(file);
    fs::create_dir_all(dir)?;
    // Beside it and renamed: a reader never sees half of it.
    let staged = tempfile::NamedTempFile::new_in(dir)?;
    serde_json::to_writer_pretty(&staged, &entries)?;
    staged.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::torch::TorchDevice;

    #[test]
    fn measurements_are_kept_and_replaced_by_device() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tacet").join(FILE);
        let (native, cuda) = (Device::Native, Device::Torch(TorchDevice::Cuda(0)));
        assert_eq!(read(&file), []);
        keep(&file, &[(native, 700.0), (cuda, 300.0)]).unwrap();
        keep(&file, &[(native, 250.0)]).unwrap();
        assert_eq!(read(&file), [(cuda, 300.0), (native, 250.0)]);
        fs::write(&file, b"no json").unwrap();
        assert_eq!(read(&file), []);
    }
}
