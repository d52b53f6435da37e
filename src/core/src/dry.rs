//! The share of the input that rules let through.
//!
//! A share is an attenuation limit: `enhanced + (noisy - enhanced) share`. The rules for clean and for whispered input say
//! how much is due, and the larger holds. Live, it is let through at once; for recordings a [`DryAhead`] knows it two
//! seconds before. One per stream, on the thread that enhances; real-time safe.

use crate::frame::Spectrum;

mod ahead;

pub use ahead::DryAhead;

/// Most by which the share moves in a hop.
const RISE: f32 = 0.01;
const FALL: f32 = 0.02;

/// Follows what is due, and lets it through.
#[derive(Clone, Copy, Debug, Default)]
pub struct DryShare {
    due: f32,
    share: f32,
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

    /// The share that is due, 0..=1. It may jump; the one that is [applied](Self::apply) glides.
    pub fn due(&self) -> f32 {
        self.due
    }

    /// Share of the last hop, 0..=1.
    pub fn share(&self) -> f32 {
        self.share
    }

    /// Lets through of the noisy frames what is due, one frame per channel; nothing at all is bit-identical.
    pub fn apply(&mut self, due: f32, noisy: &[Spectrum], enhanced: &mut [Spectrum]) {
        self.due = due;
        if self.is_deferred {
            return;
        }
        self.share = glide(self.share, due);
        if self.share > 0.0 {
            for (noisy, enhanced) in noisy.iter().zip(enhanced) {
                for (n, y) in noisy.iter().zip(enhanced) {
                    *y += (n - *y) * self.share;
                }
            }
        }
    }
}

/// Facts known of a hop beside its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noted {
    /// Share of the input that is due, as far as the recording was known then, 0..=1.
    pub dry_due: f32,
    /// Whether the input lived (`rules::activity`) when the hop was put in. Only heard where a rule asks for it.
    pub is_active: bool,
}

/// The share of the next hop on the way to what is due.
fn glide(share: f32, due: f32) -> f32 {
    share + (due - share).clamp(-FALL, RISE)
}

/// Powers of one hop over all channels and bins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Powers {
    /// Of the input.
    pub noisy: f32,
    /// Of what the network keeps of it.
    pub kept: f32,
    /// Of the difference.
    pub taken: f32,
}

impl Powers {
    /// Powers of noisy frames and of what the network made of them, one per channel.
    pub fn of(noisy: &[Spectrum], enhanced: &[Spectrum]) -> Self {
        let mut powers = Self::default();
        for (noisy, enhanced) in noisy.iter().zip(enhanced) {
            for (n, y) in noisy.iter().zip(enhanced) {
                powers.noisy += n.norm_sqr();
                powers.kept += y.norm_sqr();
                powers.taken += (n - y).norm_sqr();
            }
        }
        powers
    }
}

#[cfg(test)]
mod tests;
