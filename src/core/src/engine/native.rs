//! The native engine: DeepFilterNet3 on the CPU in pure Rust, weights embedded, nothing to install.
//!
//! Weights are packed once per model and shared ([`NativeModel`]); an engine adds the state of its streams and scratch
//! for a step. A step runs every pending channel through each stage together, so that the large matrices are read once
//! for the whole batch, and never allocates. A channel's result is bit-identical in any batch.

mod conv;
mod grouped;
mod gru;
mod layers;
mod math;
mod matrix;
mod memory;
mod network;
mod rounded;
mod sequence;
mod simd;
mod state;
mod step;
mod tile;

use std::sync::Arc;
use std::time::Instant;

pub use gru::Precision;
pub use network::NativeModel;
pub use sequence::NativeSequence;
pub use simd::SimdLevel;

use state::ChannelState;
use step::{Row, Scratch, Step};

use super::{Engine, EngineError, Job, Stage, StepTimings, StreamId};

/// The network on the CPU for any number of streams.
pub struct NativeEngine {
    model: Arc<NativeModel>,
    streams: Vec<Option<Box<[ChannelState]>>>,
    scratch: Scratch,
    n_channels: usize,
    rows: Vec<Row>,
    masked: Vec<usize>,
    full: Vec<usize>,
}

impl NativeEngine {
    /// An engine without streams. Allocates little until [`open`](Engine::open).
    pub fn new(model: Arc<NativeModel>) -> Self {
        let scratch = Scratch::new(&model, 0);
        let (rows, masked, full) = (Vec::new(), Vec::new(), Vec::new());
        Self { model, streams: Vec::new(), scratch, n_channels: 0, rows, masked, full }
    }

    /// The weights it shares with others.
    pub fn model(&self) -> &Arc<NativeModel> {
        &self.model
    }
}

impl Engine for NativeEngine {
    fn name(&self) -> &str {
        "native CPU"
    }

    fn lookahead_hops(&self) -> usize {
        self.model.config().lookahead()
    }

    fn norm_alpha(&self) -> f32 {
        self.model.config().norm_alpha
    }

    fn open(&mut self, n_channels: usize) -> Result<StreamId, EngineError> {
        let states: Box<[ChannelState]> =
            (0..n_channels).map(|_| ChannelState::new(self.model.config())).collect();
        let free = self.streams.iter().position(Option::is_none).unwrap_or_else(|| {
            self.streams.push(None);
            self.streams.len() - 1
        });
        self.streams[free] = Some(states);
        self.n_channels += n_channels;
        if self.rows.capacity() < self.n_channels {
            self.scratch = Scratch::new(&self.model, self.n_channels);
            self.rows = Vec::with_capacity(self.n_channels);
            self.masked = Vec::with_capacity(self.n_channels);
            self.full = Vec::with_capacity(self.n_channels);
        }
        Ok(StreamId(free as u32))
    }

    fn close(&mut self, stream: StreamId) {
        if let Some(states) = self.streams.get_mut(stream.0 as usize).and_then(Option::take) {
            self.n_channels -= states.len();
        }
    }

    fn reset(&mut self, stream: StreamId) {
        if let Some(Some(states)) = self.streams.get_mut(stream.0 as usize) {
            states.iter_mut().for_each(ChannelState::reset);
        }
    }

    fn copy_state(&mut self, from: StreamId, to: StreamId) -> bool {
        let of = |stream: StreamId| self.streams.get(stream.0 as usize).and_then(Option::as_ref);
        let copy = match (of(from), of(to)) {
            (Some(heard), Some(joined)) if heard.len() == joined.len() => heard.clone(),
            _ => return false,
        };
        self.streams[to.0 as usize] = Some(copy);
        true
    }

    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError> {
        let start = Instant::now();
        self.rows.clear();
        for (index, job) in jobs.iter().enumerate().filter(|(_, job)| job.pending) {
            let open = self.streams.get(job.stream.0 as usize).and_then(Option::as_ref);
            if open.is_none_or(|states| states.len() != job.input.len()) {
                return Err(EngineError::UnknownStream(job.stream));
            }
            let row = |channel| Row { job: index, stream: job.stream.0 as usize, channel };
            self.rows.extend((0..job.input.len()).map(row));
        }
        let Self { model, streams, scratch, rows, masked, full, .. } = self;
        let mut step = Step { model, scratch, streams, jobs: &mut *jobs, rows };
        step.encode();
        for job in step.jobs.iter_mut().filter(|job| job.pending) {
            job.stage = job.thresholds.stage(job.output[0].lsnr_db);
        }
        masked.clear();
        full.clear();
        for (at, row) in step.rows.iter().enumerate() {
            let stage = step.jobs[row.job].stage;
            if stage.has_mask() {
                masked.push(at);
            }
            if stage == Stage::Full {
                full.push(at);
            }
        }
        step.decode_mask(masked);
        step.decode_filter(full);
        for job in jobs {
            job.pending = false;
        }
        Ok(StepTimings::compute_since(start))
    }
}
