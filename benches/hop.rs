//! Time per hop beside the official runtime, alternating hop by hop in one run on one core.
//!
//!     cargo xtask bench hop
//!
//! Ratios are what to quote: the machine's mood moves both sides alike. `benches/README.md` lists what did not pay.

#[path = "../tests/oracle/runtime.rs"]
#[allow(dead_code, reason = "shared with the tests, which also change settings")]
mod runtime;
#[path = "../tests/oracle/signals.rs"]
#[allow(dead_code, reason = "shared with the tests, which use every signal")]
mod signals;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use runtime::OfficialRuntime;
use tacet_benches::Times;
use tacet_benches::plot::{self, Curve};
use tacet_realtime::denoiser::{Denoiser, Settings};
use tacet_realtime::engine::native::{NativeEngine, NativeModel, Precision, SimdLevel};
use tacet_realtime::engine::torch::{TorchDevice, TorchEngine, TorchOptions};
use tacet_realtime::engine::{ChannelOut, Engine, EngineError, Job, Stage, StepTimings, StreamId};
use tacet_realtime::features::FeatureState;
use tacet_realtime::frame::SILENT_SPECTRUM;
use tacet_realtime::model::{HOP, ModelKind};
use tacet_realtime::stft::Analysis;

/// Length of a hop in microseconds.
const HOP_US: f64 = 10_000.0;
/// Seconds of audio per measurement.
const DURATION_S: f32 = 10.0;
/// Streams that share a step.
const BATCHES: [usize; 6] = [1, 2, 8, 32, 48, 96];

/// Mark of the pipeline with the rules around the network, which differs from the official runtime's on purpose where they
/// act.
const WITH_RULES: &str = "rules";

/// One of our engines in the race.
struct Ours {
    name: String,
    /// GRU weights in MB, and the ms that packing took.
    packed: Option<(f64, f64)>,
    denoiser: Denoiser,
    times: Times,
    /// Energy of the difference to the official runtime's output.
    error: f64,
}

impl Ours {
    fn new(name: String, engine: Box<dyn Engine>, packed: Option<(f64, f64)>) -> Self {
        Self::with(Settings::reference(), name, engine, packed)
    }

    fn with(settings: Settings, name: String, engine: Box<dyn Engine>, packed: Option<(f64, f64)>) -> Self {
        let denoiser = Denoiser::new(engine, 1, settings).expect("room for a stream");
        Self { name, packed, denoiser, times: Times::default(), error: 0.0 }
    }
}

fn main() {
    let model = tacet_realtime::weights::embedded().expect("the embedded model");
    let signal = signals::speech_like(DURATION_S);
    let mut official = match OfficialRuntime::open(ModelKind::DeepFilterNet3) {
        Ok(official) => Some(official),
        Err(reason) => {
            println!("no official runtime to compare with: {reason}");
            None
        }
    };

    // One step reads all of them when every stage runs.
    let is_large = |name: &str| name.contains(".gru") && (name.ends_with(".W") || name.ends_with(".R"));
    let large = model.tensors().filter(|(name, _)| is_large(name));
    let n_large: usize = large.map(|(_, tensor)| tensor.data.len()).sum();

    let mut ours: Vec<Ours> = Vec::new();
    for level in SimdLevel::available() {
        for precision in [Precision::F32, Precision::I16] {
            let start = Instant::now();
            let packed = NativeModel::with(&model, precision, level).expect("the embedded model fits");
            let packed_ms = start.elapsed().as_secs_f64() * 1e3;
            let n_bytes = if precision == Precision::F32 { 4 } else { 2 };
            let megabytes = (n_large * n_bytes) as f64 / 1e6;
            let name = format!("native {} {precision:?}", level.name());
            if level == SimdLevel::get() && precision == Precision::F32 {
                let engine = Box::new(NativeEngine::new(packed.clone()));
                ours.push(Ours::with(Settings::default(), format!("{name} {WITH_RULES}"), engine, None));
            }
            ours.push(Ours::new(name, Box::new(NativeEngine::new(packed)), Some((megabytes, packed_ms))));
        }
    }
    // libtorch runs on one thread unless set otherwise.
    match TorchEngine::new(TorchDevice::Cpu, &model, &TorchOptions::default()) {
        Ok(engine) => ours.push(Ours::new("torch CPU, 1 thread".into(), Box::new(engine), None)),
        Err(reason) => println!("no libtorch to compare with: {reason}"),
    }
    let (mut peer, mut energy) = (Times::default(), 0f64);
    let (mut expected, mut output) = ([0.0; HOP], [0.0; HOP]);
    for hop in signal.as_chunks::<HOP>().0 {
        if let Some(official) = &mut official {
            peer.measure(|| official.process(hop, &mut expected));
            energy += expected.iter().map(|x| f64::from(x * x)).sum::<f64>();
        }
        for Ours { denoiser, times, error, .. } in &mut ours {
            times.measure(|| denoiser.process(&[hop], &mut [&mut output])).expect("a step");
            *error += expected.iter().zip(&output).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        }
    }
    println!("One channel, whole pipeline, per hop of 10 ms:");
    println!(
        "{:<22} {:>9} {:>9} {:>7} {:>9} {:>9} {:>8}",
        "", "p50 us", "p99 us", "ratio", "SNR dB", "GRU MB", "pack ms"
    );
    let peer_p50 = official.is_some().then(|| peer.quantile(0.5));
    if let Some(p50) = peer_p50 {
        println!("{:<22} {p50:>9.0} {:>9.0} {:>7.3}", "official runtime", peer.quantile(0.99), 1.0);
    }
    for Ours { name, packed, times, error, .. } in &mut ours {
        let (p50, p99) = (times.quantile(0.5), times.quantile(0.99));
        let ratio = peer_p50.map_or("-".into(), |peer| format!("{:.3}", p50 / peer));
        let snr = peer_p50.map_or("-".into(), |_| format!("{:.1}", 10.0 * (energy / *error).log10()));
        let (megabytes, packed_ms) = packed.map_or(("-".into(), "-".into()), |(megabytes, ms)| {
            (format!("{megabytes:.2}"), format!("{ms:.1}"))
        });
        println!("{name:<22} {p50:>9.0} {p99:>9.0} {ratio:>7} {snr:>9} {megabytes:>9} {packed_ms:>8}");
    }
    println!();
    roofline(&mut ours);
    println!();
    rules(&model, &signal);
    println!();
    batches(&model, &signal, official.as_mut());
}

/// Cost of the rules around the network: the pipeline with them beside the one without, hop by hop in turn, both with what
/// the network answered before in its place.
fn rules(model: &tacet_realtime::model::Model, signal: &[f32]) {
    let packed = NativeModel::with(model, Precision::F32, SimdLevel::get()).expect("the embedded model fits");
    let hops = signal.as_chunks::<HOP>().0;
    let mut output = [0.0; HOP];
    let pipelines = [Settings::reference(), Settings::default()].map(|settings| {
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let engine = |is_recording| Replay {
            engine: NativeEngine::new(packed.clone()),
            answers: answers.clone(),
            is_recording,
        };
        let mut network = Denoiser::new(Box::new(engine(true)), 1, settings).expect("room for a stream");
        for hop in hops {
            network.process(&[hop], &mut [&mut output]).expect("a step");
        }
        Denoiser::new(Box::new(engine(false)), 1, settings).expect("room for a stream")
    });
    let mut pipelines = pipelines.map(|denoiser| (denoiser, Times::default()));
    for hop in hops {
        for (denoiser, times) in &mut pipelines {
            times.measure(|| denoiser.process(&[hop], &mut [&mut output])).expect("a step");
        }
    }
    let [without, with] = pipelines.map(|(_, mut times)| times.quantile(0.5));
    println!(
        "Rules around the network, per hop, with its answers given again: {:.2} us ({with:.2} with them, {without:.2} without)",
        with - without
    );
}

/// The network's place in a pipeline: notes its answers, or gives those that were noted.
struct Replay {
    engine: NativeEngine,
    answers: Arc<Mutex<VecDeque<(Stage, ChannelOut)>>>,
    is_recording: bool,
}

impl Engine for Replay {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn lookahead_hops(&self) -> usize {
        self.engine.lookahead_hops()
    }

    fn norm_alpha(&self) -> f32 {
        self.engine.norm_alpha()
    }

    fn open(&mut self, n_channels: usize) -> Result<StreamId, EngineError> {
        self.engine.open(n_channels)
    }

    fn close(&mut self, stream: StreamId) {
        self.engine.close(stream);
    }

    fn reset(&mut self, stream: StreamId) {
        self.engine.reset(stream);
    }

    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError> {
        let mut answers = self.answers.lock().expect("no panic before");
        if self.is_recording {
            let timings = self.engine.step(jobs)?;
            answers.extend(jobs.iter().map(|job| (job.stage, job.output[0])));
            return Ok(timings);
        }
        for job in jobs {
            (job.stage, job.output[0]) = answers.pop_front().expect("as many hops as before");
            job.pending = false;
        }
        Ok(StepTimings::default())
    }
}

/// Limit set by the memory: how fast one core reads as many bytes as the large matrices have, over and over, and the share
/// of that time in the pipeline's.
fn roofline(ours: &mut [Ours]) {
    println!("Roofline: the GRUs' weights are read once per hop.");
    println!("{:<22} {:>9} {:>12} {:>12} {:>7}", "", "MB", "read alone us", "GB/s", "share");
    for Ours { name, packed, times, .. } in ours {
        let Some((megabytes, _)) = *packed else { continue };
        let n_words = (megabytes * 1e6 / 8.0) as usize;
        let weights: Vec<u64> = (0..n_words as u64).collect();
        let mut reads = Times::default();
        for _ in 0..100 {
            // Many sums at once: the memory is the limit, not the adder.
            let mut sums = [0u64; 16];
            reads.measure(|| {
                for some in weights.chunks_exact(sums.len()) {
                    sums.iter_mut().zip(some).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
                }
                std::hint::black_box(&mut sums);
            });
        }
        let (alone, hop) = (reads.quantile(0.5), times.quantile(0.5));
        println!(
            "{name:<22} {megabytes:>9.2} {alone:>12.0} {:>12.1} {:>6.0}%",
            megabytes * 1e6 / alone / 1e3,
            100.0 * alone / hop
        );
    }
}

/// Engine steps over several streams at once, per stream, in numbers and as a picture. The official runtime runs by itself
/// here, as these steps do: above, everybody finds the caches full of the others' weights.
fn batches(model: &tacet_realtime::model::Model, signal: &[f32], official: Option<&mut OfficialRuntime>) {
    let peer_p50 = official.map(|official| {
        let (mut peer, mut output) = (Times::default(), [0.0; HOP]);
        for hop in &signal.as_chunks::<HOP>().0[..300] {
            peer.measure(|| official.process(hop, &mut output));
        }
        println!("official runtime by itself: {:.0} us per hop", peer.quantile(0.5));
        peer.quantile(0.5)
    });
    let mut curves = Vec::new();
    for precision in [Precision::F32, Precision::I16] {
        let name = format!("{} {precision:?}", SimdLevel::get().name());
        println!("Engine step shared by several streams, {name}, per stream and hop:");
        println!(
            "{:<22} {:>9} {:>9} {:>9} {:>7} {:>15}",
            "streams", "p50 us", "p99 us", "p99/p50", "ratio", "load of a core"
        );
        let packed = NativeModel::with(model, precision, SimdLevel::get()).expect("the embedded model fits");
        let mut points = Vec::new();
        for n_streams in BATCHES {
            let mut times = batch(&packed, signal, n_streams);
            let (p50, p99) =
                (times.quantile(0.5) / n_streams as f64, times.quantile(0.99) / n_streams as f64);
            let ratio = peer_p50.map_or("-".into(), |peer| format!("{:.3}", p50 / peer));
            let load = 100.0 * p50 * n_streams as f64 / HOP_US;
            println!("{n_streams:<22} {p50:>9.0} {p99:>9.0} {:>9.2} {ratio:>7} {load:>14.0}%", p99 / p50);
            points.push((n_streams as f64, p50 / peer_p50.unwrap_or(1.0)));
        }
        curves.push(Curve { name, points });
    }
    let unit = if peer_p50.is_some() { "of the official runtime's time" } else { "us per hop" };
    let picture =
        plot::svg("Cost of a stream in a step that several share", "streams in the step", unit, &curves);
    plot::save(env!("CARGO_TARGET_TMPDIR"), "streams", &picture);
}

/// Times of steps that `n_streams` share.
fn batch(packed: &Arc<NativeModel>, signal: &[f32], n_streams: usize) -> Times {
    let mut engine = NativeEngine::new(packed.clone());
    let mut jobs: Vec<Job> =
        (0..n_streams).map(|_| Job::new(engine.open(1).expect("room for a stream"), 1)).collect();
    let mut analysis = Analysis::new();
    let mut features = FeatureState::new(engine.norm_alpha());
    let mut noisy = SILENT_SPECTRUM;
    let mut times = Times::default();
    for hop in &signal.as_chunks::<HOP>().0[..300] {
        analysis.process(hop, &mut noisy);
        features.process(&noisy, &mut jobs[0].input[0]);
        let input = jobs[0].input[0];
        for job in &mut jobs {
            job.input[0] = input;
            job.pending = true;
        }
        times.measure(|| engine.step(&mut jobs)).expect("a native step");
    }
    times
}
