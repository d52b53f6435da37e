//! Data passed between stages: one hop's spectrum and the parts of it that cross to an engine.

use std::ops::Range;

pub use rustfft::num_complex::Complex32;
use tacet_model::{N_BANDS, N_BINS, N_DF_BINS};

/// One channel's frame: 481 bins, scaled by 1/960 (see [`crate::stft`]).
pub type Spectrum = [Complex32; N_BINS];
/// The bins the deep filter works on: 0 to 4750 Hz.
pub type LowBins = [Complex32; N_DF_BINS];
/// Gain per ERB band, 0..=1.
pub type Mask = [f32; N_BANDS];

/// A silent frame.
pub const SILENT_SPECTRUM: Spectrum = [Complex32 { re: 0.0, im: 0.0 }; N_BINS];
/// Silent low bins.
pub const SILENT_LOW_BINS: LowBins = [Complex32 { re: 0.0, im: 0.0 }; N_DF_BINS];

/// Power of some bins: the sum of their squared magnitudes.
pub fn power(bins: &[Complex32]) -> f32 {
    let (groups, rest) = bins.as_chunks::<SUMS>();
    let mut sums = Sums::default();
    groups.iter().for_each(|group| sums.add(group));
    sums.total() + rest.iter().map(|bin| bin.norm_sqr()).sum::<f32>()
}

/// Power of some bins of all channels' frames.
pub fn power_over(frames: &[Spectrum], bins: Range<usize>) -> f32 {
    frames.iter().map(|frame| power(&frame[bins.clone()])).sum()
}

/// Power of the difference of as many bins.
pub fn power_of_difference(bins: &[Complex32], others: &[Complex32]) -> f32 {
    let (groups, rest) = bins.as_chunks::<SUMS>();
    let (other_groups, other_rest) = others.as_chunks::<SUMS>();
    let mut sums = Sums::default();
    for (group, others) in groups.iter().zip(other_groups) {
        let mut differences = *group;
        differences.iter_mut().zip(others).for_each(|(bin, other)| *bin -= other);
        sums.add(&differences);
    }
    sums.total() + rest.iter().zip(other_rest).map(|(bin, other)| (bin - other).norm_sqr()).sum::<f32>()
}

/// Bins that are added up side by side.
const SUMS: usize = 4;

/// Sums of the parts' squares, which the compiler keeps in vectors.
#[derive(Default)]
struct Sums([[f32; 2]; SUMS]);

impl Sums {
    #[inline]
    fn add(&mut self, bins: &[Complex32; SUMS]) {
        for ([re, im], bin) in self.0.iter_mut().zip(bins) {
            *re += bin.re * bin.re;
            *im += bin.im * bin.im;
        }
    }

    fn total(&self) -> f32 {
        let [a, b, c, d] = self.0.map(|[re, im]| re + im);
        (a + c) + (b + d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_sums_of_squared_magnitudes_whatever_the_number_of_bins() {
        let frame: Spectrum = std::array::from_fn(|k| Complex32::new(k as f32, 1.0));
        for n_bins in 0..20 {
            // Sums of whole numbers are exact.
            let expected: f32 = frame[..n_bins].iter().map(|bin| bin.norm_sqr()).sum();
            assert_eq!(power(&frame[..n_bins]), expected);
            assert_eq!(power_of_difference(&frame[..n_bins], &frame[1..=n_bins]), n_bins as f32);
        }
    }
}
