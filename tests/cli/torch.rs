//! libtorch on the command line: whole files equal to the native engine's, what is chosen and why, and what is said where
//! the runtime pack is missing or wrong. Tests that need a pack say so and pass; `TACET_REQUIRE_TORCH=1` makes that a
//! failure.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tacet_torch_pack::abi::TORCH_VERSION;
use tacet_torch_pack::assemble;
use tacet_torch_pack::manifest::{LIB_DIR, Manifest};
use tacet_torch_pack::platform::Platform;

use crate::support::*;

/// The binary with a data directory of the test's own, so that nothing of this user's is read or written.
fn tacet_in(home: &Path) -> Command {
    let mut command = tacet();
    command.env("TACET_DATA_DIR", home).env_remove("TACET_DEVICE");
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("run tacet")
}

/// Whether libtorch can be opened; if not, the reason is printed.
fn has_torch(folder: &Folder) -> bool {
    let result = run(tacet_in(&folder.path("home")).args(["devices", "--json"]));
    let report: Value = serde_json::from_slice(&result.stdout).expect("JSON");
    if report["libtorch"].is_string() {
        return true;
    }
    let required = std::env::var_os("TACET_REQUIRE_TORCH").is_some_and(|value| value == "1");
    assert!(!required, "libtorch is required here: {}", report["libtorch_problem"]);
    eprintln!("skipped: {}", report["libtorch_problem"]);
    false
}

fn noisy(folder: &Folder, n_samples: usize) -> std::path::PathBuf {
    let input = folder.path("in.wav");
    write_wav(&input, float_spec(44_100, 2), &[babble(n_samples, 1), babble(n_samples, 2)]);
    input
}

/// 3.4 s: two chunks, the second one not full, at a rate that is converted.
#[test]
fn whole_files_on_libtorch_are_what_the_native_engine_makes() {
    let folder = Folder::new();
    if !has_torch(&folder) {
        return;
    }
    let input = noisy(&folder, 150_000);
    let native = folder.path("native.wav");
    denoise_file(&input, &native, &[]);
    let (_, expected) = read_wav(&native);
    for (method, reason) in [("auto", "complex numbers work on it"), ("real_unfold", "chosen")] {
        let (output, json) = (folder.path("torch.wav"), folder.path("report.json"));
        let mut command = tacet_in(&folder.path("home"));
        command.arg("denoise").arg(&input).arg("-o").arg(&output).arg("--json").arg(&json);
        let result = run(command.args(["--engine", "torch", "--device", "cpu", "--df-op", method]));
        assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
        let named = if method == "auto" { "complex_strided" } else { method };
        let said = stderr(&result);
        assert!(said.contains(&format!("torch CPU (chosen); deep filter by {named} ({reason})")), "{said}");
        let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
        assert_eq!((&report["device"], &report["df_op"]), (&"torch CPU".into(), &named.into()));
        let (_, found) = read_wav(&output);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.len(), expected.len());
            // Observed: 118 dB and more.
            let db = snr_db(expected, found, 0);
            assert!(db > 90.0, "{db:.0} dB by {method}");
        }
    }
}

/// Short, long and no audio at all, one engine after the other for all of them, and the device from the environment.
#[test]
fn several_files_share_an_engine() {
    let folder = Folder::new();
    if !has_torch(&folder) {
        return;
    }
    let lengths = [0, 1, 480, 30_000];
    let inputs: Vec<_> = lengths.iter().map(|n| folder.path(&format!("in{n}.wav"))).collect();
    for (input, &n) in inputs.iter().zip(&lengths) {
        write_wav(input, float_spec(48_000, 1), &[babble(n, 3)]);
    }
    let out = |name: &str| folder.path(name);
    let mut command = tacet_in(&folder.path("home"));
    command.arg("denoise").args(&inputs).arg("--out-dir").arg(out("torch")).args(["--jobs", "1"]);
    let result = run(command.env("TACET_DEVICE", "cpu"));
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
    assert!(stderr(&result).contains("torch CPU (configured)"), "{}", stderr(&result));
    let mut command = tacet_in(&folder.path("home"));
    let result = run(command.arg("denoise").args(&inputs).arg("--out-dir").arg(out("native")));
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
    for n in lengths {
        let read = |name: &str| read_wav(&out(name).join(format!("in{n}.wav"))).1.remove(0);
        let (found, expected) = (read("torch"), read("native"));
        assert_eq!((found.len(), expected.len()), (n, n));
        assert!(n == 0 || max_difference(&found, &expected) < 1e-5, "{n} samples");
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let folder = Folder::new();
    let input = noisy(&folder, 100);
    for (options, part) in [
        (&["--engine", "native", "--device", "cuda"][..], "use --engine torch"),
        (&["--engine", "native", "--df-op", "real_unfold"], "--df-op needs --engine torch"),
        (&["--engine", "torch", "--device", "native"], "use --engine native"),
        (&["--df-op", "fastest"], "complex_strided"),
        (&["--device", "gpu"], "cuda:N, or auto"),
    ] {
        let mut command = tacet_in(&folder.path("home"));
        let result = run(command.arg("denoise").arg(&input).args(options));
        assert_eq!(result.status.code(), Some(2), "{options:?}: {}", stderr(&result));
        assert!(stderr(&result).contains(part), "{options:?}: {}", stderr(&result));
    }
    assert_eq!(folder.names(), ["in.wav"], "nothing was written");
}

/// A pack with a backend that is none.
fn pack(folder: &Folder, platform: Platform) -> std::path::PathBuf {
    let backend = folder.path(platform.backend_file());
    fs::write(&backend, "no library").unwrap();
    let dir = folder.path("pack");
    assemble::install(&[backend], &dir, platform, false).unwrap();
    dir
}

/// Messages of `denoise --engine torch` with this pack; the native engine does the work all the same.
fn complaint(folder: &Folder, pack: &Path, preload: Option<&Path>) -> String {
    let (input, output) = (noisy(folder, 100), folder.path("out.wav"));
    let denoise = |engine: &str| {
        let mut command = tacet_in(&folder.path("home"));
        command.arg("denoise").arg(&input).arg("-o").arg(&output).args(["--engine", engine]);
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        run(command.env("TACET_TORCH_DIR", pack))
    };
    let result = denoise("torch");
    assert_eq!(result.status.code(), Some(1), "{}", stderr(&result));
    assert!(!output.exists(), "nothing was written");
    let native = denoise("native");
    assert_eq!(native.status.code(), Some(0), "{}", stderr(&native));
    fs::remove_file(&output).unwrap();
    let text = stderr(&result);
    assert!(text.contains("the native engine"), "{text}");
    text
}

#[test]
fn each_fault_of_the_pack_is_another_error_with_its_next_step() {
    let Some(platform) = Platform::current() else { return };
    let folder = Folder::new();
    let missing = complaint(&folder, &folder.path("nowhere"), None);
    assert!(missing.contains("no torch runtime pack is installed (looked in"), "{missing}");
    let dir = pack(&folder, platform);
    let broken = complaint(&folder, &dir, None);
    assert!(broken.contains("does not load"), "{broken}");

    let manifest = Manifest::read(&dir).unwrap();
    Manifest { torch: "2.5.1".into(), ..manifest.clone() }.write(&dir).unwrap();
    let version = complaint(&folder, &dir, None);
    assert!(version.contains(&format!("has libtorch 2.5.1, this Tacet needs {TORCH_VERSION}")), "{version}");
    Manifest { abi: 99, ..manifest.clone() }.write(&dir).unwrap();
    let abi = complaint(&folder, &dir, None);
    assert!(abi.contains("speaks ABI 99"), "{abi}");
    manifest.write(&dir).unwrap();

    fs::write(dir.join(LIB_DIR).join(platform.backend_file()), "no").unwrap();
    let truncated = complaint(&folder, &dir, None);
    assert!(truncated.contains("is damaged (2 of 10 bytes)"), "{truncated}");
    for text in [missing, broken, version, abi, truncated] {
        assert!(text.contains("tacet torch install"), "{text}");
    }
}

/// A library of libtorch's name that the process brought along, as another plugin in a host would.
#[test]
#[cfg(target_os = "linux")]
fn another_libtorch_in_the_process_is_not_joined_by_a_second_one() {
    let Some(platform) = Platform::current() else { return };
    let folder = Folder::new();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let library = maps
        .lines()
        .find_map(|line| line.find('/').map(|at| &line[at..]).filter(|it| it.contains("libm.so")));
    let foreign = folder.path(platform.libtorch_files()[1]);
    fs::copy(library.expect("this program uses libm"), &foreign).unwrap();
    let text = complaint(&folder, &pack(&folder, platform), Some(&foreign));
    assert!(
        text.contains("another libtorch is loaded in this process") && text.contains("libc10.so"),
        "{text}"
    );
}

#[test]
fn the_pack_is_looked_at_and_removed() {
    let Some(platform) = Platform::current() else { return };
    let folder = Folder::new();
    let dir = pack(&folder, platform);
    let torch = |action: &str| {
        run(tacet_in(&folder.path("home")).args(["torch", action]).env("TACET_TORCH_DIR", &dir))
    };
    let status = torch("status");
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        status.status.success() && text.contains(&format!("libtorch {TORCH_VERSION} without CUDA")),
        "{text}"
    );
    // Only packs installed for this user are removed: there are none.
    let removed = torch("remove");
    assert!(
        String::from_utf8_lossy(&removed.stdout).contains("Nothing is installed"),
        "{}",
        stderr(&removed)
    );
    assert!(dir.exists());
    fs::remove_dir_all(&dir).unwrap();
    let status = torch("status");
    assert_eq!(status.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&status.stdout).contains("tacet torch install"));
}

/// Few hops: what is tested is that everything comes out, not how fast.
#[test]
fn a_bench_writes_what_it_measured_in_every_form() {
    let folder = Folder::new();
    let [json, csv, png, svg] = ["b.json", "b.csv", "b.png", "b.svg"].map(|name| folder.path(name));
    let home = folder.path("home");
    for plot in [&png, &svg] {
        let mut command = tacet_in(&home);
        command.args([
            "bench",
            "--device",
            "native",
            "--streams",
            "1,2",
            "--hops",
            "5",
            "--no-files",
            "--json",
        ]);
        let result = run(command.arg(&json).arg("--csv").arg(&csv).arg("--plot").arg(plot));
        assert!(result.status.success(), "{}", stderr(&result));
    }
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let rows: Vec<_> = steps.iter().map(|step| (step["streams"].as_u64(), step["pace"].as_str())).collect();
    let expected = [(1, "live"), (1, "back-to-back"), (2, "live"), (2, "back-to-back")];
    assert_eq!(rows, expected.map(|(streams, pace)| (Some(streams), Some(pace))));
    assert!(steps.iter().all(|step| step["total"]["p50_us"].as_f64() > Some(0.0)), "{report}");
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 1 + 2 * rows.len(), "warm and cold");
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(&svg).unwrap().contains("native CPU, 2 streams, live"));
}
