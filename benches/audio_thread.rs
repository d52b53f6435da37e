//! What a hop costs the audio thread, apart from the inference that runs elsewhere: transform, exchange, enhancement,
//! inverse transform, output stage.
//!
//!     cargo xtask bench audio_thread
//!
//! The hops are paced so that no reply is ever awaited; the time is that of the calls alone. Beside it stands how long the
//! worker, which parks between two hops, takes to wake up and begin. Then the parts, each alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
use tacet_benches::Times;

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
        let (mut times, mut wake_ups, n_late) = measure(rate_hz, n_channels, is_watched);
        println!(
            "{:<40} {:>6.1} {:>6.1} {:>6.1} {n_late:>8} {:>13.1} {:>6.1}",
            format!("{} Hz, {n_channels} channel(s){panel}", rate_hz as u32),
            times.quantile(0.5),
            times.quantile(0.99),
            times.quantile(1.0),
            wake_ups.quantile(0.5),
            wake_ups.quantile(0.99)
        );
    }
    parts();
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
    let mut times: [Times; 5] = Default::default();
    let mut sound = Sound(1);
    for _ in 0..N_HOPS {
        sound.fill(&mut hop);
        times[0].measure(|| analysis.process(&hop, &mut noisy));
        times[1].measure(|| features.process(&noisy, &mut input));
        answer.filtered.copy_from_slice(&noisy[..N_DF_BINS]);
        let (outputs, frames) = ([answer], [noisy]);
        times[2].measure(|| enhance(&Shaping::default(), Stage::Full, &outputs, &frames, &mut enhanced));
        times[3].measure(|| enhance(&with_filter, Stage::Full, &outputs, &frames, &mut enhanced));
        times[4].measure(|| synthesis.process(&enhanced[0], &mut hop));
    }
    println!("\nparts, one channel, microseconds             p50    p99");
    let names = ["analysis", "features (on the worker)", "mask", "mask, post filter, limit", "synthesis"];
    for (name, times) in names.iter().zip(&mut times) {
        println!("{name:<40} {:>6.1} {:>6.1}", times.quantile(0.5), times.quantile(0.99));
    }
}

/// Microseconds of [`N_HOPS`] calls that each complete one hop, those that the worker took to begin, and how many replies
/// were late.
fn measure(rate_hz: f64, n_channels: usize, is_watched: bool) -> (Times, Times, u64) {
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
    let mut times = Times::default();
    for _ in 0..N_HOPS {
        let mut block = vec![vec![0.0f32; n_block]; n_channels];
        sound.fill(block.iter_mut().flatten());
        times.measure(|| processor.process(&mut block, &Controls::default(), false));
        std::thread::sleep(PACE);
    }
    let mut hops = Vec::new();
    meters.lanes[0].timings.read(0, &mut hops);
    let wake_ups = hops.iter().map(|hop| f64::from(hop.queue_us)).collect();
    (times, wake_ups, meters.lanes[0].n_late.load(Ordering::Relaxed))
}
