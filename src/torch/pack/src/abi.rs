//! The backend's C ABI: one entry point that returns a table of functions.
//!
//! Rules, for every function of the table:
//! - It never unwinds and never throws: a failure is a [`Status`] other than [`Status::OK`], with text in [`Message`].
//! - An [`EngineHandle`] and the [`FileHandle`]s made from it belong to one thread; different engines may live on different
//!   threads, except on MPS, where one thread per process must serve all.
//! - It allocates and may take milliseconds: never call one on the audio thread.

use std::ffi::c_void;

/// Version of everything in this module. Any change of a layout or a meaning raises it.
pub const ABI_VERSION: u32 = 3;

/// The exported symbol, of type [`Entry`].
pub const ENTRY: &[u8] = b"tacet_torch_api\0";

/// The libtorch the backend is built for, and the only one it runs with: its C++ ABI has no other promise.
pub const TORCH_VERSION: &str = "2.11.0";

/// Values per channel into a step: 32 band features, 96 complex features, 96 noisy low bins.
pub const N_INPUT: usize = 416;

/// Values per channel out of a step: local SNR in dB, 32 gains, 96 filtered low bins.
pub const N_OUTPUT: usize = 225;

/// Most channels times hops of a whole-file chunk: bounds the device's memory to about 0.5 GB.
pub const MAX_CHUNK_FRAMES: usize = 8192;

/// Returns the table, valid for the life of the process.
pub type Entry = unsafe extern "C" fn() -> *const Api;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Status(pub i32);

impl Status {
    /// Done.
    pub const OK: Self = Self(0);
    /// The arguments make no sense (null, out of range, wrong size); nothing was done.
    pub const ARGUMENT: Self = Self(1);
    /// The model's bytes are no model.
    pub const MODEL: Self = Self(2);
    /// The device is not there, or cannot be used.
    pub const NO_DEVICE: Self = Self(3);
    /// The device has no memory left.
    pub const OUT_OF_MEMORY: Self = Self(4);
    /// libtorch reported an error in the middle; the engine's states are undefined.
    pub const DEVICE: Self = Self(5);
    /// A defect in the backend, caught at the boundary; the engine's states are undefined.
    pub const PANIC: Self = Self(6);
}

/// A device's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct DeviceKind(pub u32);

impl DeviceKind {
    /// The processor, through libtorch.
    pub const CPU: Self = Self(0);
    /// Apple's GPU, through Metal.
    pub const MPS: Self = Self(1);
    /// An NVIDIA GPU.
    pub const CUDA: Self = Self(2);
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct DeviceAddress {
    /// Its kind.
    pub kind: DeviceKind,
    /// Number among those of its kind, from 0; 0 for CPU and MPS.
    pub index: u32,
}

/// A buffer for the text of a failure: UTF-8, cut to `capacity`, not terminated.
#[derive(Debug)]
#[repr(C)]
pub struct Message {
    /// Room for `capacity` bytes.
    pub text: *mut u8,
    /// Size of the room.
    pub capacity: usize,
    /// Written by the callee.
    pub length: usize,
}

/// A probe's findings about a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Probe {
    /// 1 if this libtorch was built with support for the device.
    pub built: u32,
    /// 1 if the device can be used now.
    pub available: u32,
    /// 1 if a complex product on the device gave the right answer.
    pub complex: u32,
    /// Devices of this kind.
    pub n_devices: u32,
}

/// How an engine is made.
#[derive(Debug)]
#[repr(C)]
pub struct EngineConfig {
    /// The device that it runs on.
    pub device: DeviceAddress,
    /// Most lanes it holds; one lane is one channel of a stream.
    pub max_lanes: u32,
    /// Bit 0: record the step as a CUDA graph where the pack can.
    pub flags: u32,
    /// A model as safetensors, with its configuration in the metadata.
    pub model: *const u8,
    /// Bytes of the model.
    pub model_length: usize,
}

/// [`EngineConfig::flags`]: record the step as a CUDA graph where the pack can.
pub const FLAG_GRAPHS: u32 = 1;

/// Treatment of hidden states, those of the recurrent layers, in a hop, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct StateUpdate(pub u32);

impl StateUpdate {
    /// The hop advances them.
    pub const ADVANCE: Self = Self(0);
    /// The hop is computed from them and leaves them as they are.
    pub const HOLD: Self = Self(1);
    /// They are zero before the hop, which advances them.
    pub const RESTART: Self = Self(2);
}

/// One channel's place in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Lane {
    /// Its state: a number below `max_lanes`, each at most once per step.
    pub number: u32,
    /// Row of its stream's channel 0 in this step, whose local SNR decides the stage.
    pub leader: u32,
    /// 1: all state is zero before this hop.
    pub reset: u32,
    /// Treatment of its hidden states.
    pub update: StateUpdate,
    /// Below this local SNR in dB: no decoder (silence).
    pub min_db: f32,
    /// Above: no decoder (clean).
    pub max_erb_db: f32,
    /// Above: no deep filter.
    pub max_df_db: f32,
}

/// Cost of a step in microseconds, each part waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Timings {
    /// Host to device.
    pub upload_us: f32,
    /// Network and deep filter.
    pub compute_us: f32,
    /// Device to host.
    pub download_us: f32,
}

/// An engine; only pointers to it cross.
#[repr(C)]
pub struct EngineHandle {
    _opaque: [u8; 0],
    _not_send: *mut c_void,
}

/// A whole-file run; only pointers to it cross.
#[repr(C)]
pub struct FileHandle {
    _opaque: [u8; 0],
    _not_send: *mut c_void,
}

/// The deep filter's methods, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct DfMethod(pub u32);

impl DfMethod {
    /// Loop over the taps.
    pub const REAL_LOOP: Self = Self(0);
    /// A strided view and real products.
    pub const REAL_STRIDED: Self = Self(1);
    /// An unfolded view and real products.
    pub const REAL_UNFOLD: Self = Self(2);
    /// A strided view and a complex product.
    pub const COMPLEX_STRIDED: Self = Self(3);
    /// One step over a ring of frames, no padding.
    pub const REAL_ONE_STEP: Self = Self(4);
    /// Step by step over a sequence with a hidden ring.
    pub const REAL_HIDDEN_STATE_LOOP: Self = Self(5);
}

/// One chunk of a whole-file run.
#[derive(Debug)]
#[repr(C)]
pub struct Chunk {
    /// Hops in this chunk; times the channels at most [`MAX_CHUNK_FRAMES`].
    pub n_hops: usize,
    /// As [`Lane::min_db`].
    pub min_db: f32,
    /// As [`Lane::max_erb_db`].
    pub max_erb_db: f32,
    /// As [`Lane::max_df_db`].
    pub max_df_db: f32,
    /// `[n_hops]`, for all channels.
    pub updates: *const StateUpdate,
    /// `[n_channels][n_hops][416]`.
    pub input: *const f32,
    /// `[n_channels][n_hops][225]`, written.
    pub output: *mut f32,
}

/// The backend's functions.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Api {
    /// [`ABI_VERSION`] of the backend. The only field to read before it is compared.
    pub abi_version: u32,
    /// Size of the backend's table in bytes: a second check of the same.
    pub size: u32,
    /// libtorch's facts about a device. Opens CUDA's libraries if the device is a CUDA one. `out` is written in any case: a
    /// device that is available and yet gives [`Status::NO_DEVICE`] runs its steps operation by operation, for the reason
    /// in the message.
    pub probe: unsafe extern "C" fn(device: DeviceAddress, out: *mut Probe, message: *mut Message) -> Status,
    /// Sets how many threads libtorch's CPU kernels may use in this process, 1 until then.
    pub set_threads: unsafe extern "C" fn(n_threads: u32, message: *mut Message) -> Status,
    /// Makes an engine, its weights on the device.
    pub engine_new: unsafe extern "C" fn(
        *const EngineConfig,
        out: *mut *mut EngineHandle,
        message: *mut Message,
    ) -> Status,
    /// Frees an engine; its files must be freed before. Null is ignored.
    pub engine_free: unsafe extern "C" fn(*mut EngineHandle),
    /// Runs every batch shape up to `n_lanes` lanes, so that no later step meets one for the first time.
    pub engine_warm_up:
        unsafe extern "C" fn(*mut EngineHandle, n_lanes: u32, message: *mut Message) -> Status,
    /// One hop of `n_lanes` lanes: `input[n_lanes][416]` to `output[n_lanes][225]`.
    pub engine_step: unsafe extern "C" fn(
        *mut EngineHandle,
        lanes: *const Lane,
        n_lanes: u32,
        input: *const f32,
        output: *mut f32,
        timings: *mut Timings,
        message: *mut Message,
    ) -> Status,
    /// An empty round trip: uploads and downloads the tensors of a step of `n_lanes`, and computes nothing.
    pub engine_round_trip: unsafe extern "C" fn(
        *mut EngineHandle,
        n_lanes: u32,
        timings: *mut Timings,
        message: *mut Message,
    ) -> Status,
    /// Begins a whole-file run on the engine's device and weights.
    pub file_new: unsafe extern "C" fn(
        *mut EngineHandle,
        n_channels: u32,
        method: DfMethod,
        out: *mut *mut FileHandle,
        message: *mut Message,
    ) -> Status,
    /// Infers a chunk; state carries over from chunk to chunk.
    pub file_push: unsafe extern "C" fn(
        *mut FileHandle,
        chunk: *const Chunk,
        timings: *mut Timings,
        message: *mut Message,
    ) -> Status,
    /// Frees a whole-file run. Null is ignored.
    pub file_free: unsafe extern "C" fn(*mut FileHandle),
}
