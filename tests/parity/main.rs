//! Our output against oracles that share no code with it: the official runtime live, and golden vectors.

#[path = "../support/emulator.rs"]
mod emulator;
#[path = "../oracle/runtime.rs"]
mod runtime;
#[path = "../oracle/signals.rs"]
mod signals;

mod golden;
mod live;
mod pipeline;

use tacet_realtime::denoiser::{Denoiser, HopReport, Settings};
use tacet_realtime::engine::Thresholds;
use tacet_realtime::engine::native::{NativeEngine, NativeModel, NativeSequence, Precision, SimdLevel};
use tacet_realtime::enhance::{Shaping, StereoLink};
use tacet_realtime::model::{HOP, Model, ModelKind};
use tacet_realtime::rules::Rules;
use tacet_realtime::sequence::{Pool, Sequence};
use tacet_realtime::weights;

/// Least ratio of an output to its difference from the oracle's, in dB. Observed: 103 for noise that all but
/// vanishes, 117 to 137 for voices.
const MIN_SNR_DB: f64 = 100.0;
/// Largest difference of a sample from the oracle's. Observed: 2e-6, at full scale.
const MAX_DIFFERENCE: f32 = 2e-5;
/// Largest difference of the local SNR from the oracle's, in dB. Observed: 3e-4.
const MAX_LSNR_DIFFERENCE_DB: f32 = 2e-3;
/// The same with 16-bit weights. Observed: 70 for noise that all but vanishes, 71 to 91 for voices.
const MIN_SNR_16_BIT_DB: f64 = 60.0;
/// The same with 16-bit weights. Observed: 1.1e-2.
const MAX_LSNR_DIFFERENCE_16_BIT_DB: f32 = 0.05;

/// Thresholds of the official library's defaults; some stages are skipped.
const SOME_STAGES: Thresholds = Thresholds { min_db: -10.0, max_erb_db: 30.0, max_df_db: 20.0 };
/// Thresholds that pass every frame as it is.
const NO_STAGES: Thresholds = Thresholds { min_db: -100.0, max_erb_db: -100.0, max_df_db: -100.0 };

fn settings(thresholds: Thresholds, attenuation_limit_db: f32, post_filter_beta: f32) -> Settings {
    Settings {
        thresholds,
        shaping: Shaping {
            attenuation_limit_db,
            post_filter_beta,
            link: StereoLink::None,
            keeps_clean: false,
            keeps_whisper: false,
            ..Shaping::default()
        },
        rules: Rules::REFERENCE,
    }
}

/// The model of that kind, or `None` with the reason printed.
fn model(kind: ModelKind) -> Option<Model> {
    if kind == ModelKind::DeepFilterNet3 {
        return Some(weights::embedded().expect("the build checked it"));
    }
    let loaded = tacet_realtime::model::Model::from_file(&runtime::model_dir().join(kind.safetensors_file()));
    loaded.map_err(|error| skip(&error.to_string())).ok()
}

/// Says why a test does not run; with `TACET_REQUIRE_ORACLE=1` that is a failure.
fn skip(reason: &str) {
    let required = std::env::var_os("TACET_REQUIRE_ORACLE").is_some_and(|value| value == "1");
    assert!(!required, "TACET_REQUIRE_ORACLE=1, but {reason}");
    eprintln!("skipped: {reason}");
}

fn denoiser(model: &Model, n_channels: usize, settings: Settings) -> Denoiser {
    denoiser_with(model, Precision::F32, n_channels, settings)
}

fn denoiser_with(model: &Model, precision: Precision, n_channels: usize, settings: Settings) -> Denoiser {
    let model = NativeModel::with(model, precision, SimdLevel::get()).expect("a checked model");
    Denoiser::new(Box::new(NativeEngine::new(model)), n_channels, settings)
        .expect("the native engine has room")
}

/// Runs whole signals, one per channel, hop by hop.
fn denoise(denoiser: &mut Denoiser, channels: &[&[f32]]) -> (Vec<Vec<f32>>, Vec<HopReport>) {
    let n_hops = channels[0].len() / HOP;
    let mut outputs = vec![vec![0.0; n_hops * HOP]; channels.len()];
    let mut reports = Vec::new();
    for t in 0..n_hops {
        let hop = t * HOP..(t + 1) * HOP;
        let input: Vec<&[f32]> = channels.iter().map(|channel| &channel[hop.clone()]).collect();
        let mut output: Vec<&mut [f32]> =
            outputs.iter_mut().map(|channel| &mut channel[hop.clone()]).collect();
        reports.push(denoiser.process(&input, &mut output).expect("the native engine does not fail"));
    }
    (outputs, reports)
}

/// Runs whole signals, one per channel, as a sequence on two threads, in chunks.
fn denoise_sequence(model: &Model, settings: Settings, channels: &[&[f32]]) -> Vec<Vec<f32>> {
    let model = NativeModel::new(model).expect("a checked model");
    let pool = Pool::new(2).expect("threads");
    let engine = NativeSequence::new(model, channels.len());
    let mut sequence = Sequence::on(&pool, engine, settings, 4);
    let mut outputs = vec![Vec::new(); channels.len()];
    let mut take = |hop: &mut [[f32; HOP]]| {
        outputs.iter_mut().zip(hop).for_each(|(output, hop)| output.extend_from_slice(hop));
    };
    let mut hop = vec![[0.0; HOP]; channels.len()];
    for t in 0..channels[0].len() / HOP {
        let input: Vec<&[f32]> = channels.iter().map(|channel| &channel[t * HOP..(t + 1) * HOP]).collect();
        sequence.push(&input).expect("the native engine does not fail");
        while sequence.pop(&mut hop).expect("the native engine does not fail") {
            take(&mut hop);
        }
    }
    sequence.drain(&mut hop, take).expect("the native engine does not fail");
    outputs
}

/// Fails if `got` is not what the oracle expects; returns (SNR in dB, largest difference).
fn check_audio(what: &str, expected: &[f32], got: &[f32]) -> (f64, f32) {
    let (snr_db, largest) = compare_audio(expected, got);
    assert!(snr_db >= MIN_SNR_DB, "{what}: SNR {snr_db:.1} dB");
    assert!(largest <= MAX_DIFFERENCE, "{what}: largest difference {largest:e}");
    (snr_db, largest)
}

/// (SNR in dB, largest difference).
fn compare_audio(expected: &[f32], got: &[f32]) -> (f64, f32) {
    assert_eq!(expected.len(), got.len(), "length");
    let energy = |samples: &[f32]| samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let difference: f64 =
        expected.iter().zip(got).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    let signal = energy(expected);
    // Silence for silence is exact.
    let snr_db = if difference == 0.0 { f64::INFINITY } else { 10.0 * (signal / difference).log10() };
    (snr_db, expected.iter().zip(got).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max))
}

/// Fails if a local SNR is not what the oracle says; returns the largest difference in dB.
fn check_lsnr(what: &str, expected_db: &[f32], reports: &[HopReport]) -> f32 {
    let largest_db = compare_lsnr(expected_db, reports);
    assert!(largest_db <= MAX_LSNR_DIFFERENCE_DB, "{what}: local SNR differs by {largest_db} dB");
    largest_db
}

/// The largest difference of a local SNR, in dB.
fn compare_lsnr(expected_db: &[f32], reports: &[HopReport]) -> f32 {
    assert_eq!(expected_db.len(), reports.len(), "hops");
    let pairs = expected_db.iter().zip(reports);
    pairs.map(|(expected, report)| (expected - report.lsnr_db).abs()).fold(0.0, f32::max)
}
