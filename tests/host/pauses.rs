//! Speech after a long digital silence. The network's normalisation follows the level with a time constant of a second.
//! If it is fed the silence, as in the official runtime and `tacet denoise`, the next words pass through a
//! normalisation of -100 dB: a syllable is swallowed, or noise let through, for most of a second. The plugin sleeps
//! instead, and goes on with what it knew before.

use super::{active, recording, reference};

/// Samples of silence. What the network has forgotten after it, it has forgotten for good.
const SILENCE: usize = 20 * 48_000;
/// Samples after the silence that are compared.
const HEARD: usize = 2 * 48_000;

/// Energy in decibels.
fn energy_db(samples: impl Iterator<Item = f32>) -> f32 {
    10.0 * samples.map(|x| x * x).sum::<f32>().max(1e-12).log10()
}

#[test]
fn speech_after_a_long_silence_is_as_without_it() {
    let speech = recording();
    let (_plugin, mut instance) = active(48e3, 1);
    let latency = instance.latency();
    let padded = |parts: &[&[f32]]| [parts.concat(), vec![0.0; latency]].concat();
    let whole = instance.render(&[padded(&[&speech])], &[512]).unwrap().remove(0);
    let mut deviations_db = [0.0; 2];
    // In the pauses and in the words of the recording, in hops.
    for cut in [200, 350, 650, 800].map(|hops| hops * 480) {
        let input = [padded(&[&speech[..cut], &vec![0.0; SILENCE], &speech[cut..]])];
        instance.reset();
        let slept = instance.render(&input, &[512]).unwrap().remove(0);
        let awake = reference(&input, latency).remove(0);
        let expected = &whole[latency + cut..][..HEARD];
        let deviation_db = |output: &[f32]| {
            let heard = &output[latency + cut + SILENCE..][..HEARD];
            energy_db(heard.iter().zip(expected).map(|(a, b)| a - b)) - energy_db(expected.iter().copied())
        };
        let (slept_db, awake_db) = (deviation_db(&slept), deviation_db(&awake));
        println!(
            "cut at {cut}: {slept_db:.1} dB from the uncut render, {awake_db:.1} dB where the silence is heard"
        );
        // Seen: -17 to -20 dB, and -12 to -18.
        assert!(slept_db < -14.0 && slept_db < awake_db + 1.5);
        deviations_db[0] += slept_db / 4.0;
        deviations_db[1] += awake_db / 4.0;

        // The silence is silent once the tail is out and until the window and the lookahead reach what follows, and nothing
        // jumps when it ends.
        let silence = &slept[latency + cut + 4800..latency + cut + SILENCE - 3 * 480];
        assert!(silence.iter().all(|&x| x == 0.0));
        let onset = |output: &[f32]| output.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        let start = latency + cut + SILENCE - 480;
        assert!(onset(&slept[start..start + 960]) <= onset(&whole[latency + cut..][..960]) * 1.5 + 1e-3);
    }
    // Seen: 4 dB.
    assert!(deviations_db[0] < deviations_db[1] - 2.0, "{deviations_db:?}");
}
