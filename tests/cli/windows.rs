//! Peculiarities of Windows: a manifest, device names, paths with a prefix.

use std::path::Path;

use crate::support::*;

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
