//! Walks the boxes of an MP4's index (`moov`) and reads those that describe tracks.

use std::io::{Read, Seek, SeekFrom};

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_PCM_ALAW, CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_MULAW, CODEC_ID_PCM_S24BE,
    CODEC_ID_PCM_S32BE,
};

use super::{Movie, TrackBoxes};
use crate::decode::esds::Esds;
use crate::decode::outline::{MAX_BOXES, is_first_box, outline, read_u32, read_u64};

/// The most bytes of a description of samples that are read.
const MAX_STSD: u64 = 1 << 16;

/// Boxes that are read even if they state a length beyond that of the box that they stand in: some programs write one of
/// the two wrongly, by some bytes.
const KNOWN: [&[u8; 4]; 16] = [
    b"moov", b"trak", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr", b"minf", b"stbl", b"stsd", b"stts",
    b"stsc", b"stsz", b"stco", b"co64", b"udta",
];

/// Boxes within each other.
#[derive(Clone, Copy)]
struct Span {
    /// The first.
    start: u64,
    /// The end of what they stand in.
    end: u64,
    /// The end of the file.
    limit: u64,
}

impl Movie {
    /// Reads a file's boxes; `None` if they make no sense.
    pub(super) fn read(file: &mut (impl Read + Seek)) -> Option<Self> {
        let end = match outline(file).and_then(|outline| outline.rubbish_at) {
            Some(at) => at,
            None => file.seek(SeekFrom::End(0)).ok()?,
        };
        let mut head = [0; 8];
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_exact(&mut head).ok()?;
        if !is_first_box(&[head[4], head[5], head[6], head[7]]) {
            return None;
        }
        let mut movie = Self::default();
        let mut budget = MAX_BOXES;
        movie.read_boxes(file, Span { start: 0, end, limit: end }, true, &mut budget)?;
        Some(movie)
    }

    /// Walks some boxes and descends into those that lead to a description. The outer ones have lengths that fit; what
    /// follows within them behind those that do not is left alone.
    fn read_boxes(
        &mut self,
        file: &mut (impl Read + Seek),
        span: Span,
        is_outer: bool,
        budget: &mut usize,
    ) -> Option<()> {
        let Span { start, end, limit } = span;
        let mut at = start;
        while at + 8 <= end {
            *budget = budget.checked_sub(1)?;
            file.seek(SeekFrom::Start(at)).ok()?;
            let mut size = u64::from(read_u32(file)?);
            let kind = read_u32(file)?.to_be_bytes();
            let mut header = 8;
            match size {
                0 => size = end - at,
                1 => (size, header) = (read_u64(file)?, 16),
                _ => {}
            }
            // Cut off in the samples, behind an index that is whole; fragments have no tables.
            if &kind == b"mdat" && size > end - at || &kind == b"moof" && !self.tracks.is_empty() {
                return Some(());
            }
            let is_index = &kind == b"moov";
            let is_cut = size > limit - at;
            if size < header || size > end - at && !(is_index || !is_outer && KNOWN.contains(&&kind)) {
                return if is_outer { None } else { Some(()) };
            }
            let is_list =
                matches!(&kind, b"moov" | b"trak" | b"edts" | b"mdia" | b"minf" | b"stbl" | b"udta");
            // A table that is cut off is none.
            if is_cut && !is_list {
                return Some(());
            }
            size = size.min(limit - at);
            let inner = Span { start: at + header, end: at + size, limit };
            let content = at + header;
            let place = (content, size - header);
            match &kind {
                b"moov" | b"edts" | b"mdia" | b"minf" | b"stbl" => {
                    self.read_boxes(file, inner, false, budget)?;
                }
                b"trak" => {
                    self.tracks.push(TrackBoxes::default());
                    let is_read = self.read_boxes(file, inner, false, budget).is_some();
                    if !is_read && !is_cut {
                        return None;
                    }
                    if is_cut && !self.tracks.last()?.tables.is_complete() {
                        self.tracks.pop();
                    }
                }
                b"mvhd" => self.timescale = read_timescale(file)?,
                b"tkhd" => {
                    let flags = read_u32(file)?;
                    file.seek(SeekFrom::Current(if flags >> 24 == 1 { 16 } else { 8 })).ok()?;
                    let track = self.tracks.last_mut()?;
                    (track.id, track.is_enabled) = (read_u32(file)?, flags & 1 != 0);
                }
                b"mdhd" => {
                    let is_wide = read_u32(file)? >> 24 == 1;
                    file.seek(SeekFrom::Start(content)).ok()?;
                    let track = self.tracks.last_mut()?;
                    track.timescale = read_timescale(file)?;
                    // All ones: not known.
                    track.stated = match is_wide {
                        true => read_u64(file).filter(|&stated| stated < u64::MAX),
                        false => read_u32(file).filter(|&stated| stated < u32::MAX).map(u64::from),
                    }
                    .unwrap_or(0);
                    track.language =
                        read_u32(file).map_or_else(String::new, |word| language((word >> 16) as u16));
                }
                b"udta" => self.tags = Some(place),
                b"meta" => self.tags = self.tags.or(Some(place)),
                b"stsc" => self.tracks.last_mut()?.tables.stsc = Some(place),
                b"stsz" | b"stz2" => {
                    // Version, size, number.
                    let words = [(); 3].map(|()| read_u32(file).unwrap_or(0));
                    let track = self.tracks.last_mut()?;
                    track.tables.stsz = Some((place, &kind == b"stz2"));
                    track.n_sizes = words[2].into();
                }
                b"ctts" => {
                    // Version, entries, the first one's count and offset.
                    let words = [(); 4].map(|()| read_u32(file).unwrap_or(0));
                    self.tracks.last_mut()?.tables.first_offset =
                        if words[1] > 0 { words[3] as i32 } else { 0 };
                }
                b"stco" | b"co64" => self.tracks.last_mut()?.tables.chunks = Some((place, &kind == b"co64")),
                b"stts" => {
                    let times = read_time_to_sample(file, (at + size).saturating_sub(content + 8) / 8)?;
                    let track = self.tracks.last_mut()?;
                    (track.n_packets, track.duration, track.last_delta) = times;
                    track.tables.stts = Some(place);
                }
                // Within the media; QuickTime has another one for how the data are found.
                b"hdlr" => {
                    let (_version, _component, kind) = (read_u32(file)?, read_u32(file)?, read_u32(file)?);
                    if let Some(track) = self.tracks.last_mut() {
                        track.is_sound |= kind.to_be_bytes() == *b"soun";
                    }
                }
                b"stsd" => {
                    let mut entry = vec![0; (at + size - content).min(MAX_STSD) as usize];
                    file.read_exact(&mut entry).ok()?;
                    let track = self.tracks.last_mut()?;
                    track.pcm = pcm_codec(&entry);
                    track.alac = alac_cookie(&entry);
                    track.esds = Esds::read(&entry);
                    track.codec =
                        entry.get(12..16).and_then(|codec| codec.try_into().ok()).unwrap_or_default();
                    track.tables.stsd = entry;
                }
                b"elst" => {
                    self.tracks.last_mut()?.list =
                        read_edit_list(file, (at + size).saturating_sub(content + 8) / 12)?
                }
                _ => {}
            }
            at += size;
        }
        Some(())
    }
}
/// QuickTime's formats of 24 bits and more are big-endian unless a box `enda` says 1; symphonia 0.6 takes all for
/// little-endian.
fn pcm_codec(stsd: &[u8]) -> Option<AudioCodecId> {
    let little = stsd.windows(6).any(|window| window.starts_with(b"enda") && window[4..] == [0, 1]);
    Some(match (stsd.get(12..16)?, little) {
        (b"in24", false) => CODEC_ID_PCM_S24BE,
        (b"in32", false) => CODEC_ID_PCM_S32BE,
        (b"fl32", false) => CODEC_ID_PCM_F32BE,
        (b"fl64", false) => CODEC_ID_PCM_F64BE,
        // Known to it under other names only.
        (b"alaw", _) => CODEC_ID_PCM_ALAW,
        (b"ulaw", _) => CODEC_ID_PCM_MULAW,
        _ => return None,
    })
}

/// ALAC's description (its magic cookie) within a track's, where QuickTime wraps it into a box `wave`.
fn alac_cookie(stsd: &[u8]) -> Option<Vec<u8>> {
    const COOKIE_LEN: usize = 24;
    if stsd.get(12..16)? != b"alac" || !stsd.windows(4).any(|name| name == b"wave") {
        return None;
    }
    // A box of 36 bytes: length, name, version and flags of zeros, the cookie.
    let at =
        stsd.windows(12).rposition(|window| window == [0, 0, 0, 36, b'a', b'l', b'a', b'c', 0, 0, 0, 0])?;
    stsd.get(at + 12..at + 12 + COOKIE_LEN).map(<[u8]>::to_vec)
}

/// `mvhd` and `mdhd` begin alike: version, flags, two dates, timescale.
fn read_timescale(file: &mut (impl Read + Seek)) -> Option<u32> {
    let is_wide = read_u32(file)? >> 24 == 1;
    file.seek(SeekFrom::Current(if is_wide { 16 } else { 8 })).ok()?;
    read_u32(file)
}

/// A track's language: three letters of five bits each, or, in QuickTime's older files, a number of the Macintosh.
pub(super) fn language(code: u16) -> String {
    const MACINTOSH: [&str; 10] = ["eng", "fra", "deu", "ita", "nld", "swe", "spa", "dan", "por", "nor"];
    match code {
        0..0x400 => MACINTOSH.get(usize::from(code)).map_or_else(String::new, |&name| name.to_owned()),
        0x7fff.. => String::new(),
        _ => [10, 5, 0].map(|shift| char::from((code >> shift & 0x1f) as u8 + 0x60)).iter().collect(),
    }
}

/// Packets, the length of all of them, and that of the last; `max` entries fit into the box.
fn read_time_to_sample(file: &mut impl Read, max: u64) -> Option<(u64, u64, u64)> {
    let _version = read_u32(file)?;
    let n_entries = u64::from(read_u32(file)?).min(max);
    let (mut n_packets, mut duration, mut last) = (0_u64, 0_u64, 0);
    for _ in 0..n_entries {
        let (count, delta) = (read_u32(file)?, read_u32(file)?);
        n_packets = n_packets.checked_add(count.into())?;
        duration = duration.checked_add(u64::from(count) * u64::from(delta))?;
        last = delta.into();
    }
    Some((n_packets, duration, last))
}

/// (start, length) of each edit; `max` entries fit into the box.
fn read_edit_list(file: &mut impl Read, max: u64) -> Option<Vec<(i64, u64)>> {
    let is_wide = read_u32(file)? >> 24 == 1;
    let n_entries = u64::from(read_u32(file)?).min(max);
    let mut list = Vec::new();
    for _ in 0..n_entries {
        let (length, start) = if is_wide {
            (read_u64(file)?, read_u64(file)? as i64)
        } else {
            (u64::from(read_u32(file)?), i64::from(read_u32(file)? as i32))
        };
        let _rate = read_u32(file)?;
        list.push((start, length));
    }
    Some(list)
}
