//! Turns a hop's frames into meter values. Audio thread; real-time safe.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tacet_model::{N_BANDS, N_BINS};

use crate::erb::{BAND_STARTS, BAND_WIDTHS};
use crate::frame::Spectrum;
use crate::meters::Meters;
use crate::meters::feed::Shares;
use crate::rules::Conditions;

/// Share of the past in the null depth's running mean: a second.
const NULL_SMOOTHING: f32 = 0.99;
/// Powers below this count as nothing: -200 dB.
const POWER_FLOOR: f32 = 1e-20;

/// Meters a stream's hops.
pub struct Metering {
    meters: Arc<Meters>,
    /// Running mean powers of slot A's frames and of slot B's difference from them.
    null_powers: (f32, f32),
}

impl Metering {
    /// Writes to `meters`.
    pub fn new(meters: Arc<Meters>) -> Self {
        Self { meters, null_powers: (0.0, 0.0) }
    }

    /// Where it writes.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Levels and reduction of a hop, and for whoever watches its frames: the noisy ones and, by their `shares`, what is heard.
    pub fn hop(&self, noisy: &[Spectrum], enhanced: &[Spectrum], shares: Shares) {
        let (before, after) = (band_powers(noisy), band_powers(enhanced));
        let share = 1.0 / (noisy.len() * N_BINS) as f32;
        self.meters.input_power.store(before.iter().sum::<f32>() * share, Relaxed);
        self.meters.output_power.store(after.iter().sum::<f32>() * share, Relaxed);
        for ((reduction_db, before), after) in self.meters.reduction_db.iter().zip(before).zip(after) {
            let ratio = (before + POWER_FLOOR) / (after + POWER_FLOOR);
            reduction_db.store((10.0 * ratio.log10()).max(0.0), Relaxed);
        }
        if self.meters.feed.is_watched() {
            self.meters.feed.write(noisy, enhanced, shares);
        }
    }

    /// The current effect of the rules.
    pub fn conditions(&self, conditions: &Conditions) {
        self.meters.feature_gain_db.store(conditions.gain_db, Relaxed);
        self.meters.edge_bin.store(conditions.edge_bin.unwrap_or(0) as u32, Relaxed);
    }

    /// How far slot B is from slot A.
    pub fn compare(&mut self, a: &[Spectrum], b: &[Spectrum]) {
        let bins = || a.iter().flatten().zip(b.iter().flatten());
        let power: f32 = bins().map(|(a, _)| a.norm_sqr()).sum();
        let difference: f32 = bins().map(|(a, b)| (b - a).norm_sqr()).sum();
        let (mean_power, mean_difference) = &mut self.null_powers;
        *mean_power = *mean_power * NULL_SMOOTHING + power * (1.0 - NULL_SMOOTHING);
        *mean_difference = *mean_difference * NULL_SMOOTHING + difference * (1.0 - NULL_SMOOTHING);
        let ratio = (*mean_difference + POWER_FLOOR) / (*mean_power + POWER_FLOOR);
        self.meters.null_depth_db.store(10.0 * ratio.log10(), Relaxed);
    }

    /// Nothing is compared.
    pub(crate) fn compare_nothing(&mut self) {
        self.null_powers = (0.0, 0.0);
        self.meters.null_depth_db.store(f32::NAN, Relaxed);
    }

    /// A hop of sleep.
    pub fn sleep(&self) {
        self.meters.input_power.store(0.0, Relaxed);
        self.meters.output_power.store(0.0, Relaxed);
        for reduction_db in &self.meters.reduction_db {
            reduction_db.store(0.0, Relaxed);
        }
    }
}

fn band_powers(frames: &[Spectrum]) -> [f32; N_BANDS] {
    std::array::from_fn(|band| {
        let bins = BAND_STARTS[band]..BAND_STARTS[band] + BAND_WIDTHS[band];
        frames.iter().flat_map(|frame| &frame[bins.clone()]).map(|bin| bin.norm_sqr()).sum()
    })
}
