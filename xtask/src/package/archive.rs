//! Archives: the same bytes for the same files, whoever packs them and when.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Rights of programs and libraries, and of other files.
const EXECUTABLE: u32 = 0o755;
const PLAIN: u32 = 0o644;

/// All files below a folder, in order.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// A member's name: with the packed folder's own, and forward slashes.
fn name(file: &Path, folder: &Path) -> Result<String> {
    let above = folder.parent().context("no directory")?;
    Ok(file.strip_prefix(above)?.to_string_lossy().replace('\\', "/"))
}

/// A member's mode, from the file's permissions; on Windows, which has none, from its kind.
fn mode(file: &Path) -> Result<u32> {
    #[cfg(unix)]
    let is_executable = {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(file)?.permissions().mode() & 0o111 != 0
    };
    #[cfg(not(unix))]
    let is_executable = file.extension().is_some_and(|extension| extension == "exe" || extension == "dll");
    Ok(if is_executable { EXECUTABLE } else { PLAIN })
}

/// The path of a folder's archive.
fn path(folder: &Path, into: &Path, extension: &str) -> Result<PathBuf> {
    let stem = folder.file_name().context("no name")?.to_string_lossy();
    Ok(into.join(format!("{stem}.{extension}")))
}

/// Packs a folder for Linux.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn tar_gz(folder: &Path, into: &Path) -> Result<PathBuf> {
    let path = path(folder, into, "tar.gz")?;
    let pack = || -> Result<()> {
        let file = BufWriter::new(File::create(&path)?);
        let gz = GzBuilder::new().mtime(0).write(file, Compression::best());
        let mut tar = tar::Builder::new(gz);
        for file in files(folder)? {
            let mut header = tar::Header::new_gnu();
            header.set_size(fs::metadata(&file)?.len());
            header.set_mode(mode(&file)?);
            header.set_mtime(0);
            tar.append_data(&mut header, name(&file, folder)?, File::open(&file)?)?;
        }
        tar.into_inner()?.finish()?.flush()?;
        Ok(())
    };
    pack().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// Packs a folder for macOS or Windows.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn zip(folder: &Path, into: &Path) -> Result<PathBuf> {
    let path = path(folder, into, "zip")?;
    let pack = || -> Result<()> {
        let mut zip = ZipWriter::new(BufWriter::new(File::create(&path)?));
        for file in files(folder)? {
            // Without a time of its own it is zip's first day.
            let options = SimpleFileOptions::default()
                .compression_level(Some(9))
                .last_modified_time(zip::DateTime::default())
                .unix_permissions(mode(&file)?);
            zip.start_file(name(&file, folder)?, options)?;
            std::io::copy(&mut File::open(&file)?, &mut zip)?;
        }
        zip.finish()?.flush()?;
        Ok(())
    };
    pack().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn folder(dir: &Path) -> PathBuf {
        let folder = dir.join("tacet-1");
        fs::create_dir_all(folder.join("docs")).unwrap();
        fs::write(folder.join("docs/a.md"), "text").unwrap();
        fs::write(folder.join("tacet"), "program").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(folder.join("tacet"), fs::Permissions::from_mode(0o700)).unwrap();
        }
        folder
    }

    #[test]
    fn archives_hold_one_folder_and_are_reproducible() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        for pack in [tar_gz, zip] {
            let first = fs::read(pack(&folder, dir.path()).unwrap()).unwrap();
            // Another time of the files.
            File::open(folder.join("tacet")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            assert_eq!(fs::read(pack(&folder, dir.path()).unwrap()).unwrap(), first);
        }
        let tar = flate2::read::GzDecoder::new(File::open(dir.path().join("tacet-1.tar.gz")).unwrap());
        let mut tar = tar::Archive::new(tar);
        let members: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                (entry.path().unwrap().to_string_lossy().into_owned(), entry.header().mode().unwrap(), text)
            })
            .collect();
        assert_eq!(members[0], ("tacet-1/docs/a.md".to_owned(), PLAIN, "text".to_owned()));
        #[cfg(unix)]
        assert_eq!(members[1], ("tacet-1/tacet".to_owned(), EXECUTABLE, "program".to_owned()));
        let zip = zip::ZipArchive::new(File::open(dir.path().join("tacet-1.zip")).unwrap()).unwrap();
        let names: Vec<_> = zip.file_names().map(str::to_owned).collect();
        assert_eq!(names, ["tacet-1/docs/a.md", "tacet-1/tacet"]);
        #[cfg(unix)]
        {
            let mut zip = zip;
            assert_eq!(zip.by_name("tacet-1/tacet").unwrap().unix_mode().unwrap() & 0o777, EXECUTABLE);
        }
    }
}
