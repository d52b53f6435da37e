//! The device view: two slots side by side, their cost, and the difference of their outputs.

use egui::{Align2, Color32, Rect, Role as Access, Stroke, StrokeKind, Ui, pos2, vec2};

use super::{
    Cx,
    host_params::Action,
    text::{self, DASH, Ink, NBSP},
    theme::{self, Role, Theme},
    view_model::{DeviceState, SlotView, Warning},
    widgets::{
        button, histogram, icon,
        picker::{self, Item},
        readable, row,
        segmented::{self, Segment},
        table,
    },
};
use crate::lab::{Phase, Summary};
use crate::parameters::{Choice as _, ParamId};
use crate::processor::controls::Listen;

const GAP: f32 = 12.0;
const SLOTS: [&str; 2] = ["A", "B"];
const PARAMS: [ParamId; 2] = [ParamId::DeviceA, ParamId::DeviceB];
/// Height of a card with everything in order, points.
const CARD: f32 = 48.0 + table::ROW * table::N_ROWS as f32 + 54.0;
/// Least and largest height of the histogram, points.
const HISTOGRAM: [f32; 2] = [100.0, 240.0];

/// Height of the lines on the computer with their space, points.
const COMPUTER: f32 = 86.0;

/// Draws the view; returns its height.
pub fn view(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) -> f32 {
    let mut rest = rect;
    rest.min.y += GAP;
    for warning in cx.view_model.system.warnings.clone() {
        let height = banner(ui, cx, rest, &warning);
        row(&mut rest, height, GAP);
    }
    let width = (rect.width() - GAP) / 2.0;
    let roles = [cx.theme.green, cx.theme.blue];
    let troubles: [f32; 2] = std::array::from_fn(|i| trouble_height(ui, cx, width, &cx.view_model.slots[i]));
    let cards = row(&mut rest, CARD + troubles[0].max(troubles[1]), GAP);
    for (i, &role) in roles.iter().enumerate() {
        let left = cards.left() + (width + GAP) * i as f32;
        let at = Rect::from_min_size(pos2(left, cards.top()), vec2(width, cards.height()));
        card(ui, cx, at, i, role);
    }
    switches(ui, cx, row(&mut rest, segmented::HEIGHT, GAP));

    let phase = cx.settings.phase as usize;
    let shown: Vec<_> = (0..2)
        .filter(|&i| cx.view_model.slots[i].state != DeviceState::Off)
        .map(|i| (SLOTS[i], roles[i], &cx.view_model.slots[i].summaries[phase].histogram))
        .collect();
    // The computer's lines below it fit too where nothing needs to be warned of.
    let left_over = rest.height() - COMPUTER;
    let height = left_over.clamp(HISTOGRAM[0], HISTOGRAM[1]);
    histogram::histogram(ui, cx.theme, row(&mut rest, height, GAP), &shown);
    let bottom = rest.top() + computer(ui, cx, rest);
    bottom + GAP - rect.top()
}

/// A warning: what, what it means, what to do. Returns its height.
fn banner(ui: &Ui, cx: &Cx<'_>, at: Rect, warning: &Warning) -> f32 {
    let theme = cx.theme;
    let painter = ui.painter();
    let mut job = text::job(painter, &warning.title, Ink::new(theme::BODY, theme.amber.text).bold());
    text::append(painter, &mut job, &format!(" {} ", warning.meaning), Ink::new(theme::BODY, theme.value));
    text::append(painter, &mut job, &warning.next_step, Ink::new(theme::BODY, theme.amber.text));
    job.wrap = egui::text::TextWrapping::wrap_at_width(at.width() - 58.0);
    let galley = painter.layout_job(job);
    let rect = Rect::from_min_size(at.min, vec2(at.width(), galley.size().y + 20.0));
    let line = Stroke::new(1.0, theme.amber.fill.gamma_multiply(0.6));
    painter.rect(rect, theme::CARD_RADIUS, theme.amber.wash, line, StrokeKind::Inside);
    icon::warning(painter, pos2(rect.left() + 22.0, rect.center().y), theme.amber.fill, theme.amber.wash);
    text::place(painter, pos2(rect.left() + 42.0, rect.center().y), Align2::LEFT_CENTER, galley);
    let Warning { title, meaning, next_step } = warning;
    readable(ui, rect, title, Access::Alert, || format!("{title} {meaning} {next_step}"));
    rect.height()
}

fn trouble(ui: &Ui, cx: &Cx<'_>, width: f32, slot: &SlotView) -> Option<std::sync::Arc<egui::Galley>> {
    let DeviceState::FellBack { reason, .. } = &slot.state else { return None };
    let ink = Ink::new(theme::BODY, cx.theme.amber.text);
    Some(text::paragraph(ui.painter(), reason, ink, width - 28.0 - 80.0))
}

fn trouble_height(ui: &Ui, cx: &Cx<'_>, width: f32, slot: &SlotView) -> f32 {
    trouble(ui, cx, width, slot).map_or(0.0, |galley| galley.size().y.max(button::HEIGHT) + 10.0)
}

/// One slot.
fn card(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect, i: usize, role: Role) {
    let theme = cx.theme;
    ui.painter().add(theme.card_shape(rect));
    let inside = rect.shrink2(vec2(14.0, 12.0));
    let badge = Rect::from_min_size(inside.min + vec2(0.0, 3.0), vec2(20.0, 20.0));
    icon::slot(ui.painter(), badge, SLOTS[i], role, theme.window);

    let state = state_text(&cx.view_model.slots[i], theme, role);
    let ink = Ink::new(theme::SMALL, state.colour);
    let galley = text::elided(ui.painter(), &state.text, ink, 190.0);
    let right = pos2(inside.right(), inside.top() + 13.0);
    let picker_right = right.x - galley.size().x - 30.0;
    let pick = Rect::from_min_max(
        pos2(badge.right() + 10.0, inside.top()),
        pos2(picker_right.min(badge.right() + 170.0), inside.top() + button::HEIGHT),
    );
    device_picker(ui, cx, pick, i);
    let at = text::place(ui.painter(), right, Align2::RIGHT_CENTER, galley);
    icon::dot(ui.painter(), pos2(at.left() - 11.0, right.y), state.dot, state.settled);
    let read = || format!("Slot {}: {}", SLOTS[i], state.text);
    readable(ui, at, (SLOTS[i], "state"), Access::Status, read);

    let slot = &cx.view_model.slots[i];
    let summary = &slot.summaries[cx.settings.phase as usize];
    let height = table::ROW * table::N_ROWS as f32;
    let at = Rect::from_min_size(inside.min + vec2(0.0, 36.0), vec2(inside.width(), height));
    table::table(ui, theme, at, SLOTS[i], summary, slot.has_transfers);
    sums(ui, theme, pos2(inside.left(), at.bottom() + 6.0), inside.width(), slot, summary);

    // At the foot, so that the rows of both cards stay side by side.
    if let Some(galley) = trouble(ui, cx, rect.width(), &cx.view_model.slots[i]) {
        let height = galley.size().y.max(button::HEIGHT);
        let middle = inside.bottom() - height / 2.0;
        text::place(ui.painter(), pos2(inside.left(), middle), Align2::LEFT_CENTER, galley);
        let retry = Rect::from_center_size(pos2(inside.right() - 32.0, middle), vec2(64.0, button::HEIGHT));
        let tip = "Opens the device again. The native engine plays until it is live.";
        if ui.push_id(i, |ui| button::button(ui, cx, retry, "Retry", tip).clicked()).inner {
            cx.params.perform(Action::Retry(i));
        }
    }
}

/// Transfer overhead, load and missed deadlines.
fn sums(ui: &Ui, theme: &Theme, at: egui::Pos2, width: f32, slot: &SlotView, summary: &Summary) {
    let overhead = match (summary.n_window_hops, slot.has_transfers, summary.transfer_overhead()) {
        (0, ..) => DASH.to_owned(),
        (_, false, _) | (_, _, None) => "none".into(),
        (_, true, Some((us, percent))) => {
            let probe =
                slot.probe_us.map(|us| format!(" · empty {}", text::duration(us))).unwrap_or_default();
            format!("{} · {} of the step{probe}", text::duration(us), text::percent(percent))
        }
    };
    let load = match summary.load_percent() {
        Some(load) => format!("{} · {}", text::percent(load), text::grouped(summary.n_missed)),
        None => DASH.into(),
    };
    let overloaded = summary.n_missed > 0 || summary.load_percent().is_some_and(|load| load > 100.0);
    let load_colour = if overloaded { theme.red.text } else { theme.value };
    for (i, (name, shown, colour, tip)) in [
        (
            "Transfer overhead",
            overhead,
            theme.value,
            "Measured median time of upload and download per hop, and its share of the step. Empty: median of round \
             trips with the same tensors and no work.",
        ),
        (
            "Load · missed deadlines",
            load,
            load_colour,
            "Mean time of a step in % of a hop (10 ms), and late hops since the last reset.",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let y = at.y + 9.0 + 18.0 * i as f32;
        text::draw(ui.painter(), pos2(at.x, y), Align2::LEFT_CENTER, name, Ink::new(theme::SMALL, theme.hint));
        let ink = Ink::value(theme::BODY, colour);
        text::draw(ui.painter(), pos2(at.x + width, y), Align2::RIGHT_CENTER, &shown, ink);
        let row = Rect::from_min_size(pos2(at.x, y - 9.0), vec2(width, 18.0));
        let read = || format!("{name}: {shown}");
        readable(ui, row, (at.x.to_bits(), name), Access::Row, read).on_hover_text(tip);
    }
}

struct StateText {
    text: String,
    colour: Color32,
    dot: Color32,
    settled: bool,
}

fn state_text(slot: &SlotView, theme: &Theme, role: Role) -> StateText {
    let busy = |text: &str| StateText {
        text: text.into(),
        colour: theme.amber.text,
        dot: theme.amber.fill,
        settled: false,
    };
    match &slot.state {
        DeviceState::Off => {
            StateText { text: "off".into(), colour: theme.hint, dot: theme.hint, settled: false }
        }
        DeviceState::Opening(_) => busy("loading the library"),
        DeviceState::Warming(_) => busy("warming up"),
        DeviceState::Checking(_) => busy("self-check against native"),
        DeviceState::Live(_) if slot.detail.is_empty() => {
            StateText { text: "live".into(), colour: theme.label, dot: role.fill, settled: true }
        }
        DeviceState::Live(_) => {
            let text = format!("live · {}", slot.detail);
            StateText { text, colour: theme.label, dot: role.fill, settled: true }
        }
        DeviceState::FellBack { .. } => StateText {
            text: "fell back to native".into(),
            colour: theme.amber.text,
            dot: theme.amber.fill,
            settled: true,
        },
    }
}

fn device_picker(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, i: usize) {
    let id = PARAMS[i];
    let devices = cx.view_model.slots[i].devices.clone();
    let items: Vec<Item<'_>> = devices
        .iter()
        .map(|device| Item { text: &device.name, why_not: device.why_not.as_deref() })
        .collect();
    let chosen = cx.params.choice(id);
    let (response, wanted) = picker::pick(ui, cx, rect, id.spec().label, &items, Some(chosen));
    button::hint(response, cx, id.spec().label, id.spec().help);
    if let Some(wanted) = wanted {
        cx.params.choose(id, wanted);
    }
}

/// Compare, listen, null depth at the left; what to do with the numbers at the right.
fn switches(ui: &Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let middle = rect.center().y;
    let label = |ui: &Ui, x: f32, text: &str| {
        let ink = Ink::new(theme::BODY, theme.label);
        text::draw(ui.painter(), pos2(x, middle), Align2::LEFT_CENTER, text, ink).right()
    };
    let at = |x: f32, width: f32| Rect::from_min_size(pos2(x, rect.top()), vec2(width, segmented::HEIGHT));

    let x = label(ui, rect.left(), "Compare") + 8.0;
    segmented::of_param(ui, cx, at(x, 76.0), ParamId::Compare);
    let comparing = cx.params.choice(ParamId::Compare) == 1;

    let x = label(ui, x + 76.0 + 16.0, "Listen") + 8.0;
    listen(ui, cx, at(x, 68.0), comparing);

    let x = label(ui, x + 68.0 + 16.0, "B against A") + 8.0;
    let shown = match cx.view_model.null_db.filter(|_| comparing) {
        Some(f32::NEG_INFINITY) => "equal".to_owned(),
        Some(db) => format!("{}{NBSP}dB", text::db(db)),
        None => DASH.into(),
    };
    let ink = Ink::value(theme::VALUE, theme.value);
    let drawn = text::draw(ui.painter(), pos2(x, middle), Align2::LEFT_CENTER, &shown, ink);
    let read = || format!("B against A: {shown}");
    let response = readable(ui, drawn.expand(4.0), "null depth", Access::Meter, read);
    button::hint(
        response,
        cx,
        "Null depth",
        "Level of the difference between both outputs relative to A, in dB. Lower is closer; below −60 dB it is inaudible.",
    );

    let mut right = rect.right();
    for (text, tip, action) in [
        ("Export CSV", "Writes all figures and histograms to a file.", Action::ExportCsv),
        ("Reset", "Clears all measurements and counters.", Action::ResetStatistics),
    ] {
        let width = button::width(ui, text);
        let at = Rect::from_min_size(
            pos2(right - width, middle - button::HEIGHT / 2.0),
            vec2(width, button::HEIGHT),
        );
        if button::button(ui, cx, at, text, tip).clicked() {
            cx.params.perform(action);
        }
        right = at.left() - 8.0;
    }
    let segments = Phase::EACH.map(|phase| Segment { text: phase.name(), role: theme.green });
    let chosen = cx.settings.phase as usize;
    let meaning = "Hops covered by the figures: all of the last minute, only those right after a start or a pause, \
                   when clocks and caches are cold, or all others.";
    let at = Rect::from_min_size(pos2(right - 144.0, rect.top()), vec2(144.0, segmented::HEIGHT));
    if let Some(wanted) = segmented::switch(ui, cx, at, "Hops", meaning, &segments, chosen) {
        cx.settings.phase = Phase::EACH[wanted];
    }
}

fn listen(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, comparing: bool) {
    let segments = [("A", cx.theme.green), ("B", cx.theme.blue)].map(|(text, role)| Segment { text, role });
    let chosen = usize::from(cx.params.choice(ParamId::Listen) == Listen::B.index());
    let meaning = "Slot that is heard. Both are aligned to the sample; switching crossfades within one hop.";
    let wanted = if comparing {
        segmented::switch(ui, cx, rect, "Listen", meaning, &segments, chosen)
    } else {
        let why = "Slot that is heard. Turn on Compare first: slot B is not running.";
        segmented::switch(ui, cx, rect, "Listen", why, &segments, chosen).filter(|&wanted| wanted == 0)
    };
    if let Some(wanted) = wanted {
        // Without a comparison A is simply the denoised signal.
        let wanted = if wanted == 1 { Listen::B } else { Listen::Denoised };
        cx.params.choose(ParamId::Listen, wanted.index());
    }
}

/// The computer: what it runs on, how the deep filter is computed, and why. Returns its height.
fn computer(ui: &Ui, cx: &mut Cx<'_>, at: Rect) -> f32 {
    let theme = cx.theme;
    let system = cx.view_model.system.clone();
    let method = |(method, reason): &(String, String)| match reason.is_empty() {
        true => method.clone(),
        false => format!("{method}: {reason}"),
    };
    // Two columns below the two cards.
    let width = (at.width() - GAP) / 2.0;
    let columns = [
        [("System", format!("{} · {}", system.os, system.cpu)), ("libtorch", system.libtorch.clone())],
        [
            ("Deep filter, live", method(&system.df_op_live)),
            ("Deep filter, files", method(&system.df_op_files)),
        ],
    ];
    let mut bottom = at.top();
    for (i, lines) in columns.into_iter().enumerate() {
        let left = at.left() + (width + GAP) * i as f32 + 14.0;
        let mut y = at.top();
        for (name, shown) in lines {
            let ink = Ink::new(theme::SMALL, theme.hint);
            text::draw(ui.painter(), pos2(left, y), Align2::LEFT_TOP, name, ink);
            let column = left + 104.0;
            let ink = Ink::new(theme::SMALL, theme.label);
            let galley = text::paragraph(ui.painter(), &shown, ink, width - 104.0 - 28.0);
            let drawn = text::place(ui.painter(), pos2(column, y), Align2::LEFT_TOP, galley);
            readable(ui, drawn, name, Access::Label, || format!("{name}: {shown}"));
            y = drawn.bottom() + 5.0;
        }
        bottom = bottom.max(y);
        if let (0, Some(on)) = (i, system.mps_fallback) {
            bottom = bottom.max(mps_fallback(ui, cx, pos2(left, y + 1.0), on));
        }
    }
    bottom - at.top()
}

/// The switch of MPS' fallback; returns where it ends.
fn mps_fallback(ui: &Ui, cx: &mut Cx<'_>, at: egui::Pos2, on: bool) -> f32 {
    let theme = cx.theme;
    let hint = Ink::new(theme::SMALL, theme.hint);
    let name = "MPS fallback";
    let middle = at.y + 12.0;
    text::draw(ui.painter(), pos2(at.x, middle), Align2::LEFT_CENTER, name, hint);
    let switch = Rect::from_min_size(pos2(at.x + 104.0, at.y), vec2(76.0, 24.0));
    let segments = ["Off", "On"].map(|text| Segment { text, role: theme.green });
    let meaning = "Lets operations that MPS lacks run on the CPU instead of failing (PYTORCH_ENABLE_MPS_FALLBACK). \
                   Takes effect when libtorch is next opened.";
    if let Some(wanted) = segmented::switch(ui, cx, switch, name, meaning, &segments, usize::from(on)) {
        cx.params.perform(Action::SetMpsFallback(wanted == 1));
    }
    let when = pos2(switch.right() + 10.0, middle);
    text::draw(ui.painter(), when, Align2::LEFT_CENTER, "when libtorch is next opened", hint);
    switch.bottom() + 4.0
}
