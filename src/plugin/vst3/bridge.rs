//! State shared by both sides: the CLAP, its host, and the parameters as a VST3 host sees them.
//!
//! On the host's main thread, but for what says otherwise. Which thread that is, is known by who created the plugin and who
//! opened its window.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use clap_sys::ext::audio_ports_config::{CLAP_EXT_AUDIO_PORTS_CONFIG, clap_plugin_audio_ports_config};
use clap_sys::ext::gui::{CLAP_EXT_GUI, clap_host_gui};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_host_params, clap_param_info};
use clap_sys::ext::render::{CLAP_EXT_RENDER, clap_plugin_render};
use clap_sys::ext::thread_check::{CLAP_EXT_THREAD_CHECK, clap_host_thread_check};
use clap_sys::host::clap_host;
use clap_sys::version::CLAP_VERSION;
use parking_lot::Mutex;
use tacet_model::ModelKind;
use vst3::ComPtr;
use vst3::Steinberg::Vst::{IComponentHandler, IComponentHandlerTrait, RestartFlags_};
use vst3::Steinberg::{IPlugFrame, IPlugFrameTrait, IPlugView, ViewRect, int32, kResultOk};

use super::changes::Changes;
use super::param::{self, Param};
use crate::latency::LatencyMode;
use crate::parameters::ParamId;
use crate::plugin::clap::events::{self, Event};
use crate::plugin::clap::instance::{Instance, call};
use crate::plugin::shared::Shared;
use crate::plugin::variant::Variant;

/// The announced audio.
#[derive(Clone, Copy, Default)]
pub struct Setup {
    /// Samples per second; zero if none was said.
    pub rate_hz: f64,
    /// Samples of the largest block.
    pub max_block: u32,
    /// Whether the host renders.
    pub is_offline: bool,
}

/// An open window, and the host's frame around it. Both live until the window is closed.
pub struct OpenView {
    /// The window.
    pub view: *mut IPlugView,
    /// The host's frame.
    pub frame: ComPtr<IPlugFrame>,
}

/// See the module.
pub struct Bridge {
    host: clap_host,
    instance: OnceLock<NonNull<Instance>>,
    /// The parameters, in the plugin's order.
    pub params: Vec<Param>,
    handler: Mutex<Option<ComPtr<IComponentHandler>>>,
    main_thread: AtomicUsize,
    is_called_back: AtomicBool,
    is_edited: AtomicBool,
    is_serving: AtomicBool,
    /// Mode and model for which a restart has been asked.
    asked: Mutex<Option<(LatencyMode, ModelKind)>>,
    /// The open window.
    pub view: Mutex<Option<OpenView>>,
    /// The window's size when it was about to get another scale, until it has it. In the host's pixels.
    pub scaled_from: Mutex<Option<[u32; 2]>>,
    /// Whether the host runs the plugin's timer.
    pub has_run_loop: AtomicBool,
    /// The announced audio.
    pub setup: Mutex<Setup>,
    /// The CLAP's variant.
    pub variant: Variant,
    /// Index of the layout in use.
    pub layout: AtomicUsize,
    is_active: AtomicBool,
    /// Whether the host may call for audio.
    pub is_processing: AtomicBool,
    /// State of the audio thread, which does not wait for it.
    pub audio: Mutex<Changes>,
}

// SAFETY: the instance and the parameters are made for more than one thread; what is not is behind a mutex, and used on
// the main thread alone.
unsafe impl Send for Bridge {}
// SAFETY: as above.
unsafe impl Sync for Bridge {}

impl Bridge {
    /// Creates the plugin, in one of its variants.
    pub fn new(variant: Variant) -> Option<Arc<Self>> {
        let host = clap_host {
            clap_version: CLAP_VERSION,
            host_data: ptr::null_mut(),
            name: c"VST3".as_ptr(),
            vendor: c"Tacet contributors".as_ptr(),
            url: c"".as_ptr(),
            version: c"3.8".as_ptr(),
            get_extension: Some(get_extension),
            // Asked for when the host is listening, in `serve`.
            request_restart: Some(ignore),
            request_process: Some(ignore),
            request_callback: Some(request_callback),
        };
        let mut bridge = Arc::new(Self {
            host,
            instance: OnceLock::new(),
            params: Vec::new(),
            handler: Mutex::new(None),
            main_thread: AtomicUsize::new(this_thread()),
            is_called_back: AtomicBool::new(false),
            is_edited: AtomicBool::new(false),
            is_serving: AtomicBool::new(false),
            asked: Mutex::new(None),
            view: Mutex::new(None),
            scaled_from: Mutex::new(None),
            has_run_loop: AtomicBool::new(false),
            setup: Mutex::new(Setup::default()),
            layout: AtomicUsize::new(variant.layouts().start),
            variant,
            is_active: AtomicBool::new(false),
            is_processing: AtomicBool::new(false),
            audio: Mutex::new(Changes::new()),
        });
        let data = Arc::as_ptr(&bridge).cast_mut().cast::<c_void>();
        Arc::get_mut(&mut bridge)?.host.host_data = data;
        // SAFETY: the host is part of the bridge, which does not move and destroys the instance before it ends.
        let instance = unsafe { Instance::create(&bridge.host, variant) }?;
        bridge.instance.set(instance).ok()?;
        // SAFETY: the instance was created just now.
        if !unsafe { call!(bridge.instance().clap(), init(bridge.instance().clap())) } {
            return None;
        }
        let params = bridge.read_params();
        Arc::get_mut(&mut bridge)?.params = params;
        Some(bridge)
    }

    fn read_params(&self) -> Vec<Param> {
        let (instance, params) = (self.instance(), &self.shared().params);
        let described = ParamId::ALL.iter().enumerate().map(|(index, &of)| {
            // SAFETY: a table of numbers and characters, for which zeros are values.
            let mut info: clap_param_info = unsafe { std::mem::zeroed() };
            // SAFETY: the instance lives, and there is room for the answer.
            unsafe { call!(instance.params(), get_info(instance.clap(), index as u32, &mut info)) };
            Param::new(info.id, of, params.clone())
        });
        described.collect()
    }

    /// The CLAP.
    pub fn instance(&self) -> &Instance {
        match self.instance.get() {
            // SAFETY: it is destroyed with the bridge.
            Some(instance) => unsafe { instance.as_ref() },
            None => unreachable!("a bridge is handed out with its instance"),
        }
    }

    /// State shared by the plugin's parts.
    pub fn shared(&self) -> &Shared {
        self.instance().shared()
    }

    /// A table of the CLAP's.
    ///
    /// # Safety
    /// `T` is the type that belongs to the name.
    unsafe fn extension<T>(&self, id: &CStr) -> Option<&T> {
        let clap = self.instance().clap();
        // SAFETY: the instance lives, and what it returns lives as long.
        unsafe { clap.get_extension?(clap, id.as_ptr()).cast::<T>().as_ref() }
    }

    /// The parameter with this identifier. Real-time safe.
    pub fn param(&self, id: u32) -> Option<&Param> {
        param::find(&self.params, id)
    }

    /// Whether the plugin is active. On any thread.
    pub fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Acquire)
    }

    /// Gets ready for audio.
    pub fn activate(&self) -> bool {
        if self.is_active() {
            return true;
        }
        let setup = *self.setup.lock();
        if setup.rate_hz <= 0.0 {
            return false;
        }
        let clap = self.instance().clap();
        // SAFETY: the instance lives, the tables are of the types that belong to their names, and the plugin is not active.
        let is_active = unsafe {
            if let Some(ports) = self.extension::<clap_plugin_audio_ports_config>(CLAP_EXT_AUDIO_PORTS_CONFIG)
            {
                call!(ports, select(clap, self.layout.load(Ordering::Relaxed) as u32));
            }
            if let Some(render) = self.extension::<clap_plugin_render>(CLAP_EXT_RENDER) {
                call!(render, set(clap, i32::from(setup.is_offline)));
            }
            call!(clap, activate(clap, setup.rate_hz, 1, setup.max_block.max(1)))
                && call!(clap, start_processing(clap))
        };
        *self.asked.lock() = None;
        self.is_active.store(is_active, Ordering::Release);
        is_active
    }

    /// Ends what [`Self::activate`] began. Waits for a block that is being processed.
    pub fn deactivate(&self) {
        let _audio = self.audio.lock();
        if self.is_active.swap(false, Ordering::AcqRel) {
            let clap = self.instance().clap();
            // SAFETY: the instance lives and is active, and no block is being processed.
            unsafe {
                call!(clap, stop_processing(clap));
                call!(clap, deactivate(clap));
            }
        }
    }

    /// The host sets a parameter outside audio. While audio runs it hands the value to the audio thread, too, and is late here:
    /// the value is kept for who asks, and for a state that is saved before the audio thread has it.
    pub fn edit(&self, param: &Param, value: f64) {
        let is_automatable = param.of.spec().scope.is_automatable();
        if is_automatable && self.is_active() && self.is_processing.load(Ordering::Relaxed) {
            param.keep_edit(value);
        } else {
            param.forget_edit();
            param.set(value);
            self.shared().signal.raise();
        }
    }

    /// Makes parameters of what the host has set and the audio thread has not.
    pub(crate) fn take_edits(&self) {
        self.params.iter().for_each(Param::take_edit);
    }

    /// Takes the host's receiver of what is done on the panel.
    pub fn set_handler(&self, handler: Option<ComPtr<IComponentHandler>>) {
        let before = std::mem::replace(&mut *self.handler.lock(), handler);
        // Not while locked: it may be the last one.
        drop(before);
    }

    fn handler(&self) -> Option<ComPtr<IComponentHandler>> {
        self.handler.lock().clone()
    }

    /// This thread is the main one.
    pub(crate) fn claim_main_thread(&self) {
        self.main_thread.store(this_thread(), Ordering::Relaxed);
    }

    /// Whether this is the main thread.
    pub(crate) fn is_main_thread(&self) -> bool {
        self.main_thread.load(Ordering::Relaxed) == this_thread()
    }

    /// Does what is due on the main thread; elsewhere, and within itself, nothing.
    pub fn serve(&self) {
        if !self.is_main_thread() || self.is_serving.swap(true, Ordering::Acquire) {
            return;
        }
        if self.is_edited.swap(false, Ordering::AcqRel) {
            self.send_edits();
        }
        if self.is_called_back.swap(false, Ordering::AcqRel) {
            let clap = self.instance().clap();
            // SAFETY: the instance lives, and this is the main thread.
            unsafe { call!(clap, on_main_thread(clap)) };
        }
        self.tell_scaled_size();
        self.ask_for_restart();
        self.is_serving.store(false, Ordering::Release);
    }

    /// Turns edits on the panel into parameter changes, and reports them to the host.
    fn send_edits(&self) {
        let handler = self.handler();
        let mut report = |event| {
            if let Event::Value(id, _) = event
                && let Some(param) = self.param(id)
            {
                param.forget_edit();
            }
            let Some(handler) = &handler else { return };
            // SAFETY: the host's object lives as long as we hold it.
            unsafe {
                match event {
                    Event::Begin(id) => handler.beginEdit(id),
                    Event::Value(id, value) => {
                        let scale = self.param(id).map_or(1.0, Param::scale);
                        handler.performEdit(id, value / scale)
                    }
                    Event::End(id) => handler.endEdit(id),
                }
            };
        };
        self.instance().flush(&events::list(&mut report));
    }

    /// Asks for a restart where mode or model differ from what is in force, once per choice. An inactive plugin takes them
    /// over when it is activated.
    fn ask_for_restart(&self) {
        let shared = self.shared();
        let wanted = Some((shared.params.latency_mode(), shared.params.model()));
        let in_force = *shared.in_force.lock();
        if !self.is_active() || in_force == wanted {
            *self.asked.lock() = None;
            return;
        }
        let Some(handler) = self.handler() else { return };
        if std::mem::replace(&mut *self.asked.lock(), wanted) != wanted {
            // SAFETY: the host's object lives as long as we hold it.
            unsafe { handler.restartComponent(RestartFlags_::kLatencyChanged as int32) };
        }
    }

    /// Asks the host for the size that the window has by its new scale.
    fn tell_scaled_size(&self) {
        let Some(size) = *self.shared().open_size.lock() else { return };
        let size = [size.width, size.height];
        let is_scaled = self.scaled_from.lock().take_if(|before| *before != size).is_some();
        if is_scaled {
            self.request_resize(size[0], size[1]);
        }
    }

    /// The panel wants another size.
    fn request_resize(&self, width: u32, height: u32) -> bool {
        let open = self.view.lock().as_ref().map(|open| (open.view, open.frame.clone()));
        let (Some((view, frame)), true) = (open, self.is_main_thread()) else { return false };
        let mut size = ViewRect { left: 0, top: 0, right: width as int32, bottom: height as int32 };
        // SAFETY: the window is open, and so both live.
        unsafe { frame.resizeView(view, &mut size) == kResultOk }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.get() {
            self.deactivate();
            // SAFETY: nobody else holds the bridge, and the instance is not used after this.
            unsafe {
                let clap = instance.as_ref().clap();
                call!(clap, destroy(clap));
            }
        }
    }
}

/// An identifier of this thread among those that run. Real-time safe.
fn this_thread() -> usize {
    #[cfg(unix)]
    // SAFETY: it has no precondition.
    let thread = unsafe { libc::pthread_self() } as usize;
    #[cfg(windows)]
    // SAFETY: it has no precondition.
    let thread = unsafe { windows_sys::Win32::System::Threading::GetCurrentThreadId() } as usize;
    thread
}

/// The bridge of the CLAP's host.
///
/// # Safety
/// `host` is a bridge's.
unsafe fn bridge<'a>(host: *const clap_host) -> &'a Bridge {
    // SAFETY: the caller's promise.
    unsafe { &*(*host).host_data.cast::<Bridge>() }
}

unsafe extern "C" fn ignore(_host: *const clap_host) {}

unsafe extern "C" fn request_callback(host: *const clap_host) {
    // SAFETY: the CLAP passes its host.
    unsafe { bridge(host) }.is_called_back.store(true, Ordering::Release);
}

unsafe extern "C" fn get_extension(_host: *const clap_host, id: *const c_char) -> *const c_void {
    static PARAMS: clap_host_params =
        clap_host_params { rescan: Some(rescan), clear: Some(clear), request_flush: Some(request_flush) };
    static GUI: clap_host_gui = clap_host_gui {
        resize_hints_changed: Some(ignore),
        request_resize: Some(request_resize),
        request_show: Some(refuse),
        request_hide: Some(refuse),
        closed: Some(closed),
    };
    static THREADS: clap_host_thread_check = clap_host_thread_check {
        is_main_thread: Some(is_main_thread),
        is_audio_thread: Some(is_audio_thread),
    };
    // SAFETY: the CLAP passes a string.
    match unsafe { CStr::from_ptr(id) } {
        id if id == CLAP_EXT_PARAMS => ptr::from_ref(&PARAMS).cast(),
        id if id == CLAP_EXT_GUI => ptr::from_ref(&GUI).cast(),
        id if id == CLAP_EXT_THREAD_CHECK => ptr::from_ref(&THREADS).cast(),
        _ => ptr::null(),
    }
}

unsafe extern "C" fn rescan(_host: *const clap_host, _flags: u32) {
    // Values change with a state, which the VST3 host has loaded itself.
}

unsafe extern "C" fn clear(_host: *const clap_host, _id: u32, _flags: u32) {}

/// Called on the panel's thread.
unsafe extern "C" fn request_flush(host: *const clap_host) {
    // SAFETY: the CLAP passes its host.
    let bridge = unsafe { bridge(host) };
    bridge.is_edited.store(true, Ordering::Release);
    // If the panel has a thread of its own and the host lends it no time on the main one, edits are better reported from
    // there than not at all.
    if bridge.is_main_thread() {
        bridge.serve();
    } else if !bridge.has_run_loop.load(Ordering::Acquire) {
        bridge.is_edited.store(false, Ordering::Release);
        bridge.send_edits();
    }
}

unsafe extern "C" fn request_resize(host: *const clap_host, width: u32, height: u32) -> bool {
    // SAFETY: the CLAP passes its host.
    unsafe { bridge(host) }.request_resize(width, height)
}

unsafe extern "C" fn refuse(_host: *const clap_host) -> bool {
    false
}

unsafe extern "C" fn closed(_host: *const clap_host, _was_destroyed: bool) {}

unsafe extern "C" fn is_main_thread(host: *const clap_host) -> bool {
    // SAFETY: the CLAP passes its host.
    unsafe { bridge(host) }.is_main_thread()
}

unsafe extern "C" fn is_audio_thread(host: *const clap_host) -> bool {
    // SAFETY: the CLAP passes its host.
    !unsafe { bridge(host) }.is_main_thread()
}
