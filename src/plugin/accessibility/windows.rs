//! UI Automation. Windows asks the window's procedure for it, in front of which [`procedure`] stands.
//!
//! Changes are announced by a message to the window itself: announcing makes others call the window, which may not
//! happen in the midst of a picture.

use std::cell::RefCell;
use std::collections::HashMap;

use accesskit_windows::{Adapter as System, HWND, LPARAM, QueuedEvents, WPARAM};
use egui::accesskit::TreeUpdate;
use nice_plug_egui::Frame;
use raw_window_handle::{HasWindowHandle, RawWindowHandle};
use windows_sys::Win32::Foundation::{HWND as Window, LPARAM as RawLParam, LRESULT, WPARAM as RawWParam};
use windows_sys::Win32::UI::Shell::{DefSubclassProc, RemoveWindowSubclass, SetWindowSubclass};
use windows_sys::Win32::UI::WindowsAndMessaging::{PostMessageW, WM_APP, WM_GETOBJECT};

use super::Handler;

/// Tells the window to announce what has changed. The framework sends itself no message of this number.
const ANNOUNCE: u32 = WM_APP + 0x7ac;
/// Tells [`procedure`] from others in front of a window.
const ID: usize = 0x7ace7;

/// State that belongs to a window.
struct State {
    system: System,
    handler: Handler,
    changes: Vec<QueuedEvents>,
}

thread_local! {
    /// The windows of this thread.
    static WINDOWS: RefCell<HashMap<usize, State>> = RefCell::default();
}

/// Works on a window's state; nothing happens on another thread than its own, where it is gone, or while it is at work.
fn with<R>(window: usize, work: impl FnOnce(&mut State) -> R) -> Option<R> {
    let found = WINDOWS.try_with(|windows| windows.try_borrow_mut().ok()?.get_mut(&window).map(work));
    found.ok().flatten()
}

/// A window on UI Automation, as its number.
pub struct Adapter(usize);

impl Adapter {
    pub fn new(frame: &Frame, handler: &Handler) -> Option<Self> {
        let handle = frame.baseview_window().window_handle().ok()?;
        let RawWindowHandle::Win32(handle) = handle.as_raw() else { return None };
        let window = handle.hwnd.get();
        let system = System::new(HWND(window as *mut _), false, handler.clone());
        let state = State { system, handler: handler.clone(), changes: Vec::new() };
        WINDOWS.with_borrow_mut(|windows| windows.insert(window as usize, state));
        // SAFETY: the window is being opened on this thread, and the procedure leaves it in `drop` or with the window.
        let is_set = unsafe { SetWindowSubclass(window as Window, Some(procedure), ID, 0) } != 0;
        let adapter = Self(window as usize);
        is_set.then_some(adapter)
    }

    pub(crate) fn set_focus(&mut self, has_focus: bool) {
        self.change(|system| system.update_window_focus_state(has_focus));
    }

    pub fn describe(&mut self, update: TreeUpdate) {
        self.change(|system| system.update_if_active(|| update));
    }

    fn change(&mut self, change: impl FnOnce(&mut System) -> Option<QueuedEvents>) {
        let is_new = with(self.0, |state| {
            let is_first = state.changes.is_empty();
            state.changes.extend(change(&mut state.system));
            is_first && !state.changes.is_empty()
        });
        if is_new == Some(true) {
            // SAFETY: a window that is gone gets no message.
            unsafe { PostMessageW(self.0 as Window, ANNOUNCE, 0, 0) };
        }
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // Dropped after the borrow: what was announced may hold it.
        let state = WINDOWS.try_with(|windows| windows.borrow_mut().remove(&self.0)).unwrap_or_default();
        // SAFETY: removing what is not there, or from a window that is gone, fails and does nothing.
        unsafe { RemoveWindowSubclass(self.0 as Window, Some(procedure), ID) };
        drop(state);
    }
}

/// Window procedure in front of the window's own.
unsafe extern "system" fn procedure(
    window: Window,
    message: u32,
    wparam: RawWParam,
    lparam: RawLParam,
    _id: usize,
    _data: usize,
) -> LRESULT {
    let key = window as usize;
    match message {
        WM_GETOBJECT => {
            let asked = with(key, |state| {
                let State { system, handler, .. } = state;
                system.handle_wm_getobject(WPARAM(wparam), LPARAM(lparam), handler)
            });
            // Outside the borrow: UI Automation may send another such message meanwhile.
            if let Some(Some(answer)) = asked {
                let answer: accesskit_windows::LRESULT = answer.into();
                return answer.0;
            }
        }
        ANNOUNCE => {
            let changes = with(key, |state| std::mem::take(&mut state.changes));
            changes.into_iter().flatten().for_each(QueuedEvents::raise);
            return 0;
        }
        _ => {}
    }
    // SAFETY: what came is handed on as it came.
    unsafe { DefSubclassProc(window, message, wparam, lparam) }
}
