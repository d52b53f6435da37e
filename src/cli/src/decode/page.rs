//! The pages of an Ogg file (RFC 3533).

use anyhow::Result;

use super::input::Input;

/// A page's header; its content follows in the input.
pub struct Page {
    /// Whether it begins with the rest of a packet.
    pub is_continued: bool,
    /// Whether a stream begins.
    pub is_first: bool,
    /// Whether a stream ends.
    pub is_last: bool,
    /// Samples up to the end of the last packet that ends here; `None`: none does, or it is not said.
    pub position: Option<u64>,
    /// The stream that it belongs to.
    pub serial: u32,
    /// Its place among the pages of its stream.
    pub sequence: u32,
    /// Lengths of the pieces of packets.
    pub lacing: Vec<u8>,
}

impl Page {
    /// The next page, wherever it begins; `None` at the end.
    ///
    /// # Errors
    /// Errors of the input.
    pub fn read(input: &mut Input, n_foreign: &mut u64) -> Result<Option<Self>> {
        loop {
            let head = input.peek(27)?;
            if head.len() < 27 {
                *n_foreign += head.len() as u64;
                return Ok(None);
            }
            if head.starts_with(b"OggS") && head[4] == 0 {
                break;
            }
            let bytes = input.peek(4096)?;
            let next = bytes[1..].windows(4).position(|window| window == b"OggS");
            let n = next.map_or(bytes.len() - 3, |at| at + 1) as u64;
            *n_foreign += n;
            input.skip(n)?;
        }
        let Some(head) = input.take::<27>()? else { return Ok(None) };
        let position = i64::from_le_bytes([6, 7, 8, 9, 10, 11, 12, 13].map(|i| head[i]));
        let serial = u32::from_le_bytes([head[14], head[15], head[16], head[17]]);
        let mut lacing = vec![0; usize::from(head[26])];
        if input.read(&mut lacing)? < lacing.len() {
            return Ok(None);
        }
        Ok(Some(Self {
            is_continued: head[5] & 1 != 0,
            is_first: head[5] & 2 != 0,
            is_last: head[5] & 4 != 0,
            position: u64::try_from(position).ok(),
            serial,
            sequence: u32::from_le_bytes([head[18], head[19], head[20], head[21]]),
            lacing,
        }))
    }

    /// Bytes of its content.
    pub fn n_bytes(&self) -> u64 {
        self.lacing.iter().map(|&n| u64::from(n)).sum()
    }
}
