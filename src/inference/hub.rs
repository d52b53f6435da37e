//! The inference services of the process, by device: made when the first stream asks, gone with the last.
//!
//! Never used on the audio thread.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tacet_model::ModelKind;

use super::Backend;
use super::native::NativeBackend;
use super::service::{Service, ServiceReport, Stream};
use super::torch::TorchBackend;
use crate::device::Device;
use crate::engine::torch::TorchDevice;

/// Devices with the backends that open their engines, and the services that run.
pub struct Hub {
    backends: HashMap<Device, Arc<dyn Backend>>,
    services: Mutex<HashMap<Device, Weak<Service>>>,
}

/// Why no stream could be had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No backend of this build opens the device.
    #[error("this build has no engine for {}: choose native CPU", .0.name())]
    NoBackend(Device),
    /// The system refused a thread.
    #[error("the system gave no thread for {} ({reason}): close other programs or plugins", .device.name())]
    NoThread {
        /// The device.
        device: Device,
        /// What the system said.
        reason: String,
    },
}

impl Hub {
    /// A hub of its own, for tests and tools. Plugins share [`Hub::global`].
    pub fn new(backends: impl IntoIterator<Item = (Device, Arc<dyn Backend>)>) -> Self {
        Self { backends: backends.into_iter().collect(), services: Mutex::default() }
    }

    /// The hub that every plugin instance of the process shares.
    pub fn global() -> &'static Self {
        static HUB: OnceLock<Hub> = OnceLock::new();
        HUB.get_or_init(|| {
            let native: Arc<dyn Backend> = Arc::new(NativeBackend::default());
            let torch = [TorchDevice::Cpu, TorchDevice::Mps, TorchDevice::Cuda(0)].map(|device| {
                (Device::Torch(device), Arc::new(TorchBackend::new(device)) as Arc<dyn Backend>)
            });
            Self::new(torch.into_iter().chain([(Device::Native, native)]))
        })
    }

    /// Joins a stream to a device's service, which starts if it does not run. See [`Service::join`].
    ///
    /// # Errors
    /// Where the build has no backend for the device, or the system no thread.
    pub fn connect(
        &self,
        device: Device,
        model: ModelKind,
        n_channels: usize,
        attention: &Arc<AtomicBool>,
    ) -> Result<Stream, ConnectError> {
        Ok(self.service(device)?.join(model, n_channels, attention.clone()))
    }

    fn service(&self, device: Device) -> Result<Arc<Service>, ConnectError> {
        let mut services = self.services.lock();
        if let Some(service) = services.get(&device).and_then(Weak::upgrade) {
            return Ok(service);
        }
        let backend = self.backends.get(&device).ok_or(ConnectError::NoBackend(device))?;
        let service = Service::start(device, backend.clone())
            .map_err(|error| ConnectError::NoThread { device, reason: error.to_string() })?;
        let service = Arc::new(service);
        services.insert(device, Arc::downgrade(&service));
        Ok(service)
    }

    /// What the service of a device tells, if it runs.
    pub fn report(&self, device: Device) -> Option<Arc<ServiceReport>> {
        let service = self.services.lock().get(&device).and_then(Weak::upgrade)?;
        Some(service.report().clone())
    }
}
