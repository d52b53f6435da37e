//! The program's window as a screen reader finds it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::desktop::{Desktop, PATIENCE};
use super::{Process, Screen, serves, tacet_live};

/// `AtspiRole`'s number of a slider.
const SLIDER: u32 = 51;

#[test]
fn its_controls_are_read_and_turned() {
    let (Some(desktop), Some(screen)) = (Desktop::start(), Screen::start()) else { return };
    let data = tempfile::tempdir().expect("a folder");
    let mut live = tacet_live();
    live.args(["--backend", "dummy"])
        .env("DISPLAY", &screen.display)
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env("DBUS_SESSION_BUS_ADDRESS", &desktop.address)
        .env("XDG_DATA_HOME", data.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Process(live.spawn().expect("run tacet-live"));
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
    let file = data.path().join("tacet/standalone.json");
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
        let mut live = tacet_live();
        live.args(["--backend", "dummy"])
            .env("DISPLAY", &screen.display)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("DBUS_SESSION_BUS_ADDRESS", &address)
            .env("XDG_DATA_HOME", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Process(live.spawn().expect("run tacet-live"));
        let deadline = Instant::now() + PATIENCE;
        while !serves(&process) {
            assert!(!process.is_over(), "{address}: it ended by itself");
            assert!(Instant::now() < deadline, "{address}: it never served");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(1));
        let told = Command::new("kill").args(["-s", "TERM", &process.0.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "kill");
        while !process.is_over() {
            assert!(Instant::now() < deadline + PATIENCE, "{address}: it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(process.0.wait().expect("ask").code(), Some(0), "{address}");
    }
}
