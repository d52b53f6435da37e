//! Analysis before and synthesis after the network, all channels of a stream: samples to features, answers to samples.
//!
//! The [`Denoiser`](crate::denoiser::Denoiser) and [sequences](crate::sequence) put their engines between the two. Where
//! sound plays, the same parts are on two threads: [`Analyses`], [`Enhancer`] and [`Syntheses`] on the audio thread,
//! features and engine on the inference thread. Real-time safe after `new`.

use tacet_model::{HOP, N_BINS};

use crate::dry::DryShare;
use crate::engine::{ChannelIn, ChannelOut, Stage};
use crate::enhance::{Memory, Shaping, enhance};
use crate::features::StreamFeatures;
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::history::History;
use crate::powers::power_over;
use crate::rules::{Conditions, Rules};
use crate::stft::{Analysis, Synthesis};

/// The transforms of a stream's channels into frames.
pub struct Analyses(Box<[Analysis]>);

impl Analyses {
    /// For `n_channels` channels.
    pub fn new(n_channels: usize) -> Self {
        Self((0..n_channels).map(|_| Analysis::new()).collect())
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.0.iter_mut().for_each(Analysis::reset);
    }

    /// One hop of every channel to its frame.
    ///
    /// # Panics
    /// If a channel's samples are no hop.
    pub fn process<C: AsRef<[f32]>>(&mut self, samples: &[C], noisy: &mut [Spectrum]) {
        for ((analysis, samples), noisy) in self.0.iter_mut().zip(samples).zip(noisy) {
            let hop: &[f32; HOP] = samples.as_ref().try_into().expect("a hop per channel");
            analysis.process(hop, noisy);
        }
    }
}

/// The analysing half: a hop of samples in, its noisy frame and the network's input out.
pub struct Analyser {
    analyses: Analyses,
    features: StreamFeatures,
}

impl Analyser {
    /// For `n_channels` channels and a network whose features are smoothed by `norm_alpha` per hop.
    pub fn new(n_channels: usize, norm_alpha: f32) -> Self {
        Self { analyses: Analyses::new(n_channels), features: StreamFeatures::new(n_channels, norm_alpha) }
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.analyses.reset();
        self.features.reset();
    }

    /// Conditions of the last hop.
    pub fn conditions(&self) -> &Conditions {
        self.features.conditions()
    }

    /// Hears and analyses one hop, live: samples, frames and inputs have an entry per channel.
    ///
    /// # Panics
    /// If a channel's samples are no hop.
    pub fn process<C: AsRef<[f32]>>(
        &mut self,
        samples: &[C],
        rules: &Rules,
        noisy: &mut [Spectrum],
        inputs: &mut [ChannelIn],
    ) {
        self.analyses.process(samples, noisy);
        self.features.process(noisy, rules, inputs);
    }

    /// The same for a hop that a [listener](crate::rules::Listener) has heard.
    ///
    /// # Panics
    /// If a channel's samples are no hop.
    pub fn process_heard<C: AsRef<[f32]>>(
        &mut self,
        samples: &[C],
        conditions: &Conditions,
        noisy: &mut [Spectrum],
        inputs: &mut [ChannelIn],
    ) {
        self.analyses.process(samples, noisy);
        self.features.process_heard(noisy, conditions, inputs);
    }
}

/// Applies answers to the noisy frames they belong to, all channels.
pub struct Enhancer {
    frames: Box<[Spectrum]>,
    memory: Memory,
}

impl Enhancer {
    /// For `n_channels` channels; the frames are silent.
    pub fn new(n_channels: usize) -> Self {
        Self { frames: vec![SILENT_SPECTRUM; n_channels].into(), memory: Memory::new(n_channels) }
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.memory.reset();
    }

    /// Forgets what would sound on: the tails of what was heard.
    pub fn clear_signal(&mut self) {
        self.memory.tails.reset();
    }

    /// Goes on from what another one has heard.
    pub fn inherit(&mut self, other: &Self) {
        self.memory.inherit(&other.memory);
    }

    /// Enhances the noisy frames by the answers of one hop.
    pub fn process(&mut self, shaping: &Shaping, stage: Stage, answers: &[ChannelOut], noisy: &[Spectrum]) {
        enhance(shaping, stage, answers, noisy, &mut self.memory, &mut self.frames);
    }

    /// Leaves the noisy frames as they are, where there is no engine.
    pub fn pass(&mut self, noisy: &[Spectrum]) {
        self.frames.copy_from_slice(noisy);
    }

    /// The enhanced frames of the last hop.
    pub fn frames(&self) -> &[Spectrum] {
        &self.frames
    }
}

/// The transforms of a stream's channels back into samples.
pub struct Syntheses(Box<[Synthesis]>);

impl Syntheses {
    /// For `n_channels` channels.
    pub fn new(n_channels: usize) -> Self {
        Self((0..n_channels).map(|_| Synthesis::new()).collect())
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.0.iter_mut().for_each(Synthesis::reset);
    }

    /// One frame of every channel to the samples that are complete with it.
    ///
    /// # Panics
    /// If a channel's slice has no room for exactly a hop.
    pub fn process<C: AsMut<[f32]>>(&mut self, frames: &[Spectrum], samples: &mut [C]) {
        for ((synthesis, frame), samples) in self.0.iter_mut().zip(frames).zip(samples) {
            let hop: &mut [f32; HOP] = samples.as_mut().try_into().expect("a hop per channel");
            synthesis.process(frame, hop);
        }
    }
}

/// The synthesising half: the network's answers in, samples out.
pub struct Synthesiser {
    /// Answers belong to a frame some hops ago.
    history: History,
    lookahead_hops: usize,
    enhancer: Enhancer,
    syntheses: Syntheses,
}

impl Synthesiser {
    /// For `n_channels` channels and a network that looks `lookahead_hops` hops ahead.
    pub fn new(n_channels: usize, lookahead_hops: usize) -> Self {
        Self {
            history: History::new(n_channels, lookahead_hops + 1),
            lookahead_hops,
            enhancer: Enhancer::new(n_channels),
            syntheses: Syntheses::new(n_channels),
        }
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.history.reset();
        self.enhancer.reset();
        self.syntheses.reset();
    }

    /// The place for the noisy frame of the next hop, one spectrum per channel, to be written before its
    /// [`process`](Self::process).
    pub fn noisy(&mut self) -> &mut [Spectrum] {
        self.history.push()
    }

    /// Applies the answers of one hop to the frame they belong to, and writes the samples that are complete: one slice of
    /// [`HOP`] samples per channel.
    ///
    /// # Panics
    /// If a channel's slice has no room for exactly a hop.
    pub fn process<C: AsMut<[f32]>>(
        &mut self,
        shaping: &Shaping,
        stage: Stage,
        answers: &[ChannelOut],
        samples: &mut [C],
    ) {
        self.enhancer.process(shaping, stage, answers, self.history.get(self.lookahead_hops));
        self.syntheses.process(self.enhancer.frames(), samples);
    }

    /// The share of the input that this half lets through.
    pub fn dry_mut(&mut self) -> &mut DryShare {
        &mut self.enhancer.memory.dry
    }

    /// Mean squares over all channels and bins, of the noisy frame that the last answers belong to and of what became of it.
    pub fn powers(&self) -> (f32, f32) {
        (mean_power(self.history.get(self.lookahead_hops)), mean_power(self.enhancer.frames()))
    }
}

fn mean_power(frames: &[Spectrum]) -> f32 {
    power_over(frames, 0..N_BINS) / (frames.len() * N_BINS) as f32
}
