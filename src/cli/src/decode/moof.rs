//! One piece of the index of a fragmented MP4 (`moof`): its statements on the tracks' packets.
//!
//! ISO/IEC 14496-12, 8.8.

use std::io::{Read, Seek, SeekFrom};

/// The longest piece of an index that is read, in bytes.
const MAX_MOOF: u64 = 1 << 26;

/// A box that stands at the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OuterBox {
    /// Its name.
    pub kind: [u8; 4],
    /// Its first byte.
    pub start: u64,
    /// The first byte of its content.
    pub content: u64,
    /// The byte behind its last.
    pub end: u64,
}

/// Defaults of a track's packets, for what a fragment does not say (`trex`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usual {
    id: u32,
    duration: u32,
    size: u32,
}

/// A statement of a fragment on a track.
pub enum Said {
    /// The time of its next packet.
    Time(u64),
    /// Packets, one behind the other.
    Packets {
        /// The first one's place.
        at: u64,
        /// Their number.
        n: u32,
        /// Bytes of each.
        size: u32,
        /// The duration of each.
        duration: u32,
        /// How much later than its decoding each is presented.
        offset: i32,
    },
}

/// The end of the packets that a piece of the index lists, in a file whose index begins with `movie`.
pub fn packets_end(file: &mut (impl Read + Seek), movie: OuterBox, moof: OuterBox) -> u64 {
    let usual = usual_of(file, movie);
    let mut end = 0;
    pieces(&contents(file, moof), moof.start, &usual, |_, said| {
        if let Said::Packets { at, n, size, .. } = said {
            end = end.max(at.saturating_add(u64::from(n) * u64::from(size)));
        }
    });
    end
}

/// The content of a box, if it is no longer than any piece of an index.
pub fn contents(file: &mut (impl Read + Seek), outer: OuterBox) -> Vec<u8> {
    let mut bytes = Vec::new();
    let n_bytes = outer.end.saturating_sub(outer.content).min(MAX_MOOF);
    let is_there = file.seek(SeekFrom::Start(outer.content)).is_ok();
    if !is_there || file.take(n_bytes).read_to_end(&mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// The defaults of all tracks.
pub fn usual_of(file: &mut (impl Read + Seek), movie: OuterBox) -> Vec<Usual> {
    let mut usual = Vec::new();
    for (_, extends) in boxes(&contents(file, movie)).filter(|(kind, _)| kind == b"mvex") {
        for (_, content) in boxes(extends).filter(|(kind, _)| kind == b"trex") {
            let mut words = Words(content);
            if let Some([_, id, _, duration, size]) = words.many() {
                usual.push(Usual { id, duration, size });
            }
        }
    }
    usual
}

/// The statements of the piece of an index that begins at `moof_at`, each with its track.
pub fn pieces(moof: &[u8], moof_at: u64, usual: &[Usual], mut say: impl FnMut(u32, Said)) {
    // Where the packets of the next track begin, unless it says so: the first track's count from the fragment, others'
    // behind those before.
    let mut data_at = moof_at;
    for (_, track) in boxes(moof).filter(|(kind, _)| kind == b"traf") {
        let (mut own, mut base) = (Usual::default(), data_at);
        for (kind, content) in boxes(track) {
            let mut words = Words(content);
            match &kind {
                b"tfhd" => {
                    let Some([flags, id]) = words.many() else { continue };
                    own = usual.iter().copied().find(|usual| usual.id == id).unwrap_or_default();
                    own.id = id;
                    if flags & 0x1 != 0 {
                        base = words.wide().unwrap_or(base);
                    } else if flags & 0x2_0000 != 0 {
                        base = moof_at;
                    }
                    let mut next = |flag: u32| if flags & flag != 0 { words.next() } else { None };
                    next(0x2);
                    own.duration = next(0x8).unwrap_or(own.duration);
                    own.size = next(0x10).unwrap_or(own.size);
                    data_at = base;
                }
                b"tfdt" => {
                    let is_wide = words.next().is_some_and(|version| version >> 24 > 0);
                    let time = if is_wide { words.wide() } else { words.next().map(u64::from) };
                    if let Some(time) = time {
                        say(own.id, Said::Time(time));
                    }
                }
                b"trun" => data_at = run(&mut words, base, data_at, own, &mut say),
                _ => {}
            }
        }
    }
}

/// The packets of a `trun`, which begin at `from` if it does not say where; their end.
fn run(words: &mut Words<'_>, base: u64, from: u64, own: Usual, say: &mut impl FnMut(u32, Said)) -> u64 {
    let Some([flags, n_packets]) = words.many() else { return from };
    let mut next = |flag: u32| if flags & flag != 0 { words.next() } else { None };
    let mut at = next(0x1).map_or(from, |offset| base.saturating_add_signed(i64::from(offset as i32)));
    next(0x4);
    if flags & 0xf00 == 0 {
        let Usual { size, duration, .. } = own;
        say(own.id, Said::Packets { at, n: n_packets, size, duration, offset: 0 });
        return at.saturating_add(u64::from(n_packets) * u64::from(size));
    }
    let n_entry = (flags & 0xf00).count_ones() as usize * 4;
    for _ in 0..n_packets {
        if words.0.len() < n_entry {
            break;
        }
        let mut next = |flag: u32| if flags & flag != 0 { words.next() } else { None };
        let duration = next(0x100).unwrap_or(own.duration);
        let size = next(0x200).unwrap_or(own.size);
        next(0x400);
        let offset = next(0x800).unwrap_or(0) as i32;
        say(own.id, Said::Packets { at, n: 1, size, duration, offset });
        at = at.saturating_add(size.into());
    }
    at
}

/// The boxes one behind the other: their names and contents.
pub fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let ([a, b, c, d, kind @ ..], mut content) = bytes.split_first_chunk::<8>()?;
        let (mut size, mut n_header) = (u64::from(u32::from_be_bytes([*a, *b, *c, *d])), 8);
        if size == 1 {
            let wide;
            (wide, content) = content.split_first_chunk::<8>()?;
            (size, n_header) = (u64::from_be_bytes(*wide), 16);
        }
        let n_content = match size {
            0 => content.len(),
            _ => usize::try_from(size.checked_sub(n_header)?).ok()?.min(content.len()),
        };
        (content, bytes) = content.split_at(n_content);
        Some((*kind, content))
    })
}

/// Numbers one behind the other.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }

    fn wide(&mut self) -> Option<u64> {
        let [high, low] = self.many()?;
        Some(u64::from(high) << 32 | u64::from(low))
    }

    fn many<const N: usize>(&mut self) -> Option<[u32; N]> {
        let mut words = [0; N];
        for word in &mut words {
            *word = self.next()?;
        }
        Some(words)
    }
}
