//! The plugin's parameters, made from the table in [`crate::parameters`].
//!
//! The host owns the values; the audio thread takes a snapshot per block with [`TacetParams::controls`], real-time
//! safe. All of them work in a host's generic view. Those that make the host restart the plugin or open devices cannot
//! be automated.
//!
//! - [`access`]: any parameter, whatever its type.
//! - [`extras`]: saved state besides the parameters.
//! - [`presets`]: sets of values, from and for them.
//! - [`state`]: validation of what a project saved.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use nice_plug::prelude::*;
use tacet_model::ModelKind;

use crate::device::Device;
use crate::enhance::StereoLink;
use crate::latency::LatencyMode;
use crate::parameters::{self, Choice, Number, ParamId, Unit, Values};
use crate::processor::controls::{Controls, Listen};
use crate::rules::level::LevelMode;

pub mod access;
pub mod extras;
pub mod presets;
pub mod state;

use access::AnyParam;
use extras::Extras;

/// The groups that hosts show, as modules of the CLAP and units of the VST3. Hosts know them by position: append only.
pub(crate) const GROUPS: [&str; 5] = ["Denoise", "Stages", "Devices", "Recording", "Limit by frequency"];

/// A [`Choice`] as the framework's parameters hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen<T>(pub T);

impl<T: Choice> Enum for Chosen<T> {
    fn variants() -> &'static [&'static str] {
        T::NAMES
    }

    fn ids() -> Option<&'static [&'static str]> {
        Some(T::IDS)
    }

    fn to_index(self) -> usize {
        self.0.index()
    }

    fn from_index(index: usize) -> Self {
        Self(T::ALL.get(index).copied().unwrap_or(T::ALL[0]))
    }
}

/// All parameters; see the [table](ParamId::spec) for what each does.
pub struct TacetParams {
    /// In the table's order.
    params: Vec<Box<dyn AnyParam>>,
    /// Saved state besides the parameters.
    pub extras: RwLock<Extras>,
}

impl Default for TacetParams {
    fn default() -> Self {
        Self {
            params: ParamId::ALL.iter().map(|&id| framework_param(id)).collect(),
            extras: RwLock::default(),
        }
    }
}

/// A parameter as the framework holds it.
fn framework_param(id: ParamId) -> Box<dyn AnyParam> {
    match (id, id.spec().values) {
        (_, Values::Number(range)) => Box::new(number(id, range)),
        (ParamId::Bypass, Values::Switch { default }) => Box::new(switch(id, default).make_bypass()),
        (_, Values::Switch { default }) => Box::new(switch(id, default)),
        (ParamId::Listen, Values::Choice(_)) => Box::new(choice::<Listen>(id)),
        (ParamId::Link, Values::Choice(_)) => Box::new(choice::<StereoLink>(id)),
        (ParamId::LatencyMode, Values::Choice(_)) => Box::new(choice::<LatencyMode>(id)),
        (ParamId::Model, Values::Choice(_)) => Box::new(choice::<ModelKind>(id)),
        (ParamId::DeviceA | ParamId::DeviceB, Values::Choice(_)) => Box::new(choice::<Device>(id)),
        (ParamId::Level, Values::Choice(_)) => Box::new(choice::<LevelMode>(id)),
        (_, Values::Choice(_)) => unreachable!("{id:?} is a choice of no type that is named here"),
    }
}

fn number(id: ParamId, range: Number) -> FloatParam {
    let Number { min, max, default, step, unit } = range;
    let mut param =
        FloatParam::new(id.spec().name, default, FloatRange::Linear { min, max }).with_unit(unit.suffix());
    if step > 0.0 {
        param = param.with_step_size(step);
    }
    let parse = move |text: &str| range.parse(text).map(|value| value / unit.scale());
    param = param.with_string_to_value(Arc::new(parse));
    if unit == Unit::Percent {
        param = param.with_value_to_string(formatters::v2s_f32_percentage(1));
    }
    if unit == Unit::DecibelsOrNone {
        let text = move |value: f32| range.text(value).unwrap_or_else(|| format!("{value:.1}"));
        param = param.with_value_to_string(Arc::new(text));
    }
    if id.spec().scope.is_automatable() { param } else { param.non_automatable() }
}

fn choice<T: Choice>(id: ParamId) -> EnumParam<Chosen<T>> {
    let param = EnumParam::new(id.spec().name, Chosen(T::default()));
    if id.spec().scope.is_automatable() { param } else { param.non_automatable() }
}

fn switch(id: ParamId, default: bool) -> BoolParam {
    let parse = |text: &str| match text.trim().to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" | "1" => Some(true),
        "off" | "no" | "false" | "0" => Some(false),
        _ => None,
    };
    let param = BoolParam::new(id.spec().name, default).with_string_to_value(Arc::new(parse));
    if id.spec().scope.is_automatable() { param } else { param.non_automatable() }
}

// SAFETY: the pointers are into the boxes, and stay valid as long as the object does: the framework keeps it in an `Arc`,
// and nothing replaces a box.
unsafe impl Params for TacetParams {
    fn param_map(&self) -> Vec<(String, ParamPtr, String)> {
        ParamId::ALL.iter().map(|id| (id.spec().id.into(), self.param(*id).as_ptr(), String::new())).collect()
    }

    fn serialize_fields(&self) -> BTreeMap<String, String> {
        let extras = self.extras.read().ok().and_then(|extras| serde_json::to_string(&*extras).ok());
        extras.map(|text| (extras::KEY.into(), text)).into_iter().collect()
    }

    fn deserialize_fields(&self, saved: &BTreeMap<String, String>) {
        let saved = saved.get(extras::KEY).and_then(|text| serde_json::from_str(text).ok());
        if let (Some(saved), Ok(mut extras)) = (saved, self.extras.write()) {
            *extras = saved;
        }
    }
}

impl TacetParams {
    /// Any parameter, whatever its type.
    pub fn param(&self, id: ParamId) -> &dyn AnyParam {
        &*self.params[id as usize]
    }

    /// A snapshot for the audio thread. Real-time safe.
    pub fn controls(&self) -> Controls {
        parameters::controls(|id| self.param(id).modulated_plain())
    }

    /// The slack that is asked for; in force from the next activation on.
    pub fn latency_mode(&self) -> LatencyMode {
        self.chosen(ParamId::LatencyMode)
    }

    /// The model that is asked for; in force from the next activation on.
    pub fn model(&self) -> ModelKind {
        self.chosen(ParamId::Model)
    }

    /// The devices that are asked for, B only where it is compared.
    pub fn devices(&self) -> (Device, Option<Device>) {
        let compares = self.param(ParamId::Compare).modulated_plain() > 0.5;
        (self.chosen(ParamId::DeviceA), compares.then(|| self.chosen(ParamId::DeviceB)))
    }

    fn chosen<T: Choice>(&self, id: ParamId) -> T {
        T::at(self.param(id).modulated_plain())
    }

    /// The group of a parameter by its place in the parameters' order; none for the bypass, which belongs to the whole.
    pub fn group(index: usize) -> &'static str {
        use ParamId::*;
        let [denoise, stages, devices, recording, limits] = GROUPS;
        ParamId::ALL.get(index).map_or("", |id| match id {
            Limit | Mix | PostFilter | OutputGain | Listen | Link | Voice | Ambience | Hold | Release
            | MatchBypass => denoise,
            MinSnr | MaxErb | MaxDf => stages,
            LatencyMode | Model | DeviceA | DeviceB | Compare => devices,
            Level | LevelGain | FillBand | HoldPauses | KeepClean | KeepWhisper => recording,
            Limit100Hz | Limit300Hz | Limit1kHz | Limit3kHz | Limit8kHz | Limit16kHz => limits,
            Bypass => "",
        })
    }

    /// The remote-control pages, most wanted first.
    pub fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        for (section, pages) in REMOTE_CONTROLS {
            context.add_section(*section, |section| {
                for (page, ids) in *pages {
                    section.add_page(*page, |page| {
                        for id in *ids {
                            self.add_to_page(*id, page);
                        }
                    });
                }
            });
        }
    }

    fn add_to_page(&self, id: ParamId, page: &mut impl RemoteControlsPage) {
        if id == ParamId::Bypass {
            // Apart from what shapes the sound.
            page.add_spacer();
        }
        // SAFETY: the pointer is that of the parameter, which outlives this call.
        unsafe {
            match self.param(id).as_ptr() {
                ParamPtr::FloatParam(param) => page.add_param(&*param),
                ParamPtr::IntParam(param) => page.add_param(&*param),
                ParamPtr::BoolParam(param) => page.add_param(&*param),
                ParamPtr::EnumParam(param) => page.add_param(&*param),
            }
        }
    }
}

/// Parameters of a remote-control page, and its name.
type RemotePage = (&'static str, &'static [ParamId]);

/// The sections of remote-control pages.
const REMOTE_CONTROLS: &[(&str, &[RemotePage])] = {
    use ParamId::*;
    &[
        (
            "Denoise",
            &[
                ("Denoise", &[Limit, Mix, PostFilter, OutputGain, Listen, Link, Bypass]),
                ("Room", &[Voice, Ambience, Hold, Release]),
                ("Limits", &ParamId::LIMITS),
                ("Stages", &[MinSnr, MaxDf, MaxErb]),
            ],
        ),
        ("Devices", &[("Devices", &[DeviceA, DeviceB, Compare, Listen, LatencyMode, Model])]),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_processors() {
        let params = TacetParams::default();
        assert_eq!(params.controls(), Controls::default());
        assert_eq!(params.devices(), (Device::Native, None));
        assert_eq!((params.latency_mode(), params.model()), (LatencyMode::default(), ModelKind::default()));
    }

    #[test]
    fn every_parameter_but_the_bypass_has_a_group() {
        let params = TacetParams::default();
        for (index, (id, ..)) in params.param_map().iter().enumerate() {
            assert_eq!(GROUPS.contains(&TacetParams::group(index)), id != "bypass", "{id}");
        }
        assert_eq!(TacetParams::group(usize::MAX), "");
    }

    #[test]
    fn every_parameter_is_the_tables() {
        let params = TacetParams::default();
        for &id in ParamId::ALL {
            let (spec, param) = (id.spec(), params.param(id));
            assert_eq!(param.name(), spec.name);
            match spec.values {
                Values::Number(number) => {
                    let plain = [0.0, param.default_value(), 1.0].map(|value| param.plain(value));
                    assert_eq!(plain, [number.min, number.default, number.max], "{id:?}");
                }
                Values::Switch { .. } => assert_eq!(param.steps(), Some(1), "{id:?}"),
                Values::Choice(texts) => {
                    assert_eq!(param.steps(), Some(texts.len() - 1), "{id:?}");
                    for (index, text) in texts.iter().enumerate() {
                        let value = index as f32 / (texts.len() - 1) as f32;
                        assert_eq!(param.text(value), text.name);
                    }
                }
            }
        }
    }

    #[test]
    fn texts_come_back_as_their_values() {
        let params = TacetParams::default();
        for &id in ParamId::ALL {
            let param = params.param(id);
            for step in 0..=20 {
                let text = param.text(step as f32 / 20.0);
                let back = param.parse(&text).expect(&text);
                assert_eq!(text, param.text(back), "{id:?}");
            }
        }
    }

    /// People write units as they please; what means nothing is no value.
    #[test]
    fn texts_are_read_as_people_write_them() {
        let params = TacetParams::default();
        let plain = |id, text: &str| {
            let param = params.param(id);
            param.parse(text).map(|value| param.plain(value))
        };
        for text in ["6", "6 dB", "6dB", " 6 db "] {
            assert_eq!(plain(ParamId::OutputGain, text), Some(6.0), "{text}");
            assert_eq!(plain(ParamId::Ambience, text), Some(6.0), "{text}");
        }
        assert_eq!(plain(ParamId::Release, "120ms"), Some(120.0));
        assert_eq!(plain(ParamId::Mix, "25%"), Some(0.25));
        assert_eq!(plain(ParamId::Mix, "25"), Some(0.25));
        for text in ["on", "Yes", "1"] {
            assert_eq!(plain(ParamId::FillBand, text), Some(1.0), "{text}");
        }
        assert_eq!(plain(ParamId::FillBand, "no"), Some(0.0));
        for id in ParamId::ALL {
            for text in ["nan", "inf", "nonsense", ""] {
                assert_eq!(plain(*id, text), None, "{id:?} {text}");
            }
        }
    }

    #[test]
    fn extras_come_back() {
        let (params, other) = (TacetParams::default(), TacetParams::default());
        params.extras.write().unwrap().preset = Some("Podcast".into());
        other.deserialize_fields(&params.serialize_fields());
        assert_eq!(*other.extras.read().unwrap(), *params.extras.read().unwrap());
        other.deserialize_fields(&BTreeMap::from([(extras::KEY.into(), "nonsense".into())]));
        assert_eq!(*other.extras.read().unwrap(), *params.extras.read().unwrap());
    }
}
