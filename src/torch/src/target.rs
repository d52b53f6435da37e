//! A device to run on: what libtorch knows of it, and CUDA's libraries, which are opened only when asked for.

use std::sync::OnceLock;

use tacet_torch_pack::abi;
use tch::{Cuda, Device, Kind, Tensor};

use crate::{Result, TorchError, graph, shim};

/// The device that an engine runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    device: Device,
}

impl Target {
    /// libtorch's CPU kernels.
    pub const CPU: Self = Self { device: Device::Cpu };

    /// The device that the caller names, if this libtorch has it now.
    ///
    /// # Errors
    /// [`TorchError::Argument`] for an unknown kind, [`TorchError::NoDevice`] with the reason.
    pub fn open(device: abi::DeviceAddress) -> Result<Self> {
        let index = device.index as usize;
        match device.kind {
            abi::DeviceKind::CPU => Ok(Self::CPU),
            abi::DeviceKind::MPS if tch::utils::has_mps() => Ok(Self { device: Device::Mps }),
            abi::DeviceKind::MPS => Err(TorchError::NoDevice("libtorch finds no Metal device".into())),
            abi::DeviceKind::CUDA => {
                open_cuda()?;
                let n_devices = Cuda::device_count().max(0) as usize;
                if index >= n_devices {
                    let reason = format!("CUDA device {index} is not there: libtorch finds {n_devices}");
                    return Err(TorchError::NoDevice(reason));
                }
                shim::forbid_tf32();
                Ok(Self { device: Device::Cuda(index) })
            }
            other => Err(TorchError::Argument(format!("unknown device kind {}", other.0))),
        }
    }

    /// As tch names it.
    pub fn device(self) -> Device {
        self.device
    }

    /// Whether tensors live in this process's own memory, so that nothing is uploaded or downloaded.
    pub(crate) fn is_host(self) -> bool {
        self.device == Device::Cpu
    }

    /// Whether it is Apple's GPU.
    pub(crate) fn is_metal(self) -> bool {
        self.device == Device::Mps
    }

    /// Waits until the device has done all it was given.
    ///
    /// # Errors
    /// [`TorchError::Device`] if something that was given has failed.
    pub(crate) fn synchronize(self) -> Result<()> {
        match self.device {
            Device::Cpu => Ok(()),
            Device::Cuda(index) => shim::synchronize(index as i32),
            _ => shim::synchronize(0),
        }
    }

    /// Whether a complex product on the device gives the right answer. `false` also if it throws.
    pub fn multiplies_complex(self) -> bool {
        let product = || -> std::result::Result<Vec<f32>, tch::TchError> {
            let parts =
                Tensor::f_from_slice(&[1.0_f32, 2.0, 3.0, -1.0])?.f_view([2, 2])?.f_to_device(self.device)?;
            let z = parts.f_view_as_complex()?;
            let product = (z.f_narrow(0, 0, 1)?.f_mul(&z.f_narrow(0, 1, 1)?)?).f_view_as_real()?;
            let product = product.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([2])?;
            let mut out = vec![0.0; 2];
            product.f_copy_data(&mut out, 2)?;
            Ok(out)
        };
        // (1 + 2i) (3 - i) = 5 + 5i, exact in float32.
        product().is_ok_and(|out| out == [5.0, 5.0])
    }

    pub(crate) fn options(self) -> (Kind, Device) {
        (Kind::Float, self.device)
    }
}

/// libtorch's facts about a device, whether or not it can be used; why it cannot be, or why its steps cannot be recorded.
pub fn probe(device: abi::DeviceAddress) -> (abi::Probe, Option<TorchError>) {
    let mut probe = abi::Probe { built: 1, n_devices: 1, ..abi::Probe::default() };
    match device.kind {
        // Metal support is a matter of the build; only Apple's has it.
        abi::DeviceKind::MPS => {
            probe.built = cfg!(target_os = "macos").into();
            probe.n_devices = tch::utils::has_mps().into();
        }
        abi::DeviceKind::CUDA => {
            probe.built = open_cuda().is_ok().into();
            probe.n_devices = if probe.built == 1 { Cuda::device_count().max(0) as u32 } else { 0 };
        }
        _ => {}
    }
    match Target::open(device) {
        Ok(target) => {
            probe.available = 1;
            probe.complex = target.multiplies_complex().into();
            let is_cuda = device.kind == abi::DeviceKind::CUDA;
            (probe, if is_cuda { graph::available().err() } else { None })
        }
        Err(error) => (probe, Some(error)),
    }
}

/// Opens libtorch_cuda beside this library, once per process, and never closes it: libtorch registers itself for good. To
/// be called before anything else: libtorch looks for CUDA's part when an operation first asks for it, on the CPU too, and
/// never again.
pub(crate) fn preload_cuda() {
    // Without the library there is no CUDA, which is for those to hear who ask for it.
    let _ = cuda_library();
}

fn cuda_library() -> std::result::Result<(), String> {
    static OPENED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    OPENED.get_or_init(load_cuda).clone()
}

fn open_cuda() -> Result<()> {
    cuda_library().map_err(TorchError::NoDevice)?;
    if Cuda::is_available() {
        Ok(())
    } else {
        Err(TorchError::NoDevice("libtorch finds no usable CUDA driver and device".into()))
    }
}

#[cfg(target_os = "linux")]
fn load_cuda() -> std::result::Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    use tacet_torch_pack::with_cause;
    let path = shim::library_dirs().map(|dir| dir.join("libtorch_cuda.so")).find(|path| path.is_file());
    let path = path.ok_or("this runtime pack has no CUDA: libtorch_cuda.so is not in it")?;
    // SAFETY: the path is absolute, in the pack that the loader has checked; its initialisers are libtorch's own.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) };
    let library =
        library.map_err(|error| format!("libtorch_cuda.so does not load: {}", with_cause(&error)))?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn load_cuda() -> std::result::Result<(), String> {
    Err("CUDA is offered on Linux only".into())
}
