//! Values of options, read from the command line.

use clap::ValueEnum;
use tacet_realtime::device::{self, Device};
use tacet_realtime::parameters::{self, ParamId};
use tacet_realtime::presets::{self, FactoryPreset};
use tacet_realtime::rules::level::LevelRule;
use tacet_torch_pack::abi::DfMethod;

/// Implementations of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Tacet's own, on the CPU
    Native,
    /// libtorch, on the CPU or a GPU; needs the runtime pack (`tacet torch install`)
    Torch,
}

/// `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best one for files.
    Auto,
    /// This one.
    This(Device),
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::This).map_err(|error| format!("{error}, or auto")),
        }
    }
}

/// `--df-op`: a method, or `None` for "auto".
pub type MethodChoice = Option<DfMethod>;

/// Reads a [`MethodChoice`].
pub fn method(text: &str) -> Result<MethodChoice, String> {
    let known = device::DF_METHODS.iter().find(|(_, name)| *name == text);
    match known {
        Some((method, _)) => Ok(Some(*method)),
        None if text == "auto" => Ok(None),
        None => {
            let names: Vec<_> = device::DF_METHODS.iter().map(|(_, name)| *name).collect();
            Err(format!("auto, {}", names.join(", ")))
        }
    }
}

/// Reads `--preset`.
pub fn preset(name: &str) -> Result<FactoryPreset, String> {
    FactoryPreset::find(name).ok_or_else(|| {
        let ids: Vec<String> = presets::factory().iter().map(FactoryPreset::id).collect();
        ids.join(", ")
    })
}

/// A threshold on the local SNR, beyond the estimate's range too: always or never.
pub fn threshold(text: &str) -> Result<f32, String> {
    parameters::between(text, -100.0, 100.0)
}

/// Reads `--level`.
pub fn level(text: &str) -> Result<LevelRule, String> {
    match text {
        "auto" => Ok(LevelRule::Auto),
        "off" => Ok(LevelRule::Fixed(0.0)),
        _ => ParamId::LevelGain.reader()(text)
            .map(LevelRule::Fixed)
            .map_err(|error| format!("auto, off, or {error}")),
    }
}
