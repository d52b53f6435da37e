//! Code shared by the benches.

use std::time::Instant;

pub mod plot;

/// Microseconds of many runs.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<f64>);

impl Times {
    /// Runs, and keeps how long that took.
    pub fn measure<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = run();
        self.0.push(start.elapsed().as_secs_f64() * 1e6);
        result
    }

    /// Keeps another one, or whatever else is to be ranked.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The time that a share `q` of the runs, 0..=1, did not exceed. Panics where nothing was measured.
    pub fn quantile(&mut self, q: f64) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0[((self.0.len() - 1) as f64 * q).round() as usize]
    }
}

impl FromIterator<f64> for Times {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}
