//! The part of the signal that is written: denoised, a mix with the input, or the removed part, as in the plugin.

use std::cell::RefCell;
use std::collections::VecDeque;

/// The written signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listen {
    /// Share of the denoised signal, 0 to 1; the rest is the input.
    pub share: f32,
    /// Whether it is what was taken out.
    pub is_removed: bool,
}

impl Listen {
    /// Whether the input is needed.
    pub(crate) fn needs_input(self) -> bool {
        self.is_removed || self.share != 1.0
    }

    fn sample(self, input: f32, denoised: f32) -> f32 {
        if self.is_removed {
            self.share * (input - denoised)
        } else {
            self.share * denoised + (1.0 - self.share) * input
        }
    }
}

/// The input's samples whose denoised ones have not come yet, one queue per channel.
pub struct Waiting {
    channels: RefCell<Vec<VecDeque<f32>>>,
}

impl Waiting {
    /// Nothing of so many channels.
    pub fn new(n_channels: usize) -> Self {
        Self { channels: RefCell::new(vec![VecDeque::new(); n_channels]) }
    }

    /// Adds a block of the input.
    pub fn push(&self, block: &[Vec<f32>]) {
        for (queue, channel) in self.channels.borrow_mut().iter_mut().zip(block) {
            queue.extend(channel);
        }
    }

    /// The written samples of a denoised block, given the input.
    pub fn mix(&self, denoised: &[&[f32]], listen: Listen) -> Vec<Vec<f32>> {
        let mut channels = self.channels.borrow_mut();
        let pairs = channels.iter_mut().zip(denoised);
        pairs
            .map(|(queue, denoised)| {
                let input = queue.drain(..denoised.len().min(queue.len()));
                input.zip(*denoised).map(|(input, &denoised)| listen.sample(input, denoised)).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_of_the_same_moments() {
        let waiting = Waiting::new(1);
        waiting.push(&[vec![0.5, 1.0, -1.0]]);
        let half = Listen { share: 0.5, is_removed: false };
        assert_eq!(waiting.mix(&[&[0.0, 0.5]], half), [[0.25, 0.75]]);
        assert_eq!(waiting.mix(&[&[-0.25]], Listen { share: 1.0, is_removed: true }), [[-0.75]]);
        assert!(!Listen { share: 1.0, is_removed: false }.needs_input());
        assert!(half.needs_input());
    }
}
