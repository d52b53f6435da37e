//! The parameters: identifiers for ever, ranges, units, defaults and texts, each in one place.
//!
//! The host owns the values; the audio thread takes a snapshot per block with [`TacetParams::controls`], real-time
//! safe. All of them work in a host's generic view. Those that make the host restart the plugin or open devices cannot
//! be automated.
//!
//! - [`presets`]: the factory's sets of values.
//! - [`library`]: the user's own, as files.
//! - [`state`]: what a saved project may hold, and what becomes of it here.

use std::sync::{Arc, RwLock};

use nice_plug::prelude::*;
use serde::{Deserialize, Serialize};
use tacet_model::{LSNR_MAX_DB, LSNR_MIN_DB, ModelKind};

use crate::device::Device;
use crate::engine::Thresholds;
use crate::engine::torch::TorchDevice;
use crate::enhance::{NO_LIMIT_DB, Shaping, StereoLink};
use crate::inference::slot_manager::SlotId;
use crate::latency::LatencyMode;
use crate::processor::controls::{Controls, Listen};

pub mod library;
pub mod presets;
pub mod state;

/// Largest post filter, without unit; the official range.
pub const MAX_POST_FILTER: f32 = 0.05;
/// Range of the output gain to both sides of 0, in dB.
pub const MAX_GAIN_DB: f32 = 24.0;

/// What is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ListenParam {
    /// The denoised signal of slot A.
    #[id = "denoised"]
    Denoised,
    /// What slot A took away.
    #[id = "removed"]
    Removed,
    /// Slot A, in a comparison.
    #[id = "a"]
    A,
    /// Slot B; slot A where nothing is compared.
    #[id = "b"]
    B,
}

/// How the channels share their masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum LinkParam {
    /// Not at all.
    #[id = "none"]
    None,
    /// By the larger gain.
    #[id = "max"]
    Max,
    /// By the mean gain.
    #[id = "mean"]
    Mean,
}

/// Slack for inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum LatencyParam {
    /// No slack.
    #[id = "lowest"]
    Lowest,
    /// One hop.
    #[id = "safe"]
    Safe,
}

/// The network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ModelParam {
    /// DeepFilterNet3.
    #[id = "dfn3"]
    #[name = "DeepFilterNet3"]
    DeepFilterNet3,
    /// Its low-latency sibling.
    #[id = "dfn3-ll"]
    #[name = "DeepFilterNet3 low latency"]
    DeepFilterNet3Ll,
}

/// What a slot's network runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DeviceParam {
    /// This library's own engine.
    #[id = "native"]
    #[name = "native CPU"]
    Native,
    /// The same with 16-bit weights.
    #[id = "native-16"]
    #[name = "native CPU 16-bit"]
    Native16,
    /// libtorch on the CPU.
    #[id = "torch-cpu"]
    #[name = "torch CPU"]
    TorchCpu,
    /// libtorch on Apple's GPU.
    #[id = "torch-mps"]
    #[name = "torch MPS"]
    TorchMps,
    /// libtorch on an NVIDIA GPU.
    #[id = "torch-cuda"]
    #[name = "torch CUDA"]
    TorchCuda,
}

impl From<DeviceParam> for Device {
    fn from(device: DeviceParam) -> Self {
        match device {
            DeviceParam::Native => Self::Native,
            DeviceParam::Native16 => Self::Native16,
            DeviceParam::TorchCpu => Self::Torch(TorchDevice::Cpu),
            DeviceParam::TorchMps => Self::Torch(TorchDevice::Mps),
            DeviceParam::TorchCuda => Self::Torch(TorchDevice::Cuda(0)),
        }
    }
}

impl DeviceParam {
    /// The devices in the order of the parameter's values.
    pub fn devices() -> impl Iterator<Item = Device> {
        (0..Self::variants().len()).map(|index| Self::from_index(index).into())
    }
}

/// What a project saves besides the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extras {
    /// Version of the state's meaning; see [`state`].
    pub version: u32,
    /// The preset recalled last.
    #[serde(default)]
    pub preset: Option<String>,
    /// Size of the panel's window in points; zero if it was never open.
    #[serde(default)]
    pub window: (u32, u32),
    /// What the panel remembers, in its own terms.
    #[serde(default)]
    pub panel: serde_json::Value,
}

impl Default for Extras {
    fn default() -> Self {
        Self { version: state::VERSION, preset: None, window: (0, 0), panel: serde_json::Value::Null }
    }
}

/// All parameters.
#[derive(Params)]
pub struct TacetParams {
    /// Most that may be taken away, in dB.
    #[id = "limit"]
    pub limit: FloatParam,
    /// Share of the denoised signal.
    #[id = "mix"]
    pub mix: FloatParam,
    /// Post filter.
    #[id = "postf"]
    pub post_filter: FloatParam,
    /// Gain after everything else, in dB.
    #[id = "gain"]
    pub output_gain: FloatParam,
    /// What is heard.
    #[id = "listen"]
    pub listen: EnumParam<ListenParam>,
    /// The host's bypass.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// Local SNR below which a frame is noise alone, in dB.
    #[id = "minsnr"]
    pub min_snr: FloatParam,
    /// Local SNR above which a frame is clean, in dB.
    #[id = "maxerb"]
    pub max_erb: FloatParam,
    /// Local SNR above which the mask alone works, in dB.
    #[id = "maxdf"]
    pub max_df: FloatParam,
    /// Mask link between channels.
    #[id = "link"]
    pub link: EnumParam<LinkParam>,
    /// Slack for inference.
    #[id = "latenc"]
    pub latency_mode: EnumParam<LatencyParam>,
    /// The network.
    #[id = "model"]
    pub model: EnumParam<ModelParam>,
    /// What slot A runs on.
    #[id = "deva"]
    pub device_a: EnumParam<DeviceParam>,
    /// What slot B runs on.
    #[id = "devb"]
    pub device_b: EnumParam<DeviceParam>,
    /// Whether slot B runs too.
    #[id = "compar"]
    pub compare: BoolParam,
    /// What a project saves besides.
    #[persist = "tacet"]
    pub extras: Arc<RwLock<Extras>>,
}

impl Default for TacetParams {
    fn default() -> Self {
        let snr = |name: &str, default: f32| {
            FloatParam::new(name, default, FloatRange::Linear { min: LSNR_MIN_DB, max: LSNR_MAX_DB })
                .with_step_size(0.1)
                .with_unit(" dB")
        };
        let thresholds = Thresholds::default();
        Self {
            limit: FloatParam::new(
                "Attenuation limit",
                NO_LIMIT_DB,
                FloatRange::Linear { min: 0.0, max: NO_LIMIT_DB },
            )
            .with_step_size(0.1)
            .with_unit(" dB"),
            mix: FloatParam::new("Mix", 1.0, FloatRange::Linear { min: 0.0, max: 1.0 })
                .with_unit(" %")
                .with_value_to_string(formatters::v2s_f32_percentage(1))
                .with_string_to_value(formatters::s2v_f32_percentage()),
            post_filter: FloatParam::new(
                "Post filter",
                0.0,
                FloatRange::Linear { min: 0.0, max: MAX_POST_FILTER },
            )
            .with_step_size(0.001),
            output_gain: FloatParam::new(
                "Output gain",
                0.0,
                FloatRange::Linear { min: -MAX_GAIN_DB, max: MAX_GAIN_DB },
            )
            .with_step_size(0.1)
            .with_unit(" dB"),
            listen: EnumParam::new("Listen", ListenParam::Denoised),
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            min_snr: snr("Noise below local SNR", thresholds.min_db),
            max_erb: snr("Clean above local SNR", thresholds.max_erb_db),
            max_df: snr("Mask only above local SNR", thresholds.max_df_db),
            link: EnumParam::new("Stereo link", LinkParam::Mean),
            latency_mode: EnumParam::new("Latency", LatencyParam::Safe).non_automatable(),
            model: EnumParam::new("Model", ModelParam::DeepFilterNet3).non_automatable(),
            device_a: EnumParam::new("Device A", DeviceParam::Native).non_automatable(),
            device_b: EnumParam::new("Device B", DeviceParam::Native).non_automatable(),
            compare: BoolParam::new("Compare", false).non_automatable(),
            extras: Arc::default(),
        }
    }
}

impl TacetParams {
    /// What the audio thread needs for a block. Real-time safe.
    pub fn controls(&self) -> Controls {
        let (listen, slot) = match self.listen.value() {
            ListenParam::Denoised | ListenParam::A => (Listen::Denoised, SlotId::A),
            ListenParam::Removed => (Listen::Removed, SlotId::A),
            ListenParam::B => (Listen::Denoised, SlotId::B),
        };
        Controls {
            shaping: Shaping {
                attenuation_limit_db: self.limit.value(),
                post_filter_beta: self.post_filter.value(),
                link: match self.link.value() {
                    LinkParam::None => StereoLink::None,
                    LinkParam::Max => StereoLink::Max,
                    LinkParam::Mean => StereoLink::Mean,
                },
            },
            thresholds: Thresholds {
                min_db: self.min_snr.value(),
                max_erb_db: self.max_erb.value(),
                max_df_db: self.max_df.value(),
            },
            mix: self.mix.value(),
            output_gain: util::db_to_gain(self.output_gain.value()),
            listen,
            slot,
            bypass: self.bypass.value(),
        }
    }

    /// The slack that is asked for; in force from the next activation on.
    pub fn latency_mode(&self) -> LatencyMode {
        match self.latency_mode.value() {
            LatencyParam::Lowest => LatencyMode::Lowest,
            LatencyParam::Safe => LatencyMode::Safe,
        }
    }

    /// The model that is asked for; in force from the next activation on.
    pub fn model(&self) -> ModelKind {
        match self.model.value() {
            ModelParam::DeepFilterNet3 => ModelKind::DeepFilterNet3,
            ModelParam::DeepFilterNet3Ll => ModelKind::DeepFilterNet3Ll,
        }
    }

    /// The devices that are asked for, B only where it is compared.
    pub fn devices(&self) -> (Device, Option<Device>) {
        let b = self.compare.value().then(|| self.device_b.value().into());
        (self.device_a.value().into(), b)
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
    fn identifiers_are_those_of_every_saved_project() {
        let ids: Vec<String> = TacetParams::default().param_map().into_iter().map(|(id, ..)| id).collect();
        // Never change one of these.
        let ours =
            "limit mix postf gain listen bypass minsnr maxerb maxdf link latenc model deva devb compar";
        assert_eq!(ids.join(" "), ours);
    }

    #[test]
    fn defaults_are_the_processors() {
        let params = TacetParams::default();
        let expected = Controls { ..Controls::default() };
        assert_eq!(params.controls(), expected);
        assert_eq!(params.devices(), (Device::Native, None));
    }

    #[test]
    fn texts_come_back_as_their_values() {
        let params = TacetParams::default();
        for (id, param, _) in params.param_map() {
            for step in 0..=20 {
                // SAFETY: `params` is alive.
                let (text, back) = unsafe {
                    let text = param.normalized_value_to_string(step as f32 / 20.0, true);
                    let back = param.string_to_normalized_value(&text).expect(&text);
                    (text, param.normalized_value_to_string(back, true))
                };
                assert_eq!(text, back, "{id}");
            }
        }
    }
}
