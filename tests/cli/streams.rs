//! Pipes, and runs that are interrupted.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;

/// Longest wait for the program before it counts as hanging.
const HANG: Duration = Duration::from_secs(30);

/// A file through the pipes is the file through the files, but for nothing: also the header, as the length is known.
#[test]
fn standard_input_and_output_give_the_same_bytes() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    write_wav(&input, spec(44_100, 2, 16), &[babble(20_001, 1), babble(20_001, 2)]);
    denoise_file(&input, &output, &[]);
    let stdin = fs::File::open(&input).unwrap();
    let piped = tacet().args(["denoise", "-"]).stdin(stdin).output().unwrap();
    assert_eq!(piped.status.code(), Some(0), "{}", stderr(&piped));
    assert!(piped.stdout == fs::read(&output).unwrap());
}

#[test]
fn a_file_that_is_standard_input_is_not_overwritten() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, spec(48_000, 1, 16), &[babble(4800, 1)]);
    let bytes = fs::read(&input).unwrap();
    for option in ["-o", "--json"] {
        let mut run = tacet();
        run.args(["denoise", "-", option]).arg(&input).stdin(fs::File::open(&input).unwrap());
        let result = run.output().unwrap();
        assert_eq!(result.status.code(), Some(2), "{option}: {}", stderr(&result));
        assert!(stderr(&result).contains("is the input standard input"), "{}", stderr(&result));
        assert!(fs::read(&input).unwrap() == bytes, "{option}");
    }
}

/// A named pipe is opened once, when it is read or written.
#[cfg(unix)]
#[test]
fn named_pipes_are_read_and_written() {
    let folder = Folder::new();
    let [input, output, from, to] = ["in.wav", "out.wav", "from.wav", "to.wav"].map(|name| folder.path(name));
    write_wav(&input, spec(48_000, 1, 16), &[babble(48_000, 1)]);
    denoise_file(&input, &output, &["--reference"]);
    for pipe in [&from, &to] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let bytes = fs::read(&input).unwrap();
    let writer = {
        let from = from.clone();
        std::thread::spawn(move || fs::write(from, bytes))
    };
    let copy = folder.path("copy.wav");
    denoise_file(&from, &copy, &["--reference"]);
    writer.join().unwrap().unwrap();
    // The header leaves room for lengths of 64 bits, as that of a pipe is a claim.
    let samples = |bytes: &[u8]| bytes[bytes.len() - 2 * 48_000..].to_vec();
    assert!(samples(&fs::read(&copy).unwrap()) == samples(&fs::read(&output).unwrap()));
    let reader = {
        let to = to.clone();
        std::thread::spawn(move || fs::read(to))
    };
    denoise_file(&input, &to, &["--reference"]);
    let read = reader.join().unwrap().unwrap();
    // Here the header states no length.
    assert!(samples(&read) == samples(&fs::read(&output).unwrap()));
}

/// The output of a run whose input and output are pipes.
fn through_pipes(bytes: Vec<u8>) -> Output {
    let mut child = tacet()
        .args(["denoise", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

/// A length that is too small for what follows would end the sound where the next program believes it: the header of a pipe
/// is passed on to none, and a file gets the right one at its end.
#[test]
fn a_wrong_length_is_not_handed_on() {
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    write_wav(&input, spec(48_000, 1, 16), &[babble(20_000, 1)]);
    let mut bytes = fs::read(&input).unwrap();
    bytes[40..44].copy_from_slice(&10_000_u32.to_le_bytes());
    fs::write(&input, &bytes).unwrap();
    let piped = through_pipes(bytes);
    assert!(stderr(&piped).contains("all of it was read"), "{}", stderr(&piped));
    assert_eq!((piped.stdout.len(), &piped.stdout[40..44]), (44 + 2 * 20_000, &[0xff; 4][..]));
    let whole = || fs::File::open(&input).unwrap();
    let from_file = tacet().args(["denoise", "-"]).stdin(whole()).output().unwrap();
    assert_eq!(from_file.stdout[40..44], 40_000_u32.to_le_bytes());
    for (is_new, n_bytes) in [(true, 44 + 2 * 20_000), (false, 100 + 44 + 2 * 20_000)] {
        fs::write(&output, if is_new { &b""[..] } else { &[7; 100] }).unwrap();
        let file = fs::File::options().append(!is_new).write(true).open(&output).unwrap();
        let result = tacet().args(["denoise", "-"]).stdin(whole()).stdout(file).output().unwrap();
        assert_eq!(result.status.code(), Some(0), "{}", stderr(&result));
        assert_eq!(fs::metadata(&output).unwrap().len(), n_bytes);
    }
}

/// ffmpeg and sox write 0xFFFFFFFF where they do not know the length; so do we, and all three can be chained.
#[test]
fn a_stream_of_unknown_length_is_read_and_written() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, spec(48_000, 1, 16), &[babble(20_000, 1)]);
    let mut bytes = fs::read(&input).unwrap();
    bytes[4..8].fill(0xff);
    bytes[40..44].fill(0xff);
    let piped = through_pipes(bytes);
    assert!(!stderr(&piped).contains("warning"), "{}", stderr(&piped));
    assert_eq!(piped.stdout.len(), 44 + 2 * 20_000);
    assert_eq!(piped.stdout[40..44], [0xff; 4]);
    // And once more, through our own header.
    fs::write(&input, &piped.stdout).unwrap();
    denoise_file(&input, &folder.path("again.wav"), &[]);
    assert_eq!(read_wav(&folder.path("again.wav")).1[0].len(), 20_000);
}

#[test]
fn every_codec_comes_through_a_pipe() {
    // The last has its index at its end.
    for name in
        ["sweep.flac", "sweep.mp3", "sweep.ogg", "opus.ogg", "voice.webm", "faststart.m4a", "sweep.m4a"]
    {
        let stdin = fs::File::open(data(name)).unwrap();
        let piped = tacet().args(["denoise", "-", "-o", "-"]).args(OFF).stdin(stdin).output().unwrap();
        assert_eq!(piped.status.code(), Some(0), "{name}: {}", stderr(&piped));
        // The same samples as by name; a pipe's header may not know their number.
        let output = Folder::new();
        denoise_file(&data(name), &output.path("out.wav"), &OFF);
        let by_name = fs::read(output.path("out.wav")).unwrap();
        let n_data = 2 * read_wav(&output.path("out.wav")).1[0].len();
        assert!(
            n_data >= 2 * 22_111 && by_name.ends_with(&piped.stdout[piped.stdout.len() - n_data..]),
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_an_error_not_a_crash() {
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, spec(48_000, 1, 16), &[babble(200_000, 1)]);
    let mut child = tacet()
        .arg("denoise")
        .arg(&input)
        .args(["-o", "-"])
        .args(OFF)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let result = child.wait_with_output().unwrap();
    assert_eq!(result.status.code(), Some(1));
    assert!(
        stderr(&result).contains("Broken pipe") && !stderr(&result).contains("panicked"),
        "{}",
        stderr(&result)
    );
}

/// Output of a live input follows while the input is silent: nothing waits for a chunk to fill. All but the delay of
/// the network and of the writer's buffer, 0.1 s together.
#[test]
fn a_live_input_is_handed_on_while_it_lasts() {
    use std::io::Read as _;
    const SPOKEN: usize = 24_000;
    const LATE: usize = 4_800;
    let folder = Folder::new();
    let input = folder.path("in.wav");
    write_wav(&input, spec(48_000, 1, 16), &[babble(2 * SPOKEN, 1)]);
    let bytes = fs::read(&input).unwrap();
    let mut child = tacet()
        .args(["denoise", "-", "-o", "-", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut half = vec![0; 44 + 2 * (SPOKEN - LATE)];
    for (from, to) in [(0, 44 + SPOKEN), (44 + SPOKEN, 44 + 2 * SPOKEN)] {
        stdin.write_all(&bytes[from..to]).unwrap();
        stdin.flush().unwrap();
    }
    // The pipe stays open: the program cannot know that nothing more will come for now.
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        stdout.read_exact(&mut half).unwrap();
        send.send((half, stdout))
    });
    let (half, mut stdout) = receive.recv_timeout(HANG).expect("it waits for more");
    stdin.write_all(&bytes[44 + 2 * SPOKEN..]).unwrap();
    drop(stdin);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    let whole = tacet().args(["denoise", "-"]).stdin(fs::File::open(&input).unwrap()).output().unwrap();
    // All but the length.
    assert!([half, rest].concat()[44..] == whole.stdout[44..], "the same as from a file");
}

/// Starts a run and has half of `output` written, the second file of `folder`: its input stays open, and it cannot end by
/// itself.
pub fn begin(folder: &Folder, output: &Path) -> Child {
    let mut command = tacet();
    // Whoever runs the tests may ignore some.
    #[cfg(unix)]
    set_signals(&mut command, &[]);
    begin_by(command, folder, output)
}

/// Starts a program with these signals ignored, and no others.
#[cfg(unix)]
fn set_signals(command: &mut Command, ignored: &'static [libc::c_int]) {
    use std::os::unix::process::CommandExt as _;
    let set = || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            let action = if ignored.contains(&signal) { libc::SIG_IGN } else { libc::SIG_DFL };
            // SAFETY: neither action calls anything.
            unsafe { libc::signal(signal, action) };
        }
        Ok(())
    };
    // SAFETY: `signal` may be called between fork and exec.
    unsafe { command.pre_exec(set) };
}

fn begin_by(mut command: Command, folder: &Folder, output: &Path) -> Child {
    let mut child = command
        .args(["denoise", "-", "-o"])
        .arg(output)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let source = Folder::new();
    write_wav(&source.path("in.wav"), spec(48_000, 1, 16), &[babble(48_000, 1)]);
    let bytes = fs::read(source.path("in.wav")).unwrap();
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(&bytes[..60_000]).unwrap();
    stdin.flush().unwrap();
    let start = Instant::now();
    while folder.names().len() < 2 {
        assert!(start.elapsed() < HANG, "never began: {:?}", folder.names());
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[cfg(unix)]
fn send(signal: &str, child: &Child) {
    let killed =
        std::process::Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
}

/// A run that is to outlive its terminal does.
#[cfg(unix)]
#[test]
fn an_ignored_signal_stays_ignored() {
    let folder = Folder::new();
    let output = folder.path("out.wav");
    fs::write(&output, "an older output").unwrap();
    let mut command = tacet();
    // As `nohup` starts it.
    set_signals(&mut command, &[libc::SIGHUP]);
    let mut child = begin_by(command, &folder, &output);
    send("HUP", &child);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(fs::metadata(&output).unwrap().len() > 50_000);
}

/// Ctrl-C and termination while a file is half written: no trace of it, an older output untouched.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    for signal in ["INT", "TERM", "HUP"] {
        let folder = Folder::new();
        let output = folder.path("out.wav");
        fs::write(&output, "an older output").unwrap();
        let mut child = begin(&folder, &output);
        let stdin = child.stdin.take();
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        drop(stdin);
        assert_eq!(folder.names(), ["out.wav"], "{signal}");
        assert_eq!(fs::read(&output).unwrap(), b"an older output");
    }
}
