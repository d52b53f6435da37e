//! The window of an instance: the framework's, which takes no call while it makes one.

use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, Ordering};

use clap_sys::ext::gui::CLAP_EXT_GUI;
use clap_sys::plugin::clap_plugin;

use super::{call, of};

/// The state of an instance's window.
#[derive(Default)]
pub struct GuiState {
    is_open: AtomicBool,
    /// Whether the framework is being called on the main thread, and whether the host has closed the window meanwhile.
    is_in_call: AtomicBool,
    is_closing: AtomicBool,
}

impl GuiState {
    /// Whether the window is open.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }
}

/// Opens the window.
///
/// # Safety
/// The host passes what it was given, and a string.
pub unsafe extern "C" fn create(plugin: *const clap_plugin, api: *const c_char, is_floating: bool) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(this) = of(plugin) else { return false };
        // The framework's window needs the host's half of the extension.
        let has_half = this
            .host
            .as_ref()
            .get_extension
            .is_some_and(|get| !get(this.host.as_ptr(), CLAP_EXT_GUI.as_ptr()).is_null());
        if api.is_null() || !has_half || this.gui_state.is_open() {
            return false;
        }
        let is_open = call!(this.framework_gui, create(plugin, api, is_floating));
        this.gui_state.is_open.store(is_open, Ordering::Relaxed);
        is_open
    }
}

/// Closes the window, if it is open.
///
/// # Safety
/// The host passes what it was given.
pub unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(this) = of(plugin) else { return };
        if this.gui_state.is_in_call.load(Ordering::Relaxed) {
            // The framework holds the window.
            this.gui_state.is_closing.store(true, Ordering::Relaxed);
        } else if this.gui_state.is_open.swap(false, Ordering::Relaxed) {
            call!(this.framework_gui, destroy(plugin));
            #[cfg(target_os = "linux")]
            this.shared.drawing_thread.wait();
        }
    }
}

/// Does what the framework has asked the main thread for.
///
/// # Safety
/// The host passes what it was given.
pub unsafe extern "C" fn on_main_thread(plugin: *const clap_plugin) {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(this) = of(plugin) else { return };
        this.gui_state.is_in_call.store(true, Ordering::Relaxed);
        call!(this.framework_clap, on_main_thread(plugin));
        this.gui_state.is_in_call.store(false, Ordering::Relaxed);
        if this.gui_state.is_closing.swap(false, Ordering::Relaxed) {
            destroy(plugin);
        }
    }
}

/// The size nearest to what the host wants. The framework's goes by the scale of the window's opening; hosts change it
/// later.
///
/// # Safety
/// The host passes what it was given, and a size to be adjusted.
pub unsafe extern "C" fn adjust_size(plugin: *const clap_plugin, width: *mut u32, height: *mut u32) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let (Some(this), Some(width), Some(height)) = (of(plugin), width.as_mut(), height.as_mut()) else {
            return false;
        };
        let is_adjusted = call!(this.framework_gui, adjust_size(plugin, &mut *width, &mut *height));
        if is_adjusted {
            let [least_width, least_height] = *this.shared.smallest_window.lock();
            *width = (*width).max(least_width);
            *height = (*height).max(least_height);
        }
        is_adjusted
    }
}
