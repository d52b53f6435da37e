//! Keeps whispering: where the network removes it, the attenuation is limited to [`LIMIT_DB`].
//!
//! To the network a whisper is noise, as it has no harmonics. It differs from noise in three ways: it stands out of the
//! background in syllables; its spectral shape changes all the time, as vowels and consonants do; and neighbouring bins
//! differ as those of Gaussian noise, neither as a tone's nor as a click's. So the rule takes the hops that stand out for
//! longer than keys and claps, those that the network removes and those that it keeps apart, and averages over each: how
//! much the shape changes within 80 ms, how often the sound is voiced, how flat the spectrum is. Whispering that is
//! removed needs all of these; whispering of which most is kept needs them of the hops that are kept.
//!
//! Everything is a ratio, so that level does not matter. Thresholds were found with synthetic whispers of six voices and
//! thirty kinds of noise, alone and with speech (docs/quality.md), and are ramps, so that the limit moves smoothly. One
//! rule per stream, on the thread that enhances; real-time safe.

use crate::dry::ramp;
use crate::powers::{HopPowers, Powers};

mod sound;
#[cfg(test)]
pub(crate) mod tests;

use sound::{Sound, Traits};

/// Most that is taken from whispering, in dB.
pub const LIMIT_DB: f32 = 10.0;
/// [`LIMIT_DB`] as a share of the input.
const LIMIT_SHARE: f32 = 0.316_227_77;
/// Ratio of kept power to that of both below which a hop is removed: -8 dB.
const REMOVED: f32 = 0.158;
/// Factor of a hop's weight after each hop: a time constant of 3.3 seconds.
const KEPT_WEIGHT: f32 = 0.997;
/// Share of the newest hop in the averaged traits.
const AVERAGING: f32 = 0.015;
/// Hops for which the limit holds after the last that asked for it: two seconds, as far as recordings are heard ahead.
const HOLD_HOPS: u32 = 200;
/// How much less the shape has to change for a limit that is on to stay, in dB.
const EASIER_DB: f32 = 1.0;
/// Likelihood from which a limit is on.
const ON: f32 = 0.5;

/// Finds whispering in a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct WhisperRule {
    sound: Sound,
    removed: Heard,
    kept: Heard,
    /// How likely the stream is whispered, 0..=1, and for how many hops this holds.
    likelihood: f32,
    n_held: u32,
}

/// The traits of some of the hops that stand out.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    traits: Traits,
    n_heard: u32,
    /// How many there were lately.
    weight: f32,
}

impl Heard {
    fn add(&mut self, traits: &Traits) {
        self.n_heard = self.n_heard.saturating_add(1);
        self.weight += 1.0;
        self.traits.approach(traits, AVERAGING.max(1.0 / self.n_heard as f32));
    }

    /// How much this sounds like whispering, 0..=1, voiced in a share of its hops of `most_voiced` and never beyond
    /// `too_voiced`.
    fn likeness(&self, (most_voiced, too_voiced): (f32, f32), easier_db: f32) -> f32 {
        let Traits { change_db, voiced, flatness_db, deviation_db } = self.traits;
        ramp(change_db, 3.6 - easier_db, 4.3 - easier_db)
            * ramp(voiced, too_voiced, most_voiced)
            * ramp(flatness_db, -3.6, -3.2)
            * ramp(flatness_db, -2.0, -2.15)
            * ramp(deviation_db, 0.6, 0.5)
    }
}

impl WhisperRule {
    /// Forgets everything heard.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Share of the input that is due, 0..=0.32, as far as the stream is known.
    pub fn due(&self) -> f32 {
        LIMIT_SHARE * self.likelihood
    }

    /// Follows one hop.
    pub fn follow(&mut self, powers: &HopPowers) {
        let Powers { kept, taken, .. } = powers.all;
        let all = kept + taken;
        if !all.is_finite() {
            return;
        }
        self.removed.weight *= KEPT_WEIGHT;
        self.kept.weight *= KEPT_WEIGHT;
        if let Some(traits) = self.sound.hear(&powers.noisy) {
            if kept < REMOVED * all {
                self.removed.add(&traits);
            } else {
                self.kept.add(&traits);
            }
        }
        let likelihood = self.likelihood_now();
        if likelihood >= self.likelihood {
            (self.likelihood, self.n_held) = (likelihood, HOLD_HOPS);
        } else if self.n_held > 0 {
            self.n_held -= 1;
        } else {
            self.likelihood = likelihood;
        }
    }

    fn likelihood_now(&self) -> f32 {
        let (removed, kept) = (&self.removed, &self.kept);
        let n_hops = removed.weight + kept.weight;
        let share = removed.weight / n_hops.max(1.0);
        let easier_db = if self.likelihood > ON { EASIER_DB } else { 0.0 };
        // A voice that is kept makes what is removed beside it noise.
        let beside_a_voice = ramp(kept.traits.voiced, 0.38, 0.6) * ramp(share, 0.65, 0.45);
        let removed_whisper = ramp(removed.weight, 12.0, 24.0)
            * ramp(share, 0.33, 0.45)
            * removed.likeness((0.43, 0.58), easier_db)
            * (1.0 - beside_a_voice);
        let kept_whisper = ramp(kept.weight, 20.0, 40.0)
            * ramp(n_hops, 30.0, 55.0)
            * ramp(share, 0.04, 0.1)
            * kept.likeness((0.33, 0.45), easier_db)
            * ramp(removed.traits.change_db, 2.0, 3.0)
            * ramp(removed.traits.flatness_db, -1.7, -1.9);
        ramp(removed_whisper.max(kept_whisper), 0.4, 0.8)
    }
}
