//! Sound that stands out of the background for a while, and its traits.

use crate::decibels::{decibels, ten_log10};
use crate::powers::BinPowers;

/// First bins of the bands, and the end: 200 Hz to 10 kHz, widths that a hop's noise is smooth in.
const STARTS: [usize; N_BANDS + 1] = [4, 10, 16, 24, 34, 48, 68, 96, 136, 200];
const N_BANDS: usize = 9;
/// The bands of the spectral shape: all but the lowest, where rumble is.
const N_SHAPE_BANDS: usize = N_BANDS - 1;
/// Bins and bands that are compared to tell voiced sound: 100 to 400 Hz, where its first harmonics are, and 0.5 to 3.4 kHz.
const LOW_BINS: std::ops::Range<usize> = 2..8;
const MIDDLE_BANDS: std::ops::Range<usize> = 1..6;
/// By how many dB the low bins may be below the middle in voiced sound.
const VOICED_DB: f32 = -3.0;
/// The bins whose flatness is measured, 1.2 to 5.2 kHz, in groups of eight.
const FLATNESS_BINS: std::ops::Range<usize> = 24..104;
const GROUP_BINS: usize = 8;
/// Flatness of whispering, in dB.
const WHISPER_FLATNESS_DB: f32 = -2.4;
/// Least ratio of a bin to its group's mean, and lowest flatness in dB.
const FAINT: f32 = 1e-4;
const LOWEST_FLATNESS_DB: f32 = -12.0;
/// Most that the shape changes, in dB.
const MAX_CHANGE_DB: f32 = 10.0;
/// Share of the newest hop in a band's smoothed power.
const SMOOTHING: f32 = 0.35;
/// Hops between the shapes that are compared, and hops that stand out before any counts: longer than keys and claps.
const LAG_HOPS: usize = 8;
/// Rise of a band's floor per hop, in dB: 3 dB a second.
const FLOOR_RISE_DB: f32 = 0.03;
/// How far a smoothed band is above its floor in stationary noise, and most that a band counts for, in dB.
const ABOVE_FLOOR_DB: f32 = 3.0;
const MAX_EXCESS_DB: f32 = 15.0;
/// Mean excess from which sound stands out, in dB.
const OUT_DB: f32 = 6.5;
/// How far below the last peak it may be, and by how much that falls per hop, in dB.
const WITHIN_DB: f32 = 20.0;
const PEAK_FALL_DB: f32 = 0.1;
/// Level below which there is no sound, in dBFS.
const SILENT_DB: f32 = -105.0;

/// Traits of a hop that stands out, or their averages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traits {
    /// Change of the spectral shape within 80 ms in dB, rms over the bands: 5 for speech, 1 for noise.
    pub change_db: f32,
    /// Whether it may be voiced: 1 or 0.
    pub voiced: f32,
    /// Spectral flatness in dB, the ratio of the geometric to the arithmetic mean of neighbouring bins' powers: -2.1 for
    /// noise, lower for tones, higher for clicks.
    pub flatness_db: f32,
    /// Distance of the flatness from that of whispering, in dB.
    pub deviation_db: f32,
}

impl Traits {
    /// Goes a share of the way to others.
    pub fn approach(&mut self, other: &Self, share: f32) {
        self.change_db += share * (other.change_db - self.change_db);
        self.voiced += share * (other.voiced - self.voiced);
        self.flatness_db += share * (other.flatness_db - self.flatness_db);
        self.deviation_db += share * (other.deviation_db - self.deviation_db);
    }
}

/// Follows a stream's background and what stands out of it.
#[derive(Clone, Copy, Debug)]
pub struct Sound {
    /// Smoothed powers of the bands, per bin, and of the low bins together.
    bands: [f32; N_BANDS],
    low: f32,
    /// None before the first sound.
    floor_db: Option<[f32; N_BANDS]>,
    /// Spectral shapes of the last hops, a ring.
    shapes_db: [[f32; N_SHAPE_BANDS]; LAG_HOPS],
    at: usize,
    peak_db: f32,
    /// Hops for which sound has stood out.
    n_out: usize,
}

impl Default for Sound {
    fn default() -> Self {
        Self {
            bands: [0.0; N_BANDS],
            low: 0.0,
            floor_db: None,
            shapes_db: [[0.0; N_SHAPE_BANDS]; LAG_HOPS],
            at: 0,
            peak_db: f32::MIN,
            n_out: 0,
        }
    }
}

impl Sound {
    /// Hears the next frame, the powers of all channels together; gives its traits if it stands out and has done so for a
    /// while.
    pub fn hear(&mut self, noisy: &BinPowers) -> Option<Traits> {
        for (i, band) in self.bands.iter_mut().enumerate() {
            *band += SMOOTHING * (noisy.mean_over(STARTS[i]..STARTS[i + 1]) - *band);
        }
        self.low += SMOOTHING * (noisy.over(LOW_BINS) - self.low);
        let levels_db = self.bands.map(decibels);
        let change_db = self.follow_shape(&levels_db);
        let level_db = decibels(self.bands.iter().sum());
        self.peak_db = (self.peak_db - PEAK_FALL_DB).max(level_db);
        if level_db < SILENT_DB {
            self.n_out = 0;
            return None;
        }
        let floor_db = self.floor_db.get_or_insert(levels_db);
        let mut excess_db = 0.0;
        for (floor_db, level_db) in floor_db.iter_mut().zip(levels_db) {
            *floor_db = (*floor_db + FLOOR_RISE_DB).min(level_db);
            excess_db += (level_db - *floor_db - ABOVE_FLOOR_DB).clamp(0.0, MAX_EXCESS_DB);
        }
        if excess_db <= OUT_DB * N_BANDS as f32 || level_db <= self.peak_db - WITHIN_DB {
            self.n_out = 0;
            return None;
        }
        self.n_out += 1;
        if self.n_out <= LAG_HOPS {
            return None;
        }
        let middle = MIDDLE_BANDS.map(|i| self.bands[i] * (STARTS[i + 1] - STARTS[i]) as f32).sum();
        let is_voiced = decibels(self.low) - decibels(middle) > VOICED_DB;
        let flatness_db = flatness_db(noisy);
        Some(Traits {
            change_db,
            voiced: f32::from(u8::from(is_voiced)),
            flatness_db,
            deviation_db: (flatness_db - WHISPER_FLATNESS_DB).abs(),
        })
    }

    /// Notes the spectral shape of a hop; gives its change, rms over the bands.
    fn follow_shape(&mut self, levels_db: &[f32; N_BANDS]) -> f32 {
        let bands = &levels_db[N_BANDS - N_SHAPE_BANDS..];
        let mean_db = bands.iter().sum::<f32>() / N_SHAPE_BANDS as f32;
        let past = &mut self.shapes_db[self.at];
        let mut sum = 0.0;
        for (past, level_db) in past.iter_mut().zip(bands) {
            let shape_db = level_db - mean_db;
            sum += (shape_db - *past) * (shape_db - *past);
            *past = shape_db;
        }
        self.at = (self.at + 1) % LAG_HOPS;
        (sum / N_SHAPE_BANDS as f32).sqrt().min(MAX_CHANGE_DB)
    }
}

/// Mean over the groups of how far the geometric mean of a group's bins is below their mean, in dB.
fn flatness_db(noisy: &BinPowers) -> f32 {
    let groups = noisy.bins()[FLATNESS_BINS].as_chunks::<GROUP_BINS>().0;
    let sum: f32 = groups
        .iter()
        .map(|group| {
            let mean = group.iter().sum::<f32>() / GROUP_BINS as f32 + 1e-18;
            // At least 1e-32.
            let product: f32 = group.iter().map(|power| (power / mean).max(FAINT)).product();
            ten_log10(product) / GROUP_BINS as f32
        })
        .sum();
    (sum / groups.len() as f32).max(LOWEST_FLATNESS_DB)
}
