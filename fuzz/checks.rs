//! Properties of every reader for arbitrary bytes: one function per reader.
//!
//! Readers: models in every form, audio files of any format, recordings to score, samples to denoise, the torch pack's
//! manifest. Saved states are checked in `state_checks.rs`, which needs the plugin.
//!
//! The targets in `fuzz_targets/` run them under libFuzzer for hours; `tests/fuzz.rs` runs them for seconds with every
//! `cargo test`. A function panics where the reader breaks a promise; a panic, an overflow or endless memory inside the
//! reader is found by the runner itself. It returns what the reader said, which is nobody's fault.

use std::fs;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use flate2::Compression;
use flate2::write::GzEncoder;
use tacet_cli::scores::{Alignment, ScoreError, Signal, score};
use tacet_realtime::denoiser::{Denoiser, Settings};
use tacet_realtime::engine::native::{NativeEngine, NativeModel};
use tacet_realtime::engine::{EngineError, Thresholds};
use tacet_realtime::enhance::{Shaping, StereoLink};
use tacet_realtime::model::{Config, HOP, Layout, Model, ModelError};
use tacet_realtime::stft;
use tacet_realtime::tails::Closing;
use tacet_torch_pack::manifest::{MANIFEST_FILE, Manifest, PackError};

/// Separates the parts of structured inputs: short, and in no format's own syntax.
const SEPARATOR: &[u8] = b"\xff|\xfe";
/// The members of an archive in the order of an input's parts.
const MEMBERS: [&str; 4] = ["config.ini", "enc.onnx", "erb_dec.onnx", "df_dec.onnx"];

/// The parts of an input, as many as asked for; missing ones are empty, the last takes the rest.
fn parts<const N: usize>(mut data: &[u8]) -> [&[u8]; N] {
    let mut parts = [&[][..]; N];
    for part in &mut parts[..N - 1] {
        let end = data.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        let (this, rest) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + SEPARATOR.len()..]));
        (*part, data) = (this, rest);
    }
    parts[N - 1] = data;
    parts
}

/// An input of parts, for seeds.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(SEPARATOR)
}

/// A valid `config.ini`, without which no graph is read.
pub const CONFIG: &str = "[train]\nmodel = deepfilternet3\n[df]\nsr = 48000\nfft_size = 960\nhop_size = 480\n\
    nb_erb = 32\nnb_df = 96\nmin_nb_erb_freqs = 2\nlsnr_min = -15\nlsnr_max = 35\nnorm_alpha = 0.99\ndf_order = 5\n\
    df_lookahead = 2\n[deepfilternet]\nconv_lookahead = 2\nconv_ch = 64\nconv_kernel = 1,3\nconv_kernel_inp = 3,3\n\
    df_pathway_kernel_size_t = 5\nenc_linear_groups = 32\nlinear_groups = 16\nemb_hidden_dim = 256\n\
    emb_num_layers = 3\ndf_hidden_dim = 256\ndf_num_layers = 2\ndf_gru_skip = groupedlinear\n";

/// A model that was accepted keeps the promises that the engines rely on.
fn checked(outcome: Result<Model, ModelError>) -> Result<(), ModelError> {
    let model = outcome?;
    let layout = Layout::new(&model.config);
    assert_eq!(model.tensors().count(), layout.n_tensors());
    for (name, tensor) in model.tensors() {
        assert_eq!(layout.shape(name), Some(tensor.shape.as_slice()), "{name}");
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len(), "{name}");
        assert!(tensor.data.iter().all(|value| value.is_finite()), "{name}");
    }
    Ok(())
}

/// A model file of any content: as it is, and as the content of a gzip file.
pub fn model_file(data: &[u8]) -> Result<(), ModelError> {
    checked(Model::from_bytes(&gzip(data))).or_else(|_| checked(Model::from_bytes(data)))
}

/// A well-formed archive of four members of any content; an empty configuration stands for a valid one.
pub fn model_archive(data: &[u8]) -> Result<(), ModelError> {
    let mut members = parts::<4>(data);
    if members[0].is_empty() {
        members[0] = CONFIG.as_bytes();
    }
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in MEMBERS.iter().zip(members) {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content).expect("memory takes everything");
    }
    let tar = tar.into_inner().expect("memory takes everything");
    checked(Model::from_archive(&gzip(&tar)))
}

/// A configuration of any text: what is accepted is written and read back as the same, and its layout is of a size that
/// can be allocated.
pub fn model_config(data: &[u8]) -> Result<(), ModelError> {
    let config = Config::from_ini(&String::from_utf8_lossy(data))?;
    assert_eq!(Config::from_ini(&config.to_ini()).ok().as_ref(), Some(&config));
    assert!(Layout::new(&config).n_parameters() < 1 << 30);
    Ok(())
}

/// A converted model whose metadata has a valid checksum: any metadata text, any further header entries, any data.
pub fn model_safetensors(data: &[u8]) -> Result<(), ModelError> {
    let [text, entries, tensors] = parts::<3>(data);
    let text = String::from_utf8_lossy(text);
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    let metadata = serde_json::json!({ "tacet": format!("{text}metadata = {:08x}\n", crc.sum()) });
    let mut header = format!("{{\"__metadata__\":{metadata}").into_bytes();
    header.extend_from_slice(entries);
    header.push(b'}');
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_slice(), tensors].concat();
    checked(Model::from_safetensors(&bytes))
}

/// Two recordings of any samples, also such that are no numbers, at any of the common rates: scores in their ranges or an
/// error that is due.
pub fn scores(data: &[u8]) -> Result<(), ScoreError> {
    const RATES_HZ: [u32; 8] = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000];
    let [settings, clean, judged] = parts::<3>(data);
    let setting = |n: usize| settings.get(n).copied().unwrap_or(0);
    let rate_hz = |n| RATES_HZ[setting(n) as usize % RATES_HZ.len()];
    let samples = |bytes: &[u8], is_float: bool| -> Vec<f32> {
        if is_float {
            bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
        } else {
            bytes.as_chunks().0.iter().map(|value| f32::from(i16::from_le_bytes(*value)) / 32768.0).collect()
        }
    };
    // A byte makes many samples, or no input would be long enough to have scores.
    let repeated = |samples: Vec<f32>| [samples.repeat(1 + setting(4) as usize)];
    let clean = repeated(samples(clean, setting(2) & 1 == 0));
    let judged = repeated(samples(judged, setting(2) & 2 == 0));
    let alignment = match i64::from(setting(3)) - 128 {
        delay @ -100..=100 => Alignment::Search { max_ms: delay as f64 },
        delay => Alignment::Fixed(delay * 1000),
    };
    let outcome = score(
        Signal { rate_hz: rate_hz(0), channels: &clean },
        Signal { rate_hz: rate_hz(1), channels: &judged },
        alignment,
    );
    let is_finite = clean.iter().chain(&judged).flatten().all(|sample| sample.is_finite());
    match &outcome {
        Ok(scores) => {
            assert!(is_finite);
            let mean = scores.mean;
            for value in [mean.stoi, mean.stoi_training, mean.estoi] {
                assert!(value.abs() < 1.0 + 1e-9, "{scores:?}");
            }
            assert!((-10.0..=35.0).contains(&mean.segmental_snr_db), "{scores:?}");
            assert!(mean.lsd_db >= 0.0 && mean.lsd_db.is_finite() && !mean.si_sdr_db.is_nan(), "{scores:?}");
        }
        Err(ScoreError::NotFinite { .. }) => assert!(!is_finite),
        Err(ScoreError::Channels { .. } | ScoreError::NoRate(_)) => panic!("one channel each, no rate is 0"),
        Err(_) => {}
    }
    outcome.map(|_| ())
}

/// Samples of any bits through the whole pipeline, one or two channels and any settings: the output is finite, and a sample
/// that is no number has done no more than silence would have.
pub fn audio(data: &[u8]) -> Result<(), EngineError> {
    /// A few hops hold any damage: the recurrent state is the network's own.
    const MAX_HOPS: usize = 24;
    static MODEL: OnceLock<Arc<NativeModel>> = OnceLock::new();
    let model = MODEL.get_or_init(|| {
        let model = tacet_realtime::weights::embedded().expect("the build has checked it");
        NativeModel::new(&model).expect("the build has checked it")
    });
    let [settings, samples] = parts::<2>(data);
    let setting = |n: usize| f32::from(settings.get(n).copied().unwrap_or(0)) / 255.0;
    let n_channels = 1 + usize::from(setting(0) > 0.5);
    let shaping = Shaping {
        attenuation_limit_db: 100.0 * setting(1),
        limits_db: std::array::from_fn(|i| 100.0 * setting(10 + i)),
        post_filter_beta: 0.05 * setting(2),
        keeps_clean: setting(7) > 0.5,
        keeps_whisper: setting(16) > 0.5,
        closing: Closing { hold_ms: 500.0 * setting(8), release_ms: 500.0 * setting(9) },
        link: [StereoLink::None, StereoLink::Max, StereoLink::Mean][(2.0 * setting(3)) as usize],
    };
    let thresholds = Thresholds {
        min_db: 60.0 * setting(4) - 25.0,
        max_erb_db: 60.0 * setting(5) - 25.0,
        max_df_db: 60.0 * setting(6) - 25.0,
    };
    let mut samples: Vec<f32> = samples.as_chunks().0.iter().map(|bits| f32::from_le_bytes(*bits)).collect();
    samples.truncate(MAX_HOPS * HOP * n_channels);
    samples.resize(samples.len().next_multiple_of(HOP * n_channels), 0.0);

    let run = |samples: &[f32]| -> Result<Vec<f32>, EngineError> {
        let engine = Box::new(NativeEngine::new(model.clone()));
        let mut denoiser =
            Denoiser::new(engine, n_channels, Settings { thresholds, shaping, ..Settings::default() })?;
        let mut out = vec![f32::NAN; samples.len()];
        for (hop, out) in samples.chunks(HOP * n_channels).zip(out.chunks_mut(HOP * n_channels)) {
            let input: Vec<&[f32]> = hop.chunks(HOP).collect();
            let mut output: Vec<&mut [f32]> = out.chunks_mut(HOP).collect();
            denoiser.process(&input, &mut output)?;
        }
        Ok(out)
    };
    let out = run(&samples)?;
    assert!(out.iter().all(|sample| sample.is_finite()));
    let repaired: Vec<f32> = samples.iter().map(|&sample| stft::sane(sample)).collect();
    let expected = run(&repaired)?;
    assert!(out.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
    Ok(())
}

/// A file of any content, under the extension that its first byte chooses: blocks of equal channels and finite samples,
/// or an error.
pub fn audio_file(data: &[u8]) -> anyhow::Result<()> {
    const EXTENSIONS: [&str; 8] = ["wav", "flac", "mp3", "ogg", "aac", "m4a", "aif", "bin"];
    /// Enough for every seed; a header may promise hours of silence.
    const MAX_SAMPLES: usize = 1 << 20;
    thread_local! {
        static DIR: tempfile::TempDir = tempfile::tempdir().expect("there is a folder for temporary files");
    }
    let (&kind, content) = data.split_first().unwrap_or((&0, &[]));
    let path =
        DIR.with(|dir| dir.path().join("x").with_extension(EXTENSIONS[kind as usize % EXTENSIONS.len()]));
    fs::write(&path, content).expect("the folder is writable");
    let mut decoder = tacet_cli::decode::Decoder::open(&path, &Default::default())?;
    let format = decoder.format().clone();
    assert!(format.rate_hz > 0 && format.n_channels > 0);
    let mut n_samples = 0;
    while let Some(block) = decoder.next_block()? {
        assert_eq!(block.len(), format.n_channels);
        assert!(!block[0].is_empty() && block.iter().all(|channel| channel.len() == block[0].len()));
        assert!(block.iter().flatten().all(|sample| sample.is_finite()));
        n_samples += block[0].len();
        if n_samples > MAX_SAMPLES {
            break;
        }
    }
    Ok(())
}

/// A pack's manifest of any content: what is accepted names plain files only.
pub fn pack_manifest(data: &[u8]) -> Result<(), PackError> {
    thread_local! {
        static DIR: tempfile::TempDir = tempfile::tempdir().expect("there is a folder for temporary files");
    }
    DIR.with(|dir| {
        fs::write(dir.path().join(MANIFEST_FILE), data).expect("the folder is writable");
        let manifest = Manifest::read(dir.path())?;
        for file in &manifest.files {
            let path = std::path::Path::new(&file.name);
            assert_eq!((path.components().count(), path.file_name()), (1, Some(path.as_os_str())));
        }
        // None of the files that it names is here.
        assert!(Manifest::check(dir.path()).is_err());
        Ok(())
    })
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(data).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}
