//! Test signals at 48 kHz, the same on every machine.

use std::f32::consts::TAU;

use tacet_realtime::model::{HOP, SAMPLE_RATE_HZ};

/// A signal and its name.
pub struct Signal {
    /// For messages.
    pub name: &'static str,
    /// One channel, a whole number of hops.
    pub samples: Vec<f32>,
}

/// Every signal that whole-signal tests run over.
pub fn all() -> Vec<Signal> {
    let signal = |name, samples| Signal { name, samples };
    vec![
        signal("speech-like", speech_like(2.0)),
        signal("recorded speech", recorded_speech(3.0)),
        signal("white noise", white_noise(1.5, 0.1, 1)),
        signal("digital silence", seconds(1.0, |_| 0.0)),
        signal("gaps", gaps(2.5)),
        signal("clicks", clicks(1.5)),
        signal("full scale", full_scale(1.5)),
    ]
}

/// A voice that glides and pauses, in noise.
pub fn speech_like(duration_s: f32) -> Vec<f32> {
    let mut phase = 0.0f32;
    let mut noise = Noise::new(2);
    seconds(duration_s, |t| {
        phase = (phase + 140.0 * (1.0 + 0.3 * (TAU * 0.7 * t).sin()) / SAMPLE_RATE_HZ as f32).fract();
        let harmonics: f32 =
            (1..30).map(|k| (TAU * k as f32 * phase).sin() * formants(k as f32 * 140.0, t)).sum();
        let syllable = (1.5 * (TAU * 1.7 * t).sin()).clamp(0.0, 1.0);
        0.15 * syllable * harmonics + 0.01 * noise.next()
    })
}

/// Weight of a harmonic under three formants, the lowest moving.
fn formants(frequency_hz: f32, t: f32) -> f32 {
    let peak = |centre_hz: f32, width_hz: f32| (-((frequency_hz - centre_hz) / width_hz).powi(2)).exp();
    peak(550.0 + 200.0 * (TAU * 1.1 * t).sin(), 250.0) + 0.6 * peak(1500.0, 350.0) + 0.3 * peak(2600.0, 400.0)
}

/// The start of the demonstration's recording: speech in a noisy room.
pub fn recorded_speech(duration_s: f32) -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo_noisy.wav");
    let mut file = hound::WavReader::open(path).expect("the recording is part of the repository");
    assert_eq!(file.spec().sample_rate, SAMPLE_RATE_HZ);
    let mut samples =
        file.samples::<i16>().map(|sample| f32::from(sample.expect("a readable file")) / 32768.0);
    seconds(duration_s, |_| samples.next().expect("a recording of at least this length"))
}

/// Gaussian enough, with this standard deviation.
pub fn white_noise(duration_s: f32, level: f32, seed: u64) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    seconds(duration_s, |_| level * noise.next())
}

/// Noisy voice with half a second of digital silence and half a second 80 dB below full scale.
pub fn gaps(duration_s: f32) -> Vec<f32> {
    let mut noise = Noise::new(3);
    let voice = speech_like(duration_s);
    let gap = |(i, x): (usize, f32)| match i as f32 / SAMPLE_RATE_HZ as f32 {
        t if (0.7..1.2).contains(&t) => 0.0,
        t if (1.8..2.3).contains(&t) => 1e-4 * noise.next(),
        _ => x,
    };
    voice.into_iter().enumerate().map(gap).collect()
}

/// Single samples of both signs, from faint to full scale, on a quiet voice.
pub fn clicks(duration_s: f32) -> Vec<f32> {
    let mut samples = speech_like(duration_s);
    samples.iter_mut().for_each(|sample| *sample *= 0.1);
    for (i, click) in samples.iter_mut().skip(3001).step_by(7013).enumerate() {
        *click = [1.0, -1.0, 0.3, -0.03, 0.9][i % 5];
    }
    samples
}

/// A voice in noise, driven far into clipping: wherever it speaks, samples are at full scale.
pub fn full_scale(duration_s: f32) -> Vec<f32> {
    speech_like(duration_s).into_iter().map(|sample| (12.0 * sample).clamp(-1.0, 1.0)).collect()
}

/// `duration_s` seconds, cut to whole hops, of a function of time in seconds.
fn seconds(duration_s: f32, mut sample: impl FnMut(f32) -> f32) -> Vec<f32> {
    let n_hops = (duration_s * SAMPLE_RATE_HZ as f32) as usize / HOP;
    (0..n_hops * HOP).map(|i| sample(i as f32 / SAMPLE_RATE_HZ as f32)).collect()
}

/// Sums of four uniform values of a xorshift generator: mean 0, variance 1.
pub struct Noise(u64);

impl Noise {
    /// `seed` is any number but 0.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next value.
    pub fn next(&mut self) -> f32 {
        let mut uniform = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        // Each has variance 1/12.
        (uniform() + uniform() + uniform() + uniform()) * 3f32.sqrt()
    }
}
