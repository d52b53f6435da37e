//! The checks of `fuzz/` in bounded runs: arbitrary inputs, and valid ones with a few bytes altered.
//!
//! `TACET_FUZZ_INPUTS` sets the number of inputs per check; CONTRIBUTING.md says how to run the same checks under
//! libFuzzer.

#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "support/inputs.rs"]
mod inputs;
#[path = "support/memory.rs"]
mod memory;

use inputs::{altered, inputs};
use proptest::prelude::*;
use tacet_cli::scores::ScoreError;
use tacet_realtime::model::ModelError;
use tacet_realtime::random::Random;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The most memory that an audio file of a few kilobytes may take while it is read, in bytes.
const MAX_AUDIO_BYTES: usize = 64 << 20;

/// Bytes as a length-delimited field of a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let n = bytes.len();
    [&[number << 3 | 2, (n & 0x7f) as u8 | 0x80, (n >> 7) as u8], bytes].concat()
}

/// An encoder whose first convolution is whole, in ONNX's encoding.
fn encoder() -> Vec<u8> {
    let node =
        [field(1, b"x"), field(1, b"w"), field(2, b"y"), field(3, b"/erb_conv0/1/Conv"), field(4, b"Conv")];
    // Shape [64, 1, 3, 3], data type float.
    let weights = [field(1, &[64, 1, 3, 3]), vec![2 << 3, 1], field(8, b"w"), field(9, &[0; 64 * 9 * 4])];
    field(7, &[field(1, &node.concat()), field(5, &weights.concat())].concat())
}

fn archives() -> Vec<Vec<u8>> {
    vec![
        checks::join(&[b"", &encoder(), b"", b""]),
        checks::join(&[checks::CONFIG.as_bytes(), b"", b"", &encoder()]),
    ]
}

fn converted() -> Vec<Vec<u8>> {
    // The checksum of four zero bytes.
    let text = format!("{}\n[source]\nsha256 = 00\n\n[crc32]\nenc.lsnr_fc.b = 2144df1c\n", checks::CONFIG);
    let entries = br#","enc.lsnr_fc.b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    vec![checks::join(&[text.as_bytes(), entries, &[0; 4]])]
}

/// A second of a chirp in noise against half of it.
fn recordings() -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let samples: Vec<u8> = (0..8_000u32)
        .flat_map(|n| {
            let chirp = f64::from(n * (n / 16)) * 1e-4;
            ((chirp.sin() * 8_000.0) as i16).wrapping_add((random.bits() >> 20) as i16).to_le_bytes()
        })
        .collect();
    let settings: [&[u8]; 3] = [&[0, 0, 3, 130, 0], &[2, 6, 3, 140, 1], &[4, 3, 1, 255, 0]];
    settings.iter().map(|settings| checks::join(&[settings, &samples, &samples[..8_000]])).collect()
}

/// Ten hops of noise with what no sound card delivers, in mono and in stereo.
fn sounds() -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let mut samples: Vec<f32> = (0..4_800).map(|_| random.sample()).collect();
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE / 4.0, -0.0, 1e6];
    for (n, sample) in odd.into_iter().enumerate() {
        samples[700 * n] = sample;
    }
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let settings: [&[u8]; 3] =
        [&[0, 255, 0, 0, 0, 255, 255], &[255, 30, 128, 200, 0, 255, 255], &[200, 0, 0, 128, 90, 160, 120]];
    settings.iter().map(|settings| checks::join(&[settings, &bytes])).collect()
}

/// Every sound file of the command line's tests, and a WAV of each kind of sample.
fn sound_files() -> Vec<Vec<u8>> {
    let files = [
        ("three24.flac", 1),
        ("sweep.mp3", 2),
        ("sweep.ogg", 3),
        ("sweep.aac", 4),
        ("sweep.m4a", 5),
        ("faststart.m4a", 5),
        ("headerless.mp3", 2),
        ("opus.ogg", 3),
        ("voice.webm", 7),
    ];
    let mut seeds: Vec<Vec<u8>> = files
        .iter()
        .map(|(file, kind)| {
            let path = format!("{}/../../tests/data/audio/{file}", env!("CARGO_MANIFEST_DIR"));
            let content = std::fs::read(path).unwrap();
            [&[*kind], &content[..content.len().min(6_000)]].concat()
        })
        .collect();
    for (format, bits) in
        [(hound::SampleFormat::Int, 8), (hound::SampleFormat::Int, 16), (hound::SampleFormat::Float, 32)]
    {
        let mut wav = std::io::Cursor::new(vec![0]);
        wav.set_position(1);
        let spec =
            hound::WavSpec { channels: 2, sample_rate: 44_100, bits_per_sample: bits, sample_format: format };
        let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
        for n in 0..64 {
            match format {
                hound::SampleFormat::Int => writer.write_sample(n - 32).unwrap(),
                hound::SampleFormat::Float => writer.write_sample(n as f32 / 64.0).unwrap(),
            }
        }
        writer.finalize().unwrap();
        seeds.push(wav.into_inner());
    }
    seeds.extend(headers());
    seeds.extend([mov(), fragments(), matroska(), holed_mp3()]);
    seeds
}

/// Stereo PCM in MOV, in two chunks, with an edit that leaves out the first samples.
fn mov() -> Vec<u8> {
    let entry = [&[0; 8][..], &words(&[0x2_0010, 0, 8_000 << 16])].concat();
    let tables = [
        boxed(b"stsd", &[&words(&[0, 1]), &boxed(b"sowt", &[&[0; 6], &[0, 1], &entry])]),
        boxed(b"stts", &[&words(&[0, 1, 64, 1])]),
        boxed(b"stsc", &[&words(&[0, 1, 1, 32, 1])]),
        boxed(b"stsz", &[&words(&[0, 4, 64])]),
        boxed(b"stco", &[&words(&[0, 2, 28, 156])]),
    ];
    let stbl = boxed(b"stbl", &[&tables.concat()]);
    let mdia = [
        boxed(b"mdhd", &[&words(&[0, 0, 0, 8_000, 64, 0])]),
        boxed(b"hdlr", &[&words(&[0, 0, u32::from_be_bytes(*b"soun"), 0, 0, 0])]),
        boxed(b"minf", &[&stbl]),
    ];
    let trak = [
        boxed(b"tkhd", &[&words(&[1, 0, 0, 1]), &[0; 68]]),
        boxed(b"edts", &[&boxed(b"elst", &[&words(&[0, 1, 56, 8, 0x1_0000])])]),
        boxed(b"mdia", &[&mdia.concat()]),
    ];
    let mvhd = boxed(b"mvhd", &[&words(&[0, 0, 0, 8_000, 64]), &[0; 80]]);
    let samples: Vec<u8> = (0..=255).collect();
    [
        &[5][..],
        &boxed(b"ftyp", &[b"qt  ", &[0; 4], b"qt  "]),
        &boxed(b"mdat", &[&samples]),
        &boxed(b"moov", &[&mvhd, &boxed(b"trak", &[&trak.concat()])]),
    ]
    .concat()
}

/// A box of an MP4.
fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [&(content.len() as u32 + 8).to_be_bytes()[..], name, &content].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The same, going on in fragments: with times, sizes of their own, and a length that was never written.
fn fragments() -> Vec<u8> {
    let mut bytes = mov();
    let at = bytes.windows(4).position(|name| name == b"moov").unwrap() - 4;
    bytes.extend(boxed(b"mvex", &[&boxed(b"trex", &[&words(&[0, 1, 1, 1, 4, 0])])]));
    let size = (bytes.len() - at) as u32;
    bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
    for n in 0..4 {
        let time = boxed(b"tfdt", &[&words(&[0, 64 + 40 * n])]);
        let run = match n {
            0 => words(&[0x301, 2, 116, 1, 4, 1, 4]),
            _ => words(&[1, 32, 100]),
        };
        let track = [boxed(b"tfhd", &[&words(&[0x2_0000, 1])]), time, boxed(b"trun", &[&run])].concat();
        let head = boxed(b"mfhd", &[&words(&[0, n])]);
        bytes.extend(boxed(b"moof", &[&head, &boxed(b"traf", &[&track])]));
        let mut data = boxed(b"mdat", &[&[n as u8; 128]]);
        data[..4].copy_from_slice(&[136, 136, u32::MAX, 0][n as usize].to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

/// IMA ADPCM in a Matroska file without lengths, two blocks in a packet, and a second file behind it.
fn matroska() -> Vec<u8> {
    let element = |id: &[u8], content: &[u8]| [id, &[0x80 | content.len() as u8], content].concat();
    let fmt = b"\x11\0\x01\0\x40\x1f\0\0\0\0\0\0\x24\0\x04\0\x02\0\x41\0";
    let entry = [
        element(&[0xd7], &[1]),
        element(&[0x83], &[2]),
        element(&[0x86], b"A_MS/ACM"),
        element(&[0x63, 0xa2], fmt),
        element(&[0xe1], &[element(&[0xb5], &8_000_f32.to_be_bytes()), element(&[0x9f], &[1])].concat()),
    ];
    let block = element(&[0xa3], &[&[0x81, 0, 0, 0x80][..], &[0x35; 72]].concat());
    let file = [
        &element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], b"matroska"))[..],
        &[0x18, 0x53, 0x80, 0x67, 0xff],
        &element(&[0x15, 0x49, 0xa9, 0x66], &element(&[0x2a, 0xd7, 0xb1], &[0x0f, 0x42, 0x40])),
        &element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &entry.concat())),
        &[0x1f, 0x43, 0xb6, 0x75, 0xff, 0xe7, 0x81, 0],
        &block,
        &block,
    ]
    .concat();
    [&[7][..], &file, &file].concat()
}

/// Frames of MPEG-2 layer 3, 24 kHz, mono, behind an encoder's header that counts them; three are zeros.
fn holed_mp3() -> Vec<u8> {
    let mut frame = vec![0xff, 0xf3, 0x44, 0xc0];
    frame.resize(96, 0);
    let mut info = frame.clone();
    info[13..29].copy_from_slice(b"Info\0\0\0\x03\0\0\0\x14\0\0\x07\xe0");
    [&[2][..], &info, &frame.repeat(9), &[0; 288], &frame.repeat(8)].concat()
}

/// The smallest files of the containers of plain samples, and of joined frames.
fn headers() -> Vec<Vec<u8>> {
    let samples: Vec<u8> = (0..64_u8).flat_map(|n| [n, 255 - n]).collect();
    let fmt = b"fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0";
    let list = b"LIST\x12\0\0\0INFOINAM\x05\0\0\0Talk\0\0";
    let ds64 = b"ds64\x1c\0\0\0\xc0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0";
    let rf64 =
        [b"\0RF64\xff\xff\xff\xffWAVE", &ds64[..], fmt, b"data\xff\xff\xff\xff", &samples, list].concat();
    let never_written = [b"\0RIFF\0\0\0\0WAVE", &fmt[..], list, b"data\0\0\0\0", &samples].concat();
    let guid = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";
    let w64 = [
        b"\0riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0\xe8\0\0\0\0\0\0\0wave",
        &guid[..],
        b"fmt ",
        guid,
        b"\x28\0\0\0\0\0\0\0",
        &fmt[8..],
        b"data",
        guid,
        b"\x98\0\0\0\0\0\0\0",
        &samples,
    ]
    .concat();
    let comm = b"COMM\0\0\0\x12\0\x01\0\0\0\x40\0\x10\x40\x0e\xac\x44\0\0\0\0\0\0";
    let aiff = [b"\x06FORM\0\0\0\0AIFF", &comm[..], b"SSND\0\0\0\x88\0\0\0\0\0\0\0\0", &samples].concat();
    let au = [b"\x07.snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\x03\0\0\x1f\x40\0\0\0\x01", &samples[..]].concat();
    let desc =
        b"desc\0\0\0\0\0\0\0\x20\x40\xbf\x40\0\0\0\0\0lpcm\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\0\0\x10";
    let caf = [b"\x07caff\0\x01\0\0", &desc[..], b"data\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", &samples]
        .concat();
    vec![rf64, never_written, w64, aiff, au, caf]
}

fn manifests() -> Vec<Vec<u8>> {
    let manifest = r#"{"abi":1,"torch":"2.11.0","platform":"linux-x86_64","cuda":false,
        "files":[{"name":"libtacet_torch.so","bytes":7,"sha256":"00"}]}"#;
    vec![manifest.into()]
}

proptest! {
    #![proptest_config(inputs(1_000))]

    #[test]
    fn sound_files_of_any_content(data in altered(sound_files())) {
        let n_bytes = memory::peak_bytes(|| drop(checks::audio_file(&data)));
        prop_assert!(n_bytes <= MAX_AUDIO_BYTES, "{n_bytes} bytes of memory");
    }

    #[test]
    fn pack_manifests(data in altered(manifests())) {
        let _ = checks::pack_manifest(&data);
    }

    #[test]
    fn model_files(data in altered(vec![b"\x1f\x8b\x08".to_vec(), b"\x20\0\0\0\0\0\0\0{\"__metadata__\":{}}".to_vec()])) {
        let _ = checks::model_file(&data);
    }

    #[test]
    fn model_archives(data in altered(archives())) {
        let _ = checks::model_archive(&data);
    }

    #[test]
    fn model_configs(data in altered(vec![checks::CONFIG.into()])) {
        let _ = checks::model_config(&data);
    }

    #[test]
    fn converted_models(data in altered(converted())) {
        let _ = checks::model_safetensors(&data);
    }
}

proptest! {
    // A score takes some ten milliseconds.
    #![proptest_config(inputs(100))]

    #[test]
    fn scored_recordings(data in altered(recordings())) {
        let _ = checks::scores(&data);
    }

    #[test]
    fn audio(data in altered(sounds())) {
        prop_assert!(checks::audio(&data).is_ok());
    }
}

/// The seeds reach what they are for: without this, a change of a format would leave the checks with nothing to check.
#[test]
fn seeds_are_valid_up_to_what_they_leave_out() {
    let missing = |outcome: Result<(), ModelError>| match outcome {
        Err(ModelError::MissingTensor { tensor }) => tensor,
        other => panic!("{other:?}"),
    };
    // Everything before it was read, in the order of names.
    assert_eq!(missing(checks::model_archive(&archives()[0])), "enc.df_conv0.dw.w");
    assert_eq!(missing(checks::model_safetensors(&converted()[0])), "df_dec.df_convp.dw.w");
    assert!(checks::model_config(checks::CONFIG.as_bytes()).is_ok());
    // Files cut off in the midst of what they need cannot be read.
    let files = sound_files();
    let n_read = files.iter().filter(|file| checks::audio_file(file).is_ok()).count();
    assert!(n_read >= 14, "only {n_read} of {} can be read", files.len());
    assert!([mov(), holed_mp3()].iter().all(|file| checks::audio_file(file).is_ok()));
    assert!(headers().iter().all(|file| checks::audio_file(file).is_ok()));
    assert!(manifests().iter().all(|manifest| checks::pack_manifest(manifest).is_ok()));
    let is_read = |recordings: &Vec<u8>| {
        !matches!(checks::scores(recordings), Err(ScoreError::Empty(_) | ScoreError::NotFinite { .. }))
    };
    assert!(recordings().iter().any(is_read));
}
