//! A look at every place of a file, a piece of it at a time.

use std::io::{self, Read};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// Shows `look` every place of what is left of `file`, whose next byte is at `at`: its position, and the bytes from there
/// on, `n_ahead` at least unless the end is near. The first answer that is something ends it.
///
/// # Errors
/// Errors of the file.
pub fn slide<T>(
    file: &mut impl Read,
    mut at: u64,
    n_ahead: usize,
    mut look: impl FnMut(u64, &[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut buffer = vec![0; CHUNK + n_ahead];
    let mut n_kept = 0;
    loop {
        let n_read = file.read(&mut buffer[n_kept..])?;
        let n_held = n_kept + n_read;
        // The last bytes are looked at with those that follow.
        let n_done = if n_read == 0 { n_held } else { n_held.saturating_sub(n_ahead) };
        for offset in 0..n_done {
            if let Some(found) = look(at + offset as u64, &buffer[offset..n_held]) {
                return Ok(Some(found));
            }
        }
        if n_read == 0 {
            return Ok(None);
        }
        at += n_done as u64;
        buffer.copy_within(n_done..n_held, 0);
        n_kept = n_held - n_done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_looked_at_once() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let mut next = 7;
        let found = slide(&mut &bytes[7..], 7, 20, |at, held| {
            let here = &bytes[next as usize..];
            assert_eq!((at, &held[..20.min(held.len())]), (next, &here[..20.min(here.len())]));
            next += 1;
            (at == 199_990).then_some(at)
        });
        assert_eq!(found.unwrap(), Some(199_990));
        assert_eq!(slide(&mut &b""[..], 0, 9, |_, _| Some(())).unwrap(), None);
        let mut n_places = 0;
        slide(&mut &b"abc"[..], 0, 9, |_, held| -> Option<()> {
            assert!(!held.is_empty());
            n_places += 1;
            None
        })
        .unwrap();
        assert_eq!(n_places, 3);
    }
}
