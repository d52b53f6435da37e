//! Undo, redo and the switch between two sets of parameters: keys and buttons.

use egui::{Align2, Key, Modifiers, Rect, Role as Access, Ui, WidgetInfo, pos2, vec2};

use super::{
    Cx,
    text::{self, Ink},
    theme,
    widgets::{
        button, icon,
        segmented::{self, Segment},
    },
};

/// Width of the two sets' switch, and of a button beside it, points.
const SWITCH: f32 = 48.0;
const BUTTON: f32 = 24.0;
const GAP: f32 = 4.0;
/// Width of everything, points.
pub const WIDTH: f32 = SWITCH + 3.0 * (GAP + BUTTON);

/// Looks at the parameters and serves the keys; before the picture.
pub fn serve(ui: &Ui, cx: &mut Cx<'_>) {
    cx.panel.history.look(cx.params, &cx.panel.gesture);
    // In a text these keys are the text's.
    if ui.ctx().text_edit_focused() {
        return;
    }
    let pressed = |modifiers: Modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    let command = Modifiers::COMMAND;
    let forward = pressed(command | Modifiers::SHIFT, Key::Z) || pressed(command, Key::Y);
    if forward || pressed(command, Key::Z) {
        cx.panel.history.step(cx.params, forward);
    }
}

/// Draws the switch and the buttons.
pub fn controls(ui: &Ui, cx: &mut Cx<'_>, at: Rect) {
    let role = cx.theme.green;
    let middle = at.center().y;
    let switch = Rect::from_min_size(pos2(at.left(), middle - BUTTON / 2.0), vec2(SWITCH, BUTTON));
    let segments = ["1", "2"].map(|text| Segment { text, role });
    let meaning = "Two sets of all parameters, to compare. Each keeps what you change in it.";
    let chosen = cx.panel.history.active();
    if let Some(wanted) = segmented::switch(ui, cx, switch, "Settings", meaning, &segments, chosen) {
        cx.panel.history.choose(cx.params, wanted);
    }
    let mut x = switch.right() + GAP;
    let mut place = || {
        let rect = Rect::from_min_size(pos2(x, middle - BUTTON / 2.0), vec2(BUTTON, BUTTON));
        x += BUTTON + GAP;
        rect
    };
    let rect = place();
    let name = if chosen == 0 { "Copy 1 to 2" } else { "Copy 2 to 1" };
    let response = button::surface(ui, cx, rect, "copy settings", Access::Button, cx.theme.border);
    response.widget_info(|| WidgetInfo::labeled(Access::Button, true, name));
    let ink = Ink::new(theme::SMALL, cx.theme.label);
    text::draw(
        ui.painter(),
        rect.center(),
        Align2::CENTER_CENTER,
        if chosen == 0 { "→2" } else { "→1" },
        ink,
    );
    if button::hint(response, cx, name, "Makes the other set like this one.").clicked() {
        cx.panel.history.copy();
    }
    for (forward, name, keys) in [(false, "Undo", "Ctrl+Z"), (true, "Redo", "Ctrl+Shift+Z")] {
        let rect = place();
        let is_possible = cx.panel.history.has_step(forward);
        let response = button::surface(ui, cx, rect, name, Access::Button, cx.theme.border);
        response.widget_info(|| WidgetInfo::labeled(Access::Button, is_possible, name));
        let colour = if is_possible { cx.theme.value } else { cx.theme.border };
        icon::turn_back(ui.painter(), rect.center(), colour, forward);
        if button::hint(response, cx, name, keys).clicked() {
            cx.panel.history.step(cx.params, forward);
        }
    }
}
