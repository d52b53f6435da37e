//! Keeps clean recordings clean: where there is hardly any noise, the output moves toward the input.
//!
//! Of speech without noise the network takes some percent away, where there is nothing to win. So two powers are
//! followed over some seconds: that of what is kept where the network keeps most, and that of the input where it takes
//! most, which is the noise between the words. Their ratio is the recording's SNR. From [`FIRST_DB`] on the bins of
//! which the network keeps most are given back what is missing. Noise between the words stays as reduced as it was.
//! Below [`FIRST_DB`] the output is bit-identical to that without the rule. One per stream, on the thread that enhances;
//! real-time safe.

use crate::frame::Spectrum;

/// SNR from which anything is given back, in dB, and decibels until bins are given back in full.
pub const FIRST_DB: f32 = 21.0;
const RANGE_DB: f32 = 4.0;
/// Most that a bin is given back, of what is missing.
const MOST: f32 = 0.9;
/// SNRs above this are all the same, in dB.
const HIGHEST_DB: f32 = 40.0;
/// A bin of which so much more power is kept than taken (6 dB) is left as it is; with 12 dB almost half is given back, with
/// 18 dB almost all.
const KEPT_BIN: f32 = 4.0;
const SLOPE: f32 = 12.0;
/// Least ratio of all that is kept to all that is taken, in dB, and how far above it the SNR is believed, per decibel:
/// noise may come with the words alone.
const FIRST_RATIO_DB: f32 = 18.0;
const DB_PER_RATIO_DB: f32 = 3.0;
/// Share of the newest hop in the followed powers: two seconds.
const AVERAGING: f32 = 0.005;
/// Hops of speech and of pauses before anything is believed.
const FIRST_SPEECH_HOPS: u32 = 60;
const FIRST_PAUSE_HOPS: u32 = 15;
/// Most that the followed SNR moves in a hop, in dB.
const RISE_DB: f32 = 0.2;
const FALL_DB: f32 = 0.4;
/// Power of a frame that is silent: below -110 dBFS.
const SILENT_POWER: f32 = 1e-11;

/// Follows how clean a stream is.
#[derive(Clone, Copy, Debug, Default)]
pub struct CleanRule {
    /// The kept and the removed power, in total.
    kept: Mean,
    taken: Mean,
    speech: Mean,
    noise: Mean,
    snr_db: f32,
}

/// A running mean.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    value: f32,
    n_heard: u32,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.n_heard = self.n_heard.saturating_add(1);
        self.value += AVERAGING.max(1.0 / self.n_heard as f32) * (value - self.value);
    }
}

impl CleanRule {
    /// Forgets everything heard.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// How much is given back at the moment of what is missing, 0..=0.9.
    pub fn share(&self) -> f32 {
        MOST * ((self.snr_db - FIRST_DB) / RANGE_DB).clamp(0.0, 1.0)
    }

    /// Follows one hop, noisy frames and what the network made of them, one per channel, and gives back what is due.
    pub fn apply(&mut self, noisy: &[Spectrum], enhanced: &mut [Spectrum]) {
        let (mut kept, mut taken) = (0.0f32, 0.0f32);
        for (noisy, enhanced) in noisy.iter().zip(&*enhanced) {
            for (n, y) in noisy.iter().zip(enhanced) {
                kept += y.norm_sqr();
                taken += (n - y).norm_sqr();
            }
        }
        self.follow(kept, taken);
        let share = self.share();
        if share > 0.0 {
            for (noisy, enhanced) in noisy.iter().zip(enhanced) {
                give_back(share, noisy, enhanced);
            }
        }
    }

    fn follow(&mut self, kept: f32, taken: f32) {
        let power = kept + taken;
        if !power.is_finite() {
            return;
        }
        if power < SILENT_POWER {
            // A pause without noise, unless nothing was heard yet.
            if self.speech.n_heard > 0 {
                self.noise.add(0.0);
            }
        } else {
            self.kept.add(kept);
            self.taken.add(taken);
            if kept > taken {
                self.speech.add(kept);
            } else {
                self.noise.add(power);
            }
        }
        self.snr_db += (self.heard_db() - self.snr_db).clamp(-FALL_DB, RISE_DB);
    }

    /// SNR of what was heard, as far as it is believed, in dB.
    fn heard_db(&self) -> f32 {
        if self.speech.n_heard < FIRST_SPEECH_HOPS || self.noise.n_heard < FIRST_PAUSE_HOPS {
            return 0.0;
        }
        let ratio_db = |a: Mean, b: Mean| {
            10.0 * libm::log10f((a.value + f32::MIN_POSITIVE) / (b.value + f32::MIN_POSITIVE))
        };
        let believed_db = ratio_db(self.kept, self.taken) - FIRST_RATIO_DB;
        let most_db = FIRST_DB + DB_PER_RATIO_DB * believed_db;
        ratio_db(self.speech, self.noise).min(most_db).clamp(0.0, HIGHEST_DB)
    }
}

/// Bins of which most is kept are given back up to `share` of what is missing.
fn give_back(share: f32, noisy: &Spectrum, enhanced: &mut Spectrum) {
    for (n, y) in noisy.iter().zip(enhanced) {
        let (kept, taken) = (y.norm_sqr(), (n - *y).norm_sqr());
        let due = (kept - KEPT_BIN * taken) / (kept + SLOPE * taken + f32::MIN_POSITIVE);
        *y += (n - *y) * (share * due.max(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Complex32, SILENT_SPECTRUM};

    /// A frame of so much amplitude, and what is left of it.
    fn frames(amplitude: f32, left: f32) -> ([Spectrum; 1], [Spectrum; 1]) {
        let noisy: Spectrum = std::array::from_fn(|k| Complex32::new(amplitude / (k + 1) as f32, 0.0));
        ([noisy], [noisy.map(|bin| bin * left)])
    }

    /// The output for the last frame of speech after `n_words` words with pauses of such noise.
    fn after(rule: &mut CleanRule, left: f32, noise: f32, n_words: usize) -> [Spectrum; 1] {
        let mut out = [SILENT_SPECTRUM];
        for hop in 0..n_words * 30 {
            let is_speech = hop % 30 >= 10;
            let (noisy, enhanced) = if is_speech { frames(0.01, left) } else { frames(noise, 0.05) };
            out = enhanced;
            rule.apply(&noisy, &mut out);
        }
        out
    }

    #[test]
    fn nothing_changes_where_noise_is_audible() {
        for (left, noise) in [(0.97, 0.01 / 9.0), (0.85, 0.0)] {
            assert_eq!(after(&mut CleanRule::default(), left, noise, 100), frames(0.01, left).1);
        }
    }

    #[test]
    fn clean_input_is_left_so_and_noise_ends_it_soon() {
        let mut rule = CleanRule::default();
        assert_eq!(after(&mut rule, 0.97, 1e-4, 2), frames(0.01, 0.97).1, "not yet");
        let out = after(&mut rule, 0.97, 1e-4, 30);
        let (noisy, before) = frames(0.01, 0.97);
        let missing = |frame: &Spectrum| (noisy[0][10] - frame[10]).norm();
        assert!(missing(&out[0]) < 0.2 * missing(&before[0]));
        assert!((rule.share() - MOST).abs() < 1e-6);
        assert_eq!(after(&mut rule, 0.5, 5e-3, 8), frames(0.01, 0.5).1);
        assert_eq!(rule.share(), 0.0);
    }

    #[test]
    fn what_the_network_takes_away_stays_away() {
        let mut rule = CleanRule::default();
        after(&mut rule, 0.97, 0.01 / 31.0, 60);
        let (noisy, mut enhanced) = frames(0.01, 0.97);
        for bin in 200..231 {
            enhanced[0][bin] = noisy[0][bin] * 0.1;
        }
        let mut out = enhanced;
        rule.apply(&noisy, &mut out);
        assert_eq!(out[0][200..231], enhanced[0][200..231]);
        assert!(out[0][100].norm() > 0.99 * noisy[0][100].norm());
    }

    #[test]
    fn silence_and_what_is_no_number_change_nothing() {
        let mut rule = CleanRule::default();
        let (mut noisy, mut enhanced) = frames(0.01, 0.99);
        noisy[0][7].re = f32::NAN;
        rule.apply(&noisy, &mut enhanced);
        rule.apply(&[SILENT_SPECTRUM], &mut [SILENT_SPECTRUM]);
        assert_eq!((rule.share(), rule.noise.n_heard), (0.0, 0));
        after(&mut rule, 0.97, 0.0, 30);
        assert!(rule.share() > 0.85);
    }
}
