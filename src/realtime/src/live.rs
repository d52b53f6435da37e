//! One stream that is denoised while it plays: a processor, its engine, and the thread that looks after both.
//!
//! Replaces the plugin framework around a processor for programs without one: opened and dropped off the audio
//! thread, [`Live::process`] and [`Live::reset`] on it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rubato::ResamplerConstructionError;
use tacet_model::ModelKind;

use crate::background::{Attended, BackgroundThread};
use crate::device::Device;
use crate::inference::device_state::DeviceState;
use crate::inference::native::{NativeError, lookahead_hops};
use crate::inference::services::Services;
use crate::inference::signal::WorkSignal;
use crate::inference::slot_manager::SlotManager;
use crate::latency::{Latency, LatencyMode};
use crate::meters::{Meters, N_CHANNELS};
use crate::models;
use crate::processor::controls::Controls;
use crate::processor::{Processor, Setup};
use crate::resample::{MAX_RATE_HZ, MIN_RATE_HZ, Plan};
use crate::slot::SlotId;

/// How long opening waits for the engine. Packing the weights takes a few hundredths of a second; a machine that needs
/// longer starts with the noisy signal.
pub const OPEN_PATIENCE: Duration = Duration::from_secs(10);

/// Options of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Sample rate in hertz.
    pub rate_hz: f64,
    /// Channels, 1 or 2.
    pub n_channels: usize,
    /// The network; the embedded one runs where this is not installed.
    pub model: ModelKind,
    /// The slack.
    pub mode: LatencyMode,
    /// The network's device; the native engine where this fails.
    pub device: Device,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Not a rate that audio has.
    #[error("a sample rate of {0} Hz cannot be processed: choose one from {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")]
    Rate(f64),
    /// Neither mono nor stereo.
    #[error("{0} channels cannot be processed: choose 1 or 2")]
    Channels(usize),
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] NativeError),
    /// The sample-rate conversion cannot be built.
    #[error("the sample-rate conversion cannot be built ({0}): choose 48000 Hz")]
    Resampler(#[from] ResamplerConstructionError),
}

/// A stream.
pub struct Live {
    // In this order: the processor lets go of its stream, then the slots do, then the thread ends.
    processor: Processor,
    slots: OwnedSlots,
    /// `None` where the system has no thread to give: then engines that fail are not opened anew.
    _background: Option<Arc<BackgroundThread>>,
    meters: Arc<Meters>,
}

/// The stream's slots; dropping this leaves the inference services, whoever else still holds them.
struct OwnedSlots(Arc<AttendedSlots>);

impl Drop for OwnedSlots {
    fn drop(&mut self) {
        let left = self.0.slot_manager.lock().take();
        drop(left);
    }
}

/// State that the stream shares with the background thread. Never locked by the audio thread.
struct AttendedSlots {
    slot_manager: Mutex<Option<SlotManager>>,
    /// Raised when the slots need to be attended to.
    signal: Arc<WorkSignal>,
}

impl Attended for AttendedSlots {
    fn signal(&self) -> &WorkSignal {
        &self.signal
    }

    fn attend(&self) -> bool {
        self.signal.take();
        let attended = self.slot_manager.lock().as_mut().map(|slots| (slots.attend(), slots.is_waiting()));
        // Streams that have left are dropped here, outside of the lock.
        attended.is_some_and(|(_left, is_waiting)| is_waiting)
    }
}

impl Live {
    /// Opens a stream on the process's services and waits until an engine serves it, at most [`OPEN_PATIENCE`].
    ///
    /// # Errors
    /// The rate or the number of channels is out of range.
    pub fn open(options: &Options) -> Result<Self, LiveError> {
        let &Options { rate_hz, n_channels, mode, device, .. } = options;
        let plan = Plan::new(rate_hz).ok_or(LiveError::Rate(rate_hz))?;
        if !(1..=N_CHANNELS).contains(&n_channels) {
            return Err(LiveError::Channels(n_channels));
        }
        let model = models::available(options.model);
        let signal = Arc::new(WorkSignal::default());
        let (mut slot_manager, inbox) =
            SlotManager::new(Services::global(), model, n_channels, signal.clone());
        slot_manager.serve_at_once(OPEN_PATIENCE);
        slot_manager.choose(device, None);
        let meters = Arc::new(Meters::default());
        let setup = Setup { plan, n_channels, lookahead_hops: lookahead_hops(model)?, mode };
        let processor = Processor::new(setup, inbox, meters.clone())?;
        let slot_manager = Mutex::new(Some(slot_manager));
        let shared = Arc::new(AttendedSlots { slot_manager, signal });
        // Without a thread the slots stay as they are now: the native engine plays.
        let background = BackgroundThread::join(&shared).ok();
        Ok(Self { processor, slots: OwnedSlots(shared), _background: background, meters })
    }

    /// Processes a block in place: one slice per channel, all of one length. Real-time safe.
    pub fn process<C: AsRef<[f32]> + AsMut<[f32]>>(&mut self, block: &mut [C], controls: &Controls) {
        // Nobody says whether a host renders offline: the wait rule finds out.
        self.processor.process(block, controls, false);
    }

    /// Forgets everything heard. Real-time safe.
    pub fn reset(&mut self) {
        self.processor.reset();
    }

    /// The setup of the stream.
    pub fn setup(&self) -> &Setup {
        self.processor.setup()
    }

    /// The latency.
    pub fn latency(&self) -> &Latency {
        self.processor.latency()
    }

    /// The audio thread's meters.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// How the stream is served. Locks: not on the audio thread.
    pub fn state(&self) -> DeviceState {
        self.slots.0.slot_manager.lock().as_ref().map_or(DeviceState::Off, |slots| slots.state(SlotId::A))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            rate_hz: 48e3,
            n_channels: 1,
            model: ModelKind::DeepFilterNet3,
            mode: LatencyMode::Safe,
            device: Device::Native,
        }
    }

    #[test]
    fn impossible_options_are_refused_with_the_range() {
        let rate = Live::open(&Options { rate_hz: f64::NAN, ..options() }).err().unwrap();
        assert!(rate.to_string().contains("1000 to 1600000"), "{rate}");
        let channels = Live::open(&Options { n_channels: 3, ..options() }).err().unwrap();
        assert!(channels.to_string().contains("1 or 2"), "{channels}");
    }

    #[test]
    fn a_stream_is_served_attended_to_and_delayed_as_it_says() {
        let mut live = Live::open(&options()).unwrap();
        assert!(live._background.is_some());
        assert_eq!(live.latency().total_samples, 2400);
        let controls = Controls { bypass: true, ..Controls::default() };
        let mut block = [vec![0.0f32; 4800]];
        live.process(&mut block, &controls);
        live.reset();
        block[0].fill(0.0);
        block[0][7] = 0.5;
        live.process(&mut block, &controls);
        let peak = block[0].iter().position(|sample| sample.abs() > 0.4);
        assert_eq!(peak, Some(2407));
        assert_eq!(live.state(), DeviceState::Live(Device::Native));
    }
}
