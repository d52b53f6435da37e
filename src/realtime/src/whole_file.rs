//! Denoising a file on a device, many hops at a time: the same stages as [`crate::denoiser`], with the network run over a
//! chunk of hops at once.
//!
//! Where a step of one hop is bound by launching work on the device, a chunk is not. The result is that of the hop-by-hop
//! path up to rounding. Allocates at the start only; never on the audio thread.

use tacet_model::HOP;

use crate::denoiser::Settings;
use crate::engine::torch::{TorchEngine, TorchFile};
use crate::engine::{ChannelIn, ChannelOut, Engine, EngineError, StepTimings};
use crate::enhance::enhance;
use crate::features::FeatureState;
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::stft::{Analysis, OVERLAP_DELAY_SAMPLES, Synthesis};

/// Hops of a chunk: 2 s, long enough to keep a GPU busy and short enough for the buffers to stay small. Files of more than
/// 40 channels have shorter ones, so that memory stays bounded.
pub const CHUNK_HOPS: usize = 200;

struct Channel {
    analysis: Analysis,
    features: FeatureState,
    synthesis: Synthesis,
}

/// A file of any channel count through a device.
pub struct WholeFile {
    file: TorchFile,
    settings: Settings,
    channels: Box<[Channel]>,
    lookahead_hops: usize,
    chunk_hops: usize,
    /// Noisy frames `[lookahead + chunk][channel]`: those that outputs belong to, oldest first.
    noisy: Vec<Spectrum>,
    /// `[channel][chunk]`.
    inputs: Vec<ChannelIn>,
    outputs: Vec<ChannelOut>,
    /// The chunk before, denoised: `[hop][channel][480]`.
    ready: Vec<f32>,
    /// One hop, all channels.
    answers: Vec<ChannelOut>,
    enhanced: Vec<Spectrum>,
    /// Hops of this chunk that are in.
    n_hops: usize,
    timings: StepTimings,
}

impl WholeFile {
    /// Begins a file of `n_channels` channels, as many as `file` has.
    pub fn new(file: TorchFile, n_channels: usize, settings: Settings) -> Self {
        let engine = file.engine();
        let (norm_alpha, lookahead_hops) = (engine.norm_alpha(), engine.lookahead_hops());
        let channel = |_| Channel {
            analysis: Analysis::new(),
            features: FeatureState::new(norm_alpha),
            synthesis: Synthesis::new(),
        };
        let chunk_hops = CHUNK_HOPS.min(TorchFile::max_chunk_hops(n_channels));
        let n_frames = n_channels * chunk_hops;
        Self {
            settings,
            channels: (0..n_channels).map(channel).collect(),
            lookahead_hops,
            chunk_hops,
            noisy: vec![SILENT_SPECTRUM; n_channels * (lookahead_hops + chunk_hops)],
            inputs: vec![ChannelIn::default(); n_frames],
            outputs: vec![ChannelOut::default(); n_frames],
            ready: vec![0.0; n_frames * HOP],
            answers: vec![ChannelOut::default(); n_channels],
            enhanced: vec![SILENT_SPECTRUM; n_channels],
            n_hops: 0,
            timings: StepTimings::default(),
            file,
        }
    }

    /// Samples between an input and the same moment in the output: the model's delay and one chunk.
    pub fn delay_samples(&self) -> usize {
        OVERLAP_DELAY_SAMPLES + (self.lookahead_hops + self.chunk_hops) * HOP
    }

    /// Ends the file; the engine can take another.
    pub fn into_engine(self) -> TorchEngine {
        self.file.into_engine()
    }

    /// What all chunks cost so far.
    pub fn timings(&self) -> StepTimings {
        self.timings
    }

    /// Takes one hop and gives the one a chunk ago: one slice of [`HOP`] samples per channel, 48 kHz.
    ///
    /// # Errors
    /// What the device says when a chunk is full; the file must then be given up.
    ///
    /// # Panics
    /// If the channel count or a slice's length is another.
    pub fn process(&mut self, input: &[&[f32]], output: &mut [&mut [f32]]) -> Result<(), EngineError> {
        let n = self.channels.len();
        assert_eq!((input.len(), output.len()), (n, n), "channel count");
        let at = self.n_hops;
        let frames = &mut self.noisy[(self.lookahead_hops + at) * n..][..n];
        for (index, (channel, samples)) in self.channels.iter_mut().zip(input).enumerate() {
            let hop: &[f32; HOP] = (*samples).try_into().expect("a hop per channel");
            channel.analysis.process(hop, &mut frames[index]);
            channel.features.process(&frames[index], &mut self.inputs[index * self.chunk_hops + at]);
        }
        for (samples, ready) in output.iter_mut().zip(self.ready[at * n * HOP..].chunks_exact(HOP)) {
            samples.copy_from_slice(ready);
        }
        self.n_hops += 1;
        if self.n_hops == self.chunk_hops {
            self.denoise_chunk()?;
        }
        Ok(())
    }

    fn denoise_chunk(&mut self) -> Result<(), EngineError> {
        let n = self.channels.len();
        let timings = self.file.push(&self.settings.thresholds, &self.inputs, &mut self.outputs)?;
        self.timings.upload_us += timings.upload_us;
        self.timings.compute_us += timings.compute_us;
        self.timings.download_us += timings.download_us;
        for hop in 0..self.chunk_hops {
            for (index, answer) in self.answers.iter_mut().enumerate() {
                *answer = self.outputs[index * self.chunk_hops + hop];
            }
            let stage = self.settings.thresholds.stage(self.answers[0].lsnr_db);
            let aligned = &self.noisy[hop * n..][..n];
            enhance(&self.settings.shaping, stage, &self.answers, aligned, &mut self.enhanced);
            let ready = self.ready[hop * n * HOP..].chunks_exact_mut(HOP);
            for ((channel, frame), samples) in self.channels.iter_mut().zip(&self.enhanced).zip(ready) {
                let samples: &mut [f32; HOP] = samples.try_into().expect("chunks of a hop");
                channel.synthesis.process(frame, samples);
            }
        }
        self.noisy.copy_within(self.chunk_hops * n.., 0);
        self.n_hops = 0;
        Ok(())
    }
}
