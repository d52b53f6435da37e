//! Sample-rate conversion around the 48 kHz pipeline, exact in its delay, on the audio thread without allocating.
//!
//! Both converters run in whole hops: one collects host samples until they make a hop of 480, the other turns a hop into
//! host samples. What they compute therefore never depends on the host's blocks. At 48 kHz both only copy.

use rubato::audioadapter::{Adapter, AdapterMut};
use rubato::audioadapter_buffers::SizeError;
use rubato::audioadapter_buffers::direct::{SequentialSlice, SequentialSliceOfVecs};
use rubato::{
    Adjustable, Async, FixedAsync, Resampler, ResamplerConstructionError, SincInterpolationParameters,
    SincInterpolationType, WindowFunction, calculate_cutoff,
};
use tacet_model::{HOP, SAMPLE_RATE_HZ};

/// Filter length in samples of the lower of the two rates: flat to 85 % of its Nyquist frequency, -6 dB at 92.6 %, and a
/// delay of 64 samples each way.
const N_TAPS: usize = 128;
/// Stop band below -110 dB.
const WINDOW: WindowFunction = WindowFunction::Blackman2;
/// Largest table of filter phases, in coefficients: ratios with more phases interpolate between fewer.
const MAX_TABLE: usize = 100_000;
/// Phases of a table that is interpolated.
const INTERPOLATED_TABLE: usize = 65_536;
/// Lowest host rate that is accepted, in hertz.
pub(crate) const MIN_RATE_HZ: f64 = 1_000.0;
/// Highest host rate that is accepted, in hertz.
pub const MAX_RATE_HZ: f64 = 1_600_000.0;
/// Farthest that the ratio leaves its value while the phase is set; see [`Emitter::align`].
const MAX_RATIO_CHANGE: f64 = 1.2;

/// One direction's filter.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Filter {
    /// Output rate over input rate.
    ratio: f64,
    /// Length in input samples.
    n_taps: usize,
    /// Phases in the table.
    n_phases: usize,
    /// Whether every position falls on a phase, so that nothing needs to be interpolated.
    exact: bool,
}

impl Filter {
    /// `phases` is the number of distinct positions between two input samples, if that is finite.
    fn new(ratio: f64, phases: Option<usize>) -> Self {
        let n_taps = ((N_TAPS as f64 / ratio.min(1.0)).ceil() as usize).next_multiple_of(8);
        match phases {
            Some(n_phases) if n_phases * n_taps <= MAX_TABLE => Self { ratio, n_taps, n_phases, exact: true },
            _ => Self { ratio, n_taps, n_phases: (INTERPOLATED_TABLE / n_taps).clamp(16, 256), exact: false },
        }
    }

    /// Delay in input samples: output `j` is the input at `(j + 1) / ratio - delay`.
    ///
    /// The table's middle lies `n_taps / 2 - 1 + 1 / n_phases` after a position, and the first position lies
    /// `n_taps - 1` before the first input (rubato 5.0.1, `make_sincs` and `init_last_index`); the tests hold it to that.
    fn delay(&self) -> f64 {
        self.n_taps as f64 / 2.0 - 1.0 / self.n_phases as f64
    }

    fn build(&self, fixed: FixedAsync, n_channels: usize) -> Result<Async<f32>, ResamplerConstructionError> {
        let interpolation =
            if self.exact { SincInterpolationType::Nearest } else { SincInterpolationType::Cubic };
        let parameters = SincInterpolationParameters::new(self.n_taps, WINDOW)
            .f_cutoff(calculate_cutoff(N_TAPS, WINDOW))
            .oversampling_factor(self.n_phases)
            .interpolation(interpolation);
        Async::new_sinc(self.ratio, MAX_RATIO_CHANGE, &parameters, HOP, n_channels, fixed)
    }
}

/// The conversion for a host rate: none, or two filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    rate_hz: f64,
    filters: Option<(Filter, Filter)>,
}

/// The terms of a plan's delay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// Shift between the host's samples and the emitter's, a whole number thanks to `phase`.
    pub shift_samples: usize,
    /// Zeros that the emitter begins with, so that it never runs dry.
    pub fill_samples: usize,
    /// Start of the emitter's position in 48 kHz samples.
    phase: f64,
}

impl Delay {
    /// The whole delay in host samples.
    pub fn total_samples(&self) -> usize {
        self.shift_samples + self.fill_samples
    }
}

impl Plan {
    /// Plans the conversion of a host rate, or none if the rate is not one that audio has.
    pub fn new(rate_hz: f64) -> Option<Self> {
        if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate_hz) {
            return None;
        }
        let model_hz = f64::from(SAMPLE_RATE_HZ);
        if rate_hz == model_hz {
            return Some(Self { rate_hz, filters: None });
        }
        // A whole rate makes positions repeat after the reduced fraction's terms.
        let terms = (rate_hz.fract() == 0.0).then(|| {
            let divisor = num_integer::gcd(rate_hz as usize, SAMPLE_RATE_HZ as usize);
            (rate_hz as usize / divisor, SAMPLE_RATE_HZ as usize / divisor)
        });
        let inbound = Filter::new(model_hz / rate_hz, terms.map(|(_, model)| model));
        let outbound = Filter::new(rate_hz / model_hz, terms.map(|(host, _)| host));
        Some(Self { rate_hz, filters: Some((inbound, outbound)) })
    }

    /// The host's rate in hertz.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Host samples per 48 kHz sample.
    pub fn step(&self) -> f64 {
        self.rate_hz / f64::from(SAMPLE_RATE_HZ)
    }

    /// Both filters' delay in host samples.
    pub(crate) fn filter_delay_samples(&self) -> f64 {
        self.filters.map_or(0.0, |(inbound, outbound)| inbound.delay() + outbound.delay() * self.step())
    }

    /// The delay around a pipeline that shifts hops by `pipeline_samples` at 48 kHz.
    ///
    /// With `d` and `D` the filters' delays and `t` host samples per 48 kHz sample, an impulse at host sample `i` reaches
    /// hop sample `k` with `(k + 1) t - d = i` and leaves at emitter sample `j` with `(j + 1) / t + phase - D = k + p`, so
    /// that `j - i = d - 1 + (p + D - 1 - phase) t`: the phase makes that whole. After `h` hops the collector has taken
    /// `ceil(480 h t) + 1` samples and the emitter has given `floor((480 h - 2 - phase) t)`; the fill covers the largest
    /// difference.
    pub fn delay(&self, pipeline_samples: usize) -> Delay {
        let Some((inbound, outbound)) = &self.filters else {
            return Delay { shift_samples: pipeline_samples, fill_samples: HOP, phase: 0.0 };
        };
        let step = self.step();
        let unaligned = inbound.delay() - 1.0 + (pipeline_samples as f64 + outbound.delay() - 1.0) * step;
        // The emitter's phase must lie below -2, where its first call leaves it. The small term keeps a sum that is whole
        // already from being rounded up.
        let shift = (unaligned + 2.0 * step - 1e-7).ceil();
        let fill = ((HOP + 2) as f64 * step + 2.0 - (shift - unaligned) + 1e-7).floor();
        Delay {
            shift_samples: shift as usize,
            fill_samples: fill as usize,
            phase: ((unaligned - shift) / step).min(-2.0),
        }
    }
}

/// Collects host samples until they make a hop at 48 kHz. Lives on the audio thread.
pub struct Collector {
    /// Host samples, one vector per channel.
    waiting: Vec<Vec<f32>>,
    n_waiting: usize,
    hop: Vec<[f32; HOP]>,
    resampler: Option<Async<f32>>,
}

impl Collector {
    /// Allocates for `n_channels`.
    ///
    /// # Errors
    /// Errors of the resampler; no plan leads there.
    pub fn new(plan: &Plan, n_channels: usize) -> Result<Self, ResamplerConstructionError> {
        let resampler =
            plan.filters.map(|(inbound, _)| inbound.build(FixedAsync::Output, n_channels)).transpose()?;
        let capacity = resampler.as_ref().map_or(HOP, |r| r.input_frames_max() + 1);
        Ok(Self {
            waiting: vec![vec![0.0; capacity]; n_channels],
            n_waiting: 0,
            hop: vec![[0.0; HOP]; n_channels],
            resampler,
        })
    }

    /// Host samples still missing for the next hop: at least one. Real-time safe.
    pub fn n_missing(&self) -> usize {
        self.resampler.as_ref().map_or(HOP, |r| r.input_frames_next()).saturating_sub(self.n_waiting).max(1)
    }

    /// Takes at most [`Self::n_missing`] samples of every channel; returns whether the hop is complete. Real-time safe.
    pub fn push<C: AsRef<[f32]>>(&mut self, block: &[C], from: usize, n_samples: usize) -> bool {
        let complete = n_samples == self.n_missing();
        for (waiting, channel) in self.waiting.iter_mut().zip(block) {
            waiting[self.n_waiting..self.n_waiting + n_samples]
                .copy_from_slice(&channel.as_ref()[from..from + n_samples]);
        }
        self.n_waiting += n_samples;
        if complete {
            self.finish_hop();
        }
        complete
    }

    fn finish_hop(&mut self) {
        let n_channels = self.hop.len();
        match &mut self.resampler {
            None => {
                for (hop, waiting) in self.hop.iter_mut().zip(&self.waiting) {
                    hop.copy_from_slice(waiting);
                }
            }
            Some(resampler) => convert(
                resampler,
                SequentialSliceOfVecs::new(&self.waiting, n_channels, self.n_waiting),
                SequentialSlice::new_mut(self.hop.as_flattened_mut(), n_channels, HOP),
            ),
        }
        self.n_waiting = 0;
    }

    /// The hop that the last complete [`Self::push`] made, one per channel.
    pub fn hop(&self) -> &[[f32; HOP]] {
        &self.hop
    }

    /// Forgets all samples. Real-time safe.
    pub fn reset(&mut self) {
        self.n_waiting = 0;
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }
}

/// Turns hops into host samples and hands them out in any portions. Lives on the audio thread.
pub struct Emitter {
    delay: Delay,
    /// Hop at 48 kHz; the processor writes it.
    hop: Vec<[f32; HOP]>,
    /// Host samples of one hop.
    converted: Vec<Vec<f32>>,
    /// Rings of host samples, one per channel.
    ready: Vec<Vec<f32>>,
    read_idx: usize,
    n_ready: usize,
    resampler: Option<Async<f32>>,
}

impl Emitter {
    /// Allocates for `n_channels` after a pipeline that shifts by `pipeline_samples` at 48 kHz.
    ///
    /// # Errors
    /// Errors of the resampler; no plan leads there.
    pub fn new(
        plan: &Plan,
        pipeline_samples: usize,
        n_channels: usize,
    ) -> Result<Self, ResamplerConstructionError> {
        let delay = plan.delay(pipeline_samples);
        let resampler =
            plan.filters.map(|(_, outbound)| outbound.build(FixedAsync::Input, n_channels)).transpose()?;
        let n_converted = resampler.as_ref().map_or(HOP, |r| r.output_frames_max());
        let mut emitter = Self {
            delay,
            hop: vec![[0.0; HOP]; n_channels],
            converted: vec![vec![0.0; n_converted]; n_channels],
            ready: vec![vec![0.0; delay.fill_samples + 2 * n_converted]; n_channels],
            read_idx: 0,
            n_ready: 0,
            resampler,
        };
        emitter.reset();
        Ok(emitter)
    }

    /// Buffers for the next hop, one per channel.
    pub(crate) fn hop_mut(&mut self) -> &mut [[f32; HOP]] {
        &mut self.hop
    }

    /// Converts the hop written to [`Self::hop_mut`]. Real-time safe.
    pub(crate) fn push_hop(&mut self) {
        let n_new = match &mut self.resampler {
            None => HOP,
            Some(resampler) => {
                let n_new = resampler.output_frames_next();
                let n_channels = self.hop.len();
                convert(
                    resampler,
                    SequentialSlice::new(self.hop.as_flattened(), n_channels, HOP),
                    SequentialSliceOfVecs::new_mut(&mut self.converted, n_channels, n_new),
                );
                n_new
            }
        };
        let is_converted = self.resampler.is_some();
        for ((ring, hop), converted) in self.ready.iter_mut().zip(&self.hop).zip(&self.converted) {
            let new = if is_converted { converted.as_slice() } else { hop };
            let n = ring.len();
            let write_idx = (self.read_idx + self.n_ready) % n;
            let n_first = n_new.min(n - write_idx);
            ring[write_idx..write_idx + n_first].copy_from_slice(&new[..n_first]);
            ring[..n_new - n_first].copy_from_slice(&new[n_first..n_new]);
        }
        self.n_ready += n_new;
        debug_assert!(self.n_ready <= self.ready.first().map_or(usize::MAX, Vec::len));
    }

    /// Writes the next samples of `channel` to `out` without taking them. Real-time safe.
    pub fn peek(&self, channel: usize, out: &mut [f32]) {
        debug_assert!(out.len() <= self.n_ready, "{} of {}", out.len(), self.n_ready);
        let ring = &self.ready[channel];
        let n_first = out.len().min(ring.len() - self.read_idx);
        let (first, rest) = out.split_at_mut(n_first);
        first.copy_from_slice(&ring[self.read_idx..self.read_idx + n_first]);
        rest.copy_from_slice(&ring[..rest.len()]);
    }

    /// Takes `n_samples` of every channel. Real-time safe.
    pub fn advance(&mut self, n_samples: usize) {
        self.n_ready = self.n_ready.saturating_sub(n_samples);
        self.read_idx = (self.read_idx + n_samples) % self.ready.first().map_or(1, Vec::len);
    }

    /// Forgets all samples. Real-time safe.
    pub fn reset(&mut self) {
        for ring in &mut self.ready {
            ring.fill(0.0);
        }
        self.read_idx = 0;
        self.n_ready = self.delay.fill_samples;
        self.align();
    }

    /// Sets the position's phase: one hop of silence at a slightly higher step ends where the phase asks, and what it gives
    /// is thrown away. The resampler has no setter for its position.
    fn align(&mut self) {
        let Some(resampler) = &mut self.resampler else { return };
        resampler.reset();
        let ratio = resampler.resample_ratio();
        // The first hop leaves the position at `advance - 480`, which must equal the phase modulo the step, and must be
        // the last that fits: `478 - step < advance <= 478`.
        let advance = HOP as f64 + self.delay.phase;
        let n_outputs = (advance * ratio).floor();
        let n_channels = self.hop.len();
        self.hop.fill([0.0; HOP]);
        // A hair above, so that rounding cannot lose the last of the outputs.
        let shifted = resampler.set_resample_ratio(n_outputs / advance * (1.0 + 1e-12), false);
        debug_assert!(shifted.is_ok());
        let n_new = resampler.output_frames_next();
        debug_assert_eq!(n_new, n_outputs as usize);
        convert(
            resampler,
            SequentialSlice::new(self.hop.as_flattened(), n_channels, HOP),
            SequentialSliceOfVecs::new_mut(&mut self.converted, n_channels, n_new),
        );
        let restored = resampler.set_resample_ratio(ratio, false);
        debug_assert!(restored.is_ok());
    }
}

/// Runs one whole call of a resampler; all sizes are its own.
fn convert(
    resampler: &mut Async<f32>,
    from: Result<impl Adapter<f32>, SizeError>,
    to: Result<impl AdapterMut<f32>, SizeError>,
) {
    let (Ok(input), Ok(mut output)) = (from, to) else {
        debug_assert!(false, "the buffers are as large as the resampler's largest call");
        return;
    };
    let converted = resampler.process_into_buffer(&input, &mut output, None);
    debug_assert!(converted.is_ok(), "{converted:?}");
}

#[cfg(test)]
mod tests;
