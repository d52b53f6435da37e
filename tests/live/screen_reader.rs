//! The program's window as a screen reader finds it.

use std::time::{Duration, Instant};

use super::desktop::{Desktop, PATIENCE};
use super::{Screen, open, opens_serves_and_ends};

/// `AtspiRole`'s number of a slider.
const SLIDER: u32 = 51;

#[test]
fn its_controls_are_read_and_turned() {
    let (Some(desktop), Some(screen)) = (Desktop::start(), Screen::start()) else { return };
    let data = tempfile::tempdir().expect("a folder");
    let variables =
        [("DBUS_SESSION_BUS_ADDRESS", desktop.address.as_ref()), ("TACET_DATA_DIR", data.path().as_os_str())];
    let mut process = open(&screen, &variables);
    let reader = desktop.reader();
    let knob = reader.find("Reduce by at most", || assert!(!process.is_over(), "it ended by itself"));
    assert_eq!((knob.role, knob.description.as_str()), (SLIDER, "no limit"));
    reader.turn(&knob, 24.0);
    let wait = |what: &str, is_so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait("the knob does not turn", &|| reader.value(&knob).now == 24.0);
    let file = data.path().join("standalone.json");
    wait("the program does not remember the value", &|| {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let remembered: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        remembered["program"]["values"]["limit"] == 24.0
    });
    let audio = reader.find("Audio", || ());
    reader.press(&audio);
    for name in ["Input device", "Output device"] {
        assert!(reader.find(name, || ()).can_be_pressed(), "{name}");
    }
    assert!(!process.is_over(), "it ended by itself");
}

#[test]
fn a_bus_that_does_not_answer_holds_up_nothing() {
    let Some(screen) = Screen::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let bus = folder.path().join("bus");
    // It takes connections, and that is all.
    let _listener = std::os::unix::net::UnixListener::bind(&bus).expect("a socket");
    for address in
        [format!("unix:path={}", bus.display()), "unix:path=/nowhere".into(), "tcp:host=nowhere".into()]
    {
        let variables =
            [("DBUS_SESSION_BUS_ADDRESS", address.as_ref()), ("TACET_DATA_DIR", folder.path().as_os_str())];
        opens_serves_and_ends(&screen, &variables, "TERM", Duration::from_secs(1));
    }
}
