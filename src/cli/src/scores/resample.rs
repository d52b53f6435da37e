//! Band-limited resampling by windowed sincs, in the two forms that STOI's results are quoted for.

use std::f64::consts::PI;

/// Zero crossings of the sinc on either side: torchaudio's `lowpass_filter_width`, as DeepFilterNet's training sets it.
const N_ZEROS: f64 = 16.0;
/// Cut-off relative to the lower of the two Nyquist frequencies: torchaudio's `rolloff`, as it sets it.
const ROLLOFF: f64 = 0.99;
/// Stop-band rejection of Octave's `resample`, in dB.
const REJECTION_DB: f64 = 60.0;

/// The taps of one output phase.
struct Phase {
    /// Position of the first tap relative to the start of its group of input samples.
    first: i64,
    taps: Vec<f64>,
}

/// `samples` at `from_hz` brought to `to_hz` as torchaudio's `resample` does by default: a sinc under a Hann window.
///
/// Returns `ceil(len * to_hz / from_hz)` samples, aligned with the input at sample 0. The signal is taken as zero
/// outside. Equal rates return the samples as they are.
///
/// # Panics
/// If a rate is 0.
pub fn sinc(samples: &[f64], from_hz: u32, to_hz: u32) -> Vec<f64> {
    convert(samples, from_hz, to_hz, |n_in, n_out| {
        // Arguments of the sinc run at `cutoff` zero crossings per group of `n_in` input samples.
        let cutoff = n_in.min(n_out) as f64 * ROLLOFF;
        let reach = N_ZEROS * n_in as f64 / cutoff;
        let kernel = move |t: f64| {
            let t = t * cutoff / n_in as f64;
            normalised_sinc(t) * (t * PI / N_ZEROS / 2.0).cos().powi(2) * cutoff / n_in as f64
        };
        (0..n_out).map(|i| phase(i, n_in, n_out, reach, &kernel)).collect()
    })
}

/// `samples` at `from_hz` brought to `to_hz` as Octave's `resample` does, whose design `pystoi` follows: a sinc under a
/// Kaiser window, cut at the lower Nyquist frequency. Length, alignment and edges as [`sinc`].
///
/// # Panics
/// If a rate is 0.
pub fn octave(samples: &[f64], from_hz: u32, to_hz: u32) -> Vec<f64> {
    convert(samples, from_hz, to_hz, |n_in, n_out| {
        // The filter runs at the common multiple of both rates, `n_out` of its samples to one of the input.
        let cutoff = 0.5 / n_in.max(n_out) as f64;
        // Kaiser's formulas: half length from rejection and width of the transition, then the window's shape.
        let half = ((REJECTION_DB - 8.0) / (28.714 * cutoff / 10.0)).ceil();
        let beta = 0.1102 * (REJECTION_DB - 8.7);
        let filter = |m: f64| {
            normalised_sinc(2.0 * cutoff * m) * bessel_i0(beta * (1.0 - (m / half).powi(2)).max(0.0).sqrt())
        };
        let sum = (1..=half as i64).map(|m| 2.0 * filter(m as f64)).sum::<f64>() + filter(0.0);
        let n_out_f = n_out as f64;
        let kernel = |t: f64| filter((t * n_out_f).round()) * n_out_f / sum;
        // The outermost taps count; a quarter of a filter sample keeps rounding from losing them.
        (0..n_out).map(|i| phase(i, n_in, n_out, (half + 0.25) / n_out_f, &kernel)).collect()
    })
}

/// Resamples with the phases that `design` makes for groups of `n_in` input and `n_out` output samples.
fn convert(
    samples: &[f64],
    from_hz: u32,
    to_hz: u32,
    design: impl Fn(usize, usize) -> Vec<Phase>,
) -> Vec<f64> {
    if from_hz == to_hz {
        return samples.to_vec();
    }
    let divisor = num_integer::gcd(from_hz, to_hz);
    let (n_in, n_out) = ((from_hz / divisor) as usize, (to_hz / divisor) as usize);
    let phases = design(n_in, n_out);
    (0..(samples.len() * n_out).div_ceil(n_in))
        .map(|k| {
            let Phase { first, taps } = &phases[k % n_out];
            let start = (k / n_out * n_in) as i64 + first;
            let skipped = (-start).clamp(0, taps.len() as i64) as usize;
            let from = (start.max(0) as usize).min(samples.len());
            taps[skipped..].iter().zip(&samples[from..]).map(|(tap, x)| tap * x).sum()
        })
        .collect()
}

/// Samples `kernel`, which takes a distance in input samples, around the position of output `i` of a group.
fn phase(i: usize, n_in: usize, n_out: usize, reach: f64, kernel: &impl Fn(f64) -> f64) -> Phase {
    let centre = (i * n_in) as f64 / n_out as f64;
    let (first, last) = ((centre - reach).ceil() as i64, (centre + reach).floor() as i64);
    Phase { first, taps: (first..=last).map(|position| kernel(position as f64 - centre)).collect() }
}

fn normalised_sinc(t: f64) -> f64 {
    if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) }
}

/// The modified Bessel function of order 0, by its series; `x` up to about 6 here, where 30 terms leave no remainder.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let mut term = 1.0;
    (1..=30).fold(1.0, |sum, k| {
        term *= quarter / f64::from(k * k);
        sum + term
    })
}
