//! The drawer's page about the room: how much of it stays.

use egui::{Align2, Rect, Ui};

use super::{
    Axis, Cx,
    text::{self, Ink},
    theme,
    widgets::{
        self, bar,
        segmented::{self, Segment},
    },
};
use crate::parameters::ParamId;

/// Height of the contents, points.
const HEIGHT: f32 = 303.0;

/// Draws the page.
pub fn page(ui: &mut Ui, cx: &mut Cx<'_>, mut rect: Rect) {
    let spare = ((rect.height() - HEIGHT) / 7.0).clamp(0.0, 18.0);
    let mut row = |height| widgets::row(&mut rect, height, 11.0 + spare);
    for (id, origin) in [(ParamId::Voice, cx.params.default_value(ParamId::Voice)), (ParamId::Ambience, 0.0)]
    {
        bar::slider_from(ui, cx, id, row(bar::SLIDER_HEIGHT), origin);
    }
    for id in [ParamId::Hold, ParamId::Release] {
        bar::slider(ui, cx, id, row(bar::SLIDER_HEIGHT));
    }
    limits(ui, cx, row(segmented::LABELLED_HEIGHT));
    segmented::labelled(ui, cx, row(segmented::LABELLED_HEIGHT), ParamId::Link);
}

/// Whether the handles of the limit by frequency are shown over the output.
fn limits(ui: &Ui, cx: &mut Cx<'_>, rect: Rect) {
    let name = "Limit by frequency";
    let hint = Ink::new(theme::SMALL, cx.theme.hint);
    text::draw(ui.painter(), rect.min, Align2::LEFT_TOP, name, hint);
    let segments = ["Hidden", "Shown"].map(|text| Segment { text, role: cx.theme.green });
    let meaning = "Six handles over the spectrogram of the output limit the reduction at their frequencies. Drag them to the \
                   left to keep more; at the right edge they limit nothing. They are shown where the frequency axis is in octaves.";
    let is_shown = cx.settings.limits && cx.settings.axis == Axis::Logarithmic;
    let switch = segmented::below_label(rect);
    if let Some(wanted) = segmented::switch(ui, cx, switch, name, meaning, &segments, usize::from(is_shown)) {
        cx.settings.limits = wanted == 1;
        if cx.settings.limits {
            cx.settings.axis = Axis::Logarithmic;
        }
    }
}
