//! The program's memory between runs: parameters, devices, the window's size and the panel's settings.

use serde::{Deserialize, Serialize};
use tacet::plugin::window::audio::Memory;
use tacet::user_files::{self, UserFileError};

use super::Options;

/// Its file in the per-user data directory.
const FILE: &str = "standalone.json";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// Parameters and panel.
    pub program: Memory,
    /// The input that was chosen by name.
    pub input: Option<String>,
    /// The output that was chosen by name.
    pub output: Option<String>,
}

impl Remembered {
    /// The memory of the last run; empty where it cannot be read or understood.
    pub fn read() -> Self {
        user_files::recall(FILE)
    }

    /// Writes it for the next run, whole or not at all.
    ///
    /// # Errors
    /// [`UserFileError`].
    pub fn write(&self) -> Result<(), UserFileError> {
        user_files::remember(FILE, self)
    }
}

/// The parameters and the panel to begin with: those remembered, overruled by options, and those by what a restart carries
/// over.
pub fn at_start(options: &Options) -> Memory {
    let remembered = if options.forget { Memory::default() } else { Remembered::read().program };
    combine(remembered, options)
}

fn combine(remembered: Memory, options: &Options) -> Memory {
    let carried = options.values.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let given = options.parameters.values().overruled_by(carried.unwrap_or_default());
    Memory { values: remembered.values.overruled_by(given), ..remembered }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tacet::parameters::ParamId;
    use tacet::params::presets::{PresetValue, PresetValues};

    use super::*;

    #[test]
    fn written_settings_are_read_and_a_damaged_file_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder").join(FILE);
        assert_eq!(user_files::read_json::<Remembered>(&path), Remembered::default());
        let values = PresetValues::from_iter([(ParamId::Limit, PresetValue::Number(12.0))]);
        let written = Remembered {
            program: Memory { values, extras: None },
            input: Some("Webcam".into()),
            output: None,
        };
        user_files::write_json(&path, &written).unwrap();
        assert_eq!(user_files::read_json::<Remembered>(&path), written);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(user_files::read_json::<Remembered>(&path), Remembered::default());
    }

    #[test]
    fn options_overrule_what_is_remembered_and_a_restart_overrules_both() {
        let number = |id, value| PresetValues::from_iter([(id, PresetValue::Number(value))]);
        let remembered = Memory {
            values: number(ParamId::Limit, 12.0).overruled_by(number(ParamId::MinSnr, -10.0)),
            extras: None,
        };
        let options = Options::parse_from(["tacet-live", "--attenuation-limit", "24", "--gain-db", "-3"]);
        let expected = number(ParamId::Limit, 24.0)
            .overruled_by(number(ParamId::MinSnr, -10.0))
            .overruled_by(number(ParamId::OutputGain, -3.0));
        assert_eq!(combine(remembered.clone(), &options).values, expected);
        let carried = serde_json::to_string(&number(ParamId::Limit, 6.0)).unwrap();
        let options = Options { values: Some(carried), ..options };
        let expected = expected.overruled_by(number(ParamId::Limit, 6.0));
        assert_eq!(combine(remembered, &options).values, expected);
    }
}
