//! What a hop costs the audio thread, apart from the inference that runs elsewhere: transform, exchange, enhancement,
//! inverse transform, output stage.
//!
//!     cargo xtask bench audio_thread
//!
//! The hops are paced so that no reply is ever awaited; the time is that of the calls alone. Beside it stands how long the
//! worker, which parks between two hops, takes to wake up and begin. Then the parts, each alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tacet::engine::{ChannelIn, ChannelOut, Stage};
use tacet::enhance::{Shaping, enhance};
use tacet::features::FeatureState;
use tacet::frame::{SILENT_LOW_BINS, SILENT_SPECTRUM};
use tacet::inference::hub::Hub;
use tacet::inference::switchboard::Switchboard;
use tacet::latency::LatencyMode;
use tacet::meters::Meters;
use tacet::model::{HOP, ModelKind, N_BANDS, N_DF_BINS};
use tacet::processor::controls::Controls;
use tacet::processor::resample::Plan;
use tacet::processor::{Processor, Setup};
use tacet::stft::{Analysis, Synthesis};

/// Hops measured per row.
const N_HOPS: usize = 1000;
/// Time for a reply to come: ten times what inference takes, less than a hop.
const PACE: Duration = Duration::from_millis(4);

fn main() {
    println!("audio thread per 10 ms hop, microseconds   p50    p99    max   waited   wake-up p50    p99");
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
        let (times, wake_ups, n_late) = measure(rate_hz, n_channels, is_watched);
        println!(
            "{:<40} {:>6.1} {:>6.1} {:>6.1} {n_late:>8} {:>13.1} {:>6.1}",
            format!("{} Hz, {n_channels} channel(s){panel}", rate_hz as u32),
            quantile(&times, 0.5),
            quantile(&times, 0.99),
            quantile(&times, 1.0),
            quantile(&wake_ups, 0.5),
            quantile(&wake_ups, 0.99)
        );
    }
    parts();
}

fn quantile(times: &[f64], q: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * q).round() as usize]
}

/// White noise and a hum, the same every time.
struct Sound(u32);

impl Sound {
    fn fill<'a>(&mut self, samples: impl IntoIterator<Item = &'a mut f32>) {
        for (i, sample) in samples.into_iter().enumerate() {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (self.0 >> 8) as f32 / (1 << 25) as f32 + (i as f32 * 0.02).sin() * 0.1;
        }
    }
}

/// What each part of a hop takes alone, for one channel.
fn parts() {
    let (mut analysis, mut synthesis) = (Analysis::new(), Synthesis::new());
    let mut features = FeatureState::new(0.99);
    let (mut hop, mut noisy, mut input) = ([0.0; HOP], SILENT_SPECTRUM, ChannelIn::default());
    let mut answer = ChannelOut { lsnr_db: 5.0, mask: [0.5; N_BANDS], filtered: SILENT_LOW_BINS };
    let mut enhanced = [SILENT_SPECTRUM];
    let with_filter = Shaping { post_filter_beta: 0.02, attenuation_limit_db: 24.0, ..Shaping::default() };
    let mut times: [Vec<f64>; 5] = Default::default();
    let mut sound = Sound(1);
    for _ in 0..N_HOPS {
        sound.fill(&mut hop);
        time(&mut times[0], || analysis.process(&hop, &mut noisy));
        time(&mut times[1], || features.process(&noisy, &mut input));
        answer.filtered.copy_from_slice(&noisy[..N_DF_BINS]);
        let (outputs, frames) = ([answer], [noisy]);
        time(&mut times[2], || enhance(&Shaping::default(), Stage::Full, &outputs, &frames, &mut enhanced));
        time(&mut times[3], || enhance(&with_filter, Stage::Full, &outputs, &frames, &mut enhanced));
        time(&mut times[4], || synthesis.process(&enhanced[0], &mut hop));
    }
    println!("\nparts, one channel, microseconds             p50    p99");
    let names = ["analysis", "features (on the worker)", "mask", "mask, post filter, limit", "synthesis"];
    for (name, times) in names.iter().zip(&times) {
        println!("{name:<40} {:>6.1} {:>6.1}", quantile(times, 0.5), quantile(times, 0.99));
    }
}

fn time(times: &mut Vec<f64>, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    times.push(start.elapsed().as_secs_f64() * 1e6);
}

/// Microseconds of [`N_HOPS`] calls that each complete one hop, those that the worker took to begin, and how many replies
/// were late.
fn measure(rate_hz: f64, n_channels: usize, is_watched: bool) -> (Vec<f64>, Vec<f64>, u64) {
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
    let mut sound = Sound(0);
    let mut times = Vec::with_capacity(N_HOPS);
    for _ in 0..N_HOPS {
        let mut block = vec![vec![0.0f32; n_block]; n_channels];
        sound.fill(block.iter_mut().flatten());
        let start = Instant::now();
        processor.process(&mut block, &Controls::default(), false);
        times.push(start.elapsed().as_secs_f64() * 1e6);
        std::thread::sleep(PACE);
    }
    let mut hops = Vec::new();
    meters.lanes[0].timings.read(0, &mut hops);
    let wake_ups = hops.iter().map(|hop| f64::from(hop.queue_us)).collect();
    (times, wake_ups, meters.lanes[0].n_late.load(Ordering::Relaxed))
}
