//! How much of the room stays: gains of voice and ambience, tails, limits by frequency.

use std::path::Path;

use tacet_realtime::random::Random;

use crate::support::*;

#[test]
fn voice_and_ambience_are_gains_of_the_denoised_and_the_removed() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    write_wav(&input, float_spec(44_100, 1), &[babble(50_001, 1)]);
    let with = |options: &[&str]| {
        denoise_file(&input, &output, options);
        read_wav(&output).1.remove(0)
    };
    let (denoised, removed) = (with(&[]), with(&["--removed"]));
    let both = with(&["--voice", "-6", "--ambience", "-20"]);
    let expected: Vec<f32> = denoised.iter().zip(&removed).map(|(a, b)| 0.501_187 * a + 0.1 * b).collect();
    assert!(max_difference(&both, &expected) < 1e-6);
    assert_eq!(with(&["--voice", "0", "--ambience", "none"]), denoised);
    assert_eq!(with(&["--voice", "6", "--ambience", "0", "--removed"]), removed);
}

#[test]
fn level_limits_are_a_plain_limit_and_a_curve_keeps_its_band() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    // Noise alone: almost everything goes.
    let mut noise = Random(1);
    let hiss = (0..96_000).map(|_| 0.01 * noise.sample()).collect();
    write_wav(&input, float_spec(48_000, 1), &[hiss]);
    let with = |options: &[&str]| {
        denoise_file(&input, &output, options);
        read_wav(&output).1.remove(0)
    };
    let plain = with(&["--attenuation-limit", "12"]);
    assert_eq!(with(&["--limit-curve", "12,12,12,12,12,12"]), plain);
    assert_eq!(with(&["--limit-curve", "none,none,none,none,none,none"]), with(&[]));
    // Everything below 300 Hz stays, the rest goes.
    let curve = with(&["--limit-curve", "0,0,none,none,none,none"]);
    let power = |signal: &[f32]| signal[24_000..].iter().map(|x| x * x).sum::<f32>();
    let share = power(&curve) / power(&read_wav(&input).1[0]);
    assert!((0.005..0.06).contains(&share), "{share}");
}

/// Speech in a room of half a second's reverberation, the same with -55 dBFS of noise, and of each hop of the dry speech,
/// whether it is loud. The last 1.5 s have none.
fn reverberant(folder: &Folder) -> (Vec<f32>, Vec<f32>, Vec<bool>) {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo_clean.flac");
    let decoded = folder.path("decoded.wav");
    denoise_file(&demo, &decoded, &["--mix", "0", "--float"]);
    let mut dry = read_wav(&decoded).1.remove(0);
    dry.truncate(4 * 48_000);
    let loud = dry.iter().fold(0.0f32, |loud, x| loud.max(x.abs())) * 0.02;
    dry.extend([0.0; 72_000]);
    let is_loud = dry.chunks(480).map(|hop| hop.iter().any(|x| x.abs() > loud)).collect();
    // A few hundred echoes in random places, 60 dB down after half a second.
    let mut noise = Random(7);
    let echoes: Vec<(usize, f32)> = (0..400)
        .map(|_| {
            let at = 240.0 + 23_760.0 * (0.5 + 0.5 * noise.sample());
            (at as usize, 0.5 * noise.sample() * 10f32.powf(-3.0 * at / 24_000.0))
        })
        .collect();
    let mut wet = dry.clone();
    for (delay, gain) in echoes {
        for (wet, dry) in wet[delay..].iter_mut().zip(&dry) {
            *wet += gain * dry;
        }
    }
    let noisy = wet.iter().map(|x| x + 0.003 * noise.sample()).collect();
    (wet, noisy, is_loud)
}

#[test]
fn tails_survive_where_they_are_held_and_noise_returns_to_where_it_was() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    let (wet, noisy, is_loud) = reverberant(&folder);
    write_wav(&input, float_spec(48_000, 1), std::slice::from_ref(&noisy));
    // Hops since speech: a tail up to 200 ms, nothing but noise from 1.1 s on.
    let mut since = Vec::new();
    for is_loud in is_loud {
        since.push(if is_loud { 0 } else { since.last().map_or(1000, |since| since + 1) });
    }
    let level_db = |signal: &[f32], hops: std::ops::RangeInclusive<usize>| {
        let hops = signal.chunks(480).zip(&since).filter(|(_, since)| hops.contains(since));
        let powers: Vec<f32> = hops.map(|(hop, _)| hop.iter().map(|x| x * x).sum::<f32>() / 480.0).collect();
        10.0 * (powers.iter().sum::<f32>() / powers.len() as f32 + 1e-12).log10()
    };
    let with = |options: &[&str]| {
        denoise_file(&input, &output, options);
        read_wav(&output).1.remove(0)
    };
    let plain = with(&[]);
    assert_eq!(with(&["--hold", "0", "--release", "0"]), plain);
    let kept = with(&["--hold", "200", "--release", "500"]);
    let levels = |hops: std::ops::RangeInclusive<usize>| {
        [&noisy, &plain, &kept].map(|signal| level_db(signal, hops.clone()))
    };
    let (tail, noise) = (levels(1..=20), levels(110..=999));
    let lost = [&plain, &kept].map(|signal| {
        let lost: Vec<f32> = wet.iter().zip(signal).map(|(wet, signal)| wet - signal).collect();
        level_db(&lost, 1..=20)
    });
    println!("input, plain, kept: tail {tail:.1?}, noise {noise:.1?}; lost of the tail {lost:.1?} dBFS");
    assert!(tail[2] - tail[1] > 1.5 && tail[2] <= tail[0] + 0.1);
    assert!(lost[1] < lost[0] - 3.0);
    assert!(noise[2] < noise[0] - 15.0);
}
