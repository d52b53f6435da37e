//! Draws a file before and after as a picture: two spectrograms on one time axis and one colour scale.
//!
//! Observes the 48 kHz signal while it passes, in constant memory: columns are merged in pairs whenever there are twice as
//! many as the picture is wide, so that neither the length nor a second pass is needed. Power is averaged over
//! channels. The frequency axis is the mel scale, 0 Hz at the bottom, which gives speech the room it has for the ear.

pub mod canvas;
pub mod colour;
mod figure;

use std::sync::Arc;

use anyhow::Result;
use realfft::num_complex::Complex64;
use realfft::{RealFftPlanner, RealToComplex};
use tacet_realtime::model::{HOP, SAMPLE_RATE_HZ};

use super::pipeline::Observer;

/// Samples per transform: 43 ms, which resolves a voice's harmonics.
const N_FFT: usize = 2048;
/// Rows of one spectrogram in pixels.
const N_ROWS: usize = 400;
/// Columns of the picture in pixels.
const N_COLUMNS: usize = 1400;
/// The colour scale's span in dB, down from the loudest of the input.
const RANGE_DB: f32 = 90.0;
/// Frames that only hold the beginning of the window: the window's centre lies this many hops behind the newest.
const LAG_HOPS: usize = 2;

/// A picture in the making.
pub struct Spectrogram {
    before: Side,
    after: Side,
    rows: RowMap,
    /// In `f64`, as everything here that transforms: each width is as much code again, and takes as long to compile.
    fft: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    scratch: Scratch,
    n_samples: u64,
}

struct Scratch {
    windowed: Vec<f64>,
    spectrum: Vec<Complex64>,
    fft: Vec<Complex64>,
    power: Vec<f32>,
}

/// One of the two signals.
struct Side {
    /// The last [`N_FFT`] samples, per channel.
    memory: Vec<Vec<f32>>,
    columns: Columns,
    n_hops: usize,
}

impl Spectrogram {
    /// A picture of `n_channels` channels whose input had `rate_hz`: the frequency axis ends where its band does.
    pub fn new(n_channels: usize, rate_hz: u32) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(N_FFT);
        // Hann: its side lobes fall off fast enough for 90 dB.
        let window = (0..N_FFT)
            .map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * (i as f64 + 0.5) / N_FFT as f64).cos())
            .collect();
        let scratch = Scratch {
            windowed: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            fft: fft.make_scratch_vec(),
            power: vec![0.0; N_FFT / 2 + 1],
        };
        let top_hz = rate_hz.min(SAMPLE_RATE_HZ) as f32 / 2.0;
        Self {
            before: Side::new(n_channels),
            after: Side::new(n_channels),
            rows: RowMap::new(top_hz),
            fft,
            window,
            scratch,
            n_samples: 0,
        }
    }

    fn transform(&mut self, is_before: bool) {
        let side = if is_before { &mut self.before } else { &mut self.after };
        side.n_hops += 1;
        if side.n_hops <= LAG_HOPS {
            return;
        }
        let Scratch { windowed, spectrum, fft, power } = &mut self.scratch;
        power.fill(0.0);
        // A full-scale sine has 0 dB: the window halves it, and so does the other half of the spectrum.
        let scale = (4.0 / N_FFT as f64).powi(2) / side.memory.len() as f64;
        for channel in &side.memory {
            for ((to, sample), weight) in windowed.iter_mut().zip(channel).zip(&self.window) {
                *to = f64::from(*sample) * weight;
            }
            // The lengths are the plan's own.
            let _ = self.fft.process_with_scratch(windowed, spectrum, fft);
            for (sum, bin) in power.iter_mut().zip(spectrum.iter()) {
                *sum += (bin.norm_sqr() * scale) as f32;
            }
        }
        side.columns.push(self.rows.apply(power));
    }

    /// Ends the signal and encodes the picture as PNG.
    ///
    /// # Errors
    /// Errors of the encoder.
    pub fn finish(mut self, title: &str, subtitle: &str) -> Result<Vec<u8>> {
        let duration_s = self.n_samples as f64 / f64::from(SAMPLE_RATE_HZ);
        let silence = vec![[0.0_f32; HOP]; self.before.memory.len()];
        let silence: Vec<&[f32]> = silence.iter().map(|channel| &channel[..]).collect();
        for _ in 0..LAG_HOPS {
            self.hop(&silence, &silence);
        }
        figure::draw(&figure::Figure {
            title,
            subtitle,
            before: &self.before.columns.levels_db(N_COLUMNS),
            after: &self.after.columns.levels_db(N_COLUMNS),
            duration_s,
            top_hz: self.rows.top_hz,
        })
    }
}

impl Observer for Spectrogram {
    fn hop(&mut self, before: &[&[f32]], after: &[&[f32]]) {
        self.n_samples += before.first().map_or(0, |channel| channel.len()) as u64;
        self.before.push(before);
        self.after.push(after);
        self.transform(true);
        self.transform(false);
    }
}

impl Side {
    fn new(n_channels: usize) -> Self {
        Self { memory: vec![vec![0.0; N_FFT]; n_channels], columns: Columns::default(), n_hops: 0 }
    }

    /// Appends a hop; the last one of a file may be shorter, and is filled up with silence.
    fn push(&mut self, hop: &[&[f32]]) {
        for (memory, samples) in self.memory.iter_mut().zip(hop) {
            memory.copy_within(HOP.., 0);
            let (samples_part, rest) = memory[N_FFT - HOP..].split_at_mut(samples.len());
            samples_part.copy_from_slice(samples);
            rest.fill(0.0);
        }
    }
}

/// Frequency in mel (O'Shaughnessy, "Speech Communication", 1987).
fn mel(hz: f32) -> f32 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn hz_of_mel(mel: f32) -> f32 {
    700.0 * (10_f32.powf(mel / 2595.0) - 1.0)
}

/// The bins behind each row of pixels. Row 0 is the lowest.
struct RowMap {
    top_hz: f32,
    /// Lower and upper edge of each row, in bins.
    edges: Vec<(f32, f32)>,
}

impl RowMap {
    fn new(top_hz: f32) -> Self {
        let bin_of =
            |row: f32| hz_of_mel(mel(top_hz) * row / N_ROWS as f32) * N_FFT as f32 / SAMPLE_RATE_HZ as f32;
        let edges = (0..N_ROWS).map(|row| (bin_of(row as f32), bin_of(row as f32 + 1.0))).collect();
        Self { top_hz, edges }
    }

    /// Rows of mean power: narrow rows between two bins, wide ones over all bins that they cover.
    fn apply(&self, power: &[f32]) -> Vec<f32> {
        let last = power.len() - 1;
        let row = |&(low, high): &(f32, f32)| {
            if high - low < 1.0 {
                let at = (low + high) / 2.0;
                let (index, part) = (at as usize, at.fract());
                power[index.min(last)] * (1.0 - part) + power[(index + 1).min(last)] * part
            } else {
                let bins = &power[low.round() as usize..(high.round() as usize).min(last + 1)];
                bins.iter().sum::<f32>() / bins.len().max(1) as f32
            }
        };
        self.edges.iter().map(row).collect()
    }
}

/// A growing row of columns that never exceeds twice the picture's width.
struct Columns {
    done: Vec<Vec<f32>>,
    /// The column being summed, and how many frames it holds.
    open: (Vec<f32>, usize),
    /// Frames per column.
    stride: usize,
}

impl Default for Columns {
    fn default() -> Self {
        Self { done: Vec::new(), open: (vec![0.0; N_ROWS], 0), stride: 1 }
    }
}

impl Columns {
    fn push(&mut self, column: Vec<f32>) {
        for (sum, power) in self.open.0.iter_mut().zip(column) {
            *sum += power;
        }
        self.open.1 += 1;
        if self.open.1 == self.stride {
            self.close();
        }
        if self.done.len() == 2 * N_COLUMNS {
            let pairs = self.done.chunks_exact(2);
            self.done = pairs
                .map(|pair| pair[0].iter().zip(&pair[1]).map(|(left, right)| (left + right) / 2.0).collect())
                .collect();
            self.stride *= 2;
        }
    }

    fn close(&mut self) {
        let (sum, n_frames) = std::mem::replace(&mut self.open, (vec![0.0; N_ROWS], 0));
        self.done.push(sum.into_iter().map(|power| power / n_frames as f32).collect());
    }

    /// `n_columns` columns of levels in dB: means where there are more than that, in between where fewer.
    fn levels_db(&mut self, n_columns: usize) -> Vec<Vec<f32>> {
        if self.open.1 > 0 {
            self.close();
        }
        let n_done = self.done.len();
        if n_done == 0 {
            return vec![vec![-200.0; N_ROWS]; n_columns];
        }
        let step = n_done as f32 / n_columns as f32;
        let column = |index: usize| -> Vec<f32> {
            if step >= 1.0 {
                let first = (index as f32 * step) as usize;
                let last = (((index + 1) as f32 * step) as usize).clamp(first + 1, n_done);
                let columns = &self.done[first..last];
                (0..N_ROWS)
                    .map(|row| columns.iter().map(|column| column[row]).sum::<f32>() / columns.len() as f32)
                    .collect()
            } else {
                let at = ((index as f32 + 0.5) * step - 0.5).clamp(0.0, (n_done - 1) as f32);
                let (left, part) = (at as usize, at.fract());
                let right = (left + 1).min(n_done - 1);
                let mix = |(left, right): (&f32, &f32)| left * (1.0 - part) + right * part;
                self.done[left].iter().zip(&self.done[right]).map(mix).collect()
            }
        };
        (0..n_columns)
            .map(|index| column(index).into_iter().map(|power| 10.0 * (power + 1e-20).log10()).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, level: f32, n_hops: usize) -> Vec<Vec<f32>> {
        (0..n_hops)
            .map(|hop| {
                let sample = |i: usize| {
                    let phase = (hop * HOP + i) as f64 * f64::from(hz) / f64::from(SAMPLE_RATE_HZ);
                    level * (std::f64::consts::TAU * phase).sin() as f32
                };
                (0..HOP).map(sample).collect()
            })
            .collect()
    }

    fn loudest_row(column: &[f32]) -> usize {
        (0..N_ROWS).max_by(|&a, &b| column[a].total_cmp(&column[b])).unwrap()
    }

    #[test]
    fn a_tone_lights_its_row_at_its_level() {
        for hz in [200.0, 1_000.0, 8_000.0] {
            let mut picture = Spectrogram::new(1, 48_000);
            for hop in tone(hz, 0.5, 100) {
                picture.hop(&[&hop], &[&hop]);
            }
            let columns = picture.before.columns.levels_db(50);
            let row = loudest_row(&columns[25]);
            let (low, high) = picture.rows.edges[row];
            let centre_hz = (low + high) / 2.0 * SAMPLE_RATE_HZ as f32 / N_FFT as f32;
            assert!((centre_hz / hz - 1.0).abs() < 0.06, "{hz} Hz shows at {centre_hz} Hz");
            // -6 dB, less what averaging over a wide row or falling between two bins costs.
            assert!((-15.0..=-5.9).contains(&columns[25][row]), "{hz} Hz: {} dB", columns[25][row]);
        }
    }

    #[test]
    fn a_click_shows_where_it_is() {
        let mut picture = Spectrogram::new(1, 48_000);
        for hop in 0..200 + LAG_HOPS {
            let mut samples = [0.0; HOP];
            samples[0] = if hop == 100 { 1.0 } else { 0.0 };
            picture.hop(&[&samples], &[&samples]);
        }
        let columns = picture.before.columns.levels_db(200);
        let loudest = (0..200).max_by(|&a, &b| columns[a][100].total_cmp(&columns[b][100])).unwrap();
        assert!((99..=101).contains(&loudest), "column {loudest}");
    }

    #[test]
    fn memory_does_not_grow_with_length_and_the_mean_stays() {
        let mut columns = Columns::default();
        for frame in 0..50_000 {
            columns.push(vec![if frame % 2 == 0 { 1.0 } else { 3.0 }; N_ROWS]);
            assert!(columns.done.len() < 2 * N_COLUMNS);
        }
        assert!(columns.stride.is_power_of_two() && columns.stride > 8);
        let levels = columns.levels_db(N_COLUMNS);
        assert_eq!(levels.len(), N_COLUMNS);
        assert!(levels.iter().flatten().all(|level| (level - 10.0 * 2_f32.log10()).abs() < 1e-3));
    }

    #[test]
    fn the_picture_is_a_png_of_the_stated_size_even_of_nothing() {
        let png = Spectrogram::new(2, 8_000).finish("empty.wav", "nothing").unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), figure::SIZE);
    }
}
