//! Prefers PipeWire's JACK library where PipeWire is the sound server.
//!
//! Distributions keep it in a folder of its own, which only `pw-jack` puts in front of the system's library. Opened first,
//! it is the one that the program finds by its name. Through PipeWire's ALSA devices, threads of cpal would keep a core
//! busy.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::{env, fs};

/// Opens PipeWire's library, where PipeWire runs and no JACK server. Called before anything asks JACK; acts once.
pub fn prefer_pipewire() {
    static LOOK: Once = Once::new();
    LOOK.call_once(open);
}

fn open() {
    if !runs_pipewire() || runs_jack() {
        return;
    }
    let Some(library) =
        folders().into_iter().map(|folder| folder.join("libjack.so.0")).find(|path| path.is_file())
    else {
        return;
    };
    if let Ok(path) = CString::new(library.as_os_str().as_bytes()) {
        // SAFETY: a path that ends in a zero. The library's constructors are those that `pw-jack` has every JACK program
        // run; it stays open as long as the process. Where it cannot be opened, the system's library is used.
        unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    }
}

/// Distributions' folders for it.
fn folders() -> [PathBuf; 3] {
    let triplet = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    [&triplet, "/usr/lib64", "/usr/lib"].map(|folder| Path::new(folder).join("pipewire-0.3/jack"))
}

/// Whether PipeWire serves this user.
fn runs_pipewire() -> bool {
    let folder = env::var_os("PIPEWIRE_RUNTIME_DIR").or_else(|| env::var_os("XDG_RUNTIME_DIR"));
    let name = env::var_os("PIPEWIRE_REMOTE").unwrap_or_else(|| "pipewire-0".into());
    folder.is_some_and(|folder| Path::new(&folder).join(name).exists())
}

/// Whether a JACK server serves this user: its socket is there, and a process to answer.
fn runs_jack() -> bool {
    let server = env::var("JACK_DEFAULT_SERVER").unwrap_or_else(|_| "default".into());
    // SAFETY: it takes nothing and cannot fail.
    let user = unsafe { libc::getuid() };
    if !Path::new(&format!("/dev/shm/jack_{server}_{user}_0")).exists() {
        return false;
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| fs::read_to_string(process.path().join("comm")).ok())
        .any(|name| matches!(name.trim(), "jackd" | "jackdbus"))
}
