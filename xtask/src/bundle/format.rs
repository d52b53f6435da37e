//! The formats of bundles.

/// Purpose of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CLAP plugin.
    Clap,
    /// VST3 plugin.
    Vst3,
    /// Audio Unit, version 2; macOS.
    AudioUnit,
    /// LADSPA plugins; Linux.
    Ladspa,
    /// LV2 plugins; Linux.
    Lv2,
    /// The window on the microphone.
    Standalone,
    /// The program for files.
    Program,
}

/// The formats that macOS wraps in a folder with a property list, which are all that have a window; with its extension.
pub const WRAPPED_ON_MACOS: [(Format, &str); 4] = [
    (Format::Clap, "clap"),
    (Format::Vst3, "vst3"),
    (Format::AudioUnit, "component"),
    (Format::Standalone, "app"),
];

impl Format {
    /// Whether hosts load it.
    pub(crate) fn is_plugin(self) -> bool {
        matches!(self, Self::Clap | Self::Vst3 | Self::AudioUnit | Self::Ladspa | Self::Lv2)
    }
}
