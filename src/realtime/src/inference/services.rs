//! The inference services of the process, by device: made when the first stream asks, gone with the last.
//!
//! A device of libtorch has one worker, whatever it serves: Apple's GPU allows no more, and a batch costs a GPU little. The
//! native engine gets another worker for every [`MAX_CHANNELS_PER_WORKER`]: one core is full at about a hundred channels,
//! and from eight on a larger batch is hardly cheaper.
//!
//! Never used on the audio thread.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tacet_model::ModelKind;

use super::EngineOpener;
use super::native::NativeOpener;
use super::service::{END_PATIENCE, Service, ServiceReport, Stream};
use super::torch::TorchOpener;
use crate::device::Device;
use crate::engine::torch::TorchDevice;

/// Channels that a worker of the native engine serves before another one starts: about a third of what a core computes in
/// real time (`cargo xtask bench hop`), so that a core three times slower, or a busy one, still keeps up.
pub const MAX_CHANNELS_PER_WORKER: usize = 32;

/// Devices with the openers that open their engines, and the services that run.
pub struct Services {
    openers: HashMap<Device, Arc<dyn EngineOpener>>,
    services: Mutex<HashMap<Device, Vec<Known>>>,
}

/// A service that was started, and what it told last.
struct Known {
    service: Weak<Service>,
    report: Arc<ServiceReport>,
}

/// Why no stream could be had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No opener of this build opens the device.
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
    /// The device's one thread still opens what nobody wants any more.
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

/// What opens a device's engines.
fn opener(device: Device) -> Arc<dyn EngineOpener> {
    match device {
        Device::Torch(torch) => Arc::new(TorchOpener::new(torch)),
        native => Arc::new(NativeOpener::new(native.native_precision().unwrap_or_default())),
    }
}

impl Services {
    /// Services of their own, for tests and tools. Plugins share [`Services::global`].
    pub fn new(openers: impl IntoIterator<Item = (Device, Arc<dyn EngineOpener>)>) -> Self {
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

    /// Joins a stream to a device's service, which starts if it does not run. See [`Service::join`].
    ///
    /// # Errors
    /// Where the build has no opener for the device, or the system no thread.
    pub fn connect(
        &self,
        device: Device,
        model: ModelKind,
        n_channels: usize,
        attention: &Arc<AtomicBool>,
    ) -> Result<Stream, ConnectError> {
        let deadline = Instant::now() + END_PATIENCE;
        loop {
            // Joined under the lock: two that come at once see each other's channels.
            let mut services = self.services.lock();
            match self.service(services.entry(device).or_default(), device, n_channels)? {
                Some(service) => return Ok(service.join(model, n_channels, attention.clone())),
                None if Instant::now() > deadline => return Err(ConnectError::Closing(device)),
                None => {}
            }
            drop(services);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The service with room for `n_channels` that has most of the device's channels already, so that batches are large; a new
    /// one where none has room. `None` while the thread of a device that may have one only is on its way out.
    fn service(
        &self,
        services: &mut Vec<Known>,
        device: Device,
        n_channels: usize,
    ) -> Result<Option<Arc<Service>>, ConnectError> {
        services.retain(|known| known.service.strong_count() > 0 || !known.report.is_ended());
        if !device.is_native() {
            if let Some(age) = services.iter().find_map(|known| known.report.hangs_since()) {
                return Err(ConnectError::Hangs { device, age });
            }
            if services.iter().any(|known| known.service.strong_count() == 0) {
                return Ok(None);
            }
        }
        let has_room = |service: &Arc<Service>| {
            !device.is_native() || service.n_joined() + n_channels <= MAX_CHANNELS_PER_WORKER
        };
        let running = services.iter().filter_map(|known| known.service.upgrade());
        if let Some(service) = running.filter(has_room).max_by_key(|service| service.n_joined()) {
            return Ok(Some(service));
        }
        let opener = self.openers.get(&device).ok_or(ConnectError::NoBackend(device))?;
        let service = Service::start(device, opener.clone())
            .map_err(|error| ConnectError::NoThread { device, reason: error.to_string() })?;
        let service = Arc::new(service);
        services.push(Known { service: Arc::downgrade(&service), report: service.report().clone() });
        Ok(Some(service))
    }

    /// What the services of a device tell, one for each worker that runs.
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
        let attention = Arc::default();
        let join = |device: Device, n_channels: usize| {
            services.connect(device, ModelKind::DeepFilterNet3, n_channels, &attention).unwrap()
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
