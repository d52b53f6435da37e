//! Writes FLAC into a file: 16 or 24 bits, with Vorbis comments. The encoder is flac-codec's.

use std::io::{Seek, Write};

use anyhow::{Context as _, Result, bail};
use flac_codec::encode::{FlacSampleWriter, Options};

use super::quantize::Quantizer;
use super::{Depth, SampleSink, Spec};
use crate::decode::metadata::FLAC_MASK;
use crate::decode::xiph;

/// The most channels that FLAC has.
const MAX_CHANNELS: u16 = 8;
/// The highest rate that FLAC states in its frames, in Hz.
const MAX_RATE_HZ: u32 = 655_350;

/// A FLAC being written.
pub struct FlacWriter<W: Write + Seek> {
    writer: FlacSampleWriter<W>,
    quantizer: Quantizer,
    samples: Vec<i32>,
}

/// The FLAC depth of a source: its own, 24 bits for floating point.
///
/// # Errors
/// FLAC has no room for so many channels or such a rate; the message names what has.
pub fn spec(spec: Spec) -> Result<Spec> {
    if spec.n_channels > MAX_CHANNELS {
        bail!(
            "has {} channels; FLAC holds up to {MAX_CHANNELS}: write WAV (a name that ends in .wav)",
            spec.n_channels
        );
    }
    if spec.rate_hz > MAX_RATE_HZ {
        bail!(
            "has {} Hz; FLAC holds up to {MAX_RATE_HZ} Hz: write WAV (a name that ends in .wav)",
            spec.rate_hz
        );
    }
    let depth = if spec.depth == Depth::Float32 { Depth::Int24 } else { spec.depth };
    Ok(Spec { depth, ..spec })
}

impl<W: Write + Seek> FlacWriter<W> {
    /// Begins a FLAC with these Vorbis comments.
    ///
    /// # Errors
    /// Errors of the sink or of the encoder.
    pub fn new(sink: W, spec: &Spec, comments: &[(String, String)]) -> Result<Self> {
        let mut options = Options::default();
        for (name, value) in comments {
            options = options.tag(name, value);
        }
        // Positions other than those that FLAC means by that many channels (RFC 9639, 9.1.3): Vorbis's, and not all WAV's.
        let usual = xiph::channel_mask(spec.n_channels.into())
            .unwrap_or_else(|| super::default_channel_mask(spec.n_channels));
        if let Some(mask) = spec.channel_mask.filter(|&mask| mask != usual) {
            options = options.tag(FLAC_MASK, format!("{mask:#06x}"));
        }
        let n_bits = 8 * spec.depth.n_bytes() as u32;
        let writer = FlacSampleWriter::new(sink, options, spec.rate_hz, n_bits, spec.n_channels as u8, None)
            .context("cannot begin the FLAC")?;
        let quantizer = Quantizer::new(spec.depth, spec.n_channels.into());
        Ok(Self { writer, quantizer, samples: Vec::new() })
    }

    /// Samples beyond full scale so far, over all channels: clipped.
    pub(crate) fn n_over(&self) -> u64 {
        self.quantizer.n_over()
    }

    /// Ends the FLAC and completes its header.
    ///
    /// # Errors
    /// Errors of the sink.
    pub fn finish(self) -> Result<()> {
        self.writer.finalize().context("cannot complete the FLAC")
    }
}

impl<W: Write + Seek> SampleSink for FlacWriter<W> {
    fn write(&mut self, block: &[&[f32]]) -> Result<()> {
        self.samples.clear();
        self.quantizer.integers(block, &mut self.samples);
        self.writer.write(&self.samples)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, SeekFrom};

    use super::*;

    #[test]
    fn written_files_read_back() {
        for depth in [Depth::Int16, Depth::Int24, Depth::Float32] {
            let of_source = Spec { rate_hz: 44_100, n_channels: 2, channel_mask: None, depth };
            let spec = spec(of_source).unwrap();
            let mut file = tempfile::Builder::new().suffix(".flac").tempfile().unwrap();
            let left: Vec<f32> = (0..10_001).map(|i| (i as f32 * 0.01).sin() * 0.5).collect();
            let right: Vec<f32> = left.iter().map(|sample| -sample).collect();
            let comments = [("TITLE".to_owned(), "Talk".to_owned())];
            let mut writer = FlacWriter::new(file.as_file_mut(), &spec, &comments).unwrap();
            for (left, right) in left.chunks(999).zip(right.chunks(999)) {
                writer.write(&[left, right]).unwrap();
            }
            writer.finish().unwrap();
            let mut magic = [0; 4];
            file.as_file_mut().seek(SeekFrom::Start(0)).unwrap();
            file.as_file_mut().read_exact(&mut magic).unwrap();
            assert_eq!(&magic, b"fLaC");
            let (format, channels) = crate::decode::decode_all(file.path()).unwrap();
            assert_eq!((format.rate_hz, format.n_samples), (44_100, Some(10_001)));
            for (written, read) in [&left, &right].into_iter().zip(&channels) {
                let off = written.iter().zip(read).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                // 16 bits are dithered by up to one step and a half.
                let step = if depth == Depth::Int16 { 1.5 / 32_768.0 } else { 0.5 / 8_388_608.0 };
                assert!(off <= step * 1.01, "{depth:?} {off}");
            }
        }
    }

    #[test]
    fn positions_are_kept() {
        for (n_channels, channel_mask, read) in [
            (2, None, 0x3),
            (2, Some(0x30), 0x30),
            (6, Some(0x60f), 0x60f),
            (6, Some(0x3f), 0x3f),
            (7, Some(0x13f), 0x13f),
            (7, Some(0x70f), 0x70f),
        ] {
            let spec = Spec { rate_hz: 44_100, n_channels, channel_mask, depth: Depth::Int16 };
            let mut file = tempfile::Builder::new().suffix(".flac").tempfile().unwrap();
            let mut writer = FlacWriter::new(file.as_file_mut(), &spec, &[]).unwrap();
            writer.write(&vec![&[0.25_f32; 5_000][..]; n_channels.into()]).unwrap();
            writer.finish().unwrap();
            let (format, _) = crate::decode::decode_all(file.path()).unwrap();
            assert_eq!(format.channel_mask, Some(read), "{n_channels} channels, {channel_mask:x?}");
        }
    }

    #[test]
    fn formats_beyond_flac_are_refused() {
        let stereo = Spec { rate_hz: 48_000, n_channels: 2, channel_mask: None, depth: Depth::Int16 };
        assert!(spec(Spec { n_channels: 9, ..stereo }).unwrap_err().to_string().contains("write WAV"));
        assert!(spec(Spec { rate_hz: 768_000, ..stereo }).is_err());
    }
}
