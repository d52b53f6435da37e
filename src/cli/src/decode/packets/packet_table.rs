//! The packet table of a CAF (`pakt`): what of its packets is sound, and what its encoder added at both ends.

use std::io::{Read, Seek, SeekFrom};

/// More chunks than any file has.
const MAX_CHUNKS: usize = 10_000;

/// The part of a CAF's packets that is sound, in samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Valid {
    /// The first.
    pub start: u64,
    /// How many.
    pub n_samples: u64,
}

/// The part that the table says is sound, if it adds up to what the packets hold; `None` where nothing was added, or is
/// not stated.
pub fn valid(file: &mut (impl Read + Seek)) -> Option<Valid> {
    file.seek(SeekFrom::Start(0)).ok()?;
    if &bytes::<4>(file)? != b"caff" {
        return None;
    }
    let mut at = 8;
    let mut packet_samples = 0;
    for _ in 0..MAX_CHUNKS {
        file.seek(SeekFrom::Start(at)).ok()?;
        let name = bytes::<4>(file)?;
        let n_bytes = u64::try_from(i64::from_be_bytes(bytes(file)?)).ok()?;
        match &name {
            b"desc" => {
                let description = bytes::<32>(file)?;
                let samples = description[20..24].first_chunk()?;
                packet_samples = i64::from(u32::from_be_bytes(*samples));
            }
            b"pakt" => {
                let [n_packets, n_samples] =
                    [i64::from_be_bytes(bytes(file)?), i64::from_be_bytes(bytes(file)?)];
                let [start, rest] =
                    [bytes(file)?, bytes(file)?].map(|bytes| i64::from(i32::from_be_bytes(bytes)).max(0));
                let is_sum = n_packets.checked_mul(packet_samples) == n_samples.checked_add(start + rest);
                let is_stated = start + rest > 0 && n_samples > 0 && is_sum;
                return is_stated.then_some(Valid { start: start as u64, n_samples: n_samples as u64 });
            }
            _ => {}
        }
        at = at.checked_add(12)?.checked_add(n_bytes)?;
    }
    None
}

fn bytes<const N: usize>(file: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Ten packets of 1024 samples behind other chunks.
    fn file(n_samples: i64, priming: i32, remainder: i32) -> Vec<u8> {
        let chunk = |name: &[u8; 4], content: &[u8]| {
            [&name[..], &(content.len() as i64).to_be_bytes(), content].concat()
        };
        let mut description = [0; 32];
        description[20..24].copy_from_slice(&1024_u32.to_be_bytes());
        let table = [&10_i64.to_be_bytes()[..], &n_samples.to_be_bytes(), &priming.to_be_bytes()].concat();
        let table = [&table[..], &remainder.to_be_bytes(), &[9; 10]].concat();
        [
            &b"caff\0\x01\0\0"[..],
            &chunk(b"desc", &description),
            &chunk(b"data", &[0; 94]),
            &chunk(b"pakt", &table),
        ]
        .concat()
    }

    #[test]
    fn a_table_is_believed_if_it_adds_up() {
        let of = |bytes: &[u8]| valid(&mut Cursor::new(bytes));
        assert_eq!(of(&file(8_000, 2_112, 128)), Some(Valid { start: 2_112, n_samples: 8_000 }));
        assert_eq!(of(&file(10_140, 0, 100)), Some(Valid { start: 0, n_samples: 10_140 }));
        // Nothing is stated, or not what is there.
        assert_eq!(of(&file(10_240, 0, 0)), None);
        assert_eq!(of(&file(5_000, 2_112, 128)), None);
        assert_eq!(of(&file(i64::MAX, 2_112, 128)), None);
        let whole = file(8_000, 2_112, 128);
        for cut in 0..whole.len() - 10 {
            assert_eq!(of(&whole[..cut]), None, "cut at {cut}");
        }
    }
}
