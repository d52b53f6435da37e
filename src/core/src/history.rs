//! Noisy frames of the last hops, to which late results are applied. Audio thread; real-time safe after `new`.

use crate::frame::{SILENT_SPECTRUM, Spectrum};

/// A ring of frames, each with every channel.
#[derive(Clone, Debug)]
pub struct History {
    frames: Box<[Spectrum]>,
    n_channels: usize,
    n_hops: usize,
    newest: usize,
}

impl History {
    /// Room for `n_hops` frames (at least one) of `n_channels` channels, all silent.
    pub fn new(n_channels: usize, n_hops: usize) -> Self {
        let n_hops = n_hops.max(1);
        Self { frames: vec![SILENT_SPECTRUM; n_channels * n_hops].into(), n_channels, n_hops, newest: 0 }
    }

    /// All frames silent again.
    pub fn reset(&mut self) {
        self.frames.fill(SILENT_SPECTRUM);
    }

    /// Makes room for the next frame and returns it, one spectrum per channel, to be written.
    pub fn push(&mut self) -> &mut [Spectrum] {
        self.newest = (self.newest + 1) % self.n_hops;
        let start = self.newest * self.n_channels;
        &mut self.frames[start..start + self.n_channels]
    }

    /// Frames that it holds.
    pub fn n_hops(&self) -> usize {
        self.n_hops
    }

    /// The frame pushed `hops_ago` hops before the newest one, one spectrum per channel.
    ///
    /// # Panics
    /// If `hops_ago` is not less than the `n_hops` of `new`.
    pub fn get(&self, hops_ago: usize) -> &[Spectrum] {
        assert!(hops_ago < self.n_hops, "{hops_ago} hops ago is beyond the ring's {}", self.n_hops);
        let start = (self.newest + self.n_hops - hops_ago) % self.n_hops * self.n_channels;
        &self.frames[start..start + self.n_channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_in_order_and_reset_forgets_them() {
        let mut history = History::new(2, 3);
        for t in 1..=7 {
            for (channel, spectrum) in history.push().iter_mut().enumerate() {
                spectrum[5].re = (t * 10 + channel) as f32;
            }
        }
        for ago in 0..3 {
            let frame = history.get(ago);
            assert_eq!([frame[0][5].re, frame[1][5].re], [(70 - 10 * ago) as f32, (71 - 10 * ago) as f32]);
        }
        history.reset();
        assert!((0..3).all(|ago| history.get(ago).iter().all(|s| *s == SILENT_SPECTRUM)));
    }
}
