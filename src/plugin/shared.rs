//! State that an instance shares with its background thread and its panel. Never locked by the audio thread.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tacet_model::ModelKind;
use tacet_realtime::background::{AttendRequest, Attended};

use crate::device::Device;
use crate::engine::torch::TorchBackend;
use crate::inference::services::Services;
use crate::inference::slot_manager::{N_SLOTS, SlotId, SlotInbox, SlotManager, SlotState};
use crate::latency::{Latency, LatencyMode};
use crate::meters::Meters;
use crate::models;
use crate::params::TacetParams;

use super::host_keys::HostKeys;
use super::preferences::Preferences;

/// See the module.
#[derive(Default)]
pub struct Shared {
    /// The parameters; the audio thread reads them.
    pub params: Arc<TacetParams>,
    /// What the audio thread tells.
    pub meters: Arc<Meters>,
    /// The latency reported to the host, while the plugin is active.
    pub latency: Mutex<Option<Latency>>,
    /// The mode and the model that the last activation was asked for.
    pub in_force: Mutex<Option<(LatencyMode, ModelKind)>>,
    /// Keys that the host offers.
    pub host_keys: HostKeys,
    /// Whether the host starts to process: nothing is to be cleared then.
    pub is_starting: AtomicBool,
    /// Raised when [`Self::attend`] has something to do.
    pub attention: Arc<AtomicBool>,
    /// Asks the background thread for [`Attended::attend`].
    request: AttendRequest,
    /// Slots whose device is to be tried again.
    retries: [AtomicBool; N_SLOTS],
    slot_manager: Mutex<Option<SlotManager>>,
    _counted: Counted,
}

/// Instances in this process.
static N_INSTANCES: AtomicUsize = AtomicUsize::new(0);

/// Counts an instance while it lives.
struct Counted;

impl Default for Counted {
    fn default() -> Self {
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
    /// What [`last_created`] returns.
    static LAST_CREATED: RefCell<Weak<Shared>> = const { RefCell::new(Weak::new()) };
}

/// What the instance shares that was created last on this thread. The framework creates an instance and shows it to nobody.
pub fn last_created() -> Option<Arc<Shared>> {
    LAST_CREATED.with_borrow(Weak::upgrade)
}

impl Shared {
    /// What a new instance shares.
    pub fn create() -> Arc<Self> {
        let shared = Arc::<Self>::default();
        LAST_CREATED.set(Arc::downgrade(&shared));
        shared
    }

    /// Instances of the plugin in this process.
    pub fn n_instances() -> usize {
        N_INSTANCES.load(Ordering::Relaxed)
    }

    /// Joins the inference services for slot A, and B where it is compared; waits until A has an engine, at most `patience`.
    /// What was joined before leaves.
    pub fn connect(&self, model: ModelKind, n_channels: usize, patience: Duration) -> SlotInbox {
        let (mut slot_manager, inbox) =
            SlotManager::new(Services::global(), model, n_channels, self.attention.clone());
        slot_manager.serve_at_once(patience);
        let (a, b) = self.devices_to_open();
        slot_manager.choose(a, b);
        *self.slot_manager.lock() = Some(slot_manager);
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

    /// Leaves the inference services.
    pub fn disconnect(&self) {
        *self.slot_manager.lock() = None;
        *self.latency.lock() = None;
    }

    /// Asks for [`Attended::attend`] on the background thread; once until it comes. Real-time safe.
    pub fn ask(&self) {
        self.request.ask();
    }

    /// Asks for another try of a slot's device, after it fell back.
    pub fn ask_to_retry(&self, id: SlotId) {
        self.retries[id as usize].store(true, Ordering::Relaxed);
        self.ask();
    }

    /// How a slot is served.
    pub fn slot_state(&self, id: SlotId) -> SlotState {
        self.slot_manager.lock().as_ref().map_or(SlotState::Off, |slot_manager| slot_manager.state(id))
    }

    /// The model that is asked for, or the embedded one where that is not installed. Reads the file system: not for the audio
    /// thread.
    pub fn available_model(&self) -> ModelKind {
        models::available(self.params.model())
    }
}

impl Attended for Shared {
    fn request(&self) -> &AttendRequest {
        &self.request
    }

    /// Brings the slots in line with the parameters and does what has become due.
    fn attend(&self) {
        if let Some(slot_manager) = &mut *self.slot_manager.lock() {
            let (a, b) = self.devices_to_open();
            slot_manager.choose(a, b);
            for id in SlotId::ALL {
                if self.retries[id as usize].swap(false, Ordering::Relaxed) {
                    slot_manager.retry(id);
                }
            }
        }
    }
}
