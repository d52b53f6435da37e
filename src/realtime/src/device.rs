//! Devices that can run the network, their availability, and what to know before choosing one.
//!
//! Facts are gathered here, at the cost of opening libtorch: on a thread of its own. What follows from them is
//! [`assess()`] and [`choose()`], pure functions.

mod assess;
mod choose;
mod system;

pub use assess::{
    Assessment, COMPLEX_ON_MPS, DfChoice, MPS_FIRST_MACOS, MPS_FLOOR, Unavailable, Warning, assess,
};
pub use choose::choose;
pub use system::{System, Version};

use tacet_torch_pack::abi::{self, DfMethod};

use crate::engine::native::Precision;
use crate::engine::torch::{MPS_FALLBACK_VARIABLE, TorchBackend, TorchDevice};

/// Something that can run the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// Tacet's own engine on the CPU, exact.
    #[default]
    Native,
    /// The same with the large matrices' weights rounded to 16 bits: half the memory traffic.
    Native16,
    /// libtorch.
    Torch(TorchDevice),
}

impl Device {
    /// For people: "native CPU", "torch MPS", "torch CUDA 1".
    pub fn name(self) -> String {
        match self {
            Self::Torch(device) => device.name(),
            native => native.kind_name().into(),
        }
    }

    /// The name without the number of a GPU.
    pub(crate) const fn kind_name(self) -> &'static str {
        match self {
            Self::Native => "native CPU",
            Self::Native16 => "native CPU 16-bit",
            Self::Torch(device) => device.kind_name(),
        }
    }

    /// Whether Tacet's own engine runs it.
    pub fn is_native(self) -> bool {
        self.native_precision().is_some()
    }

    /// Precision of the large matrices' weights where Tacet's own engine runs it.
    pub fn native_precision(self) -> Option<Precision> {
        match self {
            Self::Native => Some(Precision::F32),
            Self::Native16 => Some(Precision::I16),
            Self::Torch(_) => None,
        }
    }

    /// Whether data moves to a memory of the device's own and back.
    pub fn has_transfers(self) -> bool {
        matches!(self, Self::Torch(TorchDevice::Mps | TorchDevice::Cuda(_)))
    }

    /// As options name it: `native`, `native16`, `cpu`, `mps`, `cuda`, `cuda:1`.
    pub fn id(self) -> String {
        match self {
            Self::Native => "native".into(),
            Self::Native16 => "native16".into(),
            Self::Torch(TorchDevice::Cpu) => "cpu".into(),
            Self::Torch(TorchDevice::Mps) => "mps".into(),
            Self::Torch(TorchDevice::Cuda(0)) => "cuda".into(),
            Self::Torch(TorchDevice::Cuda(index)) => format!("cuda:{index}"),
        }
    }
}

impl std::str::FromStr for Device {
    type Err = String;

    /// Reads an [`id`](Self::id).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let torch = |device| Ok(Self::Torch(device));
        match text {
            "native" => Ok(Self::Native),
            "native16" => Ok(Self::Native16),
            "cpu" => torch(TorchDevice::Cpu),
            "mps" => torch(TorchDevice::Mps),
            "cuda" => torch(TorchDevice::Cuda(0)),
            _ => match text.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(index)) => torch(TorchDevice::Cuda(index)),
                _ => Err(format!("{text:?} is no device: native, native16, cpu, mps, cuda or cuda:N")),
            },
        }
    }
}

/// The deep filter's methods with their names, in the order of the original.
pub const DF_METHODS: [(DfMethod, &str); 6] = [
    (DfMethod::REAL_LOOP, "real_loop"),
    (DfMethod::REAL_STRIDED, "real_strided"),
    (DfMethod::REAL_UNFOLD, "real_unfold"),
    (DfMethod::COMPLEX_STRIDED, "complex_strided"),
    (DfMethod::REAL_ONE_STEP, "real_one_step"),
    (DfMethod::REAL_HIDDEN_STATE_LOOP, "real_hidden_state_loop"),
];

/// A method's name.
pub fn df_method_name(method: DfMethod) -> &'static str {
    DF_METHODS.iter().find(|(known, _)| *known == method).map_or("unknown", |(_, name)| name)
}

/// Facts about this machine and its libtorch.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The operating system.
    pub system: System,
    /// libtorch, or why it is not there.
    pub torch: Result<TorchFacts, String>,
}

/// Facts from libtorch.
#[derive(Clone, Debug)]
pub struct TorchFacts {
    /// Its version.
    pub version: String,
    /// Its origin, a line for people.
    pub pack: String,
    /// libtorch's CPU kernels.
    pub cpu: Probed,
    /// Apple's GPU.
    pub mps: Probed,
    /// The first NVIDIA GPU.
    pub cuda: Probed,
    /// Whether libtorch was opened with `PYTORCH_ENABLE_MPS_FALLBACK=1`.
    pub mps_fallback: bool,
}

impl Facts {
    /// Opens the backend and asks it about every device.
    pub fn gather() -> Self {
        let torch = TorchBackend::open().map_err(|error| error.to_string()).map(|backend| {
            let probe = |device: TorchDevice| {
                let (probe, error) = backend.probe(device.abi());
                (probe, error.map(|error| error.text))
            };
            TorchFacts {
                version: backend.manifest().torch.clone(),
                pack: backend.to_string(),
                cpu: probe(TorchDevice::Cpu),
                mps: probe(TorchDevice::Mps),
                cuda: probe(TorchDevice::Cuda(0)),
                mps_fallback: std::env::var_os(MPS_FALLBACK_VARIABLE).is_some_and(|value| value == "1"),
            }
        });
        Self { system: System::current(), torch }
    }

    /// Every device that this machine has or could have.
    pub fn devices(&self) -> Vec<Device> {
        let n_cuda = self.torch.as_ref().map_or(0, |torch| torch.cuda.0.n_devices).max(1);
        let cuda = (0..n_cuda).map(|index| Device::Torch(TorchDevice::Cuda(index)));
        let native = [Device::Native, Device::Native16];
        let fixed = [Device::Torch(TorchDevice::Cpu), Device::Torch(TorchDevice::Mps)];
        native.into_iter().chain(fixed).chain(cuda).collect()
    }
}

/// Every device with its assessment.
pub fn list(facts: &Facts, chosen_method: Option<DfMethod>) -> Vec<Assessment> {
    facts.devices().into_iter().map(|device| assess(device, facts, chosen_method)).collect()
}

/// A probe's outcome and the reason why the device cannot be used, or only without recorded steps.
pub type Probed = (abi::Probe, Option<String>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_come_back() {
        let torch = [TorchDevice::Cpu, TorchDevice::Mps, TorchDevice::Cuda(0), TorchDevice::Cuda(3)];
        for device in torch.map(Device::Torch).into_iter().chain([Device::Native, Device::Native16]) {
            assert_eq!(device.id().parse(), Ok(device));
        }
        assert!("cuda:x".parse::<Device>().is_err() && "gpu".parse::<Device>().is_err());
    }
}
