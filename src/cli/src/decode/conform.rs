//! Makes one signal, of the first rate and the most channels, of a stream whose rate or channels change on the way.

use anyhow::Result;

use crate::resample::{Resampler, n_resampled};

/// One signal of parts. Equal parts pass unchanged.
pub struct Conform {
    rate_hz: u32,
    n_channels: usize,
    part: Option<Part>,
}

/// A part of another rate on its way.
struct Part {
    rate_hz: u32,
    resampler: Resampler,
    n_in: u64,
    n_out: u64,
}

impl Conform {
    /// A signal of this rate and this many channels.
    pub fn new(rate_hz: u32, n_channels: usize) -> Self {
        Self { rate_hz, n_channels, part: None }
    }

    /// Turns a block of a part at `rate_hz` into one of the signal, which may be empty for now.
    ///
    /// # Errors
    /// The rate cannot be converted.
    pub fn block(&mut self, rate_hz: u32, block: &mut Vec<Vec<f32>>) -> Result<()> {
        spread(block, self.n_channels);
        if rate_hz == self.rate_hz {
            return Ok(());
        }
        if self.part.as_ref().is_none_or(|part| part.rate_hz != rate_hz) {
            let resampler = Resampler::new(rate_hz, self.rate_hz, self.n_channels)?;
            self.part = Some(Part { rate_hz, resampler, n_in: 0, n_out: 0 });
        }
        let Some(part) = &mut self.part else { return Ok(()) };
        part.n_in += block[0].len() as u64;
        let mut converted = vec![Vec::new(); self.n_channels];
        part.resampler.process(block, &mut converted)?;
        part.n_out += converted[0].len() as u64;
        *block = converted;
        Ok(())
    }

    /// Ends a part: what the conversion still owes. False if it owes nothing.
    ///
    /// # Errors
    /// None in practice: the resampler's own.
    pub(crate) fn end_part(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        let Some(mut part) = self.part.take() else { return Ok(false) };
        let n_owed = n_resampled(part.n_in, part.rate_hz, self.rate_hz).saturating_sub(part.n_out) as usize;
        let silence = vec![vec![0.0; 4096]; self.n_channels];
        *block = vec![Vec::new(); self.n_channels];
        while block[0].len() < n_owed {
            part.resampler.process(&silence, block)?;
        }
        block.iter_mut().for_each(|channel| channel.truncate(n_owed));
        Ok(n_owed > 0)
    }
}

/// Gives a block more channels: one is heard on all, several stay where they are beside silent ones.
pub fn spread(block: &mut Vec<Vec<f32>>, n_channels: usize) {
    let n_samples = block.first().map_or(0, Vec::len);
    while block.len() < n_channels {
        let channel = if block.len() == 1 || block.len() > 1 && n_channels == 2 {
            block[0].clone()
        } else {
            vec![0.0; n_samples]
        };
        block.push(channel);
    }
    block.truncate(n_channels);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_length_in_time() {
        let mut conform = Conform::new(48_000, 2);
        let mut n_out = 0;
        for _ in 0..10 {
            let mut block = vec![vec![0.5; 4_410]];
            conform.block(44_100, &mut block).unwrap();
            assert_eq!(block.len(), 2);
            assert_eq!(block[0], block[1]);
            n_out += block[0].len();
        }
        let mut block = Vec::new();
        assert!(conform.end_part(&mut block).unwrap());
        assert_eq!(n_out + block[0].len(), 48_000);
        assert!(!conform.end_part(&mut block).unwrap());
        let mut block = vec![vec![0.25; 7], vec![0.5; 7]];
        conform.block(48_000, &mut block).unwrap();
        assert_eq!(block, [vec![0.25; 7], vec![0.5; 7]]);
    }
}
