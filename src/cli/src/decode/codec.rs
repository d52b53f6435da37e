//! Decodes one packet at a time: AAC, Opus and Vorbis of many channels by decoders of their own, all else by symphonia's.

use anyhow::Result;
use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::well_known::{self as ids, CODEC_ID_AAC, CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::aac::{self, AacStream};
use super::blocks::BlockStream;
use super::flac;
use super::frames::allowed;
use super::opus::{OpusStream, RATE_HZ as OPUS_RATE_HZ};
use super::refusal;
use super::source::SourceDepth;
use super::vorbis::VorbisStream;
use crate::decode::foreign::foreign;

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
    /// AAC.
    Aac(Box<AacStream>),
    /// Opus.
    Opus(Box<OpusStream>),
    /// Vorbis of more than two channels.
    Vorbis(Box<VorbisStream>),
    /// Samples or blocks as in a WAV.
    Blocks(Box<BlockStream>),
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
        if params.codec == CODEC_ID_AAC {
            let stream = AacStream::described(&aac::config(params), container)?;
            return Ok(Self::Aac(Box::new(stream)));
        }
        if params.codec == CODEC_ID_VORBIS {
            let headers = params.extra_data.as_deref().unwrap_or_default();
            if headers.get(11).is_some_and(|&n_channels| n_channels > 2) {
                return Ok(Self::Vorbis(Box::new(VorbisStream::new(headers)?)));
            }
        }
        if let Some(stream) = BlockStream::new(params, container)? {
            return Ok(Self::Blocks(Box::new(stream)));
        }
        let mut params = params.clone();
        if let Some(info) = params.extra_data.as_deref().and_then(|data| data.first_chunk())
            && params.codec == ids::CODEC_ID_FLAC
        {
            params.extra_data = Some(flac::widened(info).into());
        }
        let params = &params;
        foreign(|| {
            symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default())
        })?
        .map(Self::Symphonia)
        .map_err(|error| match error {
            SymphoniaError::Unsupported(_) => refusal::codec(container, &codec_name(params)),
            error => refusal::damaged(format!("cannot be decoded ({error})")),
        })
    }

    /// The codec's short name.
    pub fn name(&self) -> &str {
        match self {
            Self::Symphonia(decoder) => decoder.codec_info().short_name,
            Self::Aac(_) => "aac",
            Self::Opus(_) => "opus",
            Self::Vorbis(_) => "vorbis",
            Self::Blocks(stream) => stream.name(),
        }
    }

    /// The depth that the output's depth follows.
    pub fn depth(&self) -> SourceDepth {
        match self {
            Self::Symphonia(decoder) => source_depth(decoder.codec_params()),
            Self::Aac(_) | Self::Opus(_) | Self::Vorbis(_) => SourceDepth::Lossy,
            Self::Blocks(stream) => stream.depth(),
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
            Self::Aac(stream) => {
                let is_good = stream.decode(data, block)?;
                let rate_hz = stream.shape().map(|shape| shape.rate_hz);
                Ok((if is_good { Outcome::Decoded } else { Outcome::Damaged }, rate_hz))
            }
            Self::Vorbis(stream) => {
                let is_good = stream.decode(data, block)?;
                let rate_hz = stream.rate_hz();
                Ok((if is_good { Outcome::Decoded } else { Outcome::Damaged }, Some(rate_hz)))
            }
            Self::Blocks(stream) => {
                let is_good = stream.decode(data, block)?;
                Ok((if is_good { Outcome::Decoded } else { Outcome::Damaged }, Some(stream.rate_hz())))
            }
            Self::Symphonia(decoder) => {
                // The decoder takes anything for sound.
                if decoder.codec_params().codec == ids::CODEC_ID_FLAC && !flac::is_whole(data) {
                    return Ok((Outcome::Damaged, None));
                }
                let is_layer_2 = decoder.codec_params().codec == ids::CODEC_ID_MP2;
                let data = if is_layer_2 { allowed(data) } else { data.into() };
                let packet = Packet::new(0, Timestamp::ZERO, Duration::new(n_samples), &*data);
                let decoded = foreign(|| {
                    decoder.decode(&packet).map(|buffer| {
                        buffer.copy_to_vecs_planar(block);
                        buffer.spec().rate()
                    })
                })?;
                if decoder.codec_params().codec == ids::CODEC_ID_ALAC {
                    order_alac(block);
                }
                match decoded {
                    Ok(rate_hz) => Ok((Outcome::Decoded, Some(rate_hz))),
                    Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                        Ok((Outcome::Damaged, None))
                    }
                    Err(error) => Err(refusal::damaged(format!("cannot be decoded further ({error})"))),
                }
            }
        }
    }

    /// Speaker positions of what was decoded last.
    pub fn channel_mask(&self) -> Option<u32> {
        match self {
            Self::Symphonia(decoder) => {
                let channels = decoder.last_decoded().spec().channels().clone();
                let is_alac = decoder.codec_params().codec == ids::CODEC_ID_ALAC;
                alac_mask(channels.count()).filter(|_| is_alac).or_else(|| wave_mask(&channels))
            }
            Self::Aac(stream) => stream.shape().and_then(|shape| shape.channel_mask),
            Self::Opus(stream) => stream.channel_mask(),
            Self::Vorbis(stream) => stream.channel_mask(),
            Self::Blocks(stream) => stream.channel_mask(),
        }
    }
}

/// Brings seven and eight channels of ALAC into WAV's order. Its elements are, in their order, centre, then (of eight
/// channels) left and right of centre, left, right, back left, back right, (of seven) back centre, and LFE last; symphonia
/// 0.6.1 hands them out where `FROM` says.
fn order_alac(block: &mut Vec<Vec<f32>>) {
    const FROM: [[usize; 8]; 2] = [[2, 0, 1, 5, 6, 4, 3, 0], [2, 4, 5, 0, 1, 6, 7, 3]];
    const TO: [[usize; 8]; 2] = [[2, 0, 1, 4, 5, 6, 3, 0], [2, 6, 7, 0, 1, 4, 5, 3]];
    let n_channels = block.len();
    if n_channels < 7 {
        return;
    }
    let mut ordered = vec![Vec::new(); n_channels];
    for element in 0..n_channels.min(8) {
        let (from, to) = (FROM[n_channels.min(8) - 7][element], TO[n_channels.min(8) - 7][element]);
        ordered[to] = std::mem::take(&mut block[from]);
    }
    *block = ordered;
}

/// The positions of those channels.
fn alac_mask(n_channels: usize) -> Option<u32> {
    match n_channels {
        7 => Some(0x13f),
        8 => Some(0xff),
        _ => None,
    }
}

/// A codec's name for people.
pub fn codec_name(params: &AudioCodecParameters) -> String {
    let name = match params.codec {
        ids::CODEC_ID_AC3 => "AC-3",
        ids::CODEC_ID_EAC3 => "E-AC-3",
        ids::CODEC_ID_DCA => "DTS",
        ids::CODEC_ID_TRUEHD => "TrueHD",
        ids::CODEC_ID_WAVPACK => "WavPack",
        ids::CODEC_ID_TTA => "True Audio",
        ids::CODEC_ID_MUSEPACK => "Musepack",
        ids::CODEC_ID_SPEEX => "Speex",
        _ => refusal::UNKNOWN,
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

/// The channels as a WAVE_FORMAT_EXTENSIBLE mask; `None` where the source names no positions it could express.
pub(super) fn wave_mask(channels: &Channels) -> Option<u32> {
    /// The 18 positions that WAVE knows.
    const STANDARD: u64 = (1 << 18) - 1;
    match channels {
        // symphonia reports any mono so.
        Channels::Positioned(Position::FRONT_LEFT) => None,
        Channels::Positioned(positions) if positions.bits() & !STANDARD == 0 => Some(positions.bits() as u32),
        _ => None,
    }
}
