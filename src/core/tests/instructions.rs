//! Instructions per hop of the native engine and of the rules around it, counted by Valgrind: a guard against changes that
//! make them slower, which does not depend on the machine's mood. AVX-512 is not counted: Valgrind has none of it. NEON is
//! counted by an emulator (`cargo xtask test arm64`), whose command line `TACET_COUNT_WITH` holds.
//!
//! Counted is what users run; a development build is full of checks, whose number moves with the compiler's mood:
//!
//!     cargo test --release -p tacet-core --test instructions -- --nocapture
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::process::Command;

use tacet_core::denoiser::{Denoiser, Settings};
use tacet_core::engine::native::{NativeEngine, NativeModel, NativeSequence, Precision, SimdLevel};
use tacet_core::engine::sequence::{Hops, SequenceEngine};
use tacet_core::engine::{ChannelIn, Engine, EngineError, Job, Stage, StepTimings, StreamId, Thresholds};
use tacet_core::features::FeatureState;
use tacet_core::frame::SILENT_SPECTRUM;
use tacet_core::random::Random;
use tacet_core::stft::Analysis;
use tacet_model::{HOP, N_BANDS};

/// Set in a process that is counted: how many streams share its steps, and how many it does; no streams is a sequence,
/// whose chunks are its steps.
const N_STREAMS: &str = "TACET_COUNTED_STREAMS";
const N_HOPS: &str = "TACET_COUNTED_HOPS";
/// Set as well where the weights have 16 bits.
const I16: &str = "TACET_COUNTED_I16";
/// Set to 1 where the rules are counted and no engine, to 0 for the pipeline without them.
const RULES: &str = "TACET_COUNTED_RULES";
/// A command that runs a program and writes `insns: N` to standard error.
const COUNT_WITH: &str = "TACET_COUNT_WITH";
/// Hops of the two processes of a measurement. What the second has more is counted: not the start, and no function's name
/// has to be left in the program for that.
const FEW_HOPS: usize = 2;
const MORE_HOPS: usize = 6;

/// Level, precision, streams (0: a sequence), and thousands of instructions per stream and hop as measured with rustc 1.95
/// in a release build.
#[cfg(target_arch = "x86_64")]
const EXPECTED: [(&str, Precision, usize, f64); 8] = [
    ("scalar", Precision::F32, 1, 3139.0),
    ("scalar", Precision::F32, 8, 3216.0),
    ("scalar", Precision::F32, 0, 3183.0),
    ("avx2", Precision::F32, 1, 1068.0),
    ("avx2", Precision::F32, 8, 1128.0),
    ("avx2", Precision::F32, 0, 1088.0),
    ("avx2", Precision::I16, 1, 929.0),
    ("avx2", Precision::I16, 8, 982.0),
];
/// Of NEON's, 740 thousand are the multiply-adds themselves, at either precision.
#[cfg(target_arch = "aarch64")]
const EXPECTED: [(&str, Precision, usize, f64); 7] = [
    ("scalar", Precision::F32, 1, 2411.0),
    ("neon", Precision::F32, 1, 1269.0),
    ("neon", Precision::F32, 8, 1096.0),
    ("neon", Precision::F32, 0, 1167.0),
    ("neon", Precision::I16, 1, 1209.0),
    ("neon", Precision::I16, 8, 1122.0),
    ("neon", Precision::I16, 0, 1157.0),
];
/// Thousands of instructions that the rules take per hop of [words](hop_of_words) in one channel, measured likewise, and
/// hops of the two processes: enough for every rule to have heard what it waits for.
#[cfg(target_arch = "x86_64")]
const RULES_EXPECTED: f64 = 9.6;
#[cfg(target_arch = "x86_64")]
const RULES_HOPS: [usize; 2] = [200, 500];
/// By how much a count may be larger: another compiler's choices, not another algorithm's.
const TOLERANCE: f64 = 0.05;

/// Runs in the counted process; nothing to do elsewhere.
#[test]
fn in_the_counted_process() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    if let (Some(has_rules), Some(n_hops)) = (number(RULES), number(N_HOPS)) {
        let settings = if has_rules == 1 { Settings::default() } else { Settings::reference() };
        return pipeline(settings, n_hops);
    }
    let (Some(n_streams), Some(n_hops)) = (number(N_STREAMS), number(N_HOPS)) else { return };
    stay_on_one_core();
    let precision = if std::env::var_os(I16).is_some() { Precision::I16 } else { Precision::F32 };
    let model = tacet_core::weights::embedded().unwrap();
    let model = NativeModel::with(&model, precision, SimdLevel::get()).unwrap();
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

/// Confines this process to the core that it is on: the model is then read by one thread, and not by several that wait for
/// each other for a while that differs.
fn stay_on_one_core() {
    #[cfg(target_os = "linux")]
    // SAFETY: a set is plain bits; the calls read and write that of this frame alone, and the core's number is one of it.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu().max(0) as usize, &mut cores);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&cores), &cores), 0);
    }
}

/// Network input for a buzz: every stage of it runs.
fn buzz(norm_alpha: f32) -> ChannelIn {
    let (mut analysis, mut features) = (Analysis::new(), FeatureState::new(norm_alpha));
    let (mut noisy, mut input) = (SILENT_SPECTRUM, ChannelIn::default());
    let hop: [f32; HOP] = std::array::from_fn(|i| 0.3 * (i as f32 * 0.05).sin() * (i as f32 * 0.31).cos());
    analysis.process(&hop, &mut noisy);
    features.process(&noisy, &mut input);
    input
}

/// A network that keeps words and takes what is between them.
struct Words {
    n_hops: usize,
}

impl Words {
    /// Whether a hop is part of a word: 30 of 40 are.
    fn is_word(hop: usize) -> bool {
        hop % 40 < 30
    }
}

impl Engine for Words {
    fn name(&self) -> &str {
        "words"
    }

    fn lookahead_hops(&self) -> usize {
        0
    }

    fn norm_alpha(&self) -> f32 {
        0.99
    }

    fn open(&mut self, _: usize) -> Result<StreamId, EngineError> {
        Ok(StreamId(0))
    }

    fn close(&mut self, _: StreamId) {}

    fn reset(&mut self, _: StreamId) {}

    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError> {
        for job in jobs {
            let gain = if Self::is_word(self.n_hops) { 0.85 } else { 0.1 };
            (job.stage, job.output[0].mask) = (Stage::Full, [gain; N_BANDS]);
            job.output[0].filtered = job.input[0].noisy.map(|bin| bin * gain);
            job.pending = false;
        }
        self.n_hops += 1;
        Ok(StepTimings::default())
    }
}

/// A hop of a buzz that moves with every syllable, in noise.
fn hop_of_words(hop: usize, random: &mut Random) -> [f32; HOP] {
    let loud = if Words::is_word(hop) { (hop % 10) as f32 * 0.03 } else { 0.0 };
    let hz = 110.0 + (hop / 10 % 7) as f32 * 23.0;
    std::array::from_fn(|i| {
        let turns = (hop * HOP + i) as f32 / 48_000.0 * hz;
        loud * (turns.fract() - 0.5) + 0.02 * random.sample()
    })
}

/// The pipeline with that network in its place.
fn pipeline(settings: Settings, n_hops: usize) {
    let mut denoiser = Denoiser::new(Box::new(Words { n_hops: 0 }), 1, settings).unwrap();
    let (mut random, mut out) = (Random(1), [0.0; HOP]);
    for hop in 0..n_hops {
        denoiser.process(&[&hop_of_words(hop, &mut random)], &mut [&mut out]).unwrap();
    }
}

/// The command that counts the instructions of the program it is given, and what stands before their number in its last
/// words.
fn counter() -> Option<(Command, &'static str)> {
    if let Ok(line) = std::env::var(COUNT_WITH) {
        let mut words = line.split_whitespace();
        let mut counter = Command::new(words.next()?);
        counter.args(words);
        return Some((counter, "insns:"));
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let is_here = cfg!(target_arch = "x86_64") && Command::new("valgrind").arg("--version").output().is_ok();
    // ==123== Collected : 4567
    is_here.then_some((valgrind, "Collected :"))
}

/// Instructions of a process that does so many hops of the engine.
fn count(level: &str, precision: Precision, n_streams: usize, n_hops: usize) -> u64 {
    let n_streams = n_streams.to_string();
    let i16 = (precision == Precision::I16).then_some((I16, "1"));
    count_with([("TACET_CPU", level), (N_STREAMS, &n_streams)].into_iter().chain(i16), n_hops)
}

/// Instructions of a process that does so many hops of what these variables say.
fn count_with<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>, n_hops: usize) -> u64 {
    let (mut counter, label) = counter().expect("looked for before");
    counter
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "in_the_counted_process", "--nocapture", "--test-threads=1"])
        .envs(variables)
        .env(N_HOPS, n_hops.to_string());
    let output = counter.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.split(label).nth(1)).expect(&text);
    line.trim().parse().unwrap()
}

/// Thousands of instructions per hop: what a process of more hops takes more than one of few. Both at once, as the counter
/// runs on one core.
fn per_hop([few, more]: [usize; 2], count: impl Fn(usize) -> u64 + Sync) -> f64 {
    let [of_few, of_more] = std::thread::scope(|scope| {
        let of_few = scope.spawn(|| count(few));
        let of_more = count(more);
        [of_few.join().unwrap(), of_more]
    });
    of_more.saturating_sub(of_few) as f64 / (more - few) as f64 / 1000.0
}

/// Whether anything is counted here.
fn can_count() -> bool {
    if std::env::var_os(N_HOPS).is_some() {
        return false;
    }
    if cfg!(debug_assertions) {
        eprintln!("skipped: only a release build is counted");
        return false;
    }
    if counter().is_none() {
        assert!(std::env::var_os("TACET_REQUIRE_VALGRIND").is_none(), "install valgrind");
        eprintln!("skipped: valgrind is not installed, and {COUNT_WITH} names nothing else");
        return false;
    }
    true
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_rules_take_no_more_instructions_than_they_did() {
    if !can_count() {
        return;
    }
    let [with, without] =
        ["1", "0"].map(|has| per_hop(RULES_HOPS, |n_hops| count_with([(RULES, has)], n_hops)));
    let n = with - without;
    println!("rules: {n:.1} thousand instructions per hop");
    assert!(n < RULES_EXPECTED * (1.0 + TOLERANCE) && n > 1.0, "{n:.1}, expected {RULES_EXPECTED:.1}");
}

#[test]
fn a_hop_takes_no_more_instructions_than_it_did() {
    if !can_count() {
        return;
    }
    let mut worse = Vec::new();
    for (level, precision, n_streams, expected) in EXPECTED {
        let (n_steps, per_step) = match n_streams {
            0 => ([1, 2], NativeSequence::CHUNK_ROWS),
            _ => ([FEW_HOPS, MORE_HOPS], n_streams),
        };
        let n = per_hop(n_steps, |n_steps| count(level, precision, n_streams, n_steps)) / per_step as f64;
        println!(
            "{level:<8} {precision:?} {n_streams} streams: {n:.0} thousand instructions per stream and hop"
        );
        if n > expected * (1.0 + TOLERANCE) || n < 100.0 {
            worse.push(format!("{level} {precision:?}, {n_streams} streams: {n:.0}, expected {expected:.0}"));
        }
    }
    assert!(worse.is_empty(), "thousands of instructions per stream and hop: {worse:?}");
}
