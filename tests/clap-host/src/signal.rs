//! Test signals: noise, and an endless programme that can be sampled anywhere at any time.

/// White noise at -12 dBFS, the same for the same seed.
pub fn noise(n_samples: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 0.5 - 0.25
    };
    (0..n_samples).map(|_| next()).collect()
}

/// A well-mixed number from a seed and a counter (the finaliser of MurmurHash3, Appleby, 64 bits).
pub fn mixed(seed: u64, counter: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ counter;
    for factor in [0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53] {
        x = (x ^ (x >> 33)).wrapping_mul(factor);
    }
    x ^ (x >> 33)
}

/// Syllables and pauses of digital silence over changing noise, without end and without repetition.
#[derive(Clone, Copy, Debug)]
pub struct Programme {
    seed: u64,
}

impl Programme {
    /// Samples of one section; each has its own levels and pitch.
    const SECTION_SAMPLES: u64 = 24_000;
    /// One section of so many is digitally silent, long enough to send the plugin to sleep.
    const SILENT_OF: u64 = 16;

    /// A programme of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Sample `at`.
    pub fn sample(&self, at: u64) -> f32 {
        let (section, within) = (at / Self::SECTION_SAMPLES, at % Self::SECTION_SAMPLES);
        let draw = mixed(self.seed, section);
        if draw.is_multiple_of(Self::SILENT_OF) {
            return 0.0;
        }
        let share = |shift: u32| ((draw >> shift) & 0xFF) as f32 / 255.0;
        // A voice: a pulse train of 90 to 250 Hz (at 48 kHz) with harmonics that fall by 6 dB per octave, under a waker.
        let period = 192.0 + share(8) * 340.0;
        let phase = (within as f32 % period) / period;
        let t = within as f32 / Self::SECTION_SAMPLES as f32;
        let voice = (phase * 2.0 - 1.0) * (1.0 - (2.0 * t - 1.0).powi(2)) * share(16) * 0.5;
        let noise = (mixed(self.seed ^ 0xA5A5, at) >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        voice + noise * share(24) * 0.2
    }
}

/// Checks that two outputs of a block, whose first sample is `at`, add up to the input late by `latency` samples.
///
/// # Panics
/// They do not, to within rounding.
pub fn assert_adds_up(voice: &[f32], removed: &[f32], input: &[f32], at: usize, latency: usize) {
    for (sample, (voice, removed)) in (at..).zip(voice.iter().zip(removed)) {
        let heard = sample.checked_sub(latency).map_or(0.0, |at| input[at]);
        assert!((voice + removed - heard).abs() < 1e-6, "sample {sample}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programme_sounds_pauses_and_does_not_repeat() {
        let programme = Programme::new(1);
        let samples: Vec<f32> = (0..2_400_000).map(|at| programme.sample(at)).collect();
        assert!(samples.iter().all(|x| x.abs() < 1.0));
        let silent = samples.chunks(24_000).filter(|section| section.iter().all(|&x| x == 0.0)).count();
        assert!((1..30).contains(&silent), "{silent} of 100 sections are silent");
        let differs =
            samples[..480_000].iter().zip(&samples[480_000..960_000]).filter(|(a, b)| a != b).count();
        assert!(differs > 300_000);
        assert_ne!(programme.sample(100), Programme::new(2).sample(100));
    }
}
