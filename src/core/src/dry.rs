//! The share of the input that rules let through.
//!
//! A share is an attenuation limit: `enhanced + (noisy - enhanced) share`. The rules for clean and for whispered input say
//! how much is due, of everything and of single bands, and the largest holds. Live, it is let through at once; for
//! recordings a [`DryAhead`] knows it two seconds before. One per stream, on the thread that enhances; real-time safe.

use tacet_model::N_BANDS;

use crate::erb;
use crate::frame::{Mask, Spectrum};
use crate::powers::HopPowers;

mod ahead;
mod ahead_bands;
mod bands;

pub use ahead::DryAhead;
pub use bands::{BandShares, BandsDue};

/// Most by which the share moves in a hop.
const RISE: f32 = 0.01;
const FALL: f32 = 0.02;

/// The input that is due. It may jump; what is let through glides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Due {
    /// Share of everything, 0..=1.
    pub share: f32,
    /// Bands that are let through farther.
    pub bands: BandsDue,
}

/// Shares on their way to what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Glide {
    share: f32,
    bands: BandShares,
}

impl Glide {
    /// Shares that have arrived.
    fn at(due: &Due) -> Self {
        Self { share: due.share, bands: due.bands.shares }
    }

    /// The shares of the next hop.
    fn next(self, due: &Due) -> Self {
        let glide = |share: f32, due: f32| share + (due - share).clamp(-FALL, RISE);
        let (bands, due_bands) = (&self.bands, &due.bands.shares);
        Self {
            share: glide(self.share, due.share),
            bands: BandShares {
                audible: glide(bands.audible, due_bands.audible),
                loud_and_kept: glide(bands.loud_and_kept, due_bands.loud_and_kept),
                loud: glide(bands.loud, due_bands.loud),
            },
        }
    }

    /// Whether bands differ.
    fn has_bands(&self) -> bool {
        self.bands.any()
    }

    /// Share of each band of a hop.
    fn of_bands(&self, due: &Due, powers: &HopPowers) -> Mask {
        due.bands.of_hop(&self.bands, powers).map(|share| share.max(self.share))
    }
}

/// Follows what is due, and lets it through.
#[derive(Clone, Copy, Debug, Default)]
pub struct DryShare {
    due: Due,
    shares: Glide,
    is_deferred: bool,
}

impl DryShare {
    /// Forgets everything heard.
    pub fn reset(&mut self) {
        *self = Self { is_deferred: self.is_deferred, ..Self::default() };
    }

    /// Whether [`apply`](Self::apply) leaves frames alone, because somebody who hears [ahead](DryAhead) lets through what
    /// is due.
    pub fn set_deferred(&mut self, is_deferred: bool) {
        self.is_deferred = is_deferred;
    }

    /// The input that is due.
    pub fn due(&self) -> &Due {
        &self.due
    }

    /// Share of everything in the last hop, 0..=1.
    pub fn share(&self) -> f32 {
        self.shares.share
    }

    /// Whether nothing is due, and nothing let through any more.
    pub fn is_idle(&self) -> bool {
        self.shares == Glide::default() && self.due == Due::default()
    }

    /// Lets through of a hop's noisy frames what is due, one frame per channel; nothing at all is bit-identical.
    pub fn apply(&mut self, due: &Due, powers: &HopPowers, noisy: &[Spectrum], enhanced: &mut [Spectrum]) {
        self.due = *due;
        if self.is_deferred {
            return;
        }
        self.shares = self.shares.next(due);
        if !self.shares.has_bands() && self.shares.share == 0.0 {
            return;
        }
        let shares = if self.shares.has_bands() {
            self.shares.of_bands(due, powers)
        } else {
            [self.shares.share; N_BANDS]
        };
        for (noisy, enhanced) in noisy.iter().zip(enhanced) {
            for (&share, bins) in shares.iter().zip(erb::bands()) {
                for (n, y) in noisy[bins.clone()].iter().zip(&mut enhanced[bins]) {
                    *y += (n - *y) * share;
                }
            }
        }
    }
}

/// Facts known of a hop beside its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noted {
    /// The input that is due, as far as the recording was known then.
    pub dry: Due,
    /// Whether the input lived (`rules::activity`) when the hop was put in. Only heard where a rule asks for it.
    pub is_active: bool,
}

/// 0 at `from` and beyond, 1 at `to` and beyond, linear between.
pub(crate) fn ramp(value: f32, from: f32, to: f32) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
