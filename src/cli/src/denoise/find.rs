//! Finds the recordings in folders.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Args;
use super::place::Place;
use crate::io_errors::explained;
use crate::usage;

/// The ending of the names of outputs beside their inputs.
pub(crate) const DENOISED: &str = "-denoised";

/// An input, and its folder within the folder that was named, which an output folder mirrors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its path.
    pub path: PathBuf,
    /// Its folder within the one named; empty for a file that was named itself.
    pub within: PathBuf,
    /// Whether it was found in a folder, not named.
    pub is_found: bool,
    /// Why nothing is read there: it is a folder within the one named that cannot be looked into.
    pub refusal: Option<String>,
}

impl Input {
    /// The place to read from. Of what was found in a folder, no name means standard input.
    pub(crate) fn place(&self) -> Place {
        if self.is_found { Place::File(self.path.clone()) } else { Place::new(&self.path) }
    }
}

/// The inputs named, and with `--recursive` the recordings in the folders named, in the order of their names.
///
/// # Errors
/// A folder cannot be looked into, or holds no recording.
pub(crate) fn find_inputs(args: &Args) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in &args.inputs {
        if !args.recursive || !path.is_dir() {
            let (path, within) = (path.clone(), PathBuf::new());
            inputs.push(Input { path, within, is_found: false, refusal: None });
            continue;
        }
        let n_before = inputs.len();
        // The outputs of an earlier run are no inputs of this one.
        let skipped = args.out_dir.as_deref().map(resolved);
        find_in(path, Path::new(""), skipped.as_deref(), &mut inputs)
            .map_err(|error| explained(cannot_look_into(path), &error))?;
        if inputs.len() == n_before {
            return Err(usage(format!(
                "the folder {} holds no recording ({})",
                path.display(),
                RECORDINGS.join(", ")
            )));
        }
    }
    Ok(inputs)
}

/// Extensions of what is taken for a recording in a folder: also of what is refused, so that none is passed over silently.
const RECORDINGS: [&str; 44] = [
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "asf", "au", "avi", "bwf", "caf", "dsf", "dts",
    "flac", "flv", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp1", "mp2", "mp3", "mp4", "mpg", "oga", "ogg",
    "ogv", "opus", "ra", "rf64", "snd", "tta", "w64", "wav", "wave", "weba", "webm", "wma", "wmv", "wv",
];
/// Folders within folders that are followed.
const MAX_DEPTH: usize = 64;

fn find_in(
    root: &Path,
    within: &Path,
    skipped: Option<&Path>,
    inputs: &mut Vec<Input>,
) -> std::io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(root.join(within))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let is_hidden = name.to_string_lossy().starts_with('.');
        // Links to folders are not followed: they may lead in circles.
        if entry.file_type()?.is_dir() {
            let is_skipped = skipped == Some(&resolved(&path));
            if !is_hidden && !is_skipped && within.components().count() < MAX_DEPTH {
                let within = within.join(&name);
                if let Err(error) = find_in(root, &within, skipped, inputs) {
                    // The others are done.
                    let refusal = Some(explained(cannot_look_into(&path), &error).to_string());
                    inputs.push(Input { path, within, is_found: true, refusal });
                }
            }
            continue;
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let is_recording = extension.is_some_and(|extension| RECORDINGS.contains(&&*extension));
        let is_output = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(DENOISED));
        if is_recording && !is_hidden && !is_output && path.is_file() {
            inputs.push(Input { path, within: within.to_owned(), is_found: true, refusal: None });
        }
    }
    Ok(())
}

fn cannot_look_into(folder: &Path) -> String {
    format!("cannot look into the folder {}", folder.display())
}

/// A path that two names of one file share, also of a file that does not exist yet.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = dunce::canonicalize(path) {
        return path;
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (dunce::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}
