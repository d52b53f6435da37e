//! The output is the same at every level that rounds a multiply-add once, on every processor and operating system; and so
//! it is at the plain level, which rounds it twice.
//!
//! The output of one machine is committed here as a number; every machine must arrive at it.

use tacet_core::denoiser::{Denoiser, Settings};
use tacet_core::engine::native::{NativeEngine, NativeModel, Precision, SimdLevel};
use tacet_core::enhance::Shaping;
use tacet_core::random::Random;
use tacet_model::{HOP, ModelKind};

/// Hops of the signal: a second and a half.
const N_HOPS: usize = 150;

/// Precision, and the outputs' sums at levels that fuse and at the one that does not.
const EXPECTED: [(Precision, u64, u64); 2] = [
    (Precision::F32, 0xb2e4_d947_d6b1_c62a, 0xb4f8_776e_a28c_591b),
    (Precision::I16, 0xc277_0b19_e405_bed6, 0x71c5_a45d_feda_3a9b),
];

/// Bursts of a triangle wave in noise, of integers and exact quotients alone.
fn signal() -> Vec<f32> {
    let mut random = Random(1);
    let mut noise = || (random.bits() >> 16) as f32 / 65536.0 - 0.5;
    let triangle = |n: usize| ((n * 7 % 1600) as f32 / 800.0 - 1.0).abs() - 0.5;
    let is_speech = |n: usize| n / 9_600 % 2 == 1;
    (0..N_HOPS * HOP).map(|n| noise() * 0.0625 + if is_speech(n) { triangle(n) * 0.5 } else { 0.0 }).collect()
}

/// The output's bits in one number (Fowler, Noll and Vo's hash, version 1a).
fn sum(samples: &[f32]) -> u64 {
    let bytes = samples.iter().flat_map(|sample| sample.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn denoised(level: SimdLevel, precision: Precision) -> Vec<f32> {
    let model = tacet_core::weights::embedded().unwrap();
    let model = NativeModel::with(&model, precision, level).unwrap();
    // Every stage after the network as well: powers, square roots and the polynomial of the post filter.
    let shaping = Shaping { attenuation_limit_db: 30.0, post_filter_beta: 0.02, ..Shaping::default() };
    let settings = Settings { shaping, ..Settings::default() };
    let mut denoiser = Denoiser::new(Box::new(NativeEngine::new(model)), 1, settings).unwrap();
    let (mut output, mut out) = (Vec::new(), [0.0; HOP]);
    for hop in signal().as_chunks::<HOP>().0 {
        denoiser.process(&[hop], &mut [&mut out]).unwrap();
        output.extend_from_slice(&out);
    }
    output
}

#[test]
fn output_is_bit_identical_on_every_system_and_at_every_level_that_rounds_alike() {
    if tacet_core::weights::embedded().unwrap().official() != Some(ModelKind::DeepFilterNet3) {
        eprintln!("skipped: TACET_MODEL has put another model into this build");
        return;
    }
    let mut wrong = Vec::new();
    for (precision, fused, plain) in EXPECTED {
        for level in SimdLevel::available() {
            let output = denoised(level, precision);
            assert!(output.iter().any(|sample| sample.abs() > 0.01), "something is heard");
            let sum = sum(&output);
            println!("{} {precision:?}: {sum:#018x}", level.name());
            let expected = if level.name() == "scalar" { plain } else { fused };
            if sum != expected {
                wrong.push(format!("{} {precision:?} is {sum:#018x}, not {expected:#018x}", level.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
