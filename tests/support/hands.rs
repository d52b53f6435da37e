//! Keyboard and mouse of an X server without a screen.

use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ChangeWindowAttributesAux, ConnectionExt as _, EventMask,
    InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT,
};
use x11rb::protocol::xtest::ConnectionExt as _;

use super::screen::Screen;

/// See the module.
pub struct Hands<'a>(pub &'a Screen);

impl Hands<'_> {
    /// Has a window hear of keys, and gives it the keyboard.
    pub fn focus(&self, window: u32) {
        let aux = ChangeWindowAttributesAux::new().event_mask(EventMask::KEY_PRESS);
        self.0.connection.change_window_attributes(window, &aux).unwrap().check().unwrap();
        self.0
            .connection
            .set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME)
            .unwrap()
            .check()
            .unwrap();
    }

    /// Whether a window has the keyboard.
    pub fn has_focus(&self, window: u32) -> bool {
        self.0.connection.get_input_focus().unwrap().reply().unwrap().focus == window
    }

    /// Types a character.
    pub fn type_key(&self, keysym: u32) {
        let setup = self.0.connection.setup();
        let (first, n_codes) = (setup.min_keycode, setup.max_keycode - setup.min_keycode + 1);
        let keys = self.0.connection.get_keyboard_mapping(first, n_codes).unwrap().reply().unwrap();
        let per_code = usize::from(keys.keysyms_per_keycode);
        let at = keys.keysyms.iter().step_by(per_code).position(|&key| key == keysym).unwrap();
        for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            self.fake(kind, first + at as u8, 0, 0);
        }
    }

    /// Clicks at a place on the screen.
    pub fn click(&self, x: i16, y: i16) {
        self.fake(MOTION_NOTIFY_EVENT, 0, x, y);
        std::thread::sleep(std::time::Duration::from_millis(200));
        self.fake(BUTTON_PRESS_EVENT, 1, 0, 0);
        std::thread::sleep(std::time::Duration::from_millis(100));
        self.fake(BUTTON_RELEASE_EVENT, 1, 0, 0);
    }

    fn fake(&self, kind: u8, detail: u8, x: i16, y: i16) {
        self.0.connection.xtest_fake_input(kind, detail, 0, self.0.root, x, y, 0).unwrap().check().unwrap();
    }

    /// Keys that the windows of [`Self::focus`] have heard since the last time.
    pub fn n_keys(&self) -> usize {
        // Events sent before the answer to a question arrive with it.
        self.0.connection.get_input_focus().unwrap().reply().unwrap();
        std::iter::from_fn(|| self.0.connection.poll_for_event().unwrap())
            .filter(|event| matches!(event, Event::KeyPress(_)))
            .count()
    }
}
