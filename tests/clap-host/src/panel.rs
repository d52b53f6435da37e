//! The plugin's window inside a window of the host's.

use anyhow::{Context, Result, ensure};
use clack_extensions::gui::{GuiApiType, GuiConfiguration, GuiSize, HostGuiImpl, PluginGui, Window};
use clack_host::prelude::HostError;

use crate::{Instance, Requests};

const EMBEDDED_X11: GuiConfiguration<'_> = GuiConfiguration { api_type: GuiApiType::X11, is_floating: false };

/// The host's window is as large as the plugin's may become.
impl HostGuiImpl for Requests {
    fn resize_hints_changed(&self) {}

    fn request_resize(&self, _: GuiSize) -> Result<(), HostError> {
        Ok(())
    }

    fn request_show(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn request_hide(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn closed(&self, _: bool) {}
}

impl Instance {
    /// Opens the plugin's window inside an X11 window, which must outlive it. Returns its size in pixels.
    ///
    /// # Errors
    /// The plugin has no window, or it cannot be opened.
    pub fn open_panel(&mut self, parent: u32) -> Result<(u32, u32)> {
        let gui = self.extension::<PluginGui>()?;
        let handle = self.plugin.plugin_handle();
        ensure!(
            gui.is_api_supported(&handle, EMBEDDED_X11),
            "the plugin's window cannot be inside an X11 window"
        );
        gui.create(&handle, EMBEDDED_X11)?;
        let size = gui.get_size(&handle).context("the plugin's window has no size")?;
        // X11's numbers are as wide as C's long, which is not so wide everywhere.
        #[allow(clippy::useless_conversion)]
        let window = Window::from_x11_handle(parent.into());
        // SAFETY: the caller keeps the parent until the panel is closed.
        unsafe { gui.set_parent(&handle, window)? };
        gui.show(&handle)?;
        Ok((size.width, size.height))
    }

    /// Gives the plugin's window another size, in pixels.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn resize_panel(&mut self, width: u32, height: u32) -> Result<()> {
        let gui = self.extension::<PluginGui>()?;
        let handle = self.plugin.plugin_handle();
        let size = gui.adjust_size(&handle, GuiSize { width, height }).context("no size is near this one")?;
        Ok(gui.set_size(&handle, size)?)
    }

    /// Closes the plugin's window.
    ///
    /// # Errors
    /// The plugin has none.
    pub fn close_panel(&mut self) -> Result<()> {
        let gui = self.extension::<PluginGui>()?;
        gui.destroy(&self.plugin.plugin_handle());
        Ok(())
    }
}
