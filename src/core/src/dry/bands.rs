//! Shares of single bands: those that stand out of the noise are let through farther.

use tacet_model::N_BANDS;

use super::ramp;
use crate::erb::{BAND_STARTS, BAND_WIDTHS};
use crate::frame::{Mask, Spectrum};

/// Ratio of what the network keeps of a band to what it takes from which the band counts as kept: -6 dB, fully at 0 dB.
const KEPT_RATIO: (f32, f32) = (0.25, 1.0);

/// How far bands are let through, as far as a stream is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BandsDue {
    /// Of bands that the network keeps, 0..=1.
    pub kept: f32,
    /// Of every band, 0..=1.
    pub all: f32,
    /// Power of each band, over all channels, at which all of it is let through.
    pub full: [f32; N_BANDS],
}

impl BandsDue {
    /// Share of each band of a hop, 0..=1, of which at most `kept` of those that the network keeps, and `all` of the
    /// others: noisy frames and what the network made of them, one per channel.
    pub fn shares(&self, kept: f32, all: f32, noisy: &[Spectrum], enhanced: &[Spectrum]) -> Mask {
        let mut shares = [0.0; N_BANDS];
        for (band, share) in shares.iter_mut().enumerate() {
            let bins = BAND_STARTS[band]..BAND_STARTS[band] + BAND_WIDTHS[band];
            let (mut power, mut kept_power, mut taken_power) = (0.0, 0.0, 0.0);
            for (noisy, enhanced) in noisy.iter().zip(enhanced) {
                for (n, y) in noisy[bins.clone()].iter().zip(&enhanced[bins.clone()]) {
                    power += n.norm_sqr();
                    kept_power += y.norm_sqr();
                    taken_power += (n - y).norm_sqr();
                }
            }
            let is_kept = ramp(kept_power / (taken_power + f32::MIN_POSITIVE), KEPT_RATIO.0, KEPT_RATIO.1);
            let most = all.max(kept * is_kept);
            *share = most * (power / (self.full[band] + f32::MIN_POSITIVE)).sqrt().min(1.0);
        }
        shares
    }
}
