//! `tacet-live` and Windows' terminals: no console of its own, its text where it was started from.
#![cfg(windows)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use console::Console;

#[path = "support/console.rs"]
mod console;
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

/// Starts the program without a window and waits for its first status line.
fn start(data: &Path) -> (Child, String) {
    let mut live = Command::new(PROGRAM)
        .args(["--headless", "--backend", "dummy", "--latency", "lowest"])
        .env("TACET_DATA_DIR", data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run tacet-live");
    let mut lines = BufReader::new(live.stdout.take().expect("piped")).lines();
    let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("latency")));
    let Some(line) = line else {
        let _ = live.kill();
        panic!("no status line; {}", errors(&mut live));
    };
    // It goes on writing.
    std::thread::spawn(move || lines.for_each(drop));
    (live, line.expect("text"))
}

/// Errors of a program that has ended.
fn errors(live: &mut Child) -> String {
    let _ = live.wait();
    let mut said = String::new();
    live.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    said
}

#[test]
fn it_begins_without_complaints_and_says_how_it_does() {
    let data = tempfile::tempdir().expect("a folder");
    let (mut live, line) = start(data.path());
    let _ = live.kill();
    let said = errors(&mut live);
    assert!(line.contains("latency 40.0"), "{line}");
    assert!(!said.to_lowercase().contains("signal"), "{said}");
}

#[test]
fn ctrl_c_ends_it() {
    console::run_in(Console::Own, "ctrl_c_ends_it", || {
        let data = tempfile::tempdir().expect("a folder");
        let (mut live, _) = start(data.path());
        console::interrupt();
        assert_eq!(console::end_of(&mut live).code(), Some(0), "{}", errors(&mut live));
    });
}

/// As the desktop starts it, which has no console to join.
#[test]
fn a_double_click_opens_no_console() {
    console::run_in(Console::None, "a_double_click_opens_no_console", || {
        let data = tempfile::tempdir().expect("a folder");
        let (mut live, _) = start(data.path());
        let has_console = console::has_console(&live);
        let _ = live.kill();
        assert!(!has_console, "{}", errors(&mut live));
    });
}
