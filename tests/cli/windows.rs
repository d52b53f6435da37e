//! Peculiarities of Windows: a manifest, device names, paths with a prefix.

use std::path::Path;

use console::Console;

use crate::streams::begin;
use crate::support::*;

#[path = "../support/console.rs"]
mod console;
#[path = "../support/executable.rs"]
mod executable;

#[test]
fn it_keeps_to_its_console_and_reads_every_name() {
    let program = Path::new(env!("CARGO_BIN_EXE_tacet"));
    assert_eq!(executable::read(program), (executable::CONSOLE_SUBSYSTEM, [true; 3]));
}

#[test]
fn nul_swallows_everything() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, float_spec(48_000, 1), &[babble(48_000, 1)]);
    denoise_file(&input, Path::new("NUL"), &[]);
    assert_eq!(folder.names(), ["in.wav"]);
    assert!(!Path::new("NUL").is_file());
}

#[test]
fn paths_are_said_as_they_were_typed() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, float_spec(48_000, 1), &[babble(48_000, 1)]);
    for output in [folder.path("out.wav"), input.clone(), folder.path("")] {
        let result = denoise(&[input.as_os_str(), "-o".as_ref(), output.as_os_str()]);
        let said = stderr(&result) + &String::from_utf8_lossy(&result.stdout);
        assert!(!said.contains(r"\\?\"), "{said}");
    }
}

/// Ctrl-C while a file is half written: no trace of it, an older output untouched.
#[test]
fn ctrl_c_leaves_nothing() {
    console::run_in(Console::Own, "windows::ctrl_c_leaves_nothing", || {
        let folder = Folder::new();
        let output = folder.path("out.wav");
        std::fs::write(&output, "an older output").expect("an older output");
        let mut child = begin(&folder, &output);
        console::interrupt();
        assert_eq!(console::end_of(&mut child).code(), Some(130));
        assert_eq!(folder.names(), ["out.wav"]);
        assert_eq!(std::fs::read(&output).expect("still there"), b"an older output");
    });
}

/// The counterpart of `tacet-live`, which must get none: `tests/terminal.rs`.
#[test]
fn started_without_a_console_it_gets_one() {
    console::run_in(Console::None, "windows::started_without_a_console_it_gets_one", || {
        let folder = Folder::new();
        let output = folder.path("out.wav");
        std::fs::write(&output, "an older output").expect("an older output");
        let mut child = begin(&folder, &output);
        let has_console = console::has_console(&child);
        let _ = child.kill();
        console::end_of(&mut child);
        assert!(has_console);
    });
}
