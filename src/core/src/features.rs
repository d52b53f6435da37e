//! Input features of the network: band levels and low bins, with their running normalisation.
//!
//! One [`FeatureState`] per channel, on the inference thread. Real-time safe after `new`.

use tacet_model::{N_BANDS, N_DF_BINS};

use crate::engine::ChannelIn;
use crate::erb::{BAND_STARTS, BAND_WIDTHS};
use crate::frame::Spectrum;

/// Starting level of the band means, in dB: first and last band, linear between (training's statistics).
const MEAN_START_DB: (f32, f32) = (-60.0, -90.0);
/// Starting magnitude of the low bins' normalisation: first and last bin, linear between.
const UNIT_START: (f32, f32) = (0.001, 0.0001);
/// Power floor of a band: -100 dB.
const POWER_FLOOR: f32 = 1e-10;
/// Range that maps to one unit of a band feature, in dB.
const BAND_RANGE_DB: f32 = 40.0;
/// Least normalisation magnitude. Far below the floor that denormal arithmetic reaches in silence, and so without
/// effect on audio, but never zero: under flush-to-zero the decay would otherwise end in 0/0 after 78 s of silence.
const UNIT_FLOOR: f32 = 1e-30;

/// What one channel's features are normalised by: running mean level per band and running magnitude per low bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    mean_db: [f32; N_BANDS],
    unit: [f32; N_DF_BINS],
}

impl Default for Normalisation {
    /// The average of the training.
    fn default() -> Self {
        Self { mean_db: ramp(MEAN_START_DB), unit: ramp(UNIT_START) }
    }
}

/// One channel's features, hop by hop.
#[derive(Clone, Debug)]
pub struct FeatureState {
    alpha: f32,
    normalisation: Normalisation,
}

fn ramp<const N: usize>((first, last): (f32, f32)) -> [f32; N] {
    let step = (last - first) / (N - 1) as f32;
    std::array::from_fn(|i| first + i as f32 * step)
}

impl FeatureState {
    /// A fresh state with smoothing factor `norm_alpha` per hop (0.99 for the published models).
    pub fn new(norm_alpha: f32) -> Self {
        Self { alpha: norm_alpha, normalisation: Normalisation::default() }
    }

    /// Back to the fresh state.
    pub fn reset(&mut self) {
        self.normalisation = Normalisation::default();
    }

    /// What the last hop was normalised by.
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// Goes on from another channel's state, as if this one had heard the same until now.
    pub fn inherit(&mut self, normalisation: &Normalisation) {
        self.normalisation = *normalisation;
    }

    /// Advances the normalisation by one hop and writes features and low bins to `out`.
    pub fn process(&mut self, noisy: &Spectrum, out: &mut ChannelIn) {
        let (alpha, fresh) = (self.alpha, 1.0 - self.alpha);
        let Normalisation { mean_db: means_db, unit: units } = &mut self.normalisation;
        for band in 0..N_BANDS {
            let share = 1.0 / BAND_WIDTHS[band] as f32;
            let bins = &noisy[BAND_STARTS[band]..BAND_STARTS[band] + BAND_WIDTHS[band]];
            let power = bins.iter().fold(0.0, |sum, bin| sum + bin.norm_sqr() * share);
            let level_db = libm::log10f(power + POWER_FLOOR) * 10.0;
            let mean_db = level_db * fresh + means_db[band] * alpha;
            means_db[band] = mean_db;
            out.erb[band] = (level_db - mean_db) / BAND_RANGE_DB;
        }
        for ((unit, bin), (cplx, low)) in
            units.iter_mut().zip(noisy).zip(out.cplx.iter_mut().zip(&mut out.noisy))
        {
            *unit = (bin.norm_sqr().sqrt() * fresh + *unit * alpha).max(UNIT_FLOOR);
            *cplx = bin / unit.sqrt();
            *low = *bin;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Complex32, SILENT_SPECTRUM};

    #[test]
    fn silence_stays_finite_for_longer_than_denormals_last() {
        let mut state = FeatureState::new(0.99);
        let mut out = ChannelIn::default();
        for _ in 0..20_000 {
            state.process(&SILENT_SPECTRUM, &mut out);
        }
        assert!(out.cplx.iter().all(|c| c.re == 0.0 && c.im == 0.0));
        assert!(state.normalisation.unit.iter().all(|&u| u == UNIT_FLOOR));
        assert!(out.erb.iter().all(|e| e.abs() < 1e-3), "the mean reached the floor");
    }

    #[test]
    fn state_is_updated_before_it_is_used() {
        let mut state = FeatureState::new(0.99);
        let mut spectrum = SILENT_SPECTRUM;
        spectrum.fill(Complex32::new(0.01, 0.0));
        let mut out = ChannelIn::default();
        state.process(&spectrum, &mut out);
        let level = 10.0 * (1e-4f32 + 1e-10).log10();
        let mean = level * (1.0 - 0.99) + -60.0 * 0.99;
        assert!((out.erb[0] - (level - mean) / 40.0).abs() < 1e-5);
        let unit = 0.01 * (1.0 - 0.99) + 0.001f32 * 0.99;
        assert!((out.cplx[0].re - 0.01 / unit.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn reset_restores_every_state() {
        let mut state = FeatureState::new(0.99);
        let fresh = state.clone();
        let mut spectrum = SILENT_SPECTRUM;
        spectrum.fill(Complex32::new(0.3, 0.1));
        state.process(&spectrum, &mut ChannelIn::default());
        state.reset();
        assert_eq!(state.normalisation, fresh.normalisation);
    }

    #[test]
    fn a_state_that_is_handed_over_goes_on_bit_identically() {
        let (mut first, mut second) = (FeatureState::new(0.99), FeatureState::new(0.99));
        let mut spectrum = SILENT_SPECTRUM;
        let (mut ours, mut theirs) = (ChannelIn::default(), ChannelIn::default());
        for hop in 0..50 {
            spectrum.fill(Complex32::new(0.01 * hop as f32, 0.1));
            first.process(&spectrum, &mut ours);
        }
        second.inherit(first.normalisation());
        first.process(&spectrum, &mut ours);
        second.process(&spectrum, &mut theirs);
        assert!(ours.erb == theirs.erb && ours.cplx == theirs.cplx);
    }
}
