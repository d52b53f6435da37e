//! The colour map of the spectrograms: perceived lightness grows evenly with level, so equal steps in dB look equal, and
//! it survives colour blindness and grey print.
//!
//! Computed here from a path through the [OKLab](crate::oklab) space: lightness is linear in level, hue runs from
//! violet over red to yellow, chroma is what sRGB can show of it.

use std::sync::LazyLock;

use egui::Color32;

use crate::oklab;

/// Levels distinguished.
pub(crate) const N_LEVELS: usize = 256;

// Lightness of the quietest and the loudest level: nearly black, nearly white.
const LIGHTNESS: [f32; 2] = [0.07, 0.97];
// Hue in degrees at even steps of level.
const HUE: [f32; 6] = [290.0, 300.0, 330.0, 385.0, 430.0, 465.0];
// Chroma at even steps of level; below what sRGB can show, with room for rounding.
const CHROMA: [f32; 6] = [0.02, 0.125, 0.175, 0.17, 0.145, 0.09];

static MAP: LazyLock<[Color32; N_LEVELS]> =
    LazyLock::new(|| std::array::from_fn(|level| at(level as f32 / (N_LEVELS - 1) as f32)));

/// The colour of a level, 0 the quietest.
pub fn of(level: u8) -> Color32 {
    MAP[usize::from(level)]
}

fn at(x: f32) -> Color32 {
    let lightness = LIGHTNESS[0] + (LIGHTNESS[1] - LIGHTNESS[0]) * x;
    let hue = along(&HUE, x).to_radians();
    let chroma = along(&CHROMA, x);
    let [r, g, b] = srgb_of_oklab(lightness, chroma * hue.cos(), chroma * hue.sin());
    Color32::from_rgb(r, g, b)
}

/// A smooth curve through evenly spaced points (Catmull-Rom), at `x` of 0..=1.
fn along(points: &[f32], x: f32) -> f32 {
    let position = x * (points.len() - 1) as f32;
    let i = (position as usize).min(points.len() - 2);
    let t = position - i as f32;
    let point = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let i = i as isize;
    let (p0, p1, p2, p3) = (point(i - 1), point(i), point(i + 1), point(i + 2));
    let linear = p2 - p0;
    let square = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3;
    let cube = 3.0 * (p1 - p2) + p3 - p0;
    0.5 * (2.0 * p1 + t * (linear + t * (square + t * cube)))
}

/// OKLab to 8-bit sRGB.
fn srgb_of_oklab(lightness: f32, a: f32, b: f32) -> [u8; 3] {
    oklab::linear_srgb(lightness, a, b).map(oklab::encode)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OKLab lightness of an sRGB colour.
    fn lightness(colour: Color32) -> f32 {
        let linear = |channel: u8| {
            let c = f32::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        let (r, g, b) = (linear(colour.r()), linear(colour.g()), linear(colour.b()));
        let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
        let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
        let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s
    }

    #[test]
    fn white_and_black_convert_exactly() {
        assert_eq!(srgb_of_oklab(1.0, 0.0, 0.0), [255; 3]);
        assert_eq!(srgb_of_oklab(0.0, 0.0, 0.0), [0; 3]);
        assert!((lightness(Color32::WHITE) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn equal_steps_in_level_are_equal_steps_in_lightness() {
        let step = (LIGHTNESS[1] - LIGHTNESS[0]) / 15.0;
        for i in 0..15u8 {
            let difference = lightness(of((i + 1) * 17)) - lightness(of(i * 17));
            // Rounding to 8 bits and the edge of what sRGB can show: 6 % observed.
            assert!((difference / step - 1.0).abs() < 0.1, "step {i}: {difference} for {step}");
        }
    }
}
