//! Checks and measurements of samples. Real-time safe.

/// The largest magnitude; samples that are no number count as nothing.
pub fn peak(samples: &[f32]) -> f32 {
    // Without an early end, which would keep it scalar.
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}

/// A sample, or 0 where it is not a number or infinite.
#[inline]
pub fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

/// Replaces what is not finite by silence, where samples come in from outside; returns how many there were.
pub fn make_finite(samples: &mut [f32]) -> usize {
    let mut n_replaced = 0;
    for sample in samples {
        // Without a branch, so that it becomes vector code.
        n_replaced += usize::from(!sample.is_finite());
        *sample = finite(*sample);
    }
    n_replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_samples_become_silence_and_the_rest_stays() {
        let mut samples = [0.5, f32::NAN, -0.75, f32::INFINITY, f32::NEG_INFINITY, f32::MIN];
        assert_eq!(peak(&[0.5, f32::NAN, -0.75]), 0.75);
        assert_eq!(make_finite(&mut samples), 3);
        assert_eq!(samples, [0.5, 0.0, -0.75, 0.0, 0.0, f32::MIN]);
        assert_eq!(make_finite(&mut samples), 0);
    }
}
