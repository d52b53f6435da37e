//! The standalone's audio devices, and a check that sound arrives.

use egui::{Align2, Rect, Role as Access, Ui, pos2, vec2};

use super::{
    Cx,
    host_params::Action,
    text::{self, Ink, NBSP},
    theme,
    view_model::Audio,
    widgets::{
        button, meter,
        picker::{self, Item},
        readable,
        segmented::{self, Segment},
    },
};

const GAP: f32 = 12.0;
const HEIGHT: f32 = 250.0;
/// Height of the facts below, points.
const FACTS: f32 = 108.0;

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
        ui.painter().add(theme.card_shape(at));
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
    let top = rect.top() + GAP + HEIGHT + GAP;
    let place = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), FACTS));
    ui.painter().add(theme.card_shape(place));
    facts(ui, cx, place.shrink2(vec2(14.0, 12.0)), &audio);
    let hint = Ink::new(theme::SMALL, theme.hint);
    let below = pos2(rect.left(), place.bottom() + GAP);
    text::draw(ui.painter(), below, Align2::LEFT_TOP, "Choosing another device restarts the audio.", hint);
    GAP + HEIGHT + GAP + FACTS + GAP + 28.0
}

/// How the sound is passed: system, rate, buffer, latency from device to device, dropouts; and the switch that ends it.
fn facts(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, audio: &Audio) {
    let theme = cx.theme;
    let rate_hz = cx.view_model.stream.rate_hz;
    let ms = |samples: f64| if rate_hz > 0.0 { samples * 1e3 / rate_hz } else { 0.0 };
    let own_ms = ms(cx.view_model.latency_samples() as f64);
    let buffer = format!(
        "{}{NBSP}samples · {:.1}{NBSP}ms",
        text::grouped(audio.n_period_samples as u64),
        ms(audio.n_period_samples as f64)
    );
    let total = match audio.device_latency_ms {
        Some(device_ms) => {
            format!("{:.1}{NBSP}ms: Tacet {own_ms:.1}, devices {device_ms:.1}", own_ms + f64::from(device_ms))
        }
        None => format!("Tacet {own_ms:.1}{NBSP}ms, devices unknown"),
    };
    let dropouts = match audio.n_xruns {
        Some(n_xruns) => text::grouped(n_xruns),
        None => format!("{} late hops", text::grouped(cx.view_model.stream.n_late)),
    };
    let rows = [
        (
            "System",
            format!("{} · {}", audio.backend, text::rate(rate_hz)),
            "The audio system, and its sample rate.",
        ),
        (
            "Buffer",
            buffer,
            "Samples per callback, and the time that they last. Less is quicker; too little drops out.",
        ),
        (
            "Total latency",
            total,
            "From the input device to the output device: Tacet's own and that of the devices, as they report it.",
        ),
        ("Dropouts", dropouts, "Buffers that the audio system lost since the start."),
    ];
    let pitch = rect.height() / rows.len() as f32;
    for (i, (name, shown, meaning)) in rows.into_iter().enumerate() {
        let y = rect.top() + pitch * (i as f32 + 0.5);
        text::draw(
            ui.painter(),
            pos2(rect.left(), y),
            Align2::LEFT_CENTER,
            name,
            Ink::new(theme::SMALL, theme.hint),
        );
        let ink = Ink::value(theme::BODY, theme.value);
        let drawn = text::draw(ui.painter(), pos2(rect.left() + 104.0, y), Align2::LEFT_CENTER, &shown, ink);
        let row =
            Rect::from_min_max(pos2(rect.left(), y - pitch / 2.0), pos2(drawn.right(), y + pitch / 2.0));
        let response = readable(ui, row, (name, "fact"), Access::Row, || format!("{name}: {shown}"));
        button::hint(response, cx, name, meaning);
    }
    let colour = if audio.is_muted { theme.red } else { theme.green };
    let segments = [Segment { text: "On", role: colour }, Segment { text: "Muted", role: colour }];
    let at = Rect::from_min_size(
        pos2(rect.right() - 120.0, rect.bottom() - segmented::HEIGHT),
        vec2(120.0, segmented::HEIGHT),
    );
    let label = Ink::new(theme::SMALL, theme.hint);
    text::draw(ui.painter(), at.left_top() - vec2(0.0, 18.0), Align2::LEFT_TOP, "Sound at the output", label);
    let meaning = "Muted, nothing is played: neither to whoever listens, nor to yourself. The meters go on.";
    if let Some(wanted) =
        segmented::switch(ui, cx, at, "Output", meaning, &segments, usize::from(audio.is_muted))
    {
        cx.params.perform(Action::Mute(wanted == 1));
    }
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
