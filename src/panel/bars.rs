//! Header, footer and notice: the active device, its cost, the reported latency.

use egui::{
    Align2, Color32, CursorIcon, Rect, Role as Access, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::{
    Cx, View, history_bar,
    host_params::Action,
    presets,
    text::{self, Ink, NBSP},
    theme::{self, Theme},
    view_model::DeviceState,
    widgets::{
        button, icon,
        param::{focus_ring, tooltip},
        readable,
    },
};
use crate::device::Device;
use crate::enhance::StereoLink;
use crate::lab::{Phase, Quantity};
use crate::meters::LOST_SPEECH_DB;
use crate::parameters::{Choice as _, ParamId};

/// Space at the sides, points.
const MARGIN: f32 = 16.0;
/// Least room for the footer's truth, points: less would be a word or two.
const STATUS_WIDTH: f32 = 120.0;

/// Draws the header.
pub fn header(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    ui.painter().rect_filled(rect, 0, theme.bar);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, theme.border));
    let mut x = rect.left() + MARGIN;
    let is_narrow = super::is_narrow(rect);
    if !is_narrow {
        // The name as a mark: its letters stand apart.
        for letter in ["T", "A", "C", "E", "T"] {
            let ink = Ink::new(15.0, theme.value).bold();
            let at = text::draw(ui.painter(), pos2(x, rect.center().y), Align2::LEFT_CENTER, letter, ink);
            x = at.right() + 2.6;
        }
        x += 14.0;
    }
    let picker = Rect::from_min_size(pos2(x, rect.center().y - 13.0), vec2(150.0, 26.0));
    presets::picker(ui, cx, picker);
    if cx.view_model.presets.edited && !is_narrow {
        let at = pos2(picker.right() + 10.0, rect.center().y);
        text::draw(ui.painter(), at, Align2::LEFT_CENTER, "edited", Ink::new(theme::SMALL, theme.hint));
    }
    let sets = Rect::from_min_size(
        pos2(picker.right() + if is_narrow { 8.0 } else { 54.0 }, rect.top()),
        vec2(history_bar::WIDTH, rect.height()),
    );

    // In tab order from left to right, laid out from the right.
    let bypass =
        Rect::from_center_size(pos2(rect.right() - MARGIN - 14.0, rect.center().y), vec2(28.0, 28.0));
    let latency = latency_text(cx);
    let latency_width = width(ui, &[("latency ", false), (&latency, true)]) + 20.0;
    let latency_at = left_of(rect, bypass.left() - 12.0, latency_width);
    let engine = engine_text(cx);
    let engine_width = width(ui, &[(&engine.name, true), (&engine.cost, false)]) + 34.0;
    let engine_at = left_of(rect, latency_at.left() - 10.0, engine_width);
    // A host has these itself.
    let has_sets = cx.view_model.audio.is_some() && sets.right() < bypass.left() - 8.0;
    if has_sets {
        history_bar::controls(ui, cx, sets);
    }
    let taken = if has_sets { sets.right() } else { picker.right() } + 10.0;
    // The device view shows more of it.
    if engine_at.left() > taken {
        engine_chip(ui, cx, engine_at, &engine);
    }
    if latency_at.left() > taken {
        latency_chip(ui, cx, latency_at, &latency);
    }
    bypass_button(ui, cx, bypass);
}

fn left_of(rect: Rect, right: f32, width: f32) -> Rect {
    Rect::from_min_max(pos2(right - width, rect.center().y - 14.0), pos2(right, rect.center().y + 14.0))
}

/// Width of pieces of text, some of them strong.
fn width(ui: &Ui, pieces: &[(&str, bool)]) -> f32 {
    pieces
        .iter()
        .map(|&(text, strong)| text::line(ui.painter(), text, piece(strong)).size().x)
        .sum::<f32>()
        .ceil()
}

fn piece(strong: bool) -> Ink {
    let ink = Ink::new(theme::BODY, Color32::PLACEHOLDER).tabular();
    if strong { ink.medium() } else { ink }
}

struct EngineText {
    name: String,
    cost: String,
    colour: Color32,
    live: bool,
    tip: String,
}

fn engine_text(cx: &Cx<'_>) -> EngineText {
    let theme = cx.theme;
    let slot = &cx.view_model.slots[0];
    let chosen = slot.devices.get(cx.params.choice(ParamId::DeviceA));
    let mut name = chosen.map_or_else(|| "No device".to_owned(), |device| device.name.clone());
    let summary = &slot.summaries[Phase::All as usize];
    let total = summary.quantity(Quantity::Total);
    let load = summary.load_percent();
    let mut cost = match (total, load) {
        (Some(total), Some(load)) => format!(" · {} · {}", text::duration(total.p50_us), text::percent(load)),
        _ => String::new(),
    };
    let late = late_share(cx);
    let (colour, live, tip) = match &slot.state {
        DeviceState::FellBack { reason, .. } => {
            cost = format!(" for {name}{cost}");
            name = Device::Native.name();
            (theme.amber.fill, true, format!("Fell back: {reason}"))
        }
        DeviceState::Live(_) if late > 0.001 || load.is_some_and(|load| load > 100.0) => {
            let tip = "The device does not keep up, and late hops are concealed. Choose a faster device or more latency.";
            (theme.red.fill, true, tip.into())
        }
        DeviceState::Live(_) => (
            theme.green.fill,
            true,
            "Active device, median time per hop, and load in % of the hop. Click for details.".into(),
        ),
        DeviceState::Off => (theme.hint, false, "The plugin is not active.".into()),
        DeviceState::Opening(_) | DeviceState::Warming(_) | DeviceState::Checking(_) => (
            theme.amber.fill,
            false,
            "The device is being prepared. The native engine plays meanwhile.".into(),
        ),
    };
    EngineText { name, cost, colour, live, tip }
}

/// Share of hops that came late.
fn late_share(cx: &Cx<'_>) -> f64 {
    cx.view_model.stream.n_late as f64 / cx.view_model.stream.n_hops.max(1) as f64
}

fn engine_chip(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, engine: &EngineText) {
    let theme = cx.theme;
    let name = format!("Engine: {}{}", engine.name, engine.cost);
    let response = button::surface(ui, cx, rect, "engine", Access::Button, theme.border);
    response.widget_info(|| WidgetInfo::labeled(Access::Button, true, &name));
    icon::dot(ui.painter(), pos2(rect.left() + 13.0, rect.center().y), engine.colour, engine.live);
    let at = pos2(rect.left() + 24.0, rect.center().y);
    let strong = Ink::value(theme::BODY, theme.value);
    let drawn = text::draw(ui.painter(), at, Align2::LEFT_CENTER, &engine.name, strong);
    let at = pos2(drawn.right(), at.y);
    text::draw(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        &engine.cost,
        Ink::new(theme::BODY, theme.label).tabular(),
    );
    if button::hint(response, cx, "Engine", &engine.tip).clicked() {
        cx.settings.view = View::Devices;
    }
}

/// The latency, and the one to come where another is chosen.
fn latency_text(cx: &Cx<'_>) -> String {
    let rate_hz = cx.view_model.stream.rate_hz;
    let n_now = cx.view_model.latency_samples();
    let now = text::latency(n_now, rate_hz);
    match cx.view_model.pending_latency_samples.filter(|&n_samples| n_samples != n_now) {
        Some(n_samples) => format!("{now} → {}", text::latency(n_samples, rate_hz)),
        None => now,
    }
}

fn latency_chip(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, latency: &str) {
    let theme = cx.theme;
    let response = button::surface(ui, cx, rect, "latency", Access::Button, theme.border);
    response.widget_info(|| WidgetInfo::labeled(Access::Button, true, format!("Latency: {latency}")));
    let at = pos2(rect.left() + 10.0, rect.center().y);
    let label = Ink::new(theme::BODY, theme.hint).tabular();
    let drawn = text::draw(ui.painter(), at, Align2::LEFT_CENTER, "latency ", label);
    let value = Ink::value(theme::BODY, theme.value);
    text::draw(ui.painter(), pos2(drawn.right(), at.y), Align2::LEFT_CENTER, latency, value);
    let tip = if cx.view_model.pending_latency_samples.is_some() {
        "Latency reported to the host, and the one that takes effect when playback restarts. Click for its parts."
    } else {
        "Latency reported to the host, which compensates for it. Click for its parts."
    };
    if button::hint(response, cx, "Latency", tip).clicked() {
        cx.settings.view = View::About;
    }
}

fn bypass_button(ui: &Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let bypassed = cx.params.choice(ParamId::Bypass) == 1;
    let response = ui.interact(rect, ui.scope_id().with("bypass"), Sense::click());
    response
        .widget_info(|| WidgetInfo::selected(Access::Switch, true, bypassed, ParamId::Bypass.spec().label));
    let (line, fill, sign) = if bypassed {
        (theme.amber.fill, theme.amber.wash, theme.amber.text)
    } else {
        (theme.green.fill, theme.control, theme.green.text)
    };
    let fill = if response.hovered() && !bypassed { theme.hovered } else { fill };
    ui.painter().circle(rect.center(), 13.5, fill, Stroke::new(1.5, line));
    icon::power(ui.painter(), rect.center(), 5.5, sign);
    focus_ring(ui, cx, &response, rect);
    if response.clicked() {
        cx.params.choose(ParamId::Bypass, usize::from(!bypassed));
    }
    tooltip(response.on_hover_cursor(CursorIcon::PointingHand), cx, ParamId::Bypass, false);
}

/// Draws the footer: views at the left, the truth at the right.
pub fn footer(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    ui.painter().rect_filled(rect, 0, theme.bar);
    ui.painter().hline(rect.x_range(), rect.top() + 0.5, Stroke::new(1.0, theme.border));
    let mut x = rect.left() + MARGIN;
    for view in View::ALL.into_iter().filter(|&view| view != View::Audio || cx.view_model.audio.is_some()) {
        let chosen = cx.settings.view == view;
        let ink = Ink::new(theme::BODY, if chosen { theme.value } else { theme.label });
        let galley = text::line(ui.painter(), view.name(), if chosen { ink.medium() } else { ink });
        let at = Rect::from_min_size(pos2(x, rect.center().y - 14.0), vec2(galley.size().x + 28.0, 28.0));
        let response = ui.interact(at, ui.scope_id().with((view.name(), "tab")), Sense::click());
        response.widget_info(|| WidgetInfo::selected(Access::Tab, true, chosen, view.name()));
        if chosen || response.hovered() {
            ui.painter().rect_filled(at, theme::RADIUS, if chosen { theme.hovered } else { theme.control });
        }
        text::place(ui.painter(), at.center(), Align2::CENTER_CENTER, galley);
        focus_ring(ui, cx, &response, at.shrink(2.0));
        if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
            cx.settings.view = view;
        }
        x = at.right() + 4.0;
    }
    let (shown, colour) = status(cx, theme);
    let room = rect.right() - MARGIN - x - 12.0;
    if room < STATUS_WIDTH {
        return;
    }
    let galley = text::elided(ui.painter(), &shown, Ink::new(theme::SMALL, colour).tabular(), room);
    let at =
        text::place(ui.painter(), pos2(rect.right() - MARGIN, rect.center().y), Align2::RIGHT_CENTER, galley);
    readable(ui, at, "status", Access::Status, || &shown).on_hover_text(
        "Reduction of what may be speech where words would be lost, rules at work for quiet or narrow-band input, host \
         sample rate, network, channels, and hops that were late and concealed.",
    );
}

fn status(cx: &Cx<'_>, theme: &Theme) -> (String, Color32) {
    let stream = &cx.view_model.stream;
    if !stream.is_active() {
        return ("not active: the host has not started audio".into(), theme.hint);
    }
    let link = match StereoLink::ALL.get(cx.params.choice(ParamId::Link)) {
        _ if stream.n_channels == 1 => "mono",
        Some(StereoLink::Max) => "stereo, linked by maximum",
        Some(StereoLink::Mean) => "stereo, linked by mean",
        Some(StereoLink::None) | None => "stereo, not linked",
    };
    let mut shown = format!(
        "{} · {} · {link} · {} late of {} hops",
        text::rate(stream.rate_hz),
        cx.view_model.model,
        text::grouped(stream.n_late),
        text::grouped(stream.n_hops)
    );
    if let Some(edge_hz) = cx.view_model.edge_hz {
        shown.insert_str(0, &format!("narrow band to {:.1}{NBSP}kHz · ", edge_hz / 1000.0));
    }
    if cx.view_model.feature_gain_db > 0.0 {
        shown.insert_str(0, &format!("quiet input, +{:.0}{NBSP}dB · ", cx.view_model.feature_gain_db));
    }
    if cx.view_model.active_reduction_db > LOST_SPEECH_DB {
        shown.insert_str(0, &format!("possible speech −{:.0}{NBSP}dB · ", cx.view_model.active_reduction_db));
    }
    if stream.is_idle {
        shown.insert_str(0, "idle (silent input) · ");
    }
    let late = late_share(cx);
    let colour = match stream.n_late {
        0 => theme.hint,
        _ if late > 0.001 => theme.red.text,
        _ => theme.amber.text,
    };
    (shown, colour)
}

/// Draws the notice over the foot of the view.
pub fn notice(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let Some(notice) = cx.view_model.notice.clone() else { return };
    let theme = cx.theme;
    let role = if notice.is_error { theme.red } else { theme.green };
    let ink = Ink::new(theme::BODY, theme.value);
    let galley = text::paragraph(ui.painter(), &notice.text, ink, (rect.width() - 120.0).min(560.0));
    let size = galley.size() + vec2(62.0, 18.0);
    let at = Rect::from_center_size(pos2(rect.center().x, rect.bottom() - 14.0 - size.y / 2.0), size);
    let painter = ui.painter();
    painter.rect(at, theme::CARD_RADIUS, role.wash, Stroke::new(1.0, role.fill), StrokeKind::Inside);
    icon::dot(painter, pos2(at.left() + 17.0, at.center().y), role.fill, true);
    text::place(painter, pos2(at.left() + 30.0, at.center().y), Align2::LEFT_CENTER, galley);
    readable(ui, at, "notice", Access::Alert, || &notice.text);
    let close = Rect::from_center_size(pos2(at.right() - 17.0, at.center().y), vec2(22.0, 22.0));
    let response = ui.interact(close, ui.scope_id().with("dismiss"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Access::Button, true, "Dismiss"));
    icon::cross(ui.painter(), close.center(), if response.hovered() { theme.value } else { theme.label });
    focus_ring(ui, cx, &response, close);
    if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
        cx.params.perform(Action::DismissNotice);
    }
}
