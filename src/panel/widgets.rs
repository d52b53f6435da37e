//! The panel's own widgets. Each draws itself into a given rectangle, answers pointer, wheel and keyboard, and names itself
//! to screen readers.

pub mod bar;
pub mod button;
pub mod histogram;
pub mod icon;
pub mod knob;
pub mod meter;
pub mod param;
pub mod picker;
pub mod segmented;
pub mod table;

use egui::{Rect, vec2};

/// Takes a row off the top of `rest`, and the gap below it.
pub(crate) fn row(rest: &mut Rect, height: f32, gap: f32) -> Rect {
    let row = Rect::from_min_size(rest.min, vec2(rest.width(), height));
    rest.min.y += height + gap;
    row
}
