//! Data passed between stages: one hop's spectrum and the parts of it that cross to an engine.

pub use rustfft::num_complex::Complex32;
use tacet_model::{N_BANDS, N_BINS, N_DF_BINS};

/// One channel's frame: 481 bins, scaled by 1/960 (see [`crate::stft`]).
pub type Spectrum = [Complex32; N_BINS];
/// The bins the deep filter works on: 0 to 4750 Hz.
pub type LowBins = [Complex32; N_DF_BINS];
/// Gain per ERB band, 0..=1.
pub type Mask = [f32; N_BANDS];

/// A silent frame.
pub const SILENT_SPECTRUM: Spectrum = [Complex32 { re: 0.0, im: 0.0 }; N_BINS];
/// Silent low bins.
pub const SILENT_LOW_BINS: LowBins = [Complex32 { re: 0.0, im: 0.0 }; N_DF_BINS];
