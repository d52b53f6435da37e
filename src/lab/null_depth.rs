//! How far slot B's output is from slot A's.

/// Hops over which energies are summed: three seconds, long enough to span pauses between words.
const WINDOW_HOPS: usize = 300;

/// Energy of the difference of B and A against A's own, over a sliding window. Real-time safe after `default`.
pub struct NullDepth {
    // (difference, reference) energies per hop.
    ring: Box<[(f64, f64)]>,
    next: usize,
    n_hops: usize,
}

impl Default for NullDepth {
    fn default() -> Self {
        Self { ring: vec![(0.0, 0.0); WINDOW_HOPS].into(), next: 0, n_hops: 0 }
    }
}

impl NullDepth {
    /// Adds the energies of one hop: sums of squares of `b - a` and of `a`, over all channels.
    pub fn push(&mut self, difference: f32, reference: f32) {
        self.ring[self.next] = (f64::from(difference), f64::from(reference));
        self.next = (self.next + 1) % WINDOW_HOPS;
        self.n_hops = (self.n_hops + 1).min(WINDOW_HOPS);
    }

    /// Adds one hop of samples of both slots, aligned.
    pub fn push_samples(&mut self, a: &[f32], b: &[f32]) {
        let (difference, reference) =
            a.iter().zip(b).fold((0.0, 0.0), |(d, r), (a, b)| (d + (b - a) * (b - a), r + a * a));
        self.push(difference, reference);
    }

    /// Forgets all hops.
    pub fn reset(&mut self) {
        self.next = 0;
        self.n_hops = 0;
    }

    /// Energy of the difference over that of A, dB: negative infinity where both are equal to the bit, `None` while A
    /// is silent or nothing was compared.
    pub fn db(&self) -> Option<f32> {
        let (difference, reference) =
            self.ring[..self.n_hops].iter().fold((0.0, 0.0), |(d, r), hop| (d + hop.0, r + hop.1));
        (reference > 0.0).then(|| (10.0 * (difference / reference).log10()) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(gain: f32) -> Vec<f32> {
        (0..480).map(|i| gain * (i as f32 * 0.1).sin()).collect()
    }

    #[test]
    fn a_gain_error_of_one_per_mille_is_60_db_down() {
        let mut null = NullDepth::default();
        null.push_samples(&tone(1.0), &tone(1.001));
        // f32 sums of 480 squares: within 0.01 dB.
        assert!((null.db().unwrap() + 60.0).abs() < 0.01, "{:?}", null.db());
    }

    #[test]
    fn equal_outputs_null_completely_and_silence_says_nothing() {
        let mut null = NullDepth::default();
        assert_eq!(null.db(), None);
        null.push_samples(&[0.0; 480], &[0.0; 480]);
        assert_eq!(null.db(), None);
        null.push_samples(&tone(1.0), &tone(1.0));
        assert_eq!(null.db(), Some(f32::NEG_INFINITY));
    }

    #[test]
    fn an_old_difference_leaves_the_window() {
        let mut null = NullDepth::default();
        null.push_samples(&tone(1.0), &tone(2.0));
        for _ in 0..WINDOW_HOPS {
            null.push_samples(&tone(1.0), &tone(1.0));
        }
        assert_eq!(null.db(), Some(f32::NEG_INFINITY));
        null.reset();
        assert_eq!(null.db(), None);
    }
}
