//! Keeps clean recordings clean: where little noise is found for long, the output moves toward the input.
//!
//! Of speech without noise the network takes some percent away, where there is nothing to win. So the power that it puts
//! out is compared with the power of what it takes away, over some seconds; from a ratio of [`FIRST_DB`] on, the bands of
//! which it keeps most are given back what is missing. Noise between the words stays as reduced as it was. Below that
//! ratio the output is bit-identical to that without the rule. One per stream, on the thread that enhances; real-time
//! safe.

use crate::erb::{BAND_STARTS, BAND_WIDTHS};
use crate::frame::Spectrum;

/// Ratio of what is kept to what is taken away from which bins are given back, in dB: speech some 23 dB above noise.
pub const FIRST_DB: f32 = 18.0;
/// Decibels more at which most is given back.
const RANGE_DB: f32 = 5.0;
/// Most that a bin is given back, of what is missing.
const MOST: f32 = 0.9;
/// A bin of which so much more power is kept than taken (6 dB) is left as it is; with 12 dB almost half is given back, with
/// 18 dB almost all.
const KEPT_BIN: f32 = 4.0;
const SLOPE: f32 = 12.0;
/// Share of the newest hop in the followed powers: two seconds.
const AVERAGING: f32 = 0.005;
/// Hops with sound before anything is believed.
const FIRST_HOPS: u32 = 100;
/// Most that the share moves in a hop: up in a second, down in half a second.
const RISE: f32 = 0.01;
const FALL: f32 = 0.02;
/// Power of a frame that says nothing: below -110 dBFS.
const SILENT_POWER: f32 = 1e-11;

/// Follows how clean a stream is.
#[derive(Clone, Copy, Debug, Default)]
pub struct CleanRule {
    kept: f32,
    taken: f32,
    n_heard: u32,
    share: f32,
}

impl CleanRule {
    /// Forgets everything heard.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// How much is given back at the moment, 0..=0.9.
    pub fn share(&self) -> f32 {
        self.share
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
        let power = kept + taken;
        if power.is_finite() && power >= SILENT_POWER {
            self.n_heard = self.n_heard.saturating_add(1);
            let share = AVERAGING.max(1.0 / self.n_heard as f32);
            self.kept += share * (kept - self.kept);
            self.taken += share * (taken - self.taken);
        }
        let wanted = if self.n_heard < FIRST_HOPS { 0.0 } else { self.wanted() };
        self.share += (wanted - self.share).clamp(-FALL, RISE);
        if self.share > 0.0 {
            for (noisy, enhanced) in noisy.iter().zip(enhanced) {
                give_back(self.share, noisy, enhanced);
            }
        }
    }

    fn wanted(&self) -> f32 {
        let ratio = (self.kept + f32::MIN_POSITIVE) / (self.taken + f32::MIN_POSITIVE);
        ((10.0 * ratio.log10() - FIRST_DB) / RANGE_DB).clamp(0.0, 1.0) * MOST
    }
}

/// Band by band, so that what neighbouring bins and frames owe to each other stays together.
fn give_back(share: f32, noisy: &Spectrum, enhanced: &mut Spectrum) {
    for (&start, &width) in BAND_STARTS.iter().zip(&BAND_WIDTHS) {
        let (noisy, enhanced) = (&noisy[start..start + width], &mut enhanced[start..start + width]);
        let (mut kept, mut taken) = (0.0f32, 0.0f32);
        for (n, y) in noisy.iter().zip(&*enhanced) {
            kept += y.norm_sqr();
            taken += (n - y).norm_sqr();
        }
        let due = ((kept - KEPT_BIN * taken) / (kept + SLOPE * taken + f32::MIN_POSITIVE)).max(0.0);
        for (n, y) in noisy.iter().zip(enhanced) {
            *y += (n - *y) * (share * due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Complex32, SILENT_SPECTRUM};

    /// A frame, and what is left of it.
    fn frames(left: f32) -> ([Spectrum; 1], [Spectrum; 1]) {
        let noisy: Spectrum = std::array::from_fn(|k| Complex32::new(0.01 / (k + 1) as f32, 0.0));
        ([noisy], [noisy.map(|bin| bin * left)])
    }

    /// What is put out after `n_hops` of them.
    fn after(rule: &mut CleanRule, left: f32, n_hops: usize) -> [Spectrum; 1] {
        let (noisy, enhanced) = frames(left);
        let mut out = enhanced;
        for _ in 0..n_hops {
            out = enhanced;
            rule.apply(&noisy, &mut out);
        }
        out
    }

    #[test]
    fn nothing_changes_where_noise_is_audible() {
        assert_eq!(after(&mut CleanRule::default(), 0.85, 2000), frames(0.85).1);
    }

    #[test]
    fn clean_input_is_left_so_and_noise_ends_it_soon() {
        let mut rule = CleanRule::default();
        assert_eq!(after(&mut rule, 0.96, 99), frames(0.96).1, "not yet");
        let out = after(&mut rule, 0.96, 1000);
        let (noisy, before) = frames(0.96);
        let missing = |frame: &Spectrum| (noisy[0][10] - frame[10]).norm();
        assert!(missing(&out[0]) < 0.25 * missing(&before[0]));
        assert!(rule.share() <= MOST);
        assert_eq!(after(&mut rule, 0.3, 100), frames(0.3).1);
    }

    #[test]
    fn bands_of_noise_stay_reduced() {
        let mut rule = CleanRule::default();
        after(&mut rule, 0.99, 1000);
        let (noisy, mut enhanced) = frames(0.99);
        for bin in 198..229 {
            enhanced[0][bin] = noisy[0][bin] * 0.1;
        }
        let mut out = enhanced;
        rule.apply(&noisy, &mut out);
        assert_eq!(out[0][200], enhanced[0][200]);
        assert_ne!(out[0][100], enhanced[0][100]);
    }

    #[test]
    fn silence_and_what_is_no_number_change_nothing() {
        let mut rule = CleanRule::default();
        after(&mut rule, 0.99, 1000);
        let share = rule.share();
        let (mut noisy, mut enhanced) = frames(0.99);
        noisy[0][7].re = f32::NAN;
        rule.apply(&noisy, &mut enhanced);
        rule.apply(&[SILENT_SPECTRUM], &mut [SILENT_SPECTRUM]);
        assert_eq!(rule.share(), share);
    }
}
