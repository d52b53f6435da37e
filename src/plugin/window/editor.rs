//! The panel's window as the framework holds it, around the one of nice-plug-egui.
//!
//! It says how large the window is, scaled as the system has it, and closes it without ending the host where its thread
//! has panicked.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::NativeSize;
use nice_plug::editor::{
    EditorHandle, HostMethods, Modifiers, ParentWindowHandle, ResizeHint, SpawnedEditor, VirtualKeyCode,
};
use nice_plug::plugin::TrackInfo;
use nice_plug_egui::baseview::{Error as WindowError, Window as SystemWindow, WindowSize};
use nice_plug_egui::{EguiEditor, EguiEditorHandle, NiceEguiApp};

use crate::plugin::shared::Shared;

/// The panel of one instance, as the framework wants it.
pub struct Editor<A: NiceEguiApp> {
    inner: EguiEditor<A>,
    shared: Arc<Shared>,
}

impl<A: NiceEguiApp> Editor<A> {
    /// An editor around that of nice-plug-egui.
    pub fn new(inner: EguiEditor<A>, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }
}

/// An open panel.
pub struct Handle {
    inner: EguiEditorHandle,
    shared: Arc<Shared>,
}

/// An open window.
pub struct OpenWindow(Option<SystemWindow>);

/// The size of a window as hosts count it.
pub fn native_size(size: WindowSize) -> NativeSize<u32> {
    NativeSize::from_logical_or_physical(size.logical, size.physical)
}

impl Drop for OpenWindow {
    fn drop(&mut self) {
        let window = self.0.take();
        // It waits for the thread that draws, and hands on its panic: into a function of C, which ends the process.
        if catch_unwind(AssertUnwindSafe(|| drop(window))).is_err() {
            nice_plug::nice_error!("the panel's window has failed: open it again");
        }
    }
}

impl Handle {
    /// Calls into the window, and notes how large it is then.
    fn with(
        &self,
        window: &OpenWindow,
        call: impl FnOnce(&EguiEditorHandle, &SystemWindow) -> Result<(), WindowError>,
    ) -> Result<(), WindowError> {
        let Some(window) = &window.0 else { return Ok(()) };
        let result = call(&self.inner, window);
        *self.shared.open_size.lock() = Some(native_size(window.size()));
        result
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        *self.shared.open_size.lock() = None;
    }
}

impl<A: NiceEguiApp> nice_plug::editor::Editor for Editor<A> {
    type Handle = Handle;

    fn spawn(
        &self,
        parent: Option<ParentWindowHandle>,
        wait_for_parent: bool,
        fallback_scale_factor: Option<f64>,
        gui_context: GuiContext,
        host: Option<HostMethods>,
    ) -> Result<SpawnedEditor<Handle>, Box<dyn Error>> {
        let spawned = self.inner.spawn(parent, wait_for_parent, fallback_scale_factor, gui_context, host)?;
        let handle = Handle { inner: spawned.handle, shared: self.shared.clone() };
        let window = OpenWindow(Some(spawned.window));
        handle.with(&window, |_, _| Ok(()))?;
        Ok(SpawnedEditor { handle, window })
    }

    fn size(&self) -> NativeSize<u32> {
        // A closed window has no scale yet.
        let open = *self.shared.open_size.lock();
        open.unwrap_or_else(|| self.inner.size())
    }

    fn resize_hint(&self) -> ResizeHint {
        self.inner.resize_hint()
    }

    fn track_info_updated(&self, info: TrackInfo) {
        self.inner.track_info_updated(info);
    }

    unsafe fn assume_standalone_in_process(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.assume_standalone_in_process() }
    }
}

impl EditorHandle for Handle {
    type Window = OpenWindow;
    type Error = WindowError;

    fn run_until_closed(mut window: OpenWindow) -> Result<(), WindowError> {
        window.0.take().map_or(Ok(()), EguiEditorHandle::run_until_closed)
    }

    fn set_parent(&self, parent: ParentWindowHandle, window: &OpenWindow) -> Result<(), WindowError> {
        self.with(window, |handle, window| handle.set_parent(parent, window))
    }

    fn show(&self, window: &OpenWindow) -> Result<(), WindowError> {
        self.with(window, EguiEditorHandle::show)
    }

    fn hide(&self, window: &OpenWindow) -> Result<(), WindowError> {
        self.with(window, EguiEditorHandle::hide)
    }

    fn set_size(&self, new_size: NativeSize<u32>, window: &OpenWindow) -> Result<(), WindowError> {
        self.with(window, |handle, window| handle.set_size(new_size, window))?;
        *self.shared.open_size.lock() = Some(new_size);
        Ok(())
    }

    fn host_main_thread_callback(&self, window: &OpenWindow) {
        if let Some(window) = &window.0 {
            self.inner.host_main_thread_callback(window);
        }
    }

    fn adjust_size(&self, new_size: NativeSize<u32>, window: &OpenWindow) -> Option<NativeSize<u32>> {
        self.inner.adjust_size(new_size, window.0.as_ref()?)
    }

    fn set_fallback_scale_factor(&self, scale_factor: f64, window: &OpenWindow) -> Result<(), WindowError> {
        self.with(window, |handle, window| handle.set_fallback_scale_factor(scale_factor, window))
    }

    fn on_virtual_key_from_host(&self, key: VirtualKeyCode, is_down: bool, modifiers: Modifiers) -> bool {
        self.inner.on_virtual_key_from_host(key, is_down, modifiers)
    }

    fn state_changed(&self) {
        self.inner.state_changed();
    }

    fn param_value_changed(&self, id: &str, normalized_value: f32) {
        self.inner.param_value_changed(id, normalized_value);
    }

    fn param_modulation_changed(&self, id: &str, modulation_offset: f32) {
        self.inner.param_modulation_changed(id, modulation_offset);
    }
}
