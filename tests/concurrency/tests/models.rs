//! Every interleaving of two threads over the exchange and the meters' ring, as far as loom's bounds go.

use std::time::{Duration, Instant};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use tacet_concurrency::engine::{ChannelOut, Thresholds};
use tacet_concurrency::exchange::{AudioEnd, Outcome, Request, WorkerEnd, pair};
use tacet_concurrency::ring::Ring;
use tacet_concurrency::rules::Rules;
use tacet_concurrency::signal::WorkSignal;

/// Interleavings with at most this many preemptions: enough for every defect of two threads that is known (Musuvathi and
/// Qadeer, "Iterative Context Bounding", 2007), and the whole space of the ring's model.
fn check(max_preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(max_preemptions);
    builder.check(model);
}

fn send(audio: &mut AudioEnd, seq: u64) -> bool {
    audio.request(seq, Thresholds::default(), Rules::default(), &[seq as u32 + 1], None, Instant::now())
}

/// A deadline that does not come.
fn never() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(3600))
}

/// The worker's loop: answers what is there, ends with the audio side, else parks.
fn serve(worker: &mut WorkerEnd) -> Vec<u64> {
    let mut inferred = Vec::new();
    loop {
        if let Some(Request { mut hop, .. }) = worker.receive() {
            inferred.push(hop.seq);
            hop.outcome = Outcome::Answered;
            hop.output[0] = ChannelOut(hop.noisy[0] * 10);
            worker.answer(hop);
        } else if worker.is_closed() {
            return inferred;
        } else {
            thread::park();
        }
    }
}

/// Runs `audio` against a worker, and returns what the worker inferred.
fn exchange(n_boxes: usize, audio: impl FnOnce(AudioEnd)) -> Vec<u64> {
    let (ends, end) = loom::sync::mpsc::channel::<WorkerEnd>();
    let worker = thread::spawn(move || {
        let mut worker = end.recv().unwrap();
        serve(&mut worker)
    });
    let (audio_end, worker_end) = pair(1, n_boxes, worker.thread().clone());
    ends.send(worker_end).unwrap();
    audio(audio_end);
    worker.join().unwrap()
}

#[test]
fn no_wake_up_is_lost_and_a_reply_is_its_requests() {
    check(3, || {
        let inferred = exchange(2, |mut audio| {
            for seq in 0..2 {
                assert!(send(&mut audio, seq));
                let reply =
                    audio.reply(seq, never(), |_| panic!("nothing is late")).expect("it was waited for");
                assert_eq!((reply.seq, reply.output[0]), (seq, ChannelOut((seq as u32 + 1) * 10)));
                audio.recycle(reply);
            }
        });
        assert_eq!(inferred, [0, 1]);
    });
}

#[test]
fn replies_that_nobody_waits_for_come_in_order_and_no_box_is_lost() {
    check(3, || {
        exchange(2, |mut audio| {
            let sent: Vec<bool> = (0..3).map(|seq| send(&mut audio, seq)).collect();
            assert!(sent[0] && sent[1]);
            let mut stale = Vec::new();
            let last = if sent[2] { 2 } else { 1 };
            let reply = audio.reply(last, never(), |hop| stale.push(hop.seq)).expect("it was waited for");
            assert!(stale.is_sorted() && reply.seq == last);
            audio.recycle(reply);
            assert!(audio.is_caught_up());
        });
    });
}

#[test]
fn a_reset_never_lets_an_old_answer_through() {
    check(3, || {
        let inferred = exchange(3, |mut audio| {
            assert!(send(&mut audio, 0));
            audio.next_generation();
            assert!(send(&mut audio, 1));
            let reply = audio.reply(1, never(), |_| panic!("an old generation is not late"));
            let reply = reply.expect("it was waited for");
            assert_eq!((reply.seq, reply.outcome), (1, Outcome::Answered));
            audio.recycle(reply);
        });
        // Hop 0 was inferred before the reset or sent back unread, and hop 1 after it.
        assert!(inferred == [1] || inferred == [0, 1], "{inferred:?}");
    });
}

#[test]
fn the_end_is_always_noticed() {
    check(3, || {
        exchange(1, |mut audio| {
            send(&mut audio, 0);
        });
    });
}

#[test]
fn a_signal_is_never_lost_and_what_it_was_raised_for_is_seen() {
    check(3, || {
        let signal = Arc::new(WorkSignal::default());
        let n_causes = Arc::new(AtomicU32::new(0));
        let background = thread::spawn({
            let (signal, n_causes) = (signal.clone(), n_causes.clone());
            move || {
                let mut n_seen = 0;
                while n_seen < 2 {
                    if signal.take() {
                        n_seen = n_causes.load(Ordering::Relaxed);
                    } else {
                        thread::park();
                    }
                }
            }
        });
        signal.set_thread(background.thread().clone());
        for _ in 0..2 {
            n_causes.fetch_add(1, Ordering::Relaxed);
            signal.raise();
        }
        background.join().unwrap();
    });
}

#[test]
fn a_reader_gets_an_entry_whole_or_not_at_all() {
    check(4, || {
        let ring = Arc::new(Ring::new(2, 2));
        let writer = thread::spawn({
            let ring = ring.clone();
            move || (1..=3).for_each(|n| ring.write([n, n]))
        });
        for _ in 0..2 {
            let mut entry = [0; 2];
            let newest = ring.n_written();
            if newest > 0 && ring.read(newest - 1, &mut entry) {
                assert_eq!(entry, [newest as u32; 2]);
            }
        }
        writer.join().unwrap();
        let mut entry = [0; 2];
        assert!(ring.read(2, &mut entry) && entry == [3, 3]);
        assert!(!ring.read(1, &mut entry), "its place is the next one's");
    });
}
