//! Controls that may change from block to block: the audio thread's snapshot of the parameters.

use crate::engine::Thresholds;
use crate::enhance::Shaping;
use crate::meters::feed::Shares;
use crate::rules::Rules;
use crate::slot::SlotId;

/// The signal that is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// The denoised signal of slot A.
    #[default]
    Denoised,
    /// The signal that slot A removed: the delayed input less the denoised signal.
    Removed,
    /// The denoised signal of slot A, chosen in a comparison.
    A,
    /// The denoised signal of slot B; of slot A while B does not run.
    B,
}

impl Listen {
    /// The slot whose engine is heard.
    pub fn slot(self) -> SlotId {
        match self {
            Self::Denoised | Self::Removed | Self::A => SlotId::A,
            Self::B => SlotId::B,
        }
    }
}

/// A snapshot of the controls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Controls {
    /// Limit, post filter and link.
    pub shaping: Shaping,
    /// Local SNRs that decide which stages run.
    pub thresholds: Thresholds,
    /// Rules for recordings that the network was not trained for.
    pub rules: Rules,
    /// Linear gain of the denoised signal.
    pub voice_gain: f32,
    /// Linear gain of the removed signal, the delayed input less the denoised signal, which is added to it.
    pub ambience_gain: f32,
    /// Share of voice and ambience, 0..=1; the rest is the delayed input.
    pub mix: f32,
    /// Linear gain at the output; applied in bypass only where that is [matched](Self::matches_bypass).
    pub output_gain: f32,
    /// The signal that is heard.
    pub listen: Listen,
    /// Whether the input passes, delayed by the latency and otherwise untouched.
    pub bypass: bool,
    /// Whether the input then has the gains of voice and output, to be compared at one level.
    pub matches_bypass: bool,
}

impl Controls {
    /// Shares of the enhanced and of the noisy signal in what is heard, before the gain. Mixing glides between such shares.
    pub fn shares(&self) -> Shares {
        match (self.bypass, self.listen) {
            (true, _) => {
                Shares { enhanced: 0.0, noisy: if self.matches_bypass { self.voice_gain } else { 1.0 } }
            }
            // The removed part, whether or not some of it is given back.
            (false, Listen::Removed) => Shares { enhanced: -self.mix, noisy: self.mix },
            (false, _) => Shares {
                enhanced: self.mix * (self.voice_gain - self.ambience_gain),
                noisy: 1.0 - self.mix + self.mix * self.ambience_gain,
            },
        }
    }
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            shaping: Shaping::default(),
            thresholds: Thresholds::default(),
            rules: Rules::default(),
            voice_gain: 1.0,
            ambience_gain: 0.0,
            mix: 1.0,
            output_gain: 1.0,
            listen: Listen::default(),
            bypass: false,
            matches_bypass: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_is_heard() {
        let controls = Controls::default();
        for (controls, enhanced, noisy) in [
            (controls, 1.0, 0.0),
            (Controls { mix: 0.25, ..controls }, 0.25, 0.75),
            (Controls { voice_gain: 2.0, ambience_gain: 0.5, ..controls }, 1.5, 0.5),
            (Controls { voice_gain: 2.0, ambience_gain: 0.5, mix: 0.5, ..controls }, 0.75, 0.75),
            (Controls { listen: Listen::Removed, ..controls }, -1.0, 1.0),
            (Controls { listen: Listen::Removed, ambience_gain: 0.5, ..controls }, -1.0, 1.0),
            (Controls { listen: Listen::Removed, mix: 0.5, ..controls }, -0.5, 0.5),
            (Controls { bypass: true, mix: 0.5, voice_gain: 2.0, ..controls }, 0.0, 1.0),
            (Controls { bypass: true, matches_bypass: true, voice_gain: 2.0, ..controls }, 0.0, 2.0),
        ] {
            assert_eq!(controls.shares(), Shares { enhanced, noisy }, "{controls:?}");
        }
    }
}
