//! The table of parameters.

use tacet_model::{LSNR_MAX_DB, LSNR_MIN_DB, ModelKind};

use super::{Choice, Number, Scope, Spec, Unit, Values};
use crate::device::Device;
use crate::enhance::{MAX_POST_FILTER, StereoLink};
use crate::latency::LatencyMode;
use crate::limit::{N_HANDLES, NO_LIMIT_DB};
use crate::processor::controls::Listen;
use crate::rules::level::{LevelMode, MAX_GAIN_DB as LEVEL_MAX_GAIN_DB};
use crate::tails::MAX_TAIL_MS;

/// Largest gain and largest attenuation at the output, in dB.
const MAX_GAIN_DB: f32 = 24.0;
/// Largest gain of the voice and largest attenuation of it, in dB.
const MAX_VOICE_DB: f32 = 12.0;
/// Gain in dB at and below which nothing of the ambience is heard, and the largest.
const NO_AMBIENCE_DB: f32 = -60.0;
const MAX_AMBIENCE_DB: f32 = 6.0;

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum ParamId {
    /// Attenuation limit.
    Limit,
    /// Dry against wet.
    Mix,
    /// Post filter.
    PostFilter,
    /// Output gain.
    OutputGain,
    /// The signal that is heard.
    Listen,
    /// The host's bypass.
    Bypass,
    /// Local SNR below which a frame is silenced.
    MinSnr,
    /// Local SNR above which a frame is passed through.
    MaxErb,
    /// Local SNR above which the mask alone is applied.
    MaxDf,
    /// How channels share their masks.
    Link,
    /// Slack for inference.
    LatencyMode,
    /// The network.
    Model,
    /// Device of slot A.
    DeviceA,
    /// Device of slot B.
    DeviceB,
    /// Whether slot B runs.
    Compare,
    /// How the feature gain is found.
    Level,
    /// The feature gain where it is fixed.
    LevelGain,
    /// Whether the empty band of band-limited input is filled for the network.
    FillBand,
    /// Whether pauses leave the normalisation alone.
    HoldPauses,
    /// Whether clean input is left so.
    KeepClean,
    /// Gain of the denoised signal.
    Voice,
    /// Gain of the removed signal.
    Ambience,
    /// Time for which gains stay after speech.
    Hold,
    /// Time in which they then close.
    Release,
    /// Attenuation limit at 100 Hz.
    Limit100Hz,
    /// Attenuation limit at 300 Hz.
    Limit300Hz,
    /// Attenuation limit at 1 kHz.
    Limit1kHz,
    /// Attenuation limit at 3 kHz.
    Limit3kHz,
    /// Attenuation limit at 8 kHz.
    Limit8kHz,
    /// Attenuation limit at 16 kHz.
    Limit16kHz,
    /// Whether bypass has the gains of voice and output.
    MatchBypass,
    /// Whether whispering is kept.
    KeepWhisper,
}

/// An entry in decibels with a step of 0.1 dB.
const fn decibels(min: f32, max: f32, default: f32) -> Values {
    Values::Number(Number { min, max, default, step: 0.1, unit: Unit::Decibels })
}

/// The attenuation limit at a frequency.
const fn limit_at(id: &'static str, name: &'static str, label: &'static str) -> Spec {
    Spec {
        id,
        name,
        label,
        help: "Largest reduction of noise around this frequency, in dB; a curve joins the six. If Reduce by at most is less, \
               that holds.",
        values: decibels(0.0, NO_LIMIT_DB, NO_LIMIT_DB),
        scope: Scope::Sound,
    }
}

/// A time after speech, in ms.
const TAIL: Values =
    Values::Number(Number { min: 0.0, max: MAX_TAIL_MS, default: 0.0, step: 1.0, unit: Unit::Milliseconds });

/// A threshold on the local SNR as the network estimates it.
const fn local_snr(default: f32) -> Values {
    decibels(LSNR_MIN_DB, LSNR_MAX_DB, default)
}

impl ParamId {
    /// Every parameter, in the order of the host's list.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The attenuation limits at the [handles' frequencies](crate::limit::HANDLES_HZ), in their order.
    pub const LIMITS: [Self; N_HANDLES] = [
        Self::Limit100Hz,
        Self::Limit300Hz,
        Self::Limit1kHz,
        Self::Limit3kHz,
        Self::Limit8kHz,
        Self::Limit16kHz,
    ];

    /// Whether it is an attenuation limit, whose largest value limits nothing.
    pub fn is_limit(self) -> bool {
        self == Self::Limit || Self::LIMITS.contains(&self)
    }

    /// Whether it belongs to a moment of listening, such as a bypass: undoing and the memory of programs leave it out.
    pub fn is_momentary(self) -> bool {
        matches!(self, Self::Listen | Self::Bypass | Self::Compare)
    }

    /// The table.
    pub const fn spec(self) -> Spec {
        match self {
            Self::Limit => Spec {
                id: "limit",
                name: "Attenuation limit",
                label: "Reduce by at most",
                help: "Largest reduction of noise, in dB. 100 dB removes everything that the network takes for noise, \
                       12 to 24 dB keep some of the room and hide artefacts, 0 dB passes the input.",
                values: decibels(0.0, NO_LIMIT_DB, NO_LIMIT_DB),
                scope: Scope::Sound,
            },
            Self::Mix => Spec {
                id: "mix",
                name: "Mix",
                label: "Mix",
                help: "Share of the denoised signal in per cent. The rest is the input, delayed to match.",
                values: Values::Number(Number {
                    min: 0.0,
                    max: 1.0,
                    default: 1.0,
                    step: 0.0,
                    unit: Unit::Percent,
                }),
                scope: Scope::Sound,
            },
            Self::PostFilter => Spec {
                id: "postf",
                name: "Post filter",
                label: "Post filter",
                help: "Attenuates bands that are mostly noise further. 0 is off, 0.02 is typical; more makes speech thin.",
                values: Values::Number(Number {
                    min: 0.0,
                    max: MAX_POST_FILTER,
                    default: 0.0,
                    step: 0.001,
                    unit: Unit::None,
                }),
                scope: Scope::Sound,
            },
            Self::OutputGain => Spec {
                id: "gain",
                name: "Output gain",
                label: "Output",
                help: "Gain after everything else, in dB.",
                values: decibels(-MAX_GAIN_DB, MAX_GAIN_DB, 0.0),
                scope: Scope::Monitoring,
            },
            Self::Listen => Spec {
                id: "listen",
                name: "Listen",
                label: "Listen to",
                help: "Denoised is the result. Removed is the signal taken out, at the same delay: speech in it means \
                       that too much is removed.",
                values: Values::Choice(Listen::TEXTS),
                scope: Scope::Monitoring,
            },
            Self::Bypass => Spec {
                id: "bypass",
                name: "Bypass",
                label: "Bypass",
                help: "Passes the input, delayed to match, without a click.",
                values: Values::Switch { default: false },
                scope: Scope::Monitoring,
            },
            Self::MinSnr => Spec {
                id: "minsnr",
                name: "Noise below local SNR",
                label: "Silence below",
                help: "Silences moments that are noise only: those whose local SNR, in dB, is below this. −15 dB is never; much \
                       more cuts the ends of words.",
                values: local_snr(LSNR_MIN_DB),
                scope: Scope::Sound,
            },
            Self::MaxErb => Spec {
                id: "maxerb",
                name: "Clean above local SNR",
                label: "Leave alone above",
                help: "Passes clean moments unchanged: those whose local SNR, in dB, is above this. 35 dB is never; \
                       below 30 dB their noise audibly comes and goes.",
                values: local_snr(LSNR_MAX_DB),
                scope: Scope::Sound,
            },
            Self::MaxDf => Spec {
                id: "maxdf",
                name: "Mask only above local SNR",
                label: "Simple filter above",
                help: "Uses the mask alone, without the deep filter, while the local SNR, in dB, is above this: saves time \
                       on good recordings. 35 dB is never; below 30 dB speech suffers, as the mask was never trained for the range \
                       below 4.8 kHz.",
                values: local_snr(LSNR_MAX_DB),
                scope: Scope::Sound,
            },
            Self::Link => Spec {
                id: "link",
                name: "Stereo link",
                label: "Stereo link",
                help: "How channels share their masks, so that the stereo image stays in place: not at all, by the \
                       larger gain, or by the mean.",
                values: Values::Choice(StereoLink::TEXTS),
                scope: Scope::Sound,
            },
            Self::LatencyMode => Spec {
                id: "latenc",
                name: "Latency",
                label: "Latency",
                help: "Safe gives inference one hop (10 ms) of time. Lowest gives it none: for monitoring, on a fast \
                       computer. A change restarts the plugin in its host.",
                values: Values::Choice(LatencyMode::TEXTS),
                scope: Scope::Restart,
            },
            Self::Model => Spec {
                id: "model",
                name: "Model",
                label: "Model",
                help: "DeepFilterNet3 looks 20 ms ahead. Its low-latency variant does not, sounds as good, and takes about \
                       four times the processing. A change restarts the plugin in its host.",
                values: Values::Choice(ModelKind::TEXTS),
                scope: Scope::Setup,
            },
            Self::DeviceA => Spec {
                id: "deva",
                name: "Device A",
                label: "Device A",
                help: "Device that runs the network of slot A.",
                values: Values::Choice(Device::TEXTS),
                scope: Scope::Setup,
            },
            Self::DeviceB => Spec {
                id: "devb",
                name: "Device B",
                label: "Device B",
                help: "Device that runs the network of slot B.",
                values: Values::Choice(Device::TEXTS),
                scope: Scope::Setup,
            },
            Self::Compare => Spec {
                id: "compar",
                name: "Compare",
                label: "Compare",
                help: "Runs slot B on the same frames as slot A, to measure and hear both, at the cost of device B.",
                values: Values::Switch { default: false },
                scope: Scope::Setup,
            },
            Self::Level => Spec {
                id: "level",
                name: "Level",
                label: "Level",
                help: "Raises quiet speech to the level that the network knows, for its analysis alone: the sound is \
                       never amplified. Auto follows the speech and changes nothing at usual levels.",
                values: Values::Choice(LevelMode::TEXTS),
                scope: Scope::Sound,
            },
            Self::LevelGain => Spec {
                id: "levgain",
                name: "Level gain",
                label: "Level gain",
                help: "Gain of the network's analysis in dB, if Level is fixed.",
                values: decibels(0.0, LEVEL_MAX_GAIN_DB, 20.0),
                scope: Scope::Sound,
            },
            Self::FillBand => Spec {
                id: "fillbnd",
                name: "Fill narrow band",
                label: "Fill narrow band",
                help: "Mirrors the sound of telephones and 8 to 12 kHz recordings into their empty band, for the \
                       network's analysis alone: the mirrored sound is never heard.",
                values: Values::Switch { default: true },
                scope: Scope::Sound,
            },
            Self::HoldPauses => Spec {
                id: "pauses",
                name: "Hold over pauses",
                label: "Hold over pauses",
                help: "Keeps the network's analysis from getting used to the noise of long pauses, so that the first \
                       words after them come through whole.",
                values: Values::Switch { default: true },
                scope: Scope::Sound,
            },
            Self::KeepClean => Spec {
                id: "clean",
                name: "Keep clean",
                label: "Keep clean",
                help: "Returns to the input if there is hardly any noise, from about 20 dB of SNR on, so that clean \
                       speech stays as it is. Changes nothing while noise is audible.",
                values: Values::Switch { default: true },
                scope: Scope::Sound,
            },
            Self::Voice => Spec {
                id: "voice",
                name: "Voice",
                label: "Voice",
                help: "Gain of the denoised signal in dB, before the mix.",
                values: decibels(-MAX_VOICE_DB, MAX_VOICE_DB, 0.0),
                scope: Scope::Sound,
            },
            Self::Ambience => Spec {
                id: "ambienc",
                name: "Ambience",
                label: "Ambience",
                help: "Gain of the removed signal in dB, added to the voice: the room, even louder than it was. At the lowest \
                       value only the part that the attenuation limit leaves remains.",
                values: Values::Number(Number {
                    min: NO_AMBIENCE_DB,
                    max: MAX_AMBIENCE_DB,
                    default: NO_AMBIENCE_DB,
                    step: 0.1,
                    unit: Unit::DecibelsOrNone,
                }),
                scope: Scope::Sound,
            },
            Self::Hold => Spec {
                id: "hold",
                name: "Hold",
                label: "Hold",
                help: "Time in ms after speech during which everything still passes, band by band: keeps the ends of words \
                       and the room behind them. Noise passes for as long.",
                values: TAIL,
                scope: Scope::Sound,
            },
            Self::Release => Spec {
                id: "release",
                name: "Release",
                label: "Release",
                help: "Time in ms over which the reduction then returns by 20 dB: noise fades out instead of being cut. \
                       0 is immediate.",
                values: TAIL,
                scope: Scope::Sound,
            },
            Self::Limit100Hz => limit_at("lim100", "Limit at 100 Hz", "100 Hz"),
            Self::Limit300Hz => limit_at("lim300", "Limit at 300 Hz", "300 Hz"),
            Self::Limit1kHz => limit_at("lim1k", "Limit at 1 kHz", "1 kHz"),
            Self::Limit3kHz => limit_at("lim3k", "Limit at 3 kHz", "3 kHz"),
            Self::Limit8kHz => limit_at("lim8k", "Limit at 8 kHz", "8 kHz"),
            Self::Limit16kHz => limit_at("lim16k", "Limit at 16 kHz", "16 kHz"),
            Self::MatchBypass => Spec {
                id: "bypmtch",
                name: "Match bypass",
                label: "Match bypass",
                help: "Gives bypass the gains of voice and output, so that both sides of a comparison are equally loud. \
                       Off, bypass is bit-identical to the input.",
                values: Values::Switch { default: false },
                scope: Scope::Monitoring,
            },
            Self::KeepWhisper => Spec {
                id: "whisper",
                name: "Keep whisper",
                label: "Keep whisper",
                help: "Takes at most 10 dB from whispering, which the network would remove as noise. Changes nothing \
                       where nobody whispers.",
                values: Values::Switch { default: true },
                scope: Scope::Sound,
            },
        }
    }

    /// The range of a number.
    ///
    /// # Panics
    /// The parameter is no number. Evaluated in a constant, this is a compile error.
    pub const fn number(self) -> Number {
        match self.spec().values {
            Values::Number(number) => number,
            Values::Switch { .. } | Values::Choice(_) => panic!("the parameter is no number"),
        }
    }

    /// A function that [reads](Number::read) a number, for options.
    pub fn reader(self) -> impl Fn(&str) -> Result<f32, String> + Clone + Send + Sync + 'static {
        move |text| self.number().read(text)
    }

    /// Help of an option that takes what [`Self::parse_limits`] reads.
    pub fn limits_help() -> String {
        let at = Self::LIMITS.map(|id| id.spec().label).join(", ");
        format!(
            "Largest reduction of noise at {at}, in dB, or none; a curve joins them, and a smaller --attenuation-limit holds"
        )
    }

    /// Reads a limit at each of the handles' frequencies: six numbers in dB, or "none", with commas between.
    ///
    /// # Errors
    /// The values expected, as the continuation of "invalid value".
    pub fn parse_limits(text: &str) -> Result<[f32; N_HANDLES], String> {
        let limit = |text: &str| match text.trim() {
            "none" => Some(NO_LIMIT_DB),
            number => number.parse().ok().filter(|db| (0.0..=NO_LIMIT_DB).contains(db)),
        };
        let limits = text.split(',').map(limit).collect::<Option<Vec<f32>>>();
        limits.and_then(|limits| limits.try_into().ok()).ok_or_else(|| {
            let at = Self::LIMITS.map(|id| id.spec().label).join(", ");
            format!("six numbers from 0 to {NO_LIMIT_DB}, or none, with commas between are needed: at {at}")
        })
    }

    /// The parameter with this identifier.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|param| param.spec().id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_those_of_every_saved_project() {
        let ids: Vec<_> = ParamId::ALL.iter().map(|param| param.spec().id).collect();
        // Never change one of these.
        let saved = "limit mix postf gain listen bypass minsnr maxerb maxdf link latenc model deva devb compar \
             level levgain fillbnd pauses clean voice ambienc hold release lim100 lim300 lim1k lim3k lim8k lim16k \
             bypmtch whisper";
        assert_eq!(ids.join(" "), saved);
        assert!(ParamId::ALL.iter().all(|&param| ParamId::from_id(param.spec().id) == Some(param)));
    }
}
