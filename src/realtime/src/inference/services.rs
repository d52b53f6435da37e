//! The inference services of the process, by device: made when the first stream asks, gone with the last.
//!
//! A device of libtorch has one worker, whatever it serves: Apple's GPU allows no more, and a batch costs a GPU little. The
//! native engine gets another worker for every [`MAX_CHANNELS_PER_WORKER`]: one core is full at about a hundred channels,
//! and from eight on a larger batch is hardly cheaper.
//!
//! Never used on the audio thread.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tacet_model::ModelKind;

use super::report::ServiceReport;
use super::service::{Service, Stream};
use super::signal::WorkSignal;
use super::{EngineOpener, native, torch};
use crate::device::Device;
use crate::engine::torch::TorchDevice;

/// Channels that a worker of the native engine serves before another one starts: about a third of what a core computes in
/// real time (`cargo xtask bench hop`), so that a core three times slower, or a busy one, still keeps up.
pub const MAX_CHANNELS_PER_WORKER: usize = 32;

/// The openers of the devices, and the services that run.
pub struct Services {
    openers: HashMap<Device, EngineOpener>,
    services: Mutex<HashMap<Device, Vec<Known>>>,
}

/// A service that was started, and its report.
struct Known {
    service: Weak<Service>,
    report: Arc<ServiceReport>,
}

/// Why no stream could be had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// This build has no engine for the device.
    #[error("this build has no engine for {}: choose native CPU", .0.name())]
    NoEngine(Device),
    /// The system refused a thread.
    #[error("the system gave no thread for {} ({reason}): close other programs or plugins", .device.name())]
    NoThread {
        /// The device.
        device: Device,
        /// The system's message.
        reason: String,
    },
    /// The device's one thread is on its way out: what it has begun is not wanted any more.
    #[error("{} is still being closed: retry in a moment", .0.name())]
    Closing(Device),
    /// The device's one thread is stuck in its driver. A second one would make things worse.
    #[error(
        "{} hangs in a step that has not come back for {:.1} s: retry later, and restart this program if that does not help",
        .device.name(), .age.as_secs_f32()
    )]
    Hangs {
        /// The device.
        device: Device,
        /// How long the step has been running.
        age: Duration,
    },
}

/// Openers of a device's engines.
fn opener(device: Device) -> EngineOpener {
    match device {
        Device::Torch(device) => torch::opener(device),
        device => native::opener(device.native_precision().unwrap_or_default()),
    }
}

impl Services {
    /// Services of their own, for tests and tools. Plugins share [`Services::global`].
    pub fn new(openers: impl IntoIterator<Item = (Device, EngineOpener)>) -> Self {
        Self { openers: openers.into_iter().collect(), services: Mutex::default() }
    }

    /// The services that every plugin instance of the process shares.
    pub fn global() -> &'static Self {
        static SERVICES: OnceLock<Services> = OnceLock::new();
        SERVICES.get_or_init(|| {
            let torch = [TorchDevice::Cpu, TorchDevice::Mps, TorchDevice::Cuda(0)].map(Device::Torch);
            let devices = [Device::Native, Device::Native16].into_iter().chain(torch);
            Self::new(devices.map(|device| (device, opener(device))))
        })
    }

    /// Joins a stream to a device's service, which starts if it does not run; `signal` is raised whenever the stream's state
    /// changes. Never waits for a device, but prepares the model, which may take tenths of a second.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(
        &self,
        device: Device,
        model: ModelKind,
        n_channels: usize,
        signal: &Arc<WorkSignal>,
    ) -> Result<Stream, ConnectError> {
        let service = self.reserve(device, n_channels)?;
        Ok(service.join(model, n_channels, signal.clone()))
    }

    /// The service with room for `n_channels` that has most of the device's channels already, so that batches are large; a new
    /// one where none has room. The channels are counted under the lock: two that come at once see each other's.
    fn reserve(&self, device: Device, n_channels: usize) -> Result<Arc<Service>, ConnectError> {
        let mut services = self.services.lock();
        let services = services.entry(device).or_default();
        services.retain(|known| known.service.strong_count() > 0 || !known.report.is_ended());
        if !device.is_native() {
            if let Some(age) = services.iter().find_map(|known| known.report.hangs_since()) {
                return Err(ConnectError::Hangs { device, age });
            }
            if services.iter().any(|known| known.service.strong_count() == 0) {
                return Err(ConnectError::Closing(device));
            }
        }
        let has_room = |known: &&Known| {
            known.service.strong_count() > 0
                && (!device.is_native() || known.report.n_joined() + n_channels <= MAX_CHANNELS_PER_WORKER)
        };
        // Only the chosen one is upgraded: a last handle must not die under the lock.
        let fullest = services.iter().filter(has_room).max_by_key(|known| known.report.n_joined());
        let service = match fullest.map(|known| known.service.upgrade()) {
            Some(Some(service)) => service,
            // It has begun to leave at this moment.
            Some(None) if !device.is_native() => return Err(ConnectError::Closing(device)),
            _ => {
                let opener = self.openers.get(&device).ok_or(ConnectError::NoEngine(device))?;
                let service = Service::start(device, opener.clone())
                    .map_err(|error| ConnectError::NoThread { device, reason: error.to_string() })?;
                let service = Arc::new(service);
                services.push(Known { service: Arc::downgrade(&service), report: service.report().clone() });
                service
            }
        };
        service.reserve(n_channels);
        Ok(service)
    }

    /// The reports of a device's services, one for each worker that runs.
    pub fn reports(&self, device: Device) -> Vec<Arc<ServiceReport>> {
        let services = self.services.lock();
        let known = services.get(&device).into_iter().flatten();
        let running = known.filter(|known| known.service.strong_count() > 0);
        running.map(|known| known.report.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::scripted;

    #[test]
    fn another_native_worker_starts_when_one_is_full_and_none_of_libtorch() {
        let (services, ..) = scripted::services(1.0);
        let signal = Arc::default();
        let join = |device: Device, n_channels: usize| {
            services.connect(device, ModelKind::DeepFilterNet3, n_channels, &signal).unwrap()
        };
        let torch = Device::Torch(TorchDevice::Cpu);
        let mut streams: Vec<Stream> =
            (0..MAX_CHANNELS_PER_WORKER / 2).map(|_| join(Device::Native, 2)).collect();
        assert_eq!(services.reports(Device::Native).len(), 1);
        streams.push(join(Device::Native, 1));
        assert_eq!(services.reports(Device::Native).len(), 2);
        // A place that becomes free is taken again before a third starts.
        streams.remove(0);
        streams.push(join(Device::Native, 2));
        assert_eq!(services.reports(Device::Native).len(), 2);
        let others: Vec<Stream> = (0..=MAX_CHANNELS_PER_WORKER).map(|_| join(torch, 1)).collect();
        assert_eq!(services.reports(torch).len(), 1);
        drop((streams, others));
        assert!(services.reports(Device::Native).is_empty() && services.reports(torch).is_empty());
    }
}
