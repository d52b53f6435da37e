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

/// Bundles that macOS wraps in a folder with a property list: all that have a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppleBundle {
    /// CLAP plugin.
    Clap,
    /// VST3 plugin.
    Vst3,
    /// Audio Unit.
    AudioUnit,
    /// The window on the microphone.
    Standalone,
}

impl AppleBundle {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clap, Self::Vst3, Self::AudioUnit, Self::Standalone];

    /// Its format.
    pub fn format(self) -> Format {
        match self {
            Self::Clap => Format::Clap,
            Self::Vst3 => Format::Vst3,
            Self::AudioUnit => Format::AudioUnit,
            Self::Standalone => Format::Standalone,
        }
    }
}

impl Format {
    /// Whether hosts load it.
    pub(crate) fn is_plugin(self) -> bool {
        matches!(self, Self::Clap | Self::Vst3 | Self::AudioUnit | Self::Ladspa | Self::Lv2)
    }
}
