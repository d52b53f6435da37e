//! Histogram of two devices' totals on one logarithmic axis, with the deadline of a hop.

use egui::{Align2, Rect, Role as Access, Shape, Stroke, Ui, pos2};

use super::super::{
    text::{self, Ink},
    theme::{self, Role, Theme},
};
use super::readable;
use crate::lab::{HOP_US, Histogram, N_BUCKETS};

/// Ends of the axis, microseconds.
const LOWEST_US: f32 = 50.0;
const HIGHEST_US: f32 = 50_000.0;
/// Marks, microseconds.
const MARKS_US: [f32; 9] = [50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 20e3, 50e3];

/// Draws the histograms of the slots that have one.
pub fn histogram(ui: &Ui, theme: &Theme, rect: Rect, slots: &[(&str, Role, &Histogram)]) {
    let response = readable(ui, rect, "histogram", Access::Figure, || described(slots));
    let painter = ui.painter();
    painter.add(theme.card_shape(rect));
    let plot = Rect::from_min_max(rect.min + egui::vec2(16.0, 12.0), rect.max - egui::vec2(16.0, 26.0));
    let x = |us: f32| {
        let share = (us / LOWEST_US).ln() / (HIGHEST_US / LOWEST_US).ln();
        egui::lerp(plot.left()..=plot.right(), share.clamp(0.0, 1.0))
    };

    painter.hline(plot.x_range(), plot.bottom() + 0.5, Stroke::new(1.0, theme.border));
    for us in MARKS_US {
        painter.vline(x(us), plot.bottom()..=plot.bottom() + 4.0, Stroke::new(1.0, theme.border));
        let number = if us < 1e3 { format!("{us:.0} µs") } else { format!("{:.0} ms", us / 1e3) };
        let align = match us {
            LOWEST_US => Align2::LEFT_TOP,
            HIGHEST_US => Align2::RIGHT_TOP,
            _ => Align2::CENTER_TOP,
        };
        let number = number.replace(' ', "\u{a0}");
        text::draw(
            painter,
            pos2(x(us), plot.bottom() + 6.0),
            align,
            &number,
            Ink::new(theme::SMALL, theme.hint),
        );
    }

    for &(_, role, counts) in slots {
        bars(ui, plot, role, counts, x);
    }

    let wall = x(HOP_US);
    let stroke = Stroke::new(1.5, theme.red.fill);
    painter.extend(Shape::dashed_line(
        &[pos2(wall, rect.top() + 8.0), pos2(wall, plot.bottom())],
        stroke,
        4.0,
        3.0,
    ));
    let label = format!("hop 10{}ms", text::NBSP);
    let ink = Ink::new(theme::SMALL, theme.red.text);
    text::draw(painter, pos2(wall + 6.0, rect.top() + 8.0), Align2::LEFT_TOP, &label, ink);

    if slots.iter().all(|(_, _, counts)| counts.n_counted() == 0) {
        let ink = Ink::new(theme::BODY, theme.hint);
        text::draw(painter, plot.center(), Align2::CENTER_CENTER, "No measurements yet", ink);
    }
    response.on_hover_text("Time from request to reply of the hops in the window, on a logarithmic axis. Hops beyond the dashed line are late.");
}

/// Bars with heights on a square-root scale: a handful of late hops must not vanish beside thousands.
fn bars(ui: &Ui, plot: Rect, role: Role, histogram: &Histogram, x: impl Fn(f32) -> f32) {
    let counts = histogram.counts();
    let highest = counts.iter().copied().max().unwrap_or(0).max(1) as f32;
    for (bucket, &count) in (0..N_BUCKETS).zip(counts).filter(|(_, count)| **count > 0) {
        let (low, high) = Histogram::edges_us(bucket);
        if high < LOWEST_US || low > HIGHEST_US {
            continue;
        }
        let height = (count as f32 / highest).sqrt() * (plot.height() - 6.0);
        let bar = Rect::from_min_max(
            pos2(x(low) + 0.5, plot.bottom() - height.max(1.5)),
            pos2((x(high) - 0.5).max(x(low) + 1.5), plot.bottom()),
        );
        ui.painter().rect_filled(bar, 1, role.fill.gamma_multiply(0.85));
    }
}

fn described(slots: &[(&str, Role, &Histogram)]) -> String {
    let hops: Vec<String> =
        slots.iter().map(|(name, _, counts)| format!("{name}: {} hops", counts.n_counted())).collect();
    format!("Histogram of totals. {}", hops.join(", "))
}
