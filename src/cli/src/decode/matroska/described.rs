//! Tracks of a Matroska file that symphonia has no name for: PCM of 8 bits, and what a WAV's description says (A_MS/ACM).

use std::fs::File;
use std::io::{Read, Seek};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::errors::Result;
use symphonia::core::formats::{FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::Metadata;
use symphonia::core::packet::Packet;

use super::{MAX_ELEMENTS, Walk};
use crate::decode::blocks::CODEC_ID_WAVE;

/// The longest description and name of a codec, in bytes.
const MAX_BYTES: u64 = 1 << 12;

/// The parameters of a file's tracks of these kinds, by their numbers. None of any other container.
pub fn tracks(file: &File) -> Vec<(u32, AudioCodecParameters)> {
    let mut found = Vec::new();
    if let Some(mut walk) = Walk::new(file) {
        let _ = walk.described(&mut found);
    }
    found
}

/// A track's entry.
#[derive(Default)]
struct Entry {
    number: u64,
    codec: Vec<u8>,
    private: Vec<u8>,
    rate_hz: f64,
    n_channels: u64,
    n_bits: u64,
}

impl Entry {
    fn params(&self) -> Option<(u32, AudioCodecParameters)> {
        let mut params = AudioCodecParameters::new();
        match &self.codec[..] {
            b"A_PCM/INT/LIT" if self.n_bits == 8 => {
                let (n_channels, rate_hz) = (self.n_channels.max(1) as u16, self.rate_hz.round() as u32);
                let fmt = [
                    &[1, 0][..],
                    &n_channels.to_le_bytes(),
                    &rate_hz.to_le_bytes(),
                    &[0; 4],
                    &n_channels.to_le_bytes(),
                    &[8, 0],
                ];
                params.for_codec(CODEC_ID_WAVE).with_extra_data(fmt.concat().into());
            }
            b"A_MS/ACM" => match self.private.first_chunk().map(|code| u16::from_le_bytes(*code))? {
                0x50 => {
                    params.for_codec(CODEC_ID_MP2);
                }
                0x55 => {
                    params.for_codec(CODEC_ID_MP3);
                }
                0xff if self.private.len() > 18 => {
                    params.for_codec(CODEC_ID_AAC).with_extra_data(self.private[18..].into());
                }
                _ => {
                    params.for_codec(CODEC_ID_WAVE).with_extra_data(self.private.clone().into());
                }
            },
            _ => return None,
        }
        Some((u32::try_from(self.number).ok()?, params))
    }
}

impl<R: Read + Seek> Walk<R> {
    /// The entries in front of the first cluster.
    fn described(&mut self, found: &mut Vec<(u32, AudioCodecParameters)>) -> Option<()> {
        let mut entry = Entry::default();
        for index in 0..MAX_ELEMENTS {
            let id = self.id().filter(|id| index > 0 || *id == 0x1a45_dfa3);
            let (Some(id), Some(len)) = (id, self.len()) else { break };
            match id {
                0x1f43_b675 => break,
                // Segment, Tracks, a track's sound.
                0x1853_8067 | 0x1654_ae6b | 0xe1 => {}
                0xae => {
                    found.extend(entry.params());
                    entry = Entry::default();
                }
                0xd7 => entry.number = self.number(len)?,
                0x86 => entry.codec = self.content(len?)?,
                0x63a2 => entry.private = self.content(len?)?,
                0xb5 => {
                    let bits = self.number(len)?;
                    let is_short = len == Some(4);
                    entry.rate_hz =
                        if is_short { f32::from_bits(bits as u32).into() } else { f64::from_bits(bits) };
                }
                0x9f => entry.n_channels = self.number(len)?,
                0x6264 => entry.n_bits = self.number(len)?,
                _ => self.skip(len?)?,
            }
        }
        found.extend(entry.params());
        Some(())
    }

    /// The content of an element; longer ones are passed over.
    fn content(&mut self, len: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len.min(MAX_BYTES) as usize];
        self.reader.read_exact(&mut bytes).ok()?;
        self.at += bytes.len() as u64;
        self.skip(len - bytes.len() as u64)?;
        Some(bytes)
    }
}

/// symphonia's reader, with those tracks described.
pub struct DescribedReader {
    inner: Box<dyn FormatReader>,
    tracks: Vec<Track>,
}

impl DescribedReader {
    /// The reader of a file that has these tracks; itself if it has none.
    pub fn of(
        inner: Box<dyn FormatReader>,
        described: Vec<(u32, AudioCodecParameters)>,
    ) -> Box<dyn FormatReader> {
        if described.is_empty() {
            return inner;
        }
        let mut tracks = inner.tracks().to_vec();
        for (number, params) in described {
            let nameless = tracks.iter_mut().find(|track| track.id == number && track.codec_params.is_none());
            if let Some(track) = nameless {
                track.codec_params = Some(CodecParameters::Audio(params));
            }
        }
        Box::new(Self { inner, tracks })
    }
}

impl FormatReader for DescribedReader {
    fn format_info(&self) -> &FormatInfo {
        self.inner.format_info()
    }

    fn media_info(&self) -> &MediaInfo {
        self.inner.media_info()
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.inner.metadata()
    }

    fn seek(&mut self, mode: SeekMode, to: SeekTo) -> Result<SeekedTo> {
        self.inner.seek(mode, to)
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        self.inner.next_packet()
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.inner.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x80 | content.len() as u8], content].concat()
    }

    #[test]
    fn tracks_without_a_name_are_described() {
        let entry = |number: u8, codec: &[u8], n_bits: u8, private: &[u8]| {
            let rate = element(&[0xb5], &8_000_f32.to_be_bytes());
            let sound = [rate, element(&[0x9f], &[2]), element(&[0x62, 0x64], &[n_bits])].concat();
            let parts =
                [element(&[0xd7], &[number]), element(&[0x86], codec), element(&[0x63, 0xa2], private)];
            element(&[0xae], &[parts.concat(), element(&[0xe1], &sound)].concat())
        };
        let parts = [
            entry(1, b"A_PCM/INT/LIT", 16, &[]),
            entry(2, b"A_PCM/INT/LIT", 8, &[]),
            entry(3, b"A_MS/ACM", 4, &[0x11, 0, 1, 0]),
            entry(4, b"A_MS/ACM", 0, &[0x55, 0, 1, 0]),
            entry(5, b"A_MS/ACM", 0, &[]),
        ];
        let mut bytes = element(&[0x1a, 0x45, 0xdf, 0xa3], b"webm");
        bytes.extend([0x18, 0x53, 0x80, 0x67, 0xff, 0x16, 0x54, 0xae, 0x6b, 0xff]);
        bytes.extend(parts.concat());
        bytes.extend([0x1f, 0x43, 0xb6, 0x75, 0xff]);
        let of = |bytes: &[u8]| {
            let reader = BufReader::new(Cursor::new(bytes.to_vec()));
            let mut found = Vec::new();
            Walk { reader, at: 0, end: bytes.len() as u64, element_at: 0 }.described(&mut found);
            found
        };
        let found = of(&bytes);
        let numbers: Vec<_> = found.iter().map(|(number, params)| (*number, params.codec)).collect();
        assert_eq!(numbers, [(2, CODEC_ID_WAVE), (3, CODEC_ID_WAVE), (4, CODEC_ID_MP3)]);
        let fmt = [1, 0, 2, 0, 0x40, 0x1f, 0, 0, 0, 0, 0, 0, 2, 0, 8, 0];
        assert_eq!(found[0].1.extra_data.as_deref().unwrap(), fmt);
        for cut in 0..bytes.len() {
            of(&bytes[..cut]);
        }
    }
}
