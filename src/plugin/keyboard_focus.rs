//! Leaves the keyboard to the host, on X11, where keys go to the window that has the focus, or to one inside it that is
//! under the pointer, and to no other.
//!
//! The framework's window receives every key and takes the focus with every click. Here it receives keys only while
//! something on the panel uses them: a text that is being edited, or a control that has egui's focus. Otherwise they go on
//! to the window around it, which also gets the focus back, and the space bar plays. On the other systems the framework
//! hands on what the panel does not use. On the window's thread.

use egui::Context;
use nice_plug_egui::Frame;
use nice_plug_egui::baseview::PlatformHandle;
use raw_window_handle::{HasDisplayHandle, HasWindowHandle, RawDisplayHandle, RawWindowHandle};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, InputFocus,
};
use x11rb::rust_connection::RustConnection;
use x11rb::xcb_ffi::XCBConnection;

/// The window of a handle, where it is one of X11.
pub(super) fn x11_window(handle: &PlatformHandle) -> Option<u32> {
    match handle.window_handle().ok()?.as_raw() {
        RawWindowHandle::Xlib(handle) => u32::try_from(handle.window).ok(),
        RawWindowHandle::Xcb(handle) => Some(handle.window.get()),
        _ => None,
    }
}

/// Most windows around a plugin's that are looked at: hosts nest a few.
const MAX_DEPTH: usize = 32;

/// An open window inside a host's. Held by the window's egui context, which dies with the window.
pub struct KeyboardFocus {
    /// A separate connection, for questions.
    connection: RustConnection,
    /// The framework's: each connection selects the events of a window for itself.
    framework: XCBConnection,
    /// Keeps the framework's connection open.
    _handle: PlatformHandle,
    window: u32,
    /// Events besides keys that the window receives.
    events: EventMask,
    /// Whether it receives keys.
    is_used: bool,
}

impl egui::Plugin for KeyboardFocus {
    fn debug_name(&self) -> &'static str {
        "keyboard focus"
    }
}

impl KeyboardFocus {
    /// Follows the window that is being opened, where it is one of X11 and its server answers.
    pub fn follow(ctx: &Context, frame: &Frame) {
        if let Some(this) = Self::new(frame) {
            ctx.add_plugin(this);
        }
    }

    fn new(frame: &Frame) -> Option<Self> {
        let handle = frame.baseview_window().platform_handle();
        let window = x11_window(&handle)?;
        let RawDisplayHandle::Xcb(display) = handle.display_handle().ok()?.as_raw() else { return None };
        // SAFETY: the framework names its own connection, which stays open while the handle is held, and is not closed here.
        let framework =
            unsafe { XCBConnection::from_raw_xcb_connection(display.connection?.as_ptr(), false) }.ok()?;
        let events = framework.get_window_attributes(window).ok()?.reply().ok()?.your_event_mask;
        let (connection, _) = x11rb::connect(None).ok()?;
        Some(Self { connection, framework, _handle: handle, window, events, is_used: true })
    }

    /// Takes the keyboard where the panel begins to use it, and leaves it to the host where it does not. After each picture.
    pub fn update(ctx: &Context, frame: &Frame) {
        if let Some(this) = ctx.plugin_opt::<Self>() {
            this.lock().follow_panel(ctx, frame);
        }
    }

    fn follow_panel(&mut self, ctx: &Context, frame: &Frame) {
        let is_used = ctx.egui_wants_keyboard_input();
        let is_busy = ctx.input(|input| input.pointer.any_down() || !input.keys_down.is_empty());
        let window = frame.baseview_window();
        if is_used && !self.is_used {
            self.hear_keys(true);
            if !window.has_focus() {
                let _ = window.focus();
            }
        } else if !is_used && !is_busy {
            // A click takes effect when the button is up; the release of a key belongs to the window of its press.
            if self.is_used {
                self.hear_keys(false);
            }
            if window.has_focus() {
                // A window that is gone is no reason to stop drawing.
                let _ = self.give_back();
            }
        }
    }

    fn hear_keys(&mut self, is_used: bool) {
        self.is_used = is_used;
        let keys = EventMask::KEY_PRESS | EventMask::KEY_RELEASE;
        let events = if is_used { self.events | keys } else { self.events.remove(keys) };
        let aux = ChangeWindowAttributesAux::new().event_mask(events);
        let _ = self.framework.change_window_attributes(self.window, &aux);
        let _ = self.framework.flush();
    }

    fn give_back(&self) -> Option<()> {
        let host = self.host_window()?;
        self.connection.set_input_focus(InputFocus::PARENT, host, x11rb::CURRENT_TIME).ok()?;
        self.connection.flush().ok()
    }

    /// The window around ours that the window manager knows (ICCCM, `WM_STATE`), or the outermost.
    fn host_window(&self) -> Option<u32> {
        let state = self.connection.intern_atom(true, b"WM_STATE").ok()?.reply().ok()?.atom;
        let mut found = None;
        let mut window = self.window;
        for _ in 0..MAX_DEPTH {
            let tree = self.connection.query_tree(window).ok()?.reply().ok()?;
            if tree.parent == tree.root || tree.parent == x11rb::NONE {
                break;
            }
            window = tree.parent;
            found = Some(window);
            let is_known = state != x11rb::NONE
                && self
                    .connection
                    .get_property(false, window, state, AtomEnum::ANY, 0, 0)
                    .ok()?
                    .reply()
                    .is_ok_and(|property| property.type_ != x11rb::NONE);
            if is_known {
                break;
            }
        }
        found
    }
}
