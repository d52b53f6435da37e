//! Common behaviour of all controls of parameters: drag, wheel, keys, typing a value, double-click, tooltip, and its name
//! and value for screen readers.

use egui::{
    Align, Align2, CursorIcon, EventFilter, FontId, Key, Rect, Response, Sense, Stroke, StrokeKind, TextEdit,
    Ui, Vec2, WidgetInfo, accesskit, pos2,
};

use super::super::{
    Cx, Editing,
    text::{self, Ink},
    theme,
};
use crate::parameters::ParamId;

/// Pointer travel from one end to the other, points.
const TRAVEL: f32 = 200.0;
/// With shift: so much slower.
const FINE: f32 = 0.1;
/// Wheel points from one end to the other: a notch is 2 %.
const WHEEL_TRAVEL: f32 = 2_500.0;
/// A key press, of the whole range.
const KEY_STEP: f32 = 0.01;
/// Page keys, of the whole range.
const PAGE_STEP: f32 = 0.1;

/// The control of a continuous parameter in `rect`; how it looks is the caller's.
pub fn control(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, rect: Rect) -> Response {
    control_by(ui, cx, id, rect, |_, moved| (moved.x - moved.y) / TRAVEL)
}

/// The same, where `turned` says how far the pointer's movement in points turns the value that there is.
pub(crate) fn control_by(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    id: ParamId,
    rect: Rect,
    turned: impl Fn(f32, Vec2) -> f32,
) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(id), Sense::click_and_drag());
    let fine = if ui.input(|input| input.modifiers.shift) { FINE } else { 1.0 };
    let now_s = ui.input(|input| input.time);

    if response.drag_started() {
        cx.panel.gesture.grab(cx.params, id);
    }
    if response.dragged() && cx.panel.gesture.turns(id) {
        let by = turned(cx.panel.gesture.value(), response.drag_delta() * fine);
        cx.panel.gesture.drag(cx.params, by);
    }
    if response.double_clicked() {
        cx.panel.gesture.finish(cx.params);
        let default = cx.params.default_value(id);
        cx.params.change(id, default);
    }
    if response.hovered() {
        let scrolled = ui.input_mut(|input| std::mem::take(&mut input.smooth_scroll_delta));
        // With shift the wheel scrolls sideways.
        let along = if scrolled.y == 0.0 { scrolled.x } else { scrolled.y };
        if along != 0.0 {
            cx.panel.gesture.nudge(cx.params, id, along / WHEEL_TRAVEL * fine, now_s);
        }
    }
    if response.has_focus() {
        keys(ui, cx, id, &response, fine, now_s);
    }
    requests(ui, cx, id, &response);
    describe(ui, cx, id, &response);
    focus_ring(ui, cx, &response, rect);

    let response = response.on_hover_and_drag_cursor(CursorIcon::ResizeVertical);
    if response.dragged() { response } else { tooltip(response, cx, id, true) }
}

fn keys(ui: &Ui, cx: &mut Cx<'_>, id: ParamId, response: &Response, fine: f32, now_s: f64) {
    keep_arrows(ui, response, true);
    let presses = |key: Key| ui.input(|input| input.num_presses(key)) as f32;
    let steps =
        presses(Key::ArrowUp) + presses(Key::ArrowRight) - presses(Key::ArrowDown) - presses(Key::ArrowLeft);
    let pages = presses(Key::PageUp) - presses(Key::PageDown);
    let by = steps * KEY_STEP * fine + pages * PAGE_STEP;
    if by != 0.0 {
        cx.panel.gesture.nudge(cx.params, id, by, now_s);
    }
    let jump = match () {
        () if presses(Key::Home) > 0.0 => Some(0.0),
        () if presses(Key::End) > 0.0 => Some(1.0),
        () if presses(Key::Delete) + presses(Key::Backspace) > 0.0 => Some(cx.params.default_value(id)),
        () => None,
    };
    if let Some(value) = jump {
        cx.panel.gesture.finish(cx.params);
        cx.params.change(id, value);
    }
    // A digit or a sign begins a new value, Enter opens the present one.
    let typed = ui.input_mut(|input| {
        let begins = |c: char| c.is_ascii_digit() || matches!(c, '-' | '−' | '.');
        let at = input
            .events
            .iter()
            .position(|event| matches!(event, egui::Event::Text(t) if t.starts_with(begins)))?;
        match input.events.remove(at) {
            egui::Event::Text(text) => Some(text),
            _ => None,
        }
    });
    if let Some(text) = typed {
        cx.panel.editing = Some(Editing { id, text, fresh: true, by_key: true });
    } else if ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::Enter)) {
        edit(cx, id, true);
    }
}

/// Requests of screen readers and other assistive tools.
fn requests(ui: &Ui, cx: &mut Cx<'_>, id: ParamId, response: &Response) {
    use accesskit::{Action, ActionData};
    let (steps, wanted) = ui.input(|input| {
        let steps = input.num_accesskit_action_requests(response.id, Action::Increment) as f32
            - input.num_accesskit_action_requests(response.id, Action::Decrement) as f32;
        let wanted =
            input.accesskit_action_requests(response.id, Action::SetValue).last().and_then(|request| {
                match &request.data {
                    Some(ActionData::NumericValue(value)) => cx.params.parse(id, &value.to_string()),
                    Some(ActionData::Value(text)) => cx.params.parse(id, text),
                    _ => None,
                }
            });
        (steps, wanted)
    });
    if steps != 0.0 {
        let value = (cx.params.value(id) + steps * KEY_STEP).clamp(0.0, 1.0);
        cx.params.change(id, value);
    }
    if let Some(value) = wanted {
        cx.params.change(id, value);
    }
}

fn describe(ui: &Ui, cx: &Cx<'_>, id: ParamId, response: &Response) {
    // A frequency alone says nothing.
    let label = if ParamId::LIMITS.contains(&id) { id.spec().name } else { id.spec().label };
    let value = cx.params.value(id);
    let plain = |value: f32| f64::from(cx.params.plain(id, value));
    response.widget_info(|| WidgetInfo::slider(true, plain(value), label));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        tell_value(node, &cx.params.text(id, value));
        node.set_min_numeric_value(plain(0.0));
        node.set_max_numeric_value(plain(1.0));
        node.set_numeric_value_step((plain(1.0) - plain(0.0)) * f64::from(KEY_STEP));
        for action in
            [accesskit::Action::SetValue, accesskit::Action::Increment, accesskit::Action::Decrement]
        {
            node.add_action(action);
        }
    });
}

/// Tells a screen reader a value in words.
pub fn tell_value(node: &mut accesskit::Node, value: &str) {
    node.set_value(value);
    if cfg!(target_os = "linux") {
        // AT-SPI's values are numbers.
        node.set_description(value);
    }
}

/// Arrow keys turn what has the focus instead of moving the focus on.
pub fn keep_arrows(ui: &Ui, response: &Response, vertical: bool) {
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: vertical, ..Default::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    if response.gained_focus() {
        // The lock holds from the second frame on, and the next key may come before there is one.
        ui.ctx().request_repaint();
    }
}

/// A line around what has the keyboard's focus.
pub fn focus_ring(ui: &Ui, cx: &Cx<'_>, response: &Response, rect: Rect) {
    if response.has_focus() {
        let stroke = Stroke::new(1.5, cx.theme.blue.fill);
        ui.painter().rect_stroke(rect.expand(3.0), theme::RADIUS, stroke, StrokeKind::Middle);
    }
}

/// The tooltip of a parameter: its name, what it does, and how it is used.
pub fn tooltip(response: Response, cx: &Cx<'_>, id: ParamId, continuous: bool) -> Response {
    let theme = cx.theme;
    response.on_hover_ui(move |ui| {
        let hint = if continuous {
            "Double-click to reset · click the value to type · Shift for fine steps"
        } else {
            ""
        };
        tip(ui, theme, id.spec().label, id.spec().help, hint);
    })
}

/// The contents of a tooltip.
pub fn tip(ui: &mut Ui, theme: &theme::Theme, title: &str, meaning: &str, hint: &str) {
    let width = ui.spacing().tooltip_width;
    ui.spacing_mut().item_spacing.y = 4.0;
    for (paragraph, ink) in [
        (title, Ink::new(theme::BODY, theme.value).bold()),
        (meaning, Ink::new(theme::BODY, theme.label)),
        (hint, Ink::new(theme::SMALL, theme.hint)),
    ] {
        if !paragraph.is_empty() {
            let job = text::job(ui.painter(), paragraph, ink);
            ui.add(egui::Label::new(egui::text::LayoutJob {
                wrap: egui::text::TextWrapping::wrap_at_width(width),
                ..job
            }));
        }
    }
}

/// Whether the field to type a parameter's value in is open.
pub(crate) fn is_edited(cx: &Cx<'_>, id: ParamId) -> bool {
    cx.panel.editing.as_ref().is_some_and(|editing| editing.id == id)
}

/// Opens the field to type a value in.
fn edit(cx: &mut Cx<'_>, id: ParamId, by_key: bool) {
    let text = cx.params.text(id, cx.params.value(id));
    // A value in words is replaced as a whole.
    let end = text.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    cx.panel.editing = Some(Editing { id, text: text[..end].to_owned(), fresh: true, by_key });
}

/// A parameter's value, a click on which opens a field to type in. `align` is where in `rect` it stands.
pub fn value(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, rect: Rect, align: Align2, ink: Ink) {
    if is_edited(cx, id) {
        return field(ui, cx, rect, align, ink);
    }
    let shown = cx.params.text(id, cx.params.value(id));
    let galley = text::line(ui.painter(), &shown, ink);
    let at = align.anchor_size(align.pos_in_rect(&rect), galley.size());
    let field = ui.scope_id().with((id, "value"));
    // Not in the tab order: the control itself is, and Enter on it does the same.
    let response = ui.interact(at.expand2(Vec2::new(5.0, 2.0)), field, Sense::CLICK);
    if response.hovered() {
        let outline = Stroke::new(1.0, cx.theme.border);
        ui.painter().rect(response.rect, 4, cx.theme.control, outline, StrokeKind::Inside);
    }
    text::place(ui.painter(), at.min, Align2::LEFT_TOP, galley);
    if response.clicked() {
        edit(cx, id, false);
    }
    response.on_hover_cursor(CursorIcon::Text);
}

fn field(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect, align: Align2, ink: Ink) {
    let Some(editing) = &mut cx.panel.editing else { return };
    let height = ink.size * 1.25 + 4.0;
    let size = Vec2::new(rect.width().max(56.0), height);
    let at = align.anchor_size(align.pos_in_rect(&rect), size);
    let at =
        Rect::from_min_size(pos2(at.min.x, align.pos_in_rect(&rect).y - size.y * anchor(align.y())), size);
    let id = ui.scope_id().with("typing");
    let edit = TextEdit::singleline(&mut editing.text)
        .id(id)
        .font(FontId::proportional(ink.size))
        .text_color(ink.colour)
        .margin(egui::Margin::symmetric(4, 1))
        .align(Align2([align.x(), Align::Center]))
        .cursor_at_end(true);
    let response = ui.put(at, edit);
    let response = response.accessible_name(editing.id.spec().label);
    if std::mem::take(&mut editing.fresh) {
        response.request_focus();
    } else if response.lost_focus() || !response.has_focus() {
        let (cancelled, entered) =
            ui.input(|input| (input.key_pressed(Key::Escape), input.key_pressed(Key::Enter)));
        let value = cx.params.parse(editing.id, &editing.text);
        let (id, by_key) = (editing.id, editing.by_key);
        cx.panel.editing = None;
        if by_key && (cancelled || entered) {
            ui.memory_mut(|memory| memory.request_focus(ui.scope_id().with(id)));
        }
        if let (false, Some(value)) = (cancelled, value) {
            cx.params.change(id, value);
        }
    }
}

fn anchor(align: Align) -> f32 {
    match align {
        Align::Min => 0.0,
        Align::Center => 0.5,
        Align::Max => 1.0,
    }
}
