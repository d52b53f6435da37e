//! Parameters for a track's decoder that symphonia's readers leave out or take for something else.

use anyhow::Result;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_ALAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::formats::FormatReader;

use crate::decode::edits::TrackEdits;
use crate::decode::foreign::foreign;
use crate::decode::frames::{Family, Header, is_wide_mono};
use crate::decode::xing::{EncoderInfo, usual_delay};
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
                opus::plain_head(n_channels, delay.unwrap_or(0))
            }
        };
        params.with_extra_data(head.into());
    }
    params
}

/// Facts by the first packet of a track of MPEG audio: MP4 has one number for all three layers.
pub struct First {
    /// The layer.
    pub codec: AudioCodecId,
    /// Samples at the start that no container has to state: see [`usual_delay`].
    pub delay: u64,
}

/// Looks at the first packet of a track of MPEG audio.
///
/// # Errors
/// Its packets break the reader, or are of a kind that is not decoded.
pub fn first(reader: &mut dyn FormatReader, track_id: u32, container: &str) -> Result<First> {
    /// Packets of all tracks.
    const MAX_LOOK: usize = 2_000;
    for _ in 0..MAX_LOOK {
        match foreign(|| reader.next_packet())? {
            Ok(Some(packet)) if packet.track_id == track_id => {
                if is_wide_mono(&packet.data) {
                    return Err(refusal::codec(container, refusal::WIDE_MONO));
                }
                let Some(header) = Header::read(&packet.data) else { break };
                let codec = match header.family {
                    Family::Layer(1) => CODEC_ID_MP1,
                    Family::Layer(2) => CODEC_ID_MP2,
                    _ => CODEC_ID_MP3,
                };
                let is_info = EncoderInfo::read(&header, &packet.data).is_some();
                let delay = if is_info { 0 } else { usual_delay(&header, &packet.data) };
                return Ok(First { codec, delay });
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    Ok(First { codec: CODEC_ID_MP3, delay: 0 })
}
