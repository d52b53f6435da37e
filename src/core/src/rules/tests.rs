//! The rules on made signals: what must not change is bit-identical; what they are for is found.

use proptest::prelude::*;
use tacet_model::HOP;

use super::*;
use crate::engine::ChannelIn;
use crate::features::{FeatureState, StreamFeatures};
use crate::frame::{Complex32, SILENT_SPECTRUM};
use crate::random::Random;
use crate::stft::Analysis;

type Hop = [f32; HOP];

fn gain(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// Something like speech at about -26 dBFS when `level_db` is 0: syllables of changing pitch and brightness with gaps, over
/// faint noise. `n_bands` tones reach up to 400 Hz times as many.
fn voice(n_hops: usize, level_db: f32, n_tones: usize) -> Vec<Hop> {
    let mut noise = Random(7);
    let mut phases = vec![0.0f32; n_tones];
    (0..n_hops)
        .map(|t| {
            let syllable = t / 14;
            let loud = if syllable % 5 == 4 { 0.0 } else { ((t % 14) as f32 / 14.0 * 3.1).sin() };
            let pitch_hz = 330.0 + 40.0 * ((syllable * 7 % 5) as f32);
            std::array::from_fn(|_| {
                let mut sum = 0.0;
                for (k, phase) in phases.iter_mut().enumerate() {
                    *phase = (*phase + pitch_hz * (k + 1) as f32 / 48_000.0).fract();
                    let bright = 1.0 / (1 + (k + syllable * 3) % 7) as f32;
                    sum += bright * (phase.fract() * std::f32::consts::TAU).sin();
                }
                gain(level_db) * (0.06 * loud * sum + 3e-4 * noise.sample())
            })
        })
        .collect()
}

fn hiss(n_hops: usize, dbfs: f32) -> Vec<Hop> {
    let mut noise = Random(3);
    (0..n_hops).map(|_| std::array::from_fn(|_| gain(dbfs + 4.8) * noise.sample())).collect()
}

/// Conditions and features, live.
fn heard(hops: &[Hop], rules: &Rules) -> (Vec<Conditions>, Vec<ChannelIn>) {
    let mut analysis = Analysis::new();
    let mut features = StreamFeatures::new(1, 0.99);
    let mut frame = [SILENT_SPECTRUM];
    let step = |hop| {
        let mut input = [ChannelIn::default()];
        analysis.process(hop, &mut frame[0]);
        features.process(&frame, rules, &mut input);
        (*features.conditions(), input[0])
    };
    hops.iter().map(step).unzip()
}

/// Conditions of every hop, heard so far ahead; silence follows the hops.
fn planned(hops: &[Hop], ahead_hops: usize) -> Vec<Conditions> {
    let mut analysis = Analysis::new();
    let mut listener = Listener::new(ahead_hops);
    let mut frame = [SILENT_SPECTRUM];
    let silence = vec![[0.0; HOP]; ahead_hops];
    let conditions = hops.iter().chain(&silence).map(|hop| {
        analysis.process(hop, &mut frame[0]);
        listener.hear(&[FramePowers::of(&frame[0])], &Rules::default());
        listener.conditions()
    });
    conditions.flatten().collect()
}

/// The official features.
fn official(hops: &[Hop]) -> Vec<ChannelIn> {
    let (mut analysis, mut state) = (Analysis::new(), FeatureState::new(0.99));
    let mut frame = SILENT_SPECTRUM;
    let step = |hop| {
        let mut input = ChannelIn::default();
        analysis.process(hop, &mut frame);
        state.process(&frame, &mut input);
        input
    };
    hops.iter().map(step).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn at_usual_levels_everything_is_bit_identical_to_the_official_runtime(level_db in -12.0f32..30.0, start in 0usize..100) {
        let hops = &voice(500, level_db, 60)[start..];
        let (conditions, features) = heard(hops, &Rules::default());
        prop_assert!(conditions.iter().all(|c| c.gain_db == 0.0 && c.band.is_none() && !c.is_pause && c.update == StateUpdate::Advance));
        prop_assert!(features == official(hops));
        let ahead = planned(hops, FILE_AHEAD_HOPS);
        prop_assert_eq!(ahead.len(), hops.len());
        prop_assert!(ahead.iter().all(|c| c.gain_db == 0.0 && c.band.is_none() && !c.is_pause && c.update == StateUpdate::Advance));
    }

    #[test]
    fn with_every_rule_off_everything_is_bit_identical_to_the_official_runtime(level_db in -70.0f32..30.0) {
        let hops = voice(200, level_db, 8);
        let (conditions, features) = heard(&hops, &Rules::REFERENCE);
        prop_assert!(features == official(&hops));
        prop_assert!(conditions.iter().all(|c| *c == Conditions::default()));
    }

    #[test]
    fn quiet_speech_is_brought_to_its_level_within_a_second(level_db in -58.0f32..-24.0) {
        let (conditions, _) = heard(&voice(400, level_db, 60), &Rules::default());
        prop_assert_eq!(conditions[0].gain_db, 0.0);
        // Very quiet speech needs more time, and falls silent between the syllables.
        for hop in &conditions[if level_db > -42.0 { 90 } else { 250 }..] {
            prop_assert!((hop.gain_db + level_db).abs() < 12.0, "{} dB at {level_db}", hop.gain_db);
        }
        // Heard ahead, it is known from the first hop on, and stays.
        let ahead = planned(&voice(400, level_db, 60), FILE_AHEAD_HOPS);
        prop_assert!(ahead.iter().all(|hop| hop.gain_db == ahead[0].gain_db && hop.rescale.is_none()));
        prop_assert!((ahead[0].gain_db + level_db).abs() < 6.0, "{} dB at {level_db}", ahead[0].gain_db);
    }
}

#[test]
fn the_official_features_come_back_at_any_level_with_a_fixed_gain() {
    let rules = Rules { level: LevelRule::Fixed(40.0), ..Rules::REFERENCE };
    let (_, scaled) = heard(&voice(100, -40.0, 60), &rules);
    for (ours, theirs) in scaled.iter().zip(official(&voice(100, 0.0, 60))) {
        assert!(ours.erb.iter().zip(&theirs.erb).all(|(a, b)| (a - b).abs() < 1e-3));
        assert!(ours.cplx.iter().zip(&theirs.cplx).all(|(a, b)| (a - b).norm() < 1e-3));
    }
}

#[test]
fn a_late_jump_leaves_the_normalisation_as_if_the_gain_had_always_been_there() {
    let mut hops = hiss(100, -80.0);
    hops.extend(voice(100, -45.0, 60));
    // Noise all along, so that no band falls to the floor.
    hops.iter_mut().zip(hiss(200, -80.0)).for_each(|(hop, noise)| {
        hop.iter_mut().zip(noise).for_each(|(x, noise)| *x += noise);
    });
    let (conditions, features) = heard(&hops, &Rules::default());
    let jump = conditions.iter().position(|c| c.rescale.is_some()).expect("a jump");
    // The hidden states begin anew with the gain, and only then.
    let restarts = |c: &Conditions| c.update == StateUpdate::Restart;
    assert_eq!(conditions.iter().position(restarts), Some(jump));
    assert_eq!(conditions.iter().filter(|c| restarts(c)).count(), 1);
    assert!(jump < 190, "{jump}");
    let fixed = Rules { level: LevelRule::Fixed(conditions[jump].gain_db), ..Rules::REFERENCE };
    let (_, always) = heard(&hops, &fixed);
    for (ours, theirs) in features[jump..].iter().zip(&always[jump..]) {
        assert!(ours.erb.iter().zip(&theirs.erb).all(|(a, b)| (a - b).abs() < 0.01));
        assert!(ours.cplx.iter().zip(&theirs.cplx).all(|(a, b)| (a - b).norm() < 0.01));
    }
}

#[test]
fn hiss_and_silence_are_no_quiet_speech() {
    for level_dbfs in [-45.0, -65.0, -90.0, -140.0] {
        let mut hops = hiss(2000, level_dbfs);
        hops.extend(vec![[0.0; HOP]; 200]);
        hops.extend(hiss(200, level_dbfs - 20.0));
        assert!(heard(&hops, &Rules::default()).0.iter().all(|c| c.gain_db == 0.0), "{level_dbfs}");
    }
}

#[test]
fn two_speakers_have_gains_of_their_own_in_a_file() {
    let mut hops = voice(500, 0.0, 60);
    hops.extend(voice(500, -30.0, 60));
    hops.extend(voice(500, 0.0, 60));
    let ahead = planned(&hops, FILE_AHEAD_HOPS);
    assert!(ahead[..480].iter().all(|c| c.gain_db == 0.0));
    assert!(ahead[515..1000].iter().all(|c| (c.gain_db - 30.0).abs() < 8.0));
    assert!(ahead[1010..].iter().all(|c| c.gain_db == 0.0));
}

#[test]
fn an_empty_band_is_found_and_filled_and_a_full_one_is_not() {
    let mut low = LowPass::default();
    let telephone: Vec<Hop> = voice(300, 0.0, 60).iter().map(|hop| hop.map(|x| low.next(x))).collect();
    let ahead = planned(&telephone, FILE_AHEAD_HOPS);
    let is_near = |c: &Conditions| c.band.is_some_and(|band| (70..=110).contains(&band.edge_bin));
    assert!(ahead.iter().all(is_near), "{:?}", ahead[0].band);
    let n_changes = ahead.windows(2).filter(|pair| pair[0].band != pair[1].band).count();
    assert!(n_changes <= 1, "{n_changes} changes");
    let live = heard(&telephone, &Rules::default()).0;
    assert_eq!(live[0].band, None);
    assert!(live[40..].iter().all(is_near));
    // The image ends when the band opens for good.
    let mut opened = telephone;
    opened.extend(voice(400, 0.0, 60));
    assert_eq!(heard(&opened, &Rules::default()).0.last().unwrap().band, None);
}

#[test]
fn a_telephone_gets_lows_of_the_voices_pitch_and_a_recording_with_lows_gets_none() {
    let mut low = LowPass::default();
    let mut telephone: Vec<Hop> = voice(300, 0.0, 60).iter().map(|hop| hop.map(|x| low.next(x))).collect();
    let is_telephone = |c: &Conditions| c.band.is_some_and(|band| band.lacks_lows && band.edge_bin == 80);
    assert!(planned(&telephone, FILE_AHEAD_HOPS).iter().all(is_telephone));
    let mut hum = 0.0f32;
    for x in telephone.as_flattened_mut() {
        hum = (hum + 100.0 / 48_000.0).fract();
        *x += 0.02 * (hum * std::f32::consts::TAU).sin();
    }
    let planned = planned(&telephone, FILE_AHEAD_HOPS);
    assert!(planned.iter().all(|c| c.band.is_some_and(|band| !band.lacks_lows)));
    // Harmonics 12 to 20 of 200 Hz, every fourth bin, give the fundamental.
    let mut frame = SILENT_SPECTRUM;
    (12..=20).for_each(|harmonic| frame[4 * (harmonic - 9)] = Complex32::new(1.0, 0.0));
    let full = frame;
    NarrowBand { edge_bin: 80, lacks_lows: true }.fill(&mut frame);
    assert!(frame[4].norm() > 0.5 && [1, 2, 3, 5, 6].iter().all(|&bin| frame[bin].norm() < 1e-6));
    // The image of bin 44 at 80 + 36 and 160 + 44, 12 and 18 dB below; no bin that was full has changed.
    assert!((frame[116].norm() - 0.251).abs() < 1e-3 && (frame[204].norm() - 0.126).abs() < 1e-3);
    assert!(
        frame[8..80] == full[8..80] && frame[80] == SILENT_SPECTRUM[0] && frame[360] == SILENT_SPECTRUM[0]
    );
}

/// A low-pass at 4 kHz with 80 dB and more from 5 kHz on: a windowed sinc.
#[derive(Default)]
struct LowPass {
    past: std::collections::VecDeque<f32>,
}

impl LowPass {
    const N: usize = 241;

    fn next(&mut self, x: f32) -> f32 {
        self.past.push_front(x);
        self.past.truncate(Self::N);
        let middle = (Self::N / 2) as f32;
        self.past
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let t = i as f32 - middle;
                let w = std::f32::consts::TAU * i as f32 / (Self::N - 1) as f32;
                let window = 0.42 - 0.5 * w.cos() + 0.08 * (2.0 * w).cos();
                let sinc = if t == 0.0 {
                    1.0
                } else {
                    (std::f32::consts::PI * t / 5.6).sin() / (std::f32::consts::PI * t / 5.6)
                };
                x * window * sinc / 5.6
            })
            .sum()
    }
}

#[test]
fn a_pause_is_one_only_after_a_while_and_until_speech_comes() {
    let mut hops = voice(200, 0.0, 60);
    hops.extend(hiss(400, -60.0));
    hops.extend(vec![[0.0; HOP]; 400]);
    hops.extend(voice(100, 0.0, 60));
    let conditions = heard(&hops, &Rules::default()).0;
    assert!(conditions[..320].iter().all(|c| !c.is_pause));
    assert!(conditions[450..1000].iter().all(|c| c.is_pause));
    assert!(conditions[1030..].iter().all(|c| !c.is_pause));
    assert!(
        heard(&vec![[0.0; HOP]; 400], &Rules::default()).0.iter().all(|c| !c.is_pause),
        "no speech before"
    );
}

/// The hops in which hidden states are held.
fn held(conditions: &[Conditions]) -> Vec<usize> {
    (0..conditions.len()).filter(|&hop| conditions[hop].update == StateUpdate::Hold).collect()
}

#[test]
fn hidden_states_are_held_through_a_pause_and_let_go_when_something_begins() {
    let mut hops = voice(200, 0.0, 60);
    hops.extend(hiss(600, -60.0));
    hops.extend(voice(200, 0.0, 60));
    let live = heard(&hops, &Rules::default()).0;
    let first = live.iter().position(|c| c.is_pause).expect("a pause");
    let in_pause = held(&live);
    assert!(in_pause[0] == first && in_pause.len() > 9 * (800 - first) / 10, "{in_pause:?}");
    assert!(*in_pause.last().unwrap() < 803, "{:?}", in_pause.last());
    // Known ahead, from soon after the speech, and not in the last hops before the next.
    let ahead = planned(&hops, FILE_AHEAD_HOPS);
    let in_pause = held(&ahead);
    assert!((220..first - 100).contains(&in_pause[0]), "{}", in_pause[0]);
    assert!((770..794).contains(in_pause.last().unwrap()), "{:?}", in_pause.last());
    // In silence, which nothing interrupts, in all of it.
    hops[200..800].fill([0.0; HOP]);
    let silent = heard(&hops, &Rules::default()).0;
    let first = silent.iter().position(|c| c.is_pause).expect("a pause");
    assert_eq!(held(&silent), (first..800).collect::<Vec<_>>());
    let off = Rules { bounds_pauses: false, ..Rules::default() };
    assert!(held(&heard(&hops, &off).0).is_empty());
}

#[test]
fn a_pause_that_changes_is_heard() {
    let mut hops = voice(200, 0.0, 60);
    hops.extend(hiss(400, -60.0));
    hops.extend(hiss(400, -40.0));
    let conditions = heard(&hops, &Rules::default()).0;
    let in_pause = held(&conditions);
    assert!(in_pause.iter().filter(|&&hop| hop < 600).count() > 100);
    let n_advanced = (600..750).filter(|hop| !in_pause.contains(hop)).count();
    assert!(n_advanced >= 100, "{n_advanced} hops");
    assert!(in_pause.iter().filter(|&&hop| hop >= 800).count() > 150, "{in_pause:?}");
}

#[test]
fn a_fixed_gain_is_the_same_in_every_hop_of_a_file() {
    let hops = voice(400, -40.0, 60);
    let mut analysis = Analysis::new();
    for gain_db in [0.0, 12.0] {
        let rules = Rules { level: LevelRule::Fixed(gain_db), ..Rules::default() };
        let mut listener = Listener::new(FILE_AHEAD_HOPS);
        let mut frame = [SILENT_SPECTRUM];
        for hop in &hops {
            analysis.process(hop, &mut frame[0]);
            listener.hear(&[FramePowers::of(&frame[0])], &rules);
            let planned = listener.conditions();
            assert!(planned.is_none_or(|c| c.gain_db == gain_db && c.rescale.is_none()), "{planned:?}");
        }
    }
}

#[test]
fn a_sound_that_ends_is_no_quiet_speech() {
    let mut hops = voice(400, 0.0, 60);
    // The end is quiet, then everything falls silent; the next speech begins softly.
    hops.extend(voice(30, -30.0, 60));
    hops.extend(hiss(600, -97.0));
    hops.extend(voice(30, -30.0, 60));
    hops.extend(voice(200, 0.0, 60));
    assert!(heard(&hops, &Rules::default()).0.iter().all(|c| c.gain_db == 0.0));
}

#[test]
fn non_finite_samples_are_not_heard() {
    let mut listener = Listener::new(0);
    let mut frame = [SILENT_SPECTRUM];
    frame[0][20].re = f32::NAN;
    for _ in 0..50 {
        listener.hear(&[FramePowers::of(&frame[0])], &Rules::default());
    }
    let mut analysis = Analysis::new();
    for hop in voice(200, -40.0, 60) {
        analysis.process(&hop, &mut frame[0]);
        listener.hear(&[FramePowers::of(&frame[0])], &Rules::default());
    }
    assert!(listener.conditions().unwrap().gain_db > 20.0);
}
