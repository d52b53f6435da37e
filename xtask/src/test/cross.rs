//! Other platforms on a Debian machine: the tests built for them and run by qemu's user mode and by wine. Emulators show
//! arithmetic and logic, not a real system's drivers, timing or file locks.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

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
/// Products on Linux: the plugin in the CLAP host with its states, faults and random calls, values against the
/// official runtime's, and the program on every format.
const ARM64_PRODUCTS: &str = "--package tacet --package tacet-cli --package tacet-realtime --package tacet-torch-pack --lib --bins \
    --test cli --test corpus --test faults --test host --test parity --test sequences --test states --test vst3";
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

const ARM64_PACKAGES: [&str; 2] = ["qemu-user", "gcc"];
/// Runs a program for arm64, with Debian's libraries for it; found without a `PATH`, too.
const QEMU: &str = "/usr/bin/qemu-aarch64 -L /usr/aarch64-linux-gnu";

const WINDOWS_PACKAGES: [&str; 4] = ["wine64", "wine", "xvfb", "xauth"];
/// Debian's wine without the part for 32-bit programs.
const WINE: &str = "/usr/lib/wine/wine64";
/// Functions that hosts look for in the plugin.
const WINDOWS_EXPORTS: [&str; 4] = ["ExitDll", "GetPluginFactory", "InitDll", "clap_entry"];

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
    // All are run, also if the first fails.
    let results = [ENGINE, ARM64_PRODUCTS].map(|words| {
        let mut tests = tests(workspace, &cross, words);
        tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", QEMU);
        tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", EMULATED);
        tests.env("TACET_EMULATOR", QEMU);
        tests.env("TACET_COUNT_WITH", format!("{QEMU} -plugin {}", counter.display()));
        tests.env("TACET_REQUIRE_VALGRIND", "1").env("TACET_CORPUS", workspace.target.join("corpus"));
        run_tests(&mut tests, counts)
    });
    results.into_iter().collect()
}

/// Keeps the graphics library of the panel's snapshots out of the build: `Cargo.toml` asks for it.
const EMULATED: &str = "--cfg emulated";

/// Runs the tests as Windows programs, makes the bundles, installs and removes them.
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
    // As users get them, before the tests' build replaces the library.
    let options = bundle::Options { target: Some(WINDOWS.into()), ..bundle::Options::default() };
    let bundles = bundle::build(workspace, &options).and_then(|bundles| {
        counts.passed += 1;
        check_exports(bundles.first().context("there is no bundle")?)
    });
    // All are run, also if the first fails.
    let results = [ENGINE, WINDOWS_PRODUCTS, INSTALL].map(|words| {
        let mut tests = tests(workspace, &cross, words);
        tests.envs(variables);
        tests.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", format!("xvfb-run -a {WINE}"));
        tests.env("TACET_BUNDLES", bundle::directory(workspace, Some(WINDOWS)));
        if words == INSTALL {
            // The rest of this program's tests are about the machine that builds.
            tests.arg("install::");
        }
        run_tests(&mut tests, counts)
    });
    std::iter::once(bundles).chain(results).collect()
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
