//! Sequences against the denoiser: the same samples for every number of threads and however the hops are handed over.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use tacet_model::HOP;

use super::{Pool, Sequence};
use crate::denoiser::{Denoiser, Settings};
use crate::engine::native::{NativeEngine, NativeModel, NativeSequence};
use crate::engine::sequence::{Hops, Pass, SequenceEngine};
use crate::engine::{EngineError, Thresholds};
use crate::enhance::{Shaping, StereoLink};
use crate::random::Random;
use crate::rules::Rules;
use crate::tails::Closing;

fn packed() -> Arc<NativeModel> {
    static PACKED: OnceLock<Arc<NativeModel>> = OnceLock::new();
    PACKED.get_or_init(|| NativeModel::new(&crate::weights::embedded().unwrap()).unwrap()).clone()
}

type Hop = Vec<[f32; HOP]>;

/// Noise with a tone that comes and goes, another one in each channel.
fn signal(n_channels: usize, n_hops: usize, seed: u32) -> Vec<Hop> {
    let mut random = Random(seed);
    let mut channel = |t: usize, channel: usize| -> [f32; HOP] {
        let level = if (t / 20).is_multiple_of(2) { 0.3 } else { 0.0 };
        std::array::from_fn(|i| {
            level * ((t * HOP + i) as f32 * (0.03 + 0.01 * channel as f32)).sin() + 0.01 * random.sample()
        })
    };
    (0..n_hops).map(|t| (0..n_channels).map(|c| channel(t, c)).collect()).collect()
}

fn settings(at: usize) -> Settings {
    let all = [
        Settings::default(),
        Settings {
            thresholds: Thresholds { min_db: -10.0, max_erb_db: 20.0, max_df_db: 10.0 },
            shaping: Shaping {
                attenuation_limit_db: 18.0,
                limits_db: [100.0, 12.0, 18.0, 30.0, 0.0, 6.0],
                post_filter_beta: 0.02,
                link: StereoLink::Max,
                keeps_clean: false,
                keeps_whisper: false,
                closing: Closing { hold_ms: 60.0, release_ms: 200.0 },
            },
            rules: Rules::REFERENCE,
        },
    ];
    all[at % all.len()]
}

/// Hop by hop, with other settings from hop `change` on.
fn stepped(input: &[Hop], change: usize) -> Vec<Hop> {
    let engine = Box::new(NativeEngine::new(packed()));
    let mut denoiser = Denoiser::new(engine, input[0].len(), settings(0)).unwrap();
    let mut output = input.to_vec();
    for (t, (input, output)) in input.iter().zip(&mut output).enumerate() {
        if t == change {
            denoiser.set(settings(1));
        }
        let input: Vec<&[f32]> = input.iter().map(|hop| &hop[..]).collect();
        let mut output: Vec<&mut [f32]> = output.iter_mut().map(|hop| &mut hop[..]).collect();
        denoiser.process(&input, &mut output).unwrap();
    }
    output
}

/// Takes what is ready.
fn read<W: Send + 'static>(sequence: &mut Sequence<W>, n_channels: usize, output: &mut Vec<Hop>) {
    let mut hop = vec![[0.0; HOP]; n_channels];
    while sequence.pop(&mut hop).unwrap() {
        output.push(hop.clone());
    }
}

/// As a sequence, flushed after the hops that `flushes` names.
fn sequenced<W: Send + 'static>(
    mut sequence: Sequence<W>,
    input: &[Hop],
    change: usize,
    flushes: &[usize],
) -> Vec<Hop> {
    let mut output = Vec::new();
    for (t, hop) in input.iter().enumerate() {
        if t == change {
            sequence.set(settings(1)).unwrap();
        }
        sequence.push(hop).unwrap();
        if flushes.contains(&t) {
            sequence.flush().unwrap();
        }
        read(&mut sequence, hop.len(), &mut output);
    }
    let mut hop = vec![[0.0; HOP]; input[0].len()];
    sequence.drain(&mut hop, |hop| output.push(hop.to_vec())).unwrap();
    assert!(sequence.is_empty());
    output
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::emulator::bounded(16, 4)))]
    #[test]
    fn threads_and_flushes_do_not_matter(
        n_channels in 1usize..4,
        n_hops in 1usize..150,
        seed: u32,
        change in 0usize..200,
        flushes in prop::collection::vec(0usize..150, 0..5),
        n_threads in 0usize..5,
        max_inside in 1usize..8,
    ) {
        let input = signal(n_channels, n_hops, seed);
        let engine = NativeSequence::new(packed(), n_channels);
        let found = match n_threads {
            0 => sequenced(Sequence::new(engine, settings(0)), &input, change, &flushes),
            n => {
                let pool = Pool::new(n).unwrap();
                let sequence = Sequence::on(&pool, engine, settings(0), max_inside);
                sequenced(sequence, &input, change, &flushes)
            }
        };
        prop_assert!(found == stepped(&input, change), "not bit-identical");
    }
}

#[test]
fn whispering_is_kept_alike_hop_by_hop_and_in_chunks() {
    let samples = crate::whisper::tests::whispering(0.5, false);
    let input: Vec<Hop> = samples.as_chunks().0.iter().map(|hop| vec![*hop]).collect();
    let engine = || NativeSequence::new(packed(), 1);
    let kept = sequenced(Sequence::new(engine(), settings(0)), &input, usize::MAX, &[77, 300]);
    assert!(kept == stepped(&input, usize::MAX), "not bit-identical");
    let mut off = settings(0);
    off.shaping.keeps_whisper = false;
    let removed = sequenced(Sequence::new(engine(), off), &input, usize::MAX, &[]);
    // Before it is known it is noise, three seconds later it is not.
    assert!(kept[..30] == removed[..30]);
    let level_db = |hops: &[Hop]| {
        let power: f32 = hops[300..].iter().flatten().flatten().map(|sample| sample * sample).sum();
        10.0 * power.log10()
    };
    let (kept_db, removed_db, input_db) = (level_db(&kept), level_db(&removed), level_db(&input));
    assert!(kept_db > input_db - 10.0 && removed_db < input_db - 15.0, "{kept_db} {removed_db} {input_db}");
}

#[test]
fn recordings_share_a_pool() {
    let pool = Pool::new(2).unwrap();
    let record = |seed| {
        let input = signal(1, 100, seed);
        let sequence = Sequence::on(&pool, NativeSequence::new(packed(), 1), settings(0), 3);
        assert!(sequenced(sequence, &input, 50, &[]) == stepped(&input, 50), "recording {seed}");
    };
    std::thread::scope(|scope| (1..4).for_each(|seed| drop(scope.spawn(move || record(seed)))));
}

/// A network that fails in its second chunk, one way or the other.
struct Broken {
    panics: bool,
    n_chunks: usize,
}

impl Pass<()> for Broken {
    fn run(&mut self, _: &mut Hops, (): &mut ()) -> Result<(), EngineError> {
        self.n_chunks += 1;
        assert!(self.n_chunks < 2 || !self.panics, "out of order");
        let failed = || EngineError::Failed { device: "test".into(), reason: "broken".into() };
        if self.n_chunks < 2 { Ok(()) } else { Err(failed()) }
    }
}

impl SequenceEngine for Broken {
    type Work = ();
    fn n_channels(&self) -> usize {
        1
    }
    fn lookahead_hops(&self) -> usize {
        2
    }
    fn norm_alpha(&self) -> f32 {
        0.99
    }
    fn chunk_hops(&self) -> usize {
        10
    }
    fn work(&self) {}
    fn into_passes(self) -> Vec<Box<dyn Pass<()>>> {
        vec![Box::new(self)]
    }
}

#[test]
fn a_pass_that_fails_or_panics_is_an_error_of_its_recording_alone() {
    let pool = Pool::new(1).unwrap();
    for panics in [false, true] {
        for is_pooled in [false, true] {
            let engine = Broken { panics, n_chunks: 0 };
            let mut sequence = match is_pooled {
                true => Sequence::on(&pool, engine, settings(0), 4),
                false => Sequence::new(engine, settings(0)),
            };
            let mut run = || -> Result<(), EngineError> {
                for hop in signal(1, 25, 1) {
                    sequence.push(&hop)?;
                    sequence.pop(&mut [[0.0; HOP]])?;
                }
                while sequence.wait()? {}
                Ok(())
            };
            let error = run().expect_err("the second chunk fails").to_string();
            let reason = if panics { "out of order" } else { "broken" };
            assert!(error.contains(reason), "{error}");
        }
    }
    let input = signal(1, 20, 2);
    let sequence = Sequence::on(&pool, NativeSequence::new(packed(), 1), settings(0), 2);
    assert!(sequenced(sequence, &input, 99, &[]) == stepped(&input, 99), "the pool goes on");
}
