//! The bands of a recording's hop that are let through farther than the rest. Not for the audio thread.

use tacet_model::HOP;

use super::{Due, Glide};
use crate::erb;
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::powers::HopPowers;
use crate::stft::{Analysis, Synthesis};

/// The part of the input that bands are let through by, beyond the share of everything: transforms that run only where
/// there is any.
pub(super) struct AheadBands {
    channels: Box<[Channel]>,
    noisy: Box<[Spectrum]>,
    enhanced: Box<[Spectrum]>,
    powers: HopPowers,
    /// `[channel]`, the last hop made.
    added: Box<[[f32; HOP]]>,
    /// Whether the last frame sounds on.
    is_running: bool,
}

/// A channel's transforms.
struct Channel {
    before: Analysis,
    after: Analysis,
    synthesis: Synthesis,
}

impl AheadBands {
    pub fn new(n_channels: usize) -> Self {
        let channel =
            |_| Channel { before: Analysis::new(), after: Analysis::new(), synthesis: Synthesis::new() };
        Self {
            channels: (0..n_channels).map(channel).collect(),
            noisy: vec![SILENT_SPECTRUM; n_channels].into(),
            enhanced: vec![SILENT_SPECTRUM; n_channels].into(),
            powers: HopPowers::default(),
            added: vec![[0.0; HOP]; n_channels].into(),
            is_running: false,
        }
    }

    /// Samples to add to a hop, a slice per channel; none where there are none. A hop is its input and its output, by channel;
    /// its frame reaches into the next hop.
    pub fn process(
        &mut self,
        hop: (&[[f32; HOP]], &[[f32; HOP]]),
        next: (&[[f32; HOP]], &[[f32; HOP]]),
        shares: &Glide,
        due: &Due,
    ) -> Option<&[[f32; HOP]]> {
        if !shares.has_bands() && !self.is_running {
            return None;
        }
        if !self.is_running {
            self.channels.iter_mut().for_each(|channel| channel.synthesis.reset());
            self.analyse(hop);
        }
        self.is_running = shares.has_bands();
        self.analyse(next);
        self.powers.measure(&self.noisy, &self.enhanced);
        let beyond = shares.of_bands(due, &self.powers).map(|share| share - shares.share);
        let frames = self.noisy.iter_mut().zip(&self.enhanced);
        for ((channel, (noisy, enhanced)), added) in self.channels.iter_mut().zip(frames).zip(&mut self.added)
        {
            noisy.iter_mut().zip(enhanced).for_each(|(n, y)| *n -= y);
            erb::apply_mask(&beyond, noisy);
            channel.synthesis.process(noisy, added);
        }
        Some(&self.added)
    }

    fn analyse(&mut self, (before, after): (&[[f32; HOP]], &[[f32; HOP]])) {
        let frames = self.noisy.iter_mut().zip(self.enhanced.iter_mut());
        let samples = before.iter().zip(after);
        for ((channel, (before, after)), (noisy, enhanced)) in
            self.channels.iter_mut().zip(samples).zip(frames)
        {
            channel.before.process(before, noisy);
            channel.after.process(after, enhanced);
        }
    }
}
