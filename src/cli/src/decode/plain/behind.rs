//! Chunks and tags behind the samples of a file, told from further samples.

use super::MAX_PIPED_CHUNK;
use crate::decode::layout::Tail;

/// Whether four bytes can be a chunk's name: letters, digits, spaces and a few signs.
pub fn is_name(name: &[u8]) -> bool {
    name.len() == 4 && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b" _-.()".contains(byte))
}

/// Whether a chunk begins here, before `left` bytes of a file.
pub fn begins_chunk(head: &[u8], tail: Tail, left: Option<u64>) -> bool {
    /// Chunks that follow data in the wild: believed even if the file ends within them.
    const KNOWN: [&[u8; 4]; 22] = [
        b"LIST", b"bext", b"iXML", b"cue ", b"id3 ", b"ID3 ", b"smpl", b"inst", b"fact", b"PEAK", b"JUNK",
        b"junk", b"PAD ", b"FLLR", b"afsp", b"umid", b"levl", b"axml", b"chna", b"acid", b"_PMX", b"cart",
    ];
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
