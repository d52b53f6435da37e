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
use crate::limit::N_HANDLES;
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
    limit: FloatParam,
    mix: FloatParam,
    post_filter: FloatParam,
    output_gain: FloatParam,
    listen: EnumParam<Chosen<Listen>>,
    bypass: BoolParam,
    min_snr: FloatParam,
    max_erb: FloatParam,
    max_df: FloatParam,
    link: EnumParam<Chosen<StereoLink>>,
    latency_mode: EnumParam<Chosen<LatencyMode>>,
    model: EnumParam<Chosen<ModelKind>>,
    device_a: EnumParam<Chosen<Device>>,
    device_b: EnumParam<Chosen<Device>>,
    compare: BoolParam,
    level: EnumParam<Chosen<LevelMode>>,
    level_gain: FloatParam,
    fill_band: BoolParam,
    hold_pauses: BoolParam,
    keep_clean: BoolParam,
    voice: FloatParam,
    ambience: FloatParam,
    hold: FloatParam,
    release: FloatParam,
    limits: [FloatParam; N_HANDLES],
    match_bypass: BoolParam,
    keep_whisper: BoolParam,
    /// Saved state besides the parameters.
    pub extras: RwLock<Extras>,
}

impl Default for TacetParams {
    fn default() -> Self {
        Self {
            limit: number(ParamId::Limit),
            mix: number(ParamId::Mix),
            post_filter: number(ParamId::PostFilter),
            output_gain: number(ParamId::OutputGain),
            listen: choice(ParamId::Listen),
            bypass: switch(ParamId::Bypass).make_bypass(),
            min_snr: number(ParamId::MinSnr),
            max_erb: number(ParamId::MaxErb),
            max_df: number(ParamId::MaxDf),
            link: choice(ParamId::Link),
            latency_mode: choice(ParamId::LatencyMode),
            model: choice(ParamId::Model),
            device_a: choice(ParamId::DeviceA),
            device_b: choice(ParamId::DeviceB),
            compare: switch(ParamId::Compare),
            level: choice(ParamId::Level),
            level_gain: number(ParamId::LevelGain),
            fill_band: switch(ParamId::FillBand),
            hold_pauses: switch(ParamId::HoldPauses),
            keep_clean: switch(ParamId::KeepClean),
            voice: number(ParamId::Voice),
            ambience: number(ParamId::Ambience),
            hold: number(ParamId::Hold),
            release: number(ParamId::Release),
            limits: ParamId::LIMITS.map(number),
            match_bypass: switch(ParamId::MatchBypass),
            keep_whisper: switch(ParamId::KeepWhisper),
            extras: RwLock::default(),
        }
    }
}

fn number(id: ParamId) -> FloatParam {
    let Number { min, max, default, step, unit } = id.number();
    let mut param =
        FloatParam::new(id.spec().name, default, FloatRange::Linear { min, max }).with_unit(unit.suffix());
    if step > 0.0 {
        param = param.with_step_size(step);
    }
    if unit == Unit::Percent {
        param = param
            .with_value_to_string(formatters::v2s_f32_percentage(1))
            .with_string_to_value(formatters::s2v_f32_percentage());
    }
    if unit == Unit::DecibelsOrNone {
        let number = id.number();
        let text = move |value: f32| number.text(value).unwrap_or_else(|| format!("{value:.1}"));
        param = param
            .with_value_to_string(Arc::new(text))
            .with_string_to_value(Arc::new(move |text| number.parse(text)));
    }
    if id.spec().scope.is_automatable() { param } else { param.non_automatable() }
}

fn choice<T: Choice>(id: ParamId) -> EnumParam<Chosen<T>> {
    let param = EnumParam::new(id.spec().name, Chosen(T::default()));
    if id.spec().scope.is_automatable() { param } else { param.non_automatable() }
}

fn switch(id: ParamId) -> BoolParam {
    let default = id.spec().values == (Values::Switch { default: true });
    let param = BoolParam::new(id.spec().name, default);
    if id.spec().scope.is_automatable() { param } else { param.non_automatable() }
}

// SAFETY: the pointers are those of the fields, and stay valid as long as the object does: the framework keeps it in an
// `Arc`, and nothing replaces a field.
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
        match id {
            ParamId::Limit => &self.limit,
            ParamId::Mix => &self.mix,
            ParamId::PostFilter => &self.post_filter,
            ParamId::OutputGain => &self.output_gain,
            ParamId::Listen => &self.listen,
            ParamId::Bypass => &self.bypass,
            ParamId::MinSnr => &self.min_snr,
            ParamId::MaxErb => &self.max_erb,
            ParamId::MaxDf => &self.max_df,
            ParamId::Link => &self.link,
            ParamId::LatencyMode => &self.latency_mode,
            ParamId::Model => &self.model,
            ParamId::DeviceA => &self.device_a,
            ParamId::DeviceB => &self.device_b,
            ParamId::Compare => &self.compare,
            ParamId::Level => &self.level,
            ParamId::LevelGain => &self.level_gain,
            ParamId::FillBand => &self.fill_band,
            ParamId::HoldPauses => &self.hold_pauses,
            ParamId::KeepClean => &self.keep_clean,
            ParamId::Voice => &self.voice,
            ParamId::Ambience => &self.ambience,
            ParamId::Hold => &self.hold,
            ParamId::Release => &self.release,
            ParamId::Limit100Hz => &self.limits[0],
            ParamId::Limit300Hz => &self.limits[1],
            ParamId::Limit1kHz => &self.limits[2],
            ParamId::Limit3kHz => &self.limits[3],
            ParamId::Limit8kHz => &self.limits[4],
            ParamId::Limit16kHz => &self.limits[5],
            ParamId::MatchBypass => &self.match_bypass,
            ParamId::KeepWhisper => &self.keep_whisper,
        }
    }

    /// A snapshot for the audio thread. Real-time safe.
    pub fn controls(&self) -> Controls {
        parameters::controls(|id| self.param(id).modulated_plain())
    }

    /// The slack that is asked for; in force from the next activation on.
    pub fn latency_mode(&self) -> LatencyMode {
        self.latency_mode.value().0
    }

    /// The model that is asked for; in force from the next activation on.
    pub fn model(&self) -> ModelKind {
        self.model.value().0
    }

    /// The devices that are asked for, B only where it is compared.
    pub fn devices(&self) -> (Device, Option<Device>) {
        (self.device_a.value().0, self.compare.value().then(|| self.device_b.value().0))
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
        context.add_section("Denoise", |section| {
            section.add_page("Denoise", |page| {
                page.add_param(&self.limit);
                page.add_param(&self.mix);
                page.add_param(&self.post_filter);
                page.add_param(&self.output_gain);
                page.add_param(&self.listen);
                page.add_param(&self.link);
                page.add_spacer();
                page.add_param(&self.bypass);
            });
            section.add_page("Room", |page| {
                page.add_param(&self.voice);
                page.add_param(&self.ambience);
                page.add_param(&self.hold);
                page.add_param(&self.release);
            });
            section.add_page("Limits", |page| {
                self.limits.iter().for_each(|limit| page.add_param(limit));
            });
            section.add_page("Stages", |page| {
                page.add_param(&self.min_snr);
                page.add_param(&self.max_df);
                page.add_param(&self.max_erb);
            });
        });
        context.add_section("Devices", |section| {
            section.add_page("Devices", |page| {
                page.add_param(&self.device_a);
                page.add_param(&self.device_b);
                page.add_param(&self.compare);
                page.add_param(&self.listen);
                page.add_param(&self.latency_mode);
                page.add_param(&self.model);
            });
        });
    }
}

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
