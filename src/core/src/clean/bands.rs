//! Bands in which a clean recording stands out of its noise: the input is let through there.
//!
//! A band as faint as the noise is when nothing else sounds is noise and no more: it gets less. From words with little
//! noise the network takes mostly weak sounds and parts of the loud ones, each of them far above the noise in its band.
//! So a band gets a share of the input that grows with its power, up to all of it at [`FULL_DB`] above the noise: below,
//! the noise stays as far under the band's own sound.

use tacet_model::N_BANDS;

use super::{Estimates, share_of_newest};
use crate::decibels::decibels;
use crate::dry::{BandShares, BandsDue, ramp};
use crate::powers::BinPowers;

/// Power of a band above its noise at which all of it is let through, in dB; less, decibel by decibel, from an SNR of
/// [`FULL_SNR_DB`] on, down to [`LEAST_FULL_DB`].
const FULL_DB: f32 = 30.0;
const FULL_SNR_DB: f32 = 30.0;
const LEAST_FULL_DB: f32 = 22.0;
/// SNRs between which bands come in that the network keeps, and all others, in dB.
const KEPT_DB: (f32, f32) = (21.0, 25.0);
const ALL_DB: (f32, f32) = (24.0, 30.0);
/// How far above the quietest noise a band counts as audible, in dB.
const AUDIBLE_DB: f32 = 2.0;
/// Share of the newest hop in the noise's powers: one second.
const AVERAGING: f32 = 0.01;
/// How far above the median a hop may be that the noise is heard in, in dB: a class of levels.
const ABOVE_MEDIAN_DB: f32 = 1.5;

/// The noise between words, band by band.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BandNoise {
    means: [f32; N_BANDS],
    n_heard: u32,
}

impl BandNoise {
    /// Hears a hop that is no speech, if it is not louder than others: powers of its bins and of all together, and the
    /// median level of such hops in dB.
    pub fn hear(&mut self, noisy: &BinPowers, power: f32, median_db: f32) {
        if decibels(power) > median_db + ABOVE_MEDIAN_DB {
            return;
        }
        self.n_heard = self.n_heard.saturating_add(1);
        let share = share_of_newest(self.n_heard, AVERAGING);
        for (mean, power) in self.means.iter_mut().zip(noisy.bands()) {
            *mean += share * (power - *mean);
        }
    }

    /// How far bands are to be let through at these estimates, audible ones by this share.
    pub fn due(&self, estimates: &Estimates, audible: f32) -> BandsDue {
        let snr_db = estimates.snr_db();
        let shares = BandShares {
            audible,
            loud_and_kept: ramp(snr_db, KEPT_DB.0, KEPT_DB.1),
            loud: ramp(snr_db, ALL_DB.0, ALL_DB.1),
        };
        if !shares.any() {
            return BandsDue::default();
        }
        let full_db = (FULL_DB + FULL_SNR_DB - snr_db).clamp(LEAST_FULL_DB, FULL_DB);
        // Loud noises count in every band.
        let gain = libm::powf(10.0, (estimates.median_db - estimates.heard_db()) / 10.0);
        let noise = self.means.map(|mean| gain * mean);
        let audible_db = AUDIBLE_DB + estimates.median_db - estimates.quiet_db;
        let [audible, loud] = [audible_db, full_db].map(|db| libm::powf(10.0, db / 20.0));
        BandsDue { shares, noise, audible, loud }
    }
}
