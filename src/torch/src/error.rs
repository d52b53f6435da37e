//! Errors, and how they cross the ABI.

use tacet_torch_pack::abi::Status;
use tch::TchError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, TorchError>;

/// Why a call failed. The loader adds the next step; the texts here say what happened.
#[derive(Debug, thiserror::Error)]
pub enum TorchError {
    /// The caller's arguments; nothing was done.
    #[error("{0}")]
    Argument(String),
    /// The model.
    #[error(transparent)]
    Model(#[from] tacet_model::ModelError),
    /// The device is not there.
    #[error("{0}")]
    NoDevice(String),
    /// The device's memory is used up.
    #[error("{0}")]
    OutOfMemory(String),
    /// libtorch threw; states are undefined.
    #[error("{0}")]
    Device(String),
}

impl TorchError {
    /// The code that crosses the ABI.
    pub fn status(&self) -> Status {
        match self {
            Self::Argument(_) => Status::ARGUMENT,
            Self::Model(_) => Status::MODEL,
            Self::NoDevice(_) => Status::NO_DEVICE,
            Self::OutOfMemory(_) => Status::OUT_OF_MEMORY,
            Self::Device(_) => Status::DEVICE,
        }
    }

    /// Sorts libtorch's text: its exceptions have no code, and only memory errors can be recognised, by their wording.
    pub(crate) fn from_text(text: &str) -> Self {
        // libtorch appends a C++ backtrace after the first line.
        let first = text.lines().next().unwrap_or("libtorch reported an error without a text").to_owned();
        if text.contains("out of memory") || text.contains("not enough memory") {
            Self::OutOfMemory(first)
        } else {
            Self::Device(first)
        }
    }
}

impl From<TchError> for TorchError {
    fn from(error: TchError) -> Self {
        match error {
            TchError::Torch(text) => Self::from_text(&text),
            other => Self::Device(other.to_string()),
        }
    }
}
