//! The recording through the built plugin, beside what the command line makes of it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tacet_clap_host::PluginFile;

/// Rate at which neither side resamples, so that both do the same arithmetic.
pub(super) const RATE_HZ: u32 = 48_000;
/// Sizes of the blocks in which the host hands the recording over, in turn.
const BLOCKS: [usize; 4] = [512, 64, 1000, 33];
/// Samples of the largest block.
const MAX_BLOCK: u32 = 1024;

/// The plugin's output for a recording.
pub struct Comparison {
    /// Samples compared, of all channels.
    pub n_samples: usize,
    /// Samples that differ.
    pub n_different: usize,
    /// The reported latency, in samples.
    pub latency_samples: usize,
}

impl Comparison {
    /// The row of the report.
    pub fn row(&self) -> String {
        let latency = format!("{} samples of latency taken out", self.latency_samples);
        match self.n_different {
            0 => {
                format!("bit-identical to the file in a CLAP host ({} samples, {latency})", self.n_samples)
            }
            n => format!("{n} of {} samples differ from the file in a CLAP host ({latency})", self.n_samples),
        }
    }
}

/// Whether the plugin can be given this recording as it is: WAV at 48 kHz, mono or stereo.
pub fn takes(recording: &Path) -> bool {
    hound::WavReader::open(recording)
        .is_ok_and(|reader| reader.spec().sample_rate == RATE_HZ && (1..=2).contains(&reader.spec().channels))
}

/// Sends `recording` through the plugin and compares with `denoised`, the same recording through the command line, as
/// 32-bit float.
///
/// # Errors
/// A file cannot be read, or the plugin refuses something.
pub fn compare(clap: &Path, recording: &Path, denoised: &Path) -> Result<Comparison> {
    let mut input = read(recording)?;
    let expected = read(denoised)?;
    let n_samples = input.first().map_or(0, Vec::len);
    ensure!(
        expected.len() == input.len() && expected.iter().all(|channel| channel.len() == n_samples),
        "{} has another length than its recording",
        denoised.display()
    );
    let plugin = PluginFile::load(clap)?;
    let mut instance = plugin.create()?;
    instance.set_channels(input.len())?;
    instance.set_offline(true)?;
    instance.activate(f64::from(RATE_HZ), MAX_BLOCK)?;
    let latency_samples = instance.latency();
    // The end of the file comes out while silence goes in.
    input.iter_mut().for_each(|channel| channel.resize(n_samples + latency_samples, 0.0));
    let output = instance.render(&input, &BLOCKS)?;
    let pairs =
        output.iter().zip(&expected).flat_map(|(got, expected)| got[latency_samples..].iter().zip(expected));
    let n_different = pairs.filter(|(got, expected)| got != expected).count();
    Ok(Comparison { n_samples: n_samples * input.len(), n_different, latency_samples })
}

/// The channels of a WAV file, full scale 1.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<f32>>> {
    let read = || -> Result<Vec<Vec<f32>>> {
        let mut reader = hound::WavReader::open(path)?;
        let spec = reader.spec();
        let samples: Vec<f32> = match spec.sample_format {
            hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
            hound::SampleFormat::Int => {
                let scale = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
                reader
                    .samples::<i32>()
                    .map(|sample| sample.map(|x| x as f32 / scale))
                    .collect::<Result<_, _>>()?
            }
        };
        let n_channels = usize::from(spec.channels);
        Ok((0..n_channels).map(|c| samples.iter().skip(c).step_by(n_channels).copied().collect()).collect())
    };
    read().with_context(|| format!("{} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, rate: u32, channels: u16) {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 24,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        (0..3 * i32::from(channels)).for_each(|i| writer.write_sample((i % 6) << 20).unwrap());
        writer.finalize().unwrap();
    }

    #[test]
    fn only_what_neither_side_resamples_or_mixes_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wav");
        for (rate, channels, is_taken) in
            [(48_000, 1, true), (48_000, 2, true), (44_100, 1, false), (48_000, 3, false)]
        {
            write(&path, rate, channels);
            assert_eq!(takes(&path), is_taken, "{rate} Hz, {channels}");
        }
        assert!(!takes(&dir.path().join("none.wav")));
    }

    #[test]
    fn channels_are_distinguished_and_scaled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wav");
        write(&path, 48_000, 2);
        assert_eq!(read(&path).unwrap(), [[0.0, 0.25, 0.5], [0.125, 0.375, 0.625]]);
    }

    #[test]
    fn a_difference_is_not_hidden() {
        let mut comparison = Comparison { n_samples: 100, n_different: 0, latency_samples: 2400 };
        assert!(comparison.row().contains("bit-identical"));
        comparison.n_different = 3;
        assert!(comparison.row().contains("3 of 100") && !comparison.row().contains("bit-identical"));
    }
}
