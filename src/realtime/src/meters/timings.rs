//! Timings of a slot's last hops: a ring that the audio thread writes and the panel reads without a lock.

use super::ring::Ring;
use crate::engine::StepTimings;
use crate::lab::HopTiming;

/// Hops remembered: about twenty seconds.
pub const N_HOPS: usize = 2048;
/// Words of a hop.
const N_WORDS: usize = 7;

/// The ring. See the module.
#[derive(Debug)]
pub struct TimingFeed(Ring);

impl Default for TimingFeed {
    fn default() -> Self {
        Self(Ring::new(N_HOPS, N_WORDS))
    }
}

impl TimingFeed {
    /// Adds a hop. Real-time safe; one thread at a time.
    pub fn write(&self, timing: HopTiming) {
        self.0.write([
            timing.pushed_us as u32,
            (timing.pushed_us >> 32) as u32,
            timing.queue_us.to_bits(),
            timing.step.upload_us.to_bits(),
            timing.step.compute_us.to_bits(),
            timing.step.download_us.to_bits(),
            u32::from(timing.missed),
        ]);
    }

    /// Hops written since the start.
    pub fn n_written(&self) -> u64 {
        self.0.n_written()
    }

    /// Appends the hops from number `from` on that are still there to `hops`, and returns the number to go on from.
    pub fn read(&self, from: u64, hops: &mut Vec<HopTiming>) -> u64 {
        let until = self.n_written();
        for number in from.max(self.0.oldest())..until {
            let mut words = [0; N_WORDS];
            // One that is overwritten at this moment is left out.
            if !self.0.read(number, &mut words) {
                continue;
            }
            let [pushed_low, pushed_high, queue, upload, compute, download, missed] = words;
            hops.push(HopTiming {
                pushed_us: u64::from(pushed_low) | u64::from(pushed_high) << 32,
                queue_us: f32::from_bits(queue),
                step: StepTimings {
                    upload_us: f32::from_bits(upload),
                    compute_us: f32::from_bits(compute),
                    download_us: f32::from_bits(download),
                },
                missed: missed != 0,
            });
        }
        until
    }

    /// Forgets all hops. A hop that is being written at the same moment may survive.
    pub fn reset(&self) {
        self.0.forget();
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

    #[test]
    fn forgotten_timings_do_not_come_back() {
        let feed = TimingFeed::default();
        (0..5).for_each(|n| feed.write(timing(n)));
        feed.reset();
        feed.write(timing(5));
        let mut hops = Vec::new();
        assert_eq!(feed.read(0, &mut hops), 6);
        assert_eq!(hops, [timing(5)]);
    }
}
