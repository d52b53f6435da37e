//! The drawer's page about the room: how much of it stays.

use egui::{Rect, Ui, pos2, vec2};

use super::{
    Cx,
    widgets::{bar, segmented},
};
use crate::parameters::ParamId;

/// Height of the contents, points.
const HEIGHT: f32 = 152.0;

/// Draws the page.
pub fn page(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let spare = ((rect.height() - HEIGHT) / 4.0).clamp(0.0, 18.0);
    let mut y = rect.top();
    let row = |y: &mut f32, height: f32| {
        let at = Rect::from_min_size(pos2(rect.left(), *y), vec2(rect.width(), height));
        *y += height + 11.0 + spare;
        at
    };
    for (id, origin) in [(ParamId::Voice, cx.params.default_value(ParamId::Voice)), (ParamId::Ambience, 0.0)]
    {
        bar::slider_from(ui, cx, id, row(&mut y, bar::SLIDER_HEIGHT), origin);
    }
    segmented::labelled(ui, cx, row(&mut y, segmented::LABELLED_HEIGHT), ParamId::Link);
}
