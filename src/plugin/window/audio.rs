//! The standalone's audio devices on the panel; a host has none of this.
//!
//! The program that runs the plugin in a window of its own names itself here before the window opens. The plugin does not
//! know it.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::super::shared::Shared;
use crate::panel::text;
use crate::panel::view_model::Audio;
use crate::params::extras::Extras;
use crate::params::presets::{OfParams as _, PresetValues};
use crate::processor::Processor;

/// A device chosen in the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The sound comes from here.
    Input(String),
    /// The sound goes here.
    Output(String),
}

/// State that a program of its own remembers between runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The parameters.
    pub values: PresetValues,
    /// The window's size and what the panel remembers.
    pub extras: Option<Extras>,
}

/// A program that runs the plugin and opens the audio devices itself.
pub trait AudioHost: Send + Sync {
    /// The devices in use, and those to choose from.
    fn devices(&self) -> Audio;

    /// The remembered state, overruled by the program's options.
    fn memory(&self) -> Memory;

    /// Remembers it for the next run.
    fn remember(&self, memory: &Memory);

    /// Whether the output begins muted.
    fn is_muted(&self) -> bool {
        false
    }

    /// Whether there is to be no window.
    fn is_headless(&self) -> bool;

    /// Buffers that the audio system lost since the start, if it reports them.
    fn n_xruns(&self) -> Option<u64>;

    /// Scale of the window, over the system's.
    fn scale(&self) -> f32;

    /// Takes a processor, to play it on a thread of its own; comes back where the framework is to play it.
    fn play(&self, processor: Processor, shared: &Arc<Shared>) -> Option<Processor>;

    /// Begins again with another device and these parameters. Returns only where that is not possible, with the reason.
    fn restart(&self, chosen: Chosen, values: &PresetValues) -> io::Error;
}

static HOST: OnceLock<Box<dyn AudioHost>> = OnceLock::new();

/// Names the program that runs the plugin. The first call lasts: a process is one program.
pub fn set_host(host: Box<dyn AudioHost>) {
    let _ = HOST.set(host);
}

/// The program that runs the plugin in a window of its own; `None` in a host.
pub(in crate::plugin) fn host() -> Option<&'static dyn AudioHost> {
    HOST.get().map(|host| &**host)
}

/// Has the program that runs the plugin remember this. A window does not call it: there may be none.
pub fn remember(memory: &Memory) {
    if let Some(host) = host() {
        host.remember(memory);
    }
}

/// The program's one instance, if it lives.
pub fn instance() -> Option<Arc<Shared>> {
    INSTANCE.lock().upgrade()
}

/// The program's one instance.
static INSTANCE: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// An instance was made: in a program of its own it begins with what that remembers.
pub(in crate::plugin) fn created(shared: &Arc<Shared>) {
    let Some(host) = host() else { return };
    let memory = host.memory();
    shared.is_muted.store(host.is_muted(), Relaxed);
    memory.values.start(&shared.params);
    if let (Some(remembered), Ok(mut extras)) = (memory.extras, shared.params.extras.write()) {
        *extras = remembered;
    }
    *INSTANCE.lock() = Arc::downgrade(shared);
}

/// How the program's instance does.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Blocks processed so far; it stands still while no audio system calls.
    pub n_blocks: u64,
    /// Rate, latency and late hops, for people.
    pub text: String,
    /// Late hops so far.
    pub n_late: u64,
    /// Buffers that the audio system lost so far.
    pub n_lost: u64,
    /// Whether the input is digital silence.
    pub is_silent: bool,
    /// Parameters and window, to begin again with.
    pub memory: Memory,
}

/// How the program's instance does; `None` before there is one.
pub fn status() -> Option<Status> {
    let shared = INSTANCE.lock().upgrade()?;
    let slot = &shared.meters.slots[0];
    let n_late = slot.n_late.load(Relaxed) + slot.n_dropped.load(Relaxed);
    let latency = *shared.latency.lock();
    let text = latency.map_or_else(
        || "waiting for audio".to_owned(),
        |latency| {
            format!(
                "{}, latency {}, {} late of {} hops",
                text::rate(latency.rate_hz),
                text::latency(latency.total_samples, latency.rate_hz),
                text::grouped(n_late),
                text::grouped(slot.n_requests.load(Relaxed))
            )
        },
    );
    let memory = Memory {
        values: PresetValues::of_program(&shared.params),
        extras: shared.params.extras.read().ok().map(|extras| extras.clone()),
    };
    Some(Status {
        n_blocks: shared.n_blocks.load(Relaxed),
        text,
        n_late,
        n_lost: host().and_then(|host| host.n_xruns()).unwrap_or(0),
        is_silent: shared.meters.is_idle.load(Relaxed),
        memory,
    })
}

/// The problem with the audio devices, for the panel.
static FAULT: Mutex<Option<String>> = Mutex::new(None);

/// Says what is wrong with the audio devices and what is done about it; `None` once nothing is.
pub fn set_fault(fault: Option<String>) {
    *FAULT.lock() = fault;
}

/// The problem with the audio devices.
pub(super) fn fault() -> Option<String> {
    FAULT.lock().clone()
}
