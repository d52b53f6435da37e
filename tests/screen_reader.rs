//! The plugin's window as a screen reader finds it: every control has a role, a name, a value with its unit and a range,
//! and can be turned or pressed, which the host sees.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use tacet_clap_host::library_under_test;
use tacet_vst3_host::PluginFile;
use tacet_vst3_host::objects::Report;

#[path = "support/screen.rs"]
#[allow(dead_code, reason = "a screen reader looks at no picture")]
mod screen;
#[path = "support/screen_reader.rs"]
mod screen_reader;

use screen::{HEIGHT, Screen, WIDTH};
use screen_reader::{Desktop, PATIENCE, Reader};

/// AT-SPI's numbers of roles (`AtspiRole`).
const SLIDER: u32 = 51;
const TOGGLE: u32 = 62;
const COMBO: u32 = 11;
const RADIO: u32 = 44;
const IMAGE: u32 = 27;
const TAB: u32 = 37;

/// Continuous controls: name, least, largest, present value and what is said of it.
const KNOBS: [(&str, f64, f64, f64, &str); 7] = [
    ("Reduce by at most", 0.0, 100.0, 100.0, "no limit"),
    ("Mix", 0.0, 100.0, 100.0, "100.0 %"),
    ("Post filter", 0.0, 0.05, 0.0, "0.000"),
    ("Output", -24.0, 24.0, 0.0, "0.0 dB"),
    ("Silence below", -15.0, 35.0, -15.0, "−15.0 dB"),
    ("Simple filter above", -15.0, 35.0, 35.0, "35.0 dB"),
    ("Leave alone above", -15.0, 35.0, 35.0, "35.0 dB"),
];

/// Controls of the main view that are pressed: name and role.
const SWITCHES: [(&str, u32); 18] = [
    ("Bypass", TOGGLE),
    ("Preset", COMBO),
    ("Advanced", TOGGLE),
    ("Advanced: Room", RADIO),
    ("Advanced: Source", RADIO),
    ("Listen to: Denoised", RADIO),
    ("Listen to: Removed", RADIO),
    ("Latency: Lowest", RADIO),
    ("Latency: Safe", RADIO),
    ("Model: Full", RADIO),
    ("Model: Low latency", RADIO),
    ("Frequency axis: Octaves", RADIO),
    ("Frequency axis: Linear", RADIO),
    ("Denoise", TAB),
    ("Devices", TAB),
    ("About", TAB),
    ("Input spectrogram, last 8 seconds", IMAGE),
    ("Output spectrogram, last 8 seconds", IMAGE),
];

fn check_main_view(reader: &Reader) {
    let nodes = reader.read();
    let find = |name: &str| {
        let found: Vec<_> = nodes.iter().filter(|node| node.name == name).collect();
        assert_eq!(found.len(), 1, "{name} among {nodes:#?}");
        found[0]
    };
    for (name, min, max, now, said) in KNOBS {
        let knob = find(name);
        assert_eq!((knob.role, knob.description.as_str()), (SLIDER, said), "{name}");
        let value = reader.value(knob);
        let ends = [value.min - min, value.max - max, value.now - now];
        assert!(ends.iter().all(|error| error.abs() < 1e-4), "{name}: {value:?}");
        assert!(value.step > 0.0 && value.step < max - min, "{name}: {value:?}");
    }
    for (name, role) in SWITCHES {
        let switch = find(name);
        assert_eq!(switch.role, role, "{name}");
        assert!(switch.can_be_pressed() || role == IMAGE, "{name}");
    }
}

#[test]
fn every_control_is_read_and_turned() {
    let Some(desktop) = Desktop::start() else { return };
    let Some(screen) = Screen::open() else { return };
    // SAFETY: this program has one test, and the harness's other thread only waits for it.
    unsafe { std::env::set_var("DBUS_SESSION_BUS_ADDRESS", &desktop.address) };
    let file = PluginFile::load(&library_under_test()).unwrap();
    let mut plugin = file.create().unwrap();
    let log = plugin.set_handler();
    plugin.activate(48_000.0, 512).unwrap();
    let parent = screen.parent(WIDTH, HEIGHT);
    let window = plugin.window().unwrap();
    window.open(parent, true).unwrap();

    // A window that is open already is described as soon as somebody listens.
    let reader = desktop.reader();
    let advanced = reader.find("Advanced", || window.run());
    reader.press(&advanced);
    reader.find("Ambience", || window.run());
    for name in ["Stereo link: None", "Stereo link: Max", "Stereo link: Mean"] {
        let link = reader.find(name, || window.run());
        assert!(link.role == RADIO && link.can_be_pressed(), "{link:?}");
    }
    let source = reader.find("Advanced: Source", || window.run());
    reader.press(&source);
    for name in ["Level: Auto", "Keep clean: On", "Keep whisper: On", "Match bypass: Off"] {
        assert!(reader.find(name, || window.run()).can_be_pressed(), "{name}");
    }
    let stages = reader.find("Advanced: Stages", || window.run());
    reader.press(&stages);
    reader.find("Leave alone above", || window.run());
    check_main_view(&reader);

    // The main knob: the host is notified, and the parameter has changed.
    let knob = reader.find("Reduce by at most", || window.run());
    assert_eq!(plugin.value("Attenuation limit").unwrap(), 1.0);
    log.take();
    reader.turn(&knob, 24.0);
    let wait = |what: &str, is_so: &dyn Fn() -> bool| assert!(window.run_until(PATIENCE, is_so), "{what}");
    wait("the knob does not turn", &|| plugin.value("Attenuation limit").unwrap() < 1.0);
    let (id, value) = (plugin.id("Attenuation limit").unwrap(), plugin.value("Attenuation limit").unwrap());
    let heard = log.take();
    assert_eq!(heard, [Report::Begin(id), Report::Perform(id, value), Report::End(id)]);
    wait("the new value is not announced", &|| reader.value(&knob).now == 24.0);
    assert_eq!(reader.find("Reduce by at most", || window.run()).description, "24.0 dB");

    // A switch, a list and the other views.
    let bypass = reader.find("Bypass", || window.run());
    reader.press(&bypass);
    wait("bypass is not pressed", &|| plugin.value("Bypass").unwrap() == 1.0);
    let views = reader.find("Devices", || window.run());
    reader.press(&views);
    assert_eq!(reader.find("Device A", || window.run()).description, "native CPU");
    for name in ["Device A", "Device B", "Compare: On", "Listen: B", "Hops: Warm", "Export CSV", "Reset"] {
        let node = reader.find(name, || window.run());
        assert!(node.can_be_pressed(), "{node:?}");
    }
    let about = reader.find("About", || window.run());
    reader.press(&about);
    reader.find("Appearance: Light", || window.run());

    // Nobody listens any more, and again.
    desktop.listen(false);
    std::thread::sleep(Duration::from_millis(500));
    desktop.listen(true);
    reader.find("Appearance: Light", || window.run());

    window.close();
    drop(window);
    let deadline = Instant::now() + PATIENCE;
    while reader.read().iter().any(|node| node.name == "Appearance: Light") {
        assert!(Instant::now() < deadline, "a closed window is still described");
        std::thread::sleep(Duration::from_millis(50));
    }
    screen.close(parent);
}
