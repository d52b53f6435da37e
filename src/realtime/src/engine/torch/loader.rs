//! Opens the torch backend: finds the runtime pack, checks it, opens the library once per process, and keeps it.
//!
//! Takes 0.3 to 0.6 s and reads 100 MB: on a thread of its own, never on the audio thread nor the host's main thread. A
//! failure is a value; nothing that goes wrong here touches the native engine.

use std::fmt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tacet_torch_pack::abi::{self, ABI_VERSION, Api, ENTRY, Entry, Message, Status, TORCH_VERSION};
use tacet_torch_pack::locate::{self, DIR_VARIABLE, Origin, Place};
use tacet_torch_pack::manifest::{Manifest, PackError, lib_dir};
use tacet_torch_pack::platform::Platform;
use tacet_torch_pack::with_cause;

/// Makes MPS operations that libtorch lacks run on the CPU. Read by libtorch when it is opened.
pub const MPS_FALLBACK_VARIABLE: &str = "PYTORCH_ENABLE_MPS_FALLBACK";

/// Room for the text of a failure.
const TEXT: usize = 512;

/// Why the backend is not open. Every text names the next step; the native engine works in any case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// No pack, or one that cannot be used.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Another plugin or the host has brought its own libtorch: two in one process crash.
    #[error(
        "another libtorch is loaded in this process ({}), and two crash; use the native engine here, or run Tacet in a \
         host without the plugin that brought it",
        path.display()
    )]
    Foreign {
        /// The other one's file.
        path: PathBuf,
    },
    /// Another plugin or the host has brought an OpenMP runtime that does not bear a second one.
    #[error(
        "another OpenMP runtime is loaded in this process ({}), and two may end it; use the native engine here, or run \
         Tacet in a host without the plugin that brought it",
        path.display()
    )]
    OpenMp {
        /// The other one's file.
        path: PathBuf,
    },
    /// The system does not open the library.
    #[error(
        "{} does not load: {reason}; reinstall the pack with `tacet torch install`",
        path.display()
    )]
    Open {
        /// The backend.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The library is not the backend, or one of another version.
    #[error(
        "{} speaks ABI {found}, this Tacet speaks {ABI_VERSION}; install the pack that belongs to it with `tacet torch \
         install`",
        path.display()
    )]
    Abi {
        /// The backend.
        path: PathBuf,
        /// Its ABI.
        found: u32,
    },
}

/// A failed call into the backend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    /// The kind of failure.
    pub status: Status,
    /// The failure.
    pub text: String,
}

/// The opened backend. Lives as long as the process: libtorch does not unload.
pub struct TorchBackend {
    /// Its functions.
    pub(crate) api: Api,
    dir: PathBuf,
    origin: Origin,
    manifest: Manifest,
}

impl fmt::Debug for TorchBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TorchBackend")
            .field("dir", &self.dir)
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

static OPENED: Mutex<Option<&'static TorchBackend>> = Mutex::new(None);

impl TorchBackend {
    /// The process's backend, opened by the first call that succeeds. After a failure the next call tries again, so that
    /// a pack installed meanwhile is found.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn open() -> Result<&'static Self, LoadError> {
        let mut opened = OPENED.lock();
        if let Some(backend) = *opened {
            return Ok(backend);
        }
        let backend = Self::load(&locate::places(current_module().as_deref()))?;
        *opened = Some(backend);
        Ok(backend)
    }

    /// The process's backend, if it is open already.
    pub fn opened() -> Option<&'static Self> {
        *OPENED.lock()
    }

    /// Its contents.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// libtorch's facts about a device, and why it cannot be used, or only without recorded steps.
    pub fn probe(&self, device: abi::DeviceAddress) -> (abi::Probe, Option<CallError>) {
        let mut probe = abi::Probe::default();
        // SAFETY: `probe` and the message are ours and live through the call.
        let outcome = call(|message| unsafe { (self.api.probe)(device, &mut probe, message) });
        (probe, outcome.err())
    }

    /// How many threads libtorch's CPU kernels may use in this process; 1 until set. More pays for whole files only.
    ///
    /// # Errors
    /// [`CallError`] for a number out of 1..=1024.
    pub fn set_threads(&self, n_threads: u32) -> Result<(), CallError> {
        // SAFETY: the message is ours and lives through the call.
        call(|message| unsafe { (self.api.set_threads)(n_threads, message) })
    }

    fn load(places: &[Place]) -> Result<&'static Self, LoadError> {
        let platform = Platform::current().ok_or(PackError::Platform)?;
        let place = find(places)?;
        let manifest = Manifest::check(&place.dir)?;
        let lib = lib_dir(&place.dir);
        let loaded = loaded_libraries();
        if let Some(path) = foreign(&loaded, &lib, |name| is_libtorch(platform, name)) {
            return Err(LoadError::Foreign { path });
        }
        if let Some(path) = foreign(&loaded, &lib, |name| is_openmp(platform, name)) {
            return Err(LoadError::OpenMp { path });
        }
        let path = lib.join(platform.backend_file());
        let library = open_library(&path)
            .map_err(|error| LoadError::Open { path: path.clone(), reason: with_cause(&error) })?;
        // SAFETY: the pack names this file as the backend, whose entry has this type in every version of the ABI.
        let entry = unsafe { library.get::<Entry>(ENTRY) };
        let entry = *entry.map_err(|_| LoadError::Abi { path: path.clone(), found: 0 })?;
        // SAFETY: an entry takes nothing and returns the address of a table that starts with its version and size.
        let (abi_version, size) = unsafe {
            let table = entry();
            ((&raw const (*table).abi_version).read(), (&raw const (*table).size).read())
        };
        if abi_version != ABI_VERSION || size as usize != size_of::<Api>() {
            std::mem::forget(library);
            return Err(LoadError::Abi { path, found: abi_version });
        }
        // SAFETY: version and size are ours, so the table is.
        let api = unsafe { *entry() };
        // Never closed: libtorch's static state does not survive it, and half of its symbols never unload.
        std::mem::forget(library);
        Ok(Box::leak(Box::new(Self { api, dir: place.dir.clone(), origin: place.origin, manifest })))
    }
}

#[cfg(test)]
impl TorchBackend {
    /// A backend of these functions, without a library.
    pub(super) fn fake(api: Api) -> &'static Self {
        let (dir, origin) = (PathBuf::new(), Origin::Variable);
        let manifest = Manifest {
            abi: ABI_VERSION,
            torch: TORCH_VERSION.into(),
            platform: String::new(),
            cuda: false,
            files: Vec::new(),
        };
        Box::leak(Box::new(Self { api, dir, origin, manifest }))
    }
}

/// The first place that has a pack. One that `TACET_TORCH_DIR` names must have it.
fn find(places: &[Place]) -> Result<&Place, PackError> {
    let found = places.iter().find(|place| place.has_pack());
    found.ok_or_else(|| PackError::Missing { places: places.iter().map(|place| place.dir.clone()).collect() })
}

/// The installed pack, checked but not opened.
///
/// # Errors
/// [`PackError`].
pub fn installed() -> Result<(Place, Manifest), PackError> {
    let places = locate::places(current_module().as_deref());
    let place = find(&places)?;
    Ok((place.clone(), Manifest::check(&place.dir)?))
}

/// Asks libtorch to run on the CPU what MPS lacks: on macOS, and before the backend is opened. Returns whether it did.
///
/// The environment is the one way to ask, and a host's threads may be reading it. Apple's Libc serialises `getenv` and
/// `setenv` by one lock, so that they never see half a change. What remains is a thread that walks `environ` itself at
/// this very moment. It happens once per process, and only where the user has turned the fallback on in the panel; the
/// variable set before the host starts avoids it.
#[cfg(target_os = "macos")]
pub fn request_mps_fallback() -> bool {
    let opened = OPENED.lock();
    if opened.is_some() || std::env::var_os(MPS_FALLBACK_VARIABLE).is_some() {
        return false;
    }
    // SAFETY: this is macOS (the function exists nowhere else), whose `getenv` and `setenv` share a lock
    // (`environ_lock_np` in Libc's getenv.c); Rust's own readers have one too. The remaining risk is stated above.
    unsafe { std::env::set_var(MPS_FALLBACK_VARIABLE, "1") };
    true
}

/// Asks libtorch to run on the CPU what MPS lacks: there is no MPS on this system.
#[cfg(not(target_os = "macos"))]
pub fn request_mps_fallback() -> bool {
    false
}

/// Runs a function of the backend with room for its message.
pub(crate) fn call(function: impl FnOnce(*mut Message) -> Status) -> Result<(), CallError> {
    let mut text = [0_u8; TEXT];
    let mut message = Message { text: text.as_mut_ptr(), capacity: TEXT, length: 0 };
    let status = function(&raw mut message);
    if status == Status::OK {
        return Ok(());
    }
    let length = message.length.min(TEXT);
    Err(CallError { status, text: String::from_utf8_lossy(&text[..length]).into_owned() })
}

#[cfg(unix)]
fn open_library(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: runs the initialisers of the backend and of libtorch: files that the pack's manifest names, whole, in a
    // place that no other user may write to (`Manifest::check`).
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(windows)]
fn open_library(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::windows::{LOAD_WITH_ALTERED_SEARCH_PATH, Library};
    // SAFETY: as on Unix. The altered search path makes the pack's own folder the one for libtorch's libraries.
    unsafe { Library::load_with_flags(path, LOAD_WITH_ALTERED_SEARCH_PATH) }.map(Into::into)
}

/// A loaded library of another place than `lib` whose file's name is one of those sought.
fn foreign(loaded: &[PathBuf], lib: &Path, is_sought: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let is_foreign = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| is_sought(&name.to_string_lossy().to_ascii_lowercase()))
            && !same_directory(path.parent(), lib)
    };
    loaded.iter().find(is_foreign).cloned()
}

fn is_libtorch(platform: Platform, name: &str) -> bool {
    platform.libtorch_files().contains(&name)
}

fn is_openmp(platform: Platform, name: &str) -> bool {
    platform.openmp_files().iter().any(|file| name.starts_with(file))
}

fn same_directory(dir: Option<&Path>, lib: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.into());
    dir.is_some_and(|dir| real(dir) == real(lib))
}

#[cfg(target_os = "linux")]
fn loaded_libraries() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut paths: Vec<PathBuf> =
        maps.lines().filter_map(|line| Some(line[line.find('/')?..].into())).collect();
    paths.dedup();
    paths
}

#[cfg(target_os = "macos")]
#[expect(
    deprecated,
    reason = "libc names another crate for these two functions, which is not worth a dependency"
)]
fn loaded_libraries() -> Vec<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: takes nothing.
    let n_images = unsafe { libc::_dyld_image_count() };
    // SAFETY: an index past the end gives null; a name lives as long as its image, and is copied at once.
    let name = |index| unsafe {
        let name = libc::_dyld_get_image_name(index);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_bytes().to_owned())
    };
    (0..n_images).filter_map(name).map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes))).collect()
}

#[cfg(windows)]
fn loaded_libraries() -> Vec<PathBuf> {
    use libloading::os::windows::Library;
    let platform = Platform::WindowsX86_64;
    let path = |file: &&str| {
        let library = Library::open_already_loaded(*file).ok()?;
        let handle = library.into_raw();
        let path = module_path(handle as _);
        // SAFETY: the handle is that of the line above, given back once.
        drop(unsafe { Library::from_raw(handle) });
        Some(path.unwrap_or_else(|| file.into()))
    };
    let files = [platform.libtorch_files(), platform.openmp_files()].concat();
    files.iter().filter_map(path).collect()
}

/// The file of a loaded module.
#[cfg(windows)]
fn module_path(module: windows_sys::Win32::Foundation::HMODULE) -> Option<PathBuf> {
    use std::os::windows::ffi::OsStringExt;
    use windows_sys::Win32::System::LibraryLoader::GetModuleFileNameW;
    // The longest path that Windows knows.
    let mut name = vec![0_u16; 32_768];
    // SAFETY: writes at most as many characters as the buffer has room for, which is its third argument.
    let length = unsafe { GetModuleFileNameW(module, name.as_mut_ptr(), name.len() as u32) } as usize;
    let is_whole = length > 0 && length < name.len();
    is_whole.then(|| std::ffi::OsString::from_wide(&name[..length]).into())
}

/// The file of this plugin or program: packs may lie beside it.
#[cfg(unix)]
pub fn current_module() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` looks the address up without reading it, and writes to `info`, which has room for one.
    let found = unsafe { libc::dladdr(current_module as *const libc::c_void, info.as_mut_ptr()) } != 0;
    // SAFETY: all zero bytes are a valid Dl_info (null pointers), filled in if something was found.
    let info = unsafe { info.assume_init() };
    if !found || info.dli_fname.is_null() {
        return std::env::current_exe().ok();
    }
    // SAFETY: a terminated string that lives as long as this module is loaded, which runs this line.
    let path = unsafe { CStr::from_ptr(info.dli_fname) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
        .canonicalize()
        .ok()
        .or_else(|| std::env::current_exe().ok())
}

/// The file of this plugin or program.
#[cfg(windows)]
pub fn current_module() -> Option<PathBuf> {
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
        GetModuleHandleExW,
    };
    let mut module = std::ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let address = current_module as *const ();
    // SAFETY: looks the address up without reading it, and writes one handle.
    let found = unsafe { GetModuleHandleExW(flags, address.cast(), &mut module) } != 0;
    found.then(|| module_path(module)).flatten().or_else(|| std::env::current_exe().ok())
}

/// A line for people about the pack in use: origin, place, version.
impl fmt::Display for TorchBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Variable => DIR_VARIABLE,
            Origin::User => "installed for this user",
            Origin::Bundle => "in the bundle",
        };
        let cuda = if self.manifest.cuda { " with CUDA" } else { "" };
        write!(f, "libtorch {TORCH_VERSION}{cuda}, {origin}: {}", self.dir.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_pack_the_error_says_where_it_was_looked_for_and_what_to_do() {
        let places = [
            Place { origin: Origin::User, dir: "/no/such/user".into() },
            Place { origin: Origin::Bundle, dir: "/no/such/bundle".into() },
        ];
        let error = TorchBackend::load(&places).unwrap_err().to_string();
        if Platform::current().is_some() {
            assert!(error.contains("/no/such/user, /no/such/bundle"), "{error}");
            assert!(error.contains("tacet torch install"), "{error}");
        } else {
            assert!(error.contains("native engine"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error_with_the_systems_reason() {
        let Some(platform) = Platform::current() else { return };
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join(platform.backend_file());
        std::fs::write(&library, b"no library").unwrap();
        let dest = dir.path().join("pack");
        tacet_torch_pack::assemble::install(&[library], &dest, platform, false).unwrap();
        let error = TorchBackend::load(&[Place { origin: Origin::Variable, dir: dest }]).unwrap_err();
        let LoadError::Open { reason, .. } = &error else { panic!("{error}") };
        // The file is named in the error anyway; the reason is more than which function failed.
        let is_loaders =
            if cfg!(target_os = "linux") { reason.contains("too short") } else { reason.contains(": ") };
        assert!(is_loaders, "{error}");
    }

    #[test]
    fn a_message_longer_than_its_room_is_cut() {
        let error = call(|message| {
            // SAFETY: the message is the one that `call` made.
            unsafe { (*message).length = 10 * TEXT };
            Status::DEVICE
        })
        .unwrap_err();
        assert_eq!((error.status, error.text.len()), (Status::DEVICE, TEXT));
    }

    #[test]
    fn a_second_libtorch_and_a_second_openmp_runtime_are_foreign_where_the_packs_own_are_not() {
        let platform = Platform::LinuxX86_64;
        let lib = Path::new("/pack/lib");
        let find = |paths: &[&str], is_sought: fn(Platform, &str) -> bool| {
            let loaded: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            foreign(&loaded, lib, |name| is_sought(platform, name))
        };
        let ours = ["/pack/lib/libtorch_cpu.so", "/pack/lib/libgomp-24e2ab19.so.1", "/pack/lib/libomp.so"];
        assert_eq!(find(&ours, is_libtorch), None);
        assert_eq!(find(&ours, is_openmp), None);
        assert_eq!(find(&["/a/libtorch_cpu.so"], is_libtorch), Some("/a/libtorch_cpu.so".into()));
        for other in ["/usr/lib/llvm-14/lib/libomp.so.5", "/opt/libiomp5.so"] {
            assert_eq!(find(&["/usr/lib/libc.so.6", other], is_openmp), Some(other.into()));
        }
        assert_eq!(find(&["/usr/lib/libgomp.so.1"], is_openmp), None, "two of GNU's get along");
    }

    #[test]
    fn this_module_is_a_file_of_the_build() {
        let module = current_module().expect("a file");
        assert!(module.is_absolute() && module.is_file(), "{}", module.display());
        let here = std::env::current_exe().unwrap();
        assert!(same_directory(module.parent(), here.parent().unwrap()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn loaded_libraries_are_seen() {
        assert!(loaded_libraries().iter().any(|path| path.to_string_lossy().contains("libc.so")));
    }
}
