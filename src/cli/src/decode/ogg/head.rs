//! A stream's description in Ogg: its first packets.

use anyhow::Result;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_FLAC, CODEC_ID_OPUS, CODEC_ID_VORBIS};

use crate::decode::codec::PacketDecoder;
use crate::decode::opus::RATE_HZ as OPUS_RATE_HZ;
use crate::decode::refusal;

/// A stream's codec and shape, by its first packet.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its codec.
    pub codec: Kind,
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Channels, at least 1.
    pub n_channels: usize,
    /// Samples to drop at the start.
    pub pre_skip: u64,
    packet: Vec<u8>,
}

/// The codecs that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RFC 7845.
    Opus,
    /// Vorbis I.
    Vorbis,
    /// FLAC to Ogg mapping 1.0.
    Flac,
}

impl Head {
    /// `None` for a stream that is no sound.
    ///
    /// # Errors
    /// It is damaged, or Speex.
    pub fn read(packet: &[u8]) -> Result<Option<Self>> {
        let long = |at: usize| packet.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let (codec, rate_hz, n_channels, pre_skip) = if packet.starts_with(b"OpusHead") && packet.len() >= 19
        {
            let pre_skip = u64::from(u16::from_le_bytes([packet[10], packet[11]]));
            (Kind::Opus, OPUS_RATE_HZ, packet[9], pre_skip)
        } else if packet.starts_with(b"\x01vorbis") && packet.len() >= 30 {
            (Kind::Vorbis, long(12).unwrap_or(0), packet[11], 0)
        } else if packet.starts_with(b"\x7fFLAC") && packet.len() >= 51 {
            let rate = u32::from(packet[27]) << 12 | u32::from(packet[28]) << 4 | u32::from(packet[29] >> 4);
            (Kind::Flac, rate, (packet[29] >> 1 & 7) + 1, 0)
        } else if packet.starts_with(b"Speex   ") {
            return Err(refusal::codec("ogg", "Speex"));
        } else {
            return Ok(None);
        };
        if rate_hz == 0 || n_channels == 0 {
            return Err(refusal::damaged(format!("states {n_channels} channels at {rate_hz} Hz")));
        }
        Ok(Some(Self { codec, rate_hz, n_channels: n_channels.into(), pre_skip, packet: packet.to_vec() }))
    }

    /// Packets before the first of sound, this one included.
    fn n_header_packets(&self) -> usize {
        match self.codec {
            Kind::Opus => 2,
            Kind::Vorbis => 3,
            // Says how many follow, 0 if it does not know; blocks have another first byte.
            Kind::Flac => 1,
        }
    }

    /// Whether the packet of this index is one of the stream's description.
    pub fn is_header(&self, index: usize, packet: &[u8]) -> bool {
        match self.codec {
            Kind::Flac => index == 0 || packet.first() != Some(&0xff),
            _ => index < self.n_header_packets(),
        }
    }

    /// The decoder, given the stream's third packet (Vorbis: codebooks).
    ///
    /// # Errors
    /// The description makes no sense.
    pub fn decoder(&self, setup: &[u8]) -> Result<PacketDecoder> {
        let mut params = AudioCodecParameters::new();
        params.with_sample_rate(self.rate_hz);
        let data = match self.codec {
            Kind::Opus => self.packet.clone(),
            Kind::Vorbis => [&self.packet[..], setup].concat(),
            Kind::Flac => self.packet[17..51].to_vec(),
        };
        let id = match self.codec {
            Kind::Opus => CODEC_ID_OPUS,
            Kind::Vorbis => CODEC_ID_VORBIS,
            Kind::Flac => CODEC_ID_FLAC,
        };
        params.for_codec(id).with_extra_data(data.into_boxed_slice());
        if self.codec == Kind::Flac {
            let bits = (u32::from(self.packet[29] & 1) << 4 | u32::from(self.packet[30] >> 4)) + 1;
            params.with_bits_per_sample(bits);
        }
        PacketDecoder::new(&params, "ogg")
    }
}
