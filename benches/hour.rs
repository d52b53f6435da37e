//! An hour of speech through `tacet denoise`, file to file, in turns with the official runtime on the same samples.
//!
//!     cargo xtask bench hour
//!     cargo xtask bench hour -- 1,2,4,8,16
//!
//! The official runtime has one thread and no files: a part of the hour, from memory to memory, is scaled up.

#[path = "../tests/oracle/runtime.rs"]
#[allow(dead_code, reason = "shared with the tests, which also change settings")]
mod runtime;
#[path = "../tests/oracle/signals.rs"]
#[allow(dead_code, reason = "shared with the tests, which use every signal")]
mod signals;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use runtime::OfficialRuntime;
use tacet_benches::Times;
use tacet_realtime::model::{HOP, ModelKind, SAMPLE_RATE_HZ};

/// Hops of an hour.
const N_HOPS: usize = 360_000;
/// Hops from which the official runtime's time for an hour is extrapolated.
const OFFICIAL_HOPS: usize = 3000;
/// Turns with the official runtime.
const TURNS: usize = 3;

fn main() {
    let threads = std::env::args().nth(1).filter(|text| !text.starts_with("--"));
    let threads = threads.unwrap_or_else(|| "1,2,4,8,16".to_owned());
    // Benches and programs lie in the same directory but for `deps`.
    let own = std::env::current_exe().expect("a path of its own");
    let program = own.parent().and_then(Path::parent).map(|dir| dir.join("tacet")).unwrap_or_default();
    if !program.with_extension(std::env::consts::EXE_EXTENSION).exists() {
        println!("{} is not there: `cargo xtask bench hour` builds it", program.display());
        return;
    }
    let mut official = match OfficialRuntime::open(ModelKind::DeepFilterNet3) {
        Ok(official) => official,
        Err(reason) => return println!("no official runtime to compare with: {reason}"),
    };
    let signal = signals::speech_like(10.0);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (input, output) = (dir.join("hour.wav"), dir.join("hour-denoised.wav"));
    write(&input, &signal).expect("room for 345 MB");

    println!("{:<28} {:>9} {:>9} {:>16}", "an hour of mono", "wall s", "ratio", "official wall s");
    for device in ["native", "native16"] {
        for n_threads in threads.split(',') {
            let [mut ours, mut peers, mut ratios] = [Times::default(), Times::default(), Times::default()];
            for _ in 0..TURNS {
                let mut hop_out = [0.0; HOP];
                let start = Instant::now();
                for hop in signal.as_chunks::<HOP>().0.iter().cycle().take(OFFICIAL_HOPS) {
                    official.process(hop, &mut hop_out);
                }
                let peer = start.elapsed().as_secs_f64() * (N_HOPS / OFFICIAL_HOPS) as f64;
                drop(std::fs::remove_file(&output));
                let start = Instant::now();
                let ended = Command::new(&program)
                    .args(["denoise", "--device", device, "--threads", n_threads, "--quiet", "-o"])
                    .args([&output, &input])
                    .status()
                    .expect("the program starts");
                let own = start.elapsed().as_secs_f64();
                assert!(ended.success(), "{} failed", program.display());
                ours.push(own);
                peers.push(peer);
                ratios.push(own / peer);
            }
            println!(
                "{:<28} {:>9.1} {:>9.4} {:>16.0}",
                format!("{device}, {n_threads} threads"),
                ours.quantile(0.5),
                ratios.quantile(0.5),
                peers.quantile(0.5)
            );
        }
    }
    for file in [input, output] {
        drop(std::fs::remove_file(file));
    }
}

/// An hour of `signal`, over and over, as 16-bit WAV.
fn write(path: &Path, signal: &[f32]) -> hound::Result<()> {
    let sample_format = hound::SampleFormat::Int;
    let spec =
        hound::WavSpec { channels: 1, sample_rate: SAMPLE_RATE_HZ, bits_per_sample: 16, sample_format };
    let mut file = hound::WavWriter::create(path, spec)?;
    for sample in signal.iter().cycle().take(N_HOPS * HOP) {
        file.write_sample((sample * 32_767.0) as i16)?;
    }
    file.finalize()
}
