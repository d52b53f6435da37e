//! LADSPA's C interface, version 1.1 (`ladspa.h`), as far as it is used.

use std::ffi::{c_char, c_int, c_ulong, c_void};
use std::ptr;
use std::sync::LazyLock;

use crate::effect::{self, Effect, activate, cleanup};
use crate::ports::{CONTROLS, PLUGINS, Plugin, Port};

/// An instance, as the host holds it.
type Handle = *mut c_void;

/// `LADSPA_PROPERTY_HARD_RT_CAPABLE`.
const HARD_RT_CAPABLE: c_int = 0x4;
/// `LADSPA_PORT_*`.
const INPUT: c_int = 0x1;
const OUTPUT: c_int = 0x2;
const CONTROL: c_int = 0x4;
const AUDIO: c_int = 0x8;
/// `LADSPA_HINT_*`.
const BOUNDED: c_int = 0x1 | 0x2;
const DEFAULT_MINIMUM: c_int = 0x40;
const DEFAULT_MAXIMUM: c_int = 0x140;

/// `LADSPA_PortRangeHint`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct RangeHint {
    hints: c_int,
    lower: f32,
    upper: f32,
}

/// `LADSPA_Descriptor`.
#[repr(C)]
pub struct Descriptor {
    unique_id: c_ulong,
    label: *const c_char,
    properties: c_int,
    name: *const c_char,
    maker: *const c_char,
    copyright: *const c_char,
    port_count: c_ulong,
    port_descriptors: *const c_int,
    port_names: *const *const c_char,
    port_range_hints: *const RangeHint,
    implementation_data: *mut c_void,
    instantiate: unsafe extern "C" fn(*const Descriptor, c_ulong) -> Handle,
    connect_port: unsafe extern "C" fn(Handle, c_ulong, *mut f32),
    activate: Option<unsafe extern "C" fn(Handle)>,
    run: unsafe extern "C" fn(Handle, c_ulong),
    run_adding: Option<unsafe extern "C" fn(Handle, c_ulong)>,
    set_run_adding_gain: Option<unsafe extern "C" fn(Handle, f32)>,
    deactivate: Option<unsafe extern "C" fn(Handle)>,
    cleanup: unsafe extern "C" fn(Handle),
}

/// Descriptors that are never written again.
struct Descriptors(Vec<Descriptor>);

// SAFETY: the pointers in it are to constants and to leaked tables, which nobody writes; the structure is C's and plain.
unsafe impl Send for Descriptors {}
// SAFETY: as above.
unsafe impl Sync for Descriptors {}

/// Made when a host first asks, and there until the library goes.
static DESCRIPTORS: LazyLock<Descriptors> =
    LazyLock::new(|| Descriptors(PLUGINS.iter().map(Descriptor::new).collect()));

impl Descriptor {
    fn new(plugin: &'static Plugin) -> Self {
        let ports: Vec<Port> = plugin.ports().collect();
        let descriptors: Vec<c_int> = ports
            .iter()
            .map(|port| match port {
                Port::Input(_) => INPUT | AUDIO,
                Port::Output(_) => OUTPUT | AUDIO,
                Port::Control(_) => INPUT | CONTROL,
                Port::Latency => OUTPUT | CONTROL,
            })
            .collect();
        let names: Vec<*const c_char> = ports.iter().map(|port| plugin.port_name(*port).as_ptr()).collect();
        let hints: Vec<RangeHint> = ports
            .iter()
            .map(|port| match port {
                Port::Control(index) => {
                    let control = &CONTROLS[*index];
                    let default =
                        if control.default == control.max { DEFAULT_MAXIMUM } else { DEFAULT_MINIMUM };
                    RangeHint { hints: BOUNDED | default, lower: control.min, upper: control.max }
                }
                _ => RangeHint { hints: 0, lower: 0.0, upper: 0.0 },
            })
            .collect();
        Self {
            unique_id: c_ulong::from(plugin.unique_id),
            label: plugin.label.as_ptr(),
            properties: HARD_RT_CAPABLE,
            name: plugin.name.as_ptr(),
            maker: c"Tacet contributors".as_ptr(),
            copyright: c"MIT OR Apache-2.0".as_ptr(),
            port_count: ports.len() as c_ulong,
            port_descriptors: descriptors.leak().as_ptr(),
            port_names: names.leak().as_ptr(),
            port_range_hints: hints.leak().as_ptr(),
            implementation_data: ptr::from_ref(plugin).cast_mut().cast(),
            instantiate,
            connect_port,
            activate: Some(activate),
            run,
            run_adding: None,
            set_run_adding_gain: None,
            deactivate: None,
            cleanup,
        }
    }
}

/// The plugin with this number, or null: what hosts look for in a library.
#[unsafe(no_mangle)]
pub extern "C" fn ladspa_descriptor(index: c_ulong) -> *const Descriptor {
    let descriptor = usize::try_from(index).ok().and_then(|index| DESCRIPTORS.0.get(index));
    descriptor.map_or(ptr::null(), ptr::from_ref)
}

/// A new instance, or null where the rate is not one that audio has.
///
/// # Safety
/// `descriptor` is one that this library gave.
unsafe extern "C" fn instantiate(descriptor: *const Descriptor, rate_hz: c_ulong) -> Handle {
    // SAFETY: the caller's; its descriptors point to a plugin of the constant table.
    let plugin: &'static Plugin = unsafe { &*(*descriptor).implementation_data.cast::<Plugin>() };
    effect::instantiate(plugin, rate_hz as f64)
}

/// # Safety
/// `handle` comes from [`instantiate`] and is used by one thread at a time, as LADSPA asks of hosts.
unsafe extern "C" fn connect_port(handle: Handle, port: c_ulong, data: *mut f32) {
    // SAFETY: the caller's.
    let effect = unsafe { &mut *handle.cast::<Effect>() };
    if let Ok(port) = usize::try_from(port) {
        effect.connect(port, data);
    }
}

/// # Safety
/// As [`connect_port`], and what is connected has the samples.
unsafe extern "C" fn run(handle: Handle, n_samples: c_ulong) {
    // SAFETY: the caller's.
    unsafe { (*handle.cast::<Effect>()).run(n_samples as usize) };
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn hosts_find_four_plugins_and_no_fifth() {
        let labels = ["deep_filter_mono", "deep_filter_stereo", "tacet_mono", "tacet_stereo"];
        for (index, label) in labels.into_iter().enumerate() {
            // SAFETY: a descriptor lasts as long as the library, and its strings are constants.
            let found = unsafe { CStr::from_ptr((*ladspa_descriptor(index as c_ulong)).label) };
            assert_eq!(found.to_str(), Ok(label));
        }
        assert!(ladspa_descriptor(4).is_null() && ladspa_descriptor(c_ulong::MAX).is_null());
    }

    #[test]
    fn a_rate_that_audio_does_not_have_gives_no_instance() {
        // SAFETY: the descriptor comes from this library.
        assert!(unsafe { instantiate(ladspa_descriptor(0), 0) }.is_null());
    }
}
