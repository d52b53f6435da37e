//! Agreement of two signals.

/// The energy of what is expected over that of the difference, in dB, over the shorter of the two.
pub fn agreement_db(found: &[f32], expected: &[f32]) -> f64 {
    let square = |value: f32| f64::from(value).powi(2);
    let energy: f64 = expected.iter().map(|&value| square(value)).sum();
    let difference: f64 = found.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    10.0 * (energy / difference.max(f64::MIN_POSITIVE)).log10()
}
