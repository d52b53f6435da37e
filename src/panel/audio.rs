//! The standalone's audio devices, and a check that sound arrives.

use egui::{Align2, Rect, Stroke, StrokeKind, Ui, pos2, vec2};

use super::{
    Cx,
    host_params::Action,
    text::{self, Ink, NBSP},
    theme,
    widgets::{
        meter,
        picker::{self, Item},
    },
};

const GAP: f32 = 12.0;
const HEIGHT: f32 = 250.0;

/// Draws the view; returns its height.
pub fn view(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) -> f32 {
    let Some(audio) = cx.view_model.audio.clone() else { return 0.0 };
    let theme = cx.theme;
    let width = (rect.width() - GAP) / 2.0;
    for (i, (name, chosen, devices, action)) in [
        ("Input", &audio.input, &audio.inputs, Action::SelectInput as fn(String) -> Action),
        ("Output", &audio.output, &audio.outputs, Action::SelectOutput as fn(String) -> Action),
    ]
    .into_iter()
    .enumerate()
    {
        let left = rect.left() + (width + GAP) * i as f32;
        let at = Rect::from_min_size(pos2(left, rect.top() + GAP), vec2(width, HEIGHT));
        let outline = Stroke::new(1.0, theme.border);
        ui.painter().rect(at, theme::CARD_RADIUS, theme.card, outline, StrokeKind::Inside);
        let inside = at.shrink(14.0);
        let ink = Ink::new(theme::VALUE, theme.value).bold();
        text::draw(ui.painter(), inside.min, Align2::LEFT_TOP, name, ink);

        let bar = Rect::from_min_max(pos2(inside.right() - 22.0, inside.top()), inside.max - vec2(4.0, 40.0));
        let level = if i == 0 { &mut cx.view_model.input } else { &mut cx.view_model.output };
        meter::meter(ui, theme, bar, name, level);
        meter::scale(ui, theme, bar, bar.left() - 16.0);
        meter::caption(ui, theme, bar.center().x, bar.bottom() + 6.0, "Peak", level);
        let heard = level.max_db();

        let room = bar.left() - 36.0 - inside.left();
        let pick = Rect::from_min_size(inside.min + vec2(0.0, 28.0), vec2(room, 28.0));
        let items: Vec<Item<'_>> = devices.iter().map(|device| Item::new(device)).collect();
        let current = chosen.as_ref().and_then(|chosen| devices.iter().position(|device| device == chosen));
        let (_, wanted) = picker::pick(ui, cx, pick, &format!("{name} device"), &items, current);
        if let Some(wanted) = wanted {
            cx.params.perform(action(devices[wanted].clone()));
        }
        let advice = if i == 0 { input_advice(heard) } else { output_advice(heard) };
        let ink = Ink::new(theme::BODY, theme.label);
        let galley = text::paragraph(ui.painter(), advice, ink, room);
        text::place(ui.painter(), pos2(inside.left(), pick.bottom() + 14.0), Align2::LEFT_TOP, galley);
    }
    let below = pos2(rect.left(), rect.top() + GAP + HEIGHT + GAP);
    let shown = format!(
        "{} · {} · {}{NBSP}samples per callback. Choosing another device restarts the audio.",
        audio.backend,
        text::rate(cx.view_model.stream.rate_hz),
        text::grouped(audio.n_period_samples as u64)
    );
    text::draw(ui.painter(), below, Align2::LEFT_TOP, &shown, Ink::new(theme::SMALL, theme.hint));
    GAP + HEIGHT + GAP + 40.0
}

fn input_advice(peak_db: f32) -> &'static str {
    match peak_db {
        db if db < -60.0 => {
            "No signal. Speak; if nothing appears, choose another device or allow this program to use the microphone."
        }
        db if db < -36.0 => "Very quiet. Move closer or raise the microphone gain.",
        db if db > -3.0 => "Too loud. Lower the microphone gain to avoid clipping.",
        _ => "Good level. Aim for peaks between −24 and −6 dBFS.",
    }
}

fn output_advice(peak_db: f32) -> &'static str {
    match peak_db {
        db if db < -60.0 => "Silence, as expected if the input is only noise.",
        db if db > -0.1 => "At full scale. Lower the output gain.",
        _ => "Playing. Use headphones to avoid feedback.",
    }
}
