//! Running the binary, making and reading WAV files, comparing signals.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tacet_realtime::random::Random;
use tempfile::TempDir;

#[path = "../support/emulator.rs"]
pub mod emulator;

/// Thresholds that call every frame clean: the network listens and changes nothing, the delays remain.
pub const OFF: [&str; 2] = ["--max-erb-db", "-100"];

/// A command that runs the binary, without any files of this user's.
pub fn tacet() -> Command {
    let mut command = emulator::command(env!("CARGO_BIN_EXE_tacet"));
    command.env_remove("TACET_MODEL");
    command.env("TACET_DATA_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("no files"));
    command
}

/// Runs `tacet denoise` with `args`.
pub fn denoise<A: AsRef<std::ffi::OsStr>>(args: &[A]) -> Output {
    tacet().arg("denoise").args(args).output().expect("run tacet")
}

/// Runs `tacet denoise INPUT -o OUTPUT` with more arguments and expects success.
pub fn denoise_file(input: &Path, output: &Path, more: &[&str]) {
    let result =
        tacet().arg("denoise").arg(input).arg("-o").arg(output).args(more).output().expect("run tacet");
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
}

/// Standard error of a run.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder of the test's own.
pub struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    /// The path of `name` in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names of the files in it, sorted; hidden ones too.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("read folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A file of `tests/data/audio`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/audio").join(name)
}

/// The shape of a WAV.
pub fn spec(rate_hz: u32, channels: u16, bits: u16) -> hound::WavSpec {
    hound::WavSpec {
        sample_rate: rate_hz,
        channels,
        bits_per_sample: bits,
        sample_format: hound::SampleFormat::Int,
    }
}

/// The shape of a 32-bit float WAV.
pub fn float_spec(rate_hz: u32, channels: u16) -> hound::WavSpec {
    hound::WavSpec { sample_format: hound::SampleFormat::Float, ..spec(rate_hz, channels, 32) }
}

/// Writes `channels`, full scale 1, rounded.
pub fn write_wav(path: &Path, spec: hound::WavSpec, channels: &[Vec<f32>]) {
    let mut writer = hound::WavWriter::create(path, spec).expect("create");
    let full_scale = 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
    for index in 0..channels[0].len() {
        for channel in channels {
            match spec.sample_format {
                hound::SampleFormat::Float => writer.write_sample(channel[index]),
                hound::SampleFormat::Int => {
                    let value = (f64::from(channel[index]) * full_scale).round();
                    writer.write_sample(value.clamp(-full_scale, full_scale - 1.0) as i32)
                }
            }
            .expect("write");
        }
    }
    writer.finalize().expect("finalize");
}

/// Reads a WAV, full scale 1.
pub fn read_wav(path: &Path) -> (hound::WavSpec, Vec<Vec<f32>>) {
    let mut reader = hound::WavReader::open(path).expect("open");
    let spec = reader.spec();
    let samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(|sample| sample.expect("sample")).collect(),
        hound::SampleFormat::Int => {
            let full_scale = 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
            let scale = |sample: Result<i32, _>| (f64::from(sample.expect("sample")) / full_scale) as f32;
            reader.samples::<i32>().map(scale).collect()
        }
    };
    let n_channels = usize::from(spec.channels);
    let channel = |index| samples.iter().skip(index).step_by(n_channels).copied().collect();
    (spec, (0..n_channels).map(channel).collect())
}

/// Noise whose power falls off towards high frequencies and whose level moves like that of speech: about -20 dBFS.
pub fn babble(n_samples: usize, seed: u32) -> Vec<f32> {
    soft_babble(n_samples, seed, 1.0)
}

/// [`babble`] that falls off from a frequency lower by `softness`.
pub fn soft_babble(n_samples: usize, seed: u32, softness: f32) -> Vec<f32> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9) | 1);
    let mut smooth = [0.0_f32; 3];
    (0..n_samples)
        .map(|index| {
            let mut value = random.sample();
            for stage in &mut smooth {
                *stage += 0.3 / softness * (value - *stage);
                value = *stage;
            }
            value * (0.6 + 0.4 * (index as f32 / 2_000.0).sin())
        })
        .collect()
}

/// Samples by which `signal` lags behind `reference`, by the peak of their cross-correlation within +-`reach`.
pub fn lag(reference: &[f32], signal: &[f32], reach: i64) -> i64 {
    let correlation = |lag: i64| -> f64 {
        let pairs = (0..reference.len() as i64).filter_map(|i| {
            let shifted = usize::try_from(i + lag).ok()?;
            Some(f64::from(reference[i as usize]) * f64::from(*signal.get(shifted)?))
        });
        pairs.sum()
    };
    (-reach..=reach).max_by(|&a, &b| correlation(a).total_cmp(&correlation(b))).expect("not empty")
}

/// Signal-to-noise ratio of `signal` against `reference` without `margin` samples at either end, in dB.
pub fn snr_db(reference: &[f32], signal: &[f32], margin: usize) -> f64 {
    let inner = margin..reference.len() - margin;
    let power: f64 = reference[inner.clone()].iter().map(|&sample| f64::from(sample).powi(2)).sum();
    let error: f64 = inner.map(|i| f64::from(signal[i] - reference[i]).powi(2)).sum();
    10.0 * (power / error).log10()
}

/// The largest difference of two signals of equal length.
pub fn max_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
