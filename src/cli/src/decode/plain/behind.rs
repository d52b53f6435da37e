//! Chunks and tags behind the samples of a file, told from further samples.

use anyhow::Result;

use super::{Piece, PlainSource};
use crate::decode::input::{Input, MAX_PEEK};
use crate::decode::layout::Tail;
use crate::decode::riff::{
    chunk_header, is_fmt_of, number, pass_padding, pass_wave64_padding, wave64_header,
};

/// Bytes behind the data that tell what follows: padding and a chunk's header.
const LOOK: usize = 32;
/// The longest chunks that are looked for behind data of unknown length, in bytes, all of them together.
const MAX_TAIL: usize = MAX_PEEK;
/// The longest chunk that is believed to follow the data of a pipe.
const MAX_PIPED_CHUNK: u64 = 1 << 30;

/// Whether four bytes can be a chunk's name: letters, digits, spaces and a few signs.
pub fn is_name(name: &[u8]) -> bool {
    name.len() == 4 && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b" _-.()".contains(byte))
}

/// Chunks that follow data in the wild: believed even if the file ends within them.
const KNOWN: [&[u8; 4]; 23] = [
    b"LIST", b"bext", b"iXML", b"cue ", b"id3 ", b"ID3 ", b"smpl", b"inst", b"fact", b"PEAK", b"JUNK",
    b"junk", b"PAD ", b"FLLR", b"afsp", b"umid", b"levl", b"axml", b"chna", b"acid", b"_PMX", b"cart",
    b"RIFF",
];

/// Whether a chunk begins here, before `left` bytes of a file.
pub fn begins_chunk(head: &[u8], tail: Tail, left: Option<u64>) -> bool {
    let Some(name) = head.get(..4) else { return false };
    let number = |range: std::ops::Range<usize>, is_big_endian: bool| -> Option<u64> {
        let bytes = head.get(range)?.iter();
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if is_big_endian { bytes.fold(0, fold) } else { bytes.rev().fold(0, fold) })
    };
    let fits = |len: Option<u64>, n_header: u64| {
        let len = len.and_then(|len| len.checked_add(n_header));
        len.is_some_and(|len| len <= left.unwrap_or(MAX_PIPED_CHUNK))
    };
    match tail {
        Tail::Nothing => false,
        Tail::Chunks { is_big_endian } => {
            KNOWN.iter().any(|known| name == *known) || is_name(name) && fits(number(4..8, is_big_endian), 8)
        }
        Tail::Wave64 => is_name(name) && fits(number(16..24, false), 0),
        Tail::Caf => is_name(name) && fits(number(4..12, true), 12),
    }
}

/// Whether a tag for MP3 players begins here, which some programs append to anything.
pub fn is_tag(head: &[u8]) -> bool {
    head.starts_with(b"ID3") && head.get(3).is_some_and(|&version| version < 5)
        || head.starts_with(b"APETAGEX")
        || head.starts_with(b"TAG") && head.get(3).is_some_and(|byte| !byte.is_ascii_control())
}

/// Whether data that are stated to end at a position of a file do: it ends there or before, or chunks or tags follow.
///
/// # Errors
/// Errors of the file.
pub fn ends_at(input: &mut Input, end: u64, tail: Tail) -> Result<bool> {
    if input.len().is_none_or(|len| end >= len) {
        return Ok(true);
    }
    input.seek(end)?;
    let left = input.left();
    let head = input.peek(LOOK)?;
    let padded = head.strip_prefix(&[0]).unwrap_or(head);
    let is_end =
        padded.is_empty() || is_tag(head) || [head, padded].iter().any(|head| begins_chunk(head, tail, left));
    Ok(is_end)
}

/// Whether `bytes`, which go on to the end, are chunks and nothing else, the first of them one that follows data.
fn are_chunks(bytes: &[u8], is_big_endian: bool) -> bool {
    if known_len(bytes, is_big_endian).is_none() {
        return false;
    }
    let mut rest = bytes;
    while let Some((name, len)) = header(rest, is_big_endian) {
        let content = &rest[8..];
        if !is_name(name) || len > content.len() {
            return false;
        }
        // Some writers leave the byte out that makes an odd length even.
        rest = content.get(len + len % 2..).unwrap_or_default();
    }
    rest.is_empty()
}

/// The name and the length of the chunk that begins here.
fn header(bytes: &[u8], is_big_endian: bool) -> Option<(&[u8], usize)> {
    let (name, rest) = bytes.split_at_checked(4)?;
    let len = *rest.first_chunk()?;
    Some((name, if is_big_endian { u32::from_be_bytes(len) } else { u32::from_le_bytes(len) } as usize))
}

/// The length of the chunk that begins here, if it is one that follows data and is not too long to be looked for.
fn known_len(bytes: &[u8], is_big_endian: bool) -> Option<usize> {
    let (name, len) = header(bytes, is_big_endian)?;
    (len <= MAX_TAIL && KNOWN.iter().any(|known| name == *known)).then_some(len)
}

/// The first place in `bytes`, before `n_starts`, from which chunks go on to their end; `is_odd` says whether the first
/// byte lies at an odd place of the data.
fn first_chunk(bytes: &[u8], n_starts: usize, is_odd: bool, is_big_endian: bool) -> Option<usize> {
    (usize::from(is_odd)..n_starts.min(bytes.len()))
        .step_by(2)
        .find(|&at| are_chunks(&bytes[at..], is_big_endian))
}

impl PlainSource {
    /// Reads what follows the data of a file, ahead of them.
    pub(super) fn look_behind(&mut self) -> Result<()> {
        let Some(rest) = self.input.left() else { return Ok(()) };
        self.look_behind_stated(rest)?;
        if self.left.is_none_or(|left| left >= rest) {
            self.look_behind_open(rest)?;
        }
        Ok(())
    }

    /// Chunks at the end of a file whose data have no length, or one that is too long: they are no sound.
    fn look_behind_open(&mut self, rest: u64) -> Result<()> {
        let Tail::Chunks { is_big_endian } = self.layout.tail else { return Ok(()) };
        let from = rest.saturating_sub(MAX_TAIL as u64);
        self.input.seek(self.data_at + from)?;
        let bytes = self.input.peek(MAX_TAIL)?;
        if let Some(at) = first_chunk(bytes, bytes.len(), from % 2 == 1, is_big_endian) {
            self.input.skip(at as u64)?;
            let n_data = from + at as u64;
            if let Some(left) = self.left {
                self.note_missing(left - n_data, rest - n_data);
            }
            self.left = Some(n_data);
            self.has_tail = true;
            self.read_tail()?;
        }
        self.input.seek(self.data_at)?;
        Ok(())
    }

    /// The same of a pipe, of which `n_read` bytes were just read: how many of them are data.
    pub(super) fn n_before_chunks(&mut self, n_read: usize) -> Result<usize> {
        let Tail::Chunks { is_big_endian } = self.layout.tail else { return Ok(n_read) };
        let is_odd = (self.input.at() - n_read as u64 - self.data_at) % 2 == 1;
        // A name and a length can lie across the end of what was read.
        let mut held = [&self.bytes[..n_read], self.input.peek(8)?].concat();
        let known = |at: &usize| known_len(&held[*at..], is_big_endian).is_some();
        let Some(first) = (usize::from(is_odd)..n_read).step_by(2).find(known) else { return Ok(n_read) };
        held.truncate(n_read);
        held.drain(..first);
        // Only a pipe that may end within reach is waited for.
        let ahead = self.input.peek(MAX_TAIL)?;
        if ahead.len() == MAX_TAIL {
            return Ok(n_read);
        }
        held.extend_from_slice(ahead);
        let Some(at) = first_chunk(&held, n_read - first, false, is_big_endian) else { return Ok(n_read) };
        let n_data = first + at;
        if let Some(left) = self.left {
            self.note_missing(left - n_data as u64, (held.len() - at) as u64);
        }
        self.input.put_back(&self.bytes[n_data..n_read]);
        (self.left, self.has_tail) = (Some(0), true);
        self.read_tail()?;
        Ok(n_data)
    }

    fn look_behind_stated(&mut self, rest: u64) -> Result<()> {
        let Some(left) = self.left.filter(|&left| left < rest) else { return Ok(()) };
        self.input.seek(self.data_at + left)?;
        if self.is_more_data(left)? {
            self.left = None;
            self.is_longer = true;
        } else {
            self.read_tail()?;
        }
        self.has_tail = true;
        self.input.seek(self.data_at)?;
        Ok(())
    }

    /// Whether what follows the stated data (of `n_bytes`), where the input stands, is further data.
    pub(super) fn is_more_data(&mut self, n_bytes: u64) -> Result<bool> {
        let tail = self.layout.tail;
        let left = self.input.left();
        // Chunks begin at even positions, in Wave64 at multiples of 8: behind zeros.
        let n_padding = match tail {
            Tail::Wave64 => n_bytes.next_multiple_of(8) - n_bytes,
            Tail::Chunks { .. } => n_bytes % 2,
            Tail::Caf | Tail::Nothing => 0,
        } as usize;
        let head = self.input.peek(LOOK)?;
        if head.is_empty() || is_tag(head) || begins_chunk(head, tail, left) {
            return Ok(false);
        }
        let (padding, behind) = head.split_at(n_padding.min(head.len()));
        let is_padded = padding.iter().all(|&byte| byte == 0) && n_padding > 0;
        if is_padded && (behind.is_empty() || begins_chunk(behind, tail, left)) {
            self.input.skip(n_padding as u64)?;
            return Ok(false);
        }
        // Less than a sample is no sound.
        Ok(head.len() as u64 >= self.unit_bytes().min(LOOK as u64))
    }

    /// Reads the chunks behind the data.
    pub(super) fn read_tail(&mut self) -> Result<()> {
        match self.layout.tail {
            Tail::Nothing => Ok(()),
            Tail::Chunks { .. } if self.layout.container.starts_with("aiff") => self.read_aiff(),
            Tail::Chunks { is_big_endian } => self.read_riff(is_big_endian),
            Tail::Wave64 => self.read_wave64(),
            Tail::Caf => self.read_caf(),
        }
    }

    fn read_aiff(&mut self) -> Result<()> {
        while !is_tag(self.input.peek(LOOK)?)
            && let Some((name, len)) = chunk_header(&mut self.input, true)?
            && is_name(&name)
        {
            self.layout.metadata.read_aiff_chunk(&mut self.input, name, len.into())?;
            pass_padding(&mut self.input, len.into())?;
        }
        Ok(())
    }

    fn read_wave64(&mut self) -> Result<()> {
        while !is_tag(self.input.peek(LOOK)?)
            && let Some((name, len)) = wave64_header(&mut self.input)?
            && is_name(&name)
        {
            self.layout.metadata.read_chunk(&mut self.input, name, len)?;
            pass_wave64_padding(&mut self.input, len)?;
        }
        Ok(())
    }

    fn read_caf(&mut self) -> Result<()> {
        while !is_tag(self.input.peek(LOOK)?)
            && let Some([a, b, c, d, len @ ..]) = self.input.take::<12>()?
            && is_name(&[a, b, c, d])
        {
            let len = u64::from_be_bytes(len);
            self.layout.metadata.pass_caf_chunk(&mut self.input, &[a, b, c, d], len)?;
        }
        Ok(())
    }

    fn read_riff(&mut self, is_big_endian: bool) -> Result<()> {
        while !is_tag(self.input.peek(LOOK)?)
            && let Some((name, len)) = chunk_header(&mut self.input, is_big_endian)?
        {
            if !is_name(&name) {
                break;
            }
            if &name == b"slnt" && len == 4 {
                let n_samples = number(&mut self.input, is_big_endian)?;
                let n_samples = self.believed(n_samples);
                self.runs.push_back(Piece::Silence(n_samples));
                if self.input.left().is_none() {
                    (self.run_bytes, self.has_tail) = (0, false);
                    return Ok(());
                }
                continue;
            }
            // Another file that is joined.
            if &name == b"RIFF" && self.input.peek(4)? == b"WAVE" {
                self.input.skip(4)?;
                continue;
            }
            if &name == b"fmt " {
                let is_same = is_fmt_of(&mut self.input, len, is_big_endian, &self.layout);
                self.is_followed = !is_same.unwrap_or(false);
                if self.is_followed {
                    break;
                }
                pass_padding(&mut self.input, len.into())?;
                continue;
            }
            if &name == b"data" && len > 0 {
                self.n_runs += 1;
                let Some(rest) = self.input.left() else {
                    (self.left, self.run_bytes, self.has_tail) = (Some(len.into()), len.into(), false);
                    return Ok(());
                };
                self.runs.push_back(Piece::Data(self.input.at(), u64::from(len).min(rest)));
                self.input.skip(len.into())?;
                pass_padding(&mut self.input, len.into())?;
                continue;
            }
            self.layout.metadata.read_chunk(&mut self.input, name, len.into())?;
            pass_padding(&mut self.input, len.into())?;
        }
        Ok(())
    }
}
