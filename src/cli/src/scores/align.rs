//! Time alignment: the delay at which two recordings correlate best, found by FFT.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex64;

use super::energy;

/// Shortest FFT used, so that short search ranges do not pay for many small transforms.
const MIN_FFT: usize = 1 << 16;

/// The lag in `-max_lag..=max_lag` at which the second signal of each pair, shifted back by it, correlates most
/// strongly with the first, over all pairs together. Positive: the second is late.
///
/// The sign of the correlation is ignored, so that an output of inverted polarity is still aligned. Equal maxima go to
/// the smaller shift; signals without any correlation get 0. Memory does not grow with the signals' length.
pub fn delay_samples(pairs: &[(&[f64], &[f64])], max_lag: usize) -> i64 {
    let longest = pairs.iter().map(|(x, y)| x.len().max(y.len())).max().unwrap_or(0);
    let max_lag = max_lag.min(longest);
    // Block by block: each block of the first signal against the stretch of the second that any lag can bring to it.
    let n_fft = (4 * max_lag + 4).next_power_of_two().max(MIN_FFT);
    let n_block = n_fft - 2 * max_lag;
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(n_fft), planner.plan_fft_inverse(n_fft));
    let (mut early, mut late) = (forward.make_output_vec(), forward.make_output_vec());
    let mut cross = forward.make_output_vec();
    let mut time = forward.make_input_vec();

    for (x, y) in pairs {
        for start in (0..x.len()).step_by(n_block) {
            let block = &x[start..(start + n_block).min(x.len())];
            time.fill(0.0);
            time[..block.len()].copy_from_slice(block);
            forward.process(&mut time, &mut early).expect("buffers were made by the plan");

            time.fill(0.0);
            // `time[k]` is `y[start - max_lag + k]`, zero outside the signal.
            let skipped = max_lag.saturating_sub(start);
            let from = (start + skipped).saturating_sub(max_lag).min(y.len());
            let until = (start + n_block + max_lag).min(y.len()).max(from);
            time[skipped..skipped + until - from].copy_from_slice(&y[from..until]);
            forward.process(&mut time, &mut late).expect("buffers were made by the plan");

            for ((sum, a), b) in cross.iter_mut().zip(&early).zip(&late) {
                *sum += a.conj() * b;
            }
        }
    }

    // Rounding leaves imaginary dust at the two real-valued bins, which the inverse transform refuses.
    let last = cross.len() - 1;
    for bin in [0, last] {
        cross[bin] = Complex64::new(cross[bin].re, 0.0);
    }
    inverse.process(&mut cross, &mut time).expect("the two real-valued bins are real");

    let strength = |lag: i64| time[(lag + max_lag as i64) as usize].abs();
    let mut best = 0;
    for lag in 1..=max_lag as i64 {
        for candidate in [lag, -lag] {
            if strength(candidate) > strength(best) {
                best = candidate;
            }
        }
    }
    best
}

/// The parts of two signals that meet once the second's delay is taken out: equally long, empty if they never meet.
pub fn overlap<'a>(x: &'a [f64], y: &'a [f64], delay_samples: i64) -> (&'a [f64], &'a [f64]) {
    let shift = usize::try_from(delay_samples.unsigned_abs()).unwrap_or(usize::MAX);
    let (x, y) = if delay_samples >= 0 {
        (x, y.get(shift..).unwrap_or_default())
    } else {
        (x.get(shift..).unwrap_or_default(), y)
    };
    let n = x.len().min(y.len());
    (&x[..n], &y[..n])
}

/// Magnitude of the normalised correlation of aligned signals, all pairs together: 0 unrelated, 1 equal up to a gain.
pub fn correlation(pairs: &[(&[f64], &[f64])]) -> f64 {
    let product: f64 = pairs.iter().map(|(x, y)| x.iter().zip(*y).map(|(a, b)| a * b).sum::<f64>()).sum();
    let (ex, ey): (f64, f64) =
        pairs.iter().fold((0.0, 0.0), |(ex, ey), (x, y)| (ex + energy(x), ey + energy(y)));
    if ex == 0.0 || ey == 0.0 { 0.0 } else { (product.abs() / (ex * ey).sqrt()).min(1.0) }
}
