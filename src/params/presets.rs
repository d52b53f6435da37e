//! Presets on the plugin's parameters. Output gain, listening, bypass and devices stay as they are; the
//! [table](crate::parameters) says which parameters presets set, [`crate::presets`] has the factory's and the user's.

use nice_plug::context::gui::GuiContext;

use super::TacetParams;
use crate::parameters::ParamId;

pub use crate::presets::{Preset, PresetValue, PresetValues};

/// [`PresetValues`] of the plugin's parameters.
pub trait OfParams {
    /// The current parameters as a preset.
    fn of(params: &TacetParams) -> Self;

    /// Every parameter's value except the momentary ones: a program's memory between runs.
    fn of_program(params: &TacetParams) -> Self;

    /// Sets the values before anything runs, unknown to any host.
    fn start(&self, params: &TacetParams);

    /// Sets all parameters of a preset, each in a gesture of its own.
    fn apply(&self, params: &TacetParams, host: &GuiContext);

    /// Whether the parameters are as the preset sets them.
    fn is_in_force(&self, params: &TacetParams) -> bool;
}

impl OfParams for PresetValues {
    fn of(params: &TacetParams) -> Self {
        preset_params().map(|id| (id, setting(params, id))).collect()
    }

    fn of_program(params: &TacetParams) -> Self {
        let ids = ParamId::ALL.iter().copied().filter(|id| !id.is_momentary());
        ids.map(|id| (id, setting(params, id))).collect()
    }

    fn start(&self, params: &TacetParams) {
        for id in ParamId::ALL.iter().copied().filter(|&id| self.get(id).is_some()) {
            params.param(id).start(value(self, params, id));
        }
    }

    fn apply(&self, params: &TacetParams, host: &GuiContext) {
        for id in preset_params() {
            let (param, value) = (params.param(id), value(self, params, id));
            // A value that is there already needs no entry in the host's history.
            if param.value() != value {
                param.begin(host);
                param.set(host, value);
                param.end(host);
            }
        }
    }

    fn is_in_force(&self, params: &TacetParams) -> bool {
        preset_params().all(|id| params.param(id).value() == value(self, params, id))
    }
}

/// The normalised value that a parameter takes of a preset.
fn value(values: &PresetValues, params: &TacetParams, id: ParamId) -> f32 {
    let param = params.param(id);
    values.plain(id).map_or(param.default_value(), |plain| param.normalized(plain))
}

/// The parameters that presets set.
fn preset_params() -> impl Iterator<Item = ParamId> {
    ParamId::ALL.iter().copied().filter(|id| id.spec().scope.is_in_presets())
}

fn setting(params: &TacetParams, id: ParamId) -> PresetValue {
    PresetValue::from_plain(id, params.param(id).plain(params.param(id).value()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enhance::StereoLink;
    use crate::latency::LatencyMode;
    use crate::presets::factory;

    #[test]
    fn remembered_values_come_back_and_options_override_them() {
        let before = TacetParams::default();
        let set = |id, value| PresetValues::from_iter([(id, value)]);
        set(ParamId::OutputGain, PresetValue::Number(-6.0)).start(&before);
        set(ParamId::Bypass, PresetValue::Switch(true)).start(&before);
        let text = serde_json::to_string(&PresetValues::of_program(&before)).unwrap();
        let remembered: PresetValues = serde_json::from_str(&text).unwrap();
        let after = TacetParams::default();
        remembered.clone().overruled_by(set(ParamId::Limit, PresetValue::Number(12.0))).start(&after);
        let plain = |id| after.param(id).plain(after.param(id).value());
        assert!(
            (plain(ParamId::OutputGain) + 6.0).abs() < 0.05 && (plain(ParamId::Limit) - 12.0).abs() < 0.05
        );
        assert_eq!(plain(ParamId::Bypass), 0.0, "nobody wants to find it bypassed");
    }

    #[test]
    fn a_factory_preset_states_only_what_differs_and_what_presets_set() {
        let params = TacetParams::default();
        let mut names = std::collections::HashSet::new();
        for Preset { name, values } in factory() {
            for (id, setting) in values.iter() {
                assert!(id.spec().scope.is_in_presets(), "{name}: {id:?}");
                let (value, default) = (value(&values, &params, id), params.param(id).default_value());
                assert!(value != default, "{name}: {id:?} = {setting:?} is the default or not understood");
            }
            assert!(names.insert(name));
        }
    }

    #[test]
    fn the_first_versions_presets_are_understood() {
        let text = r#"{"limit_db": 24.0, "mix": 0.5, "link": "max", "latency_mode": "lowest", "new": [1], "gain": {}}"#;
        let expected = [
            (ParamId::Limit, PresetValue::Number(24.0)),
            (ParamId::Mix, PresetValue::Number(0.5)),
            (ParamId::Link, PresetValue::of(StereoLink::Max)),
            (ParamId::LatencyMode, PresetValue::of(LatencyMode::Lowest)),
        ];
        let read: PresetValues = serde_json::from_str(text).unwrap();
        assert_eq!(read, expected.into_iter().collect());
        let again: PresetValues = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
        assert_eq!(again, read);
    }

    #[test]
    fn values_that_cannot_be_take_the_default_or_the_nearest() {
        let params = TacetParams::default();
        let read: PresetValues =
            serde_json::from_str(r#"{"limit": 1e9, "mix": "half", "link": "telepathy", "postf": -1}"#)
                .unwrap();
        let values = [ParamId::Limit, ParamId::Mix, ParamId::Link, ParamId::PostFilter];
        assert_eq!(values.map(|id| value(&read, &params, id)), [1.0, 1.0, 1.0, 0.0]);
        assert!(read.is_in_force(&params), "all of these are the defaults");
    }

    #[test]
    fn kept_defaults_are_in_force() {
        let params = TacetParams::default();
        let kept = PresetValues::of(&params);
        assert_eq!(kept.n_values(), preset_params().count());
        assert!(kept.is_in_force(&params) && PresetValues::default().is_in_force(&params));
        assert!(factory().iter().all(|preset| !preset.values.is_in_force(&params)));
    }
}
