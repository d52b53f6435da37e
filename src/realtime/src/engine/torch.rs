//! The torch engine: DeepFilterNet3 on libtorch, on the CPU, Apple's GPU (MPS) or an NVIDIA GPU (CUDA).
//!
//! The network lives in a library of its own that links libtorch, opened on demand ([`TorchBackend`]). This is its
//! contract on our side: streams of channels are lanes of a batch, one step uploads and downloads once for all of them.
//! Making an engine takes seconds (open, upload weights, warm up, check against the native engine): on a thread of its own.

use tacet_torch_pack::abi::{self, FLAG_GRAPHS, Lane, Status};

use super::native::{NativeEngine, NativeModel};
use super::{
    ChannelIn, ChannelOut, Engine, EngineError, Job, StateUpdate, StepTimings, StreamId, Thresholds,
};
use crate::frame::Complex32;
use crate::model::{Model, ModelError};
use crate::random::Random;

#[cfg(test)]
mod fake;
mod file;
mod loader;

pub use file::{CHUNK_HOPS, TorchFile, TorchSequence};
pub use loader::{
    CallError, LoadError, MPS_FALLBACK_VARIABLE, TorchBackend, current_module, installed,
    request_mps_fallback,
};

/// Most channels that an engine holds and that one step takes.
pub const MAX_CHANNELS: usize = 512;
/// Least agreement with the native engine on the CPU, in dB; about 120 was observed.
const SELF_CHECK_CPU_DB: f32 = 90.0;
/// The same on a GPU, in dB; about 120 was observed on CUDA. Reduced-precision products give about 60.
const SELF_CHECK_GPU_DB: f32 = 60.0;
/// Hops of the self-check: long enough for every history and a few turns of the GRUs.
const SELF_CHECK_HOPS: usize = 24;

/// A device of libtorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TorchDevice {
    /// libtorch's CPU kernels.
    Cpu,
    /// Apple's GPU. One thread per process must serve all engines on it.
    Mps,
    /// An NVIDIA GPU, by number.
    Cuda(u32),
}

impl TorchDevice {
    /// As the ABI names it.
    pub fn abi(self) -> abi::DeviceAddress {
        let (kind, index) = match self {
            Self::Cpu => (abi::DeviceKind::CPU, 0),
            Self::Mps => (abi::DeviceKind::MPS, 0),
            Self::Cuda(index) => (abi::DeviceKind::CUDA, index),
        };
        abi::DeviceAddress { kind, index }
    }

    /// For people: "torch CPU", "torch MPS", "torch CUDA", "torch CUDA 1".
    pub fn name(self) -> String {
        match self {
            Self::Cuda(index) if index > 0 => format!("{} {index}", self.kind_name()),
            _ => self.kind_name().into(),
        }
    }

    /// The name without the number of a GPU.
    pub(crate) const fn kind_name(self) -> &'static str {
        match self {
            Self::Cpu => "torch CPU",
            Self::Mps => "torch MPS",
            Self::Cuda(_) => "torch CUDA",
        }
    }
}

/// Why an engine could not be made. Every text names the next step or the reason; the native engine works in any case.
#[derive(Debug, thiserror::Error)]
pub enum TorchError {
    /// The backend is not open.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The backend refused.
    #[error("{device}: {}", failure(error))]
    Call {
        /// The device's name.
        device: String,
        /// Its message.
        error: CallError,
    },
    /// The model could not be handed over.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device computes something else than the native engine.
    #[error(
        "{device} disagrees with the native engine ({agreement_db:.0} dB, at least {required_db:.0} needed), so it is not \
         used; update the system and the driver, or report it with the output of `tacet devices`"
    )]
    Mismatch {
        /// The device's name.
        device: String,
        /// Energy of the reference over energy of the difference.
        agreement_db: f32,
        /// The requirement.
        required_db: f32,
    },
    /// A step failed in the self-check.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// How an engine is made.
#[derive(Clone, Copy, Debug)]
pub struct TorchOptions {
    /// Channels whose batch sizes are run in advance, at least 1.
    pub warm_up_channels: usize,
    /// Whether steps on CUDA are recorded as graphs where the pack can.
    pub graphs: bool,
}

impl Default for TorchOptions {
    fn default() -> Self {
        Self { warm_up_channels: 2, graphs: true }
    }
}

/// The network on a device of libtorch, for any number of streams.
#[derive(Debug)]
pub struct TorchEngine {
    pub(super) backend: &'static TorchBackend,
    pub(super) handle: *mut abi::EngineHandle,
    device: TorchDevice,
    name: String,
    lookahead_hops: usize,
    norm_alpha: f32,
    /// The lanes of the streams' channels, by stream.
    streams: Vec<Option<Box<[LaneState]>>>,
    free: Vec<u32>,
    // Scratch of a step.
    lanes: Vec<Lane>,
    input: Vec<ChannelIn>,
    output: Vec<ChannelOut>,
}

#[derive(Clone, Copy, Debug)]
struct LaneState {
    index: u32,
    /// The next step clears it.
    reset: bool,
}

// SAFETY: the ABI ties an engine to one thread at a time; `&mut self` on every call sees to that. On MPS the process's one
// worker must own all engines, which the inference service sees to.
unsafe impl Send for TorchEngine {}

impl TorchEngine {
    /// Opens the backend, puts the model on the device, warms up, and compares a few hops with the native engine.
    ///
    /// # Errors
    /// [`TorchError`]; nothing stays behind but the opened library.
    pub fn new(device: TorchDevice, model: &Model, options: &TorchOptions) -> Result<Self, TorchError> {
        let mut engine = Self::load(device, model, options)?;
        engine.warm_up(options.warm_up_channels)?;
        engine.self_check(model)?;
        Ok(engine)
    }

    /// Opens the backend and puts the model on the device. The first steps will be slow, and nothing was compared.
    ///
    /// # Errors
    /// [`TorchError`].
    pub fn load(device: TorchDevice, model: &Model, options: &TorchOptions) -> Result<Self, TorchError> {
        let backend = TorchBackend::open()?;
        let bytes = model.to_safetensors()?;
        let config = abi::EngineConfig {
            device: device.abi(),
            max_lanes: MAX_CHANNELS as u32,
            flags: if options.graphs { FLAG_GRAPHS } else { 0 },
            model: bytes.as_ptr(),
            model_length: bytes.len(),
        };
        let mut handle = std::ptr::null_mut();
        let failed = |error| TorchError::Call { device: device.name(), error };
        // SAFETY: the configuration, the model's bytes and the place for the pointer live through the call.
        loader::call(|message| unsafe { (backend.api.engine_new)(&config, &mut handle, message) })
            .map_err(failed)?;
        Ok(Self {
            backend,
            handle,
            device,
            name: device.name(),
            lookahead_hops: model.config.lookahead(),
            norm_alpha: model.config.norm_alpha,
            streams: Vec::new(),
            free: (0..MAX_CHANNELS as u32).rev().collect(),
            lanes: Vec::with_capacity(MAX_CHANNELS),
            input: Vec::with_capacity(MAX_CHANNELS),
            output: Vec::with_capacity(MAX_CHANNELS),
        })
    }

    /// Runs every batch size up to `n_channels` once, so that no later step meets one for the first time.
    ///
    /// # Errors
    /// [`TorchError::Call`] from the device.
    pub fn warm_up(&self, n_channels: usize) -> Result<(), TorchError> {
        let n = n_channels.clamp(1, MAX_CHANNELS) as u32;
        // SAFETY: the handle is a live engine, this thread's while `self` is borrowed and `self` is not Sync.
        loader::call(|message| unsafe { (self.backend.api.engine_warm_up)(self.handle, n, message) })
            .map_err(|error| TorchError::Call { device: self.name.clone(), error })
    }

    /// An empty round trip: uploads and downloads the tensors of a step of `n_channels`, and computes nothing.
    ///
    /// # Errors
    /// [`EngineError::Failed`] from the device.
    pub fn round_trip(&mut self, n_channels: usize) -> Result<StepTimings, EngineError> {
        let n = n_channels.clamp(1, MAX_CHANNELS) as u32;
        let mut timings = abi::Timings::default();
        // SAFETY: the handle is a live engine, this thread's while `self` is borrowed; the timings are ours.
        loader::call(|message| unsafe {
            (self.backend.api.engine_round_trip)(self.handle, n, &mut timings, message)
        })
        .map_err(|error| self.failed(&error))?;
        Ok(step_timings(timings))
    }

    /// Compares hops of made-up features with the native engine; returns the agreement in dB.
    ///
    /// # Errors
    /// [`TorchError::Mismatch`]; [`TorchError::Engine`] if a step fails.
    pub(crate) fn self_check(&mut self, model: &Model) -> Result<f32, TorchError> {
        let mut native = NativeEngine::new(NativeModel::new(model)?);
        let (ours, theirs) = (self.open(1)?, native.open(1)?);
        let mut jobs = [[Job::new(ours, 1)], [Job::new(theirs, 1)]];
        let (mut energy, mut difference) = (0.0_f64, 0.0_f64);
        for hop in 0..SELF_CHECK_HOPS {
            for [job] in &mut jobs {
                job.input[0] = made_up_features(hop);
                job.pending = true;
            }
            let [torch, reference] = &mut jobs;
            self.step(torch)?;
            native.step(reference)?;
            for (a, b) in values(&torch[0].output[0]).zip(values(&reference[0].output[0])) {
                energy += f64::from(b * b);
                difference += f64::from((a - b) * (a - b));
            }
        }
        self.close(ours);
        let agreement_db = (10.0 * (energy / difference.max(f64::MIN_POSITIVE)).log10()) as f32;
        let required_db = if self.device == TorchDevice::Cpu { SELF_CHECK_CPU_DB } else { SELF_CHECK_GPU_DB };
        // Also true for a result that is not a number.
        if agreement_db.is_nan() || agreement_db < required_db {
            return Err(TorchError::Mismatch { device: self.name.clone(), agreement_db, required_db });
        }
        Ok(agreement_db)
    }

    pub(super) fn failed(&self, error: &CallError) -> EngineError {
        EngineError::Failed { device: self.name.clone(), reason: failure(error) }
    }

    /// Steps the jobs whose lanes have been gathered.
    fn infer(&mut self) -> Result<StepTimings, EngineError> {
        let n = self.lanes.len();
        self.output.clear();
        self.output.resize(n, ChannelOut::default());
        let mut timings = abi::Timings::default();
        // SAFETY: the handle is a live engine, this thread's while `self` is borrowed. `lanes`, `input` and `output` have
        // `n` entries each; ChannelIn and ChannelOut are repr(C) of 416 and 225 float32 (asserted beside them).
        let outcome = loader::call(|message| unsafe {
            (self.backend.api.engine_step)(
                self.handle,
                self.lanes.as_ptr(),
                n as u32,
                self.input.as_ptr().cast(),
                self.output.as_mut_ptr().cast(),
                &mut timings,
                message,
            )
        });
        outcome.map_err(|error| self.failed(&error))?;
        Ok(step_timings(timings))
    }

    /// Puts a pending job's channels behind the gathered ones.
    fn gather(&mut self, job: &Job) -> Result<(), EngineError> {
        let lanes = self.streams.get_mut(job.stream.0 as usize).and_then(Option::as_mut);
        let lanes = lanes.ok_or(EngineError::UnknownStream(job.stream))?;
        let leader = self.lanes.len() as u32;
        let Thresholds { min_db, max_erb_db, max_df_db } = job.thresholds;
        let update = abi_update(job.update);
        for lane in lanes.iter_mut() {
            let reset = std::mem::take(&mut lane.reset).into();
            self.lanes.push(Lane {
                number: lane.index,
                leader,
                reset,
                update,
                min_db,
                max_erb_db,
                max_df_db,
            });
        }
        self.input.extend_from_slice(&job.input);
        Ok(())
    }

    /// Hands out what a step gave, from the jobs that went into it.
    fn hand_out(&self, jobs: &mut [Job]) {
        let mut outputs = self.output.as_slice();
        for job in jobs.iter_mut().filter(|job| job.pending) {
            let (own, rest) = outputs.split_at(job.output.len());
            job.output.copy_from_slice(own);
            job.stage = own.first().map_or(job.stage, |leader| job.thresholds.stage(leader.lsnr_db));
            job.pending = false;
            outputs = rest;
        }
    }
}

impl Engine for TorchEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn lookahead_hops(&self) -> usize {
        self.lookahead_hops
    }

    fn norm_alpha(&self) -> f32 {
        self.norm_alpha
    }

    fn open(&mut self, n_channels: usize) -> Result<StreamId, EngineError> {
        if n_channels > self.free.len() {
            return Err(EngineError::Full { limit: MAX_CHANNELS });
        }
        let lanes = self.free.split_off(self.free.len() - n_channels);
        let lanes = lanes.into_iter().rev().map(|index| LaneState { index, reset: true }).collect();
        let place = self.streams.iter().position(Option::is_none).unwrap_or(self.streams.len());
        if place == self.streams.len() {
            self.streams.push(None);
        }
        self.streams[place] = Some(lanes);
        Ok(StreamId(place as u32))
    }

    fn close(&mut self, stream: StreamId) {
        if let Some(lanes) = self.streams.get_mut(stream.0 as usize).and_then(Option::take) {
            self.free.extend(lanes.iter().rev().map(|lane| lane.index));
        }
    }

    fn reset(&mut self, stream: StreamId) {
        if let Some(lanes) = self.streams.get_mut(stream.0 as usize).and_then(Option::as_mut) {
            lanes.iter_mut().for_each(|lane| lane.reset = true);
        }
    }

    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError> {
        let mut total = StepTimings::default();
        let mut first = 0;
        while first < jobs.len() {
            self.lanes.clear();
            self.input.clear();
            let mut end = first;
            while let Some(job) = jobs.get(end) {
                if job.pending && self.lanes.len() + job.input.len() > MAX_CHANNELS {
                    break;
                }
                if job.pending {
                    self.gather(job)?;
                }
                end += 1;
            }
            if !self.lanes.is_empty() {
                let timings = self.infer()?;
                total.upload_us += timings.upload_us;
                total.compute_us += timings.compute_us;
                total.download_us += timings.download_us;
                self.hand_out(&mut jobs[first..end]);
            }
            first = end;
        }
        Ok(total)
    }
}

impl Drop for TorchEngine {
    fn drop(&mut self) {
        // SAFETY: made by `engine_new`, freed once; files made from it hold their engine and are dropped first.
        unsafe { (self.backend.api.engine_free)(self.handle) };
    }
}

pub(super) fn abi_update(update: StateUpdate) -> abi::StateUpdate {
    match update {
        StateUpdate::Advance => abi::StateUpdate::ADVANCE,
        StateUpdate::Hold => abi::StateUpdate::HOLD,
        StateUpdate::Restart => abi::StateUpdate::RESTART,
    }
}

pub(super) fn step_timings(timings: abi::Timings) -> StepTimings {
    let abi::Timings { upload_us, compute_us, download_us } = timings;
    StepTimings { upload_us, compute_us, download_us }
}

fn values(output: &ChannelOut) -> impl Iterator<Item = f32> + '_ {
    let filtered = output.filtered.iter().flat_map(|bin| [bin.re, bin.im]);
    std::iter::once(output.lsnr_db).chain(output.mask).chain(filtered)
}

/// The meaning of a failed call for the user.
fn failure(CallError { status, text }: &CallError) -> String {
    match *status {
        Status::OUT_OF_MEMORY => {
            format!("its memory is used up ({text}); close other programs that use it, then retry")
        }
        Status::DEVICE | Status::NO_DEVICE => {
            format!("{text}; retry, and restart this program if that does not help")
        }
        Status::PANIC => format!("the backend has a defect, please report it: {text}"),
        _ => text.clone(),
    }
}

/// Features with the size of speech's, different in every hop, the same in every run.
fn made_up_features(hop: usize) -> ChannelIn {
    let mut random = Random(0x9e37_79b9_u32.wrapping_mul(hop as u32 + 1));
    let mut next = || random.sample();
    ChannelIn {
        erb: std::array::from_fn(|_| next()),
        cplx: std::array::from_fn(|_| Complex32::new(next(), next())),
        noisy: std::array::from_fn(|_| Complex32::new(next(), next()) * 0.01),
    }
}

const _: () = {
    assert!(size_of::<ChannelIn>() == abi::N_INPUT * size_of::<f32>());
    assert!(size_of::<ChannelOut>() == abi::N_OUTPUT * size_of::<f32>());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_a_device_says_what_happened_and_what_to_do() {
        for (status, next_step) in [
            (Status::OUT_OF_MEMORY, "close other programs"),
            (Status::DEVICE, "restart this program"),
            (Status::NO_DEVICE, "restart this program"),
            (Status::PANIC, "report it"),
        ] {
            let text = failure(&CallError { status, text: "CUDA error: it is gone".into() });
            assert!(text.contains("CUDA error: it is gone") && text.contains(next_step), "{text}");
        }
    }
}
