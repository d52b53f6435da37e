//! Version, model, latency terms, threads, appearance, licences.

use egui::{Align2, Rect, Role as Access, Stroke, Ui, pos2, vec2};

use super::{
    Cx,
    text::{self, DASH, Ink, NBSP},
    theme::{self, Appearance, Theme},
    widgets::{
        readable,
        segmented::{self, Segment},
    },
};

const GAP: f32 = 12.0;
const ROW: f32 = 22.0;

/// Draws the view; returns its height.
pub fn view(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) -> f32 {
    let width = (rect.width() - GAP) / 2.0;
    let left = Rect::from_min_size(rect.min + vec2(0.0, GAP), vec2(width, 0.0));
    let right = left.translate(vec2(width + GAP, 0.0));
    let mut heights = [0.0; 2];
    heights[0] += latency(ui, cx, left) + GAP;
    heights[0] += appearance(ui, cx, left.translate(vec2(0.0, heights[0]))) + GAP;
    heights[1] += version(ui, cx, right) + GAP;
    heights[1] += hands(ui, cx, right.translate(vec2(0.0, heights[1]))) + GAP;
    heights[0].max(heights[1]) + GAP
}

/// A card with a title; `contents` draws into it from a given height on and returns where it ends.
fn card(ui: &Ui, theme: &Theme, at: Rect, title: &str, contents: impl FnOnce(Rect) -> f32) -> f32 {
    let background = ui.painter().add(egui::Shape::Noop);
    let inside = Rect::from_min_size(at.min + vec2(14.0, 40.0), vec2(at.width() - 28.0, 0.0));
    let ink = Ink::new(theme::VALUE, theme.value).bold();
    text::draw(ui.painter(), at.min + vec2(14.0, 14.0), Align2::LEFT_TOP, title, ink);
    let bottom = contents(inside) + 12.0;
    let rect = Rect::from_min_max(at.min, pos2(at.right(), bottom));
    ui.painter().set(background, theme.card_shape(rect));
    rect.height()
}

/// A line of a card: name at the left, value at the right or below. Returns where it ends.
fn line(ui: &Ui, theme: &Theme, at: egui::Pos2, width: f32, name: &str, value: &str) -> f32 {
    let label = Ink::new(theme::BODY, theme.hint);
    text::draw(ui.painter(), at, Align2::LEFT_TOP, name, label);
    let column = 110.0;
    let galley = text::paragraph(ui.painter(), value, Ink::new(theme::BODY, theme.label), width - column);
    let drawn = text::place(ui.painter(), pos2(at.x + column, at.y), Align2::LEFT_TOP, galley);
    readable(ui, drawn, name, Access::Label, || format!("{name}: {value}"));
    drawn.bottom() + 7.0
}

fn version(ui: &Ui, cx: &Cx<'_>, at: Rect) -> f32 {
    let theme = cx.theme;
    let shown = &*cx.view_model;
    card(ui, theme, at, "Tacet", |inside| {
        let (width, mut y) = (inside.width(), inside.top());
        let workers = match shown.process.workers.as_slice() {
            [] => "no inference thread".into(),
            workers => workers
                .iter()
                .map(|(device, n_streams)| format!("{device}: {n_streams} stream{}", plural(*n_streams)))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let instances = shown.process.n_instances;
        for (name, value) in [
            ("Version", shown.process.version.clone()),
            ("Model", shown.model.clone()),
            ("Instances", format!("{instances} in this process, one thread per device")),
            ("Threads", workers),
            ("Licence", "MIT or Apache-2.0".into()),
            (
                "Model weights",
                "DeepFilterNet3 by Hendrik Schröter, published with code under MIT or Apache-2.0".into(),
            ),
            ("Typeface", "Inter, SIL Open Font License 1.1".into()),
            (
                "Libraries",
                "nice-plug, egui, RealFFT, Rubato and others, all under permissive licences".into(),
            ),
        ] {
            y = line(ui, theme, pos2(inside.left(), y), width, name, &value);
        }
        y
    })
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// The named terms in samples and milliseconds.
fn latency(ui: &Ui, cx: &Cx<'_>, at: Rect) -> f32 {
    let theme = cx.theme;
    let stream = &cx.view_model.stream;
    card(ui, theme, at, "Latency", |inside| {
        let mut y = inside.top();
        let painter = ui.painter();
        let (samples_x, ms_x) = (inside.right() - 78.0, inside.right());
        let mut row = |name: &str, samples: &str, ms: &str, ink: Ink| {
            let middle = y + ROW / 2.0;
            text::draw(painter, pos2(inside.left(), middle), Align2::LEFT_CENTER, name, ink);
            text::draw(painter, pos2(samples_x, middle), Align2::RIGHT_CENTER, samples, ink.tabular());
            text::draw(painter, pos2(ms_x, middle), Align2::RIGHT_CENTER, ms, ink.tabular());
            let rect = Rect::from_min_size(pos2(inside.left(), y), vec2(inside.width(), ROW));
            let read = || format!("{name}: {samples} samples, {ms} ms");
            readable(ui, rect, (name, "latency"), Access::Row, read);
            y += ROW;
            painter.hline(inside.x_range(), y, Stroke::new(1.0, theme.border));
        };
        let rate = if stream.is_active() { text::rate(stream.rate_hz) } else { DASH.into() };
        let head = Ink::new(theme::SMALL, theme.hint);
        row(&format!("at {rate}"), "samples", "ms", head);
        let ms = |samples: f64| format!("{:.2}", samples / stream.rate_hz * 1e3);
        for (name, samples) in cx.view_model.latency.iter().flat_map(|latency| latency.terms) {
            let whole = (samples - samples.round()).abs() < 0.005;
            let shown = if whole { text::grouped(samples.round() as u64) } else { format!("{samples:.2}") };
            row(name, &text::signed(shown), &text::signed(ms(samples)), Ink::new(theme::BODY, theme.label));
        }
        if stream.is_active() {
            let total = cx.view_model.latency_samples();
            let ink = Ink::new(theme::BODY, theme.value).bold();
            row("Reported to the host", &text::grouped(total as u64), &ms(total as f64), ink);
        }
        let notice = match stream.rate_hz {
            48e3 => format!("The network runs at 48{NBSP}kHz, like this host: nothing is resampled."),
            0.0 => "The host has not started audio yet.".into(),
            rate_hz => format!(
                "The network works at 48{NBSP}kHz: the audio is resampled from {} and back, which costs the \
                 time above. At 48{NBSP}kHz it would cost none.",
                text::rate(rate_hz)
            ),
        };
        let galley = text::paragraph(painter, &notice, Ink::new(theme::SMALL, theme.hint), inside.width());
        let drawn = text::place(painter, pos2(inside.left(), y + 10.0), Align2::LEFT_TOP, galley);
        drawn.bottom()
    })
}

fn appearance(ui: &Ui, cx: &mut Cx<'_>, at: Rect) -> f32 {
    let theme = cx.theme;
    card(ui, theme, at, "Appearance", |inside| {
        let segments = ["Dark", "Light"].map(|text| Segment { text, role: theme.green });
        let chosen = usize::from(cx.settings.appearance == Appearance::Light);
        let rect = Rect::from_min_size(inside.min, vec2(140.0, segmented::HEIGHT));
        let meaning = "Dark or light colours.";
        if let Some(wanted) = segmented::switch(ui, cx, rect, "Appearance", meaning, &segments, chosen) {
            cx.settings.appearance = if wanted == 1 { Appearance::Light } else { Appearance::Dark };
        }
        let ink = Ink::new(theme::SMALL, theme.hint);
        let at = pos2(rect.right() + 12.0, rect.center().y);
        text::draw(ui.painter(), at, Align2::LEFT_CENTER, "Ctrl or Cmd with + or − scales", ink);
        rect.bottom()
    })
}

/// How the controls are used.
fn hands(ui: &Ui, cx: &Cx<'_>, at: Rect) -> f32 {
    let theme = cx.theme;
    card(ui, theme, at, "Controls", |inside| {
        let mut y = inside.top();
        for (name, value) in [
            ("Drag, wheel", "change the value; Shift for fine steps"),
            ("Double-click", "resets to the default"),
            ("Click a value", "opens a text field"),
            ("Tab", "moves to the next control"),
            ("Arrows, pages", "change the value; Home and End set the limits"),
        ] {
            y = line(ui, theme, pos2(inside.left(), y), inside.width(), name, value);
        }
        y
    })
}
