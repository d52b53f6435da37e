//! The processor's controls as the values of parameters ask for them: in the plugin, on the microphone, in LADSPA.

use tacet_model::ModelKind;

use super::{Choice, ParamId, Values};
use crate::engine::Thresholds;
use crate::enhance::{Shaping, StereoLink};
use crate::latency::LatencyMode;
use crate::processor::controls::Controls;
use crate::rules::Rules;
use crate::rules::level::LevelRule;
use crate::tails::Closing;

/// The controls for plain values of the parameters: a number in its unit, 0 or 1 of a switch, the position of a choice.
/// Real-time safe where `plain` is.
pub fn controls(plain: impl Fn(ParamId) -> f32) -> Controls {
    let is_on = |id| plain(id) > 0.5;
    let gain = |id: ParamId| id.number().gain(plain(id));
    Controls {
        shaping: Shaping {
            attenuation_limit_db: plain(ParamId::Limit),
            limits_db: ParamId::LIMITS.map(&plain),
            post_filter_beta: plain(ParamId::PostFilter),
            link: Choice::at(plain(ParamId::Link)),
            keeps_clean: is_on(ParamId::KeepClean),
            keeps_whisper: is_on(ParamId::KeepWhisper),
            closing: Closing { hold_ms: plain(ParamId::Hold), release_ms: plain(ParamId::Release) },
        },
        thresholds: Thresholds {
            min_db: plain(ParamId::MinSnr),
            max_erb_db: plain(ParamId::MaxErb),
            max_df_db: plain(ParamId::MaxDf),
        },
        rules: Rules {
            level: LevelRule::new(Choice::at(plain(ParamId::Level)), plain(ParamId::LevelGain)),
            fills_band: is_on(ParamId::FillBand),
            bounds_pauses: is_on(ParamId::HoldPauses),
        },
        voice_gain: gain(ParamId::Voice),
        ambience_gain: gain(ParamId::Ambience),
        mix: plain(ParamId::Mix),
        output_gain: gain(ParamId::OutputGain),
        listen: Choice::at(plain(ParamId::Listen)),
        bypass: is_on(ParamId::Bypass),
        matches_bypass: is_on(ParamId::MatchBypass),
    }
}

impl ParamId {
    /// The plain value in a new instance.
    pub fn default_plain(self) -> f32 {
        match self.spec().values {
            Values::Number(number) => number.default,
            Values::Switch { default } => f32::from(u8::from(default)),
            Values::Choice(_) => match self {
                Self::Link => StereoLink::default().index() as f32,
                Self::LatencyMode => LatencyMode::default().index() as f32,
                Self::Model => ModelKind::default().index() as f32,
                // Every other choice begins with its first value.
                _ => 0.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_processors() {
        assert_eq!(controls(ParamId::default_plain), Controls::default());
    }
}
