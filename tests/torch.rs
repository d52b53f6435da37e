//! The torch engine against the native one, through the opened library. Where no runtime pack is installed the tests say
//! so and pass; `TACET_REQUIRE_TORCH=1` makes that a failure. GPUs are required by `TACET_REQUIRE_CUDA=1` and
//! `TACET_REQUIRE_MPS=1`.

#[path = "support/agreement.rs"]
mod agreement;

use agreement::agreement_db;
use tacet_realtime::denoiser::{Denoiser, Settings};
use tacet_realtime::engine::native::{NativeEngine, NativeModel};
use tacet_realtime::engine::torch::{
    CHUNK_HOPS, MAX_CHANNELS, TorchBackend, TorchDevice, TorchEngine, TorchError, TorchFile, TorchOptions,
    TorchSequence,
};
use tacet_realtime::engine::{ChannelIn, ChannelOut, Engine, EngineError, Job, StateUpdate, Thresholds};
use tacet_realtime::model::{HOP, Model};
use tacet_realtime::random::Random;
use tacet_realtime::sequence::Sequence;
use tacet_torch_pack::abi::DfMethod;

const N_CHANNELS: usize = 2;
/// Two chunks and a part.
const N_HOPS: usize = 2 * CHUNK_HOPS + 60;
/// Least agreement of the audio in dB: what the project promises. About 120 was observed on the CPU and on CUDA.
const CPU_DB: f64 = 90.0;
const GPU_DB: f64 = 80.0;

fn model() -> Model {
    tacet_realtime::weights::embedded().unwrap()
}

/// An engine on the device, or `None` with the reason printed.
fn engine(device: TorchDevice) -> Option<TorchEngine> {
    let required = |name: &str| std::env::var_os(name).is_some_and(|value| value == "1");
    let must = match device {
        TorchDevice::Cpu => required("TACET_REQUIRE_TORCH"),
        TorchDevice::Mps => required("TACET_REQUIRE_MPS"),
        TorchDevice::Cuda(_) => required("TACET_REQUIRE_CUDA"),
    };
    match TorchEngine::new(device, &model(), &TorchOptions::default()) {
        Ok(engine) => Some(engine),
        // A device that is there and computes wrongly is never a reason to skip.
        Err(error @ TorchError::Mismatch { .. }) => panic!("{error}"),
        Err(error) => {
            assert!(!must, "{} is required here: {error}", device.name());
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn noise() -> Vec<Vec<f32>> {
    // Its level wanders, so that the local SNR does.
    let mut random = Random(1);
    let mut sample = |at: usize| random.sample() * 0.1 * (1.0 + (at as f32 / 9000.0).sin());
    (0..N_CHANNELS).map(|_| (0..N_HOPS * HOP).map(&mut sample).collect()).collect()
}

/// Takes the noise through a processor of hops.
fn run(mut process: impl FnMut(&[&[f32]], &mut [&mut [f32]])) -> Vec<Vec<f32>> {
    let input = noise();
    let mut output = vec![vec![0.0; N_HOPS * HOP]; N_CHANNELS];
    for hop in 0..N_HOPS {
        let range = hop * HOP..(hop + 1) * HOP;
        let input: Vec<_> = input.iter().map(|channel| &channel[range.clone()]).collect();
        let mut output: Vec<_> = output.iter_mut().map(|channel| &mut channel[range.clone()]).collect();
        process(&input, &mut output);
    }
    output
}

fn denoise(engine: impl Engine + 'static, settings: Settings) -> Vec<Vec<f32>> {
    let mut denoiser = Denoiser::new(Box::new(engine), N_CHANNELS, settings).unwrap();
    run(|input, output| {
        denoiser.process(input, output).unwrap();
    })
}

/// Hops of a recording, all channels, `[hop][channel]`.
fn hops(input: &[Vec<f32>]) -> impl Iterator<Item = Vec<&[f32]>> {
    (0..input[0].len() / HOP).map(|hop| input.iter().map(|channel| &channel[hop * HOP..][..HOP]).collect())
}

/// Takes a recording through a sequence.
fn sequenced(mut sequence: Sequence<()>, input: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut output = vec![Vec::new(); input.len()];
    let mut hop = vec![vec![0.0; HOP]; input.len()];
    let mut take = |hop: &mut [Vec<f32>]| {
        output.iter_mut().zip(hop).for_each(|(all, hop)| all.extend_from_slice(hop));
    };
    for samples in hops(input) {
        sequence.push(&samples).unwrap();
        while sequence.pop(&mut hop).unwrap() {
            take(&mut hop);
        }
    }
    sequence.drain(&mut hop, take).unwrap();
    output
}

/// The engine as a sequence that gives it to nobody afterwards.
fn sequence(engine: TorchEngine, n_channels: usize, method: DfMethod, settings: Settings) -> Sequence<()> {
    let file = TorchFile::new(engine, n_channels, method).unwrap();
    Sequence::new(TorchSequence::new(file, drop), settings)
}

fn native() -> NativeEngine {
    NativeEngine::new(NativeModel::new(&model()).unwrap())
}

/// All stages always, and thresholds between which the noise's local SNR moves, so that every stage occurs.
fn settings() -> [Settings; 2] {
    let mut denoiser = Denoiser::new(Box::new(native()), N_CHANNELS, Settings::default()).unwrap();
    let mut lsnr_db = Vec::new();
    run(|input, output| lsnr_db.push(denoiser.process(input, output).unwrap().lsnr_db));
    lsnr_db.sort_by(f32::total_cmp);
    // Halfway between two hops, so that rounding decides nothing.
    let quantile = |part: usize| {
        let at = lsnr_db.len() * part / 8;
        (lsnr_db[at] + lsnr_db[at + 1]) / 2.0
    };
    let gated = Thresholds { min_db: quantile(1), max_erb_db: quantile(6), max_df_db: quantile(4) };
    assert!(gated.min_db < gated.max_df_db && gated.max_df_db < gated.max_erb_db, "{gated:?}");
    [Settings::default(), Settings { thresholds: gated, ..Settings::default() }]
}

fn audio_is_the_native_engines(device: TorchDevice, at_least_db: f64) {
    for settings in settings() {
        let Some(engine) = engine(device) else { return };
        let expected = denoise(native(), settings);
        let steps = denoise(engine, settings);
        for (found, expected) in steps.iter().zip(&expected) {
            let db = agreement_db(found, expected);
            assert!(db > at_least_db, "{}: {db:.0} dB hop by hop with {settings:?}", device.name());
        }
        for method in [DfMethod::COMPLEX_STRIDED, DfMethod::REAL_UNFOLD] {
            let Some(engine) = self::engine(device) else { return };
            let whole = sequenced(sequence(engine, N_CHANNELS, method, settings), &noise());
            for (found, expected) in whole.iter().zip(&expected) {
                let db = agreement_db(found, expected);
                assert!(db > at_least_db, "{}: {db:.0} dB as a sequence with {settings:?}", device.name());
            }
        }
    }
}

#[test]
fn audio_on_the_cpu() {
    audio_is_the_native_engines(TorchDevice::Cpu, CPU_DB);
}

#[test]
fn audio_on_cuda() {
    audio_is_the_native_engines(TorchDevice::Cuda(0), GPU_DB);
}

#[test]
fn audio_on_mps() {
    audio_is_the_native_engines(TorchDevice::Mps, GPU_DB);
}

/// Hidden states are held and restarted as in the native engine, hop by hop and as a file.
#[test]
fn hidden_states_are_the_native_engines() {
    const N_HOPS: usize = 120;
    let Some(mut torch) = engine(TorchDevice::Cpu) else { return };
    let mut native = native();
    let (ours, theirs) = (torch.open(N_CHANNELS).unwrap(), native.open(N_CHANNELS).unwrap());
    let (mut ours, mut theirs) = ([Job::new(ours, N_CHANNELS)], [Job::new(theirs, N_CHANNELS)]);
    let mut random = Random(1);
    let mut random = || random.sample();
    let updates: [StateUpdate; N_HOPS] = std::array::from_fn(|hop| match hop {
        31 | 90 => StateUpdate::Restart,
        10..20 | 50 | 60..90 => StateUpdate::Hold,
        _ => StateUpdate::Advance,
    });
    // Channel after channel.
    let mut inputs = vec![ChannelIn::default(); N_CHANNELS * N_HOPS];
    for input in &mut inputs {
        input.erb.fill_with(&mut random);
        let bins = input.cplx.iter_mut().chain(&mut input.noisy);
        bins.for_each(|bin| (bin.re, bin.im) = (random(), random()));
    }
    let values = |output: &ChannelOut| -> Vec<f32> {
        let filtered = output.filtered.iter().flat_map(|bin| [bin.re, bin.im]);
        output.mask.into_iter().chain(filtered).collect()
    };
    let (mut steps, mut expected) = (Vec::new(), vec![Vec::new(); N_CHANNELS]);
    for (hop, update) in updates.iter().enumerate() {
        for job in [&mut ours[0], &mut theirs[0]] {
            job.input.iter_mut().enumerate().for_each(|(c, input)| *input = inputs[c * N_HOPS + hop]);
            (job.update, job.pending) = (*update, true);
        }
        torch.step(&mut ours).unwrap();
        native.step(&mut theirs).unwrap();
        steps.extend(ours[0].output.iter().flat_map(values));
        expected.iter_mut().zip(&theirs[0].output).for_each(|(all, output)| all.extend(values(output)));
    }
    let by_hop: Vec<f32> = {
        let n = expected[0].len() / N_HOPS;
        (0..N_HOPS)
            .flat_map(|hop| expected.iter().flat_map(move |all| &all[hop * n..][..n]))
            .copied()
            .collect()
    };
    let db = agreement_db(&steps, &by_hop);
    assert!(db > CPU_DB, "{db:.0} dB hop by hop");
    torch.close(ours[0].stream);
    let mut file = TorchFile::new(torch, N_CHANNELS, DfMethod::REAL_UNFOLD).unwrap();
    let mut outputs = vec![ChannelOut::default(); inputs.len()];
    file.push(&Thresholds::default(), &updates, &inputs, &mut outputs).unwrap();
    let found: Vec<f32> = outputs.iter().flat_map(values).collect();
    let db = agreement_db(&found, &expected.concat());
    assert!(db > CPU_DB, "{db:.0} dB as a file");
}

/// More channels make shorter chunks, so that memory stays bounded; the result is the same.
#[test]
fn many_channels_go_through_in_shorter_chunks() {
    const MANY: usize = 64;
    let (Some(many), Some(one)) = (engine(TorchDevice::Cpu), engine(TorchDevice::Cpu)) else { return };
    assert!((50..CHUNK_HOPS).contains(&TorchFile::max_chunk_hops(MANY)));
    let input = &noise()[0][..(CHUNK_HOPS + 60) * HOP];
    let through = |engine, n_channels: usize| {
        let sequence = sequence(engine, n_channels, DfMethod::COMPLEX_STRIDED, Settings::default());
        sequenced(sequence, &vec![input.to_vec(); n_channels]).pop().unwrap()
    };
    let db = agreement_db(&through(many, MANY), &through(one, 1));
    assert!(db > CPU_DB, "{db:.0} dB");
}

/// A device's engine serves one file after the other.
#[test]
fn an_engine_takes_the_next_file_as_if_it_were_the_first() {
    let Some(engine) = engine(TorchDevice::Cpu) else { return };
    let (give, given) = std::sync::mpsc::channel();
    give.send(engine).unwrap();
    let take = || {
        let file = TorchFile::new(given.recv().unwrap(), N_CHANNELS, DfMethod::REAL_UNFOLD).unwrap();
        let give = give.clone();
        let done = move |engine| drop(give.send(engine));
        sequenced(Sequence::new(TorchSequence::new(file, done), Settings::default()), &noise())
    };
    let first = take();
    assert!(take() == first, "bit-identical");
}

#[test]
fn streams_are_opened_until_the_engine_is_full_and_found_again() {
    let Some(mut engine) = engine(TorchDevice::Cpu) else { return };
    let first = engine.open(2).unwrap();
    let second = engine.open(MAX_CHANNELS - 2).unwrap();
    assert_eq!(engine.open(1), Err(EngineError::Full { limit: MAX_CHANNELS }));
    engine.close(first);
    engine.close(first);
    assert_eq!(engine.open(2), Ok(first));
    engine.close(second);
    let mut unknown = [tacet_realtime::engine::Job::new(second, 1)];
    unknown[0].pending = true;
    assert_eq!(engine.step(&mut unknown), Err(EngineError::UnknownStream(second)));
}

#[test]
fn a_device_that_is_not_there_is_an_error_with_a_reason() {
    if engine(TorchDevice::Cpu).is_none() {
        return;
    }
    let error = TorchEngine::new(TorchDevice::Cuda(63), &model(), &TorchOptions::default()).unwrap_err();
    assert!(error.to_string().contains("CUDA"), "{error}");
    let backend = TorchBackend::opened().expect("opened above");
    assert!(backend.set_threads(0).is_err() && backend.set_threads(1).is_ok());
}
