//! Log-spectral distance: how far the short-time spectra lie apart, in dB (Cohen and Gannot 2008).

use realfft::RealFftPlanner;

use super::hann;

/// Window length, advanced by a half.
const WINDOW_S: f64 = 0.032;
/// Range of the log spectra below the reference's loudest bin; what is fainter counts as equally faint.
const DYNAMIC_RANGE_DB: f64 = 50.0;

/// Log-spectral distance in dB of two equally long signals, from 0 (identical): the mean over frames of the
/// root-mean-square difference of the power spectra in dB, over all bins to half the sample rate.
///
/// Both spectra are limited below at 50 dB under the loudest bin of `clean`. 0 for signals shorter than a frame and
/// for a silent `clean`.
pub fn lsd_db(clean: &[f64], judged: &[f64], rate_hz: u32) -> f64 {
    // An even length has a bin at half the rate.
    let n_window = 2 * ((WINDOW_S * f64::from(rate_hz) / 2.0).round() as usize).max(1);
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(n_window);
    let window = hann(n_window);
    let mut time = fft.make_input_vec();
    let mut spectrum = fft.make_output_vec();
    let mut powers = |frame: &[f64], out: &mut [f64]| {
        for (t, (x, w)) in time.iter_mut().zip(frame.iter().zip(&window)) {
            *t = x * w;
        }
        fft.process(&mut time, &mut spectrum).expect("buffers were made by the plan");
        for (power, c) in out.iter_mut().zip(&spectrum) {
            *power = c.norm_sqr();
        }
    };

    let n_bins = n_window / 2 + 1;
    let (mut x, mut y) = (vec![0.0; n_bins], vec![0.0; n_bins]);
    let starts = || (0..(clean.len() + 1).saturating_sub(n_window)).step_by(n_window / 2);
    // Two passes, so that memory does not grow with the signals' length.
    let mut loudest: f64 = 0.0;
    for start in starts() {
        powers(&clean[start..start + n_window], &mut x);
        loudest = x.iter().copied().fold(loudest, f64::max);
    }
    if loudest == 0.0 {
        return 0.0;
    }
    let floor = loudest * 10f64.powf(-DYNAMIC_RANGE_DB / 10.0);
    let mut sum_db = 0.0;
    for start in starts() {
        powers(&clean[start..start + n_window], &mut x);
        powers(&judged[start..start + n_window], &mut y);
        let squares: f64 =
            x.iter().zip(&y).map(|(x, y)| (10.0 * (x.max(floor) / y.max(floor)).log10()).powi(2)).sum();
        sum_db += (squares / n_bins as f64).sqrt();
    }
    sum_db / starts().count() as f64
}
