//! Concealment of late or missing replies: the noisy frame under the mask that was last heard, which opens
//! to the noisy frame itself within a few hops. Audio thread; real-time safe.
//!
//! Overlap-add makes the transition click-free. The mask is held because noise that flashes up for a hop is more
//! disturbing than a mask that is a hop old; it opens because an engine that stays away must not mute what comes.

use tacet_model::N_BANDS;

use crate::engine::{ChannelOut, Stage};

/// Share of the way to 1 that the mask goes per missing hop.
const OPENING: f32 = 0.25;

/// The mask that was last heard, per channel.
pub struct Concealer {
    last: Box<[ChannelOut]>,
}

impl Concealer {
    /// A concealer that has heard nothing: it plays the noisy frame.
    pub fn new(n_channels: usize) -> Self {
        Self { last: vec![ChannelOut::default(); n_channels].into() }
    }

    /// Remembers what was heard.
    pub fn note(&mut self, stage: Stage, outputs: &[ChannelOut]) {
        for (last, output) in self.last.iter_mut().zip(outputs) {
            last.mask = match stage {
                Stage::Silence => [0.0; N_BANDS],
                Stage::Clean => [1.0; N_BANDS],
                Stage::MaskOnly | Stage::Full => output.mask,
            };
        }
    }

    /// The answer to use for a missing hop; its stage is the mask alone.
    pub(crate) fn conceal(&mut self) -> &[ChannelOut] {
        for last in &mut self.last {
            for gain in &mut last.mask {
                *gain += (1.0 - *gain) * OPENING;
            }
        }
        &self.last
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        for last in &mut self.last {
            last.mask = [1.0; N_BANDS];
        }
    }
}
