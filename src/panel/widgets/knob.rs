//! A rotary knob: an arc that fills, a cap with a pointer, its name and its value.

use egui::{Align2, Pos2, Rect, Shape, Stroke, Ui, Vec2, pos2, vec2};

use super::super::{
    Cx,
    text::{self, Ink},
    theme,
};
use super::{icon, param};
use crate::parameters::ParamId;

/// Start of the arc, clockwise from the right, radians.
const FROM: f32 = 0.75 * std::f32::consts::PI;
/// Length of the arc, radians.
const SWEEP: f32 = 1.5 * std::f32::consts::PI;

/// How a knob looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Outer diameter of the arc, points.
    pub diameter: f32,
    /// Its width, points.
    pub width: f32,
    /// Diameter of the cap, points.
    pub cap: f32,
    /// Start of the filled arc, 0..=1: 0 for an amount, 0.5 for a gain of either sign.
    pub origin: f32,
    /// Its colour.
    pub role: theme::Role,
}

/// Draws and serves the knob alone, centred at `centre`.
pub(crate) fn dial(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, centre: Pos2, look: Look) {
    let rect = Rect::from_center_size(centre, Vec2::splat(look.diameter));
    let response = param::control(ui, cx, id, rect);
    let value = cx.params.value(id);
    let theme = cx.theme;
    let painter = ui.painter();
    let radius = (look.diameter - look.width) / 2.0;
    // A piece of 4 points of arc is round to the eye.
    let n_pieces = (radius * SWEEP / 4.0) as usize;

    band(painter, centre, radius, [0.0, 1.0], n_pieces, Stroke::new(look.width, theme.groove));
    let ends = [value.min(look.origin), value.max(look.origin)];
    if ends[1] - ends[0] > 0.002 {
        band(painter, centre, radius, ends, n_pieces, Stroke::new(look.width, look.role.fill));
    }
    let hovered = response.hovered() || response.dragged();
    let cap = if hovered { theme.hovered } else { theme.cap };
    painter.circle(centre, look.cap / 2.0, cap, Stroke::new(1.0, theme.border));
    let direction = Vec2::angled(FROM + SWEEP * value);
    let (inner, outer) = (look.cap * 0.30, look.cap * 0.43);
    let pointer = Stroke::new((look.cap / 30.0).clamp(2.0, 3.2), theme.mark);
    painter.line_segment([centre + inner * direction, centre + outer * direction], pointer);
}

/// A stretch of the arc with round ends; `ends` of 0..=1.
fn band(painter: &egui::Painter, centre: Pos2, radius: f32, ends: [f32; 2], n_pieces: usize, stroke: Stroke) {
    let [from, to] = ends.map(|end| FROM + SWEEP * end);
    let n_pieces = ((ends[1] - ends[0]) * n_pieces as f32).ceil().max(1.0) as usize;
    let points = icon::arc(centre, radius, from, to, n_pieces);
    for end in [points[0], points[points.len() - 1]] {
        painter.circle_filled(end, stroke.width / 2.0, stroke.color);
    }
    painter.add(Shape::line(points, stroke));
}

/// The one big knob: name above, value in the opening of the arc.
pub fn big(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, rect: Rect) {
    let theme = cx.theme;
    let label = Ink::new(theme::BODY, theme.label);
    text::draw(ui.painter(), rect.center_top(), Align2::CENTER_TOP, id.spec().label, label);
    let diameter = (rect.height() - 26.0).min(rect.width());
    let centre = pos2(rect.center().x, rect.top() + 22.0 + diameter / 2.0);
    let look = Look { diameter, width: 9.0, cap: diameter * 0.68, origin: 0.0, role: theme.green };
    dial(ui, cx, id, centre, look);
    let value = Rect::from_center_size(pos2(centre.x, centre.y + diameter * 0.455), vec2(110.0, 28.0));
    param::value(ui, cx, id, value, Align2::CENTER_CENTER, Ink::value(theme::BIG, theme.value));
}

/// A small knob: name and value below.
pub fn small(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, rect: Rect, origin: f32, role: theme::Role) {
    let theme = cx.theme;
    let diameter = 40.0;
    let centre = pos2(rect.center().x, rect.top() + diameter / 2.0);
    dial(ui, cx, id, centre, Look { diameter, width: 4.0, cap: 26.0, origin, role });
    let label = Ink::new(theme::SMALL, theme.hint);
    text::draw(
        ui.painter(),
        pos2(rect.center().x, rect.top() + 44.0),
        Align2::CENTER_TOP,
        id.spec().label,
        label,
    );
    let value =
        Rect::from_center_size(pos2(rect.center().x, rect.top() + 68.0), vec2(rect.width() - 4.0, 18.0));
    param::value(ui, cx, id, value, Align2::CENTER_CENTER, Ink::value(theme::BODY, theme.value));
}
