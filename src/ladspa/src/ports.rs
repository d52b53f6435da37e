//! The table of ports, in the order of DeepFilterNet's own LADSPA plugin (version 0.5.6, `ladspa/src/lib.rs`).

use std::ffi::CStr;

use tacet_realtime::parameters::{self, Number, ParamId};
use tacet_realtime::processor::controls::Controls;

/// Most ports of a plugin: four of audio, the controls, the latency.
pub const MAX_PORTS: usize = 4 + CONTROLS.len() + 1;

/// One of the plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The name that hosts ask for.
    pub label: &'static CStr,
    /// The name for people.
    pub name: &'static CStr,
    /// LADSPA's number for it.
    pub unique_id: u32,
    /// Channels.
    pub n_channels: usize,
    /// Whether it has the `latency` port.
    pub has_latency: bool,
}

/// The plugins in the order in which a host finds them; the first two are DeepFilterNet's.
pub const PLUGINS: [Plugin; 4] = [
    Plugin {
        label: c"deep_filter_mono",
        name: c"DeepFilter Mono (Tacet)",
        unique_id: 7_843_795,
        n_channels: 1,
        has_latency: false,
    },
    Plugin {
        label: c"deep_filter_stereo",
        name: c"DeepFilter Stereo (Tacet)",
        unique_id: 7_843_796,
        n_channels: 2,
        has_latency: false,
    },
    Plugin {
        label: c"tacet_mono",
        name: c"Tacet Mono",
        unique_id: 13_254_801,
        n_channels: 1,
        has_latency: true,
    },
    Plugin {
        label: c"tacet_stereo",
        name: c"Tacet Stereo",
        unique_id: 13_254_802,
        n_channels: 2,
        has_latency: true,
    },
];

/// A control port that the host writes.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Its name.
    pub name: &'static CStr,
    /// Least value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Value where the host has none: the least or the largest.
    pub default: f32,
    /// The parameter that it sets, if any.
    pub param: Option<ParamId>,
}

impl Control {
    /// The port of a parameter.
    const fn new(name: &'static CStr, param: ParamId) -> Self {
        let Number { min, max, default, .. } = param.number();
        Self { name, min, max, default, param: Some(param) }
    }

    /// A host's value, clamped to the range; the default where it is not a number.
    pub fn sanitize(&self, value: f32) -> f32 {
        if value.is_nan() { self.default } else { value.clamp(self.min, self.max) }
    }
}

/// The controls, in order.
pub const CONTROLS: [Control; 6] = [
    Control::new(c"Attenuation Limit (dB)", ParamId::Limit),
    Control::new(c"Min processing threshold (dB)", ParamId::MinSnr),
    Control::new(c"Max ERB processing threshold (dB)", ParamId::MaxErb),
    Control::new(c"Max DF processing threshold (dB)", ParamId::MaxDf),
    // There for those who connect it: the latency is the same whatever it says, and does not grow.
    Control { name: c"Min Processing Buffer (frames)", min: 0.0, max: 10.0, default: 0.0, param: None },
    Control::new(c"Post Filter Beta", ParamId::PostFilter),
];

/// The processor's controls for the values that a host has written, by the places in [`CONTROLS`]; none where it has
/// connected nothing. Real-time safe.
pub fn controls(written: impl Fn(usize) -> Option<f32>) -> Controls {
    parameters::controls(|id| {
        let index = CONTROLS.iter().position(|control| control.param == Some(id));
        let value = index.and_then(|index| Some(CONTROLS[index].sanitize(written(index)?)));
        value.unwrap_or_else(|| id.default_plain())
    })
}

/// A port.
#[derive(Clone, Copy, Debug)]
pub enum Port {
    /// Samples of a channel from the host.
    Input(usize),
    /// Samples of a channel to the host.
    Output(usize),
    /// One of [`CONTROLS`].
    Control(usize),
    /// The latency in samples, to the host.
    Latency,
}

impl Plugin {
    /// The ports, by their numbers.
    pub fn ports(&self) -> impl Iterator<Item = Port> {
        let inputs = (0..self.n_channels).map(Port::Input);
        let outputs = (0..self.n_channels).map(Port::Output);
        let controls = (0..CONTROLS.len()).map(Port::Control);
        inputs.chain(outputs).chain(controls).chain(self.has_latency.then_some(Port::Latency))
    }

    /// The name of a port.
    pub fn port_name(&self, port: Port) -> &'static CStr {
        match (port, self.n_channels) {
            (Port::Input(_), 1) => c"Audio In",
            (Port::Output(_), 1) => c"Audio Out",
            (Port::Input(0), _) => c"Audio In L",
            (Port::Input(_), _) => c"Audio In R",
            (Port::Output(0), _) => c"Audio Out L",
            (Port::Output(_), _) => c"Audio Out R",
            (Port::Control(index), _) => CONTROLS[index].name,
            // Hosts know it by this name.
            (Port::Latency, _) => c"latency",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_deep_filter_nets() {
        let names = |plugin: Plugin| -> Vec<String> {
            plugin.ports().map(|port| plugin.port_name(port).to_string_lossy().into_owned()).collect()
        };
        let controls = [
            "Attenuation Limit (dB)",
            "Min processing threshold (dB)",
            "Max ERB processing threshold (dB)",
            "Max DF processing threshold (dB)",
            "Min Processing Buffer (frames)",
            "Post Filter Beta",
        ];
        assert_eq!(names(PLUGINS[0]), [&["Audio In", "Audio Out"][..], &controls].concat());
        let stereo = ["Audio In L", "Audio In R", "Audio Out L", "Audio Out R"];
        assert_eq!(names(PLUGINS[1]), [&stereo[..], &controls].concat());
        assert_eq!(names(PLUGINS[3]), [&stereo[..], &controls, &["latency"]].concat());
        assert_eq!(PLUGINS[3].ports().count(), MAX_PORTS);
    }

    #[test]
    fn without_a_word_from_the_host_the_controls_are_the_defaults() {
        assert_eq!(controls(|_| None), Controls::default());
        assert_eq!(controls(|_| Some(f32::NAN)), Controls::default());
        assert_eq!(CONTROLS[0].sanitize(f32::INFINITY), 100.0);
        assert_eq!(CONTROLS[1].sanitize(-1e9), -15.0);
    }

    #[test]
    fn ranges_and_defaults_are_deep_filter_nets() {
        let ranges = CONTROLS.map(|control| (control.min, control.max, control.default));
        let snr = |default| (-15.0, 35.0, default);
        let official =
            [(0.0, 100.0, 100.0), snr(-15.0), snr(35.0), snr(35.0), (0.0, 10.0, 0.0), (0.0, 0.05, 0.0)];
        assert_eq!(ranges, official);
    }
}
