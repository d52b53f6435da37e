//! The whole pipeline in one thread, hop by hop: analysis, features, engine, enhancement, synthesis.
//!
//! For files, tests and measurements. The plugin runs the same stages on two threads (see the crate's map); what both
//! put out for the same input is bit-identical.

use tacet_model::HOP;

use crate::engine::{Engine, EngineError, Job, NOT_FINITE, Stage, StepTimings, Thresholds};
use crate::enhance::Shaping;
use crate::halves::{Analyser, Synthesiser};
use crate::rules::{Conditions, Rules};
use crate::stft::OVERLAP_DELAY_SAMPLES;

/// Everything that may change between hops.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    /// Local SNRs that decide which stages run.
    pub thresholds: Thresholds,
    /// Limit, post filter and link.
    pub shaping: Shaping,
    /// Rules for recordings that the network was not trained for.
    pub rules: Rules,
}

impl Settings {
    /// The defaults of the official runtime, for comparison with it.
    pub fn reference() -> Self {
        let shaping = Shaping { keeps_clean: false, keeps_whisper: false, ..Shaping::default() };
        Self { rules: Rules::REFERENCE, shaping, ..Self::default() }
    }
}

/// The report of one hop.
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
    /// Cost of the engine's step.
    pub timings: StepTimings,
}

/// A stream of any channel count through an engine of its own.
pub struct Denoiser {
    engine: Box<dyn Engine>,
    settings: Settings,
    analyser: Analyser,
    synthesiser: Synthesiser,
    jobs: [Job; 1],
}

impl Denoiser {
    /// Opens a stream of `n_channels` channels on `engine`.
    ///
    /// # Errors
    /// Errors of [`Engine::open`].
    pub fn new(
        mut engine: Box<dyn Engine>,
        n_channels: usize,
        settings: Settings,
    ) -> Result<Self, EngineError> {
        let stream = engine.open(n_channels)?;
        Ok(Self {
            settings,
            analyser: Analyser::new(n_channels, engine.norm_alpha()),
            synthesiser: Synthesiser::new(n_channels, engine.lookahead_hops()),
            jobs: [Job::new(stream, n_channels)],
            engine,
        })
    }

    /// Samples between an input and the same moment in the output, hop-synchronous: 1440 for DeepFilterNet3, 480 for
    /// its low-latency sibling.
    pub fn delay_samples(&self) -> usize {
        OVERLAP_DELAY_SAMPLES + self.engine.lookahead_hops() * HOP
    }

    /// Conditions under which the last hop's features were computed.
    pub fn conditions(&self) -> &Conditions {
        self.analyser.conditions()
    }

    /// Changes the settings from the next hop on.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.analyser.reset();
        self.synthesiser.reset();
        self.engine.reset(self.jobs[0].stream);
    }

    /// Denoises one hop: `input` and `output` hold one slice of [`HOP`] samples per channel, 48 kHz, full scale 1.
    /// Digital silence is processed like any other hop: the official runtime's skipping of it would shift the time
    /// line.
    ///
    /// # Errors
    /// Errors of [`Engine::step`]; `output` is then untouched.
    ///
    /// # Panics
    /// If the channel count or a slice's length is another.
    pub fn process(&mut self, input: &[&[f32]], output: &mut [&mut [f32]]) -> Result<HopReport, EngineError> {
        let job = &mut self.jobs[0];
        let n_channels = job.input.len();
        assert_eq!((input.len(), output.len()), (n_channels, n_channels), "channel count");
        self.analyser.process(input, &self.settings.rules, self.synthesiser.noisy(), &mut job.input);
        job.thresholds = self.settings.thresholds;
        job.update = self.analyser.conditions().update;
        job.pending = true;
        let timings = self.engine.step(&mut self.jobs)?;
        let job = &self.jobs[0];
        if !job.is_finite() {
            let device = self.engine.name().to_owned();
            return Err(EngineError::Failed { device, reason: NOT_FINITE.into() });
        }
        self.synthesiser.process(&self.settings.shaping, job.stage, &job.output, output);
        let (input_power, output_power) = self.synthesiser.powers();
        Ok(HopReport { lsnr_db: job.output[0].lsnr_db, stage: job.stage, input_power, output_power, timings })
    }
}
