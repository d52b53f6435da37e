//! Values that the panel shows besides parameters, filled by the plugin before each frame, or by a test.
//!
//! Nothing here is guessed. What was not measured is `None` and shows a dash.

pub use crate::inference::device_state::DeviceState;
use crate::lab::Summary;
use crate::latency::Latency;

use super::{level_meter::LevelMeter, trace::Trace};

/// Everything shown.
#[derive(Default)]
pub struct ViewModel {
    /// The stream that is being processed.
    pub stream: StreamView,
    /// Name of the network.
    pub model: String,
    /// Input level, all channels.
    pub input: LevelMeter,
    /// Output level, all channels.
    pub output: LevelMeter,
    /// Local SNR of the last hop in dB; `None` before the first.
    pub lsnr_db: Option<f32>,
    /// Feature gain of the last hop in dB, 0 at usual levels.
    pub feature_gain_db: f32,
    /// Reduction of what may be speech, in dB, over some seconds of it.
    pub active_reduction_db: f32,
    /// Upper end of band-limited input in Hz; `None` for full-band input.
    pub edge_hz: Option<f32>,
    /// The last seconds.
    pub trace: Trace,
    /// Slots A and B.
    pub slots: [SlotView; 2],
    /// Energy of the difference of B and A against A, dB.
    pub null_db: Option<f32>,
    /// The latency reported to the host; `None` while the plugin is not active.
    pub latency: Option<Latency>,
    /// The latency to come, in host samples, where another mode or model is chosen and not yet in force.
    pub pending_latency_samples: Option<usize>,
    /// Presets by name.
    pub presets: Presets,
    /// The computer and its libtorch.
    pub system: System,
    /// The process.
    pub process: Process,
    /// The standalone's audio devices; `None` in a host.
    pub audio: Option<Audio>,
    /// A problem at this moment, with what is done about it; `None` while there is none.
    pub fault: Option<String>,
    /// The latest notice, until it is dismissed.
    pub notice: Option<Notice>,
}

impl ViewModel {
    /// The latency reported to the host, in host samples; 0 while the plugin is not active.
    pub fn latency_samples(&self) -> usize {
        self.latency.map_or(0, |latency| latency.total_samples)
    }
}

/// The stream that is being processed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamView {
    /// The host's sample rate; 0 while the plugin is not active.
    pub rate_hz: f64,
    /// 1 or 2; 0 while the plugin is not active.
    pub n_channels: usize,
    /// Hops since the start or the last reset of the statistics.
    pub n_hops: u64,
    /// Hops among them whose reply came late.
    pub n_late: u64,
    /// The input is digital silence, nothing is computed.
    pub is_idle: bool,
}

impl StreamView {
    /// Whether the host processes audio.
    pub fn is_active(&self) -> bool {
        self.rate_hz > 0.0
    }
}

/// One slot as the panel shows it.
#[derive(Clone, Debug, Default)]
pub struct SlotView {
    /// Devices to choose from, in the order of the parameter's values.
    pub devices: Vec<DeviceView>,
    /// How the chosen device is doing.
    pub state: DeviceState,
    /// More about a live device: "AVX-512 · f32", "real_one_step".
    pub detail: String,
    /// Whether the device moves data to and from itself; a CPU does not.
    pub has_transfers: bool,
    /// Measurements of each [`Phase`](crate::lab::Phase), in their order.
    pub summaries: [Summary; 3],
    /// Median of empty round trips with the same tensors, microseconds.
    pub probe_us: Option<f32>,
}

/// A device in a picker.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceView {
    /// Its name.
    pub name: String,
    /// Why it is unavailable, with the next step; `None` if it is available.
    pub why_not: Option<String>,
}

/// Presets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presets {
    /// The presets that come with Tacet.
    pub factory: Vec<String>,
    /// The user's own.
    pub own: Vec<String>,
    /// The one recalled last.
    pub current: Option<String>,
    /// Whether a parameter was turned since.
    pub edited: bool,
}

/// The computer and its libtorch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct System {
    /// Name and version of the operating system.
    pub os: String,
    /// The processor's level of vector instructions in use.
    pub cpu: String,
    /// Version of the libtorch found, or why there is none.
    pub libtorch: String,
    /// How the deep filter is computed in live audio, and why.
    pub df_op_live: (String, String),
    /// How the deep filter is computed for files, and why.
    pub df_op_files: (String, String),
    /// Operations that MPS lacks run on the CPU; `None` where there is no MPS.
    pub mps_fallback: Option<bool>,
    /// Warnings about this computer.
    pub warnings: Vec<Warning>,
}

/// Something the user ought to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// In a few words.
    pub title: String,
    /// Its consequence for this user.
    pub meaning: String,
    /// The next step.
    pub next_step: String,
}

/// The process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Version of Tacet.
    pub version: String,
    /// Instances in this process.
    pub n_instances: usize,
    /// Inference threads and the streams each serves.
    pub workers: Vec<(String, usize)>,
}

/// The standalone's audio devices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audio {
    /// The backend's name.
    pub backend: String,
    /// Input devices.
    pub inputs: Vec<String>,
    /// The one in use.
    pub input: Option<String>,
    /// Output devices.
    pub outputs: Vec<String>,
    /// The one in use.
    pub output: Option<String>,
    /// Frames per audio callback.
    pub n_period_samples: usize,
    /// Latency of input and output device together, in milliseconds, where it is known.
    pub device_latency_ms: Option<f32>,
    /// Buffers that the audio system lost since the start, if it reports them.
    pub n_xruns: Option<u64>,
    /// Whether nothing is played.
    pub is_muted: bool,
}

/// A notice, shown once.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// In one sentence.
    pub text: String,
    /// Whether it is bad news.
    pub is_error: bool,
}
