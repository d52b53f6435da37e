//! Metadata of an input's recording: chunks of WAV as they are, and tags by name.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use anyhow::Result;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::{MetadataOptions, RawTag, RawValue, StandardTag, Tag};

use super::input::Input;
use crate::decode::foreign::foreign;

/// The most bytes of a chunk that is kept.
const MAX_CHUNK: u64 = 1 << 24;
/// The most bytes of all chunks.
const MAX_CHUNKS: u64 = 1 << 26;

/// The tag that states speaker positions in a FLAC, in hexadecimal (RFC 9639, 8.6.2).
pub const FLAC_MASK: &str = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK";

/// Metadata for an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Chunks of a RIFF, name and content, in their order: bext, iXML, cue points and the like.
    pub chunks: Vec<([u8; 4], Vec<u8>)>,
    /// Tags by the names that Vorbis comments have for them, in capitals: TITLE, ARTIST.
    pub tags: Vec<(String, String)>,
    /// Pictures: none is kept.
    pub n_pictures: usize,
    /// Names of what was there and is not kept.
    pub lost: Vec<String>,
    /// Speaker positions that a FLAC states in a tag, as WAV has them.
    pub flac_mask: Option<u32>,
}

/// The use of a chunk in an output of the same length and rate.
enum Use {
    /// Stays true: kept as it is.
    Keep,
    /// About the bytes of the input: dropped without a word.
    Drop,
}

fn use_of(name: [u8; 4]) -> Use {
    match &name {
        // Lengths, padding, peaks and overviews of the samples as they were; the loudness chunks likewise.
        b"fact" | b"JUNK" | b"junk" | b"PAD " | b"FLLR" | b"PEAK" | b"levl" | b"ds64" | b"fmt " | b"data"
        | b"minf" | b"elm1" | b"regn" | b"umid" | b"DGDA" | b"LGWV" | b"\0\0\0\0" => Use::Drop,
        _ => Use::Keep,
    }
}

impl Metadata {
    /// Reads, or passes over, the content of a RIFF chunk.
    ///
    /// # Errors
    /// Errors of the input.
    pub(crate) fn read_chunk(&mut self, input: &mut Input, name: [u8; 4], len: u64) -> Result<()> {
        let n_kept: u64 = self.chunks.iter().map(|(_, content)| content.len() as u64).sum();
        if matches!(use_of(name), Use::Drop) || len == 0 {
            input.skip(len)?;
            return Ok(());
        }
        if len > MAX_CHUNK || n_kept + len > MAX_CHUNKS || input.left().is_some_and(|left| len > left) {
            self.lose_chunk(&name);
            input.skip(len)?;
            return Ok(());
        }
        // Not allocated by what the header says alone: a pipe may hold less.
        let mut content = Vec::new();
        let mut part = vec![0; 8192.min(len as usize)];
        while (content.len() as u64) < len {
            let wanted = part.len().min(len as usize - content.len());
            let n_read = input.read(&mut part[..wanted])?;
            content.extend_from_slice(&part[..n_read]);
            if n_read < wanted {
                break;
            }
        }
        self.chunks.push((name, content));
        Ok(())
    }

    /// Reads, or passes over, a chunk of an AIFF that does not tell what its samples are.
    ///
    /// # Errors
    /// Errors of the input.
    pub(crate) fn read_aiff_chunk(&mut self, input: &mut Input, name: [u8; 4], len: u64) -> Result<()> {
        /// More than any text has, in bytes.
        const MAX_TEXT: u64 = 1 << 16;
        let tag = match &name {
            b"NAME" => "TITLE",
            b"AUTH" => "ARTIST",
            b"ANNO" => "COMMENT",
            b"(c) " => "COPYRIGHT",
            // The same in a RIFF.
            b"ID3 " => return self.read_chunk(input, *b"id3 ", len),
            _ => {
                if &name != b"FVER" && matches!(use_of(name), Use::Keep) {
                    self.lose_chunk(&name);
                }
                input.skip(len)?;
                return Ok(());
            }
        };
        let mut bytes = vec![0; len.min(MAX_TEXT) as usize];
        let n_read = input.read(&mut bytes)?;
        input.skip(len - bytes.len() as u64)?;
        let text = String::from_utf8_lossy(&bytes[..n_read]).trim_end_matches('\0').to_owned();
        let entry = (tag.to_owned(), text);
        if !self.tags.contains(&entry) {
            self.tags.push(entry);
        }
        Ok(())
    }

    /// Passes over a chunk of a CAF that does not tell what its samples are.
    ///
    /// # Errors
    /// Errors of the input.
    pub(crate) fn pass_caf_chunk(&mut self, input: &mut Input, name: &[u8], len: u64) -> Result<()> {
        if !matches!(name, b"free" | b"chan" | b"ovvw" | b"peak") {
            self.lose_chunk(name);
        }
        input.skip(len)?;
        Ok(())
    }

    /// Additions since it was like `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let chunks = self.chunks.get(before.chunks.len()..).unwrap_or_default().to_vec();
        let tags = self.tags.get(before.tags.len()..).unwrap_or_default().to_vec();
        Self { chunks, tags, ..Self::default() }
    }

    /// Notes that a chunk is not kept.
    pub(crate) fn lose_chunk(&mut self, name: &[u8]) {
        let what = format!("{} chunk", String::from_utf8_lossy(name).trim_end());
        if !self.lost.contains(&what) {
            self.lost.push(what);
        }
    }

    /// The tags of a file, if symphonia finds some.
    pub(super) fn of_file(file: &File, extension: Option<&str>) -> Self {
        let mut this = Self::default();
        let Ok(mut file) = file.try_clone() else { return this };
        if file.seek(SeekFrom::Start(0)).is_err() {
            return this;
        }
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        let probe = symphonia::default::get_probe();
        // Tags that break their reader are none: the sound is read by another.
        let _ = foreign(|| {
            if let Ok(mut reader) =
                probe.probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            {
                this.read_tags(&mut *reader);
            }
        });
        this
    }

    /// Takes over the tags that a reader found.
    pub(super) fn read_tags(&mut self, reader: &mut dyn FormatReader) {
        let mut log = reader.metadata();
        loop {
            if let Some(revision) = log.current() {
                let media = &revision.media;
                let per_track = revision.per_track.iter().map(|track| &track.metadata);
                for container in std::iter::once(media).chain(per_track) {
                    self.n_pictures += container.visuals.len();
                    container.tags.iter().for_each(|tag| self.add_tag(tag));
                }
            }
            if log.pop().is_none() {
                break;
            }
        }
    }

    fn add_tag(&mut self, tag: &Tag) {
        if tag.raw.key.eq_ignore_ascii_case(FLAC_MASK)
            && let RawValue::String(text) = &tag.raw.value
        {
            let digits = text.trim().trim_start_matches("0x").trim_start_matches("0X");
            self.flac_mask = u32::from_str_radix(digits, 16).ok();
        }
        let Some((name, value)) = named(tag) else { return };
        let value = value.trim_matches(['\0', ' ']).to_owned();
        let entry = (name, value);
        if !entry.1.is_empty() && !self.tags.contains(&entry) {
            self.tags.push(entry);
        }
    }
}

/// The positions that a tag states, if there are as many as channels.
pub(super) fn stated_mask(mask: Option<u32>, n_channels: usize) -> Option<u32> {
    mask.filter(|mask| mask.count_ones() as usize == n_channels)
}

/// A tag under the name that Vorbis comments have for it. Tags about the encoding that is undone here are none.
fn named(tag: &Tag) -> Option<(String, String)> {
    use StandardTag as S;
    let text = match &tag.raw.value {
        RawValue::String(text) => text.to_string(),
        RawValue::UnsignedInt(value) => value.to_string(),
        RawValue::SignedInt(value) => value.to_string(),
        RawValue::StringList(list) => list.join("; "),
        RawValue::Float(value) => value.to_string(),
        _ => String::new(),
    };
    let name = match &tag.std {
        None => own_name(&tag.raw)?,
        Some(standard) => match standard {
            S::TrackTitle(_) => "TITLE",
            S::Artist(_) | S::Author(_) => "ARTIST",
            S::Album(_) => "ALBUM",
            S::AlbumArtist(_) => "ALBUMARTIST",
            S::Comment(_) => "COMMENT",
            S::Description(_) => "DESCRIPTION",
            S::Composer(_) => "COMPOSER",
            S::Performer(_) => "PERFORMER",
            S::Genre(_) => "GENRE",
            S::Copyright(_) => "COPYRIGHT",
            S::License(_) => "LICENSE",
            S::Language(_) => "LANGUAGE",
            S::Lyrics(_) => "LYRICS",
            S::EncodedBy(_) => "ENCODED-BY",
            S::IdentIsrc(_) => "ISRC",
            S::Label(_) => "ORGANIZATION",
            S::RecordingLocation(_) => "LOCATION",
            S::TrackNumber(number) => return Some(("TRACKNUMBER".to_owned(), number.to_string())),
            S::TrackTotal(number) => return Some(("TRACKTOTAL".to_owned(), number.to_string())),
            S::DiscNumber(number) => return Some(("DISCNUMBER".to_owned(), number.to_string())),
            S::RecordingDate(_) | S::ReleaseDate(_) => "DATE",
            S::RecordingYear(year) | S::ReleaseYear(year) => {
                return Some(("DATE".to_owned(), year.to_string()));
            }
            // The encoding, and the level of what was denoised.
            S::Encoder(_) | S::EncoderSettings(_) | S::EncodingDate(_) => return None,
            S::ReplayGainAlbumGain(_) | S::ReplayGainAlbumPeak(_) | S::ReplayGainAlbumRange(_) => {
                return None;
            }
            S::ReplayGainTrackGain(_) | S::ReplayGainTrackPeak(_) | S::ReplayGainTrackRange(_) => {
                return None;
            }
            S::ReplayGainReferenceLoudness(_) => return None,
            S::Mp3GainAlbumMinMax(_) | S::Mp3GainMinMax(_) | S::Mp3GainUndo(_) => return None,
            _ => return own_name(&tag.raw).filter(|_| !text.is_empty()).map(|name| (name, text)),
        }
        .to_owned(),
    };
    (!text.is_empty()).then_some((name, text))
}

/// The name that a file's own author or program gave a tag, as Vorbis comments have it; `None` for those about bytes.
fn own_name(raw: &RawTag) -> Option<String> {
    /// Tags that muxers write about what they write.
    const ABOUT_BYTES: [&str; 17] = [
        "ENCODER",
        "ENCODER_OPTIONS",
        "VENDOR",
        "DURATION",
        "BPS",
        "NUMBER_OF_FRAMES",
        "NUMBER_OF_BYTES",
        "MAJOR_BRAND",
        "MINOR_VERSION",
        "COMPATIBLE_BRANDS",
        "HANDLER_NAME",
        "VENDOR_ID",
        "ITUNSMPB",
        "ITUNNORM",
        "TLEN",
        "TFLT",
        FLAC_MASK,
    ];
    let described = raw.sub_fields.iter().flatten().find(|field| &*field.field == "DESCRIPTION");
    let name = match (&*raw.key, described.map(|field| &field.value)) {
        // Named by its description.
        ("TXXX", Some(RawValue::String(name))) => name,
        // iTunes: "----:com.apple.iTunes:NAME". Matroska: "album@NAME".
        (key, _) => key.rsplit([':', '@']).next().unwrap_or(key),
    };
    let name = name.trim().to_ascii_uppercase();
    let is_name = !name.is_empty() && name.bytes().all(|byte| (0x20..0x7e).contains(&byte) && byte != b'=');
    let is_about_bytes = ABOUT_BYTES.contains(&&*name) || name.starts_with("_STATISTICS");
    (is_name && !is_about_bytes).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use symphonia::core::meta::RawTagSubField;

    use super::*;

    #[test]
    fn tags_without_a_common_name_keep_their_own() {
        let name = |raw: RawTag| own_name(&raw).unwrap_or_default();
        let described = RawTagSubField::new("DESCRIPTION", "comment");
        let user = RawTag::new_with_sub_fields("TXXX", "said", vec![described].into_boxed_slice());
        assert_eq!(name(user), "COMMENT");
        assert_eq!(name(RawTag::new("----:com.apple.iTunes:Interviewer", "I")), "INTERVIEWER");
        assert_eq!(name(RawTag::new("Scene", "12")), "SCENE");
        for key in ["ENCODER", "duration", "album@BPS", "movie@_STATISTICS_TAGS", "a=b", ""] {
            assert_eq!(name(RawTag::new(key, "x")), "", "{key}");
        }
    }

    #[test]
    fn chunks_about_the_recording_are_kept_and_those_about_the_bytes_not() {
        let mut input = Input::pipe(Box::new(Cursor::new(vec![7; 20])));
        let mut metadata = Metadata::default();
        metadata.read_chunk(&mut input, *b"bext", 4).unwrap();
        metadata.read_chunk(&mut input, *b"PEAK", 4).unwrap();
        metadata.read_chunk(&mut input, *b"iXML", 4).unwrap();
        assert_eq!(metadata.chunks, [(*b"bext", vec![7; 4]), (*b"iXML", vec![7; 4])]);
        // One that claims more than there is costs what there is.
        metadata.read_chunk(&mut input, *b"cue ", 1 << 20).unwrap();
        assert_eq!(metadata.chunks[2].1.len(), 8);
        metadata.read_chunk(&mut input, *b"cue ", 1 << 40).unwrap();
        assert_eq!(metadata.lost, ["cue chunk"]);
    }
}
