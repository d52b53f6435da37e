//! A scrolling spectrogram: a texture used as a ring, of which a frame touches only the new columns.

use egui::epaint::RectShape;
use egui::{
    Align2, Color32, ColorImage, Context, CornerRadius, Rect, Stroke, StrokeKind, TextureFilter,
    TextureHandle, TextureOptions, TextureWrapMode, Ui, pos2,
};
use serde::{Deserialize, Serialize};
use tacet_model::{N_BINS, SAMPLE_RATE_HZ};

use super::{
    colour,
    text::{self, Ink},
    theme::{self, Theme},
    trace::{Column, N_COLUMNS, Trace, Which},
};

/// Rows of the texture: about what a window of usual height shows.
const N_ROWS: usize = 192;
/// Lower end of the logarithmic axis, Hz: below lie two bins without speech.
const LOWEST_HZ: f32 = 80.0;
const BIN_HZ: f32 = SAMPLE_RATE_HZ as f32 / 2.0 / (N_BINS - 1) as f32;
const HIGHEST_HZ: f32 = SAMPLE_RATE_HZ as f32 / 2.0;

/// Sharp in frequency, soft in time, and endless: the ring's end continues at its begin.
const OPTIONS: TextureOptions = TextureOptions {
    magnification: TextureFilter::Linear,
    minification: TextureFilter::Linear,
    wrap_mode: TextureWrapMode::Repeat,
    mipmap_mode: None,
};

/// How frequency runs up the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Axis {
    /// Octaves are equally high.
    #[default]
    Logarithmic,
    /// Hertz are equally high.
    Linear,
}

impl Axis {
    /// Share of the height at a frequency.
    pub fn share(self, hz: f32) -> f32 {
        match self {
            Self::Logarithmic => (hz / LOWEST_HZ).log2() / (HIGHEST_HZ / LOWEST_HZ).log2(),
            Self::Linear => hz / HIGHEST_HZ,
        }
    }

    /// Frequency at a share of the height.
    pub fn hz(self, share: f32) -> f32 {
        match self {
            Self::Logarithmic => LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ).powf(share),
            Self::Linear => share * HIGHEST_HZ,
        }
    }

    /// Frequencies with a mark, and what is written there.
    pub(crate) fn marks(self) -> &'static [(f32, &'static str)] {
        match self {
            Self::Logarithmic => &[(100.0, "100"), (300.0, "300"), (1e3, "1k"), (3e3, "3k"), (10e3, "10k")],
            Self::Linear => &[(4e3, "4k"), (8e3, "8k"), (12e3, "12k"), (16e3, "16k"), (20e3, "20k")],
        }
    }
}

/// The bins that a row shows: all of `from..until`, or a blend of two where rows are denser than bins.
#[derive(Clone, Copy)]
struct Row {
    from: usize,
    until: usize,
    // Share of `until` in a row between two bins.
    blend: f32,
}

fn rows(axis: Axis) -> [Row; N_ROWS] {
    std::array::from_fn(|i| {
        // Row 0 is on top.
        let bin = |row: f32| axis.hz(row / N_ROWS as f32) / BIN_HZ;
        let (low, high) = (bin((N_ROWS - 1 - i) as f32), bin((N_ROWS - i) as f32));
        if high - low >= 1.0 {
            let from = low.round() as usize;
            Row { from, until: (high.round() as usize).clamp(from + 1, N_BINS), blend: 0.0 }
        } else {
            let centre = (low + high) / 2.0;
            let from = (centre as usize).min(N_BINS - 2);
            Row { from, until: from + 1, blend: centre - from as f32 }
        }
    })
}

impl Row {
    fn level(self, column: &Column) -> u8 {
        if self.blend > 0.0 {
            let (below, above) = (f32::from(column[self.from]), f32::from(column[self.until]));
            (below + (above - below) * self.blend) as u8
        } else {
            // The loudest: a tone stays visible among quiet bins.
            column[self.from..self.until].iter().copied().max().unwrap_or(0)
        }
    }
}

/// One spectrogram's picture.
pub struct Spectrogram {
    which: Which,
    texture: Option<TextureHandle>,
    axis: Axis,
    rows: [Row; N_ROWS],
    n_shown: u64,
}

impl Spectrogram {
    /// A picture that is made when first drawn.
    pub fn new(which: Which) -> Self {
        let axis = Axis::default();
        Self { which, texture: None, axis, rows: rows(axis), n_shown: 0 }
    }

    /// Brings the texture up to date; touches new columns only, all after a change of the axis.
    pub fn update(&mut self, ctx: &Context, trace: &Trace, axis: Axis) {
        if axis != self.axis {
            (self.axis, self.rows, self.n_shown) = (axis, rows(axis), 0);
        }
        let texture = self.texture.get_or_insert_with(|| {
            let empty = ColorImage::filled([N_COLUMNS, N_ROWS], colour::of(0));
            ctx.load_texture("spectrogram", empty, OPTIONS)
        });
        let oldest = trace.n_pushed().saturating_sub(N_COLUMNS as u64);
        let mut from = self.n_shown.max(oldest);
        while from < trace.n_pushed() {
            let at = (from % N_COLUMNS as u64) as usize;
            // One piece up to the ring's end, another from its begin.
            let n_new = (trace.n_pushed() - from).min((N_COLUMNS - at) as u64) as usize;
            let columns: Vec<&Column> = (at..at + n_new).map(|at| trace.column(self.which, at)).collect();
            let pixels = self
                .rows
                .iter()
                .flat_map(|row| columns.iter().map(|column| colour::of(row.level(column))))
                .collect();
            texture.set_partial([at, 0], ColorImage::new([n_new, N_ROWS], pixels), OPTIONS);
            from += n_new as u64;
        }
        self.n_shown = trace.n_pushed();
    }

    /// Draws the last eight seconds, the newest at the right edge.
    pub fn draw(&self, ui: &Ui, theme: &Theme, rect: Rect, name: &str) {
        let radius = CornerRadius::same(theme::RADIUS);
        let Some(texture) = &self.texture else { return };
        let oldest = (self.n_shown % N_COLUMNS as u64) as f32 / N_COLUMNS as f32;
        // Half a column inside, or the newest would blend into the oldest at the seam.
        let half = 0.5 / N_COLUMNS as f32;
        let uv = Rect::from_min_max(pos2(oldest + half, 0.0), pos2(oldest + 1.0 - half, 1.0));
        let painter = ui.painter();
        painter.add(RectShape::filled(rect, radius, Color32::WHITE).with_texture(texture.id(), uv));
        painter.rect_stroke(rect, radius, Stroke::new(1.0, theme.border), StrokeKind::Inside);
        for &(hz, _) in self.axis.marks() {
            let y = self.y_of(rect, hz);
            painter.hline(rect.right() - 5.0..=rect.right() - 1.0, y, Stroke::new(1.0, theme::ON_PLATE));
        }
        plate(ui, rect.left_top() + egui::vec2(8.0, 7.0), Align2::LEFT_TOP, name);
    }

    /// The axis' numbers in the strip from `left` on, beside a picture drawn in `rect`.
    pub fn scale(&self, ui: &Ui, theme: &Theme, rect: Rect, left: f32) {
        for &(hz, number) in self.axis.marks() {
            let at = pos2(left, self.y_of(rect, hz));
            text::draw(ui.painter(), at, Align2::LEFT_CENTER, number, Ink::new(10.0, theme.hint));
        }
    }

    /// Height on the screen of a frequency in a picture drawn in `rect`.
    pub(crate) fn y_of(&self, rect: Rect, hz: f32) -> f32 {
        egui::lerp(rect.bottom()..=rect.top(), self.axis.share(hz))
    }

    /// Frequency under a height on the screen.
    pub(crate) fn hz_at(&self, rect: Rect, y: f32) -> f32 {
        self.axis.hz(((rect.bottom() - y) / rect.height()).clamp(0.0, 1.0))
    }
}

/// A short text on its own dark plate, readable over any colour.
pub(crate) fn plate(ui: &Ui, at: egui::Pos2, align: Align2, shown: &str) {
    let galley = text::line(ui.painter(), shown, Ink::new(theme::SMALL, theme::ON_PLATE).medium());
    let rect = align.anchor_size(at, galley.size() + egui::vec2(12.0, 5.0));
    ui.painter().rect_filled(rect, 4, theme::PLATE);
    text::place(ui.painter(), rect.center(), Align2::CENTER_CENTER, galley);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_and_its_inverse_agree() {
        for axis in [Axis::Logarithmic, Axis::Linear] {
            for hz in [100.0, 1e3, 12_345.0, HIGHEST_HZ] {
                assert!((axis.hz(axis.share(hz)) / hz - 1.0).abs() < 1e-4, "{axis:?} at {hz}");
            }
            assert!((axis.share(HIGHEST_HZ) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn every_bin_of_the_linear_axis_is_in_exactly_one_row() {
        let mut n_rows = [0; N_BINS];
        rows(Axis::Linear)
            .iter()
            .for_each(|row| n_rows[row.from..row.until].iter_mut().for_each(|n| *n += 1));
        // The very last bin is the upper edge itself.
        assert!(n_rows[..N_BINS - 1].iter().all(|&n| n == 1), "{n_rows:?}");
    }

    #[test]
    fn a_tone_shows_at_its_frequency_on_both_axes() {
        let mut column = [0; N_BINS];
        column[60] = 200;
        for axis in [Axis::Logarithmic, Axis::Linear] {
            let rows = rows(axis);
            let brightest = (0..N_ROWS).max_by_key(|&i| rows[i].level(&column)).unwrap();
            let share = (N_ROWS as f32 - 0.5 - brightest as f32) / N_ROWS as f32;
            let hz = axis.hz(share);
            // Within a row: 3 % on the logarithmic axis, 125 Hz on the linear one.
            assert!((hz - 3_000.0).abs() < 130.0, "{axis:?}: {hz}");
        }
    }

    #[test]
    fn only_new_columns_reach_the_texture() {
        let ctx = Context::default();
        let mut trace = Trace::default();
        let mut picture = Spectrogram::new(Which::Input);
        picture.update(&ctx, &trace, Axis::Logarithmic);
        ctx.tex_manager().write().take_delta().clear();
        let widths = |trace: &Trace, picture: &mut Spectrogram| {
            picture.update(&ctx, trace, Axis::Logarithmic);
            let mut delta = ctx.tex_manager().write().take_delta();
            let widths: Vec<usize> =
                delta.set.drain().flat_map(|(_, set)| set).map(|d| d.image.width()).collect();
            delta.clear();
            widths
        };
        let push =
            |trace: &mut Trace, n: usize| (0..n).for_each(|_| trace.push(&[1.0; N_BINS], &[1.0; N_BINS]));
        push(&mut trace, 3);
        assert_eq!(widths(&trace, &mut picture), [3]);
        assert!(widths(&trace, &mut picture).is_empty());
        push(&mut trace, N_COLUMNS - 1);
        assert_eq!(widths(&trace, &mut picture), [N_COLUMNS - 3, 2]);
        push(&mut trace, 5 * N_COLUMNS);
        assert_eq!(widths(&trace, &mut picture).iter().sum::<usize>(), N_COLUMNS);
    }
}
