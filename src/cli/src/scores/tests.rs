//! Scores against NumPy's, on known signals, and on what a user may hand over.

use proptest::prelude::*;
use serde_json::Value;
use tacet_realtime::random::Random;

use super::bands::Bands;
use super::{
    Alignment, Definition, Role, ScoreError, Scores, Signal, align, estoi, lsd, resample, score, sdr, stoi,
};

/// NumPy's results; `tests/golden/scores.py` writes them and documents the signals.
const GOLDEN: &str = include_str!("../../../../tests/golden/scores.json");

/// Noise in -1..1, of all bits.
fn next(noise: &mut Random) -> f64 {
    f64::from(noise.bits()) / 2f64.powi(31) - 1.0
}

/// The same syllables as in `tests/golden/scores.py`, bit for bit.
fn speech(n: usize, seed: u32) -> Vec<f64> {
    let (mut noise, mut level) = (Random(seed), Random(seed + 1));
    let (mut low, mut loud) = (0.0, 0.0);
    (0..n)
        .map(|i| {
            let phase = i % 2500;
            if phase == 0 {
                loud = 0.3 + 0.2 * next(&mut level);
            }
            low += 0.25 * (next(&mut noise) - low);
            let buzz = (i * 130 % 10_000) as f64 / 5000.0 - 1.0;
            let ramp = 1.0 - (phase as f64 / 1250.0 - 1.0).abs();
            let quiet = if i / 10_000 % 3 == 2 { 0.0001 } else { 1.0 };
            (0.7 * low + 0.3 * buzz) * ramp * loud * quiet
        })
        .collect()
}

fn degraded(x: &[f64], seed: u32, gain: f64, noise: f64) -> Vec<f64> {
    let (mut source, mut low) = (Random(seed), 0.0);
    x.iter()
        .map(|sample| {
            low += 0.6 * (sample - low);
            gain * low + noise * next(&mut source)
        })
        .collect()
}

fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}

fn scores_of(clean: &[Vec<f32>], judged: &[Vec<f32>]) -> Result<Scores, ScoreError> {
    let at_16k = |channels| Signal { rate_hz: 16_000, channels };
    score(at_16k(clean), at_16k(judged), Alignment::default())
}

fn shifted(x: &[f32], delay: i64) -> Vec<f32> {
    let n = delay.unsigned_abs() as usize;
    if delay >= 0 { [&vec![0.0; n], x].concat() } else { x[n..].to_vec() }
}

#[test]
fn scores_equal_numpys() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let seed = number("seed") as u32;
        let x = speech(number("n_samples") as usize, seed);
        let y = degraded(&x, seed + 100, number("gain"), number("noise"));
        let ours = [
            ("stoi", stoi::of_bands(&Bands::of(Definition::Published, &x, &y).unwrap())),
            ("stoi_training", stoi::of_bands(&Bands::of(Definition::Training, &x, &y).unwrap())),
            ("estoi", estoi::of_bands(&Bands::of(Definition::Published, &x, &y).unwrap())),
            ("si_sdr_db", sdr::si_sdr_db(&x, &y)),
            ("segmental_snr_db", sdr::segmental_snr_db(&x, &y, 10_000)),
            ("lsd_db", lsd::lsd_db(&x, &y, 10_000)),
        ];
        for (name, ours) in ours {
            // The contract is 1e-6; both sides compute in f64 and differ by the order of their sums.
            let difference = (ours - number(name)).abs();
            assert!(difference < 1e-11, "{name} of seed {seed}: {ours} differs by {difference:e}");
        }
    }
}

#[test]
fn resamplers_equal_their_definitions_written_out() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let golden = &golden["resampled"];
    let x = speech(golden["n_samples"].as_u64().unwrap() as usize, golden["seed"].as_u64().unwrap() as u32);
    for rate in golden["rates"].as_array().unwrap() {
        let hz = |key: &str| rate[key].as_u64().unwrap() as u32;
        for (kernel, ours) in [
            ("hann_sinc", resample::sinc(&x, hz("from_hz"), hz("to_hz"))),
            ("kaiser_sinc", resample::octave(&x, hz("from_hz"), hz("to_hz"))),
        ] {
            assert_eq!(ours.len() as u64, rate["n_samples"].as_u64().unwrap());
            for (k, value) in rate[kernel].as_object().unwrap() {
                let difference = (ours[k.parse::<usize>().unwrap()] - value.as_f64().unwrap()).abs();
                assert!(difference < 1e-13, "{kernel} {rate}: sample {k} differs by {difference:e}");
            }
        }
    }
}

#[test]
fn a_recording_compared_with_itself_is_perfect() {
    let x = narrow(&speech(40_000, 7));
    let scores = scores_of(std::slice::from_ref(&x), std::slice::from_ref(&x)).unwrap();
    assert_eq!((scores.delay_samples, scores.compared_samples), (0, 40_000));
    let mean = scores.mean;
    for (name, value) in [("stoi", mean.stoi), ("training", mean.stoi_training), ("estoi", mean.estoi)] {
        assert!((value - 1.0).abs() < 1e-9, "{name} {value}");
    }
    assert!((scores.correlation - 1.0).abs() < 1e-12);
    assert_eq!((mean.si_sdr_db, mean.segmental_snr_db, mean.lsd_db), (f64::INFINITY, 35.0, 0.0));
    let json = serde_json::to_value(&scores).unwrap();
    assert_eq!(json["mean"]["si_sdr_db"], "inf");
    assert_eq!(json["delay_samples"], 0);
}

#[test]
fn a_muted_recording_has_nothing_of_the_reference() {
    let x = narrow(&speech(40_000, 7));
    let muted = vec![0.0; x.len()];
    let scores = scores_of(&[x], &[muted]).unwrap();
    assert_eq!((scores.delay_samples, scores.correlation), (0, 0.0));
    assert_eq!((scores.mean.stoi, scores.mean.estoi), (0.0, 0.0));
    // The error is the reference itself: 0 dB.
    assert!(scores.mean.segmental_snr_db.abs() < 1e-9);
    assert_eq!(serde_json::to_value(&scores).unwrap()["mean"]["si_sdr_db"], "-inf");
}

#[test]
fn more_noise_scores_worse_everywhere() {
    let x = speech(60_000, 8);
    let scores: Vec<_> = [0.002, 0.01, 0.05, 0.2]
        .map(|noise| scores_of(&[narrow(&x)], &[narrow(&degraded(&x, 9, 1.0, noise))]).unwrap().mean)
        .into();
    for pair in scores.windows(2) {
        assert!(pair[0].stoi > pair[1].stoi && pair[0].stoi_training > pair[1].stoi_training);
        assert!(pair[0].estoi > pair[1].estoi && pair[0].si_sdr_db > pair[1].si_sdr_db);
        assert!(pair[0].segmental_snr_db > pair[1].segmental_snr_db && pair[0].lsd_db < pair[1].lsd_db);
    }
}

#[test]
fn si_sdr_of_orthogonal_noise_is_its_level() {
    // One period of a sine and of a cosine: orthogonal, without mean; a tenth of the amplitude is -20 dB.
    let wave = |phase: f64| move |i: i32| (std::f64::consts::TAU * f64::from(i) / 1000.0 + phase).sin();
    let x: Vec<f64> = (0..1000).map(wave(0.0)).collect();
    let y: Vec<f64> =
        x.iter().zip((0..1000).map(wave(std::f64::consts::FRAC_PI_2))).map(|(x, n)| x + 0.1 * n).collect();
    assert!((sdr::si_sdr_db(&x, &y) - 20.0).abs() < 1e-9);
}

#[test]
fn a_gain_of_ten_is_twenty_db_of_spectral_distance() {
    let x = speech(10_000, 10);
    let y: Vec<f64> = x.iter().map(|x| 10.0 * x).collect();
    let distance = lsd::lsd_db(&x, &y, 10_000);
    // Less than 20 only where the clean bin lies under the floor.
    assert!((15.0..=20.0 + 1e-9).contains(&distance), "{distance}");
}

#[test]
fn inverted_polarity_is_aligned() {
    let x = narrow(&speech(30_000, 11));
    let y: Vec<f32> = shifted(&x, 321).iter().map(|x| -x).collect();
    assert_eq!(scores_of(&[x], &[y]).unwrap().delay_samples, 321);
}

#[test]
fn a_fixed_delay_is_taken_as_given() {
    let x = [narrow(&speech(40_000, 12))];
    let signal = Signal { rate_hz: 16_000, channels: &x };
    let scores = score(signal, signal, Alignment::Fixed(100)).unwrap();
    assert_eq!((scores.delay_samples, scores.compared_samples), (100, 39_900));
    assert!(scores.mean.si_sdr_db < 20.0);
    for delay_samples in [40_000, -40_000, i64::MAX, i64::MIN] {
        assert_eq!(
            score(signal, signal, Alignment::Fixed(delay_samples)),
            Err(ScoreError::NoOverlap { delay_samples })
        );
    }
}

#[test]
fn rates_may_differ() {
    let x = speech(48_000, 13);
    let at_48k = resample::sinc(&x, 16_000, 48_000);
    let (clean, judged) = ([narrow(&x)], [narrow(&at_48k)]);
    let scores = score(
        Signal { rate_hz: 16_000, channels: &clean },
        Signal { rate_hz: 48_000, channels: &judged },
        Alignment::default(),
    )
    .unwrap();
    assert_eq!((scores.rate_hz, scores.delay_samples, scores.compared_samples), (16_000, 0, 48_000));
    // The only difference: the top of the band, which the two conversions cut off.
    assert!(scores.mean.stoi > 0.9999 && scores.mean.si_sdr_db > 15.0, "{scores:?}");
}

#[test]
fn channels_are_paired_or_refused() {
    let x = speech(40_000, 14);
    let (near, far) = (narrow(&degraded(&x, 15, 1.0, 0.001)), narrow(&degraded(&x, 16, 1.0, 0.1)));
    let x = narrow(&x);
    let stereo = [near.clone(), far.clone()];

    let against_mono = scores_of(std::slice::from_ref(&x), &stereo).unwrap();
    assert_eq!(against_mono.channels.len(), 2);
    assert!(against_mono.channels[0].stoi > against_mono.channels[1].stoi);
    let mean = (against_mono.channels[0].stoi + against_mono.channels[1].stoi) / 2.0;
    assert!((against_mono.mean.stoi - mean).abs() < 1e-12);
    assert_eq!(against_mono, scores_of(&[x.clone(), x.clone()], &stereo).unwrap());

    assert_eq!(
        scores_of(&[x.clone(), x.clone()], &[near]),
        Err(ScoreError::Channels { reference: 2, degraded: 1 })
    );
    assert_eq!(
        scores_of(&[x.clone(), vec![0.0; x.len()]], &stereo),
        Err(ScoreError::SilentReference { channel: 1 })
    );
}

#[test]
fn pairs_without_a_score_say_why() {
    let x = narrow(&speech(40_000, 17));
    let good = [x.clone()];
    assert_eq!(scores_of(&[], &good), Err(ScoreError::Empty(Role::Reference)));
    assert_eq!(scores_of(&good, &[vec![]]), Err(ScoreError::Empty(Role::Degraded)));
    assert_eq!(scores_of(&good, &[x.clone(), x[1..].to_vec()]), Err(ScoreError::Empty(Role::Degraded)));
    assert_eq!(scores_of(&[vec![0.0; 40_000]], &good), Err(ScoreError::SilentReference { channel: 0 }));

    let mut broken = x.clone();
    broken[123] = f32::NAN;
    let not_finite = ScoreError::NotFinite { role: Role::Degraded, channel: 0, sample: 123 };
    assert_eq!(scores_of(&good, &[broken]), Err(not_finite));

    let no_rate = Signal { rate_hz: 0, channels: &good };
    let signal = Signal { rate_hz: 16_000, channels: &good };
    assert_eq!(score(no_rate, signal, Alignment::default()), Err(ScoreError::NoRate(Role::Reference)));
    assert_eq!(score(signal, no_rate, Alignment::default()), Err(ScoreError::NoRate(Role::Degraded)));

    // Half a second with a millisecond of sound: plenty of samples, too little speech.
    let mut click = vec![0.0; 8_000];
    click[2_000..2_016].copy_from_slice(&x[1_000..1_016]);
    let click = [click];
    let error = scores_of(&click, &click).unwrap_err();
    assert!(matches!(error, ScoreError::TooShort { channel: 0, kept } if kept < 512), "{error}");
    assert!(error.to_string().contains("STOI needs 512"), "{error}");
    for n in [1, 2, 40, 400] {
        let short = vec![x[1_000..1_000 + n].to_vec()];
        assert!(matches!(scores_of(&short, &short), Err(ScoreError::TooShort { .. })), "{n} samples");
    }
}

#[test]
fn alignment_needs_no_more_memory_for_long_signals() {
    // Three blocks of the search, the delay as large as it may be.
    let x = speech(200_000, 18);
    let late = [vec![0.0; 300], x.clone()].concat();
    assert_eq!(align::delay_samples(&[(&x, &late)], 300), 300);
    assert_eq!(align::delay_samples(&[(&late, &x)], 300), -300);
    assert!(align::delay_samples(&[(&x, &late)], 299) < 300);
    assert_eq!(align::delay_samples(&[(&x, &late)], 0), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn si_sdr_ignores_gain(seed in 0u32..1000, gain_db in -60.0..60.0f64, noise in 0.001..0.5f64) {
        let x = speech(8_000, seed);
        let y = degraded(&x, seed + 1, 1.0, noise);
        let gain = 10f64.powf(gain_db / 20.0);
        let louder: Vec<f64> = y.iter().map(|y| gain * y).collect();
        prop_assert!((sdr::si_sdr_db(&x, &y) - sdr::si_sdr_db(&x, &louder)).abs() < 1e-8);
    }

    #[test]
    fn a_delay_is_found_and_changes_no_score(seed in 0u32..1000, delay in -12_000i64..12_000, noise in 0.0..0.05f64) {
        let x = speech(50_000, seed);
        let y = narrow(&degraded(&x, seed + 1, 0.7, noise));
        let x = narrow(&x);
        // Only the span that both share is compared; cut the undelayed pair to the same span.
        let n = delay.unsigned_abs() as usize;
        let late = scores_of(std::slice::from_ref(&x), &[shifted(&y, delay)]).unwrap();
        let from = if delay < 0 { n } else { 0 };
        let aligned = scores_of(&[x[from..].to_vec()], &[y[from..].to_vec()]).unwrap();
        prop_assert_eq!(late.delay_samples, delay);
        prop_assert_eq!(late.mean, aligned.mean);
    }

    #[test]
    fn any_finite_pair_has_scores_in_range_or_an_error(
        clean in prop::collection::vec(-1.0f32..1.0, 1..9_000),
        judged in prop::collection::vec(prop_oneof![8 => -1.0f32..1.0, 1 => Just(0.0), 1 => Just(f32::MAX)], 1..9_000),
        rates in prop::sample::select(vec![(8_000, 8_000), (16_000, 48_000), (48_000, 44_100), (11_025, 96_000)]),
    ) {
        let (clean, judged) = ([clean], [judged]);
        let result = score(
            Signal { rate_hz: rates.0, channels: &clean },
            Signal { rate_hz: rates.1, channels: &judged },
            Alignment::Search { max_ms: 100.0 },
        );
        if let Ok(Scores { mean, correlation, .. }) = result {
            let unit = -1.0 - 1e-9..=1.0 + 1e-9;
            prop_assert!(unit.contains(&mean.stoi) && unit.contains(&mean.stoi_training) && unit.contains(&mean.estoi));
            prop_assert!((-10.0..=35.0).contains(&mean.segmental_snr_db) && mean.lsd_db >= 0.0);
            prop_assert!(!mean.si_sdr_db.is_nan() && (0.0..=1.0).contains(&correlation));
        }
    }
}
