//! Standard input and output as files, where they are some: what is known of a pipe at its end only is known of them at
//! once, and a header can be completed.

use std::fs::File;
use std::io::Seek as _;
#[cfg(unix)]
use std::os::fd::AsFd as Handle;
#[cfg(windows)]
use std::os::windows::io::AsHandle as Handle;

/// Standard input, if it is a file of which nothing was read.
pub fn input() -> Option<File> {
    at_start(&std::io::stdin()).filter(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 0))
}

/// Standard input, if it is a file, wherever in it reading begins.
pub fn input_file() -> Option<File> {
    file(&std::io::stdin())
}

/// Standard output, if it is a new file to which nothing is appended.
pub fn output() -> Option<File> {
    let file = at_start(&std::io::stdout())?;
    let is_new = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    (is_new && !appends(&file)).then_some(file)
}

fn at_start(standard: &impl Handle) -> Option<File> {
    file(standard).filter(|mut file| file.stream_position().is_ok_and(|position| position == 0))
}

fn file(standard: &impl Handle) -> Option<File> {
    #[cfg(unix)]
    let owned = standard.as_fd().try_clone_to_owned();
    #[cfg(windows)]
    let owned = standard.as_handle().try_clone_to_owned();
    let file = File::from(owned.ok()?);
    file.metadata().ok()?.is_file().then_some(file)
}

/// Whether whatever is written goes to the file's end, wherever that was sought to.
#[cfg(unix)]
fn appends(file: &File) -> bool {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the descriptor is open as long as `file` is borrowed, and F_GETFL takes and writes no memory.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    flags < 0 || flags & libc::O_APPEND != 0
}

/// Windows seeks to the end once, when it opens the file.
#[cfg(not(unix))]
fn appends(_file: &File) -> bool {
    false
}
