//! Waveform ratios: scale-invariant SDR and segmental SNR.

/// Range of one segment's SNR in dB: outside it listeners hear no difference (Hansen and Pellom 1998).
const SEGMENT_SNR_DB: std::ops::RangeInclusive<f64> = -10.0..=35.0;
/// Segment length (Loizou, section 11.1): 30 ms, advanced by a quarter.
const SEGMENT_S: f64 = 0.03;

/// Scale-invariant SDR in dB (Le Roux et al. 2019, equation 3): the energy of the projection of `judged` on `clean`
/// against that of the rest. Means are removed first, as the definition presumes.
///
/// `+inf` if `judged` is a scaled `clean`; `-inf` if it holds nothing of it. A constant `clean` has none: `-inf`.
pub fn si_sdr_db(clean: &[f64], judged: &[f64]) -> f64 {
    let centre = |x: &[f64]| x.iter().sum::<f64>() / x.len().max(1) as f64;
    let (mean_clean, mean_judged) = (centre(clean), centre(judged));
    let pairs = || clean.iter().zip(judged).map(|(x, y)| (x - mean_clean, y - mean_judged));
    let clean_energy: f64 = pairs().map(|(x, _)| x * x).sum();
    let product: f64 = pairs().map(|(x, y)| x * y).sum();
    if clean_energy == 0.0 || product == 0.0 {
        return f64::NEG_INFINITY;
    }
    let gain = product / clean_energy;
    let rest: f64 = pairs().map(|(x, y)| (gain * x - y).powi(2)).sum();
    10.0 * (gain * gain * clean_energy / rest).log10()
}

/// Segmental SNR in dB, -10..=35: the mean over Hann-windowed segments of 30 ms, a quarter apart, of each segment's SNR
/// limited to that range. Unlike SI-SDR it counts a wrong gain as an error.
///
/// Segments in which both signals are digital silence have no SNR and are left out; where that is all of them, the
/// result is 35. Signals shorter than a segment are one segment.
pub fn segmental_snr_db(clean: &[f64], judged: &[f64], rate_hz: u32) -> f64 {
    let n_segment = ((SEGMENT_S * f64::from(rate_hz)).round() as usize).clamp(1, clean.len().max(1));
    let window = super::hann(n_segment);
    let (mut sum_db, mut n_segments) = (0.0, 0);
    for (clean, judged) in
        clean.windows(n_segment).zip(judged.windows(n_segment)).step_by((n_segment / 4).max(1))
    {
        let (mut signal, mut error) = (0.0, 0.0);
        for ((x, y), w) in clean.iter().zip(judged).zip(&window) {
            signal += (w * x).powi(2);
            error += (w * (x - y)).powi(2);
        }
        if signal > 0.0 || error > 0.0 {
            // No error at all is an infinite ratio, which the limit makes 35.
            sum_db += (10.0 * (signal / error).log10()).clamp(*SEGMENT_SNR_DB.start(), *SEGMENT_SNR_DB.end());
            n_segments += 1;
        }
    }
    if n_segments == 0 { *SEGMENT_SNR_DB.end() } else { sum_db / f64::from(n_segments) }
}
