//! Layout of a container of plain samples: codec, shape, start of the data and their stated length.

use super::metadata::Metadata;
use super::pcm::Encoding;
use super::source::SourceDepth;

/// How samples lie in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// One after the other.
    Pcm(Encoding),
    /// Blocks of Microsoft's ADPCM.
    AdpcmMs,
    /// Blocks of IMA ADPCM.
    AdpcmIma,
    /// Packets of QuickTime's IMA ADPCM.
    AdpcmQuickTime,
    /// MPEG audio frames: layers 1, 2 and 3.
    Mpeg,
}

impl Codec {
    /// The name that ffmpeg and most lists have for it.
    pub fn name(self, is_big_endian: bool) -> String {
        match self {
            Self::Pcm(encoding) => encoding.name(is_big_endian),
            Self::AdpcmMs => "adpcm_ms".to_owned(),
            Self::AdpcmIma => "adpcm_ima_wav".to_owned(),
            Self::AdpcmQuickTime => "adpcm_ima_qt".to_owned(),
            Self::Mpeg => "mpeg".to_owned(),
        }
    }

    /// The depth that the output's depth follows.
    pub fn depth(self) -> SourceDepth {
        match self {
            Self::Pcm(encoding) => encoding.depth(),
            Self::AdpcmMs | Self::AdpcmIma | Self::AdpcmQuickTime | Self::Mpeg => SourceDepth::Lossy,
        }
    }
}

/// The length that a header states for its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// This many bytes.
    Bytes(u64),
    /// None, or the placeholder of a writer that could not know it: to the end.
    Open,
}

/// Chunks that may follow the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Chunks with a four-letter name and 32 bits of length in this byte order, at even positions.
    Chunks {
        /// Whether the length is big-endian.
        is_big_endian: bool,
    },
    /// Chunks of Sony Wave64: 16 bytes of name and 64 bits of length, at multiples of 8.
    Wave64,
    /// Chunks of CAF: a four-letter name and 64 bits of length, big-endian.
    Caf,
    /// Nothing.
    Nothing,
}

/// A header that was read; the input stands at the first byte of the data.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The container, for people.
    pub container: &'static str,
    /// How samples lie in the data.
    pub codec: Codec,
    /// Byte order of the samples.
    pub is_big_endian: bool,
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Channels, at least 1.
    pub n_channels: usize,
    /// Speaker positions as WAVE_FORMAT_EXTENSIBLE has them, where they are stated.
    pub channel_mask: Option<u32>,
    /// Bytes per sample of all channels, or per block of a codec.
    pub block_align: usize,
    /// The stated length of the data.
    pub announced: Announced,
    /// Chunks that may follow.
    pub tail: Tail,
    /// Samples per channel that the header states beside the length of the data (a fact chunk).
    pub n_stated: Option<u64>,
    /// Samples per channel of silence in front of the data.
    pub n_silent_before: u64,
    /// Metadata for an output, read on the way.
    pub metadata: Metadata,
}
