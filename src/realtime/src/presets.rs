//! Presets: sets of values that decide the sound and the delay, for the plugin, live programs and files alike. Not for the
//! audio thread.
//!
//! The factory's are here.
//!
//! - [`values`]: a preset's values, as files keep them.
//! - [`library`]: the user's own, as files.

use serde::{Deserialize, Serialize};

use crate::enhance::StereoLink;
use crate::latency::LatencyMode;
use crate::parameters::{Choice, ParamId, Values};

pub mod library;
pub mod values;

pub use library::find;
pub use values::PresetValues;

/// A parameter's value in a preset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PresetValue {
    /// A number in the parameter's unit.
    Number(f32),
    /// The identifier of a choice.
    Choice(String),
    /// On or off.
    Switch(bool),
}

impl PresetValue {
    /// One value of a choice.
    pub fn of(choice: impl Choice) -> Self {
        Self::Choice(choice.choice_id().into())
    }

    /// The value as a plain number that the parameter can have: in its unit and range, 0 or 1 of a switch, the position of a
    /// choice. None for a value of another kind, or one that is no number or no choice: another version, or a person, may have
    /// written it.
    pub fn plain(&self, id: ParamId) -> Option<f32> {
        match (self, id.spec().values) {
            (Self::Number(value), Values::Number(number)) if value.is_finite() => {
                Some(value.clamp(number.min, number.max))
            }
            (Self::Switch(is_on), Values::Switch { .. }) => Some(f32::from(u8::from(*is_on))),
            (Self::Choice(chosen), Values::Choice(texts)) => {
                texts.iter().position(|text| text.id == chosen).map(|index| index as f32)
            }
            _ => None,
        }
    }

    /// The value of a parameter that is this plain number, as [`Self::plain`] gives it.
    pub fn from_plain(id: ParamId, plain: f32) -> Self {
        match id.spec().values {
            Values::Number(_) => Self::Number(plain),
            Values::Switch { .. } => Self::Switch(plain > 0.5),
            Values::Choice(texts) => Self::Choice(texts[(plain as usize).min(texts.len() - 1)].id.into()),
        }
    }
}

/// A named set of values: what differs from the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    /// The name for the user.
    pub name: String,
    /// Its values.
    pub values: PresetValues,
}

impl Preset {
    /// The name as a command line has it: lower case, words joined by hyphens.
    pub fn id(&self) -> String {
        id_of(&self.name)
    }

    /// The factory's preset of a name, however its words are joined and capitalised.
    pub fn of_factory(name: &str) -> Option<Self> {
        factory().into_iter().find(|preset| preset.id() == id_of(name))
    }
}

fn id_of(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// The factory's presets. All limit the reduction and leave thresholds and post filter alone, which cost speech more than
/// they win; `tests/quality/presets.py` scores each.
pub fn factory() -> Vec<Preset> {
    use PresetValue::Number;
    let preset =
        |name: &str, values: &[_]| Preset { name: name.to_owned(), values: values.iter().cloned().collect() };
    let limit = |db| (ParamId::Limit, Number(db));
    let keeps_image = (ParamId::Link, PresetValue::of(StereoLink::Max));
    vec![
        // Almost everything goes; what stays is below the noise of most rooms that it is heard in.
        preset("Podcast", &[limit(36.0)]),
        // Room tone stays, 18 dB down: nothing pumps, and edits do not fall into a hole.
        preset("Voice-over, gentle", &[limit(18.0)]),
        // The place stays believable. The larger mask keeps the stereo image of a moving source.
        preset("Field recording", &[limit(15.0), keeps_image.clone()]),
        // The second speaker, far from the microphone, is what the network is least sure of.
        preset("Interview, two levels", &[limit(20.0), keeps_image.clone()]),
        // For monitoring: no slack, and enough left for the speaker to hear the room.
        preset("Live mic", &[limit(30.0), (ParamId::LatencyMode, PresetValue::of(LatencyMode::Lowest))]),
        // Music is noise to the network: it may only take a little.
        preset("Music under voice", &[limit(12.0), keeps_image]),
        // Whispering is noise to the network, too.
        preset("Whisper", &[limit(12.0)]),
        // Clipped, narrow or worn recordings: what is damaged sounds like noise.
        preset("Archive", &[limit(12.0)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        for name in ["voice-over-gentle", "Voice-over, gentle", "VOICE OVER GENTLE"] {
            assert_eq!(Preset::of_factory(name).unwrap().name, "Voice-over, gentle");
        }
        assert_eq!(Preset::of_factory("loud"), None);
        let values = Preset::of_factory("podcast").unwrap().values;
        assert_eq!(values.get(ParamId::Limit), Some(&PresetValue::Number(36.0)));
        assert_eq!(values.get(ParamId::PostFilter), None);
    }

    #[test]
    fn values_are_in_range() {
        for preset in factory() {
            for (id, value) in preset.values.iter() {
                if let PresetValue::Number(value) = value {
                    let number = id.number();
                    assert!((number.min..=number.max).contains(value), "{id:?}");
                }
            }
        }
    }
}
