//! The drawer's page about the recording: rules for what the network was not trained for.

use egui::{Rect, Ui, pos2, vec2};

use super::{
    Cx,
    widgets::{bar, segmented},
};
use crate::parameters::{Choice as _, ParamId};
use crate::rules::level::LevelMode;

/// Height of the contents, points.
const HEIGHT: f32 = 352.0;

/// Draws the page.
pub fn page(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let spare = ((rect.height() - HEIGHT) / 7.0).clamp(0.0, 18.0);
    let mut y = rect.top();
    let row = |y: &mut f32, height: f32| {
        let at = Rect::from_min_size(pos2(rect.left(), *y), vec2(rect.width(), height));
        *y += height + 8.0 + spare;
        at
    };
    segmented::labelled(ui, cx, row(&mut y, segmented::LABELLED_HEIGHT), ParamId::Level);
    if LevelMode::ALL.get(cx.params.choice(ParamId::Level)) == Some(&LevelMode::Fixed) {
        bar::slider(ui, cx, ParamId::LevelGain, row(&mut y, bar::SLIDER_HEIGHT));
    }
    for id in [
        ParamId::FillBand,
        ParamId::HoldPauses,
        ParamId::KeepClean,
        ParamId::KeepWhisper,
        ParamId::MatchBypass,
    ] {
        segmented::labelled(ui, cx, row(&mut y, segmented::LABELLED_HEIGHT), id);
    }
}
