//! `pack.json`: what a runtime pack says it holds, and the check that it does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::abi::{ABI_VERSION, TORCH_VERSION};
use crate::platform::Platform;

/// The manifest's file name, in the pack's directory.
pub const MANIFEST_FILE: &str = "pack.json";
/// Names a pack's directory and overrules every other place.
pub const DIR_VARIABLE: &str = "TACET_TORCH_DIR";
/// The libraries' directory, in the pack's.
pub const LIB_DIR: &str = "lib";

/// The folder of the libraries of the pack in `dir`: its [`LIB_DIR`]. A pack in a macOS bundle is split: what is signed as
/// code must be in `Contents/Frameworks`, and what is no code must not (Apple's TN2206), so its manifest is in
/// `Contents/Resources`.
pub fn lib_dir(dir: &Path) -> PathBuf {
    match dir.parent().filter(|parent| parent.ends_with("Contents/Resources")) {
        Some(resources) => resources.with_file_name("Frameworks").join(dir.file_name().unwrap_or_default()),
        None => dir.join(LIB_DIR),
    }
}
/// Most bytes of a manifest.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// A pack's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The backend's [`ABI_VERSION`].
    pub abi: u32,
    /// libtorch's version.
    pub torch: String,
    /// [`Platform::id`].
    pub platform: String,
    /// Whether libtorch_cuda and what it needs are in it.
    pub cuda: bool,
    /// The libraries, all in [`LIB_DIR`].
    pub files: Vec<FileEntry>,
}

/// One library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// File name, no directories.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// Problems of a pack. Every text ends with the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// There is none.
    #[error(
        "no torch runtime pack is installed (looked in {}); install one with `tacet torch install`",
        list(places)
    )]
    Missing {
        /// The places searched.
        places: Vec<PathBuf>,
    },
    /// No libtorch is published for this system.
    #[error("there is no libtorch {TORCH_VERSION} for this system; the native engine is what runs here")]
    Platform,
    /// The manifest cannot be read.
    #[error("{}: {reason}; reinstall the pack with `tacet torch install`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The problem with it.
        reason: String,
    },
    /// For another version of Tacet.
    #[error(
        "the torch runtime pack in {} speaks ABI {found}, this Tacet speaks {ABI_VERSION}; install the pack that \
         belongs to it with `tacet torch install`",
        dir.display()
    )]
    Abi {
        /// The pack.
        dir: PathBuf,
        /// Its ABI.
        found: u32,
    },
    /// With another libtorch.
    #[error(
        "the torch runtime pack in {} has libtorch {found}, this Tacet needs {TORCH_VERSION}; install that with \
         `tacet torch install`",
        dir.display()
    )]
    Torch {
        /// The pack.
        dir: PathBuf,
        /// Its libtorch.
        found: String,
    },
    /// For another system.
    #[error(
        "the torch runtime pack in {} is for {found}; install one for this system with `tacet torch install`",
        dir.display()
    )]
    OtherPlatform {
        /// The pack.
        dir: PathBuf,
        /// Its platform.
        found: String,
    },
    /// A library is not there.
    #[error("{} is missing; reinstall the pack with `tacet torch install`", path.display())]
    Gone {
        /// The library.
        path: PathBuf,
    },
    /// A library is cut off.
    #[error(
        "{} is damaged ({found} of {expected} bytes); reinstall the pack with `tacet torch install`",
        path.display()
    )]
    Truncated {
        /// The library.
        path: PathBuf,
        /// Bytes that the manifest says.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A library is not the one that was installed.
    #[error("{} was altered after it was installed; reinstall the pack with `tacet torch install`", path.display())]
    Altered {
        /// The library.
        path: PathBuf,
    },
    /// Somebody else could have put code there.
    #[error(
        "{} may be written by other users, so it is not opened; take that right away (`chmod go-w`) or reinstall the \
         pack with `tacet torch install`",
        path.display()
    )]
    Unsafe {
        /// The file or directory.
        path: PathBuf,
    },
    /// The place was named by a path relative to wherever the program was started.
    #[error("{} is not an absolute path; set {} to one", path.display(), DIR_VARIABLE)]
    Relative {
        /// The path.
        path: PathBuf,
    },
}

fn list(places: &[PathBuf]) -> String {
    let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
    if places.is_empty() { "no place at all".into() } else { places.join(", ") }
}

impl Manifest {
    /// Describes the libraries of the pack in `dir`: sizes and hashes, in order of names.
    ///
    /// # Errors
    /// Reading fails.
    pub fn describe(dir: &Path, platform: Platform, cuda: bool) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(lib_dir(dir))? {
            let entry = entry?;
            let (bytes, sha256) = hash(&entry.path())?;
            files.push(FileEntry { name: entry.file_name().to_string_lossy().into_owned(), bytes, sha256 });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            abi: ABI_VERSION,
            torch: TORCH_VERSION.into(),
            platform: platform.id().into(),
            cuda,
            files,
        })
    }

    /// Writes `pack.json`.
    ///
    /// # Errors
    /// Writing fails.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        fs::write(dir.join(MANIFEST_FILE), serde_json::to_vec_pretty(self)?)
    }

    /// Reads `pack.json` and nothing else.
    ///
    /// # Errors
    /// [`PackError::Unreadable`].
    pub fn read(dir: &Path) -> Result<Self, PackError> {
        let path = dir.join(MANIFEST_FILE);
        let read = || -> Result<Self, String> {
            let mut text = String::new();
            let file = File::open(&path).map_err(|error| error.to_string())?;
            file.take(MAX_MANIFEST_BYTES).read_to_string(&mut text).map_err(|error| error.to_string())?;
            let manifest: Self = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let plain = |name: &str| Path::new(name).file_name().is_some_and(|file| file == name);
            match manifest.files.iter().find(|file| !plain(&file.name)) {
                Some(file) => Err(format!("it names {:?}, which is no plain file name", file.name)),
                None => Ok(manifest),
            }
        };
        read().map_err(|reason| PackError::Unreadable { path, reason })
    }

    /// Checks in milliseconds whether the pack in `dir` is one that this program can open: an absolute place that no
    /// other user can write to, versions, platform, every library there in full length.
    ///
    /// # Errors
    /// [`PackError`], the first that is found.
    pub fn check(dir: &Path) -> Result<Self, PackError> {
        let platform = Platform::current().ok_or(PackError::Platform)?;
        if !dir.is_absolute() {
            return Err(PackError::Relative { path: dir.into() });
        }
        let manifest = Self::read(dir)?;
        let dir_buf = || dir.to_owned();
        if manifest.abi != ABI_VERSION {
            return Err(PackError::Abi { dir: dir_buf(), found: manifest.abi });
        }
        if manifest.torch != TORCH_VERSION {
            return Err(PackError::Torch { dir: dir_buf(), found: manifest.torch });
        }
        if manifest.platform != platform.id() {
            return Err(PackError::OtherPlatform { dir: dir_buf(), found: manifest.platform });
        }
        let lib = lib_dir(dir);
        for directory in [dir, &lib] {
            private(directory)?;
        }
        steadfast(dir)?;
        if !manifest.files.iter().any(|file| file.name == platform.backend_file()) {
            let reason = format!("it does not name {}", platform.backend_file());
            return Err(PackError::Unreadable { path: dir.join(MANIFEST_FILE), reason });
        }
        for file in &manifest.files {
            let path = lib.join(&file.name);
            let found = match fs::metadata(&path) {
                Ok(metadata) => metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(PackError::Gone { path });
                }
                Err(error) => return Err(PackError::Unreadable { path, reason: error.to_string() }),
            };
            if found != file.bytes {
                return Err(PackError::Truncated { path, expected: file.bytes, found });
            }
            private(&path)?;
        }
        Ok(manifest)
    }

    /// Compares every library with its hash: seconds.
    ///
    /// # Errors
    /// [`PackError::Altered`], or [`PackError::Unreadable`] for a library that cannot be read.
    pub fn verify(&self, dir: &Path) -> Result<(), PackError> {
        let lib = lib_dir(dir);
        for file in &self.files {
            let path = lib.join(&file.name);
            match hash(&path) {
                Ok((_, sha256)) if sha256 == file.sha256 => {}
                Ok(_) => return Err(PackError::Altered { path }),
                Err(error) => return Err(PackError::Unreadable { path, reason: error.to_string() }),
            }
        }
        Ok(())
    }

    /// Bytes of all libraries.
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Size and SHA-256 of a file.
///
/// # Errors
/// Reading fails.
pub fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        bytes += n as u64;
        hasher.update(&buffer[..n]);
    }
    Ok((bytes, hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Refuses what others may write: opening a library runs its code. On Windows the per-user directories are private by
/// inheritance, and nothing is checked.
#[cfg(unix)]
fn private(path: &Path) -> Result<(), PackError> {
    use std::os::unix::fs::MetadataExt;
    let unreadable =
        |error: io::Error| PackError::Unreadable { path: path.into(), reason: error.to_string() };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    const GROUP_AND_OTHERS_WRITE: u32 = 0o022;
    if metadata.mode() & GROUP_AND_OTHERS_WRITE != 0 || !is_ours(metadata.uid()) {
        return Err(PackError::Unsafe { path: path.into() });
    }
    Ok(())
}

/// Refuses a place that somebody else could move away and put another in its stead: every directory above it belongs to
/// us or the system, and where others may write to it (as to the folder of temporary files), they may not touch what is
/// not theirs.
#[cfg(unix)]
fn steadfast(dir: &Path) -> Result<(), PackError> {
    use std::os::unix::fs::MetadataExt;
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    // Behind links: what counts is where the files are.
    let real = dir
        .canonicalize()
        .map_err(|error| PackError::Unreadable { path: dir.into(), reason: error.to_string() })?;
    for above in real.ancestors().skip(1) {
        let Ok(metadata) = fs::metadata(above) else { continue };
        let is_open = metadata.mode() & OTHERS_WRITE != 0 && metadata.mode() & STICKY == 0;
        if is_open || !is_ours(metadata.uid()) {
            return Err(PackError::Unsafe { path: above.into() });
        }
    }
    Ok(())
}

/// Whether a file's owner is this user or the system.
#[cfg(unix)]
fn is_ours(owner: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    // The owner of our own home is who we are, without a call that needs `unsafe`; root may own anything.
    let home_owner = dirs::home_dir().and_then(|home| fs::metadata(home).ok()).map(|home| home.uid());
    owner == 0 || home_owner.is_none_or(|uid| uid == owner)
}

#[cfg(not(unix))]
fn steadfast(_dir: &Path) -> Result<(), PackError> {
    Ok(())
}

#[cfg(not(unix))]
fn private(_path: &Path) -> Result<(), PackError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack() -> Option<(tempfile::TempDir, Manifest)> {
        let platform = Platform::current()?;
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(LIB_DIR)).unwrap();
        fs::write(dir.path().join(LIB_DIR).join(platform.backend_file()), b"backend").unwrap();
        fs::write(dir.path().join(LIB_DIR).join("other"), b"another library").unwrap();
        let manifest = Manifest::describe(dir.path(), platform, false).unwrap();
        manifest.write(dir.path()).unwrap();
        Some((dir, manifest))
    }

    #[test]
    fn a_whole_pack_passes() {
        let Some((dir, manifest)) = pack() else { return };
        assert_eq!(Manifest::check(dir.path()), Ok(manifest.clone()));
        assert_eq!(manifest.verify(dir.path()), Ok(()));
        assert_eq!(manifest.n_bytes(), 22);
    }

    #[test]
    fn each_damage_is_another_error_with_the_next_step() {
        let Some((dir, manifest)) = pack() else { return };
        let path = dir.path();
        let error_of = |manifest: Manifest| {
            manifest.write(path).unwrap();
            Manifest::check(path).unwrap_err()
        };
        let abi = error_of(Manifest { abi: ABI_VERSION + 1, ..manifest.clone() });
        assert_eq!(abi, PackError::Abi { dir: path.into(), found: ABI_VERSION + 1 });
        let torch = error_of(Manifest { torch: "2.5.1".into(), ..manifest.clone() });
        assert_eq!(torch, PackError::Torch { dir: path.into(), found: "2.5.1".into() });
        let other = error_of(Manifest { platform: "amiga".into(), ..manifest.clone() });
        assert_eq!(other, PackError::OtherPlatform { dir: path.into(), found: "amiga".into() });
        let empty = error_of(Manifest { files: Vec::new(), ..manifest.clone() });
        assert!(matches!(empty, PackError::Unreadable { .. }), "{empty}");
        let mut outside = manifest.clone();
        outside.files[0].name = "../outside".into();
        let outside = error_of(outside);
        assert!(outside.to_string().contains("plain file name"), "{outside}");
        manifest.write(path).unwrap();

        let library = path.join(LIB_DIR).join("other");
        fs::write(&library, b"another").unwrap();
        let truncated = PackError::Truncated { path: library.clone(), expected: 15, found: 7 };
        assert_eq!(Manifest::check(path), Err(truncated.clone()));
        fs::write(&library, b"another LIBRARY").unwrap();
        assert!(Manifest::check(path).is_ok(), "lengths alone are right");
        assert_eq!(manifest.verify(path), Err(PackError::Altered { path: library.clone() }));
        fs::remove_file(&library).unwrap();
        let missing = Manifest::check(path).unwrap_err();
        assert_eq!(missing, PackError::Gone { path: library });
        assert!(missing.to_string().contains("is missing"), "{missing}");
        for error in [abi, torch, other, empty, truncated, missing] {
            assert!(error.to_string().contains("tacet torch install"), "{error}");
        }
    }

    #[test]
    fn a_pack_in_a_macos_bundle_keeps_its_libraries_where_code_must_be() {
        let bundled = lib_dir(Path::new("/x/Tacet.clap/Contents/Resources/tacet-torch"));
        assert_eq!(bundled, Path::new("/x/Tacet.clap/Contents/Frameworks/tacet-torch"));
        assert_eq!(lib_dir(Path::new("/x/tacet-torch")), Path::new("/x/tacet-torch/lib"));
    }

    #[test]
    fn a_relative_place_is_refused() {
        let error = Manifest::check(Path::new("packs/mine")).unwrap_err();
        let expected = if Platform::current().is_some() { "absolute" } else { "native engine" };
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn packs_that_others_may_write_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let Some((dir, _)) = pack() else { return };
        let library = dir.path().join(LIB_DIR).join("other");
        fs::set_permissions(&library, fs::Permissions::from_mode(0o646)).unwrap();
        assert_eq!(Manifest::check(dir.path()), Err(PackError::Unsafe { path: library }));
    }

    #[cfg(unix)]
    #[test]
    fn a_place_that_others_may_swap_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let Some((dir, _)) = pack() else { return };
        let above = tempfile::tempdir().unwrap();
        let moved = above.path().join("pack");
        fs::rename(dir.path(), &moved).unwrap();
        set(above.path(), 0o777);
        let real = above.path().canonicalize().unwrap();
        assert_eq!(Manifest::check(&moved), Err(PackError::Unsafe { path: real }));
        // Nobody may move what is not theirs out of a sticky directory.
        set(above.path(), 0o1777);
        assert!(Manifest::check(&moved).is_ok());
        set(above.path(), 0o755);
        // A link leads to the same place.
        let link = above.path().join("link");
        std::os::unix::fs::symlink(&moved, &link).unwrap();
        assert!(Manifest::check(&link).is_ok());
        set(above.path(), 0o777);
        assert!(Manifest::check(&link).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_pack_of_another_user_is_refused() {
        let Some((dir, _)) = pack() else { return };
        let library = dir.path().join(LIB_DIR).join("other");
        // Only root may give files away; as anybody else there is nothing to test.
        if std::os::unix::fs::chown(&library, Some(12_345), None).is_ok() {
            assert_eq!(Manifest::check(dir.path()), Err(PackError::Unsafe { path: library }));
        }
    }
}
