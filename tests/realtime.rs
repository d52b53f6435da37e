//! The audio thread under an allocator that ends the test when it is used.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nice_assert_no_alloc::assert_no_alloc;
use tacet_realtime::device::Device;
use tacet_realtime::enhance::Shaping;
use tacet_realtime::inference::services::Services;
use tacet_realtime::inference::signal::WorkSignal;
use tacet_realtime::inference::slot_manager::SlotManager;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::meters::Meters;
use tacet_realtime::model::ModelKind;
use tacet_realtime::processor::controls::{Controls, Listen};
use tacet_realtime::processor::resample::Plan;
use tacet_realtime::processor::{Processor, Setup};
use tacet_realtime::tails::Closing;

#[global_allocator]
static ALLOCATOR: nice_assert_no_alloc::AllocDisabler = nice_assert_no_alloc::AllocDisabler;

/// Everything that the audio thread does, at rates with and without resampling, with waits, resets, sleep, listening,
/// comparison and a watched panel, allocates nothing.
#[test]
fn the_audio_thread_never_allocates() {
    for (rate_hz, mode) in
        [(48e3, LatencyMode::Safe), (44.1e3, LatencyMode::Lowest), (192e3, LatencyMode::Safe)]
    {
        let signal = Arc::new(WorkSignal::default());
        let meters = Arc::new(Meters::default());
        let (mut slot_manager, inbox) =
            SlotManager::new(Services::global(), ModelKind::DeepFilterNet3, 2, signal);
        slot_manager.serve_at_once(Duration::from_secs(30));
        let setup = Setup { plan: Plan::new(rate_hz).unwrap(), n_channels: 2, lookahead_hops: 2, mode };
        let mut processor = Processor::new(setup, inbox, meters.clone()).unwrap();
        meters.feed.start_watching();
        let mut block = vec![vec![0.0f32; 4096]; 2];
        for round in 0..60u32 {
            let is_silent = (20..30).contains(&round);
            for (c, channel) in block.iter_mut().enumerate() {
                for (i, sample) in channel.iter_mut().enumerate() {
                    *sample = if is_silent { 0.0 } else { ((i * (c + 3)) as f32 * 0.01).sin() * 0.3 };
                }
            }
            let controls = Controls {
                bypass: round % 7 == 3,
                listen: match round % 5 {
                    0 => Listen::Removed,
                    1 | 3 => Listen::B,
                    _ => Listen::Denoised,
                },
                mix: (round % 10) as f32 / 10.0,
                voice_gain: [1.0, 0.5, 2.0][round as usize % 3],
                ambience_gain: [0.0, 0.3][round as usize % 2],
                shaping: Shaping {
                    limits_db: [100.0, 12.0, 24.0, 30.0, 100.0, (round % 4) as f32 * 10.0],
                    closing: Closing { hold_ms: 50.0, release_ms: (round % 3) as f32 * 100.0 },
                    ..Shaping::default()
                },
                ..Default::default()
            };
            let n_samples = [4096, 1, 777, 480, 64][round as usize % 5];
            // Mailing and freeing streams is the main thread's.
            match round {
                10 => slot_manager.choose(Device::Native, Some(Device::Native)),
                40 => slot_manager.choose(Device::Native, None),
                _ => slot_manager.attend(),
            };
            let mut portion: Vec<&mut [f32]> =
                block.iter_mut().map(|channel| &mut channel[..n_samples]).collect();
            assert_no_alloc(|| {
                if round == 35 {
                    processor.reset();
                }
                processor.process(&mut portion, &controls, round % 3 == 0);
            });
        }
        assert!(meters.slots[0].n_requests.load(Ordering::Relaxed) > 0);
        assert!(meters.feed.n_written() > 0);
    }
}
