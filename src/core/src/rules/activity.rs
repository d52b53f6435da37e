//! Tells a sound that lives, speech above all, from hiss, hum and silence, at any level and from the signal alone.
//!
//! The levels of the bands between 200 Hz and 4 kHz are smoothed over some 40 ms and compared with what they were 80 ms
//! before: only changes that stationary noise of the same bandwidth does not make are counted, and averaged over some
//! 200 ms. Everything is a ratio, so that the answer does not depend on level. Stationary noise stays below 0.2, speech in
//! noise of its own level has a median of 0.6 and more, clean speech 3.

use crate::decibels::decibels;
use crate::erb;
use crate::powers::{FramePowers, sum};

/// The bands that are watched: 200 Hz to 4 kHz, which every recording of speech has.
const FIRST_BAND: usize = 2;
const N_WATCHED: usize = 18;
/// First band after what counts for the level: 13 kHz.
const LEVEL_END_BAND: usize = 28;
/// Share of the newest hop in a band's smoothed level.
const SMOOTHING: f32 = 0.25;
/// Hops between the levels that are compared.
const LAG_HOPS: usize = 8;
/// Changes that stationary noise makes by itself, in dB.
const IDLE_CHANGE_DB: f32 = 3.5;
/// Most that one band counts for, in dB.
const MAX_CHANGE_DB: f32 = 15.0;
/// Share of the newest hop in the averaged change.
const AVERAGING: f32 = 0.05;
/// Share of the newest hop in the smoothed power.
const POWER_SMOOTHING: f32 = 0.3;
/// Average change from which the sound lives, and below which it no longer does.
const ON: f32 = 0.3;
const OFF: f32 = 0.2;
/// Power of a frame below which there is no sound: -115 dBFS, digital silence and the rounding of 16 bits' dither aside.
pub(super) const SILENT_POWER: f32 = 3e-12;

/// Levels of the watched bands in dB.
pub type Levels = [f32; N_WATCHED];

/// Hears one stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activity {
    smoothed_db: Levels,
    /// Averaged like the change.
    mean_db: Levels,
    past_db: [Levels; LAG_HOPS],
    /// Hops heard since silence, up to what a comparison needs.
    n_heard: usize,
    average_change: f32,
    change: f32,
    rise: f32,
    power: f32,
    is_active: bool,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            smoothed_db: [0.0; N_WATCHED],
            mean_db: [0.0; N_WATCHED],
            past_db: [[0.0; N_WATCHED]; LAG_HOPS],
            n_heard: 0,
            average_change: 0.0,
            change: 0.0,
            rise: 0.0,
            power: 0.0,
            is_active: false,
        }
    }
}

impl Activity {
    /// Hears the powers of every channel's next frame. The loudest channel counts in every band.
    pub fn hear(&mut self, channels: &[FramePowers]) {
        let mut bands = [0.0f32; N_WATCHED];
        let mut power = 0.0f32;
        for FramePowers { band_means, .. } in channels {
            let sums = erb::bands().zip(band_means).map(|(bins, mean)| bins.len() as f32 * mean);
            power = power.max(2.0 * sums.take(LEVEL_END_BAND).skip(FIRST_BAND).sum::<f32>());
            for (loudest, mean) in bands.iter_mut().zip(&band_means[FIRST_BAND..]) {
                *loudest = loudest.max(*mean);
            }
        }
        // Not what is not a number either.
        if !(power >= SILENT_POWER && power.is_finite()) {
            *self = Self::default();
            return;
        }
        let level_db: Levels = bands.map(decibels);
        if self.n_heard == 0 {
            (self.smoothed_db, self.mean_db) = (level_db, level_db);
            self.power = power;
        }
        let mut steps_db = [0.0; N_WATCHED];
        let past = self.past_db[self.n_heard % LAG_HOPS].iter_mut().zip(&mut steps_db);
        for ((smoothed, (past, step)), level) in self.smoothed_db.iter_mut().zip(past).zip(level_db) {
            *smoothed += SMOOTHING * (level - *smoothed);
            *step = *smoothed - *past;
            *past = *smoothed;
        }
        for (mean, level) in self.mean_db.iter_mut().zip(level_db) {
            *mean += AVERAGING * (level - *mean);
        }
        self.power += POWER_SMOOTHING * (power - self.power);
        if self.n_heard >= LAG_HOPS {
            let counted = |step_db: f32| (step_db.min(MAX_CHANGE_DB) - IDLE_CHANGE_DB).max(0.0);
            self.change = sum(&steps_db.map(|step_db| counted(step_db.abs()))) / N_WATCHED as f32;
            self.rise = sum(&steps_db.map(counted)) / N_WATCHED as f32;
            self.average_change += AVERAGING * (self.change - self.average_change);
        }
        self.n_heard = if self.n_heard + 1 < 2 * LAG_HOPS { self.n_heard + 1 } else { LAG_HOPS };
        self.is_active = self.average_change > if self.is_active { OFF } else { ON };
    }

    /// Whether the sound lives.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// How much the newest hop changed, beyond what stationary noise does: 0.05 for that, some 0.8 for speech in noise of its
    /// own level, 3 for clean speech, on average.
    pub fn change(&self) -> f32 {
        self.change
    }

    /// The part of [`change`](Self::change) by which bands grew louder: about half of it in speech, none where a sound ends.
    pub fn rise(&self) -> f32 {
        self.rise
    }

    /// Levels of the watched bands, averaged over some 200 ms. `None` in silence.
    pub fn mean_db(&self) -> Option<&Levels> {
        (self.n_heard > 0).then_some(&self.mean_db)
    }

    /// Whether the newest hop is like those before: silence, or a sound that changes less than `most`. The first hops of a
    /// sound are not, as nothing is known of them.
    pub fn is_still(&self, most: f32) -> bool {
        self.n_heard == 0 || (self.n_heard >= LAG_HOPS && self.change < most)
    }

    /// Mean power of the last 50 ms up to 13 kHz; a sine of amplitude 1 has 0.5.
    pub fn power(&self) -> f32 {
        self.power
    }

    /// The same in dB below full scale.
    pub(crate) fn level_dbfs(&self) -> f32 {
        decibels(self.power)
    }
}
