//! The C++ shim, as Rust.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
use std::ptr::NonNull;

use crate::{Result, TorchError};

/// Room for the text of an exception.
pub(crate) const TEXT: usize = 512;

unsafe extern "C" {
    fn tacet_inference_enter() -> *mut c_void;
    fn tacet_inference_leave(guard: *mut c_void);
    fn tacet_forbid_tf32();
    #[cfg(target_os = "linux")]
    fn tacet_libtorch_address() -> *const c_void;
    fn tacet_synchronize(index: i32, text: *mut c_char, capacity: usize) -> i32;
}

/// Inference mode on this thread while it lives: no autograd bookkeeping. Must be dropped where it was made.
#[derive(Debug)]
pub struct Inference {
    guard: Option<NonNull<c_void>>,
    _not_send: PhantomData<*mut ()>,
}

impl Inference {
    /// Enters inference mode. If libtorch refuses, the work is the same, only slower.
    pub(crate) fn enter() -> Self {
        // SAFETY: no arguments; the shim catches every exception and returns null then.
        let guard = NonNull::new(unsafe { tacet_inference_enter() });
        Self { guard, _not_send: PhantomData }
    }
}

impl Drop for Inference {
    fn drop(&mut self) {
        if let Some(guard) = self.guard {
            // SAFETY: made by `tacet_inference_enter`, left once, on the same thread as the type is not Send.
            unsafe { tacet_inference_leave(guard.as_ptr()) };
        }
    }
}

/// Full float32 everywhere, for the whole process.
pub(crate) fn forbid_tf32() {
    // SAFETY: no arguments; the shim catches every exception.
    unsafe { tacet_forbid_tf32() };
}

/// Folders in which libraries that belong with this one may lie: this library's own, then libtorch's. In a pack they
/// are the same; a program that links this crate for tests has them apart.
#[cfg(target_os = "linux")]
pub(crate) fn library_dirs() -> impl Iterator<Item = PathBuf> {
    // SAFETY: no arguments; returns the address of a function.
    let libtorch = unsafe { tacet_libtorch_address() };
    [library_dirs as *const c_void, libtorch].into_iter().filter_map(dir_of)
}

/// The folder of the file that holds `address`.
#[cfg(target_os = "linux")]
fn dir_of(address: *const c_void) -> Option<PathBuf> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` looks the address up without reading it, and writes to `info`, which has room for one.
    let found = unsafe { libc::dladdr(address, info.as_mut_ptr()) } != 0;
    // SAFETY: all zero bytes are a valid Dl_info (null pointers), filled in if something was found.
    let info = unsafe { info.assume_init() };
    if !found || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: a terminated string that lives as long as the file is loaded; neither file is ever closed.
    let path = unsafe { CStr::from_ptr(info.dli_fname) }.to_str().ok()?;
    Some(PathBuf::from(path).parent()?.to_owned())
}

/// Waits for everything given to the accelerator `index`.
pub(crate) fn synchronize(index: i32) -> Result<()> {
    // SAFETY: the buffer is ours and its size is passed along.
    with_text(|text| unsafe { tacet_synchronize(index, text.as_mut_ptr(), text.len()) })
}

/// Runs a shim function that returns 0, or fills in a terminated text.
pub(crate) fn with_text(call: impl FnOnce(&mut [c_char; TEXT]) -> i32) -> Result<()> {
    let mut text = [0; TEXT];
    if call(&mut text) == 0 {
        return Ok(());
    }
    text[TEXT - 1] = 0;
    // SAFETY: terminated one line above.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) };
    Err(TorchError::from_text(&text.to_string_lossy()))
}
