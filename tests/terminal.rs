//! `tacet-live` and Windows' terminals: no console of its own, its text where it was started from.
#![cfg(windows)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "support/executable.rs"]
mod executable;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tacet-live");

#[test]
fn it_opens_no_console_and_is_sharp_on_every_screen() {
    assert_eq!(executable::read(Path::new(PROGRAM)), (executable::WINDOWS_SUBSYSTEM, [true; 3]));
}

#[test]
fn its_text_and_its_errors_arrive_where_it_was_started() {
    let help = Command::new(PROGRAM).arg("--help").output().expect("run tacet-live");
    assert!(String::from_utf8_lossy(&help.stdout).contains("--headless"));
    let wrong = Command::new(PROGRAM).arg("--wrong").output().expect("run tacet-live");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--wrong"));
}

#[test]
fn it_begins_without_complaints_and_says_how_it_does() {
    let data = tempfile::tempdir().expect("a folder");
    let mut live = Command::new(PROGRAM)
        .args(["--headless", "--backend", "dummy", "--latency", "lowest"])
        .env("TACET_DATA_DIR", data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run tacet-live");
    let mut lines = BufReader::new(live.stdout.take().expect("piped")).lines();
    let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("latency")));
    let _ = live.kill();
    let _ = live.wait();
    let mut said = String::new();
    let mut errors = live.stderr.take().expect("piped");
    errors.read_to_string(&mut said).expect("text");
    let line = line.unwrap_or_else(|| panic!("no status line; {said}")).expect("text");
    assert!(line.contains("latency 40.0"), "{line}");
    assert!(!said.to_lowercase().contains("signal"), "{said}");
}
