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

/// A latency and its terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// The host's sample rate, in hertz.
    pub rate_hz: f64,
    /// The terms with their names, in the order the signal meets them, in host samples. Their sum is the total.
    pub terms: [(&'static str, f64); 6],
    /// Latency reported to the host, in host samples.
    pub total_samples: usize,
}

impl Latency {
    /// The latency of a model with `lookahead_hops` in `mode` at the host rate of `plan`.
    pub fn new(lookahead_hops: usize, mode: LatencyMode, plan: &Plan) -> Self {
        let host = |samples: usize| samples as f64 * plan.step();
        let total_samples = plan.delay(pipeline_samples(lookahead_hops, mode)).total_samples();
        let mut terms = [
            // Both filters; zero at 48 kHz.
            ("Resampling", plan.filter_delay_samples()),
            // A hop is complete before it can be processed.
            ("Hop collection", host(HOP)),
            ("Slack for inference", host(mode.slack_hops() * HOP)),
            // Future frames that the network needs.
            ("Lookahead", host(lookahead_hops * HOP)),
            // The half window that overlap-add still lacks.
            ("Overlap", host(N_FFT - HOP)),
            // Rounds the sum to a whole number and covers the resamplers' uneven steps; zero at 48 kHz.
            ("Alignment", 0.0),
        ];
        let known: f64 = terms.iter().map(|(_, samples)| samples).sum();
        terms[5].1 = total_samples as f64 - known;
        Self { rate_hz: plan.rate_hz(), terms, total_samples }
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
        let terms = latency.terms.map(|(_, samples)| samples);
        assert_eq!(terms, [0.0, 480.0, 480.0, 960.0, 480.0, 0.0]);
    }

    /// The alignment is what is left over, so that their sum says nothing; that little is left over says that the other
    /// terms are the delay's.
    #[test]
    fn little_is_left_to_align_at_any_rate() {
        for rate_hz in [1234.5678, 8e3, 11.025e3, 22.05e3, 44.1e3, 48e3, 88.2e3, 96e3, 192e3, 768e3] {
            let latency = Latency::new(2, LatencyMode::Safe, &Plan::new(rate_hz).unwrap());
            let [.., (_, alignment)] = latency.terms;
            assert!(alignment > -1.0, "{rate_hz}: {latency:?}");
            // The filters' steps cost at most a few samples on either side.
            assert!(alignment < 4.0 + 4.0 * rate_hz / 48e3, "{rate_hz}: {latency:?}");
        }
    }
}
