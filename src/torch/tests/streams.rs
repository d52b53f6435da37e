//! Lanes, batches and sequences of the real model on the CPU: a lane's result depends on nothing but its own inputs, and
//! whole sequences give what steps give.

#[path = "../../../tests/support/agreement.rs"]
mod agreement;

use std::path::PathBuf;
use std::rc::Rc;

use agreement::agreement_db;
use tacet_model::Model;
use tacet_torch::sequence::{Bounds, Sequence};
use tacet_torch::streams::Streams;
use tacet_torch::target::Target;
use tacet_torch::weights::Weights;
use tacet_torch_pack::abi::{DfMethod, Lane, N_INPUT, N_OUTPUT, StateUpdate};

const OPEN: [f32; 3] = [-15.0, 35.0, 35.0];
/// Least agreement of two ways to the same result, in dB; 124 and more was observed.
const AGREEMENT_DB: f64 = 100.0;

fn weights() -> Rc<Weights> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("target"),
        PathBuf::from,
    );
    let path = target.join("model/DeepFilterNet3.safetensors");
    let model = Model::from_file(&path).unwrap_or_else(|error| panic!("{error}; run `cargo xtask setup`"));
    tch::set_num_threads(1);
    Rc::new(Weights::new(&model, Target::CPU).unwrap())
}

/// Inputs of a lane: noise whose level wanders, so that the local SNR does.
fn inputs(seed: u32, n_hops: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9);
    let mut random = move || {
        // A linear congruential generator (Numerical Recipes).
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / (1_u64 << 31) as f32 - 1.0
    };
    (0..n_hops)
        .flat_map(|hop| {
            let level = 1.2 + (hop as f32 * 0.13 + seed as f32).sin();
            (0..N_INPUT).map(|_| random() * level).collect::<Vec<_>>()
        })
        .collect()
}

fn lane(number: u32, leader: u32, first: bool, [min_db, max_erb_db, max_df_db]: [f32; 3]) -> Lane {
    let update = StateUpdate::ADVANCE;
    Lane { number, leader, reset: first.into(), update, min_db, max_erb_db, max_df_db }
}

/// One lane alone, hop by hop: `[hops][225]`.
fn alone(streams: &mut Streams, number: u32, input: &[f32], bounds: [f32; 3]) -> Vec<f32> {
    updated(streams, number, input, bounds, |_| StateUpdate::ADVANCE)
}

/// The same with an update of the hidden states for each hop.
fn updated(
    streams: &mut Streams,
    number: u32,
    input: &[f32],
    bounds: [f32; 3],
    update: impl Fn(usize) -> StateUpdate,
) -> Vec<f32> {
    let mut out = vec![0.0; input.len() / N_INPUT * N_OUTPUT];
    for (hop, (input, out)) in input.chunks(N_INPUT).zip(out.chunks_mut(N_OUTPUT)).enumerate() {
        let lane = Lane { update: update(hop), ..lane(number, 0, hop == 0, bounds) };
        streams.step(&[lane], input, out).unwrap();
    }
    out
}

/// Updates of every kind: some hops in a row, and single ones.
fn some_updates(hop: usize) -> StateUpdate {
    match hop {
        9 | 30 | 31 => StateUpdate::RESTART,
        3..7 | 12 | 20..28 | 33..40 => StateUpdate::HOLD,
        _ => StateUpdate::ADVANCE,
    }
}

/// Keeps the parts of the outputs that the local SNR leaves valid.
fn valid(out: &[f32], [min_db, max_erb_db, max_df_db]: [f32; 3]) -> Vec<f32> {
    let part = |out: &[f32]| {
        let lsnr_db = out[0];
        let end = match lsnr_db {
            _ if lsnr_db < min_db || lsnr_db > max_erb_db => 1,
            _ if lsnr_db > max_df_db => 33,
            _ => N_OUTPUT,
        };
        out[..end].to_vec()
    };
    out.chunks(N_OUTPUT).flat_map(part).collect()
}

fn stages_agree_db(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "other stages were taken");
    agreement_db(found, expected)
}

/// Thresholds between which this lane's local SNR moves, so that every stage occurs.
fn gating(out: &[f32]) -> [f32; 3] {
    let mut lsnr_db: Vec<f32> = out.chunks(N_OUTPUT).map(|out| out[0]).collect();
    lsnr_db.sort_by(f32::total_cmp);
    // Halfway between two hops, so that rounding decides nothing.
    let quantile = |part: usize| {
        let at = lsnr_db.len() * part / 8;
        (lsnr_db[at] + lsnr_db[at + 1]) / 2.0
    };
    [quantile(1), quantile(6), quantile(4)]
}

#[test]
fn a_lane_does_not_notice_the_others() {
    let mut streams = Streams::new(weights(), 9, false).unwrap();
    let n_hops = 40;
    let all: Vec<_> = (0..5).map(|seed| inputs(seed + 1, n_hops)).collect();
    let free = alone(&mut streams, 0, &all[0], OPEN);
    let bounds = gating(&free);
    let expected: Vec<_> = all.iter().map(|input| alone(&mut streams, 0, input, bounds)).collect();
    let mut found = vec![Vec::new(); all.len()];
    for hop in 0..n_hops {
        let lanes: Vec<_> = (0..5).map(|row| lane(8 - row, row, hop == 0, bounds)).collect();
        let input: Vec<f32> =
            all.iter().flat_map(|input| &input[hop * N_INPUT..][..N_INPUT]).copied().collect();
        let mut out = vec![0.0; 5 * N_OUTPUT];
        streams.step(&lanes, &input, &mut out).unwrap();
        for (found, out) in found.iter_mut().zip(out.chunks(N_OUTPUT)) {
            found.extend_from_slice(out);
        }
    }
    for (found, expected) in found.iter().zip(&expected) {
        let db = stages_agree_db(&valid(found, bounds), &valid(expected, bounds));
        assert!(db > AGREEMENT_DB, "{db:.0} dB");
    }
}

#[test]
fn the_leader_decides_for_its_channels() {
    let mut streams = Streams::new(weights(), 2, false).unwrap();
    let n_hops = 40;
    let (left, right) = (inputs(1, n_hops), inputs(2, n_hops));
    let free = alone(&mut streams, 0, &left, OPEN);
    let bounds = gating(&free);
    let mut pair = vec![0.0; 2 * N_OUTPUT];
    let mut stages = [0; 4];
    let mut kept: Option<Vec<f32>> = None;
    for hop in 0..n_hops {
        let lanes = [lane(0, 0, hop == 0, bounds), lane(1, 0, hop == 0, bounds)];
        let input = [&left[hop * N_INPUT..][..N_INPUT], &right[hop * N_INPUT..][..N_INPUT]].concat();
        streams.step(&lanes, &input, &mut pair).unwrap();
        let leader = pair[0];
        let stopped = leader < bounds[0] || leader > bounds[1];
        stages[usize::from(stopped)] += 1;
        if stopped {
            // On the CPU a decoder that nobody needs is not run: its part is zero for both channels alike.
            for row in pair.chunks(N_OUTPUT) {
                assert!(row[1..].iter().all(|&value| value == 0.0), "hop {hop}");
            }
        } else {
            assert!(pair[N_OUTPUT + 1..N_OUTPUT + 33].iter().any(|&value| value != 0.0), "hop {hop}");
            kept = Some(pair.clone());
        }
    }
    assert!(stages[0] > 0 && stages[1] > 0 && kept.is_some(), "both happened: {stages:?}");
}

#[test]
fn a_reset_lane_starts_as_a_new_one() {
    let mut streams = Streams::new(weights(), 1, false).unwrap();
    let input = inputs(3, 20);
    let first = alone(&mut streams, 0, &input, OPEN);
    alone(&mut streams, 0, &inputs(4, 7), OPEN);
    assert!(alone(&mut streams, 0, &input, OPEN) == first, "bit for bit");
}

#[test]
fn hidden_states_are_held_and_restarted() {
    let mut streams = Streams::new(weights(), 2, false).unwrap();
    let input = inputs(6, 30);
    let (past, next) = input.split_at(20 * N_INPUT);
    // Held in every hop, they stay those of the start: only the convolutions remember.
    let last = |out: &[f32]| out[out.len() - N_OUTPUT..].to_vec();
    let held = updated(&mut streams, 0, &input, OPEN, |_| StateUpdate::HOLD);
    let restarted = updated(&mut streams, 1, &input, OPEN, |_| StateUpdate::RESTART);
    assert!(held == restarted, "each hop goes on from zero");
    assert!(last(&held) != last(&alone(&mut streams, 0, &input, OPEN)));
    // After a held hop the next one finds the state before it, and convolutions that have heard it.
    let repeated = [past, &next[..N_INPUT], next].concat();
    let hop_21 = |hop| if hop == 20 { StateUpdate::HOLD } else { StateUpdate::ADVANCE };
    let out = updated(&mut streams, 0, &repeated, OPEN, hop_21);
    assert!(
        out[20 * N_OUTPUT..21 * N_OUTPUT]
            == alone(&mut streams, 1, &input, OPEN)[20 * N_OUTPUT..][..N_OUTPUT]
    );
    // Neighbours that advance do not notice.
    let free = alone(&mut streams, 0, &input, OPEN);
    let mut both = vec![0.0; 2 * N_OUTPUT];
    for (hop, input) in input.chunks(N_INPUT).enumerate() {
        let other = Lane { update: some_updates(hop), ..lane(1, 1, hop == 0, OPEN) };
        streams.step(&[lane(0, 0, hop == 0, OPEN), other], &[input, input].concat(), &mut both).unwrap();
        let db = agreement_db(&both[..N_OUTPUT], &free[hop * N_OUTPUT..][..N_OUTPUT]);
        assert!(db > AGREEMENT_DB, "hop {hop}: {db:.0} dB");
    }
}

#[test]
fn sequences_give_what_steps_give() {
    let weights = weights();
    let mut streams = Streams::new(Rc::clone(&weights), 1, false).unwrap();
    let n_hops = 50;
    let input = inputs(5, n_hops);
    let free = alone(&mut streams, 0, &input, OPEN);
    let gated = gating(&free);
    for (bounds, is_updated) in [(OPEN, false), (gated, false), (OPEN, true), (gated, true)] {
        let update = |hop| if is_updated { some_updates(hop) } else { StateUpdate::ADVANCE };
        let expected = updated(&mut streams, 0, &input, bounds, update);
        let updates: Vec<_> = (0..n_hops).map(update).collect();
        for method in 0..6 {
            let mut sequence = Sequence::new(Rc::clone(&weights), 1, DfMethod(method)).unwrap();
            let mut found = vec![0.0; expected.len()];
            let [min_db, max_erb_db, max_df_db] = bounds;
            let chunks = [0..1, 1..4, 4..33, 33..n_hops];
            for hops in chunks {
                let (input, out) = (
                    &input[hops.start * N_INPUT..hops.end * N_INPUT],
                    hops.start * N_OUTPUT..hops.end * N_OUTPUT,
                );
                let bounds = Bounds { min_db, max_erb_db, max_df_db };
                sequence.push(&updates[hops], bounds, input, &mut found[out]).unwrap();
            }
            let db = stages_agree_db(&valid(&found, bounds), &valid(&expected, bounds));
            assert!(db > AGREEMENT_DB, "method {method}: {db:.0} dB");
        }
    }
}

#[test]
fn nonsense_is_refused_before_anything_is_done() {
    let mut streams = Streams::new(weights(), 2, false).unwrap();
    let (input, mut out) = (vec![0.0; 2 * N_INPUT], vec![0.0; 2 * N_OUTPUT]);
    let twice = [lane(1, 0, true, OPEN), lane(1, 1, true, OPEN)];
    let beyond = [lane(0, 0, true, OPEN), lane(2, 1, true, OPEN)];
    let no_leader = [lane(0, 2, true, OPEN), lane(1, 1, true, OPEN)];
    let no_update = [lane(0, 0, true, OPEN), Lane { update: StateUpdate(3), ..lane(1, 1, true, OPEN) }];
    for lanes in [twice, beyond, no_leader, no_update] {
        assert!(streams.step(&lanes, &input, &mut out).is_err(), "{lanes:?}");
    }
    let good = [lane(0, 0, true, OPEN), lane(1, 1, true, OPEN)];
    assert!(streams.step(&good, &input[1..], &mut out).is_err());
    assert!(streams.step(&good, &input, &mut out[1..]).is_err());
    assert!(streams.step(&good, &input, &mut out).is_ok() && streams.step(&[], &[], &mut []).is_ok());
    assert!(streams.round_trip(0).is_err() && streams.round_trip(513).is_err());
    assert!(Streams::new(weights(), 0, false).is_err());
}
