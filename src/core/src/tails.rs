//! Keeps the tails of words and rooms: after speech the network's gains close no faster than they are allowed to.
//!
//! A band is open while the network keeps most of it. From its last peak on, its gain is held, then it falls at a constant
//! rate until it meets the network's own; until then as much of the input is let through as makes up the difference. Bands
//! that speech has not opened are left alone, so that noise between words stays where it was. With neither hold nor release
//! nothing runs. One per stream, on the thread that enhances; real-time safe after `new`.

use tacet_model::N_BANDS;

use crate::erb;
use crate::frame::Spectrum;
use crate::powers::band_powers;

/// Longest hold and longest release, in ms.
pub const MAX_TAIL_MS: f32 = 500.0;
/// How far the gain falls in the time of release, in dB.
const RELEASE_DB: f32 = 20.0;
/// Gain from which a band is open: -10 dB.
const OPEN: f32 = 0.316;
/// Power of a band that is silent: below -120 dBFS.
const SILENT_POWER: f32 = 1e-12;
/// Length of a hop in ms.
const HOP_MS: f32 = 10.0;

/// How slowly gains close.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Closing {
    /// Time for which gains stay after a peak, in ms, 0..=[`MAX_TAIL_MS`].
    pub hold_ms: f32,
    /// Time in which they then fall by 20 dB, in ms, 0..=[`MAX_TAIL_MS`]; 0 is at once.
    pub release_ms: f32,
}

impl Closing {
    /// Whether gains close as the network closes them.
    pub fn is_immediate(&self) -> bool {
        self.hold_ms <= 0.0 && self.release_ms <= 0.0
    }

    /// Hops of hold, and what is left of a gain after each hop of release.
    fn per_hop(&self) -> (u32, f32) {
        let fall = if self.release_ms > 0.0 {
            libm::powf(10.0, -RELEASE_DB * HOP_MS / self.release_ms / 20.0)
        } else {
            0.0
        };
        ((self.hold_ms / HOP_MS).round() as u32, fall)
    }
}

/// One band's gain.
#[derive(Clone, Copy, Debug, Default)]
struct Band {
    gain: f32,
    n_held: u32,
    is_closing: bool,
}

impl Band {
    /// Follows the network's gain of the next hop; gives the share of the input that makes up for it.
    fn follow(&mut self, gain: f32, hold_hops: u32, fall: f32) -> f32 {
        if gain >= self.gain || !self.is_closing {
            *self = Self { gain, n_held: 0, is_closing: gain >= OPEN };
            return 0.0;
        }
        if self.n_held < hold_hops {
            self.n_held += 1;
        } else {
            self.gain *= fall;
        }
        if self.gain <= gain {
            *self = Self { gain, n_held: 0, is_closing: gain >= OPEN };
            return 0.0;
        }
        // gain + share (1 - gain) is the held gain.
        (self.gain - gain) / (1.0 - gain)
    }
}

/// The gains of a stream's bands.
#[derive(Clone, Debug)]
pub struct Tails {
    /// Per channel; where channels are linked, the first is all of theirs.
    channels: Box<[[Band; N_BANDS]]>,
    is_used: bool,
}

impl Tails {
    /// For `n_channels` channels.
    pub fn new(n_channels: usize) -> Self {
        Self { channels: vec![[Band::default(); N_BANDS]; n_channels].into(), is_used: false }
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        if std::mem::take(&mut self.is_used) {
            self.channels.fill([Band::default(); N_BANDS]);
        }
    }

    /// Goes on from what another one of as many channels has heard.
    pub fn inherit(&mut self, other: &Self) {
        if self.is_used || other.is_used {
            self.channels.copy_from_slice(&other.channels);
            self.is_used = other.is_used;
        }
    }

    /// Follows one hop, noisy frames and what was made of them, one per channel, and keeps its tails; linked channels close
    /// together.
    pub fn apply(
        &mut self,
        closing: &Closing,
        is_linked: bool,
        noisy: &[Spectrum],
        enhanced: &mut [Spectrum],
    ) {
        if closing.is_immediate() {
            return self.reset();
        }
        self.is_used = true;
        let (hold_hops, fall) = closing.per_hop();
        let n_together = if is_linked { noisy.len() } else { 1 };
        let groups = noisy.chunks(n_together).zip(enhanced.chunks_mut(n_together));
        for ((noisy, enhanced), bands) in groups.zip(&mut self.channels) {
            let powers = band_powers(noisy).into_iter().zip(band_powers(enhanced));
            for ((state, bins), (before, after)) in bands.iter_mut().zip(erb::bands()).zip(powers) {
                let gain = if before > SILENT_POWER { (after / before).sqrt().min(1.0) } else { 0.0 };
                let share = state.follow(gain, hold_hops, fall);
                if share > 0.0 {
                    for (noisy, enhanced) in noisy.iter().zip(&mut *enhanced) {
                        for (n, y) in noisy[bins.clone()].iter().zip(&mut enhanced[bins.clone()]) {
                            *y += (n - *y) * share;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tacet_model::N_BINS;

    use super::*;
    use crate::frame::Complex32;

    fn level(gain: f32) -> Spectrum {
        [Complex32::new(gain, 0.0); N_BINS]
    }

    /// Gains of a frame of ones that the network gives these gains to, in dB.
    fn run(closing: Closing, gains: &[f32]) -> Vec<f32> {
        let mut tails = Tails::new(1);
        let kept = |gain: &f32| {
            let mut enhanced = [level(*gain)];
            tails.apply(&closing, true, &[level(1.0)], &mut enhanced);
            20.0 * enhanced[0][200].re.log10()
        };
        gains.iter().map(kept).collect()
    }

    #[test]
    fn a_gain_is_held_then_falls_by_20_decibels_in_the_release() {
        let mut gains = vec![1.0; 3];
        gains.extend([1e-4; 20]);
        let kept = run(Closing { hold_ms: 50.0, release_ms: 100.0 }, &gains);
        assert!(kept[..8].iter().all(|db| db.abs() < 1e-3), "{kept:?}");
        for (hop, db) in kept[8..20].iter().enumerate() {
            let due = -2.0 * (hop + 1) as f32;
            assert!((db - due).abs() < 0.1, "{hop}: {db} instead of {due}");
        }
    }

    #[test]
    fn without_hold_and_release_and_without_speech_nothing_changes() {
        let gains: Vec<f32> = (0..100).map(|i| (i * 37 % 100) as f32 / 100.0).collect();
        let same: Vec<f32> = gains.iter().map(|gain| 20.0 * gain.log10()).collect();
        assert_eq!(run(Closing::default(), &gains), same);
        let noise: Vec<f32> = gains.iter().map(|gain| gain * 0.3).collect();
        let same: Vec<f32> = noise.iter().map(|gain| 20.0 * gain.log10()).collect();
        assert_eq!(run(Closing { hold_ms: 500.0, release_ms: 500.0 }, &noise), same);
    }

    #[test]
    fn linked_channels_close_together() {
        let closing = Closing { hold_ms: 100.0, release_ms: 100.0 };
        for is_linked in [false, true] {
            let mut tails = Tails::new(2);
            let noisy = [level(1.0), level(1.0)];
            tails.apply(&closing, is_linked, &noisy, &mut [level(1.0), level(0.0)]);
            let mut enhanced = [level(0.0), level(0.0)];
            tails.apply(&closing, is_linked, &noisy, &mut enhanced);
            assert!(enhanced[0][9].re > 0.7, "{is_linked}");
            assert_eq!(enhanced[1][9].re > 0.0, is_linked, "{is_linked}");
        }
    }

    #[test]
    fn a_reset_and_an_heir_are_as_new_and_as_the_other() {
        let closing = Closing { hold_ms: 100.0, release_ms: 0.0 };
        let noisy = [level(1.0)];
        let after = |tails: &mut Tails| {
            let mut enhanced = [level(0.01)];
            tails.apply(&closing, true, &noisy, &mut enhanced);
            enhanced[0][3].re
        };
        let mut tails = Tails::new(1);
        tails.apply(&closing, true, &noisy, &mut [level(1.0)]);
        let mut heir = Tails::new(1);
        heir.inherit(&tails);
        assert_eq!((after(&mut heir), after(&mut tails)), (1.0, 1.0));
        tails.reset();
        assert_eq!(after(&mut tails), 0.01);
    }
}
