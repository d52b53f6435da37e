//! A drop-down list.

use egui::{
    Align2, Popup, PopupCloseBehavior, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::super::{
    Cx,
    text::{self, Ink},
    theme::{self, Theme},
};
use super::{
    button, icon,
    param::{focus_ring, tell_value},
};

/// Height of a one-line item, points.
const ITEM_HEIGHT: f32 = 26.0;
/// Room for the tick, points.
const TICK: f32 = 24.0;

/// An item of a list.
#[derive(Clone, Debug, Default)]
pub struct Item<'a> {
    /// Its name.
    pub text: &'a str,
    /// Why it cannot be chosen; shown below it.
    pub why_not: Option<&'a str>,
}

impl<'a> Item<'a> {
    /// An item that can be chosen.
    pub fn new(text: &'a str) -> Self {
        Self { text, why_not: None }
    }
}

/// The button that opens a list; what hangs below it is drawn by `list`, which returns what was chosen.
pub fn opener<R>(
    ui: &Ui,
    cx: &mut Cx<'_>,
    rect: Rect,
    name: &str,
    shown: &str,
    list: impl FnOnce(&mut Ui, &mut Cx<'_>) -> Option<R>,
) -> (Response, Option<R>) {
    let response = button::surface(ui, cx, rect, name, Role::ComboBox, cx.theme.border);
    ui.ctx().accesskit_node_builder(response.id, |node| tell_value(node, shown));
    let ink = Ink::new(theme::BODY, cx.theme.value);
    let room = rect.width() - 10.0 - 20.0;
    let galley = text::elided(ui.painter(), shown, ink, room);
    text::place(ui.painter(), pos2(rect.left() + 10.0, rect.center().y), Align2::LEFT_CENTER, galley);
    icon::opens(ui.painter(), pos2(rect.right() - 13.0, rect.center().y), cx.theme.label);
    let chosen = Popup::menu(&response)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .gap(4.0)
        .accessible_name(name)
        .show(|ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            let chosen = list(ui, cx);
            if chosen.is_some() {
                ui.close();
            }
            chosen
        })
        .and_then(|inner| inner.inner);
    (response, chosen)
}

/// A list of items with a tick at the chosen one; returns the newly chosen one.
pub fn pick(
    ui: &Ui,
    cx: &mut Cx<'_>,
    rect: Rect,
    name: &str,
    items: &[Item<'_>],
    chosen: Option<usize>,
) -> (Response, Option<usize>) {
    let shown = chosen.and_then(|i| items.get(i)).map_or("–", |item| item.text);
    opener(ui, cx, rect, name, shown, |ui, cx| {
        let width = list_width(ui, items).max(rect.width() - 14.0);
        let mut wanted = None;
        for (i, entry) in items.iter().enumerate() {
            if item(ui, cx, width, entry, chosen == Some(i)).clicked() && entry.why_not.is_none() {
                wanted = Some(i);
            }
        }
        wanted
    })
}

/// Width of a list that shows all items, but a reason at most in two lines or so.
pub(crate) fn list_width(ui: &Ui, items: &[Item<'_>]) -> f32 {
    let wide = |text: &str| {
        text::line(ui.painter(), text, Ink::new(theme::BODY, egui::Color32::PLACEHOLDER)).size().x
    };
    let widest = items.iter().map(|item| wide(item.text)).fold(0.0, f32::max);
    let reasons = items.iter().any(|item| item.why_not.is_some());
    (widest + TICK + 16.0).max(if reasons { 300.0 } else { 0.0 })
}

/// An item of a list.
pub fn item(ui: &mut Ui, cx: &Cx<'_>, width: f32, item: &Item<'_>, chosen: bool) -> Response {
    let theme: &Theme = cx.theme;
    let can_be = item.why_not.is_none();
    let reason = item.why_not.map(|why| {
        text::paragraph(ui.painter(), why, Ink::new(theme::SMALL, theme.hint), width - TICK - 10.0)
    });
    let height = ITEM_HEIGHT + reason.as_ref().map_or(0.0, |galley| galley.size().y + 4.0);
    let (id, rect) = ui.allocate_space(vec2(width, height));
    let response = ui.interact(rect, id, if can_be { Sense::click() } else { Sense::hover() });
    response.widget_info(|| WidgetInfo::selected(Role::MenuItemRadio, can_be, chosen, item.text));
    if let Some(why) = item.why_not {
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(why));
    }
    if (response.hovered() || response.has_focus()) && can_be {
        ui.painter().rect_filled(rect, 4, theme.hovered);
    }
    let first = pos2(rect.left() + TICK, rect.top() + ITEM_HEIGHT / 2.0);
    let colour = if can_be { theme.value } else { theme.hint };
    text::draw(ui.painter(), first, Align2::LEFT_CENTER, item.text, Ink::new(theme::BODY, colour));
    if chosen {
        icon::tick(ui.painter(), pos2(rect.left() + TICK / 2.0, first.y), theme.green.text);
    }
    if let Some(reason) = reason {
        text::place(ui.painter(), pos2(first.x, rect.top() + ITEM_HEIGHT - 3.0), Align2::LEFT_TOP, reason);
    }
    focus_ring(ui, cx, &response, rect.shrink(3.0));
    response
}

/// A heading between items.
pub fn heading(ui: &mut Ui, cx: &Cx<'_>, width: f32, text: &str) {
    let (_, rect) = ui.allocate_space(vec2(width, 24.0));
    let at = pos2(rect.left() + 8.0, rect.bottom() - 5.0);
    text::draw(ui.painter(), at, Align2::LEFT_BOTTOM, text, Ink::new(theme::SMALL, cx.theme.hint));
}

/// A line between groups of items.
pub fn rule(ui: &mut Ui, cx: &Cx<'_>, width: f32) {
    let (_, rect) = ui.allocate_space(vec2(width, 9.0));
    ui.painter().hline(rect.x_range(), rect.center().y, egui::Stroke::new(1.0, cx.theme.border));
}
