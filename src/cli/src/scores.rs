//! Objective speech-quality scores of a degraded recording against its clean reference, as `tacet score` prints them.
//!
//! For files and tests; allocates freely and never runs on the audio thread. Everything is computed on the CPU in
//! `f64`, whatever device denoised the recording, so a score never depends on which operations a device has.
//!
//! | score | source |
//! |---|---|
//! | [STOI](stoi), as [published and as in training](Definition) | Taal, Hendriks, Heusdens, Jensen, "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech", IEEE TASLP 19(7), 2011 |
//! | [ESTOI](estoi) | Jensen, Taal, "An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise Maskers", IEEE/ACM TASLP 24(11), 2016 |
//! | [SI-SDR](sdr::si_sdr_db) | Le Roux, Wisdom, Erdogan, Hershey, "SDR - Half-baked or Well Done?", ICASSP 2019 |
//! | [segmental SNR](sdr::segmental_snr_db) | Hansen, Pellom, "An Effective Quality Evaluation Protocol for Speech Enhancement Algorithms", ICSLP 1998; framing of Loizou, "Speech Enhancement: Theory and Practice", section 11.1 |
//! | [log-spectral distance](lsd) | Cohen, Gannot, "Spectral Enhancement Methods", Springer Handbook of Speech Processing, 2008 |
//!
//! The steps, in order: both signals to the reference's rate ([`resample`]), time alignment ([`align`]), then every
//! score over the samples that both share. STOI and ESTOI bring that span to 10 kHz.

pub mod align;
mod bands;
pub mod estoi;
pub mod lsd;
pub mod resample;
pub mod sdr;
pub mod stoi;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

use bands::Bands;
pub use bands::{Definition, MIN_SAMPLES, STOI_RATE_HZ};

/// Added to norms before dividing, as in the authors' implementations of STOI: the spacing of `f64` at 1.
const EPS: f64 = f64::EPSILON;

/// A recording: one slice per channel, all of the same length.
#[derive(Clone, Copy, Debug)]
pub struct Signal<'a> {
    /// Sample rate in hertz, not 0.
    pub rate_hz: u32,
    /// Samples per channel; full scale is 1, but only the ratio of two signals matters.
    pub channels: &'a [Vec<f32>],
}

/// How the degraded recording is laid against the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Alignment {
    /// Find the delay by cross-correlation, at most this many milliseconds either way.
    Search {
        /// Largest delay or advance considered, in milliseconds.
        max_ms: f64,
    },
    /// Take this delay of the degraded recording, in samples at the reference's rate.
    Fixed(i64),
}

impl Default for Alignment {
    /// Searches one second either way: more than any latency a plugin reports, and cheap.
    fn default() -> Self {
        Self::Search { max_ms: 1000.0 }
    }
}

/// The scores of one channel, or their mean over channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChannelScores {
    /// Short-time objective intelligibility, at most 1 (identical); near 0 when nothing is intelligible.
    pub stoi: f64,
    /// STOI as DeepFilterNet's training code computes it, to compare with its numbers: see [`Definition::Training`].
    pub stoi_training: f64,
    /// Extended STOI, at most 1.
    pub estoi: f64,
    /// Scale-invariant signal-to-distortion ratio in dB; `+inf` for a scaled copy, `-inf` for silence.
    #[serde(serialize_with = "number_or_inf")]
    pub si_sdr_db: f64,
    /// Segmental SNR in dB, -10..=35.
    pub segmental_snr_db: f64,
    /// Log-spectral distance in dB, from 0 (identical).
    pub lsd_db: f64,
}

/// Everything that [`score`] found out about a degraded recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The reference's rate, at which delay, SI-SDR, segmental SNR and distance were computed.
    pub rate_hz: u32,
    /// How much later the degraded recording is, in samples at `rate_hz`; negative if it is early.
    pub delay_samples: i64,
    /// Normalised correlation at that delay, 0..=1, of all channels; low values mean that the delay is a guess.
    pub correlation: f64,
    /// Samples per channel that were compared.
    pub compared_samples: usize,
    /// One entry per channel of the degraded recording.
    pub channels: Vec<ChannelScores>,
    /// The mean over channels.
    pub mean: ChannelScores,
}

/// The recording that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The clean one.
    Reference,
    /// The one to be judged.
    Degraded,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Reference => "reference",
            Role::Degraded => "degraded recording",
        })
    }
}

/// Why two recordings have no scores. Nothing was computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// No channel, no sample, or channels of different lengths.
    #[error("the {0} has no audio: give a file with at least one channel and some samples in each")]
    Empty(Role),
    /// A sample rate of 0.
    #[error("the {0} says that its sample rate is 0 Hz: convert it to a file with a valid rate")]
    NoRate(Role),
    /// A NaN or an infinity.
    #[error(
        "the {role} holds a sample that is no number (channel {channel}, sample {sample}): render it again"
    )]
    NotFinite {
        /// The recording.
        role: Role,
        /// Channel, from 0.
        channel: usize,
        /// Position of the first such sample.
        sample: usize,
    },
    /// Channels that cannot be paired.
    #[error(
        "the reference has {reference} channels and the degraded recording {degraded}: give both the same number, \
         or a mono reference"
    )]
    Channels {
        /// Channels of the reference.
        reference: usize,
        /// Channels of the degraded recording.
        degraded: usize,
    },
    /// A reference channel without any sound.
    #[error(
        "channel {channel} of the reference is silent over the compared span: choose a reference with speech in it"
    )]
    SilentReference {
        /// Channel, from 0.
        channel: usize,
    },
    /// No sample left once the delay is taken out.
    #[error(
        "a delay of {delay_samples} samples leaves nothing of the two recordings to compare: check --delay, or let it \
         be found"
    )]
    NoOverlap {
        /// The delay taken.
        delay_samples: i64,
    },
    /// Too little speech for STOI.
    #[error(
        "after its silence is removed the reference keeps {kept} samples at 10 kHz in channel {channel}, STOI needs \
         {MIN_SAMPLES}: give a longer recording"
    )]
    TooShort {
        /// Channel, from 0.
        channel: usize,
        /// Samples left at 10 kHz.
        kept: usize,
    },
}

/// Scores `degraded` against `reference`.
///
/// The degraded recording is brought to the reference's rate. With equal channel counts channel `n` meets channel
/// `n`; a mono reference meets every channel. One delay is found for all channels together.
///
/// # Errors
/// [`ScoreError`], which names the recording and the next step.
pub fn score(
    reference: Signal<'_>,
    degraded: Signal<'_>,
    alignment: Alignment,
) -> Result<Scores, ScoreError> {
    check(Role::Reference, reference)?;
    check(Role::Degraded, degraded)?;
    let (n_reference, n_degraded) = (reference.channels.len(), degraded.channels.len());
    if n_reference != n_degraded && n_reference != 1 {
        return Err(ScoreError::Channels { reference: n_reference, degraded: n_degraded });
    }

    let rate_hz = reference.rate_hz;
    let clean: Vec<Vec<f64>> = reference.channels.iter().map(|samples| widen(samples)).collect();
    let judged: Vec<Vec<f64>> =
        degraded.channels.iter().map(|s| resample::sinc(&widen(s), degraded.rate_hz, rate_hz)).collect();
    let pairs: Vec<(&[f64], &[f64])> = judged
        .iter()
        .enumerate()
        .map(|(n, d)| (clean[n.min(n_reference - 1)].as_slice(), d.as_slice()))
        .collect();

    let delay_samples = match alignment {
        Alignment::Fixed(delay) => delay,
        Alignment::Search { max_ms } => align::delay_samples(&pairs, max_lag(max_ms, rate_hz)),
    };
    let overlap: Vec<(&[f64], &[f64])> =
        pairs.iter().map(|(x, y)| align::overlap(x, y, delay_samples)).collect();
    let compared_samples = overlap[0].0.len();
    if compared_samples == 0 {
        return Err(ScoreError::NoOverlap { delay_samples });
    }

    let channels = overlap
        .iter()
        .enumerate()
        .map(|(n, (x, y))| channel(n, x, y, rate_hz))
        .collect::<Result<Vec<_>, _>>()?;
    let mean = mean(&channels);
    Ok(Scores {
        rate_hz,
        delay_samples,
        correlation: align::correlation(&overlap),
        compared_samples,
        channels,
        mean,
    })
}

/// Every score of one aligned channel.
fn channel(channel: usize, clean: &[f64], judged: &[f64], rate_hz: u32) -> Result<ChannelScores, ScoreError> {
    if clean.iter().all(|&x| x == 0.0) {
        return Err(ScoreError::SilentReference { channel });
    }
    let bands = |definition| {
        Bands::resampled(definition, [clean, judged], rate_hz)
            .map_err(|kept| ScoreError::TooShort { channel, kept })
    };
    let speech = bands(Definition::Published)?;
    Ok(ChannelScores {
        stoi: stoi::of_bands(&speech),
        stoi_training: stoi::of_bands(&bands(Definition::Training)?),
        estoi: estoi::of_bands(&speech),
        si_sdr_db: sdr::si_sdr_db(clean, judged),
        segmental_snr_db: sdr::segmental_snr_db(clean, judged, rate_hz),
        lsd_db: lsd::lsd_db(clean, judged, rate_hz),
    })
}

fn check(role: Role, signal: Signal<'_>) -> Result<(), ScoreError> {
    let n_samples = signal.channels.first().map_or(0, Vec::len);
    if n_samples == 0 || signal.channels.iter().any(|channel| channel.len() != n_samples) {
        return Err(ScoreError::Empty(role));
    }
    if signal.rate_hz == 0 {
        return Err(ScoreError::NoRate(role));
    }
    for (channel, samples) in signal.channels.iter().enumerate() {
        if let Some(sample) = samples.iter().position(|x| !x.is_finite()) {
            return Err(ScoreError::NotFinite { role, channel, sample });
        }
    }
    Ok(())
}

fn widen(samples: &[f32]) -> Vec<f64> {
    samples.iter().map(|&x| x.into()).collect()
}

fn max_lag(max_ms: f64, rate_hz: u32) -> usize {
    (max_ms.max(0.0) * 1e-3 * f64::from(rate_hz)).round() as usize
}

fn mean(channels: &[ChannelScores]) -> ChannelScores {
    let over = |value: fn(&ChannelScores) -> f64| {
        let mean = channels.iter().map(value).sum::<f64>() / channels.len() as f64;
        // Of a channel that is identical and one that is nothing like it, the worse is said.
        if mean.is_nan() { channels.iter().map(value).fold(f64::INFINITY, f64::min) } else { mean }
    };
    ChannelScores {
        stoi: over(|c| c.stoi),
        stoi_training: over(|c| c.stoi_training),
        estoi: over(|c| c.estoi),
        si_sdr_db: over(|c| c.si_sdr_db),
        segmental_snr_db: over(|c| c.segmental_snr_db),
        lsd_db: over(|c| c.lsd_db),
    }
}

/// JSON has no infinity: `"inf"` and `"-inf"` stand for it, which Python's `float` and Rust's `parse` read back.
fn number_or_inf<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.collect_str(value) }
}

/// A symmetric Hann window of `n` points whose zero end points are left off.
fn hann(n: usize) -> Vec<f64> {
    (1..=n).map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / (n + 1) as f64).cos()).collect()
}

fn energy(samples: &[f64]) -> f64 {
    samples.iter().map(|x| x * x).sum()
}
