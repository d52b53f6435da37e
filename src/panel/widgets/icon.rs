//! Icons that the panel draws itself, so that no font needs to contain them.

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, pos2, vec2};

/// A triangle pointing down: something opens below.
pub fn opens(painter: &Painter, centre: Pos2, colour: Color32) {
    triangle(painter, [centre + vec2(-3.5, -2.0), centre + vec2(3.5, -2.0), centre + vec2(0.0, 2.5)], colour);
}

/// A triangle pointing right: something opens beside.
pub(crate) fn unfolds(painter: &Painter, centre: Pos2, colour: Color32) {
    triangle(painter, [centre + vec2(-2.0, -3.5), centre + vec2(2.5, 0.0), centre + vec2(-2.0, 3.5)], colour);
}

/// A triangle pointing left: what is beside folds in.
pub(crate) fn folds(painter: &Painter, centre: Pos2, colour: Color32) {
    triangle(painter, [centre + vec2(2.0, -3.5), centre + vec2(2.0, 3.5), centre + vec2(-2.5, 0.0)], colour);
}

fn triangle(painter: &Painter, corners: [Pos2; 3], colour: Color32) {
    painter.add(Shape::convex_polygon(corners.to_vec(), colour, Stroke::NONE));
}

/// A tick: chosen.
pub fn tick(painter: &Painter, centre: Pos2, colour: Color32) {
    let points = vec![centre + vec2(-4.0, 0.5), centre + vec2(-1.2, 3.3), centre + vec2(4.0, -3.0)];
    painter.add(Shape::line(points, Stroke::new(1.6, colour)));
}

/// An arrow that turns back to the left, or `mirrored` to the right: undo and redo.
pub(crate) fn turn_back(painter: &Painter, centre: Pos2, colour: Color32, mirrored: bool) {
    let side = if mirrored { -1.0 } else { 1.0 };
    let at = |x: f32, y: f32| centre + vec2(x * side, y);
    let bow = (0..=12).map(|i| {
        let angle = (-90.0 + 15.0 * i as f32).to_radians();
        at(1.0 + 4.0 * angle.cos(), 0.5 + 4.0 * angle.sin())
    });
    let line: Vec<Pos2> = std::iter::once(at(-3.0, -3.5)).chain(bow).collect();
    painter.add(Shape::line(line, Stroke::new(1.5, colour)));
    triangle(painter, [at(-6.0, -3.5), at(-2.0, -6.5), at(-2.0, -0.5)], colour);
}

/// A cross: remove.
pub fn cross(painter: &Painter, centre: Pos2, colour: Color32) {
    let stroke = Stroke::new(1.4, colour);
    for slope in [1.0, -1.0] {
        let arm = vec2(3.2, 3.2 * slope);
        painter.line_segment([centre - arm, centre + arm], stroke);
    }
}

/// The power sign: on, or bypassed.
pub fn power(painter: &Painter, centre: Pos2, radius: f32, colour: Color32) {
    let stroke = Stroke::new(1.8, colour);
    let arc = arc(centre, radius, -55f32.to_radians(), 235f32.to_radians(), 24);
    painter.add(Shape::line(arc, stroke));
    painter.line_segment([centre - vec2(0.0, radius * 1.15), centre - vec2(0.0, radius * 0.15)], stroke);
}

/// A warning triangle with its exclamation mark cut out in `below`.
pub fn warning(painter: &Painter, centre: Pos2, colour: Color32, below: Color32) {
    let corners = vec![centre + vec2(0.0, -7.0), centre + vec2(8.0, 6.5), centre + vec2(-8.0, 6.5)];
    painter.add(Shape::convex_polygon(corners, colour, Stroke::new(1.5, colour)));
    painter.line_segment([centre + vec2(0.0, -2.5), centre + vec2(0.0, 2.0)], Stroke::new(1.7, below));
    painter.circle_filled(centre + vec2(0.0, 4.5), 1.05, below);
}

/// A dot that shows a state: filled, or a ring for something under way.
pub fn dot(painter: &Painter, centre: Pos2, colour: Color32, filled: bool) {
    if filled {
        painter.circle_filled(centre, 3.5, colour);
    } else {
        painter.circle_stroke(centre, 3.0, Stroke::new(1.5, colour));
    }
}

/// Points of an arc, clockwise from `from` to `to` in radians, 0 to the right.
pub(crate) fn arc(centre: Pos2, radius: f32, from: f32, to: f32, n_pieces: usize) -> Vec<Pos2> {
    (0..=n_pieces)
        .map(|i| {
            let angle = from + (to - from) * i as f32 / n_pieces as f32;
            centre + radius * vec2(angle.cos(), angle.sin())
        })
        .collect()
}

/// Text that says which slot, in a square of its colour.
pub fn slot(painter: &Painter, rect: Rect, name: &str, role: super::super::theme::Role, on: Color32) {
    use super::super::text::{self, Ink};
    painter.rect_filled(rect, 5, role.fill);
    let centre = pos2(rect.center().x, rect.center().y);
    text::draw(painter, centre, egui::Align2::CENTER_CENTER, name, Ink::new(12.0, on).bold());
}
