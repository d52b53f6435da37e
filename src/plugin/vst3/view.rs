//! The panel's window in a VST3 host. On the thread on which the host opens it.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use clap_sys::ext::gui::{clap_window, clap_window_handle};
use parking_lot::Mutex;
use vst3::Steinberg::{
    FIDString, IPlugFrame, IPlugView, IPlugViewContentScaleSupport, IPlugViewContentScaleSupport_,
    IPlugViewContentScaleSupportTrait, IPlugViewTrait, TBool, ViewRect, char16, int16, int32,
    kInvalidArgument, kResultFalse, kResultOk, tresult,
};
use vst3::{Class, ComPtr, ComRef, ComWrapper};

use super::bridge::{Bridge, OpenView};
use super::text;
use crate::plugin::clap::instance::call;

#[cfg(target_os = "macos")]
mod system {
    pub use clap_sys::ext::gui::CLAP_WINDOW_API_COCOA as API;
    pub use vst3::Steinberg::kPlatformTypeNSView as PLATFORM;
}
#[cfg(windows)]
mod system {
    pub use clap_sys::ext::gui::CLAP_WINDOW_API_WIN32 as API;
    pub use vst3::Steinberg::kPlatformTypeHWND as PLATFORM;
}
#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    pub use clap_sys::ext::gui::CLAP_WINDOW_API_X11 as API;
    pub use vst3::Steinberg::kPlatformTypeX11EmbedWindowID as PLATFORM;
}

/// A window that a host has asked for, open or not.
pub struct View {
    bridge: Arc<Bridge>,
    /// The object that this is part of.
    this: AtomicPtr<IPlugView>,
    frame: Mutex<Option<ComPtr<IPlugFrame>>>,
    /// The bits of the scale that the host suggests; zero if it suggests none.
    scale: AtomicU32,
    is_open: AtomicBool,
    #[cfg(all(unix, not(target_os = "macos")))]
    timer: Mutex<Option<timer::Registered>>,
}

impl Class for View {
    type Interfaces = (IPlugView, IPlugViewContentScaleSupport);
}

impl View {
    /// Makes a window for a host, which releases it.
    pub fn create(bridge: Arc<Bridge>) -> *mut IPlugView {
        let view = ComWrapper::new(Self {
            bridge,
            this: AtomicPtr::default(),
            frame: Mutex::new(None),
            scale: AtomicU32::new(0),
            is_open: AtomicBool::new(false),
            #[cfg(all(unix, not(target_os = "macos")))]
            timer: Mutex::new(None),
        });
        let this = view.to_com_ptr::<IPlugView>().map_or(ptr::null_mut(), ComPtr::into_raw);
        view.this.store(this, Ordering::Relaxed);
        this
    }

    fn close(&self) -> bool {
        if !self.is_open.swap(false, Ordering::Relaxed) {
            return false;
        }
        *self.bridge.view.lock() = None;
        let instance = self.bridge.instance();
        // SAFETY: the instance lives.
        unsafe { call!(instance.gui(), destroy(instance.clap())) };
        // The last edits.
        self.bridge.serve();
        true
    }

    /// Width and height, in the host's pixels.
    fn window_size(&self) -> Option<[u32; 2]> {
        let instance = self.bridge.instance();
        let [mut width, mut height] = [0, 0];
        // SAFETY: the instance lives, and there is room for the answer.
        let is_known = unsafe { call!(instance.gui(), get_size(instance.clap(), &mut width, &mut height)) };
        is_known.then_some([width, height])
    }

    fn offer(&self, key: char16, code: int16, modifiers: int16, is_pressed: bool) -> tresult {
        if self.bridge.shared().host_keys.offer(key, code, modifiers, is_pressed) {
            kResultOk
        } else {
            kResultFalse
        }
    }

    /// The size of a rectangle, where it has one.
    ///
    /// # Safety
    /// `rect` is null or valid.
    unsafe fn size(rect: *const ViewRect) -> Option<[u32; 2]> {
        // SAFETY: the caller's promise.
        let rect = unsafe { rect.as_ref() }?;
        let [width, height] = [rect.right.checked_sub(rect.left)?, rect.bottom.checked_sub(rect.top)?];
        (width > 0 && height > 0).then_some([width as u32, height as u32])
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // Hosts forget to close what they release.
        self.close();
    }
}

impl IPlugViewTrait for View {
    unsafe fn isPlatformTypeSupported(&self, platform: FIDString) -> tresult {
        // SAFETY: the host passes null or a text that ends with a zero.
        if unsafe { text::is(platform, system::PLATFORM) } { kResultOk } else { kResultFalse }
    }

    unsafe fn attached(&self, parent: *mut c_void, platform: FIDString) -> tresult {
        // SAFETY: the host passes null or a text that ends with a zero.
        if parent.is_null() || unsafe { self.isPlatformTypeSupported(platform) } != kResultOk {
            return kInvalidArgument;
        }
        self.bridge.claim_main_thread();
        let (instance, api): (_, &CStr) = (self.bridge.instance(), system::API);
        let (clap, gui) = (instance.clap(), instance.gui());
        let announced = self.window_size();
        // SAFETY: the instance lives; the window is what the host says.
        unsafe {
            if !call!(gui, create(clap, api.as_ptr(), false)) {
                return kResultFalse;
            }
            let scale = f32::from_bits(self.scale.load(Ordering::Relaxed));
            if scale > 0.0 {
                call!(gui, set_scale(clap, f64::from(scale)));
            }
            // The window may ask for another size while it is opened.
            self.is_open.store(true, Ordering::Relaxed);
            let frame = self.frame.lock().clone();
            *self.bridge.view.lock() =
                frame.map(|frame| OpenView { view: self.this.load(Ordering::Relaxed), frame });
            let window = clap_window { api: api.as_ptr(), specific: clap_window_handle { ptr: parent } };
            if !call!(gui, set_parent(clap, &window)) {
                self.close();
                return kResultFalse;
            }
            call!(gui, show(clap));
        }
        *self.bridge.scaled_from.lock() = announced;
        self.bridge.serve();
        kResultOk
    }

    unsafe fn removed(&self) -> tresult {
        if self.close() { kResultOk } else { kResultFalse }
    }

    unsafe fn onWheel(&self, _distance: f32) -> tresult {
        // The window learns of it by itself.
        kResultFalse
    }

    unsafe fn onKeyDown(&self, key: char16, code: int16, modifiers: int16) -> tresult {
        self.offer(key, code, modifiers, true)
    }

    unsafe fn onKeyUp(&self, key: char16, code: int16, modifiers: int16) -> tresult {
        self.offer(key, code, modifiers, false)
    }

    unsafe fn getSize(&self, size: *mut ViewRect) -> tresult {
        // SAFETY: the host passes null or room for the answer.
        let Some(size) = (unsafe { size.as_mut() }) else { return kInvalidArgument };
        let Some([width, height]) = self.window_size() else { return kResultFalse };
        *size = ViewRect { left: 0, top: 0, right: width as int32, bottom: height as int32 };
        kResultOk
    }

    unsafe fn onSize(&self, size: *mut ViewRect) -> tresult {
        // SAFETY: the host passes null or a rectangle.
        let Some([width, height]) = (unsafe { Self::size(size) }) else { return kInvalidArgument };
        if !self.is_open.load(Ordering::Relaxed) {
            return kResultFalse;
        }
        *self.bridge.scaled_from.lock() = None;
        let instance = self.bridge.instance();
        // SAFETY: the instance lives.
        if unsafe { call!(instance.gui(), set_size(instance.clap(), width, height)) } {
            kResultOk
        } else {
            kResultFalse
        }
    }

    unsafe fn onFocus(&self, _state: TBool) -> tresult {
        kResultOk
    }

    unsafe fn setFrame(&self, frame: *mut IPlugFrame) -> tresult {
        // SAFETY: the host passes null or its object, which we hold from now on.
        let frame = unsafe { ComRef::from_raw(frame) }.map(|frame| frame.to_com_ptr());
        if frame.is_none() {
            *self.bridge.view.lock() = None;
        }
        #[cfg(all(unix, not(target_os = "macos")))]
        {
            let timer = frame.as_ref().and_then(|frame| timer::Registered::new(frame, &self.bridge));
            self.bridge.has_run_loop.store(timer.is_some(), Ordering::Release);
            let before = std::mem::replace(&mut *self.timer.lock(), timer);
            drop(before);
        }
        let before = std::mem::replace(&mut *self.frame.lock(), frame);
        drop(before);
        kResultOk
    }

    unsafe fn canResize(&self) -> tresult {
        let instance = self.bridge.instance();
        // SAFETY: the instance lives.
        if unsafe { call!(instance.gui(), can_resize(instance.clap())) } { kResultOk } else { kResultFalse }
    }

    unsafe fn checkSizeConstraint(&self, rect: *mut ViewRect) -> tresult {
        // SAFETY: the host passes null or a rectangle.
        let Some([mut width, mut height]) = (unsafe { Self::size(rect) }) else { return kInvalidArgument };
        let instance = self.bridge.instance();
        // SAFETY: the instance lives, and the rectangle was just read.
        unsafe {
            call!(instance.gui(), adjust_size(instance.clap(), &mut width, &mut height));
            (*rect).right = (*rect).left + width as int32;
            (*rect).bottom = (*rect).top + height as int32;
        }
        kResultOk
    }
}

impl IPlugViewContentScaleSupportTrait for View {
    unsafe fn setContentScaleFactor(&self, factor: IPlugViewContentScaleSupport_::ScaleFactor) -> tresult {
        if !factor.is_finite() || factor <= 0.0 {
            return kInvalidArgument;
        }
        self.scale.store(factor.to_bits(), Ordering::Relaxed);
        if self.is_open.load(Ordering::Relaxed) {
            let (instance, before) = (self.bridge.instance(), self.window_size());
            // SAFETY: the instance lives.
            unsafe { call!(instance.gui(), set_scale(instance.clap(), f64::from(factor))) };
            *self.bridge.scaled_from.lock() = before;
            self.bridge.serve();
        }
        kResultOk
    }
}

/// On Linux the host's run loop lends the plugin time on the main thread.
#[cfg(all(unix, not(target_os = "macos")))]
mod timer {
    use std::sync::{Arc, Weak};

    use vst3::Steinberg::IPlugFrame;
    use vst3::Steinberg::Linux::{IRunLoop, IRunLoopTrait, ITimerHandler, ITimerHandlerTrait};
    use vst3::Steinberg::kResultOk;
    use vst3::{Class, ComPtr, ComWrapper};

    use super::Bridge;

    /// Between two calls, in milliseconds: as quick as the panel is drawn.
    const PERIOD_MS: u64 = 16;

    struct Timer(Weak<Bridge>);

    impl Class for Timer {
        type Interfaces = (ITimerHandler,);
    }

    impl ITimerHandlerTrait for Timer {
        unsafe fn onTimer(&self) {
            if let Some(bridge) = self.0.upgrade() {
                // The timer runs on the main thread.
                bridge.claim_main_thread();
                bridge.serve();
            }
        }
    }

    /// A timer that runs.
    pub struct Registered {
        run_loop: ComPtr<IRunLoop>,
        timer: ComPtr<ITimerHandler>,
    }

    impl Registered {
        /// Starts a timer, where the host has a run loop.
        pub fn new(frame: &ComPtr<IPlugFrame>, bridge: &Arc<Bridge>) -> Option<Self> {
            let run_loop = frame.cast::<IRunLoop>()?;
            let timer = ComWrapper::new(Timer(Arc::downgrade(bridge))).to_com_ptr::<ITimerHandler>()?;
            // SAFETY: both objects live until the timer is stopped.
            let result = unsafe { run_loop.registerTimer(timer.as_ptr(), PERIOD_MS) };
            (result == kResultOk).then_some(Self { run_loop, timer })
        }
    }

    impl Drop for Registered {
        fn drop(&mut self) {
            // SAFETY: both objects live.
            unsafe { self.run_loop.unregisterTimer(self.timer.as_ptr()) };
        }
    }
}
