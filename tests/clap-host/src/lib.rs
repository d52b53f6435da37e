//! A small CLAP host, enough to load a built plugin and treat it as a workstation does: parameters, state, latency, any
//! blocks, offline or not. Everything runs on the caller's thread, but for [`AudioThread`].
//!
//! - [`soak`]: many instances for a long time, compared hop by hop with an offline render.
//! - [`signal`]: what they hear.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use clack_extensions::audio_ports_config::{AudioPortsConfigBuffer, PluginAudioPortsConfig};
use clack_extensions::gui::HostGui;
use clack_extensions::latency::{HostLatency, HostLatencyImpl, PluginLatency};
use clack_extensions::params::{ParamInfoBuffer, ParamInfoFlags, PluginParams};
use clack_extensions::remote_controls::{PluginRemoteControls, RemoteControlsPageBuffer};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::PluginState;
use clack_extensions::tail::{PluginTail, TailLength};
use clack_host::events::event_types::ParamValueEvent;
pub use clack_host::prelude::ProcessStatus;
use clack_host::prelude::*;

mod block;
mod contract;
mod file;
mod panel;
pub mod signal;
pub mod soak;

pub use file::PluginFile;

/// The library that cargo built beside the running test, or the plugin that `TACET_CLAP` names.
///
/// # Panics
/// If cargo built none: the test then lacks its subject.
pub fn library_under_test() -> PathBuf {
    std::env::var_os("TACET_CLAP").map(PathBuf::from).unwrap_or_else(|| {
        let name = format!("{}tacet{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let test = std::env::current_exe().expect("a test knows its own file");
        let found = test.ancestors().skip(1).take(2).map(|dir| dir.join(&name)).find(|path| path.is_file());
        found.unwrap_or_else(|| panic!("{name} is not beside {}: build the workspace", test.display()))
    })
}

/// Requests of the plugin to the host.
#[derive(Default)]
pub struct Requests {
    is_called_back: AtomicBool,
    n_restarts: AtomicUsize,
}

impl SharedHandler<'_> for Requests {
    fn request_restart(&self) {
        self.n_restarts.fetch_add(1, Ordering::Relaxed);
    }

    fn request_process(&self) {}

    fn request_callback(&self) {
        self.is_called_back.store(true, Ordering::Release);
    }
}

/// The main thread's part: runs nothing, receives latencies.
#[derive(Default)]
pub struct MainThread;

impl MainThreadHandler<'_> for MainThread {}

impl HostLatencyImpl for MainThread {
    fn changed(&self) {}
}

/// The host.
pub struct Handlers;

impl HostHandlers for Handlers {
    type Shared<'a> = Requests;
    type MainThread<'a> = MainThread;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<'_, Self>, _shared: &Self::Shared<'_>) {
        builder.register::<HostGui>().register::<HostLatency>();
    }
}

/// A parameter as the plugin describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The plugin's identifier.
    pub id: u32,
    /// The name for people.
    pub name: String,
    /// Least value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Value of a fresh instance.
    pub default: f64,
    /// Whether it is the host's bypass.
    pub is_bypass: bool,
    /// Whether it may be automated.
    pub is_automatable: bool,
    /// Whether the host may modulate it.
    pub is_modulatable: bool,
}

/// A parameter's new value within a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// At which sample of the block.
    pub at: u32,
    /// The parameter's identifier.
    pub id: u32,
    /// The value, in the plugin's terms.
    pub value: f64,
}

/// An instance of a plugin.
pub struct Instance {
    plugin: PluginInstance<Handlers>,
    audio: Option<StartedPluginAudioProcessor<Handlers>>,
    params: Vec<Param>,
    n_channels: usize,
    steady_time: u64,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.deactivate();
    }
}

/// The audio thread's part of an active instance.
pub struct AudioThread {
    audio: StartedPluginAudioProcessor<Handlers>,
    steady_time: u64,
}

impl AudioThread {
    /// Processes a block in place, one vector per channel, all of one length.
    ///
    /// # Errors
    /// The plugin reports an error.
    pub fn process(&mut self, block: &mut [Vec<f32>], changes: &[Change]) -> Result<ProcessStatus> {
        let n_samples = block.first().map_or(0, Vec::len) as u64;
        let mut input = block.to_vec();
        let input = (input.as_mut_slice(), false);
        let status = block::process(&mut self.audio, input, block, changes, self.steady_time)?;
        self.steady_time += n_samples;
        Ok(status)
    }

    /// Clears what the plugin remembers.
    pub fn reset(&mut self) {
        self.audio.reset();
    }
}

impl Instance {
    /// Chooses mono (1) or stereo (2). Not while active.
    ///
    /// # Errors
    /// The plugin has no such configuration.
    pub fn set_channels(&mut self, n_channels: usize) -> Result<()> {
        let extension = self.extension::<PluginAudioPortsConfig>()?;
        let handle = self.plugin.plugin_handle();
        for index in 0..extension.count(&handle) {
            let mut buffer = AudioPortsConfigBuffer::new();
            let Some(config) = extension.get(&handle, index, &mut buffer) else { continue };
            if config.main_input.is_some_and(|port| port.channel_count as usize == n_channels) {
                extension.select(&handle, config.id)?;
                self.n_channels = n_channels;
                return Ok(());
            }
        }
        bail!("no configuration has {n_channels} channels");
    }

    /// Activates and starts; what was active is stopped first.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn activate(&mut self, rate_hz: f64, max_block: u32) -> Result<()> {
        self.deactivate();
        let configuration = PluginAudioConfiguration {
            sample_rate: rate_hz,
            min_frames_count: 1,
            max_frames_count: max_block,
        };
        let stopped = self.plugin.activate(|_, _| (), configuration)?;
        self.audio = Some(stopped.start_processing().map_err(|_| anyhow::anyhow!("it does not start"))?);
        self.idle();
        Ok(())
    }

    /// Stops and starts to process, without a word about what is to be cleared.
    ///
    /// # Errors
    /// The plugin is not active, or it does not start again.
    pub fn stop_and_start(&mut self) -> Result<()> {
        let stopped = self.audio.take().context("not active")?.stop_processing();
        self.audio = Some(stopped.start_processing().map_err(|_| anyhow::anyhow!("it does not start"))?);
        Ok(())
    }

    /// Stops and deactivates.
    pub fn deactivate(&mut self) {
        if let Some(audio) = self.audio.take() {
            self.plugin.deactivate(audio.stop_processing());
        }
    }

    /// Does what the plugin wants done on the main thread.
    pub fn idle(&mut self) {
        let wants = |requests: &Requests| requests.is_called_back.swap(false, Ordering::Acquire);
        while self.plugin.access_shared_handler(wants) {
            self.plugin.call_on_main_thread_callback();
        }
    }

    /// Processes a block in place, one vector per channel, all of one length.
    ///
    /// # Errors
    /// The plugin is not active or reports an error.
    pub fn process(&mut self, block: &mut [Vec<f32>], changes: &[Change]) -> Result<ProcessStatus> {
        let audio = self.audio.as_mut().context("not active")?;
        let n_samples = block.first().map_or(0, Vec::len) as u64;
        let mut input = block.to_vec();
        let status = block::process(audio, (&mut input, false), block, changes, self.steady_time)?;
        self.steady_time += n_samples;
        self.idle();
        Ok(status)
    }

    /// Lets `audio` act on a thread of its own while `main` does here what a host's main thread may do meanwhile.
    ///
    /// # Errors
    /// The plugin is not active, or one of the two fails.
    pub fn at_once(
        &mut self,
        audio: impl FnOnce(&mut AudioThread) -> Result<()> + Send,
        main: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let mut thread = self.part()?;
        let (on_main, on_audio) = std::thread::scope(|scope| {
            let running = scope.spawn(|| audio(&mut thread));
            let on_main = main(self);
            (on_main, running.join())
        });
        self.join(thread);
        on_main?;
        on_audio.map_err(|_| anyhow::anyhow!("the audio thread panicked"))?
    }

    /// Hands out what belongs to the audio thread, until [`Self::join`].
    ///
    /// # Errors
    /// The plugin is not active.
    pub fn part(&mut self) -> Result<AudioThread> {
        let audio = self.audio.take().context("not active")?;
        Ok(AudioThread { audio, steady_time: self.steady_time })
    }

    /// Takes back what [`Self::part`] gave.
    pub fn join(&mut self, thread: AudioThread) {
        self.steady_time = thread.steady_time;
        self.audio = Some(thread.audio);
        self.idle();
    }

    /// Processes whole channels in blocks of the given sizes, in turn.
    ///
    /// # Errors
    /// As [`Self::process`].
    pub fn render(&mut self, input: &[Vec<f32>], blocks: &[usize]) -> Result<Vec<Vec<f32>>> {
        let n_samples = input.first().map_or(0, Vec::len);
        let mut output = vec![Vec::with_capacity(n_samples); input.len()];
        let mut at = 0;
        for &size in blocks.iter().cycle() {
            if at >= n_samples {
                break;
            }
            let end = (at + size.max(1)).min(n_samples);
            let mut block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..end].to_vec()).collect();
            self.process(&mut block, &[])?;
            output.iter_mut().zip(block).for_each(|(output, block)| output.extend(block));
            at = end;
        }
        Ok(output)
    }

    /// Clears what the plugin remembers.
    pub fn reset(&mut self) {
        if let Some(audio) = &mut self.audio {
            audio.reset();
        }
    }

    /// The latency that the plugin reports, in samples.
    pub fn latency(&mut self) -> usize {
        let Ok(extension) = self.extension::<PluginLatency>() else { return 0 };
        extension.get(&self.plugin.plugin_handle()) as usize
    }

    /// The tail that the plugin reports, in samples; none if it is endless or there is none.
    pub fn tail(&mut self) -> Option<u32> {
        let extension = self.extension::<PluginTail>().ok()?;
        match extension.get(&self.audio.as_mut()?.plugin_handle()) {
            TailLength::Finite(samples) => Some(samples),
            _ => None,
        }
    }

    /// Says whether what follows is rendered offline.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn set_offline(&mut self, is_offline: bool) -> Result<()> {
        let extension = self.extension::<PluginRender>()?;
        let mode = if is_offline { RenderMode::Offline } else { RenderMode::Realtime };
        Ok(extension.set(&self.plugin.plugin_handle(), mode)?)
    }

    /// The parameters, in the plugin's order.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The parameter of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn param(&self, name: &str) -> Result<&Param> {
        self.params.iter().find(|param| param.name == name).with_context(|| format!("no parameter `{name}`"))
    }

    /// A parameter's value.
    ///
    /// # Errors
    /// There is no such parameter.
    pub fn value(&mut self, name: &str) -> Result<f64> {
        let id = self.param(name)?.id;
        let extension = self.extension::<PluginParams>()?;
        let id = ClapId::from_raw(id).context("an invalid parameter")?;
        extension.get_value(&self.plugin.plugin_handle(), id).context("the parameter has no value")
    }

    /// Sets a parameter, as an event of an empty block or a flush.
    ///
    /// # Errors
    /// There is no such parameter.
    pub fn set(&mut self, name: &str, value: f64) -> Result<()> {
        let id = ClapId::from_raw(self.param(name)?.id).context("an invalid parameter")?;
        let extension = self.extension::<PluginParams>()?;
        let mut events = EventBuffer::with_capacity(1);
        events.push(&ParamValueEvent::new(0, id, Pckn::match_all(), value));
        let mut output_events = EventBuffer::new();
        match &mut self.audio {
            Some(audio) => {
                extension.flush_active(
                    &mut audio.plugin_handle(),
                    &events.as_input(),
                    &mut output_events.as_output(),
                );
            }
            None => {
                let mut handle = self.plugin.inactive_plugin_handle().context("it is active")?;
                extension.flush(&mut handle, &events.as_input(), &mut output_events.as_output());
            }
        }
        self.idle();
        Ok(())
    }

    /// The plugin's state.
    ///
    /// # Errors
    /// The plugin cannot save.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        let extension = self.extension::<PluginState>()?;
        let mut state = Vec::new();
        extension.save(&self.plugin.plugin_handle(), &mut state)?;
        Ok(state)
    }

    /// Loads a state.
    ///
    /// # Errors
    /// The plugin refuses it.
    pub fn load(&mut self, mut state: &[u8]) -> Result<()> {
        let extension = self.extension::<PluginState>()?;
        extension.load(&self.plugin.plugin_handle(), &mut state)?;
        self.idle();
        Ok(())
    }

    /// How often the plugin has asked for a restart.
    pub fn n_restarts(&self) -> usize {
        self.plugin.access_shared_handler(|requests| requests.n_restarts.load(Ordering::Relaxed))
    }

    /// Section and page names of the remote-control pages, with the parameters' identifiers.
    ///
    /// # Errors
    /// The plugin has none.
    pub fn remote_controls(&mut self) -> Result<Vec<(String, String, Vec<u32>)>> {
        let extension = self.extension::<PluginRemoteControls>()?;
        let handle = self.plugin.plugin_handle();
        let mut buffer = RemoteControlsPageBuffer::new();
        let pages = (0..extension.count(&handle)).filter_map(|index| {
            let page = extension.get(&handle, index, &mut buffer)?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let ids = page.param_ids.iter().flatten().map(|id| id.get()).collect();
            Some((text(page.section_name), text(page.page_name), ids))
        });
        Ok(pages.collect())
    }

    fn read_params(&mut self) -> Vec<Param> {
        let Ok(extension) = self.extension::<PluginParams>() else { return Vec::new() };
        let handle = self.plugin.plugin_handle();
        let params = (0..extension.count(&handle)).filter_map(|index| {
            let mut buffer = ParamInfoBuffer::new();
            let info = extension.get_info(&handle, index, &mut buffer)?;
            Some(Param {
                id: info.id.get(),
                name: String::from_utf8_lossy(info.name).into_owned(),
                min: info.min_value,
                max: info.max_value,
                default: info.default_value,
                is_bypass: info.flags.contains(ParamInfoFlags::IS_BYPASS),
                is_automatable: info.flags.contains(ParamInfoFlags::IS_AUTOMATABLE),
                is_modulatable: info.flags.contains(ParamInfoFlags::IS_MODULATABLE),
            })
        });
        params.collect()
    }

    fn extension<
        E: clack_host::extensions::Extension<ExtensionSide = clack_host::extensions::PluginExtensionSide>,
    >(
        &self,
    ) -> Result<E> {
        self.plugin
            .plugin_shared_handle()
            .get_extension::<E>()
            .with_context(|| format!("the plugin lacks {}", std::any::type_name::<E>()))
    }
}
