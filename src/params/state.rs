//! Validation of saved states before they are applied.
//!
//! The framework refuses what is no state at all. What gets through is put in order before it is applied: a state
//! without any of these parameters changes nothing; a parameter that is missing takes its default instead of keeping what
//! it had; a value that cannot be, or that a newer version wrote, takes the nearest that can, or the default. Unknown
//! parameters are dropped.
//!
//! A state says which version of this meaning it was written with. Versions that are newer than ours are read as far as
//! they are understood.

use nice_plug::plugin::ParamValue;
use nice_plug::prelude::*;

use super::extras::{Extras, KEY, VERSION};
use crate::parameters::ParamId;
use crate::presets::PresetValue;

/// Puts a state in order. Not for the audio thread.
pub fn tidy(state: &mut PluginState) {
    if !ParamId::ALL.iter().any(|id| state.params.contains_key(id.spec().id)) {
        state.params.clear();
        state.fields.clear();
        return;
    }
    let tidied = |&id: &ParamId| {
        let saved = state.params.get(id.spec().id).and_then(preset_value);
        let plain = saved.and_then(|value| value.plain(id)).unwrap_or_else(|| id.default_plain());
        (id.spec().id.into(), param_value(PresetValue::from_plain(id, plain)))
    };
    state.params = ParamId::ALL.iter().map(tidied).collect();
    let extras = state.fields.get(KEY).and_then(|text| serde_json::from_str::<Extras>(text).ok());
    let extras = Extras { version: VERSION, ..extras.unwrap_or_default() };
    state.fields.clear();
    if let Ok(text) = serde_json::to_string(&extras) {
        state.fields.insert(KEY.into(), text);
    }
}

/// A saved value as presets have it; none of a kind that no parameter has.
fn preset_value(saved: &ParamValue) -> Option<PresetValue> {
    match saved {
        ParamValue::F32(number) => Some(PresetValue::Number(*number)),
        ParamValue::Bool(is_on) => Some(PresetValue::Switch(*is_on)),
        ParamValue::String(id) => Some(PresetValue::Choice(id.clone())),
        ParamValue::I32(_) => None,
    }
}

fn param_value(value: PresetValue) -> ParamValue {
    match value {
        PresetValue::Number(number) => ParamValue::F32(number),
        PresetValue::Switch(is_on) => ParamValue::Bool(is_on),
        PresetValue::Choice(id) => ParamValue::String(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(json: &str) -> PluginState {
        let mut state: PluginState = serde_json::from_str(json).unwrap();
        tidy(&mut state);
        state
    }

    fn text(state: &PluginState, id: &str) -> String {
        serde_json::to_string(&state.params[id]).unwrap()
    }

    #[test]
    fn missing_parameters_take_their_defaults_and_impossible_values_the_nearest() {
        let state = tidied(
            r#"{"version": "0.1.0", "params": {
                "limit": {"f32": 24.0}, "gain": {"f32": 1e9}, "mix": {"bool": true}, "listen": {"string": "removed"},
                "link": {"string": "telepathy"}, "compar": {"f32": 1.0}, "future": {"f32": 3.0}
            }, "fields": {"tacet": "{\"version\": 7, \"preset\": \"Podcast\", \"future\": 1}"}}"#,
        );
        assert_eq!(state.params.len(), ParamId::ALL.len());
        assert_eq!(text(&state, "limit"), r#"{"f32":24.0}"#);
        assert_eq!(text(&state, "gain"), r#"{"f32":24.0}"#);
        assert_eq!(text(&state, "mix"), r#"{"f32":1.0}"#);
        assert_eq!(text(&state, "listen"), r#"{"string":"removed"}"#);
        assert_eq!(text(&state, "link"), r#"{"string":"mean"}"#);
        assert_eq!(text(&state, "compar"), r#"{"bool":false}"#);
        assert_eq!(text(&state, "postf"), r#"{"f32":0.0}"#);
        // Parameters newer than the state keep their defaults.
        for id in [ParamId::Voice, ParamId::Ambience, ParamId::Hold, ParamId::Release, ParamId::Limit8kHz] {
            let default = param_value(PresetValue::from_plain(id, id.default_plain()));
            let default = serde_json::to_string(&default).unwrap();
            assert_eq!(text(&state, id.spec().id), default);
        }
        let extras: Extras = serde_json::from_str(&state.fields["tacet"]).unwrap();
        assert_eq!((extras.version, extras.preset.as_deref()), (VERSION, Some("Podcast")));
    }

    #[test]
    fn a_state_that_is_not_ours_changes_nothing() {
        let state = tidied(
            r#"{"version": "9", "params": {"cutoff": {"f32": 24.0}}, "fields": {"tacet": "{\"version\": 1}"}}"#,
        );
        assert!(state.params.is_empty() && state.fields.is_empty());
    }

    #[test]
    fn broken_extras_are_replaced() {
        let state =
            tidied(r#"{"version": "", "params": {"mix": {"f32": 0.5}}, "fields": {"tacet": "nonsense"}}"#);
        assert_eq!(serde_json::from_str::<Extras>(&state.fields["tacet"]).unwrap(), Extras::default());
    }
}
