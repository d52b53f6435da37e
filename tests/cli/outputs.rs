//! Outputs: FLAC, what is said of a recording beside its sound, mixes, presets, folders, and videos put back together.
//! ffmpeg judges what it can; where it is not installed the tests say so and pass, unless `TACET_REQUIRE_FFMPEG` is set.

use std::path::Path;
use std::process::Command;

use crate::support::*;

/// Runs ffmpeg or ffprobe; what it printed. `None` where it is not installed.
pub fn run(tool: &str, args: &[&str]) -> Option<String> {
    match Command::new(tool).args(["-v", "error"]).args(args).output() {
        Ok(output) => {
            assert!(output.status.success(), "{tool} {args:?}: {}", stderr(&output));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(error) => {
            assert!(std::env::var_os("TACET_REQUIRE_FFMPEG").is_none(), "{tool}: {error}");
            println!("skipped: {tool} is not installed");
            None
        }
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The tags of a file as ffprobe reads them, one `name=value` per line, names in lower case.
fn tags(path: &Path) -> Option<Vec<String>> {
    let printed = run("ffprobe", &["-show_entries", "format_tags", "-of", "default=nw=1:nk=0", text(path)])?;
    let tag = |line: &str| {
        let (name, value) = line.strip_prefix("TAG:")?.split_once('=')?;
        Some(format!("{}={value}", name.to_lowercase()))
    };
    Some(printed.lines().filter_map(tag).collect())
}

#[test]
fn a_flac_holds_the_samples_of_the_wav() {
    let folder = Folder::new();
    for (bits, n_channels) in [(16, 1), (16, 2), (24, 2), (24, 6)] {
        let input = folder.path("in.wav");
        let signal: Vec<Vec<f32>> = (0..n_channels).map(|seed| babble(30_001, seed.into())).collect();
        write_wav(&input, spec(44_100, n_channels, bits), &signal);
        let (wav, flac, again) = (folder.path("out.wav"), folder.path("out.flac"), folder.path("again.wav"));
        denoise_file(&input, &wav, &[]);
        denoise_file(&input, &flac, &[]);
        let (format, read) = tacet_cli::decode::decode_all(&flac).unwrap();
        assert_eq!((format.rate_hz, format.n_samples), (44_100, Some(30_001)));
        assert_eq!(read, read_wav(&wav).1, "{bits} bits, {n_channels} channels");
        let codec = if bits == 16 { "pcm_s16le" } else { "pcm_s24le" };
        if run("ffmpeg", &["-y", "-i", text(&flac), "-c:a", codec, text(&again)]).is_some() {
            assert_eq!(read_wav(&again).1, read_wav(&wav).1, "{bits} bits, {n_channels} channels");
        }
    }
    // Asked for by name, also into a pipe.
    let result =
        tacet().args(["denoise", "--format", "flac", "-o", "-"]).arg(folder.path("in.wav")).output().unwrap();
    assert!(result.status.success() && result.stdout.starts_with(b"fLaC"), "{}", stderr(&result));
    assert_eq!(result.stdout, std::fs::read(folder.path("out.flac")).unwrap());
    let result = denoise(&["in.wav", "-o", "out.flac", "--float"]);
    assert_eq!(result.status.code(), Some(2));
}

/// A field recorder's file: bext with its time reference, iXML, LIST INFO in front, cue points behind.
fn field_recording(path: &Path) -> [Vec<u8>; 4] {
    write_wav(path, spec(48_000, 1, 16), &[babble(4_800, 1)]);
    let mut bytes = std::fs::read(path).unwrap();
    let mut bext = vec![0; 610];
    bext[..6].copy_from_slice(b"Take 7");
    bext[338..346].copy_from_slice(&172_800_000_u64.to_le_bytes());
    bext[602..].copy_from_slice(b"A=PCM\r\n\0");
    let before = [
        [b"bext", &610_u32.to_le_bytes()[..], &bext].concat(),
        b"iXML\x0c\0\0\0<BWFXML/>   ".to_vec(),
        b"LIST\x12\0\0\0INFOINAM\x05\0\0\0Talk\0\0".to_vec(),
    ];
    let behind = b"cue \x1c\0\0\0\x01\0\0\0\x07\0\0\0\0\x04\0\0data\0\0\0\0\0\0\0\0\0\x04\0\0".to_vec();
    bytes.splice(12..12, before.concat());
    bytes.extend(&behind);
    let n_riff = bytes.len() as u32 - 8;
    bytes[4..8].copy_from_slice(&n_riff.to_le_bytes());
    std::fs::write(path, &bytes).unwrap();
    let [bext, ixml, list] = before;
    [bext, ixml, list, behind]
}

#[test]
fn chunks_of_a_recorder_are_kept() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    let chunks = field_recording(&input);
    denoise_file(&input, &output, &OFF);
    let written = std::fs::read(&output).unwrap();
    for chunk in chunks {
        assert_eq!(written.windows(chunk.len()).filter(|window| *window == chunk).count(), 1);
    }
    assert_eq!(written[4..8], (written.len() as u32 - 8).to_le_bytes());
    assert_eq!(read_wav(&output).1[0].len(), 4_800);
    if let Some(tags) = tags(&output) {
        for tag in ["time_reference=172800000", "title=Talk", "comment=Take 7"] {
            assert!(tags.iter().any(|found| found == tag), "{tag}: {tags:?}");
        }
    }
    // Through pipes on both sides: what stands in front of the samples.
    let result = tacet().args(["denoise", "-"]).stdin(std::fs::File::open(&input).unwrap()).output().unwrap();
    assert!(result.stdout.windows(8).any(|window| window == 172_800_000_u64.to_le_bytes()));
}

#[test]
fn tags_without_a_place_in_flac_are_reported() {
    let folder = Folder::new();
    let (input, output, json) = (folder.path("in.wav"), folder.path("out.flac"), folder.path("report.json"));
    field_recording(&input);
    let result =
        tacet().arg("denoise").arg(&input).arg("-o").arg(&output).arg("--json").arg(&json).output().unwrap();
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
    let report = std::fs::read_to_string(&json).unwrap();
    for words in [&stderr(&result), &report] {
        assert!(words.contains("not kept in the output: iXML chunk, cue chunk"), "{words}");
    }
    if let Some(tags) = tags(&output) {
        for tag in ["time_reference=172800000", "title=Talk", "comment=Take 7", "coding_history=A=PCM"] {
            assert!(tags.iter().any(|found| found == tag), "{tag}: {tags:?}");
        }
    }
}

#[test]
fn tags_go_over_to_what_the_output_has_for_them() {
    let folder = Folder::new();
    let wav = folder.path("in.wav");
    write_wav(&wav, spec(44_100, 1, 16), &[babble(44_100, 1)]);
    let meta = ["-metadata", "title=Interview", "-metadata", "artist=Ada", "-metadata", "date=2024"];
    for name in ["a.mp3", "a.flac", "a.ogg", "a.m4a"] {
        let input = folder.path(name);
        let made = [&["-y", "-i", text(&wav)][..], &meta, &[text(&input)]].concat();
        if run("ffmpeg", &made).is_none() {
            return;
        }
        for output in ["out.wav", "out.flac"] {
            let output = folder.path(output);
            denoise_file(&input, &output, &OFF);
            let tags = tags(&output).unwrap();
            for tag in ["title=Interview", "artist=Ada", "date=2024"] {
                assert!(tags.iter().any(|found| found == tag), "{name}: {tag}: {tags:?}");
            }
        }
    }
}

#[test]
fn a_mix_and_what_is_removed_add_up_to_the_input() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    write_wav(&input, float_spec(44_100, 2), &[babble(50_001, 1), babble(50_001, 2)]);
    let with = |options: &[&str]| {
        denoise_file(&input, &output, options);
        read_wav(&output).1
    };
    let (denoised, removed) = (with(&[]), with(&["--removed"]));
    let (half, none) = (with(&["--mix", "50"]), with(&["--mix", "0"]));
    let input = read_wav(&input).1;
    assert_eq!(none, input);
    assert!(max_difference(&denoised[0], &input[0]) > 0.01, "nothing was removed");
    for channel in 0..2 {
        let sum: Vec<f32> = denoised[channel].iter().zip(&removed[channel]).map(|(a, b)| a + b).collect();
        assert!(max_difference(&sum, &input[channel]) < 1e-6);
        let mean: Vec<f32> =
            denoised[channel].iter().zip(&input[channel]).map(|(a, b)| 0.5 * a + 0.5 * b).collect();
        assert!(max_difference(&mean, &half[channel]) < 1e-6);
    }
}

#[test]
fn a_preset_is_its_options() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    write_wav(&input, spec(48_000, 1, 16), &[babble(30_000, 1)]);
    let with = |options: &[&str]| {
        denoise_file(&input, &output, options);
        std::fs::read(&output).unwrap()
    };
    let gentle = with(&["--preset", "voice-over-gentle"]);
    assert_eq!(gentle, with(&["--attenuation-limit", "18"]));
    assert_ne!(gentle, with(&[]));
    assert_eq!(with(&["--preset", "Podcast", "--attenuation-limit", "100"]), with(&[]));
}

#[test]
fn a_folder_is_mirrored_and_one_files_name_costs_no_other() {
    let folder = Folder::new();
    let tree = folder.path("tree");
    for name in ["a.wav", "deep/er/b.wav", "same/c.wav", "notes.txt"] {
        let path = tree.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_wav(&path, spec(16_000, 1, 16), &[babble(1_600, 1)]);
    }
    let out = folder.path("out");
    let line = |inputs: &[&Path], out: &Path| {
        let result =
            tacet().arg("denoise").arg("-r").args(inputs).arg("--out-dir").arg(out).output().unwrap();
        (result.status.code(), stderr(&result))
    };
    assert_eq!(line(&[&tree], &out).0, Some(0));
    for name in ["a.wav", "deep/er/b.wav", "same/c.wav"] {
        assert_eq!(read_wav(&out.join(name)).1[0].len(), 1_600, "{name}");
    }
    assert!(!out.join("notes.wav").exists());
    let other = folder.path("c.wav");
    write_wav(&other, spec(16_000, 1, 16), &[babble(1_600, 1)]);
    let (a, c, out) = (tree.join("a.wav"), tree.join("same/c.wav"), folder.path("flat"));
    let (code, words) = line(&[&a, &c, &other], &out);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("rename one") && words.contains("as would"), "{words}");
    assert!(out.join("a.wav").exists() && !out.join("c.wav").exists());
}

/// The sound of a video, denoised and put back, is where it was: also where it starts after the picture.
#[test]
fn a_video_put_back_together_is_in_sync() {
    let folder = Folder::new();
    let sound = folder.path("sound.wav");
    write_wav(&sound, spec(48_000, 1, 16), &[babble(96_000, 3)]);
    for (name, offset, codec) in [
        ("a.mp4", "0.68", "aac"),
        ("b.mkv", "0.68", "libopus"),
        ("c.mov", "0", "pcm_s16le"),
        ("d.mkv", "0", "aac"),
    ] {
        let (video, denoised, joined) =
            (folder.path(name), folder.path("denoised.wav"), folder.path("joined.mkv"));
        let made = [
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=64x64:rate=25:duration=3",
            "-itsoffset",
            offset,
            "-i",
            text(&sound),
            "-c:v",
            "mpeg4",
            "-c:a",
            codec,
            "-strict",
            "-2",
            text(&video),
        ];
        if run("ffmpeg", &made).is_none() {
            return;
        }
        denoise_file(&video, &denoised, &OFF);
        let join = [
            "-y",
            "-i",
            text(&video),
            "-i",
            text(&denoised),
            "-map",
            "0:v",
            "-map",
            "1:a",
            "-c:v",
            "copy",
            "-c:a",
            "flac",
            text(&joined),
        ];
        run("ffmpeg", &join).unwrap();
        // As a player has it: silence up to the sound's first moment.
        let heard = |video: &Path| {
            let wav = folder.path("heard.wav");
            run(
                "ffmpeg",
                &[
                    "-y",
                    "-i",
                    text(video),
                    "-vn",
                    "-af",
                    "aresample=async=1:first_pts=0",
                    "-ac",
                    "1",
                    text(&wav),
                ],
            )
            .unwrap();
            read_wav(&wav).1.remove(0)
        };
        let (before, after) = (heard(&video), heard(&joined));
        let middle = 50_000..80_000;
        let lag = lag(&before[middle.clone()], &after[middle], 1_500);
        assert!(lag.abs() <= 48, "{name}: {lag} samples late");
    }
}

/// Files that Tacet refuses are read through ffmpeg only on request.
#[test]
fn ffmpeg_reads_the_rest_if_asked() {
    let folder = Folder::new();
    let (wav, input, output) = (folder.path("in.wav"), folder.path("in.wma"), folder.path("out.wav"));
    write_wav(&wav, spec(44_100, 2, 16), &[babble(88_200, 1), babble(88_200, 2)]);
    if run("ffmpeg", &["-y", "-i", text(&wav), "-c:a", "wmav2", text(&input)]).is_none() {
        return;
    }
    let result = denoise(&[text(&input), "-o", text(&output)]);
    assert_eq!(result.status.code(), Some(1));
    let words = stderr(&result);
    assert!(
        words.contains("Windows Media") && words.contains("ffmpeg -i") && words.contains("--ffmpeg"),
        "{words}"
    );
    assert!(!output.exists());
    let result = denoise(&[text(&input), "-o", text(&output), "--ffmpeg", OFF[0], OFF[1]]);
    assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
    assert!(stderr(&result).contains("was read by ffmpeg"));
    let (found, channels) = read_wav(&output);
    assert_eq!((found.sample_rate, found.channels, found.bits_per_sample), (44_100, 2, 24));
    assert!(channels[0].len().abs_diff(88_200) < 4_096, "{}", channels[0].len());
    // And what it cannot read is an error in its words.
    std::fs::write(&input, "no sound at all").unwrap();
    let result = denoise(&[text(&input), "-o", text(&output), "--ffmpeg"]);
    assert_eq!(result.status.code(), Some(1));
    let words = stderr(&result);
    assert!(words.contains("ffmpeg does not read it either") && words.contains("ffmpeg -i "), "{words}");
}

/// Without ffmpeg, the command for a machine that has it.
#[test]
fn a_missing_ffmpeg_is_named_with_the_command() {
    // qemu starts a program that is missing and has it fail.
    if emulator::is_emulated() {
        return;
    }
    let folder = Folder::new();
    let input = folder.path("it's.avi");
    std::fs::write(&input, b"RIFF\0\0\0\0AVI LIST").unwrap();
    let result = tacet().env("PATH", "").args(["denoise", "--ffmpeg", text(&input)]).output().unwrap();
    assert_eq!(result.status.code(), Some(1));
    let words = stderr(&result);
    assert!(
        words.contains("AVI video") && words.contains("ffmpeg -i ") && words.contains(".flac"),
        "{words}"
    );
    assert!(words.contains("not installed here: install it"), "{words}");
}

/// Of several tracks the file's default is read and named, any other on request.
#[test]
fn the_track_that_is_asked_for_is_read() {
    let folder = Folder::new();
    let (mono, stereo, output) = (folder.path("1.wav"), folder.path("2.wav"), folder.path("out.wav"));
    write_wav(&mono, spec(48_000, 1, 16), &[babble(9_600, 1)]);
    write_wav(&stereo, spec(48_000, 2, 16), &[babble(9_600, 2), babble(9_600, 3)]);
    // The second is the default of the first file and the only one enabled; both are of the second file.
    for (name, codec, first, default) in
        [("a.m4a", "aac", "0", 2), ("b.mkv", "pcm_s16le", "0", 2), ("c.mkv", "pcm_s16le", "default", 1)]
    {
        let video = folder.path(name);
        let tracks = ["-map", "0:a", "-map", "1:a", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1"];
        let flags = ["language=deu", "-disposition:a:0", first, "-disposition:a:1", "default"];
        let made =
            [&["-y", "-i", text(&mono), "-i", text(&stereo)][..], &tracks, &flags, &["-c:a", codec]].concat();
        if run("ffmpeg", &[&made[..], &[text(&video)]].concat()).is_none() {
            return;
        }
        let read = |more: &[&str]| {
            let result = denoise(&[&[text(&video), "-o", text(&output)], &OFF[..], more].concat());
            (result.status.code(), stderr(&result))
        };
        let (code, words) = read(&[]);
        let expected = format!("holds 2 audio tracks (1 (eng), 2 (deu)): track {default} was read; --track");
        assert!(code == Some(0) && words.contains(&expected), "{name}: {words}");
        assert_eq!(read_wav(&output).1.len(), default, "{name}");
        for (track, n_channels) in [("1", 1), ("2", 2), ("eng", 1), ("de", 2), ("ger", 2)] {
            let (code, words) = read(&["--track", track]);
            assert!(code == Some(0) && !words.contains("audio tracks"), "{name}: {words}");
            assert_eq!(read_wav(&output).1.len(), n_channels, "{name}, track {track}");
        }
        for track in ["3", "fr"] {
            let (code, words) = read(&["--track", track]);
            let expected = format!("has no audio track {track}; it has 1 (eng), 2 (deu)");
            assert!(code == Some(1) && words.contains(&expected), "{name}: {words}");
        }
    }
}

/// A name that no file system takes is found before anything is read, and costs no other file.
#[test]
fn a_name_too_long_is_found_before_the_work() {
    let folder = Folder::new();
    let (long, short) = (folder.path(&format!("{}.wav", "a".repeat(251))), folder.path("b.wav"));
    // If it were read, that would be the error.
    std::fs::write(&long, "no sound").unwrap();
    write_wav(&short, spec(16_000, 1, 16), &[babble(1_600, 1)]);
    let result = denoise(&[text(&long), text(&short)]);
    let words = stderr(&result);
    assert_eq!(result.status.code(), Some(1), "{words}");
    assert!(words.contains("264 bytes, more than the 255") && words.contains("--out-dir"), "{words}");
    assert!(!words.contains("no audio") && folder.path("b-denoised.wav").exists(), "{words}");
}
