//! What a hop costs the audio thread, apart from the inference that runs elsewhere: transform, exchange, enhancement,
//! inverse transform, output stage.
//!
//!     cargo xtask bench audio_thread
//!
//! The hops are paced so that no reply is ever awaited; the time is that of the calls alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tacet::inference::hub::Hub;
use tacet::inference::switchboard::Switchboard;
use tacet::latency::LatencyMode;
use tacet::meters::Meters;
use tacet::model::ModelKind;
use tacet::processor::controls::Controls;
use tacet::processor::resample::Plan;
use tacet::processor::{Processor, Setup};

/// Hops measured per row.
const N_HOPS: usize = 1000;
/// Time for a reply to come: ten times what inference takes, less than a hop.
const PACE: Duration = Duration::from_millis(4);

fn main() {
    println!("audio thread per 10 ms hop, microseconds   p50    p99    max   waited");
    for (rate_hz, n_channels, is_watched) in [
        (48e3, 1, false),
        (48e3, 2, false),
        (48e3, 1, true),
        (44.1e3, 1, false),
        (44.1e3, 2, false),
        (96e3, 1, false),
        (192e3, 2, false),
    ] {
        let panel = if is_watched { ", panel open" } else { "" };
        let (mut times, n_late) = measure(rate_hz, n_channels, is_watched);
        times.sort_by(f64::total_cmp);
        let quantile = |q: f64| times[((times.len() - 1) as f64 * q).round() as usize];
        println!(
            "{:<40} {:>6.1} {:>6.1} {:>6.1} {n_late:>8}",
            format!("{} Hz, {n_channels} channel(s){panel}", rate_hz as u32),
            quantile(0.5),
            quantile(0.99),
            quantile(1.0)
        );
    }
}

/// Microseconds of [`N_HOPS`] calls that each complete one hop, and how many replies were late.
fn measure(rate_hz: f64, n_channels: usize, is_watched: bool) -> (Vec<f64>, u64) {
    let meters = Arc::new(Meters::default());
    let attention = Arc::new(AtomicBool::new(false));
    let (mut switchboard, mailbox) =
        Switchboard::new(Hub::global(), ModelKind::DeepFilterNet3, n_channels, attention);
    switchboard.serve_at_once(Duration::from_secs(30));
    let plan = Plan::new(rate_hz).expect("a rate that audio has");
    let setup = Setup { plan, n_channels, lookahead_hops: 2, mode: LatencyMode::Safe };
    let mut processor = Processor::new(setup, mailbox, meters.clone()).expect("a processor");
    processor.reset();
    if is_watched {
        meters.feed.start_watching();
    }
    let n_block = (rate_hz / 100.0).round() as usize;
    let mut phase = 0u32;
    let mut times = Vec::with_capacity(N_HOPS);
    for _ in 0..N_HOPS {
        let mut block = vec![vec![0.0f32; n_block]; n_channels];
        for (i, sample) in block.iter_mut().flatten().enumerate() {
            phase = phase.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (phase >> 8) as f32 / (1 << 25) as f32 + (i as f32 * 0.02).sin() * 0.1;
        }
        let start = Instant::now();
        processor.process(&mut block, &Controls::default(), false);
        times.push(start.elapsed().as_secs_f64() * 1e6);
        std::thread::sleep(PACE);
    }
    (times, meters.lanes[0].n_late.load(Ordering::Relaxed))
}
