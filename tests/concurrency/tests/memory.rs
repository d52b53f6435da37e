//! The exchange and the meters' ring with the primitives that they ship with, between real threads: for Miri, which checks
//! every access for races and for undefined behaviour. CONTRIBUTING.md has the command.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tacet_realtime::engine::Thresholds;
use tacet_realtime::exchange::{Outcome, Request, pair};
use tacet_realtime::frame::{Complex32, SILENT_SPECTRUM};
use tacet_realtime::meters::ring::Ring;
use tacet_realtime::rules::Rules;

/// Hops exchanged: Miri takes some ten milliseconds for each.
const N_HOPS: u64 = if cfg!(miri) { 20 } else { 2000 };
const N_HOPS_UNDER_WAY: usize = 3;

#[test]
fn hops_cross_and_come_back() {
    let (ends, end) = std::sync::mpsc::channel();
    let serving = std::thread::spawn(move || {
        let mut worker: tacet_realtime::exchange::WorkerEnd = end.recv().unwrap();
        loop {
            if let Some(Request { mut hop, .. }) = worker.receive() {
                hop.outcome = Outcome::Answered;
                hop.output[0].mask[0] = hop.noisy[0][0].re * 2.0;
                worker.answer(hop);
            } else if worker.is_closed() {
                return;
            } else {
                std::thread::park();
            }
        }
    });
    let (mut audio, worker_end) = pair(1, N_HOPS_UNDER_WAY, serving.thread().clone());
    ends.send(worker_end).unwrap();
    let mut noisy = [SILENT_SPECTRUM];
    let mut first = 0;
    for seq in 0..N_HOPS {
        if seq % 7 == 6 {
            audio.next_generation();
            first = seq;
        }
        noisy[0][0] = Complex32::new(seq as f32, 0.0);
        let is_sent =
            audio.request(seq, Thresholds::default(), Rules::default(), &noisy, None, Instant::now());
        let Some(due) = seq.checked_sub(1).filter(|due| *due >= first && is_sent) else { continue };
        let deadline = Instant::now() + Duration::from_secs(600);
        if let Some(hop) = audio.reply(due, Some(deadline), |_| {}) {
            assert_eq!((hop.seq, hop.output[0].mask[0]), (due, due as f32 * 2.0));
            audio.recycle(hop);
        }
    }
    drop(audio);
    serving.join().unwrap();
}

#[test]
fn a_reader_never_sees_half_an_entry() {
    const N_WORDS: usize = 5;
    let ring = Arc::new(Ring::new(4, N_WORDS));
    let n_entries = if cfg!(miri) { 200 } else { 200_000 };
    let writer = std::thread::spawn({
        let ring = ring.clone();
        move || (0..n_entries).for_each(|n| ring.write([n; N_WORDS]))
    });
    let mut entry = [0; N_WORDS];
    while !writer.is_finished() {
        if let Some(newest) = ring.n_written().checked_sub(1)
            && ring.read(newest, &mut entry)
        {
            assert_eq!(entry, [newest as u32; N_WORDS]);
        }
    }
    writer.join().unwrap();
    assert!(ring.read(u64::from(n_entries) - 1, &mut entry) && entry[0] == n_entries - 1);
}
