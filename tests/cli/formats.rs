//! Formats: the output keeps the input's rate, channels, depth, length and position in time.

use crate::support::*;

#[test]
fn every_depth_and_channel_count_is_kept() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    let int16 = spec(48_000, 1, 16);
    for (depth, expected) in [
        (spec(48_000, 1, 8), int16),
        (int16, int16),
        (spec(48_000, 1, 24), spec(48_000, 1, 24)),
        (spec(48_000, 1, 32), float_spec(48_000, 1)),
        (float_spec(48_000, 1), float_spec(48_000, 1)),
    ] {
        for channels in [1, 2, 6] {
            let depth = hound::WavSpec { channels, ..depth };
            let signal: Vec<Vec<f32>> = (0..channels).map(|seed| babble(5_001, seed.into())).collect();
            write_wav(&input, depth, &signal);
            let written = read_wav(&input).1;
            denoise_file(&input, &output, &OFF);
            let (found, result) = read_wav(&output);
            assert_eq!(found, hound::WavSpec { channels, ..expected });
            for (written, result) in written.iter().zip(&result) {
                // The transforms' rounding, 2e-7, and the depth's: a step and a half with dither, half a step without.
                let tolerance = match expected.bits_per_sample {
                    16 => 1.5 / 32_768.0,
                    24 => 0.5 / 8_388_608.0,
                    _ => 0.0,
                } + 1e-6;
                let difference = max_difference(written, result);
                assert!(difference <= tolerance, "{depth:?}: {difference}");
            }
        }
    }
}

#[test]
fn float_on_request() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    write_wav(&input, spec(48_000, 2, 16), &[babble(999, 1), babble(999, 2)]);
    denoise_file(&input, &output, &["--float"]);
    let (found, result) = read_wav(&output);
    assert_eq!((found, result[0].len()), (float_spec(48_000, 2), 999));
}

/// Samples beyond full scale stay so in floating point; integers clip, with a warning.
#[test]
fn beyond_full_scale_is_clipped_never_wrapped() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    let loud: Vec<f32> = babble(4_800, 1).iter().map(|sample| sample * 20.0).collect();
    write_wav(&input, float_spec(48_000, 1), std::slice::from_ref(&loud));
    denoise_file(&input, &output, &OFF);
    assert!(max_difference(&loud, &read_wav(&output).1[0]) < 1e-4);

    // The resampler overshoots a full-scale square wave.
    let square: Vec<f32> = (0..4_410).map(|i| if i / 50 % 2 == 0 { 0.999 } else { -0.999 }).collect();
    write_wav(&input, spec(44_100, 1, 16), std::slice::from_ref(&square));
    let result = denoise(&[&[input.to_str().unwrap(), "-o", output.to_str().unwrap()], &OFF[..]].concat());
    assert_eq!(result.status.code(), Some(0));
    assert!(stderr(&result).contains("clipped; --float keeps them"), "{}", stderr(&result));
    let out = &read_wav(&output).1[0];
    for (index, (before, after)) in square.iter().zip(out).enumerate() {
        // Away from the edges of the wave, the sign is the input's: a wrapped sample would have the other.
        if (10..40).contains(&(index % 50)) {
            assert!(before * after > 0.5, "sample {index}: {before} became {after}");
        }
    }
}

/// At every rate nothing moves. The error is what the resamplers take from above 95 % of the band and above 24 kHz: the
/// signal falls off to -39 dB at its Nyquist frequency. Observed: 46 dB and more.
#[test]
fn every_rate_keeps_length_and_time() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    for rate_hz in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000] {
        let n_samples = rate_hz as usize / 4 + 1;
        let signal = soft_babble(n_samples, 3, (rate_hz as f32 / 48_000.0).max(1.0));
        write_wav(&input, float_spec(rate_hz, 1), std::slice::from_ref(&signal));
        denoise_file(&input, &output, &OFF);
        let (found, result) = read_wav(&output);
        assert_eq!((found, result[0].len()), (float_spec(rate_hz, 1), n_samples));
        assert_eq!(lag(&signal, &result[0], 200), 0, "{rate_hz} Hz");
        let snr = snr_db(&signal, &result[0], n_samples / 10);
        println!("{rate_hz} Hz: {snr:.1} dB");
        assert!(snr > 40.0, "{rate_hz} Hz: {snr:.1} dB");
    }
}

#[test]
fn every_length_is_kept() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    for rate_hz in [48_000, 44_100] {
        for n_samples in [0, 1, 479, 480, 481, 48_001] {
            let spec = spec(rate_hz, 2, 16);
            write_wav(&input, spec, &[babble(n_samples, 1), babble(n_samples, 2)]);
            denoise_file(&input, &output, &[]);
            let (found, result) = read_wav(&output);
            assert_eq!(
                (found, result[0].len(), result[1].len()),
                (spec, n_samples, n_samples),
                "{rate_hz} Hz"
            );
        }
    }
}

/// The same sweep in every format comes out in the same place: what encoders add at the ends is gone.
#[test]
fn every_codec_is_read_and_trimmed() {
    let folder = Folder::new();
    let reference = folder.path("reference.wav");
    denoise_file(&data("sweep.flac"), &reference, &OFF);
    let (found, reference) = read_wav(&reference);
    assert_eq!((found, reference[0].len()), (spec(44_100, 1, 16), 22_111));
    for (name, expected_lag) in [
        ("sweep.mp3", Some(0)),
        ("sweep.ogg", Some(0)),
        ("sweep.m4a", Some(0)),
        ("faststart.m4a", Some(0)),
        ("alac.m4a", Some(0)),
        // These say nothing of their delay, which is removed as that of any encoder, nor of the padding at their ends.
        ("headerless.mp3", None),
        ("sweep.aac", None),
    ] {
        let output = folder.path("out.wav");
        denoise_file(&data(name), &output, &OFF);
        let (found, result) = read_wav(&output);
        assert_eq!(found, spec(44_100, 1, 16), "{name}");
        let lag = lag(&reference[0], &result[0], 1_500);
        println!("{name}: {} samples, lag {lag}", result[0].len());
        match expected_lag {
            Some(expected) => assert_eq!((result[0].len(), lag), (22_111, expected), "{name}"),
            None => {
                assert!((22_111..22_111 + 1_152).contains(&result[0].len()) && lag == 0, "{name}: lag {lag}")
            }
        }
    }
}

#[test]
fn flac_keeps_24_bits_and_odd_channel_counts() {
    let folder = Folder::new();
    let output = folder.path("out.wav");
    denoise_file(&data("three24.flac"), &output, &OFF);
    let (found, result) = read_wav(&output);
    assert_eq!((found, result[0].len()), (spec(48_000, 3, 24), 4_801));
}
