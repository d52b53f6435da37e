//! The keyboard on X11: a text that is being edited on the panel gets the keys, and the host gets none of them;
//! all other keys are the host's, also after clicks on the panel.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::time::Duration;

use tacet_clap_host::library_under_test;
use tacet_vst3_host::PluginFile;

#[path = "support/hands.rs"]
mod hands;
#[path = "support/screen.rs"]
mod screen;

use hands::Hands;
use screen::{HEIGHT, Screen, WIDTH};

/// How long a picture may take, drawn in software on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// X11's number of the enter key.
const ENTER: u32 = 0xff0d;
/// VST3's virtual keys of the space bar, the enter key and backspace.
const SPACE_CODE: i16 = 7;
const ENTER_CODE: i16 = 4;
const BACKSPACE_CODE: i16 = 1;
/// Points of the panel, 860 x 560, with the value of its main knob, and with nothing.
const VALUE: (i16, i16) = (106, 226);
const NOTHING: (i16, i16) = (106, 350);

#[test]
fn keys_are_the_fields_while_one_is_edited_and_otherwise_the_hosts() {
    let Some(screen) = Screen::open() else { return };
    let hands = Hands(&screen);
    let file = PluginFile::load(&library_under_test()).unwrap();
    let mut plugin = file.create().unwrap();
    plugin.set_handler();
    plugin.activate(48_000.0, 512).unwrap();
    let parent = screen.parent(WIDTH, HEIGHT);
    hands.focus(parent);
    let window = plugin.window().unwrap();
    window.open(parent, true).unwrap();
    let limit = || plugin.value("Attenuation limit").unwrap();
    let wait = |what: &str, is_so: &dyn Fn() -> bool| assert!(window.run_until(PATIENCE, is_so), "{what}");
    let pause = || {
        for _ in 0..25 {
            window.run();
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("the window stays empty", &|| {
        screen.picture(400, 300).into_iter().collect::<HashSet<_>>().len() > 20
    });
    pause();

    // Nothing is edited.
    assert!(!window.offer_key(0, SPACE_CODE) && !window.offer_key(u16::from(b's'), 0));
    hands.type_key(u32::from(b' '));
    pause();
    assert_eq!(hands.n_keys(), 1, "the host does not hear the space bar");
    hands.click(NOTHING.0, NOTHING.1);
    wait("a click keeps the keyboard", &|| hands.has_focus(parent));
    pause();
    hands.type_key(u32::from(b' '));
    pause();
    assert_eq!(hands.n_keys(), 1, "the host does not hear the space bar after a click");
    assert!(!window.offer_key(0, SPACE_CODE));

    // A value is typed.
    hands.click(VALUE.0, VALUE.1);
    wait("a field does not get the keyboard", &|| !hands.has_focus(parent));
    pause();
    for character in "24 ".bytes() {
        hands.type_key(u32::from(character));
        pause();
    }
    assert_eq!(hands.n_keys(), 0, "the host hears what is typed");
    hands.type_key(ENTER);
    wait("what was typed does not arrive", &|| (limit() - 0.24).abs() < 1e-4);
    wait("the host does not get the keyboard back", &|| hands.has_focus(parent));
    assert_eq!(hands.n_keys(), 0, "the host hears the enter key");
    hands.type_key(u32::from(b' '));
    pause();
    assert_eq!(hands.n_keys(), 1, "the host does not hear the space bar after a value was typed");

    // A host that takes keys first offers them.
    hands.click(VALUE.0, VALUE.1);
    wait("a field takes no key that is offered", &|| window.offer_key(0, SPACE_CODE));
    // The cursor is wherever the click has put it; four backspaces delete enough.
    assert!((0..4).all(|_| window.offer_key(0, BACKSPACE_CODE)) && window.offer_key(u16::from(b'6'), 0));
    assert!(window.offer_key(0, ENTER_CODE));
    wait("what was offered does not arrive", &|| (limit() - 0.24).abs() > 0.01);
    wait("keys are taken that nothing uses", &|| !window.offer_key(0, SPACE_CODE));

    window.close();
    screen.close(parent);
}
