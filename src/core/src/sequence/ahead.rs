//! Hears a recording before it is processed.

use tacet_model::HOP;

use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::halves::Analyses;
use crate::powers::FramePowers;
use crate::rules::{Conditions, Listener, Rules};

/// Hops that were heard and are not processed yet, a ring.
pub struct Ahead {
    listener: Listener,
    analyses: Analyses,
    frames: Box<[Spectrum]>,
    powers: Box<[FramePowers]>,
    /// `[hop][channel][480]`.
    samples: Box<[f32]>,
    /// Position of the next hop.
    at: usize,
}

impl Ahead {
    /// Room for `ahead_hops` hops of `n_channels` channels, and the one that is taken out.
    pub fn new(n_channels: usize, ahead_hops: usize) -> Self {
        Self {
            listener: Listener::new(ahead_hops),
            analyses: Analyses::new(n_channels),
            frames: vec![SILENT_SPECTRUM; n_channels].into(),
            powers: vec![FramePowers::SILENT; n_channels].into(),
            samples: vec![0.0; (ahead_hops + 1) * n_channels * HOP].into(),
            at: 0,
        }
    }

    /// Hears a hop, and gives the one `ahead_hops` before it with its conditions, if there is one: `[channel][480]`.
    pub fn push<C: AsRef<[f32]>>(&mut self, input: &[C], rules: &Rules) -> Option<(&[f32], Conditions)> {
        if *rules != Rules::REFERENCE {
            self.analyses.process(input, &mut self.frames);
            FramePowers::measure_all(&mut self.powers, &self.frames);
        }
        self.listener.hear(&self.powers, rules);
        let len = input.len() * HOP;
        let place = &mut self.samples[self.at..self.at + len];
        for (place, samples) in place.chunks_exact_mut(HOP).zip(input) {
            place.copy_from_slice(samples.as_ref());
        }
        self.at = (self.at + len) % self.samples.len();
        let conditions = self.listener.conditions()?;
        Some((&self.samples[self.at..self.at + len], conditions))
    }
}
