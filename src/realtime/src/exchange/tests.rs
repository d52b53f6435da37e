//! Exchanges under scripted and random interleavings.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn new_exchange(n_boxes: usize) -> (AudioEnd, WorkerEnd) {
    pair(1, n_boxes, std::thread::current())
}

fn send(audio: &mut AudioEnd, seq: u64) -> bool {
    audio.request(seq, Thresholds::default(), Rules::default(), &[SILENT_SPECTRUM], None, Instant::now())
}

fn answer_one(worker: &mut WorkerEnd) -> Option<(u64, bool)> {
    let Request { mut hop, is_first } = worker.receive()?;
    hop.outcome = Outcome::Answered;
    let seq = hop.seq;
    worker.answer(hop);
    Some((seq, is_first))
}

#[test]
fn a_reply_belongs_to_its_request() {
    let (mut audio, mut worker) = new_exchange(4);
    assert!(send(&mut audio, 7));
    assert!(audio.reply(7, None, |_| {}).is_none(), "not yet");
    assert_eq!(answer_one(&mut worker), Some((7, true)));
    let hop = audio.reply(7, None, |_| {}).unwrap();
    assert_eq!((hop.seq, hop.outcome), (7, Outcome::Answered));
    audio.recycle(hop);
    assert!(audio.is_caught_up());
}

#[test]
fn a_full_exchange_drops_requests_and_recovers() {
    let (mut audio, mut worker) = new_exchange(3);
    assert!((0..3).all(|seq| send(&mut audio, seq)));
    assert!(!send(&mut audio, 3));
    while answer_one(&mut worker).is_some() {}
    assert!(send(&mut audio, 4), "the oldest reply makes room");
    let mut stale = Vec::new();
    assert!(audio.reply(4, None, |hop| stale.push(hop.seq)).is_none());
    assert_eq!(stale, [1, 2], "the replies of hops that have been played are dropped");
}

#[test]
fn a_new_generation_forgets_the_old_one() {
    let (mut audio, mut worker) = new_exchange(8);
    send(&mut audio, 0);
    send(&mut audio, 1);
    assert_eq!(answer_one(&mut worker), Some((0, true)));
    audio.next_generation();
    send(&mut audio, 2);
    assert_eq!(answer_one(&mut worker), Some((2, true)), "hop 1 went back without being inferred");
    let reply = audio.reply(2, None, |_| panic!("an old generation is not late"));
    assert_eq!(reply.map(|hop| hop.seq), Some(2));
}

#[test]
fn waiting_ends_with_the_reply_or_the_deadline() {
    let (mut audio, mut worker) = new_exchange(2);
    let start = Instant::now();
    send(&mut audio, 0);
    let waited = audio.reply(0, Some(start + Duration::from_millis(30)), |_| {});
    assert!(waited.is_none() && start.elapsed() >= Duration::from_millis(30));
    let answering = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(5));
        answer_one(&mut worker);
        worker
    });
    let hop = audio.reply(0, Some(Instant::now() + Duration::from_secs(20)), |_| {});
    assert!(hop.is_some());
    audio.recycle(hop.unwrap());
    // With nothing under way there is nothing to wait for.
    let start = Instant::now();
    assert!(audio.reply(1, Some(start + Duration::from_secs(20)), |_| {}).is_none());
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(answering.join());
}

#[test]
fn either_end_notices_that_the_other_is_gone() {
    let (audio, worker) = new_exchange(2);
    drop(audio);
    assert!(worker.is_closed());
    let (mut audio, worker) = new_exchange(2);
    send(&mut audio, 0);
    drop(worker);
    assert!(audio.requests.is_abandoned());
}

/// Events of an exchange, in any order.
#[derive(Clone, Copy, Debug)]
enum Event {
    Hop,
    Answer,
    Reset,
}

proptest! {
    /// In any interleaving, replies come in order, once, of the current generation, for the hop that is due; the worker
    /// sees every hop of a generation in order; no box is lost.
    #[test]
    fn invariants_hold_under_any_interleaving(
        events in prop::collection::vec(
            prop_oneof![5 => Just(Event::Hop), 5 => Just(Event::Answer), 1 => Just(Event::Reset)], 1..400),
        n_boxes in 1usize..6,
        slack in 0u64..3,
    ) {
        let (mut audio, mut worker) = new_exchange(n_boxes);
        let mut seq = 0u64;
        let mut first_of_generation = 0u64;
        let mut expected = Vec::new();
        let mut inferred = None::<u64>;
        for event in events {
            match event {
                Event::Hop => {
                    if send(&mut audio, seq) {
                        expected.push(seq);
                    }
                    if let Some(due) = seq.checked_sub(slack)
                        && let Some(hop) = audio.reply(due, None, |_| {})
                    {
                        prop_assert_eq!(hop.seq, due);
                        prop_assert_eq!(hop.outcome, Outcome::Answered);
                        prop_assert!(due >= first_of_generation);
                        audio.recycle(hop);
                    }
                    seq += 1;
                }
                Event::Answer => {
                    if let Some((answered, is_first)) = answer_one(&mut worker) {
                        let next = expected.remove(0);
                        prop_assert_eq!(answered, next);
                        prop_assert!(answered >= first_of_generation);
                        prop_assert_eq!(is_first, inferred.is_none_or(|last| last < first_of_generation));
                        inferred = Some(answered);
                    }
                }
                Event::Reset => {
                    audio.next_generation();
                    expected.clear();
                    first_of_generation = seq;
                }
            }
        }
        while answer_one(&mut worker).is_some() {}
        prop_assert!(audio.is_caught_up());
    }
}
