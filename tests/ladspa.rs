//! The LADSPA plugins through their C interface, as a host calls them.

use std::ffi::{c_char, c_int, c_ulong, c_void};

use deep_filter_ladspa::abi::ladspa_descriptor;
use nice_assert_no_alloc::assert_no_alloc;
use tacet_realtime::denoiser::{Denoiser, Settings};
use tacet_realtime::engine::Thresholds;
use tacet_realtime::engine::native::{NativeEngine, NativeModel, Precision, SimdLevel};
use tacet_realtime::enhance::Shaping;
use tacet_realtime::model::HOP;
use tacet_realtime::random::Random;
use tacet_realtime::weights;

#[global_allocator]
static ALLOCATOR: nice_assert_no_alloc::AllocDisabler = nice_assert_no_alloc::AllocDisabler;

/// `LADSPA_Descriptor` as `ladspa.h` has it, written down a second time: a host's view.
#[repr(C)]
struct Descriptor {
    unique_id: c_ulong,
    label: *const c_char,
    properties: c_int,
    texts: [*const c_char; 3],
    port_count: c_ulong,
    port_descriptors: *const c_int,
    port_names: *const *const c_char,
    port_range_hints: *const c_void,
    implementation_data: *mut c_void,
    instantiate: unsafe extern "C" fn(*const Descriptor, c_ulong) -> *mut c_void,
    connect_port: unsafe extern "C" fn(*mut c_void, c_ulong, *mut f32),
    activate: Option<unsafe extern "C" fn(*mut c_void)>,
    run: unsafe extern "C" fn(*mut c_void, c_ulong),
    run_adding: *const c_void,
    set_run_adding_gain: *const c_void,
    deactivate: Option<unsafe extern "C" fn(*mut c_void)>,
    cleanup: unsafe extern "C" fn(*mut c_void),
}

/// A plugin's instance with its control ports.
struct Instance {
    descriptor: &'static Descriptor,
    handle: *mut c_void,
    n_channels: usize,
    controls: Box<[f32; 6]>,
    latency: Box<f32>,
}

impl Instance {
    fn new(index: c_ulong, n_channels: usize, rate_hz: c_ulong, controls: [f32; 6]) -> Self {
        // SAFETY: the layouts are the same C structure, and it lasts as long as the program.
        let descriptor = unsafe { &*ladspa_descriptor(index).cast::<Descriptor>() };
        let has_latency = descriptor.port_count as usize == 2 * n_channels + 7;
        assert!(has_latency || descriptor.port_count as usize == 2 * n_channels + 6);
        // SAFETY: the descriptor is the plugin's own.
        let handle = unsafe { (descriptor.instantiate)(descriptor, rate_hz) };
        assert!(!handle.is_null());
        let mut instance =
            Self { descriptor, handle, n_channels, controls: Box::new(controls), latency: Box::new(0.0) };
        for index in 0..6 {
            let control: *mut f32 = &raw mut instance.controls[index];
            instance.connect(2 * n_channels + index, control);
        }
        if has_latency {
            let latency: *mut f32 = &raw mut *instance.latency;
            instance.connect(2 * n_channels + 6, latency);
        }
        if let Some(activate) = descriptor.activate {
            // SAFETY: the handle is alive.
            unsafe { activate(handle) };
        }
        instance
    }

    fn connect(&self, port: usize, data: *mut f32) {
        // SAFETY: the handle is alive, and what is connected outlives the runs.
        unsafe { (self.descriptor.connect_port)(self.handle, port as c_ulong, data) };
    }

    /// Runs `input` through in blocks of these sizes, over and over, in place where `in_place` says so.
    fn run(&mut self, input: &[Vec<f32>], sizes: &[usize], in_place: bool) -> Vec<Vec<f32>> {
        let n_samples = input[0].len();
        let mut out = input.to_vec();
        let (mut from, mut at) = (input.to_vec(), 0);
        for size in sizes.iter().cycle() {
            let n = (*size).min(n_samples - at);
            for channel in 0..self.n_channels {
                let output = out[channel][at..].as_mut_ptr();
                let input = if in_place { output } else { from[channel][at..].as_mut_ptr() };
                self.connect(channel, input);
                self.connect(self.n_channels + channel, output);
            }
            // SAFETY: the connected buffers have `n` samples from `at`.
            assert_no_alloc(|| unsafe { (self.descriptor.run)(self.handle, n as c_ulong) });
            at += n;
            if at == n_samples {
                return out;
            }
        }
        out
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the handle is alive and not used again.
        unsafe { (self.descriptor.cleanup)(self.handle) };
    }
}

/// Two seconds of a voice-like tone that comes and goes, in noise.
fn programme(n_channels: usize, n_samples: usize) -> Vec<Vec<f32>> {
    let mut random = Random(7);
    let sample = |i: usize, channel: usize| {
        let envelope = (i as f32 * 2e-4).sin().max(0.0);
        (1..8).map(|k| (i as f32 * 0.017 * (k + channel) as f32).sin() / k as f32).sum::<f32>()
            * envelope
            * 0.2
    };
    (0..n_channels)
        .map(|channel| (0..n_samples).map(|i| sample(i, channel) + 0.05 * random.sample()).collect())
        .collect()
}

/// The same by the denoiser for files, which has no threads.
fn denoised(input: &[Vec<f32>], settings: Settings) -> (Vec<Vec<f32>>, usize) {
    let model = NativeModel::with(&weights::embedded().unwrap(), Precision::F32, SimdLevel::get()).unwrap();
    let engine = Box::new(NativeEngine::new(model));
    let mut denoiser = Denoiser::new(engine, input.len(), settings).unwrap();
    let mut output = vec![vec![0.0; input[0].len()]; input.len()];
    for at in (0..input[0].len()).step_by(HOP) {
        let hop: Vec<&[f32]> = input.iter().map(|channel| &channel[at..at + HOP]).collect();
        let mut out: Vec<&mut [f32]> = output.iter_mut().map(|channel| &mut channel[at..at + HOP]).collect();
        denoiser.process(&hop, &mut out).unwrap();
    }
    (output, denoiser.delay_samples())
}

const DEFAULTS: [f32; 6] = [100.0, -15.0, 35.0, 35.0, 0.0, 0.0];

#[test]
fn faster_than_real_time_it_is_bit_identical_to_the_denoiser_for_files() {
    const N: usize = 200 * HOP;
    let chosen = [18.0, -10.0, 30.0, 20.0, 3.0, 0.02];
    let settings = Settings {
        thresholds: Thresholds { min_db: -10.0, max_erb_db: 30.0, max_df_db: 20.0 },
        shaping: Shaping { attenuation_limit_db: 18.0, post_filter_beta: 0.02, ..Shaping::default() },
        ..Settings::default()
    };
    for (index, n_channels, controls, settings) in [
        (0, 1, DEFAULTS, Settings::default()),
        (1, 2, DEFAULTS, Settings::default()),
        (1, 2, chosen, settings),
        (2, 1, chosen, settings),
    ] {
        let input = programme(n_channels, N);
        let (expected, delay) = denoised(&input, settings);
        for (sizes, in_place) in [(&[1024][..], false), (&[64, 1, 480, 777, 9000], true)] {
            let mut instance = Instance::new(index, n_channels, 48_000, controls);
            let out = instance.run(&input, sizes, in_place);
            // Collecting a hop and the slack of another.
            let more = 2400 - delay;
            for (channel, expected) in out.iter().zip(&expected) {
                assert!(channel[more..] == expected[..N - more], "plugin {index}, blocks of {sizes:?}");
            }
            if index >= 2 {
                assert_eq!(*instance.latency, 2400.0);
            }
        }
    }
}

#[test]
fn values_that_are_none_and_ports_that_are_missing_do_no_harm() {
    let input = programme(2, 20 * HOP);
    let mut instance = Instance::new(1, 2, 44_100, [f32::NAN, f32::INFINITY, -1e30, f32::NAN, 1e9, -1.0]);
    let out = instance.run(&input, &[512], false);
    assert!(out.iter().flatten().all(|sample| sample.is_finite()));
    // Nothing connected but one output.
    for port in 0..10 {
        instance.connect(port, std::ptr::null_mut());
    }
    let mut output = vec![1.0; 4800];
    instance.connect(2, output.as_mut_ptr());
    // SAFETY: the one buffer that is connected has the samples.
    unsafe { (instance.descriptor.run)(instance.handle, 4800) };
    assert!(output.iter().all(|sample| sample.is_finite()));
}

#[test]
fn it_can_be_activated_again_and_starts_anew() {
    let input = programme(1, 50 * HOP);
    let mut instance = Instance::new(0, 1, 48_000, DEFAULTS);
    let first = instance.run(&input, &[256], false);
    // SAFETY: the handle is alive; a host may do so between runs.
    unsafe { instance.descriptor.activate.unwrap()(instance.handle) };
    assert!(instance.run(&input, &[256], false) == first);
}
