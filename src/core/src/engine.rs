//! An engine runs the network and the one-step deep filter for many streams at once.
//!
//! Called on an inference thread (or, for files, on the thread that denoises). An engine owns all recurrent state of
//! its streams; a stream's result never depends on which other streams share its step.

pub mod native;
pub mod sequence;

use std::time::Instant;

use crate::frame::{Complex32, LowBins, Mask, SILENT_LOW_BINS};
use tacet_model::{LSNR_MAX_DB, LSNR_MIN_DB, N_BANDS};

/// One channel's share of a hop on its way into an engine: 416 contiguous `f32`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct ChannelIn {
    /// Normalised log power per ERB band, shape `[32]`.
    pub erb: [f32; N_BANDS],
    /// Unit-normalised low bins, shape `[96]` of (re, im).
    pub cplx: LowBins,
    /// The noisy low bins themselves, the newest frame the deep filter sees, shape `[96]` of (re, im).
    pub noisy: LowBins,
}

impl Default for ChannelIn {
    fn default() -> Self {
        Self { erb: [0.0; N_BANDS], cplx: SILENT_LOW_BINS, noisy: SILENT_LOW_BINS }
    }
}

/// One channel's share of a hop on its way out of an engine: 225 contiguous `f32`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct ChannelOut {
    /// Local SNR estimate in dB, -15..=35.
    pub lsnr_db: f32,
    /// Gain per ERB band; valid if the job's stage [has a mask](Stage::has_mask).
    pub mask: Mask,
    /// Deep-filtered low bins of the frame `lookahead` hops ago; valid if the stage is [`Stage::Full`].
    pub filtered: LowBins,
}

impl Default for ChannelOut {
    fn default() -> Self {
        Self { lsnr_db: LSNR_MIN_DB, mask: [1.0; N_BANDS], filtered: SILENT_LOW_BINS }
    }
}

/// Local-SNR thresholds in dB that decide which stages of the network run for a hop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Below: the frame is noise only and becomes silence.
    pub min_db: f32,
    /// Above: the frame is clean and stays as it is.
    pub max_erb_db: f32,
    /// Above: the mask alone, no deep filter.
    pub max_df_db: f32,
}

impl Default for Thresholds {
    /// Every stage always runs: the estimate cannot leave -15..=35 dB.
    fn default() -> Self {
        Self { min_db: LSNR_MIN_DB, max_erb_db: LSNR_MAX_DB, max_df_db: LSNR_MAX_DB }
    }
}

/// Effect of thresholds that are [far](Thresholds::are_far) from their defaults.
pub const FAR_THRESHOLDS: &str = "far from their defaults, the thresholds on the local SNR save time and cost speech: below \
     4.8 kHz the mask alone was never trained, and moments that are silenced or passed begin and end with a step";
/// How far a threshold may be from its default before it is far, in dB.
const FAR_DB: f32 = 5.0;

impl Thresholds {
    /// Whether one of them is far enough from its default to change ordinary speech.
    pub fn are_far(&self) -> bool {
        self.min_db > LSNR_MIN_DB + FAR_DB
            || self.max_erb_db < LSNR_MAX_DB - FAR_DB
            || self.max_df_db < LSNR_MAX_DB - FAR_DB
    }

    /// The stage for a local SNR, tested in the official order with strict comparisons.
    pub fn stage(&self, lsnr_db: f32) -> Stage {
        if lsnr_db < self.min_db {
            Stage::Silence
        } else if lsnr_db > self.max_erb_db {
            Stage::Clean
        } else if lsnr_db > self.max_df_db {
            Stage::MaskOnly
        } else {
            Stage::Full
        }
    }
}

/// The part of the network that ran for a hop. A decoder that did not run keeps its state frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Stage {
    /// No decoder: the frame becomes silence.
    Silence = 0,
    /// No decoder: the frame stays noisy.
    Clean = 1,
    /// The ERB decoder only.
    MaskOnly = 2,
    /// Both decoders.
    #[default]
    Full = 3,
}

impl Stage {
    /// Whether the ERB decoder ran.
    pub fn has_mask(self) -> bool {
        matches!(self, Stage::MaskOnly | Stage::Full)
    }
}

/// Treatment of a stream's hidden states, those of its recurrent layers, in a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum StateUpdate {
    /// The hop advances them.
    #[default]
    Advance = 0,
    /// The hop is computed from them and leaves them as they are.
    Hold = 1,
    /// They are zero before the hop, which advances them.
    Restart = 2,
}

/// An engine's handle of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId(pub u32);

/// One stream's hop. Made once per stream and reused, so that a step never allocates.
#[derive(Debug)]
pub struct Job {
    /// The stream, as [`Engine::open`] named it.
    pub stream: StreamId,
    /// Whether `input` holds a hop that the next step must infer; the step clears it.
    pub pending: bool,
    /// Stage thresholds for this hop; channel 0's local SNR decides for all channels.
    pub thresholds: Thresholds,
    /// Treatment of the hidden states.
    pub update: StateUpdate,
    /// One per channel.
    pub input: Box<[ChannelIn]>,
    /// One per channel.
    pub output: Box<[ChannelOut]>,
    /// The stage taken.
    pub stage: Stage,
}

impl Job {
    /// Allocates the buffers of a stream with `n_channels` channels.
    pub fn new(stream: StreamId, n_channels: usize) -> Self {
        Self {
            stream,
            pending: false,
            thresholds: Thresholds::default(),
            update: StateUpdate::default(),
            input: vec![ChannelIn::default(); n_channels].into(),
            output: vec![ChannelOut::default(); n_channels].into(),
            stage: Stage::default(),
        }
    }

    /// Whether every number of the output is one, as far as the stage makes it valid.
    pub fn is_finite(&self) -> bool {
        self.output.iter().all(|channel| {
            channel.lsnr_db.is_finite()
                && (!self.stage.has_mask() || channel.mask.iter().all(|gain| gain.is_finite()))
                && (self.stage != Stage::Full
                    || channel.filtered.iter().all(|bin| bin.re.is_finite() && bin.im.is_finite()))
        })
    }
}

/// Cost of one step, in microseconds. Engines on the CPU transfer nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTimings {
    /// Host to device.
    pub upload_us: f32,
    /// Network and deep filter, synchronised.
    pub compute_us: f32,
    /// Device to host.
    pub download_us: f32,
}

impl StepTimings {
    /// A step that only computed, begun at `start`.
    pub fn compute_since(start: Instant) -> Self {
        Self { compute_us: start.elapsed().as_secs_f32() * 1e6, ..Self::default() }
    }

    /// Upload, compute and download together.
    pub fn total_us(&self) -> f32 {
        self.upload_us + self.compute_us + self.download_us
    }
}

/// Error text for an engine whose output is not [finite](Job::is_finite).
pub const NOT_FINITE: &str = "it gives values that are not numbers";

/// Why a step or a stream failed. No output of the step is valid after an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The device reported an error; the engine may work again after a reset.
    #[error("the {device} engine failed: {reason}")]
    Failed {
        /// The engine's device.
        device: String,
        /// The device's message.
        reason: String,
    },
    /// The engine's capacity is used up.
    #[error("the engine has no room for another stream (limit {limit})")]
    Full {
        /// Most channels it can hold.
        limit: usize,
    },
    /// The stream was never opened, or is closed.
    #[error("stream {0:?} is not open")]
    UnknownStream(StreamId),
}

/// A network implementation on a device.
pub trait Engine: Send {
    /// The device's name, for people: "native CPU", "torch CUDA".
    fn name(&self) -> &str;

    /// Hops of lookahead of its model: output of step `t` belongs to frame `t - lookahead`.
    fn lookahead_hops(&self) -> usize;

    /// Smoothing factor of the features' normalisation, from the model's configuration.
    fn norm_alpha(&self) -> f32;

    /// Makes room for a stream of `n_channels` channels, all state zero. Allocates.
    ///
    /// # Errors
    /// [`EngineError::Full`] where the engine has a limit, [`EngineError::Failed`] from the device.
    fn open(&mut self, n_channels: usize) -> Result<StreamId, EngineError>;

    /// Forgets a stream. Unknown streams are ignored.
    fn close(&mut self, stream: StreamId);

    /// Clears all recurrent state of a stream, without allocating.
    fn reset(&mut self, stream: StreamId);

    /// Gives stream `to` the recurrent state of stream `from`, as if it had heard the same until now, where the engine can.
    /// Returns whether it did. May allocate.
    fn copy_state(&mut self, _from: StreamId, _to: StreamId) -> bool {
        false
    }

    /// Infers the hop of every pending job, in one pass over the weights, and clears `pending`. A job's output may hold values
    /// that are not finite, where the device is defective: the caller checks each, so that one costs no other stream anything.
    ///
    /// # Errors
    /// [`EngineError`]; then no job's output is valid and the streams' states are undefined until reset.
    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError>;
}

const _: () = assert!(size_of::<ChannelIn>() == 416 * size_of::<f32>() && size_of::<Complex32>() == 8);
const _: () = assert!(size_of::<ChannelOut>() == 225 * size_of::<f32>());
