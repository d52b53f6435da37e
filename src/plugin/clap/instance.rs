//! One instance of the CLAP: the framework's, with what hosts need and the framework lacks.
//!
//! - Starting to process clears nothing: some hosts start and stop around each block. What is to be cleared is said by
//!   `reset`, and by an activation.
//! - The latency is reported to the host while the plugin is being activated, without a request for another activation.
//! - A saved state holds what the user has just set on the panel, whether or not audio was called for meanwhile.
//! - Outputs that are silent are marked as constant, so that a host may rest.
//! - Parameters have groups.
//! - A host sees the layouts of the plugin's [variant](Variant) only.
//! - A window that is open when the instance is destroyed is closed before. Closing waits until nothing of it draws.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::events::{clap_input_events, clap_output_events};
use clap_sys::ext::audio_ports_config::{
    CLAP_EXT_AUDIO_PORTS_CONFIG, clap_audio_ports_config, clap_plugin_audio_ports_config,
};
use clap_sys::ext::gui::{CLAP_EXT_GUI, clap_plugin_gui};
use clap_sys::ext::latency::{CLAP_EXT_LATENCY, clap_host_latency};
use clap_sys::ext::params::{
    CLAP_EXT_PARAMS, CLAP_PARAM_IS_MODULATABLE, clap_param_info, clap_plugin_params,
};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::host::clap_host;
use clap_sys::id::clap_id;
use clap_sys::plugin::clap_plugin;
use clap_sys::process::{CLAP_PROCESS_CONTINUE_IF_NOT_QUIET, clap_process, clap_process_status};
use clap_sys::stream::clap_ostream;
use crossbeam_channel::{Receiver, Sender};
use nice_plug::prelude::AudioIOLayout;
use nice_plug::wrapper::clap::Wrapper;

use super::descriptor;
use super::events::{self, Event};
use super::outputs::SpareOutput;
use crate::params::TacetParams;
use crate::plugin::Tacet;
use crate::plugin::shared::{self, Shared};
use crate::plugin::variant::{LAYOUTS, Variant};

mod gui;

use gui::GuiState;

/// Changes on the panel that a host has not fetched yet; what is more is lost to the host, not to the plugin.
const MAX_UNSENT: usize = 1024;

/// The framework's instance.
type Framework = Wrapper<Tacet>;

/// Calls a function of a CLAP table; nothing happens where it is missing.
macro_rules! call {
    ($table:expr, $function:ident($($argument:expr),*)) => {
        match $table.$function {
            Some(function) => function($($argument),*),
            None => Default::default(),
        }
    };
}
pub(in crate::plugin) use call;

/// See the module. A host holds its address as that of the first field.
#[repr(C)]
pub struct Instance {
    /// The plugin as the host sees it. The data are the framework's, whose functions therefore work on it.
    clap: clap_plugin,
    framework: NonNull<Framework>,
    framework_clap: clap_plugin,
    framework_params: clap_plugin_params,
    framework_state: clap_plugin_state,
    framework_gui: clap_plugin_gui,
    framework_ports_config: clap_plugin_audio_ports_config,
    params: clap_plugin_params,
    state: clap_plugin_state,
    gui: clap_plugin_gui,
    ports_config: clap_plugin_audio_ports_config,
    variant: Variant,
    /// Index of the layout in use.
    layout: AtomicUsize,
    spare_output: SpareOutput,
    host: NonNull<clap_host>,
    shared: Arc<Shared>,
    unsent: (Sender<Event>, Receiver<Event>),
    gui_state: GuiState,
    /// The largest block, as of the last activation.
    max_frames: AtomicU32,
}

impl Instance {
    /// Creates an instance of `variant`, to be destroyed through its table.
    ///
    /// # Safety
    /// `host` is valid until the instance is destroyed.
    pub unsafe fn create(host: *const clap_host, variant: Variant) -> Option<NonNull<Self>> {
        let host = NonNull::new(host.cast_mut())?;
        // SAFETY: the caller's promise.
        let framework = unsafe { Framework::new(host.as_ptr()) };
        let shared = shared::last_created()?;
        let framework_clap = *framework.clap_plugin.borrow();
        // SAFETY: the framework's extensions are tables of the types that belong to their names, and live as long as it.
        let (framework_params, framework_state, framework_gui, framework_ports_config) = unsafe {
            let get_extension = |id: &CStr| match framework_clap.get_extension {
                Some(get) => get(&framework_clap, id.as_ptr()),
                None => ptr::null(),
            };
            (
                *get_extension(CLAP_EXT_PARAMS).cast::<clap_plugin_params>().as_ref()?,
                *get_extension(CLAP_EXT_STATE).cast::<clap_plugin_state>().as_ref()?,
                *get_extension(CLAP_EXT_GUI).cast::<clap_plugin_gui>().as_ref()?,
                *get_extension(CLAP_EXT_AUDIO_PORTS_CONFIG)
                    .cast::<clap_plugin_audio_ports_config>()
                    .as_ref()?,
            )
        };
        let layout = variant.layouts().start;
        // SAFETY: as above; a layout can be chosen as long as the plugin is not active.
        unsafe { call!(framework_ports_config, select(&framework_clap, layout as u32)) };
        let instance = Self {
            clap: clap_plugin {
                desc: descriptor(variant),
                destroy: Some(destroy),
                activate: Some(activate),
                start_processing: Some(start_processing),
                process: Some(process),
                get_extension: Some(get_extension),
                on_main_thread: Some(gui::on_main_thread),
                ..framework_clap
            },
            // Taken back by the framework when it is destroyed.
            framework: NonNull::new(Arc::into_raw(framework).cast_mut())?,
            framework_clap,
            framework_params,
            framework_state,
            framework_gui,
            framework_ports_config,
            params: clap_plugin_params {
                get_info: Some(params_get_info),
                flush: Some(params_flush),
                ..framework_params
            },
            state: clap_plugin_state { save: Some(state_save), ..framework_state },
            gui: clap_plugin_gui {
                create: Some(gui::create),
                destroy: Some(gui::destroy),
                adjust_size: Some(gui::adjust_size),
                ..framework_gui
            },
            ports_config: PORTS_CONFIG,
            variant,
            layout: AtomicUsize::new(layout),
            spare_output: SpareOutput::default(),
            host,
            shared,
            unsent: crossbeam_channel::bounded(MAX_UNSENT),
            gui_state: GuiState::default(),
            max_frames: AtomicU32::new(0),
        };
        Some(NonNull::from(Box::leak(Box::new(instance))))
    }

    /// State shared with the panel and the background thread.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The instance's table.
    pub fn clap(&self) -> &clap_plugin {
        &self.clap
    }

    /// Its parameters.
    pub fn params(&self) -> &clap_plugin_params {
        &self.params
    }

    /// Its window.
    pub fn gui(&self) -> &clap_plugin_gui {
        &self.gui
    }

    /// Its state.
    pub fn state(&self) -> &clap_plugin_state {
        &self.state
    }

    fn layout(&self) -> &'static AudioIOLayout {
        &LAYOUTS[self.layout.load(Ordering::Relaxed)]
    }

    /// Makes the changes on the panel those of the parameters, and hands them to the host. On any thread, also while audio is
    /// processed: nothing that comes from the host is read.
    pub fn flush(&self, out: &clap_output_events) {
        self.send(out);
        // SAFETY: the table is the framework's, and the instance lives.
        unsafe { call!(self.framework_params, flush(&self.clap, ptr::null(), out)) };
    }

    /// Hands over what the host has not fetched.
    fn send(&self, out: &clap_output_events) {
        for event in self.unsent.1.try_iter() {
            // SAFETY: the host's list is valid during the call.
            unsafe { event.push(out) };
        }
    }

    /// Reports the latency to the host, where it is another than before.
    fn report_latency(&self) {
        let samples = self.shared.latency.lock().map_or(0, |latency| latency.total_samples as u32);
        // SAFETY: the framework is destroyed with this instance.
        let before = unsafe { self.framework.as_ref() }.current_latency.swap(samples, Ordering::SeqCst);
        if before == samples {
            return;
        }
        // SAFETY: the host is valid, and an extension is a table of the type that belongs to its name.
        unsafe {
            let Some(get_extension) = self.host.as_ref().get_extension else { return };
            let extension = get_extension(self.host.as_ptr(), CLAP_EXT_LATENCY.as_ptr());
            if let Some(latency) = extension.cast::<clap_host_latency>().as_ref() {
                call!(latency, changed(self.host.as_ptr()));
            }
        }
    }
}

/// The instance of a host's pointer.
///
/// # Safety
/// `plugin` is null or came from [`Instance::create`] and has not been destroyed.
unsafe fn of<'a>(plugin: *const clap_plugin) -> Option<&'a Instance> {
    // SAFETY: the caller's promise; the table is the first field.
    unsafe { plugin.cast::<Instance>().as_ref() }
}

unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
    // SAFETY: the host passes what it was given, for the last time.
    unsafe {
        let Some(this) = of(plugin) else { return };
        if this.gui_state.is_open() {
            gui::destroy(plugin);
        }
        call!(this.framework_clap, destroy(plugin));
        drop(Box::from_raw(plugin.cast::<Instance>().cast_mut()));
    }
}

unsafe extern "C" fn activate(
    plugin: *const clap_plugin,
    rate_hz: f64,
    min_frames: u32,
    max_frames: u32,
) -> bool {
    // SAFETY: the host passes what it was given.
    unsafe {
        let Some(this) = of(plugin) else { return false };
        let is_active = call!(this.framework_clap, activate(plugin, rate_hz, min_frames, max_frames));
        if is_active {
            this.max_frames.store(max_frames, Ordering::Relaxed);
            this.spare_output.activate(this.layout(), max_frames);
            this.report_latency();
        }
        is_active
    }
}

unsafe extern "C" fn start_processing(plugin: *const clap_plugin) -> bool {
    // SAFETY: the host passes what it was given.
    unsafe {
        let Some(this) = of(plugin) else { return false };
        // The framework resets here.
        this.shared.is_starting.store(true, Ordering::Relaxed);
        let is_started = call!(this.framework_clap, start_processing(plugin));
        this.shared.is_starting.store(false, Ordering::Relaxed);
        is_started
    }
}

unsafe extern "C" fn process(
    plugin: *const clap_plugin,
    process: *const clap_process,
) -> clap_process_status {
    // SAFETY: the host passes what it was given, and a block as CLAP describes it.
    unsafe {
        let (Some(this), Some(block)) = (of(plugin), process.as_ref()) else {
            return clap_sys::process::CLAP_PROCESS_ERROR;
        };
        if let Some(out) = block.out_events.as_ref() {
            this.send(out);
        }
        this.shared.n_block_samples.store(block.frames_count, Ordering::Relaxed);
        let status = this
            .spare_output
            .complete(this.layout(), block, |block| call!(this.framework_clap, process(plugin, block)));
        if !block.audio_outputs.is_null() {
            // Hosts take the mark for the whole buffer: nothing is said of one that is longer than the block.
            let is_whole = block.frames_count == this.max_frames.load(Ordering::Relaxed);
            for index in 0..block.audio_outputs_count as usize {
                let output = &mut *block.audio_outputs.add(index);
                output.constant_mask =
                    if is_whole { silent_channels(output, block.frames_count, status) } else { 0 };
            }
        }
        status
    }
}

/// The channels of an output that hold nothing but zeros, as bits; none unless the plugin rests. Real-time safe.
///
/// # Safety
/// The output's channels are as many as it says, and each has `n_samples` samples.
pub(crate) unsafe fn silent_channels(
    output: &clap_audio_buffer,
    n_samples: u32,
    status: clap_process_status,
) -> u64 {
    if status != CLAP_PROCESS_CONTINUE_IF_NOT_QUIET || n_samples == 0 || output.data32.is_null() {
        return 0;
    }
    (0..output.channel_count.min(u64::BITS) as usize).fold(0, |mask, channel| {
        // SAFETY: the caller's promise.
        let is_silent = unsafe {
            let samples = *output.data32.add(channel);
            !samples.is_null()
                && std::slice::from_raw_parts(samples, n_samples as usize).iter().all(|&sample| sample == 0.0)
        };
        mask | u64::from(is_silent) << channel
    })
}

unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    // SAFETY: the host passes what it was given, and a string.
    unsafe {
        let Some(this) = of(plugin) else { return ptr::null() };
        if id.is_null() {
            return ptr::null();
        }
        match CStr::from_ptr(id) {
            id if id == CLAP_EXT_PARAMS => ptr::from_ref(&this.params).cast(),
            id if id == CLAP_EXT_STATE => ptr::from_ref(&this.state).cast(),
            // Also to a host that has no window now: scanners ask whether there is one.
            id if id == CLAP_EXT_GUI => ptr::from_ref(&this.gui).cast(),
            id if id == CLAP_EXT_AUDIO_PORTS_CONFIG => ptr::from_ref(&this.ports_config).cast(),
            _ => this.framework_clap.get_extension.map_or(ptr::null(), |get| get(plugin, id)),
        }
    }
}

unsafe extern "C" fn params_get_info(
    plugin: *const clap_plugin,
    index: u32,
    info: *mut clap_param_info,
) -> bool {
    // SAFETY: the host passes what it was given, and room for the answer.
    unsafe {
        let (Some(this), false) = (of(plugin), info.is_null()) else { return false };
        // The framework would look beyond the last one.
        if index >= call!(this.framework_params, count(plugin))
            || !call!(this.framework_params, get_info(plugin, index, info))
        {
            return false;
        }
        // Where a modulation clips, the framework forgets what is set beneath it; hosts modulate by values then.
        (*info).flags &= !CLAP_PARAM_IS_MODULATABLE;
        let group = TacetParams::group(index as usize);
        let module = &mut (*info).module;
        module.fill(0);
        for (to, &from) in module.iter_mut().zip(group.as_bytes()) {
            *to = from as c_char;
        }
        true
    }
}

unsafe extern "C" fn params_flush(
    plugin: *const clap_plugin,
    in_: *const clap_input_events,
    out: *const clap_output_events,
) {
    // SAFETY: the host passes what it was given, and lists that are null or valid.
    unsafe {
        let Some(this) = of(plugin) else { return };
        if let Some(out) = out.as_ref() {
            this.send(out);
        }
        call!(this.framework_params, flush(plugin, in_, out));
    }
}

unsafe extern "C" fn state_save(plugin: *const clap_plugin, stream: *const clap_ostream) -> bool {
    // SAFETY: the host passes what it was given, and a stream.
    unsafe {
        let Some(this) = of(plugin) else { return false };
        let mut keep = |event| {
            let _ = this.unsent.0.try_send(event);
        };
        let list = events::list(&mut keep);
        call!(this.framework_params, flush(plugin, ptr::null(), &list));
        call!(this.framework_state, save(plugin, stream))
    }
}

/// A choice among a variant's layouts only.
const PORTS_CONFIG: clap_plugin_audio_ports_config = clap_plugin_audio_ports_config {
    count: Some(ports_config_count),
    get: Some(ports_config_get),
    select: Some(ports_config_select),
};

unsafe extern "C" fn ports_config_count(plugin: *const clap_plugin) -> u32 {
    // SAFETY: the host passes what it was given.
    unsafe { of(plugin) }.map_or(0, |this| this.variant.layouts().len() as u32)
}

unsafe extern "C" fn ports_config_get(
    plugin: *const clap_plugin,
    index: u32,
    config: *mut clap_audio_ports_config,
) -> bool {
    // SAFETY: the host passes what it was given, and room for the answer.
    unsafe {
        let Some(this) = of(plugin) else { return false };
        let Some(layout) = this.variant.layouts().nth(index as usize) else { return false };
        call!(this.framework_ports_config, get(plugin, layout as u32, config))
    }
}

unsafe extern "C" fn ports_config_select(plugin: *const clap_plugin, id: clap_id) -> bool {
    // SAFETY: the host passes what it was given.
    unsafe {
        let Some(this) = of(plugin) else { return false };
        // Identifiers are the indices of the framework's list.
        let is_selected = this.variant.layouts().contains(&(id as usize))
            && call!(this.framework_ports_config, select(plugin, id));
        if is_selected {
            this.layout.store(id as usize, Ordering::Relaxed);
        }
        is_selected
    }
}
