//! The plugin's window inside an X11 window, with a frame and a run loop around it.

use std::ffi::c_void;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use vst3::Steinberg::Linux::{
    FileDescriptor, IEventHandler, IEventHandlerTrait, IRunLoop, IRunLoopTrait, ITimerHandler,
    ITimerHandlerTrait, TimerInterval,
};
use vst3::Steinberg::Vst::{IEditController, IEditControllerTrait, ViewType};
use vst3::Steinberg::{
    IPlugFrame, IPlugFrameTrait, IPlugView, IPlugViewContentScaleSupport, IPlugViewContentScaleSupportTrait,
    IPlugViewTrait, ViewRect, kNotImplemented, kPlatformTypeX11EmbedWindowID, kResultOk, tresult,
};
use vst3::{Class, ComPtr, ComRef, ComWrapper};

/// The host's frame: it takes every size, and lends time in [`Window::run`].
#[derive(Default)]
struct Frame {
    timers: Mutex<Vec<ComPtr<ITimerHandler>>>,
    files: Mutex<Vec<(ComPtr<IEventHandler>, FileDescriptor)>>,
    asked: Mutex<Option<(i32, i32)>>,
}

impl Class for Frame {
    type Interfaces = (IPlugFrame, IRunLoop);
}

impl IPlugFrameTrait for Frame {
    unsafe fn resizeView(&self, view: *mut IPlugView, size: *mut ViewRect) -> tresult {
        // SAFETY: the plugin passes null or a rectangle.
        if let (Some(size), Ok(mut asked)) = (unsafe { size.as_ref() }, self.asked.lock()) {
            *asked = Some((size.right - size.left, size.bottom - size.top));
        }
        // SAFETY: the plugin passes its own window.
        unsafe { ComRef::from_raw(view).map_or(kNotImplemented, |view| view.onSize(size)) }
    }
}

impl IRunLoopTrait for Frame {
    unsafe fn registerEventHandler(&self, handler: *mut IEventHandler, file: FileDescriptor) -> tresult {
        // SAFETY: the plugin passes its own object.
        match (unsafe { ComRef::from_raw(handler) }, self.files.lock()) {
            (Some(handler), Ok(mut files)) => {
                files.push((handler.to_com_ptr(), file));
                kResultOk
            }
            _ => kNotImplemented,
        }
    }

    unsafe fn unregisterEventHandler(&self, handler: *mut IEventHandler) -> tresult {
        if let Ok(mut files) = self.files.lock() {
            files.retain(|(file, _)| file.as_ptr() != handler);
        }
        kResultOk
    }

    unsafe fn registerTimer(&self, handler: *mut ITimerHandler, _period_ms: TimerInterval) -> tresult {
        // SAFETY: the plugin passes its own object.
        match (unsafe { ComRef::from_raw(handler) }, self.timers.lock()) {
            (Some(handler), Ok(mut timers)) => {
                timers.push(handler.to_com_ptr());
                kResultOk
            }
            _ => kNotImplemented,
        }
    }

    unsafe fn unregisterTimer(&self, handler: *mut ITimerHandler) -> tresult {
        if let Ok(mut timers) = self.timers.lock() {
            timers.retain(|timer| timer.as_ptr() != handler);
        }
        kResultOk
    }
}

/// A plugin's window. Dropped, it is released, open or not.
pub struct Window {
    view: ComPtr<IPlugView>,
    frame: ComWrapper<Frame>,
}

impl Window {
    pub(crate) fn new(controller: &ComPtr<IEditController>) -> Result<Self> {
        // SAFETY: the object lives, and what it returns is ours.
        let view = unsafe { ComPtr::from_raw(controller.createView(ViewType::kEditor)) };
        Ok(Self { view: view.context("the plugin has no window")?, frame: ComWrapper::new(Frame::default()) })
    }

    /// Opens it inside an X11 window, which must outlive it, with a frame or without.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn open(&self, parent: u32, has_frame: bool) -> Result<()> {
        // SAFETY: the objects live.
        unsafe {
            let platform = kPlatformTypeX11EmbedWindowID;
            ensure!(self.view.isPlatformTypeSupported(platform) == kResultOk, "X11 is not supported");
            if has_frame {
                let frame = self.frame.to_com_ptr::<IPlugFrame>().context("a frame")?;
                self.view.setFrame(frame.as_ptr());
            }
            let result = self.view.attached(parent as usize as *mut c_void, platform);
            ensure!(result == kResultOk, "the window does not open: {result}");
        }
        Ok(())
    }

    /// Lends the plugin time on this thread.
    pub fn run(&self) {
        let files = self.frame.files.lock().map(|files| files.clone()).unwrap_or_default();
        // SAFETY: a handler that is removed meanwhile is still held here. Its files do not block.
        files.iter().for_each(|(handler, file)| unsafe { handler.onFDIsSet(*file) });
        let timers = self.frame.timers.lock().map(|timers| timers.clone()).unwrap_or_default();
        // SAFETY: a timer that is removed meanwhile is still held here.
        timers.iter().for_each(|timer| unsafe { timer.onTimer() });
    }

    /// Lends it time until a condition holds; whether that came in time.
    pub fn run_until(&self, patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while !is_so() {
            if Instant::now() >= deadline {
                return false;
            }
            self.run();
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Offers it a key that the host has got: its character or zero, and VST3's virtual key or zero. Whether it was taken.
    pub fn offer_key(&self, character: u16, code: i16) -> bool {
        // SAFETY: the object lives.
        unsafe {
            let is_taken = self.view.onKeyDown(character, code, 0) == kResultOk;
            self.view.onKeyUp(character, code, 0);
            is_taken
        }
    }

    /// Closes it.
    pub fn close(&self) {
        // SAFETY: the object lives.
        unsafe {
            self.view.setFrame(std::ptr::null_mut());
            self.view.removed();
        }
    }

    /// Suggests a scale.
    pub fn set_scale(&self, scale: f32) {
        if let Some(scaled) = self.view.cast::<IPlugViewContentScaleSupport>() {
            // SAFETY: the object lives.
            unsafe { scaled.setContentScaleFactor(scale) };
        }
    }

    /// The size that it has asked for last, in pixels.
    pub fn asked_size(&self) -> Option<(i32, i32)> {
        self.frame.asked.lock().ok().and_then(|asked| *asked)
    }

    /// Its size, in pixels.
    ///
    /// # Errors
    /// It has none.
    pub fn size(&self) -> Result<(i32, i32)> {
        let mut rect = ViewRect { left: 0, top: 0, right: 0, bottom: 0 };
        // SAFETY: there is room for the answer.
        ensure!(unsafe { self.view.getSize(&mut rect) } == kResultOk, "the window has no size");
        Ok((rect.right - rect.left, rect.bottom - rect.top))
    }

    /// Gives it the size that is nearest to the one asked for. Returns what it is then.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn resize(&self, width: i32, height: i32) -> Result<(i32, i32)> {
        let mut rect = ViewRect { left: 0, top: 0, right: width, bottom: height };
        // SAFETY: the rectangle lives.
        unsafe {
            self.view.checkSizeConstraint(&mut rect);
            ensure!(self.view.onSize(&mut rect) == kResultOk, "the window takes no size");
        }
        Ok((rect.right, rect.bottom))
    }
}
