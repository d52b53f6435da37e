//! The rule on made frames: hops of words and of what is between them.

use super::*;
use crate::dry::DryShare;
use crate::frame::{Complex32, SILENT_SPECTRUM, Spectrum};
use crate::powers::FramePowers;

/// The rule, and the share that it has let through.
#[derive(Default)]
struct Stream {
    rule: CleanRule,
    dry: DryShare,
}

impl Stream {
    fn apply(&mut self, noisy: &[Spectrum], enhanced: &mut [Spectrum]) {
        let powers = HopPowers::of(noisy, enhanced);
        self.rule.follow(&powers);
        self.dry.apply(self.rule.due(), &powers, noisy, enhanced);
    }
}

/// A frame of so much amplitude, and what is left of it.
fn frames(amplitude: f32, left: f32) -> ([Spectrum; 1], [Spectrum; 1]) {
    let noisy: Spectrum = std::array::from_fn(|k| Complex32::new(amplitude / (k + 1) as f32, 0.0));
    ([noisy], [noisy.map(|bin| bin * left)])
}

const SPEECH: f32 = 0.01;

/// Output for the last of `n_words` frames of speech with pauses of noise at this SNR.
fn after(stream: &mut Stream, left: f32, snr_db: f32, n_words: usize) -> [Spectrum; 1] {
    let mut out = [SILENT_SPECTRUM];
    let noise = left * SPEECH * 10f32.powf(-snr_db / 20.0);
    for hop in 0..n_words * 30 {
        let is_speech = hop % 30 >= 10;
        let (noisy, enhanced) = if is_speech { frames(SPEECH, left) } else { frames(noise, 0.05) };
        out = enhanced;
        stream.apply(&noisy, &mut out);
    }
    out
}

/// The input due after half a minute of speech, a third of which is pauses: the frames of each of their ten hops.
fn after_pauses(pause: impl Fn(usize) -> ([Spectrum; 1], [Spectrum; 1])) -> Due {
    let mut stream = Stream::default();
    for hop in 0..3000 {
        let (noisy, mut enhanced) = if hop % 30 < 10 { pause(hop % 30) } else { frames(SPEECH, 0.97) };
        stream.apply(&noisy, &mut enhanced);
    }
    *stream.rule.due()
}

#[test]
fn nothing_changes_where_noise_is_audible() {
    // Noise in the pauses, noise with the words, and both.
    for (left, snr_db) in [(0.97, 18.0), (0.85, 60.0), (0.8, 10.0)] {
        assert_eq!(after(&mut Stream::default(), left, snr_db, 100), frames(SPEECH, left).1);
    }
}

#[test]
fn the_share_let_through_follows_the_snr() {
    for (snr_db, share) in
        [(22.0, 0.14), (25.0, 0.2), (30.0, 0.355), (35.0, 0.63), (40.0, MOST), (70.0, MOST)]
    {
        let mut stream = Stream::default();
        after(&mut stream, 0.97, snr_db, 40);
        let due = stream.rule.due().bands.shares.audible;
        // A class of levels is 1.5 dB wide.
        assert!((due / share).log10().abs() * 20.0 < 1.0, "{due} at {snr_db} dB");
        assert_eq!((stream.rule.due().share, stream.dry.share()), (FAINT * due, FAINT * due));
    }
}

#[test]
fn clean_input_is_left_so_and_noise_ends_it_soon() {
    let mut stream = Stream::default();
    assert_eq!(after(&mut stream, 0.97, 50.0, 2), frames(SPEECH, 0.97).1, "not yet");
    let out = after(&mut stream, 0.97, 50.0, 30);
    let (noisy, before) = frames(SPEECH, 0.97);
    let missing = |frame: &Spectrum| (noisy[0][10] - frame[10]).norm();
    assert!(missing(&out[0]) < 0.1 * missing(&before[0]));
    after(&mut stream, 0.6, 5.0, 8);
    assert_eq!(stream.dry.share(), 0.0);
}

#[test]
fn loud_keys_between_words_are_noise_and_a_few_mistakes_of_the_network_are_not() {
    let share = |n_loud: usize| {
        let due =
            after_pauses(
                |hop| if hop < n_loud { frames(0.5 * SPEECH, 0.05) } else { frames(1e-3 * SPEECH, 0.05) },
            );
        due.bands.shares.audible
    };
    assert_eq!(share(3), 0.0);
    assert_eq!(share(1), MOST);
}

#[test]
fn bands_that_stand_out_of_the_noise_are_let_through_farther() {
    let mut stream = Stream::default();
    after(&mut stream, 0.97, 30.0, 60);
    let faint_share = stream.rule.due().share;
    // A word of which the network takes the upper half: loud in some bands, as faint as the noise in others.
    let (mut noisy, _) = frames(SPEECH, 1.0);
    let faint = frames(0.97 * SPEECH * 10f32.powf(-30.0 / 20.0), 1.0).0[0];
    noisy[0][350..].copy_from_slice(&faint[350..]);
    let mut out = [noisy[0]];
    out[0][200..].fill(Complex32::default());
    let powers = HopPowers::of(&noisy, &out);
    stream.dry.apply(stream.rule.due(), &powers, &noisy, &mut out);
    let let_through = |bin: usize| out[0][bin].re / noisy[0][bin].re;
    assert!(let_through(250) > 0.9, "{} of a loud band", let_through(250));
    assert!((let_through(450) - faint_share).abs() < 0.01, "{} of a faint band", let_through(450));
}

#[test]
fn only_noise_that_sounds_all_the_time_makes_a_band_faint() {
    let audible = |n_silent: usize| {
        let due =
            after_pauses(|hop| if hop < n_silent { frames(0.0, 1.0) } else { frames(0.03 * SPEECH, 0.05) });
        due.bands.audible
    };
    assert!((audible(0) - 1.26).abs() < 0.01);
    assert!(audible(4) < 0.01);
}

#[test]
fn noise_is_judged_alike_where_nothing_is_above_8_khz() {
    let flat = [Complex32::new(1e-3, 0.0); N_BINS];
    let mut narrow = flat;
    narrow[TOP_BINS.end..].fill(Complex32::default());
    let [flat, narrow] = [flat, narrow].map(|frame| FramePowers::of(&frame).bins);
    assert_eq!(missing(&flat), 0.0);
    let judged = narrow.over(0..N_BINS) + missing(&narrow);
    assert!((judged / flat.over(0..N_BINS) - 1.0).abs() < 1e-3, "{judged}");
}

#[test]
fn silence_and_what_is_no_number_change_nothing() {
    let mut stream = Stream::default();
    let (mut noisy, mut enhanced) = frames(SPEECH, 0.99);
    noisy[0][7].re = f32::NAN;
    stream.apply(&noisy, &mut enhanced);
    stream.apply(&[SILENT_SPECTRUM], &mut [SILENT_SPECTRUM]);
    assert_eq!((*stream.rule.due(), stream.rule.others.n_heard()), (Due::default(), 0));
    after(&mut stream, 0.97, 200.0, 30);
    assert_eq!(stream.rule.due().bands.shares.audible, MOST);
    stream.rule.reset();
    assert_eq!(*stream.rule.due(), Due::default());
}
