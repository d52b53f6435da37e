//! Whole signals against the vectors of `tests/golden/network.py`: thresholds that skip stages, silence, stereo links.

use safetensors::{Dtype, SafeTensors};
use tacet_realtime::denoiser::{HopReport, Settings};
use tacet_realtime::engine::Thresholds;
use tacet_realtime::enhance::StereoLink;
use tacet_realtime::model::ModelKind;

use super::{SOME_STAGES, check_audio, check_lsnr, denoise, denoiser, model, settings};

const STAGES: &[u8] = include_bytes!("../golden/stages.safetensors");
const GAPS: &[u8] = include_bytes!("../golden/gaps.safetensors");
const LOW_LATENCY: &[u8] = include_bytes!("../golden/low_latency.safetensors");
const STEREO: &[u8] = include_bytes!("../golden/stereo.safetensors");

/// A file of vectors.
struct Golden(SafeTensors<'static>);

impl Golden {
    fn new(file: &'static [u8]) -> Self {
        Self(SafeTensors::deserialize(file).expect("a file that the script wrote"))
    }

    fn data(&self, name: &str, dtype: Dtype) -> &'static [u8] {
        let tensor = self.0.tensor(name).expect("a tensor that the script wrote");
        assert_eq!(tensor.dtype(), dtype);
        tensor.data()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.data(name, Dtype::F32).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// 16-bit audio as full scale 1.
    fn input(&self) -> Vec<f32> {
        let samples = self.data("input", Dtype::I16).as_chunks().0.iter();
        samples.map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32768.0).collect()
    }

    fn check_stages(&self, what: &str, reports: &[HopReport]) {
        let stages: Vec<u8> = reports.iter().map(|report| report.stage as u8).collect();
        assert_eq!(self.data("stage", Dtype::U8), stages, "{what}: stages");
    }
}

/// One channel: audio `name` of `golden` for `input`, with its local SNR and stages.
fn check_mono(kind: ModelKind, golden: &Golden, name: &str, input: &[f32], settings: Settings) {
    let Some(model) = model(kind) else { return };
    let what = format!("{kind}, {name}");
    let (got, reports) = denoise(&mut denoiser(&model, 1, settings), &[input]);
    golden.check_stages(&what, &reports);
    let lsnr_db = check_lsnr(&what, &golden.floats("lsnr_db"), &reports);
    let (snr_db, largest) = check_audio(&what, &golden.floats(name), &got[0]);
    println!("{what}: SNR {snr_db:.1} dB, largest difference {largest:.1e}, local SNR {lsnr_db:.1e} dB");
}

#[test]
fn skipped_stages_equal_the_official_runtime() {
    let golden = Golden::new(STAGES);
    let input = golden.input();
    for (name, limit_db, beta) in
        [("plain", 100.0, 0.0), ("post_filter", 100.0, 0.02), ("limit_12_db", 12.0, 0.0)]
    {
        check_mono(ModelKind::DeepFilterNet3, &golden, name, &input, settings(SOME_STAGES, limit_db, beta));
    }
}

#[test]
fn silence_is_processed_like_anything_else() {
    let golden = Golden::new(GAPS);
    let settings = settings(SOME_STAGES, 100.0, 0.02);
    check_mono(ModelKind::DeepFilterNet3, &golden, "post_filter", &golden.input(), settings);
}

#[test]
fn skipped_stages_of_the_low_latency_model_equal_the_reference() {
    let (golden, input) = (Golden::new(LOW_LATENCY), Golden::new(STAGES).input());
    let settings = settings(SOME_STAGES, 100.0, 0.02);
    check_mono(ModelKind::DeepFilterNet3Ll, &golden, "post_filter", &input, settings);
}

#[test]
fn stereo_links_equal_the_reference() {
    let golden = Golden::new(STEREO);
    let input = golden.input();
    let (left, right) = input.split_at(input.len() / 2);
    let model = model(ModelKind::DeepFilterNet3).expect("the embedded model");
    let always = Thresholds::default();
    for (name, link, thresholds) in [
        ("none", StereoLink::None, always),
        ("max", StereoLink::Max, always),
        ("mean", StereoLink::Mean, always),
        ("mean_stages", StereoLink::Mean, SOME_STAGES),
    ] {
        let mut settings = settings(thresholds, 100.0, 0.02);
        settings.shaping.link = link;
        let (got, reports) = denoise(&mut denoiser(&model, 2, settings), &[left, right]);
        if thresholds == SOME_STAGES {
            golden.check_stages(name, &reports);
        }
        let (snr_db, largest) = check_audio(name, &golden.floats(name), &got.concat());
        println!("stereo, {name}: SNR {snr_db:.1} dB, largest difference {largest:.1e}");
    }
}
