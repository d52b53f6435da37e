//! The panel of a virtual microphone: `tacet mic --panel` runs this program, and the plugin's processor plays between the
//! streams of `tacet_mic`.
//!
//! The framework runs the plugin without devices; nothing of what it plays is heard. The panel's parameters and those that
//! `tacet mic set` changes are kept alike by a thread of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nice_plug::prelude::nice_export_standalone_with_args;
use parking_lot::Mutex;
use tacet::latency::Latency;
use tacet::meters::Meters;
use tacet::panel::view_model::Audio;
use tacet::parameters::ParamId;
use tacet::params::presets::{OfParams as _, PresetValue, PresetValues};
use tacet::plugin::Tacet;
use tacet::plugin::shared::Shared;
use tacet::plugin::window::audio::{self, AudioHost, Chosen, Memory};
use tacet::processor::Processor;
use tacet_mic::memory::Handover;
use tacet_mic::run::{Handle, Listener};
use tacet_mic::settings::Settings;
use tacet_mic::sound::{Sound, with_block};
use tacet_mic::{Direction, Options, run_with};

use super::played::Played;

/// Between two looks at the parameters on both sides.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the end of the streams is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Samples of the framework's blocks, which nobody hears.
const PERIOD_SAMPLES: u32 = 1024;
/// The panel's name for the source or sink that is the default one.
const DEFAULT_TARGET: &str = "Default, whichever that is";

/// The running microphone, to be ended when the program is.
static RUNNING: Mutex<Option<Handle>> = Mutex::new(None);

/// Ends the microphone where one runs, so that nothing is left behind. Called once.
pub fn end() {
    let handle = RUNNING.lock().take();
    if let Some(handle) = handle {
        handle.stop();
        let mut waited = Duration::ZERO;
        // The thread that runs it releases the settings last.
        while !IS_OVER.load(Relaxed) && waited < PATIENCE {
            thread::sleep(PAUSE / 5);
            waited += PAUSE / 5;
        }
    }
}

/// Whether the microphone has ended.
static IS_OVER: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

impl Sound for Played {
    fn process(&mut self, channels: &mut [Vec<f32>], n_samples: usize, _: &Settings) {
        with_block(channels, n_samples, |block| self.process(block, false));
    }

    fn reset(&mut self) {
        self.processor.reset();
    }

    fn n_channels(&self) -> usize {
        self.processor.setup().n_channels
    }

    fn latency(&self) -> Latency {
        *self.processor.latency()
    }

    fn meters(&self) -> Arc<Meters> {
        self.shared.meters.clone()
    }
}

/// The program around the plugin.
struct Host {
    options: Options,
    settings: Arc<Settings>,
    handle: Handle,
    scale: f64,
}

impl AudioHost for Host {
    fn devices(&self) -> Audio {
        let own = self.options.direction.title().to_owned();
        let other = self.options.target.clone().unwrap_or_else(|| DEFAULT_TARGET.to_owned());
        let (input, output) = match self.options.direction {
            Direction::Microphone => (other, own),
            Direction::Speakers => (own, other),
        };
        Audio {
            backend: "PipeWire".into(),
            inputs: vec![input.clone()],
            input: Some(input),
            outputs: vec![output.clone()],
            output: Some(output),
            n_period_samples: self.options.block_samples as usize,
            // The streams share the devices' cycle.
            device_latency_ms: Some(self.options.block_samples as f32 / 48.0),
            ..Audio::default()
        }
    }

    fn memory(&self) -> Memory {
        let extras = serde_json::from_value(self.options.window.clone()).ok();
        Memory { values: self.settings.to_values(), extras }
    }

    fn remember(&self, memory: &Memory) {
        let mut remembered = self.options.remembered(&self.settings);
        remembered.values = memory.values.clone();
        remembered.window = serde_json::to_value(&memory.extras).unwrap_or_default();
        // A full disk is no reason to end: the next run begins with what was written last.
        let _ = remembered.write(self.options.direction);
    }

    fn is_headless(&self) -> bool {
        false
    }

    fn n_xruns(&self) -> Option<u64> {
        Some(self.settings.n_lost.load(Relaxed))
    }

    fn scale(&self) -> f32 {
        self.scale as f32
    }

    fn play(&self, processor: Processor, shared: &Arc<Shared>) -> Option<Processor> {
        self.handle.play(Box::new(Played { processor, shared: shared.clone() }));
        None
    }

    fn restart(&self, _: Chosen, _: &PresetValues) -> io::Error {
        io::Error::other(
            "choose the default in the system's sound settings, or another with `tacet mic --input NAME`",
        )
    }
}

/// Shows the microphone's messages, in the terminal and on the panel.
struct Told(Sender<Handle>);

impl Listener for Told {
    fn started(&mut self, handle: Handle) {
        let _ = self.0.send(handle);
    }

    fn say(&mut self, text: &str) {
        eprintln!("{text}");
    }

    fn problem(&mut self, problem: Option<&str>) {
        audio::set_fault(problem.map(str::to_owned));
    }
}

/// Opens the window and the streams as they were handed over; returns when the window is closed.
///
/// # Errors
/// The handed-over options cannot be read, another microphone runs, or PipeWire is not there.
pub fn run(handover: &str, scale: f64) -> Result<()> {
    let Handover { speakers, remembered } =
        serde_json::from_str(handover).context("--microphone is for `tacet mic --panel`")?;
    let direction = if speakers { Direction::Speakers } else { Direction::Microphone };
    let options = Options::from_remembered(direction, &remembered);
    let settings = Arc::new(Settings::default());
    settings.restore(&remembered.values);
    let (started, handles) = channel();
    let microphone = thread::Builder::new().name("tacet mic".into()).spawn({
        let (options, settings) = (options.clone(), settings.clone());
        move || {
            let ended = run_with(&options, settings, &mut Told(started));
            IS_OVER.store(true, Relaxed);
            ended
        }
    })?;
    let Ok(handle) = handles.recv() else {
        // It did not begin.
        return match microphone.join() {
            Ok(ended) => ended.with_context(|| format!("`{} --panel`", direction.command())),
            Err(_) => bail!("the microphone ended"),
        };
    };
    *RUNNING.lock() = Some(handle.clone());
    let n_channels = options.n_channels;
    audio::set_host(Box::new(Host { options, settings: settings.clone(), handle, scale }));
    thread::Builder::new().name("tacet settings".into()).spawn(move || keep_alike(&settings))?;
    let arguments = [
        "tacet",
        "--backend",
        "dummy",
        "--audio-layout",
        &super::layout(n_channels),
        "--sample-rate",
        "48000",
        "--period-size",
        &PERIOD_SAMPLES.to_string(),
    ];
    let is_fine = nice_export_standalone_with_args::<Tacet, _>(arguments.map(str::to_owned));
    end();
    anyhow::ensure!(is_fine, "the window could not be opened; `{}` works without", direction.command());
    Ok(())
}

/// The parameters of one side.
#[derive(Clone, PartialEq)]
struct Side {
    values: PresetValues,
    is_bypassed: bool,
    is_muted: bool,
}

impl Side {
    fn of_settings(settings: &Settings) -> Self {
        Self {
            values: settings.to_values(),
            is_bypassed: settings.is_bypassed.load(Relaxed),
            is_muted: settings.is_muted.load(Relaxed),
        }
    }

    fn of_panel(shared: &Shared, settings: &Settings) -> Self {
        // Only the parameters that the other side has, too.
        let all = PresetValues::of_program(&shared.params);
        let known = settings.to_values();
        let bypass = shared.params.param(ParamId::Bypass);
        Self {
            values: all
                .iter()
                .filter(|(id, _)| known.get(*id).is_some())
                .map(|(id, value)| (id, value.clone()))
                .collect(),
            is_bypassed: bypass.value() > 0.5,
            is_muted: shared.is_muted.load(Relaxed),
        }
    }

    fn to_settings(&self, settings: &Settings) {
        settings.restore(&self.values);
        settings.is_bypassed.store(self.is_bypassed, Relaxed);
        settings.is_muted.store(self.is_muted, Relaxed);
    }

    fn to_panel(&self, shared: &Shared) {
        self.values.start(&shared.params);
        PresetValues::from_iter([(ParamId::Bypass, PresetValue::Switch(self.is_bypassed))])
            .start(&shared.params);
        shared.is_muted.store(self.is_muted, Relaxed);
    }
}

/// Carries what is changed on one side over to the other, and has it remembered; until the program ends.
fn keep_alike(settings: &Settings) {
    let mut last: Option<(Side, Side)> = None;
    let mut remembered = None;
    loop {
        thread::sleep(PAUSE);
        let (Some(shared), Some(status)) = (audio::instance(), audio::status()) else { continue };
        let (here, there) = (Side::of_settings(settings), Side::of_panel(&shared, settings));
        match &last {
            Some((before, _)) if *before != here => here.to_panel(&shared),
            Some((_, before)) if *before != there => there.to_settings(settings),
            None => there.to_settings(settings),
            Some(_) => {}
        }
        // As each side writes them: steps of parameters may round.
        last = Some((Side::of_settings(settings), Side::of_panel(&shared, settings)));
        if remembered.as_ref() != Some(&status.memory) {
            audio::remember(&status.memory);
            remembered = Some(status.memory);
        }
    }
}
