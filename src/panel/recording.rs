//! The drawer's page about the recording: rules for what the network was not trained for.

use egui::{Rect, Ui};

use super::{
    Cx,
    widgets::{self, bar, segmented},
};
use crate::parameters::{Choice as _, ParamId};
use crate::rules::level::LevelMode;

/// Height of the contents, points.
const HEIGHT: f32 = 352.0;

/// Draws the page.
pub fn page(ui: &mut Ui, cx: &mut Cx<'_>, mut rect: Rect) {
    let spare = ((rect.height() - HEIGHT) / 7.0).clamp(0.0, 18.0);
    let mut row = |height| widgets::row(&mut rect, height, 8.0 + spare);
    segmented::labelled(ui, cx, row(segmented::LABELLED_HEIGHT), ParamId::Level);
    if LevelMode::ALL.get(cx.params.choice(ParamId::Level)) == Some(&LevelMode::Fixed) {
        bar::slider(ui, cx, ParamId::LevelGain, row(bar::SLIDER_HEIGHT));
    }
    for id in [
        ParamId::FillBand,
        ParamId::HoldPauses,
        ParamId::KeepClean,
        ParamId::KeepWhisper,
        ParamId::MatchBypass,
    ] {
        segmented::labelled(ui, cx, row(segmented::LABELLED_HEIGHT), id);
    }
}
