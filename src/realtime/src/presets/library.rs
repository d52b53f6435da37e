//! The user's own presets: one small JSON file each, in the per-user data directory. Not for the audio thread.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Preset, PresetValues, id_of};
use crate::user_files::{self, UserFileError, data_dir};

/// Longest name of a preset, in characters.
const MAX_NAME_CHARS: usize = 40;
/// Largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Why a preset could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The name cannot be a file's.
    #[error(
        "`{0}` cannot be a preset's name: use 1 to {MAX_NAME_CHARS} letters, digits, spaces and .,-_()+&', \
         and no name of a device such as CON or COM1"
    )]
    Name(String),
    /// The name is taken.
    #[error("`{0}` is a factory preset: choose another name")]
    Factory(String),
    /// There is no directory, or the file system refused.
    #[error(transparent)]
    File(#[from] UserFileError),
}

/// A preset of this user, else of the factory, by its name.
///
/// # Errors
/// There is none; the text lists what there is.
pub fn find(name: &str) -> Result<Preset, String> {
    let library = Library::of_user().ok();
    find_in(library.as_ref(), name)
}

fn find_in(library: Option<&Library>, name: &str) -> Result<Preset, String> {
    let own = library.and_then(|library| library.find(name));
    own.or_else(|| Preset::of_factory(name)).ok_or_else(|| {
        let own = library.map(Library::list).unwrap_or_default();
        let names: Vec<String> = super::factory().iter().chain(&own).map(Preset::id).collect();
        format!("there is no preset {name}: choose one of {}", names.join(", "))
    })
}

/// The directory of the user's presets.
#[derive(Clone, Debug)]
pub struct Library {
    dir: PathBuf,
}

impl Library {
    /// The library of this user.
    ///
    /// # Errors
    /// [`UserFileError::NoDirectory`].
    pub fn of_user() -> Result<Self, UserFileError> {
        let dir = data_dir().ok_or(UserFileError::NoDirectory)?;
        Ok(Self::at(&dir.join("presets")))
    }

    /// A library in a directory, which need not exist yet.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    /// The presets by name. Files that are no presets are left out.
    pub fn list(&self) -> Vec<Preset> {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut presets: Vec<Preset> = files.filter_map(|file| read(&file.path())).collect();
        presets.sort_by_key(|preset| preset.name.to_lowercase());
        presets
    }

    /// One of these presets, however its name's words are joined and capitalised.
    pub fn find(&self, name: &str) -> Option<Preset> {
        self.list().into_iter().find(|preset| preset.name == name || preset.id() == id_of(name))
    }

    /// Keeps values under a name, over what had the name before.
    ///
    /// # Errors
    /// The name cannot be a file's, or the file system refuses.
    pub fn save(&self, name: &str, values: &PresetValues) -> Result<(), LibraryError> {
        let path = self.path(name)?;
        let preset = Preset { name: name.trim().into(), values: values.clone() };
        Ok(user_files::write_json(&path, &preset)?)
    }

    /// Removes a preset. One that is not there is removed already.
    ///
    /// # Errors
    /// The name cannot be a file's, or the file system refuses.
    pub fn delete(&self, name: &str) -> Result<(), LibraryError> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => {
                Err(UserFileError::File { path, reason }.into())
            }
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, LibraryError> {
        let name = name.trim();
        let is_fine = |c: char| c.is_alphanumeric() || " .,-_()+&'".contains(c);
        let is_name = (1..=MAX_NAME_CHARS).contains(&name.chars().count())
            && name.chars().all(is_fine)
            && !name.starts_with('.');
        if !is_name || is_device(name) {
            return Err(LibraryError::Name(name.into()));
        }
        Ok(self.dir.join(format!("{name}.json")))
    }
}

/// Whether Windows opens a device by this name, also with an extension: then no file can have it. Refused everywhere, for
/// presets move between computers.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim().to_ascii_uppercase();
    let is_port =
        |port: &str| stem.strip_prefix(port).is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']));
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || is_port("COM") || is_port("LPT")
}

fn read(path: &Path) -> Option<Preset> {
    if path.extension()? != "json" || fs::metadata(path).ok()?.len() > MAX_FILE_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::ParamId;
    use crate::presets::PresetValue;

    #[test]
    fn presets_are_listed_until_they_are_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::at(&dir.path().join("presets"));
        assert!(library.list().is_empty());
        let values = PresetValues::from_iter([(ParamId::Limit, PresetValue::Number(24.0))]);
        library.save(" Studio B, (old) ", &PresetValues::default()).unwrap();
        library.save("Studio B, (old)", &values).unwrap();
        library.save("attic", &PresetValues::default()).unwrap();
        fs::write(dir.path().join("presets/broken.json"), "{").unwrap();
        fs::write(dir.path().join("presets/notes.txt"), "{}").unwrap();
        let names: Vec<String> = library.list().into_iter().map(|preset| preset.name).collect();
        assert_eq!(names, ["attic", "Studio B, (old)"]);
        assert_eq!(library.list()[1].values, values);
        library.delete("attic").unwrap();
        library.delete("attic").unwrap();
        assert_eq!(library.list().len(), 1);
    }

    #[test]
    fn presets_are_found_by_name_the_users_first() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::at(dir.path());
        let values = PresetValues::from_iter([(ParamId::Limit, PresetValue::Number(24.0))]);
        library.save("My Room, 2", &values).unwrap();
        assert_eq!(find_in(Some(&library), "my-room-2").unwrap().values, values);
        assert_eq!(find_in(None, "podcast").unwrap().name, "Podcast");
        let error = find_in(Some(&library), "loud").unwrap_err();
        assert!(error.contains("voice-over-gentle") && error.contains("my-room-2"), "{error}");
    }

    #[test]
    fn names_of_windows_devices_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::at(dir.path());
        for name in ["CON", "nul", "Aux.take 2", "com1", "LPT9 .x"] {
            let saved = library.save(name, &PresetValues::default());
            assert!(matches!(saved, Err(LibraryError::Name(_))), "{name}");
        }
        for name in ["Conny", "COM10", "com", "Null", "My CON"] {
            library.save(name, &PresetValues::default()).unwrap();
        }
        assert_eq!(library.list().len(), 5);
    }

    #[test]
    fn names_stay_in_their_directory() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::at(dir.path());
        for name in ["", "  ", "../x", "a/b", "a\\b", ".hidden", "c:", "nul\0", &"x".repeat(41)] {
            let refused = library.save(name, &PresetValues::default());
            assert!(matches!(refused, Err(LibraryError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn a_preset_of_another_version_keeps_what_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.json"), r#"{"name": "a", "values": {"mix": 0.5, "new": 1}}"#).unwrap();
        let understood = PresetValues::from_iter([(ParamId::Mix, PresetValue::Number(0.5))]);
        assert_eq!(Library::at(dir.path()).list()[0].values, understood);
    }
}
