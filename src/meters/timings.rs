//! What the last hops cost on a lane: a ring that the audio thread writes and the panel reads without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::engine::StepTimings;
use crate::lab::HopTiming;

/// Hops remembered: about twenty seconds.
pub const N_HOPS: usize = 2048;
/// Words of a hop.
const N_WORDS: usize = 7;

/// The ring. See the module.
pub struct TimingFeed {
    n_written: AtomicU64,
    words: Box<[AtomicU32]>,
}

impl Default for TimingFeed {
    fn default() -> Self {
        Self {
            n_written: AtomicU64::new(0),
            words: (0..N_HOPS * N_WORDS).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

impl std::fmt::Debug for TimingFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimingFeed").field("n_written", &self.n_written).finish_non_exhaustive()
    }
}

impl TimingFeed {
    /// Adds a hop. Real-time safe; one thread at a time.
    pub fn write(&self, timing: HopTiming) {
        let n = self.n_written.load(Ordering::Relaxed);
        // A reader that sees a word of this entry sees the count before it, and so that the oldest entry is going.
        fence(Ordering::Release);
        let at = (n % N_HOPS as u64) as usize * N_WORDS;
        let words = [
            timing.pushed_us as u32,
            (timing.pushed_us >> 32) as u32,
            timing.queue_us.to_bits(),
            timing.step.upload_us.to_bits(),
            timing.step.compute_us.to_bits(),
            timing.step.download_us.to_bits(),
            u32::from(timing.missed),
        ];
        for (word, new) in self.words[at..at + N_WORDS].iter().zip(words) {
            word.store(new, Ordering::Relaxed);
        }
        // Release: a reader that sees the count sees the words.
        self.n_written.store(n + 1, Ordering::Release);
    }

    /// Hops written since the start.
    pub fn n_written(&self) -> u64 {
        self.n_written.load(Ordering::Acquire)
    }

    /// Appends the hops from number `from` on that are still there to `hops`, and returns the number to go on from.
    pub fn read(&self, from: u64, hops: &mut Vec<HopTiming>) -> u64 {
        let until = self.n_written();
        let from = from.max(until.saturating_sub(N_HOPS as u64 - 1)).min(until);
        let first = hops.len();
        for number in from..until {
            let at = (number % N_HOPS as u64) as usize * N_WORDS;
            let word = |i: usize| self.words[at + i].load(Ordering::Relaxed);
            let float = |i: usize| f32::from_bits(word(i));
            hops.push(HopTiming {
                pushed_us: u64::from(word(0)) | u64::from(word(1)) << 32,
                queue_us: float(2),
                step: StepTimings { upload_us: float(3), compute_us: float(4), download_us: float(5) },
                missed: word(6) != 0,
            });
        }
        // Those that may have been overwritten while they were copied go out again.
        fence(Ordering::Acquire);
        let overwritten = (self.n_written.load(Ordering::Relaxed) + 1).saturating_sub(N_HOPS as u64);
        let n_gone = overwritten.saturating_sub(from).min(until - from) as usize;
        hops.drain(first..first + n_gone);
        until
    }

    /// Forgets all hops. A hop that is being written at the same moment may survive.
    pub fn reset(&self) {
        self.n_written.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(n: usize) -> HopTiming {
        let step = StepTimings { upload_us: 2.0, compute_us: n as f32, download_us: 0.5 };
        HopTiming { pushed_us: (n as u64) << 30, queue_us: 1.0, step, missed: n % 2 == 1 }
    }

    #[test]
    fn a_reader_follows_and_skips_what_is_gone() {
        let feed = TimingFeed::default();
        let mut hops = Vec::new();
        (0..3).for_each(|n| feed.write(timing(n)));
        let next = feed.read(0, &mut hops);
        assert_eq!(hops, [timing(0), timing(1), timing(2)]);
        hops.clear();
        (3..3 + 2 * N_HOPS).for_each(|n| feed.write(timing(n)));
        feed.read(next, &mut hops);
        assert_eq!(hops.len(), N_HOPS - 1);
        assert_eq!(hops.last(), Some(&timing(2 + 2 * N_HOPS)));
    }
}
