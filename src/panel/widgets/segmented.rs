//! A segmented switch.

use egui::{Align2, CornerRadius, CursorIcon, Key, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo};

use super::super::{
    Cx,
    text::{self, Ink},
    theme::{self, Role as Colour},
};
use super::param::{focus_ring, keep_arrows, tip, tooltip};
use crate::parameters::{ParamId, Values};

/// Height, points.
pub const HEIGHT: f32 = 28.0;

/// One choice.
pub struct Segment<'a> {
    /// Its label, and its name with the switch's.
    pub text: &'a str,
    /// The colour when chosen.
    pub role: Colour,
}

/// A switch over `segments`; returns the newly chosen one. `name` is the switch's, for screen readers.
pub fn switch(
    ui: &Ui,
    cx: &Cx<'_>,
    rect: Rect,
    name: &str,
    meaning: &str,
    segments: &[Segment<'_>],
    chosen: usize,
) -> Option<usize> {
    let theme = cx.theme;
    let outline = Stroke::new(1.0, theme.border);
    ui.painter().rect(rect, theme::RADIUS, theme.control, outline, StrokeKind::Inside);
    let width = rect.width() / segments.len() as f32;
    let mut wanted = None;
    for (i, segment) in segments.iter().enumerate() {
        let left = rect.left() + width * i as f32;
        let at = Rect::from_x_y_ranges(left..=left + width, rect.y_range());
        let response = ui.interact(at, ui.scope_id().with((name, i)), Sense::click());
        let full_name = format!("{name}: {}", segment.text);
        response.widget_info(|| {
            WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), i == chosen, &full_name)
        });
        if i == chosen {
            let corner = |end: bool| if end { theme::RADIUS } else { 0 };
            let (first, last) = (i == 0, i + 1 == segments.len());
            let radius =
                CornerRadius { nw: corner(first), sw: corner(first), ne: corner(last), se: corner(last) };
            ui.painter().rect(
                at,
                radius,
                segment.role.wash,
                Stroke::new(1.0, segment.role.fill),
                StrokeKind::Inside,
            );
        } else if i > 0 && i != chosen + 1 {
            ui.painter().vline(left, at.shrink(7.0).y_range(), outline);
        }
        let colour = if i == chosen || response.hovered() { theme.value } else { theme.label };
        text::draw(
            ui.painter(),
            at.center(),
            Align2::CENTER_CENTER,
            segment.text,
            Ink::new(theme::BODY, colour),
        );
        focus_ring(ui, cx, &response, at.shrink(2.0));
        if response.has_focus() {
            keep_arrows(ui, &response, false);
            let (left, right) =
                ui.input(|input| (input.key_pressed(Key::ArrowLeft), input.key_pressed(Key::ArrowRight)));
            let to = if left {
                i.checked_sub(1)
            } else {
                right.then_some(i + 1).filter(|&to| to < segments.len())
            };
            if let Some(to) = to {
                ui.memory_mut(|memory| memory.request_focus(ui.scope_id().with((name, to))));
                wanted = Some(to);
            }
        }
        if response.clicked() && i != chosen {
            wanted = Some(i);
        }
        let response = response.on_hover_cursor(CursorIcon::PointingHand);
        if !meaning.is_empty() {
            response.on_hover_ui(|ui| tip(ui, theme, name, meaning, ""));
        }
    }
    wanted
}

/// A switch over the choices of a parameter.
pub(crate) fn of_param(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, id: ParamId) {
    some_of_param(ui, cx, rect, id, usize::MAX);
}

/// A switch over the first `n_shown` choices of a parameter; the others count as the first.
pub(crate) fn some_of_param(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, id: ParamId, n_shown: usize) {
    let role = cx.theme.green;
    let mut segments: Vec<_> = match id.spec().values {
        Values::Choice(texts) => texts.iter().map(|text| Segment { text: text.label, role }).collect(),
        Values::Switch { .. } => vec![Segment { text: "Off", role }, Segment { text: "On", role }],
        Values::Number(_) => return,
    };
    segments.truncate(n_shown);
    let chosen = Some(cx.params.choice(id)).filter(|&chosen| chosen < segments.len()).unwrap_or(0);
    if let Some(wanted) = switch(ui, cx, rect, id.spec().label, id.spec().help, &segments, chosen) {
        cx.params.choose(id, wanted);
    }
}

/// Height of a switch with its label above, points.
pub(crate) const LABELLED_HEIGHT: f32 = 18.0 + HEIGHT;

/// A switch over the choices of a parameter, its label above.
pub(crate) fn labelled(ui: &Ui, cx: &mut Cx<'_>, rect: Rect, id: ParamId) {
    label(ui, cx, rect.min, id);
    of_param(ui, cx, below_label(rect), id);
}

/// The place of a switch below its label.
pub(crate) fn below_label(rect: Rect) -> Rect {
    Rect::from_min_max(rect.min + egui::vec2(0.0, 18.0), rect.max)
}

/// The tooltip of a parameter's switch, for a label beside it.
pub fn label(ui: &Ui, cx: &Cx<'_>, at: egui::Pos2, id: ParamId) {
    let ink = Ink::new(theme::SMALL, cx.theme.hint);
    let rect = text::draw(ui.painter(), at, Align2::LEFT_TOP, id.spec().label, ink);
    let response = ui.interact(rect, ui.scope_id().with((id, "label")), Sense::hover());
    tooltip(response, cx, id, false);
}
