//! Fixed contents for the panel: parameters as plain values, made-up measurements, and a synthetic voice in noise.

use egui_kittest::{Harness, HarnessBuilder};
use tacet::engine::StepTimings;
use tacet::frame::SILENT_SPECTRUM;
use tacet::lab::{HopTiming, Phase, Statistics};
use tacet::model::{HOP, N_BINS};
use tacet::panel::{
    Panel, Settings,
    controls::{Action, PanelParams, ParamId},
    theme,
    trace::N_COLUMNS,
    view_model::{
        Audio, Device, LatencyTerms, Presets, Process, Slot, SlotState, Stream, System, ViewModel, Warning,
    },
};
use tacet::stft::Analysis;

use crate::voice::{Syllable, syllable};

/// What happened to the parameters, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Begin(ParamId),
    Set(ParamId, f32),
    End(ParamId),
    Did(Action),
}

/// Parameters as plain values, and a record of what was done to them.
#[derive(Default)]
pub struct Values {
    changed: Vec<(ParamId, f32)>,
    pub events: Vec<Event>,
}

/// Least and largest value, default, unit, decimals; for choices their names.
struct Kind {
    min: f32,
    max: f32,
    default: f32,
    unit: &'static str,
    decimals: usize,
    choices: &'static [&'static str],
}

fn kind(id: ParamId) -> Kind {
    let continuous =
        |min, max, default, unit, decimals| Kind { min, max, default, unit, decimals, choices: &[] };
    let choice = |choices: &'static [&'static str], default: usize| Kind {
        min: 0.0,
        max: (choices.len() - 1) as f32,
        default: default as f32,
        unit: "",
        decimals: 0,
        choices,
    };
    match id {
        ParamId::Limit => continuous(0.0, 100.0, 100.0, "dB", 1),
        ParamId::Mix => continuous(0.0, 100.0, 100.0, "%", 0),
        ParamId::PostFilter => continuous(0.0, 0.05, 0.0, "", 3),
        ParamId::Output => continuous(-24.0, 24.0, 0.0, "dB", 1),
        ParamId::MinSnr => continuous(-15.0, 35.0, -15.0, "dB", 1),
        ParamId::MaxErb | ParamId::MaxDf => continuous(-15.0, 35.0, 35.0, "dB", 1),
        ParamId::Listen => choice(&["Denoised", "Removed", "A", "B"], 0),
        ParamId::Link => choice(&["None", "Max", "Mean"], 2),
        ParamId::Bypass | ParamId::Compare => choice(&["Off", "On"], 0),
        ParamId::LatencyMode => choice(&["Lowest", "Safe"], 1),
        ParamId::Model => choice(&["DeepFilterNet3", "DeepFilterNet3 LL"], 0),
        ParamId::DeviceA => choice(&["Native CPU", "Torch CPU", "Torch MPS", "Torch CUDA"], 0),
        ParamId::DeviceB => choice(&["Native CPU", "Torch CPU", "Torch MPS", "Torch CUDA"], 2),
    }
}

impl Values {
    /// Sets a parameter to a value in its unit, without a gesture.
    pub fn with(mut self, id: ParamId, plain: f32) -> Self {
        let Kind { min, max, .. } = kind(id);
        self.store(id, (plain - min) / (max - min));
        self
    }

    /// A parameter's value in its unit.
    pub fn get(&self, id: ParamId) -> f32 {
        self.plain(id, self.value(id))
    }

    fn store(&mut self, id: ParamId, value: f32) {
        self.changed.retain(|(changed, _)| *changed != id);
        self.changed.push((id, value));
    }
}

impl PanelParams for Values {
    fn value(&self, id: ParamId) -> f32 {
        self.changed
            .iter()
            .find(|(changed, _)| *changed == id)
            .map_or_else(|| self.default_value(id), |c| c.1)
    }

    fn default_value(&self, id: ParamId) -> f32 {
        let Kind { min, max, default, .. } = kind(id);
        (default - min) / (max - min)
    }

    fn begin(&mut self, id: ParamId) {
        self.events.push(Event::Begin(id));
    }

    fn set(&mut self, id: ParamId, value: f32) {
        self.events.push(Event::Set(id, value));
        self.store(id, value);
    }

    fn end(&mut self, id: ParamId) {
        self.events.push(Event::End(id));
    }

    fn text(&self, id: ParamId, value: f32) -> String {
        let Kind { unit, decimals, choices, .. } = kind(id);
        let plain = self.plain(id, value);
        if let Some(choice) = choices.get(plain.round() as usize).filter(|_| !choices.is_empty()) {
            return (*choice).into();
        }
        let number = format!("{plain:.decimals$}").replace('-', "−");
        if unit.is_empty() { number } else { format!("{number} {unit}") }
    }

    fn parse(&self, id: ParamId, text: &str) -> Option<f32> {
        let Kind { min, max, unit, .. } = kind(id);
        let number: f32 = text.replace('−', "-").trim().trim_end_matches(unit).trim().parse().ok()?;
        Some(((number - min) / (max - min)).clamp(0.0, 1.0))
    }

    fn plain(&self, id: ParamId, value: f32) -> f32 {
        let Kind { min, max, .. } = kind(id);
        min + value * (max - min)
    }

    fn steps(&self, id: ParamId) -> Option<usize> {
        kind(id).choices.len().checked_sub(1)
    }

    fn perform(&mut self, action: Action) {
        self.events.push(Event::Did(action));
    }
}

/// A panel with everything it needs.
pub struct Bench {
    pub panel: Panel,
    pub view_model: ViewModel,
    pub values: Values,
    pub settings: Settings,
}

impl Bench {
    pub fn new(view_model: ViewModel, values: Values, settings: Settings) -> Self {
        Self { panel: Panel::default(), view_model, values, settings }
    }
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
                bench.panel.ui(ui, &mut bench.view_model, &mut bench.values, &mut bench.settings);
            });
        },
        bench,
    )
}

/// Everything in order: a voice in noise, the native engine live, stereo at 48 kHz.
pub fn in_order() -> ViewModel {
    let mut view_model = ViewModel {
        stream: Stream { rate_hz: 48e3, n_channels: 2, n_hops: 61_204, n_late: 0, is_idle: false },
        model: "DeepFilterNet3".into(),
        lsnr_db: Some(11.4),
        slots: [slot_a(), Slot { devices: devices(None), ..Slot::default() }],
        latency: LatencyTerms {
            terms: [
                ("Resampling", 0.0),
                ("Hop collection", 480.0),
                ("Slack for inference", 480.0),
                ("Lookahead", 960.0),
                ("Overlap", 480.0),
                ("Alignment", 0.0),
            ]
            .map(|(name, samples)| (name.to_owned(), samples))
            .to_vec(),
            total_samples: 2400,
        },
        presets: Presets {
            factory: ["Podcast", "Voice-over, gentle", "Field recording", "Live microphone", "Music-safe"]
                .map(str::to_owned)
                .to_vec(),
            own: vec!["Studio B, air conditioning".into()],
            current: Some("Podcast".into()),
            edited: true,
        },
        system: System {
            os: "macOS 14.5".into(),
            cpu: "NEON".into(),
            libtorch: "2.11.0".into(),
            df_op_live: ("real_one_step".into(), "live audio needs one step and no complex tensors".into()),
            df_op_files: ("complex_strided".into(), "complex tensors work here".into()),
            mps_fallback: Some(false),
            warnings: Vec::new(),
        },
        process: Process { version: "0.1.0".into(), n_instances: 3, workers: vec![("Native CPU".into(), 3)] },
        ..ViewModel::default()
    };
    voice_in_noise(&mut view_model);
    view_model.input.advance(&[0.25, 0.21], 0.033);
    view_model.output.advance(&[0.14, 0.11], 0.033);
    view_model
}

/// All devices; `why_not` those that cannot be had.
pub fn devices(why_not: Option<&[(usize, &str)]>) -> Vec<Device> {
    ["Native CPU", "Torch CPU", "Torch MPS", "Torch CUDA"]
        .into_iter()
        .enumerate()
        .map(|(i, name)| Device {
            name: name.into(),
            why_not: why_not
                .unwrap_or(&[(3, "This libtorch is built without CUDA. Use Torch CPU.")])
                .iter()
                .find(|(of, _)| *of == i)
                .map(|(_, why)| (*why).into()),
        })
        .collect()
}

/// Slot A: the native engine, well measured.
pub fn slot_a() -> Slot {
    Slot {
        devices: devices(None),
        state: SlotState::Live,
        detail: "AVX-512 · f32".into(),
        has_transfers: false,
        summaries: measured(StepTimings { upload_us: 0.0, compute_us: 412.0, download_us: 0.0 }, 38.0, 0),
        probe_us: None,
    }
}

/// Slot B: a GPU that is slower and transfers.
pub fn slot_b() -> Slot {
    Slot {
        devices: devices(None),
        state: SlotState::Live,
        detail: "real_one_step".into(),
        has_transfers: true,
        summaries: measured(StepTimings { upload_us: 64.0, compute_us: 3480.0, download_us: 131.0 }, 51.0, 3),
        probe_us: Some(162.0),
    }
}

/// Summaries of hops around `typical`, with the tail that real ones have; `n_missed` of them late.
fn measured(typical: StepTimings, queue_us: f32, n_missed: u64) -> [tacet::lab::Summary; 3] {
    let mut statistics = Statistics::default();
    let mut random = Random(7);
    for i in 0..3_000u64 {
        // About log-normal; the first hops are cold.
        let spread = |random: &mut Random| (0.09 * random.normal()).exp();
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
    ViewModel {
        model: order.model,
        slots: std::array::from_fn(|_| Slot { devices: devices(None), ..Slot::default() }),
        presets: Presets { edited: false, ..order.presets },
        system: order.system,
        process: Process { n_instances: 1, workers: Vec::new(), ..order.process },
        ..ViewModel::default()
    }
}

/// A Mac with a system too old for complex tensors on its GPU.
pub fn macos_13() -> ViewModel {
    let mut view_model = in_order();
    let why = "MPS needs macOS 14.0 with this libtorch (2.11.0); this is macOS 13.6. Update macOS, or use Native CPU.";
    for slot in &mut view_model.slots {
        slot.devices = devices(Some(&[
            (2, why),
            (3, "CUDA needs an NVIDIA GPU, which Macs do not have. Use Native CPU."),
        ]));
    }
    view_model.slots[0].detail = "NEON · f32".into();
    view_model.system = System {
        os: "macOS 13.6".into(),
        df_op_files: ("real_unfold".into(), "macOS 13.6 has no complex tensors on MPS".into()),
        warnings: vec![Warning {
            title: "macOS 13.6: complex tensors on MPS need macOS 14.".into(),
            meaning: "Live audio is not affected: it runs the real one-step path. Files use real_unfold, a little slower."
                .into(),
            next_step: "Update to macOS 14 to use MPS, or stay with Native CPU, which is usually faster in time.".into(),
        }],
        ..view_model.system
    };
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
    }
}

/// A generator of even and normal numbers, the same on every machine.
struct Random(u32);

impl Random {
    /// 0..1.
    fn even(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32
    }

    /// Mean 0, deviation 1, nearly.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.even()).sum::<f32>() - 6.0
    }
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
        let breath = 0.004 * self.random.normal();
        let source = (self.tilt - 0.3 + breath) * voiced;
        let widths_hz = [70.0, 90.0, 140.0, 260.0];
        let levels = [1.0, 0.55, 0.3, 0.16];
        let vowel: f32 =
            (0..4).map(|i| levels[i] * self.formants[i].next(source, formants_hz[i], widths_hz[i])).sum();
        let hiss = self.hiss.next(self.random.normal() * hissed, 6_800.0, 4_000.0);
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
        let white = self.random.normal();
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
