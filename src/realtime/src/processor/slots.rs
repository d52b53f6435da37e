//! Slots A and B on the audio thread: sends every hop to each engine in use, takes the replies that are due, and swaps
//! engines without a gap. Real-time safe.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tacet_model::DF_ORDER;

use crate::engine::Thresholds;
use crate::exchange::{ExchangeId, HopBox, Inheritance, Outcome};
use crate::features::Normalisation;
use crate::history::History;
use crate::inference::service::Stream;
use crate::inference::slot_manager::{SlotInbox, SlotMessage};
use crate::inference::stream::StreamState;
use crate::lab::HopTiming;
use crate::meters::{Meters, SlotMeters};
use crate::rules::Rules;
use crate::slot::{N_SLOTS, SlotId};

/// Hops that a new engine receives before it takes over from one that works. Its normalisation continues that one's. Unless
/// one engine serves both, the network's own memory begins empty and forgets slowly (bursts of harmonics in noise: the
/// outputs differ by -8 dB after a second, -39 dB after ten): this is a start without a gap, not the end of the difference.
const WARM_HOPS: u64 = 100;
/// Hops after a gap in an engine's input that are concealed although it answers: its deep filter spans five frames, and
/// would put together some from before the gap and some from after it.
const GAP_HOPS: u64 = DF_ORDER as u64;
/// Misses that trip a stream, where each reply in time takes [`FORGIVENESS`] back: half a second of nothing but misses.
const TRIP_MISSES: f32 = 50.0;
/// Credit for a reply in time.
const FORGIVENESS: f32 = 0.1;

/// The timing of a reply, for the lab.
fn timing(hop: &HopBox, missed: bool) -> HopTiming {
    HopTiming { pushed_us: hop.pushed_us(), queue_us: hop.queue_us, step: hop.timings, missed }
}

/// A stream with what the audio thread remembers about it.
struct FedStream {
    stream: Box<Stream>,
    /// Whether it makes sense to wait for it: after a miss, not before it has caught up by itself. So an engine that is stuck
    /// costs one wait, not one per hop.
    is_patient: bool,
    misses: f32,
    n_fed: u64,
    /// The first hop that it was sent since it began or was reset.
    first_seq: Option<u64>,
    /// The first hop whose answer does not span a gap.
    whole_from: u64,
}

impl FedStream {
    fn new(stream: Box<Stream>) -> Self {
        Self { stream, is_patient: true, misses: 0.0, n_fed: 0, first_seq: None, whole_from: 0 }
    }

    /// The reply for `seq` if it is there in time and holds an answer. A hop that was never sent is no miss.
    fn reply(&mut self, seq: u64, deadline: Instant, meters: &SlotMeters) -> Option<Box<HopBox>> {
        if self.first_seq.is_none_or(|first| seq < first) {
            return None;
        }
        let answer = self.answer(seq, deadline, meters);
        if answer.is_none() {
            meters.n_concealed.fetch_add(1, Relaxed);
        }
        answer
    }

    fn answer(&mut self, seq: u64, deadline: Instant, meters: &SlotMeters) -> Option<Box<HopBox>> {
        let deadline = self.is_patient.then_some(deadline);
        let first = self.first_seq;
        let hop = self.stream.exchange.reply(seq, deadline, |stale| {
            if first.is_none_or(|first| stale.seq < first) {
                // Nobody has asked for it: the stream only had to hear it.
                return;
            }
            meters.n_stale.fetch_add(1, Relaxed);
            meters.timings.write(timing(stale, true));
        });
        let Some(hop) = hop else {
            meters.n_late.fetch_add(1, Relaxed);
            self.is_patient = false;
            self.miss();
            return None;
        };
        meters.timings.write(timing(&hop, false));
        if hop.outcome == Outcome::Answered {
            self.misses = (self.misses - FORGIVENESS).max(0.0);
            if seq >= self.whole_from {
                return Some(hop);
            }
        } else {
            meters.n_failed.fetch_add(1, Relaxed);
            self.miss();
            // The worker has cleared the engine's state.
            self.note_gap(seq);
        }
        self.stream.exchange.recycle(hop);
        None
    }

    /// Notes that the engine has not heard hop `seq`.
    fn note_gap(&mut self, seq: u64) {
        self.whole_from = seq + GAP_HOPS;
    }

    fn works(&self) -> bool {
        let status = self.stream.status();
        status.state() == StreamState::Live && !status.is_tripped()
    }

    fn miss(&mut self) {
        self.misses += 1.0;
        if self.misses >= TRIP_MISSES {
            self.stream.status().trip();
        }
    }
}

/// One slot's streams.
#[derive(Default)]
struct SlotStreams {
    current: Option<FedStream>,
    /// Hears everything and waits for its turn.
    incoming: Option<FedStream>,
}

/// Both slots of a plugin instance.
pub struct Slots {
    slots: [SlotStreams; N_SLOTS],
    inbox: SlotInbox,
    /// A stream that could not be given back yet.
    retired: Option<Box<Stream>>,
    /// Whether no hop has been sent since the beginning or the last reset.
    is_fresh: bool,
    /// The newest hop whose normalisation is known, by whose reply, and that: what a stream that joins goes on from.
    known_by: Option<(u64, ExchangeId)>,
    known: Box<[Normalisation]>,
    /// Hops that waited for a reply.
    #[cfg(test)]
    pub(super) n_waited: u32,
}

impl Slots {
    /// Empty slots of a stream of `n_channels`; the slot manager fills them.
    pub fn new(inbox: SlotInbox, n_channels: usize) -> Self {
        let known = vec![Normalisation::default(); n_channels].into();
        Self {
            slots: Default::default(),
            inbox,
            retired: None,
            is_fresh: true,
            known_by: None,
            known,
            #[cfg(test)]
            n_waited: 0,
        }
    }

    /// Takes the slot manager's messages. Call between hops.
    pub fn attend(&mut self) {
        if let Some(stream) = self.retired.take() {
            self.retired = self.inbox.give_back(stream);
        }
        // One at a time where nothing can be given back.
        while self.retired.is_none() {
            match self.inbox.receive() {
                Some(SlotMessage::Serve(id, stream)) => {
                    let slot = &mut self.slots[id as usize];
                    let replaced = slot.incoming.replace(FedStream::new(stream));
                    self.retire(replaced);
                }
                Some(SlotMessage::Leave(id)) => {
                    let slot = std::mem::take(&mut self.slots[id as usize]);
                    self.retire(slot.current);
                    self.retire(slot.incoming);
                }
                None => break,
            }
        }
        for i in 0..N_SLOTS {
            self.promote(i);
        }
    }

    /// Lets an incoming stream take over: at once where nothing works, else when it is warm.
    fn promote(&mut self, i: usize) {
        let slot = &mut self.slots[i];
        let Some(incoming) = &slot.incoming else { return };
        if incoming.n_fed >= WARM_HOPS || !slot.current.as_ref().is_some_and(FedStream::works) {
            incoming.stream.status().set_heard();
            let replaced = std::mem::replace(&mut slot.current, slot.incoming.take());
            self.retire(replaced);
        }
    }

    fn retire(&mut self, fed: Option<FedStream>) {
        let Some(fed) = fed else { return };
        match self.inbox.give_back(fed.stream) {
            Some(stream) if self.retired.is_none() => self.retired = Some(stream),
            // The return ring is as long as the messages', and everything in it is taken at each look: a full ring with a
            // stream already in hand cannot be. Leaking beats freeing here.
            Some(stream) => {
                debug_assert!(false, "no room for a retired stream");
                std::mem::forget(stream);
            }
            None => {}
        }
    }

    /// Whether a slot has an engine.
    pub fn serves(&self, id: SlotId) -> bool {
        self.slots[id as usize].current.is_some()
    }

    /// Sends the newest hop of `history`, number `seq`, to every engine. A stream that joins in the middle goes on from the
    /// newest normalisation that is known, and receives the hops since then first.
    pub fn request(
        &mut self,
        seq: u64,
        thresholds: Thresholds,
        rules: Rules,
        history: &History,
        now: Instant,
        meters: &Meters,
    ) {
        let is_fresh = std::mem::replace(&mut self.is_fresh, false);
        for (slot, slot_meters) in self.slots.iter_mut().zip(&meters.slots) {
            for fed in slot.current.iter_mut().chain(&mut slot.incoming) {
                if fed.stream.exchange.is_caught_up() {
                    fed.is_patient = true;
                }
                let mut inherited = None;
                if fed.n_fed == 0 && !is_fresh {
                    // It joins in the middle.
                    let normalisation = &*self.known;
                    inherited = self.known_by.map(|(_, from)| Inheritance { from, normalisation });
                    let n_missed = self.known_by.map_or(0, |(known, _)| (seq - known).saturating_sub(1));
                    // More than the history holds: it goes on from what is known as if nothing had been missed.
                    let n_missed = if n_missed < history.n_hops() as u64 { n_missed } else { 0 };
                    fed.note_gap(seq - n_missed);
                    for ago in (1..=n_missed).rev() {
                        let noisy = history.get(ago as usize);
                        fed.stream.exchange.request(
                            seq - ago,
                            thresholds,
                            rules,
                            noisy,
                            inherited.take(),
                            now,
                        );
                        fed.n_fed += 1;
                    }
                }
                fed.n_fed += 1;
                fed.first_seq.get_or_insert(seq);
                if fed.stream.exchange.request(seq, thresholds, rules, history.get(0), inherited, now) {
                    slot_meters.n_requests.fetch_add(1, Relaxed);
                } else {
                    slot_meters.n_dropped.fetch_add(1, Relaxed);
                    fed.note_gap(seq);
                }
            }
        }
    }

    /// The slot's reply for the hop that is due, if it is there in time. Give it back by [`Self::recycle`].
    pub fn reply(&mut self, id: SlotId, seq: u64, deadline: Instant, meters: &Meters) -> Option<Box<HopBox>> {
        let slot_meters = &meters.slots[id as usize];
        let slot = &mut self.slots[id as usize];
        if let Some(incoming) = &mut slot.incoming {
            // Nobody waits for it yet; its replies only have to come home.
            if let Some(reply) = incoming.stream.exchange.reply(seq, None, |_| {}) {
                incoming.stream.exchange.recycle(reply);
            }
        }
        let current = slot.current.as_mut()?;
        let reply = current.reply(seq, deadline, slot_meters)?;
        if self.known_by.is_none_or(|(known, _)| known < seq) {
            self.known_by = Some((seq, current.stream.exchange.id()));
            self.known.copy_from_slice(&reply.normalisation);
        }
        Some(reply)
    }

    /// Gives a slot's reply back to its exchange.
    pub fn recycle(&mut self, id: SlotId, reply: Box<HopBox>) {
        match &mut self.slots[id as usize].current {
            Some(fed) => fed.stream.exchange.recycle(reply),
            None => {
                debug_assert!(false, "the stream of a reply in use is not taken away");
                std::mem::forget(reply);
            }
        }
    }

    /// Lets replies that nobody will ask for come home, while the stream sleeps.
    pub fn sleep(&mut self) {
        for slot in &mut self.slots {
            for fed in slot.current.iter_mut().chain(&mut slot.incoming) {
                fed.stream.exchange.drain();
                fed.first_seq = None;
            }
        }
    }

    /// Time that the audio thread has waited for replies since the last call, which is once a hop.
    pub(crate) fn take_waited(&mut self) -> Duration {
        let feds = self.slots.iter_mut().flat_map(|slot| &mut slot.current);
        let waited: Duration = feds.map(|fed| fed.stream.exchange.take_waited()).sum();
        #[cfg(test)]
        {
            self.n_waited += u32::from(!waited.is_zero());
        }
        waited
    }

    /// A new generation on every exchange.
    pub fn reset(&mut self) {
        self.is_fresh = true;
        self.known_by = None;
        for slot in &mut self.slots {
            for fed in slot.current.iter_mut().chain(&mut slot.incoming) {
                fed.stream.exchange.next_generation();
                fed.is_patient = true;
                fed.first_seq = None;
                fed.whole_from = 0;
            }
        }
    }
}
