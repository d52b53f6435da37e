//! A problem of the moment, in a strip below the header: what it is, and what is done about it.

use egui::{Align2, Rect, Role as Access, Stroke, Ui, pos2, vec2};

use super::{
    Cx,
    text::{self, Ink},
    theme,
    widgets::{icon, readable},
};

/// Space at the sides, points.
const MARGIN: f32 = 16.0;

/// Draws it at the top of `rect`, if there is one; returns what is left of it.
pub fn strip(ui: &Ui, cx: &Cx<'_>, rect: Rect) -> Rect {
    let Some(fault) = &cx.view_model.fault else { return rect };
    let theme = cx.theme;
    let ink = Ink::new(theme::BODY, theme.amber.text);
    let galley = text::paragraph(ui.painter(), fault, ink, rect.width() - 2.0 * MARGIN - 26.0);
    let at = Rect::from_min_size(rect.min, vec2(rect.width(), galley.size().y + 12.0));
    let painter = ui.painter();
    painter.rect_filled(at, 0, theme.amber.wash);
    painter.hline(at.x_range(), at.bottom() - 0.5, Stroke::new(1.0, theme.amber.fill.gamma_multiply(0.6)));
    icon::warning(painter, pos2(at.left() + MARGIN + 8.0, at.center().y), theme.amber.fill, theme.amber.wash);
    text::place(painter, pos2(at.left() + MARGIN + 26.0, at.center().y), Align2::LEFT_CENTER, galley);
    readable(ui, at, "fault", Access::Alert, || fault);
    Rect::from_min_max(pos2(rect.left(), at.bottom()), rect.max)
}
