//! The formats of bundles.

/// What a bundle is for.
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

impl Format {
    /// Whether hosts load it.
    pub fn is_plugin(self) -> bool {
        matches!(self, Self::Clap | Self::Vst3 | Self::AudioUnit | Self::Ladspa | Self::Lv2)
    }
}
