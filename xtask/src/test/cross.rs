//! Other platforms on a Debian machine: the tests of engine and model, on Windows also of plugin and programs, built for
//! them and run by qemu's user mode and by wine. Emulators show arithmetic and logic, not a real system's drivers, timing
//! or file locks.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Counts, run_tests};
use crate::cross::{self, ARM64, Cross, WINDOWS};
use crate::setup::prerequisites;
use crate::shell;
use crate::workspace::Workspace;

/// The tests: the network's files and the engine, with its instructions and the bits of its output.
const TESTS: [&str; 8] = [
    "test",
    "--locked",
    "--release",
    "--no-fail-fast",
    "--package=tacet-model",
    "--package=tacet-core",
    // Not what documentation shows: a compiler that `RUSTC` names has no rustdoc beside it.
    "--lib",
    "--tests",
];
/// The tests of what users run on Windows: the plugin in the CLAP host with its states, faults and random calls, the
/// programs, the real-time library.
const WINDOWS_TESTS: [&str; 15] = [
    "test",
    "--locked",
    "--release",
    "--no-fail-fast",
    "--package=tacet",
    "--package=tacet-cli",
    "--package=tacet-realtime",
    "--package=tacet-standalone",
    "--lib",
    "--bins",
    "--test=cli",
    "--test=faults",
    "--test=host",
    "--test=sequences",
    "--test=states",
];
/// Random sequences of host calls.
const HOST_SEQUENCES: &str = "200";
/// Inputs of each property: an emulator is some twenty times as slow.
const PROPERTY_INPUTS: &str = "8";

const ARM64_PACKAGES: [&str; 2] = ["qemu-user", "gcc"];
/// Runs a program for arm64, with Debian's libraries for it.
const QEMU: &str = "qemu-aarch64 -L /usr/aarch64-linux-gnu";

const WINDOWS_PACKAGES: [&str; 4] = ["wine64", "wine", "xvfb", "xauth"];
/// Debian's wine without the part for 32-bit programs.
const WINE: &str = "/usr/lib/wine/wine64";

/// Runs the tests as arm64 programs and counts NEON's instructions.
///
/// # Errors
/// Something cannot be installed or built, or a test fails.
pub fn arm64(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    prerequisites::provide_packages(&ARM64_PACKAGES)?;
    let cross = cross::provide(workspace, ARM64)?;
    let counter = cross.dir.join("qemu_count.so");
    let mut compile = Command::new("gcc");
    compile.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&counter);
    shell::run(compile.arg(workspace.root.join("xtask/src/test/qemu_count.c")))?;
    let mut tests = tests(workspace, &cross, &TESTS);
    tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", QEMU);
    tests.env("TACET_COUNT_WITH", format!("{QEMU} -plugin {}", counter.display()));
    tests.env("TACET_REQUIRE_VALGRIND", "1");
    run_tests(&mut tests, counts)
}

/// Runs the tests as Windows programs.
///
/// # Errors
/// As [`arm64`].
pub fn windows(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    prerequisites::provide_packages(&WINDOWS_PACKAGES)?;
    let cross = cross::provide(workspace, WINDOWS)?;
    let prefix = cross.dir.join("wine");
    let variables =
        [("WINEPREFIX", prefix.as_os_str()), ("WINEDEBUG", "-all".as_ref()), ("WINEARCH", "win64".as_ref())];
    let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
    if !library.is_file() {
        let mut boot = Command::new("xvfb-run");
        // It complains about what is not installed, and succeeds.
        shell::run_quietly(
            "Making a wine prefix",
            boot.args(["-a", WINE, "wineboot", "-i"]).envs(variables),
        )?;
        ensure!(library.parent().is_some_and(Path::is_dir), "wine made no prefix in {}", prefix.display());
        let mut compile = Command::new("x86_64-w64-mingw32-gcc");
        compile.args(["-O2", "-shared", "-s", "-o"]).arg(&library);
        compile.arg(workspace.root.join("xtask/src/test/bcryptprimitives.c"));
        shell::run(compile.arg("-ladvapi32"))?;
    }
    // Both are run, also if the first fails.
    let results = [&TESTS[..], &WINDOWS_TESTS].map(|words| {
        let mut tests = tests(workspace, &cross, words);
        tests.envs(variables).env("TACET_HOST_SEQUENCES", HOST_SEQUENCES);
        tests.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", format!("xvfb-run -a {WINE}"));
        run_tests(&mut tests, counts)
    });
    results.into_iter().collect()
}

fn tests(workspace: &Workspace, cross: &Cross, words: &[&str]) -> Command {
    let mut cargo = shell::cargo();
    cargo.args(words).current_dir(&workspace.root);
    cross.prepare(&mut cargo);
    cargo.args(["--", "--nocapture"]).env("PROPTEST_CASES", PROPERTY_INPUTS);
    cargo
}
