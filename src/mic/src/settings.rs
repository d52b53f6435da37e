//! Settings of the running microphone. Written by any thread, read by the audio thread once per block; no lock.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use tacet_realtime::latency::LatencyMode;
use tacet_realtime::model::ModelKind;
use tacet_realtime::parameters::{Choice, ParamId, Values};
use tacet_realtime::presets::{PresetValue, PresetValues};
use tacet_realtime::processor::controls::Controls;
use tacet_realtime::rules::level::{LevelMode, LevelRule};

/// A parameter that can be set.
#[derive(Debug)]
pub struct Parameter {
    /// Its name: the option's of `tacet denoise`, where it has one.
    pub name: &'static str,
    /// Its identifier in the table.
    pub id: ParamId,
    /// Puts its value, a plain number, into the controls.
    set: fn(&mut Controls, f32),
}

impl Parameter {
    const fn new(name: &'static str, id: ParamId, set: fn(&mut Controls, f32)) -> Self {
        Self { name, id, set }
    }
}

/// Set together with another one, or by opening another stream.
const ELSEWHERE: fn(&mut Controls, f32) = |_, _| {};

/// All of them.
pub(crate) const PARAMETERS: [Parameter; 26] = [
    Parameter::new("attenuation-limit", ParamId::Limit, |controls, db| {
        controls.shaping.attenuation_limit_db = db;
    }),
    Parameter::new("post-filter", ParamId::PostFilter, |controls, beta| {
        controls.shaping.post_filter_beta = beta;
    }),
    Parameter::new("min-db", ParamId::MinSnr, |controls, db| controls.thresholds.min_db = db),
    Parameter::new("max-erb-db", ParamId::MaxErb, |controls, db| controls.thresholds.max_erb_db = db),
    Parameter::new("max-df-db", ParamId::MaxDf, |controls, db| controls.thresholds.max_df_db = db),
    Parameter::new("mix", ParamId::Mix, |controls, share| controls.mix = share),
    Parameter::new("gain-db", ParamId::OutputGain, |controls, db| {
        controls.output_gain = ParamId::OutputGain.number().gain(db);
    }),
    Parameter::new("voice", ParamId::Voice, |controls, db| {
        controls.voice_gain = ParamId::Voice.number().gain(db);
    }),
    Parameter::new("ambience", ParamId::Ambience, |controls, db| {
        controls.ambience_gain = ParamId::Ambience.number().gain(db);
    }),
    Parameter::new("stereo-link", ParamId::Link, |controls, index| controls.shaping.link = chosen(index)),
    Parameter::new("level", ParamId::Level, ELSEWHERE),
    Parameter::new("level-gain", ParamId::LevelGain, ELSEWHERE),
    Parameter::new("fill-band", ParamId::FillBand, |controls, on| controls.rules.fills_band = on > 0.5),
    Parameter::new("hold-pauses", ParamId::HoldPauses, |controls, on| {
        controls.rules.bounds_pauses = on > 0.5;
    }),
    Parameter::new("keep-clean", ParamId::KeepClean, |controls, on| controls.shaping.keeps_clean = on > 0.5),
    Parameter::new("keep-whisper", ParamId::KeepWhisper, |controls, on| {
        controls.shaping.keeps_whisper = on > 0.5;
    }),
    Parameter::new("latency", ParamId::LatencyMode, ELSEWHERE),
    Parameter::new("model", ParamId::Model, ELSEWHERE),
    Parameter::new("hold", ParamId::Hold, |controls, ms| controls.shaping.closing.hold_ms = ms),
    Parameter::new("release", ParamId::Release, |controls, ms| controls.shaping.closing.release_ms = ms),
    Parameter::new("limit-100", ParamId::Limit100Hz, |controls, db| controls.shaping.limits_db[0] = db),
    Parameter::new("limit-300", ParamId::Limit300Hz, |controls, db| controls.shaping.limits_db[1] = db),
    Parameter::new("limit-1k", ParamId::Limit1kHz, |controls, db| controls.shaping.limits_db[2] = db),
    Parameter::new("limit-3k", ParamId::Limit3kHz, |controls, db| controls.shaping.limits_db[3] = db),
    Parameter::new("limit-8k", ParamId::Limit8kHz, |controls, db| controls.shaping.limits_db[4] = db),
    Parameter::new("limit-16k", ParamId::Limit16kHz, |controls, db| controls.shaping.limits_db[5] = db),
];

/// The choice at a position.
fn chosen<T: Choice>(index: f32) -> T {
    T::ALL.get(index as usize).copied().unwrap_or_default()
}

/// The value that a parameter begins with, as a plain number.
fn default(id: ParamId) -> f32 {
    match id.spec().values {
        Values::Number(number) => number.default,
        Values::Switch { default } => f32::from(u8::from(default)),
        Values::Choice(_) => match id {
            ParamId::Link => tacet_realtime::enhance::StereoLink::default().index() as f32,
            ParamId::LatencyMode => LatencyMode::default().index() as f32,
            ParamId::Model => ModelKind::default().index() as f32,
            // Every other choice begins with its first value.
            _ => 0.0,
        },
    }
}

/// The plain number that a text means for a parameter.
fn parse(parameter: &Parameter, text: &str) -> Result<f32, String> {
    let name = parameter.name;
    match parameter.id.spec().values {
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
    values: [AtomicU32; PARAMETERS.len()],
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
            values: PARAMETERS.each_ref().map(|parameter| AtomicU32::new(default(parameter.id).to_bits())),
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
        let names = || PARAMETERS.each_ref().map(|parameter| parameter.name).join(", ");
        let index = PARAMETERS
            .iter()
            .position(|parameter| parameter.name == name)
            .ok_or_else(|| format!("there is no parameter {name}: choose one of {}", names()))?;
        self.values[index].store(parse(&PARAMETERS[index], text)?.to_bits(), Relaxed);
        Ok(())
    }

    /// Sets everything that presets set: as the preset says, else to the default.
    pub fn set_preset(&self, preset: &PresetValues) {
        for (parameter, place) in PARAMETERS.iter().zip(&self.values) {
            if parameter.id.spec().scope.is_in_presets() {
                let value = within(parameter.id, preset.plain(parameter.id));
                place.store(value.unwrap_or(default(parameter.id)).to_bits(), Relaxed);
            }
        }
    }

    /// Sets what `remembered` has, and leaves the rest.
    pub fn restore(&self, remembered: &PresetValues) {
        for (parameter, place) in PARAMETERS.iter().zip(&self.values) {
            if let Some(value) = within(parameter.id, remembered.plain(parameter.id)) {
                place.store(value.to_bits(), Relaxed);
            }
        }
    }

    /// All values, to be remembered.
    pub fn to_values(&self) -> PresetValues {
        self.plain()
            .map(|(parameter, plain)| (parameter.id, PresetValue::from_plain(parameter.id, plain)))
            .collect()
    }

    /// Every parameter with its value, as it is written.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.plain().map(|(parameter, plain)| {
            let text = match PresetValue::from_plain(parameter.id, plain) {
                PresetValue::Number(number) => {
                    let spec = parameter.id.number();
                    spec.text(number).unwrap_or_else(|| spec.written(number).to_string())
                }
                PresetValue::Switch(is_on) => if is_on { "on" } else { "off" }.to_owned(),
                PresetValue::Choice(id) => id,
            };
            (parameter.name, text)
        })
    }

    fn plain(&self) -> impl Iterator<Item = (&'static Parameter, f32)> {
        const ALL: &[Parameter] = &PARAMETERS;
        ALL.iter().zip(self.values.iter().map(|bits| f32::from_bits(bits.load(Relaxed))))
    }

    fn get(&self, id: ParamId) -> f32 {
        self.plain().find(|(parameter, _)| parameter.id == id).map_or(0.0, |(_, value)| value)
    }

    /// The slack and the network that are asked for.
    pub fn mode_and_model(&self) -> (LatencyMode, ModelKind) {
        (chosen(self.get(ParamId::LatencyMode)), chosen(self.get(ParamId::Model)))
    }

    /// A snapshot for the audio thread. Real-time safe.
    pub fn controls(&self) -> Controls {
        let mut controls = Controls { bypass: self.is_bypassed.load(Relaxed), ..Controls::default() };
        for (parameter, value) in self.plain() {
            (parameter.set)(&mut controls, value);
        }
        let level: LevelMode = chosen(self.get(ParamId::Level));
        controls.rules.level = LevelRule::new(level, self.get(ParamId::LevelGain));
        if self.is_muted.load(Relaxed) {
            // The gain fades; bypass would pass it by.
            controls.output_gain = 0.0;
            controls.bypass = false;
        }
        controls
    }
}

/// A read value as the parameter can have it: another version, or a person, may have written it.
fn within(id: ParamId, plain: Option<f32>) -> Option<f32> {
    match id.spec().values {
        Values::Number(number) => plain.map(|plain| plain.clamp(number.min, number.max)),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
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
        let known = |id: ParamId| PARAMETERS.iter().any(|parameter| parameter.id == id);
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
