//! The last stage: denoised or removed, voice and ambience, mix, gain and bypass, each without a click. Audio thread;
//! real-time safe.

use super::controls::{Controls, Listen};

/// Time a control takes to arrive, in seconds: short for the hand, long for the ear.
const RAMP_S: f64 = 0.020;

/// A value that moves to its target in a straight line.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    value: f32,
    target: f32,
    step: f32,
    n_left: u32,
}

impl Ramp {
    fn at(value: f32) -> Self {
        Self { value, target: value, step: 0.0, n_left: 0 }
    }

    fn aim(&mut self, target: f32, n_ramp: u32) {
        if target != self.target {
            self.target = target;
            self.n_left = n_ramp;
            self.step = (target - self.value) / n_ramp as f32;
        }
    }

    #[inline]
    fn next(&mut self) -> f32 {
        match self.n_left {
            0 => {}
            1 => {
                self.value = self.target;
                self.n_left = 0;
            }
            _ => {
                self.value += self.step;
                self.n_left -= 1;
            }
        }
        self.value
    }

    fn is_at(&self, value: f32) -> bool {
        self.n_left == 0 && self.value == value
    }
}

/// The weights of the signals at one sample: `out = wet * wet_signal + dry * dry_signal`, and in the second output
/// `removed * (dry_signal - wet_signal)`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weights {
    wet: f32,
    dry: f32,
    removed: f32,
}

/// Blends the denoised signal and the delayed input.
pub struct Output {
    n_ramp: u32,
    voice: Ramp,
    ambience: Ramp,
    mix: Ramp,
    gain: Ramp,
    removed: Ramp,
    bypass: Ramp,
    /// Gain of the input in bypass.
    matched: Ramp,
    is_fresh: bool,
    /// Whether the whole portion is the delayed input.
    is_bypassed: bool,
    weights: Vec<Weights>,
}

impl Output {
    /// An output at `rate_hz` for portions of at most `max_portion` samples.
    pub fn new(rate_hz: f64, max_portion: usize) -> Self {
        Self {
            n_ramp: ((rate_hz * RAMP_S) as u32).max(1),
            voice: Ramp::at(1.0),
            ambience: Ramp::at(0.0),
            mix: Ramp::at(1.0),
            gain: Ramp::at(1.0),
            removed: Ramp::at(0.0),
            bypass: Ramp::at(0.0),
            matched: Ramp::at(1.0),
            is_fresh: true,
            is_bypassed: false,
            weights: Vec::with_capacity(max_portion),
        }
    }

    /// Takes new targets. After a reset they are reached at once.
    pub(crate) fn aim(&mut self, controls: &Controls) {
        let removed = f32::from(u8::from(controls.listen == Listen::Removed));
        let bypass = f32::from(u8::from(controls.bypass));
        let Controls { voice_gain, ambience_gain, mix, output_gain, .. } = *controls;
        let matched = if controls.matches_bypass { voice_gain * output_gain } else { 1.0 };
        let targets = [voice_gain, ambience_gain, mix, output_gain, removed, bypass, matched];
        let Self { voice, ambience, mix, gain, removed, bypass, matched, .. } = self;
        let ramps = [voice, ambience, mix, gain, removed, bypass, matched];
        for (ramp, target) in ramps.into_iter().zip(targets) {
            if self.is_fresh {
                *ramp = Ramp::at(target);
            } else {
                ramp.aim(target, self.n_ramp);
            }
        }
        self.is_fresh = false;
    }

    /// Moves the controls on by `n_samples`, once for all channels. [`Self::blend`] then applies them to each.
    pub fn advance(&mut self, n_samples: usize) {
        self.is_bypassed = self.bypass.is_at(1.0) && self.matched.is_at(1.0);
        let is_plain = self.voice.is_at(1.0) && self.ambience.is_at(0.0);
        self.weights.clear();
        for _ in 0..n_samples.min(self.weights.capacity()) {
            let (mix, gain) = (self.mix.next(), self.gain.next());
            let (removed, bypass) = (self.removed.next(), self.bypass.next());
            let matched = self.matched.next();
            // Denoised: mix * wet + (1 - mix) * dry. Removed: what that took from dry, mix * (dry - wet).
            let mut wet = mix * (1.0 - 2.0 * removed);
            let mut dry = 1.0 - mix + removed * (2.0 * mix - 1.0);
            if !is_plain {
                // The denoised signal is voice * wet + ambience * (dry - wet).
                let (voice, ambience) = (self.voice.next(), self.ambience.next());
                let denoised = mix * (1.0 - removed);
                wet += denoised * (voice - 1.0 - ambience);
                dry += denoised * ambience;
            }
            let active = gain * (1.0 - bypass);
            self.weights.push(Weights {
                wet: wet * active,
                dry: dry * active + bypass * matched,
                removed: mix * active,
            });
        }
    }

    /// Writes one channel's output over `wet`.
    pub fn blend(&self, wet: &mut [f32], dry: &[f32]) {
        if self.is_bypassed {
            // Bit-identical, but for subnormal samples: below what can be heard, and slow for whatever follows.
            for (wet, &dry) in wet.iter_mut().zip(dry) {
                *wet = if dry.abs() < f32::MIN_POSITIVE { 0.0 } else { dry };
            }
            return;
        }
        for ((wet, dry), weights) in wet.iter_mut().zip(dry).zip(&self.weights) {
            // Samples near the largest number there is overflow under gain; what leaves is a number all the same.
            *wet = (*wet * weights.wet + *dry * weights.dry).clamp(f32::MIN, f32::MAX);
        }
    }

    /// Writes to the second output what was removed from one channel: nothing in bypass.
    pub fn blend_removed(&self, removed: &mut [f32], wet: &[f32], dry: &[f32]) {
        let signals = removed.iter_mut().zip(wet).zip(dry);
        for (((removed, wet), dry), weights) in signals.zip(&self.weights) {
            *removed = ((dry - wet) * weights.removed).clamp(f32::MIN, f32::MAX);
        }
    }

    /// The next targets are reached at once.
    pub fn reset(&mut self) {
        self.is_fresh = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(output: &mut Output, controls: &Controls, wet: f32, dry: f32, n: usize) -> Vec<f32> {
        output.aim(controls);
        output.advance(n);
        let mut out = vec![wet; n];
        output.blend(&mut out, &vec![dry; n]);
        out
    }

    #[test]
    fn the_targets_are_what_the_controls_say() {
        let settled = |controls: &Controls| run(&mut Output::new(48e3, 64), controls, 0.5, 0.75, 8)[7];
        let controls = Controls::default();
        assert_eq!(settled(&controls), 0.5);
        assert_eq!(settled(&Controls { mix: 0.0, ..controls }), 0.75);
        assert_eq!(settled(&Controls { mix: 0.5, output_gain: 2.0, ..controls }), 1.25);
        assert_eq!(settled(&Controls { listen: Listen::Removed, ..controls }), 0.25);
        assert_eq!(settled(&Controls { listen: Listen::Removed, mix: 0.5, ..controls }), 0.125);
        let gains = Controls { voice_gain: 2.0, ambience_gain: 0.5, ..controls };
        assert_eq!(settled(&gains), 1.125);
        assert_eq!(settled(&Controls { mix: 0.5, output_gain: 2.0, ..gains }), 1.875);
        assert_eq!(settled(&Controls { listen: Listen::Removed, ..gains }), 0.25);
        assert_eq!(settled(&Controls { bypass: true, ..gains }), 0.75);
        // All of what was removed, and nothing else changed: the input.
        assert_eq!(settled(&Controls { ambience_gain: 1.0, ..controls }), 0.75);
        let bypassed = Controls { bypass: true, output_gain: 4.0, mix: 0.3, ..controls };
        assert_eq!(settled(&bypassed), 0.75);
        let matched = Controls { matches_bypass: true, voice_gain: 0.5, ..bypassed };
        assert_eq!(settled(&matched), 1.5);
    }

    #[test]
    fn the_largest_samples_stay_numbers_under_gain() {
        for dry in [f32::MAX, f32::MIN] {
            let controls = Controls { mix: 0.0, output_gain: 16.0, ..Controls::default() };
            let out = run(&mut Output::new(48e3, 64), &controls, 0.0, dry, 8);
            assert_eq!(out, [dry; 8]);
        }
    }

    #[test]
    fn no_change_makes_a_step() {
        let mut output = Output::new(48e3, 4096);
        let mut last = run(&mut output, &Controls::default(), 0.5, -0.75, 100)[99];
        let changes = [
            Controls { bypass: true, ..Default::default() },
            Controls { bypass: true, matches_bypass: true, output_gain: 0.5, ..Default::default() },
            Controls { listen: Listen::Removed, ..Default::default() },
            Controls { mix: 0.2, output_gain: 0.1, ..Default::default() },
            Controls { voice_gain: 0.5, ambience_gain: 0.7, ..Default::default() },
        ];
        for controls in changes {
            for sample in run(&mut output, &controls, 0.5, -0.75, 2000) {
                // Up to 2 from signal to signal in 960 samples, with mix and gain moving at once.
                assert!((sample - last).abs() < 0.005, "{last} to {sample}");
                last = sample;
            }
        }
    }

    #[test]
    fn bypass_arrives_at_the_very_bits() {
        let mut output = Output::new(48e3, 4096);
        run(&mut output, &Controls::default(), 0.1, 0.7, 64);
        let bypass = Controls { bypass: true, ..Default::default() };
        run(&mut output, &bypass, 0.1, 0.7, 960);
        assert!(run(&mut output, &bypass, 0.1, 0.7, 64).iter().all(|&sample| sample == 0.7));
        for subnormal in [f32::MIN_POSITIVE / 2.0, -1e-45] {
            assert!(run(&mut output, &bypass, 0.1, subnormal, 64).iter().all(|&sample| sample == 0.0));
        }
    }
}
