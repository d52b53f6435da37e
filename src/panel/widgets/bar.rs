//! Horizontal bars: a slider for a parameter, and a bar for a reading.

use egui::{Align2, Rect, Stroke, Ui, pos2, vec2};

use super::super::{
    Cx,
    text::{self, Ink},
    theme::{self, Theme},
};
use super::param;
use crate::parameters::ParamId;

/// Height of a [`slider`], points.
pub(crate) const SLIDER_HEIGHT: f32 = 36.0;

/// A parameter as a line with a handle; name and value above.
pub fn slider(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, rect: Rect) {
    slider_from(ui, cx, id, rect, 0.0);
}

/// The same, the line filled from `origin`, 0..=1.
pub(crate) fn slider_from(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, rect: Rect, origin: f32) {
    let theme = cx.theme;
    let top = Rect::from_min_size(rect.min, vec2(rect.width(), 18.0));
    text::draw(
        ui.painter(),
        top.left_center(),
        Align2::LEFT_CENTER,
        id.spec().label,
        Ink::new(theme::BODY, theme.label),
    );
    let groove =
        Rect::from_min_max(pos2(rect.left(), rect.top() + 19.0), pos2(rect.right(), rect.top() + 35.0));
    let response = param::control(ui, cx, id, groove);
    let line = Rect::from_center_size(groove.center(), vec2(groove.width(), 3.0));
    let x = |value: f32| egui::lerp(line.left() + 5.0..=line.right() - 5.0, value);
    let handle_x = x(cx.params.value(id));
    let origin_x = if origin > 0.0 { x(origin) } else { line.left() };
    let filled = egui::Rangef::new(origin_x.min(handle_x), origin_x.max(handle_x));
    let painter = ui.painter();
    painter.rect_filled(line, 1.5, theme.groove);
    painter.rect_filled(Rect::from_x_y_ranges(filled, line.y_range()), 1.5, theme.green.fill);
    let cap = if response.hovered() || response.dragged() { theme.hovered } else { theme.cap };
    painter.circle(pos2(handle_x, line.center().y), 5.5, cap, Stroke::new(1.5, theme.mark));
    let value = Rect::from_min_max(pos2(top.center().x, top.top()), top.max);
    param::value(ui, cx, id, value, Align2::RIGHT_CENTER, Ink::value(theme::BODY, theme.value));
}

/// A reading between the ends of a scale, 0..=1, with marks at some places of it.
pub fn reading(ui: &Ui, theme: &Theme, rect: Rect, filled: f32, marks: &[f32]) {
    let painter = ui.painter();
    painter.rect_filled(rect, rect.height() / 2.0, theme.groove);
    let x = |share: f32| egui::lerp(rect.left()..=rect.right(), share.clamp(0.0, 1.0));
    let bar = Rect::from_min_max(rect.min, pos2(x(filled), rect.max.y));
    if bar.width() >= 1.0 {
        painter.rect_filled(bar, rect.height() / 2.0, theme.green.fill);
    }
    for &mark in marks {
        painter.vline(x(mark), rect.expand(2.0).y_range(), Stroke::new(1.5, theme.mark));
    }
}
