//! Writes WAV as a stream: to a file whose header is completed at the end, or to a pipe that cannot be rewound.
//!
//! The header is this module's own because neither common writer streams to a pipe, keeps speaker positions or passes
//! 4 GiB. A file that may grow past that keeps room for an RF64 header (EBU Tech 3306) and becomes one only if it
//! does. On a pipe both lengths are 0xFFFFFFFF, as ffmpeg and sox write and read them.

pub mod flac;
pub mod quantize;
pub mod tags;

use std::io::{self, Seek, SeekFrom, Write};

use anyhow::{Context as _, Result};

use super::decode::{Format, SourceDepth};
use quantize::Quantizer;

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// 16-bit integers, dithered.
    Int16,
    /// 24-bit integers, rounded.
    Int24,
    /// 32-bit floating point.
    Float32,
}

impl Depth {
    /// The depth for a source: its own where WAV has it, and never less than the source holds. Lossy codecs become 16
    /// bits, 8 bits as well; 32-bit integers become floating point, which is what they were processed in.
    pub(crate) fn of_source(depth: SourceDepth) -> Self {
        match depth {
            SourceDepth::Lossy | SourceDepth::Int(0..=16) => Self::Int16,
            SourceDepth::Int(17..=24) => Self::Int24,
            SourceDepth::Int(_) | SourceDepth::Float(_) => Self::Float32,
        }
    }

    /// Bytes per sample.
    pub fn n_bytes(self) -> usize {
        match self {
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Float32 => 4,
        }
    }

    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int16 => "16-bit",
            Self::Int24 => "24-bit",
            Self::Float32 => "32-bit float",
        }
    }
}

/// A destination for the samples of an output.
pub trait SampleSink {
    /// Appends a block: one slice per channel, equal lengths.
    ///
    /// # Errors
    /// Errors of the sink.
    fn write(&mut self, block: &[&[f32]]) -> Result<()>;
}

/// The contents of a WAV header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Channels, at least 1.
    pub n_channels: u16,
    /// Speaker positions; `None`: the usual ones of that many channels.
    pub channel_mask: Option<u32>,
    /// How samples are stored.
    pub depth: Depth,
}

impl Spec {
    /// The output for a source: its rate, channels and depth, the last overridden by `is_float`.
    ///
    /// # Errors
    /// More channels than WAV can hold.
    pub(crate) fn of_source(format: &Format, is_float: bool) -> Result<Self> {
        let n_channels = u16::try_from(format.n_channels)
            .with_context(|| format!("{} channels are more than WAV can hold", format.n_channels))?;
        let depth = if is_float { Depth::Float32 } else { Depth::of_source(format.depth) };
        Ok(Self { rate_hz: format.rate_hz, n_channels, channel_mask: format.channel_mask, depth })
    }

    /// Bytes per sample of all channels.
    fn block_align(&self) -> u64 {
        u64::from(self.n_channels) * self.depth.n_bytes() as u64
    }
}

/// Data bytes from which a header needs 64-bit lengths. What is left to 2^32 is ample for the header.
const RF64_FROM: u64 = u32::MAX as u64 - 1024;

/// A WAV header for `n_samples` samples per channel, `None` if unknown. With `has_room` it is long enough for either
/// form, so that one can replace the other. `before` are chunks that stand before the data, `n_behind` the bytes of those
/// behind.
fn header(spec: &Spec, n_samples: Option<u64>, has_room: bool, before: &[u8], n_behind: u64) -> Vec<u8> {
    const PCM: u16 = 1;
    const IEEE_FLOAT: u16 = 3;
    const EXTENSIBLE: u16 = 0xfffe;
    /// The bytes of a sub-format GUID behind its code: KSDATAFORMAT_SUBTYPE_WAVEFORMATEX.
    const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

    let is_float = spec.depth == Depth::Float32;
    let code = if is_float { IEEE_FLOAT } else { PCM };
    // Microsoft's rule: plain for up to two channels of 16 bits or floating point, extensible beyond. A mono or stereo
    // source with unusual positions keeps them.
    let default_mask = default_channel_mask(spec.n_channels);
    let mask = spec.channel_mask.unwrap_or(default_mask);
    let is_extensible = spec.n_channels > 2 || spec.depth == Depth::Int24 || mask != default_mask;
    let bits = spec.depth.n_bytes() as u16 * 8;

    let mut fmt = Vec::new();
    fmt.extend(if is_extensible { EXTENSIBLE } else { code }.to_le_bytes());
    fmt.extend(spec.n_channels.to_le_bytes());
    fmt.extend(spec.rate_hz.to_le_bytes());
    let bytes_per_second = u64::from(spec.rate_hz) * spec.block_align();
    fmt.extend(u32::try_from(bytes_per_second).unwrap_or(u32::MAX).to_le_bytes());
    fmt.extend((spec.block_align() as u16).to_le_bytes());
    fmt.extend(bits.to_le_bytes());
    if is_extensible {
        fmt.extend(22_u16.to_le_bytes());
        fmt.extend(bits.to_le_bytes());
        fmt.extend(mask.to_le_bytes());
        fmt.extend(code.to_le_bytes());
        fmt.extend(GUID_TAIL);
    } else if is_float {
        fmt.extend(0_u16.to_le_bytes());
    }

    let n_data = n_samples.map(|n_samples| n_samples.saturating_mul(spec.block_align()));
    let is_rf64 = has_room && n_data.is_some_and(|n_data| n_data >= RF64_FROM);
    let in_32_bits = |value: Option<u64>| match value {
        Some(value) if !is_rf64 => u32::try_from(value).unwrap_or(u32::MAX),
        _ => u32::MAX,
    };

    let mut chunks = before.to_vec();
    chunks.extend(b"fmt ");
    chunks.extend((fmt.len() as u32).to_le_bytes());
    chunks.extend(fmt);
    if is_float {
        chunks.extend(b"fact");
        chunks.extend(4_u32.to_le_bytes());
        chunks.extend(in_32_bits(n_samples).to_le_bytes());
    }
    chunks.extend(b"data");
    chunks.extend(in_32_bits(n_data).to_le_bytes());

    const DS64_LEN: u32 = 28;
    let n_reserved = if has_room { u64::from(DS64_LEN) + 8 } else { 0 };
    let n_riff = n_data
        .map(|n_data| n_data.saturating_add(n_data % 2 + 4 + n_reserved + chunks.len() as u64 + n_behind));
    let mut bytes = Vec::new();
    bytes.extend(if is_rf64 { b"RF64" } else { b"RIFF" });
    bytes.extend(in_32_bits(n_riff).to_le_bytes());
    bytes.extend(b"WAVE");
    if has_room {
        bytes.extend(if is_rf64 { b"ds64" } else { b"JUNK" });
        bytes.extend(DS64_LEN.to_le_bytes());
        for value in [n_riff, n_data, n_samples] {
            bytes.extend(if is_rf64 { value.unwrap_or(0) } else { 0 }.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
    }
    bytes.extend(chunks);
    bytes
}

/// The speaker positions that a count of channels means by itself (Microsoft's KSAUDIO_SPEAKER_* sets).
fn default_channel_mask(n_channels: u16) -> u32 {
    match n_channels {
        1 => 0x4,
        2 => 0x3,
        3 => 0x7,
        4 => 0x33,
        5 => 0x37,
        6 => 0x3f,
        7 => 0x13f,
        8 => 0x63f,
        _ => 0,
    }
}

/// A WAV being written.
pub struct WavWriter<W> {
    sink: W,
    spec: Spec,
    quantizer: Quantizer,
    bytes: Vec<u8>,
    has_room: bool,
    n_samples: u64,
    /// Chunks before the data, and behind them.
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl<W: Write> WavWriter<W> {
    /// Begins a WAV that is never rewound, of `n_samples` samples per channel where that is certain, with these chunks.
    ///
    /// # Errors
    /// Errors of the sink.
    pub fn streaming(mut sink: W, spec: Spec, n_samples: Option<u64>, chunks: Vec<u8>) -> Result<Self> {
        sink.write_all(&header(&spec, n_samples, false, &chunks, 0))?;
        Ok(Self::new(sink, spec, false, chunks))
    }

    fn new(sink: W, spec: Spec, has_room: bool, before: Vec<u8>) -> Self {
        let quantizer = Quantizer::new(spec.depth, spec.n_channels.into());
        let (bytes, behind) = (Vec::new(), Vec::new());
        Self { sink, spec, quantizer, bytes, has_room, n_samples: 0, before, behind }
    }

    /// Samples beyond full scale so far, over all channels; clipped unless the depth is floating point.
    pub(crate) fn n_over(&self) -> u64 {
        self.quantizer.n_over()
    }

    /// Ends the data and returns the sink.
    ///
    /// # Errors
    /// Errors of the sink.
    pub(crate) fn finish_streaming(mut self) -> Result<W> {
        let n_data = self.n_samples * self.spec.block_align();
        if n_data % 2 == 1 {
            self.sink.write_all(&[0])?;
        }
        self.sink.write_all(&self.behind)?;
        self.sink.flush()?;
        Ok(self.sink)
    }
}

impl<W: Write> SampleSink for WavWriter<W> {
    fn write(&mut self, block: &[&[f32]]) -> Result<()> {
        self.bytes.clear();
        self.quantizer.process(block, &mut self.bytes);
        self.sink.write_all(&self.bytes)?;
        self.n_samples += block.first().map_or(0, |channel| channel.len()) as u64;
        Ok(())
    }
}

impl<W: Write + Seek> WavWriter<W> {
    /// Begins a WAV in a file, of `n_samples` samples per channel where that is certain, with these chunks.
    ///
    /// # Errors
    /// Errors of the sink.
    pub(crate) fn seekable(mut sink: W, spec: Spec, n_samples: Option<u64>, chunks: Vec<u8>) -> Result<Self> {
        let has_room = n_samples.is_none_or(|n| n.saturating_mul(spec.block_align()) >= RF64_FROM);
        sink.write_all(&header(&spec, Some(0), has_room, &chunks, 0))?;
        Ok(Self::new(sink, spec, has_room, chunks))
    }

    /// Chunks to write behind the data: tags that the input had only there.
    pub(crate) fn set_behind(&mut self, chunks: Vec<u8>) {
        self.behind = chunks;
    }

    /// Ends the data, completes the header and returns the sink.
    ///
    /// # Errors
    /// Errors of the sink; data past 4 GiB from a source that was certain of less.
    pub fn finish(mut self) -> Result<W> {
        let (spec, has_room, n_samples) = (self.spec, self.has_room, self.n_samples);
        let (before, n_behind) = (std::mem::take(&mut self.before), self.behind.len() as u64);
        if !has_room && n_samples * spec.block_align() >= RF64_FROM {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge)).context(
                "the input is longer than it was at the start: denoise it again when nothing writes to it",
            );
        }
        let mut sink = self.finish_streaming()?;
        let end = sink.stream_position()?;
        sink.seek(SeekFrom::Start(0))?;
        sink.write_all(&header(&spec, Some(n_samples), has_room, &before, n_behind))?;
        sink.seek(SeekFrom::Start(end))?;
        sink.flush()?;
        Ok(sink)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const STEREO_16: Spec = Spec { rate_hz: 44_100, n_channels: 2, channel_mask: None, depth: Depth::Int16 };

    fn write(spec: Spec, n_samples: Option<u64>, blocks: &[&[&[f32]]]) -> Vec<u8> {
        let mut writer = WavWriter::seekable(Cursor::new(Vec::new()), spec, n_samples, Vec::new()).unwrap();
        for block in blocks {
            writer.write(block).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn hound_reads_every_depth_and_channel_count() {
        for depth in [Depth::Int16, Depth::Int24, Depth::Float32] {
            for n_channels in [1, 2, 3, 6] {
                for n_samples in [Some(3), None] {
                    let spec = Spec { n_channels, depth, ..STEREO_16 };
                    let channels = vec![[0.25_f32, -0.5, 0.0]; n_channels.into()];
                    let block: Vec<&[f32]> = channels.iter().map(|channel| &channel[..]).collect();
                    let bytes = write(spec, n_samples, &[&block]);
                    let mut reader = hound::WavReader::new(&bytes[..]).unwrap();
                    let read = reader.spec();
                    assert_eq!((read.channels, read.sample_rate), (n_channels, 44_100));
                    assert_eq!(usize::from(read.bits_per_sample), depth.n_bytes() * 8);
                    assert_eq!(reader.duration(), 3);
                    let first: Vec<f32> = if depth == Depth::Float32 {
                        reader.samples::<f32>().map(Result::unwrap).collect()
                    } else {
                        let full_scale = (1 << (depth.n_bytes() * 8 - 1)) as f32;
                        reader.samples::<i32>().map(|sample| sample.unwrap() as f32 / full_scale).collect()
                    };
                    let n_channels = usize::from(n_channels);
                    assert_eq!(first.len(), 3 * n_channels);
                    for (index, sample) in first.iter().enumerate() {
                        // 16 bits are dithered by up to one step and a half.
                        let off = (sample - channels[0][index / n_channels]).abs();
                        assert!(off <= 1.5 / 32_768.0, "{depth:?} {off}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_plain_form_is_the_canonical_44_bytes() {
        let bytes = write(STEREO_16, Some(1), &[&[&[0.0], &[0.0]]]);
        assert_eq!(bytes.len(), 44 + 4);
        assert_eq!(&bytes[4..8], 40_u32.to_le_bytes());
        assert_eq!(&bytes[40..44], 4_u32.to_le_bytes());
    }

    #[test]
    fn an_odd_number_of_bytes_is_padded() {
        let spec = Spec { n_channels: 1, depth: Depth::Int24, ..STEREO_16 };
        let bytes = write(spec, Some(1), &[&[&[0.0]]]);
        assert_eq!(bytes.len() % 2, 0);
        assert_eq!(&bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes());
    }

    #[test]
    fn a_stream_states_its_length_only_where_it_is_known() {
        let mut writer = WavWriter::streaming(Vec::new(), STEREO_16, None, Vec::new()).unwrap();
        writer.write(&[&[0.5, 0.5], &[0.5, 0.5]]).unwrap();
        let bytes = writer.finish_streaming().unwrap();
        assert_eq!(bytes.len(), 44 + 8);
        assert_eq!(&bytes[4..8], &[0xff; 4]);
        assert_eq!(&bytes[40..44], &[0xff; 4]);
        let writer = WavWriter::streaming(Vec::new(), STEREO_16, Some(2), Vec::new()).unwrap();
        assert_eq!(writer.finish_streaming().unwrap()[40..44], 8_u32.to_le_bytes());
    }

    #[test]
    fn past_4_gib_the_header_becomes_rf64_of_the_same_length() {
        let n_samples = 2_000_000_000_u64;
        let small = header(&STEREO_16, Some(10), true, &[], 0);
        let large = header(&STEREO_16, Some(n_samples), true, &[], 0);
        assert_eq!(small.len(), large.len());
        assert_eq!((&small[..4], &small[12..16]), (&b"RIFF"[..], &b"JUNK"[..]));
        assert_eq!((&large[..4], &large[12..16]), (&b"RF64"[..], &b"ds64"[..]));
        let n_data = n_samples * 4;
        assert_eq!(large[20..28], (n_data + large.len() as u64 - 8).to_le_bytes());
        assert_eq!(large[28..36], n_data.to_le_bytes());
        assert_eq!(large[36..44], n_samples.to_le_bytes());
        assert_eq!(large[large.len() - 4..], [0xff; 4]);
    }

    #[test]
    fn chunks_stand_on_either_side_of_the_data() {
        let chunk = b"bext\x02\0\0\0ab".to_vec();
        let sink = Cursor::new(Vec::new());
        let mut writer = WavWriter::seekable(sink, STEREO_16, Some(1), chunk.clone()).unwrap();
        writer.write(&[&[0.0], &[0.0]]).unwrap();
        writer.set_behind(chunk.clone());
        let bytes = writer.finish().unwrap().into_inner();
        assert_eq!(bytes[12..22], chunk[..]);
        assert_eq!(bytes[bytes.len() - 10..], chunk[..]);
        assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes());
        assert_eq!(hound::WavReader::new(&bytes[..]).unwrap().duration(), 1);
    }

    #[test]
    fn positions_are_kept() {
        let mask_of = |channel_mask, n_channels| {
            let bytes = header(&Spec { channel_mask, n_channels, ..STEREO_16 }, Some(0), false, &[], 0);
            let is_extensible = bytes[20..22] == [0xfe, 0xff];
            is_extensible.then(|| u32::from_le_bytes(bytes[40..44].try_into().unwrap()))
        };
        assert_eq!(mask_of(Some(0x60f), 6), Some(0x60f));
        assert_eq!(mask_of(None, 6), Some(0x3f));
        assert_eq!(mask_of(Some(0x3), 2), None);
        assert_eq!(mask_of(Some(0x30), 2), Some(0x30));
    }
}
