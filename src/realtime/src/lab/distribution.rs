//! Percentiles of a set of durations, and their histogram on a log axis.

use serde::Serialize;

/// Order statistics of durations in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// Median.
    pub p50_us: f32,
    /// 95th percentile.
    pub p95_us: f32,
    /// 99th percentile.
    pub p99_us: f32,
    /// Largest.
    pub max_us: f32,
    /// Mean.
    pub mean_us: f32,
}

impl Distribution {
    /// Nearest-rank percentiles: the smallest value that at least p % of all values do not exceed. Reorders `values`;
    /// `None` if there are none.
    pub fn of(values: &mut [f32]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n_values = values.len();
        let mean_us = (values.iter().map(|&v| f64::from(v)).sum::<f64>() / n_values as f64) as f32;
        let mut from = 0;
        // Each selection leaves everything above it to its right, so the next one only looks there.
        let mut percentile = |percent: usize| {
            let rank = (n_values * percent).div_ceil(100).max(1) - 1;
            let (_, value, _) = values[from..].select_nth_unstable_by(rank - from, f32::total_cmp);
            let value = *value;
            from = rank;
            value
        };
        Some(Self {
            p50_us: percentile(50),
            p95_us: percentile(95),
            p99_us: percentile(99),
            max_us: percentile(100),
            mean_us,
        })
    }
}

/// Buckets of a [`Histogram`]: 20 per decade (12 % wide), so that two devices 20 % apart show two hills.
pub const N_BUCKETS: usize = 80;
const BUCKETS_PER_DECADE: f32 = 20.0;
/// Lower edge of the first bucket, microseconds. Shorter values count there: no step of the network is that short.
const FLOOR_US: f32 = 10.0;

/// Counts of durations on a log axis, 10 us to 100 ms; values beyond either end count in the outermost bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: [u32; N_BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; N_BUCKETS] }
    }
}

impl Histogram {
    /// The bucket of a duration.
    fn bucket(us: f32) -> usize {
        let position = (us / FLOOR_US).log10() * BUCKETS_PER_DECADE;
        // NaN and negative positions become 0 by the saturating cast.
        (position as usize).min(N_BUCKETS - 1)
    }

    /// Lower and upper edge of a bucket, microseconds.
    pub fn edges_us(bucket: usize) -> (f32, f32) {
        let edge = |i: usize| FLOOR_US * 10f32.powf(i as f32 / BUCKETS_PER_DECADE);
        (edge(bucket), edge(bucket + 1))
    }

    /// Counts a duration. Real-time safe.
    pub fn add(&mut self, us: f32) {
        let count = &mut self.counts[Self::bucket(us)];
        *count = count.saturating_add(1);
    }

    /// Takes a counted duration out again. Real-time safe.
    pub fn remove(&mut self, us: f32) {
        let count = &mut self.counts[Self::bucket(us)];
        *count = count.saturating_sub(1);
    }

    /// Counts per bucket, in ascending order of duration.
    pub fn counts(&self) -> &[u32; N_BUCKETS] {
        &self.counts
    }

    /// Durations counted.
    pub fn n_counted(&self) -> u32 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        // 1..=100 shuffled by a stride coprime to 100.
        let mut values: Vec<f32> = (0..100).map(|i| ((i * 37) % 100 + 1) as f32).collect();
        let d = Distribution::of(&mut values).unwrap();
        assert_eq!((d.p50_us, d.p95_us, d.p99_us, d.max_us, d.mean_us), (50.0, 95.0, 99.0, 100.0, 50.5));
    }

    #[test]
    fn few_values_have_percentiles_and_none_has_none() {
        assert_eq!(Distribution::of(&mut []), None);
        let one = Distribution::of(&mut [7.0]).unwrap();
        assert_eq!((one.p50_us, one.p99_us, one.max_us), (7.0, 7.0, 7.0));
        let three = Distribution::of(&mut [9.0, 1.0, 5.0]).unwrap();
        assert_eq!((three.p50_us, three.p95_us, three.max_us), (5.0, 9.0, 9.0));
    }

    #[test]
    fn selection_agrees_with_sorting() {
        let mut random = crate::random::Random(1);
        let values: Vec<f32> = (0..997).map(|_| random.share()).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f32::total_cmp);
        let d = Distribution::of(&mut values.clone()).unwrap();
        let rank = |percent: usize| sorted[(997 * percent).div_ceil(100) - 1];
        assert_eq!([d.p50_us, d.p95_us, d.p99_us, d.max_us], [rank(50), rank(95), rank(99), rank(100)]);
    }

    #[test]
    fn every_duration_lies_between_the_edges_of_its_bucket() {
        for us in [10.0, 11.9, 100.0, 437.0, 3_480.0, 9_999.0, 99_000.0] {
            let mut histogram = Histogram::default();
            histogram.add(us);
            let bucket = histogram.counts().iter().position(|&n| n == 1).unwrap();
            let (low, high) = Histogram::edges_us(bucket);
            // Edges are powers of ten in f32: 1e-6 relative.
            assert!(low <= us * 1.000_001 && us < high * 1.000_001, "{us} in {low}..{high}");
        }
    }

    #[test]
    fn absurd_durations_count_at_the_ends() {
        let mut histogram = Histogram::default();
        for us in [0.0, -1.0, f32::NAN, 1e9, f32::INFINITY] {
            histogram.add(us);
        }
        assert_eq!(
            (histogram.counts()[0], histogram.counts()[N_BUCKETS - 1], histogram.n_counted()),
            (3, 2, 5)
        );
        histogram.remove(1e9);
        assert_eq!(histogram.n_counted(), 4);
    }
}
