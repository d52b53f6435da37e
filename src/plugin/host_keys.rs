//! Keys that a host has taken for itself and offers to the plugin first. They are the panel's while a text is being edited,
//! and otherwise the host's.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use egui::{Event, Key, Modifiers};
use nice_plug_egui::RepaintNotifier;
use parking_lot::Mutex;

/// See the module.
#[derive(Default)]
pub struct HostKeys {
    is_editing: AtomicBool,
    typed: Mutex<Vec<Event>>,
    repaint: OnceLock<RepaintNotifier>,
}

impl HostKeys {
    /// Names who draws the panel anew.
    pub(crate) fn set_repaint(&self, repaint: RepaintNotifier) {
        let _ = self.repaint.set(repaint);
    }

    /// Whether a text is being edited.
    pub(crate) fn set_editing(&self, is_editing: bool) {
        self.is_editing.store(is_editing, Ordering::Relaxed);
    }

    /// Takes a key, where a text is being edited: `character` if it has one, `code` of VST3's virtual keys if it is one of
    /// those, and VST3's modifiers. Whether it was taken; the host must not act on it then.
    pub fn offer(&self, character: u16, code: i16, modifiers: i16, is_pressed: bool) -> bool {
        if !self.is_editing.load(Ordering::Relaxed) {
            return false;
        }
        self.typed.lock().extend(events(character, code, modifiers, is_pressed));
        if let Some(repaint) = self.repaint.get() {
            repaint.request_repaint();
        }
        true
    }

    /// The keys taken since the last call.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.typed.lock())
    }
}

/// VST3's virtual keys that edit a text (Steinberg, `VirtualKeyCodes`).
fn key(code: i16) -> Option<Key> {
    Some(match code {
        1 => Key::Backspace,
        2 => Key::Tab,
        4 | 19 => Key::Enter,
        6 => Key::Escape,
        9 => Key::End,
        10 => Key::Home,
        11 => Key::ArrowLeft,
        12 => Key::ArrowUp,
        13 => Key::ArrowRight,
        14 => Key::ArrowDown,
        22 => Key::Delete,
        _ => return None,
    })
}

/// VST3's code of the space bar, which comes without a character.
const SPACE: i16 = 7;

fn events(character: u16, code: i16, modifiers: i16, is_pressed: bool) -> Option<Event> {
    // Steinberg, `KeyModifier`: shift, alternate, command (control but on macOS), control.
    let is_held = |bit: i16| modifiers & bit != 0;
    let command = is_held(4);
    if let Some(key) = key(code) {
        let modifiers = Modifiers {
            alt: is_held(2),
            ctrl: if cfg!(target_os = "macos") { is_held(8) } else { command },
            shift: is_held(1),
            mac_cmd: cfg!(target_os = "macos") && command,
            command,
        };
        return Some(Event::Key { key, physical_key: None, pressed: is_pressed, repeat: false, modifiers });
    }
    let character = if code == SPACE { Some(' ') } else { char::from_u32(character.into()) };
    character
        .filter(|character| is_pressed && !command && !character.is_control())
        .map(|character| Event::Text(character.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_hosts_unless_a_text_is_edited() {
        let keys = HostKeys::default();
        assert!(!keys.offer(u16::from(b'1'), 0, 0, true));
        assert!(keys.take().is_empty());
        keys.set_editing(true);
        assert!(keys.offer(u16::from(b'1'), 0, 0, true) && keys.offer(u16::from(b'1'), 0, 0, false));
        assert!(keys.offer(0, SPACE, 0, true) && keys.offer(0, 1, 0, true));
        // A shortcut of the host's does not happen, and nothing is typed.
        assert!(keys.offer(u16::from(b's'), 0, 4, true));
        let typed = keys.take();
        assert_eq!(typed[..2], [Event::Text("1".into()), Event::Text(" ".into())]);
        assert!(matches!(typed[2..], [Event::Key { key: Key::Backspace, pressed: true, .. }]));
        keys.set_editing(false);
        assert!(!keys.offer(0, SPACE, 0, true));
    }
}
