//! Bands in which a clean recording stands out of its noise: the input is let through there.
//!
//! What the network takes from words with little noise are mostly weak sounds and parts of the loud ones, each of them far
//! above the noise in its band. So a band gets a share of the input that grows with its power, up to all of it at
//! [`FULL_DB`] above the noise: below, the noise stays as far under the band's own sound.

use tacet_model::N_BANDS;

use super::{Estimates, Mean};
use crate::erb::{BAND_STARTS, BAND_WIDTHS};
use crate::frame::Spectrum;
use crate::samples::decibels;

/// Power of a band above its noise at which all of it is let through, in dB; less, decibel by decibel, from an SNR of
/// [`FULL_SNR_DB`] on, down to [`LEAST_FULL_DB`].
const FULL_DB: f32 = 30.0;
const FULL_SNR_DB: f32 = 30.0;
const LEAST_FULL_DB: f32 = 22.0;
/// SNRs between which bands come in that the network keeps, and all others, in dB.
const KEPT_DB: (f32, f32) = (21.0, 25.0);
const ALL_DB: (f32, f32) = (24.0, 30.0);
/// Ratio of what the network keeps of a band to what it takes from which the band counts as kept: -6 dB, fully at 0 dB.
const KEPT_RATIO: (f32, f32) = (0.25, 1.0);
/// Share of the newest hop in the noise's powers: one second.
const AVERAGING: f32 = 0.01;
/// How far above the median a hop may be that the noise is heard in, in dB: a class of levels.
const ABOVE_MEDIAN_DB: f32 = 1.5;

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
    pub fn shares(&self, kept: f32, all: f32, noisy: &[Spectrum], enhanced: &[Spectrum]) -> [f32; N_BANDS] {
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
            let is_kept = ramp(kept_power / (taken_power + f32::MIN_POSITIVE), KEPT_RATIO);
            let most = all.max(kept * is_kept);
            *share = most * (power / (self.full[band] + f32::MIN_POSITIVE)).sqrt().min(1.0);
        }
        shares
    }
}

/// The noise between words, band by band.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BandNoise([Mean; N_BANDS]);

impl BandNoise {
    /// Hears a hop that is no speech, if it is not louder than others: frames of every channel, their power together, and
    /// the median level of such hops in dB.
    pub fn hear(&mut self, frames: &[Spectrum], power: f32, median_db: f32) {
        if decibels(power) > median_db + ABOVE_MEDIAN_DB {
            return;
        }
        for ((mean, &start), &width) in self.0.iter_mut().zip(&BAND_STARTS).zip(&BAND_WIDTHS) {
            let bins = frames.iter().flat_map(|frame| &frame[start..start + width]);
            mean.add(bins.map(|bin| bin.norm_sqr()).sum(), AVERAGING);
        }
    }

    /// How far bands are to be let through at these estimates.
    pub fn due(&self, estimates: &Estimates) -> BandsDue {
        let snr_db = estimates.snr_db();
        let (kept, all) = (ramp(snr_db, KEPT_DB), ramp(snr_db, ALL_DB));
        if kept == 0.0 && all == 0.0 {
            return BandsDue::default();
        }
        // Loud noises count in every band.
        let full_db = (FULL_DB + FULL_SNR_DB - snr_db).clamp(LEAST_FULL_DB, FULL_DB);
        let gain = libm::powf(10.0, (full_db + estimates.median_db - estimates.heard_db()) / 10.0);
        BandsDue { kept, all, full: self.0.map(|mean| gain * mean.value) }
    }
}

/// 0 at the first of two values and below, 1 at the second and above, linear between.
fn ramp(value: f32, (from, to): (f32, f32)) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}
