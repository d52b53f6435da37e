//! State shared by an instance, its background thread and its panel. Never locked by the audio thread; no lock that the
//! panel takes is held while anything waits for a device.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nice_plug::editor::dpi::NativeSize;
use parking_lot::Mutex;
use tacet_model::ModelKind;
use tacet_realtime::background::Attended;

use crate::device::Device;
use crate::engine::torch::TorchBackend;
use crate::inference::device_state::DeviceState;
use crate::inference::native::{self, NativeError, Playable};
use crate::inference::services::Services;
use crate::inference::signal::WorkSignal;
use crate::inference::slot_manager::{Retired, SlotInbox, SlotManager};
use crate::latency::{Latency, LatencyMode};
use crate::meters::Meters;
use crate::params::TacetParams;
use crate::processor::controls::Controls;
use crate::slot::{N_SLOTS, SlotId};

use super::host_keys::HostKeys;
use super::preferences::Preferences;

/// See the module.
pub struct Shared {
    /// The parameters; the audio thread reads them.
    pub params: Arc<TacetParams>,
    /// The audio thread's meters.
    pub meters: Arc<Meters>,
    /// The latency reported to the host, while the plugin is active.
    pub latency: Mutex<Option<Latency>>,
    /// The mode and the model that the last activation was asked for.
    pub in_force: Mutex<Option<(LatencyMode, ModelKind)>>,
    /// Keys that the host offers.
    pub host_keys: HostKeys,
    /// The thread that draws the open window.
    #[cfg(target_os = "linux")]
    pub drawing_thread: super::drawing::DrawingThread,
    /// The smallest window, in pixels, as of the last picture.
    pub smallest_window: Mutex<[u32; 2]>,
    /// The size of the open window, as hosts count it.
    pub open_size: Mutex<Option<NativeSize<u32>>>,
    /// Whether the host starts to process: nothing is to be cleared then.
    pub is_starting: AtomicBool,
    /// Blocks processed; stands still while no host calls.
    pub n_blocks: AtomicU64,
    /// Samples of the host's block that begins: the framework hands over pieces of it, none of which says so.
    pub n_block_samples: AtomicU32,
    /// Whether nothing is played, in a program of its own.
    pub is_muted: AtomicBool,
    /// Raised when [`Self::attend`] has something to do.
    pub signal: Arc<WorkSignal>,
    /// Slots whose device is to be tried again.
    retries: [AtomicBool; N_SLOTS],
    services: &'static Services,
    /// Held for moments: no call of the slot manager waits for a device.
    slot_manager: Mutex<Option<SlotManager>>,
    /// How the slots are served, as of the last turn: what the panel reads.
    states: Mutex<[DeviceState; N_SLOTS]>,
    /// Objects for the background thread to drop.
    retired: Mutex<Vec<Box<dyn Send>>>,
    _counted: Counted,
}

impl Default for Shared {
    fn default() -> Self {
        Self::on(Services::global())
    }
}

/// Instances in this process.
static N_INSTANCES: AtomicUsize = AtomicUsize::new(0);

/// Counts an instance while it lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        N_INSTANCES.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        N_INSTANCES.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    /// The instance that [`last_created`] returns.
    static LAST_CREATED: RefCell<Weak<Shared>> = const { RefCell::new(Weak::new()) };
}

/// Shared state of the instance created last on this thread: the framework creates an instance and shows it to nobody.
pub(crate) fn last_created() -> Option<Arc<Shared>> {
    LAST_CREATED.with_borrow(Weak::upgrade)
}

impl Shared {
    /// Shared state of a new instance.
    pub fn create() -> Arc<Self> {
        let shared = Arc::<Self>::default();
        LAST_CREATED.set(Arc::downgrade(&shared));
        shared
    }

    /// Instances of the plugin in this process.
    pub fn n_instances() -> usize {
        N_INSTANCES.load(Ordering::Relaxed)
    }

    /// An instance whose streams are served by `services`; the process's own but for tests.
    pub fn on(services: &'static Services) -> Self {
        Self {
            params: Arc::default(),
            meters: Arc::default(),
            latency: Mutex::default(),
            in_force: Mutex::default(),
            host_keys: HostKeys::default(),
            #[cfg(target_os = "linux")]
            drawing_thread: Default::default(),
            smallest_window: Mutex::default(),
            open_size: Mutex::default(),
            is_starting: AtomicBool::new(false),
            n_blocks: AtomicU64::new(0),
            n_block_samples: AtomicU32::new(0),
            is_muted: AtomicBool::new(false),
            signal: Arc::default(),
            retries: Default::default(),
            services,
            slot_manager: Mutex::default(),
            states: Mutex::default(),
            retired: Mutex::default(),
            _counted: Counted::new(),
        }
    }

    /// The inference services that serve it.
    pub fn services(&self) -> &'static Services {
        self.services
    }

    /// Joins the inference services for slot A, and B where it is compared; waits until A has an engine, at most `patience`.
    /// Connects to the inference service; earlier connections are dropped on the background thread.
    pub fn connect(&self, model: ModelKind, n_channels: usize, patience: Duration) -> SlotInbox {
        let (mut slot_manager, inbox) =
            SlotManager::new(self.services, model, n_channels, self.signal.clone());
        slot_manager.serve_at_once(patience);
        let (a, b) = self.devices_to_open();
        let left = slot_manager.choose(a, b);
        *self.states.lock() = slot_manager.states();
        let before = self.slot_manager.lock().replace(slot_manager);
        // This also raises the signal: the background thread may have taken it for the slot manager before this one.
        self.retire((before, left));
        inbox
    }

    /// The devices of the slots. What libtorch reads when it is opened is set before one of its devices is chosen.
    fn devices_to_open(&self) -> (Device, Option<Device>) {
        let (a, b) = self.params.devices();
        let is_torch = |device: Device| !device.is_native();
        if (is_torch(a) || b.is_some_and(is_torch)) && TorchBackend::opened().is_none() {
            Preferences::load().apply();
        }
        (a, b)
    }

    /// Has the background thread drop something that may take seconds where a device hangs.
    pub fn retire(&self, what: impl Send + 'static) {
        self.retired.lock().push(Box::new(what));
        self.signal.raise();
    }

    /// Leaves the inference services.
    pub(crate) fn disconnect(&self) {
        let slot_manager = self.slot_manager.lock().take();
        let retired = std::mem::take(&mut *self.retired.lock());
        drop((slot_manager, retired));
        *self.states.lock() = Default::default();
        *self.latency.lock() = None;
    }

    /// Asks for another try of a slot's device, after it fell back.
    pub(crate) fn ask_to_retry(&self, id: SlotId) {
        self.retries[id as usize].store(true, Ordering::Relaxed);
        self.signal.raise();
    }

    /// A snapshot for the audio thread. Real-time safe.
    pub fn controls(&self) -> Controls {
        let mut controls = self.params.controls();
        if self.is_muted.load(Ordering::Relaxed) {
            // The gain fades; bypass would pass it by.
            (controls.output_gain, controls.bypass) = (0.0, false);
        }
        controls
    }

    /// How a slot is served. Never waits for a device.
    pub(crate) fn slot_state(&self, id: SlotId) -> DeviceState {
        self.states.lock()[id as usize].clone()
    }

    /// The model that is asked for, or the embedded one where that cannot be played. Reads the file system: not for the audio
    /// thread.
    ///
    /// # Errors
    /// The embedded one cannot be played either.
    pub(crate) fn playable_model(&self) -> Result<Playable, NativeError> {
        native::playable(self.params.model())
    }
}

impl Attended for Shared {
    fn signal(&self) -> &WorkSignal {
        &self.signal
    }

    /// One turn of the background thread: brings the slots in line with the parameters, does what has become due, publishes
    /// how the slots are served, and drops what has left.
    fn attend(&self) -> bool {
        // Taken first: what is asked for from now on is done in the next turn.
        self.signal.take();
        let (a, b) = self.devices_to_open();
        let mut left = Retired::default();
        let mut is_waiting = false;
        if let Some(slot_manager) = &mut *self.slot_manager.lock() {
            left.append(slot_manager.choose(a, b));
            for id in SlotId::ALL {
                if self.retries[id as usize].swap(false, Ordering::Relaxed) {
                    left.append(slot_manager.retry(id));
                }
            }
            is_waiting = slot_manager.is_waiting();
            *self.states.lock() = slot_manager.states();
        }
        // Outside of the locks: it takes seconds where a device hangs.
        let retired = std::mem::take(&mut *self.retired.lock());
        drop((left, retired));
        is_waiting
    }
}
