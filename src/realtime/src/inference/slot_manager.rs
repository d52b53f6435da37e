//! Chooses the engine of each slot of one plugin instance, and falls back when one fails.
//!
//! Slot A is what is heard, slot B what it is compared with. The slot manager lives off the audio thread: it connects
//! streams, hands them over to the processor through a ring once they are live, takes back what the processor has done
//! with, and falls back to the native engine when a device fails, keeping the reason. A slot that fell back stays there
//! until the user chooses again or retries, so that it cannot flap. The native engine itself is opened anew when it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};
use tacet_model::ModelKind;

use super::device_state::DeviceState;
use super::service::{END_PATIENCE, Stream};
use super::services::{ConnectError, Services};
use super::signal::WorkSignal;
use super::stream::{StreamState, StreamStatus};
use crate::device::Device;
use crate::slot::{N_SLOTS, SlotId};

/// Messages that may be under way to or from the processor.
const N_MESSAGES: usize = 16;

/// A native engine that fails is opened anew, but not again within this time: one that always fails would flap.
const REOPEN_PAUSE: Duration = Duration::from_secs(10);

/// A message to the processor.
pub enum SlotMessage {
    /// Serve the slot by this stream from now on.
    Serve(SlotId, Box<Stream>),
    /// Serve the slot no longer.
    Leave(SlotId),
}

/// The processor's end of the slot manager. Dropping it frees memory: not on the audio thread.
pub struct SlotInbox {
    messages: Consumer<SlotMessage>,
    returns: Producer<Box<Stream>>,
    signal: Arc<WorkSignal>,
}

impl SlotInbox {
    /// The next message. Real-time safe.
    pub fn receive(&mut self) -> Option<SlotMessage> {
        self.messages.pop().ok()
    }

    /// Gives a stream back to die elsewhere; if there is no room now, it comes back. Real-time safe.
    pub fn give_back(&mut self, stream: Box<Stream>) -> Option<Box<Stream>> {
        match self.returns.push(stream) {
            Ok(()) => {
                self.signal.raise();
                None
            }
            Err(rtrb::PushError::Full(stream)) => Some(stream),
        }
    }
}

/// Streams that have left. Dropping them may end a device's thread, which takes seconds where the device hangs: never under
/// a lock that a window or the host's main thread takes.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "streams come back through the ring as boxes")]
pub struct Retired(Vec<Box<Stream>>);

impl Retired {
    /// Adds what another call has retired.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

#[derive(Default)]
struct Slot {
    wanted: Option<Device>,
    /// The stream that the processor has or is about to have.
    served: Option<(Device, Arc<StreamStatus>)>,
    /// The stream that is being opened.
    opening: Option<Box<Stream>>,
    /// Since when the wanted device's thread, which is on its way out, is waited for.
    closing_since: Option<Instant>,
    failure: Option<String>,
    /// When the native engine was last opened anew because it had failed.
    reopened: Option<Instant>,
    /// Whether the processor is still to be told that it has no stream any more.
    is_leaving: bool,
}

/// The slots of one plugin instance. Belongs to the background thread, or whoever holds its lock; never to the audio
/// thread. No call waits for a device.
pub struct SlotManager {
    services: &'static Services,
    model: ModelKind,
    n_channels: usize,
    slots: [Slot; N_SLOTS],
    messages: Producer<SlotMessage>,
    returns: Consumer<Box<Stream>>,
    signal: Arc<WorkSignal>,
    retired: Retired,
}

impl SlotManager {
    /// A slot manager without streams, and the processor's end of it. `signal` is raised whenever [`Self::attend`] has
    /// something to do.
    pub fn new(
        services: &'static Services,
        model: ModelKind,
        n_channels: usize,
        signal: Arc<WorkSignal>,
    ) -> (Self, SlotInbox) {
        let (messages, received) = RingBuffer::new(N_MESSAGES);
        let (returned, returns) = RingBuffer::new(N_MESSAGES);
        let inbox = SlotInbox { messages: received, returns: returned, signal: signal.clone() };
        let slots = Default::default();
        let retired = Retired::default();
        (Self { services, model, n_channels, slots, messages, returns, signal, retired }, inbox)
    }

    /// Makes sure that slot A is served when this returns, by the native engine if nothing better is live, and that the
    /// first message in the inbox says so. Waits until the engine is open, at most `patience`.
    pub fn serve_at_once(&mut self, patience: Duration) {
        if let Some(stream) = self.connect(SlotId::A, Device::Native)
            && stream.wait_until_open(patience)
        {
            self.hand_over(SlotId::A, stream);
        }
    }

    /// Chooses the devices of the slots; `None` turns slot B off.
    pub fn choose(&mut self, a: Device, b: Option<Device>) -> Retired {
        for (id, device) in [(SlotId::A, Some(a)), (SlotId::B, b)] {
            if self.slots[id as usize].wanted != device {
                self.slots[id as usize].wanted = device;
                self.open(id);
            }
        }
        self.attend()
    }

    /// Tries the slot's device again, after it fell back.
    pub fn retry(&mut self, id: SlotId) -> Retired {
        if self.slots[id as usize].failure.is_some() {
            self.open(id);
        }
        self.attend()
    }

    /// Does what has become due: hands over streams that are live, falls back where one failed. Take the signal first.
    pub fn attend(&mut self) -> Retired {
        while let Ok(stream) = self.returns.pop() {
            self.retired.0.push(stream);
        }
        for id in SlotId::ALL {
            self.attend_slot(id);
        }
        std::mem::take(&mut self.retired)
    }

    /// Whether a device's thread that is on its way out is waited for: then [`Self::attend`] is due again in a moment, without
    /// a signal.
    pub fn is_waiting(&self) -> bool {
        self.slots.iter().any(|slot| slot.closing_since.is_some())
    }

    /// How the slots are served.
    pub fn states(&self) -> [DeviceState; N_SLOTS] {
        SlotId::ALL.map(|id| self.state(id))
    }

    /// How a slot is served.
    pub fn state(&self, id: SlotId) -> DeviceState {
        let slot = &self.slots[id as usize];
        let served = slot.served.as_ref().map(|(device, status)| (*device, status.is_heard()));
        let opening = slot.opening.as_ref().map(|stream| stream.status().state());
        DeviceState::decide(slot.wanted, slot.failure.as_deref(), served, opening)
    }

    /// Starts over for the slot's wanted device.
    fn open(&mut self, id: SlotId) {
        let slot = &mut self.slots[id as usize];
        slot.failure = None;
        slot.closing_since = None;
        self.retired.0.extend(slot.opening.take());
        match slot.wanted {
            Some(device) if slot.served.as_ref().is_some_and(|(served, _)| *served == device) => {}
            Some(device) => self.connect_slot(id, device),
            None if slot.served.is_some() => self.leave(id),
            None => {}
        }
    }

    /// Begins to open a device for the slot. Where it is unavailable, the native engine is being opened instead.
    fn connect_slot(&mut self, id: SlotId, device: Device) {
        if let Some(stream) = self.connect(id, device) {
            self.slots[id as usize].opening = Some(stream);
        }
    }

    fn connect(&mut self, id: SlotId, device: Device) -> Option<Box<Stream>> {
        let slot = &mut self.slots[id as usize];
        match self.services.connect(device, self.model, self.n_channels, &self.signal) {
            Ok(stream) => {
                slot.closing_since = None;
                Some(Box::new(stream))
            }
            Err(ConnectError::Closing(_))
                if slot.closing_since.get_or_insert_with(Instant::now).elapsed() < END_PATIENCE =>
            {
                None
            }
            Err(error) => {
                self.fail(id, error.to_string());
                None
            }
        }
    }

    fn hand_over(&mut self, id: SlotId, stream: Box<Stream>) {
        let served = (stream.device(), stream.status().clone());
        match self.messages.push(SlotMessage::Serve(id, stream)) {
            Ok(()) => {
                let slot = &mut self.slots[id as usize];
                (slot.served, slot.is_leaving) = (Some(served), false);
            }
            // The processor does not run: keep it for the next time.
            Err(rtrb::PushError::Full(SlotMessage::Serve(_, stream))) => {
                self.slots[id as usize].opening = Some(stream);
            }
            Err(_) => {}
        }
    }

    /// Has the processor drop the slot's stream: now, or once it takes messages again.
    fn leave(&mut self, id: SlotId) {
        let is_full = self.messages.push(SlotMessage::Leave(id)).is_err();
        let slot = &mut self.slots[id as usize];
        (slot.served, slot.is_leaving) = (None, is_full);
    }

    fn attend_slot(&mut self, id: SlotId) {
        if self.slots[id as usize].is_leaving {
            self.leave(id);
        }
        if self.slots[id as usize].closing_since.is_some()
            && let Some(device) = self.slots[id as usize].wanted
        {
            self.connect_slot(id, device);
        }
        if let Some(stream) = self.slots[id as usize].opening.take() {
            match stream.status().state() {
                state if state.is_opening() => self.slots[id as usize].opening = Some(stream),
                StreamState::Live => self.hand_over(id, stream),
                _ => {
                    self.fail(id, stream.status().reason().unwrap_or_default());
                    self.retired.0.push(stream);
                }
            }
        }
        let Some((device, status)) = &self.slots[id as usize].served else { return };
        let device = *device;
        let reason = match status.state() {
            StreamState::Failed => status.reason().unwrap_or_default(),
            _ if status.is_tripped() => self.why_tripped(device, status),
            _ => return,
        };
        let has_failed = status.state() == StreamState::Failed;
        // Being late is no failure of the native engine: nothing else would be sooner.
        if device.is_native() && !has_failed {
            return;
        }
        let slot = &mut self.slots[id as usize];
        slot.served = None;
        if device.is_native() && slot.reopened.is_none_or(|then| then.elapsed() > REOPEN_PAUSE) {
            slot.reopened = Some(Instant::now());
            self.connect_slot(id, device);
        } else {
            self.fail(id, reason);
        }
    }

    /// Why a device's replies failed to come, or were of no use.
    fn why_tripped(&self, device: Device, status: &StreamStatus) -> String {
        let hangs = self.services.reports(device).iter().find_map(|report| report.hangs_since());
        match (hangs, status.reason()) {
            (Some(age), _) => ConnectError::Hangs { device, age }.to_string(),
            (None, Some(trouble)) => {
                format!("{} was given up: {trouble}. Retry, or choose another device", device.name())
            }
            (None, None) => format!(
                "{} does not keep up: its replies come too late. Retry when the machine is less busy",
                device.name()
            ),
        }
    }

    /// Notes why a slot's device does not serve; slot A goes back to the native engine.
    fn fail(&mut self, id: SlotId, reason: String) {
        let slot = &mut self.slots[id as usize];
        slot.failure = Some(reason);
        slot.closing_since = None;
        self.retired.0.extend(slot.opening.take());
        let is_native =
            |slot: &Slot| slot.served.as_ref().is_some_and(|(device, _)| *device == Device::Native);
        match id {
            SlotId::A if slot.wanted.is_some_and(|device| device != Device::Native) && !is_native(slot) => {
                if let Ok(stream) =
                    self.services.connect(Device::Native, self.model, self.n_channels, &self.signal)
                {
                    // The worker raises the signal when it is live, which is when it is handed over.
                    slot.opening = Some(Box::new(stream));
                }
            }
            // The device before is to be opened anew when it is chosen again.
            SlotId::B => self.leave(id),
            SlotId::A => {}
        }
    }
}
