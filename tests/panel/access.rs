//! The panel for screen readers: every control by its name, with its value and unit. Needs no graphics adapter.

use egui_kittest::{Harness, kittest::NodeT, kittest::Queryable};
use tacet::panel::{
    Page, Settings, View,
    view_model::{DeviceState, Notice},
};

use tacet::parameters::ParamId;

use super::fixtures::{self, Bench};

fn open(view: View, change: impl FnOnce(&mut Bench)) -> Harness<'static, Bench> {
    open_with(view, &[(ParamId::Limit, 24.0)], change)
}

fn open_with(
    view: View,
    changed: &[(ParamId, f32)],
    change: impl FnOnce(&mut Bench),
) -> Harness<'static, Bench> {
    let settings = Settings { view, advanced: true, page: Page::Stages, ..Settings::default() };
    let mut bench = Bench::new(fixtures::in_order(), changed, settings);
    change(&mut bench);
    let mut harness = fixtures::window(Harness::builder().with_size([1000.0, 640.0]), bench);
    harness.run();
    harness
}

fn value_of(harness: &Harness<'_, Bench>, label: &str) -> String {
    harness.get_by_label(label).value().unwrap_or_else(|| panic!("{label} has no value"))
}

#[test]
fn every_continuous_control_has_name_value_and_unit() {
    let harness = open(View::Denoise, |_| {});
    for (label, value) in [
        ("Reduce by at most", "24.0 dB"),
        ("Mix", "100.0 %"),
        ("Post filter", "0.000"),
        ("Output", "0.0 dB"),
        ("Silence below", "−15.0 dB"),
        ("Simple filter above", "35.0 dB"),
        ("Leave alone above", "35.0 dB"),
    ] {
        assert_eq!(value_of(&harness, label), value, "{label}");
        let node = harness.get_by_label(label);
        let node = node.accesskit_node();
        assert!(node.min_numeric_value() < node.max_numeric_value(), "{label} has no range");
    }
}

#[test]
fn every_choice_has_a_name() {
    let harness = open(View::Denoise, |_| {});
    for label in [
        "Listen to: Denoised",
        "Listen to: Removed",
        "Advanced: Room",
        "Advanced: Stages",
        "Latency: Lowest",
        "Latency: Safe",
        "Model: Full",
        "Model: Low latency",
        "Frequency axis: Octaves",
        "Frequency axis: Linear",
        "Bypass",
        "Preset",
        "Advanced",
    ] {
        harness.get_by_label(label);
    }
    for view in [View::Denoise, View::Devices, View::About] {
        harness.get_by_label(view.name());
    }
}

#[test]
fn the_rooms_controls_have_names_and_values() {
    let harness = open(View::Denoise, |bench| bench.settings.page = Page::Room);
    for (label, value) in [("Voice", "0.0 dB"), ("Ambience", "none"), ("Hold", "0 ms"), ("Release", "0 ms")] {
        assert_eq!(value_of(&harness, label), value, "{label}");
    }
    for label in ["Stereo link: None", "Stereo link: Max", "Stereo link: Mean", "Limit by frequency: Hidden"]
    {
        harness.get_by_label(label);
    }
}

#[test]
fn the_recordings_controls_have_names() {
    let mut harness = open(View::Denoise, |bench| bench.settings.page = Page::Recording);
    for name in ["Fill narrow band", "Hold over pauses", "Keep clean", "Keep whisper", "Match bypass"] {
        for state in ["Off", "On"] {
            harness.get_by_label(&format!("{name}: {state}"));
        }
    }
    assert!(harness.query_by_label("Level gain").is_none(), "there where it counts");
    harness.get_by_label("Level: Fixed").click();
    harness.run_steps(3);
    assert_eq!(value_of(&harness, "Level gain"), "20.0 dB");
}

#[test]
fn the_status_names_the_rules_at_work() {
    let quiet = open(View::Denoise, |bench| bench.view_model.feature_gain_db = 18.0);
    quiet.get_by_label_contains("quiet input, +18\u{a0}dB · 48");
    let telephone = open(View::Denoise, |bench| bench.view_model.edge_hz = Some(3950.0));
    telephone.get_by_label_contains("narrow band to 4.0\u{a0}kHz · 48");
    let lost = open(View::Denoise, |bench| bench.view_model.active_reduction_db = 32.0);
    lost.get_by_label_contains("possible speech −32\u{a0}dB · 48");
    assert!(open(View::Denoise, |_| {}).query_by_label_contains("quiet input").is_none());
}

#[test]
fn readings_are_announced() {
    let harness = open(View::Denoise, |_| {});
    for part in [
        "Local SNR: 11.4\u{a0}dB",
        "Input: −12.0 dBFS",
        "Input spectrogram",
        "Output spectrogram",
        "Reduction: ",
        "Engine: native CPU",
        "Latency: 50.0\u{a0}ms",
        "0 late of 61\u{202f}204 hops",
    ] {
        harness.get_by_label_contains(part);
    }
}

#[test]
fn the_device_view_names_everything() {
    let changed = [(ParamId::DeviceB, fixtures::MPS), (ParamId::Compare, 1.0)];
    let harness = open_with(View::Devices, &changed, |bench| {
        fixtures::run_on_gpu(&mut bench.view_model.slots[1]);
        bench.view_model.null_db = Some(-71.8);
    });
    for label in [
        "Device A",
        "Device B",
        "Compare: Off",
        "Compare: On",
        "Listen: A",
        "Listen: B",
        "Hops: All",
        "Hops: Cold",
        "Hops: Warm",
        "Reset",
        "Export CSV",
        "MPS fallback: Off",
        "MPS fallback: On",
        "Slot A: live · NEON · 32-bit",
        "Slot B: live · real_one_step",
        "B against A: −71.8\u{a0}dB",
        "libtorch: 2.11.0",
    ] {
        harness.get_by_label(label);
    }
    for quantity in tacet::lab::Quantity::ALL {
        for slot in ["A", "B"] {
            harness.get_by_label_contains(&format!("{slot} {}: p50 ", quantity.name()));
        }
    }
    // A CPU copies nothing, so nothing was measured.
    harness.get_by_label("A Upload: p50 –, p95 –, p99 –, max – µs");
    assert_eq!(
        (value_of(&harness, "Device A"), value_of(&harness, "Device B")),
        ("native CPU".into(), "torch MPS".into())
    );
}

#[test]
fn nothing_measured_shows_no_number() {
    let harness = open(View::Devices, |bench| bench.view_model = fixtures::inactive());
    for quantity in tacet::lab::Quantity::ALL {
        harness.get_by_label(&format!("A {}: p50 –, p95 –, p99 –, max – µs", quantity.name()));
    }
    harness.get_by_label("B against A: –");
    harness.get_by_label_contains("not active");
}

#[test]
fn an_unavailable_device_says_why() {
    let mut harness = open(View::Devices, |bench| bench.view_model = fixtures::macos_13());
    harness.get_by_label_contains("complex numbers on MPS need macOS 14");
    harness.get_by_label("Device B").click();
    harness.run();
    let items: Vec<_> = harness.get_all_by_label("torch MPS").collect();
    let why = items.iter().find_map(|node| node.accesskit_node().data().description().map(str::to_owned));
    assert!(why.is_some_and(|why| why.contains("macOS 14.0") && why.contains("native engine")));
}

#[test]
fn a_slot_that_fell_back_offers_to_retry() {
    let harness = open(View::Devices, |bench| {
        fixtures::run_on_gpu(&mut bench.view_model.slots[1]);
        bench.view_model.slots[1].state = DeviceState::FellBack {
            device: fixtures::TORCH_MPS,
            reason: "Out of memory. Close something.".into(),
        };
    });
    harness.get_by_label("Retry");
    harness.get_by_label("Slot B: fell back to native");
}

#[test]
fn about_names_each_term_of_the_latency() {
    let harness = open(View::About, |_| {});
    for part in [
        "Lookahead: 960 samples, 20.00 ms",
        "Reported to the host: 2\u{202f}400 samples, 50.00 ms",
        "Version: 0.1.0",
    ] {
        harness.get_by_label(part);
    }
    harness.get_by_label("Appearance: Light");
}

#[test]
fn the_standalone_names_its_devices() {
    let harness = open(View::Audio, |bench| bench.view_model.audio = Some(fixtures::audio()));
    assert_eq!(value_of(&harness, "Input device"), "Scarlett 2i2, input 1");
    assert_eq!(value_of(&harness, "Output device"), "Headphones");
}

#[test]
fn a_notice_is_announced_and_can_be_dismissed() {
    let harness = open(View::Denoise, |bench| {
        bench.view_model.notice = Some(Notice { text: "Saved.".into(), is_error: false });
    });
    harness.get_by_label("Saved.");
    harness.get_by_label("Dismiss");
}

/// The tab key reaches every control once, and comes round.
#[test]
fn tab_goes_round_all_controls() {
    for view in [View::Denoise, View::Devices, View::About] {
        let mut harness = open(view, |_| {});
        let mut reached: Vec<String> = Vec::new();
        for _ in 0..80 {
            harness.key_press(egui::Key::Tab);
            harness.run();
            let focused = harness.root().children_recursive().find(|node| node.is_focused());
            let Some(label) = focused.and_then(|node| node.accesskit_node().label()) else { continue };
            if reached.first() == Some(&label) {
                break;
            }
            assert!(!reached.contains(&label), "{label} twice before the round was complete: {reached:?}");
            reached.push(label);
        }
        let expected: &[&str] = match view {
            View::Denoise => {
                &["Reduce by at most", "Mix", "Post filter", "Output", "Listen to: Denoised", "Silence below"]
            }
            View::Devices => &["Device A", "Device B", "Compare: Off", "Listen: B", "Export CSV", "Reset"],
            _ => &["Appearance: Dark"],
        };
        for label in expected.iter().chain(&["Preset", "Bypass", "Devices", "About"]) {
            assert!(
                reached.iter().any(|reached| reached == label),
                "{view:?}: {label} is not among {reached:?}"
            );
        }
    }
}
