//! The table of a device's times.

use egui::{Align2, Rect, Role as Access, Stroke, Ui, pos2};

use super::super::{
    text::{self, DASH, Ink},
    theme::{self, Theme},
};
use super::readable;
use crate::lab::{Distribution, Quantity, Summary};

/// Height of a row, points.
pub const ROW: f32 = 21.0;
/// Rows including the head.
pub const N_ROWS: usize = 1 + Quantity::ALL.len();
/// Columns' right edges as shares of the width.
const EDGES: [f32; 4] = [0.50, 0.645, 0.79, 1.0];

/// Draws the table; a device without transfers has dashes there.
pub fn table(ui: &Ui, theme: &Theme, rect: Rect, slot: &str, summary: &Summary, has_transfers: bool) {
    let painter = ui.painter();
    let edge = |column: usize| egui::lerp(rect.left()..=rect.right(), EDGES[column]);
    let head = Ink::new(theme::SMALL, theme.hint);
    let y = |row: usize| rect.top() + ROW * (row as f32 + 0.5);
    text::draw(painter, pos2(rect.left(), y(0)), Align2::LEFT_CENTER, "µs per hop", head);
    for (column, name) in ["p50", "p95", "p99", "max"].into_iter().enumerate() {
        text::draw(painter, pos2(edge(column), y(0)), Align2::RIGHT_CENTER, name, head);
    }
    for (i, quantity) in Quantity::ALL.into_iter().enumerate() {
        let measured = summary.quantity(quantity).filter(|_| has_transfers || !quantity.is_transfer());
        let numbers = numbers(measured);
        let is_total = quantity == Quantity::Total;
        let y = y(i + 1);
        painter.hline(rect.x_range(), y - ROW / 2.0, Stroke::new(1.0, theme.border));
        let (mut name, mut number) =
            (Ink::new(theme::BODY, theme.label), Ink::new(theme::BODY, theme.value).tabular());
        if is_total {
            (name, number) = (Ink::new(theme::BODY, theme.value).bold(), number.bold());
        }
        text::draw(painter, pos2(rect.left(), y), Align2::LEFT_CENTER, quantity.name(), name);
        for (column, shown) in numbers.iter().enumerate() {
            let ink = if shown == DASH { Ink::new(theme::BODY, theme.hint) } else { number };
            text::draw(painter, pos2(edge(column), y), Align2::RIGHT_CENTER, shown, ink);
        }
        let row = Rect::from_x_y_ranges(rect.x_range(), y - ROW / 2.0..=y + ROW / 2.0);
        let [p50, p95, p99, max] = &numbers;
        let name = quantity.name();
        let read = || format!("{slot} {name}: p50 {p50}, p95 {p95}, p99 {p99}, max {max} µs");
        readable(ui, row, (slot, name), Access::Row, read).on_hover_text(meaning(quantity));
    }
}

fn numbers(measured: Option<Distribution>) -> [String; 4] {
    match measured {
        Some(d) => [d.p50_us, d.p95_us, d.p99_us, d.max_us].map(text::us),
        None => std::array::from_fn(|_| DASH.into()),
    }
}

fn meaning(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::QueueWait => "Time from the request until the worker begins the step, in microseconds.",
        Quantity::Upload => "Copying the hop to the device, in microseconds. Nothing to copy on a CPU.",
        Quantity::Compute => "The network and the deep filter, in microseconds.",
        Quantity::Download => "Copying the result back, in microseconds. Nothing to copy on a CPU.",
        Quantity::Total => "Time from the request until the reply, in microseconds.",
    }
}
