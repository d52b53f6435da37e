//! How often which level was heard lately: a histogram that forgets.

use crate::decibels::decibels;

/// Width of a class in dB, the lowest level, and the number of classes: -120 dBFS to full scale.
const STEP_DB: f32 = 1.5;
const LOWEST_DB: f32 = -120.0;
const N_CLASSES: usize = 80;
/// Factor of a hop's weight after each hop: a time constant of five seconds.
const KEPT: f32 = 0.998;

/// The levels of some of the hops heard.
#[derive(Clone, Copy, Debug)]
pub struct Levels {
    weights: [f32; N_CLASSES],
    weight: f32,
    weight_of_all: f32,
    n_heard: u32,
}

impl Default for Levels {
    fn default() -> Self {
        Self { weights: [0.0; N_CLASSES], weight: 0.0, weight_of_all: 0.0, n_heard: 0 }
    }
}

impl Levels {
    /// Another hop has been heard, whether it is then added or not.
    pub fn forget(&mut self) {
        self.weights.iter_mut().for_each(|weight| *weight *= KEPT);
        self.weight *= KEPT;
        self.weight_of_all = self.weight_of_all * KEPT + 1.0;
    }

    /// Adds the hop.
    pub fn add(&mut self, power: f32) {
        let class = ((decibels(power) - LOWEST_DB) / STEP_DB).clamp(0.0, (N_CLASSES - 1) as f32);
        self.weights[class as usize] += 1.0;
        self.weight += 1.0;
        self.n_heard = self.n_heard.saturating_add(1);
    }

    /// Hops added since the beginning.
    pub fn n_heard(&self) -> u32 {
        self.n_heard
    }

    /// Weight of the hops added.
    pub fn weight(&self) -> f32 {
        self.weight
    }

    /// Weight of all hops heard.
    pub fn weight_of_all(&self) -> f32 {
        self.weight_of_all
    }

    /// The median level in dB.
    pub fn median_db(&self) -> f32 {
        self.exceeded_by(0.5 * self.weight)
    }

    /// The level in dB that hops of so much weight exceed; the lowest if all together have less.
    pub fn exceeded_by(&self, weight: f32) -> f32 {
        let mut above = 0.0;
        let class = self.weights.iter().rposition(|class| {
            above += class;
            above > weight
        });
        class.map_or(LOWEST_DB, |class| LOWEST_DB + (class as f32 + 0.5) * STEP_DB)
    }
}
