//! The entry of the CLAP, which the Audio Unit wraps and the VST3 ([`super::vst3`]) plays.
//!
//! The framework's instance does the work; [`instance`] adds what hosts need and the framework lacks, [`outputs`] what the
//! two [variants](Variant) differ in. [`events`] are the changes of parameters that travel between a plugin and its host.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::OnceLock;

use clap_sys::entry::clap_plugin_entry;
use clap_sys::factory::plugin_factory::{CLAP_PLUGIN_FACTORY_ID, clap_plugin_factory};
use clap_sys::host::clap_host;
use clap_sys::plugin::{clap_plugin, clap_plugin_descriptor};
use clap_sys::version::CLAP_VERSION;
use nice_plug::wrapper::clap::PluginDescriptor;

use super::Tacet;
use super::variant::Variant;

pub mod events;
pub mod instance;
pub mod outputs;

use instance::Instance;

/// The entry point for CLAP hosts.
#[unsafe(no_mangle)]
#[used]
#[allow(non_upper_case_globals)]
pub(crate) static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init),
    deinit: Some(deinit),
    get_factory: Some(get_factory),
};

static FACTORY: clap_plugin_factory = clap_plugin_factory {
    get_plugin_count: Some(get_plugin_count),
    get_plugin_descriptor: Some(get_plugin_descriptor),
    create_plugin: Some(create_plugin),
};

/// The plugins' descriptions: the framework's, with each one's name and identifier.
struct Descriptors {
    /// Owner of the other strings.
    _framework: PluginDescriptor,
    all: [clap_plugin_descriptor; Variant::ALL.len()],
}

// SAFETY: the pointers are those of constants and of strings that the value owns, and nothing is changed.
unsafe impl Send for Descriptors {}
// SAFETY: as above.
unsafe impl Sync for Descriptors {}

/// The description of a variant.
pub(in crate::plugin) fn descriptor(variant: Variant) -> &'static clap_plugin_descriptor {
    static DESCRIPTORS: OnceLock<Descriptors> = OnceLock::new();
    let descriptors = DESCRIPTORS.get_or_init(|| {
        let framework = PluginDescriptor::for_plugin::<Tacet>();
        let all = Variant::ALL.map(|variant| clap_plugin_descriptor {
            id: variant.clap_id().as_ptr(),
            name: variant.name().as_ptr(),
            ..*framework.clap_plugin_descriptor()
        });
        Descriptors { _framework: framework, all }
    });
    &descriptors.all[variant as usize]
}

unsafe extern "C" fn init(_plugin_path: *const c_char) -> bool {
    true
}

unsafe extern "C" fn deinit() {}

unsafe extern "C" fn get_factory(id: *const c_char) -> *const c_void {
    // SAFETY: the host passes a string that ends with a null byte.
    if !id.is_null() && unsafe { CStr::from_ptr(id) } == CLAP_PLUGIN_FACTORY_ID {
        ptr::from_ref(&FACTORY).cast()
    } else {
        ptr::null()
    }
}

unsafe extern "C" fn get_plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    Variant::ALL.len() as u32
}

unsafe extern "C" fn get_plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    Variant::ALL.get(index as usize).map_or(ptr::null(), |&variant| ptr::from_ref(descriptor(variant)))
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    id: *const c_char,
) -> *const clap_plugin {
    if host.is_null() || id.is_null() {
        return ptr::null();
    }
    // SAFETY: the host passes a string that ends with a null byte.
    let id = unsafe { CStr::from_ptr(id) };
    let Some(variant) = Variant::ALL.into_iter().find(|variant| variant.clap_id() == id) else {
        return ptr::null();
    };
    // SAFETY: the host outlives what it creates, as CLAP demands.
    unsafe { Instance::create(host, variant) }
        .map_or(ptr::null(), |instance| instance.as_ptr().cast_const().cast())
}
