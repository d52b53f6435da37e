//! Turns samples into integers or bytes: rounded, dithered where 16 bits would distort quiet tails, clipped and not
//! wrapped.

use super::Depth;

/// Interleaves and quantises blocks. What a sample becomes depends on its position only, not on the blocks.
pub struct Quantizer {
    depth: Depth,
    /// One generator per channel.
    dither: Vec<Dither>,
    n_over: u64,
}

impl Quantizer {
    /// A quantiser for `n_channels` channels, at the start of its dither.
    pub fn new(depth: Depth, n_channels: usize) -> Self {
        let dither = (0..n_channels).map(|channel| Dither::new(channel as u64)).collect();
        Self { depth, dither, n_over: 0 }
    }

    /// Samples beyond full scale (-1..=1) so far.
    pub(crate) fn n_over(&self) -> u64 {
        self.n_over
    }

    /// Appends `block`, one slice per channel of equal lengths, as interleaved little-endian bytes.
    pub fn process(&mut self, block: &[&[f32]], bytes: &mut Vec<u8>) {
        self.count(block);
        match self.depth {
            Depth::Int16 => {
                self.interleave(block, bytes, |sample, dither| to_16(sample, dither).to_le_bytes());
            }
            Depth::Int24 => self.interleave(block, bytes, |sample, _| {
                let [low, middle, high, _] = to_24(sample).to_le_bytes();
                [low, middle, high]
            }),
            Depth::Float32 => self.interleave(block, bytes, |sample, _| sample.to_le_bytes()),
        }
    }

    /// Appends `block`, likewise, as interleaved integers of the depth: of 16 bits, or 24.
    pub fn integers(&mut self, block: &[&[f32]], integers: &mut Vec<i32>) {
        self.count(block);
        let (start, n_channels) = (integers.len(), block.len());
        let n_samples = block.first().map_or(0, |channel| channel.len());
        integers.resize(start + n_samples * n_channels, 0);
        for (at, (channel, dither)) in block.iter().zip(&mut self.dither).enumerate() {
            let places = integers[start + at..].iter_mut().step_by(n_channels);
            for (out, &sample) in places.zip(*channel) {
                *out = match self.depth {
                    Depth::Int16 => to_16(sample, dither).into(),
                    Depth::Int24 | Depth::Float32 => to_24(sample),
                };
            }
        }
    }

    fn count(&mut self, block: &[&[f32]]) {
        let n_over: usize =
            block.iter().map(|channel| channel.iter().filter(|s| s.abs() > 1.0).count()).sum();
        self.n_over += n_over as u64;
    }

    fn interleave<const N: usize>(
        &mut self,
        block: &[&[f32]],
        bytes: &mut Vec<u8>,
        mut encode: impl FnMut(f32, &mut Dither) -> [u8; N],
    ) {
        let (start, n_channels) = (bytes.len(), block.len());
        let n_samples = block.first().map_or(0, |channel| channel.len());
        bytes.resize(start + n_samples * n_channels * N, 0);
        let (interleaved, _) = bytes[start..].as_chunks_mut::<N>();
        for (at, (channel, dither)) in block.iter().zip(&mut self.dither).enumerate() {
            for (out, &sample) in interleaved[at..].iter_mut().step_by(n_channels).zip(*channel) {
                *out = encode(sample, dither);
            }
        }
    }
}

fn to_16(sample: f32, dither: &mut Dither) -> i16 {
    let noise = dither.next_steps();
    // Digital silence stays digital silence.
    let noise = if sample == 0.0 { 0.0 } else { noise };
    // A conversion from floating point saturates: it clips, it cannot wrap.
    round(sample * 32_768.0 + noise) as i16
}

fn to_24(sample: f32) -> i32 {
    let value = (f64::from(sample) * 8_388_608.0).round_ties_even();
    value.clamp(-8_388_608.0, 8_388_607.0) as i32
}

/// To the nearest integer, ties to even, where that is within 2^22; beyond, to one that is as far beyond. Every processor
/// rounds sums that way, while not every x86-64 has an instruction that rounds.
fn round(value: f32) -> f32 {
    /// From here to twice this, the values of `f32` are the integers.
    const INTEGERS: f32 = 1.5 * (1 << 23) as f32;
    (value + INTEGERS) - INTEGERS
}

/// Triangular noise of two quantisation steps' width (Lipshitz, Wannamaker and Vanderkooy, "Quantization and Dither",
/// JAES 40, 1992), from a fixed seed: two runs give the same file. The generator is SplitMix64 (Steele, Lea and Flood,
/// OOPSLA 2014).
struct Dither {
    state: u64,
}

impl Dither {
    fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0xd1b5_4a32_d192_ed03) }
    }

    /// The next value, in quantisation steps: -1..=1, most often near 0.
    fn next_steps(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let uniform = |bits: u64| (bits & 0xff_ffff) as f32 / (1 << 24) as f32;
        uniform(bits) - uniform(bits >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantize(depth: Depth, samples: &[f32]) -> (Vec<i32>, u64) {
        let mut quantizer = Quantizer::new(depth, 1);
        let mut bytes = Vec::new();
        quantizer.process(&[samples], &mut bytes);
        let values = match depth {
            Depth::Int16 => bytes.chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]]).into()).collect(),
            Depth::Int24 => bytes.chunks(3).map(|b| i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8).collect(),
            Depth::Float32 => bytes.chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect(),
        };
        (values, quantizer.n_over())
    }

    #[test]
    fn beyond_full_scale_is_clipped_and_counted() {
        let samples = [1.0, 1.5, -1.0, -1.5, 3e38, -3e38];
        let (values, n_over) = quantize(Depth::Int24, &samples);
        assert_eq!(values, [8_388_607, 8_388_607, -8_388_608, -8_388_608, 8_388_607, -8_388_608]);
        assert_eq!(n_over, 4);
        let (values, _) = quantize(Depth::Int16, &samples);
        assert!(values[0] >= 32_766 && values[2] <= -32_767, "{values:?}");
        assert_eq!((values[1], values[3], values[4], values[5]), (32_767, -32_768, 32_767, -32_768));
    }

    #[test]
    fn every_24_bit_value_comes_back() {
        let expected: Vec<i32> = (-8_388_608..8_388_608).step_by(997).chain([8_388_607]).collect();
        let samples: Vec<f32> = expected.iter().map(|&value| value as f32 / 8_388_608.0).collect();
        assert_eq!(quantize(Depth::Int24, &samples).0, expected);
    }

    #[test]
    fn integers_are_those_of_the_bytes() {
        let samples: Vec<f32> = (0..999).map(|i| (i as f32 * 0.7).sin() * 1.1).collect();
        for depth in [Depth::Int16, Depth::Int24] {
            let mut integers = Vec::new();
            let mut quantizer = Quantizer::new(depth, 1);
            quantizer.integers(&[&samples], &mut integers);
            assert_eq!((integers, quantizer.n_over()), quantize(depth, &samples));
        }
    }

    #[test]
    fn silence_stays_silence() {
        assert!(quantize(Depth::Int16, &[0.0; 1000]).0.iter().all(|&value| value == 0));
    }

    /// A tone of a quarter step would vanish by rounding. Dithered, it is there, and the error is noise: its mean
    /// square is 1/4 step (triangular dither 1/6, rounding 1/12), independent of the signal.
    #[test]
    fn dither_keeps_what_lies_below_a_step() {
        let n = 100_000;
        let tone: Vec<f32> = (0..n).map(|i| (i as f32 * 0.05).sin()).collect();
        let quiet: Vec<f32> = tone.iter().map(|&sample| 0.25 * sample / 32_768.0).collect();
        let (values, _) = quantize(Depth::Int16, &quiet);
        let correlation: f64 = values.iter().zip(&tone).map(|(&v, &t)| f64::from(v) * f64::from(t)).sum();
        let amplitude = 2.0 * correlation / n as f64;
        assert!((amplitude - 0.25).abs() < 0.01, "{amplitude}");
        let error: f64 = values
            .iter()
            .zip(&tone)
            .map(|(&v, &t)| (f64::from(v) - 0.25 * f64::from(t)).powi(2))
            .sum::<f64>()
            / n as f64;
        assert!((error - 0.25).abs() < 0.01, "{error}");
    }

    #[test]
    fn dither_depends_on_position_alone() {
        let samples: Vec<f32> = (0..999).map(|i| i as f32 / 2000.0).collect();
        let mut quantizer = Quantizer::new(Depth::Int16, 2);
        let mut parts = Vec::new();
        for part in samples.chunks(10) {
            quantizer.process(&[part, part], &mut parts);
        }
        let mut whole = Vec::new();
        Quantizer::new(Depth::Int16, 2).process(&[&samples, &samples], &mut whole);
        assert_eq!(whole, parts);
        // The channels' noise differs: it must not add up in a mix.
        assert!(whole.chunks(4).any(|frame| frame[..2] != frame[2..]));
    }
}
