//! STOI: the mean correlation of short-time band envelopes (Taal et al. 2011).

use super::bands::{Bands, Frame, N_BANDS};
use super::{EPS, energy};

/// Lower bound of the signal-to-distortion ratio within a segment, in dB: louder distortion is clipped (Taal 2011,
/// equation 4).
const CLIP_DB: f64 = -15.0;

/// STOI of two signals' bands: at most 1.
pub(super) fn of_bands(bands: &Bands) -> f64 {
    let headroom = 1.0 + 10f64.powf(-CLIP_DB / 20.0);
    let segments = bands.segments();
    let n_envelopes = (segments.len() * N_BANDS) as f64;
    let sum: f64 = segments
        .flat_map(|(clean, judged)| {
            (0..N_BANDS).map(move |band| (envelope(clean, band), envelope(judged, band)))
        })
        .map(|(x, y)| {
            let gain = norm(&x) / (norm(&y) + EPS);
            let y: Vec<f64> = x.iter().zip(&y).map(|(x, y)| (y * gain).min(x * headroom)).collect();
            let (x, y) = (centred(&x), centred(&y));
            x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>() / ((norm(&x) + EPS) * (norm(&y) + EPS))
        })
        .sum();
    sum / n_envelopes
}

fn envelope(frames: &[Frame], band: usize) -> Vec<f64> {
    frames.iter().map(|frame| frame[band]).collect()
}

fn norm(x: &[f64]) -> f64 {
    energy(x).sqrt()
}

fn centred(x: &[f64]) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|x| x - mean).collect()
}
