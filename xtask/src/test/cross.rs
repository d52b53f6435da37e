//! Other platforms on a Debian machine: the tests built for them and run by qemu's user mode and by wine. Emulators show
//! arithmetic and logic, not a real system's drivers, timing or file locks.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::emulator::Emulator;
use super::{Counts, run_tests};
use crate::binary::Binary;
use crate::bundle;
use crate::cross::{self, ARM64, Cross, WINDOWS};
use crate::setup::prerequisites;
use crate::shell;
use crate::workspace::Workspace;

/// Of every build of tests: as users run it. What documentation shows is left out: a compiler that `RUSTC` names has no
/// rustdoc beside it.
const TEST: &str = "test --locked --release --no-fail-fast";
/// The network's files and the engine, with its instructions and the bits of its output.
const ENGINE: &str = "--package tacet-model --package tacet-core --lib --tests";
/// Packages of the products on Linux; each list of their tests names them all, so that both use one build.
const ARM64_PRODUCTS: &str =
    "--package tacet --package tacet-cli --package tacet-realtime --package tacet-torch-pack";
/// The plugin in the hosts with its states, faults and random calls, and values against the official runtime's.
const ARM64_PLUGIN: &str =
    "--test faults --test host --test parity --test sequences --test states --test vst3";
/// The libraries, and the program on every format.
const ARM64_PROGRAMS: &str = "--lib --bins --test cli --test corpus";
/// Products on Windows: the same plugin, also in the VST3 host, and the programs.
const WINDOWS_PRODUCTS: &str = "--package tacet --package tacet-cli --package tacet-realtime --package tacet-standalone \
    --package tacet-torch-pack --lib --bins --test cli --test faults --test host --test parity --test sequences --test states \
    --test terminal --test vst3";
/// Installation and removal.
const INSTALL: &str = "--package xtask --lib";
/// Random sequences of host calls.
const HOST_SEQUENCES: &str = "200";
/// Inputs of each property: an emulator is some twenty times as slow.
const PROPERTY_INPUTS: &str = "8";

/// Functions that hosts look for in the plugin.
const WINDOWS_EXPORTS: [&str; 4] = ["ExitDll", "GetPluginFactory", "InitDll", "clap_entry"];

/// Runs the tests as arm64 programs and counts NEON's instructions.
///
/// # Errors
/// Something cannot be installed or built, or a test fails.
pub fn arm64(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    // It compiles what counts instructions.
    prerequisites::provide_packages(&["gcc"])?;
    let qemu = Emulator::qemu()?.command;
    let cross = cross::provide(workspace, ARM64)?;
    let counter = cross.dir.join("qemu_count.so");
    let mut compile = Command::new("gcc");
    compile.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&counter);
    shell::run(compile.arg(workspace.root.join("xtask/src/test/qemu_count.c")))?;
    let command = |words: &str| {
        let mut tests = tests(workspace, &cross, words);
        tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", &qemu);
        tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", EMULATED);
        tests.env("TACET_EMULATOR", &qemu);
        tests.env("TACET_COUNT_WITH", format!("{qemu} -plugin {}", counter.display()));
        tests.env("TACET_REQUIRE_VALGRIND", "1").env("TACET_CORPUS", workspace.target.join("corpus"));
        tests
    };
    let engine = ENGINE.to_owned();
    let plugin = format!("{ARM64_PRODUCTS} {ARM64_PLUGIN}");
    let programs = format!("{ARM64_PRODUCTS} {ARM64_PROGRAMS}");
    for words in [&engine, &plugin, &programs] {
        shell::run(&mut command(&format!("{words} --no-run")))?;
    }
    // cargo runs one program of tests after the other, and the last test of each leaves the other cores idle.
    let lists = [vec![engine, programs], vec![plugin]];
    let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(lists.len()));
    let on_share_of_cores = |words: &String| {
        let mut tests = command(words);
        tests.args(["--test-threads", &n_threads.to_string()]);
        tests
    };
    run_side_by_side(lists.map(|words| words.iter().map(on_share_of_cores).collect()), counts)
}

/// Runs tests one after the other, and all of them, also if one fails.
fn run_in_turn(list: Vec<Command>, counts: &mut Counts) -> Result<()> {
    let results: Vec<_> = list.into_iter().map(|mut tests| run_tests(&mut tests, counts)).collect();
    results.into_iter().collect()
}

/// Runs lists of tests at the same time, each [in turn](run_in_turn).
fn run_side_by_side<const N: usize>(lists: [Vec<Command>; N], counts: &mut Counts) -> Result<()> {
    let run_list = |list: Vec<Command>| {
        let mut counts = Counts::default();
        let result = run_in_turn(list, &mut counts);
        (counts, result)
    };
    std::thread::scope(|scope| {
        let running = lists.map(|list| scope.spawn(move || run_list(list)));
        let ended = running.map(|list| list.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        for (of_list, _) in &ended {
            counts.add_all(of_list);
        }
        ended.into_iter().try_for_each(|(_, result)| result)
    })
}

/// Keeps the graphics library of the panel's snapshots out of the build: `Cargo.toml` asks for it.
const EMULATED: &str = "--cfg emulated";

/// Runs the tests as Windows programs, makes the bundles, installs and removes them.
///
/// # Errors
/// As [`arm64`].
pub fn windows(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    let cross = cross::provide(workspace, WINDOWS)?;
    let wine = Emulator::wine(workspace, &cross.dir)?;
    // As users get them, before the tests' build replaces the library.
    let options = bundle::Options { target: Some(WINDOWS.into()), ..bundle::Options::default() };
    let bundles = bundle::build(workspace, &options).and_then(|bundles| {
        counts.passed += 1;
        check_exports(bundles.first().context("there is no bundle")?)
    });
    let commands = [ENGINE, WINDOWS_PRODUCTS, INSTALL].map(|words| {
        let mut tests = tests(workspace, &cross, words);
        tests.envs(wine.variables.iter().cloned());
        tests.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", &wine.command);
        tests.env("TACET_BUNDLES", bundle::directory(workspace, Some(WINDOWS)));
        if words == INSTALL {
            // The rest of this program's tests are about the machine that builds.
            tests.arg("install::");
        }
        tests
    });
    // The tests are run also without bundles.
    let tests = run_in_turn(commands.into(), counts);
    bundles.and(tests)
}

/// Refuses a plugin that exports more than hosts look for.
fn check_exports(plugin: &Path) -> Result<()> {
    let exports = Binary::read(plugin)?.exports;
    let found: Vec<&str> = exports.iter().map(String::as_str).collect();
    ensure!(found == WINDOWS_EXPORTS, "{} exports {found:?}", plugin.display());
    Ok(())
}

fn tests(workspace: &Workspace, cross: &Cross, words: &str) -> Command {
    let mut cargo = workspace.cargo(&format!("{TEST} {words}"));
    cross.prepare(&mut cargo);
    // No file of this user's is read or written.
    cargo.env("TACET_DATA_DIR", cross.dir.join("no files"));
    cargo.args(["--", "--nocapture"]);
    cargo.env("PROPTEST_CASES", PROPERTY_INPUTS).env("TACET_HOST_SEQUENCES", HOST_SEQUENCES);
    cargo
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lists_run_at_the_same_time_and_to_their_ends() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let pipe = pipe.display();
        // Each end of a pipe opens when the other one does.
        let reader = format!("timeout 20 cat {pipe}; echo 'test result: FAILED. 0 passed; 1 failed'; exit 1");
        let writer = format!(
            "timeout 20 sh -c \"echo 'test result: ok. 2 passed' > {pipe}\" && echo 'test result: ok. 3 passed'"
        );
        let mut counts = Counts::default();
        let lists = [vec![sh(&reader), sh("echo 'test result: ok. 40 passed'")], vec![sh(&writer)]];
        let error = run_side_by_side(lists, &mut counts).unwrap_err().to_string();
        assert!(error.contains("failed"), "{error}");
        assert_eq!(counts, Counts { passed: 45, failed: 1, ignored: 0 });
    }
}
