//! Shares of single bands: those that stand out of the noise are let through farther than the rest.

use tacet_model::N_BANDS;

use super::{Powers, ramp};
use crate::erb;
use crate::frame::{Mask, Spectrum};

/// Ratio of what the network keeps of a band to what it takes from which the band counts as kept: -6 dB, fully at 0 dB.
const KEPT_RATIO: (f32, f32) = (0.25, 1.0);
/// Multiple of the amplitude from which a band counts as audible at which it does fully: 6 dB.
const FULLY_AUDIBLE: f32 = 2.0;

/// How far bands are let through, as far as a stream is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BandsDue {
    /// The shares that are due.
    pub shares: BandShares,
    /// Power of the noise in each band, over all channels.
    pub noise: [f32; N_BANDS],
    /// Amplitude, as a multiple of the noise's, from which a band counts as audible.
    pub audible: f32,
    /// The one from which all of the shares by loudness is let through.
    pub loud: f32,
}

/// Most that is let through of bands of a kind. The largest that applies to a band holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BandShares {
    /// Of bands that are audible beside the noise, 0..=1.
    pub audible: f32,
    /// By loudness, of bands that the network keeps, 0..=1.
    pub loud_and_kept: f32,
    /// By loudness, of every band, 0..=1.
    pub loud: f32,
}

impl BandShares {
    /// Whether any is more than nothing.
    pub fn any(&self) -> bool {
        self.audible > 0.0 || self.loud_and_kept > 0.0 || self.loud > 0.0
    }
}

impl BandsDue {
    /// Share of each band of a hop, 0..=1, as far as `most` has come: noisy frames and what the network made of them, one
    /// per channel.
    pub fn of_hop(&self, most: &BandShares, noisy: &[Spectrum], enhanced: &[Spectrum]) -> Mask {
        let mut shares = [0.0; N_BANDS];
        for ((share, noise), bins) in shares.iter_mut().zip(self.noise).zip(erb::bands()) {
            let powers = Powers::of_bins(bins, noisy, enhanced);
            let is_kept = ramp(powers.kept / (powers.taken + f32::MIN_POSITIVE), KEPT_RATIO.0, KEPT_RATIO.1);
            let above_noise = (powers.noisy / (noise + f32::MIN_POSITIVE)).sqrt();
            let loudness = (above_noise / self.loud).min(1.0);
            *share = (most.audible * ramp(above_noise, self.audible, FULLY_AUDIBLE * self.audible))
                .max(loudness * most.loud.max(most.loud_and_kept * is_kept));
        }
        shares
    }
}
