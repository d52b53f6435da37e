//! The latency reported to the host: a pure sum of named terms, the same for every device and block size.
//!
//! Computed on the main thread when a plugin is activated; the processor is built from the same plan, so that what is
//! reported is what happens, to the sample.

use tacet_model::{HOP, N_FFT};

use crate::resample::Plan;

/// How much time inference gets beyond the minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum LatencyMode {
    /// None: the reply is due as soon as its hop is complete, and the audio thread waits briefly for it.
    Lowest,
    /// One hop: the audio thread never waits in real time.
    #[default]
    Safe,
}

impl LatencyMode {
    /// Hops between a request and the moment its reply is due.
    pub(crate) fn slack_hops(self) -> usize {
        match self {
            Self::Lowest => 0,
            Self::Safe => 1,
        }
    }
}

/// The terms of a latency. Their sum is [`Latency::total_samples`] up to less than one sample, which `alignment` holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// The host's sample rate, in hertz.
    pub rate_hz: f64,
    /// The half window that overlap-add still lacks, in host samples.
    pub overlap: f64,
    /// Future frames that the network needs, in host samples.
    pub lookahead: f64,
    /// Collecting a hop before it can be processed, in host samples.
    pub collection: f64,
    /// Time granted to inference, in host samples.
    pub slack: f64,
    /// Both resampling filters, in host samples; zero at 48 kHz.
    pub resampling: f64,
    /// Rounds the sum to a whole number and covers the resamplers' uneven steps, in host samples; zero at 48 kHz.
    pub alignment: f64,
    /// Latency reported to the host, in host samples.
    pub total_samples: usize,
}

impl Latency {
    /// The latency of a model with `lookahead_hops` in `mode` at the host rate of `plan`.
    pub fn new(lookahead_hops: usize, mode: LatencyMode, plan: &Plan) -> Self {
        let step = plan.step();
        let host = |samples: usize| samples as f64 * step;
        let delay = plan.delay(pipeline_samples(lookahead_hops, mode));
        let overlap = host(N_FFT - HOP);
        let lookahead = host(lookahead_hops * HOP);
        let collection = host(HOP);
        let slack = host(mode.slack_hops() * HOP);
        let resampling = plan.filter_delay_samples();
        Self {
            rate_hz: plan.rate_hz(),
            overlap,
            lookahead,
            collection,
            slack,
            resampling,
            alignment: delay.total_samples() as f64 - (overlap + lookahead + collection + slack + resampling),
            total_samples: delay.total_samples(),
        }
    }

    /// The terms with their names, in the order the signal meets them, in host samples.
    pub fn terms(&self) -> [(&'static str, f64); 6] {
        [
            ("Resampling", self.resampling),
            ("Hop collection", self.collection),
            ("Slack for inference", self.slack),
            ("Lookahead", self.lookahead),
            ("Overlap", self.overlap),
            ("Alignment", self.alignment),
        ]
    }
}

/// Delay in 48 kHz samples of everything between a complete input hop and the output hop that leaves at that moment.
pub(crate) fn pipeline_samples(lookahead_hops: usize, mode: LatencyMode) -> usize {
    N_FFT - HOP + (lookahead_hops + mode.slack_hops()) * HOP
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(lookahead_hops: usize, mode: LatencyMode, rate_hz: f64) -> usize {
        Latency::new(lookahead_hops, mode, &Plan::new(rate_hz).unwrap()).total_samples
    }

    #[test]
    fn at_48_khz_it_is_the_sum_of_hops() {
        assert_eq!(total(2, LatencyMode::Lowest, 48e3), 1920);
        assert_eq!(total(2, LatencyMode::Safe, 48e3), 2400);
        assert_eq!(total(0, LatencyMode::Lowest, 48e3), 960);
        assert_eq!(total(0, LatencyMode::Safe, 48e3), 1440);
    }

    #[test]
    fn at_48_khz_each_term_is_whole_hops() {
        let latency = Latency::new(2, LatencyMode::Safe, &Plan::new(48e3).unwrap());
        let terms = latency.terms().map(|(_, samples)| samples);
        assert_eq!(terms, [0.0, 480.0, 480.0, 960.0, 480.0, 0.0]);
    }

    /// The alignment is what is left over, so that their sum says nothing; that little is left over says that the other
    /// terms are the delay's.
    #[test]
    fn little_is_left_to_align_at_any_rate() {
        for rate_hz in [1234.5678, 8e3, 11.025e3, 22.05e3, 44.1e3, 48e3, 88.2e3, 96e3, 192e3, 768e3] {
            let latency = Latency::new(2, LatencyMode::Safe, &Plan::new(rate_hz).unwrap());
            assert!(latency.alignment > -1.0, "{rate_hz}: {latency:?}");
            // The filters' steps cost at most a few samples on either side.
            assert!(latency.alignment < 4.0 + 4.0 * rate_hz / 48e3, "{rate_hz}: {latency:?}");
        }
    }
}
