//! Tells HE-AAC from AAC-LC by its packets: the upper half of the band (SBR, ISO/IEC 14496-3, 4.4.2.8) is not decoded, and
//! the user is to know.
//!
//! SBR lies in the last fill element of a packet. To find it from the front, all of the spectrum would have to be decoded;
//! from the back, a fill element whose length ends exactly where the packet does is found by chance in one of 70 packets
//! only.

/// Packets that are looked at.
const MAX_PACKETS: u32 = 64;
/// Bytes of the longest fill element that is looked for: 15 and 8 bits of extension.
const MAX_FILL: usize = 15 + 254;

/// Counts packets that end in SBR.
#[derive(Clone, Copy, Debug, Default)]
pub struct SbrMeter {
    n_packets: u32,
    n_sbr: u32,
}

impl SbrMeter {
    /// Looks at a packet.
    pub fn add(&mut self, packet: &[u8]) {
        if self.n_packets < MAX_PACKETS {
            self.n_packets += 1;
            self.n_sbr += u32::from(ends_in_sbr(packet));
        }
    }

    /// Whether nearly all packets had SBR.
    pub fn is_present(&self) -> bool {
        self.n_packets > 0 && self.n_sbr * 4 >= self.n_packets * 3
    }
}

/// The warning for a stream whose core runs at `rate_hz`.
pub fn lost_band(rate_hz: u32) -> String {
    format!(
        "is HE-AAC: only its core, up to {:.1} kHz, is decoded ({rate_hz} Hz); for the whole band convert it with ffmpeg first",
        f64::from(rate_hz) / 2000.0
    )
}

fn ends_in_sbr(packet: &[u8]) -> bool {
    // The end element, 111, then zeros up to a whole byte.
    let Some(last) = packet.iter().rposition(|&byte| byte != 0) else { return false };
    let n_bits = last * 8 + 8 - packet[last].trailing_zeros() as usize;
    let bits = |at: usize, n: usize| -> usize {
        (at..at + n).fold(0, |value, bit| value << 1 | usize::from(packet[bit / 8] >> (7 - bit % 8) & 1))
    };
    if n_bits < 3 || bits(n_bits - 3, 3) != 7 {
        return false;
    }
    let end = n_bits - 3;
    // ID_FIL is 110, then a count of 4 bits, 8 more if it is 15, then an extension of 13 or 14.
    let is_sbr = |at: usize| matches!(bits(at, 4), 13 | 14);
    (1..=MAX_FILL).any(|n_bytes| {
        let n_head = if n_bytes < 15 { 7 } else { 15 };
        let Some(start) = end.checked_sub(n_bytes * 8 + n_head) else { return false };
        let is_fill = bits(start, 3) == 6;
        let is_count = match n_bytes {
            0..15 => bits(start + 3, 4) == n_bytes,
            _ => bits(start + 3, 4) == 15 && bits(start + 7, 8) == n_bytes - 14,
        };
        is_fill && is_count && is_sbr(start + n_head)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits as text to bytes.
    fn packet(bits: &str) -> Vec<u8> {
        let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').map(|bit| bit - b'0').collect();
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |sum, (i, bit)| sum | bit << (7 - i)))
            .collect()
    }

    #[test]
    fn a_packet_that_ends_in_sbr_is_known() {
        let of = |n_bytes: usize, extension: &str| {
            let count =
                if n_bytes < 15 { format!("{n_bytes:04b}") } else { format!("1111{:08b}", n_bytes - 14) };
            let payload = format!("{extension}{}", "01".repeat(n_bytes * 4 - 2));
            packet(&format!("000 10110 110 {count} {payload} 111"))
        };
        for n_bytes in [1, 14, 15, 30, 269] {
            assert!(ends_in_sbr(&of(n_bytes, "1101")), "{n_bytes}");
            assert!(!ends_in_sbr(&of(n_bytes, "0000")), "{n_bytes}");
        }
        assert!(!ends_in_sbr(&[]));
        assert!(!ends_in_sbr(&[0; 9]));
    }

    /// Random packets are taken for SBR rarely.
    #[test]
    fn chance_is_no_sbr() {
        let mut state = 1_u64;
        let mut meter = SbrMeter::default();
        for _ in 0..MAX_PACKETS {
            let bytes: Vec<u8> = (0..300)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 56) as u8 | 1
                })
                .collect();
            meter.add(&bytes);
        }
        assert!(!meter.is_present(), "{meter:?}");
    }
}
