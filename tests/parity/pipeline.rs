//! Properties of the whole pipeline for any answer of the network: delay, dry path, poisoned input, reset.

use tacet_realtime::engine::Thresholds;
use tacet_realtime::model::{HOP, ModelKind};

use super::{
    NO_STAGES, SOME_STAGES, denoise, denoise_sequence, denoiser, emulator, model, settings, signals,
};

/// Transform and inverse of full-scale samples: some sixteen units in the last place.
const MAX_ROUNDING: f32 = 2e-6;

const DELAYS: [(ModelKind, usize); 2] =
    [(ModelKind::DeepFilterNet3, 1440), (ModelKind::DeepFilterNet3Ll, 480)];

#[test]
fn an_impulse_arrives_after_the_delay_and_nothing_else_does() {
    const AT: usize = 4321;
    for (kind, delay) in DELAYS {
        let Some(model) = model(kind) else { continue };
        let mut input = vec![0.0; 20 * HOP];
        input[AT] = 0.9;
        let mut denoiser = denoiser(&model, 1, settings(NO_STAGES, 100.0, 0.0));
        assert_eq!(denoiser.delay_samples(), delay);
        let (output, _) = denoise(&mut denoiser, &[&input]);
        for (i, &sample) in output[0].iter().enumerate() {
            let expected = if i == AT + delay { 0.9 } else { 0.0 };
            assert!((sample - expected).abs() <= MAX_ROUNDING, "{kind}: {sample} at {i}");
        }
    }
}

#[test]
fn noise_correlates_best_at_the_delay() {
    const SPAN: usize = 4800;
    for (kind, delay) in DELAYS {
        let Some(model) = model(kind) else { continue };
        let input = signals::white_noise(0.5, 0.1, 11);
        let (output, _) = denoise(&mut denoiser(&model, 1, settings(NO_STAGES, 100.0, 0.0)), &[&input]);
        let correlation = |lag: usize| -> f32 {
            input[..SPAN].iter().zip(&output[0][lag..lag + SPAN]).map(|(a, b)| a * b).sum()
        };
        let best = (0..4 * delay).max_by(|&a, &b| correlation(a).total_cmp(&correlation(b)));
        assert_eq!(best, Some(delay), "{kind}");
    }
}

#[test]
fn speech_through_the_network_correlates_best_at_the_delay() {
    const SPAN: usize = 48_000;
    for (kind, delay) in DELAYS {
        let Some(model) = model(kind) else { continue };
        let input = signals::speech_like(1.5);
        let (output, _) =
            denoise(&mut denoiser(&model, 1, settings(Thresholds::default(), 100.0, 0.0)), &[&input]);
        let correlation = |lag: usize| -> f32 {
            input[..SPAN].iter().zip(&output[0][lag..lag + SPAN]).map(|(a, b)| a * b).sum()
        };
        // Within a period of the voice; beyond, another period may match.
        let best = (delay - 150..delay + 150).max_by(|&a, &b| correlation(a).total_cmp(&correlation(b)));
        assert_eq!(best, Some(delay), "{kind}");
    }
}

#[test]
fn a_limit_of_zero_is_the_delayed_input() {
    for (kind, delay) in DELAYS {
        let Some(model) = model(kind) else { continue };
        for signal in signals::all() {
            let (output, _) =
                denoise(&mut denoiser(&model, 1, settings(SOME_STAGES, 0.0, 0.02)), &[&signal.samples]);
            let (start, rest) = output[0].split_at(delay);
            // The deep filter's pre-response is not let through either.
            assert!(
                start.iter().all(|&sample| sample.abs() <= MAX_ROUNDING),
                "{kind}, {}: start",
                signal.name
            );
            for (i, (wet, dry)) in rest.iter().zip(&signal.samples).enumerate() {
                assert!((wet - dry).abs() <= MAX_ROUNDING, "{kind}, {}: {wet} for {dry} at {i}", signal.name);
            }
        }
    }
}

#[test]
fn poisoned_samples_count_as_zero_and_leave_nothing_behind() {
    let model = model(ModelKind::DeepFilterNet3).expect("the embedded model");
    let clean = signals::speech_like(1.0);
    let poisoned_at = [0, 479, 480, 12_345, 12_346, 30_000, 47_999];
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
        let (mut poisoned, mut silenced) = (clean.clone(), clean.clone());
        for at in poisoned_at {
            (poisoned[at], silenced[at]) = (poison, 0.0);
        }
        let run =
            |input: &[f32]| denoise(&mut denoiser(&model, 1, settings(SOME_STAGES, 100.0, 0.02)), &[input]).0;
        let (got, expected) = (run(&poisoned), run(&silenced));
        assert!(got[0].iter().all(|sample| sample.is_finite()), "{poison}");
        assert_eq!(got, expected, "{poison}");
    }
}

#[test]
fn whole_hops_of_poison_and_of_absurd_levels_leave_finite_output_and_a_working_network() {
    let model = model(ModelKind::DeepFilterNet3).expect("the embedded model");
    let voice = signals::speech_like(2.0);
    let poisons = [f32::NAN, f32::INFINITY, f32::MAX, -f32::MAX, f32::MIN_POSITIVE / 2.0];
    for poison in poisons {
        let mut input = voice.clone();
        input[4800..9600].fill(poison);
        let mut poisoned = denoiser(&model, 1, settings(Thresholds::default(), 100.0, 0.0));
        let (output, reports) = denoise(&mut poisoned, &[&input]);
        assert!(output[0].iter().all(|sample| sample.is_finite()), "{poison}");
        assert!(reports.iter().all(|report| report.lsnr_db.is_finite()), "{poison}");
        // A second later it hears the voice again.
        let tail = &output[0][60_000..];
        let power = tail.iter().map(|x| x * x).sum::<f32>() / tail.len() as f32;
        assert!(poison.abs() > 1.0 && poison.is_finite() || power > 1e-5, "{poison}: {power}");
    }
}

#[test]
fn a_reset_denoiser_is_bit_identical_to_a_new_one() {
    for kind in ModelKind::ALL {
        let Some(model) = model(kind) else { continue };
        let (first, second) = (signals::speech_like(1.0), signals::full_scale(0.5));
        let fresh = || denoiser(&model, 2, settings(SOME_STAGES, 30.0, 0.02));
        let mut used = fresh();
        denoise(&mut used, &[&second, &second]);
        used.reset();
        let (got, expected) =
            (denoise(&mut used, &[&first, &first]), denoise(&mut fresh(), &[&first, &first]));
        assert_eq!(got.0, expected.0, "{kind}");
        let lsnr = |reports: &[tacet_realtime::denoiser::HopReport]| -> Vec<f32> {
            reports.iter().map(|r| r.lsnr_db).collect()
        };
        assert_eq!(lsnr(&got.1), lsnr(&expected.1), "{kind}");
    }
}

/// Files, which go through in chunks, equal the hop-by-hop pipeline that is compared with the oracles.
#[test]
fn sequences_are_bit_identical_to_the_hop_by_hop_pipeline() {
    for kind in ModelKind::ALL {
        let Some(model) = model(kind) else { continue };
        let second = signals::full_scale(3.0);
        for signal in signals::all() {
            // A second is three chunks.
            let n = emulator::bounded(signal.samples.len(), 48_000).min(second.len());
            let channels = [&signal.samples[..n], &second[..n]];
            for settings in [settings(Thresholds::default(), 100.0, 0.0), settings(SOME_STAGES, 30.0, 0.02)] {
                let (expected, _) = denoise(&mut denoiser(&model, 2, settings), &channels);
                let found = denoise_sequence(&model, settings, &channels);
                assert!(found == expected, "{kind}, {}", signal.name);
            }
        }
    }
}

#[test]
fn a_channel_is_the_same_alone_and_beside_others() {
    let model = model(ModelKind::DeepFilterNet3).expect("the embedded model");
    let (voice, noise) = (signals::speech_like(1.0), signals::white_noise(1.0, 0.1, 12));
    let settings = settings(Thresholds::default(), 100.0, 0.0);
    let (alone, _) = denoise(&mut denoiser(&model, 1, settings), &[&voice]);
    let (beside, _) = denoise(&mut denoiser(&model, 3, settings), &[&noise, &voice, &noise]);
    assert_eq!(alone[0], beside[1]);
    assert_eq!(beside[0], beside[2]);
}
