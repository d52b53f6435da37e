//! The network over a recording: many hops of one stream at a time, in passes that can work on different chunks at once.
//!
//! Live audio needs each hop's answer at once; a file does not, and most of the network sees no more of the past than the
//! hops just before. A [`SequenceEngine`] cuts its network into [`Pass`]es. Each takes a whole chunk of hops, owns the
//! state that it carries from one chunk to the next, and must see the chunks in order. Nothing else ties passes together,
//! so that [`crate::sequence`] may run them one after the other or on several threads.

use super::{ChannelIn, ChannelOut, EngineError, Stage, StateUpdate, Thresholds};

/// A chunk's hops on their way through the passes: features in, masks and filtered low bins out.
#[derive(Debug)]
pub struct Hops {
    n_channels: usize,
    n_hops: usize,
    thresholds: Thresholds,
    inputs: Box<[ChannelIn]>,
    outputs: Box<[ChannelOut]>,
    stages: Box<[Stage]>,
    updates: Box<[StateUpdate]>,
}

impl Hops {
    /// Room for up to `max_hops` hops of `n_channels` channels; none yet.
    pub fn new(n_channels: usize, max_hops: usize) -> Self {
        Self {
            n_channels,
            n_hops: 0,
            thresholds: Thresholds::default(),
            inputs: vec![ChannelIn::default(); n_channels * max_hops].into(),
            outputs: vec![ChannelOut::default(); n_channels * max_hops].into(),
            stages: vec![Stage::default(); max_hops].into(),
            updates: vec![StateUpdate::default(); max_hops].into(),
        }
    }

    /// Begins another chunk of `n_hops` hops, all with the same `thresholds`, which advance the hidden states. Does not
    /// allocate.
    ///
    /// # Panics
    /// If there is no room for as many.
    pub fn begin(&mut self, n_hops: usize, thresholds: Thresholds) {
        assert!(n_hops <= self.stages.len(), "{n_hops} hops in a chunk of {}", self.stages.len());
        (self.n_hops, self.thresholds) = (n_hops, thresholds);
        self.updates.fill(StateUpdate::Advance);
    }

    /// Channels of a hop.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// Hops in the chunk.
    pub fn n_hops(&self) -> usize {
        self.n_hops
    }

    /// Stage thresholds of the chunk; channel 0's local SNR decides for all channels.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// The network's input, `[hop][channel]`.
    pub fn inputs(&self) -> &[ChannelIn] {
        &self.inputs[..self.n_hops * self.n_channels]
    }

    /// The same, to be written before the first pass.
    pub fn inputs_mut(&mut self) -> &mut [ChannelIn] {
        &mut self.inputs[..self.n_hops * self.n_channels]
    }

    /// The network's answers, `[hop][channel]`.
    pub fn outputs(&self) -> &[ChannelOut] {
        &self.outputs[..self.n_hops * self.n_channels]
    }

    /// Inputs beside the answers that passes write, both `[hop][channel]`.
    pub fn split_mut(&mut self) -> (&[ChannelIn], &mut [ChannelOut]) {
        let n = self.n_hops * self.n_channels;
        (&self.inputs[..n], &mut self.outputs[..n])
    }

    /// Treatment of the hidden states in each hop.
    pub fn updates(&self) -> &[StateUpdate] {
        &self.updates[..self.n_hops]
    }

    /// The same, to be written before the first pass.
    pub fn updates_mut(&mut self) -> &mut [StateUpdate] {
        &mut self.updates[..self.n_hops]
    }

    /// The stage taken for each hop, valid after [`decide`](Self::decide).
    pub fn stages(&self) -> &[Stage] {
        &self.stages[..self.n_hops]
    }

    /// Decides every hop's stage by channel 0's local SNR, which must be written.
    pub fn decide(&mut self) {
        let answers = self.outputs.chunks_exact(self.n_channels);
        for (stage, answers) in self.stages[..self.n_hops].iter_mut().zip(answers) {
            *stage = self.thresholds.stage(answers[0].lsnr_db);
        }
    }
}

/// One part of a network over a chunk. `W` is what an engine's passes hand on from one to the next beside the hops.
pub trait Pass<W>: Send {
    /// Does its part for all hops of the chunk that comes after the one before.
    ///
    /// # Errors
    /// The device's; the sequence must then be given up.
    fn run(&mut self, hops: &mut Hops, work: &mut W) -> Result<(), EngineError>;
}

/// A network on a device, made for one stream of a number of channels that is fixed.
pub trait SequenceEngine {
    /// Buffers for a chunk that its passes hand on beside the hops.
    type Work: Send + 'static;

    /// Channels of the stream.
    fn n_channels(&self) -> usize;

    /// Hops of lookahead of its model: output of hop `t` belongs to frame `t - lookahead`.
    fn lookahead_hops(&self) -> usize;

    /// Smoothing factor of the features' normalisation, from the model's configuration.
    fn norm_alpha(&self) -> f32;

    /// Most hops of a chunk, and as many as it works best with.
    fn chunk_hops(&self) -> usize;

    /// Buffers for a chunk.
    fn work(&self) -> Self::Work;

    /// The passes, in their order, all state as at the start of a stream.
    fn into_passes(self) -> Vec<Box<dyn Pass<Self::Work>>>;
}
