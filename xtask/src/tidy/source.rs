//! The repository's text files, as git knows them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Finding;

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path relative to the repository's root, with forward slashes.
    pub path: String,
    /// Content.
    pub text: String,
}

impl Source {
    /// Lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split_terminator('\n').enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether the file's name ends so.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The file's name without directories.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// A finding in a line.
    pub fn at(&self, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line: Some(line), text: text.into() }
    }

    /// A finding about the whole file.
    pub fn whole(&self, text: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line: None, text: text.into() }
    }
}

/// Every text file that git tracks or would track. Binary files (those with a NUL) and symbolic links are left out.
///
/// # Errors
/// git cannot be run here.
pub fn all(root: &Path) -> Result<Vec<Source>> {
    let list = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git could not be run; it lists the files to check")?;
    anyhow::ensure!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr).trim());
    let paths = String::from_utf8(list.stdout).context("a file name is not UTF-8")?;
    Ok(paths.split_terminator('\0').filter_map(|path| read(root, path)).collect())
}

/// `None` for what is gone from the work tree or is no text.
fn read(root: &Path, path: &str) -> Option<Source> {
    let full = root.join(path);
    if !fs::symlink_metadata(&full).ok()?.is_file() {
        return None;
    }
    let text = String::from_utf8(fs::read(full).ok()?).ok()?;
    (!text.contains('\0')).then(|| Source { path: path.to_owned(), text })
}

#[cfg(test)]
pub(super) fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}
