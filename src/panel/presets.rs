//! The preset list: recall, save, delete.

use egui::{Align2, Key, Rect, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2};

use super::{
    Cx,
    host_params::Action,
    text::{self, Ink},
    theme,
    widgets::{
        button, icon,
        picker::{self, Item},
    },
};

/// Width of the list, points.
const WIDTH: f32 = 220.0;

/// The button with the current preset's name, and the list below it.
pub(crate) fn picker(ui: &Ui, cx: &mut Cx<'_>, rect: Rect) {
    let current = cx.view_model.presets.current.clone();
    let shown = current.as_deref().unwrap_or("No preset");
    let (response, action) =
        picker::opener(ui, cx, rect, "Preset", shown, |ui, cx| list(ui, cx, current.as_deref()));
    button::hint(response, cx, "Preset", "Recalls a set of parameters, or saves one under a name.");
    if let Some(action) = action {
        cx.params.perform(action);
    }
}

fn list(ui: &mut Ui, cx: &mut Cx<'_>, current: Option<&str>) -> Option<Action> {
    let presets = cx.view_model.presets.clone();
    let mut action = None;
    picker::heading(ui, cx, WIDTH, "Factory");
    for name in &presets.factory {
        if picker::item(ui, cx, WIDTH, &Item::new(name), current == Some(name)).clicked() {
            action = Some(Action::RecallPreset(name.clone()));
        }
    }
    if !presets.own.is_empty() {
        picker::rule(ui, cx, WIDTH);
        picker::heading(ui, cx, WIDTH, "Own");
    }
    for name in &presets.own {
        let response = picker::item(ui, cx, WIDTH, &Item::new(name), current == Some(name));
        let bin = Rect::from_center_size(
            pos2(response.rect.right() - 14.0, response.rect.center().y),
            vec2(20.0, 20.0),
        );
        if delete(ui, cx, bin, name) {
            action = Some(Action::DeletePreset(name.clone()));
        } else if response.clicked() {
            action = Some(Action::RecallPreset(name.clone()));
        }
    }
    picker::rule(ui, cx, WIDTH);
    action.or_else(|| save(ui, cx))
}

fn delete(ui: &Ui, cx: &Cx<'_>, rect: Rect, name: &str) -> bool {
    let response = ui.interact(rect, ui.scope_id().with((name, "delete")), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, format!("Delete {name}")));
    let colour = if response.hovered() { cx.theme.red.text } else { cx.theme.hint };
    icon::cross(ui.painter(), rect.center(), colour);
    super::widgets::param::focus_ring(ui, cx, &response, rect);
    response.clicked()
}

/// A field for the name and a button.
fn save(ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Action> {
    let (_, rect) = ui.allocate_space(vec2(WIDTH, 32.0));
    let room = rect.shrink2(vec2(6.0, 2.0));
    let width = button::width(ui, "Save");
    let at = Rect::from_min_max(
        pos2(room.right() - width, room.top() + 1.0),
        pos2(room.right(), room.bottom() - 1.0),
    );
    let field = Rect::from_min_max(room.min, pos2(at.left() - 6.0, room.bottom()));
    let mut name = cx.panel.saving.clone().unwrap_or_default();
    let response = ui.put(
        field,
        TextEdit::singleline(&mut name)
            .hint_text("Save as …")
            .text_color(cx.theme.value)
            .char_limit(40)
            .margin(egui::Margin::symmetric(6, 4)),
    );
    let response = response.accessible_name("Preset name");
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let named = name.trim().to_owned();
    cx.panel.saving = Some(name);
    let pressed = if named.is_empty() {
        let ink = Ink::new(theme::BODY, cx.theme.hint);
        text::draw(ui.painter(), at.center(), Align2::CENTER_CENTER, "Save", ink);
        false
    } else {
        button::button(ui, cx, at, "Save", "").clicked()
    };
    if (entered || pressed) && !named.is_empty() {
        cx.panel.saving = None;
        return Some(Action::SavePreset(named));
    }
    None
}
