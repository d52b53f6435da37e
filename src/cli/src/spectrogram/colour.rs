//! Colours: the figure's few greys, and the map from level to colour.
//!
//! The map is computed, not tabled: a path through [OKLab](tacet_realtime::oklab) whose lightness rises linearly with the
//! level, so that equal steps of level look like equal steps; hue turns from indigo over crimson to pale yellow.

use tacet_realtime::oklab::{encode, linear_srgb};

/// Red, green, blue, 8 bits each, sRGB.
pub type Rgb = [u8; 3];

/// Behind everything.
pub(crate) const BACKGROUND: Rgb = [0x16, 0x18, 0x1c];
/// Around the plots.
pub(crate) const FRAME: Rgb = [0x3a, 0x3f, 0x47];
/// Titles and values.
pub const TEXT: Rgb = [0xe6, 0xe8, 0xeb];
/// Axis labels.
pub(crate) const LABEL: Rgb = [0xa2, 0xa8, 0xb2];

/// The colour of a level, 0 (floor) to 1 (loudest).
pub(crate) fn of_level(level: f32) -> Rgb {
    let level = level.clamp(0.0, 1.0);
    let lightness = 0.12 + 0.84 * level;
    // From 275 degrees (indigo) up through 360 (crimson) to 460, that is 100 (yellow).
    let hue = (275.0 + 185.0 * level).to_radians();
    // Little colour at the dark and the bright end, where sRGB has none to give.
    let chroma = 0.02 + 0.16 * (std::f32::consts::PI * level.powf(0.85)).sin().max(0.0);
    // A colour outside sRGB is desaturated until it fits; lightness and hue stay.
    (0..=20)
        .map(|step| chroma * (1.0 - step as f32 / 20.0))
        .map(|chroma| linear_srgb(lightness, chroma * hue.cos(), chroma * hue.sin()))
        .find(|rgb| rgb.iter().all(|part| (-1e-4..=1.0001).contains(part)))
        .map_or([0; 3], |rgb| rgb.map(encode))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE lightness, which the map does not use: an independent measure.
    fn lightness([r, g, b]: Rgb) -> f32 {
        let linear = |part: u8| {
            let part = f32::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let y = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        if y > 0.008_856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
    }

    #[test]
    fn lightness_rises_evenly() {
        let steps: Vec<f32> = (0..=20).map(|i| lightness(of_level(i as f32 / 20.0))).collect();
        for pair in steps.windows(2) {
            let step = pair[1] - pair[0];
            assert!((2.0..8.0).contains(&step), "{steps:?}");
        }
        assert!(steps[0] < 5.0 && steps[20] > 92.0, "{steps:?}");
    }

    #[test]
    fn beyond_the_ends_is_the_end() {
        assert_eq!(of_level(-1.0), of_level(0.0));
        assert_eq!(of_level(2.0), of_level(1.0));
        assert_eq!(of_level(f32::NAN), [0; 3]);
    }
}
