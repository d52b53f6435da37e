//! ESTOI: like STOI, but bands are normalised together, so that modulated maskers count (Jensen and Taal 2016).

use super::EPS;
use super::bands::{Bands, Frame, N_BANDS};

/// ESTOI of two signals' bands: at most 1.
pub(super) fn of_bands(bands: &Bands) -> f64 {
    let segments = bands.segments();
    let n_segments = segments.len() as f64;
    let sum: f64 = segments
        .map(|(clean, judged)| {
            let (x, y) = (normalised(clean), normalised(judged));
            let products: f64 = x.iter().zip(&y).map(|(x, y)| dot(x, y)).sum();
            products / x.len() as f64
        })
        .sum();
    sum / n_segments
}

/// First every band's envelope over time, then every frame over the bands: zero mean and unit norm. What is constant,
/// and so has no shape to compare, becomes 0.
fn normalised(frames: &[Frame]) -> Vec<Frame> {
    let n = frames.len() as f64;
    let mean: Frame = std::array::from_fn(|band| frames.iter().map(|f| f[band]).sum::<f64>() / n);
    let norm: Frame =
        std::array::from_fn(|band| frames.iter().map(|f| (f[band] - mean[band]).powi(2)).sum::<f64>().sqrt());
    frames
        .iter()
        .map(|frame| {
            let mut column: Frame =
                std::array::from_fn(|band| (frame[band] - mean[band]) / (norm[band] + EPS));
            let mean = column.iter().sum::<f64>() / N_BANDS as f64;
            column.iter_mut().for_each(|x| *x -= mean);
            let norm = dot(&column, &column).sqrt();
            column.map(|x| x / (norm + EPS))
        })
        .collect()
}

fn dot(x: &Frame, y: &Frame) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
