//! The plugin as the framework sees it, for every format: [`clap`] is what hosts of CLAP and the Audio Unit load, [`vst3`]
//! plays the CLAP to hosts of VST3.
//!
//! Glue only. [`Tacet::activate`] builds a [`Processor`] on the main thread, [`Tacet::process`] hands it the block and a
//! snapshot of the parameters, and whatever takes time goes to [`shared::Shared`] on the [background
//! thread](BackgroundThread). Creating an instance touches neither weights nor threads: a scan costs nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nice_plug::prelude::*;
use tacet_model::ModelKind;
use tacet_realtime::background::BackgroundThread;

use crate::device::Device;
use crate::inference::native::{self, Playable};
use crate::latency::LatencyMode;
use crate::live::OPEN_PATIENCE;
use crate::params::state;
use crate::processor::resample::Plan;
use crate::processor::{Processor, Setup};

mod accessibility;
pub mod clap;
#[cfg(target_os = "linux")]
mod drawing;
mod host_keys;
#[cfg(target_os = "linux")]
mod keyboard_focus;
mod preferences;
pub mod shared;
pub mod variant;
#[cfg(target_os = "linux")]
mod visibility;
pub mod vst3;
pub mod window;

use shared::Shared;

/// One instance.
pub struct Tacet {
    shared: Arc<Shared>,
    processor: Option<Processor>,
    /// The setup of the processor: here, or played elsewhere by the program around the plugin.
    setup: Option<Setup>,
    /// The model that the processor is built for.
    model: ModelKind,
    /// The model that was asked for then: the other one, where that cannot be played.
    wanted_model: ModelKind,
    /// Whether the host says that it renders offline. Nothing but the patience of waits depends on it.
    is_offline: bool,
    /// Sees to what the audio thread may not do; from the first activation on.
    background: Option<Arc<BackgroundThread>>,
    /// The devices that the background thread knows of.
    devices: (Device, Option<Device>),
    /// Mode and model for which a restart has been asked; hosts that do not restart are not asked again.
    asked: Option<(LatencyMode, ModelKind)>,
}

impl Default for Tacet {
    fn default() -> Self {
        let shared = Shared::create();
        window::audio::created(&shared);
        Self {
            shared,
            processor: None,
            setup: None,
            model: ModelKind::DeepFilterNet3,
            wanted_model: ModelKind::DeepFilterNet3,
            is_offline: false,
            background: None,
            devices: (Device::Native, None),
            asked: None,
        }
    }
}

impl Drop for Tacet {
    fn drop(&mut self) {
        // The last stream takes its worker with it, before the host may unload this library.
        self.processor = None;
        self.shared.disconnect();
    }
}

impl Tacet {
    /// State shared with panel and background thread.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Asks for a restart where mode or model differ from what is in force, once per choice.
    fn ask_for_restart(&mut self, context: &mut impl ProcessContext<Self>) {
        let Some(setup) = &self.setup else { return };
        let wanted = (self.shared.params.latency_mode(), self.shared.params.model());
        let in_force = (setup.mode, self.wanted_model);
        if wanted == in_force {
            self.asked = None;
        } else if self.asked != Some(wanted) {
            self.asked = Some(wanted);
            context.request_restart();
        }
    }
}

impl Plugin for Tacet {
    const NAME: &'static str = "Tacet";
    const VENDOR: &'static str = "Tacet contributors";
    const URL: &'static str = "https://tacet.audio";
    const EMAIL: &'static str = "hello@tacet.audio";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = variant::LAYOUTS;
    /// Blocks are split where parameters change: what is rendered does not depend on the host's blocks.
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;

    type Editor = window::Editor;
    type SysExMessage = ();
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.shared.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        let is_headless = window::audio::host().is_some_and(|host| host.is_headless());
        if is_headless { None } else { window::editor(&self.shared) }
    }

    fn filter_state(state: &mut PluginState) {
        state::tidy(state);
    }

    fn activate(
        &mut self,
        layout: &AudioIOLayout,
        buffer: &BufferConfig,
        _context: &mut impl ActivateContext<Self>,
    ) -> bool {
        let n_channels = layout.main_input_channels.map_or(0, NonZeroU32::get) as usize;
        let Some(plan) = Plan::new(f64::from(buffer.sample_rate)) else { return false };
        if !(1..=crate::meters::N_CHANNELS).contains(&n_channels) {
            return false;
        }
        let wanted_model = self.shared.params.model();
        let Ok(Playable { model, lookahead_hops, .. }) = native::playable(wanted_model) else { return false };
        let setup = Setup { plan, n_channels, lookahead_hops, mode: self.shared.params.latency_mode() };
        if self.setup.as_ref() == Some(&setup) && self.model == model {
            self.reset();
        } else {
            // The new streams join before the old ones leave, so that workers and weights stay.
            let inbox = self.shared.connect(model, n_channels, OPEN_PATIENCE);
            let Ok(processor) = Processor::new(setup, inbox, self.shared.meters.clone()) else {
                return false;
            };
            // Told to the host by whoever activates: the framework would ask for another activation.
            *self.shared.latency.lock() = Some(*processor.latency());
            let kept = match window::audio::host() {
                Some(host) => host.play(processor, &self.shared),
                None => Some(processor),
            };
            if let Some(before) = std::mem::replace(&mut self.processor, kept) {
                self.shared.retire(before);
            }
            self.setup = Some(setup);
            self.model = model;
        }
        if self.background.is_none() {
            // Without a thread the slots stay as they are now: the native engine plays.
            self.background = BackgroundThread::join(&self.shared).ok();
        }
        self.wanted_model = wanted_model;
        *self.shared.in_force.lock() = Some((setup.mode, self.wanted_model));
        self.is_offline = buffer.process_mode == ProcessMode::Offline;
        self.devices = self.shared.params.devices();
        self.asked = None;
        true
    }

    fn reset(&mut self) {
        if let Some(processor) = &mut self.processor
            && !self.shared.is_starting.load(Ordering::Relaxed)
        {
            processor.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer<'_>,
        aux: &mut AuxiliaryBuffers<'_>,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        self.ask_for_restart(context);
        let devices = self.shared.params.devices();
        if devices != self.devices {
            self.devices = devices;
            self.shared.signal.raise();
        }
        let Some(processor) = &mut self.processor else { return ProcessStatus::Normal };
        self.shared.n_blocks.fetch_add(1, Ordering::Relaxed);
        let n_block_samples = self.shared.n_block_samples.swap(0, Ordering::Relaxed);
        if n_block_samples > 0 {
            processor.begin_block(n_block_samples as usize, self.is_offline);
        }
        let n_channels = processor.setup().n_channels;
        let Some((heard, copies)) = buffer.as_slice().split_at_mut_checked(n_channels) else {
            return ProcessStatus::Normal;
        };
        let removed = aux.outputs.first_mut().map(|output| output.as_slice());
        let removed = removed.filter(|removed| removed.len() == n_channels);
        processor.process_split(heard, removed, &self.shared.controls(), self.is_offline);
        if let Some(first) = heard.first() {
            copies.iter_mut().for_each(|copy| copy.copy_from_slice(first));
        }
        if processor.is_idle() {
            ProcessStatus::Normal
        } else {
            ProcessStatus::Tail(processor.latency().total_samples as u32)
        }
    }

    fn setup_logger() -> Option<bool> {
        // A plugin does not write to its host's terminal; the panel says what there is to say. The standalone has a logger of its
        // own: the framework's would be in the plugin as well, unused.
        Some(false)
    }
}

impl ClapPlugin for Tacet {
    const CLAP_ID: &'static str = "audio.tacet.tacet";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Removes noise from speech in real time");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] =
        &[ClapFeature::AudioEffect, ClapFeature::Restoration, ClapFeature::Mono, ClapFeature::Stereo];

    fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        self.shared.params.remote_controls(context);
    }
}

#[cfg(test)]
mod tests;
