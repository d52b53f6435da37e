//! The whole pipeline in one thread, hop by hop: analysis, features, engine, enhancement, synthesis.
//!
//! For files, tests and measurements. The plugin runs the same stages on two threads (see the crate's map); what both
//! put out for the same input is bit-identical.

use tacet_model::{HOP, N_BINS};

use crate::engine::{Engine, EngineError, Job, Stage, StepTimings, Thresholds};
use crate::enhance::{Shaping, enhance};
use crate::features::FeatureState;
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::history::History;
use crate::stft::{Analysis, OVERLAP_DELAY_SAMPLES, Synthesis};

/// Everything that may change between hops.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    /// Which stages run for which local SNR.
    pub thresholds: Thresholds,
    /// Limit, post filter and link.
    pub shaping: Shaping,
}

/// What one hop did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HopReport {
    /// Channel 0's local SNR in dB, of the newest frame.
    pub lsnr_db: f32,
    /// The stage taken for it.
    pub stage: Stage,
    /// Mean square of the aligned noisy frame, over all channels and bins.
    pub input_power: f32,
    /// Mean square of the frame put out, over all channels and bins.
    pub output_power: f32,
    /// What the engine's step cost.
    pub timings: StepTimings,
}

struct Channel {
    analysis: Analysis,
    features: FeatureState,
    synthesis: Synthesis,
}

/// A stream of any channel count through an engine of its own.
pub struct Denoiser {
    engine: Box<dyn Engine>,
    settings: Settings,
    channels: Box<[Channel]>,
    history: History,
    enhanced: Box<[Spectrum]>,
    jobs: [Job; 1],
}

impl Denoiser {
    /// Opens a stream of `n_channels` channels on `engine`.
    ///
    /// # Errors
    /// What [`Engine::open`] says.
    pub fn new(
        mut engine: Box<dyn Engine>,
        n_channels: usize,
        settings: Settings,
    ) -> Result<Self, EngineError> {
        let stream = engine.open(n_channels)?;
        let norm_alpha = engine.norm_alpha();
        let channel = |_| Channel {
            analysis: Analysis::new(),
            features: FeatureState::new(norm_alpha),
            synthesis: Synthesis::new(),
        };
        Ok(Self {
            settings,
            channels: (0..n_channels).map(channel).collect(),
            history: History::new(n_channels, engine.lookahead_hops() + 1),
            enhanced: vec![SILENT_SPECTRUM; n_channels].into(),
            jobs: [Job::new(stream, n_channels)],
            engine,
        })
    }

    /// Samples between an input and the same moment in the output, hop-synchronous: 1440 for DeepFilterNet3, 480 for
    /// its low-latency sibling.
    pub fn delay_samples(&self) -> usize {
        OVERLAP_DELAY_SAMPLES + self.engine.lookahead_hops() * HOP
    }

    /// Changes the settings from the next hop on.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        for channel in &mut self.channels {
            channel.analysis.reset();
            channel.features.reset();
            channel.synthesis.reset();
        }
        self.history.reset();
        self.engine.reset(self.jobs[0].stream);
    }

    /// Denoises one hop: `input` and `output` hold one slice of [`HOP`] samples per channel, 48 kHz, full scale 1.
    /// Digital silence is processed like any other hop: the official runtime's skipping of it would shift the time
    /// line.
    ///
    /// # Errors
    /// What [`Engine::step`] says; `output` is then untouched.
    ///
    /// # Panics
    /// If the channel count or a slice's length is another.
    pub fn process(&mut self, input: &[&[f32]], output: &mut [&mut [f32]]) -> Result<HopReport, EngineError> {
        assert_eq!((input.len(), output.len()), (self.channels.len(), self.channels.len()), "channel count");
        let job = &mut self.jobs[0];
        for (((channel, samples), noisy), inputs) in
            self.channels.iter_mut().zip(input).zip(self.history.push()).zip(&mut job.input)
        {
            channel.analysis.process(as_hop(samples), noisy);
            channel.features.process(noisy, inputs);
        }
        job.thresholds = self.settings.thresholds;
        job.pending = true;
        let timings = self.engine.step(&mut self.jobs)?;
        let job = &self.jobs[0];
        let aligned = self.history.get(self.engine.lookahead_hops());
        enhance(&self.settings.shaping, job.stage, &job.output, aligned, &mut self.enhanced);
        for ((channel, frame), samples) in self.channels.iter_mut().zip(&self.enhanced).zip(output) {
            let samples: &mut [f32; HOP] = (&mut **samples).try_into().expect("a hop per channel");
            channel.synthesis.process(frame, samples);
        }
        Ok(HopReport {
            lsnr_db: job.output[0].lsnr_db,
            stage: job.stage,
            input_power: mean_power(aligned),
            output_power: mean_power(&self.enhanced),
            timings,
        })
    }
}

fn as_hop(samples: &[f32]) -> &[f32; HOP] {
    samples.try_into().expect("a hop per channel")
}

fn mean_power(frames: &[Spectrum]) -> f32 {
    let sum: f32 = frames.iter().flatten().map(|bin| bin.norm_sqr()).sum();
    sum / (frames.len() * N_BINS) as f32
}
