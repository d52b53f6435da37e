//! Instructions per hop of the native engine, counted by Valgrind: a guard against changes that make it slower, which does
//! not depend on the machine's mood. AVX-512 and NEON are not counted: Valgrind has no AVX-512.
//!
//! Counted is what users run; a development build is full of checks, whose number moves with the compiler's mood:
//!
//!     cargo test --release -p tacet-core --test instructions -- --nocapture
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::process::Command;

use tacet_core::engine::native::{NativeEngine, NativeModel, NativeSequence};
use tacet_core::engine::sequence::{Hops, SequenceEngine};
use tacet_core::engine::{ChannelIn, Engine, Job, Thresholds};
use tacet_core::features::FeatureState;
use tacet_core::frame::SILENT_SPECTRUM;
use tacet_core::stft::Analysis;
use tacet_model::HOP;

/// Set in a process that is counted: how many streams share its steps, and how many it does; no streams is a sequence,
/// whose chunks are its steps.
const N_STREAMS: &str = "TACET_COUNTED_STREAMS";
const N_HOPS: &str = "TACET_COUNTED_HOPS";
/// Hops of the two processes of a measurement. What the second has more is counted: not the start, and no function's name
/// has to be left in the program for that.
const FEW_HOPS: usize = 2;
const MORE_HOPS: usize = 6;

/// Level, streams (0: a sequence), and thousands of instructions per stream and hop as measured with rustc 1.95 in a
/// release build.
const EXPECTED: [(&str, usize, f64); 6] = [
    ("scalar", 1, 3547.0),
    ("scalar", 8, 3582.0),
    ("scalar", 0, 3563.0),
    ("avx2", 1, 1145.0),
    ("avx2", 8, 1196.0),
    ("avx2", 0, 1159.0),
];
/// By how much a count may be larger: another compiler's choices, not another algorithm's.
const TOLERANCE: f64 = 0.05;

/// Runs in the counted process; nothing to do elsewhere.
#[test]
fn in_the_counted_process() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let (Some(n_streams), Some(n_hops)) = (number(N_STREAMS), number(N_HOPS)) else { return };
    let model = NativeModel::new(&tacet_core::weights::embedded().unwrap()).unwrap();
    if n_streams == 0 {
        let sequence = NativeSequence::new(model, 1);
        let (mut work, chunk_hops) = (sequence.work(), sequence.chunk_hops());
        let mut hops = Hops::new(1, chunk_hops);
        let input = buzz(sequence.norm_alpha());
        let mut passes = sequence.into_passes();
        for _ in 0..n_hops {
            hops.begin(chunk_hops, Thresholds::default());
            hops.inputs_mut().fill(input);
            passes.iter_mut().for_each(|pass| pass.run(&mut hops, &mut work).unwrap());
        }
        return;
    }
    let mut engine = NativeEngine::new(model);
    let mut jobs: Vec<Job> = (0..n_streams).map(|_| Job::new(engine.open(1).unwrap(), 1)).collect();
    let input = buzz(engine.norm_alpha());
    jobs.iter_mut().for_each(|job| job.input[0] = input);
    for _ in 0..n_hops {
        jobs.iter_mut().for_each(|job| job.pending = true);
        engine.step(&mut jobs).unwrap();
    }
}

/// What the network hears of a buzz: every stage of it runs.
fn buzz(norm_alpha: f32) -> ChannelIn {
    let (mut analysis, mut features) = (Analysis::new(), FeatureState::new(norm_alpha));
    let (mut noisy, mut input) = (SILENT_SPECTRUM, ChannelIn::default());
    let hop: [f32; HOP] = std::array::from_fn(|i| 0.3 * (i as f32 * 0.05).sin() * (i as f32 * 0.31).cos());
    analysis.process(&hop, &mut noisy);
    features.process(&noisy, &mut input);
    input
}

/// Instructions of a process that does so many hops.
fn count(level: &str, n_streams: usize, n_hops: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "in_the_counted_process", "--nocapture", "--test-threads=1"])
        .env("TACET_CPU", level)
        .env(N_STREAMS, n_streams.to_string())
        .env(N_HOPS, n_hops.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    // ==123== Collected : 4567
    let line = text.lines().find_map(|line| line.split("Collected :").nth(1)).expect(&text);
    line.trim().parse().unwrap()
}

#[test]
fn a_hop_takes_no_more_instructions_than_it_did() {
    if std::env::var_os(N_STREAMS).is_some() {
        return;
    }
    if cfg!(debug_assertions) {
        eprintln!("skipped: only a release build is counted");
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(std::env::var_os("TACET_REQUIRE_VALGRIND").is_none(), "install valgrind");
        eprintln!("skipped: valgrind is not installed");
        return;
    }
    let mut worse = Vec::new();
    for (level, n_streams, expected) in EXPECTED {
        let ([few, more], per_step) = match n_streams {
            0 => ([1, 2], NativeSequence::CHUNK_ROWS),
            _ => ([FEW_HOPS, MORE_HOPS], n_streams),
        };
        let n_counted = (more - few) * per_step;
        let [few, more] = [few, more].map(|n_steps| count(level, n_streams, n_steps));
        let n = more.saturating_sub(few) as f64 / n_counted as f64 / 1000.0;
        println!("{level:<8} {n_streams} streams: {n:.0} thousand instructions per stream and hop");
        if n > expected * (1.0 + TOLERANCE) || n < 100.0 {
            worse.push(format!("{level}, {n_streams} streams: {n:.0}, expected {expected:.0}"));
        }
    }
    assert!(worse.is_empty(), "thousands of instructions per stream and hop: {worse:?}");
}
