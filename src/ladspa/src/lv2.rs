//! LV2's C interface (`lv2.h` 1.18), as far as it is used, and the text that describes the plugins to hosts.
//!
//! The same effects as LADSPA's with a latency port. All of a plugin's state is in its control ports, which hosts save.

use std::ffi::{CStr, c_char, c_void};
use std::fmt::Write as _;
use std::ptr;

use crate::effect::{self, Effect, activate, cleanup};
use crate::ports::{CONTROLS, PLUGINS, Plugin, Port};

/// An instance, as the host holds it.
type Handle = *mut c_void;

/// `LV2_Descriptor`.
#[repr(C)]
pub struct Descriptor {
    uri: *const c_char,
    instantiate: unsafe extern "C" fn(*const Descriptor, f64, *const c_char, *const *const c_void) -> Handle,
    connect_port: unsafe extern "C" fn(Handle, u32, *mut c_void),
    activate: Option<unsafe extern "C" fn(Handle)>,
    run: unsafe extern "C" fn(Handle, u32),
    deactivate: Option<unsafe extern "C" fn(Handle)>,
    cleanup: unsafe extern "C" fn(Handle),
    extension_data: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
}

// SAFETY: its pointers are to constants.
unsafe impl Sync for Descriptor {}

/// One of the plugins.
struct Lv2 {
    uri: &'static CStr,
    plugin: &'static Plugin,
}

/// The plugins in the order in which a host finds them: those with a latency port.
const LV2_PLUGINS: [Lv2; 2] = [
    Lv2 { uri: c"https://tacet.audio/lv2#mono", plugin: &PLUGINS[2] },
    Lv2 { uri: c"https://tacet.audio/lv2#stereo", plugin: &PLUGINS[3] },
];

static DESCRIPTORS: [Descriptor; 2] = [descriptor::<0>(), descriptor::<1>()];

const fn descriptor<const INDEX: usize>() -> Descriptor {
    Descriptor {
        uri: LV2_PLUGINS[INDEX].uri.as_ptr(),
        instantiate: instantiate::<INDEX>,
        connect_port,
        activate: Some(activate),
        run,
        deactivate: None,
        cleanup,
        extension_data: None,
    }
}

/// The plugin with this number, or null: what hosts look for in a library.
#[unsafe(no_mangle)]
pub extern "C" fn lv2_descriptor(index: u32) -> *const Descriptor {
    DESCRIPTORS.get(index as usize).map_or(ptr::null(), ptr::from_ref)
}

/// A new instance of the plugin at `INDEX`, or null where the rate is not one that audio has.
unsafe extern "C" fn instantiate<const INDEX: usize>(
    _descriptor: *const Descriptor,
    rate_hz: f64,
    _bundle: *const c_char,
    _features: *const *const c_void,
) -> Handle {
    effect::instantiate(LV2_PLUGINS[INDEX].plugin, rate_hz)
}

/// # Safety
/// `handle` comes from this library's `instantiate` and is used by one thread at a time, as LV2 asks of hosts.
unsafe extern "C" fn connect_port(handle: Handle, port: u32, data: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { &mut *handle.cast::<Effect>() }.connect(port as usize, data.cast());
}

/// # Safety
/// As [`connect_port`], and what is connected has the samples.
unsafe extern "C" fn run(handle: Handle, n_samples: u32) {
    // SAFETY: the caller's.
    unsafe { (*handle.cast::<Effect>()).run(n_samples as usize) };
}

/// Symbols of the control ports, which saved sessions name: they never change.
const SYMBOLS: [&str; CONTROLS.len()] =
    ["attenuation_limit", "min_db", "max_erb_db", "max_df_db", "processing_buffer", "post_filter"];

/// `manifest.ttl`: which plugins there are.
pub fn manifest(library: &str) -> String {
    let mut text = String::from(
        "@prefix lv2: <http://lv2plug.in/ns/lv2core#> .\n@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n",
    );
    for Lv2 { uri, .. } in LV2_PLUGINS {
        let uri = uri.to_string_lossy();
        text += &format!(
            "\n<{uri}>\n\ta lv2:Plugin ;\n\tlv2:binary <{library}> ;\n\trdfs:seeAlso <tacet.ttl> .\n"
        );
    }
    text
}

/// `tacet.ttl`: the plugins' names and ports.
pub fn description() -> String {
    let mut text = String::from(
        "@prefix doap: <http://usefulinc.com/ns/doap#> .\n@prefix foaf: <http://xmlns.com/foaf/0.1/> .\n\
         @prefix lv2: <http://lv2plug.in/ns/lv2core#> .\n@prefix pprops: <http://lv2plug.in/ns/ext/port-props#> .\n\
         @prefix units: <http://lv2plug.in/ns/extensions/units#> .\n",
    );
    for Lv2 { uri, plugin } in LV2_PLUGINS {
        let (uri, name) = (uri.to_string_lossy(), plugin.name.to_string_lossy());
        let ports: Vec<String> =
            plugin.ports().enumerate().map(|(i, port)| describe(plugin, i, port)).collect();
        let _ = write!(
            text,
            "\n<{uri}>\n\ta lv2:Plugin , lv2:FilterPlugin , doap:Project ;\n\tdoap:name \"{name}\" ;\n\
             \tdoap:license <https://opensource.org/licenses/MIT> ;\n\
             \tdoap:maintainer [ foaf:name \"Tacet contributors\" ; foaf:homepage <https://tacet.audio> ] ;\n\
             \tlv2:minorVersion 0 ;\n\tlv2:microVersion 2 ;\n\tlv2:optionalFeature lv2:hardRTCapable ;\n\
             \tlv2:port {} .\n",
            ports.join(" , ")
        );
    }
    text
}

fn describe(plugin: &Plugin, index: usize, port: Port) -> String {
    let side = |channel: usize| ["left", "right"][channel];
    let audio = |kind: &str, symbol: &str, channel: usize| match plugin.n_channels {
        1 => (kind.to_owned(), symbol.to_owned()),
        _ => (kind.to_owned(), format!("{symbol}_{}", side(channel))),
    };
    let ((kind, symbol), rest) = match port {
        Port::Input(channel) => (audio("lv2:InputPort , lv2:AudioPort", "in", channel), String::new()),
        Port::Output(channel) => (audio("lv2:OutputPort , lv2:AudioPort", "out", channel), String::new()),
        Port::Control(i) => {
            let control = &CONTROLS[i];
            let mut rest = format!(
                "\t\tlv2:default {:?} ;\n\t\tlv2:minimum {:?} ;\n\t\tlv2:maximum {:?} ;\n",
                control.default, control.min, control.max
            );
            let name = control.name.to_string_lossy();
            if name.contains("(dB)") {
                rest += "\t\tunits:unit units:db ;\n";
            } else if name.contains("(frames)") {
                // There so that the ports have LADSPA's numbers; it does nothing.
                rest += "\t\tlv2:portProperty pprops:notOnGUI , lv2:integer ;\n";
            }
            (("lv2:InputPort , lv2:ControlPort".to_owned(), SYMBOLS[i].to_owned()), rest)
        }
        Port::Latency => (
            ("lv2:OutputPort , lv2:ControlPort".to_owned(), "latency".to_owned()),
            "\t\tlv2:designation lv2:latency ;\n\t\tlv2:portProperty lv2:reportsLatency , lv2:integer , pprops:notOnGUI ;\n\
             \t\tlv2:minimum 0 ;\n\t\tlv2:maximum 1000000 ;\n\t\tunits:unit units:frame ;\n"
                .to_owned(),
        ),
    };
    let name = plugin.port_name(port).to_string_lossy();
    format!(
        "[\n\t\ta {kind} ;\n\t\tlv2:index {index} ;\n\t\tlv2:symbol \"{symbol}\" ;\n\t\tlv2:name \"{name}\" ;\n{rest}\t]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bundle's texts, as they are installed.
    const MANIFEST: &str = include_str!("../lv2/manifest.ttl");
    const DESCRIPTION: &str = include_str!("../lv2/tacet.ttl");

    #[test]
    fn the_bundles_texts_are_those_of_the_table() {
        if std::env::var_os("TACET_WRITE_LV2").is_some() {
            let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("lv2");
            std::fs::write(dir.join("manifest.ttl"), manifest("tacet.so")).unwrap();
            std::fs::write(dir.join("tacet.ttl"), description()).unwrap();
            return;
        }
        let how = "write them with TACET_WRITE_LV2=1 cargo test -p tacet-ladspa texts";
        assert!(MANIFEST == manifest("tacet.so") && DESCRIPTION == description(), "{how}");
    }

    #[test]
    fn a_host_finds_two_plugins_and_runs_one() {
        for (index, uri) in
            ["https://tacet.audio/lv2#mono", "https://tacet.audio/lv2#stereo"].iter().enumerate()
        {
            // SAFETY: descriptors are constants of this library.
            let found = unsafe { CStr::from_ptr((*lv2_descriptor(index as u32)).uri) };
            assert_eq!(found.to_str(), Ok(*uri));
        }
        assert!(lv2_descriptor(2).is_null());
        let descriptor = lv2_descriptor(0);
        let none = [ptr::null()];
        let mut latency = 0f32;
        let (mut input, mut output) = (vec![0.1f32; 480], vec![1.0f32; 480]);
        // SAFETY: the descriptor is this library's; each port gets memory that outlives the instance.
        unsafe {
            assert!(((*descriptor).instantiate)(descriptor, 0.0, c"".as_ptr(), none.as_ptr()).is_null());
            let handle = ((*descriptor).instantiate)(descriptor, 48_000.0, c"".as_ptr(), none.as_ptr());
            assert!(!handle.is_null());
            for (port, data) in [(0, input.as_mut_ptr()), (1, output.as_mut_ptr()), (8, &raw mut latency)] {
                ((*descriptor).connect_port)(handle, port, data.cast());
            }
            ((*descriptor).activate.unwrap())(handle);
            ((*descriptor).run)(handle, 480);
            ((*descriptor).cleanup)(handle);
        }
        assert!(output.iter().all(|sample| sample.is_finite() && *sample < 0.5));
        assert_eq!(latency, 2400.0);
    }
}
