//! Decodes one packet at a time: Opus by a decoder of its own, everything else by symphonia's.

use anyhow::{Result, anyhow};
use symphonia::core::codecs::audio::well_known::{self as ids, CODEC_ID_AAC, CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::opus::{OpusStream, RATE_HZ as OPUS_RATE_HZ};
use super::{SourceDepth, refusal, wave_mask};
use crate::panics::foreign;

/// The samples of a decoded packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Samples, perhaps none (the first packet of some codecs).
    Decoded,
    /// Nothing: the packet is damaged.
    Damaged,
}

/// Decodes the packets of one stream.
pub enum PacketDecoder {
    /// By symphonia.
    Symphonia(Box<dyn AudioDecoder>),
    /// By the Opus decoder.
    Opus(Box<OpusStream>),
}

impl PacketDecoder {
    /// A decoder for a stream of `container`.
    ///
    /// # Errors
    /// The codec is not supported: named, with the command that converts it.
    pub fn new(params: &AudioCodecParameters, container: &str) -> Result<Self> {
        if params.codec == CODEC_ID_OPUS {
            let head = params.extra_data.as_deref().unwrap_or_default();
            return Ok(Self::Opus(Box::new(OpusStream::new(head)?)));
        }
        if params.codec == CODEC_ID_VORBIS {
            // symphonia 0.6.1 decodes coupled channels of more than two wrongly.
            let n_channels = params.extra_data.as_deref().and_then(|data| data.get(11)).copied().unwrap_or(0);
            if n_channels > 2 {
                return Err(refusal::codec(container, &format!("Vorbis with {n_channels} channels")));
            }
        }
        foreign(|| {
            symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default())
        })?
        .map(Self::Symphonia)
        .map_err(|error| match error {
            SymphoniaError::Unsupported(_) => refusal::codec(container, &codec_name(params)),
            error => anyhow!(error).context("cannot be decoded"),
        })
    }

    /// The codec's short name.
    pub fn name(&self) -> &str {
        match self {
            Self::Symphonia(decoder) => decoder.codec_info().short_name,
            Self::Opus(_) => "opus",
        }
    }

    /// The depth that the output's depth follows.
    pub fn depth(&self) -> SourceDepth {
        match self {
            Self::Symphonia(decoder) => source_depth(decoder.codec_params()),
            Self::Opus(_) => SourceDepth::Lossy,
        }
    }

    /// Decodes a packet, of `n_samples` as its container says, into `block`; the rate in Hz of what was decoded comes with
    /// it, where it is known.
    ///
    /// # Errors
    /// The decoder is of no further use.
    pub fn decode(
        &mut self,
        data: &[u8],
        n_samples: u64,
        block: &mut Vec<Vec<f32>>,
    ) -> Result<(Outcome, Option<u32>)> {
        match self {
            Self::Opus(stream) => {
                let is_good = foreign(|| stream.decode(data, block))?;
                Ok((if is_good { Outcome::Decoded } else { Outcome::Damaged }, Some(OPUS_RATE_HZ)))
            }
            Self::Symphonia(decoder) => {
                let packet = Packet::new(0, Timestamp::ZERO, Duration::new(n_samples), data);
                let decoded = foreign(|| {
                    decoder.decode(&packet).map(|buffer| {
                        buffer.copy_to_vecs_planar(block);
                        buffer.spec().rate()
                    })
                })?;
                match decoded {
                    Ok(rate_hz) => Ok((Outcome::Decoded, Some(rate_hz))),
                    Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                        Ok((Outcome::Damaged, None))
                    }
                    Err(error) => Err(anyhow!(error).context("cannot be decoded further")),
                }
            }
        }
    }

    /// Speaker positions of what was decoded last.
    pub fn channel_mask(&self) -> Option<u32> {
        match self {
            Self::Symphonia(decoder) => wave_mask(decoder.last_decoded().spec().channels()),
            Self::Opus(stream) => stream.channel_mask(),
        }
    }
}

/// A codec's name for people.
pub fn codec_name(params: &AudioCodecParameters) -> String {
    let name = match params.codec {
        CODEC_ID_AAC => match params.channels.as_ref().map(|channels| channels.count()) {
            Some(n) if n > 2 => return format!("AAC with {n} channels"),
            _ => "AAC of a profile other than LC",
        },
        ids::CODEC_ID_AC3 => "AC-3",
        ids::CODEC_ID_EAC3 => "E-AC-3",
        ids::CODEC_ID_DCA => "DTS",
        ids::CODEC_ID_TRUEHD => "TrueHD",
        ids::CODEC_ID_WAVPACK => "WavPack",
        ids::CODEC_ID_TTA => "True Audio",
        ids::CODEC_ID_MUSEPACK => "Musepack",
        ids::CODEC_ID_SPEEX => "Speex",
        _ => return "a codec that is not known here".to_owned(),
    };
    name.to_owned()
}

fn source_depth(params: &AudioCodecParameters) -> SourceDepth {
    match params.codec {
        ids::CODEC_ID_PCM_F32LE | ids::CODEC_ID_PCM_F32BE => SourceDepth::Float(32),
        ids::CODEC_ID_PCM_F64LE | ids::CODEC_ID_PCM_F64BE => SourceDepth::Float(64),
        ids::CODEC_ID_PCM_U8 | ids::CODEC_ID_PCM_S8 => SourceDepth::Int(8),
        // Companded to 8 bits; 16 hold all their values.
        ids::CODEC_ID_PCM_ALAW | ids::CODEC_ID_PCM_MULAW => SourceDepth::Int(16),
        // ALAC's own description has its depth in its sixth byte.
        ids::CODEC_ID_ALAC => {
            let depth = params.extra_data.as_deref().and_then(|data| data.get(5)).copied();
            SourceDepth::Int(depth.map_or(24, u32::from))
        }
        ids::CODEC_ID_FLAC => SourceDepth::Int(params.bits_per_sample.unwrap_or(24)),
        _ => match params.bits_per_sample.or(params.bits_per_coded_sample) {
            Some(bits) if is_pcm(params.codec) => SourceDepth::Int(bits),
            _ => SourceDepth::Lossy,
        },
    }
}

fn is_pcm(codec: AudioCodecId) -> bool {
    (ids::CODEC_ID_PCM_S32LE..=ids::CODEC_ID_PCM_F64BE_PLANAR).contains(&codec)
}
