//! Samples, or blocks of ADPCM, as a WAV has them, in the packets of another container: Matroska's A_MS/ACM and PCM of 8
//! bits, QuickTime's ADPCM.

use anyhow::Result;
use symphonia::core::codecs::audio::well_known::CODEC_ID_ADPCM_IMA_QT;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::common::FourCc;

use super::layout::{Announced, Codec, Layout, Tail};
use super::metadata::Metadata;
use super::plain::ima4;
use super::plain::unit::Unit;
use super::riff;
use super::source::SourceDepth;

/// A codec by a WAV's description (a `fmt ` chunk), which is the track's extra data.
pub const CODEC_ID_WAVE: AudioCodecId = AudioCodecId::new(FourCc::new(*b"wave"));

/// Decodes the packets of one track.
pub struct BlockStream {
    layout: Layout,
    unit: Unit,
    name: String,
    one: Vec<Vec<f32>>,
}

impl BlockStream {
    /// A decoder for a stream of `container`; `None` for any other codec.
    ///
    /// # Errors
    /// The codec is not supported: named, with the command that converts it.
    pub fn new(params: &AudioCodecParameters, container: &str) -> Result<Option<Self>> {
        let container = if container == "matroska" { "matroska" } else { "isomp4" };
        let layout = match params.codec {
            CODEC_ID_WAVE => riff::described(params.extra_data.as_deref().unwrap_or_default(), container)?,
            CODEC_ID_ADPCM_IMA_QT => quicktime(params, container),
            _ => return Ok(None),
        };
        let name = layout.codec.name(layout.is_big_endian);
        Ok(Some(Self { unit: Unit::new(&layout)?, layout, name, one: Vec::new() }))
    }

    /// The codec's short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The depth that the output's depth follows.
    pub fn depth(&self) -> SourceDepth {
        self.layout.codec.depth()
    }

    /// Sample rate in Hz.
    pub fn rate_hz(&self) -> u32 {
        self.layout.rate_hz
    }

    /// Speaker positions, where they are stated.
    pub fn channel_mask(&self) -> Option<u32> {
        self.layout.channel_mask
    }

    /// Decodes a packet; false if it holds nothing whole.
    ///
    /// # Errors
    /// It breaks the decoder.
    pub fn decode(&mut self, data: &[u8], block: &mut Vec<Vec<f32>>) -> Result<bool> {
        block.clear();
        block.resize_with(self.layout.n_channels, Vec::new);
        let n_bytes = self.layout.block_align;
        let whole = &data[..data.len() / n_bytes * n_bytes];
        if matches!(self.unit, Unit::Plain) {
            self.unit.decode(&self.layout, whole, block)?;
            return Ok(!whole.is_empty());
        }
        self.one.resize_with(self.layout.n_channels, Vec::new);
        for bytes in whole.chunks_exact(n_bytes) {
            self.unit.decode(&self.layout, bytes, &mut self.one)?;
            for (all, one) in block.iter_mut().zip(&self.one) {
                all.extend_from_slice(one);
            }
        }
        Ok(!whole.is_empty())
    }
}

/// QuickTime's IMA ADPCM, of which nothing but rate and channels is said.
fn quicktime(params: &AudioCodecParameters, container: &'static str) -> Layout {
    let n_channels = params.channels.as_ref().map_or(1, |channels| channels.count());
    Layout {
        container,
        codec: Codec::AdpcmQuickTime,
        is_big_endian: true,
        rate_hz: params.sample_rate.unwrap_or(0),
        n_channels,
        channel_mask: None,
        block_align: ima4::BYTES * n_channels,
        announced: Announced::Open,
        tail: Tail::Nothing,
        n_stated: None,
        n_silent_before: 0,
        metadata: Metadata::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(fmt: &[u8]) -> Result<Option<BlockStream>> {
        let mut params = AudioCodecParameters::new();
        params.for_codec(CODEC_ID_WAVE).with_extra_data(fmt.into());
        BlockStream::new(&params, "matroska")
    }

    #[test]
    fn packets_are_read_as_a_wav_describes_them() {
        let fmt = [1, 0, 2, 0, 0x40, 0x1f, 0, 0, 0, 0, 0, 0, 2, 0, 8, 0];
        let mut unsigned = stream(&fmt).unwrap().unwrap();
        let mut block = Vec::new();
        assert!(unsigned.decode(&[128, 192, 64, 128, 7], &mut block).unwrap());
        assert_eq!((unsigned.name(), unsigned.rate_hz()), ("pcm_u8", 8_000));
        assert_eq!(block, [[0.0, -0.5], [0.5, 0.0]]);
        assert!(!unsigned.decode(&[7], &mut block).unwrap());
        // Blocks of 36 bytes, two in a packet.
        let fmt = [0x11, 0, 1, 0, 0x40, 0x1f, 0, 0, 0, 0, 0, 0, 36, 0, 4, 0, 2, 0, 65, 0];
        let mut ima = stream(&fmt).unwrap().unwrap();
        assert!(ima.decode(&[0; 80], &mut block).unwrap());
        assert_eq!((ima.name(), block[0].len()), ("adpcm_ima_wav", 130));
        let error = stream(&[&[0x31, 0][..], &fmt[2..]].concat()).err().unwrap().to_string();
        assert!(error.contains("GSM 6.10 (in matroska)"), "{error}");
        assert!(stream(&fmt[..9]).is_err());
    }
}
