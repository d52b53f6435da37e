//! A plugin file and the plugin in it that is tested.

use std::ffi::{CStr, CString};
use std::path::Path;

use anyhow::{Context, Result};
use clack_host::factory::plugin::PluginFactory;
use clack_host::prelude::*;

use super::{Handlers, Instance, MainThread, Requests};

/// A loaded plugin file.
pub struct PluginFile {
    entry: PluginEntry,
    id: CString,
    /// The plugin's name.
    pub name: String,
}

impl PluginFile {
    /// Loads a plugin file; its first plugin is used.
    ///
    /// # Errors
    /// The file cannot be loaded or holds no plugin.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_nth(path, 0)
    }

    /// Loads a plugin file; the plugin of this index is used.
    ///
    /// # Errors
    /// The file cannot be loaded or holds no such plugin.
    pub fn load_nth(path: &Path, index: usize) -> Result<Self> {
        // SAFETY: running the file's code is what is asked for; it is one that this workspace has built.
        let entry = unsafe { PluginEntry::load(path) }.with_context(|| path.display().to_string())?;
        let factory: PluginFactory<'_> = entry.get_factory().context("the file has no plugin factory")?;
        let descriptor = factory.plugin_descriptors().nth(index).context("the file holds no such plugin")?;
        let id = descriptor.id().context("the plugin has no identifier")?.to_owned();
        let name = descriptor.name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { entry, id, name })
    }

    /// The plugin's identifier.
    pub fn id(&self) -> &CStr {
        &self.id
    }

    /// Creates an instance.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn create(&self) -> Result<Instance> {
        let info = HostInfo::new("tacet-clap-host", "Tacet contributors", "", env!("CARGO_PKG_VERSION"))?;
        let plugin = PluginInstance::<Handlers>::new(
            |()| Requests::default(),
            |_| MainThread,
            &self.entry,
            &self.id,
            &info,
        )?;
        let mut instance =
            Instance { plugin, audio: None, params: Vec::new(), n_channels: 2, steady_time: 0 };
        instance.params = instance.read_params();
        Ok(instance)
    }
}
