//! The report of a run, for people (one line per file) and as JSON.
//!
//! Noise reduction is the difference of level, before minus after, over the quietest tenth of the 10 ms hops that are
//! not digital silence: in speech those are the pauses, where what there is is noise. Chosen by the input's level, so
//! that both sides are the same moments; the means are of power. Output levels count as at least -100 dBFS. Less than a
//! second of sound gives no figure.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tacet_realtime::meters::{LOST_SPEECH_DB, MIN_ACTIVE_HOPS};
use tacet_realtime::model::{HOP, SAMPLE_RATE_HZ};
use tacet_realtime::samples::peak;

use super::engine::EngineReport;
use crate::decode::Blemishes;
use crate::encode::Spec;
use crate::paths::as_text;
use crate::pipeline::Observer;

/// Levels below count as this one, in dBFS: below the noise of 16 bits.
const FLOOR_DB: f64 = -100.0;
/// The part of the hops that counts as noise.
const QUIET_PART: f64 = 0.1;
/// Fewer hops with sound than this say nothing: one second.
const MIN_HOPS: u64 = SAMPLE_RATE_HZ as u64 / HOP as u64;
/// Bins of the histogram, 0.1 dB each from `FLOOR_DB` up to +30 dBFS.
const N_BINS: usize = 1300;

/// Running power and peak of a signal, over all channels.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignalLevel {
    power: f64,
    n_samples: u64,
    peak: f32,
}

impl SignalLevel {
    /// Adds a block.
    pub fn add<C: AsRef<[f32]>>(&mut self, block: &[C]) {
        for channel in block {
            let samples = channel.as_ref();
            self.power += energy(samples);
            self.peak = self.peak.max(peak(samples));
            self.n_samples += samples.len() as u64;
        }
    }

    fn report(&self) -> LevelReport {
        LevelReport {
            rms_dbfs: level_db(self.power / self.n_samples.max(1) as f64),
            peak_dbfs: level_db(f64::from(self.peak).powi(2)),
        }
    }
}

/// A power as dBFS, a full-scale square being 0.
fn level_db(power: f64) -> f64 {
    round(10.0 * power.log10().max(FLOOR_DB / 10.0), 2)
}

/// Reports need no more digits than mean something, and no negative zero.
fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale + 0.0
}

/// Measures noise reduction in constant memory: a histogram over the input's level, with both sides' power per bin.
pub struct NoiseMeter {
    bins: Vec<NoiseBin>,
    n_hops: u64,
}

#[derive(Clone, Copy, Default)]
struct NoiseBin {
    n_hops: u64,
    before: f64,
    after: f64,
}

impl Default for NoiseMeter {
    fn default() -> Self {
        Self { bins: vec![NoiseBin::default(); N_BINS], n_hops: 0 }
    }
}

impl Observer for NoiseMeter {
    fn hop(&mut self, before: &[&[f32]], after: &[&[f32]]) {
        let (before, after) = (mean_square(before), mean_square(after));
        let level_db = 10.0 * before.log10();
        if level_db < FLOOR_DB || !level_db.is_finite() {
            return;
        }
        let bin = (((level_db - FLOOR_DB) * 10.0) as usize).min(N_BINS - 1);
        self.bins[bin].n_hops += 1;
        self.bins[bin].before += before;
        self.bins[bin].after += after;
        self.n_hops += 1;
    }
}

impl NoiseMeter {
    /// Noise reduction in dB (see the module), and the level of that noise before, in dBFS.
    pub fn result(&self) -> Option<(f64, f64)> {
        if self.n_hops < MIN_HOPS {
            return None;
        }
        let wanted = (self.n_hops as f64 * QUIET_PART).ceil();
        let mut sum = NoiseBin::default();
        for bin in &self.bins {
            // The last bin counts in part.
            let missing = wanted - sum.n_hops as f64;
            if bin.n_hops == 0 || missing <= 0.0 {
                continue;
            }
            let part = (missing / bin.n_hops as f64).min(1.0);
            sum.n_hops += (bin.n_hops as f64 * part).round() as u64;
            sum.before += bin.before * part;
            sum.after += bin.after * part;
        }
        let n_hops = sum.n_hops as f64;
        let before_db = 10.0 * (sum.before / n_hops).log10();
        let after_db = (10.0 * (sum.after / n_hops).log10()).max(FLOOR_DB);
        Some((round(before_db - after_db, 2), round(before_db, 2)))
    }
}

/// Measures what became of the moments in which the input lives, as speech does and noise mostly does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActiveMeter {
    n_hops: u64,
    before: f64,
    after: f64,
}

impl ActiveMeter {
    /// Adds such a moment, before and after.
    pub fn hop(&mut self, before: &[&[f32]], after: &[&[f32]]) {
        self.n_hops += 1;
        self.before += mean_square(before);
        self.after += mean_square(after);
    }

    /// By how many dB these moments are lower than before, if that is so much that speech, had it been there, would be lost.
    pub fn lost_db(&self) -> Option<f64> {
        let ratio_db = 10.0 * (self.before / self.after.max(self.before * 1e-10)).log10();
        (self.n_hops >= u64::from(MIN_ACTIVE_HOPS) && ratio_db > f64::from(LOST_SPEECH_DB))
            .then(|| round(ratio_db, 1))
    }
}

fn mean_square(channels: &[&[f32]]) -> f64 {
    let n_samples: usize = channels.iter().map(|channel| channel.len()).sum();
    let power: f64 = channels.iter().map(|samples| energy(samples)).sum();
    power / n_samples.max(1) as f64
}

/// The sum of squares, in eight sums that do not wait for each other.
fn energy(samples: &[f32]) -> f64 {
    let (blocks, rest) = samples.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for block in blocks {
        for (sum, &sample) in sums.iter_mut().zip(block) {
            *sum += f64::from(sample) * f64::from(sample);
        }
    }
    let rest: f64 = rest.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum();
    sums.iter().sum::<f64>() + rest
}

/// The level of one side of a file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LevelReport {
    /// Root mean square over all channels, in dBFS, at least -100.
    pub rms_dbfs: f64,
    /// Largest magnitude, in dBFS, at least -100.
    pub peak_dbfs: f64,
}

/// Measurements of one file.
pub struct Measured {
    /// The input's level.
    pub before: SignalLevel,
    /// The output's level.
    pub after: SignalLevel,
    /// The noise's.
    pub noise: NoiseMeter,
    /// Change of the level while the sound is active.
    pub active: ActiveMeter,
    /// Samples beyond full scale in the output.
    pub n_over: u64,
    /// Damage of the input.
    pub blemishes: Blemishes,
    /// Samples per channel.
    pub n_samples: u64,
    /// From opening the input to renaming the output.
    pub time: Duration,
}

/// One file's report.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// As named on the command line; `-` for standard input.
    #[serde(serialize_with = "as_text")]
    pub input: PathBuf,
    /// The output file; `-` for standard output.
    #[serde(serialize_with = "as_text")]
    pub output: PathBuf,
    /// The result, or the reason why there is none.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a file fared.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Outcome {
    /// Written.
    Done(Box<Done>),
    /// Not written.
    Failed {
        /// Why, with the next step.
        error: String,
    },
}

/// A file that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// Container and codec of the input.
    pub source: String,
    /// Sample rate of input and output in Hz.
    pub sample_rate_hz: u32,
    /// Channels of input and output.
    pub channels: u16,
    /// Samples per channel of input and output.
    pub samples: u64,
    /// Silence at the start of the output in seconds, where the sound of a video begins after its picture: the output is to
    /// be put to the picture's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_after_picture_s: Option<f64>,
    /// Seconds that the times of the input count before the output's start: an encoder's own beginning, which nothing states
    /// and which was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_at_start_s: Option<f64>,
    /// How the output's samples are stored.
    pub depth: &'static str,
    /// Length of the audio in seconds.
    pub duration_s: f64,
    /// Time it took in seconds, decoding and writing included.
    pub time_s: f64,
    /// `time_s / duration_s`; below 1 is faster than real time. Absent for an empty file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_time_factor: Option<f64>,
    /// Level of the input.
    pub input_level: LevelReport,
    /// Level of the output.
    pub output_level: LevelReport,
    /// Level of the quietest tenth of the input in dBFS: its noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_level_dbfs: Option<f64>,
    /// How much lower that tenth is in the output, in dB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_reduction_db: Option<f64>,
    /// Notes for the user.
    pub warnings: Vec<String>,
}

impl Done {
    /// The report of a written file.
    pub fn new(source: String, spec: &Spec, measured: &Measured) -> Self {
        let duration_s = measured.n_samples as f64 / f64::from(spec.rate_hz);
        let time_s = measured.time.as_secs_f64();
        let noise = measured.noise.result();
        let seconds =
            |n: u64| Some(n).filter(|&n| n > 0).map(|n| round(n as f64 / f64::from(spec.rate_hz), 6));
        Self {
            source,
            sample_rate_hz: spec.rate_hz,
            channels: spec.n_channels,
            samples: measured.n_samples,
            starts_after_picture_s: seconds(measured.blemishes.n_lead),
            removed_at_start_s: seconds(measured.blemishes.n_removed),
            depth: spec.depth.name(),
            duration_s: round(duration_s, 6),
            time_s: round(time_s, 6),
            real_time_factor: (duration_s > 0.0).then(|| round(time_s / duration_s, 6)),
            input_level: measured.before.report(),
            output_level: measured.after.report(),
            noise_level_dbfs: noise.map(|(_, level_db)| level_db),
            noise_reduction_db: noise.map(|(reduction_db, _)| reduction_db),
            warnings: warnings(spec, measured),
        }
    }

    /// The report in one line.
    pub fn line(&self) -> String {
        let noise = match self.noise_reduction_db {
            Some(reduction_db) => format!(", noise reduced by {reduction_db:.1} dB"),
            None => String::new(),
        };
        let speed = match self.real_time_factor {
            Some(factor) if factor > 0.0 => format!(" ({:.0}x real time)", 1.0 / factor),
            _ => String::new(),
        };
        let lead = match (self.starts_after_picture_s, self.removed_at_start_s) {
            (Some(lead_s), _) => {
                format!(", begins with {lead_s:.3} s of silence, as its sound starts that late")
            }
            (None, Some(s)) => {
                format!(", begins at {s:.3} s of the input, behind what its encoder adds in front")
            }
            (None, None) => String::new(),
        };
        format!("{:.1} s in {:.2} s{speed}{noise}{lead}", self.duration_s, self.time_s)
    }
}

fn warnings(spec: &Spec, measured: &Measured) -> Vec<String> {
    let mut warnings = Vec::new();
    let blemishes = &measured.blemishes;
    let seconds = |n_samples: u64| n_samples as f64 / f64::from(spec.rate_hz);
    warnings.extend(blemishes.notes.iter().cloned());
    if blemishes.n_not_finite > 0 {
        warnings.push(format!(
            "{} samples were not finite numbers and became silence; export it again if the original plays",
            blemishes.n_not_finite
        ));
    }
    if blemishes.n_damaged_samples > 0 {
        let damaged_s = seconds(blemishes.n_damaged_samples);
        warnings.push(format!(
            "{damaged_s:.2} s of it are damaged and became silence; copy it again if the original is whole"
        ));
    }
    if blemishes.n_gap_samples > 0 {
        let gap_s = seconds(blemishes.n_gap_samples);
        warnings.push(format!(
            "{gap_s:.2} s are missing in between and became silence, so that the rest stays in place; copy it again if the original is \
             whole"
        ));
    }
    if blemishes.n_missing > 0 {
        let missing_s = seconds(blemishes.n_missing);
        warnings.push(format!("{missing_s:.2} s that it announces are not there: it is cut off, or pieces of it are lost; copy it again if the \
             original is whole"));
    }
    if let Some(lost_db) = measured.active.lost_db() {
        warnings.push(format!(
            "what sounds most like speech was reduced by {lost_db:.0} dB: if words are missing, whispered ones for \
             example, limit the reduction with --attenuation-limit 12"
        ));
    }
    if measured.n_over > 0 && spec.depth != crate::encode::Depth::Float32 {
        warnings
            .push(format!("{} samples beyond full scale were clipped; --float keeps them", measured.n_over));
    }
    warnings
}

/// A whole run's report.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// Version of this program.
    pub tacet: &'static str,
    /// The model's name, or its path as given.
    pub model: String,
    /// The engine that ran it.
    #[serde(flatten)]
    pub engine: EngineReport,
    /// Delay of the pipeline at 48 kHz, in samples; taken out of the files.
    pub delay_samples: usize,
    /// The same in milliseconds.
    pub delay_ms: f64,
    /// Latency of the same processing live, where a hop must be complete before it is processed: the delay and a hop.
    pub live_latency_ms: f64,
    /// One per input, in the order of the command line.
    pub files: Vec<FileReport>,
    /// The files that failed.
    pub failed: usize,
    /// Length of all audio in seconds.
    pub duration_s: f64,
    /// Wall-clock time of the run in seconds.
    pub time_s: f64,
    /// `time_s / duration_s`, all jobs together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_time_factor: Option<f64>,
}

impl RunReport {
    /// Sums up.
    pub fn new(
        model: String,
        engine: EngineReport,
        delay_samples: usize,
        files: Vec<FileReport>,
        time: Duration,
    ) -> Self {
        let ms = |samples: usize| samples as f64 * 1000.0 / f64::from(SAMPLE_RATE_HZ);
        let done = files.iter().filter_map(|file| match &file.outcome {
            Outcome::Done(done) => Some(done.duration_s),
            Outcome::Failed { .. } => None,
        });
        let duration_s: f64 = done.clone().sum();
        Self {
            tacet: env!("CARGO_PKG_VERSION"),
            model,
            engine,
            delay_samples,
            delay_ms: ms(delay_samples),
            live_latency_ms: ms(delay_samples + HOP),
            failed: files.len() - done.count(),
            duration_s: round(duration_s, 6),
            time_s: round(time.as_secs_f64(), 6),
            real_time_factor: (duration_s > 0.0).then(|| round(time.as_secs_f64() / duration_s, 6)),
            files,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Speech of -20 dBFS four fifths of the time, noise of -60 dBFS in the pauses; the output's noise is 14 dB lower.
    #[test]
    fn noise_reduction_is_that_of_the_pauses() {
        let mut meter = NoiseMeter::default();
        for hop in 0..1000 {
            let (before, after) = if hop % 5 == 0 { (1e-3_f32, 2e-4_f32) } else { (0.1, 0.09) };
            meter.hop(&[&[before; 480], &[-before; 480]], &[&[after; 480], &[-after; 480]]);
        }
        assert_eq!(meter.result(), Some((13.98, -60.0)));
    }

    #[test]
    fn digital_silence_is_no_noise_and_silence_out_is_a_floor() {
        let mut meter = NoiseMeter::default();
        for hop in 0..1000 {
            let before = if hop % 2 == 0 { 0.0 } else { 1e-2 };
            meter.hop(&[&[before; 480]], &[&[0.0; 480]]);
        }
        assert_eq!(meter.result(), Some((60.0, -40.0)));
    }

    #[test]
    fn less_than_a_second_gives_no_figure() {
        let mut meter = NoiseMeter::default();
        for _ in 0..99 {
            meter.hop(&[&[0.1; 480]], &[&[0.1; 480]]);
        }
        assert_eq!(meter.result(), None);
        meter.hop(&[&[0.1; 480]], &[&[0.1; 480]]);
        assert_eq!(meter.result(), Some((0.0, -20.0)));
    }

    #[test]
    fn speech_that_is_gone_is_reported_and_noise_that_is_gone_is_not() {
        let lost_db = |after: f32, n_hops: usize| {
            let mut meter = ActiveMeter::default();
            (0..n_hops).for_each(|_| meter.hop(&[&[0.1; 480]], &[&[after; 480]]));
            meter.lost_db()
        };
        assert_eq!(lost_db(0.001, 100), Some(40.0));
        assert_eq!(lost_db(0.0, 100), Some(100.0));
        assert_eq!(lost_db(0.011, 1000), None);
        assert_eq!(lost_db(0.001, 99), None);
    }

    #[test]
    fn levels_are_of_all_channels() {
        let mut level = SignalLevel::default();
        level.add(&[[0.5_f32, -0.5], [0.0, 0.0]]);
        let report = level.report();
        assert_eq!((report.rms_dbfs, report.peak_dbfs), (-9.03, -6.02));
        assert_eq!(SignalLevel::default().report(), LevelReport { rms_dbfs: -100.0, peak_dbfs: -100.0 });
    }
}
