//! Results of a run: noise is reduced, the report, the picture; and a second run gives the same.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;

/// Ten seconds of speech in a noisy room.
fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo_noisy.wav")
}

fn report(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("report")).expect("JSON")
}

#[test]
fn speech_in_noise_comes_out_quieter_in_the_pauses_and_in_place() {
    let folder = Folder::new();
    let (output, json) = (folder.path("out.wav"), folder.path("report.json"));
    denoise_file(&demo(), &output, &["--json", json.to_str().unwrap()]);
    let (spec, noisy) = read_wav(&demo());
    let (found, clean) = read_wav(&output);
    assert_eq!((found, clean[0].len()), (spec, noisy[0].len()));
    assert_eq!(lag(&noisy[0], &clean[0], 100), 0);

    let report = report(&json);
    let file = &report["files"][0];
    assert_eq!((&report["model"], &report["delay_samples"]), (&"DeepFilterNet3".into(), &1440.into()));
    assert_eq!((report["delay_ms"].as_f64(), report["live_latency_ms"].as_f64()), (Some(30.0), Some(40.0)));
    assert_eq!((&file["status"], &file["sample_rate_hz"]), (&"done".into(), &spec.sample_rate.into()));
    assert_eq!(file["samples"].as_u64(), Some(noisy[0].len() as u64));
    let reduction_db = file["noise_reduction_db"].as_f64().unwrap();
    println!("noise reduced by {reduction_db} dB");
    assert!(reduction_db > 15.0, "{reduction_db}");
    let level_db = |side: &str| file[side]["rms_dbfs"].as_f64().unwrap();
    assert!(level_db("output_level") < level_db("input_level"));
    assert!(file["real_time_factor"].as_f64().unwrap() > 0.0);
    assert_eq!(file["warnings"], Value::Array(Vec::new()));
}

/// Limited to 0 dB the output is the input: to the sample's place, and to the rounding.
#[test]
fn a_limit_limits() {
    let folder = Folder::new();
    let reduction_db = |limit: &str| {
        let json = folder.path("report.json");
        let more = ["--attenuation-limit", limit, "--json", json.to_str().unwrap()];
        denoise_file(&demo(), &folder.path("out.wav"), &more);
        report(&json)["files"][0]["noise_reduction_db"].as_f64().unwrap()
    };
    let limited_db = reduction_db("12");
    println!("limited to 12 dB: {limited_db} dB");
    assert!((6.0..=12.0).contains(&limited_db), "{limited_db} dB");
    assert!(reduction_db("0").abs() < 0.05);
    let out = read_wav(&folder.path("out.wav")).1;
    assert!(max_difference(&read_wav(&demo()).1[0], &out[0]) < 1.6 / 32_768.0);
}

/// The low-latency model has another delay; its output stands in the same place.
#[test]
fn the_low_latency_model_is_aligned_too() {
    let folder = Folder::new();
    let (output, json) = (folder.path("out.wav"), folder.path("report.json"));
    let (demo_name, output_name) = (demo(), output.to_str().unwrap());
    let args = ["-o", output_name, "--model", "DeepFilterNet3_ll", "--json", json.to_str().unwrap()];
    let result = denoise(&[&[demo_name.to_str().unwrap()], &args[..]].concat());
    if result.status.code() != Some(0) {
        assert!(stderr(&result).contains("tacet model install ll"), "{}", stderr(&result));
        assert!(std::env::var_os("TACET_REQUIRE_MODEL").is_none(), "{}", stderr(&result));
        println!("skipped: {}", stderr(&result));
        return;
    }
    let report = report(&json);
    assert_eq!((&report["model"], &report["delay_samples"]), (&"DeepFilterNet3_ll".into(), &480.into()));
    let (noisy, clean) = (read_wav(&demo_name).1, read_wav(&output).1);
    assert_eq!((clean[0].len(), lag(&noisy[0], &clean[0], 100)), (noisy[0].len(), 0));
}

#[test]
fn two_runs_and_any_number_of_jobs_and_threads_give_the_same_bytes() {
    let folder = Folder::new();
    let inputs: Vec<PathBuf> = (0..4)
        .map(|index| {
            let path = folder.path(&format!("{index}.wav"));
            write_wav(&path, spec(44_100, 2, 16), &[babble(9_000, index), babble(9_000, index + 9)]);
            path
        })
        .collect();
    let run = |name: &str, jobs: &str, threads: &str| -> Vec<Vec<u8>> {
        let out_dir = folder.path(name);
        let mut command = tacet();
        command.arg("denoise").args(&inputs).args(["--jobs", jobs, "--threads", threads, "--out-dir"]);
        assert!(command.arg(&out_dir).status().unwrap().success());
        (0..4).map(|index| fs::read(out_dir.join(format!("{index}.wav"))).unwrap()).collect()
    };
    let one = run("one", "1", "1");
    assert!(one == run("again", "1", "1"));
    // Three files share two threads; four files have a thread each; one has five.
    for (jobs, threads) in [("3", "2"), ("4", "4"), ("1", "5")] {
        assert!(one == run(&format!("{jobs} on {threads}"), jobs, threads), "{jobs} jobs, {threads} threads");
    }
}

#[test]
fn the_report_lists_failures_and_goes_to_standard_output_too() {
    let folder = Folder::new();
    let good = folder.path("good.wav");
    write_wav(&good, spec(16_000, 1, 16), &[babble(3_000, 1)]);
    let result = denoise(&[
        good.as_os_str(),
        "missing.wav".as_ref(),
        "--json".as_ref(),
        "-".as_ref(),
        "--quiet".as_ref(),
    ]);
    assert_eq!(result.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&result.stdout).unwrap();
    assert_eq!(report["failed"], 1);
    assert_eq!(
        (&report["files"][0]["status"], &report["files"][1]["status"]),
        (&"done".into(), &"failed".into())
    );
    assert!(report["files"][1]["error"].as_str().unwrap().contains("os error 2"));
    assert!(
        report["files"][0]["noise_reduction_db"].is_null(),
        "a fifth of a second says nothing about noise"
    );
    // Quiet: the error and nothing else.
    assert_eq!(stderr(&result).lines().count(), 1, "{}", stderr(&result));
    assert!(folder.path("good-denoised.wav").exists());
}

#[test]
fn quiet_is_quiet_and_without_a_terminal_there_are_no_bars() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, spec(16_000, 1, 16), &[babble(3_000, 1)]);
    let result = denoise(&[input.to_str().unwrap(), "-q"]);
    assert_eq!((stderr(&result), result.stdout.len()), (String::new(), 0));
    let result = denoise(&[input.to_str().unwrap()]);
    assert_eq!(stderr(&result).lines().count(), 1, "one line of summary: {}", stderr(&result));
    assert!(stderr(&result).contains("real time"));
}

#[test]
fn the_picture_shows_both_and_is_the_same_twice() {
    let folder = Folder::new();
    let picture = |name: &str| {
        let path = folder.path(name);
        denoise_file(&demo(), &folder.path("out.wav"), &["--spectrogram", path.to_str().unwrap()]);
        fs::read(path).unwrap()
    };
    let bytes = picture("a.png");
    assert!(bytes == picture("b.png"));
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert!(info.width >= 1_000 && info.height >= 600);
    // The upper plot is brighter than the lower one: the noise is gone from it.
    let half = pixels.len() / 2;
    let sum = |pixels: &[u8]| pixels.iter().map(|&part| u64::from(part)).sum::<u64>();
    assert!(sum(&pixels[..half]) > sum(&pixels[half..]) * 5 / 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_utf_8_is_in_the_report_as_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    let input = folder.path("x").with_file_name(std::ffi::OsStr::from_bytes(b"caf\xe9.wav"));
    let json = folder.path("report.json");
    write_wav(&input, spec(48_000, 1, 16), &[babble(4800, 1)]);
    let result = tacet().arg("denoise").arg(&input).arg("--json").arg(&json).output().unwrap();
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(report["files"][0]["input"].as_str().unwrap().ends_with("caf\u{fffd}.wav"), "{report}");
    let scores = tacet().args(["score", "--json"]).arg(&input).arg(&input).output().unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&scores.stdout).is_ok(), "{}", stderr(&scores));
}
