//! The Fourier transform of a frame's real samples and its inverse. Real-time safe after `new`.
//!
//! realfft does the same, faster, with kernels that it chooses by instruction set, and each set of kernels rounds in
//! another order. Here every processor has the same plan in plain arithmetic, so that output is bit-identical on all.

use std::f64::consts::TAU;
use std::sync::Arc;

use rustfft::{Fft, FftDirection, FftPlannerScalar};
use tacet_model::{HOP, N_FFT};

use crate::frame::{Complex32, Spectrum};

/// Transforms samples in pairs, as complex numbers, and takes the spectra of even and odd samples apart (or together).
pub struct Transform {
    /// Of half the length.
    fft: Arc<dyn Fft<f32>>,
    /// `-i e^(-2 pi i k / 960) / 2` for the lower half of the bins.
    twiddles: [Complex32; HOP / 2],
    scratch: Box<[Complex32]>,
}

impl Transform {
    /// From samples to bins.
    pub fn forward() -> Self {
        Self::new(FftDirection::Forward)
    }

    /// From bins to samples.
    pub fn inverse() -> Self {
        Self::new(FftDirection::Inverse)
    }

    fn new(direction: FftDirection) -> Self {
        let fft = FftPlannerScalar::new().plan_fft(HOP, direction);
        let twiddles = std::array::from_fn(|k| {
            let angle = TAU * k as f64 / N_FFT as f64;
            Complex32::new((-0.5 * libm::sin(angle)) as f32, (-0.5 * libm::cos(angle)) as f32)
        });
        let scratch = vec![Complex32::default(); fft.get_inplace_scratch_len()].into();
        Self { fft, twiddles, scratch }
    }

    /// `spectrum[k]` = sum over `n` of `samples[n] e^(-2 pi i k n / 960)`, of a [forward](Self::forward) transform.
    pub fn samples_to_bins(&mut self, samples: &[f32; N_FFT], spectrum: &mut Spectrum) {
        let [pairs @ .., _] = spectrum;
        for (pair, [even, odd]) in pairs.iter_mut().zip(samples.as_chunks::<2>().0) {
            *pair = Complex32::new(*even, *odd);
        }
        self.fft.process_with_scratch(pairs, &mut self.scratch);
        // Bins 0 and 480 are real: the sum of both spectra's first bins and their difference.
        let first = spectrum[0];
        spectrum[0] = Complex32::new(first.re + first.im, 0.0);
        spectrum[HOP] = Complex32::new(first.re - first.im, 0.0);
        let [_, low @ .., _] = &mut *spectrum;
        let (low, high) = low.split_at_mut(HOP / 2);
        let (middle, low) = low.split_last_mut().expect("240 bins");
        for ((low, high), twiddle) in low.iter_mut().zip(high.iter_mut().rev()).zip(&self.twiddles[1..]) {
            let even = (*low + high.conj()) * 0.5;
            let odd = (*low - high.conj()) * twiddle;
            (*low, *high) = (even + odd, (even - odd).conj());
        }
        *middle = middle.conj();
    }

    /// `samples[n]` = sum over all 960 bins `k` of `spectrum[k] e^(2 pi i k n / 960)`, of an [inverse](Self::inverse)
    /// transform: 960 times the samples of that spectrum. Imaginary parts of bins 0 and 480 are ignored; `spectrum` is used
    /// up.
    pub fn bins_to_samples(&mut self, spectrum: &mut Spectrum, samples: &mut [f32; N_FFT]) {
        let (first, last) = (spectrum[0].re, spectrum[HOP].re);
        spectrum[0] = Complex32::new(first + last, first - last);
        let [_, low @ .., _] = &mut *spectrum;
        let (low, high) = low.split_at_mut(HOP / 2);
        let (middle, low) = low.split_last_mut().expect("240 bins");
        for ((low, high), twiddle) in low.iter_mut().zip(high.iter_mut().rev()).zip(&self.twiddles[1..]) {
            let even = *low + high.conj();
            let odd = (*low - high.conj()) * (twiddle.conj() * 2.0);
            (*low, *high) = (even + odd, (even - odd).conj());
        }
        *middle = middle.conj() * 2.0;
        let [pairs @ .., _] = spectrum;
        self.fft.process_with_scratch(pairs, &mut self.scratch);
        for (pair, [even, odd]) in pairs.iter().zip(samples.as_chunks_mut::<2>().0) {
            (*even, *odd) = (pair.re, pair.im);
        }
    }
}

#[cfg(test)]
mod tests {
    use realfft::RealFftPlanner;

    use super::*;
    use crate::frame::SILENT_SPECTRUM;

    fn samples() -> [f32; N_FFT] {
        std::array::from_fn(|n| ((n * n) as f32 * 0.37).sin() * 0.9 + (n as f32 * 0.01).cos() * 0.05)
    }

    #[test]
    fn bins_are_those_of_realfft() {
        let (mut spectrum, mut expected) = (SILENT_SPECTRUM, SILENT_SPECTRUM);
        Transform::forward().samples_to_bins(&samples(), &mut spectrum);
        RealFftPlanner::new().plan_fft_forward(N_FFT).process(&mut samples(), &mut expected).unwrap();
        let worst = spectrum.iter().zip(&expected).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max);
        // Observed 6e-6 beside bins of up to 60.
        assert!(worst < 3e-5, "largest deviation {worst}");
    }

    #[test]
    fn samples_are_those_of_realfft() {
        let mut spectrum: Spectrum =
            std::array::from_fn(|k| Complex32::new((k as f32).sin(), (k as f32 * 1.7).cos()));
        (spectrum[0].im, spectrum[HOP].im) = (0.0, 0.0);
        let (mut found, mut expected) = ([0.0; N_FFT], [0.0; N_FFT]);
        Transform::inverse().bins_to_samples(&mut spectrum.clone(), &mut found);
        RealFftPlanner::new().plan_fft_inverse(N_FFT).process(&mut spectrum, &mut expected).unwrap();
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-4, "largest deviation {worst}");
    }

    #[test]
    fn samples_come_back() {
        let (mut spectrum, mut found) = (SILENT_SPECTRUM, [0.0; N_FFT]);
        Transform::forward().samples_to_bins(&samples(), &mut spectrum);
        Transform::inverse().bins_to_samples(&mut spectrum, &mut found);
        let back = found.iter().zip(samples()).map(|(a, b)| (a / N_FFT as f32 - b).abs());
        let worst = back.fold(0.0, f32::max);
        assert!(worst < 1e-6, "largest deviation {worst}");
    }
}
