//! Values of options, read from the command line.

use clap::ValueEnum;
use tacet_realtime::device::{self, Device};
use tacet_realtime::parameters::{self, ParamId};
use tacet_realtime::presets::{self, Preset};
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
        None => Err(methods()),
    }
}

/// Help of `--df-op`.
pub fn method_help() -> String {
    format!(
        "Way in which libtorch computes the deep filter: {} [default: auto: complex_strided if complex numbers work on the \
         device, else real_unfold]",
        methods()
    )
}

fn methods() -> String {
    let names = device::DF_METHODS.iter().map(|(_, name)| *name);
    std::iter::once("auto").chain(names).collect::<Vec<_>>().join(", ")
}

/// Reads `--preset`.
pub fn preset(name: &str) -> Result<Preset, String> {
    Preset::of_factory(name).ok_or_else(preset_names)
}

/// Help of `--preset`.
pub fn preset_help() -> String {
    format!("Settings of one of the plugin's presets: {}. Options given beside it prevail", preset_names())
}

fn preset_names() -> String {
    presets::factory().iter().map(Preset::id).collect::<Vec<_>>().join(", ")
}

/// A threshold on the local SNR, beyond the estimate's range too: always or never.
pub fn threshold(text: &str) -> Result<f32, String> {
    parameters::between(text, -100.0, 100.0)
}

/// Help of `--level`.
pub fn level_help() -> String {
    let gain = ParamId::LevelGain.number();
    format!(
        "Raises quiet speech to the level that the network knows, for its analysis alone: auto, off, or a fixed gain in dB, \
         {} to {}. The sound is never amplified; at usual levels auto changes nothing",
        gain.min, gain.max
    )
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
