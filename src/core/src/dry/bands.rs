//! Shares of single bands: those that stand out of the noise are let through farther than the rest.

use tacet_model::N_BANDS;

use super::ramp;
use crate::frame::Mask;
use crate::powers::HopPowers;

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
    /// Share of each band of a hop, 0..=1, as far as `most` has come.
    pub fn of_hop(&self, most: &BandShares, powers: &HopPowers) -> Mask {
        let mut is_kept = [0.0; N_BANDS];
        // It matters only where bands that are kept get more.
        if most.loud_and_kept > most.loud {
            for ((is_kept, kept), taken) in
                is_kept.iter_mut().zip(powers.kept.bands()).zip(powers.taken.bands())
            {
                *is_kept = ramp(kept / (taken + f32::MIN_POSITIVE), KEPT_RATIO.0, KEPT_RATIO.1);
            }
        }
        let mut shares = [0.0; N_BANDS];
        let bands = powers.noisy.bands().into_iter().zip(self.noise).zip(is_kept);
        for (share, ((noisy, noise), is_kept)) in shares.iter_mut().zip(bands) {
            let above_noise = (noisy / (noise + f32::MIN_POSITIVE)).sqrt();
            let loudness = (above_noise / self.loud).min(1.0);
            *share = (most.audible * ramp(above_noise, self.audible, FULLY_AUDIBLE * self.audible))
                .max(loudness * most.loud.max(most.loud_and_kept * is_kept));
        }
        shares
    }
}
