//! The recording through the engine alone, as live audio.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::plugin::{self, RATE_HZ};

/// Denoises `recording`, a WAV file at 48 kHz, channel by channel and writes it as 32-bit float.
///
/// # Errors
/// A file cannot be read or written, or the program fails.
pub fn denoise(program: &Path, recording: &Path, output: &Path) -> Result<()> {
    let channels: Vec<Vec<f32>> =
        plugin::read(recording)?.iter().map(|channel| stream(program, channel)).collect::<Result<_>>()?;
    let spec = hound::WavSpec {
        channels: u16::try_from(channels.len())?,
        sample_rate: RATE_HZ,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let write = || -> hound::Result<()> {
        let mut writer = hound::WavWriter::create(output, spec)?;
        for i in 0..channels.first().map_or(0, Vec::len) {
            channels.iter().try_for_each(|channel| writer.write_sample(channel[i]))?;
        }
        writer.finalize()
    };
    write().with_context(|| format!("{} cannot be written", output.display()))
}

/// One channel through `denoise-live`, which reads it whole before it writes as many samples.
fn stream(program: &Path, input: &[f32]) -> Result<Vec<f32>> {
    let mut command = Command::new(program);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} could not be started", program.display()))?;
    let bytes: Vec<u8> = input.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    child.stdin.take().context("no input to write")?.write_all(&bytes)?;
    let answer = child.wait_with_output()?;
    let (samples, rest) = answer.stdout.as_chunks();
    ensure!(
        answer.status.success() && rest.is_empty() && samples.len() == input.len(),
        "{} failed: {}",
        program.display(),
        answer.status
    );
    Ok(samples.iter().map(|&sample| f32::from_le_bytes(sample)).collect())
}
