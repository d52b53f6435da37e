//! The drawer of the main view: thresholds, stereo link, latency, model, and how the pictures are drawn.

use egui::{Align2, Rect, Sense, Ui, pos2, vec2};

use super::{
    Axis, Cx,
    text::{self, Ink},
    theme,
    widgets::{
        bar,
        segmented::{self, Segment},
    },
};
use crate::engine::{FAR_THRESHOLDS, Thresholds};
use crate::parameters::ParamId;

/// Draws the drawer.
pub fn drawer(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let spare = ((rect.height() - 430.0) / 9.0).clamp(0.0, 18.0);
    let mut y = rect.top() + 14.0;
    let row = |y: &mut f32, height: f32| {
        let at = Rect::from_min_size(pos2(rect.left(), *y), vec2(rect.width(), height));
        *y += height + 11.0 + spare;
        at
    };
    let heading = |ui: &Ui, y: &mut f32, name: &str| {
        let at = pos2(rect.left(), *y);
        text::draw(ui.painter(), at, Align2::LEFT_TOP, name, Ink::new(theme::BODY, theme.value).bold());
        *y += 22.0 + spare / 2.0;
    };

    heading(ui, &mut y, "Stages by local SNR");
    let db = |id| cx.params.number(id);
    let thresholds = Thresholds {
        min_db: db(ParamId::MinSnr),
        max_erb_db: db(ParamId::MaxErb),
        max_df_db: db(ParamId::MaxDf),
    };
    if thresholds.are_far() {
        let at = Rect::from_min_size(pos2(rect.left(), rect.top() + 14.0), vec2(rect.width(), 18.0));
        let ink = Ink::new(theme::SMALL, theme.amber.text);
        text::draw(ui.painter(), at.right_top(), Align2::RIGHT_TOP, "costs speech", ink);
        ui.interact(at, ui.scope_id().with("far"), Sense::hover()).on_hover_text(FAR_THRESHOLDS);
    }
    for id in [ParamId::MinSnr, ParamId::MaxDf, ParamId::MaxErb] {
        bar::slider(ui, cx, id, row(&mut y, bar::SLIDER_HEIGHT));
    }
    for id in [ParamId::Link, ParamId::LatencyMode, ParamId::Model] {
        let at = row(&mut y, 18.0 + segmented::HEIGHT);
        segmented::label(ui, cx, at.min, id);
        segmented::of_param(ui, cx, Rect::from_min_max(at.min + vec2(0.0, 18.0), at.max), id);
    }

    let at = row(&mut y, 18.0 + segmented::HEIGHT);
    let hint = Ink::new(theme::SMALL, theme.hint);
    text::draw(ui.painter(), at.min, Align2::LEFT_TOP, "Frequency axis", hint);
    let switch = Rect::from_min_max(at.min + vec2(0.0, 18.0), at.max);
    let segments = ["Octaves", "Linear"].map(|text| Segment { text, role: theme.green });
    let meaning = "Frequency axis of the spectrograms: logarithmic or linear.";
    let chosen = usize::from(cx.settings.axis == Axis::Linear);
    if let Some(wanted) = segmented::switch(ui, cx, switch, "Frequency axis", meaning, &segments, chosen) {
        cx.settings.axis = if wanted == 1 { Axis::Linear } else { Axis::Logarithmic };
    }
}
