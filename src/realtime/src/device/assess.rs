//! Assessment of devices, a pure function of facts: can a device be used, with which deep-filter method for whole files,
//! and what should the user know.

use std::fmt;

use tacet_torch_pack::abi::{DfMethod, TORCH_VERSION};

use super::{Device, Facts, Probed, System, Version, df_method_name};
use crate::engine::torch::{MPS_FALLBACK_VARIABLE, TorchDevice};

/// MPS came with this macOS (PyTorch 1.12's release notes).
pub const MPS_FIRST_MACOS: Version = Version::new(12, 3);
/// libtorch 2.11 offers MPS from here on ("The MPS backend is supported on MacOS 14.0+", in its library; PyTorch #163515).
pub const MPS_FLOOR: Version = Version::new(14, 0);
/// Complex numbers on MPS came with this macOS (PyTorch #115513).
pub const COMPLEX_ON_MPS: Version = Version::new(14, 0);

/// Why a device cannot be used. Every text says what to do, or that nothing can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// libtorch is not there; the text is the loader's, with the next step.
    NoTorch(String),
    /// MPS is Apple's.
    NotMacOs,
    /// Apple's libtorch is published for Apple silicon only.
    Intel,
    /// macOS has no MPS at all.
    BeforeMps(Version),
    /// macOS has MPS, but this libtorch does not offer it there.
    BelowFloor(Version),
    /// This libtorch was built without support for the device.
    NotBuilt,
    /// libtorch's own reason.
    Refused(String),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTorch(reason) | Self::Refused(reason) => f.write_str(reason),
            Self::NotMacOs => f.write_str("MPS exists on macOS only"),
            Self::Intel => write!(
                f,
                "libtorch {TORCH_VERSION} exists for Apple silicon only; on Intel Macs, and for an Intel build under \
                 Rosetta, the native engine is the one to use"
            ),
            Self::BeforeMps(version) => write!(
                f,
                "macOS {version} has no MPS (it came with {MPS_FIRST_MACOS}), and libtorch {TORCH_VERSION} needs macOS \
                 {MPS_FLOOR}; use the native engine, or update macOS"
            ),
            Self::BelowFloor(version) => write!(
                f,
                "macOS {version} has MPS, but without complex numbers (they came with {COMPLEX_ON_MPS}), and libtorch \
                 {TORCH_VERSION} no longer offers it below macOS {MPS_FLOOR}; use the native engine, or update macOS"
            ),
            Self::NotBuilt => {
                f.write_str("this runtime pack has no support for it; see `tacet torch install --help`")
            }
        }
    }
}

/// A warning about a device that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Steps of one hop are bound by launching work.
    LaunchBound,
    /// Steps are not recorded as CUDA graphs; the reason is the backend's.
    NoGraphs(String),
    /// Complex numbers do not work, so whole files use another method.
    NoComplex,
    /// Complex numbers do not work, and the method that the user chose needs them.
    ChosenMethodFails(DfMethod),
    /// Missing operations run on the CPU, silently and slowly.
    FallbackOn,
    /// Missing operations would be errors.
    FallbackOff,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LaunchBound => f.write_str(
                "one stream spends most of a hop launching work, so the native engine is usually faster live; compare \
                 both with `tacet bench`",
            ),
            Self::NoGraphs(reason) => write!(
                f,
                "live steps run operation by operation, which takes several times as long as a recorded step: {reason}"
            ),
            Self::NoComplex => write!(
                f,
                "complex numbers do not work on it, so whole files use {}; nothing needs to be done",
                df_method_name(DfMethod::REAL_UNFOLD)
            ),
            Self::ChosenMethodFails(method) => write!(
                f,
                "{} needs complex numbers, which do not work on it: whole files will fail; choose {} or leave the choice \
                 to Tacet",
                df_method_name(*method),
                df_method_name(DfMethod::REAL_UNFOLD)
            ),
            Self::FallbackOn => write!(
                f,
                "{MPS_FALLBACK_VARIABLE}=1: operations that MPS lacks run on the CPU, which costs time that the \
                 measurements include"
            ),
            Self::FallbackOff => write!(
                f,
                "should a step fail for an operation that MPS lacks, turn on the CPU fallback \
                 ({MPS_FALLBACK_VARIABLE}=1) before libtorch is opened"
            ),
        }
    }
}

/// The deep filter's method for whole files, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DfChoice {
    /// The method.
    pub method: DfMethod,
    /// One clause for people.
    pub reason: &'static str,
}

/// The assessment of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The device.
    pub device: Device,
    /// `None` if it can be used.
    pub unavailable: Option<Unavailable>,
    /// For whole files; live audio always uses `real_one_step`, which needs no complex numbers. `None` for the native
    /// engine, which has one way only, and where the device cannot be used.
    pub df: Option<DfChoice>,
    /// In the order of importance.
    pub warnings: Vec<Warning>,
}

impl Assessment {
    /// Whether it can be used.
    pub fn is_available(&self) -> bool {
        self.unavailable.is_none()
    }

    /// The warning that live steps are not recorded, if they are not.
    pub fn no_graphs(&self) -> Option<&Warning> {
        self.warnings.iter().find(|warning| matches!(warning, Warning::NoGraphs(_)))
    }
}

/// Judges a device. `chosen` is the deep-filter method that the user asks for, if any.
pub fn assess(device: Device, facts: &Facts, chosen: Option<DfMethod>) -> Assessment {
    let Device::Torch(torch_device) = device else {
        return Assessment { device, unavailable: None, df: None, warnings: Vec::new() };
    };
    let probed = match usable(torch_device, facts) {
        Ok(probed) => probed,
        Err(reason) => {
            return Assessment { device, unavailable: Some(reason), df: None, warnings: Vec::new() };
        }
    };
    let complex = probed.0.complex == 1;
    let mut warnings = Vec::new();
    let df = match (chosen, complex) {
        (Some(method), _) => DfChoice { method, reason: "chosen" },
        (None, true) => DfChoice { method: DfMethod::COMPLEX_STRIDED, reason: "complex numbers work on it" },
        (None, false) => {
            DfChoice { method: DfMethod::REAL_UNFOLD, reason: "complex numbers do not work on it" }
        }
    };
    if !complex {
        let fails = chosen == Some(DfMethod::COMPLEX_STRIDED);
        warnings.push(if fails { Warning::ChosenMethodFails(df.method) } else { Warning::NoComplex });
    }
    if let (TorchDevice::Cuda(_), Some(reason)) = (torch_device, &probed.1) {
        warnings.push(Warning::NoGraphs(reason.clone()));
    }
    if torch_device == TorchDevice::Mps {
        let fallback = facts.torch.as_ref().is_ok_and(|torch| torch.mps_fallback);
        warnings.push(if fallback { Warning::FallbackOn } else { Warning::FallbackOff });
        warnings.push(Warning::LaunchBound);
    }
    Assessment { device, unavailable: None, df: Some(df), warnings }
}

/// The device's probe, or why it cannot be used: what no libtorch can change comes first.
fn usable(device: TorchDevice, facts: &Facts) -> Result<&Probed, Unavailable> {
    if let System::MacOs { apple_silicon: false, .. } = facts.system {
        return Err(Unavailable::Intel);
    }
    if device == TorchDevice::Mps {
        match facts.system {
            System::MacOs { version, .. } if version < MPS_FIRST_MACOS => {
                return Err(Unavailable::BeforeMps(version));
            }
            System::MacOs { version, .. } if version < MPS_FLOOR => {
                return Err(Unavailable::BelowFloor(version));
            }
            System::MacOs { .. } => {}
            _ => return Err(Unavailable::NotMacOs),
        }
    }
    let torch = facts.torch.as_ref().map_err(|reason| Unavailable::NoTorch(reason.clone()))?;
    let probed = match device {
        TorchDevice::Cpu => &torch.cpu,
        TorchDevice::Mps => &torch.mps,
        TorchDevice::Cuda(_) => &torch.cuda,
    };
    if let TorchDevice::Cuda(index) = device
        && probed.0.available == 1
        && index >= probed.0.n_devices
    {
        let n_devices = probed.0.n_devices;
        return Err(Unavailable::Refused(format!(
            "there is no CUDA device {index}: libtorch finds {n_devices}"
        )));
    }
    match probed {
        (probe, _) if probe.available == 1 => Ok(probed),
        (probe, Some(reason)) if probe.built == 1 || device != TorchDevice::Mps => {
            Err(Unavailable::Refused(reason.clone()))
        }
        _ => Err(Unavailable::NotBuilt),
    }
}

#[cfg(test)]
mod tests {
    use super::super::TorchFacts;
    use super::*;
    use tacet_torch_pack::abi::Probe;

    const MPS: Device = Device::Torch(TorchDevice::Mps);
    const CPU: Device = Device::Torch(TorchDevice::Cpu);
    const CUDA: Device = Device::Torch(TorchDevice::Cuda(0));

    fn macos(major: u32, minor: u32) -> System {
        System::MacOs { version: Version::new(major, minor), apple_silicon: true }
    }

    fn probed(built: bool, available: bool, complex: bool) -> Probed {
        let probe =
            Probe { built: built.into(), available: available.into(), complex: complex.into(), n_devices: 1 };
        (probe, (!available).then(|| "libtorch's reason".to_owned()))
    }

    fn torch(mps: Probed) -> TorchFacts {
        TorchFacts {
            version: TORCH_VERSION.into(),
            pack: "a pack".into(),
            cpu: probed(true, true, true),
            mps,
            cuda: probed(false, false, false),
            mps_fallback: false,
        }
    }

    /// A machine on which libtorch is installed and MPS works as far as libtorch is concerned.
    fn facts(system: System) -> Facts {
        Facts { system, torch: Ok(torch(probed(true, true, true))) }
    }

    #[test]
    fn mps_by_system() {
        let intel =
            |major, minor| System::MacOs { version: Version::new(major, minor), apple_silicon: false };
        let (v12_2, v12_3, v13_6) = (Version::new(12, 2), Version::new(12, 3), Version::new(13, 6));
        let patch = Version { major: 13, minor: 7, patch: 8 };
        for (system, expected) in [
            (macos(12, 2), Some(Unavailable::BeforeMps(v12_2))),
            (macos(12, 3), Some(Unavailable::BelowFloor(v12_3))),
            (macos(13, 6), Some(Unavailable::BelowFloor(v13_6))),
            (System::MacOs { version: patch, apple_silicon: true }, Some(Unavailable::BelowFloor(patch))),
            (macos(14, 0), None),
            (macos(15, 3), None),
            (macos(26, 1), None),
            (intel(13, 6), Some(Unavailable::Intel)),
            (intel(15, 0), Some(Unavailable::Intel)),
            (System::Linux, Some(Unavailable::NotMacOs)),
            (System::Windows, Some(Unavailable::NotMacOs)),
            (System::Other, Some(Unavailable::NotMacOs)),
        ] {
            assert_eq!(assess(MPS, &facts(system), None).unavailable, expected, "{system}");
        }
    }

    #[test]
    fn old_macos_gets_both_facts_and_the_next_step() {
        let text = |system| assess(MPS, &facts(system), None).unavailable.unwrap().to_string();
        let before = text(macos(12, 2));
        assert!(before.contains("macOS 12.2 has no MPS") && before.contains("needs macOS 14.0"), "{before}");
        let between = text(macos(13, 6));
        assert!(
            between.contains("without complex numbers") && between.contains("below macOS 14.0"),
            "{between}"
        );
        for text in [before, between] {
            assert!(text.contains("native engine") && text.contains("update macOS"), "{text}");
        }
    }

    #[test]
    fn mps_by_libtorch() {
        let system = macos(15, 0);
        for (mps, expected) in [
            (probed(true, true, true), None),
            (probed(false, false, false), Some(Unavailable::NotBuilt)),
            (probed(true, false, false), Some(Unavailable::Refused("libtorch's reason".into()))),
        ] {
            let facts = Facts { system, torch: Ok(torch(mps)) };
            assert_eq!(assess(MPS, &facts, None).unavailable, expected);
        }
        let another = "has libtorch 2.5.1, this Tacet needs 2.11.0";
        for reason in ["no torch runtime pack is installed", another] {
            let facts = Facts { system, torch: Err(reason.into()) };
            for device in [MPS, CPU, CUDA] {
                let found = assess(device, &facts, None).unavailable;
                assert_eq!(found, Some(Unavailable::NoTorch(reason.into())));
            }
            assert!(assess(Device::Native, &facts, None).is_available());
        }
    }

    #[test]
    fn limits_of_macos_are_stated_even_without_libtorch() {
        let facts = Facts { system: macos(12, 2), torch: Err("none".into()) };
        let found = assess(MPS, &facts, None).unavailable;
        assert_eq!(found, Some(Unavailable::BeforeMps(Version::new(12, 2))));
    }

    #[test]
    fn complex_numbers_decide_the_method_unless_the_user_does() {
        let unfold = DfMethod::REAL_UNFOLD;
        let complex = DfMethod::COMPLEX_STRIDED;
        for (works, chosen, method, warning) in [
            (true, None, complex, None),
            (false, None, unfold, Some(Warning::NoComplex)),
            (true, Some(DfMethod::REAL_LOOP), DfMethod::REAL_LOOP, None),
            (false, Some(unfold), unfold, Some(Warning::NoComplex)),
            (false, Some(complex), complex, Some(Warning::ChosenMethodFails(complex))),
        ] {
            let facts = Facts { system: macos(14, 0), torch: Ok(torch(probed(true, true, works))) };
            let found = assess(MPS, &facts, chosen);
            assert_eq!(found.df.map(|df| df.method), Some(method));
            let first = found.warnings.first();
            assert_eq!(first.filter(|_| warning.is_some()), warning.as_ref(), "{works} {chosen:?}");
            assert_eq!(found.warnings.len(), 2 + usize::from(warning.is_some()));
        }
    }

    #[test]
    fn the_fallback_is_named_as_it_stands() {
        for (on, expected) in [(false, Warning::FallbackOff), (true, Warning::FallbackOn)] {
            let mut facts = facts(macos(15, 0));
            facts.torch.as_mut().unwrap().mps_fallback = on;
            assert!(assess(MPS, &facts, None).warnings.contains(&expected));
            assert_eq!(assess(CPU, &facts, None).warnings, []);
        }
    }

    #[test]
    fn a_gpu_beyond_the_last_is_not_there() {
        let mut facts = facts(System::Linux);
        facts.torch.as_mut().unwrap().cuda = (Probe { n_devices: 2, ..probed(true, true, true).0 }, None);
        let found = |index| assess(Device::Torch(TorchDevice::Cuda(index)), &facts, None).unavailable;
        assert_eq!((found(0), found(1)), (None, None));
        assert!(found(2).is_some_and(|reason| reason.to_string().contains("libtorch finds 2")));
    }

    #[test]
    fn a_gpu_without_recorded_steps_says_why() {
        let mut facts = facts(System::Linux);
        facts.torch.as_mut().unwrap().cuda = (probed(true, true, true).0, Some("no library".into()));
        let found = assess(CUDA, &facts, None);
        assert_eq!((found.unavailable, found.warnings), (None, vec![Warning::NoGraphs("no library".into())]));
    }

    #[test]
    fn cuda_says_libtorchs_own_reason() {
        let found = assess(CUDA, &facts(System::Linux), None).unavailable;
        assert_eq!(found, Some(Unavailable::Refused("libtorch's reason".into())));
    }
}
