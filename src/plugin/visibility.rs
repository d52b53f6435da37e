//! Whether an open window can be seen, on X11: one that is minimised, or whose host shows another page, is not drawn.
//!
//! The framework draws whatever happens. A window that is unmapped, or inside one that is, cannot be seen; some window
//! managers leave a minimised window mapped and mark it as hidden instead (EWMH, `_NET_WM_STATE_HIDDEN`). On the window's
//! thread.

use std::time::{Duration, Instant};

use egui::Context;
use nice_plug_egui::Frame;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, MapState};
use x11rb::rust_connection::RustConnection;

use super::keyboard_focus::x11_window;

/// Between two questions to the server.
const PAUSE: Duration = Duration::from_millis(200);
/// Most states of a window that are looked at.
const MAX_STATES: u32 = 32;

/// An open window that is asked after. Held by the window's egui context, which dies with the window.
pub struct Visibility {
    connection: RustConnection,
    window: u32,
    /// `_NET_WM_STATE` and `_NET_WM_STATE_HIDDEN`.
    atoms: [u32; 2],
    asked: Option<Instant>,
    is_visible: bool,
}

impl egui::Plugin for Visibility {
    fn debug_name(&self) -> &'static str {
        "visibility"
    }
}

impl Visibility {
    /// Follows the window that is being opened, where it is one of X11 and its server answers.
    pub fn follow(ctx: &Context, frame: &Frame) {
        if let Some(this) = Self::new(frame) {
            ctx.add_plugin(this);
        }
    }

    fn new(frame: &Frame) -> Option<Self> {
        let window = x11_window(&frame.baseview_window().platform_handle())?;
        let (connection, _) = x11rb::connect(None).ok()?;
        let mut atoms = [x11rb::NONE; 2];
        for (atom, name) in atoms.iter_mut().zip(["_NET_WM_STATE", "_NET_WM_STATE_HIDDEN"]) {
            *atom = connection.intern_atom(false, name.as_bytes()).ok()?.reply().ok()?.atom;
        }
        Some(Self { connection, window, atoms, asked: None, is_visible: true })
    }

    /// Whether the window can be seen; yes where nobody knows.
    pub fn is_visible(ctx: &Context) -> bool {
        ctx.plugin_opt::<Self>().is_none_or(|this| this.lock().ask(Instant::now()))
    }

    fn ask(&mut self, now: Instant) -> bool {
        if self.asked.is_none_or(|asked| now.duration_since(asked) >= PAUSE) {
            self.asked = Some(now);
            // A server that does not answer is no reason to stop drawing.
            self.is_visible = self.answer().unwrap_or(true);
        }
        self.is_visible
    }

    fn answer(&self) -> Option<bool> {
        let attributes = self.connection.get_window_attributes(self.window).ok()?;
        let [state, hidden] = self.atoms;
        let states =
            self.connection.get_property(false, self.window, state, AtomEnum::ATOM, 0, MAX_STATES).ok()?;
        self.connection.flush().ok()?;
        let is_mapped = attributes.reply().ok()?.map_state == MapState::VIEWABLE;
        let is_hidden =
            states.reply().ok()?.value32().is_some_and(|mut states| states.any(|state| state == hidden));
        Some(is_mapped && !is_hidden)
    }
}
