//! Measurements by the audio thread: latest values in atomics, and rings of the last hops.
//!
//! The audio thread only stores; whoever looks, looks without a lock and may miss values. Nothing here decides anything.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use atomic_float::AtomicF32;
use tacet_model::N_BANDS;

pub mod feed;
pub mod ring;
pub(crate) mod timings;

use feed::SpectrumFeed;
use timings::TimingFeed;

use crate::slot::N_SLOTS;

/// Most channels of a plugin instance.
pub const N_CHANNELS: usize = 2;

/// Counters that only grow, per slot. Reset by the reader's subtraction or by [`SlotMeters::reset`].
#[derive(Debug, Default)]
pub struct SlotMeters {
    /// Hops sent to the engine.
    pub n_requests: AtomicU64,
    /// Hops whose reply was not there when it was due.
    pub n_late: AtomicU64,
    /// Replies that came after their hop had been played.
    pub n_stale: AtomicU64,
    /// Hops that could not be sent because every box was under way.
    pub n_dropped: AtomicU64,
    /// Hops that the engine failed to infer.
    pub n_failed: AtomicU64,
    /// Hops that were concealed: late, failed, or answered from both sides of a gap in what the engine heard.
    pub n_concealed: AtomicU64,
    /// The last hops' timings.
    pub timings: TimingFeed,
}

impl SlotMeters {
    /// Zeroes the counters and forgets the timings.
    pub fn reset(&self) {
        for counter in [
            &self.n_requests,
            &self.n_late,
            &self.n_stale,
            &self.n_dropped,
            &self.n_failed,
            &self.n_concealed,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        self.timings.reset();
    }
}

/// Fewer hops of what may be speech say nothing about its loss: one second.
pub const MIN_ACTIVE_HOPS: u32 = 100;
/// Speech that is reduced by more than this, in dB, is lost.
pub const LOST_SPEECH_DB: f32 = 20.0;

/// The meters of one plugin instance.
#[derive(Debug, Default)]
pub struct Meters {
    /// Largest input sample per channel since the last look, linear.
    pub input_peak: [PeakMeter; N_CHANNELS],
    /// Largest output sample per channel since the last look, linear.
    pub output_peak: [PeakMeter; N_CHANNELS],
    /// Mean square of the last hop's input over all channels.
    pub input_power: AtomicF32,
    /// Mean square of the last hop's output over all channels.
    pub output_power: AtomicF32,
    /// Local SNR of the last hop, in dB.
    pub lsnr_db: AtomicF32,
    /// Feature gain of the last hop, in dB: 0 at usual levels.
    pub feature_gain_db: AtomicF32,
    /// First empty bin of band-limited input, 0 for full-band input.
    pub edge_bin: AtomicU32,
    /// Reduction in dB, over some seconds, of the moments that may be speech; 0 before a second of them was heard.
    pub active_reduction_db: AtomicF32,
    /// Reduction of the last hop, per ERB band, in dB, 0 or more, over all channels.
    pub reduction_db: [AtomicF32; N_BANDS],
    /// How far slot B's output is from slot A's, in dB relative to A's power, smoothed over about a second; NaN where
    /// nothing is compared.
    pub null_depth_db: AtomicF32,
    /// Whether the stream sleeps because its input is digitally silent.
    pub is_idle: AtomicBool,
    /// Time of the audio thread per hop, in microseconds, waits left out.
    pub audio_us: AtomicF32,
    /// The slots.
    pub slots: [SlotMeters; N_SLOTS],
    /// Frames for the panel's spectrograms.
    pub feed: SpectrumFeed,
    /// Channels of the stream.
    pub n_channels: AtomicU32,
}

/// A peak that grows until it is looked at.
#[derive(Debug, Default)]
pub struct PeakMeter(AtomicU32);

impl PeakMeter {
    /// Raises the peak to `level`, which is not negative. Real-time safe.
    pub fn raise(&self, level: f32) {
        // Floats that are not negative order like their bits.
        self.0.fetch_max(level.to_bits(), Ordering::Relaxed);
    }

    /// The peak since the last call.
    pub fn take(&self) -> f32 {
        f32::from_bits(self.0.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_lasts_until_it_is_taken() {
        let peak = PeakMeter::default();
        peak.raise(0.25);
        peak.raise(0.5);
        peak.raise(0.125);
        assert_eq!(peak.take(), 0.5);
        assert_eq!(peak.take(), 0.0);
    }
}
