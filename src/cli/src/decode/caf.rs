//! The end of a CAF's chunks: symphonia 0.6 takes anything behind them for one more, of which most is missing.

use std::io::{Read, Seek, SeekFrom};

/// More chunks than any file has.
const MAX_CHUNKS: usize = 10_000;

/// The end of the last chunk, if something follows that is none: libsndfile writes a zero behind samples of odd length.
pub fn chunks_end(file: &mut (impl Read + Seek)) -> Option<u64> {
    let end = file.seek(SeekFrom::End(0)).ok()?;
    let mut head = [0; 12];
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_exact(&mut head[..8]).ok()?;
    if !head.starts_with(b"caff") {
        return None;
    }
    let mut at = 8;
    for _ in 0..MAX_CHUNKS {
        if at >= end {
            return None;
        }
        file.seek(SeekFrom::Start(at)).ok()?;
        let is_chunk = file.read_exact(&mut head).is_ok()
            && head[..4].iter().all(|&byte| byte.is_ascii_graphic() || byte == b' ');
        if !is_chunk {
            return Some(at);
        }
        // A length below 0 is not known: to the end.
        let n_bytes = u64::try_from(i64::from_be_bytes(*head.last_chunk()?)).ok()?;
        at = at.checked_add(12)?.checked_add(n_bytes)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn bytes_behind_the_chunks_are_found() {
        let chunk = |n_bytes: i64| [b"data", &n_bytes.to_be_bytes()[..], &[7; 5]].concat();
        let end = |parts: &[&[u8]]| {
            chunks_end(&mut Cursor::new([b"caff\0\x01\0\0", &chunk(5)[..], &parts.concat()].concat()))
        };
        assert_eq!(end(&[]), None);
        assert_eq!(end(&[&[0]]), Some(25));
        assert_eq!(end(&[&[0; 40]]), Some(25));
        assert_eq!(end(&[&chunk(5), b"tag"]), Some(42));
        assert_eq!(end(&[&chunk(-1), &[0]]), None);
        assert_eq!(end(&[&chunk(900)]), None);
        assert_eq!(chunks_end(&mut Cursor::new(b"RIFF\0\0\0\0WAVE")), None);
    }
}
