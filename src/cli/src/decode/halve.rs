//! Halves the sample rate of one channel, block by block.

/// A half-band filter of two chains of all-passes, which run at the lower rate, and every second sample of it. It needs
/// nothing of the next block, and is late by 0.7 samples at low frequencies. It lets pass what is below 0.44 of the lower
/// rate; what is above 0.6 of it is 68 dB lower.
#[derive(Clone, Copy, Debug, Default)]
pub struct Halving {
    chains: [[AllPass; 2]; 2],
}

/// A first-order all-pass: its last sample and result.
#[derive(Clone, Copy, Debug, Default)]
struct AllPass {
    sample: f32,
    result: f32,
}

/// The coefficients of the chains, of the earlier sample of two and of the later one.
const CHAINS: [[f32; 2]; 2] = [[0.283_829_35, 0.834_411_9], [0.079_866_43, 0.545_353_65]];

impl Halving {
    /// Halves the rate of a block of an even number of samples.
    pub fn apply(&mut self, block: &mut Vec<f32>) {
        for index in 0..block.len() / 2 {
            let mut sum = 0.0;
            for (offset, chain) in self.chains.iter_mut().enumerate() {
                let sample = block[2 * index + offset];
                sum += chain
                    .iter_mut()
                    .zip(CHAINS[offset])
                    .fold(sample, |sample, (all_pass, coefficient)| all_pass.apply(sample, coefficient));
            }
            block[index] = 0.5 * sum;
        }
        block.truncate(block.len() / 2);
    }
}

impl AllPass {
    fn apply(&mut self, sample: f32, coefficient: f32) -> f32 {
        let result = coefficient * (sample - self.result) + self.sample;
        *self = Self { sample, result };
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_half_of_the_band_stays() {
        /// Level in dB of a tone of this part of the lower rate, behind the filter's start.
        fn level_db(part: f64) -> f64 {
            let mut halving = Halving::default();
            let tone = |i: usize| (std::f64::consts::PI * part * i as f64).sin() as f32;
            let mut out = Vec::new();
            for at in (0..8_192).step_by(2_048) {
                let mut block: Vec<f32> = (at..at + 2_048).map(tone).collect();
                halving.apply(&mut block);
                assert_eq!(block.len(), 1_024);
                out.extend(block);
            }
            let n = out.len() - 1_000;
            let energy: f64 = out[1_000..].iter().map(|&sample| f64::from(sample).powi(2)).sum();
            10.0 * (2.0 * energy / n as f64).log10()
        }
        for part in [0.01, 0.1, 0.31, 0.44] {
            assert!(level_db(part).abs() < 0.05, "{part}: {}", level_db(part));
        }
        for part in [0.6, 0.73, 0.97] {
            assert!(level_db(part) < -68.0, "{part}: {}", level_db(part));
        }
    }
}
