//! Random sequences of what a host may do to the built plugin: whatever the order, nothing panics, aborts or hangs, and
//! nothing but numbers comes out.
//!
//! Sequences are numbered; a number always gives the same calls. They run in as many processes as there are cores, so
//! that a sequence that kills its process is named. Hours by hand:
//!
//!     TACET_HOST_SEQUENCES=20000000 cargo test --release --test sequences -- --nocapture
//!
//! and `TACET_HOST_SEQUENCES=4711..4712` runs one in this process.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use tacet_clap_host::{PluginFile, library_under_test};

mod calls;
#[path = "../support/emulator.rs"]
mod emulator;

use calls::Session;

/// How many, or which where it is a range; the default takes a minute or two.
const VARIABLE: &str = "TACET_HOST_SEQUENCES";
const N_SEQUENCES: u64 = 30_000;
/// Names the file in which a child process notes the sequence that it runs.
const NOTE_VARIABLE: &str = "TACET_HOST_SEQUENCE_NOTE";

#[test]
fn random_call_sequences_do_no_harm() {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    if let Some(range) = range(&wanted) {
        return run(range, std::env::var_os(NOTE_VARIABLE).as_deref().map(Path::new));
    }
    let n =
        if wanted.is_empty() { N_SEQUENCES } else { wanted.parse().expect("a number, or a range as 5..7") };
    let n_processes = std::thread::available_parallelism().map_or(1, |n| n.get() as u64).min(n.max(1));
    let began = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<(Child, PathBuf, Range<u64>)> = (0..n_processes)
        .map(|i| {
            let range = n * i / n_processes..n * (i + 1) / n_processes;
            let note = dir.path().join(i.to_string());
            let child = emulator::command(std::env::current_exe().unwrap())
                .args(["--exact", "random_call_sequences_do_no_harm", "--nocapture"])
                .env(VARIABLE, format!("{}..{}", range.start, range.end))
                .env(NOTE_VARIABLE, &note)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            (child, note, range)
        })
        .collect();
    let mut failed = Vec::new();
    for (mut child, note, range) in children {
        let status = child.wait().unwrap();
        if !status.success() {
            let at = fs::read_to_string(note).unwrap_or_default();
            failed.push(format!("{status} at sequence {at} of {range:?}"));
        }
    }
    assert!(failed.is_empty(), "repeat with {VARIABLE}=N..N+1: {}", failed.join("; "));
    eprintln!("{n} sequences in {:.0} s", began.elapsed().as_secs_f64());
}

/// A range as it is written in Rust.
fn range(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once("..")?;
    Some(start.parse().ok()?..end.parse().ok()?)
}

fn run(range: Range<u64>, note: Option<&Path>) {
    let file = PluginFile::load(&library_under_test()).unwrap();
    let mut session = Session::new(&file);
    for number in range {
        if let Some(note) = note {
            fs::write(note, number.to_string()).unwrap();
        }
        if let Err(error) = session.run(number) {
            panic!("sequence {number}: {error:#}\n{}", session.log().join("\n"));
        }
    }
}
