//! The exchange between an audio thread and an inference thread: the only thing that the two know of each other.
//!
//! An *exchange* carries one stream (one plugin instance, mono or stereo) to one engine. Its hops travel in boxes made
//! once: a box leaves as a request, comes back as the reply, and waits on the audio side to leave again, so that nothing
//! is copied or allocated on the way. [`AudioEnd`] belongs to the audio thread, [`WorkerEnd`] to the inference thread; both
//! move boxes through wait-free rings. Requests have a sequence number (the hop they hold) and a generation, which a reset
//! raises: the worker clears the stream's state when it sees a new generation and returns older requests unanswered.
//!
//! The worker infers every request in order, late or not, because recurrent state must see every hop. A reply that comes
//! too late is stale: the audio thread drops it, and its delay never grows.

use std::time::{Duration, Instant};

use crate::engine::{ChannelOut, Stage, StepTimings, Thresholds};
use crate::features::Normalisation;
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::rules::{Conditions, Rules};
use crate::sync::{
    Arc, AtomicBool, AtomicU32, Consumer, OnceLock, Ordering, Parker, Producer, PushError, RingBuffer,
    Thread, Unparker,
};

pub mod wait;

/// Boxes of an exchange: 640 ms of hops may be under way before a request is dropped.
pub const N_HOP_BOXES: usize = 64;

/// The outcome of a request.
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

/// Number of an exchange, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeId(u64);

impl ExchangeId {
    fn next() -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

/// Starting point of a stream that joins in the middle.
#[derive(Clone, Copy, Debug)]
pub struct Inheritance<'a> {
    /// The exchange of the stream that has heard what came before.
    pub from: ExchangeId,
    /// Its normalisation as of the hop before, one per channel.
    pub normalisation: &'a [Normalisation],
}

/// One hop on its way to an engine and back.
#[derive(Debug)]
pub struct HopBox {
    /// Number of the hop in its stream.
    pub seq: u64,
    /// The stream's generation when it was sent.
    pub generation: u32,
    /// Stage thresholds for this hop.
    pub thresholds: Thresholds,
    /// Rules for its features.
    pub rules: Rules,
    /// When it was sent.
    pub sent: Instant,
    /// The noisy frame, one spectrum per channel.
    pub noisy: Box<[Spectrum]>,
    /// One per channel. In an answer: what its features were normalised by. In a request: what the stream goes on from, if it
    /// `inherits`.
    pub normalisation: Box<[Normalisation]>,
    /// The stream that this one continues from at this hop: from [`normalisation`](Self::normalisation) and, if one engine
    /// serves both, from the engine's state.
    pub inherits: Option<ExchangeId>,
    /// The outcome.
    pub outcome: Outcome,
    /// The conditions under which its features were computed.
    pub conditions: Conditions,
    /// The stages of the network that ran.
    pub stage: Stage,
    /// The engine's output, one per channel.
    pub output: Box<[ChannelOut]>,
    /// From sending until the worker took it, in microseconds.
    pub queue_us: f32,
    /// Cost of the step that answered it.
    pub timings: StepTimings,
}

/// Origin of [`HopBox::pushed_us`]; set before the first box exists.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

impl HopBox {
    fn new(n_channels: usize) -> Self {
        ORIGIN.get_or_init(Instant::now);
        Self {
            seq: 0,
            generation: 0,
            thresholds: Thresholds::default(),
            rules: Rules::default(),
            sent: Instant::now(),
            noisy: vec![SILENT_SPECTRUM; n_channels].into(),
            normalisation: vec![Normalisation::default(); n_channels].into(),
            inherits: None,
            outcome: Outcome::Returned,
            conditions: Conditions::default(),
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

/// State of an exchange that both ends see.
#[derive(Debug, Default)]
struct ExchangeState {
    /// Written by the audio thread.
    generation: AtomicU32,
    /// Whether the audio end is gone.
    is_closed: AtomicBool,
}

/// The audio thread's end of an exchange. Dropping it frees memory: not on the audio thread.
pub struct AudioEnd {
    id: ExchangeId,
    requests: Producer<Box<HopBox>>,
    replies: Consumer<Box<HopBox>>,
    /// Boxes that are nowhere else. Never grows beyond its first capacity.
    #[expect(clippy::vec_box, reason = "slots move through the rings as boxes")]
    idle: Vec<Box<HopBox>>,
    n_boxes: usize,
    state: Arc<ExchangeState>,
    /// The inference thread, which parks when it has nothing to do. Waking it neither locks nor allocates.
    worker: Thread,
    parker: Parker,
    waited: Duration,
}

/// The inference thread's end of an exchange.
pub struct WorkerEnd {
    id: ExchangeId,
    requests: Consumer<Box<HopBox>>,
    replies: Producer<Box<HopBox>>,
    state: Arc<ExchangeState>,
    generation: Option<u32>,
    unparker: Unparker,
}

/// Makes an exchange of `n_boxes` for streams of `n_channels`; `worker` is the thread that will hold the worker's end.
pub fn pair(n_channels: usize, n_boxes: usize, worker: Thread) -> (AudioEnd, WorkerEnd) {
    let (requests, requested) = RingBuffer::new(n_boxes);
    let (replied, replies) = RingBuffer::new(n_boxes);
    let state = Arc::new(ExchangeState::default());
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    // The parker's lock may be made on first use: make it here, so that waiting never allocates.
    unparker.unpark();
    parker.park();
    let id = ExchangeId::next();
    let idle = (0..n_boxes).map(|_| Box::new(HopBox::new(n_channels))).collect();
    (
        AudioEnd {
            id,
            requests,
            replies,
            idle,
            n_boxes,
            state: state.clone(),
            worker,
            parker,
            waited: Duration::ZERO,
        },
        WorkerEnd { id, requests: requested, replies: replied, state, generation: None, unparker },
    )
}

impl AudioEnd {
    /// The exchange's number.
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// Sends a hop; with `inherited`, the stream goes on from there. Returns whether it left: if every box is under way, the
    /// request is dropped. Where every box is out, the oldest reply is a ring's length old; nobody will ask for it, and it
    /// makes room. Real-time safe.
    pub fn request(
        &mut self,
        seq: u64,
        thresholds: Thresholds,
        rules: Rules,
        noisy: &[Spectrum],
        inherited: Option<Inheritance<'_>>,
        now: Instant,
    ) -> bool {
        let Some(mut hop) = self.idle.pop().or_else(|| self.replies.pop().ok()) else { return false };
        hop.seq = seq;
        hop.generation = self.state.generation.load(Ordering::Relaxed);
        hop.thresholds = thresholds;
        hop.rules = rules;
        hop.sent = now;
        hop.outcome = Outcome::Returned;
        hop.noisy.copy_from_slice(noisy);
        hop.inherits = inherited.map(|inherited| inherited.from);
        if let Some(inherited) = inherited {
            hop.normalisation.copy_from_slice(inherited.normalisation);
        }
        match self.requests.push(hop) {
            Ok(()) => {
                self.worker.unpark();
                true
            }
            Err(PushError::Full(hop)) => {
                // Cannot be: the ring is as long as there are boxes.
                self.idle.push(hop);
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
        mut on_stale: impl FnMut(&HopBox),
    ) -> Option<Box<HopBox>> {
        loop {
            let generation = self.state.generation.load(Ordering::Relaxed);
            // Asked before the replies are looked at: one that comes in between is found, now or in the next round.
            let is_caught_up = self.is_caught_up();
            while let Ok(next) = self.replies.peek() {
                if next.generation == generation && next.seq > seq {
                    return None;
                }
                let Ok(hop) = self.replies.pop() else { break };
                if hop.generation == generation && hop.seq == seq {
                    return Some(hop);
                }
                if hop.generation == generation {
                    on_stale(&hop);
                }
                self.recycle(hop);
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
    pub fn recycle(&mut self, hop: Box<HopBox>) {
        debug_assert!(self.idle.len() < self.n_boxes);
        self.idle.push(hop);
    }

    /// Whether every request has come back, in the ring or on this side: the worker is not behind. Real-time safe.
    pub fn is_caught_up(&self) -> bool {
        self.idle.len() + self.replies.slots() == self.n_boxes
    }

    /// Starts a new generation: replies under way become stale, and the stream's state is cleared before the next
    /// request is inferred. Real-time safe.
    pub fn next_generation(&mut self) {
        // Publishes nothing but itself; each box carries its own copy through the ring.
        self.state.generation.fetch_add(1, Ordering::Relaxed);
        self.drain();
    }

    /// Takes all replies back unread. Real-time safe.
    pub fn drain(&mut self) {
        while let Ok(hop) = self.replies.pop() {
            self.recycle(hop);
        }
    }

    /// Time waited for replies since the last call.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }
}

impl Drop for AudioEnd {
    fn drop(&mut self) {
        self.state.is_closed.store(true, Ordering::Release);
        self.worker.unpark();
    }
}

/// A request as the worker receives it.
pub struct Request {
    /// The box.
    pub hop: Box<HopBox>,
    /// Whether it is the first of a generation: the stream's state must be cleared first.
    pub is_first: bool,
}

impl WorkerEnd {
    /// The exchange's number.
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// The next request of the current generation; older ones go back at once.
    pub fn receive(&mut self) -> Option<Request> {
        loop {
            let hop = self.requests.pop().ok()?;
            // The audio thread raises the generation before it sends, so that this is at least the box's.
            if hop.generation == self.state.generation.load(Ordering::Relaxed) {
                let is_first = self.generation != Some(hop.generation);
                self.generation = Some(hop.generation);
                return Some(Request { hop, is_first });
            }
            self.answer(hop);
        }
    }

    /// Whether a request waits.
    pub fn is_pending(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Sends a box back and wakes the audio thread if it waits.
    pub fn answer(&mut self, hop: Box<HopBox>) {
        // Fails only when the audio side is gone and the ring has filled up with what it left: then the box just dies here.
        let _ = self.replies.push(hop);
        self.unparker.unpark();
    }

    /// Whether the audio thread's end is gone.
    pub fn is_closed(&self) -> bool {
        self.state.is_closed.load(Ordering::Acquire)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
