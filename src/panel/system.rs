//! The panel's texts about the computer, made from the facts: usable devices, the deep filter's method,
//! what to mind.

use super::view_model::{self, Warning};
use crate::device::{Assessment, COMPLEX_ON_MPS, Device, Facts, Unavailable, df_method_name};
use crate::engine::native::SimdLevel;
use crate::engine::torch::TorchDevice;
use crate::parameters::Choice as _;

/// The devices of the picker, in the order of the parameter's choices.
pub fn devices(assessed: &[Assessment]) -> Vec<view_model::DeviceView> {
    let view_model = |&device: &Device| {
        let assessment = assessed.iter().find(|assessment| assessment.device == device);
        let unavailable = assessment.and_then(|assessment| assessment.unavailable.as_ref());
        view_model::DeviceView { name: device.name(), why_not: unavailable.map(ToString::to_string) }
    };
    Device::ALL.iter().map(view_model).collect()
}

/// The lines about the computer and its libtorch.
pub fn system(facts: &Facts, assessed: &[Assessment]) -> view_model::System {
    // The device for whole files on this computer: the best one available.
    let of = |device: Device| assessed.iter().find(|assessment| assessment.device == device);
    let files = [TorchDevice::Cuda(0), TorchDevice::Mps, TorchDevice::Cpu]
        .into_iter()
        .map(Device::Torch)
        .filter_map(|device| Some((device, of(device)?.df?)))
        .next();
    let df_op_files = match files {
        Some((device, df)) => (
            df_method_name(df.method).into(),
            format!("{} on {}", df.reason.trim_end_matches(" on it"), device.name()),
        ),
        None => ("native".into(), "no libtorch device is available".into()),
    };
    view_model::System {
        os: facts.system.to_string(),
        cpu: SimdLevel::get().name().into(),
        libtorch: match &facts.torch {
            Ok(torch) => torch.version.clone(),
            Err(reason) => reason.clone(),
        },
        df_op_live: ("real_one_step".into(), "single hops need no complex numbers".into()),
        df_op_files,
        mps_fallback: None,
        warnings: of(Device::Torch(TorchDevice::Mps)).and_then(old_macos).into_iter().collect(),
    }
}

/// Consequences of a macOS without complex numbers on MPS, for the user.
fn old_macos(mps: &Assessment) -> Option<Warning> {
    let version = match mps.unavailable {
        Some(Unavailable::BeforeMps(version) | Unavailable::BelowFloor(version)) => version,
        _ => return None,
    };
    Some(Warning {
        title: format!("macOS {version}: complex numbers on MPS need macOS {COMPLEX_ON_MPS}."),
        meaning: "Live audio is not affected: it uses the native engine, usually the fastest. Files use the native engine \
                  or libtorch on the CPU."
            .into(),
        next_step: format!(
            "To use MPS, update to macOS {COMPLEX_ON_MPS} or later; otherwise stay with {}.",
            Device::Native.name()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{self, System, Version};

    fn mac(major: u32, minor: u32) -> Facts {
        let version = Version::new(major, minor);
        Facts {
            system: System::MacOs { version, apple_silicon: true },
            torch: Err("no pack: run `tacet torch install`".into()),
        }
    }

    fn view_model(facts: &Facts) -> view_model::System {
        system(facts, &device::list(facts, None))
    }

    #[test]
    fn an_old_macos_is_warned_of_with_meaning_and_next_step() {
        for (major, minor) in [(12, 0), (13, 6)] {
            let warnings = view_model(&mac(major, minor)).warnings;
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].title.contains(&format!("macOS {major}.{minor}")), "{warnings:?}");
            assert!(warnings[0].title.contains("14.0") && warnings[0].next_step.contains("native CPU"));
        }
        assert!(view_model(&mac(14, 0)).warnings.is_empty());
        assert!(view_model(&Facts { system: System::Linux, ..mac(14, 0) }).warnings.is_empty());
    }

    #[test]
    fn an_unavailable_device_says_why_and_the_native_one_is_always_available() {
        let facts = mac(13, 6);
        let assessed = device::list(&facts, None);
        let devices = devices(&assessed);
        assert_eq!((&devices[0].why_not, &devices[1].why_not), (&None, &None));
        assert!(devices[2].why_not.as_ref().unwrap().contains("tacet torch install"));
        assert!(devices[3].why_not.as_ref().unwrap().starts_with("macOS 13.6 has MPS"), "{:?}", devices[3]);
    }
}
