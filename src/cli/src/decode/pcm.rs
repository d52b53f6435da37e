//! Bytes of uncompressed (and companded) samples to floating point.

use super::source::SourceDepth;

/// How a sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Integers in containers of 1 to 8 bytes, the valid bits at the upper end, as WAV and AIFF have it.
    Int {
        /// Bytes of a container.
        n_bytes: usize,
        /// Valid bits.
        n_bits: u32,
        /// Whether 0 is the lowest value, not the middle: WAV's 8 bits.
        is_unsigned: bool,
    },
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// ITU-T G.711 A-law.
    ALaw,
    /// ITU-T G.711 mu-law.
    MuLaw,
}

impl Encoding {
    /// Signed integers of `n_bits` in containers of `n_bytes`.
    pub(crate) fn int(n_bytes: usize, n_bits: u32) -> Self {
        Self::Int { n_bytes, n_bits, is_unsigned: false }
    }

    /// Bytes of a sample.
    pub fn n_bytes(self) -> usize {
        match self {
            Self::Int { n_bytes, .. } => n_bytes,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::ALaw | Self::MuLaw => 1,
        }
    }

    /// The depth that the output's depth follows.
    pub fn depth(self) -> SourceDepth {
        match self {
            Self::Int { n_bits, .. } => SourceDepth::Int(n_bits),
            Self::F32 => SourceDepth::Float(32),
            Self::F64 => SourceDepth::Float(64),
            // Companded to 8 bits; 16 hold all their values.
            Self::ALaw | Self::MuLaw => SourceDepth::Int(16),
        }
    }

    /// The name that ffmpeg and most lists have for it.
    pub fn name(self, is_big_endian: bool) -> String {
        let end = if is_big_endian { "be" } else { "le" };
        match self {
            Self::Int { n_bytes: 1, is_unsigned, .. } => {
                format!("pcm_{}8", if is_unsigned { "u" } else { "s" })
            }
            Self::Int { n_bits, .. } => format!("pcm_s{n_bits}{end}"),
            Self::F32 => format!("pcm_f32{end}"),
            Self::F64 => format!("pcm_f64{end}"),
            Self::ALaw => "pcm_alaw".to_owned(),
            Self::MuLaw => "pcm_mulaw".to_owned(),
        }
    }

    /// Decodes interleaved samples of `block.len()` channels; `bytes` is a whole number of samples of all channels.
    pub fn decode(self, bytes: &[u8], is_big_endian: bool, block: &mut [Vec<f32>]) {
        // With the width known to the compiler a sample takes a tenth of the time.
        match self.n_bytes() {
            1 => self.decode_wide::<1>(bytes, is_big_endian, block),
            2 => self.decode_wide::<2>(bytes, is_big_endian, block),
            3 => self.decode_wide::<3>(bytes, is_big_endian, block),
            4 => self.decode_wide::<4>(bytes, is_big_endian, block),
            5 => self.decode_wide::<5>(bytes, is_big_endian, block),
            6 => self.decode_wide::<6>(bytes, is_big_endian, block),
            7 => self.decode_wide::<7>(bytes, is_big_endian, block),
            _ => self.decode_wide::<8>(bytes, is_big_endian, block),
        }
    }

    /// Containers of `N` bytes.
    fn decode_wide<const N: usize>(self, bytes: &[u8], is_big_endian: bool, block: &mut [Vec<f32>]) {
        let (samples, _) = bytes.as_chunks::<N>();
        let n_channels = block.len();
        for (channel, decoded) in block.iter_mut().enumerate() {
            decoded.clear();
            let own = samples.iter().skip(channel).step_by(n_channels);
            decoded.extend(own.map(|&sample| self.decode_one(sample, is_big_endian)));
        }
    }

    #[inline(always)]
    fn decode_one<const N: usize>(self, mut sample: [u8; N], is_big_endian: bool) -> f32 {
        if is_big_endian {
            sample.reverse();
        }
        // The container's bytes at the upper end of 64 bits.
        let mut word = [0_u8; 8];
        word[8 - N..].copy_from_slice(&sample);
        let word = u64::from_le_bytes(word);
        match self {
            Self::Int { is_unsigned, .. } => {
                let value = (if is_unsigned { word ^ (1 << 63) } else { word }) as i64;
                // Exact for up to 24 bits, rounded once beyond.
                (value as f64 / -(i64::MIN as f64)) as f32
            }
            Self::F32 => f32::from_bits((word >> 32) as u32),
            Self::F64 => f64::from_bits(word) as f32,
            Self::ALaw => f32::from(a_law((word >> 56) as u8)) / 32_768.0,
            Self::MuLaw => f32::from(mu_law((word >> 56) as u8)) / 32_768.0,
        }
    }
}

/// ITU-T G.711, table 1a, scaled to 16 bits.
fn a_law(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, i16::from(code & 15));
    let value = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -value } else { value }
}

/// ITU-T G.711, table 2a, scaled to 16 bits.
fn mu_law(code: u8) -> i16 {
    /// The bias that makes segments of equal ratio.
    const BIAS: i16 = 0x84;
    let code = !code;
    let value = (((i16::from(code & 15)) << 3) + BIAS) << ((code >> 4) & 7);
    if code & 0x80 == 0 { value - BIAS } else { BIAS - value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, bytes: &[u8], is_big_endian: bool) -> Vec<f32> {
        let mut block = [Vec::new()];
        encoding.decode(bytes, is_big_endian, &mut block);
        let [channel] = block;
        channel
    }

    #[test]
    fn integers_stand_at_the_upper_end_of_their_container() {
        assert_eq!(decode(Encoding::int(2, 16), &[0, 0x80, 0, 0x40], false), [-1.0, 0.5]);
        assert_eq!(
            decode(Encoding::int(3, 20), &[0, 0, 0x40, 0xf0, 0xff, 0xff], false),
            [0.5, -2_f32.powi(-19)]
        );
        assert_eq!(decode(Encoding::int(4, 24), &[0x40, 0, 0, 0], true), [0.5]);
        let unsigned = Encoding::Int { n_bytes: 1, n_bits: 8, is_unsigned: true };
        assert_eq!(decode(unsigned, &[0, 128, 192], false), [-1.0, 0.0, 0.5]);
        assert_eq!(decode(Encoding::int(8, 64), &[0, 0, 0, 0, 0, 0, 0, 0x80], false), [-1.0]);
    }

    #[test]
    fn floating_point_of_both_byte_orders() {
        assert_eq!(decode(Encoding::F32, &0.25_f32.to_be_bytes(), true), [0.25]);
        assert_eq!(decode(Encoding::F64, &(-0.75_f64).to_le_bytes(), false), [-0.75]);
    }

    /// The ends and the middle of G.711's tables.
    #[test]
    fn companded_samples() {
        let of = |encoding, code: u8| (decode(encoding, &[code], false)[0] * 32_768.0) as i32;
        assert_eq!([0xff, 0x7f, 0x80, 0x00].map(|code| of(Encoding::MuLaw, code)), [0, 0, 32_124, -32_124]);
        assert_eq!([0xd5, 0x55, 0xaa, 0x2a].map(|code| of(Encoding::ALaw, code)), [8, -8, 32_256, -32_256]);
    }

    #[test]
    fn channels_are_taken_apart() {
        let mut block = [Vec::new(), Vec::new()];
        Encoding::int(1, 8).decode(&[64, 192, 32, 224], false, &mut block);
        assert_eq!(block, [vec![0.5, 0.25], vec![-0.5, -0.25]]);
    }
}
