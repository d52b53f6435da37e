//! One device: its steps at both paces for every number of streams, and whole files.

use std::hint::spin_loop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tacet_realtime::denoiser::Settings;
use tacet_realtime::device::{Assessment, Device, df_method_name};
use tacet_realtime::engine::native::{NativeEngine, NativeModel, NativeSequence, SimdLevel};
use tacet_realtime::engine::torch::{TorchEngine, TorchFile, TorchOptions};
use tacet_realtime::engine::{ChannelIn, ChannelOut, Engine, Job, StateUpdate, StepTimings, Thresholds};
use tacet_realtime::features::FeatureState;
use tacet_realtime::frame::SILENT_SPECTRUM;
use tacet_realtime::lab::{COLD_HOPS, Distribution, HOP_US, PAUSE_US};
use tacet_realtime::model::{HOP, Model};
use tacet_realtime::random::Random;
use tacet_realtime::sequence::{Pool, Sequence};
use tacet_realtime::stft::Analysis;

use super::{Args, HOP_TIME, PaceChoice};

/// Different hops that are measured with, in turn.
const N_INPUTS: usize = 64;
/// Round trips without work.
const N_ROUND_TRIPS: usize = 200;
/// Hops of a whole-file chunk, as for files.
const CHUNK_HOPS: usize = tacet_realtime::engine::torch::CHUNK_HOPS;
/// Channels of the whole-file measurement.
const FILE_CHANNELS: [usize; 3] = [1, 2, 16];
/// Chunks that are measured, after one that is not.
const N_CHUNKS: usize = 5;

/// Costs of the steps of one device with one number of streams, warm unless marked cold.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub device: String,
    pub streams: usize,
    /// "live" or "back-to-back".
    pub pace: &'static str,
    pub upload: Distribution,
    pub compute: Distribution,
    pub download: Distribution,
    pub total: Distribution,
    /// The first steps after a pause, when clocks are low.
    pub cold_total: Option<Distribution>,
    /// Mean step over the length of a hop.
    pub load_percent: f32,
    /// Live steps that ended after the next hop.
    pub missed: Option<usize>,
    /// Median of an empty round trip; not for devices that transfer nothing.
    pub round_trip_us: Option<f32>,
}

/// How fast whole files go through.
#[derive(Debug, Serialize)]
pub struct Throughput {
    pub device: String,
    pub channels: usize,
    pub df_method: &'static str,
    /// Seconds of audio, of all channels, per second.
    pub times_real_time: f64,
}

/// Measures a device that is available.
///
/// # Errors
/// It cannot be opened, or a step fails.
pub fn device(found: &Assessment, model: &Model, args: &Args) -> Result<(Vec<Measured>, Vec<Throughput>)> {
    let mut steps = Vec::new();
    for &streams in &args.streams {
        let paces: &[&'static str] = match args.pace {
            PaceChoice::Live => &["live"],
            PaceChoice::BackToBack => &["back-to-back"],
            PaceChoice::Both => &["live", "back-to-back"],
        };
        for pace in paces {
            steps.push(measure(found.device, model, streams, pace, args.hops)?);
        }
    }
    let files = if args.no_files { Vec::new() } else { files(found, model)? };
    Ok((steps, files))
}

fn measure(
    device: Device,
    model: &Model,
    streams: usize,
    pace: &'static str,
    hops: usize,
) -> Result<Measured> {
    let mut trips = Vec::with_capacity(N_ROUND_TRIPS);
    let mut engine: Box<dyn Engine> = match device {
        Device::Torch(torch) => {
            let options = TorchOptions { warm_up_channels: streams, ..TorchOptions::default() };
            let mut engine = TorchEngine::new(torch, model, &options)?;
            while device.has_transfers() && trips.len() < N_ROUND_TRIPS {
                trips.push(engine.round_trip(streams)?.total_us());
            }
            Box::new(engine)
        }
        native => Box::new(NativeEngine::new(packed(native, model)?)),
    };
    let round_trip_us = Distribution::of(&mut trips).map(|trips| trips.p50_us);
    let inputs = inputs(model.config.norm_alpha);
    let mut jobs = Vec::with_capacity(streams);
    for _ in 0..streams {
        jobs.push(Job::new(engine.open(1)?, 1));
    }
    let live = pace == "live";
    // Accelerators lower their clocks in a pause: the first steps after it are measured apart.
    std::thread::sleep(Duration::from_micros(PAUSE_US));
    let mut timings = Vec::with_capacity(hops + COLD_HOPS as usize);
    let mut missed = 0;
    let mut due = Instant::now();
    for hop in 0..hops + COLD_HOPS as usize {
        for (stream, job) in jobs.iter_mut().enumerate() {
            job.input[0] = inputs[(hop + stream) % N_INPUTS];
            job.pending = true;
        }
        if live {
            wait_until(due);
        }
        let begun = Instant::now();
        let step = engine.step(&mut jobs)?;
        timings.push((step, begun.elapsed().as_secs_f32() * 1e6));
        due += HOP_TIME;
        if live && Instant::now() > due {
            missed += usize::from(hop >= COLD_HOPS as usize);
            // As in a worker that fell behind: the next hop is there already.
            due = due.max(Instant::now() - HOP_TIME);
        }
    }
    let (cold, warm) = timings.split_at(COLD_HOPS as usize);
    let times = |steps: &[(StepTimings, f32)], part: &dyn Fn(&(StepTimings, f32)) -> f32| {
        let mut values: Vec<f32> = steps.iter().map(part).collect();
        Distribution::of(&mut values)
    };
    let warm_times = |part: &dyn Fn(&(StepTimings, f32)) -> f32| {
        times(warm, part).ok_or_else(|| anyhow::anyhow!("nothing was measured"))
    };
    let total = warm_times(&|step| step.1)?;
    Ok(Measured {
        device: device.name(),
        streams,
        pace,
        upload: warm_times(&|step| step.0.upload_us)?,
        compute: warm_times(&|step| step.0.compute_us)?,
        download: warm_times(&|step| step.0.download_us)?,
        cold_total: times(cold, &|step| step.1),
        load_percent: total.mean_us / HOP_US * 100.0,
        total,
        missed: live.then_some(missed),
        round_trip_us,
    })
}

/// Native files go hop by hop, and as sequences from samples to samples; those of libtorch in chunks.
fn files(found: &Assessment, model: &Model) -> Result<Vec<Throughput>> {
    let (Device::Torch(device), Some(df)) = (found.device, found.df) else {
        return native_files(found, model);
    };
    let inputs = inputs(model.config.norm_alpha);
    let mut throughputs = Vec::new();
    for channels in FILE_CHANNELS {
        let engine = TorchEngine::new(device, model, &TorchOptions::default())?;
        let mut file = TorchFile::new(engine, channels, df.method)?;
        let n_frames = channels * CHUNK_HOPS;
        let chunk: Vec<ChannelIn> = (0..n_frames).map(|frame| inputs[frame % N_INPUTS]).collect();
        let mut out = vec![ChannelOut::default(); n_frames];
        let updates = [StateUpdate::default(); CHUNK_HOPS];
        file.push(&Thresholds::default(), &updates, &chunk, &mut out)?;
        let start = Instant::now();
        for _ in 0..N_CHUNKS {
            file.push(&Thresholds::default(), &updates, &chunk, &mut out)?;
        }
        let audio_s = (N_CHUNKS * n_frames) as f64 * f64::from(HOP_US) / 1e6;
        throughputs.push(Throughput {
            device: found.device.name(),
            channels,
            df_method: df_method_name(df.method),
            times_real_time: audio_s / start.elapsed().as_secs_f64(),
        });
    }
    Ok(throughputs)
}

/// The weights as a native device uses them.
fn packed(device: Device, model: &Model) -> Result<Arc<NativeModel>> {
    Ok(NativeModel::with(model, device.native_precision().unwrap_or_default(), SimdLevel::get())?)
}

fn native_files(found: &Assessment, model: &Model) -> Result<Vec<Throughput>> {
    let inputs = inputs(model.config.norm_alpha);
    let packed = packed(found.device, model)?;
    let mut throughputs = Vec::new();
    for channels in FILE_CHANNELS {
        let mut engine = NativeEngine::new(packed.clone());
        let mut jobs = [Job::new(engine.open(channels)?, channels)];
        let mut run = |n_hops: usize| -> Result<()> {
            for hop in 0..n_hops {
                jobs[0].input.fill(inputs[hop % N_INPUTS]);
                jobs[0].pending = true;
                engine.step(&mut jobs)?;
            }
            Ok(())
        };
        run(CHUNK_HOPS)?;
        let start = Instant::now();
        run(N_CHUNKS * CHUNK_HOPS)?;
        let audio_s = (N_CHUNKS * CHUNK_HOPS * channels) as f64 * f64::from(HOP_US) / 1e6;
        throughputs.push(Throughput {
            device: found.device.name(),
            channels,
            df_method: "hop by hop",
            times_real_time: audio_s / start.elapsed().as_secs_f64(),
        });
    }
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (n_threads, method) in [(1, "sequence, 1 thread"), (n_cores, "sequence, all cores")] {
        for channels in FILE_CHANNELS {
            throughputs.push(Throughput {
                device: found.device.name(),
                channels,
                df_method: method,
                times_real_time: sequence(&packed, channels, n_threads)?,
            });
        }
    }
    Ok(throughputs)
}

/// Seconds of audio, of all channels, per second, from samples to samples.
fn sequence(packed: &Arc<NativeModel>, channels: usize, n_threads: usize) -> Result<f64> {
    let pool = Pool::new(n_threads)?;
    let samples = samples();
    let run = |n_hops: usize| -> Result<()> {
        let engine = NativeSequence::new(packed.clone(), channels);
        let mut sequence = Sequence::on(&pool, engine, Settings::default(), n_threads + 3);
        let mut output = vec![[0.0; HOP]; channels];
        for hop in samples.iter().cycle().take(n_hops) {
            sequence.push(&vec![*hop; channels])?;
            while sequence.pop(&mut output)? {}
        }
        Ok(sequence.drain(&mut output, |_| {})?)
    };
    run(CHUNK_HOPS)?;
    let start = Instant::now();
    run(N_CHUNKS * CHUNK_HOPS)?;
    let audio_s = (N_CHUNKS * CHUNK_HOPS * channels) as f64 * f64::from(HOP_US) / 1e6;
    Ok(audio_s / start.elapsed().as_secs_f64())
}

/// White noise at -20 dBFS, which keeps every stage at work.
fn samples() -> Vec<[f32; HOP]> {
    let mut random = Random(1);
    (0..N_INPUTS).map(|_| std::array::from_fn(|_| random.sample() * 0.1)).collect()
}

/// The network's input for that noise.
fn inputs(norm_alpha: f32) -> Vec<ChannelIn> {
    let (mut analysis, mut features) = (Analysis::new(), FeatureState::new(norm_alpha));
    let mut spectrum = SILENT_SPECTRUM;
    let hear = |hop: &[f32; HOP]| {
        let mut input = ChannelIn::default();
        analysis.process(hop, &mut spectrum);
        features.process(&spectrum, &mut input);
        input
    };
    samples().iter().map(hear).collect()
}

/// Sleeps most of the way and spins the rest: a sleep ends up to a millisecond late.
fn wait_until(moment: Instant) {
    const SPIN: Duration = Duration::from_millis(1);
    while let Some(left) = moment.checked_duration_since(Instant::now()) {
        if left > SPIN {
            std::thread::sleep(left - SPIN);
        } else {
            spin_loop();
        }
    }
}
