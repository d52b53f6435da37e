//! The values of a preset, as files keep them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PresetValue;
use crate::parameters::ParamId;

/// Values of a preset, by the parameters' identifiers. A parameter that is missing takes its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, serde_json::Value>")]
pub struct PresetValues(BTreeMap<String, PresetValue>);

/// Names that the first version of presets used.
const FORMER_NAMES: [(&str, ParamId); 6] = [
    ("limit_db", ParamId::Limit),
    ("post_filter", ParamId::PostFilter),
    ("min_snr_db", ParamId::MinSnr),
    ("max_erb_db", ParamId::MaxErb),
    ("max_df_db", ParamId::MaxDf),
    ("latency_mode", ParamId::LatencyMode),
];

impl From<BTreeMap<String, serde_json::Value>> for PresetValues {
    /// Keeps what is understood: another version may have written the rest.
    fn from(read: BTreeMap<String, serde_json::Value>) -> Self {
        let id = |name: &str| {
            let former = FORMER_NAMES.iter().find(|(former, _)| *former == name).map(|(_, id)| *id);
            ParamId::from_id(name).or(former)
        };
        let understood = read
            .into_iter()
            .filter_map(|(name, value)| Some((id(&name)?, serde_json::from_value(value).ok()?)));
        understood.collect()
    }
}

impl FromIterator<(ParamId, PresetValue)> for PresetValues {
    fn from_iter<I: IntoIterator<Item = (ParamId, PresetValue)>>(values: I) -> Self {
        Self(values.into_iter().map(|(id, setting)| (id.spec().id.into(), setting)).collect())
    }
}

impl PresetValues {
    /// The value of a parameter, if there is one.
    pub fn get(&self, id: ParamId) -> Option<&PresetValue> {
        self.0.get(id.spec().id)
    }

    /// The value of a parameter as a [plain number](PresetValue::plain), if there is one that it can have.
    pub fn plain(&self, id: ParamId) -> Option<f32> {
        self.get(id)?.plain(id)
    }

    /// How many parameters have a value.
    pub fn n_values(&self) -> usize {
        self.0.len()
    }

    /// The parameters that have a value, with it; not those of another version.
    pub fn iter(&self) -> impl Iterator<Item = (ParamId, &PresetValue)> {
        self.0.iter().filter_map(|(id, value)| Some((ParamId::from_id(id)?, value)))
    }

    /// These, with those of `others` in their place where there are any.
    pub fn overruled_by(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}
