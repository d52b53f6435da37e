//! Reads the parts of an MP4's audio track that are meant to be heard, and their times.
//!
//! An AAC encoder begins with 1024 to 2112 samples of priming and fills up its last packet; a camera starts its sound later
//! than its picture; an editor cuts without encoding anew. MP4 says so in the track's edit list (ISO/IEC 14496-12, 8.6.6),
//! which symphonia 0.6 does not apply; without it a denoised track would come out late, long, or with what was cut.

mod boxes;

use std::io::{Read, Seek};

use super::esds::Esds;
use super::refusal;
use super::sample_table::{Place, Tables};
use symphonia::core::codecs::audio::AudioCodecId;

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
    /// The length that its header states; 0 if none.
    pub stated: u64,
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
    /// The file's user data, among which are its tags.
    pub tags: Option<Place>,
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

/// The presented parts of an MP4's tracks. Empty for any other file, or one whose boxes make no sense: then nothing
/// is trimmed, and the decoder reports what is wrong.
pub fn read(file: &mut (impl Read + Seek)) -> Vec<TrackEdits> {
    Movie::read(file).map(|movie| movie.edits()).unwrap_or_default()
}

/// Contents of the boxes; times in units of the named timescale.
#[derive(Default)]
struct Movie {
    timescale: u32,
    tags: Option<Place>,
    tracks: Vec<TrackBoxes>,
}

#[derive(Default)]
struct TrackBoxes {
    id: u32,
    /// Units per second of the media: for audio the sample rate.
    timescale: u32,
    /// Length of all samples, in media units, and the one that the header states.
    duration: u64,
    stated: u64,
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
    fn edits(&self) -> Vec<TrackEdits> {
        let edits = self.tracks.iter().filter_map(|track| track.edits(self.timescale));
        edits.map(|edits| TrackEdits { tags: self.tags, ..edits }).collect()
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
            stated: self.stated,
            pcm,
            alac,
            codec,
            esds: self.esds.clone(),
            language,
            is_enabled: self.is_enabled,
            tables,
            tags: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::boxes::language;
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

    /// Behind its tracks an index may end anywhere, and a box may state some bytes more or less than it has.
    #[test]
    fn tracks_of_a_broken_index_are_read() {
        let whole = movie(1000, &[0, 1, 198, 1024, 0x1_0000], &[0, 2, 9, 1024, 1, 500]);
        let expected = edits_of(whole.clone());
        let mut tagged = [&whole[..], &mp4_box(b"udta", &[7; 40])].concat();
        let moov = whole.windows(4).position(|name| name == b"moov").unwrap() - 4;
        let n_moov = (tagged.len() - moov) as u32;
        tagged[moov..moov + 4].copy_from_slice(&n_moov.to_be_bytes());
        for cut in whole.len()..=tagged.len() {
            assert_eq!(edits_of(tagged[..cut].to_vec()), expected, "cut at {cut}");
        }
        for name in [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"] {
            let at = tagged.windows(4).position(|window| window == name).unwrap() - 1;
            let mut wrong = tagged.clone();
            wrong[at] += 3;
            assert_eq!(edits_of(wrong), expected, "{}", name.escape_ascii());
        }
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
