//! The VST3's factory: one class, and the functions that VST3 names.

use std::ffi::c_void;

use nice_plug::prelude::Plugin;
use vst3::Steinberg::Vst::SDKVersionString;
use vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3,
    IPluginFactory3Trait, IPluginFactoryTrait, PClassInfo, PClassInfo_, PClassInfo2, PClassInfoW,
    PFactoryInfo, PFactoryInfo_, TUID, int32, kInvalidArgument, kNotImplemented, kResultOk, tresult,
};
use vst3::{Class, ComWrapper};

use super::component::Component;
use super::text;
use crate::plugin::Tacet;

/// The class's identifier. Projects name it: never change it.
pub const CLASS_ID: TUID = vst3::uid(
    u32::from_be_bytes(*b"Tace"),
    u32::from_be_bytes(*b"tSpe"),
    u32::from_be_bytes(*b"echD"),
    u32::from_be_bytes(*b"enoi"),
);
/// Kind of the class (Steinberg, `kVstAudioEffectClass`).
const CATEGORY: &str = "Audio Module Class";
const SUBCATEGORIES: &str = "Fx|Restoration";

struct Factory;

impl Class for Factory {
    type Interfaces = (IPluginFactory, IPluginFactory2, IPluginFactory3);
}

/// Writes the description that `$info` points to.
macro_rules! describe {
    ($index:expr, $info:expr, |$into:ident| $write:expr) => {{
        // SAFETY: the host passes null or room for the description.
        let (0, Some($into)) = ($index, unsafe { $info.as_mut() }) else { return kInvalidArgument };
        $into.cid = CLASS_ID;
        $into.cardinality = PClassInfo_::ClassCardinality_::kManyInstances as int32;
        text::write(&mut $into.category, CATEGORY);
        $write;
        kResultOk
    }};
}

fn sdk_version() -> &'static str {
    // SAFETY: a constant string.
    unsafe { std::ffi::CStr::from_ptr(SDKVersionString) }.to_str().unwrap_or_default()
}

impl IPluginFactoryTrait for Factory {
    unsafe fn getFactoryInfo(&self, info: *mut PFactoryInfo) -> tresult {
        // SAFETY: the host passes null or room for the description.
        let Some(info) = (unsafe { info.as_mut() }) else { return kInvalidArgument };
        text::write(&mut info.vendor, Tacet::VENDOR);
        text::write(&mut info.url, Tacet::URL);
        text::write(&mut info.email, Tacet::EMAIL);
        info.flags = PFactoryInfo_::FactoryFlags_::kUnicode as int32;
        kResultOk
    }

    unsafe fn countClasses(&self) -> int32 {
        1
    }

    unsafe fn getClassInfo(&self, index: int32, info: *mut PClassInfo) -> tresult {
        describe!(index, info, |info| text::write(&mut info.name, Tacet::NAME))
    }

    unsafe fn createInstance(&self, cid: FIDString, iid: FIDString, object: *mut *mut c_void) -> tresult {
        if cid.is_null() || iid.is_null() || object.is_null() {
            return kInvalidArgument;
        }
        // SAFETY: an identifier has 16 bytes.
        if unsafe { *cid.cast::<TUID>() } != CLASS_ID {
            return kInvalidArgument;
        }
        let Some(component) = Component::new() else { return kNotImplemented };
        let component = ComWrapper::new(component);
        let Some(unknown) = component.as_com_ref::<FUnknown>() else { return kNotImplemented };
        let unknown = unknown.as_ptr();
        // SAFETY: the object lives until this function ends, and where the host asked for what it has, longer.
        unsafe { ((*(*unknown).vtbl).queryInterface)(unknown, iid.cast::<TUID>(), object) }
    }
}

impl IPluginFactory2Trait for Factory {
    unsafe fn getClassInfo2(&self, index: int32, info: *mut PClassInfo2) -> tresult {
        describe!(index, info, |info| {
            text::write(&mut info.name, Tacet::NAME);
            info.classFlags = 0;
            text::write(&mut info.subCategories, SUBCATEGORIES);
            text::write(&mut info.vendor, Tacet::VENDOR);
            text::write(&mut info.version, Tacet::VERSION);
            text::write(&mut info.sdkVersion, sdk_version());
        })
    }
}

impl IPluginFactory3Trait for Factory {
    unsafe fn getClassInfoUnicode(&self, index: int32, info: *mut PClassInfoW) -> tresult {
        describe!(index, info, |info| {
            text::write_wide(&mut info.name, Tacet::NAME);
            info.classFlags = 0;
            text::write(&mut info.subCategories, SUBCATEGORIES);
            text::write_wide(&mut info.vendor, Tacet::VENDOR);
            text::write_wide(&mut info.version, Tacet::VERSION);
            text::write_wide(&mut info.sdkVersion, sdk_version());
        })
    }

    unsafe fn setHostContext(&self, _context: *mut FUnknown) -> tresult {
        kResultOk
    }
}

/// The first call of a VST3 host.
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
pub extern "system" fn GetPluginFactory() -> *mut c_void {
    ComWrapper::new(Factory)
        .to_com_ptr::<IPluginFactory>()
        .map_or(std::ptr::null_mut(), |factory| factory.into_raw().cast())
}

/// The library is opened.
fn open() -> bool {
    nice_plug::wrapper::setup_logger::<Tacet>();
    true
}

/// Defines a function that VST3 names.
macro_rules! export {
    ($system:meta, $abi:literal, $name:ident($($argument:ty)?), $body:expr) => {
        #[cfg($system)]
        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern $abi fn $name($(_: $argument)?) -> bool {
            $body
        }
    };
}

export!(all(unix, not(target_os = "macos")), "C", ModuleEntry(*mut c_void), open());
export!(all(unix, not(target_os = "macos")), "C", ModuleExit(), true);
export!(target_os = "macos", "C", bundleEntry(*mut c_void), open());
export!(target_os = "macos", "C", bundleExit(), true);
export!(windows, "system", InitDll(), open());
export!(windows, "system", ExitDll(), true);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_the_one_that_projects_name() {
        #[cfg(not(windows))]
        let expected = *b"TacetSpeechDenoi";
        // The first three numbers of a Windows identifier are little-endian: four, two and two bytes.
        #[cfg(windows)]
        let expected = *b"ecaTStepechDenoi";
        assert_eq!(CLASS_ID.map(|byte| byte as u8), expected);
    }
}
