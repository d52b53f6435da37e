//! Buttons.

use egui::{
    Align2, Color32, CursorIcon, Rect, Response, Role as Access, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
};

use super::super::{
    Cx,
    text::{self, Ink},
    theme,
};
use super::param::focus_ring;

/// Height of all buttons, points.
pub const HEIGHT: f32 = 26.0;
/// Between the text and the edge, points.
const PADDING: f32 = 10.0;

/// The room a button with this text takes.
pub fn width(ui: &Ui, text: &str) -> f32 {
    text::line(ui.painter(), text, Ink::new(theme::BODY, Color32::PLACEHOLDER)).size().x.ceil()
        + 2.0 * PADDING
}

/// A button with a text that is also its name.
pub fn button(ui: &Ui, cx: &Cx<'_>, rect: Rect, text: &str, tip: &str) -> Response {
    let response = surface(ui, cx, rect, text, Access::Button, cx.theme.border);
    let ink = Ink::new(theme::BODY, cx.theme.value);
    text::draw(ui.painter(), rect.center(), Align2::CENTER_CENTER, text, ink);
    hint(response, cx, text, tip)
}

/// The surface of something to press, without what is written on it; `name` is for screen readers.
pub(crate) fn surface(
    ui: &Ui,
    cx: &Cx<'_>,
    rect: Rect,
    name: &str,
    access: Access,
    border: Color32,
) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(name), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(access, ui.is_enabled(), name));
    let pressed = response.is_pointer_button_down_on();
    let fill = if response.hovered() && !pressed { cx.theme.hovered } else { cx.theme.control };
    ui.painter().rect(rect, theme::RADIUS, fill, Stroke::new(1.0, border), StrokeKind::Inside);
    focus_ring(ui, cx, &response, rect);
    response.on_hover_cursor(CursorIcon::PointingHand)
}

/// Adds a tooltip where there is something to say.
pub fn hint(response: Response, cx: &Cx<'_>, title: &str, tip: &str) -> Response {
    if tip.is_empty() {
        return response;
    }
    let theme = cx.theme;
    response.on_hover_ui(|ui| super::param::tip(ui, theme, title, tip, ""))
}
