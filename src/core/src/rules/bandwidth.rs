//! Finds the band that a recording fills, and mirrors it into the empty one in the features.
//!
//! The network learned from full-band speech; what it makes of a telephone's empty upper half is no denoising. So the
//! features of band-limited input are computed from a frame whose empty bins hold the image of the lower ones, as a
//! converter without a filter would leave it, some decibels below. Mask and coefficients act on the true frame: nothing
//! of the image is heard.

use tacet_model::N_BINS;

use super::activity::SILENT_POWER;
use crate::frame::Spectrum;

/// Bins of a group whose power is followed: 400 Hz.
const GROUP_BINS: usize = 8;
const N_GROUPS: usize = N_BINS / GROUP_BINS;
/// Groups that may be the last full one: those that end at 3.2 to 6 kHz. Of input that goes farther the network knows
/// what to make: the image would cost clean speech more than it wins.
const FIRST_GROUP: usize = 7;
const LAST_GROUP: usize = 14;
/// Groups between the last full one and the first empty one: the slope of a filter.
const SLOPE_GROUPS: usize = 2;
/// The image's gain: -15 dB.
const IMAGE_GAIN: f32 = 0.178;
/// Share of the newest hop in the followed power: a second.
const AVERAGING: f32 = 0.01;
/// Power of an empty group relative to the last full one: 35 dB less for a band to be found, 25 dB less for it to
/// stay. A voice alone falls more slowly.
const FOUND: f32 = 3e-4;
const STAYS: f32 = 3e-3;
/// Hops with sound after which a band is believed.
const FIRST_HOPS: u32 = 20;

/// Follows the band of one stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandTracker {
    power: [f32; N_GROUPS],
    n_heard: u32,
    edge_group: Option<usize>,
}

impl Default for BandTracker {
    fn default() -> Self {
        Self { power: [0.0; N_GROUPS], n_heard: 0, edge_group: None }
    }
}

impl BandTracker {
    /// Follows the next frame of every channel.
    pub fn follow(&mut self, noisy: &[Spectrum]) {
        let mut groups = [0.0f32; N_GROUPS];
        for frame in noisy {
            for (group, bins) in groups.iter_mut().zip(frame.chunks_exact(GROUP_BINS)) {
                *group += bins.iter().map(|bin| bin.norm_sqr()).sum::<f32>();
            }
        }
        let power: f32 = groups.iter().sum();
        if !(power >= SILENT_POWER && power.is_finite()) {
            return;
        }
        let share = AVERAGING.max(1.0 / (self.n_heard + 1) as f32);
        for (mean, group) in self.power.iter_mut().zip(groups) {
            *mean += share * (group - *mean);
        }
        self.n_heard = self.n_heard.saturating_add(1);
        if self.n_heard < FIRST_HOPS || self.edge_group.is_some_and(|edge| self.is_edge(edge, STAYS)) {
            return;
        }
        self.edge_group = (FIRST_GROUP..=LAST_GROUP).find(|&edge| self.is_edge(edge, FOUND));
    }

    /// Whether all that lies above the group and the slope after it is empty.
    fn is_edge(&self, edge: usize, empty: f32) -> bool {
        let most = self.power[edge] * empty;
        self.power[edge + SLOPE_GROUPS..].iter().all(|&power| power < most)
    }

    /// Whether the last frame was the one after which the band is first believed.
    pub fn is_first(&self) -> bool {
        self.n_heard == FIRST_HOPS
    }

    /// First empty bin, if the input is band-limited.
    pub fn edge_bin(&self) -> Option<usize> {
        // The slope belongs to neither: its middle.
        self.edge_group.map(|edge| (edge + 1) * GROUP_BINS)
    }
}

/// Adds the image of what lies below `edge_bin` to what lies above.
pub fn mirror(frame: &mut Spectrum, edge_bin: usize) {
    let (full, empty) = frame.split_at_mut(edge_bin);
    for (image, bin) in empty.iter_mut().zip(full.iter().rev()) {
        *image += bin.conj() * IMAGE_GAIN;
    }
}
