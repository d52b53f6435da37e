//! Shares of single bands: those that stand out of the noise are let through farther.

use tacet_model::N_BANDS;

use super::{Powers, ramp};
use crate::erb;
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
        for ((share, full), bins) in shares.iter_mut().zip(self.full).zip(erb::bands()) {
            let powers = Powers::of_bins(bins, noisy, enhanced);
            let is_kept = ramp(powers.kept / (powers.taken + f32::MIN_POSITIVE), KEPT_RATIO.0, KEPT_RATIO.1);
            let most = all.max(kept * is_kept);
            *share = most * (powers.noisy / (full + f32::MIN_POSITIVE)).sqrt().min(1.0);
        }
        shares
    }
}
