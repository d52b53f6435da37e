//! The audio thread against scripted engines: delay, bypass, underruns, silence.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tacet_model::{HOP, ModelKind};

use super::controls::Listen;
use super::*;
use crate::device::Device;
use crate::engine::torch::TorchDevice;
use crate::inference::device_state::DeviceState;
use crate::inference::scripted::{self, Act, Script, wait_for};
use crate::inference::services::Services;
use crate::inference::signal::WorkSignal;
use crate::inference::slot_manager::SlotManager;
use crate::random::Random;

mod costs;
#[path = "../../../../tests/support/emulator.rs"]
mod emulator;
mod faults;
mod joins;

/// The other device of [`scripted::services`].
const TORCH: Device = Device::Torch(TorchDevice::Cpu);

/// A processor with its slot manager, on scripted engines.
struct Rig {
    processor: Processor,
    slot_manager: SlotManager,
    meters: Arc<Meters>,
    signal: Arc<WorkSignal>,
    controls: Controls,
    is_offline: bool,
    n_channels: usize,
}

impl Rig {
    fn new(services: &'static Services, rate_hz: f64, n_channels: usize, mode: LatencyMode) -> Self {
        Self::with_lookahead(services, rate_hz, n_channels, mode, 2)
    }

    fn with_lookahead(
        services: &'static Services,
        rate_hz: f64,
        n_channels: usize,
        mode: LatencyMode,
        lookahead_hops: usize,
    ) -> Self {
        let signal = Arc::new(WorkSignal::default());
        let (mut slot_manager, inbox) =
            SlotManager::new(services, ModelKind::DeepFilterNet3, n_channels, signal.clone());
        slot_manager.serve_at_once(Duration::from_secs(10));
        let meters = Arc::new(Meters::default());
        let plan = Plan::new(rate_hz).unwrap();
        let setup = Setup { plan, n_channels, lookahead_hops, mode };
        let mut processor = Processor::new(setup, inbox, meters.clone()).unwrap();
        processor.reset();
        Self {
            processor,
            slot_manager,
            meters,
            signal,
            controls: Controls::default(),
            is_offline: true,
            n_channels,
        }
    }

    fn latency(&self) -> usize {
        self.processor.latency().total_samples
    }

    /// Processes a mono programme (every channel gets it, the second one negated) and returns channel 0.
    fn run(&mut self, input: &[f32], block: impl Fn(usize) -> usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(input.len());
        let mut n_blocks = 0;
        while out.len() < input.len() {
            let n = block(n_blocks).min(input.len() - out.len());
            n_blocks += 1;
            let portion = &input[out.len()..out.len() + n];
            let mut channels = vec![portion.to_vec(), portion.iter().map(|x| -x).collect()];
            channels.truncate(self.n_channels);
            self.processor.process(&mut channels, &self.controls, self.is_offline);
            if self.n_channels == 2 {
                assert!(channels[0].iter().zip(&channels[1]).all(|(l, r)| *l == -*r), "channels are alike");
            }
            out.extend(&channels[0]);
            if self.signal.take() {
                self.slot_manager.attend();
            }
        }
        out
    }

    /// Chooses devices and waits until both slots have been sent them.
    fn choose(&mut self, a: Device, b: Option<Device>) {
        self.slot_manager.choose(a, b);
        wait_for(|| self.is_sent(SlotId::A, Some(a)) && self.is_sent(SlotId::B, b));
    }

    fn is_sent(&mut self, id: SlotId, device: Option<Device>) -> bool {
        self.slot_manager.attend();
        let state = self.slot_manager.state(id);
        match device {
            Some(device) => state == DeviceState::Warming(device) || state == DeviceState::Live(device),
            None => state == DeviceState::Off,
        }
    }

    fn late(&self) -> u64 {
        self.meters.slots[0].n_late.load(Ordering::Relaxed)
    }
}

/// Noise with a tone in it, never silent.
fn programme(n: usize, seed: u32) -> Vec<f32> {
    let mut random = Random(seed);
    (0..n).map(|i| 0.1 * random.sample() + 0.3 * (i as f32 * 0.05).sin()).collect()
}

/// Largest difference between `out` and `scale` times the input delayed by `delay`, over `range` of the output.
fn error(out: &[f32], input: &[f32], delay: usize, scale: f32, range: std::ops::Range<usize>) -> f32 {
    range.map(|i| (out[i] - scale * input[i - delay]).abs()).fold(0.0, f32::max)
}

/// Largest step between neighbouring samples.
fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn an_engine_that_changes_nothing_gives_the_input_back_late_by_the_latency() {
    for (mode, latency) in [(LatencyMode::Lowest, 1920), (LatencyMode::Safe, 2400)] {
        for n_channels in [1, 2] {
            let (services, ..) = scripted::services(0.5);
            let mut rig = Rig::new(services, 48e3, n_channels, mode);
            assert_eq!(rig.latency(), latency);
            let input = programme(20_000, 1);
            let out = rig.run(&input, |n| [480, 64, 1, 1000, 4096][n % 5]);
            assert!(out[..latency - HOP].iter().all(|x| x.abs() < 1e-6), "silence before");
            // Observed: 1.8e-7, the transform's rounding.
            assert!(error(&out, &input, latency, 1.0, latency..input.len()) < 1e-6);
            assert_eq!(rig.late(), 0);
        }
    }
}

#[test]
fn an_impulse_finds_the_latency_at_every_rate() {
    for rate_hz in [8e3, 11.025e3, 16e3, 22.05e3, 32e3, 44.1e3, 88.2e3, 96e3, 176.4e3, 192e3, 384e3, 768e3] {
        for mode in [LatencyMode::Lowest, LatencyMode::Safe] {
            let (services, ..) = scripted::services(0.5);
            let mut rig = Rig::new(services, rate_hz, 1, mode);
            let latency = rig.latency();
            let mut input = programme(latency + 2000, 2).iter().map(|x| x * 1e-3).collect::<Vec<_>>();
            input[1001] += 1.0;
            let out = rig.run(&input, |n| [300, 7, 2048][n % 3]);
            let peak = (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs())).unwrap();
            assert_eq!(peak, 1001 + latency, "{rate_hz} Hz, {mode:?}");
        }
    }
}

#[test]
fn any_partition_into_blocks_gives_the_same_bits() {
    for rate_hz in [48e3, 44.1e3] {
        let input = programme(30_000, 3);
        let render = |sizes: [usize; 3]| {
            let (services, ..) = scripted::services(0.5);
            let mut rig = Rig::new(services, rate_hz, 2, LatencyMode::Safe);
            rig.controls.mix = 0.8;
            rig.run(&input, |n| sizes[n % 3])
        };
        let whole = render([16_384; 3]);
        for sizes in [[1, 2, 3], [480, 480, 480], [511, 64, 4097]] {
            assert!(render(sizes) == whole, "{rate_hz} Hz, {sizes:?}");
        }
    }
}

#[test]
fn bypass_and_dry_mix_are_bit_identical_to_the_input() {
    for rate_hz in [48e3, 44.1e3] {
        let (services, ..) = scripted::services(0.5);
        let mut rig = Rig::new(services, rate_hz, 1, LatencyMode::Safe);
        rig.controls.bypass = true;
        rig.controls.output_gain = 0.25;
        let input = programme(9000, 4);
        let out = rig.run(&input, |_| 333);
        let latency = rig.latency();
        assert_eq!(out[latency..], input[..input.len() - latency]);
        assert!(out[..latency].iter().all(|&x| x == 0.0));
    }
}

#[test]
fn removed_and_denoised_add_up_to_the_input() {
    let input = programme(12_000, 5);
    let render = |listen| {
        let (services, script, _) = scripted::services(0.5);
        let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
        rig.controls.listen = listen;
        rig.controls.mix = 0.75;
        rig.controls.shaping.attenuation_limit_db = 12.0;
        let out = rig.run(&input, |_| 512);
        assert!(script.n_steps() > 0);
        (out, rig.latency())
    };
    let (denoised, latency) = render(Listen::Denoised);
    let (removed, _) = render(Listen::Removed);
    let sum: Vec<f32> = denoised.iter().zip(&removed).map(|(a, b)| a + b).collect();
    assert!(error(&sum, &input, latency, 1.0, latency..input.len()) < 1e-6);
}

#[test]
fn voice_and_ambience_are_gains_of_the_denoised_and_the_removed() {
    let input = programme(12_000, 5);
    let render = |voice_gain, ambience_gain, listen| {
        let (services, ..) = scripted::services(0.5);
        let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
        let controls = rig.controls;
        rig.controls = Controls { voice_gain, ambience_gain, listen, ..controls };
        let out = rig.run(&input, |_| 512);
        (out, rig.latency())
    };
    let (denoised, latency) = render(1.0, 0.0, Listen::Denoised);
    let (removed, _) = render(1.0, 0.0, Listen::Removed);
    let (both, _) = render(1.5, 0.25, Listen::Denoised);
    for ((both, denoised), removed) in both.iter().zip(&denoised).zip(&removed) {
        assert!((both - (1.5 * denoised + 0.25 * removed)).abs() < 1e-6);
    }
    assert!(error(&render(1.0, 1.0, Listen::Denoised).0, &input, latency, 1.0, latency..input.len()) < 1e-6);
    assert_eq!(render(1.5, 0.25, Listen::Removed).0, removed);
}

#[test]
fn a_stuck_engine_neither_mutes_nor_delays_nor_clicks() {
    let (services, native, _) = scripted::services(0.5);
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    rig.is_offline = false;
    let input = programme(96_000, 6);
    let latency = rig.latency();
    let mut out = rig.run(&input[..24_000], |_| 480);
    native.set(Act::Hang);
    let n_waited = rig.processor.slots.n_waited;
    // 100 hops: more than the exchange has boxes.
    out.extend(rig.run(&input[24_000..72_000], |_| 480));
    // The first of them may be one for a step that was under way already.
    let n_waited = rig.processor.slots.n_waited - n_waited;
    assert!((1..=2).contains(&n_waited), "{n_waited} waits: one is enough, one per hop would mute the host");
    assert!(rig.late() > 50 && rig.meters.slots[0].n_dropped.load(Ordering::Relaxed) > 0);
    native.set(Act::Work);
    wait_for(|| {
        let before = native.n_steps();
        std::thread::sleep(Duration::from_millis(30));
        native.n_steps() == before
    });
    let late = rig.late();
    rig.is_offline = true;
    out.extend(rig.run(&input[72_000..], |_| 480));
    assert!(rig.late() <= late + 1, "it caught up");
    // The engine's gain is 1, so that a concealed frame equals an answered one: not a sample may differ.
    assert!(error(&out, &input, latency, 1.0, latency..input.len()) < 1e-6);
}

#[test]
fn concealment_moves_from_the_last_mask_to_the_noisy_frame_without_a_step() {
    let native = Arc::new(Script::default());
    let services =
        Box::leak(Box::new(Services::new([(Device::Native, scripted::opener(native.clone(), 0.25, 2))])));
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    rig.is_offline = false;
    let input: Vec<f32> = (0..72_000).map(|i| 0.5 * (i as f32 * 0.02).sin()).collect();
    let latency = rig.latency();
    let mut out = rig.run(&input[..24_000], |_| 480);
    assert!(error(&out, &input, latency, 0.25, latency..24_000) < 1e-6);
    native.set(Act::Hang);
    out.extend(rig.run(&input[24_000..48_000], |_| 480));
    // The mask opens to 1 within half a second.
    assert!(error(&out, &input, latency, 1.0, 45_000..48_000) < 1e-3);
    native.set(Act::Work);
    std::thread::sleep(Duration::from_millis(100));
    rig.is_offline = true;
    out.extend(rig.run(&input[48_000..], |_| 480));
    assert!(error(&out, &input, latency, 0.25, 60_000..72_000) < 1e-6);
    // A tone's own steepest step, and a little for the moving gain.
    assert!(steepest(&out[latency..]) < 0.5 * 0.02 * 1.1, "{}", steepest(&out[latency..]));
}

#[test]
fn an_engine_that_returns_nan_or_fails_is_concealed_and_recovers() {
    for act in [Act::Nan, Act::Fail] {
        let (services, native, _) = scripted::services(0.5);
        let mut rig = Rig::new(services, 48e3, 2, LatencyMode::Lowest);
        let input = programme(48_000, 7);
        let latency = rig.latency();
        let mut out = rig.run(&input[..9600], |_| 480);
        native.set(act);
        // Two hops: an engine that fails three times in a row is given up.
        out.extend(rig.run(&input[9600..10_560], |_| 480));
        native.set(Act::Work);
        out.extend(rig.run(&input[10_560..], |_| 480));
        assert!(out.iter().all(|x| x.is_finite()));
        assert_eq!(rig.meters.slots[0].n_failed.load(Ordering::Relaxed), 2, "{act:?}");
        // The mask is 1 throughout: what is concealed is the input too, also where the engine has lost its past.
        assert!(error(&out, &input, latency, 1.0, latency..48_000) < 1e-6, "{act:?}");
    }
}

#[test]
fn switching_devices_and_slots_makes_no_step() {
    let (services, ..) = scripted::services(0.5);
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    let input: Vec<f32> = (0..240_000).map(|i| 0.5 * (i as f32 * 0.02).sin()).collect();
    let latency = rig.latency();
    let mut out = rig.run(&input[..24_000], |_| 480);
    rig.choose(TORCH, None);
    out.extend(rig.run(&input[24_000..120_000], |_| 480));
    assert!(error(&out, &input, latency, 0.5, 100_000..120_000) < 1e-6, "the new engine is heard");
    // Compare with the native engine and listen to it.
    rig.choose(TORCH, Some(Device::Native));
    out.extend(rig.run(&input[120_000..168_000], |_| 480));
    assert!(error(&out, &input, latency, 0.5, 140_000..168_000) < 1e-6, "slot A is still heard");
    // B is 1 where A is 0.5: the difference is as large as A.
    assert!(rig.meters.null_depth_db.load(Ordering::Relaxed).abs() < 0.1);
    rig.controls.listen = Listen::B;
    out.extend(rig.run(&input[168_000..216_000], |_| 480));
    assert!(error(&out, &input, latency, 1.0, 180_000..216_000) < 1e-6, "slot B is heard");
    rig.slot_manager.choose(TORCH, None);
    out.extend(rig.run(&input[216_000..], |_| 480));
    assert!(error(&out, &input, latency, 0.5, 230_000..240_000) < 1e-6, "slot A again");
    assert!(rig.meters.null_depth_db.load(Ordering::Relaxed).is_nan());
    assert!(steepest(&out[latency..]) < 0.5 * 0.02 * 1.1, "{}", steepest(&out[latency..]));
    assert_eq!(rig.late(), 0);
}

#[test]
fn a_reset_processor_is_bit_identical_to_a_new_one() {
    for rate_hz in [48e3, 44.1e3] {
        let (services, native, _) = scripted::services(0.5);
        let mut rig = Rig::new(services, rate_hz, 1, LatencyMode::Safe);
        rig.controls.mix = 0.5;
        let input = programme(20_000, 9);
        let first = rig.run(&input, |_| 777);
        for cut in [0, 1, 480, 5000] {
            rig.run(&input[..cut], |_| 777);
            rig.processor.reset();
            assert!(rig.run(&input, |_| 777) == first, "{rate_hz} Hz, after {cut}");
            rig.processor.reset();
        }
        assert!(native.n_resets.load(Ordering::Relaxed) >= 4);
        assert_eq!(rig.late(), 0);
    }
}

#[test]
fn failures_before_a_reset_are_forgotten() {
    let (services, _, torch) = scripted::services(0.5);
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Lowest);
    let input = programme(60_000, 12);
    rig.choose(TORCH, None);
    rig.run(&input, |_| 480);
    rig.processor.reset();
    let expected = rig.run(&input, |_| 480);
    torch.set(Act::Fail);
    rig.run(&input[..480], |_| 480);
    torch.set(Act::Work);
    rig.processor.reset();
    assert!(rig.run(&input, |_| 480) == expected, "nothing is concealed");
}

#[test]
fn a_stream_sleeps_when_the_deep_filters_frames_are_silent() {
    for (lookahead_hops, mode) in [(0, LatencyMode::Lowest), (0, LatencyMode::Safe), (2, LatencyMode::Lowest)]
    {
        let script = Arc::new(Script::default());
        let opener = scripted::opener(script.clone(), 1.0, lookahead_hops);
        let services = Box::leak(Box::new(Services::new([(Device::Native, opener)])));
        let mut rig = Rig::with_lookahead(services, 48e3, 1, mode, lookahead_hops);
        rig.run(&programme(10 * HOP, 13), |_| HOP);
        rig.run(&[0.0; 20 * HOP], |_| HOP);
        assert!(rig.processor.is_idle());
        // Of the last frame with sound, one half is in the first silent hop.
        // The worker may have some before it; if they are too few, they never come.
        wait_for(|| script.n_steps() >= 10 + DF_ORDER as u64);
    }
}

#[test]
fn silence_costs_nothing_and_wakes_without_a_step() {
    let (services, native, _) = scripted::services(0.5);
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    let latency = rig.latency();
    let mut input: Vec<f32> = (0..96_000).map(|i| 0.5 * (i as f32 * 0.02).sin()).collect();
    input[24_000..72_000].fill(0.0);
    // A block is a hop, and a hop is a step until it sleeps.
    let mut out = Vec::new();
    let mut n_awake = 0;
    loop {
        out.extend(rig.run(&input[out.len()..][..480], |_| 480));
        if rig.processor.is_idle() {
            break;
        }
        n_awake += 1;
    }
    assert!(out.len() < 48_000, "asleep within half a second");
    wait_for(|| native.n_steps() == n_awake);
    out.extend(rig.run(&input[out.len()..72_000], |_| 480));
    assert_eq!(native.n_steps(), n_awake, "asleep");
    assert!(out[50_000..72_000].iter().all(|&x| x == 0.0));
    out.extend(rig.run(&input[72_000..], |_| 480));
    assert!(native.n_steps() > n_awake);
    assert!(error(&out, &input, latency, 1.0, latency..96_000) < 1e-6);
    assert_eq!(rig.late(), 0);
    assert_eq!(rig.meters.slots[0].n_stale.load(Ordering::Relaxed), 0);
}

#[test]
fn non_finite_samples_do_not_get_through() {
    for rate_hz in [48e3, 44.1e3] {
        let (services, ..) = scripted::services(0.5);
        let mut rig = Rig::new(services, rate_hz, 1, LatencyMode::Lowest);
        let mut input = programme(48_000, 10);
        input[9000] = f32::NAN;
        input[9001] = f32::INFINITY;
        input[9500] = f32::NEG_INFINITY;
        rig.controls.mix = 0.5;
        let out = rig.run(&input, |_| 256);
        assert!(out.iter().all(|x| x.is_finite()));
        let latency = rig.latency();
        // The overlap-add has forgotten; at 44.1 kHz the noise above 19 kHz is gone from the wet half.
        let tolerance = if rate_hz == 48e3 { 1e-6 } else { 0.2 };
        assert!(error(&out, &input, latency, 1.0, 20_000..48_000) < tolerance);
    }
}

#[test]
fn twenty_instances_share_one_worker_and_its_steps() {
    let (services, native, _) = scripted::services(0.5);
    native.delay_us.store(2000, Ordering::Relaxed);
    let input = programme(24_000, 11);
    let mut rigs: Vec<Rig> = (0..20).map(|_| Rig::new(services, 48e3, 1, LatencyMode::Safe)).collect();
    let reports = services.reports(Device::Native);
    assert_eq!(reports.iter().map(|report| report.n_streams()).collect::<Vec<_>>(), [20]);
    let mut outs = vec![Vec::new(); 20];
    for portion in input.chunks(480) {
        for (rig, out) in rigs.iter_mut().zip(&mut outs) {
            out.extend(rig.run(portion, |_| 480));
        }
    }
    for (rig, out) in rigs.iter().zip(&outs) {
        assert!(error(out, &input, rig.latency(), 1.0, rig.latency()..24_000) < 1e-6);
        assert_eq!(rig.late(), 0);
    }
    // 1000 hops in far fewer steps; an emulator's hops come one by one.
    if !emulator::is_emulated() {
        assert!(native.largest_batch.load(Ordering::Relaxed) > 5);
        assert!(native.n_steps() < 500, "{}", native.n_steps());
    }
    drop(rigs);
    assert!(services.reports(Device::Native).is_empty(), "the worker ends with its last stream");
}
