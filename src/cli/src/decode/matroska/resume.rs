//! The place behind damage from which a Matroska file is read on: its clusters can be found without what is before them.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};

use crate::decode::slide::slide;
use crate::decode::windows::Window;

/// Bytes of a cluster's beginning: its name, its length, a checksum, its time.
const BEGINNING: usize = 32;
/// Nanoseconds of a cluster's unit, unless the file states it.
const USUAL_SCALE_NS: u64 = 1_000_000;

/// The parts of the file without what is between its description and the first cluster that begins behind the byte `after`
/// and at a time behind `time_ns`, in nanoseconds; `None` if there is none.
///
/// # Errors
/// Errors of the file.
pub fn behind(mut file: &File, after: u64, time_ns: u64) -> io::Result<Option<[Window; 2]>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let (mut first, mut scale_ns) = (None, USUAL_SCALE_NS);
    slide(&mut file, 0, BEGINNING, |start, held| {
        if !matches!(held[0], 0x1f | 0x2a) {
            return None;
        }
        let bytes = &held[..held.len().min(BEGINNING)];
        if let Some(scale) = scale(bytes).filter(|_| first.is_none()) {
            scale_ns = scale;
        }
        let time = cluster_time(bytes)?;
        let head = *first.get_or_insert(start);
        let is_behind = start > after && time.saturating_mul(scale_ns) > time_ns;
        is_behind.then_some([Window { start: 0, end: head }, Window { start, end }])
    })
}

/// The time of the cluster that begins here.
fn cluster_time(bytes: &[u8]) -> Option<u64> {
    let rest = bytes.strip_prefix(&[0x1f, 0x43, 0xb6, 0x75])?;
    let n_len = rest.first()?.leading_zeros() as usize + 1;
    let mut rest = rest.get(n_len..).filter(|_| n_len <= 8)?;
    if let Some([0xbf, 0x84, _, _, _, _]) = rest.first_chunk() {
        rest = &rest[6..];
    }
    number(rest.strip_prefix(&[0xe7])?)
}

/// The unit of times, in nanoseconds, if it is stated here.
fn scale(bytes: &[u8]) -> Option<u64> {
    number(bytes.strip_prefix(&[0x2a, 0xd7, 0xb1])?).filter(|&scale| scale > 0)
}

/// A number behind its length, which takes up to eight bytes itself.
fn number(bytes: &[u8]) -> Option<u64> {
    let n_more = bytes.first()?.leading_zeros() as usize;
    let length = bytes.get(..1 + n_more).filter(|_| n_more < 8)?;
    let value = |bytes: &[u8]| bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    let n_bytes = usize::try_from(value(length) & !(1 << (7 * (n_more + 1)))).ok().filter(|&n| n <= 8)?;
    bytes.get(1 + n_more..1 + n_more + n_bytes).map(value)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_next_cluster_is_found_by_its_time() {
        let cluster = |time: u8| {
            [0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe7, 0x81, time]
        };
        let checked = [0x1f, 0x43, 0xb6, 0x75, 0xff, 0xbf, 0x84, 1, 2, 3, 4, 0xe7, 0x20, 0, 2, 1, 0];
        let bytes = [
            &b"description"[..],
            &[0x2a, 0xd7, 0xb1, 0x83, 0x1e, 0x84, 0x80],
            &cluster(0),
            &[9; 50],
            &cluster(10),
            // Without a time, then with one of a long length.
            &[0x1f, 0x43, 0xb6, 0x75, 0xff],
            &[9; 50],
            &checked,
            &[9; 5],
        ]
        .concat();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let found = |ms: u64| behind(&file, 0, ms * 1_000_000).unwrap();
        let parts =
            |start: u64| Some([Window { start: 0, end: 18 }, Window { start, end: bytes.len() as u64 }]);
        // Of 2 ms each.
        assert_eq!(found(0), parts(18 + 15 + 50));
        assert_eq!(found(19), parts(18 + 15 + 50));
        assert_eq!(found(20), parts(18 + 15 + 50 + 15 + 55));
        assert_eq!(found(512), None);
        // One that was tried in vain is not tried again.
        assert_eq!(behind(&file, 18 + 15 + 50, 0).unwrap(), parts(18 + 15 + 50 + 15 + 55));
    }
}
