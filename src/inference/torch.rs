//! Opens engines of libtorch. Everything that touches the library happens on the worker's thread: it may take seconds, and
//! Apple's GPU wants all calls from one thread of the process.

use tacet_model::ModelKind;

use super::native::model_of_kind;
use super::{Backend, BuildEngine, OpenError};
use crate::engine::Engine;
use crate::engine::torch::{TorchDevice, TorchEngine, TorchOptions};

/// The backend of one device.
pub struct TorchBackend {
    device: TorchDevice,
}

impl TorchBackend {
    /// Nothing is opened before an engine is built.
    pub fn new(device: TorchDevice) -> Self {
        Self { device }
    }
}

impl Backend for TorchBackend {
    fn prepare(&self, model: ModelKind) -> Result<BuildEngine, OpenError> {
        let device = self.device;
        Ok(Box::new(move || {
            let engine = TorchEngine::new(device, &model_of_kind(model)?, &TorchOptions::default())?;
            Ok(Box::new(engine) as Box<dyn Engine>)
        }))
    }
}
