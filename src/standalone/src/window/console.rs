//! Windows: the terminal of a program that has a window.
//!
//! A program for the console gets one at a double-click; one for windows gets none, and joins the one that it was started
//! from.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use windows_sys::Win32::Foundation::TRUE;
use windows_sys::Win32::System::Console::{
    ATTACH_PARENT_PROCESS, AttachConsole, GetStdHandle, STD_ERROR_HANDLE, SetConsoleCtrlHandler,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{MB_ICONERROR, MB_OK, MessageBoxW};
use windows_sys::core::BOOL;

/// Whether anybody reads standard error.
static HAS_READER: AtomicBool = AtomicBool::new(true);

/// Joins the terminal that the program was started from, where there is one. Called before anything is written.
pub fn join() {
    // SAFETY: both change and read what belongs to the process; no pointer is passed.
    let (joined, errors) = unsafe { (AttachConsole(ATTACH_PARENT_PROCESS), GetStdHandle(STD_ERROR_HANDLE)) };
    // Redirected to a file or a pipe, it is read without a terminal as well.
    HAS_READER.store(joined != 0 || !errors.is_null(), Ordering::Relaxed);
}

/// Shows an error in a window where nobody would read it.
pub fn show_error(text: &str) {
    if HAS_READER.load(Ordering::Relaxed) {
        return;
    }
    let wide = |text: &str| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let (text, title) = (wide(text), wide("Tacet"));
    // SAFETY: both texts end with zero and live until it returns; there is no window to belong to.
    unsafe { MessageBoxW(std::ptr::null_mut(), text.as_ptr(), title.as_ptr(), MB_OK | MB_ICONERROR) };
}

/// Lets Ctrl-C and a closed terminal end the program: the framework's own handler ends only one without a window.
///
/// Windows asks the latest handler first, and the framework sets its own when it begins: called again, this one is the
/// latest once more.
///
/// # Errors
/// The system takes no handler.
pub fn end_on_interrupt() -> Result<()> {
    // SAFETY: the handler is a function of this program, which ends with it. Removing one that is not there fails and does
    // nothing.
    let added = unsafe {
        SetConsoleCtrlHandler(Some(end), 0);
        SetConsoleCtrlHandler(Some(end), TRUE)
    };
    ensure!(added != 0, "Ctrl-C cannot be watched ({})", std::io::Error::last_os_error());
    Ok(())
}

unsafe extern "system" fn end(_event: u32) -> BOOL {
    std::process::exit(0);
}
