//! Descriptions of a FLAC file and of its frames: STREAMINFO, frame headers, checksums (RFC 9639, 8.2 and 9.1).

/// The description of a file (STREAMINFO), in bytes.
pub const INFO: usize = 34;

/// The smallest block of samples that a description may state; the last one may be smaller.
const MIN_BLOCK: u16 = 16;

/// Sample rates in Hz and depths in bits, by their codes in a frame's header; 0: the file's, or none.
const RATES_HZ: [u32; 12] =
    [0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
const BITS: [u8; 8] = [0, 8, 12, 0, 16, 20, 24, 32];

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether `number` counts samples; else it counts frames, all of one length but the last.
    pub is_in_samples: bool,
    /// Its place in the file.
    pub number: u64,
    /// Samples per channel.
    pub n_samples: u32,
    /// The sample rate in Hz; 0: the file's.
    pub rate_hz: u32,
    /// Channels and depth, in the header's code.
    pub shape: u8,
}

impl FrameHeader {
    /// The header of the frame that begins here, of the file that `info` describes; `None` if none does, by its mark, what
    /// it says of itself, and its checksum.
    pub fn read(bytes: &[u8], info: &[u8; INFO]) -> Option<Self> {
        Self::of_any(bytes).filter(|header| is_of(header.shape, info))
    }

    /// The description of the file that a frame of this header alone can make; `None` where it refers to the file's own.
    pub fn description(&self) -> Option<[u8; INFO]> {
        let n_bits = BITS[usize::from(self.shape >> 1 & 7)];
        if self.rate_hz == 0 || n_bits == 0 {
            return None;
        }
        let n_channels = if self.shape >> 4 < 8 { u32::from(self.shape >> 4) + 1 } else { 2 };
        let word = self.rate_hz << 12 | (n_channels - 1) << 9 | (u32::from(n_bits) - 1) << 4;
        let mut info = [0; INFO];
        info[10..14].copy_from_slice(&word.to_be_bytes());
        Some(info)
    }

    /// The header of a frame of any file.
    pub fn of_any(bytes: &[u8]) -> Option<Self> {
        let &[first, second, sizes, shape] = bytes.first_chunk::<4>()?;
        let (size, rate) = (sizes >> 4, sizes & 15);
        let is_plain = first == 0xff && second & 0xfe == 0xf8 && size != 0 && rate != 15 && shape & 1 == 0;
        if !is_plain || shape >> 4 > 10 || shape >> 1 & 7 == 3 {
            return None;
        }
        // The frame's number, as UTF-8 is written.
        let first = *bytes.get(4)?;
        let (n_number, start) = match first.leading_ones() {
            0 => (1, first),
            n @ 2..8 => (n as usize, first & (0x7f_u8 >> n)),
            _ => return None,
        };
        let mut number = u64::from(start);
        for byte in bytes.get(5..4 + n_number)? {
            if byte & 0xc0 != 0x80 {
                return None;
            }
            number = number << 6 | u64::from(byte & 0x3f);
        }
        let at = 4 + n_number;
        let byte = |at: usize| bytes.get(at).copied().map(u32::from);
        let (n_samples, n_size) = match size {
            1 => (192, 0),
            2..6 => (576 << (size - 2), 0),
            6 => (byte(at)? + 1, 1),
            7 => ((byte(at)? << 8 | byte(at + 1)?) + 1, 2),
            _ => (256 << (size - 8), 0),
        };
        let rate_at = at + n_size;
        let pair = || Some(byte(rate_at)? << 8 | byte(rate_at + 1)?);
        let (rate_hz, n_rate) = match rate {
            12 => (byte(rate_at)? * 1_000, 1),
            13 => (pair()?, 2),
            14 => (pair()? * 10, 2),
            code => (RATES_HZ[usize::from(code)], 0),
        };
        let len = rate_at + n_rate;
        let sum = bytes.get(..len)?.iter().fold(0_u8, |crc, byte| {
            (0..8).fold(crc ^ byte, |crc, _| crc << 1 ^ if crc & 0x80 == 0 { 0 } else { 7 })
        });
        (sum == *bytes.get(len)?).then_some(Self {
            is_in_samples: second & 1 == 1,
            number,
            n_samples,
            rate_hz,
            shape,
        })
    }
}

/// Whether channels and depth of a frame are those of the file.
fn is_of(shape: u8, info: &[u8; INFO]) -> bool {
    let n_channels = (info[12] >> 1 & 7) + 1;
    let is_shape = match shape >> 4 {
        independent @ 0..8 => independent + 1 == n_channels,
        8..11 => n_channels == 2,
        _ => false,
    };
    is_shape
        && match shape >> 1 & 7 {
            0 => true,
            3 => false,
            code => u32::from(BITS[usize::from(code)]) == n_bits(info),
        }
}

/// The depth of a file's samples, in bits.
pub fn n_bits(info: &[u8; INFO]) -> u32 {
    u32::from((info[12] & 1) << 4 | info[13] >> 4) + 1
}

/// The sample rate of a file, in Hz; 0 if it states none.
pub fn rate_hz(info: &[u8; INFO]) -> u32 {
    u32::from_be_bytes([0, info[10], info[11], info[12]]) >> 4
}

/// The samples per channel that a file states.
pub fn n_samples(info: &[u8; INFO]) -> Option<u64> {
    let [a, b, c, d] = [14, 15, 16, 17].map(|at| u64::from(info[at]));
    Some(u64::from(info[13] & 15) << 32 | a << 24 | b << 16 | c << 8 | d).filter(|&n| n > 0)
}

/// A description without what a decoder of whole frames does not need, which programs that never came back to it leave at
/// zero, and others state wrongly: any size of blocks and frames.
pub fn widened(info: &[u8; INFO]) -> [u8; INFO] {
    let mut widened = *info;
    widened[..2].copy_from_slice(&MIN_BLOCK.to_be_bytes());
    widened[2..4].fill(0xff);
    widened[4..10].fill(0);
    widened
}

/// Checksums of one byte, by the frames' polynomial: x^16 + x^15 + x^2 + 1.
const SUMS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Whether a packet is a whole frame, by its checksum.
pub fn is_whole(packet: &[u8]) -> bool {
    packet.iter().fold(0, with_byte) == 0
}

/// The checksum of what is there so far and one more byte.
pub fn with_byte(crc: u16, &byte: &u8) -> u16 {
    crc << 8 ^ SUMS[usize::from(crc >> 8) ^ usize::from(byte)]
}
