//! Finds the band that a recording fills, and fills the empty rest in the features.
//!
//! The network learned from full-band speech; what it makes of a telephone's empty upper half is no denoising. So the
//! features of band-limited input are computed from a frame whose empty bins hold images of the lower ones, as a converter
//! without a filter would leave them, some decibels below. A telephone lacks the lowest bins too, where the network looks
//! for a voice's first harmonics: there the frame gets the differences of the bins that it has, which for a voice are
//! harmonics of the same pitch. Mask and coefficients act on the true frame: nothing of this is heard.

use std::ops::Range;

use tacet_model::N_BINS;

use super::activity::SILENT_POWER;
use crate::frame::{Complex32, Spectrum};
use crate::powers::{FramePowers, power, sum};

/// Bins of a group whose power is followed: 400 Hz.
const GROUP_BINS: usize = 8;
const N_GROUPS: usize = N_BINS / GROUP_BINS;
/// Groups that may be the last full one: those that end at 3.2 to 6 kHz. Of input that goes farther the network knows
/// what to make: the image would cost clean speech more than it wins.
const FIRST_GROUP: usize = 7;
const LAST_GROUP: usize = 14;
/// Groups between the last full one and the first empty one: the slope of a filter.
const SLOPE_GROUPS: usize = 2;
/// Bins that a telephone lacks, 50 to 150 Hz, and those that it has for certain, 300 to 1000 Hz.
const LOW_BINS: Range<usize> = 1..4;
const VOICE_BINS: Range<usize> = 6..20;
/// The edge where the lowest bins are empty too: whatever the slope of its filter, a telephone is sampled at 8 kHz.
const TELEPHONE_EDGE_BIN: usize = 80;
/// Highest edge that a telephone's filters may seem to have.
const TELEPHONE_LAST_BIN: usize = 96;
/// Gain of the first image, -12 dB, and of each further one relative to the one before, -6 dB.
const IMAGE_GAIN: f32 = 0.251;
const NEXT_IMAGE_GAIN: f32 = 0.501;
/// First bin without an image: 18 kHz.
const IMAGES_END_BIN: usize = 360;
/// Bins that the differences fill, up to 300 Hz, those that they are made from, and their gain: -10 dB.
const FILLED_BINS: Range<usize> = 0..7;
const DIFFERING_BINS: Range<usize> = 6..60;
const DIFFERENCE_GAIN: f32 = 0.316;
/// Share of the newest hop in the followed power: a second.
const AVERAGING: f32 = 0.01;
/// Power of an empty group relative to the last full one: 35 dB less for a band to be found, 25 dB less for it to
/// stay. A voice alone falls more slowly.
const FOUND: f32 = 3e-4;
const STAYS: f32 = 3e-3;
/// The same for the lowest bins relative to a voice's: 18 dB less, 12 dB less.
const LOW_FOUND: f32 = 0.016;
const LOW_STAYS: f32 = 0.063;
/// Hops with sound after which a band is believed.
const FIRST_HOPS: u32 = 20;

/// The band that the input fills, where that is not the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NarrowBand {
    /// First empty bin.
    pub edge_bin: usize,
    /// Whether the bins below 300 Hz are empty too.
    pub lacks_lows: bool,
}

/// Follows the band of one stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandTracker {
    power: [f32; N_GROUPS],
    /// Mean power of the lowest bins and of a voice's.
    low_power: f32,
    voice_power: f32,
    n_heard: u32,
    edge_group: Option<usize>,
    lacks_lows: bool,
}

impl Default for BandTracker {
    fn default() -> Self {
        Self {
            power: [0.0; N_GROUPS],
            low_power: 0.0,
            voice_power: 0.0,
            n_heard: 0,
            edge_group: None,
            lacks_lows: false,
        }
    }
}

impl BandTracker {
    /// Follows the powers of every channel's next frame.
    pub fn follow(&mut self, channels: &[FramePowers]) {
        let mut groups = [0.0f32; N_GROUPS];
        let (mut low, mut voice) = (0.0, 0.0);
        for FramePowers { bins, .. } in channels {
            low += bins.mean_over(LOW_BINS);
            voice += bins.mean_over(VOICE_BINS);
            let fours: [f32; 2 * N_GROUPS] = pairs(&pairs::<{ 4 * N_GROUPS }>(bins.bins()));
            for (group, power) in groups.iter_mut().zip(pairs::<N_GROUPS>(&fours)) {
                *group += power;
            }
        }
        let all = sum(&groups);
        if !(all >= SILENT_POWER && all.is_finite()) {
            return;
        }
        let share = AVERAGING.max(1.0 / (self.n_heard + 1) as f32);
        for (mean, group) in self.power.iter_mut().zip(groups) {
            *mean += share * (group - *mean);
        }
        self.low_power += share * (low - self.low_power);
        self.voice_power += share * (voice - self.voice_power);
        self.n_heard = self.n_heard.saturating_add(1);
        if self.n_heard < FIRST_HOPS {
            return;
        }
        let least = self.voice_power * if self.lacks_lows { LOW_STAYS } else { LOW_FOUND };
        self.lacks_lows = self.low_power < least;
        if !self.edge_group.is_some_and(|edge| self.is_edge(edge, STAYS)) {
            self.edge_group = (FIRST_GROUP..=LAST_GROUP).find(|&edge| self.is_edge(edge, FOUND));
        }
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

    /// The band, if the input does not fill the whole.
    pub fn narrow_band(&self) -> Option<NarrowBand> {
        self.edge_group.map(|edge| {
            // The slope belongs to neither: its middle.
            let edge_bin = (edge + 1) * GROUP_BINS;
            let is_telephone = self.lacks_lows && edge_bin <= TELEPHONE_LAST_BIN;
            NarrowBand {
                edge_bin: if is_telephone { TELEPHONE_EDGE_BIN } else { edge_bin },
                lacks_lows: self.lacks_lows,
            }
        })
    }
}

impl NarrowBand {
    /// Adds to the empty bins of a frame what they are to look like.
    pub fn fill(&self, frame: &mut Spectrum) {
        // The images of what was there: the low bins are filled after.
        self.add_images(frame);
        if self.lacks_lows {
            add_differences(frame);
        }
    }

    /// Reflects the full bins at the edge, these at twice the edge, and so on.
    fn add_images(&self, frame: &mut Spectrum) {
        let (full, empty) = frame.split_at_mut(self.edge_bin);
        let mut gain = 1.0;
        for (i, image) in empty[..IMAGES_END_BIN - self.edge_bin].chunks_mut(self.edge_bin).enumerate() {
            gain *= if i == 0 { IMAGE_GAIN } else { NEXT_IMAGE_GAIN };
            if i % 2 == 0 {
                // Bin `edge + k` is the image of bin `edge - k`; there is none of the edge itself.
                for (image, bin) in image[1..].iter_mut().zip(full.iter().rev()) {
                    *image += bin.conj() * gain;
                }
            } else {
                for (image, bin) in image.iter_mut().zip(full.iter()) {
                    *image += bin * gain;
                }
            }
        }
    }
}

/// Sums of two neighbours each: three times over, of [`GROUP_BINS`].
fn pairs<const N: usize>(values: &[f32]) -> [f32; N] {
    let mut sums = [0.0; N];
    for (sum, [a, b]) in sums.iter_mut().zip(values.as_chunks().0) {
        *sum = a + b;
    }
    sums
}

/// Adds to every low bin the products of the bins that differ by its frequency, at the level of these.
fn add_differences(frame: &mut Spectrum) {
    let source: [Complex32; DIFFERING_BINS.end - DIFFERING_BINS.start] =
        std::array::from_fn(|i| frame[DIFFERING_BINS.start + i]);
    let gain = DIFFERENCE_GAIN / (power(&source) + SILENT_POWER).sqrt();
    for (difference, bin) in FILLED_BINS.zip(&mut frame[FILLED_BINS]) {
        let pairs = source[difference..].iter().zip(&source);
        *bin += pairs.map(|(upper, lower)| upper * lower.conj()).sum::<Complex32>() * gain;
    }
}
