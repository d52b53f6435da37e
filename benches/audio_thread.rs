//! Cost of a hop on the audio thread, apart from the inference that runs elsewhere: transform, exchange, enhancement,
//! inverse transform, output stage.
//!
//!     cargo xtask bench audio_thread
//!
//! The hops are paced so that no reply is ever awaited; the time is that of the calls alone, on a thread of real-time
//! priority as a host's. Beside it stands how long the worker, which parks between two hops, takes to wake up and begin.
//! Then the parts, each alone: over and over, and with cold caches, as a hop finds them after the worker has read megabytes
//! of weights.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tacet_benches::Times;
use tacet_realtime::device::Device;
use tacet_realtime::engine::{ChannelIn, ChannelOut, Stage};
use tacet_realtime::enhance::{Memory, Shaping, enhance};
use tacet_realtime::features::FeatureState;
use tacet_realtime::frame::{SILENT_LOW_BINS, SILENT_SPECTRUM};
use tacet_realtime::inference::priority::promote_current_thread;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::live::{Live, Options};
use tacet_realtime::model::{HOP, ModelKind, N_BANDS, N_DF_BINS};
use tacet_realtime::processor::controls::Controls;
use tacet_realtime::random::Random;
use tacet_realtime::stft::{Analysis, Synthesis};

/// Hops measured per row.
const N_HOPS: usize = 1000;
/// Time for a reply to come: ten times what inference takes, less than a hop.
const PACE: Duration = Duration::from_millis(4);

fn main() {
    if !promote_current_thread() {
        println!(
            "no real-time priority here: a host's audio thread has it, and the worker may take this one's core"
        );
    }
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
struct Sound(Random);

impl Sound {
    fn fill<'a>(&mut self, samples: impl IntoIterator<Item = &'a mut f32>) {
        for (i, sample) in samples.into_iter().enumerate() {
            *sample = self.0.share() * 0.5 + (i as f32 * 0.02).sin() * 0.1;
        }
    }
}

/// Time of each part of a hop alone, for one channel, and of waking a parked thread.
fn parts() {
    let (mut hot, mut cold) = (parts_alone(|| {}), parts_alone(forget));
    println!("\nparts, one channel, microseconds             p50    p99   cold p50    p99");
    let names = [
        "analysis",
        "features (on the worker)",
        "mask",
        "mask, post filter, limit",
        "synthesis",
        "waking a thread",
    ];
    for (name, (hot, cold)) in names.iter().zip(hot.iter_mut().zip(&mut cold)) {
        let [hot_p50, hot_p99, cold_p50, cold_p99] =
            [hot.quantile(0.5), hot.quantile(0.99), cold.quantile(0.5), cold.quantile(0.99)];
        println!("{name:<40} {hot_p50:>6.1} {hot_p99:>6.1} {cold_p50:>10.1} {cold_p99:>6.1}");
    }
}

/// Fills the caches with something else.
fn forget() {
    static OTHER: LazyLock<Vec<u64>> = LazyLock::new(|| (0..4 << 20).collect());
    std::hint::black_box(OTHER.iter().fold(0u64, |sum, &word| sum.wrapping_add(word)));
}

/// Times of the parts, with something done before each.
fn parts_alone(before: impl Fn()) -> [Times; 6] {
    let (mut analysis, mut synthesis) = (Analysis::new(), Synthesis::new());
    let mut features = FeatureState::new(0.99);
    let (mut hop, mut noisy, mut input) = ([0.0; HOP], SILENT_SPECTRUM, ChannelIn::default());
    let mut answer = ChannelOut { lsnr_db: 5.0, mask: [0.5; N_BANDS], filtered: SILENT_LOW_BINS };
    let mut enhanced = [SILENT_SPECTRUM];
    let mut memory = Memory::new(1);
    let with_filter = Shaping { post_filter_beta: 0.02, attenuation_limit_db: 24.0, ..Shaping::default() };
    let mut times: [Times; 6] = Default::default();
    let mut sound = Sound(Random(1));
    for _ in 0..N_HOPS {
        sound.fill(&mut hop);
        before();
        times[0].measure(|| analysis.process(&hop, &mut noisy));
        before();
        times[1].measure(|| features.process(&noisy, &mut input));
        answer.filtered.copy_from_slice(&noisy[..N_DF_BINS]);
        let (outputs, frames) = ([answer], [noisy]);
        before();
        times[2].measure(|| {
            enhance(&Shaping::default(), Stage::Full, &outputs, &frames, &mut memory, &mut enhanced)
        });
        before();
        times[3]
            .measure(|| enhance(&with_filter, Stage::Full, &outputs, &frames, &mut memory, &mut enhanced));
        before();
        times[4].measure(|| synthesis.process(&enhanced[0], &mut hop));
    }
    times[5] = wakes(before);
    times
}

/// Time to wake a parked thread, on the thread that wakes it.
fn wakes(before: impl Fn()) -> Times {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            promote_current_thread();
            while !is_done.load(Ordering::Relaxed) {
                std::thread::park();
            }
        });
        let mut times = Times::default();
        for _ in 0..N_HOPS {
            std::thread::sleep(PACE);
            before();
            times.measure(|| sleeper.thread().unpark());
        }
        is_done.store(true, Ordering::Relaxed);
        sleeper.thread().unpark();
        times
    })
}

/// Microseconds of [`N_HOPS`] calls that each complete one hop, those that the worker took to begin, and how many replies
/// were late.
fn measure(rate_hz: f64, n_channels: usize, is_watched: bool) -> (Times, Times, u64) {
    let options = Options {
        rate_hz,
        n_channels,
        model: ModelKind::DeepFilterNet3,
        mode: LatencyMode::Safe,
        device: Device::Native,
    };
    let mut live = Live::open(&options).expect("a rate that audio has");
    live.reset();
    let meters = live.meters().clone();
    if is_watched {
        meters.feed.start_watching();
    }
    let n_block = (rate_hz / 100.0).round() as usize;
    let mut sound = Sound(Random(0));
    let mut times = Times::default();
    for _ in 0..N_HOPS {
        let mut block = vec![vec![0.0f32; n_block]; n_channels];
        sound.fill(block.iter_mut().flatten());
        times.measure(|| live.process(&mut block, &Controls::default()));
        std::thread::sleep(PACE);
    }
    let mut hops = Vec::new();
    meters.slots[0].timings.read(0, &mut hops);
    let wake_ups = hops.iter().map(|hop| f64::from(hop.queue_us)).collect();
    (times, wake_ups, meters.slots[0].n_late.load(Ordering::Relaxed))
}
