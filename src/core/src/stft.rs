//! The frame-wise short-time Fourier transform and its inverse, per channel. Real-time safe after `new`.
//!
//! Frames of 960 samples every 480 under the Vorbis power-complementary window; all scaling sits in the analysis
//! (1/960), so spectra match the scale the network was trained on. Analysis and synthesis together are a pure delay
//! of 480 samples with unity gain.

mod transform;

use std::f64::consts::FRAC_PI_2;

use tacet_model::{HOP, N_FFT};

use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::samples::finite;
use transform::Transform;

/// Delay of analysis followed by synthesis, in samples at 48 kHz.
pub(crate) const OVERLAP_DELAY_SAMPLES: usize = N_FFT - HOP;

/// Largest magnitude of a sample that reaches the spectrum (+100 dBFS). No converter delivers more; powers stay finite.
const MAX_SAMPLE: f32 = 1e5;

/// A sample that cannot harm recurrent state: NaN and infinities become 0, absurd magnitudes are clamped.
#[inline]
pub fn sane(sample: f32) -> f32 {
    finite(sample).clamp(-MAX_SAMPLE, MAX_SAMPLE)
}

/// `w[i] = sin(pi/2 sin^2(pi (i + 1/2) / N))`, computed in `f64` as the official runtime does;
/// `w[i]^2 + w[i + N/2]^2 = 1`.
fn window() -> [f32; N_FFT] {
    std::array::from_fn(|i| {
        let s = libm::sin(FRAC_PI_2 * (i as f64 + 0.5) / (N_FFT / 2) as f64);
        libm::sin(FRAC_PI_2 * s * s) as f32
    })
}

/// Samples in, spectra out.
pub struct Analysis {
    transform: Transform,
    window: [f32; N_FFT],
    /// The previous hop, unwindowed.
    memory: [f32; HOP],
    buffer: [f32; N_FFT],
}

impl Default for Analysis {
    fn default() -> Self {
        Self::new()
    }
}

impl Analysis {
    /// Plans the transform; all state zero.
    pub fn new() -> Self {
        Self { transform: Transform::forward(), window: window(), memory: [0.0; HOP], buffer: [0.0; N_FFT] }
    }

    /// Forgets the previous hop.
    pub fn reset(&mut self) {
        self.memory = [0.0; HOP];
    }

    /// Transforms the window that ends with `hop`. Samples that are not finite count as 0.
    pub fn process(&mut self, hop: &[f32; HOP], out: &mut Spectrum) {
        let (older, newer) = self.buffer.split_at_mut(HOP);
        let (w_older, w_newer) = self.window.split_at(HOP);
        for (((o, n), (m, &x)), (wo, wn)) in
            older.iter_mut().zip(newer).zip(self.memory.iter_mut().zip(hop)).zip(w_older.iter().zip(w_newer))
        {
            let x = sane(x);
            *o = *m * wo;
            *n = x * wn;
            *m = x;
        }
        self.transform.samples_to_bins(&self.buffer, out);
        const SCALE: f32 = 2.0 * HOP as f32 / (N_FFT * N_FFT) as f32;
        for bin in out {
            *bin *= SCALE;
        }
    }
}

/// Spectra in, samples out by overlap-add.
pub struct Synthesis {
    transform: Transform,
    window: [f32; N_FFT],
    /// The second half of the previous window.
    memory: [f32; HOP],
    spectrum: Spectrum,
    buffer: [f32; N_FFT],
}

impl Default for Synthesis {
    fn default() -> Self {
        Self::new()
    }
}

impl Synthesis {
    /// Plans the transform; all state zero.
    pub fn new() -> Self {
        Self {
            transform: Transform::inverse(),
            window: window(),
            memory: [0.0; HOP],
            spectrum: SILENT_SPECTRUM,
            buffer: [0.0; N_FFT],
        }
    }

    /// Forgets the previous frame.
    pub fn reset(&mut self) {
        self.memory = [0.0; HOP];
    }

    /// Adds a frame and returns the hop that is complete. The imaginary parts of bins 0 and 480 are ignored: the deep
    /// filter makes them non-zero, a real signal cannot hold them.
    pub fn process(&mut self, spectrum: &Spectrum, out: &mut [f32; HOP]) {
        self.spectrum = *spectrum;
        self.transform.bins_to_samples(&mut self.spectrum, &mut self.buffer);
        let (first, second) = self.buffer.split_at(HOP);
        let (w_first, w_second) = self.window.split_at(HOP);
        for (((o, m), (a, b)), (wa, wb)) in out
            .iter_mut()
            .zip(&mut self.memory)
            .zip(first.iter().zip(second))
            .zip(w_first.iter().zip(w_second))
        {
            *o = a * wa + *m;
            *m = b * wb;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Complex32;

    #[test]
    fn window_matches_the_official_values() {
        let w = window();
        assert_eq!([w[0], w[1], w[959]], [4.205_491_7e-6, 3.784_915_3e-5, 4.205_491_7e-6]);
        assert_eq!([w[100], w[239], w[240], w[479]], [0.163_135_48, 0.705_287_04, 0.708_921_85, 1.0]);
        for i in 0..HOP {
            assert!((w[i] * w[i] + w[i + HOP] * w[i + HOP] - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn analysis_and_synthesis_are_a_pure_delay() {
        let (mut analysis, mut synthesis) = (Analysis::new(), Synthesis::new());
        let signal: Vec<f32> = (0..HOP * 20).map(|i| ((i * i) as f32 * 0.37).sin() * 0.9).collect();
        let mut spectrum = SILENT_SPECTRUM;
        let mut output = Vec::new();
        for hop in signal.as_chunks::<HOP>().0 {
            analysis.process(hop, &mut spectrum);
            let mut out = [0.0; HOP];
            synthesis.process(&spectrum, &mut out);
            output.extend_from_slice(&out);
        }
        let worst = output[OVERLAP_DELAY_SAMPLES..]
            .iter()
            .zip(&signal)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        // Observed 3.6e-7: a few roundings of f32 at full scale.
        assert!(worst < 2e-6, "largest deviation {worst}");
    }

    #[test]
    fn a_cosine_lands_in_its_bin_with_the_documented_scale() {
        let mut analysis = Analysis::new();
        let mut spectrum = SILENT_SPECTRUM;
        let tone = |i: usize| (std::f32::consts::TAU * 20.0 * i as f32 / N_FFT as f32).cos();
        for hop in 0..2 {
            let samples = std::array::from_fn(|i| tone(hop * HOP + i));
            analysis.process(&samples, &mut spectrum);
        }
        let expected = window().iter().sum::<f32>() / 2.0 / N_FFT as f32;
        assert!((spectrum[20].norm() - expected).abs() < 1e-4, "{} against {expected}", spectrum[20].norm());
    }

    #[test]
    fn non_finite_samples_count_as_silence() {
        let mut analysis = Analysis::new();
        let mut spectrum = SILENT_SPECTRUM;
        let mut hop = [0.0; HOP];
        [hop[3], hop[100], hop[200], hop[300]] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
        analysis.process(&hop, &mut spectrum);
        assert!(spectrum.iter().all(|bin| bin.re.is_finite() && bin.norm_sqr().is_finite()));
        analysis.reset();
        analysis.process(&[0.0; HOP], &mut spectrum);
        assert!(spectrum.iter().all(|bin| *bin == Complex32::default()));
    }
}
