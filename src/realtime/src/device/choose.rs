//! The device for files, if the user has named none.

use super::{Assessment, Device};
use crate::engine::torch::TorchDevice;

/// The first GPU there is, CUDA before MPS; else `fallback`, a CPU.
pub fn choose(devices: &[Assessment], fallback: Device) -> Device {
    let available =
        |device: &Device| devices.iter().any(|found| found.device == *device && found.is_available());
    let gpus = [TorchDevice::Cuda(0), TorchDevice::Mps].map(Device::Torch);
    gpus.into_iter().find(available).unwrap_or(fallback)
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
    fn files_go_to_a_gpu_where_there_is_one() {
        for (available, device) in [
            (&[NATIVE, CPU, MPS, CUDA][..], CUDA),
            (&[NATIVE, CPU, MPS], MPS),
            (&[NATIVE, CPU], NATIVE),
            (&[NATIVE], NATIVE),
        ] {
            assert_eq!(choose(&machine(available), NATIVE), device);
            let by_torch = if device == NATIVE { CPU } else { device };
            assert_eq!(choose(&machine(available), CPU), by_torch);
        }
    }
}
