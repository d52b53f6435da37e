//! Frames for the panel's spectrograms: a ring that the audio thread writes while somebody watches, and any number of
//! readers follow without a lock.
//!
//! A frame holds input and output power per bin, averaged over channels, as two bfloat16 in one word: the panel has 256
//! colours, and the audio thread no time for logarithms.

use std::sync::atomic::{AtomicU32, Ordering};

use tacet_model::N_BINS;

use super::ring::Ring;
use crate::frame::Spectrum;

/// Frames in the ring: more than half a second, for a panel that looks 30 times a second.
pub const N_FRAMES: usize = 64;

/// The ring. See the module.
#[derive(Debug)]
pub struct SpectrumFeed {
    /// Panels that watch.
    n_watching: AtomicU32,
    ring: Ring,
}

impl Default for SpectrumFeed {
    fn default() -> Self {
        Self { n_watching: AtomicU32::new(0), ring: Ring::new(N_FRAMES, N_BINS) }
    }
}

/// One frame as a reader gets it: power per bin, linear, of the noisy frame and of what was made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedFrame {
    /// Input power per bin.
    pub input: [f32; N_BINS],
    /// Output power per bin.
    pub output: [f32; N_BINS],
}

/// Linear shares of two signals in a third.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Of the enhanced signal.
    pub enhanced: f32,
    /// Of the noisy one.
    pub noisy: f32,
}

impl SpectrumFeed {
    /// Asks for frames until [`Self::unwatch`] is called as often.
    pub fn start_watching(&self) {
        self.n_watching.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one request for frames back.
    pub fn unwatch(&self) {
        self.n_watching.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether anybody watches. Real-time safe.
    pub fn is_watched(&self) -> bool {
        self.n_watching.load(Ordering::Relaxed) > 0
    }

    /// Adds a frame: the input, and as output the given shares of both. Real-time safe; one thread at a time.
    pub fn write(&self, input: &[Spectrum], enhanced: &[Spectrum], shares: Shares) {
        let share = 1.0 / input.len().max(1) as f32;
        let before = |bin: usize| input.iter().map(|frame| frame[bin].norm_sqr()).sum::<f32>() * share;
        let heard = |bin: usize| {
            let both = input.iter().zip(enhanced);
            let blend =
                both.map(|(noisy, enhanced)| enhanced[bin] * shares.enhanced + noisy[bin] * shares.noisy);
            blend.map(|bin| bin.norm_sqr()).sum::<f32>() * share
        };
        self.ring.write((0..N_BINS).map(|bin| pack(before(bin), heard(bin))));
    }

    /// Frames written since the start; the next frame has this number.
    pub fn n_written(&self) -> u64 {
        self.ring.n_written()
    }

    /// Copies frame `number` to `frame`. Returns whether it was there: written, and not overwritten meanwhile.
    pub fn read(&self, number: u64, frame: &mut FeedFrame) -> bool {
        let mut words = [0; N_BINS];
        let is_there = self.ring.read(number, &mut words);
        for (word, (input, output)) in words.iter().zip(frame.input.iter_mut().zip(&mut frame.output)) {
            (*input, *output) = unpack(*word);
        }
        is_there
    }
}

impl Default for FeedFrame {
    fn default() -> Self {
        Self { input: [0.0; N_BINS], output: [0.0; N_BINS] }
    }
}

fn pack(input: f32, output: f32) -> u32 {
    (input.to_bits() & 0xffff_0000) | (output.to_bits() >> 16)
}

fn unpack(word: u32) -> (f32, f32) {
    (f32::from_bits(word & 0xffff_0000), f32::from_bits(word << 16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Complex32, SILENT_SPECTRUM};

    const ENHANCED: Shares = Shares { enhanced: 1.0, noisy: 0.0 };

    #[test]
    fn the_output_is_what_is_heard() {
        let frames = [1.0, 0.25].map(|level| [[Complex32::new(level, 0.0); N_BINS]]);
        // Denoised, half of it, removed, half of that, bypassed: amplitudes of a bin of 1.0 that is enhanced to 0.25.
        for (enhanced, noisy, expected) in
            [(1.0, 0.0, 0.25f32), (0.5, 0.5, 0.625), (-1.0, 1.0, 0.75), (-0.5, 0.5, 0.375), (0.0, 1.0, 1.0)]
        {
            let feed = SpectrumFeed::default();
            feed.write(&frames[0], &frames[1], Shares { enhanced, noisy });
            let mut frame = FeedFrame::default();
            assert!(feed.read(0, &mut frame) && frame.input[3] == 1.0);
            assert!((frame.output[3].sqrt() - expected).abs() < 0.01, "{}", frame.output[3]);
        }
    }

    #[test]
    fn frames_come_back_within_a_percent() {
        let feed = SpectrumFeed::default();
        let mut noisy = [SILENT_SPECTRUM; 2];
        noisy[0][7] = Complex32::new(0.3, 0.4);
        feed.start_watching();
        assert!(feed.is_watched());
        feed.write(&noisy, &[SILENT_SPECTRUM; 2], ENHANCED);
        let mut frame = FeedFrame::default();
        assert!(feed.read(0, &mut frame));
        assert!((frame.input[7] / 0.125 - 1.0).abs() < 0.01, "{}", frame.input[7]);
        assert_eq!(frame.output[7], 0.0);
        feed.unwatch();
        assert!(!feed.is_watched());
    }

    #[test]
    fn lost_frames_are_not_shown() {
        let feed = SpectrumFeed::default();
        let mut frame = FeedFrame::default();
        assert!(!feed.read(0, &mut frame), "not written yet");
        for _ in 0..N_FRAMES + 3 {
            feed.write(&[SILENT_SPECTRUM], &[SILENT_SPECTRUM], ENHANCED);
        }
        assert!(!feed.read(2, &mut frame), "overwritten");
        assert!(feed.read(feed.n_written() - 1, &mut frame));
    }

    #[test]
    fn a_reader_never_sees_a_torn_frame() {
        let feed = SpectrumFeed::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..20_000u32 {
                    let level = (n % 200) as f32;
                    feed.write(&[[Complex32::new(level, 0.0); N_BINS]], &[SILENT_SPECTRUM], ENHANCED);
                }
            });
            let mut frame = FeedFrame::default();
            let mut n_read = 0;
            while feed.n_written() < 20_000 {
                if let Some(number) = feed.n_written().checked_sub(40)
                    && feed.read(number, &mut frame)
                {
                    assert!(frame.input.iter().all(|&power| power == frame.input[0]));
                    n_read += 1;
                }
            }
            assert!(n_read > 0);
        });
    }
}
