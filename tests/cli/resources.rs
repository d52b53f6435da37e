//! A long file needs no more memory than a short one.

use std::time::Duration;

use crate::support::*;

/// Ten minutes at 44.1 kHz, so that the resamplers are in play too, stream in less than 150 MB on 16 threads. Without the
/// network's decoders, to be quick: they hold no audio.
#[test]
fn ten_minutes_stream_in_little_memory() {
    const LIMIT_KB: u64 = 150_000;
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

    let mut child = tacet()
        .arg("denoise")
        .arg(&input)
        .arg("-o")
        .arg(&output)
        .args(OFF)
        .args(["--threads", "16"])
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kb = 0;
    let exit = loop {
        // The high-water mark of the process itself; gone with it, hence read while it runs.
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:"))
        {
            peak_kb = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
        if let Some(exit) = child.try_wait().unwrap() {
            break exit;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(exit.success());
    println!("peak {peak_kb} kB");
    assert!((1_000..LIMIT_KB).contains(&peak_kb), "peak {peak_kb} kB");
    assert_eq!(hound::WavReader::open(&output).unwrap().duration(), 600 * 44_100);
}

/// The program runs where nothing but the C library is: on a server, in a container. No audio library, no window system.
#[test]
fn the_program_needs_the_c_library_only() {
    const ALLOWED: [&str; 8] =
        ["linux-vdso", "ld-linux", "libc.so", "libm.so", "libgcc_s", "libpthread", "libdl", "librt"];
    if emulator::is_emulated() {
        return;
    }
    let listed = std::process::Command::new("ldd").arg(env!("CARGO_BIN_EXE_tacet")).output().expect("ldd");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(libraries.iter().any(|name| name.contains("libc.so")), "{listed}");
    let unwanted: Vec<_> =
        libraries.iter().filter(|name| !ALLOWED.iter().any(|allowed| name.contains(allowed))).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
}
