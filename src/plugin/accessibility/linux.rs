//! AT-SPI, over D-Bus. A thread of AccessKit's speaks with the bus, one for all windows of the process and from the first
//! of them on; it sleeps while no assistive technology runs, and ends where there is no bus.

use accesskit_unix::Adapter as System;
use egui::accesskit::TreeUpdate;
use nice_plug_egui::Frame;
use tacet_realtime::inference::keep_loaded::keep_library_loaded;

use super::Handler;

/// Names the session's bus, if systemd puts it elsewhere. Only a bus of this machine is used, for one may also be reached
/// over the network (D-Bus specification, server addresses).
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A window on AT-SPI.
pub struct Adapter(System);

impl Adapter {
    pub fn new(_frame: &Frame, handler: &Handler) -> Option<Self> {
        let is_local = std::env::var(BUS).map_or(true, |address| address.starts_with("unix:"));
        if !is_local {
            return None;
        }
        // The thread does not end with the last window.
        keep_library_loaded();
        Some(Self(System::new(handler.clone(), handler.clone(), handler.clone())))
    }

    pub(crate) fn set_focus(&mut self, has_focus: bool) {
        self.0.update_window_focus_state(has_focus);
    }

    pub fn describe(&mut self, update: TreeUpdate) {
        self.0.update_if_active(|| update);
    }
}
