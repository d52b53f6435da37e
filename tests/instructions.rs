//! Instructions per hop of the native engine, counted by Valgrind: a guard against changes that make it slower, which does
//! not depend on the machine's mood. AVX-512 and NEON are not counted: Valgrind has no AVX-512.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::process::Command;

use tacet::engine::native::{Level, NativeEngine, NativeModel};
use tacet::engine::{Engine, Job};
use tacet::features::FeatureState;
use tacet::frame::SILENT_SPECTRUM;
use tacet::model::HOP;
use tacet::stft::Analysis;

/// Set in the process that is counted: how many streams share its steps.
const N_STREAMS: &str = "TACET_COUNTED_STREAMS";
/// Hops that are counted.
const N_HOPS: usize = 4;

/// Level, streams, and thousands of instructions per stream and hop as measured with rustc 1.95 in the test profile.
const EXPECTED: [(&str, usize, f64); 4] =
    [("scalar", 1, 4397.0), ("scalar", 8, 4578.0), ("avx2", 1, 6188.0), ("avx2", 8, 4229.0)];
/// By how much a count may be larger: another compiler's choices, not another algorithm's.
const TOLERANCE: f64 = 0.06;

/// What is counted: nothing outside of this function.
#[inline(never)]
fn counted_hops(engine: &mut NativeEngine, jobs: &mut [Job]) {
    for _ in 0..N_HOPS {
        jobs.iter_mut().for_each(|job| job.pending = true);
        engine.step(jobs).unwrap();
    }
}

/// Runs in the counted process; nothing to do elsewhere.
#[test]
fn in_the_counted_process() {
    let Some(n_streams) = std::env::var(N_STREAMS).ok().and_then(|n| n.parse().ok()) else { return };
    let model = NativeModel::new(&tacet::weights::embedded().unwrap()).unwrap();
    let mut engine = NativeEngine::new(model);
    let mut jobs: Vec<Job> = (0..n_streams).map(|_| Job::new(engine.open(1).unwrap(), 1)).collect();
    let (mut analysis, mut features) = (Analysis::new(), FeatureState::new(engine.norm_alpha()));
    let mut noisy = SILENT_SPECTRUM;
    // A buzz: every stage of the network runs.
    let hop: [f32; HOP] = std::array::from_fn(|i| 0.3 * (i as f32 * 0.05).sin() * (i as f32 * 0.31).cos());
    for job in &mut jobs {
        analysis.process(&hop, &mut noisy);
        features.process(&noisy, &mut job.input[0]);
    }
    counted_hops(&mut engine, &mut jobs);
    println!("level {}", Level::get().name());
}

/// Instructions of [`counted_hops`] in a process of its own.
fn count(level: &str, n_streams: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_hops*"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "in_the_counted_process", "--nocapture", "--test-threads=1"])
        .env("TACET_CPU", level)
        .env(N_STREAMS, n_streams.to_string())
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
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(std::env::var_os("TACET_REQUIRE_VALGRIND").is_none(), "install valgrind");
        eprintln!("skipped: valgrind is not installed");
        return;
    }
    let mut worse = Vec::new();
    for (level, n_streams, expected) in EXPECTED {
        let n = count(level, n_streams) as f64 / (N_HOPS * n_streams) as f64 / 1000.0;
        println!("{level:<8} {n_streams} streams: {n:.0} thousand instructions per stream and hop");
        if n > expected * (1.0 + TOLERANCE) || n < 100.0 {
            worse.push(format!("{level}, {n_streams} streams: {n:.0}, expected {expected:.0}"));
        }
    }
    assert!(worse.is_empty(), "thousands of instructions per stream and hop: {worse:?}");
}
