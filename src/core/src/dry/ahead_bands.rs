//! The bands of a recording's hop that are let through farther than the rest. Not for the audio thread.

use tacet_model::HOP;

use super::{Due, Glide};
use crate::erb::{BAND_STARTS, BAND_WIDTHS};
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::halves::{Analyses, Syntheses};

/// The part of the input that bands are let through by, beyond the share of everything: transforms that run only where
/// there is any.
pub(super) struct AheadBands {
    before: Analyses,
    after: Analyses,
    syntheses: Syntheses,
    noisy: Box<[Spectrum]>,
    enhanced: Box<[Spectrum]>,
    /// `[channel]`, the last hop made.
    added: Box<[[f32; HOP]]>,
    /// Whether the last frame sounds on.
    is_running: bool,
}

impl AheadBands {
    pub fn new(n_channels: usize) -> Self {
        Self {
            before: Analyses::new(n_channels),
            after: Analyses::new(n_channels),
            syntheses: Syntheses::new(n_channels),
            noisy: vec![SILENT_SPECTRUM; n_channels].into(),
            enhanced: vec![SILENT_SPECTRUM; n_channels].into(),
            added: vec![[0.0; HOP]; n_channels].into(),
            is_running: false,
        }
    }

    /// Samples to add to a hop, a slice per channel; none where there are none. A hop is its input and its output, by channel; its
    /// frame reaches into the next hop.
    pub fn process(
        &mut self,
        (before, after): (&[[f32; HOP]], &[[f32; HOP]]),
        (next_before, next_after): (&[[f32; HOP]], &[[f32; HOP]]),
        shares: &Glide,
        due: &Due,
    ) -> Option<&[[f32; HOP]]> {
        if !shares.has_bands() && !self.is_running {
            return None;
        }
        if !self.is_running {
            self.syntheses.reset();
            self.before.process(before, &mut self.noisy);
            self.after.process(after, &mut self.enhanced);
        }
        self.is_running = shares.has_bands();
        self.before.process(next_before, &mut self.noisy);
        self.after.process(next_after, &mut self.enhanced);
        let of_bands = shares.of_bands(due, &self.noisy, &self.enhanced);
        for (noisy, enhanced) in self.noisy.iter_mut().zip(&self.enhanced) {
            for ((&share, &start), &width) in of_bands.iter().zip(&BAND_STARTS).zip(&BAND_WIDTHS) {
                let bins = start..start + width;
                for (n, y) in noisy[bins.clone()].iter_mut().zip(&enhanced[bins]) {
                    *n = (*n - y) * (share - shares.share);
                }
            }
        }
        self.syntheses.process(&self.noisy, &mut self.added);
        Some(&self.added)
    }
}
