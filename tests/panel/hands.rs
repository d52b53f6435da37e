//! Controls under pointer, wheel and keys: every change is a gesture with a begin and an end.

use egui::{Key, Modifiers, PointerButton, Pos2, Vec2, vec2};
use egui_kittest::{Harness, kittest::Queryable};
use tacet::panel::{Axis, Page, Settings, View, host_params::Action, theme::Appearance};

use tacet::parameters::ParamId;

use super::fixtures::{self, Bench, Event};

fn open(view: View) -> Harness<'static, Bench> {
    let settings = Settings { view, advanced: true, page: Page::Stages, ..Settings::default() };
    fixtures::open([1000.0, 640.0], Bench::new(fixtures::in_order(), &[(ParamId::Limit, 24.0)], settings))
}

fn limit(harness: &Harness<'_, Bench>) -> f32 {
    harness.state().params.number(ParamId::Limit)
}

/// Presses at a place, goes over it by `by`, lets go.
pub fn drag(harness: &mut Harness<'_, Bench>, from: Pos2, by: Vec2, modifiers: Modifiers) {
    let button =
        |pos, pressed| egui::Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers };
    harness.event(egui::Event::ModifiersChanged(modifiers));
    harness.hover_at(from);
    harness.step();
    harness.event(button(from, true));
    harness.step();
    for i in 1..=4 {
        harness.hover_at(from + by * (i as f32 / 4.0));
        harness.step();
    }
    harness.event(button(from + by, false));
    harness.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    harness.run_steps(2);
}

/// One begin, then sets, then one end, all of the same parameter.
pub fn assert_one_gesture(events: &[Event], id: ParamId) {
    assert_eq!(events.first(), Some(&Event::Begin(id)), "{events:?}");
    assert_eq!(events.last(), Some(&Event::End(id)), "{events:?}");
    let middle = &events[1..events.len() - 1];
    assert!(
        !middle.is_empty() && middle.iter().all(|event| matches!(event, Event::Set(of, _) if *of == id)),
        "{events:?}"
    );
}

#[test]
fn dragging_up_turns_up_in_one_gesture() {
    let mut harness = open(View::Denoise);
    let knob = harness.get_by_label("Reduce by at most").rect().center();
    drag(&mut harness, knob, vec2(0.0, -40.0), Modifiers::NONE);
    // 200 points are the whole range of 100 dB; the first few points distinguish a drag from a click.
    assert!((limit(&harness) - 44.0).abs() < 4.0, "{}", limit(&harness));
    assert_one_gesture(&harness.state().events(), ParamId::Limit);
}

#[test]
fn shift_makes_it_ten_times_finer() {
    let mut harness = open(View::Denoise);
    let knob = harness.get_by_label("Reduce by at most").rect().center();
    drag(&mut harness, knob, vec2(0.0, -40.0), Modifiers::SHIFT);
    assert!((limit(&harness) - 26.0).abs() < 0.4, "{}", limit(&harness));
}

#[test]
fn a_double_click_resets() {
    let mut harness = open(View::Denoise);
    let knob = harness.get_by_label("Reduce by at most").rect().center();
    for pressed in [true, false, true, false] {
        harness.hover_at(knob);
        harness.event(egui::Event::PointerButton {
            pos: knob,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
        harness.step();
    }
    harness.run_steps(2);
    assert_eq!(limit(&harness), 100.0);
    assert_one_gesture(&harness.state().events(), ParamId::Limit);
}

#[test]
fn the_wheel_turns_and_its_ticks_are_one_gesture() {
    let mut harness = open(View::Denoise);
    let knob = harness.get_by_label("Reduce by at most").rect().center();
    harness.hover_at(knob);
    for _ in 0..3 {
        harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Line,
            delta: vec2(0.0, 1.0),
            modifiers: Modifiers::NONE,
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Unknown,
        });
        harness.run_steps(3);
    }
    harness.run_steps(20);
    assert!(limit(&harness) > 25.0 && limit(&harness) < 40.0, "{}", limit(&harness));
    assert_one_gesture(&harness.state().events(), ParamId::Limit);
}

#[test]
fn keys_turn_what_has_the_focus() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Reduce by at most").focus();
    harness.run_steps(2);
    for key in [Key::ArrowUp, Key::ArrowRight, Key::PageUp, Key::ArrowDown] {
        harness.key_press(key);
        harness.step();
    }
    assert!((limit(&harness) - 35.0).abs() < 0.01, "{}", limit(&harness));
    harness.run_steps(20);
    assert_one_gesture(&harness.state().events(), ParamId::Limit);
    for (key, value) in [(Key::Home, 0.0), (Key::End, 100.0), (Key::Home, 0.0), (Key::Delete, 100.0)] {
        harness.key_press(key);
        harness.run_steps(2);
        assert_eq!(limit(&harness), value, "{key:?}");
    }
}

#[test]
fn enter_opens_a_field_and_enter_takes_its_value() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Reduce by at most").focus();
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.step();
    harness.event(egui::Event::Text("12.5".into()));
    harness.step();
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert!((limit(&harness) - 12.5).abs() < 1e-3, "{}", limit(&harness));
}

#[test]
fn a_digit_begins_a_new_value_and_escape_forgets_it() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Reduce by at most").focus();
    harness.run_steps(2);
    harness.event(egui::Event::Text("6".into()));
    harness.run_steps(3);
    harness.event(egui::Event::Text("0".into()));
    harness.step();
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert!((limit(&harness) - 60.0).abs() < 1e-3, "{}", limit(&harness));

    harness.get_by_label("Reduce by at most").focus();
    harness.run_steps(2);
    harness.event(egui::Event::Text("9".into()));
    harness.run_steps(3);
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert!((limit(&harness) - 60.0).abs() < 1e-3, "{}", limit(&harness));
}

#[test]
fn tab_goes_on_from_where_a_value_was_typed() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Mix").focus();
    harness.run_steps(2);
    harness.event(egui::Event::Text("5".into()));
    harness.run_steps(3);
    harness.key_press(Key::Tab);
    harness.run_steps(3);
    assert!((harness.state().params.number(ParamId::Mix) - 5.0).abs() < 0.1);
    assert!(harness.get_by_label("Post filter").is_focused(), "the control after the one that was typed at");
    // Enter leaves the focus where the value is, for the next key.
    harness.event(egui::Event::Text("0".into()));
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert!(harness.get_by_label("Post filter").is_focused());
}

#[test]
fn after_a_click_and_enter_no_control_has_the_keyboard() {
    let mut harness = open(View::Denoise);
    // The value stands below its knob.
    let knob = harness.get_by_label("Reduce by at most").rect();
    drag(&mut harness, knob.center_bottom() + vec2(0.0, 12.0), vec2(0.0, 0.0), Modifiers::NONE);
    harness.run_steps(3);
    assert!(harness.ctx.egui_wants_keyboard_input());
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert!(harness.ctx.memory(|memory| memory.focused()).is_none(), "it is the host's");
}

#[test]
fn the_sound_is_muted_and_heard_again() {
    let settings = Settings { view: View::Audio, ..Settings::default() };
    let mut view_model = fixtures::in_order();
    view_model.audio = Some(fixtures::audio());
    let bench = Bench::new(view_model, &[], settings);
    let mut harness = fixtures::window(Harness::builder().with_size([860.0, 560.0]), bench);
    harness.run_steps(2);
    harness.get_by_label("Output: Muted").click();
    harness.run_steps(2);
    assert!(harness.state().events().contains(&Event::Did(Action::Mute(true))));
}

#[test]
fn assistive_tools_can_turn_it() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Reduce by at most").set_value_accesskit(30.0);
    harness.run_steps(2);
    assert!((limit(&harness) - 30.0).abs() < 1e-3);
    harness.get_by_label("Reduce by at most").increment_accesskit();
    harness.run_steps(2);
    assert!((limit(&harness) - 31.0).abs() < 1e-3);
}

#[test]
fn choices_are_made_by_click_and_by_arrow() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Listen to: Removed").click();
    harness.run_steps(2);
    assert_eq!(harness.state().params.number(ParamId::Listen), 1.0);
    assert_one_gesture(&harness.state().events(), ParamId::Listen);
    harness.get_by_label("Listen to: Removed").focus();
    harness.run_steps(2);
    harness.key_press(Key::ArrowLeft);
    harness.run_steps(2);
    assert_eq!(harness.state().params.number(ParamId::Listen), 0.0);
}

#[test]
fn bypass_goes_on_and_off() {
    let mut harness = open(View::Denoise);
    for expected in [1.0, 0.0] {
        harness.get_by_label("Bypass").click();
        harness.run_steps(2);
        assert_eq!(harness.state().params.number(ParamId::Bypass), expected);
    }
}

#[test]
fn a_drag_ends_with_the_button_even_if_the_view_has_changed() {
    let mut harness = open(View::Denoise);
    let knob = harness.get_by_label("Mix").rect().center();
    harness.hover_at(knob);
    harness.step();
    let button = |pressed| egui::Event::PointerButton {
        pos: knob,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    harness.event(button(true));
    harness.step();
    harness.hover_at(knob + vec2(0.0, 30.0));
    harness.step();
    harness.state_mut().settings.view = View::About;
    harness.run_steps(2);
    harness.event(button(false));
    harness.run_steps(2);
    assert_one_gesture(&harness.state().events(), ParamId::Mix);
}

#[test]
fn presets_are_recalled_saved_and_deleted() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Preset").click();
    harness.run_steps(3);
    harness.get_by_label("Field recording").click();
    harness.run_steps(3);
    assert_eq!(harness.state().events(), [Event::Did(Action::RecallPreset("Field recording".into()))]);
    assert!(harness.query_by_label("Archive").is_none(), "the list closes");

    harness.get_by_label("Preset").click();
    harness.run_steps(3);
    harness.get_by_label("Preset name").focus();
    harness.run_steps(2);
    harness.event(egui::Event::Text("Mine".into()));
    harness.run_steps(2);
    harness.get_by_label("Save").click();
    harness.run_steps(3);
    assert_eq!(harness.state().events().last(), Some(&Event::Did(Action::SavePreset("Mine".into()))));

    harness.get_by_label("Preset").click();
    harness.run_steps(3);
    harness.get_by_label("Delete Studio B, air conditioning").click();
    harness.run_steps(3);
    let deleted = Action::DeletePreset("Studio B, air conditioning".into());
    assert_eq!(harness.state().events().last(), Some(&Event::Did(deleted)));
}

#[test]
fn devices_are_chosen_and_unavailable_ones_are_not() {
    let mut harness = open(View::Devices);
    for (name, expected) in [("torch CUDA", 0.0), ("torch MPS", fixtures::MPS)] {
        if harness.query_all_by_label("torch CPU").next().is_none() {
            harness.get_by_label("Device A").click();
            harness.run_steps(3);
        }
        harness.get_by_label(name).click();
        harness.run_steps(3);
        assert_eq!(harness.state().params.number(ParamId::DeviceA), expected, "{name}");
    }
}

#[test]
fn b_is_heard_only_while_it_runs() {
    let mut harness = open(View::Devices);
    harness.get_by_label("Listen: B").click();
    harness.run_steps(2);
    assert_eq!(harness.state().params.number(ParamId::Listen), 0.0);
    harness.get_by_label("Compare: On").click();
    harness.run_steps(2);
    assert_eq!(harness.state().events().last(), Some(&Event::Did(Action::OpenDevices)));
    harness.get_by_label("Listen: B").click();
    harness.run_steps(2);
    assert_eq!(harness.state().params.number(ParamId::Listen), 3.0);
    harness.get_by_label("Listen: A").click();
    harness.run_steps(2);
    assert_eq!(harness.state().params.number(ParamId::Listen), 0.0);
}

#[test]
fn measurements_are_exported_reset_and_retried() {
    let mut harness = open(View::Devices);
    for (label, action) in [("Export CSV", Action::ExportCsv), ("Reset", Action::ResetStatistics)] {
        harness.get_by_label(label).click();
        harness.run_steps(2);
        assert_eq!(harness.state().events().last(), Some(&Event::Did(action)));
    }
    harness.get_by_label("MPS fallback: On").click();
    harness.run_steps(2);
    assert_eq!(harness.state().events().last(), Some(&Event::Did(Action::SetMpsFallback(true))));
}

#[test]
fn settings_change_where_they_are_shown() {
    let mut harness = open(View::Denoise);
    harness.get_by_label("Frequency axis: Linear").click();
    harness.run_steps(2);
    assert_eq!(harness.state().settings.axis, Axis::Linear);
    harness.get_by_label("Advanced").click();
    harness.run_steps(2);
    assert!(!harness.state().settings.advanced);
    harness.get_by_label("About").click();
    harness.run_steps(2);
    harness.get_by_label("Appearance: Light").click();
    harness.run_steps(2);
    assert_eq!(
        (harness.state().settings.view, harness.state().settings.appearance),
        (View::About, Appearance::Light)
    );
}

#[test]
fn the_chips_lead_to_what_they_sum_up() {
    let mut harness = open(View::Denoise);
    harness.get_by_label_contains("Engine: native CPU").click();
    harness.run_steps(2);
    assert_eq!(harness.state().settings.view, View::Devices);
    harness.get_by_label_contains("Latency: 50.0").click();
    harness.run_steps(2);
    assert_eq!(harness.state().settings.view, View::About);
}

/// Nothing moves, so nothing is painted again.
#[test]
fn at_rest_the_panel_asks_for_no_repaint() {
    let mut harness = open(View::Denoise);
    harness.run_steps(5);
    assert!(!harness.ctx.has_requested_repaint());
}
