//! A long file needs no more memory than a short one.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::support::*;

/// The most memory that a file may take, however long, on 16 threads.
const LIMIT_KB: u64 = 150_000;

/// Runs a program to its end: how it exited, and its peak of memory.
fn run(command: &mut Command) -> (ExitStatus, u64) {
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kb = 0;
    loop {
        // The high-water mark of the process itself; gone with it, hence read while it runs.
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:"))
        {
            peak_kb = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
        if let Some(exit) = child.try_wait().unwrap() {
            return (exit, peak_kb);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ten minutes at 44.1 kHz, so that the resamplers are in play too, stream in less than 150 MB on 16 threads. Without the
/// network's decoders, to be quick: they hold no audio.
#[test]
fn ten_minutes_stream_in_little_memory() {
    if emulator::is_emulated() {
        return;
    }
    let folder = Folder::new();
    let (input, output) = (folder.path("in.wav"), folder.path("out.wav"));
    let second = babble(44_100, 1);
    let mut writer = hound::WavWriter::create(&input, spec(44_100, 1, 16)).unwrap();
    let mut samples = writer.get_i16_writer(600 * 44_100);
    for _ in 0..600 {
        for sample in &second {
            samples.write_sample((sample * 32_767.0) as i16);
        }
    }
    samples.flush().unwrap();
    writer.finalize().unwrap();

    let (exit, peak_kb) =
        run(tacet().arg("denoise").arg(&input).arg("-o").arg(&output).args(OFF).args(["--threads", "16"]));
    assert!(exit.success());
    println!("peak {peak_kb} kB");
    assert!((1_000..LIMIT_KB).contains(&peak_kb), "peak {peak_kb} kB");
    assert_eq!(hound::WavReader::open(&output).unwrap().duration(), 600 * 44_100);
}

/// A take of as many GiB as `TACET_TAKE_GIB` says (weekly: 5), in RF64, goes through, and its output, RF64 again, is read
/// back.
#[test]
fn a_take_beyond_4_gib_streams_through() {
    const RATE_HZ: u32 = 48_000;
    let Ok(gib) = std::env::var("TACET_TAKE_GIB") else {
        println!("skipped: TACET_TAKE_GIB is not set");
        return;
    };
    let gib: f64 = gib.parse().expect("TACET_TAKE_GIB is a number");
    let folder = Folder::new();
    let second: Vec<u8> =
        babble(RATE_HZ as usize, 1).iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let n_seconds = (gib * f64::from(1 << 30) / second.len() as f64).ceil() as u64;
    let n_bytes = n_seconds * second.len() as u64;
    let input = folder.path("take.wav");
    let mut file = BufWriter::new(File::create(&input).unwrap());
    file.write_all(b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0").unwrap();
    for size in [72 + n_bytes, n_bytes, n_bytes / 4] {
        file.write_all(&size.to_le_bytes()).unwrap();
    }
    file.write_all(b"\0\0\0\0fmt \x10\0\0\0\x03\0\x01\0").unwrap();
    for number in [RATE_HZ, 4 * RATE_HZ] {
        file.write_all(&number.to_le_bytes()).unwrap();
    }
    file.write_all(b"\x04\0\x20\0data\xff\xff\xff\xff").unwrap();
    (0..n_seconds).for_each(|_| file.write_all(&second).unwrap());
    file.into_inner().unwrap();

    let (output, again) = (folder.path("out.wav"), folder.path("again.wav"));
    for (from, to, options) in
        [(&input, &output, &OFF[..]), (&output, &again, &["--mix", "0", OFF[0], OFF[1]][..])]
    {
        let (exit, peak_kb) = run(tacet().arg("denoise").arg(from).arg("-o").arg(to).args(options));
        println!("peak {peak_kb} kB");
        assert!(exit.success() && peak_kb < LIMIT_KB, "peak {peak_kb} kB");
        if from == &input {
            std::fs::remove_file(from).unwrap();
        }
    }
    assert!(is_same(&output, &again), "read back otherwise than written");
}

/// Whether two files hold the same bytes, at least a second of sound.
fn is_same(a: &Path, b: &Path) -> bool {
    let [mut a, mut b] = [a, b].map(|path| BufReader::new(File::open(path).unwrap()));
    let (mut block_a, mut block_b, mut n_bytes) = (vec![0; 1 << 20], vec![0; 1 << 20], 0);
    loop {
        let n_a = a.read(&mut block_a).unwrap();
        if n_a == 0 {
            return b.read(&mut block_b).unwrap() == 0 && n_bytes > 192_000;
        }
        n_bytes += n_a;
        if b.read_exact(&mut block_b[..n_a]).is_err() || block_a[..n_a] != block_b[..n_a] {
            return false;
        }
    }
}

/// The program runs where nothing but the C library is: on a server, in a container. No audio library, no window system.
#[test]
fn the_program_needs_the_c_library_only() {
    const ALLOWED: [&str; 8] =
        ["linux-vdso", "ld-linux", "libc.so", "libm.so", "libgcc_s", "libpthread", "libdl", "librt"];
    if emulator::is_emulated() {
        return;
    }
    let listed = Command::new("ldd").arg(env!("CARGO_BIN_EXE_tacet")).output().expect("ldd");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(libraries.iter().any(|name| name.contains("libc.so")), "{listed}");
    let unwanted: Vec<_> =
        libraries.iter().filter(|name| !ALLOWED.iter().any(|allowed| name.contains(allowed))).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
}
