//! Failures: a clear message, nothing left behind, other files unaffected.

use std::fs;
use std::path::Path;

use crate::support::*;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Denoises one file that cannot be, and returns what was said.
fn failure(input: &Path) -> String {
    let folder = Folder::new();
    let result = denoise(&[path(input), "-o", path(&folder.path("out.wav"))]);
    let text = stderr(&result);
    assert_eq!(result.status.code(), Some(1), "{text}");
    assert!(text.contains(&input.display().to_string()), "names the file: {text}");
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(folder.names(), Vec::<String>::new());
    text
}

#[test]
fn unreadable_input_is_an_error_that_says_what_to_do() {
    let folder = Folder::new();
    assert!(failure(&folder.path("missing.wav")).contains("os error 2"));
    let empty = folder.path("empty.wav");
    fs::write(&empty, "").unwrap();
    assert!(failure(&empty).contains("empty (0 bytes)"));
    let text = folder.path("text.mp3");
    fs::write(&text, "this is no audio, whatever its name says. ".repeat(200)).unwrap();
    assert!(failure(&text).contains("is no audio that Tacet reads"));
    let subfolder = folder.path("folder");
    fs::create_dir(&subfolder).unwrap();
    assert!(failure(&subfolder).contains("is a folder"));
    // A codec and a container that are not read: named, with the command that converts them.
    let gsm = folder.path("gsm.wav");
    let mut bytes =
        b"RIFF\x32\0\0\0WAVEfmt \x14\0\0\0\x31\0\x01\0\x40\x1f\0\0\x59\x06\0\0\x41\0\0\0\x02\0\x40\x01"
            .to_vec();
    bytes.extend(b"data\x41\0\0\0");
    bytes.extend([7; 65]);
    fs::write(&gsm, bytes).unwrap();
    let error = failure(&gsm);
    assert!(error.contains("GSM 6.10") && error.contains("ffmpeg -i"), "{error}");
    // To copy as it is, whatever the name.
    let odd = folder.path("it's a take.wav");
    fs::copy(&gsm, &odd).unwrap();
    let error = failure(&odd);
    let (input, output) = if cfg!(windows) {
        (format!("\"{}\"", odd.display()), format!("\"{}\"", odd.with_extension("flac").display()))
    } else {
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        (quoted(&odd), quoted(&odd.with_extension("flac")))
    };
    assert!(error.contains(&format!("ffmpeg -i {input} -vn -c:a flac {output} ")), "{error}");
    let video = folder.path("video.avi");
    fs::write(&video, [&b"RIFF\0\0\0\0AVI LIST"[..], &[0; 99]].concat()).unwrap();
    assert!(failure(&video).contains("AVI"));
}

#[test]
fn absurd_formats_are_refused() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, spec(100, 1, 16), &[babble(100, 1)]);
    assert!(failure(&input).contains("100 Hz"));
    // A header of the plain form, which names no speakers, for 100 channels.
    let mut bytes = Vec::new();
    for (tag, value) in
        [(b"RIFF", 36 + 2_000_u32), (b"WAVE", u32::from_le_bytes(*b"fmt ")), (b"\x10\0\0\0", 0x64_0001)]
    {
        bytes.extend(tag);
        bytes.extend(value.to_le_bytes());
    }
    for value in [48_000_u32, 9_600_000, 0x10_00c8, u32::from_le_bytes(*b"data"), 2_000] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([1; 2_000]);
    fs::write(&input, bytes).unwrap();
    assert!(failure(&input).contains("channel"));
}

/// Files cut anywhere and files with flipped bytes: an error or a result, never a crash or a half file.
#[test]
fn corrupt_files_never_crash() {
    let folder = Folder::new();
    let wav = folder.path("whole.wav");
    write_wav(&wav, spec(16_000, 2, 24), &[babble(3_000, 1), babble(3_000, 2)]);
    let (mut n_good, mut n_bad) = (0, 0);
    let sources = ["sweep.flac", "sweep.mp3", "sweep.ogg", "sweep.m4a", "sweep.aac"].map(data);
    let mut inputs = Vec::new();
    for source in sources.iter().chain([&wav]) {
        let bytes = fs::read(source).unwrap();
        let extension = source.extension().unwrap().to_str().unwrap();
        let name = |kind: &str, index: usize| folder.path(&format!("{extension}-{kind}-{index}.{extension}"));
        for part in 1..8 {
            let cut = name("cut", part);
            fs::write(&cut, &bytes[..bytes.len() * part / 8]).unwrap();
            let flipped = name("flipped", part);
            let mut altered = bytes.clone();
            // Twenty bytes each, spread from the given eighth on.
            for index in 0..20 {
                let at = bytes.len() * part / 8 + index * 7;
                if let Some(byte) = altered.get_mut(at) {
                    *byte ^= 0x55;
                }
            }
            fs::write(&flipped, altered).unwrap();
            inputs.extend([cut, flipped]);
        }
        let headless = name("headless", 0);
        fs::write(&headless, &bytes[30..]).unwrap();
        inputs.push(headless);
    }
    let out_dir = folder.path("out");
    let mut command = tacet();
    command.args(["denoise", "--json", path(&folder.path("report.json")), "--out-dir"]).arg(&out_dir);
    let result = command.args(&inputs).args(OFF).output().unwrap();
    assert_eq!(result.status.code(), Some(1));
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path("report.json")).unwrap()).unwrap();
    for file in report["files"].as_array().unwrap() {
        let output = Path::new(file["output"].as_str().unwrap());
        if file["status"] == "done" {
            n_good += 1;
            assert_eq!(read_wav(output).1[0].len() as u64, file["samples"].as_u64().unwrap());
        } else {
            n_bad += 1;
            assert!(!output.exists());
            let error = file["error"].as_str().unwrap();
            assert!(!error.contains("breaks its decoder"), "{}: {error}", file["input"]);
        }
    }
    println!("{n_good} with a result, {n_bad} with an error");
    assert_eq!(n_good + n_bad, inputs.len());
    assert!(n_good > 20 && n_bad > 5);
}

/// A file that ends before it says: what is there is denoised, and a warning names what is not.
#[test]
fn a_file_that_is_cut_off_is_denoised_with_a_warning() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    write_wav(&input, spec(48_000, 1, 16), &[babble(48_000, 1)]);
    let bytes = fs::read(&input).unwrap();
    // Not even a whole sample at the end.
    fs::write(&input, &bytes[..44 + 2 * 12_000 + 1]).unwrap();
    let result = denoise(&[path(&input), "-o", path(&output)]);
    assert_eq!(result.status.code(), Some(0));
    assert!(
        stderr(&result).contains("0.75 s that it announces are not there: it is cut off"),
        "{}",
        stderr(&result)
    );
    assert_eq!(read_wav(&output).1[0].len(), 12_000);
}

/// One sample that is no number: it and its surroundings suffer, nothing else, and a warning says so.
#[test]
fn non_finite_samples_become_silence() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    for rate_hz in [48_000, 44_100] {
        let clean = babble(20_000, 1);
        let mut dirty = clean.clone();
        (dirty[10_000], dirty[10_001], dirty[10_002]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
        write_wav(&input, float_spec(rate_hz, 1), &[dirty]);
        let result = denoise(&[&[path(&input), "-o", path(&output)], &OFF[..]].concat());
        assert_eq!(result.status.code(), Some(0));
        assert!(stderr(&result).contains("3 samples were not finite"), "{}", stderr(&result));
        let out = read_wav(&output).1.remove(0);
        assert!(out.iter().all(|sample| sample.is_finite()));
        assert!(snr_db(&clean[..9_000], &out[..9_000], 1_000) > 40.0);
        assert!(snr_db(&clean[11_000..], &out[11_000..], 1_000) > 40.0);
    }
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let folder = Folder::new();
    for name in ["a.wav", "c.wav"] {
        write_wav(&folder.path(name), spec(16_000, 1, 16), &[babble(3_000, 1)]);
    }
    fs::write(folder.path("b.wav"), "RIFF but then no more").unwrap();
    let out_dir = folder.path("out");
    let inputs = ["a.wav", "b.wav", "c.wav", "d.wav"].map(|name| folder.path(name));
    let result = tacet().arg("denoise").args(&inputs).arg("--out-dir").arg(&out_dir).output().unwrap();
    let text = stderr(&result);
    assert_eq!(result.status.code(), Some(1), "{text}");
    assert!(text.contains("b.wav") && text.contains("d.wav"), "{text}");
    let mut written: Vec<_> =
        fs::read_dir(&out_dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    written.sort();
    assert_eq!(written, ["a.wav", "c.wav"]);
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_touches_nothing() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, spec(48_000, 1, 16), &[babble(480, 1)]);
    let before = fs::read(&input).unwrap();
    let input_name = path(&input);
    for (args, reason) in [
        (vec![], "required"),
        (vec![input_name, "-o", input_name], "never overwritten"),
        (vec![input_name, "--json", input_name], "never overwritten"),
        (vec![input_name, input_name, "-o", "x.wav"], "--out-dir"),
        (vec![input_name, "--attenuation-limit", "-1"], "0 to 100"),
        (vec![input_name, "--nonsense"], "--nonsense"),
        (vec!["-", "-o", "-", "--json", "-"], "standard output"),
    ] {
        let result = denoise(&args);
        assert_eq!(result.status.code(), Some(2), "{args:?}: {}", stderr(&result));
        assert!(stderr(&result).contains(reason), "{args:?}: {}", stderr(&result));
    }
    assert_eq!((folder.names(), fs::read(&input).unwrap()), (vec!["in.wav".to_owned()], before));
}

#[test]
fn an_unknown_or_missing_model_names_the_next_step() {
    let input = data("sweep.flac");
    let folder = Folder::new();
    let output = folder.path("out.wav");
    let result = denoise(&[path(&input), "-o", path(&output), "--model", "DeepFilterNet9"]);
    assert_eq!(result.status.code(), Some(1));
    assert!(stderr(&result).contains("name DeepFilterNet3, DeepFilterNet3_ll, or"), "{}", stderr(&result));
    // The environment's choice counts where the command line makes none.
    let mut command = tacet();
    command.args(["denoise", path(&input), "-o", path(&output)]).env("TACET_MODEL", path(&input));
    let result = command.output().unwrap();
    assert_eq!(result.status.code(), Some(1));
    assert!(stderr(&result).contains("neither a model archive"), "{}", stderr(&result));
    denoise_file(&input, &output, &["--model", "DeepFilterNet3"]);
}

#[test]
fn files_that_cannot_be_written_or_opened_are_named_with_the_next_step() {
    let folder = Folder::new();
    let output = folder.path("absent/out.wav");
    let result = denoise(&[data("sweep.flac").as_os_str(), "-o".as_ref(), output.as_os_str()]);
    let text = stderr(&result);
    assert!(text.contains("absent does not exist; create it"), "{text}");

    let text = stderr(&denoise(&[folder.path("nothing.wav")]));
    assert!(text.contains("nothing.wav: cannot be opened: ") && text.contains("; check the name"), "{text}");

    if cfg!(target_os = "linux") {
        let result = denoise(&[data("sweep.flac").as_os_str(), "-o".as_ref(), "/dev/full".as_ref()]);
        assert_eq!(result.status.code(), Some(1));
        let text = stderr(&result);
        assert!(text.contains("cannot write /dev/full: ") && text.contains("; free some space"), "{text}");
    }
}
