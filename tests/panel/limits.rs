//! The handles of the limit by frequency: dragged, turned by keys, announced to screen readers.

use egui::{Modifiers, vec2};
use egui_kittest::{Harness, kittest::Queryable};
use tacet::panel::{Axis, Settings};
use tacet::parameters::ParamId;

use super::fixtures::{self, Bench};
use super::hands::{assert_one_gesture, drag};

fn open(settings: Settings) -> Harness<'static, Bench> {
    fixtures::open([1000.0, 640.0], Bench::new(fixtures::in_order(), &[(ParamId::Limit3kHz, 20.0)], settings))
}

#[test]
fn a_handle_follows_the_pointer_in_one_gesture() {
    let mut harness = open(Settings { limits: true, ..Settings::default() });
    let handle = |harness: &Harness<'_, Bench>| harness.get_by_label("Limit at 1 kHz").rect().center();
    let before = handle(&harness);
    drag(&mut harness, before, vec2(-150.0, 30.0), Modifiers::NONE);
    let limit = harness.state().params.number(ParamId::Limit1kHz);
    assert!((20.0..60.0).contains(&limit), "{limit} dB");
    let after = handle(&harness);
    // The first points distinguish a drag from a click; up and down means nothing.
    assert!((after.x - before.x + 150.0).abs() < 8.0 && after.y == before.y, "{before} to {after}");
    assert_one_gesture(&harness.state().events(), ParamId::Limit1kHz);
    let controls = harness.state().params.params().controls();
    assert_eq!(controls.shaping.limits_db, [100.0, 100.0, limit, 20.0, 100.0, 100.0]);
}

#[test]
fn handles_are_announced_and_turned_by_keys() {
    let mut harness = open(Settings { limits: true, ..Settings::default() });
    let value = |harness: &Harness<'_, Bench>, label: &str| harness.get_by_label(label).value();
    assert_eq!(value(&harness, "Limit at 100 Hz").as_deref(), Some("no limit"));
    assert_eq!(value(&harness, "Limit at 3 kHz").as_deref(), Some("20.0 dB"));
    harness.get_by_label("Limit at 3 kHz").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::ArrowLeft);
    harness.run_steps(2);
    assert_eq!(value(&harness, "Limit at 3 kHz").as_deref(), Some("19.0 dB"));
}

#[test]
fn handles_are_there_where_they_are_asked_for_and_have_room() {
    for (limits, axis, n_handles) in
        [(false, Axis::Logarithmic, 0), (true, Axis::Linear, 0), (true, Axis::Logarithmic, 6)]
    {
        let harness = open(Settings { limits, axis, ..Settings::default() });
        assert_eq!(harness.query_all_by_label_contains("Limit at").count(), n_handles, "{axis:?}");
    }
}
