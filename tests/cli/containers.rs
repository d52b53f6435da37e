//! Containers: what stands behind their samples, and several sounds in one.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::outputs::{run, text};
use crate::support::*;

/// Chunks behind the samples of AIFF, Wave64 and CAF are read like those in front of them, from a file and from a pipe.
#[test]
fn chunks_behind_the_samples_are_read() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in"), folder.path("out.wav"));
    let sound = [1_u8, 2].repeat(4_800);
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let padding = vec![0; content.len() % 2];
        [&name[..], &(content.len() as u32).to_be_bytes(), content, &padding].concat()
    };
    let rate = [0x40, 0x0e, 0xbb, 0x80, 0, 0, 0, 0, 0, 0];
    let aiff = [
        b"FORM\0\0\0\0AIFF".to_vec(),
        chunk(b"COMM", &[&[0, 1, 0, 0, 0x12, 0xc0, 0, 16][..], &rate].concat()),
        chunk(b"NAME", b"Talk"),
        chunk(b"SSND", &[&[0; 8][..], &sound].concat()),
        chunk(b"AUTH", b"Someone"),
        chunk(b"ID3 ", b"ID3\x03\0\0\0\0\0\0"),
        chunk(b"MARK", &[0, 0]),
    ]
    .concat();
    // GUIDs of Wave64 end alike.
    let guid = |name: &[u8; 4]| {
        [&name[..], &[0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a]].concat()
    };
    let long = |name: &[u8; 4], content: &[u8]| {
        let len = content.len() as u64 + 24;
        let padding = vec![0; (len.next_multiple_of(8) - len) as usize];
        [guid(name), len.to_le_bytes().to_vec(), content.to_vec(), padding].concat()
    };
    let fmt = [1, 0, 1, 0, 0x80, 0xbb, 0, 0, 0, 0x77, 1, 0, 2, 0, 16, 0];
    let wave64 = [
        [&b"riff"[..], &[0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 4, 0xc1, 0, 0], &[0; 8]].concat(),
        guid(b"wave"),
        long(b"fmt ", &fmt),
        long(b"data", &sound),
        long(b"bext", b"recorder"),
    ]
    .concat();
    let described =
        |name: &[u8; 4], content: &[u8]| [&name[..], &(content.len() as u64).to_be_bytes(), content].concat();
    // Flags, bytes and frames of a packet, channels, bits.
    let shape = [0_u32, 2, 1, 1, 16].map(u32::to_be_bytes).concat();
    let desc = [&48_000_f64.to_be_bytes()[..], b"lpcm", &shape].concat();
    let caf = [
        b"caff\0\x01\0\0".to_vec(),
        described(b"desc", &desc),
        described(b"data", &[&[0; 4][..], &sound].concat()),
        described(b"info", &[0; 4]),
    ]
    .concat();
    type Case<'a> = (&'a [u8], &'a [&'a [u8]], &'a str);
    let kept: [Case<'_>; 3] = [
        (&aiff, &[b"INAM\x05\0\0\0Talk\0", b"IART\x08\0\0\0Someone\0", b"id3 \x0a\0\0\0ID3"], "MARK chunk"),
        (&wave64, &[b"bext\x08\0\0\0recorder"], ""),
        (&caf, &[], "info chunk"),
    ];
    for (bytes, chunks, lost) in kept {
        fs::write(&input, bytes).unwrap();
        for is_pipe in [false, true] {
            let result = if is_pipe {
                let mut command = tacet();
                command.args(["denoise", "-", "-o", text(&output)]).stdin(Stdio::piped());
                let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
                child.stdin.take().unwrap().write_all(bytes).unwrap();
                child.wait_with_output().unwrap()
            } else {
                denoise(&[text(&input), "-o", text(&output)])
            };
            let words = stderr(&result);
            assert_eq!(result.status.code(), Some(0), "{words}");
            assert!(words.contains(lost) && words.contains("not kept") != lost.is_empty(), "{words}");
            assert_eq!(read_wav(&output).1[0].len(), 4_800);
            let written = fs::read(&output).unwrap();
            for chunk in chunks {
                let n = written.windows(chunk.len()).filter(|window| window == chunk).count();
                assert_eq!(n, 1, "{} (pipe: {is_pipe})", chunk.escape_ascii());
            }
        }
    }
}

/// Several sounds at once in one Ogg are tracks, too; what holds one sound has no second.
#[test]
fn tracks_of_containers_without_a_list() {
    let folder = Folder::new();
    let (mono, stereo, output) = (folder.path("1.wav"), folder.path("2.wav"), folder.path("out.wav"));
    write_wav(&mono, spec(48_000, 1, 16), &[babble(9_600, 1)]);
    write_wav(&stereo, spec(48_000, 2, 16), &[babble(9_600, 2), babble(9_600, 3)]);
    let read = |input: &Path, more: &[&str]| {
        let result = denoise(&[&[text(input), "-o", text(&output)], &OFF[..], more].concat());
        (result.status.code(), stderr(&result))
    };
    assert_eq!(read(&mono, &["--track", "1"]).0, Some(0));
    for track in ["2", "eng"] {
        let (code, words) = read(&mono, &["--track", track]);
        let expected = format!("has no audio track {track}; it has 1");
        assert!(code == Some(1) && words.contains(&expected), "{words}");
    }
    let ogg = folder.path("a.ogg");
    let made = ["-y", "-i", text(&mono), "-i", text(&stereo), "-map", "0:a", "-map", "1:a", "-c:a", "flac"];
    if run("ffmpeg", &[&made[..], &[text(&ogg)]].concat()).is_none() {
        return;
    }
    let (code, words) = read(&ogg, &[]);
    assert!(code == Some(0) && words.contains("holds 2 audio tracks (1, 2): track 1 was read"), "{words}");
    for (track, n_channels) in [("1", 1), ("2", 2)] {
        let (code, words) = read(&ogg, &["--track", track]);
        assert!(code == Some(0) && !words.contains("audio tracks"), "{words}");
        assert_eq!(read_wav(&output).1.len(), n_channels, "track {track}");
    }
    let (code, words) = read(&ogg, &["--track", "3"]);
    assert!(code == Some(1) && words.contains("has no audio track 3; it has 1, 2"), "{words}");
}
