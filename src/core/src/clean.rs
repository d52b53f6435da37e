//! Keeps clean recordings clean: where there is hardly any noise, the output moves toward the input.
//!
//! Of speech with little noise the network takes more than it gives: some of every word goes with noise that hardly anybody
//! hears. So the rule estimates the recording's SNR, and lets through as much of the input as keeps the noise 39 dB below
//! the speech, and less of bands that are no louder than the noise: an attenuation limit that follows the SNR. It begins
//! at [`FIRST_DB`]; below, the output is bit-identical to that without the rule.
//!
//! The SNR is that of the hops of which the network keeps most against the median of the others. Two things make it
//! smaller: loud hops among the others, which are keys or doors rather than the network's mistakes, and what is removed
//! from the hops that are kept, as noise may come with the words alone. [Bands](crate::dry::BandsDue) that stand out of
//! the noise are let through farther. One rule per stream, on the thread that enhances; real-time safe.

use std::ops::Range;

use tacet_model::N_BINS;

use crate::decibels::decibels;
use crate::dry::Due;
use crate::powers::{BinPowers, HopPowers, Powers};

mod bands;
mod levels;

use bands::BandNoise;
use levels::Levels;

/// SNR from which anything is let through, in dB, and from which all is that the margin allows.
pub const FIRST_DB: f32 = 19.0;
const FULL_DB: f32 = 21.0;
/// How far below the speech the noise stays, in dB.
const MARGIN_DB: f32 = 39.0;
/// Most of the input that is let through.
const MOST: f32 = 0.92;
/// How much of that holds for bands that are no louder than the noise.
const FAINT: f32 = 0.25;
/// SNRs above this are all the same, in dB.
const HIGHEST_DB: f32 = 60.0;
/// Of the hops that are no speech, so many may be this much louder than the rest before they count; of all hops, so many.
const LOUD_SHARE: f32 = 0.1;
const LOUD_SHARE_OF_ALL: f32 = 0.04;
const LOUD_DB: f32 = 11.0;
/// Of the hops that are no speech, so many are louder than what sounds all the time.
const QUIET_SHARE: f32 = 0.75;
/// Ratio in dB of what is kept to what is taken in hops of speech at which an SNR of [`RATIO_SNR_DB`] is believed, and how
/// much more for each decibel above.
const RATIO_DB: f32 = 18.5;
const RATIO_SNR_DB: f32 = 20.0;
const SNR_PER_RATIO: f32 = 6.0;
/// Share of the newest hop of speech in the followed powers: five seconds.
const AVERAGING: f32 = 0.002;
/// Hops of speech and of others before anything is believed.
const FIRST_SPEECH_HOPS: u32 = 60;
const FIRST_OTHER_HOPS: u32 = 10;
/// The highest bins of a recording at 16 kHz, 4.8 to 8 kHz, and those that are empty then: from 8.4 kHz on.
const TOP_BINS: Range<usize> = 96..160;
const EMPTY_BINS: Range<usize> = 168..N_BINS;
/// Ratio of their powers below which they are: -40 dB.
const EMPTY: f32 = 1e-4;
/// Power of a frame that is silent: below -110 dBFS.
const SILENT_POWER: f32 = 1e-11;

/// Follows how clean a stream is.
#[derive(Clone, Copy, Debug, Default)]
pub struct CleanRule {
    /// Powers of speech kept and of speech removed.
    kept: Mean,
    taken: Mean,
    /// Input power of the other hops, and their noise by bands.
    others: Levels,
    noise: BandNoise,
    due: Due,
}

/// A running mean.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    value: f32,
    n_heard: u32,
}

impl Mean {
    /// Adds a value, whose share among very many is `averaging`.
    fn add(&mut self, value: f32, averaging: f32) {
        self.n_heard = self.n_heard.saturating_add(1);
        self.value += share_of_newest(self.n_heard, averaging) * (value - self.value);
    }
}

/// Share of the newest of so many values in their running mean; `averaging` among very many.
fn share_of_newest(n_heard: u32, averaging: f32) -> f32 {
    averaging.max(1.0 / n_heard as f32)
}

/// A recording's SNR in dB, estimated in four ways.
#[derive(Clone, Copy, Debug)]
struct Estimates {
    /// Against the median of the hops that are no speech.
    median_db: f32,
    /// Against the loud ones among them.
    loud_db: f32,
    /// Against the quiet ones.
    quiet_db: f32,
    /// By what the network takes from speech.
    believed_db: f32,
}

impl Estimates {
    /// The SNR as far as it is believed.
    fn snr_db(&self) -> f32 {
        self.heard_db().min(self.believed_db).min(HIGHEST_DB)
    }

    /// The SNR by what is heard between words.
    fn heard_db(&self) -> f32 {
        self.median_db.min(self.loud_db)
    }
}

impl CleanRule {
    /// Forgets everything heard.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The input that is due, as far as the stream is known.
    pub fn due(&self) -> &Due {
        &self.due
    }

    /// Follows one hop.
    pub fn follow(&mut self, powers: &HopPowers) {
        let Powers { noisy, kept, taken } = powers.all;
        if !(kept + taken).is_finite() {
            return;
        }
        let is_silent = kept + taken < SILENT_POWER;
        if is_silent && self.kept.n_heard == 0 {
            // Silence before the first word says nothing about the recording.
            return;
        }
        self.others.forget();
        if !is_silent && kept > taken {
            self.kept.add(kept, AVERAGING);
            self.taken.add(taken, AVERAGING);
        } else {
            let noise = noisy + missing(&powers.noisy);
            self.others.add(noise);
            self.noise.hear(&powers.noisy, noise, self.others.median_db());
        }
        if self.kept.n_heard >= FIRST_SPEECH_HOPS && self.others.n_heard() >= FIRST_OTHER_HOPS {
            self.due = self.due_now();
        }
    }

    fn due_now(&self) -> Due {
        let (kept_db, taken_db) = (decibels(self.kept.value), decibels(self.taken.value));
        let believed_db = RATIO_SNR_DB + SNR_PER_RATIO * (kept_db - taken_db - RATIO_DB);
        if believed_db <= FIRST_DB {
            // Whatever is heard between words.
            return Due::default();
        }
        let estimates = self.estimates(kept_db, believed_db);
        let share = share_at(estimates.snr_db());
        Due { share: FAINT * share, bands: self.noise.due(&estimates, share) }
    }

    fn estimates(&self, kept_db: f32, believed_db: f32) -> Estimates {
        let n_loud = (LOUD_SHARE * self.others.weight()).max(LOUD_SHARE_OF_ALL * self.others.weight_of_all());
        Estimates {
            median_db: kept_db - self.others.median_db(),
            loud_db: kept_db - self.others.exceeded_by(n_loud) + LOUD_DB,
            quiet_db: kept_db - self.others.exceeded_by(QUIET_SHARE * self.others.weight()),
            believed_db,
        }
    }
}

/// Power of the noise that a recording at 16 kHz lacks: as much per bin as there is below 8 kHz. Without it, the same noise
/// would be judged to be less.
fn missing(noisy: &BinPowers) -> f32 {
    let top = noisy.over(TOP_BINS);
    let n_missing = (N_BINS - TOP_BINS.end) as f32;
    let is_empty = noisy.over(EMPTY_BINS) < EMPTY * top;
    if is_empty { top * n_missing / TOP_BINS.len() as f32 } else { 0.0 }
}

/// The share for an SNR in dB.
fn share_at(snr_db: f32) -> f32 {
    let begun = ((snr_db - FIRST_DB) / (FULL_DB - FIRST_DB)).clamp(0.0, 1.0);
    if begun == 0.0 { 0.0 } else { begun * libm::powf(10.0, (snr_db - MARGIN_DB) / 20.0).min(MOST) }
}

#[cfg(test)]
mod tests;
