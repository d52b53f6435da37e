//! Settings of the running microphone. Written by any thread, read by the audio thread once per block; no lock.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use tacet_realtime::parameters::{Number, ParamId};
use tacet_realtime::processor::controls::Controls;

/// A number that can be set.
#[derive(Debug)]
pub struct Parameter {
    /// Its name: the option's of `tacet denoise`, where it has one.
    pub name: &'static str,
    /// Its range and its value at the start.
    pub number: Number,
    /// Puts it into the controls.
    set: fn(&mut Controls, f32),
}

impl Parameter {
    const fn new(name: &'static str, param: ParamId, set: fn(&mut Controls, f32)) -> Self {
        Self { name, number: param.number(), set }
    }
}

/// All of them.
pub(crate) const PARAMETERS: [Parameter; 9] = [
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
        controls.voice_gain = ParamId::Voice.number().gain(db)
    }),
    Parameter::new("ambience", ParamId::Ambience, |controls, db| {
        controls.ambience_gain = ParamId::Ambience.number().gain(db);
    }),
];

/// The values, and what the audio thread tells.
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
    /// Samples processed since the streams were opened.
    pub n_samples: AtomicU64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            values: PARAMETERS.each_ref().map(|parameter| AtomicU32::new(parameter.number.default.to_bits())),
            is_muted: AtomicBool::new(false),
            is_bypassed: AtomicBool::new(false),
            block_samples: AtomicU32::new(0),
            n_lost: AtomicU64::new(0),
            n_samples: AtomicU64::new(0),
        }
    }
}

impl Settings {
    /// Sets a parameter by its name.
    ///
    /// # Errors
    /// There is none of this name, or the value is out of its range; the text lists what there is.
    pub fn set(&self, name: &str, text: &str) -> Result<(), String> {
        let names = || PARAMETERS.each_ref().map(|parameter| parameter.name).join(", ");
        let index = PARAMETERS
            .iter()
            .position(|parameter| parameter.name == name)
            .ok_or_else(|| format!("there is no parameter {name}: choose one of {}", names()))?;
        let number @ Number { min, max, .. } = PARAMETERS[index].number;
        match number.parse(text) {
            Some(value) if (min..=max).contains(&value) => {
                self.values[index].store(value.to_bits(), Relaxed);
                Ok(())
            }
            _ => Err(format!("{name} takes a number from {min} to {max}, not {text}")),
        }
    }

    /// Every parameter with its value.
    pub fn values(&self) -> impl Iterator<Item = (&'static Parameter, f32)> {
        const ALL: &[Parameter] = &PARAMETERS;
        ALL.iter().zip(self.values.iter().map(|bits| f32::from_bits(bits.load(Relaxed))))
    }

    /// A snapshot for the audio thread. Real-time safe.
    pub fn controls(&self) -> Controls {
        let mut controls = Controls { bypass: self.is_bypassed.load(Relaxed), ..Controls::default() };
        for (parameter, value) in self.values() {
            (parameter.set)(&mut controls, value);
        }
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
    use super::*;

    #[test]
    fn what_is_set_reaches_the_controls() {
        let settings = Settings::default();
        assert_eq!(settings.controls(), Controls::default());
        settings.set("attenuation-limit", "12").unwrap();
        settings.set("gain-db", "-6").unwrap();
        settings.set("ambience", "-20").unwrap();
        let controls = settings.controls();
        assert_eq!(controls.shaping.attenuation_limit_db, 12.0);
        assert!((controls.output_gain - 0.501).abs() < 1e-3);
        assert!((controls.ambience_gain - 0.1).abs() < 1e-6);
        settings.set("ambience", "none").unwrap();
        assert_eq!(settings.controls().ambience_gain, 0.0);
        settings.is_bypassed.store(true, Relaxed);
        settings.is_muted.store(true, Relaxed);
        assert!(settings.controls().output_gain == 0.0 && !settings.controls().bypass);
    }

    #[test]
    fn what_cannot_be_set_is_refused_with_what_can() {
        let settings = Settings::default();
        assert!(settings.set("volume", "1").unwrap_err().contains("gain-db"));
        for bad in ["101", "nan", "x", ""] {
            let error = settings.set("attenuation-limit", bad).unwrap_err();
            assert!(error.contains("0 to 100"), "{error}");
        }
        assert_eq!(settings.controls(), Controls::default());
    }
}
