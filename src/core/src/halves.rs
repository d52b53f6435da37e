//! What comes before and after the network, all channels of a stream: samples to features, and answers to samples.
//!
//! The [`Denoiser`](crate::denoiser::Denoiser) and [sequences](crate::sequence) put their engines between the two. The
//! plugin has the pieces on two threads, in the same order. Real-time safe after `new`.

use tacet_model::{HOP, N_BINS};

use crate::clean::CleanRule;
use crate::engine::{ChannelIn, ChannelOut, Stage};
use crate::enhance::{Shaping, enhance};
use crate::features::StreamFeatures;
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::history::History;
use crate::rules::{Conditions, Rules};
use crate::stft::{Analysis, Synthesis};

/// The analysing half: a hop of samples in, its noisy frame and the network's input out.
pub struct Analyser {
    channels: Box<[Analysis]>,
    features: StreamFeatures,
}

impl Analyser {
    /// For `n_channels` channels and a network whose features are smoothed by `norm_alpha` per hop.
    pub fn new(n_channels: usize, norm_alpha: f32) -> Self {
        let channels = (0..n_channels).map(|_| Analysis::new()).collect();
        Self { channels, features: StreamFeatures::new(n_channels, norm_alpha) }
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.channels.iter_mut().for_each(Analysis::reset);
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
        analyse(&mut self.channels, samples, noisy);
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
        analyse(&mut self.channels, samples, noisy);
        self.features.process_heard(noisy, conditions, inputs);
    }
}

/// One hop of every channel to its frame.
///
/// # Panics
/// If a channel's samples are no hop.
pub fn analyse<C: AsRef<[f32]>>(channels: &mut [Analysis], samples: &[C], noisy: &mut [Spectrum]) {
    for ((analysis, samples), noisy) in channels.iter_mut().zip(samples).zip(noisy) {
        let hop: &[f32; HOP] = samples.as_ref().try_into().expect("a hop per channel");
        analysis.process(hop, noisy);
    }
}

/// The synthesising half: the network's answers in, samples out.
pub struct Synthesiser {
    /// Answers belong to a frame some hops ago.
    history: History,
    lookahead_hops: usize,
    enhanced: Box<[Spectrum]>,
    clean: CleanRule,
    channels: Box<[Synthesis]>,
}

impl Synthesiser {
    /// For `n_channels` channels and a network that looks `lookahead_hops` hops ahead.
    pub fn new(n_channels: usize, lookahead_hops: usize) -> Self {
        Self {
            history: History::new(n_channels, lookahead_hops + 1),
            lookahead_hops,
            enhanced: vec![SILENT_SPECTRUM; n_channels].into(),
            clean: CleanRule::default(),
            channels: (0..n_channels).map(|_| Synthesis::new()).collect(),
        }
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.history.reset();
        self.clean.reset();
        self.channels.iter_mut().for_each(Synthesis::reset);
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
        let aligned = self.history.get(self.lookahead_hops);
        enhance(shaping, stage, answers, aligned, &mut self.clean, &mut self.enhanced);
        for ((synthesis, frame), samples) in self.channels.iter_mut().zip(&self.enhanced).zip(samples) {
            let hop: &mut [f32; HOP] = samples.as_mut().try_into().expect("a hop per channel");
            synthesis.process(frame, hop);
        }
    }

    /// Mean squares over all channels and bins, of the noisy frame that the last answers belong to and of what became of it.
    pub fn powers(&self) -> (f32, f32) {
        (mean_power(self.history.get(self.lookahead_hops)), mean_power(&self.enhanced))
    }
}

fn mean_power(frames: &[Spectrum]) -> f32 {
    let sum: f32 = frames.iter().flatten().map(|bin| bin.norm_sqr()).sum();
    sum / (frames.len() * N_BINS) as f32
}
