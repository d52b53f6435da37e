//! The outer boxes of an MP4: whether there is an index, whether it is in pieces, and whether the file is all there.

use std::io::{Read, Seek, SeekFrom};

use super::moof::{OuterBox, packets_end};
use super::slide::slide;
use super::source::words_on_foreign;

/// Boxes this deep and this many are read before a file is taken for malformed.
pub const MAX_BOXES: usize = 10_000;
/// More outer boxes than any recording has: a day in fragments of a fifth of a second.
const MAX_OUTER: usize = 1_000_000;

/// Boxes that stand at the outside, of those that can be large.
const KNOWN: [&[u8; 4]; 16] = [
    b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"mfra", b"sidx", b"ssix",
    b"styp", b"uuid", b"meta", b"udta", b"emsg",
];

/// Whether an MP4 can begin with this box; QuickTime's oldest files have none of their type.
pub fn is_first_box(kind: &[u8; 4]) -> bool {
    let name = b"ftyp moov mdat wide free skip pnot uuid junk prfl PICT";
    name.split(|&byte| byte == b' ').any(|name| name == kind)
}

/// Contents of the outer boxes of an MP4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The boxes in their order, each cut off at the end of the file.
    pub boxes: Vec<OuterBox>,
    /// Stated end of the last box, if that is behind the end of the file.
    pub cut_end: Option<u64>,
    /// Whether it states its type.
    pub has_type: bool,
    /// Whether there is an index.
    pub has_index: bool,
    /// Whether the index is in pieces.
    pub is_fragmented: bool,
    /// The end of the boxes, if something follows behind the index that is none.
    pub rubbish_at: Option<u64>,
    /// Bytes behind that end, if they are no other file.
    pub n_rubbish: u64,
    /// Whether another file is there.
    pub is_joined: bool,
    /// Whether a part of its fragments is damaged.
    pub is_damaged: bool,
    /// Bytes of the index that are missing at the end of the file, if it lacks what an index ends with.
    pub n_index_missing: u64,
}

impl Outline {
    /// The note on what else there is, or what is not.
    pub fn note(&self) -> Option<String> {
        if self.is_joined {
            return Some(
                "is followed by another MP4, which was not read: split the two files first".to_owned(),
            );
        }
        if self.n_index_missing > 0 {
            return Some(format!(
                "its index is cut off, or states {} bytes too many: its tags may be lost, or other tracks; copy it again if \
                 the original is whole",
                self.n_index_missing
            ));
        }
        let is_rest = self.is_fragmented && self.n_rubbish > 0;
        match (self.is_damaged, is_rest) {
            (true, _) => Some(
                "is damaged: pieces of its index are lost, and the sound that they place; copy it again if the original is \
                 whole"
                    .to_owned(),
            ),
            (false, true) => Some(words_on_foreign(self.n_rubbish)),
            (false, false) => None,
        }
    }

    /// Whether its index is of all that there is.
    pub fn is_whole(&self) -> bool {
        self.cut_end.is_none() && !self.is_fragmented
    }

    /// Whether the index of fragments lies at a place in the file, and not what it lists.
    pub fn is_index_at(&self, at: u64) -> bool {
        let index = self.boxes.partition_point(|outer| outer.start <= at);
        let outer = index.checked_sub(1).map(|index| self.boxes[index]);
        outer.is_some_and(|outer| {
            at < outer.end && matches!(&outer.kind, b"moof" | b"styp" | b"sidx" | b"mfra")
        })
    }
}

/// Looks over an MP4's outer boxes; `None` for anything else. Behind damage it goes on with the next fragment.
pub fn outline(file: &mut (impl Read + Seek)) -> Option<Outline> {
    let end = file.seek(SeekFrom::End(0)).ok()?;
    let (mut at, mut last_content) = (0, 8);
    let mut outline = Outline::default();
    let (mut movie, mut moof) = (None, None);
    for _ in 0..MAX_OUTER {
        if at + 8 > end {
            break;
        }
        file.seek(SeekFrom::Start(at)).ok()?;
        let stated = u64::from(read_u32(file)?);
        let kind = read_u32(file)?.to_be_bytes();
        if at == 0 && !is_first_box(&kind) {
            return None;
        }
        let (size, n_header) = match stated {
            0 => (end - at, 8),
            1 => (read_u64(file)?, 16),
            size => (size, 8),
        };
        // Behind the index: what is no box, one that nobody knows and that goes on behind the end, another file.
        let is_name = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | 0xa9);
        let is_box =
            kind.iter().all(is_name) && size >= n_header && (size <= end - at || KNOWN.contains(&&kind));
        outline.is_joined = outline.has_index && &kind == b"ftyp";
        let mut next = at.checked_add(size).filter(|_| size >= n_header);
        // Samples whose length was never written: the fragment in front of them says where they end.
        let is_open = next.is_none_or(|next| next > end);
        if let (b"mdat", Some(movie), Some(moof)) = (&kind, movie, moof)
            && (is_open || stated == 0)
        {
            let packets_end = packets_end(file, movie, moof);
            next = Some(packets_end).filter(|&packets_end| packets_end > at + n_header).or(next);
        } else if outline.is_fragmented && !outline.is_joined && (!is_box || is_open) {
            // The box before may go on too far, as bytes of it are lost.
            let from = if is_box { at + 8 } else { last_content };
            if let Some(found) = next_fragment(file, from)? {
                outline.is_damaged = true;
                (at, last_content) = (found, found + 8);
                continue;
            }
        }
        if outline.has_index && !is_box || outline.is_joined {
            outline.rubbish_at = Some(at);
            outline.n_rubbish = if outline.is_joined { 0 } else { end - at };
            return Some(outline);
        }
        let next = next?;
        outline.has_type |= &kind == b"ftyp";
        outline.has_index |= matches!(&kind, b"moov" | b"moof");
        outline.is_fragmented |= &kind == b"moof";
        let outer = OuterBox { kind, start: at, content: at + n_header, end: next.min(end) };
        match &kind {
            b"moov" => {
                movie = Some(outer);
                // Less than a box is a wrong length, and so is more behind the last.
                if next >= end + 8 && !ends_with_tags(file, outer)? {
                    outline.n_index_missing = next - end;
                }
            }
            b"moof" => moof = Some(outer),
            _ => {}
        }
        outline.boxes.push(outer);
        (at, last_content) = (next, outer.content);
    }
    // Nobody seeks further than that.
    outline.cut_end = Some(at).filter(|&at| at > end && at < 1 << 62);
    Some(outline)
}

/// Whether the last box of an index is there to its last byte, and holds the tags, which programs write there.
fn ends_with_tags(file: &mut (impl Read + Seek), index: OuterBox) -> Option<bool> {
    let (mut at, mut kind) = (index.content, 0);
    while at + 8 <= index.end {
        file.seek(SeekFrom::Start(at)).ok()?;
        // Less than its head is none.
        at = at.saturating_add(u64::from(read_u32(file)?).max(8));
        kind = read_u32(file)?;
    }
    Some(at == index.end && matches!(&kind.to_be_bytes(), b"udta" | b"meta"))
}

/// The next place from which a fragment begins.
fn next_fragment(file: &mut (impl Read + Seek), from: u64) -> Option<Option<u64>> {
    file.seek(SeekFrom::Start(from)).ok()?;
    let is_fragment = |bytes: &[u8]| bytes.get(4..8) == Some(b"moof") && bytes.get(12..16) == Some(b"mfhd");
    slide(file, from, 16, |at, bytes| is_fragment(bytes).then_some(at)).ok()
}

/// The next number of 32 bits.
pub fn read_u32(file: &mut impl Read) -> Option<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes).ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// The next number of 64 bits.
pub fn read_u64(file: &mut impl Read) -> Option<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).ok()?;
    Some(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    /// Tags are the last in an index: one that is there to its last tag is whole, whatever length it states.
    #[test]
    fn an_index_is_whole_if_its_tags_are() {
        let missing = |last: &[u8; 4], states: i64, cut: usize| {
            let content = [mp4_box(b"mvhd", &[0; 20]), mp4_box(last, &[7; 40])].concat();
            let mut index = mp4_box(b"moov", &content);
            let size = (index.len() as i64 + states) as u32;
            index[..4].copy_from_slice(&size.to_be_bytes());
            let mut file = [mp4_box(b"ftyp", b"M4A "), mp4_box(b"mdat", &[1; 30]), index].concat();
            file.truncate(file.len() - cut);
            let found = outline(&mut Cursor::new(file)).unwrap();
            assert_eq!(found.note().is_some(), found.n_index_missing > 0);
            found.n_index_missing
        };
        assert_eq!(missing(b"udta", 0, 0), 0);
        assert_eq!(missing(b"udta", 4_096, 0), 0);
        assert_eq!(missing(b"meta", 4_096, 0), 0);
        assert_eq!(missing(b"udta", 0, 20), 20);
        assert_eq!(missing(b"udta", 0, 44), 44);
        // Less than a box is a wrong length.
        assert_eq!(missing(b"trak", 3, 0), 0);
        assert_eq!(missing(b"trak", 4_096, 0), 4_096);
    }
}
