//! The panel's hands on the parameters: every change goes through the host, which records it and can undo it.

use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::*;

use crate::panel::controls::{Action, PanelParams, ParamId};
use crate::params::TacetParams;

/// Parameters behind the panel's trait, for one frame.
pub struct HostParams<'a> {
    params: &'a TacetParams,
    setter: ParamSetter<'a>,
    /// What was pressed, to be done after the frame.
    pub actions: Vec<Action>,
    /// Whether a slot's device or the comparison was chosen anew.
    pub devices_changed: bool,
}

/// Evaluates `$use` with `$param` bound to the parameter, whatever its type.
macro_rules! with_param {
    ($params:expr, $id:expr, |$param:ident| $use:expr) => {
        match $id {
            ParamId::Limit => {
                let $param = &$params.limit;
                $use
            }
            ParamId::Mix => {
                let $param = &$params.mix;
                $use
            }
            ParamId::PostFilter => {
                let $param = &$params.post_filter;
                $use
            }
            ParamId::Output => {
                let $param = &$params.output_gain;
                $use
            }
            ParamId::Listen => {
                let $param = &$params.listen;
                $use
            }
            ParamId::MinSnr => {
                let $param = &$params.min_snr;
                $use
            }
            ParamId::MaxErb => {
                let $param = &$params.max_erb;
                $use
            }
            ParamId::MaxDf => {
                let $param = &$params.max_df;
                $use
            }
            ParamId::Link => {
                let $param = &$params.link;
                $use
            }
            ParamId::Bypass => {
                let $param = &$params.bypass;
                $use
            }
            ParamId::LatencyMode => {
                let $param = &$params.latency_mode;
                $use
            }
            ParamId::Model => {
                let $param = &$params.model;
                $use
            }
            ParamId::DeviceA => {
                let $param = &$params.device_a;
                $use
            }
            ParamId::DeviceB => {
                let $param = &$params.device_b;
                $use
            }
            ParamId::Compare => {
                let $param = &$params.compare;
                $use
            }
        }
    };
}

impl<'a> HostParams<'a> {
    /// For one frame.
    pub fn new(params: &'a TacetParams, gui: &'a GuiContext) -> Self {
        Self { params, setter: gui.param_setter(), actions: Vec::new(), devices_changed: false }
    }
}

impl PanelParams for HostParams<'_> {
    fn value(&self, id: ParamId) -> f32 {
        with_param!(self.params, id, |param| param.unmodulated_normalized_value())
    }

    fn default_value(&self, id: ParamId) -> f32 {
        with_param!(self.params, id, |param| param.default_normalized_value())
    }

    fn begin(&mut self, id: ParamId) {
        with_param!(self.params, id, |param| self.setter.begin_set_parameter(param));
    }

    fn set(&mut self, id: ParamId, value: f32) {
        with_param!(self.params, id, |param| self.setter.set_parameter_normalized(param, value));
        self.devices_changed |= matches!(id, ParamId::DeviceA | ParamId::DeviceB | ParamId::Compare);
    }

    fn end(&mut self, id: ParamId) {
        with_param!(self.params, id, |param| self.setter.end_set_parameter(param));
    }

    fn text(&self, id: ParamId, value: f32) -> String {
        // The panel writes real minus signs.
        with_param!(self.params, id, |param| param.normalized_value_to_string(value, true)).replace('-', "−")
    }

    fn parse(&self, id: ParamId, text: &str) -> Option<f32> {
        let text = text.replace('−', "-").replace(',', ".");
        with_param!(self.params, id, |param| param.string_to_normalized_value(text.trim()))
    }

    fn plain(&self, id: ParamId, value: f32) -> f32 {
        match id {
            ParamId::Limit => self.params.limit.preview_plain(value),
            // Shown in per cent.
            ParamId::Mix => 100.0 * self.params.mix.preview_plain(value),
            ParamId::PostFilter => self.params.post_filter.preview_plain(value),
            ParamId::Output => self.params.output_gain.preview_plain(value),
            ParamId::MinSnr => self.params.min_snr.preview_plain(value),
            ParamId::MaxErb => self.params.max_erb.preview_plain(value),
            ParamId::MaxDf => self.params.max_df.preview_plain(value),
            _ => value * self.steps(id).unwrap_or(1) as f32,
        }
    }

    fn steps(&self, id: ParamId) -> Option<usize> {
        with_param!(self.params, id, |param| param.step_count())
    }

    fn perform(&mut self, action: Action) {
        self.actions.push(action);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::panel::controls::{change, choice, choose};
    use nice_plug::prelude::ParamPtr;

    /// A host that takes every value at once and counts gestures.
    #[derive(Default)]
    struct Host {
        log: Mutex<Vec<&'static str>>,
    }

    impl nice_plug::context::gui::GuiContextInner for Host {
        fn plugin_api(&self) -> PluginApi {
            PluginApi::Clap
        }
        unsafe fn raw_begin_set_parameter(&self, _: ParamPtr) {
            self.log.lock().unwrap().push("begin");
        }
        unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, normalized: f32) {
            self.log.lock().unwrap().push("set");
            // SAFETY: the test holds the parameters.
            unsafe { param._internal_set_normalized_value(normalized) };
        }
        unsafe fn raw_end_set_parameter(&self, _: ParamPtr) {
            self.log.lock().unwrap().push("end");
        }
        fn get_state(&self) -> PluginState {
            unreachable!("the panel asks for no state")
        }
        fn set_state(&self, _: PluginState) {
            unreachable!("the panel sets no state")
        }
        fn request_restart(&self) {}
    }

    #[test]
    fn a_change_is_one_gesture_of_the_hosts() {
        let (params, host) = (TacetParams::default(), Arc::new(Host::default()));
        let gui = GuiContext::new(host.clone());
        let mut host_params = HostParams::new(&params, &gui);
        change(&mut host_params, ParamId::Limit, 0.24);
        assert_eq!(params.limit.value(), 24.0);
        assert_eq!(*host.log.lock().unwrap(), ["begin", "set", "end"]);
        assert!(!host_params.devices_changed);
        choose(&mut host_params, ParamId::DeviceB, 3);
        assert_eq!(
            (params.device_b.value(), host_params.devices_changed),
            (crate::params::DeviceParam::TorchMps, true)
        );
    }

    #[test]
    fn texts_and_values_agree_for_every_parameter() {
        let params = TacetParams::default();
        let gui = GuiContext::new(Arc::new(Host::default()));
        let host_params = HostParams::new(&params, &gui);
        for id in ParamId::ALL {
            for value in [0.0, 1.0] {
                let text = host_params.text(id, value);
                let back = host_params.parse(id, &text).unwrap_or_else(|| panic!("{id:?}: {text}"));
                assert!((back - value).abs() < 1e-3, "{id:?}: {text} came back as {back}");
            }
        }
        assert_eq!(host_params.text(ParamId::Output, 0.0), "−24.0 dB");
        assert_eq!(
            host_params.parse(ParamId::Output, "−12,5"),
            host_params.parse(ParamId::Output, "-12.5 dB")
        );
    }

    #[test]
    fn choices_are_those_the_panel_writes() {
        let params = TacetParams::default();
        let gui = GuiContext::new(Arc::new(Host::default()));
        let mut host_params = HostParams::new(&params, &gui);
        use crate::params::{LatencyParam, LinkParam, ListenParam, ModelParam};
        choose(&mut host_params, ParamId::Listen, 3);
        assert_eq!((params.listen.value(), choice(&host_params, ParamId::Listen)), (ListenParam::B, 3));
        choose(&mut host_params, ParamId::Link, 1);
        choose(&mut host_params, ParamId::LatencyMode, 0);
        choose(&mut host_params, ParamId::Model, 1);
        choose(&mut host_params, ParamId::Bypass, 1);
        assert_eq!(params.link.value(), LinkParam::Max);
        assert_eq!(params.latency_mode.value(), LatencyParam::Lowest);
        assert_eq!(params.model.value(), ModelParam::DeepFilterNet3Ll);
        assert!(params.bypass.value());
    }
}
