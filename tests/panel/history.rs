//! Undo, redo and the two sets of a program of its own.

use egui::{Key, Modifiers};
use egui_kittest::{Harness, kittest::Queryable};
use tacet::panel::{Settings, View};
use tacet::parameters::ParamId;

use super::fixtures::{self, Bench};

fn open(is_standalone: bool) -> Harness<'static, Bench> {
    let settings = Settings { view: View::Denoise, ..Settings::default() };
    let mut view_model = fixtures::in_order();
    view_model.audio = is_standalone.then(fixtures::audio);
    fixtures::open([900.0, 600.0], Bench::new(view_model, &[(ParamId::Limit, 24.0)], settings))
}

fn number(harness: &Harness<'_, Bench>, id: ParamId) -> f32 {
    (harness.state().params.number(id) * 100.0).round() / 100.0
}

fn set(harness: &mut Harness<'_, Bench>, id: ParamId, value: f32) {
    harness.state_mut().params.change(id, value);
    harness.run_steps(2);
}

fn press(harness: &mut Harness<'_, Bench>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(3);
}

#[test]
fn steps_are_taken_back_and_forward_again() {
    let mut harness = open(true);
    set(&mut harness, ParamId::Limit, 0.5);
    set(&mut harness, ParamId::Mix, 0.25);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!((number(&harness, ParamId::Limit), number(&harness, ParamId::Mix)), (50.0, 100.0));
    harness.get_by_label("Undo").click();
    harness.run_steps(3);
    assert_eq!(number(&harness, ParamId::Limit), 24.0);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(number(&harness, ParamId::Limit), 24.0, "there is nothing before the beginning");
    press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    harness.get_by_label("Redo").click();
    harness.run_steps(3);
    assert_eq!((number(&harness, ParamId::Limit), number(&harness, ParamId::Mix)), (50.0, 25.0));
    // Another change forgets what was taken back.
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    set(&mut harness, ParamId::Limit, 0.75);
    press(&mut harness, Modifiers::COMMAND, Key::Y);
    assert_eq!((number(&harness, ParamId::Limit), number(&harness, ParamId::Mix)), (75.0, 100.0));
}

#[test]
fn two_sets_are_kept_apart_and_copied() {
    let mut harness = open(true);
    set(&mut harness, ParamId::Limit, 0.5);
    let go_to = |harness: &mut Harness<'_, Bench>, name: &str| {
        harness.get_by_label(name).click();
        harness.run_steps(3);
    };
    go_to(&mut harness, "Settings: 2");
    assert_eq!(number(&harness, ParamId::Limit), 24.0, "both began alike");
    set(&mut harness, ParamId::PostFilter, 1.0);
    go_to(&mut harness, "Settings: 1");
    assert_eq!((number(&harness, ParamId::Limit), number(&harness, ParamId::PostFilter)), (50.0, 0.0));
    // Steps are each set's own.
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(number(&harness, ParamId::Limit), 24.0);
    press(&mut harness, Modifiers::COMMAND, Key::Y);
    go_to(&mut harness, "Copy 1 to 2");
    go_to(&mut harness, "Settings: 2");
    assert_eq!((number(&harness, ParamId::Limit), number(&harness, ParamId::PostFilter)), (50.0, 0.0));
    // The choice of what is heard belongs to no set.
    set(&mut harness, ParamId::Bypass, 1.0);
    go_to(&mut harness, "Settings: 1");
    assert_eq!(number(&harness, ParamId::Bypass), 1.0);
}

#[test]
fn a_host_has_its_own() {
    let mut harness = open(false);
    assert!(harness.query_by_label("Undo").is_none() && harness.query_by_label("Settings: 2").is_none());
    set(&mut harness, ParamId::Limit, 0.5);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(number(&harness, ParamId::Limit), 50.0);
}
