//! The parameters as they were: undo, redo, and two sets to switch between. In the standalone alone: hosts have these.
//!
//! It looks at the parameters once per picture, so that it sees every change, whoever made it.

use egui::{Align2, Key, Modifiers, Rect, Role as Access, Ui, WidgetInfo, pos2, vec2};

use super::{
    Cx,
    host_params::{Gesture, HostParams},
    text::{self, Ink},
    theme,
    widgets::{
        button, icon,
        segmented::{self, Segment},
    },
};
use crate::parameters::ParamId;

/// Most steps that are kept.
const MAX_STEPS: usize = 200;
/// Width of the two sets' switch, and of a button beside it, points.
const SWITCH: f32 = 48.0;
const BUTTON: f32 = 24.0;
const GAP: f32 = 4.0;
/// Width of everything, points.
pub const WIDTH: f32 = SWITCH + 3.0 * (GAP + BUTTON);

/// The parameters' values, in the order of [`ids`].
type Values = Vec<f32>;

/// All parameters except the momentary ones.
fn ids() -> impl Iterator<Item = ParamId> {
    ParamId::ALL.iter().copied().filter(|id| !id.is_momentary())
}

/// A set of parameters with its past and, after undoing, its future.
#[derive(Clone, Default)]
struct Set {
    now: Values,
    before: Vec<Values>,
    after: Vec<Values>,
}

impl Set {
    fn step_to(&mut self, values: Values) {
        let left = std::mem::replace(&mut self.now, values);
        self.before.push(left);
        if self.before.len() > MAX_STEPS {
            self.before.remove(0);
        }
        self.after.clear();
    }
}

/// See the module.
#[derive(Clone, Default)]
pub struct History {
    sets: [Set; 2],
    active: usize,
}

impl History {
    /// Looks at the parameters; a gesture under way is one step, when it ends.
    pub fn look(&mut self, params: &HostParams, gesture: &Gesture) {
        if gesture.is_under_way() {
            return;
        }
        let values: Values = ids().map(|id| params.value(id)).collect();
        if self.sets[0].now.is_empty() {
            // Both sets begin alike.
            self.sets.iter_mut().for_each(|set| set.now = values.clone());
        } else if self.sets[self.active].now != values {
            self.sets[self.active].step_to(values);
        }
    }

    /// Takes the last step back, or with `forward` the one taken back last forward.
    pub fn step(&mut self, params: &mut HostParams, forward: bool) {
        let Set { now, before, after } = &mut self.sets[self.active];
        let (from, to) = if forward { (after, before) } else { (before, after) };
        if let Some(values) = from.pop() {
            to.push(std::mem::replace(now, values));
            self.apply(params);
        }
    }

    /// Goes over to a set.
    pub fn choose(&mut self, params: &mut HostParams, set: usize) {
        self.active = set.min(1);
        self.apply(params);
    }

    /// Makes the other set like this one.
    pub fn copy(&mut self) {
        let values = self.sets[self.active].now.clone();
        let other = &mut self.sets[1 - self.active];
        if other.now != values {
            other.step_to(values);
        }
    }

    /// Whether there is a step to take, back or forward.
    pub fn has_step(&self, forward: bool) -> bool {
        let set = &self.sets[self.active];
        !(if forward { &set.after } else { &set.before }).is_empty()
    }

    fn apply(&self, params: &mut HostParams) {
        for (id, &value) in ids().zip(&self.sets[self.active].now) {
            if params.value(id) != value {
                params.change(id, value);
            }
        }
    }
}

/// Looks at the parameters and serves the keys; before the picture.
pub fn serve(ui: &Ui, cx: &mut Cx<'_>) {
    cx.history.look(cx.params, cx.gesture);
    // In a text these keys are the text's.
    if ui.ctx().text_edit_focused() {
        return;
    }
    let pressed = |modifiers: Modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    let command = Modifiers::COMMAND;
    let forward = pressed(command | Modifiers::SHIFT, Key::Z) || pressed(command, Key::Y);
    if forward || pressed(command, Key::Z) {
        cx.history.step(cx.params, forward);
    }
}

/// Draws the switch and the buttons.
pub fn controls(ui: &Ui, cx: &mut Cx<'_>, at: Rect) {
    let role = cx.theme.green;
    let middle = at.center().y;
    let switch = Rect::from_min_size(pos2(at.left(), middle - BUTTON / 2.0), vec2(SWITCH, BUTTON));
    let segments = ["1", "2"].map(|text| Segment { text, role });
    let meaning = "Two sets of all parameters, to compare. Each keeps what you change in it.";
    let chosen = cx.history.active;
    if let Some(wanted) = segmented::switch(ui, cx, switch, "Settings", meaning, &segments, chosen) {
        cx.history.choose(cx.params, wanted);
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
        cx.history.copy();
    }
    for (forward, name, keys) in [(false, "Undo", "Ctrl+Z"), (true, "Redo", "Ctrl+Shift+Z")] {
        let rect = place();
        let is_possible = cx.history.has_step(forward);
        let response = button::surface(ui, cx, rect, name, Access::Button, cx.theme.border);
        response.widget_info(|| WidgetInfo::labeled(Access::Button, is_possible, name));
        let colour = if is_possible { cx.theme.value } else { cx.theme.border };
        icon::turn_back(ui.painter(), rect.center(), colour, forward);
        if button::hint(response, cx, name, keys).clicked() {
            cx.history.step(cx.params, forward);
        }
    }
}
