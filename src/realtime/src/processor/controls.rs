//! Controls that may change from block to block: the audio thread's snapshot of the parameters.

use crate::engine::Thresholds;
use crate::enhance::Shaping;
use crate::inference::slot_manager::SlotId;

/// Which signal is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// The denoised signal of slot A.
    #[default]
    Denoised,
    /// What slot A removed: the delayed input less the denoised signal.
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
    /// Which stages run for which local SNR.
    pub thresholds: Thresholds,
    /// Share of the denoised signal, 0..=1; the rest is the delayed input.
    pub mix: f32,
    /// Linear gain at the output; not applied in bypass.
    pub output_gain: f32,
    /// Which signal is heard.
    pub listen: Listen,
    /// Whether the input passes, delayed by the latency and otherwise untouched.
    pub bypass: bool,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            shaping: Shaping::default(),
            thresholds: Thresholds::default(),
            mix: 1.0,
            output_gain: 1.0,
            listen: Listen::default(),
            bypass: false,
        }
    }
}
