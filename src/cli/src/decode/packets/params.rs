//! Parameters for a track's decoder that symphonia's readers leave out or take for something else.

use std::num::NonZero;

use anyhow::Result;
use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ADPCM_IMA_QT, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2,
    CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::formats::{FormatReader, Track};
use symphonia::core::units::{Duration, TimeBase};

use super::packet_table::Valid;
use crate::decode::blocks::CODEC_ID_WAVE;
use crate::decode::edits::TrackEdits;
use crate::decode::foreign::foreign;
use crate::decode::frames::{Family, Header, is_wide_mono};
use crate::decode::matroska::Packing;
use crate::decode::sample_table::{inner_box, shape};
use crate::decode::xing::{EncoderInfo, USUAL_DELAY, usual_delay};
use crate::decode::{opus, refusal};

/// A track's description, corrected by what `said` found in an MP4's boxes; `delay` in samples, of Opus.
pub fn settled(
    params: &AudioCodecParameters,
    said: Option<&TrackEdits>,
    is_mp4: bool,
    delay: Option<u32>,
) -> AudioCodecParameters {
    let mut params = params.clone();
    if let Some(codec) = said.and_then(|said| said.pcm) {
        params.for_codec(codec);
    }
    if let Some(cookie) = said.and_then(|said| said.alac.as_ref()) {
        params.for_codec(CODEC_ID_ALAC).with_extra_data(cookie.clone().into());
    }
    if let Some(headers) = said.and_then(|said| said.esds.as_ref()).and_then(|esds| esds.vorbis_headers()) {
        params.for_codec(CODEC_ID_VORBIS).with_extra_data(headers.into());
    }
    if params.codec == CODEC_ID_OPUS {
        let head = match params.extra_data.as_deref() {
            Some(head) if is_mp4 => opus::head_of_mp4(head),
            Some(head) => head.to_vec(),
            None => {
                let n_channels = params.channels.as_ref().map_or(1, |channels| channels.count());
                opus::plain_head(n_channels, delay.unwrap_or(opus::USUAL_DELAY))
            }
        };
        params.with_extra_data(head.into());
    }
    params
}

/// A track as it describes itself, where symphonia refuses the file for the sake of another one, or of its tables; `None`
/// if its codec is none of those that need no more than this.
pub fn described(said: &TrackEdits) -> Option<Track> {
    let inner = |name: &[u8; 4]| inner_box(&said.tables.stsd, *name);
    let mut params = AudioCodecParameters::new();
    let (codec, extra) = match &said.codec {
        b"mp4a" => {
            let esds = said.esds.as_ref()?;
            match esds.object_type {
                0x40 | 0x66..=0x68 => (CODEC_ID_AAC, esds.specific.clone()),
                0x69 | 0x6b => (CODEC_ID_MP3, Vec::new()),
                _ => (CODEC_ID_VORBIS, esds.vorbis_headers()?),
            }
        }
        b".mp1" | b".mp2" | b".mp3" | [b'm', b's', 0, 0x50 | 0x55] => (CODEC_ID_MP3, Vec::new()),
        code @ [b'm', b's', 0, _] => (CODEC_ID_WAVE, inner(code)?.to_vec()),
        b"ima4" => {
            let (n_channels, _, rate_hz) = shape(&said.tables.stsd, said.timescale)?;
            params
                .with_channels(Channels::Discrete(u16::try_from(n_channels).ok()?))
                .with_sample_rate(rate_hz);
            (CODEC_ID_ADPCM_IMA_QT, Vec::new())
        }
        b"alac" => (CODEC_ID_ALAC, inner(b"alac")?.get(4..)?.to_vec()),
        b"Opus" => (CODEC_ID_OPUS, [b"OpusHead", inner(b"dOps")?].concat()),
        b"fLaC" => {
            let info: &[u8; 34] = inner(b"dfLa")?.get(8..)?.first_chunk()?;
            let n_bits = (info[12] & 1) << 4 | info[13] >> 4;
            params.with_bits_per_sample(u32::from(n_bits) + 1);
            (CODEC_ID_FLAC, info.to_vec())
        }
        _ => return None,
    };
    params.for_codec(codec);
    if !extra.is_empty() {
        params.with_extra_data(extra.into());
    }
    let mut track = Track::new(said.track_id);
    track.with_codec_params(CodecParameters::Audio(params)).with_duration(Duration::new(said.duration));
    track.with_time_base(TimeBase::from_recip(NonZero::new(said.timescale)?));
    Some(track)
}

/// Facts by the first packet of a track of MPEG audio: MP4 has one number for all three layers.
pub struct First {
    /// The layer.
    pub codec: AudioCodecId,
    /// Samples of a packet.
    n_packet: u64,
    /// Samples at the start that no container has to state: see [`usual_delay`].
    pub delay: u64,
    /// The encoder's own header, if the first packet is one.
    pub info: Option<EncoderInfo>,
}

impl First {
    /// The part that is sound of a track of `n_packets`, if the encoder's header counts them and states its delay;
    /// without that header's own packet.
    pub fn valid(&self, n_packets: u64) -> Option<Valid> {
        let info = self.info?;
        let (start, padding) = info.trim?;
        let n_all = info.n_frames.filter(|n| n + 1 == n_packets)? * self.n_packet;
        let n_samples = n_all.checked_sub(start + padding)?;
        Some(Valid { start, n_samples })
    }
}

/// Looks at the first packet of a track of MPEG audio.
///
/// # Errors
/// Its packets break the reader, or are of a kind that is not decoded.
pub fn first(
    reader: &mut dyn FormatReader,
    track_id: u32,
    container: &str,
    packing: &Packing,
) -> Result<First> {
    /// Packets of all tracks.
    const MAX_LOOK: usize = 2_000;
    for _ in 0..MAX_LOOK {
        match foreign(|| reader.next_packet())? {
            Ok(Some(packet)) if packet.track_id == track_id => {
                let data = packing.unpacked(&packet.data);
                if is_wide_mono(&data) {
                    return Err(refusal::codec(container, refusal::WIDE_MONO));
                }
                let Some(header) = Header::read(&data) else { break };
                let codec = match header.family {
                    Family::Layer(1) => CODEC_ID_MP1,
                    Family::Layer(2) => CODEC_ID_MP2,
                    _ => CODEC_ID_MP3,
                };
                let info = EncoderInfo::read(&header, &data);
                let delay = match info {
                    Some(info) => info.trim.map_or(USUAL_DELAY, |(start, _)| start),
                    None => usual_delay(&header, &data),
                };
                return Ok(First { codec, n_packet: header.n_samples, delay, info });
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    Ok(First { codec: CODEC_ID_MP3, n_packet: 0, delay: 0, info: None })
}
