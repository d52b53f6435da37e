//! The rule on made frames: hops of words and of what is between them.

use tacet_model::HOP;

use super::*;
use crate::frame::{Complex32, SILENT_SPECTRUM};

/// A frame of so much amplitude, and what is left of it.
fn frames(amplitude: f32, left: f32) -> ([Spectrum; 1], [Spectrum; 1]) {
    let noisy: Spectrum = std::array::from_fn(|k| Complex32::new(amplitude / (k + 1) as f32, 0.0));
    ([noisy], [noisy.map(|bin| bin * left)])
}

const SPEECH: f32 = 0.01;

/// Output for the last of `n_words` frames of speech with pauses of noise at this SNR.
fn after(rule: &mut CleanRule, left: f32, snr_db: f32, n_words: usize) -> [Spectrum; 1] {
    let mut out = [SILENT_SPECTRUM];
    let noise = left * SPEECH * 10f32.powf(-snr_db / 20.0);
    for hop in 0..n_words * 30 {
        let is_speech = hop % 30 >= 10;
        let (noisy, enhanced) = if is_speech { frames(SPEECH, left) } else { frames(noise, 0.05) };
        out = enhanced;
        rule.apply(&noisy, &mut out);
    }
    out
}

#[test]
fn nothing_changes_where_noise_is_audible() {
    // Noise in the pauses, noise with the words, and both.
    for (left, snr_db) in [(0.97, 18.0), (0.85, 60.0), (0.8, 10.0)] {
        assert_eq!(after(&mut CleanRule::default(), left, snr_db, 100), frames(SPEECH, left).1);
    }
}

#[test]
fn the_share_let_through_follows_the_snr() {
    for (snr_db, share) in
        [(22.0, 0.14), (25.0, 0.2), (30.0, 0.355), (35.0, 0.63), (40.0, MOST), (70.0, MOST)]
    {
        let mut rule = CleanRule::default();
        after(&mut rule, 0.97, snr_db, 40);
        // A class of levels is 1.5 dB wide.
        assert!((rule.due() / share).log10().abs() * 20.0 < 1.0, "{} at {snr_db} dB", rule.due());
        assert_eq!(rule.share, rule.due());
    }
}

#[test]
fn clean_input_is_left_so_and_noise_ends_it_soon() {
    let mut rule = CleanRule::default();
    assert_eq!(after(&mut rule, 0.97, 50.0, 2), frames(SPEECH, 0.97).1, "not yet");
    let out = after(&mut rule, 0.97, 50.0, 30);
    let (noisy, before) = frames(SPEECH, 0.97);
    let missing = |frame: &Spectrum| (noisy[0][10] - frame[10]).norm();
    assert!(missing(&out[0]) < 0.1 * missing(&before[0]));
    after(&mut rule, 0.6, 5.0, 8);
    assert_eq!(rule.share, 0.0);
}

#[test]
fn loud_keys_between_words_are_noise_and_a_few_mistakes_of_the_network_are_not() {
    let share = |n_loud: usize| {
        let mut rule = CleanRule::default();
        for hop in 0..3000 {
            let (noisy, mut enhanced) = match hop % 30 {
                hop if hop >= 10 => frames(SPEECH, 0.97),
                hop if hop < n_loud => frames(0.5 * SPEECH, 0.05),
                _ => frames(1e-3 * SPEECH, 0.05),
            };
            rule.apply(&noisy, &mut enhanced);
        }
        rule.due()
    };
    assert_eq!(share(3), 0.0);
    assert_eq!(share(1), MOST);
}

#[test]
fn silence_and_what_is_no_number_change_nothing() {
    let mut rule = CleanRule::default();
    let (mut noisy, mut enhanced) = frames(SPEECH, 0.99);
    noisy[0][7].re = f32::NAN;
    rule.apply(&noisy, &mut enhanced);
    rule.apply(&[SILENT_SPECTRUM], &mut [SILENT_SPECTRUM]);
    assert_eq!((rule.due(), rule.others.n_heard()), (0.0, 0));
    after(&mut rule, 0.97, 200.0, 30);
    assert_eq!(rule.due(), MOST);
    rule.reset();
    assert_eq!(rule.due(), 0.0);
}

#[test]
fn a_deferred_rule_follows_and_leaves_frames_alone() {
    let (mut at_once, mut deferred) = (CleanRule::default(), CleanRule::default());
    deferred.set_deferred(true);
    deferred.reset();
    after(&mut at_once, 0.97, 30.0, 30);
    assert_eq!(after(&mut deferred, 0.97, 30.0, 30), frames(SPEECH, 0.97).1);
    assert_eq!(at_once.due(), deferred.due());
}

/// Input 1, output 0: what comes out is the share.
fn shares(dues: &[f32]) -> Vec<f32> {
    let mut ahead = KeepClean::new(2);
    let (mut before, mut after) = (vec![vec![0.0; HOP]; 2], vec![vec![0.0; HOP]; 2]);
    let mut shares = Vec::new();
    let mut take = |ahead: &mut KeepClean| {
        while ahead.pop(&mut before, &mut after) {
            assert!(before.iter().flatten().all(|&x| x == 1.0));
            assert_eq!(after[0], after[1]);
            shares.extend_from_slice(&after[0]);
        }
    };
    for &due in dues {
        ahead.push(&[[1.0; HOP], [1.0; HOP]], &[[0.0; HOP], [0.0; HOP]], due);
        take(&mut ahead);
    }
    ahead.end();
    take(&mut ahead);
    shares
}

#[test]
fn a_recording_is_judged_from_its_beginning_and_glides() {
    let mut dues = vec![0.0; 150];
    dues.extend([0.5; 300]);
    dues.extend([0.0; 300]);
    let shares = shares(&dues);
    assert_eq!(shares.len(), dues.len() * HOP);
    // Known after a second and a half: two seconds ahead, that is before the beginning.
    assert!(shares[..(450 - 200) * HOP].iter().all(|&share| share == 0.5));
    assert!(shares[(450 - 200 + 26) * HOP..].iter().all(|&share| share == 0.0));
    assert!(shares.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 1e-4));
}

#[test]
fn a_short_recording_is_judged_by_all_of_it() {
    let mut dues = vec![0.0; 70];
    dues.extend([0.9; 10]);
    assert_eq!(shares(&dues), vec![0.9; 80 * HOP]);
    assert_eq!(shares(&[0.0; 80]), vec![0.0; 80 * HOP]);
}
