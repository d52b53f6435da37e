//! Lays out the picture: title, two plots, axes with labels, colour scale.

use anyhow::Result;

use super::canvas::{Align, Canvas};
use super::{N_COLUMNS, N_ROWS, RANGE_DB, colour, mel};

/// Width and height of the picture in pixels.
pub const SIZE: (u32, u32) = (LEFT + N_COLUMNS as u32 + RIGHT, TOP + 2 * N_ROWS as u32 + GAP + BOTTOM);

const LEFT: u32 = 88;
const RIGHT: u32 = 128;
const TOP: u32 = 96;
const GAP: u32 = 28;
const BOTTOM: u32 = 64;

/// Text sizes, ascent to descent in pixels.
const TITLE_SIZE: f32 = 30.0;
const LABEL_SIZE: f32 = 19.0;
/// Length of a tick in pixels.
const TICK: u32 = 6;
/// Labels of the frequency axis, where they fit.
const TICKS_HZ: [f32; 10] = [0.0, 250.0, 500.0, 1e3, 2e3, 4e3, 6e3, 10e3, 16e3, 24e3];
/// Labels closer than this are left out, in pixels.
const MIN_LABEL_GAP: f32 = 24.0;

/// The figure's input.
pub struct Figure<'a> {
    /// Top left, large: the file.
    pub title: &'a str,
    /// Top right: what was done.
    pub subtitle: &'a str,
    /// Levels in dB, `[N_COLUMNS][N_ROWS]`, lowest frequency first.
    pub before: &'a [Vec<f32>],
    /// The same after.
    pub after: &'a [Vec<f32>],
    /// Length of the time axis in seconds.
    pub duration_s: f64,
    /// End of the frequency axis in Hz.
    pub top_hz: f32,
}

/// Draws the figure as PNG.
///
/// # Errors
/// Errors of the encoder.
pub fn draw(figure: &Figure<'_>) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new(SIZE, colour::BACKGROUND)?;
    let right = LEFT + N_COLUMNS as u32;
    canvas.text((LEFT, TOP / 2), Align::Left, TITLE_SIZE, colour::TEXT, &shorten(figure.title, 60));
    canvas.text((right, TOP / 2), Align::Right, LABEL_SIZE, colour::LABEL, figure.subtitle);

    // One scale for both, from the loudest of the input down.
    let loudest_db = figure.before.iter().flatten().copied().fold(-200.0_f32, f32::max);
    let top_db = ((loudest_db / 10.0).ceil() * 10.0).clamp(-60.0, 30.0);
    for (index, (name, levels)) in
        [("Before", figure.before), ("After", figure.after)].into_iter().enumerate()
    {
        let y = TOP + index as u32 * (N_ROWS as u32 + GAP);
        plot(&mut canvas, y, levels, top_db);
        frequency_axis(&mut canvas, y, figure.top_hz);
        canvas.fill((LEFT + 12, y + 12), (78, 30), colour::BACKGROUND);
        canvas.text((LEFT + 51, y + 27), Align::Centre, LABEL_SIZE, colour::TEXT, name);
    }
    time_axis(&mut canvas, SIZE.1 - BOTTOM, figure.duration_s);
    colour_scale(&mut canvas, right + 28, top_db);
    canvas.png()
}

fn plot(canvas: &mut Canvas, y: u32, levels: &[Vec<f32>], top_db: f32) {
    let (width, height) = (N_COLUMNS as u32, N_ROWS as u32);
    canvas.fill((LEFT - 1, y - 1), (width + 2, height + 2), colour::FRAME);
    for (column, levels) in levels.iter().enumerate() {
        for (row, level_db) in levels.iter().enumerate() {
            let level = (level_db - top_db + RANGE_DB) / RANGE_DB;
            canvas.set(LEFT + column as u32, y + height - 1 - row as u32, colour::of_level(level));
        }
    }
}

fn frequency_axis(canvas: &mut Canvas, y: u32, top_hz: f32) {
    let height = N_ROWS as f32;
    let mut last = f32::INFINITY;
    for hz in TICKS_HZ.into_iter().filter(|&hz| hz <= top_hz) {
        let up = height * mel(hz) / mel(top_hz);
        let at = y as f32 + height - up;
        if last - at < MIN_LABEL_GAP {
            continue;
        }
        last = at;
        let at = at.round() as u32;
        canvas.fill((LEFT - 1 - TICK, at), (TICK, 1), colour::LABEL);
        let label = if hz >= 1e3 { format!("{} kHz", hz / 1e3) } else { format!("{hz} Hz") };
        canvas.text((LEFT - 12, at), Align::Right, LABEL_SIZE, colour::LABEL, &label);
    }
}

fn time_axis(canvas: &mut Canvas, y: u32, duration_s: f64) {
    if duration_s <= 0.0 {
        return;
    }
    let step_s = tick_step_s(duration_s);
    let n_ticks = (duration_s / step_s + 1e-9) as u32;
    for tick in 0..=n_ticks {
        let time_s = f64::from(tick) * step_s;
        let x = LEFT + (time_s / duration_s * (N_COLUMNS - 1) as f64).round() as u32;
        canvas.fill((x, y + 1), (1, TICK), colour::LABEL);
        let label = time_label(time_s, step_s, duration_s);
        canvas.text((x, y + 22), Align::Centre, LABEL_SIZE, colour::LABEL, &label);
    }
}

/// A round step that makes five to twelve ticks.
fn tick_step_s(duration_s: f64) -> f64 {
    const STEPS_S: [f64; 22] = [
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
        300.0, 600.0, 1200.0, 1800.0, 3600.0,
    ];
    let fitting = STEPS_S.into_iter().find(|step_s| duration_s / step_s <= 12.0);
    fitting.unwrap_or_else(|| (duration_s / 12.0 / 3600.0).ceil() * 3600.0)
}

/// Seconds on axes of up to a minute, minutes and hours from there.
fn time_label(time_s: f64, step_s: f64, duration_s: f64) -> String {
    if step_s < 1.0 {
        let digits = (-step_s.log10()).ceil() as usize;
        format!("{time_s:.digits$} s")
    } else if duration_s <= 60.0 {
        format!("{time_s:.0} s")
    } else {
        let seconds = time_s.round() as u64;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            format!("{hours}:{minutes:02}:{seconds:02}")
        } else {
            format!("{minutes}:{seconds:02}")
        }
    }
}

fn colour_scale(canvas: &mut Canvas, x: u32, top_db: f32) {
    const WIDTH: u32 = 14;
    let height = 2 * N_ROWS as u32 + GAP;
    for row in 0..height {
        let level = 1.0 - row as f32 / (height - 1) as f32;
        canvas.fill((x, TOP + row), (WIDTH, 1), colour::of_level(level));
    }
    let n_ticks = (RANGE_DB / 10.0) as u32;
    for tick in 0..=n_ticks {
        let y = TOP + (tick as f32 / n_ticks as f32 * (height - 1) as f32).round() as u32;
        canvas.fill((x + WIDTH + 1, y), (TICK, 1), colour::LABEL);
        // A true minus, as wide as a digit.
        let label_db = top_db - tick as f32 * 10.0;
        let sign = if label_db < 0.0 { "\u{2212}" } else { "" };
        let unit = if tick == 0 { " dB" } else { "" };
        let label = format!("{sign}{:.0}{unit}", label_db.abs());
        canvas.text((x + WIDTH + 12, y), Align::Left, LABEL_SIZE, colour::LABEL, &label);
    }
}

/// The end of a long name says more than its beginning.
fn shorten(text: &str, max: usize) -> String {
    let n_chars = text.chars().count();
    if n_chars <= max {
        return text.to_owned();
    }
    std::iter::once('\u{2026}').chain(text.chars().skip(n_chars - max + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for duration_s in [0.01, 0.3, 1.0, 7.3, 59.0, 600.0, 5_400.0, 100_000.0] {
            let n_ticks = duration_s / tick_step_s(duration_s);
            assert!((2.0..=12.0).contains(&n_ticks), "{duration_s} s: {n_ticks}");
        }
    }

    #[test]
    fn times_read_as_people_write_them() {
        assert_eq!(time_label(0.25, 0.05, 0.6), "0.25 s");
        assert_eq!(time_label(0.5, 0.5, 6.0), "0.5 s");
        assert_eq!(time_label(7.0, 1.0, 9.0), "7 s");
        assert_eq!(time_label(30.0, 15.0, 100.0), "0:30");
        assert_eq!(time_label(3_725.0, 300.0, 4_000.0), "1:02:05");
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shorten("short.wav", 60), "short.wav");
        assert_eq!(shorten("abcdefgh.wav", 6), "\u{2026}h.wav");
    }
}
