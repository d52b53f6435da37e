//! The interface between a container's reader and the decoder: its format, its blocks, what it found.

use anyhow::Result;

use super::metadata::Metadata;

/// More channels than any recording has: a limit for the memory that a broken header can ask for.
pub(crate) const MAX_CHANNELS: usize = 64;

/// How the samples were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceDepth {
    /// Integers of this many bits, without loss.
    Int(u32),
    /// Floating point, 32 or 64 bits.
    Float(u32),
    /// A lossy codec: no depth of its own.
    Lossy,
}

/// Facts about a source that are known before its samples are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// Container and codec, for people: "wav, pcm_s16le".
    pub name: String,
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Number of channels, at least 1.
    pub n_channels: usize,
    /// Speaker positions as in WAVE_FORMAT_EXTENSIBLE, where the source states them.
    pub channel_mask: Option<u32>,
    /// How the samples were stored.
    pub depth: SourceDepth,
    /// Samples per channel that the source announces, after trimming.
    pub n_samples: Option<u64>,
}

/// A source's findings so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) n_damaged_samples: u64,
    pub(crate) n_gap_samples: u64,
    pub(crate) n_missing: u64,
    pub(crate) notes: Vec<String>,
}

/// The note on bytes that belong to no frame or page.
pub(crate) fn words_on_foreign(n_bytes: u64) -> String {
    match n_bytes {
        1 => "1 byte in it is no sound and was passed over".to_owned(),
        n => format!("{n} bytes in it are no sound and were passed over"),
    }
}

/// A container being decoded.
pub(crate) trait Source: Send {
    fn format(&self) -> &Format;

    /// Samples per channel that will come, where that is certain.
    fn exact_length(&self) -> Option<u64>;

    /// The next block, one vector per channel, of equal lengths; false at the end.
    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool>;

    fn findings(&self) -> Findings;

    /// Metadata for an output; complete after the last block.
    fn metadata(&self) -> &Metadata;

    /// Samples of silence that were put in front.
    fn lead_samples(&self) -> u64 {
        0
    }

    /// Samples that the file's times count and that were removed in front, as what an encoder of the kind adds.
    fn removed_samples(&self) -> u64 {
        0
    }
}
