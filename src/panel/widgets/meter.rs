//! Level meter: one bar per channel, peak hold, a scale in dB, and a clip lamp.

use egui::{Align2, Color32, Mesh, Rect, Role as Access, Sense, Shape, Stroke, Ui, WidgetInfo, lerp, pos2};

use super::super::{
    level_meter::{FLOOR_DB, LevelMeter},
    text::{self, Ink},
    theme::{self, Theme},
};

/// Marks of the scale, dBFS.
pub(crate) const MARKS_DB: [f32; 7] = [0.0, -6.0, -12.0, -18.0, -24.0, -36.0, -48.0];
/// Here the bar turns amber, and red: headroom gets scarce.
const AMBER_DB: f32 = -12.0;
const RED_DB: f32 = -3.0;
/// Height of the clip lamp and its gap, points.
const LAMP: f32 = 7.0;

/// Share of the height at a level: the upper half of the scale gets the upper two thirds.
fn share(db: f32) -> f32 {
    let linear = ((db - FLOOR_DB) / -FLOOR_DB).clamp(0.0, 1.0);
    linear.powf(1.4)
}

/// Height on the screen of a level in a meter drawn in `rect`.
pub fn y_of(rect: Rect, db: f32) -> f32 {
    lerp(rect.bottom()..=rect.top() + LAMP, share(db))
}

/// Draws the meter; a click forgets that it clipped.
pub fn meter(ui: &Ui, theme: &Theme, rect: Rect, name: &str, level: &mut LevelMeter) {
    let response = ui.interact(rect, ui.scope_id().with((name, "meter")), Sense::CLICK);
    response.widget_info(|| {
        let shown = format!("{name}: {} dBFS", text::db(level.max_db()));
        let clipped = if level.clipped() { ", clipped" } else { "" };
        WidgetInfo::labeled(Access::Meter, true, shown + clipped)
    });
    if response.clicked() {
        level.reset_clip();
    }
    let painter = ui.painter();
    let n_channels = level.n_channels();
    let gap = if n_channels > 1 { 2.0 } else { 0.0 };
    let width = (rect.width() - gap * (n_channels as f32 - 1.0)) / n_channels as f32;
    for channel in 0..n_channels {
        let left = rect.left() + channel as f32 * (width + gap);
        let lane = Rect::from_x_y_ranges(left..=left + width, rect.top() + LAMP..=rect.bottom());
        painter.rect_filled(lane, 2, theme.groove);
        let stops = [FLOOR_DB, AMBER_DB - 6.0, AMBER_DB, RED_DB, 0.0];
        let colours =
            [theme.green.fill, theme.green.fill, theme.amber.fill, theme.amber.fill, theme.red.fill];
        let top_db = level.bar_db(channel).clamp(FLOOR_DB, 0.0);
        gradient(ui, rect, lane, &stops, &colours, top_db);
        let hold_db = level.hold_db(channel);
        if hold_db > FLOOR_DB {
            let colour = colour_at(&stops, &colours, hold_db);
            let y = y_of(rect, hold_db.min(0.0)) + 1.0;
            painter.hline(lane.x_range(), y, Stroke::new(2.0, colour));
        }
    }
    let lamp = Rect::from_x_y_ranges(rect.x_range(), rect.top()..=rect.top() + LAMP - 3.0);
    painter.rect_filled(lamp, 1.5, if level.clipped() { theme.red.fill } else { theme.groove });
    response.on_hover_text(
        "Peak level in dBFS with hold. The lamp turns red when a sample exceeds full scale; click to clear.",
    );
}

/// The bar from the floor up to `top_db`.
fn gradient(ui: &Ui, rect: Rect, lane: Rect, stops: &[f32], colours: &[Color32], top_db: f32) {
    if top_db <= FLOOR_DB {
        return;
    }
    let mut mesh = Mesh::default();
    let mut row = |db: f32| {
        let colour = colour_at(stops, colours, db);
        let y = y_of(rect, db);
        let at = mesh.vertices.len() as u32;
        mesh.colored_vertex(pos2(lane.left(), y), colour);
        mesh.colored_vertex(pos2(lane.right(), y), colour);
        if at > 0 {
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    };
    stops.iter().copied().filter(|&db| db < top_db).for_each(&mut row);
    row(top_db);
    ui.painter().add(Shape::mesh(mesh));
}

fn colour_at(stops: &[f32], colours: &[Color32], db: f32) -> Color32 {
    let above = stops.iter().position(|&stop| stop >= db).unwrap_or(stops.len() - 1).max(1);
    let t = ((db - stops[above - 1]) / (stops[above] - stops[above - 1])).clamp(0.0, 1.0);
    colours[above - 1].lerp_to_gamma(colours[above], t)
}

/// The scale's numbers, centred at `x` beside a meter drawn in `rect`.
pub fn scale(ui: &Ui, theme: &Theme, rect: Rect, x: f32) {
    for db in MARKS_DB {
        let number = if db == 0.0 { "0".into() } else { text::signed(format!("{db:.0}")) };
        let ink = Ink::new(10.0, theme.hint);
        text::draw(ui.painter(), pos2(x, y_of(rect, db)), Align2::CENTER_CENTER, &number, ink);
    }
}

/// Name and peak below a meter, centred at `x`.
pub(crate) fn caption(ui: &Ui, theme: &Theme, x: f32, top: f32, name: &str, level: &LevelMeter) {
    let painter = ui.painter();
    text::draw(painter, pos2(x, top), Align2::CENTER_TOP, name, Ink::new(theme::SMALL, theme.hint));
    let colour = if level.clipped() { theme.red.text } else { theme.value };
    let peak = text::db(level.max_db());
    text::draw(painter, pos2(x, top + 17.0), Align2::CENTER_TOP, &peak, Ink::value(theme::SMALL, colour));
}
