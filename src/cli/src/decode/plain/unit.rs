//! Decodes the samples of a run of bytes: one by one, or block by block.

use anyhow::Result;
use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::ima4;
use crate::decode::foreign::foreign;
use crate::decode::layout::{Codec, Layout};
use crate::decode::refusal;

/// Decodes the smallest part that can be decoded alone.
pub enum Unit {
    /// A sample of every channel.
    Plain,
    /// A block of ADPCM.
    Block {
        /// Its decoder.
        decoder: Box<dyn AudioDecoder>,
        /// Samples per channel of a block.
        n_samples: usize,
    },
    /// A packet of QuickTime's ADPCM of every channel.
    QuickTime(Vec<ima4::Channel>),
}

impl Unit {
    /// For samples that lie as `layout` says.
    ///
    /// # Errors
    /// Its blocks make no sense.
    pub fn new(layout: &Layout) -> Result<Self> {
        let (n_channels, block) = (layout.n_channels, layout.block_align);
        // Header and first samples of every channel, then 4 bits per sample.
        let (id, n_head, n_first) = match layout.codec {
            Codec::AdpcmMs => (CODEC_ID_ADPCM_MS, 7 * n_channels, 2),
            Codec::AdpcmIma => (CODEC_ID_ADPCM_IMA_WAV, 4 * n_channels, 1),
            Codec::AdpcmQuickTime => return Ok(Self::QuickTime(vec![ima4::Channel::default(); n_channels])),
            _ => return Ok(Self::Plain),
        };
        if !(1..=2).contains(&n_channels) || block <= n_head {
            return Err(refusal::damaged(format!(
                "states {n_channels} channels of ADPCM in blocks of {block} bytes"
            )));
        }
        let n_samples = (block - n_head) * 2 / n_channels + n_first;
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(id)
            .with_sample_rate(layout.rate_hz)
            .with_channels(Channels::Discrete(n_channels as u16))
            .with_max_frames_per_packet(n_samples as u64)
            .with_frames_per_block(n_samples as u64);
        let codecs = symphonia::default::get_codecs();
        let decoder = foreign(|| codecs.make_audio_decoder(&params, &AudioDecoderOptions::default()))?
            .map_err(|error| refusal::damaged(format!("holds ADPCM that cannot be decoded ({error})")))?;
        Ok(Self::Block { decoder, n_samples })
    }

    /// Decodes whole units into `block`.
    ///
    /// # Errors
    /// They break the decoder; damaged ones become silence.
    pub fn decode(&mut self, layout: &Layout, bytes: &[u8], block: &mut Vec<Vec<f32>>) -> Result<()> {
        match (self, layout.codec) {
            (Self::Plain, Codec::Pcm(encoding)) => encoding.decode(bytes, layout.is_big_endian, block),
            (Self::Plain, _) => {}
            (Self::QuickTime(channels), _) => {
                let packets = bytes.chunks(ima4::BYTES);
                for ((channel, samples), packet) in channels.iter_mut().zip(&mut *block).zip(packets) {
                    samples.clear();
                    channel.decode(packet, samples);
                }
            }
            (Self::Block { decoder, n_samples }, _) => {
                let packet = Packet::new(0, Timestamp::ZERO, Duration::new(*n_samples as u64), bytes);
                let decoded =
                    foreign(|| decoder.decode(&packet).map(|buffer| buffer.copy_to_vecs_planar(block)));
                if decoded?.is_err() {
                    // A damaged block is as long as any.
                    block.iter_mut().for_each(|channel| {
                        channel.clear();
                        channel.resize(*n_samples, 0.0);
                    });
                }
            }
        }
        Ok(())
    }
}
