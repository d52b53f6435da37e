//! The limit by frequency over the spectrogram of the output: a curve, and six handles that are dragged sideways.

use egui::{Align2, Pos2, Rect, Shape, Stroke, Ui, Vec2, lerp, pos2, remap, vec2};

use super::{Axis, Cx, spectrogram, text::Ink, theme, widgets::param};
use crate::limit::{HANDLES_HZ, NO_LIMIT_DB, curve_db};
use crate::parameters::ParamId;

/// How much wider small limits lie than large ones, which nobody hears apart: 40 dB is at some three quarters.
const BEND: f32 = 2.5;
/// Diameter of a handle, and of the place that takes the pointer, points.
const HANDLE: f32 = 9.0;
const GRIP: f32 = 18.0;

/// Draws the curve where it is not level, and its handles where they are asked for and the axis has room for them.
pub fn draw(ui: &mut Ui, cx: &mut Cx<'_>, picture: Rect) {
    let has_handles = cx.settings.limits && cx.settings.axis == Axis::Logarithmic;
    let limits = ParamId::LIMITS.map(|id| cx.params.number(id));
    if !has_handles && limits.iter().all(|limit| *limit == limits[0]) {
        return;
    }
    let inside = picture.shrink(GRIP / 2.0);
    curve(ui, cx, picture, inside, &limits);
    if has_handles {
        for (id, hz) in ParamId::LIMITS.into_iter().zip(HANDLES_HZ) {
            handle(ui, cx, id, inside, cx.panel.output.y_of(picture, hz));
        }
    }
}

fn curve(ui: &Ui, cx: &Cx<'_>, picture: Rect, inside: Rect, limits: &[f32; HANDLES_HZ.len()]) {
    // A point for each point of height.
    let n_points = picture.height().max(2.0) as usize;
    let point = |i: usize| {
        let y = lerp(picture.y_range(), i as f32 / (n_points - 1) as f32);
        pos2(x_of(inside, curve_db(limits, cx.panel.output.hz_at(picture, y))), y)
    };
    let points: Vec<Pos2> = (0..n_points).map(point).collect();
    // Dark below, so that it is seen over any colour.
    ui.painter().add(Shape::line(points.clone(), Stroke::new(3.5, theme::PLATE)));
    ui.painter().add(Shape::line(points, Stroke::new(1.5, theme::ON_PLATE)));
}

fn handle(ui: &mut Ui, cx: &mut Cx<'_>, id: ParamId, inside: Rect, y: f32) {
    let x = x_of(inside, cx.params.number(id));
    let at = pos2(x, y.clamp(inside.top(), inside.bottom()));
    let grip = Rect::from_center_size(at, Vec2::splat(GRIP));
    let turned = |value: f32, moved: Vec2| {
        let to = db_at(inside, x_of(inside, value * NO_LIMIT_DB) + moved.x);
        to / NO_LIMIT_DB - value
    };
    let response = param::control_by(ui, cx, id, grip, turned);
    let is_active = response.hovered() || response.dragged() || response.has_focus();
    let fill = if is_active { cx.theme.blue.fill } else { theme::ON_PLATE };
    ui.painter().circle(at, HANDLE / 2.0, fill, Stroke::new(1.5, theme::PLATE));
    if !is_active && !param::is_edited(cx, id) {
        return;
    }
    // On the side that has room.
    let (side, align) =
        if at.x > inside.center().x { (-GRIP, Align2::RIGHT_CENTER) } else { (GRIP, Align2::LEFT_CENTER) };
    let place = align.anchor_size(at + vec2(side, 0.0), vec2(64.0, 18.0));
    if param::is_edited(cx, id) {
        let ink = Ink::new(theme::SMALL, cx.theme.value).tabular();
        param::value(ui, cx, id, place, align, ink);
    } else {
        let shown = format!("{}: {}", id.spec().label, cx.params.text(id, cx.params.value(id)));
        spectrogram::plate(ui, at + vec2(side, 0.0), align, &shown);
    }
}

/// Position of a limit, and the limit at a position.
fn x_of(inside: Rect, db: f32) -> f32 {
    lerp(inside.x_range(), 1.0 - (1.0 - db / NO_LIMIT_DB).powf(BEND))
}

fn db_at(inside: Rect, x: f32) -> f32 {
    let share = remap(x, inside.x_range(), 0.0..=1.0).clamp(0.0, 1.0);
    NO_LIMIT_DB * (1.0 - (1.0 - share).powf(1.0 / BEND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_and_its_limit_agree() {
        let inside = Rect::from_min_size(pos2(20.0, 0.0), vec2(400.0, 100.0));
        for db in [0.0, 6.0, 39.9, 40.1, 70.0, NO_LIMIT_DB] {
            assert!((db_at(inside, x_of(inside, db)) - db).abs() < 0.01, "{db}");
        }
        assert_eq!((db_at(inside, 0.0), db_at(inside, 1e4)), (0.0, NO_LIMIT_DB));
    }
}
