//! Turns a hop's frames into meter values. Audio thread; real-time safe.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tacet_model::N_BINS;

use crate::frame::Spectrum;
use crate::meters::feed::Shares;
use crate::meters::{MIN_ACTIVE_HOPS, Meters};
use crate::powers::{HopPowers, Powers, band_powers};
use crate::rules::Conditions;

/// Share of the past in the null depth's running mean: a second.
const NULL_SMOOTHING: f32 = 0.99;
/// Share of the past in the mean powers of what may be speech: five seconds of it.
const ACTIVE_SMOOTHING: f32 = 0.998;
/// Powers below this count as nothing: -200 dB.
const POWER_FLOOR: f32 = 1e-20;

/// Meters a stream's hops.
pub struct Metering {
    meters: Arc<Meters>,
    /// Running mean powers of slot A's frames and of slot B's difference from them.
    null_powers: (f32, f32),
    /// Whether the hop may be speech.
    is_active: bool,
    n_active: u32,
    /// Running mean powers of such hops, before and after.
    active_powers: (f32, f32),
}

impl Metering {
    /// Writes to `meters`.
    pub fn new(meters: Arc<Meters>) -> Self {
        meters.active_reduction_db.store(0.0, Relaxed);
        Self { meters, null_powers: (0.0, 0.0), is_active: false, n_active: 0, active_powers: (0.0, 0.0) }
    }

    /// The meters that it writes to.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Levels and reduction of a hop, and for whoever watches its frames: the noisy ones and, by their `shares`, what is heard.
    pub fn hop(&mut self, noisy: &[Spectrum], enhanced: &[Spectrum], shares: Shares) {
        let (before, after) = (band_powers(noisy), band_powers(enhanced));
        if self.is_active {
            self.active_hop(before.iter().sum(), after.iter().sum());
        }
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

    fn active_hop(&mut self, before: f32, after: f32) {
        self.n_active = (self.n_active + 1).min(MIN_ACTIVE_HOPS);
        let (mean_before, mean_after) = &mut self.active_powers;
        for (mean, power) in [(&mut *mean_before, before), (&mut *mean_after, after)] {
            *mean = *mean * ACTIVE_SMOOTHING + power * (1.0 - ACTIVE_SMOOTHING);
        }
        let reduction_db = 10.0 * ((*mean_before + POWER_FLOOR) / (*mean_after + POWER_FLOOR)).log10();
        let is_known = self.n_active >= MIN_ACTIVE_HOPS;
        self.meters.active_reduction_db.store(if is_known { reduction_db.max(0.0) } else { 0.0 }, Relaxed);
    }

    /// The current effect of the rules.
    pub fn conditions(&mut self, conditions: &Conditions) {
        self.is_active = conditions.is_active;
        self.meters.feature_gain_db.store(conditions.gain_db, Relaxed);
        self.meters.edge_bin.store(conditions.band.map_or(0, |band| band.edge_bin) as u32, Relaxed);
    }

    /// Distance of slot B from slot A.
    pub fn compare(&mut self, a: &[Spectrum], b: &[Spectrum]) {
        let Powers { noisy: power, taken: difference, .. } = HopPowers::of(a, b).all;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::SILENT_SPECTRUM;

    #[test]
    fn possible_speech_is_metered_apart_after_a_second_of_it() {
        let mut metering = Metering::new(Arc::default());
        let frame = |level: f32| {
            let mut frame = SILENT_SPECTRUM;
            frame.iter_mut().for_each(|bin| bin.re = level);
            [frame]
        };
        let reduction_db = |metering: &Metering| metering.meters().active_reduction_db.load(Relaxed);
        let hops = |metering: &mut Metering, is_active: bool, after: f32, n: u32| {
            metering.conditions(&Conditions { is_active, ..Conditions::default() });
            (0..n)
                .for_each(|_| metering.hop(&frame(1.0), &frame(after), Shares { enhanced: 1.0, noisy: 0.0 }));
        };
        hops(&mut metering, false, 0.01, 300);
        hops(&mut metering, true, 0.01, MIN_ACTIVE_HOPS - 1);
        assert_eq!(reduction_db(&metering), 0.0);
        hops(&mut metering, true, 0.01, 1);
        assert!((reduction_db(&metering) - 40.0).abs() < 0.1, "{}", reduction_db(&metering));
        // Noise in the pauses does not count; speech that is kept does.
        hops(&mut metering, false, 0.0001, 300);
        assert!((reduction_db(&metering) - 40.0).abs() < 0.1);
        hops(&mut metering, true, 1.0, 1000);
        assert!(reduction_db(&metering) < 1.0, "{}", reduction_db(&metering));
    }
}
