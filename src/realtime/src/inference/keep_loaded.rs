//! Keeps this library in memory for good, where a thread of it outlives the last instance.

/// A host may unload a plugin after its last instance. The code of a thread that is still there must stay: of a worker that
/// hangs in a driver, or of one that belongs to the process. Does nothing in a program.
#[cfg(unix)]
pub fn keep_library_loaded() {
    let here = keep_library_loaded as *const () as *const libc::c_void;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `here` is an address in this library and `info` has room for the answer, which is read only if the call says
    // that it was given; the file name in it belongs to the loader and stays valid while the library is loaded.
    unsafe {
        if libc::dladdr(here, info.as_mut_ptr()) != 0 {
            libc::dlopen(
                info.assume_init().dli_fname,
                libc::RTLD_NOW | libc::RTLD_NODELETE | libc::RTLD_NOLOAD,
            );
        }
    }
}

/// See the other systems.
#[cfg(windows)]
pub fn keep_library_loaded() {
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    };
    let mut module = std::ptr::null_mut();
    // SAFETY: with `FROM_ADDRESS` the second argument is any address in the module, here this function's.
    unsafe {
        GetModuleHandleExW(
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
            keep_library_loaded as *const () as *const u16,
            &mut module,
        );
    }
}
