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
    /// Its checksum, as it states it.
    pub stated: u32,
    /// The checksum of what was read of it.
    sum: u32,
}

/// Checksums of one byte, by Ogg's polynomial.
const SUMS: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 1 << 31 == 0 { 0 } else { 0x04c1_1db7 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

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
        let mut blank = head;
        blank[22..26].fill(0);
        let mut page = Self {
            is_continued: head[5] & 1 != 0,
            is_first: head[5] & 2 != 0,
            is_last: head[5] & 4 != 0,
            position: u64::try_from(position).ok(),
            serial,
            sequence: u32::from_le_bytes([head[18], head[19], head[20], head[21]]),
            lacing,
            stated: u32::from_le_bytes([head[22], head[23], head[24], head[25]]),
            sum: 0,
        };
        page.add(&blank);
        let lacing = std::mem::take(&mut page.lacing);
        page.add(&lacing);
        page.lacing = lacing;
        Ok(Some(page))
    }

    /// Adds bytes of its content to its checksum.
    pub fn add(&mut self, bytes: &[u8]) {
        let with_byte = |crc: u32, &byte: &u8| crc << 8 ^ SUMS[(crc >> 24 ^ u32::from(byte)) as usize];
        self.sum = bytes.iter().fold(self.sum, with_byte);
    }

    /// Whether the checksum fits, all of its content added.
    pub fn is_good(&self) -> bool {
        self.sum == self.stated
    }

    /// Bytes of its content.
    pub fn n_bytes(&self) -> u64 {
        self.lacing.iter().map(|&n| u64::from(n)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_header_and_content() {
        // A page of one packet of five bytes, with libogg's checksum.
        let mut bytes = b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\x02\x03\x04\0\0\0\0".to_vec();
        bytes.extend([0x69, 0x04, 0x5e, 0x36, 1, 5]);
        bytes.extend(b"hello");
        let mut input = Input::pipe(Box::new(Cursor::new(bytes)));
        let mut page = Page::read(&mut input, &mut 0).unwrap().unwrap();
        assert!(!page.is_good());
        page.add(b"hello");
        assert!(page.is_good());
    }
}
