//! The VST3's factory: a class for each variant, and the functions that VST3 names.

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
use crate::plugin::variant::Variant;

/// The identifier of a variant's class. Projects name it: never change it.
pub const fn class_id(variant: Variant) -> TUID {
    let [a, b, c, d] = match variant {
        Variant::Denoised => [*b"Tace", *b"tSpe", *b"echD", *b"enoi"],
        Variant::VoiceAndRemoved => [*b"Tace", *b"tVoi", *b"ce+R", *b"emov"],
    };
    vst3::uid(u32::from_be_bytes(a), u32::from_be_bytes(b), u32::from_be_bytes(c), u32::from_be_bytes(d))
}
/// Kind of the class (Steinberg, `kVstAudioEffectClass`).
const CATEGORY: &str = "Audio Module Class";
const SUBCATEGORIES: &str = "Fx|Restoration";

struct Factory;

impl Class for Factory {
    type Interfaces = (IPluginFactory, IPluginFactory2, IPluginFactory3);
}

/// Writes the description that `$info` points to.
macro_rules! describe {
    ($index:expr, $info:expr, |$into:ident, $variant:ident| $write:expr) => {{
        let variant = usize::try_from($index).ok().and_then(|index| Variant::ALL.get(index));
        // SAFETY: the host passes null or room for the description.
        let (Some(&$variant), Some($into)) = (variant, unsafe { $info.as_mut() }) else {
            return kInvalidArgument;
        };
        $into.cid = class_id($variant);
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
        Variant::ALL.len() as int32
    }

    unsafe fn getClassInfo(&self, index: int32, info: *mut PClassInfo) -> tresult {
        describe!(index, info, |info, variant| text::write(&mut info.name, variant.name_text()))
    }

    unsafe fn createInstance(&self, cid: FIDString, iid: FIDString, object: *mut *mut c_void) -> tresult {
        if cid.is_null() || iid.is_null() || object.is_null() {
            return kInvalidArgument;
        }
        // SAFETY: an identifier has 16 bytes.
        let wanted = unsafe { *cid.cast::<TUID>() };
        let variant = Variant::ALL.into_iter().find(|&variant| class_id(variant) == wanted);
        let Some(variant) = variant else { return kInvalidArgument };
        let Some(component) = Component::new(variant) else { return kNotImplemented };
        let component = ComWrapper::new(component);
        let Some(unknown) = component.as_com_ref::<FUnknown>() else { return kNotImplemented };
        let unknown = unknown.as_ptr();
        // SAFETY: the object lives until this function ends, and where the host asked for what it has, longer.
        unsafe { ((*(*unknown).vtbl).queryInterface)(unknown, iid.cast::<TUID>(), object) }
    }
}

impl IPluginFactory2Trait for Factory {
    unsafe fn getClassInfo2(&self, index: int32, info: *mut PClassInfo2) -> tresult {
        describe!(index, info, |info, variant| {
            text::write(&mut info.name, variant.name_text());
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
        describe!(index, info, |info, variant| {
            text::write_wide(&mut info.name, variant.name_text());
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

/// Defines a function that VST3 names: a host calls it when it opens or closes the library, where there is nothing to do.
macro_rules! export {
    ($system:meta, $abi:literal, $name:ident($($argument:ty)?)) => {
        #[cfg($system)]
        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern $abi fn $name($(_: $argument)?) -> bool {
            true
        }
    };
}

export!(all(unix, not(target_os = "macos")), "C", ModuleEntry(*mut c_void));
export!(all(unix, not(target_os = "macos")), "C", ModuleExit());
export!(target_os = "macos", "C", bundleEntry(*mut c_void));
export!(target_os = "macos", "C", bundleExit());
export!(windows, "system", InitDll());
export!(windows, "system", ExitDll());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_those_that_projects_name() {
        #[cfg(not(windows))]
        let expected = [*b"TacetSpeechDenoi", *b"TacetVoice+Remov"];
        // The first three numbers of a Windows identifier are little-endian: four, two and two bytes.
        #[cfg(windows)]
        let expected = [*b"ecaTStepechDenoi", *b"ecaTVtioce+Remov"];
        let ids = Variant::ALL.map(|variant| class_id(variant).map(|byte| byte as u8));
        assert_eq!(ids, expected);
    }
}
