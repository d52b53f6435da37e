//! The passes against steps: the same bits for every partition, level, precision, number of channels and threshold.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use tacet_model::{HOP, Model};

use super::{NativeSequence, Work};
use crate::engine::native::{NativeEngine, NativeModel, Precision, SimdLevel};
use crate::engine::sequence::{Hops, Pass, SequenceEngine};
use crate::engine::{ChannelIn, ChannelOut, Engine, Job, Stage, StateUpdate, Thresholds};
use crate::frame::SILENT_SPECTRUM;
use crate::halves::Analyser;
use crate::random::Random;
use crate::rules::Rules;

/// Hops of the signals.
const N_HOPS: usize = 130;

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| crate::weights::embedded().unwrap())
}

fn packed(precision: Precision, level: SimdLevel) -> Arc<NativeModel> {
    NativeModel::with(model(), precision, level).unwrap()
}

/// Network input for a voice-like buzz that comes and goes in noise that does too, `[hop][channel]`: the local SNR
/// visits its whole range.
fn inputs(n_channels: usize, n_hops: usize, seed: u32) -> Vec<ChannelIn> {
    let mut analyser = Analyser::new(n_channels, model().config.norm_alpha);
    let mut random = Random(seed);
    let mut inputs = vec![ChannelIn::default(); n_channels * n_hops];
    for (t, inputs) in inputs.chunks_exact_mut(n_channels).enumerate() {
        let voice = if (t / 25).is_multiple_of(2) { 0.3 } else { 0.0 };
        let noise = [0.0, 0.0005, 0.02, 0.2][(t / 20 + seed as usize) % 4];
        let hop = |channel: usize| -> [f32; HOP] {
            std::array::from_fn(|i| {
                let at = (t * HOP + i) as f32 * (0.02 + 0.005 * channel as f32);
                let buzz = (1..12).map(|k| (at * k as f32).sin() / k as f32).sum::<f32>();
                voice * buzz + noise * 0.5 * random.sample()
            })
        };
        let samples: Vec<[f32; HOP]> = (0..n_channels).map(hop).collect();
        analyser.process(&samples, &Rules::default(), &mut vec![SILENT_SPECTRUM; n_channels], inputs);
    }
    inputs
}

/// Updates of the hidden states, of every kind: each for some hops in a row.
fn updates(n_hops: usize, seed: u32) -> Vec<StateUpdate> {
    let mut random = Random(seed | 1);
    let mut updates = Vec::new();
    while updates.len() < n_hops {
        let bits = random.bits();
        let (update, n) = match bits >> 28 {
            0..2 => (StateUpdate::Restart, 1),
            2..9 => (StateUpdate::Hold, bits >> 16 & 15),
            _ => (StateUpdate::Advance, bits >> 16 & 31),
        };
        updates.extend((0..n).map(|_| update));
    }
    updates.truncate(n_hops);
    updates
}

/// Hop by hop.
fn stepped(
    model: &Arc<NativeModel>,
    n_channels: usize,
    inputs: &[ChannelIn],
    updates: &[StateUpdate],
    thresholds: Thresholds,
) -> Vec<(Stage, Vec<ChannelOut>)> {
    let mut engine = NativeEngine::new(model.clone());
    let mut jobs = [Job::new(engine.open(n_channels).unwrap(), n_channels)];
    let hop = |(inputs, update): (&[ChannelIn], &StateUpdate)| {
        jobs[0].input.copy_from_slice(inputs);
        jobs[0].update = *update;
        (jobs[0].thresholds, jobs[0].pending) = (thresholds, true);
        engine.step(&mut jobs).unwrap();
        (jobs[0].stage, jobs[0].output.to_vec())
    };
    inputs.chunks_exact(n_channels).zip(updates).map(hop).collect()
}

/// In chunks, whose lengths are taken from `lengths` in turn.
fn in_chunks(
    model: &Arc<NativeModel>,
    n_channels: usize,
    inputs: &[ChannelIn],
    updates: &[StateUpdate],
    thresholds: Thresholds,
    lengths: &[usize],
) -> Vec<(Stage, Vec<ChannelOut>)> {
    let sequence = NativeSequence::new(model.clone(), n_channels);
    let (mut work, chunk_hops): (Work, usize) = (sequence.work(), sequence.chunk_hops());
    let mut hops = Hops::new(n_channels, chunk_hops);
    let mut passes: Vec<Box<dyn Pass<Work>>> = sequence.into_passes();
    let (mut done, mut rest, mut lengths) = (Vec::new(), inputs, lengths.iter().cycle());
    while !rest.is_empty() {
        let n_hops = (*lengths.next().unwrap()).clamp(1, chunk_hops).min(rest.len() / n_channels);
        let (chunk, others) = rest.split_at(n_hops * n_channels);
        hops.begin(n_hops, thresholds);
        hops.inputs_mut().copy_from_slice(chunk);
        hops.updates_mut().copy_from_slice(&updates[done.len()..][..n_hops]);
        passes.iter_mut().for_each(|pass| pass.run(&mut hops, &mut work).unwrap());
        let answers = hops.outputs().chunks_exact(n_channels);
        done.extend(hops.stages().iter().copied().zip(answers.map(<[_]>::to_vec)));
        rest = others;
    }
    done
}

/// The valid part of the answers, as bits.
fn bits((stage, answers): &(Stage, Vec<ChannelOut>)) -> Vec<u32> {
    let mut bits = vec![*stage as u32];
    for answer in answers {
        bits.push(answer.lsnr_db.to_bits());
        if stage.has_mask() {
            bits.extend(answer.mask.iter().map(|gain| gain.to_bits()));
        }
        if *stage == Stage::Full {
            bits.extend(answer.filtered.iter().flat_map(|bin| [bin.re.to_bits(), bin.im.to_bits()]));
        }
    }
    bits
}

fn check(
    model: &Arc<NativeModel>,
    n_channels: usize,
    seed: u32,
    thresholds: Thresholds,
    lengths: &[usize],
) -> HashSet<Stage> {
    let inputs = inputs(n_channels, N_HOPS, seed);
    let updates = updates(N_HOPS, seed);
    let expected = stepped(model, n_channels, &inputs, &updates, thresholds);
    let found = in_chunks(model, n_channels, &inputs, &updates, thresholds, lengths);
    assert_eq!(found.len(), expected.len());
    for (hop, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(bits(found) == bits(expected), "hop {hop} differs");
    }
    expected.iter().map(|(stage, _)| *stage).collect()
}

#[test]
fn every_level_and_precision_gives_the_bits_of_the_steps() {
    for level in SimdLevel::available() {
        for precision in [Precision::F32, Precision::I16] {
            check(&packed(precision, level), 1, 1, Thresholds::default(), &[60]);
        }
    }
}

#[test]
fn frozen_decoders_see_the_hops_that_they_see_live() {
    let model = packed(Precision::F32, SimdLevel::get());
    let thresholds = Thresholds { min_db: -5.0, max_df_db: 5.0, max_erb_db: 15.0 };
    for (n_channels, lengths) in [(1, [60, 7, 1]), (2, [30, 30, 30])] {
        let stages = check(&model, n_channels, 1, thresholds, &lengths);
        assert_eq!(stages.len(), 4, "all stages were taken: {stages:?}");
    }
}

#[test]
fn hidden_states_are_held_and_restarted() {
    let model = packed(Precision::F32, SimdLevel::get());
    let inputs = inputs(1, 40, 3);
    let run = |inputs: &[ChannelIn], updates: &[StateUpdate]| {
        let out = stepped(&model, 1, inputs, updates, Thresholds::default());
        out.iter().map(bits).collect::<Vec<_>>()
    };
    let advancing = run(&inputs, &[StateUpdate::Advance; 40]);
    // Held from the start they stay zero, so that every hop is as if they were restarted.
    let held = run(&inputs, &[StateUpdate::Hold; 40]);
    assert!(held == run(&inputs, &[StateUpdate::Restart; 40]) && held[0] == advancing[0]);
    assert!(held[1..].iter().zip(&advancing[1..]).all(|(held, advancing)| held != advancing));
    // A held hop is computed like any other. The next one finds what it would have found without: here itself.
    let mut twice = inputs.clone();
    twice.insert(20, inputs[20]);
    let mut updates = [StateUpdate::Advance; 41];
    updates[20] = StateUpdate::Hold;
    assert!(run(&twice, &updates)[..21] == advancing[..21]);
    // Restarted, they have heard nothing, and only the convolutions' few frames are left of the past.
    let mut updates = [StateUpdate::Advance; 40];
    updates[10] = StateUpdate::Restart;
    let restarted = run(&inputs, &updates);
    let late = run(&inputs[8..], &[StateUpdate::Advance; 32]);
    assert!(
        restarted[..10] == advancing[..10] && restarted[39] != advancing[39] && late[31] != restarted[39]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::emulator::bounded(24, 6)))]
    #[test]
    fn any_partition_gives_the_bits_of_the_steps(
        n_channels in 1usize..5,
        lengths in prop::collection::vec(1usize..61, 1..6),
        seed: u32,
        (low, middle, high) in (-20.0f32..10.0, -10.0f32..35.0, -10.0f32..40.0),
        (level, is_exact) in (0usize..3, any::<bool>()),
    ) {
        let levels = SimdLevel::available();
        let precision = if is_exact { Precision::F32 } else { Precision::I16 };
        let thresholds =
            Thresholds { min_db: low, max_df_db: middle.min(high), max_erb_db: middle.max(high) };
        check(&packed(precision, levels[level % levels.len()]), n_channels, seed, thresholds, &lengths);
    }
}
