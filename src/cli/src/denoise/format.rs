//! The formats that outputs can have.

/// A format of outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FileFormat {
    /// WAV: 16 or 24 bits, or 32-bit float; RF64 from 4 GiB on
    #[default]
    Wav,
    /// FLAC: 16 or 24 bits, up to 8 channels
    Flac,
}

impl FileFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
        }
    }
}
