//! The measurements as a picture: a bar to the median and a mark at the 99th percentile per row, on a log axis with the hop
//! as the wall it is.

use std::fmt::Write as _;

use anyhow::Result;

use super::measure::Measured;
use crate::spectrogram::canvas::{Align, Canvas};
use crate::spectrogram::colour::{BACKGROUND, FRAME, LABEL, Rgb, TEXT};

const WIDTH: u32 = 960;
const ROW: u32 = 26;
const TOP: u32 = 56;
const BOTTOM: u32 = 44;
const LEFT: u32 = 300;
const RIGHT: u32 = 40;
/// The axis, in microseconds.
const FROM_US: f32 = 30.0;
const TO_US: f32 = 100_000.0;
/// The hop, in microseconds.
const WALL_US: f32 = tacet_realtime::lab::HOP_US;
const BAR: Rgb = [0x5b, 0x9c, 0xf0];
const MARK: Rgb = [0xf0, 0xb4, 0x4c];
const WALL: Rgb = [0xe0, 0x60, 0x5a];
const TITLE: &str = "Time per hop: bar to the median, mark at the 99th percentile";

/// A rectangle or a text, in pixels.
enum Shape {
    Rectangle { at: (u32, u32), size: (u32, u32), colour: Rgb },
    Text { at: (u32, u32), align: Align, size: f32, colour: Rgb, text: String },
}

fn height(n_rows: usize) -> u32 {
    TOP + BOTTOM + ROW * n_rows as u32
}

fn x_of(us: f32) -> u32 {
    let share = (us / FROM_US).log10() / (TO_US / FROM_US).log10();
    LEFT + ((WIDTH - LEFT - RIGHT) as f32 * share.clamp(0.0, 1.0)) as u32
}

fn shapes(steps: &[Measured]) -> Vec<Shape> {
    let bottom = height(steps.len()) - BOTTOM;
    let label =
        |at, align, colour, text: &str| Shape::Text { at, align, size: 13.0, colour, text: text.into() };
    let mut shapes = vec![label((LEFT, 18), Align::Left, TEXT, TITLE)];
    for (us, text) in [(100.0, "0.1 ms"), (1000.0, "1 ms"), (WALL_US, "10 ms, one hop"), (TO_US, "100 ms")] {
        let wall = us == WALL_US;
        let (colour, text_colour) = if wall { (WALL, WALL) } else { (FRAME, LABEL) };
        let width = if wall { 2 } else { 1 };
        shapes.push(Shape::Rectangle { at: (x_of(us), TOP - 8), size: (width, bottom + 8 - TOP), colour });
        shapes.push(label((x_of(us), bottom + 14), Align::Centre, text_colour, text));
    }
    for (row, step) in steps.iter().enumerate() {
        let y = TOP + ROW * row as u32;
        let name = format!("{}, {} streams, {}", step.device, step.streams, step.pace);
        shapes.push(label((LEFT - 12, y + 12), Align::Right, TEXT, &name));
        let end = x_of(step.total.p50_us).max(LEFT + 1);
        shapes.push(Shape::Rectangle { at: (LEFT, y + 5), size: (end - LEFT, ROW - 12), colour: BAR });
        shapes.push(Shape::Rectangle {
            at: (x_of(step.total.p99_us), y + 2),
            size: (3, ROW - 6),
            colour: MARK,
        });
    }
    shapes
}

/// As SVG.
pub fn svg(steps: &[Measured]) -> String {
    let hex = |[r, g, b]: Rgb| format!("#{r:02x}{g:02x}{b:02x}");
    let (width, height) = (WIDTH, height(steps.len()));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\">\n<rect \
         width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        hex(BACKGROUND)
    );
    for shape in shapes(steps) {
        // Writing to a string cannot fail.
        let _ = match shape {
            Shape::Rectangle { at: (x, y), size: (w, h), colour } => {
                let fill = hex(colour);
                writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{fill}\"/>")
            }
            Shape::Text { at: (x, y), align, size, colour, text } => {
                let anchor = match align {
                    Align::Left => "start",
                    Align::Centre => "middle",
                    Align::Right => "end",
                };
                // SVG places the base line, the canvas the middle of the capitals.
                let (y, fill) = (y as f32 + size * 0.35, hex(colour));
                let text = text.replace('&', "&amp;").replace('<', "&lt;");
                writeln!(
                    svg,
                    "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{text}</text>"
                )
            }
        };
    }
    svg + "</svg>\n"
}

/// As PNG.
///
/// # Errors
/// The picture cannot be encoded.
pub fn png(steps: &[Measured]) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new((WIDTH, height(steps.len())), BACKGROUND)?;
    for shape in shapes(steps) {
        match shape {
            Shape::Rectangle { at, size, colour } => canvas.fill(at, size, colour),
            Shape::Text { at, align, size, colour, text } => {
                canvas.text(at, align, size, colour, &text);
            }
        }
    }
    canvas.png()
}
