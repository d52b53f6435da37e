//! Powers of a frame's bins: squared once, then added up by every rule that asks. Real-time safe.

use std::ops::Range;

use tacet_model::{N_BANDS, N_BINS};

use crate::erb;
use crate::frame::{Complex32, Spectrum};

/// Squared magnitude of every bin, of one channel's frame or of all channels' together.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(16))]
pub struct BinPowers([f32; N_BINS]);

impl BinPowers {
    /// Powers of silence.
    pub const SILENT: Self = Self([0.0; N_BINS]);

    /// Bin by bin, low to high.
    pub fn bins(&self) -> &[f32; N_BINS] {
        &self.0
    }

    /// Power of some bins.
    #[inline]
    pub fn over(&self, bins: Range<usize>) -> f32 {
        sum(&self.0[bins])
    }

    /// Mean power of some bins.
    pub fn mean_over(&self, bins: Range<usize>) -> f32 {
        let n_bins = bins.len() as f32;
        self.over(bins) / n_bins
    }

    /// Power of every ERB band.
    pub fn bands(&self) -> [f32; N_BANDS] {
        let mut powers = [0.0; N_BANDS];
        let (narrow, wide) = powers.split_at_mut(erb::N_NARROW);
        for (power, [a, b]) in narrow.iter_mut().zip(self.0.as_chunks().0) {
            *power = a + b;
        }
        for (power, bins) in wide.iter_mut().zip(erb::bands().skip(erb::N_NARROW)) {
            *power = self.over(bins);
        }
        powers
    }
}

/// Powers of one channel's frame, which features and rules share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FramePowers {
    /// Bin by bin.
    pub bins: BinPowers,
    /// Mean of every ERB band's bins, added up as in the official runtime.
    pub band_means: [f32; N_BANDS],
}

impl FramePowers {
    /// Powers of silence.
    pub const SILENT: Self = Self { bins: BinPowers::SILENT, band_means: [0.0; N_BANDS] };

    /// Powers of a frame.
    pub fn of(frame: &Spectrum) -> Self {
        let mut powers = Self::SILENT;
        powers.measure(frame);
        powers
    }

    /// The same in place of what was there.
    pub fn measure(&mut self, frame: &Spectrum) {
        for (power, bin) in self.bins.0.iter_mut().zip(frame) {
            *power = bin.norm_sqr();
        }
        for (mean, bins) in self.band_means.iter_mut().zip(erb::bands()) {
            let share = 1.0 / bins.len() as f32;
            *mean = self.bins.0[bins].iter().fold(0.0, |sum, power| sum + power * share);
        }
    }

    /// Powers of all channels' frames.
    pub fn measure_all(channels: &mut [Self], frames: &[Spectrum]) {
        channels.iter_mut().zip(frames).for_each(|(powers, frame)| powers.measure(frame));
    }
}

/// Powers of a hop or of a part of it, over all channels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Powers {
    /// Of the input.
    pub noisy: f32,
    /// Of what the network keeps of it.
    pub kept: f32,
    /// Of the difference.
    pub taken: f32,
}

/// Powers of a hop's bins, over all channels.
#[derive(Clone, Debug)]
pub struct HopPowers {
    /// Of the input.
    pub noisy: BinPowers,
    /// Of what the network keeps of it.
    pub kept: BinPowers,
    /// Of the difference.
    pub taken: BinPowers,
    /// Of all bins together.
    pub all: Powers,
}

impl Default for HopPowers {
    /// Powers of silence.
    fn default() -> Self {
        let [noisy, kept, taken] = [BinPowers::SILENT; 3];
        Self { noisy, kept, taken, all: Powers::default() }
    }
}

impl HopPowers {
    /// Powers of noisy frames and of what the network made of them, one per channel.
    pub fn of(noisy: &[Spectrum], enhanced: &[Spectrum]) -> Self {
        let mut powers = Self::default();
        powers.measure(noisy, enhanced);
        powers
    }

    /// The same in place of what was there.
    pub fn measure(&mut self, noisy: &[Spectrum], enhanced: &[Spectrum]) {
        for (channel, (noisy, enhanced)) in noisy.iter().zip(enhanced).enumerate() {
            if channel == 0 {
                self.each(noisy, enhanced, |power, first| *power = first);
            } else {
                self.each(noisy, enhanced, |sum, power| *sum += power);
            }
        }
        self.all = self.over(0..N_BINS);
    }

    /// Hands each power of a channel's bins to `put`, with its place.
    #[inline]
    fn each(&mut self, noisy: &Spectrum, enhanced: &Spectrum, put: impl Fn(&mut f32, f32)) {
        let places = self.noisy.0.iter_mut().zip(&mut self.kept.0).zip(&mut self.taken.0);
        for (((noisy, kept), taken), (n, y)) in places.zip(noisy.iter().zip(enhanced)) {
            put(noisy, n.norm_sqr());
            put(kept, y.norm_sqr());
            put(taken, (n - y).norm_sqr());
        }
    }

    /// Powers of some bins.
    #[inline]
    pub fn over(&self, bins: Range<usize>) -> Powers {
        Powers {
            noisy: self.noisy.over(bins.clone()),
            kept: self.kept.over(bins.clone()),
            taken: self.taken.over(bins),
        }
    }
}

/// Power of some bins, the sum of their squared magnitudes, without those of each: for what nobody else asks for.
pub fn power(bins: &[Complex32]) -> f32 {
    let (groups, rest) = bins.as_chunks::<4>();
    // Parts and groups side by side, which the compiler keeps in vectors.
    let mut sums = [[0.0f32; 2]; 4];
    for group in groups {
        for ([re, im], bin) in sums.iter_mut().zip(group) {
            *re += bin.re * bin.re;
            *im += bin.im * bin.im;
        }
    }
    let [a, b, c, d] = sums.map(|[re, im]| re + im);
    (a + c) + (b + d) + rest.iter().map(|bin| bin.norm_sqr()).sum::<f32>()
}

/// The same of all channels' frames.
pub fn power_over(frames: &[Spectrum], bins: Range<usize>) -> f32 {
    frames.iter().map(|frame| power(&frame[bins.clone()])).sum()
}

/// The same of every ERB band.
pub fn band_powers(frames: &[Spectrum]) -> [f32; N_BANDS] {
    let mut powers = [0.0; N_BANDS];
    for (power, bins) in powers.iter_mut().zip(erb::bands()) {
        *power = power_over(frames, bins);
    }
    powers
}

/// Sum of some values.
#[inline]
pub fn sum(values: &[f32]) -> f32 {
    if values.len() < 8 {
        return values.iter().sum();
    }
    let (groups, rest) = values.as_chunks();
    let (pairs, last) = groups.as_chunks::<2>();
    // Two vectors, so that an addition need not wait for the one before.
    let mut sums = [[0.0f32; 4]; 2];
    for pair in pairs {
        sums = [add(sums[0], &pair[0]), add(sums[1], &pair[1])];
    }
    let sums = last.iter().fold(add(sums[0], &sums[1]), add);
    sums[0] + sums[1] + sums[2] + sums[3] + rest.iter().sum::<f32>()
}

#[inline]
fn add(sums: [f32; 4], values: &[f32; 4]) -> [f32; 4] {
    std::array::from_fn(|i| sums[i] + values[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bins of whole numbers, whose sums are exact.
    fn frame(first: usize) -> Spectrum {
        std::array::from_fn(|k| Complex32::new((k + first) as f32, 1.0))
    }

    #[test]
    fn powers_are_sums_of_squared_magnitudes_whatever_the_number_of_bins() {
        let (noisy, enhanced) = (frame(0), frame(2));
        let powers = FramePowers::of(&noisy);
        let hop = HopPowers::of(&[noisy, noisy], &[enhanced, noisy]);
        for n_bins in 0..40 {
            let expected = |frame: &Spectrum| frame[..n_bins].iter().map(|bin| bin.norm_sqr()).sum::<f32>();
            let both = expected(&noisy) + expected(&enhanced);
            assert_eq!(power(&noisy[..n_bins]), expected(&noisy));
            assert_eq!(powers.bins.over(0..n_bins), expected(&noisy));
            assert_eq!(power_over(&[noisy, enhanced], 0..n_bins), both);
            let taken = 4.0 * n_bins as f32;
            assert_eq!(hop.over(0..n_bins), Powers { noisy: 2.0 * expected(&noisy), kept: both, taken });
        }
    }

    #[test]
    fn a_hop_is_all_of_its_bins_and_each_band_some_of_them() {
        let noisy = [[Complex32::new(2.0, 0.0); N_BINS]];
        let mut powers = HopPowers::of(&noisy, &noisy.map(|frame| frame.map(|bin| bin * 0.25)));
        let Powers { noisy, kept, taken } = powers.all;
        assert_eq!([noisy, kept, taken], [4.0, 0.25, 2.25].map(|power| power * N_BINS as f32));
        powers.measure(&[frame(0)], &[frame(0)]);
        let (noisy, alone) = (&powers.noisy, FramePowers::of(&frame(0)));
        assert_eq!(*noisy, alone.bins);
        assert_eq!(noisy.bins()[480], 480.0 * 480.0 + 1.0);
        assert_eq!(noisy.bands().to_vec(), erb::bands().map(|bins| noisy.over(bins)).collect::<Vec<_>>());
        assert_eq!(noisy.mean_over(26..31), noisy.over(26..31) / 5.0);
        assert!((alone.band_means[13] / noisy.mean_over(26..31) - 1.0).abs() < 1e-6);
    }
}
