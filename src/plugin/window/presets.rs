//! The preset list against the parameters: what is current, what was changed since, recall, save and delete.

use nice_plug::context::gui::GuiContext;

use crate::panel::view_model;
use crate::params::TacetParams;
use crate::params::presets::{OfParams as _, Preset, PresetValues};
use crate::presets::factory;
use crate::presets::library::{Library, LibraryError};

/// All presets, and what is known of them.
pub struct Presets {
    factory: Vec<Preset>,
    own: Vec<Preset>,
}

impl Default for Presets {
    fn default() -> Self {
        Self { factory: factory(), own: Vec::new() }
    }
}

impl Presets {
    /// Reads the user's presets from disk.
    pub fn reload(&mut self) {
        self.own = Library::of_user().map(|library| library.list()).unwrap_or_default();
    }

    /// Fills the panel's list.
    pub fn show(&self, params: &TacetParams, view_model: &mut view_model::Presets) {
        let current = params.extras.read().ok().and_then(|extras| extras.preset.clone());
        // Names come and go seldom; the panel looks thirty times a second.
        if view_model.own.len() != self.own.len()
            || view_model.factory.is_empty()
            || view_model.current != current
        {
            let name = |preset: &Preset| preset.name.clone();
            view_model.factory = self.factory.iter().map(name).collect();
            view_model.own = self.own.iter().map(name).collect();
            view_model.current = current;
        }
        let saved = view_model.current.as_deref().and_then(|name| self.find(name));
        let defaults = PresetValues::default();
        view_model.edited = !saved.unwrap_or(&defaults).is_in_force(params);
    }

    /// Sets all parameters of a preset, each in a gesture of its own, and remembers its name.
    pub(crate) fn recall(&self, params: &TacetParams, gui: &GuiContext, name: &str) {
        let Some(values) = self.find(name) else { return };
        values.apply(params, gui);
        remember(params, Some(name));
    }

    /// Keeps the parameters under a name.
    ///
    /// # Errors
    /// [`LibraryError`].
    pub fn save(&mut self, params: &TacetParams, name: &str) -> Result<(), LibraryError> {
        if self.factory.iter().any(|preset| preset.name == name.trim()) {
            return Err(LibraryError::Factory(name.trim().into()));
        }
        Library::of_user()?.save(name, &PresetValues::of(params))?;
        remember(params, Some(name.trim()));
        self.reload();
        Ok(())
    }

    /// Removes one of the user's presets.
    ///
    /// # Errors
    /// [`LibraryError`].
    pub fn delete(&mut self, params: &TacetParams, name: &str) -> Result<(), LibraryError> {
        Library::of_user()?.delete(name)?;
        if params.extras.read().is_ok_and(|extras| extras.preset.as_deref() == Some(name)) {
            remember(params, None);
        }
        self.reload();
        Ok(())
    }

    fn find(&self, name: &str) -> Option<&PresetValues> {
        let found = self.factory.iter().chain(&self.own).find(|preset| preset.name == name);
        found.map(|preset| &preset.values)
    }
}

fn remember(params: &TacetParams, name: Option<&str>) {
    if let Ok(mut extras) = params.extras.write() {
        extras.preset = name.map(str::to_owned);
    }
}
