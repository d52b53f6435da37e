//! Which device "Auto" means.

use super::{Assessment, Device};
use crate::engine::torch::TorchDevice;

/// What a device is chosen for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Use<'a> {
    /// Whole files: throughput counts.
    Files,
    /// Whole files, by libtorch.
    TorchFiles,
    /// Live audio: what was measured, as each device's 99th percentile of a step in microseconds. A device that was not
    /// measured is not in it.
    Live(&'a [(Device, f32)]),
}

/// Why it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The user named it.
    Explicit,
    /// The configuration names it.
    Configured,
    /// The first that is there of CUDA, MPS and the CPU.
    Order,
    /// The fastest that was measured.
    Fastest,
    /// Nothing was measured: the native engine is in time everywhere.
    Unmeasured,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Explicit => "chosen",
            Self::Configured => "configured",
            Self::Order => "the first there is of CUDA, MPS and the CPU",
            Self::Fastest => "the fastest that was measured",
            Self::Unmeasured => "nothing was measured, and it is in time everywhere",
        })
    }
}

/// A device and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The device.
    pub device: Device,
    /// Why this one.
    pub reason: Reason,
}

/// Chooses a device: the one named, else the configured one, else by what it is for. Files go to CUDA, MPS or the CPU, in
/// this order, and on the CPU to the native engine, which needs nothing; by libtorch to its CPU. Live audio goes to what
/// was measured fastest, the native engine included. A named device is not replaced by another, available or not.
pub fn choose(
    explicit: Option<Device>,
    configured: Option<Device>,
    devices: &[Assessment],
    what_for: Use<'_>,
) -> Choice {
    if let Some(device) = explicit {
        return Choice { device, reason: Reason::Explicit };
    }
    if let Some(device) = configured {
        return Choice { device, reason: Reason::Configured };
    }
    let available =
        |device: Device| devices.iter().any(|found| found.device == device && found.is_available());
    match what_for {
        Use::Files | Use::TorchFiles => {
            let gpus = [TorchDevice::Cuda(0), TorchDevice::Mps].map(Device::Torch);
            let cpu = if what_for == Use::Files { Device::Native } else { Device::Torch(TorchDevice::Cpu) };
            let device = gpus.into_iter().find(|&device| available(device)).unwrap_or(cpu);
            Choice { device, reason: Reason::Order }
        }
        Use::Live(measured) => {
            let usable = measured.iter().filter(|(device, us)| available(*device) && us.is_finite());
            match usable.min_by(|a, b| a.1.total_cmp(&b.1)) {
                Some(&(device, _)) => Choice { device, reason: Reason::Fastest },
                None => Choice { device: Device::Native, reason: Reason::Unmeasured },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::assess::Unavailable;
    use super::*;

    const NATIVE: Device = Device::Native;
    const CPU: Device = Device::Torch(TorchDevice::Cpu);
    const MPS: Device = Device::Torch(TorchDevice::Mps);
    const CUDA: Device = Device::Torch(TorchDevice::Cuda(0));

    fn machine(available: &[Device]) -> Vec<Assessment> {
        let assessment = |device| Assessment {
            device,
            unavailable: (!available.contains(&device)).then_some(Unavailable::NotBuilt),
            df: None,
            warnings: Vec::new(),
        };
        [NATIVE, CPU, MPS, CUDA].map(assessment).into()
    }

    #[test]
    fn what_is_named_is_taken_whatever_else_is_there() {
        let devices = machine(&[NATIVE, CPU, CUDA]);
        let live = Use::Live(&[(CUDA, 1.0)]);
        let named = choose(Some(MPS), Some(CPU), &devices, live);
        assert_eq!(named, Choice { device: MPS, reason: Reason::Explicit });
        let configured = choose(None, Some(CPU), &devices, live);
        assert_eq!(configured, Choice { device: CPU, reason: Reason::Configured });
    }

    #[test]
    fn files_go_to_a_gpu_where_there_is_one() {
        for (available, device) in [
            (&[NATIVE, CPU, MPS, CUDA][..], CUDA),
            (&[NATIVE, CPU, MPS], MPS),
            (&[NATIVE, CPU], NATIVE),
            (&[NATIVE], NATIVE),
        ] {
            let choice = choose(None, None, &machine(available), Use::Files);
            assert_eq!(choice, Choice { device, reason: Reason::Order });
            let by_torch = if device == NATIVE { CPU } else { device };
            let choice = choose(None, None, &machine(available), Use::TorchFiles);
            assert_eq!(choice, Choice { device: by_torch, reason: Reason::Order });
        }
    }

    #[test]
    fn live_audio_goes_to_the_fastest_that_was_measured() {
        let devices = machine(&[NATIVE, CPU, CUDA]);
        for (measured, expected) in [
            (&[(NATIVE, 700.0), (CUDA, 300.0)][..], (CUDA, Reason::Fastest)),
            (&[(NATIVE, 200.0), (CUDA, 300.0)], (NATIVE, Reason::Fastest)),
            (&[(NATIVE, 700.0), (MPS, 1.0)], (NATIVE, Reason::Fastest)),
            (&[(CUDA, f32::NAN)], (NATIVE, Reason::Unmeasured)),
            (&[], (NATIVE, Reason::Unmeasured)),
        ] {
            let choice = choose(None, None, &devices, Use::Live(measured));
            assert_eq!((choice.device, choice.reason), expected);
        }
    }
}
