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

use egui::{AsIdSalt, Rect, Response, Role as Access, Sense, Ui, WidgetInfo, vec2};

/// Takes a row off the top of `rest`, and the gap below it.
pub(crate) fn row(rest: &mut Rect, height: f32, gap: f32) -> Rect {
    let row = Rect::from_min_size(rest.min, vec2(rest.width(), height));
    rest.min.y += height + gap;
    row
}

/// Something to read, drawn in `rect`: `read` is what screen readers say of it.
pub(crate) fn readable<S: ToString>(
    ui: &Ui,
    rect: Rect,
    salt: impl AsIdSalt,
    access: Access,
    read: impl Fn() -> S,
) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(salt), Sense::HOVER);
    response.widget_info(|| WidgetInfo::labeled(access, true, read()));
    response
}
