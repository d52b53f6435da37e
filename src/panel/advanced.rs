//! The drawer of the main view, in three pages.

use egui::{Align2, Rect, Sense, Ui, pos2, vec2};
use serde::{Deserialize, Serialize};

use super::{
    Axis, Cx, recording, room,
    text::{self, Ink},
    theme,
    widgets::{
        self, bar,
        segmented::{self, Segment},
    },
};
use crate::engine::{FAR_THRESHOLDS, Thresholds};
use crate::parameters::ParamId;

/// Height of the page of stages, points.
const STAGES_HEIGHT: f32 = 330.0;

/// The drawer's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    /// How much of the room stays.
    #[default]
    Room,
    /// Thresholds, latency, model and pictures.
    Stages,
    /// Rules for kinds of recordings, and the comparison with them.
    Recording,
}

/// Draws the drawer.
pub fn drawer(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let at = Rect::from_min_size(pos2(rect.left(), rect.top() + 12.0), vec2(rect.width(), segmented::HEIGHT));
    let pages = [(Page::Room, "Room"), (Page::Recording, "Source"), (Page::Stages, "Stages")];
    let segments = pages.map(|(_, text)| Segment { text, role: cx.theme.green });
    let shown = pages.iter().position(|&(page, _)| page == cx.settings.page).unwrap_or(0);
    if let Some(&(wanted, _)) =
        segmented::switch(ui, cx, at, "Advanced", "", &segments, shown).and_then(|i| pages.get(i))
    {
        cx.settings.page = wanted;
    }
    let page = Rect::from_min_max(pos2(rect.left(), at.bottom() + 16.0), rect.max);
    match cx.settings.page {
        Page::Room => room::page(ui, cx, page),
        Page::Recording => recording::page(ui, cx, page),
        Page::Stages => stages(ui, cx, page),
    }
}

/// Thresholds, latency, model, and how the pictures are drawn.
fn stages(ui: &mut Ui, cx: &mut Cx<'_>, mut rect: Rect) {
    let theme = cx.theme;
    let spare = ((rect.height() - STAGES_HEIGHT) / 7.0).clamp(0.0, 18.0);
    let heading = widgets::row(&mut rect, 18.0, 4.0 + spare / 2.0);
    let mut row = |height| widgets::row(&mut rect, height, 11.0 + spare);
    let name = "Stages by local SNR";
    text::draw(ui.painter(), heading.min, Align2::LEFT_TOP, name, Ink::new(theme::BODY, theme.value).bold());
    let db = |id| cx.params.number(id);
    let thresholds = Thresholds {
        min_db: db(ParamId::MinSnr),
        max_erb_db: db(ParamId::MaxErb),
        max_df_db: db(ParamId::MaxDf),
    };
    if thresholds.are_far() {
        let ink = Ink::new(theme::SMALL, theme.amber.text);
        text::draw(ui.painter(), heading.right_top(), Align2::RIGHT_TOP, "costs speech", ink);
        ui.interact(heading, ui.scope_id().with("far"), Sense::hover()).on_hover_text(FAR_THRESHOLDS);
    }
    for id in [ParamId::MinSnr, ParamId::MaxDf, ParamId::MaxErb] {
        bar::slider(ui, cx, id, row(bar::SLIDER_HEIGHT));
    }
    for id in [ParamId::LatencyMode, ParamId::Model] {
        segmented::labelled(ui, cx, row(segmented::LABELLED_HEIGHT), id);
    }

    let at = row(segmented::LABELLED_HEIGHT);
    let hint = Ink::new(theme::SMALL, theme.hint);
    text::draw(ui.painter(), at.min, Align2::LEFT_TOP, "Frequency axis", hint);
    let switch = segmented::below_label(at);
    let segments = ["Octaves", "Linear"].map(|text| Segment { text, role: theme.green });
    let meaning = "Frequency axis of the spectrograms: logarithmic or linear.";
    let chosen = usize::from(cx.settings.axis == Axis::Linear);
    if let Some(wanted) = segmented::switch(ui, cx, switch, "Frequency axis", meaning, &segments, chosen) {
        cx.settings.axis = if wanted == 1 { Axis::Linear } else { Axis::Logarithmic };
    }
}
