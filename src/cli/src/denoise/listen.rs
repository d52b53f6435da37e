//! The part of the signal that is written: denoised, a mix with the input, or the removed part, as in the plugin.

use std::cell::RefCell;
use std::collections::VecDeque;

/// The written signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listen {
    /// Linear gain of the denoised signal.
    pub voice_gain: f32,
    /// Linear gain of what was taken out, added to it.
    pub ambience_gain: f32,
    /// Share of these, 0 to 1; the rest is the input.
    pub share: f32,
    /// Whether it is what was taken out.
    pub is_removed: bool,
}

impl Listen {
    /// Whether it is another than the denoised signal as it is: then the input is needed.
    pub(crate) fn needs_input(self) -> bool {
        self.is_removed || self.share != 1.0 || self.has_gains()
    }

    fn has_gains(self) -> bool {
        self.voice_gain != 1.0 || self.ambience_gain != 0.0
    }

    fn sample(self, input: f32, denoised: f32) -> f32 {
        if self.is_removed {
            self.share * (input - denoised)
        } else if self.has_gains() {
            let both = self.voice_gain * denoised + self.ambience_gain * (input - denoised);
            self.share * both + (1.0 - self.share) * input
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
        let denoised = Listen { voice_gain: 1.0, ambience_gain: 0.0, share: 1.0, is_removed: false };
        let half = Listen { share: 0.5, ..denoised };
        assert_eq!(waiting.mix(&[&[0.0, 0.5]], half), [[0.25, 0.75]]);
        assert_eq!(waiting.mix(&[&[-0.25]], Listen { is_removed: true, ..denoised }), [[-0.75]]);
        waiting.push(&[vec![0.5, 1.0]]);
        let gains = Listen { voice_gain: 2.0, ambience_gain: 0.5, ..denoised };
        assert_eq!(waiting.mix(&[&[0.0, 0.5]], gains), [[0.25, 1.25]]);
        assert!(gains.needs_input() && !denoised.needs_input());
        assert!(half.needs_input());
    }
}
