//! The transform of real frames, in arithmetic that is the same on every processor. Real-time safe after `new`.
//!
//! rustfft picks its algorithm by what the processor has, and each rounds differently: its plain one is taken everywhere,
//! for half as many complex values, and put together to the spectrum of real ones here (Sorensen et al. 1987).

use std::sync::Arc;

use rustfft::{Fft, FftPlannerScalar};
use tacet_model::{N_BINS, N_FFT};

use crate::frame::{Complex32, Spectrum};

/// Complex values of the inner transform.
const HALF: usize = N_FFT / 2;

/// A plan of one direction with its scratch memory.
pub struct RealFft {
    inner: Arc<dyn Fft<f32>>,
    /// `e^(-2 pi i k / N)` for `k` in `1..N / 4`.
    twiddles: [Complex32; HALF / 2 - 1],
    scratch: Box<[Complex32]>,
}

impl RealFft {
    fn new(inner: Arc<dyn Fft<f32>>) -> Self {
        let scratch = vec![Complex32::default(); inner.get_inplace_scratch_len()].into();
        let twiddles = std::array::from_fn(|i| {
            let angle = -std::f64::consts::TAU * (i + 1) as f64 / N_FFT as f64;
            Complex32::new(libm::cos(angle) as f32, libm::sin(angle) as f32)
        });
        Self { inner, twiddles, scratch }
    }

    /// From samples to a spectrum.
    pub fn forward() -> Self {
        Self::new(FftPlannerScalar::new().plan_fft_forward(HALF))
    }

    /// From a spectrum to samples.
    pub fn inverse() -> Self {
        Self::new(FftPlannerScalar::new().plan_fft_inverse(HALF))
    }

    /// `out[k] = sum over n of samples[n] e^(-2 pi i n k / N)`, of a plan made by [`forward`](Self::forward).
    pub fn analyse(&mut self, samples: &[f32; N_FFT], out: &mut Spectrum) {
        for (z, pair) in out.iter_mut().zip(samples.as_chunks::<2>().0) {
            *z = Complex32::new(pair[0], pair[1]);
        }
        self.inner.process_with_scratch(&mut out[..HALF], &mut self.scratch);
        let first = out[0];
        out[0] = Complex32::new(first.re + first.im, 0.0);
        out[N_BINS - 1] = Complex32::new(first.re - first.im, 0.0);
        let (low, high) = out[1..HALF].split_at_mut(HALF / 2);
        // Spectra of the even and of the odd samples, and of all of them.
        for ((low, high), twiddle) in low.iter_mut().zip(high.iter_mut().rev()).zip(&self.twiddles) {
            let (a, b) = (*low, high.conj());
            let (even, odd) = ((a + b) * 0.5, (a - b) * Complex32::new(0.0, -0.5) * twiddle);
            *low = even + odd;
            *high = (even - odd).conj();
        }
        out[HALF / 2] = out[HALF / 2].conj();
    }

    /// `N` times the inverse of [`analyse`](Self::analyse), of a plan made by [`inverse`](Self::inverse). Destroys the
    /// spectrum; the imaginary parts of its first and last bin do not count.
    pub fn synthesise(&mut self, spectrum: &mut Spectrum, samples: &mut [f32; N_FFT]) {
        let (first, last) = (spectrum[0].re, spectrum[N_BINS - 1].re);
        spectrum[0] = Complex32::new(first + last, first - last);
        let (low, high) = spectrum[1..HALF].split_at_mut(HALF / 2);
        for ((low, high), twiddle) in low.iter_mut().zip(high.iter_mut().rev()).zip(&self.twiddles) {
            let (a, b) = (*low, high.conj());
            let (sum, difference) = (a + b, (a - b) * twiddle.conj());
            let turned = Complex32::new(-difference.im, difference.re);
            *low = sum + turned;
            *high = (sum - turned).conj();
        }
        spectrum[HALF / 2] = spectrum[HALF / 2].conj() * 2.0;
        self.inner.process_with_scratch(&mut spectrum[..HALF], &mut self.scratch);
        for (pair, z) in samples.as_chunks_mut::<2>().0.iter_mut().zip(spectrum.iter()) {
            *pair = [z.re, z.im];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::SILENT_SPECTRUM;

    #[test]
    fn both_directions_match_plain_sums() {
        let samples: [f32; N_FFT] = std::array::from_fn(|n| ((n * n % 97) as f32 - 48.0) / 48.0);
        let turn = |n: usize, k: usize| -std::f64::consts::TAU * (n * k % N_FFT) as f64 / N_FFT as f64;
        let mut spectrum = SILENT_SPECTRUM;
        RealFft::forward().analyse(&samples, &mut spectrum);
        for (k, bin) in spectrum.iter().enumerate() {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, &x) in samples.iter().enumerate() {
                re += f64::from(x) * turn(n, k).cos();
                im += f64::from(x) * turn(n, k).sin();
            }
            // Observed 2e-5 on sums of up to 960 values.
            let error = (f64::from(bin.re) - re).hypot(f64::from(bin.im) - im);
            assert!(error < 1e-4, "bin {k}: {bin} is not {re} + {im}i");
        }
        let mut back = [0.0; N_FFT];
        RealFft::inverse().synthesise(&mut spectrum, &mut back);
        for (n, (sample, back)) in samples.iter().zip(back).enumerate() {
            assert!((sample - back / N_FFT as f32).abs() < 1e-6, "sample {n}: {sample}, {back}");
        }
    }
}
