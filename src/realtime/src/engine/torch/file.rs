//! A whole file on a device of libtorch: many hops at a time, state carried over.

use tacet_torch_pack::abi::{self, DfMethod, MAX_CHUNK_FRAMES};

use super::loader::{TorchBackend, call};
use super::{TorchEngine, abi_update, step_timings};
use crate::engine::sequence::{Hops, Pass, SequenceEngine};
use crate::engine::{ChannelIn, ChannelOut, Engine as _, EngineError, StateUpdate, StepTimings, Thresholds};

/// A file being denoised on the device of an engine, whose weights it uses.
#[derive(Debug)]
pub struct TorchFile {
    // Freed before the engine: fields are dropped in this order.
    run: Run,
    engine: TorchEngine,
    n_channels: usize,
    updates: Vec<abi::StateUpdate>,
}

/// The run at the other side of the ABI.
#[derive(Debug)]
struct Run {
    backend: &'static TorchBackend,
    handle: *mut abi::FileHandle,
}

// SAFETY: as for the engine, with which it always moves together: both are fields of one `TorchFile`.
unsafe impl Send for Run {}

impl Drop for Run {
    fn drop(&mut self) {
        // SAFETY: made by `file_new`, freed once, before the engine it was made from.
        unsafe { (self.backend.api.file_free)(self.handle) };
    }
}

impl TorchFile {
    /// Begins a file of `n_channels` channels, filtered by `method`, on the engine's device.
    ///
    /// # Errors
    /// [`EngineError::Failed`] from the device.
    pub fn new(engine: TorchEngine, n_channels: usize, method: DfMethod) -> Result<Self, EngineError> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: the engine's handle is live and owned here; the place for the pointer is ours.
        call(|message| unsafe {
            (engine.backend.api.file_new)(engine.handle, n_channels as u32, method, &mut handle, message)
        })
        .map_err(|error| engine.failed(&error))?;
        Ok(Self { run: Run { backend: engine.backend, handle }, engine, n_channels, updates: Vec::new() })
    }

    /// The engine whose weights it uses.
    pub fn engine(&self) -> &TorchEngine {
        &self.engine
    }

    /// Ends the file; the engine can take another.
    pub(crate) fn into_engine(self) -> TorchEngine {
        self.engine
    }

    /// Most hops of a chunk of `n_channels` channels.
    pub fn max_chunk_hops(n_channels: usize) -> usize {
        (MAX_CHUNK_FRAMES / n_channels.max(1)).max(1)
    }

    /// Infers the same number of hops of every channel: `input` and `output` hold channel after channel, `updates` says for
    /// each hop what becomes of the hidden states. Where a stage did not run, its part of the output is 0.
    ///
    /// # Errors
    /// [`EngineError::Failed`]; the file must then be given up.
    ///
    /// # Panics
    /// If the lengths do not fit each other and the channel count.
    pub fn push(
        &mut self,
        thresholds: &Thresholds,
        updates: &[StateUpdate],
        input: &[ChannelIn],
        output: &mut [ChannelOut],
    ) -> Result<StepTimings, EngineError> {
        assert_eq!(input.len(), output.len(), "as many outputs as inputs");
        assert_eq!(input.len(), updates.len() * self.n_channels, "as many hops of every channel");
        self.updates.clear();
        self.updates.extend(updates.iter().map(|&update| abi_update(update)));
        let chunk = abi::Chunk {
            n_hops: updates.len(),
            updates: self.updates.as_ptr(),
            min_db: thresholds.min_db,
            max_erb_db: thresholds.max_erb_db,
            max_df_db: thresholds.max_df_db,
            input: input.as_ptr().cast(),
            output: output.as_mut_ptr().cast(),
        };
        let mut timings = abi::Timings::default();
        // SAFETY: the handle is live; the chunk has n_hops updates, and its buffers n_channels * n_hops entries (asserted
        // above) of types that are repr(C) of 416 and 225 float32.
        call(|message| unsafe {
            (self.run.backend.api.file_push)(self.run.handle, &chunk, &mut timings, message)
        })
        .map_err(|error| self.engine.failed(&error))?;
        Ok(step_timings(timings))
    }
}

/// Hops of a chunk: 2 s, long enough to keep a GPU busy and short enough for the buffers to stay small. Recordings of more
/// than 40 channels have shorter ones, so that memory stays bounded.
pub const CHUNK_HOPS: usize = 200;

/// A recording on a device, as a network of one pass. Its result is that of the hop-by-hop path up to rounding.
pub struct TorchSequence {
    file: TorchFile,
    /// Takes the engine back at the end.
    done: Box<dyn FnOnce(TorchEngine) + Send>,
}

impl TorchSequence {
    /// Takes a file that has not begun. When the recording ends without an error, `done` gets its engine, which can take
    /// another.
    pub fn new(file: TorchFile, done: impl FnOnce(TorchEngine) + Send + 'static) -> Self {
        Self { file, done: Box::new(done) }
    }
}

impl SequenceEngine for TorchSequence {
    type Work = ();

    fn n_channels(&self) -> usize {
        self.file.n_channels
    }

    fn lookahead_hops(&self) -> usize {
        self.file.engine().lookahead_hops()
    }

    fn norm_alpha(&self) -> f32 {
        self.file.engine().norm_alpha()
    }

    fn chunk_hops(&self) -> usize {
        CHUNK_HOPS.min(TorchFile::max_chunk_hops(self.n_channels()))
    }

    fn work(&self) {}

    fn into_passes(self) -> Vec<Box<dyn Pass<()>>> {
        let n = self.n_channels() * self.chunk_hops();
        vec![Box::new(DevicePass {
            inputs: vec![ChannelIn::default(); n].into(),
            outputs: vec![ChannelOut::default(); n].into(),
            whole: Some(self),
        })]
    }
}

/// All of the network at once.
struct DevicePass {
    /// The recording, until it fails.
    whole: Option<TorchSequence>,
    /// Channel after channel, as the device wants them.
    inputs: Box<[ChannelIn]>,
    outputs: Box<[ChannelOut]>,
}

impl Pass<()> for DevicePass {
    fn run(&mut self, hops: &mut Hops, (): &mut ()) -> Result<(), EngineError> {
        let failed_before = || EngineError::Failed {
            device: "torch".to_owned(),
            reason: "the recording failed before".to_owned(),
        };
        let mut whole = self.whole.take().ok_or_else(failed_before)?;
        let (n_channels, n_hops) = (hops.n_channels(), hops.n_hops());
        let n = n_channels * n_hops;
        // From hop after hop to channel after channel, and back.
        let swapped = |at: usize| at % n_hops * n_channels + at / n_hops;
        for (at, input) in self.inputs[..n].iter_mut().enumerate() {
            *input = hops.inputs()[swapped(at)];
        }
        whole.file.push(hops.thresholds(), hops.updates(), &self.inputs[..n], &mut self.outputs[..n])?;
        let outputs = hops.split_mut().1;
        for (at, output) in self.outputs[..n].iter().enumerate() {
            outputs[swapped(at)] = *output;
        }
        hops.decide();
        self.whole = Some(whole);
        Ok(())
    }
}

impl Drop for DevicePass {
    fn drop(&mut self) {
        if let Some(TorchSequence { file, done }) = self.whole.take() {
            done(file.into_engine());
        }
    }
}
