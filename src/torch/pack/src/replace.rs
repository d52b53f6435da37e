//! Files and folders that a running host may have open: written, put in place of each other, or removed, whole or not at
//! all.
//!
//! Windows deletes nothing that is loaded, but renames it. So what goes is moved aside first, and deleted there; what
//! cannot be deleted yet waits for the next [`sweep`]. If it cannot be moved, nothing has changed.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::TempDir;

/// How folders begin that hold what was moved aside.
const ASIDE_PREFIX: &str = ".tacet-old-";
/// The name of what was moved aside, in its folder.
const OLD: &str = "old";

/// Writes a file whole or not at all: beside it first, then renamed over it, so that neither a reader nor a full disk finds
/// half of it. Makes its folder. Who may read it is as for any new file: a model installed for all users is there for all.
///
/// # Errors
/// Errors of the file system; an existing file is kept.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = folder_of(path);
    fs::create_dir_all(dir)?;
    #[cfg_attr(not(unix), expect(unused_mut, reason = "permissions are Unix's"))]
    let mut options = tempfile::Builder::new();
    #[cfg(unix)]
    options.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut staged = options.tempfile_in(dir)?;
    staged.write_all(bytes)?;
    staged.persist(path)?;
    Ok(())
}

/// Moves `new` to `target`; what is there goes. Both lie in one file system.
///
/// # Errors
/// Something cannot be moved: then `target` is what it was.
pub fn replace(new: &Path, target: &Path) -> io::Result<()> {
    let aside = move_aside(target)?;
    let result = fs::rename(new, target);
    if let Some(aside) = aside {
        if result.is_err() {
            fs::rename(aside.path().join(OLD), target)?;
        }
        discard(aside);
    }
    result
}

/// Removes the file or folder `target` with everything in it; a link is removed, not followed. Gives whether there was
/// one.
///
/// # Errors
/// It cannot be moved: then it is what it was.
pub fn remove(target: &Path) -> io::Result<bool> {
    let aside = move_aside(target)?;
    let was_there = aside.is_some();
    if let Some(aside) = aside {
        discard(aside);
    }
    Ok(was_there)
}

/// Deletes in `folder` what earlier calls have moved aside there, unless it is still loaded.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(ASIDE_PREFIX) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Moves `target` into a folder of its own beside it; nothing if there is no `target`.
fn move_aside(target: &Path) -> io::Result<Option<TempDir>> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    let aside = tempfile::Builder::new().prefix(ASIDE_PREFIX).tempdir_in(folder_of(target))?;
    fs::rename(target, aside.path().join(OLD))?;
    Ok(Some(aside))
}

/// Deletes what was moved aside, now or at the next [`sweep`].
fn discard(aside: TempDir) {
    let _ = fs::remove_dir_all(aside.keep());
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(path: &Path, content: &str) {
        fs::create_dir_all(path.join("Contents")).unwrap();
        fs::write(path.join("Contents/binary"), content).unwrap();
        fs::write(path.join("Contents/text"), content).unwrap();
    }

    fn content(path: &Path) -> [String; 2] {
        ["binary", "text"].map(|name| fs::read_to_string(path.join("Contents").join(name)).unwrap())
    }

    fn n_entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new folder").join("file");
        for content in [&b"the first"[..], b"another"] {
            write(&path, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let ordinary = dir.path().join("ordinary");
        fs::write(&ordinary, "").unwrap();
        let rights = |path| fs::metadata(path).unwrap().permissions();
        assert_eq!(rights(&path), rights(&ordinary));
        fs::remove_file(&ordinary).unwrap();
        // A folder is in its place: an error, and no trace.
        fs::create_dir(dir.path().join("taken")).unwrap();
        assert!(write(&dir.path().join("taken"), b"").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn the_new_takes_the_place_of_the_old_and_nothing_stays_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        for version in ["1", "2"] {
            let new = dir.path().join("new");
            bundle(&new, version);
            replace(&new, &target).unwrap();
            assert_eq!(content(&target), [version; 2]);
            assert_eq!(n_entries(dir.path()), 1);
        }
        assert!(remove(&target).unwrap() && !remove(&target).unwrap());
        assert_eq!(n_entries(dir.path()), 0);
    }

    #[test]
    fn the_old_stays_where_the_new_cannot_come() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        bundle(&target, "1");
        assert!(replace(&dir.path().join("nothing"), &target).is_err());
        assert_eq!(content(&target), ["1"; 2]);
        assert_eq!(n_entries(dir.path()), 1);
    }

    /// A file that is open as an editor's is, for nobody else: neither moved nor deleted.
    #[cfg(windows)]
    #[test]
    fn open_files_go_later_or_stay_whole() {
        use std::os::windows::fs::OpenOptionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        bundle(&target, "1");
        let new = dir.path().join("new");
        bundle(&new, "2");
        let open = fs::File::options().read(true).share_mode(0).open(target.join("Contents/binary")).unwrap();
        let replaced = replace(&new, &target).is_ok();
        drop(open);
        assert_eq!(content(&target), [if replaced { "2" } else { "1" }; 2]);
        sweep(dir.path());
        assert_eq!(n_entries(dir.path()), if replaced { 1 } else { 2 });

        let file = dir.path().join("file");
        fs::write(&file, "1").unwrap();
        let open = fs::File::options().read(true).share_mode(0).open(&file).unwrap();
        assert!(remove(&file).is_err());
        drop(open);
        assert_eq!(fs::read_to_string(&file).unwrap(), "1");
    }

    #[test]
    fn undeleted_files_are_deleted_later() {
        let dir = tempfile::tempdir().unwrap();
        bundle(&dir.path().join(".tacet-old-x").join(OLD), "1");
        fs::write(dir.path().join("other"), "").unwrap();
        sweep(dir.path());
        assert_eq!(n_entries(dir.path()), 1);
        sweep(&dir.path().join("nothing"));
    }
}
