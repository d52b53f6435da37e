//! Whole signals against the official runtime, which runs beside ours, hop by hop.

use tacet_realtime::engine::Thresholds;
use tacet_realtime::engine::native::Precision;
use tacet_realtime::model::{HOP, LSNR_MAX_DB, LSNR_MIN_DB, Model, ModelKind};

use super::{
    MAX_LSNR_DIFFERENCE_16_BIT_DB, MIN_SNR_16_BIT_DB, check_audio, check_lsnr, compare_audio, compare_lsnr,
    denoise, denoiser, denoiser_with, model, runtime::OfficialRuntime, settings, signals, skip,
};

/// Attenuation limit in dB and the post filter's strength.
type Shaping = (f32, f32);

#[test]
fn deep_filter_net_3_equals_the_official_runtime() {
    let shapings = [(100.0, 0.0), (100.0, 0.02), (12.0, 0.0), (12.0, 0.02)];
    every_signal_equals_the_official_runtime(ModelKind::DeepFilterNet3, &shapings);
}

#[test]
fn the_low_latency_model_equals_the_official_runtime() {
    let shapings = [(100.0, 0.0), (12.0, 0.02)];
    every_signal_equals_the_official_runtime(ModelKind::DeepFilterNet3Ll, &shapings);
}

/// A new stream on either side hears a signal once per shaping, one time after the other: state that differs once would
/// differ from there on.
fn every_signal_equals_the_official_runtime(kind: ModelKind, shapings: &[Shaping]) {
    let Some(model) = model(kind) else { return };
    let mut n_rounded = 0;
    for signal in signals::all() {
        let mut official = match OfficialRuntime::open(kind) {
            Ok(official) => official,
            Err(reason) => return skip(&reason),
        };
        let mut ours = denoiser(&model, 1, settings(Thresholds::default(), 100.0, 0.0));
        for &(limit_db, beta) in shapings {
            official.set(limit_db, beta);
            let what = format!("{kind}, {}, limit {limit_db} dB, post filter {beta}", signal.name);
            let (mut expected, mut expected_lsnr_db) = (Vec::new(), Vec::new());
            let (mut got, mut reports) = (Vec::new(), Vec::new());
            for hop in signal.samples.as_chunks::<HOP>().0 {
                let mut out = [0.0; HOP];
                let lsnr_db = official.process(hop, &mut out);
                expected.extend(out);
                expected_lsnr_db.push(lsnr_db);

                let thresholds = taken(lsnr_db);
                n_rounded += usize::from(thresholds != Thresholds::default());
                ours.set(settings(thresholds, limit_db, beta));
                reports.push(ours.process(&[hop], &mut [&mut out]).expect("the native engine does not fail"));
                got.extend(out);
            }
            let lsnr_db = check_lsnr(&what, &expected_lsnr_db, &reports);
            let (snr_db, largest) = check_audio(&what, &expected, &got);
            println!(
                "{what}: SNR {snr_db:.1} dB, largest difference {largest:.1e}, local SNR {lsnr_db:.1e} dB"
            );
        }
    }
    // One or two in a thousand for the low-latency model, none for the other.
    println!("{kind}: {n_rounded} hops were decided by the official runtime's rounding");
}

/// Weights of 16 bits are a choice that is offered as inaudible: this far from the official runtime's output, in the sound
/// and in the local SNR that decides about stages.
#[test]
fn sixteen_bit_weights_stay_close_to_the_official_runtime() {
    let Some(model) = model(ModelKind::DeepFilterNet3) else { return };
    for signal in signals::all() {
        let mut official = match OfficialRuntime::open(ModelKind::DeepFilterNet3) {
            Ok(official) => official,
            Err(reason) => return skip(&reason),
        };
        let mut ours = denoiser_with(&model, Precision::I16, 1, settings(Thresholds::default(), 100.0, 0.0));
        let mut expected = vec![0.0; signal.samples.len() / HOP * HOP];
        let (hops, outs) = (signal.samples.as_chunks::<HOP>().0, expected.as_chunks_mut::<HOP>().0);
        let lsnr_db: Vec<f32> = hops.iter().zip(outs).map(|(hop, out)| official.process(hop, out)).collect();
        let (got, reports) = denoise(&mut ours, &[&signal.samples]);
        let (snr_db, largest) = compare_audio(&expected, &got[0]);
        let lsnr_off_db = compare_lsnr(&lsnr_db, &reports);
        println!(
            "16 bits, {}: SNR {snr_db:.1} dB, largest difference {largest:.1e}, local SNR {lsnr_off_db:.1e} dB",
            signal.name
        );
        assert!(snr_db >= MIN_SNR_16_BIT_DB, "{}: SNR {snr_db:.1} dB", signal.name);
        assert!(lsnr_off_db <= MAX_LSNR_DIFFERENCE_16_BIT_DB, "{}: {lsnr_off_db} dB", signal.name);
    }
}

/// The low-latency model as it is installed, against its exact weights.
#[test]
fn an_installed_low_latency_model_stays_close_to_the_exact_one() {
    let Some(exact) = model(ModelKind::DeepFilterNet3Ll) else { return };
    let installed = Model::from_bytes(&exact.to_rounded_safetensors().unwrap()).unwrap();
    for signal in signals::all() {
        let [expected, got] = [&exact, &installed].map(|model| {
            let settings = settings(Thresholds::default(), 100.0, 0.0);
            denoise(&mut denoiser(model, 1, settings), &[&signal.samples]).0.remove(0)
        });
        let (snr_db, largest) = compare_audio(&expected, &got);
        println!("installed, {}: SNR {snr_db:.1} dB, largest difference {largest:.1e}", signal.name);
        assert!(snr_db >= MIN_SNR_16_BIT_DB, "{}: SNR {snr_db:.1} dB", signal.name);
    }
}

/// Thresholds that take the official runtime's stage where its own rounding decided it: its sigmoid is an approximation
/// that strays beyond 0..=1, so that at -15/35 dB, the ends of the range, a local SNR of -15.000002 dB silences a hop and
/// freezes its decoders. Ours stays within the range.
fn taken(official_lsnr_db: f32) -> Thresholds {
    let mut thresholds = Thresholds::default();
    if official_lsnr_db < LSNR_MIN_DB {
        thresholds.min_db = f32::INFINITY;
    } else if official_lsnr_db > LSNR_MAX_DB {
        thresholds.max_erb_db = f32::NEG_INFINITY;
    }
    thresholds
}
