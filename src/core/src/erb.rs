//! The 32 ERB bands: rectangular groups of bins after Glasberg and Moore (1990), as the network was trained.

use std::ops::Range;

use tacet_model::N_BANDS;

use crate::frame::{Mask, Spectrum};

/// Bins per band, low to high; the sum is [`tacet_model::N_BINS`]. A test derives them from the formula.
const BAND_WIDTHS: [usize; N_BANDS] = [
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5, 5, 7, 7, 8, 10, 12, 13, 15, 18, 20, 24, 28, 31, 37, 42, 50, 56,
    67,
];

/// Bands of two bins, which are the lowest.
pub(crate) const N_NARROW: usize = 13;

/// First bin of every band.
const BAND_STARTS: [usize; N_BANDS] = {
    let mut starts = [0; N_BANDS];
    let mut band = 1;
    while band < N_BANDS {
        starts[band] = starts[band - 1] + BAND_WIDTHS[band - 1];
        band += 1;
    }
    starts
};

/// The bins of every band, low to high.
pub fn bands() -> impl Iterator<Item = Range<usize>> {
    BAND_STARTS.iter().zip(&BAND_WIDTHS).map(|(&start, &width)| start..start + width)
}

/// Multiplies every bin by its band's gain (piecewise constant, no smoothing across bands).
pub(crate) fn apply_mask(mask: &Mask, spectrum: &mut Spectrum) {
    for (&gain, bins) in mask.iter().zip(bands()) {
        for bin in &mut spectrum[bins] {
            *bin *= gain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Complex32, SILENT_SPECTRUM};
    use tacet_model::N_BINS;
    use tacet_model::{MIN_BAND_BINS, N_FFT, SAMPLE_RATE_HZ};

    /// Band widths from the formula, for the constant's test: `erb(f) = 9.265 ln(1 + f / (24.7 * 9.265))`, edges
    /// rounded half away from zero, a band's excess over the minimum width taken from its successor.
    fn derive_widths() -> Vec<usize> {
        const Q: f32 = 9.265;
        const MIN_BW_HZ: f32 = 24.7;
        let erb = |hz: f32| Q * (hz / (MIN_BW_HZ * Q)).ln_1p();
        let hz = |erb: f32| MIN_BW_HZ * Q * ((erb / Q).exp() - 1.0);
        let bin_hz = SAMPLE_RATE_HZ as f32 / N_FFT as f32;
        let step = erb(SAMPLE_RATE_HZ as f32 / 2.0) / N_BANDS as f32;
        let (mut widths, mut previous, mut over) = (Vec::new(), 0i64, 0i64);
        for band in 1..=N_BANDS {
            let edge = (hz(band as f32 * step) / bin_hz).round() as i64;
            let width = edge - previous - over;
            over = (MIN_BAND_BINS as i64 - width).max(0);
            widths.push(width.max(MIN_BAND_BINS as i64) as usize);
            previous = edge;
        }
        let last = widths.len() - 1;
        widths[last] += 1;
        widths[last] -= widths.iter().sum::<usize>().saturating_sub(N_BINS);
        widths
    }

    #[test]
    fn widths_follow_from_the_formula_and_cover_the_spectrum() {
        assert_eq!(derive_widths(), BAND_WIDTHS);
        assert_eq!(BAND_WIDTHS.iter().sum::<usize>(), N_BINS);
        assert_eq!(bands().last(), Some(414..N_BINS));
        assert!(BAND_WIDTHS.iter().enumerate().all(|(band, width)| (*width == 2) == (band < N_NARROW)));
    }

    #[test]
    fn a_mask_scales_exactly_the_bins_of_its_band() {
        let mut mask = [1.0; N_BANDS];
        mask[13] = 0.25;
        let mut spectrum = SILENT_SPECTRUM;
        spectrum.fill(Complex32::new(2.0, -4.0));
        apply_mask(&mask, &mut spectrum);
        for (k, bin) in spectrum.iter().enumerate() {
            let gain = if (26..31).contains(&k) { 0.25 } else { 1.0 };
            assert_eq!(*bin, Complex32::new(2.0, -4.0) * gain, "bin {k}");
        }
    }
}
