//! Input features of the network: band levels and low bins, with their running normalisation.
//!
//! One [`FeatureState`] per channel, on the inference thread. Real-time safe after `new`.

use tacet_model::{N_BANDS, N_DF_BINS};

use crate::decibels::decibels;
use crate::engine::ChannelIn;
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::powers::FramePowers;
use crate::rules::{Conditions, Known, Listener, Rescale, Rules};

/// Starting level of the band means, in dB: first and last band, linear between (training's statistics).
const MEAN_START_DB: (f32, f32) = (-60.0, -90.0);
/// Starting magnitude of the low bins' normalisation: first and last bin, linear between.
const UNIT_START: (f32, f32) = (0.001, 0.0001);
/// Power floor of a band: -100 dB.
const POWER_FLOOR: f32 = 1e-10;
/// How far a normalisation may have fallen in a pause, in dB.
const PAUSE_DROP_DB: f32 = 6.0;
/// Least band feature in a pause: silence, dither and a gate's zeros look like a quiet room.
const PAUSE_FLOOR: f32 = -0.2;
/// Hops beyond which a normalisation has forgotten everything.
const MAX_KNOWN_HOPS: usize = 10_000;
/// Range that maps to one unit of a band feature, in dB.
const BAND_RANGE_DB: f32 = 40.0;
/// Least normalisation magnitude. Far below the floor that denormal arithmetic reaches in silence, and so without
/// effect on audio, but never zero: under flush-to-zero the decay would otherwise end in 0/0 after 78 s of silence.
const UNIT_FLOOR: f32 = 1e-30;

/// Normalisation of one channel's features: running mean level per band and running magnitude per low bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    mean_db: [f32; N_BANDS],
    unit: [f32; N_DF_BINS],
    /// Running mean of the bands' levels without gain and with a floor far below, in dB, begun at 0: what the mean would be
    /// with another gain.
    heard_db: [f32; N_BANDS],
    /// Knowledge about the stream; the first channel's counts.
    known: Known,
}

impl Default for Normalisation {
    /// The average of the training.
    fn default() -> Self {
        Self {
            mean_db: ramp(MEAN_START_DB),
            unit: ramp(UNIT_START),
            heard_db: [0.0; N_BANDS],
            known: Known::default(),
        }
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

    /// Normalisation of the last hop.
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// Goes on from another channel's state, as if this one had heard the same until now.
    pub fn inherit(&mut self, normalisation: &Normalisation) {
        self.normalisation = *normalisation;
    }

    /// Advances the normalisation by one hop and writes features and low bins to `out`.
    pub fn process(&mut self, noisy: &Spectrum, out: &mut ChannelIn) {
        self.process_scaled(noisy, &FramePowers::of(noisy), 1.0, out);
        out.noisy.copy_from_slice(&noisy[..N_DF_BINS]);
    }

    /// The same without the low bins, with features of the frame times `gain`; 1 is exact. `powers` are the frame's.
    fn process_scaled(&mut self, seen: &Spectrum, powers: &FramePowers, gain: f32, out: &mut ChannelIn) {
        let (alpha, fresh) = (self.alpha, 1.0 - self.alpha);
        let Normalisation { mean_db: means_db, unit: units, heard_db, .. } = &mut self.normalisation;
        let power_gain = gain * gain;
        for (band, power) in powers.band_means.into_iter().enumerate() {
            let level_db = libm::log10f(power * power_gain + POWER_FLOOR) * 10.0;
            let mean_db = level_db * fresh + means_db[band] * alpha;
            means_db[band] = mean_db;
            out.erb[band] = (level_db - mean_db) / BAND_RANGE_DB;
        }
        for (heard_db, power) in heard_db.iter_mut().zip(powers.band_means) {
            *heard_db = decibels(power) * fresh + *heard_db * alpha;
        }
        for ((unit, bin), cplx) in units.iter_mut().zip(seen).zip(&mut out.cplx) {
            let bin = bin * gain;
            *unit = (bin.norm_sqr().sqrt() * fresh + *unit * alpha).max(UNIT_FLOOR);
            *cplx = bin / unit.sqrt();
        }
    }

    /// The state as if the hops since `before` had been heard with another gain.
    fn rescale_since(&mut self, before: &FeatureState, rescale: &Rescale) {
        let fresh = Normalisation::default();
        let before = if rescale.is_whole { &fresh } else { &before.normalisation };
        let kept = libm::powf(self.alpha, rescale.n_hops.min(MAX_KNOWN_HOPS) as f32);
        let Normalisation { mean_db, unit, heard_db, .. } = &mut self.normalisation;
        for band in 0..N_BANDS {
            let since_db = heard_db[band] - before.heard_db[band] * kept;
            mean_db[band] = before.mean_db[band] * kept + since_db + rescale.gain_db * (1.0 - kept);
        }
        let step = libm::powf(10.0, rescale.step_db / 20.0);
        for (unit, before) in unit.iter_mut().zip(&before.unit) {
            let old = before * kept;
            *unit = (old + (*unit - old) * step).max(UNIT_FLOOR);
        }
    }

    /// Keeps every normalisation at most [`PAUSE_DROP_DB`] below what it was in `before`.
    fn bound_below(&mut self, before: &FeatureState) {
        let Normalisation { mean_db, unit, .. } = &mut self.normalisation;
        for (mean_db, before) in mean_db.iter_mut().zip(&before.normalisation.mean_db) {
            *mean_db = mean_db.max(before - PAUSE_DROP_DB);
        }
        let gain = libm::powf(10.0, -PAUSE_DROP_DB / 20.0);
        for (unit, before) in unit.iter_mut().zip(&before.normalisation.unit) {
            *unit = unit.max(before * gain);
        }
    }
}

/// One channel's state, and what it was when it was last known to be good.
#[derive(Clone, Debug)]
struct Channel {
    state: FeatureState,
    /// At the last hop that was loud enough for the gain.
    loud: FeatureState,
    /// At the last hop that lived.
    lived: FeatureState,
}

/// The features of a stream, all channels, by the [rules](crate::rules).
#[derive(Clone, Debug)]
pub struct StreamFeatures {
    listener: Listener,
    channels: Box<[Channel]>,
    /// Of the newest frame of every channel.
    powers: Box<[FramePowers]>,
    conditions: Conditions,
    seen: Spectrum,
}

impl StreamFeatures {
    /// Fresh features of `n_channels` channels with smoothing factor `norm_alpha` per hop. Allocates.
    pub fn new(n_channels: usize, norm_alpha: f32) -> Self {
        let state = FeatureState::new(norm_alpha);
        let channel = |_| Channel { state: state.clone(), loud: state.clone(), lived: state.clone() };
        Self {
            listener: Listener::new(0),
            channels: (0..n_channels).map(channel).collect(),
            powers: vec![FramePowers::SILENT; n_channels].into(),
            conditions: Conditions::default(),
            seen: SILENT_SPECTRUM,
        }
    }

    /// Conditions of the last hop.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.listener.reset();
        self.conditions = Conditions::default();
        for Channel { state, loud, lived } in &mut self.channels {
            state.reset();
            loud.reset();
            lived.reset();
        }
    }

    /// Normalisation of every channel's last hop, and knowledge about the stream.
    pub fn normalisations(&self) -> impl Iterator<Item = Normalisation> {
        let known = *self.listener.known();
        self.channels.iter().map(move |channel| Normalisation { known, ..*channel.state.normalisation() })
    }

    /// Goes on from another stream's state, one entry per channel, as if this one had heard the same until now.
    pub fn inherit(&mut self, normalisations: &[Normalisation]) {
        for (Channel { state, loud, lived }, normalisation) in self.channels.iter_mut().zip(normalisations) {
            state.inherit(normalisation);
            loud.clone_from(state);
            lived.clone_from(state);
        }
        if let Some(first) = normalisations.first() {
            self.listener.inherit(&first.known);
        }
    }

    /// Hears one hop, live, and writes its features and low bins: an entry per channel.
    pub fn process(&mut self, noisy: &[Spectrum], rules: &Rules, out: &mut [ChannelIn]) {
        FramePowers::measure_all(&mut self.powers, noisy);
        self.listener.hear(&self.powers, rules);
        let conditions = self.listener.conditions().unwrap_or_default();
        self.compute(noisy, &conditions, out);
    }

    /// The same for a hop that a [`Listener`] has heard.
    pub(crate) fn process_heard(
        &mut self,
        noisy: &[Spectrum],
        conditions: &Conditions,
        out: &mut [ChannelIn],
    ) {
        FramePowers::measure_all(&mut self.powers, noisy);
        self.compute(noisy, conditions, out);
    }

    /// Features of the frames that were measured.
    fn compute(&mut self, noisy: &[Spectrum], conditions: &Conditions, out: &mut [ChannelIn]) {
        self.conditions = *conditions;
        let gain = if conditions.gain_db == 0.0 { 1.0 } else { libm::powf(10.0, conditions.gain_db / 20.0) };
        let frames = noisy.iter().zip(&self.powers);
        for ((channel, (noisy, powers)), out) in self.channels.iter_mut().zip(frames).zip(out) {
            let Channel { state, loud, lived } = channel;
            if let Some(rescale) = &conditions.rescale {
                state.rescale_since(loud, rescale);
                loud.clone_from(state);
                lived.clone_from(state);
            }
            if conditions.is_pause {
                state.bound_below(lived);
            }
            match conditions.band {
                Some(band) => {
                    self.seen = *noisy;
                    band.fill(&mut self.seen);
                    state.process_scaled(&self.seen, &FramePowers::of(&self.seen), gain, out);
                }
                None => state.process_scaled(noisy, powers, gain, out),
            }
            if conditions.is_pause {
                out.erb.iter_mut().for_each(|level| *level = level.max(PAUSE_FLOOR));
            }
            out.noisy.copy_from_slice(&noisy[..N_DF_BINS]);
            if conditions.is_loud {
                loud.clone_from(state);
            }
            if conditions.is_active {
                lived.clone_from(state);
            }
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
