//! Recordings through the passes of a sequence, on one to many threads, beside the official runtime in the same run.
//!
//!     cargo xtask bench sequence
//!     cargo xtask bench sequence -- 1,2,4,8,16
//!
//! Every row is measured in turns with the official runtime, which has one thread; all ratios are per channel. Not pinned
//! to one core; `taskset` before the command limits everybody alike.

#[path = "../tests/oracle/runtime.rs"]
#[allow(dead_code, reason = "shared with the tests, which also change settings")]
mod runtime;
#[path = "../tests/oracle/signals.rs"]
#[allow(dead_code, reason = "shared with the tests, which use every signal")]
mod signals;

use std::time::Instant;

use runtime::OfficialRuntime;
use tacet_benches::Times;
use tacet_benches::plot::{self, Curve};
use tacet_realtime::denoiser::{Denoiser, Settings};
use tacet_realtime::engine::native::{NativeEngine, NativeModel, NativeSequence, Precision, SimdLevel};
use tacet_realtime::engine::torch::{TorchDevice, TorchEngine, TorchFile, TorchOptions, TorchSequence};
use tacet_realtime::model::{HOP, Model, ModelKind, SAMPLE_RATE_HZ};
use tacet_realtime::sequence::{Pool, Sequence};
use tacet_torch_pack::abi::DfMethod;

/// Hops of the recording, per channel: a minute.
const N_HOPS: usize = 6000;
/// Hops that are slow enough to tell with a tenth of that.
const FEW_HOPS: usize = 600;
/// Turns that every row takes with the official runtime.
const TURNS: usize = 5;

/// Cost of one way through the recording.
#[derive(Default)]
struct Row {
    name: String,
    /// Microseconds per hop and channel.
    wall: Times,
    cpu: Times,
    /// Of these, to the official runtime's at the same time.
    wall_ratio: Times,
    cpu_ratio: Times,
    /// Peak growth of the process's memory.
    peak_mb: f64,
}

fn main() {
    let threads = std::env::args().nth(1).filter(|text| !text.starts_with("--"));
    let threads: Vec<usize> = match threads {
        Some(list) => list.split(',').map(|n| n.parse().expect("numbers of threads, as 1,2,4")).collect(),
        None => vec![1, 2, 4, 8, 16],
    };
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{n_cores} processor cores to use, {}", SimdLevel::get().name());
    let model = tacet_realtime::weights::embedded().expect("the embedded model");
    let mut official = OfficialRuntime::open(ModelKind::DeepFilterNet3)
        .map_err(|reason| println!("no official runtime to compare with: {reason}"))
        .ok();
    let signal = signals::speech_like(10.0);
    let hops: Vec<[f32; HOP]> = signal.as_chunks::<HOP>().0.to_vec();

    println!(
        "{:<34} {:>9} {:>9} {:>11} {:>10} {:>12} {:>8}",
        "per channel", "wall us", "CPU us", "wall ratio", "CPU ratio", "x real time", "MB more"
    );
    let mut all =
        |name: String, n_hops: usize, n_channels: usize, run: &mut dyn FnMut(&[[f32; HOP]], usize)| {
            let mut row = Row { name, ..Row::default() };
            for turn in 0..=TURNS {
                let (peer_wall, peer_cpu) = official.as_mut().map_or((1.0, 1.0), |official| {
                    let mut output = [0.0; HOP];
                    timed(FEW_HOPS, || {
                        for hop in hops.iter().cycle().take(FEW_HOPS) {
                            official.process(hop, &mut output);
                        }
                    })
                });
                let before_kb = status_kb("VmRSS:");
                forget_peak();
                let (wall, cpu) = timed(n_hops * n_channels, || run(&hops, n_hops));
                // The first turn finds nothing in the caches and has its memory still to get.
                if turn > 0 {
                    row.wall.push(wall);
                    row.cpu.push(cpu);
                    row.wall_ratio.push(wall / peer_wall);
                    row.cpu_ratio.push(cpu / peer_cpu);
                } else {
                    row.peak_mb = (status_kb("VmHWM:") - before_kb) / 1000.0;
                }
            }
            let wall = row.wall.quantile(0.5);
            println!(
                "{:<34} {wall:>9.1} {:>9.1} {:>11.4} {:>10.4} {:>12.0} {:>8.0}",
                row.name,
                row.cpu.quantile(0.5),
                row.wall_ratio.quantile(0.5),
                row.cpu_ratio.quantile(0.5),
                HOP as f64 / f64::from(SAMPLE_RATE_HZ) * 1e6 / wall,
                row.peak_mb,
            );
            row.wall_ratio.quantile(0.5)
        };
    let mut curves = Vec::new();

    for precision in [Precision::F32, Precision::I16] {
        let packed = NativeModel::with(&model, precision, SimdLevel::get()).expect("the embedded model fits");
        all(format!("hop by hop, {precision:?}, mono"), FEW_HOPS, 1, &mut |hops, n_hops| {
            let engine = Box::new(NativeEngine::new(packed.clone()));
            let mut denoiser = Denoiser::new(engine, 1, Settings::reference()).expect("room for a stream");
            let mut output = [0.0; HOP];
            for hop in hops.iter().cycle().take(n_hops) {
                denoiser.process(&[hop], &mut [&mut output]).expect("a step");
            }
        });
        for n_channels in [1, 2] {
            let mut curve =
                Curve { name: format!("{precision:?}, {n_channels} channels"), points: Vec::new() };
            for &n_threads in &threads {
                let name = format!("{precision:?}, {n_channels} channels, {n_threads} threads");
                let pool = Pool::new(n_threads).expect("threads");
                let ratio = all(name, N_HOPS, n_channels, &mut |hops, n_hops| {
                    let engine = NativeSequence::new(packed.clone(), n_channels);
                    let sequence = Sequence::on(&pool, engine, Settings::reference(), n_threads + 3);
                    through(sequence, n_channels, hops, n_hops);
                });
                curve.points.push((n_threads as f64, ratio));
            }
            curves.push(curve);
        }
    }
    for device in [TorchDevice::Cpu, TorchDevice::Cuda(0)] {
        if let Some(mut engine) = torch(device, &model) {
            all(format!("{}, mono, 1 thread", device.name()), FEW_HOPS * 4, 1, &mut |hops, n_hops| {
                let file = TorchFile::new(engine.take().expect("given back"), 1, DfMethod::COMPLEX_STRIDED);
                let (give, given) = std::sync::mpsc::channel();
                let done = move |engine| drop(give.send(engine));
                let sequence =
                    Sequence::new(TorchSequence::new(file.expect("a file"), done), Settings::reference());
                through(sequence, 1, hops, n_hops);
                engine = given.recv().ok();
            });
        }
    }
    let unit = if official.is_some() {
        "of the official runtime's time per channel"
    } else {
        "us per hop and channel"
    };
    let picture = plot::svg("What a recording takes", "threads", unit, &curves);
    plot::save(env!("CARGO_TARGET_TMPDIR"), "sequence", &picture);
}

fn torch(device: TorchDevice, model: &Model) -> Option<Option<TorchEngine>> {
    let options = TorchOptions { warm_up_channels: 1, graphs: false };
    match TorchEngine::new(device, model, &options) {
        Ok(engine) => Some(Some(engine)),
        Err(reason) => {
            println!("no {} to compare with: {reason}", device.name());
            None
        }
    }
}

/// Takes a recording of so many hops through.
fn through<W: Send + 'static>(
    mut sequence: Sequence<W>,
    n_channels: usize,
    hops: &[[f32; HOP]],
    n_hops: usize,
) {
    let mut output = vec![[0.0; HOP]; n_channels];
    let mut n_out = 0;
    for at in 0..n_hops {
        // Channels differ, as they do in recordings.
        let input: Vec<_> = (0..n_channels).map(|channel| hops[(at + 7 * channel) % hops.len()]).collect();
        sequence.push(&input).expect("a chunk");
        while sequence.pop(&mut output).expect("a chunk") {
            n_out += 1;
        }
    }
    sequence.drain(&mut output, |_| n_out += 1).expect("a chunk");
    assert_eq!(n_out, n_hops, "every hop comes out");
}

/// Microseconds for each of `n`: of the clock, and of all processors together.
fn timed(n: usize, run: impl FnOnce()) -> (f64, f64) {
    let (start, cpu) = (Instant::now(), cpu_us());
    run();
    (start.elapsed().as_secs_f64() * 1e6 / n as f64, (cpu_us() - cpu) / n as f64)
}

/// Microseconds of processor time that this process has taken, to the kernel's ten milliseconds.
fn cpu_us() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets: user time is the 12th field, system time the 13th, in hundredths of a second.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) * 1e4
}

/// A line of this process's status, in kB.
fn status_kb(line: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = text.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().next());
    value.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// Lets the kernel measure the peak anew.
fn forget_peak() {
    // If that is not allowed, the peak is that of all so far.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}
