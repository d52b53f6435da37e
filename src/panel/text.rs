//! Text as the panel writes it: weights of one font, digits of one width, and numbers with their units.

use std::sync::Arc;

use egui::epaint::text::VariationCoords;
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align2, Color32, FontId, Galley, Painter, Pos2, Rect};

/// Between groups of three digits: a no-break thin space.
const THIN: char = '\u{202f}';
/// Between a number and its unit: a no-break space.
pub(crate) const NBSP: char = '\u{a0}';
/// Text of an unmeasured value.
pub(crate) const DASH: &str = "–";

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ink {
    /// Height in points.
    pub size: f32,
    /// 400 is regular, 600 semi-bold.
    pub weight: u16,
    /// The colour.
    pub colour: Color32,
    /// All digits take the same room, so that changing numbers do not jitter and columns align.
    pub tabular: bool,
}

impl Ink {
    /// Regular weight.
    pub fn new(size: f32, colour: Color32) -> Self {
        Self { size, weight: 400, colour, tabular: false }
    }

    /// A value beside its label: of medium weight, and of digits that stay where they are.
    pub(crate) fn value(size: f32, colour: Color32) -> Self {
        Self::new(size, colour).medium().tabular()
    }

    /// Medium weight.
    pub(crate) fn medium(self) -> Self {
        Self { weight: 500, ..self }
    }

    /// Semi-bold.
    pub(crate) fn bold(self) -> Self {
        Self { weight: 600, ..self }
    }

    /// For numbers that change or stand below each other.
    pub(crate) fn tabular(self) -> Self {
        Self { tabular: true, ..self }
    }

    fn format(self) -> TextFormat {
        TextFormat {
            coords: VariationCoords::new([(b"wght", f32::from(self.weight))]),
            ..TextFormat::simple(FontId::proportional(self.size), self.colour)
        }
    }
}

/// Lays out a line.
pub fn line(painter: &Painter, text: &str, ink: Ink) -> Arc<Galley> {
    let job = job(painter, text, ink);
    painter.layout_job(job)
}

/// Lays out a line that ends in "…" where it would be wider than `width`.
pub(crate) fn elided(painter: &Painter, text: &str, ink: Ink, width: f32) -> Arc<Galley> {
    let mut job = job(painter, text, ink);
    job.wrap = TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}

/// Lays out a paragraph of at most `width`.
pub(crate) fn paragraph(painter: &Painter, text: &str, ink: Ink, width: f32) -> Arc<Galley> {
    let mut job = job(painter, text, ink);
    job.wrap = TextWrapping::wrap_at_width(width);
    painter.layout_job(job)
}

/// Appends text in another ink to a job of [`job`].
pub fn append(painter: &Painter, job: &mut LayoutJob, text: &str, ink: Ink) {
    let format = ink.format();
    if !ink.tabular {
        return job.append(text, 0.0, format);
    }
    let widths = digit_widths(painter, ink);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(digit) = first.to_digit(10) {
            let spare = widths.cell - widths.each[digit as usize];
            let format = TextFormat { extra_letter_spacing: spare / 2.0, ..format.clone() };
            job.append(&rest[..1], spare / 2.0, format);
            rest = &rest[1..];
        } else {
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            job.append(&rest[..end], 0.0, format.clone());
            rest = &rest[end..];
        }
    }
}

/// A layout job of one ink.
pub fn job(painter: &Painter, text: &str, ink: Ink) -> LayoutJob {
    let mut job = LayoutJob::default();
    append(painter, &mut job, text, ink);
    job
}

/// Draws a line with its `align` point at `pos`; returns the room it takes.
pub fn draw(painter: &Painter, pos: Pos2, align: Align2, text: &str, ink: Ink) -> Rect {
    let galley = line(painter, text, ink);
    place(painter, pos, align, galley)
}

/// Draws a laid out text with its `align` point at `pos`; returns the room it takes.
pub fn place(painter: &Painter, pos: Pos2, align: Align2, galley: Arc<Galley>) -> Rect {
    let rect = align.anchor_size(pos, galley.size());
    painter.galley(rect.min, galley, Color32::PLACEHOLDER);
    rect
}

#[derive(Clone, Copy)]
struct DigitWidths {
    each: [f32; 10],
    cell: f32,
}

/// The digits' own widths, measured once per size and weight.
fn digit_widths(painter: &Painter, ink: Ink) -> DigitWidths {
    let ctx = painter.ctx();
    let id =
        egui::Id::unique(("digit widths", ink.size.to_bits(), ink.weight, ctx.pixels_per_point().to_bits()));
    if let Some(widths) = ctx.data(|data| data.get_temp(id)) {
        return widths;
    }
    let each = std::array::from_fn(|digit| {
        let mut job = LayoutJob::single_section(digit.to_string(), ink.format());
        job.round_output_to_gui = false;
        painter.layout_job(job).size().x
    });
    // The mean: the wide ones come a hair closer, and the narrow 1 does not stand alone.
    let widths = DigitWidths { each, cell: each.iter().sum::<f32>() / 10.0 };
    ctx.data_mut(|data| data.insert_temp(id, widths));
    widths
}

/// A whole number with its digits in groups of three: "61 204".
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 6);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(THIN);
        }
        out.push(digit);
    }
    out
}

/// A duration in whole microseconds without its unit: "3 480".
pub fn us(us: f32) -> String {
    grouped(us.max(0.0).round() as u64)
}

/// A duration with the unit that keeps it short: "412 µs", "3.73 ms", "1.2 s".
pub fn duration(us: f32) -> String {
    match us {
        us if us < 1e3 => format!("{us:.0}{NBSP}µs"),
        us if us < 1e4 => format!("{:.2}{NBSP}ms", us / 1e3),
        us if us < 1e6 => format!("{:.1}{NBSP}ms", us / 1e3),
        us => format!("{:.1}{NBSP}s", us / 1e6),
    }
}

/// A level with one decimal and a real minus sign, without its unit: "−12.1"; "−∞" for nothing.
pub fn db(db: f32) -> String {
    if db == f32::NEG_INFINITY {
        return "−∞".into();
    }
    signed(format!("{db:.1}"))
}

/// A share: "4 %", below ten per cent "0.4 %".
pub fn percent(percent: f32) -> String {
    if percent < 9.95 { format!("{percent:.1}{NBSP}%") } else { format!("{percent:.0}{NBSP}%") }
}

/// A sample rate: "48 kHz", "44.1 kHz".
pub fn rate(rate_hz: f64) -> String {
    let khz = (rate_hz / 10.0).round() / 100.0;
    format!("{khz}{NBSP}kHz")
}

/// A latency: "50.0 ms"; a dash where there is no rate.
pub fn latency(n_samples: usize, rate_hz: f64) -> String {
    if rate_hz > 0.0 { format!("{:.1}{NBSP}ms", n_samples as f64 / rate_hz * 1e3) } else { DASH.into() }
}

/// With a real minus sign, and no sign on zero.
pub fn signed(number: String) -> String {
    match number.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| matches!(b, b'0' | b'.')) => rest.into(),
        Some(rest) => format!("−{rest}"),
        None => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(
            [0, 7, 999, 1_000, 61_204, 1_234_567].map(grouped),
            ["0", "7", "999", "1\u{202f}000", "61\u{202f}204", "1\u{202f}234\u{202f}567"]
        );
    }

    #[test]
    fn durations_keep_three_digits() {
        assert_eq!(
            [38.2, 999.4, 3_726.0, 17_832.0, 1.2e6].map(duration),
            ["38\u{a0}µs", "999\u{a0}µs", "3.73\u{a0}ms", "17.8\u{a0}ms", "1.2\u{a0}s"]
        );
    }

    #[test]
    fn signs_are_real_and_zero_has_none() {
        assert_eq!(
            [-12.14, -0.04, 0.0, 3.0, f32::NEG_INFINITY].map(db),
            ["−12.1", "0.0", "0.0", "3.0", "−∞"]
        );
    }

    #[test]
    fn rates_read_as_people_say_them() {
        assert_eq!([48e3, 44.1e3, 1234.5678].map(rate), ["48\u{a0}kHz", "44.1\u{a0}kHz", "1.23\u{a0}kHz"]);
    }
}
