//! The last eight seconds: input and output spectra and the reduction, one column per hop, in a ring.
//!
//! Columns keep one byte per bin, enough for the 256 colours of the map, so that the frequency axis can be changed
//! afterwards.

use tacet_model::N_BINS;

/// Columns: 8 s of hops.
pub const N_COLUMNS: usize = 800;
/// Columns per second.
pub(crate) const COLUMNS_PER_S: f32 = 100.0;
/// Power of a full-scale sine in its bin, dB: the square of half the mean of the transform's window.
const SINE_DB: f32 = -10.43;
/// Level of byte 0, dB below a full-scale sine.
pub const FLOOR_DB: f32 = -102.0;
/// Level of byte 255.
pub(crate) const CEILING_DB: f32 = -18.0;
/// Largest reduction shown, dB.
pub(crate) const MAX_REDUCTION_DB: f32 = 40.0;

/// One hop's spectrum, a byte per bin.
pub type Column = [u8; N_BINS];

/// The ring.
pub struct Trace {
    input: Box<[Column]>,
    output: Box<[Column]>,
    reduction_db: Box<[f32]>,
    n_pushed: u64,
}

impl Default for Trace {
    fn default() -> Self {
        let silent = || vec![[0; N_BINS]; N_COLUMNS].into_boxed_slice();
        Self { input: silent(), output: silent(), reduction_db: vec![0.0; N_COLUMNS].into(), n_pushed: 0 }
    }
}

impl Trace {
    /// Adds a hop: power per bin of the noisy frame and of what was made of it, linear, mean of all channels.
    pub fn push(&mut self, input: &[f32; N_BINS], output: &[f32; N_BINS]) {
        let at = (self.n_pushed % N_COLUMNS as u64) as usize;
        self.input[at] = input.map(byte);
        self.output[at] = output.map(byte);
        let (before, after) = (input.iter().sum::<f32>(), output.iter().sum::<f32>());
        self.reduction_db[at] = reduction_db(before, after);
        self.n_pushed += 1;
    }

    /// Columns pushed since the start; the newest has this number less one.
    pub(crate) fn n_pushed(&self) -> u64 {
        self.n_pushed
    }

    /// A column by its place in the ring.
    pub fn column(&self, which: Which, at: usize) -> &Column {
        match which {
            Which::Input => &self.input[at],
            Which::Output => &self.output[at],
        }
    }

    /// Reductions in dB, 0 or more, oldest first.
    pub(crate) fn reductions_db(&self) -> impl Iterator<Item = f32> + '_ {
        let split = (self.n_pushed % N_COLUMNS as u64) as usize;
        self.reduction_db[split..].iter().chain(&self.reduction_db[..split]).copied()
    }

    /// The mean reduction of the last half second in dB: a number that changes with every hop cannot be read.
    pub fn reduction_db(&self) -> f32 {
        let n_columns = self.n_pushed.clamp(1, COLUMNS_PER_S as u64 / 2);
        let newest = self.n_pushed + N_COLUMNS as u64 - 1;
        let recent =
            (0..n_columns).map(|ago| self.reduction_db[((newest - ago) % N_COLUMNS as u64) as usize]);
        recent.sum::<f32>() / n_columns as f32
    }
}

/// One of the two spectrograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Of the noisy input.
    Input,
    /// Of the output.
    Output,
}

/// The byte of a bin's power.
fn byte(power: f32) -> u8 {
    // log2 is the logarithm that processors are good at. Silence and NaN end at 0 by the saturating cast.
    let db = 10.0 * std::f32::consts::LOG10_2 * power.log2() - SINE_DB;
    ((db - FLOOR_DB) / (CEILING_DB - FLOOR_DB) * 255.0) as u8
}

/// Reduction in dB; silence has none.
fn reduction_db(before: f32, after: f32) -> f32 {
    if before > 0.0 { (10.0 * (before / after).log10()).clamp(0.0, MAX_REDUCTION_DB) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{frame::SILENT_SPECTRUM, stft::Analysis};
    use tacet_model::HOP;

    #[test]
    fn a_full_scale_sine_reads_zero_db_in_its_bin() {
        let mut analysis = Analysis::new();
        let mut spectrum = SILENT_SPECTRUM;
        for hop in 0..4 {
            // Bin 20 of 50 Hz each.
            let samples = std::array::from_fn(|i| {
                (std::f64::consts::TAU * 20.0 * (hop * HOP + i) as f64 / 960.0).sin() as f32
            });
            analysis.process(&samples, &mut spectrum);
        }
        let sine_db = 10.0 * spectrum[20].norm_sqr().log10();
        assert!((sine_db - SINE_DB).abs() < 0.01, "{sine_db}");
    }

    #[test]
    fn levels_become_bytes_evenly() {
        let power = |db: f32| 10f32.powf((db + SINE_DB) / 10.0);
        assert_eq!(
            [FLOOR_DB - 20.0, FLOOR_DB + 0.01, -60.0, CEILING_DB + 0.01, 10.0].map(|db| byte(power(db))),
            [0, 0, 127, 255, 255]
        );
        assert_eq!([byte(0.0), byte(f32::NAN)], [0, 0]);
    }

    #[test]
    fn reductions_come_oldest_first() {
        let mut trace = Trace::default();
        for i in 0..N_COLUMNS + 10 {
            let gain = if i < N_COLUMNS { 0.01 } else { 0.1 };
            trace.push(&[1.0; N_BINS], &[gain; N_BINS]);
        }
        let reductions: Vec<f32> = trace.reductions_db().collect();
        assert!((reductions[0] - 20.0).abs() < 1e-3 && (reductions[N_COLUMNS - 1] - 10.0).abs() < 1e-3);
        // Of the last half second a fifth.
        assert!((trace.reduction_db() - 18.0).abs() < 1e-3, "{}", trace.reduction_db());
    }

    #[test]
    fn silence_is_not_reduced_and_a_boost_is_no_reduction() {
        assert_eq!(
            [reduction_db(0.0, 0.0), reduction_db(1.0, 2.0), reduction_db(1.0, 0.0)],
            [0.0, 0.0, MAX_REDUCTION_DB]
        );
    }
}
