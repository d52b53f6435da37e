//! Settings of the running microphone. Written by any thread, read by the audio thread once per block; no lock.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use tacet_realtime::latency::LatencyMode;
use tacet_realtime::model::ModelKind;
use tacet_realtime::parameters::{self, Choice, ParamId, Values};
use tacet_realtime::presets::{PresetValue, PresetValues};
use tacet_realtime::processor::controls::Controls;

/// The parameters that can be set, by their names: those of the options of `tacet denoise`, where it has them.
pub(crate) const PARAMETERS: [(&str, ParamId); 26] = [
    ("attenuation-limit", ParamId::Limit),
    ("post-filter", ParamId::PostFilter),
    ("min-db", ParamId::MinSnr),
    ("max-erb-db", ParamId::MaxErb),
    ("max-df-db", ParamId::MaxDf),
    ("mix", ParamId::Mix),
    ("gain-db", ParamId::OutputGain),
    ("voice", ParamId::Voice),
    ("ambience", ParamId::Ambience),
    ("stereo-link", ParamId::Link),
    ("level", ParamId::Level),
    ("level-gain", ParamId::LevelGain),
    ("fill-band", ParamId::FillBand),
    ("hold-pauses", ParamId::HoldPauses),
    ("keep-clean", ParamId::KeepClean),
    ("keep-whisper", ParamId::KeepWhisper),
    ("latency", ParamId::LatencyMode),
    ("model", ParamId::Model),
    ("hold", ParamId::Hold),
    ("release", ParamId::Release),
    ("limit-100", ParamId::Limit100Hz),
    ("limit-300", ParamId::Limit300Hz),
    ("limit-1k", ParamId::Limit1kHz),
    ("limit-3k", ParamId::Limit3kHz),
    ("limit-8k", ParamId::Limit8kHz),
    ("limit-16k", ParamId::Limit16kHz),
];

/// The plain number that a text means for a parameter.
fn parse(name: &str, id: ParamId, text: &str) -> Result<f32, String> {
    match id.spec().values {
        Values::Number(number) => {
            number.read(text).map_err(|needed| format!("{name} cannot be {text}: {needed}"))
        }
        Values::Switch { .. } => match text {
            "on" => Ok(1.0),
            "off" => Ok(0.0),
            _ => Err(format!("{name} is on or off, not {text}")),
        },
        Values::Choice(texts) => match texts.iter().position(|known| known.id == text) {
            Some(index) => Ok(index as f32),
            None => {
                let ids: Vec<&str> = texts.iter().map(|known| known.id).collect();
                Err(format!("{name} is one of {}, not {text}", ids.join(", ")))
            }
        },
    }
}

/// The values, and the counts of the audio thread.
#[derive(Debug)]
pub struct Settings {
    /// The plain values of all parameters, in their order; of those that cannot be set the defaults.
    values: [AtomicU32; ParamId::ALL.len()],
    /// Whether nothing is heard.
    pub is_muted: AtomicBool,
    /// Whether the input passes, delayed.
    pub is_bypassed: AtomicBool,
    /// Samples in the last block.
    pub block_samples: AtomicU32,
    /// Blocks that had no buffer to go into, or none to come from.
    pub n_lost: AtomicU64,
    /// Samples processed since the start.
    pub n_samples: AtomicU64,
    /// Samples since the input was last more than silence.
    pub n_silent: AtomicU64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            values: array::from_fn(|index| AtomicU32::new(ParamId::ALL[index].default_plain().to_bits())),
            is_muted: AtomicBool::new(false),
            is_bypassed: AtomicBool::new(false),
            block_samples: AtomicU32::new(0),
            n_lost: AtomicU64::new(0),
            n_samples: AtomicU64::new(0),
            n_silent: AtomicU64::new(0),
        }
    }
}

impl Settings {
    /// Sets a parameter by its name.
    ///
    /// # Errors
    /// There is none of this name, or it cannot have the value; the text lists what there is.
    pub fn set(&self, name: &str, text: &str) -> Result<(), String> {
        let names = || PARAMETERS.map(|(name, _)| name).join(", ");
        let (name, id) = PARAMETERS
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| format!("there is no parameter {name}: choose one of {}", names()))?;
        self.put(id, parse(name, id, text)?);
        Ok(())
    }

    /// Sets everything that presets set: as the preset says, else to the default.
    pub fn set_preset(&self, preset: &PresetValues) {
        for (_, id) in PARAMETERS {
            if id.spec().scope.is_in_presets() {
                self.put(id, preset.plain(id).unwrap_or_else(|| id.default_plain()));
            }
        }
    }

    /// Sets what `remembered` has, and leaves the rest.
    pub fn restore(&self, remembered: &PresetValues) {
        for (_, id) in PARAMETERS {
            if let Some(value) = remembered.plain(id) {
                self.put(id, value);
            }
        }
    }

    /// All values, to be remembered.
    pub fn to_values(&self) -> PresetValues {
        PARAMETERS.iter().map(|&(_, id)| (id, PresetValue::from_plain(id, self.get(id)))).collect()
    }

    /// Every parameter with its value, as it is written.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        PARAMETERS.into_iter().map(|(name, id)| {
            let text = match PresetValue::from_plain(id, self.get(id)) {
                PresetValue::Number(number) => {
                    let spec = id.number();
                    spec.text(number).unwrap_or_else(|| spec.written(number).to_string())
                }
                PresetValue::Switch(is_on) => if is_on { "on" } else { "off" }.to_owned(),
                PresetValue::Choice(id) => id,
            };
            (name, text)
        })
    }

    fn put(&self, id: ParamId, plain: f32) {
        self.values[id as usize].store(plain.to_bits(), Relaxed);
    }

    fn get(&self, id: ParamId) -> f32 {
        f32::from_bits(self.values[id as usize].load(Relaxed))
    }

    /// The slack and the network that are asked for.
    pub fn mode_and_model(&self) -> (LatencyMode, ModelKind) {
        (Choice::at(self.get(ParamId::LatencyMode)), Choice::at(self.get(ParamId::Model)))
    }

    /// A snapshot for the audio thread. Real-time safe.
    pub fn controls(&self) -> Controls {
        let mut controls = parameters::controls(|id| self.get(id));
        controls.bypass = self.is_bypassed.load(Relaxed);
        if self.is_muted.load(Relaxed) {
            // The gain fades; bypass would pass it by.
            controls.output_gain = 0.0;
            controls.bypass = false;
        }
        controls
    }
}

#[cfg(test)]
mod tests {
    use tacet_realtime::rules::level::LevelRule;

    use super::*;

    #[test]
    fn settings_reach_the_controls() {
        let settings = Settings::default();
        assert_eq!(settings.controls(), Controls::default());
        assert_eq!(settings.mode_and_model(), Default::default());
        settings.set("attenuation-limit", "12").unwrap();
        settings.set("gain-db", "-6").unwrap();
        settings.set("level", "fixed").unwrap();
        settings.set("ambience", "-20").unwrap();
        settings.set("keep-clean", "off").unwrap();
        settings.set("keep-whisper", "off").unwrap();
        settings.set("mix", "30").unwrap();
        assert!(settings.texts().any(|text| text == ("mix", "30".to_owned())));
        assert!((settings.controls().mix - 0.3).abs() < 1e-6);
        settings.set("latency", "lowest").unwrap();
        let controls = settings.controls();
        assert_eq!(controls.shaping.attenuation_limit_db, 12.0);
        assert!((controls.output_gain - 0.501).abs() < 1e-3 && !controls.shaping.keeps_clean);
        assert!(!controls.shaping.keeps_whisper);
        assert_eq!(controls.rules.level, LevelRule::Fixed(20.0));
        assert!((controls.ambience_gain - 0.1).abs() < 1e-6);
        settings.set("ambience", "none").unwrap();
        assert_eq!(settings.controls().ambience_gain, 0.0);
        assert_eq!(settings.mode_and_model().0, LatencyMode::Lowest);
        settings.is_bypassed.store(true, Relaxed);
        settings.is_muted.store(true, Relaxed);
        assert!(settings.controls().output_gain == 0.0 && !settings.controls().bypass);
    }

    #[test]
    fn impossible_settings_are_refused_with_the_possible_ones() {
        let settings = Settings::default();
        assert!(settings.set("volume", "1").unwrap_err().contains("gain-db"));
        for bad in ["101", "nan", "x", ""] {
            let error = settings.set("attenuation-limit", bad).unwrap_err();
            assert!(error.contains("0 to 100"), "{error}");
        }
        assert!(settings.set("model", "dfn4").unwrap_err().contains("dfn3-ll"));
        assert!(settings.set("fill-band", "1").unwrap_err().contains("on or off"));
        assert_eq!(settings.controls(), Controls::default());
    }

    #[test]
    fn a_preset_sets_all_that_presets_set_and_nothing_else() {
        let known = |id: ParamId| PARAMETERS.iter().any(|(_, known)| *known == id);
        for &id in ParamId::ALL {
            assert!(!id.spec().scope.is_in_presets() || known(id), "{id:?} of a preset would be lost");
        }
        let settings = Settings::default();
        for (name, text) in [("post-filter", "0.02"), ("gain-db", "3"), ("model", "dfn3-ll")] {
            settings.set(name, text).unwrap();
        }
        let preset = tacet_realtime::presets::Preset::of_factory("live-mic").unwrap();
        settings.set_preset(&preset.values);
        let controls = settings.controls();
        assert_eq!((controls.shaping.attenuation_limit_db, controls.shaping.post_filter_beta), (30.0, 0.0));
        assert!(controls.output_gain > 1.4);
        assert_eq!(settings.mode_and_model(), (LatencyMode::Lowest, ModelKind::DeepFilterNet3Ll));
    }

    #[test]
    fn remembered_values_come_back_and_impossible_ones_are_left() {
        let (before, after) = (Settings::default(), Settings::default());
        for (name, text) in [("attenuation-limit", "18"), ("stereo-link", "max"), ("hold-pauses", "off")] {
            before.set(name, text).unwrap();
        }
        after.restore(&before.to_values());
        assert_eq!(after.controls(), before.controls());
        let other = [
            (ParamId::Limit, PresetValue::Number(1e9)),
            (ParamId::Link, PresetValue::Choice("telepathy".into())),
        ];
        after.restore(&PresetValues::from_iter(other));
        assert_eq!(after.controls().shaping.attenuation_limit_db, 100.0);
        assert_eq!(after.controls().shaping.link, before.controls().shaping.link);
    }
}
