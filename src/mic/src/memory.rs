//! The microphone's memory between runs: parameters and input. One file for each direction.

use serde::{Deserialize, Serialize};
use tacet_realtime::device::Device;
use tacet_realtime::presets::PresetValues;
use tacet_realtime::user_files::{self, UserFileError};

use crate::Direction;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The parameters.
    pub values: PresetValues,
    /// The node on the other side; the default one, whichever that is, where there is none.
    pub target: Option<String>,
    /// Channels.
    pub n_channels: Option<u8>,
    /// The block that the server is asked for, in samples.
    pub block_samples: Option<u32>,
    /// The device of the network, by its identifier.
    pub device: Option<String>,
    /// The window's own settings; nobody else reads them.
    pub window: serde_json::Value,
}

/// The message of `tacet mic --panel` to the program with the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    /// Whether it is the other direction.
    pub speakers: bool,
    /// The options and values at the start.
    pub remembered: Remembered,
}

impl Remembered {
    /// The device of the network.
    pub fn device(&self) -> Option<Device> {
        self.device.as_deref()?.parse().ok()
    }

    fn file(direction: Direction) -> String {
        format!("{}.json", direction.name())
    }

    /// The memory of the last run; empty where it cannot be read or understood.
    pub fn read(direction: Direction) -> Self {
        user_files::recall(&Self::file(direction))
    }

    /// Writes it for the next run, whole or not at all.
    ///
    /// # Errors
    /// [`UserFileError`].
    pub fn write(&self, direction: Direction) -> Result<(), UserFileError> {
        user_files::remember(&Self::file(direction), self)
    }
}

#[cfg(test)]
mod tests {
    use tacet_realtime::parameters::ParamId;
    use tacet_realtime::presets::PresetValue;

    use super::*;

    #[test]
    fn written_settings_are_read_and_a_damaged_file_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder").join("mic.json");
        assert_eq!(user_files::read_json::<Remembered>(&path), Remembered::default());
        let written = Remembered {
            values: PresetValues::from_iter([(ParamId::Limit, PresetValue::Number(12.0))]),
            target: Some("webcam".into()),
            n_channels: Some(2),
            block_samples: None,
            device: Some(Device::Native16.id()),
            window: serde_json::json!({"view": "about"}),
        };
        user_files::write_json(&path, &written).unwrap();
        let read: Remembered = user_files::read_json(&path);
        assert_eq!((&read, read.device()), (&written, Some(Device::Native16)));
        for damaged in ["{", r#"{"device": 3}"#, ""] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(user_files::read_json::<Remembered>(&path), Remembered::default());
        }
    }
}
