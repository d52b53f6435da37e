//! Decodes the frames of one run of an MPEG stream.

use anyhow::Result;
use symphonia::core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::aac::AacStream;
use super::frames::{Family, Header, allowed};
use super::refusal;
use super::runs::Run;
use crate::decode::foreign::foreign;

/// A decoder for one run.
pub enum FrameDecoder {
    /// MPEG audio.
    Layer(Box<dyn AudioDecoder>),
    /// AAC in ADTS or LATM.
    Aac(Box<AacStream>),
}

impl FrameDecoder {
    /// A decoder that knows no frame yet.
    ///
    /// # Errors
    /// The codec's profile is not decoded.
    pub fn new(run: &Run) -> Result<Self> {
        if let Some(stream) = run.aac_stream("adts")? {
            return Ok(Self::Aac(Box::new(stream)));
        }
        let id = match run.header.family {
            Family::Layer(1) => CODEC_ID_MP1,
            Family::Layer(2) => CODEC_ID_MP2,
            _ => CODEC_ID_MP3,
        };
        let channels = if run.n_channels == 1 { CHANNEL_LAYOUT_MONO } else { CHANNEL_LAYOUT_STEREO };
        let mut params = AudioCodecParameters::new();
        params.for_codec(id).with_sample_rate(run.rate_hz).with_channels(channels);
        let options = AudioDecoderOptions::default();
        foreign(|| symphonia::default::get_codecs().make_audio_decoder(&params, &options))?
            .map(Self::Layer)
            .map_err(|error| refusal::damaged(format!("cannot be decoded ({error})")))
    }

    /// Decodes a frame into `block`, of the run's channels and as long as the frame is; false, and silence, if it cannot be.
    ///
    /// # Errors
    /// It breaks the decoder.
    pub fn decode(
        &mut self,
        run: &Run,
        header: &Header,
        frame: &[u8],
        block: &mut Vec<Vec<f32>>,
    ) -> Result<bool> {
        let n_samples = run.frame_samples(header);
        let content = run.content(header, frame);
        let is_good = match self {
            Self::Aac(stream) => stream.decode(content, block)? && block[0].len() as u64 == n_samples,
            Self::Layer(decoder) => {
                let content = allowed(content);
                let packet = Packet::new(0, Timestamp::ZERO, Duration::new(n_samples), &*content);
                foreign(|| match decoder.decode(&packet) {
                    Ok(buffer) if buffer.frames() as u64 <= n_samples && buffer.frames() > 0 => {
                        buffer.copy_to_vecs_planar(block);
                        true
                    }
                    _ => false,
                })?
            }
        };
        block.resize_with(run.n_channels, Vec::new);
        for channel in block.iter_mut() {
            if !is_good {
                channel.clear();
            }
            channel.resize(n_samples as usize, 0.0);
        }
        Ok(is_good)
    }
}
