//! What the panel says of the computer: which devices can be had, how the deep filter is computed, what to mind.
//!
//! Looking closely opens libtorch, which takes time and memory: only when the device view is first shown, on a thread of
//! its own, and never again in this process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::device::{self, Assessment, COMPLEX_ON_MPS, Device, Facts, System, Unavailable, df_method_name};
use crate::engine::native::Level;
use crate::engine::torch::{TorchDevice, installed, request_mps_fallback};
use crate::panel::view_model::{self, ViewModel, Warning};
use crate::params::DeviceParam;

use super::preferences::{PreferenceError, Preferences};

/// What was found out, once per process.
static FACTS: OnceLock<Facts> = OnceLock::new();
/// Whether somebody is finding out.
static IS_LOOKING: AtomicBool = AtomicBool::new(false);

/// What a window has shown of it.
#[derive(Default)]
pub struct SystemInfo {
    view_model: Option<bool>,
    preferences: Option<Preferences>,
}

impl SystemInfo {
    /// Fills in what is known; looks closely where `in_detail`.
    pub fn show(&mut self, view_model: &mut ViewModel, in_detail: bool) {
        if in_detail && FACTS.get().is_none() && !IS_LOOKING.swap(true, Ordering::Relaxed) {
            let preferences = *self.preferences();
            // A process without room for a thread shows what is known without it.
            let _ = std::thread::Builder::new().name("tacet devices".into()).spawn(move || {
                preferences.apply();
                FACTS.get_or_init(Facts::gather);
            });
        }
        let is_close = FACTS.get().is_some();
        if self.view_model == Some(is_close) {
            return;
        }
        self.view_model = Some(is_close);
        let quick = || Facts { system: System::current(), torch: Err(from_afar()) };
        let facts = FACTS.get().cloned().unwrap_or_else(quick);
        let assessed = device::list(&facts, None);
        view_model.system = system(&facts, &assessed);
        if matches!(facts.system, System::MacOs { .. }) {
            view_model.system.mps_fallback = Some(self.preferences().mps_fallback);
        }
        for slot in &mut view_model.slots {
            slot.devices = DeviceParam::devices().map(|device| in_picker(device, &assessed)).collect();
        }
    }

    /// A window opens: everything is to be shown again.
    pub fn open(&mut self) {
        self.view_model = None;
    }

    /// Remembers the choice for the next opening of libtorch, and makes it now if it is not open.
    ///
    /// # Errors
    /// The choice cannot be saved.
    pub fn set_mps_fallback(&mut self, on: bool) -> Result<(), PreferenceError> {
        let preferences = Preferences { mps_fallback: on };
        self.preferences = Some(preferences);
        self.view_model = None;
        preferences.save()
    }

    fn preferences(&mut self) -> &Preferences {
        self.preferences.get_or_insert_with(Preferences::load)
    }
}

impl Preferences {
    /// Does what must be done before libtorch is opened.
    pub fn apply(&self) {
        if self.mps_fallback {
            request_mps_fallback();
        }
    }
}

/// What can be said of libtorch without opening it.
fn from_afar() -> String {
    match installed() {
        Ok((_, manifest)) => format!("libtorch {} is being looked at", manifest.torch),
        Err(error) => error.to_string(),
    }
}

fn in_picker(device: Device, assessed: &[Assessment]) -> view_model::Device {
    let assessment = assessed.iter().find(|assessment| assessment.device == device);
    let why_not = assessment.and_then(|assessment| assessment.unavailable.as_ref()).map(ToString::to_string);
    view_model::Device { name: device.name(), why_not }
}

fn system(facts: &Facts, assessed: &[Assessment]) -> view_model::System {
    // The device for whole files on this computer: the best that can be had.
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
        None => ("native".into(), "no libtorch device can be had".into()),
    };
    view_model::System {
        os: facts.system.to_string(),
        cpu: Level::get().name().into(),
        libtorch: match &facts.torch {
            Ok(torch) => torch.version.clone(),
            Err(reason) => reason.clone(),
        },
        df_op_live: ("real_one_step".into(), "one hop at a time needs no complex numbers".into()),
        df_op_files,
        mps_fallback: None,
        warnings: of(Device::Torch(TorchDevice::Mps)).and_then(old_macos).into_iter().collect(),
    }
}

/// What a macOS without complex numbers on MPS means for the user.
fn old_macos(mps: &Assessment) -> Option<Warning> {
    let version = match mps.unavailable {
        Some(Unavailable::BeforeMps(version) | Unavailable::BelowFloor(version)) => version,
        _ => return None,
    };
    Some(Warning {
        title: format!("macOS {version}: complex numbers on MPS need macOS {COMPLEX_ON_MPS}."),
        meaning: "Live audio is not affected: it runs the native engine, which is usually the fastest in time. Files \
                  use the native engine or libtorch on the CPU."
            .into(),
        next_step: format!("To use MPS, update to macOS {COMPLEX_ON_MPS} or later; otherwise stay with Native CPU."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Version;

    fn mac(major: u32, minor: u32) -> Facts {
        let version = Version::new(major, minor);
        Facts {
            system: System::MacOs { version, apple_silicon: true },
            torch: Err("no pack: run `tacet torch install`".into()),
        }
    }

    fn of(facts: &Facts) -> view_model::System {
        system(facts, &device::list(facts, None))
    }

    #[test]
    fn an_old_macos_is_warned_of_with_meaning_and_next_step() {
        for (major, minor) in [(12, 0), (13, 6)] {
            let warnings = of(&mac(major, minor)).warnings;
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].title.contains(&format!("macOS {major}.{minor}")), "{warnings:?}");
            assert!(warnings[0].title.contains("14.0") && warnings[0].next_step.contains("Native CPU"));
        }
        assert!(of(&mac(14, 0)).warnings.is_empty());
        assert!(of(&Facts { system: System::Linux, ..mac(14, 0) }).warnings.is_empty());
    }

    #[test]
    fn a_device_that_cannot_be_had_says_why_and_the_native_one_always_can() {
        let facts = mac(13, 6);
        let assessed = device::list(&facts, None);
        let devices: Vec<_> = DeviceParam::devices().map(|device| in_picker(device, &assessed)).collect();
        assert_eq!((&devices[0].why_not, &devices[1].why_not), (&None, &None));
        assert!(devices[2].why_not.as_ref().unwrap().contains("tacet torch install"));
        assert!(devices[3].why_not.as_ref().unwrap().starts_with("macOS 13.6 has MPS"), "{:?}", devices[3]);
    }
}
