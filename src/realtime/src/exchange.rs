//! The exchange between an audio thread and an inference thread: the only thing that the two know of each other.
//!
//! A *lane* carries one stream (one plugin instance, mono or stereo) to one engine. Its slots are boxes made once: a slot
//! leaves as a request, comes back as the reply, and waits on the audio side to leave again, so that nothing is copied or
//! allocated on the way. [`AudioEnd`] belongs to the audio thread, [`WorkerEnd`] to the inference thread; both move
//! slots through wait-free rings. Requests have a sequence number (the hop they hold) and a generation, which a reset
//! raises: the worker clears the stream's state when it sees a new generation and returns older requests unanswered.
//!
//! The worker infers every request in order, late or not, because recurrent state must see every hop. A reply that comes
//! too late is stale: the audio thread drops it, and its delay never grows.

use std::time::{Duration, Instant};

use crate::engine::{ChannelOut, Stage, StepTimings, Thresholds};
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::sync::{
    Arc, AtomicBool, AtomicU32, Consumer, OnceLock, Ordering, Parker, Producer, PushError, RingBuffer,
    Thread, Unparker,
};

pub mod wait;

/// Slots of a lane: 640 ms of hops may be under way before a request is dropped.
pub const N_SLOTS: usize = 64;

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Not inferred: of an older generation, or the stream is closed.
    #[default]
    Returned,
    /// Inferred; the outputs are valid.
    Answered,
    /// The engine failed; no output is valid.
    Failed,
}

/// One hop on its way to an engine and back.
#[derive(Debug)]
pub struct Slot {
    /// Which hop of the stream it holds.
    pub seq: u64,
    /// The stream's generation when it was sent.
    pub generation: u32,
    /// Stage thresholds for this hop.
    pub thresholds: Thresholds,
    /// When it was sent.
    pub sent: Instant,
    /// The noisy frame, one spectrum per channel.
    pub noisy: Box<[Spectrum]>,
    /// What became of it.
    pub outcome: Outcome,
    /// Which stages of the network ran.
    pub stage: Stage,
    /// What the engine made of it, one per channel.
    pub output: Box<[ChannelOut]>,
    /// From sending until the worker took it, in microseconds.
    pub queue_us: f32,
    /// What the step that answered it cost.
    pub timings: StepTimings,
}

/// Origin of [`Slot::pushed_us`]; set before the first slot exists.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

impl Slot {
    fn new(n_channels: usize) -> Self {
        ORIGIN.get_or_init(Instant::now);
        Self {
            seq: 0,
            generation: 0,
            thresholds: Thresholds::default(),
            sent: Instant::now(),
            noisy: vec![SILENT_SPECTRUM; n_channels].into(),
            outcome: Outcome::Returned,
            stage: Stage::default(),
            output: vec![ChannelOut::default(); n_channels].into(),
            queue_us: 0.0,
            timings: StepTimings::default(),
        }
    }

    /// When it was sent, in microseconds since a fixed moment of the process. Real-time safe.
    pub fn pushed_us(&self) -> u64 {
        ORIGIN.get().map_or(0, |origin| self.sent.saturating_duration_since(*origin).as_micros() as u64)
    }
}

/// Wakes the inference thread. Ringing neither locks nor allocates.
#[derive(Clone, Debug)]
pub struct Bell(Thread);

impl Bell {
    /// A bell for a thread that parks when it has nothing to do.
    pub fn new(thread: Thread) -> Self {
        Self(thread)
    }

    /// Wakes the thread, or makes its next park return at once.
    pub fn ring(&self) {
        self.0.unpark();
    }
}

/// State of a lane that both ends see.
#[derive(Debug, Default)]
struct Shared {
    /// Written by the audio thread.
    generation: AtomicU32,
    /// Whether the audio end is gone.
    is_closed: AtomicBool,
}

/// The audio thread's end of a lane. Dropping it frees memory: not on the audio thread.
pub struct AudioEnd {
    requests: Producer<Box<Slot>>,
    replies: Consumer<Box<Slot>>,
    /// Slots that are nowhere else. Never grows beyond its first capacity.
    #[expect(clippy::vec_box, reason = "slots move through the rings as boxes")]
    idle: Vec<Box<Slot>>,
    n_slots: usize,
    shared: Arc<Shared>,
    bell: Bell,
    parker: Parker,
    waited: Duration,
}

/// The inference thread's end of a lane.
pub struct WorkerEnd {
    requests: Consumer<Box<Slot>>,
    replies: Producer<Box<Slot>>,
    shared: Arc<Shared>,
    generation: Option<u32>,
    unparker: Unparker,
}

/// Makes a lane of `n_slots` for streams of `n_channels`; `bell` wakes the thread that will hold the worker's end.
pub fn lane(n_channels: usize, n_slots: usize, bell: Bell) -> (AudioEnd, WorkerEnd) {
    let (requests, requested) = RingBuffer::new(n_slots);
    let (replied, replies) = RingBuffer::new(n_slots);
    let shared = Arc::new(Shared::default());
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    // The parker's lock may be made on first use: make it here, so that waiting never allocates.
    unparker.unpark();
    parker.park();
    let idle = (0..n_slots).map(|_| Box::new(Slot::new(n_channels))).collect();
    (
        AudioEnd {
            requests,
            replies,
            idle,
            n_slots,
            shared: shared.clone(),
            bell,
            parker,
            waited: Duration::ZERO,
        },
        WorkerEnd { requests: requested, replies: replied, shared, generation: None, unparker },
    )
}

impl AudioEnd {
    /// Sends a hop. Returns whether it left: if every slot is under way, the request is dropped. Where every slot is out, the
    /// oldest reply is a ring's length old; nobody will ask for it, and it makes room. Real-time safe.
    pub fn request(&mut self, seq: u64, thresholds: Thresholds, noisy: &[Spectrum], now: Instant) -> bool {
        let Some(mut slot) = self.idle.pop().or_else(|| self.replies.pop().ok()) else { return false };
        slot.seq = seq;
        slot.generation = self.shared.generation.load(Ordering::Relaxed);
        slot.thresholds = thresholds;
        slot.sent = now;
        slot.outcome = Outcome::Returned;
        slot.noisy.copy_from_slice(noisy);
        match self.requests.push(slot) {
            Ok(()) => {
                self.bell.ring();
                true
            }
            Err(PushError::Full(slot)) => {
                // Cannot be: the ring is as long as there are slots.
                self.idle.push(slot);
                false
            }
        }
    }

    /// The reply for `seq`, waiting for it until `deadline` if that lies in the future. Older replies are stale:
    /// `on_stale` sees them before they are dropped. Real-time safe unless it waits, which only the wait rule may ask for.
    pub fn reply(
        &mut self,
        seq: u64,
        deadline: Option<Instant>,
        mut on_stale: impl FnMut(&Slot),
    ) -> Option<Box<Slot>> {
        loop {
            let generation = self.shared.generation.load(Ordering::Relaxed);
            // Asked before the replies are looked at: one that comes in between is found, now or in the next round.
            let is_caught_up = self.is_caught_up();
            while let Ok(next) = self.replies.peek() {
                if next.generation == generation && next.seq > seq {
                    return None;
                }
                let Ok(slot) = self.replies.pop() else { break };
                if slot.generation == generation && slot.seq == seq {
                    return Some(slot);
                }
                if slot.generation == generation {
                    on_stale(&slot);
                }
                self.recycle(slot);
            }
            let deadline = deadline?;
            let now = Instant::now();
            // Nothing under way: no reply will come.
            if is_caught_up || now >= deadline {
                return None;
            }
            self.parker.park_deadline(deadline);
            self.waited += now.elapsed();
        }
    }

    /// Takes a reply back once it is used. Real-time safe.
    pub fn recycle(&mut self, slot: Box<Slot>) {
        debug_assert!(self.idle.len() < self.n_slots);
        self.idle.push(slot);
    }

    /// Whether every request has come back, in the ring or on this side: the worker is not behind. Real-time safe.
    pub fn is_caught_up(&self) -> bool {
        self.idle.len() + self.replies.slots() == self.n_slots
    }

    /// Starts a new generation: replies under way become stale, and the stream's state is cleared before the next
    /// request is inferred. Real-time safe.
    pub fn next_generation(&mut self) {
        // Publishes nothing but itself; each slot carries its own copy through the ring.
        self.shared.generation.fetch_add(1, Ordering::Relaxed);
        self.drain();
    }

    /// Takes all replies back unread. Real-time safe.
    pub fn drain(&mut self) {
        while let Ok(slot) = self.replies.pop() {
            self.recycle(slot);
        }
    }

    /// Time waited for replies since the last call.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// Whether the worker has dropped its end.
    pub fn is_closed(&self) -> bool {
        self.requests.is_abandoned()
    }
}

impl Drop for AudioEnd {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.bell.ring();
    }
}

/// A request as the worker receives it.
pub struct Request {
    /// The slot.
    pub slot: Box<Slot>,
    /// Whether it is the first of a generation: the stream's state must be cleared first.
    pub is_first: bool,
}

impl WorkerEnd {
    /// The next request of the current generation; older ones go back at once.
    pub fn receive(&mut self) -> Option<Request> {
        loop {
            let slot = self.requests.pop().ok()?;
            // The audio thread raises the generation before it sends, so that this is at least the slot's.
            if slot.generation == self.shared.generation.load(Ordering::Relaxed) {
                let is_first = self.generation != Some(slot.generation);
                self.generation = Some(slot.generation);
                return Some(Request { slot, is_first });
            }
            self.answer(slot);
        }
    }

    /// Whether a request waits.
    pub fn is_pending(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Sends a slot back and wakes the audio thread if it waits.
    pub fn answer(&mut self, slot: Box<Slot>) {
        // Fails only when the audio side is gone and the ring has filled up with what it left: then the slot just dies here.
        let _ = self.replies.push(slot);
        self.unparker.unpark();
    }

    /// Whether the audio thread's end is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed.load(Ordering::Acquire)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
