//! Single layers against the vectors of `tests/golden/network.py`, so that a deviation names the layer it begins in.

use std::sync::Arc;

use safetensors::SafeTensors;
use tacet_model::{DF_ORDER, HOP, N_BANDS, N_CONV, N_DF_BINS, N_EMB};

use crate::engine::native::layers::{C0_LEN, COEFS_LEN};
use crate::engine::native::{NativeEngine, NativeModel, Precision, SimdLevel};
use crate::engine::{Engine, Job};
use crate::features::FeatureState;
use crate::frame::SILENT_SPECTRUM;
use crate::stft::Analysis;
use crate::weights;

const LAYERS: &[u8] = include_bytes!("../../../../../../tests/golden/layers.safetensors");
const STAGES: &[u8] = include_bytes!("../../../../../../tests/golden/stages.safetensors");

/// Largest differences between implementations in `f32` that sum in different orders: what the audio's tolerance leaves to
/// a layer.
const FEATURES: f32 = 1e-5;
const ENCODER: f32 = 2e-4;
const LSNR_DB: f32 = 2e-3;
const MASK: f32 = 1e-4;
const COEFS: f32 = 1e-4;

/// The bytes of a tensor that the script wrote.
fn tensor<'a>(file: &SafeTensors<'a>, name: &str) -> &'a [u8] {
    file.tensor(name).expect("a tensor that the script wrote").data()
}

/// Compares one hop of a layer; `expected` holds that layer for all golden hops.
fn check(layer: &str, at: usize, expected: &[f32], got: &[f32], tolerance: f32) {
    let expected = &expected[at * got.len()..(at + 1) * got.len()];
    let largest = expected.iter().zip(got).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest <= tolerance, "{layer}, golden hop {at}: differs by {largest:e}");
}

/// `[frequency][channel]` as `[channel][frequency]`.
fn channels_first(map: &[f32]) -> Vec<f32> {
    let n_freqs = map.len() / N_CONV;
    (0..map.len()).map(|i| map[i % n_freqs * N_CONV + i / n_freqs]).collect()
}

fn layers_equal_the_reference(level: SimdLevel) {
    let (layers, stages) =
        (SafeTensors::deserialize(LAYERS).unwrap(), SafeTensors::deserialize(STAGES).unwrap());
    let floats = |name| -> Vec<f32> {
        tensor(&layers, name).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    let hops: Vec<usize> = tensor(&layers, "hop")
        .as_chunks()
        .0
        .iter()
        .map(|bytes| i32::from_le_bytes(*bytes) as usize)
        .collect();
    let input: Vec<f32> = tensor(&stages, "input")
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32768.0)
        .collect();

    let model = NativeModel::with(&weights::embedded().unwrap(), Precision::F32, level).unwrap();
    let mut engine = NativeEngine::new(Arc::clone(&model));
    let stream = engine.open(1).unwrap();
    let (mut analysis, mut features) = (Analysis::new(), FeatureState::new(engine.norm_alpha()));
    let (mut spectrum, mut jobs) = (SILENT_SPECTRUM, [Job::new(stream, 1)]);
    for (t, hop) in input.as_chunks::<HOP>().0.iter().enumerate() {
        analysis.process(hop, &mut spectrum);
        features.process(&spectrum, &mut jobs[0].input[0]);
        jobs[0].pending = true;
        engine.step(&mut jobs).unwrap();
        let Some(at) = hops.iter().position(|&hop| hop == t) else { continue };

        let (input, output) = (&jobs[0].input[0], &jobs[0].output[0]);
        let cplx: Vec<f32> = input.cplx.iter().flat_map(|bin| [bin.re, bin.im]).collect();
        check("erb", at, &floats("erb"), &input.erb, FEATURES);
        check("cplx", at, &floats("cplx"), &cplx, FEATURES);
        let encoded = &engine.scratch.bands[0];
        check("e0", at, &floats("e0"), &channels_first(&encoded.e0), ENCODER);
        check("c0", at, &floats("c0"), &channels_first(&engine.scratch.c0[..C0_LEN]), ENCODER);
        check("e1", at, &floats("e1"), &channels_first(&encoded.e1), ENCODER);
        check("e2", at, &floats("e2"), &channels_first(&encoded.e2), ENCODER);
        check("e3", at, &floats("e3"), &channels_first(&encoded.e3), ENCODER);
        check("emb", at, &floats("emb"), &engine.scratch.emb[..N_EMB], ENCODER);
        check("lsnr_db", at, &floats("lsnr_db"), &[output.lsnr_db], LSNR_DB);
        check("mask", at, &floats("mask"), &output.mask, MASK);
        check("coefs", at, &floats("coefs"), &engine.scratch.coefs[..COEFS_LEN], COEFS);
    }
    assert_eq!(floats("mask").len(), hops.len() * N_BANDS);
    assert_eq!(floats("coefs").len(), hops.len() * N_DF_BINS * 2 * DF_ORDER);
    assert!(hops.iter().all(|&hop| hop < input.len() / HOP), "every golden hop was reached");
}

#[test]
fn layers_equal_the_reference_at_every_level() {
    for level in SimdLevel::available() {
        layers_equal_the_reference(level);
    }
}
