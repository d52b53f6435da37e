//! Reads the parts of an MP4's audio track that are meant to be heard, and their times.
//!
//! An AAC encoder begins with 1024 to 2112 samples of priming and fills up its last packet; a camera starts its sound later
//! than its picture; an editor cuts without encoding anew. MP4 says so in the track's edit list (ISO/IEC 14496-12, 8.6.6),
//! which symphonia 0.6 does not apply; without it a denoised track would come out late, long, or with what was cut.

use std::io::{Read, Seek, SeekFrom};

use super::esds::Esds;
use super::outline::{MAX_BOXES, is_first_box, outline, read_u32, read_u64};
use super::refusal;
use super::sample_table::Tables;
use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_PCM_ALAW, CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_MULAW, CODEC_ID_PCM_S24BE,
    CODEC_ID_PCM_S32BE,
};

/// A part of what is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nothing, for this long.
    Gap(u64),
    /// The media from `start`.
    Media {
        /// Its start.
        start: u64,
        /// How long it is; `None`: to the end.
        length: Option<u64>,
    },
}

impl Edit {
    /// Its length; 0 if it goes to the end.
    pub fn length(&self) -> u64 {
        match *self {
            Self::Gap(length) => length,
            Self::Media { length, .. } => length.unwrap_or(0),
        }
    }
}

/// The presented part of one track, in units of its own timescale.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackEdits {
    /// The track, as its header names it.
    pub track_id: u32,
    /// Units per second: for audio mostly the sample rate.
    pub timescale: u32,
    /// The parts, one after the other; none where nothing is said.
    pub edits: Vec<Edit>,
    /// The codec of a QuickTime track whose byte order symphonia does not look for.
    pub pcm: Option<AudioCodecId>,
    /// Whether it is a track of sound.
    pub is_sound: bool,
    /// Packets that the index lists.
    pub n_packets: u64,
    /// The length of all of them.
    pub duration: u64,
    /// ALAC's own description in a QuickTime track, where symphonia does not look for it.
    pub alac: Option<Vec<u8>>,
    /// The codec's name in the file.
    pub codec: [u8; 4],
    /// The descriptor behind the name "mp4a".
    pub esds: Option<Esds>,
    /// Its language: "eng"; empty where it is not stated.
    pub language: String,
    /// Whether it is to be played unless another is chosen.
    pub is_enabled: bool,
    /// The tables that locate its samples.
    pub tables: Tables,
    /// Whether the file has user data, among which are its tags.
    pub has_tags: bool,
}

impl TrackEdits {
    /// The codec's name, for people.
    pub fn codec_name(&self) -> String {
        let named = self.esds.as_ref().filter(|_| &self.codec == b"mp4a").and_then(Esds::codec);
        named.unwrap_or_else(|| refusal::mp4_codec(self.codec))
    }

    /// Whether its codec is one that is known and not read.
    pub fn is_foreign(&self) -> bool {
        let is_read = |codec: &str| matches!(codec, "Vorbis" | "Opus");
        match self.esds.as_ref().and_then(Esds::codec) {
            Some(codec) if &self.codec == b"mp4a" => !is_read(&codec),
            _ => refusal::is_foreign(self.codec),
        }
    }
}

/// The most bytes of a description of samples that are read.
const MAX_STSD: u64 = 1 << 16;

/// The presented parts of an MP4's tracks. Empty for any other file, or one whose boxes make no sense: then nothing
/// is trimmed, and the decoder reports what is wrong.
pub fn read(file: &mut (impl Read + Seek)) -> Vec<TrackEdits> {
    Movie::read(file).map(|movie| movie.edits()).unwrap_or_default()
}

/// Contents of the boxes; times in units of the named timescale.
#[derive(Default)]
struct Movie {
    timescale: u32,
    has_tags: bool,
    tracks: Vec<TrackBoxes>,
}

#[derive(Default)]
struct TrackBoxes {
    id: u32,
    /// Units per second of the media: for audio the sample rate.
    timescale: u32,
    /// Length of all samples, in media units.
    duration: u64,
    is_sound: bool,
    n_packets: u64,
    /// Packets by their sizes, and the duration of the last that has one.
    n_sizes: u64,
    last_delta: u64,
    pcm: Option<AudioCodecId>,
    alac: Option<Vec<u8>>,
    codec: [u8; 4],
    esds: Option<Esds>,
    language: String,
    is_enabled: bool,
    tables: Tables,
    /// Start in media units (-1: an empty edit) and length in movie units.
    list: Vec<(i64, u64)>,
}

impl Movie {
    fn read(file: &mut (impl Read + Seek)) -> Option<Self> {
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
        movie.read_boxes(file, 0, end, &mut budget)?;
        Some(movie)
    }

    /// Walks the boxes in `start..end` and descends into those that lead to an edit list.
    fn read_boxes(
        &mut self,
        file: &mut (impl Read + Seek),
        start: u64,
        end: u64,
        budget: &mut usize,
    ) -> Option<()> {
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
            if size < header || size > end - at {
                return None;
            }
            let content = at + header;
            let place = (content, size - header);
            match &kind {
                b"moov" | b"edts" | b"mdia" | b"minf" | b"stbl" => {
                    self.read_boxes(file, content, at + size, budget)?;
                }
                b"trak" => {
                    self.tracks.push(TrackBoxes::default());
                    self.read_boxes(file, content, at + size, budget)?;
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
                    file.seek(SeekFrom::Current(if is_wide { 8 } else { 4 })).ok()?;
                    track.language =
                        read_u32(file).map_or_else(String::new, |word| language((word >> 16) as u16));
                }
                b"udta" | b"meta" => self.has_tags = true,
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

    fn edits(&self) -> Vec<TrackEdits> {
        let edits = self.tracks.iter().filter_map(|track| track.edits(self.timescale));
        edits.map(|edits| TrackEdits { has_tags: self.has_tags, ..edits }).collect()
    }
}

impl TrackBoxes {
    /// The list, its lengths converted from the movie's units, which are often milliseconds.
    fn edits(&self, movie_timescale: u32) -> Option<TrackEdits> {
        if movie_timescale == 0 || self.timescale == 0 {
            return None;
        }
        let convert = |length: u64| -> Option<u64> {
            let scaled = u128::from(length) * u128::from(self.timescale) + u128::from(movie_timescale) / 2;
            u64::try_from(scaled / u128::from(movie_timescale)).ok()
        };
        let unit = u64::from(self.timescale.div_ceil(movie_timescale));
        // Packets that no time is stated for last as long as those before.
        let n_untimed = self.n_sizes.saturating_sub(self.n_packets) * u64::from(self.n_packets > 0);
        let duration = self.duration.saturating_add(n_untimed.saturating_mul(self.last_delta));
        let mut edits = Vec::new();
        for &(start, length) in &self.list {
            let stated = convert(length)?;
            let Ok(start) = u64::try_from(start) else {
                edits.push(Edit::Gap(stated));
                continue;
            };
            let rest = duration.saturating_sub(start);
            let length = match (rest, stated) {
                // Fragmented files list no samples here, and state no length.
                (0, 0) => None,
                (rest, 0) => Some(rest),
                (0, stated) => Some(stated),
                // If it agrees with the media's own length to within one unit, the media's is exact.
                (rest, stated) if rest.abs_diff(stated) <= unit => Some(rest),
                (rest, stated) => Some(rest.min(stated)),
            };
            edits.push(Edit::Media { start, length });
        }
        // Nothing behind the last sound: it ends there.
        while matches!(edits.last(), Some(Edit::Gap(_))) {
            edits.pop();
        }
        let (track_id, timescale) = (self.id, self.timescale);
        let alac = self.alac.clone();
        let (n_packets, pcm, codec) = (self.n_packets + n_untimed, self.pcm, self.codec);
        let (language, tables) = (self.language.clone(), self.tables.clone());
        Some(TrackEdits {
            track_id,
            timescale,
            edits,
            is_sound: self.is_sound,
            n_packets,
            duration,
            pcm,
            alac,
            codec,
            esds: self.esds.clone(),
            language,
            is_enabled: self.is_enabled,
            tables,
            has_tags: false,
        })
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
fn language(code: u16) -> String {
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = (content.len() + 8) as u32;
        [&size.to_be_bytes()[..], kind, content].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// An audio track of `n_packets` AAC packets at 44.1 kHz in a movie of `movie_timescale`.
    fn movie(movie_timescale: u32, list: &[u32], stts: &[u32]) -> Vec<u8> {
        let elst = mp4_box(b"elst", &words(list));
        let minf = mp4_box(b"minf", &mp4_box(b"stbl", &mp4_box(b"stts", &words(stts))));
        let mdia = mp4_box(b"mdia", &[mp4_box(b"mdhd", &words(&[0, 0, 0, 44_100, 0])), minf].concat());
        let tkhd = mp4_box(b"tkhd", &words(&[0, 0, 0, 7, 0]));
        let trak = mp4_box(b"trak", &[tkhd, mp4_box(b"edts", &elst), mdia].concat());
        let mvhd = mp4_box(b"mvhd", &words(&[0, 0, 0, movie_timescale, 0]));
        [mp4_box(b"ftyp", b"M4A "), mp4_box(b"mdat", &[1; 99]), mp4_box(b"moov", &[mvhd, trak].concat())]
            .concat()
    }

    fn edits_of(file: Vec<u8>) -> Vec<Edit> {
        let [track] = &read(&mut Cursor::new(file))[..] else { panic!("one track") };
        assert_eq!((track.track_id, track.timescale), (7, 44_100));
        track.edits.clone()
    }

    #[test]
    fn priming_and_padding_are_found() {
        // 10 packets; the last holds 500 samples; the edit says so, rounded to milliseconds.
        let file = movie(1000, &[0, 1, 198, 1024, 0x1_0000], &[0, 2, 9, 1024, 1, 500]);
        assert_eq!(edits_of(file), [Edit::Media { start: 1024, length: Some(9 * 1024 + 500 - 1024) }]);
    }

    #[test]
    fn an_edit_shorter_than_the_media_wins() {
        let file = movie(44_100, &[0, 1, 5_000, 2112, 0x1_0000], &[0, 1, 10, 1024]);
        assert_eq!(edits_of(file), [Edit::Media { start: 2112, length: Some(5_000) }]);
    }

    #[test]
    fn an_empty_edit_is_silence_before_the_sound() {
        let file = movie(1000, &[0, 2, 50, u32::MAX, 0x1_0000, 0, 1024, 0x1_0000], &[0, 1, 10, 1024]);
        assert_eq!(edits_of(file), [Edit::Gap(2205), Edit::Media { start: 1024, length: Some(9 * 1024) }]);
    }

    #[test]
    fn all_parts_are_kept_in_their_order() {
        let list = [0, 3, 100, 5_000, 0x1_0000, 10, u32::MAX, 0x1_0000, 50, 0, 0x1_0000];
        let file = movie(1000, &list, &[0, 1, 10, 1024]);
        let expected = [
            Edit::Media { start: 5_000, length: Some(4_410) },
            Edit::Gap(441),
            Edit::Media { start: 0, length: Some(2_205) },
        ];
        assert_eq!(edits_of(file), expected);
    }

    #[test]
    fn languages_of_both_kinds() {
        let names = [0x15c7, 0x55c4, 0, 2, 0x7fff, 0x3ff].map(language);
        assert_eq!(names, ["eng", "und", "eng", "deu", "", ""]);
    }

    #[test]
    fn nonsense_trims_nothing() {
        let file = movie(1000, &[0, 1, 198, 1024, 0x1_0000], &[0, 2, 9, 1024, 1, 500]);
        for cut in 0..file.len() - 1 {
            assert_eq!(read(&mut Cursor::new(&file[..cut])), [], "cut at {cut}");
        }
        assert_eq!(read(&mut Cursor::new(b"RIFF....WAVE")), []);
        // A box that claims to hold more than the file.
        let mut lie = file;
        lie[3] = 0xff;
        assert_eq!(read(&mut Cursor::new(lie)), []);
        // Entries that are not there.
        let file = movie(1000, &[0, u32::MAX, 198, 1024, 0x1_0000], &[0, u32::MAX, 9, 1024]);
        assert_eq!(read(&mut Cursor::new(file)).len(), 1);
    }
}
