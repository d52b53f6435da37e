//! Content of the panel in the tests: the plugin's own parameters over a host that records, made-up measurements, and a
//! synthetic voice in noise.

use std::sync::{Arc, Mutex};

use egui_kittest::{Harness, HarnessBuilder};
use nice_plug::context::gui::{GuiContext, GuiContextInner};
use nice_plug::prelude::{ParamPtr, PluginApi, PluginState};
use tacet::device::{self, Device, Facts, System, TorchFacts, Version};
use tacet::engine::StepTimings;
use tacet::frame::SILENT_SPECTRUM;
use tacet::lab::{HopTiming, Phase, Statistics};
use tacet::latency::{Latency, LatencyMode};
use tacet::model::{HOP, ModelKind, N_BINS};
use tacet::panel::{
    Panel, Settings,
    host_params::{Action, HostParams},
    system, theme,
    trace::N_COLUMNS,
    view_model::{self, Audio, DeviceState, Process, SlotView, StreamView, ViewModel},
};
use tacet::parameters::{Choice as _, ParamId};
use tacet::params::TacetParams;
use tacet::presets;
use tacet::processor::resample::Plan;
use tacet::random::Random;
use tacet::stft::Analysis;
use tacet_torch_pack::abi::Probe;

use crate::voice::{Syllable, syllable};

/// Actions of the panel, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Begin(ParamId),
    Set(ParamId, f32),
    End(ParamId),
    Did(Action),
}

/// A host that takes every value at once and records gestures.
struct Host {
    params: Arc<TacetParams>,
    events: Mutex<Vec<Event>>,
}

impl Host {
    fn record(&self, param: ParamPtr, event: impl FnOnce(ParamId) -> Event) {
        let id = ParamId::ALL.iter().find(|id| self.params.param(**id).as_ptr() == param).unwrap();
        self.events.lock().unwrap().push(event(*id));
    }
}

impl GuiContextInner for Host {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }
    unsafe fn raw_begin_set_parameter(&self, param: ParamPtr) {
        self.record(param, Event::Begin);
    }
    unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, value: f32) {
        self.record(param, |id| Event::Set(id, value));
        // SAFETY: the parameter is one of `self.params`: `record` has found it there.
        unsafe { param._internal_set_normalized_value(value) };
    }
    unsafe fn raw_end_set_parameter(&self, param: ParamPtr) {
        self.record(param, Event::End);
    }
    fn get_state(&self) -> PluginState {
        unreachable!("the panel asks for no state")
    }
    fn set_state(&self, _: PluginState) {
        unreachable!("the panel sets no state")
    }
    fn request_restart(&self) {}
}

/// A panel with everything it needs.
pub struct Bench {
    panel: Panel,
    pub view_model: ViewModel,
    pub params: HostParams,
    pub settings: Settings,
    host: Arc<Host>,
}

impl Bench {
    /// `changed` are the parameters that are not at their defaults, in their units.
    pub fn new(view_model: ViewModel, changed: &[(ParamId, f32)], settings: Settings) -> Self {
        let params = Arc::new(TacetParams::default());
        for &(id, plain) in changed {
            let param = params.param(id);
            param.start(param.normalized(plain));
        }
        let host = Arc::new(Host { params: params.clone(), events: Mutex::default() });
        let params = HostParams::new(params, GuiContext::new(host.clone()));
        Self { panel: Panel::default(), view_model, params, settings, host }
    }

    /// Actions of the panel so far.
    pub fn events(&self) -> Vec<Event> {
        self.host.events.lock().unwrap().clone()
    }
}

/// A window of this size on a panel that has been drawn, for a test's hands.
pub fn open(size: [f32; 2], bench: Bench) -> Harness<'static, Bench> {
    let mut harness = window(Harness::builder().with_size(size).with_step_dt(0.05), bench);
    harness.run_steps(2);
    harness
}

/// A window on a panel.
pub fn window(builder: HarnessBuilder<Bench>, bench: Bench) -> Harness<'static, Bench> {
    builder.with_context_setup(theme::install_fonts).with_max_steps(12).build_ui_state(
        |ui, bench| {
            // All of the window, as in a host; the harness leaves a margin.
            let rect = ui.ctx().content_rect();
            ui.set_clip_rect(rect);
            let builder = egui::UiBuilder::new().max_rect(rect);
            ui.scope_builder(builder, |ui| {
                bench.panel.ui(ui, &mut bench.view_model, &mut bench.params, &mut bench.settings);
            });
            let done = bench.params.take_actions().into_iter().map(Event::Did);
            bench.host.events.lock().unwrap().extend(done);
        },
        bench,
    )
}

/// Position of MPS among the devices.
pub const MPS: f32 = 3.0;

/// Everything in order: a voice in noise, the native engine live, stereo at 48 kHz.
pub fn in_order() -> ViewModel {
    let mut view_model = ViewModel {
        stream: StreamView { rate_hz: 48e3, n_channels: 2, n_hops: 61_204, n_late: 0, is_idle: false },
        model: ModelKind::NAMES[0].into(),
        lsnr_db: Some(11.4),
        slots: [slot_a(), SlotView::default()],
        latency: Some(Latency::new(2, LatencyMode::Safe, &Plan::new(48e3).unwrap())),
        presets: view_model::Presets {
            factory: presets::factory().into_iter().map(|preset| preset.name).collect(),
            own: vec!["Studio B, air conditioning".into()],
            current: Some("Podcast".into()),
            edited: true,
        },
        process: Process {
            version: "0.1.0".into(),
            n_instances: 3,
            workers: vec![(Device::Native.name(), 3)],
        },
        ..ViewModel::default()
    };
    show(&mac(14, 5), &mut view_model);
    voice_in_noise(&mut view_model);
    view_model.input.advance(&[0.25, 0.21], 0.033);
    view_model.output.advance(&[0.14, 0.11], 0.033);
    view_model
}

/// A computer and its libtorch.
fn facts(system: System, torch: Result<TorchFacts, String>) -> Facts {
    Facts { system, torch }
}

/// The libtorch of a Mac with a GPU.
fn torch_of_a_mac(has_mps: bool) -> TorchFacts {
    let probe = |works: bool| Probe {
        built: works.into(),
        available: works.into(),
        complex: works.into(),
        n_devices: works.into(),
    };
    TorchFacts {
        version: "2.11.0".into(),
        pack: "libtorch 2.11.0".into(),
        cpu: (probe(true), None),
        mps: (probe(has_mps), None),
        cuda: (probe(false), None),
        mps_fallback: false,
    }
}

/// A Mac of this version.
fn mac(major: u32, minor: u32) -> Facts {
    let version = Version::new(major, minor);
    facts(System::MacOs { version, apple_silicon: true }, Ok(torch_of_a_mac(major >= 14)))
}

/// Linux without libtorch.
pub fn without_torch() -> Facts {
    facts(System::Linux, Err("no torch runtime pack is installed: run `tacet torch install`".into()))
}

/// Shows a computer.
pub fn show(facts: &Facts, view_model: &mut ViewModel) {
    let assessed = device::list(facts, None);
    let is_mac = matches!(facts.system, System::MacOs { .. });
    // The level of this machine's own processor would differ from picture to picture.
    let cpu: String = if is_mac { "NEON" } else { "AVX-512" }.into();
    let mps_fallback = is_mac.then_some(false);
    if !view_model.slots[0].detail.is_empty() {
        view_model.slots[0].detail = format!("{cpu} · 32-bit");
    }
    view_model.system = view_model::System { cpu, mps_fallback, ..system::system(facts, &assessed) };
    for slot in &mut view_model.slots {
        slot.devices = system::devices(&assessed);
    }
}

/// The device of slot B.
pub const TORCH_MPS: Device = Device::Torch(tacet::engine::torch::TorchDevice::Mps);

/// Slot A: the native engine, well measured.
pub fn slot_a() -> SlotView {
    SlotView {
        state: DeviceState::Live(Device::Native),
        detail: "AVX-512 · 32-bit".into(),
        summaries: measured(StepTimings { upload_us: 0.0, compute_us: 412.0, download_us: 0.0 }, 38.0, 0),
        ..SlotView::default()
    }
}

/// Runs a slot on a GPU that is slower and transfers.
pub fn run_on_gpu(slot: &mut SlotView) {
    *slot = SlotView {
        devices: std::mem::take(&mut slot.devices),
        state: DeviceState::Live(TORCH_MPS),
        detail: "real_one_step".into(),
        has_transfers: true,
        summaries: measured(StepTimings { upload_us: 64.0, compute_us: 3480.0, download_us: 131.0 }, 51.0, 3),
        probe_us: Some(162.0),
    };
}

/// Summaries of hops around `typical`, with the tail that real ones have; `n_missed` of them late.
fn measured(typical: StepTimings, queue_us: f32, n_missed: u64) -> [tacet::lab::Summary; 3] {
    let mut statistics = Statistics::default();
    let mut random = Random(7);
    for i in 0..3_000u64 {
        // About log-normal; the first hops are cold.
        let spread = |random: &mut Random| (0.09 * normal(random)).exp();
        let cold = if i < 50 { 1.0 + 2.0 / (1.0 + i as f32 / 8.0) } else { 1.0 };
        let missed = i % 1000 == 999 && i / 1000 < n_missed;
        let tail = if missed { 4.2 } else { cold };
        statistics.push(HopTiming {
            pushed_us: i * 10_000,
            queue_us: queue_us * spread(&mut random) * spread(&mut random),
            step: StepTimings {
                upload_us: typical.upload_us * spread(&mut random),
                compute_us: typical.compute_us * spread(&mut random) * tail,
                download_us: typical.download_us * spread(&mut random),
            },
            missed,
        });
    }
    Phase::EACH.map(|phase| statistics.summary(phase))
}

/// Nothing is active yet: the plugin was just inserted.
pub fn inactive() -> ViewModel {
    let order = in_order();
    let mut view_model = ViewModel {
        model: order.model,
        presets: view_model::Presets { edited: false, ..order.presets },
        process: Process { n_instances: 1, workers: Vec::new(), ..order.process },
        ..ViewModel::default()
    };
    show(&mac(14, 5), &mut view_model);
    view_model
}

/// A Mac with a system too old for complex numbers on its GPU.
pub fn macos_13() -> ViewModel {
    let mut view_model = in_order();
    show(&mac(13, 6), &mut view_model);
    view_model
}

/// The standalone's devices.
pub fn audio() -> Audio {
    Audio {
        backend: "ALSA".into(),
        inputs: vec!["Built-in microphone".into(), "Scarlett 2i2, input 1".into()],
        input: Some("Scarlett 2i2, input 1".into()),
        outputs: vec!["Headphones".into(), "Scarlett 2i2".into()],
        output: Some("Headphones".into()),
        n_period_samples: 256,
        device_latency_ms: Some(16.0),
        n_xruns: Some(2),
        is_muted: false,
    }
}

/// Nearly a normal number: mean 0, deviation 1.
fn normal(random: &mut Random) -> f32 {
    (0..12).map(|_| random.share()).sum::<f32>() - 6.0
}

/// Fills the trace with a synthetic voice in the noise of a fan, and what a good denoiser makes of it.
fn voice_in_noise(view_model: &mut ViewModel) {
    let (mut voice, mut noise) = (Voice::default(), Fan::default());
    let mut analyses = [Analysis::new(), Analysis::new()];
    let mut spectra = [SILENT_SPECTRUM; 2];
    let mut masking = [0.0; N_BINS];
    for hop in 0..N_COLUMNS {
        let samples: [[f32; HOP]; 2] = [
            std::array::from_fn(|i| voice.next((hop * HOP + i) as f32 / 48e3)),
            std::array::from_fn(|i| noise.next((hop * HOP + i) as f32 / 48e3)),
        ];
        for ((analysis, samples), spectrum) in analyses.iter_mut().zip(&samples).zip(&mut spectra) {
            analysis.process(samples, spectrum);
        }
        let (mut input, mut output) = ([0.0; N_BINS], [0.0; N_BINS]);
        for bin in 0..N_BINS {
            let (voice, noise) = (spectra[0][bin].norm_sqr(), spectra[1][bin].norm_sqr());
            // A Wiener gain that is not quite sure of itself, and never below the limit of 24 dB.
            masking[bin] = 0.6 * masking[bin] + 0.4 * (voice / (voice + 1.4 * noise + 1e-12));
            let gain = masking[bin].max(0.063);
            input[bin] = voice + noise;
            output[bin] = (voice + noise) * gain * gain;
        }
        view_model.trace.push(&input, &output);
    }
}

/// Vowels by pulses through three resonators, hisses by noise through one, in words with pauses.
struct Voice {
    random: Random,
    phase: f32,
    tilt: f32,
    formants: [Resonator; 4],
    hiss: Resonator,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            random: Random(3),
            phase: 0.0,
            tilt: 0.0,
            formants: Default::default(),
            hiss: Resonator::default(),
        }
    }
}

impl Voice {
    fn next(&mut self, t: f32) -> f32 {
        let Syllable { voiced, hissed, pitch_hz, formants_hz } = syllable(t);
        self.phase += pitch_hz / 48e3;
        let pulse = if self.phase >= 1.0 { 1.0 } else { 0.0 };
        self.phase = self.phase.fract();
        // The glottis falls by 12 dB an octave, the lips give 6 back.
        self.tilt = 0.94 * self.tilt + pulse;
        let breath = 0.004 * normal(&mut self.random);
        let source = (self.tilt - 0.3 + breath) * voiced;
        let widths_hz = [70.0, 90.0, 140.0, 260.0];
        let levels = [1.0, 0.55, 0.3, 0.16];
        let vowel: f32 =
            (0..4).map(|i| levels[i] * self.formants[i].next(source, formants_hz[i], widths_hz[i])).sum();
        let hiss = self.hiss.next(normal(&mut self.random) * hissed, 6_800.0, 4_000.0);
        0.035 * vowel + 0.012 * hiss
    }
}

/// A fan: noise that falls with frequency, and its hum.
struct Fan {
    random: Random,
    poles: [f32; 2],
}

impl Default for Fan {
    fn default() -> Self {
        Self { random: Random(11), poles: [0.0; 2] }
    }
}

impl Fan {
    fn next(&mut self, t: f32) -> f32 {
        let white = normal(&mut self.random);
        self.poles[0] = 0.997 * self.poles[0] + 0.05 * white;
        self.poles[1] = 0.93 * self.poles[1] + 0.1 * white;
        let hum = [(100.0, 0.004), (200.0, 0.0015), (300.0, 0.001)];
        let hum: f32 = hum.iter().map(|(hz, level)| level * (std::f32::consts::TAU * hz * t).sin()).sum();
        0.006 * self.poles[0] + 0.006 * self.poles[1] + 0.0006 * white + hum
    }
}

/// Two poles: a peak at a frequency, of a width.
#[derive(Default)]
struct Resonator {
    past: [f32; 2],
}

impl Resonator {
    fn next(&mut self, source: f32, hz: f32, width_hz: f32) -> f32 {
        let radius = (-std::f32::consts::PI * width_hz / 48e3).exp();
        let turn = 2.0 * radius * (std::f32::consts::TAU * hz / 48e3).cos();
        let out = (1.0 - radius) * 6.0 * source + turn * self.past[0] - radius * radius * self.past[1];
        self.past = [out, self.past[0]];
        out
    }
}
