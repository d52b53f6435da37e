//! Decodes one packet at a time: Opus by a decoder of its own, everything else by symphonia's.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, anyhow, bail};
use opus_decoder::OpusMultistreamDecoder;
use symphonia::core::codecs::audio::well_known::{self as ids, CODEC_ID_AAC, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::{SourceDepth, refusal, wave_mask};

/// Opus always runs at this rate.
pub const OPUS_RATE_HZ: u32 = 48_000;
/// The longest Opus packet, in samples: 120 ms.
const OPUS_MAX: usize = 5760;

/// What was decoded from a packet.
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
        symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
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

    /// What the output's depth follows.
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
            Self::Opus(stream) => Ok((stream.decode(data, block), Some(OPUS_RATE_HZ))),
            Self::Symphonia(decoder) => {
                let packet = Packet::new(0, Timestamp::ZERO, Duration::new(n_samples), data);
                match decoder.decode(&packet) {
                    Ok(buffer) => {
                        let rate_hz = buffer.spec().rate();
                        buffer.copy_to_vecs_planar(block);
                        Ok((Outcome::Decoded, Some(rate_hz)))
                    }
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

/// An Opus stream (RFC 7845).
pub struct OpusStream {
    decoder: OpusMultistreamDecoder,
    n_channels: usize,
    /// Samples that the encoder was late: to be dropped.
    pub pre_skip: u64,
    gain: f32,
    /// For each output channel, the decoder's.
    order: &'static [usize],
    interleaved: Vec<f32>,
}

impl OpusStream {
    /// A stream by its identification header.
    ///
    /// # Errors
    /// The header makes no sense, or is of a mapping without speaker positions.
    pub fn new(head: &[u8]) -> Result<Self> {
        /// The order of channels in Vorbis (and Opus) for WAV's: RFC 7845, 5.1.1.2.
        const ORDER: [&[usize]; 8] = [
            &[0],
            &[0, 1],
            &[0, 2, 1],
            &[0, 1, 2, 3],
            &[0, 2, 1, 3, 4],
            &[0, 2, 1, 5, 3, 4],
            &[0, 2, 1, 6, 5, 3, 4],
            &[0, 2, 1, 7, 5, 6, 3, 4],
        ];
        let Some(fixed) = head.first_chunk::<19>().filter(|head| head.starts_with(b"OpusHead")) else {
            bail!("has no description of its Opus stream: it is damaged");
        };
        let n_channels = usize::from(fixed[9]);
        let pre_skip = u64::from(u16::from_le_bytes([fixed[10], fixed[11]]));
        let gain_db = f32::from(i16::from_le_bytes([fixed[16], fixed[17]])) / 256.0;
        let (n_streams, n_coupled, mapping) = match (fixed[18], n_channels) {
            (0, 1) => (1, 0, vec![0]),
            (0, 2) => (1, 1, vec![0, 1]),
            (1, 1..=8) => {
                let Some(table) = head.get(19..21 + n_channels) else {
                    bail!("has no channel mapping for its Opus stream: it is damaged");
                };
                (usize::from(table[0]), usize::from(table[1]), table[2..].to_vec())
            }
            (family, n) => {
                return Err(refusal::codec("ogg", &format!("Opus with {n} channels of mapping {family}")));
            }
        };
        let decoder = OpusMultistreamDecoder::new(OPUS_RATE_HZ, n_channels, n_streams, n_coupled, &mapping)
            .map_err(|error| {
            anyhow!("has an Opus stream that makes no sense ({error}): it is damaged")
        })?;
        Ok(Self {
            decoder,
            n_channels,
            pre_skip,
            gain: 10_f32.powf(gain_db / 20.0),
            order: ORDER[n_channels - 1],
            interleaved: vec![0.0; OPUS_MAX * n_channels],
        })
    }

    /// Speaker positions as WAV has them, for more than two channels.
    pub fn channel_mask(&self) -> Option<u32> {
        [None, None, Some(0x7), Some(0x33), Some(0x37), Some(0x3f), Some(0x70f), Some(0x63f)]
            [self.n_channels - 1]
    }

    fn decode(&mut self, data: &[u8], block: &mut Vec<Vec<f32>>) -> Outcome {
        block.resize_with(self.n_channels, Vec::new);
        block.iter_mut().for_each(Vec::clear);
        if data.is_empty() {
            return Outcome::Damaged;
        }
        let (decoder, interleaved) = (&mut self.decoder, &mut self.interleaved);
        // A damaged packet must not cost the file: some of the decoder's checks are assertions.
        let result = catch_unwind(AssertUnwindSafe(|| decoder.decode_float(data, interleaved, false)));
        let Ok(Ok(n_samples)) = result else {
            if result.is_err() {
                self.decoder.reset();
            }
            return Outcome::Damaged;
        };
        for (channel, &from) in block.iter_mut().zip(self.order) {
            let samples =
                self.interleaved[..n_samples * self.n_channels].iter().skip(from).step_by(self.n_channels);
            channel.extend(samples.map(|sample| sample * self.gain));
        }
        Outcome::Decoded
    }
}

/// Samples of an Opus packet (RFC 6716, 3.1 and 3.2), 0 if it makes no sense.
pub fn opus_duration(packet: &[u8]) -> u64 {
    let Some(&toc) = packet.first() else { return 0 };
    let frame = match toc >> 3 {
        config @ 0..12 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..16 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let n_frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1).copied().unwrap_or(0) & 63),
    };
    let n_samples = frame * n_frames;
    if n_samples <= OPUS_MAX as u64 { n_samples } else { 0 }
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
        ids::CODEC_ID_FLAC | ids::CODEC_ID_ALAC => SourceDepth::Int(params.bits_per_sample.unwrap_or(24)),
        _ => match params.bits_per_sample.or(params.bits_per_coded_sample) {
            Some(bits) if is_pcm(params.codec) => SourceDepth::Int(bits),
            _ => SourceDepth::Lossy,
        },
    }
}

fn is_pcm(codec: AudioCodecId) -> bool {
    (ids::CODEC_ID_PCM_S32LE..=ids::CODEC_ID_PCM_F64BE_PLANAR).contains(&codec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_opus_packets() {
        assert_eq!(opus_duration(&[]), 0);
        // SILK 20 ms, one frame; CELT 2.5 ms, two; hybrid 10 ms, three; too many.
        assert_eq!(opus_duration(&[1 << 3]), 960);
        assert_eq!(opus_duration(&[16 << 3 | 1]), 240);
        assert_eq!(opus_duration(&[12 << 3 | 3, 3]), 1440);
        assert_eq!(opus_duration(&[3 << 3 | 3, 63]), 0);
    }

    #[test]
    fn headers_of_opus_streams() {
        let head = |n_channels: u8, family: u8, more: &[u8]| {
            let fixed = [&b"OpusHead\x01"[..], &[n_channels, 0x38, 1, 0, 0, 0, 0, 0, 0, family]].concat();
            OpusStream::new(&[fixed, more.to_vec()].concat())
        };
        assert_eq!(head(2, 0, &[]).unwrap().pre_skip, 312);
        assert_eq!(head(6, 1, &[4, 2, 0, 4, 1, 2, 3, 5]).unwrap().channel_mask(), Some(0x3f));
        for (n_channels, family, more) in
            [(0, 0, &[][..]), (3, 0, &[]), (6, 1, &[4, 2, 0]), (2, 1, &[1, 0, 9, 9]), (4, 3, &[])]
        {
            assert!(head(n_channels, family, more).is_err(), "{n_channels} {family}");
        }
        assert!(OpusStream::new(b"OpusHead").is_err());
    }
}
