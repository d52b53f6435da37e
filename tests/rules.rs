//! Effect of the rules around the network on recorded speech: after a pause it is as without the pause, and quiet speech
//! becomes what loud speech does.

#[path = "support/agreement.rs"]
mod agreement;

use std::sync::{Arc, OnceLock};

use agreement::agreement_db;
use tacet_realtime::denoiser::{Denoiser, Settings};
use tacet_realtime::engine::native::{NativeEngine, NativeModel, NativeSequence};
use tacet_realtime::model::HOP;
use tacet_realtime::random::Random;
use tacet_realtime::rules::{FILE_AHEAD_HOPS, Rules};
use tacet_realtime::sequence::Sequence;
use tacet_realtime::weights;

/// Hops of the first and the second passage of speech.
const PASSAGES: (usize, usize) = (450, 300);
/// Two seconds.
const HEARD_HOPS: usize = 200;

fn model() -> Arc<NativeModel> {
    static MODEL: OnceLock<Arc<NativeModel>> = OnceLock::new();
    MODEL.get_or_init(|| NativeModel::new(&weights::embedded().unwrap()).unwrap()).clone()
}

/// The demonstration's recording, speech in a noisy room.
fn speech() -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo_noisy.wav");
    let mut file = hound::WavReader::open(path).expect("the recording is part of the repository");
    file.samples::<i16>().map(|sample| f32::from(sample.expect("a readable file")) / 32768.0).collect()
}

/// White noise at this level, of which every sample is another.
fn hiss(n_samples: usize, dbfs: f32) -> Vec<f32> {
    // Uniform: its power is a third of its largest value's.
    let mut random = Random(7);
    let peak = 10f32.powf((dbfs + 4.77) / 20.0);
    (0..n_samples).map(|_| peak * random.sample()).collect()
}

/// Denoised, live or as a file, without the delay.
fn denoised(input: &[f32], settings: Settings, is_file: bool) -> Vec<f32> {
    let mut padded = input.to_vec();
    let mut output = Vec::new();
    let delay = if is_file {
        let mut sequence =
            Sequence::new(NativeSequence::new(model(), 1), settings).hearing_ahead(FILE_AHEAD_HOPS);
        let delay = sequence.delay_samples();
        padded.resize(input.len() + delay + FILE_AHEAD_HOPS * HOP, 0.0);
        let mut out = [[0.0; HOP]];
        for hop in padded.as_chunks::<HOP>().0 {
            sequence.push(&[hop]).unwrap();
            while sequence.pop(&mut out).unwrap() {
                output.extend_from_slice(&out[0]);
            }
        }
        sequence.drain(&mut out, |out| output.extend_from_slice(&out[0])).unwrap();
        delay
    } else {
        let mut denoiser = Denoiser::new(Box::new(NativeEngine::new(model())), 1, settings).unwrap();
        padded.resize(input.len() + denoiser.delay_samples(), 0.0);
        let mut out = [0.0; HOP];
        for hop in padded.as_chunks::<HOP>().0 {
            denoiser.process(&[hop], &mut [&mut out]).unwrap();
            output.extend_from_slice(&out);
        }
        denoiser.delay_samples()
    };
    output[delay..].to_vec()
}

/// The first two seconds after a pause against the same without it.
fn after_pause_db(pause: &[f32], settings: Settings, is_file: bool) -> f64 {
    let speech = speech();
    let (first, second) = speech[..(PASSAGES.0 + PASSAGES.1) * HOP].split_at(PASSAGES.0 * HOP);
    let long = denoised(&[first, pause, second].concat(), settings, is_file);
    let short = denoised(&[first, second].concat(), settings, is_file);
    let (long, short) = (&long[first.len() + pause.len()..], &short[first.len()..]);
    agreement_db(&long[..HEARD_HOPS * HOP], &short[..HEARD_HOPS * HOP])
}

#[test]
fn speech_after_a_pause_is_as_if_there_had_been_none() {
    let pause = hiss(2000 * HOP, -45.0);
    let off = Settings { rules: Rules { bounds_pauses: false, ..Rules::default() }, ..Settings::default() };
    for is_file in [true, false] {
        let with = after_pause_db(&pause, Settings::default(), is_file);
        let without = after_pause_db(&pause, off, is_file);
        // 25 and 24 dB against 16.
        assert!(with > 22.0 && with > without + 5.0, "file {is_file}: {with:.1} dB, without {without:.1} dB");
    }
}

#[test]
fn quiet_speech_becomes_what_loud_speech_does() {
    let speech = speech();
    let expected = denoised(&speech, Settings::default(), false);
    for db in [-26.0, -45.0] {
        let gain = 10f32.powf(db / 20.0);
        let quiet: Vec<f32> = speech.iter().map(|x| x * gain).collect();
        let found: Vec<f32> = denoised(&quiet, Settings::default(), false).iter().map(|x| x / gain).collect();
        let from = HEARD_HOPS * HOP;
        // 21 and 20 dB; with hidden states that remember the time before the gain was known 18 and 13.
        let db_found = agreement_db(&found[from..], &expected[from..]);
        assert!(db_found > 19.0, "{db_found:.1} dB at {db} dB");
    }
}
