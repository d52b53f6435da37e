//! The preset list against the parameters: what is current, what was turned since, recall, save and delete.

use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::*;

use crate::panel::view_model;
use crate::params::TacetParams;
use crate::params::library::{Library, LibraryError};
use crate::params::presets::{Preset, Values, factory};

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
        let now = values(params);
        view_model.edited = saved.map_or(now != Values::default(), |saved| *saved != now);
    }

    /// Sets all parameters of a preset, each in a gesture of its own, and remembers its name.
    pub fn recall(&self, params: &TacetParams, gui: &GuiContext, name: &str) {
        let Some(values) = self.find(name) else { return };
        apply(params, gui, values);
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
        Library::of_user()?.save(name, &values(params))?;
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

    fn find(&self, name: &str) -> Option<&Values> {
        let found = self.factory.iter().chain(&self.own).find(|preset| preset.name == name);
        found.map(|preset| &preset.values)
    }
}

/// Sets all parameters of a preset, each in a gesture of its own.
pub fn apply(params: &TacetParams, gui: &GuiContext, values: &Values) {
    let setter = gui.param_setter();
    for (param, value) in [
        (&params.limit, values.limit_db),
        (&params.mix, values.mix),
        (&params.post_filter, values.post_filter),
        (&params.min_snr, values.min_snr_db),
        (&params.max_erb, values.max_erb_db),
        (&params.max_df, values.max_df_db),
    ] {
        gesture(&setter, param, param.preview_normalized(value));
    }
    choose(&setter, &params.link, &values.link);
    choose(&setter, &params.latency_mode, &values.latency_mode);
}

fn remember(params: &TacetParams, name: Option<&str>) {
    if let Ok(mut extras) = params.extras.write() {
        extras.preset = name.map(str::to_owned);
    }
}

fn gesture<P: Param>(setter: &ParamSetter<'_>, param: &P, normalized: f32) {
    // A value that is there already needs no entry in the host's history.
    if param.unmodulated_normalized_value() != normalized {
        setter.begin_set_parameter(param);
        setter.set_parameter_normalized(param, normalized);
        setter.end_set_parameter(param);
    }
}

/// Sets a choice by its identifier; one that is unknown changes nothing.
fn choose<T: Enum + PartialEq + 'static>(setter: &ParamSetter<'_>, param: &EnumParam<T>, id: &str) {
    let ids = T::ids().unwrap_or_default();
    if let Some(index) = ids.iter().position(|known| *known == id) {
        gesture(setter, param, param.preview_normalized(T::from_index(index)));
    }
}

/// What a preset would hold of the parameters as they are.
pub fn values(params: &TacetParams) -> Values {
    fn id<T: Enum + PartialEq>(value: T) -> String {
        T::ids().and_then(|ids| ids.get(value.to_index()).copied()).unwrap_or_default().into()
    }
    Values {
        limit_db: params.limit.value(),
        mix: params.mix.value(),
        post_filter: params.post_filter.value(),
        min_snr_db: params.min_snr.value(),
        max_erb_db: params.max_erb.value(),
        max_df_db: params.max_df.value(),
        link: id(params.link.value()),
        latency_mode: id(params.latency_mode.value()),
    }
}
