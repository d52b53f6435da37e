//! The FLAC files within a file: several can be joined end to end, and tags can stand behind them, in which
//! symphonia 0.6 loses its way.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::slide::slide;

/// A part of a file, from its first byte to the one behind its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its start.
    pub start: u64,
    /// Its end.
    pub end: u64,
}

/// More joined files than there are: a limit for damaged ones.
const MAX_WINDOWS: usize = 10_000;
/// Beginning of a FLAC file: its mark, and a description of 34 bytes, which may be its only block.
const STARTS: [&[u8; 8]; 2] = [b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22"];

/// Bytes that tell a FLAC file, or a tag in front of one, whose header they are.
const MARK: usize = 10;

/// The FLAC files in a file, one behind the other; at least one.
///
/// # Errors
/// Errors of the file.
pub fn flac(file: &mut (impl Read + Seek)) -> io::Result<Vec<Window>> {
    let len = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut starts = Vec::new();
    // Starts and ends of ID3v2 tags.
    let mut tags: Vec<(u64, u64)> = Vec::new();
    slide(file, 0, MARK, |here, held| {
        // One byte in a hundred is looked at further.
        let window = held.first_chunk::<MARK>().filter(|_| matches!(held[0], b'f' | b'I'))?;
        if STARTS.iter().any(|start| window.starts_with(*start)) {
            starts.push(here);
        } else if window.starts_with(b"ID3") && tags.len() < MAX_WINDOWS {
            let len = window[6..].iter().fold(0, |len, byte| len << 7 | u64::from(byte & 0x7f));
            tags.push((here, here + MARK as u64 + len));
        }
        (starts.len() >= MAX_WINDOWS).then_some(())
    })?;
    if let Some(first) = starts.first_mut() {
        // With the tags in front of it.
        *first = 0;
    } else {
        starts.push(0);
    }
    let before = |start: u64| tags.iter().find(|(_, end)| *end == start).map_or(start, |(tag, _)| *tag);
    let ends = starts.iter().skip(1).map(|&start| before(start)).chain([len]);
    let windows: Vec<(u64, u64)> = starts.iter().copied().zip(ends).collect();
    windows
        .into_iter()
        .map(|(start, end)| Ok(Window { start, end: without_tags(file, start, end)? }))
        .collect()
}

/// The end of what stands before tags (ID3v1, APE).
fn without_tags(file: &mut (impl Read + Seek), start: u64, mut end: u64) -> io::Result<u64> {
    let mut bytes_at = |end: u64, n: u64| -> io::Result<[u8; 32]> {
        let mut bytes = [0; 32];
        if end.saturating_sub(start) > n {
            file.seek(SeekFrom::Start(end - n))?;
            file.read_exact(&mut bytes)?;
        }
        Ok(bytes)
    };
    if bytes_at(end, 128)?.starts_with(b"TAG") {
        end -= 128;
    }
    let footer = bytes_at(end, 32)?;
    if footer.starts_with(b"APETAGEX") {
        let n_items = u64::from(u32::from_le_bytes([footer[12], footer[13], footer[14], footer[15]]));
        let n_header = if footer[23] & 0x80 != 0 { 32 } else { 0 };
        if n_items + n_header < end - start {
            end -= n_items + n_header;
        }
    }
    Ok(end)
}

/// Parts of a file, as if they were the whole.
pub struct Part {
    file: File,
    /// The end of each part in the whole, and its start in the file.
    pieces: Vec<(u64, u64)>,
    at: u64,
}

impl Part {
    /// The parts of `file` within `windows`, one behind the other.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn new(file: File, windows: &[Window]) -> io::Result<Self> {
        let mut end = 0;
        let pieces = windows
            .iter()
            .map(|window| {
                end += window.end.saturating_sub(window.start);
                (end, window.start)
            })
            .collect();
        let mut this = Self { file, pieces, at: 0 };
        this.seek(SeekFrom::Start(0))?;
        Ok(this)
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |&(end, _)| end)
    }

    fn go_to_place(&mut self) -> io::Result<()> {
        if let Some((place, _)) = self.place() {
            self.file.seek(SeekFrom::Start(place))?;
        }
        Ok(())
    }

    /// The place in the file of the next byte, and how many follow it in its part.
    fn place(&self) -> Option<(u64, u64)> {
        let index = self.pieces.partition_point(|&(end, _)| end <= self.at);
        let &(end, start) = self.pieces.get(index)?;
        let before = index.checked_sub(1).map_or(0, |before| self.pieces[before].0);
        Some((start + (self.at - before), end - self.at))
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((_, n_left)) = self.place() else { return Ok(0) };
        let n = buffer.len().min(usize::try_from(n_left).unwrap_or(usize::MAX));
        let n_read = self.file.read(&mut buffer[..n])?;
        self.at += n_read as u64;
        if n_read as u64 == n_left {
            self.go_to_place()?;
        }
        Ok(n_read)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        self.go_to_place()?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    #[test]
    fn joined_files_are_found_and_tags_left_out() {
        let one = [&STARTS[0][..], &[7; 70_000]].concat();
        let tag = [&b"TAG"[..], &[0; 125]].concat();
        let ape = [&b"APETAGEX\xd0\x07\0\0\x28\0\0\0\x01\0\0\0\0\0\0\x80"[..], &[0; 8]].concat();
        let id3 = b"ID3\x03\0\0\0\0\0\0";
        let end = one.len() as u64;
        let found = |bytes: &[u8]| flac(&mut Cursor::new(bytes)).unwrap();
        assert_eq!(found(&one), [Window { start: 0, end }]);
        assert_eq!(found(&[&one[..], &[1; 40], &ape, &tag].concat()), [Window { start: 0, end }]);
        let joined = [&id3[..], &one, &tag, &one].concat();
        let second = end + 10 + 128;
        assert_eq!(
            found(&joined),
            [Window { start: 0, end: end + 10 }, Window { start: second, end: second + end }]
        );
        let joined = [&one[..], id3, &one].concat();
        assert_eq!(found(&joined), [Window { start: 0, end }, Window { start: end + 10, end: 2 * end + 10 }]);
        assert_eq!(found(b"fLaC"), [Window { start: 0, end: 4 }]);
    }

    #[test]
    fn a_part_is_like_a_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut part = Part::new(file.try_clone().unwrap(), &[Window { start: 2, end: 6 }]).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), part.len()), ("2345", 4));
        assert_eq!(part.seek(SeekFrom::End(-1)).unwrap(), 3);
        text.clear();
        part.read_to_string(&mut text).unwrap();
        assert_eq!(text, "5");
        assert!(part.seek(SeekFrom::Current(-9)).is_err());
        let windows = [(0, 2), (4, 5), (5, 5), (8, 10)].map(|(start, end)| Window { start, end });
        let mut parts = Part::new(file, &windows).unwrap();
        text.clear();
        parts.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), parts.len()), ("01489", 5));
        parts.seek(SeekFrom::Start(2)).unwrap();
        text.clear();
        parts.read_to_string(&mut text).unwrap();
        assert_eq!(text, "489");
        assert_eq!(parts.seek(SeekFrom::End(3)).unwrap(), 8);
        assert_eq!(parts.read(&mut [0; 4]).unwrap(), 0);
    }
}
