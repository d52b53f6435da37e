//! The rule on made sounds: whispering through a network that removes it, and what it must not be taken for.

use tacet_model::HOP;

use super::*;
use crate::frame::SILENT_SPECTRUM;
use crate::stft::Analysis;

const N_HOPS: usize = 600;

/// Noise between -1 and 1.
fn noise(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (u32::MAX / 2) as f32 - 1.0
    }
}

/// A resonance: the formant of a vowel, or where a consonant hisses.
#[derive(Clone, Copy, Default)]
struct Resonance(f32, f32);

impl Resonance {
    fn next(&mut self, x: f32, hz: f32, width_hz: f32) -> f32 {
        let radius = (-std::f32::consts::PI * width_hz / 48_000.0).exp();
        let angle = std::f32::consts::TAU * hz / 48_000.0;
        let y = (1.0 - radius) * x + 2.0 * radius * angle.cos() * self.0 - radius * radius * self.1;
        (self.1, self.0) = (self.0, y);
        y
    }
}

/// Formants of sounds one after the other, and their widths: vowels, then s and sh.
const SOUNDS_HZ: [([f32; 3], f32); 6] = [
    ([750.0, 1200.0, 2600.0], 120.0),
    ([350.0, 2200.0, 3000.0], 120.0),
    ([5200.0, 6500.0, 8200.0], 1200.0),
    ([450.0, 900.0, 2400.0], 120.0),
    ([2600.0, 3600.0, 5000.0], 700.0),
    ([550.0, 1800.0, 2500.0], 120.0),
];

/// Whispered syllables over faint hiss, or with `is_fixed` all of one shape.
pub(crate) fn whispering(level: f32, is_fixed: bool) -> Vec<f32> {
    let (mut breath, mut hiss) = (noise(1), noise(2));
    let mut resonances = [Resonance::default(); 3];
    (0..N_HOPS * HOP)
        .map(|at| {
            let seconds = at as f32 / 48_000.0;
            let sound = seconds / 0.11;
            let (hz, width_hz) =
                SOUNDS_HZ[if is_fixed { 2 } else { (sound as usize * 5 + sound as usize / 6) % 6 }];
            let is_pause = (sound as usize) % 9 == 8;
            let loud = if is_pause { 0.0 } else { (sound.fract() * std::f32::consts::PI).sin() };
            let breath = breath();
            let voice: f32 = resonances
                .iter_mut()
                .zip(hz)
                .map(|(resonance, hz)| resonance.next(breath, hz, width_hz))
                .sum();
            level * (loud * voice + 0.0015 * hiss())
        })
        .collect()
}

/// The share due after every hop, of which the network keeps this share of the amplitude.
fn dues(rule: &mut WhisperRule, samples: &[f32], left: f32) -> Vec<f32> {
    let mut analysis = Analysis::new();
    let mut noisy = [SILENT_SPECTRUM];
    let hops = samples.as_chunks::<HOP>().0.iter().map(|hop| {
        analysis.process(hop, &mut noisy[0]);
        let enhanced = [noisy[0].map(|bin| bin * left)];
        rule.follow(&HopPowers::of(&noisy, &enhanced));
        rule.due()
    });
    hops.collect()
}

fn dues_of(samples: &[f32], left: f32) -> Vec<f32> {
    dues(&mut WhisperRule::default(), samples, left)
}

#[test]
fn the_share_is_the_limit() {
    assert!((20.0 * LIMIT_SHARE.log10() + LIMIT_DB).abs() < 1e-4);
}

#[test]
fn whispering_that_is_removed_is_kept_at_any_level() {
    for level in [1.0, 0.03, 0.003] {
        let dues = dues_of(&whispering(level, false), 0.05);
        assert!(dues[100] > 0.5 * LIMIT_SHARE, "{} after a second", dues[100]);
        assert!(dues[250..].iter().all(|&due| due == LIMIT_SHARE));
    }
}

#[test]
fn whispering_that_the_network_keeps_changes_nothing() {
    assert!(dues_of(&whispering(1.0, false), 0.95).iter().all(|&due| due == 0.0));
}

#[test]
fn the_limit_ends_soon_after_the_whispering() {
    let mut rule = WhisperRule::default();
    let mut samples = whispering(1.0, false);
    samples.extend(whispering(1.0, true));
    samples.extend(whispering(1.0, true));
    assert_eq!(*dues(&mut rule, &samples, 0.05).last().unwrap(), 0.0);
    rule.reset();
    assert_eq!(rule.due(), 0.0);
}

#[test]
fn other_sounds_that_are_removed_stay_so() {
    let mut random = noise(5);
    let mut made = |amplitude: &dyn Fn(f32) -> f32| -> Vec<f32> {
        (0..N_HOPS * HOP).map(|at| (amplitude(at as f32 / 48_000.0) + 1e-3) * random()).collect()
    };
    let hiss = made(&|_| 0.1);
    let strokes = made(&|seconds| 0.1 * (seconds * 25.0).sin().max(0.0));
    let keys = made(&|seconds| 0.3 * (-(seconds / 0.13).fract() * 0.13 / 0.008).exp());
    let mut tones = made(&|_| 0.0);
    for (at, x) in tones.iter_mut().enumerate() {
        let seconds = at as f32 / 48_000.0;
        let root_hz = [220.0, 294.0, 247.0, 330.0][(seconds / 0.4) as usize % 4];
        let fall = (-(seconds / 0.4).fract() * 2.0).exp();
        *x += (1..12)
            .map(|k| 0.05 * fall * (std::f32::consts::TAU * root_hz * k as f32 * seconds).sin())
            .sum::<f32>();
    }
    let brushing = whispering(1.0, true);
    for (name, samples) in
        [("hiss", hiss), ("strokes", strokes), ("keys", keys), ("tones", tones), ("brushing", brushing)]
    {
        let dues = dues_of(&samples, 0.05);
        let most = dues.iter().fold(0.0f32, |most, &due| most.max(due));
        assert_eq!(most, 0.0, "{name}");
    }
}

#[test]
fn silence_and_what_is_no_number_change_nothing() {
    let mut rule = WhisperRule::default();
    let mut noisy = [SILENT_SPECTRUM];
    noisy[0][30].re = f32::NAN;
    for _ in 0..20 {
        rule.follow(&HopPowers::of(&noisy, &[SILENT_SPECTRUM]));
        rule.follow(&HopPowers::of(&[SILENT_SPECTRUM], &[SILENT_SPECTRUM]));
    }
    let dues = dues(&mut rule, &whispering(1.0, false), 0.05);
    assert!(dues[250..].iter().all(|&due| due == LIMIT_SHARE));
}
