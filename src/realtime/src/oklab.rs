//! Colours by perceived lightness: OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020, public
//! domain) to sRGB. For pictures and the panel; nothing here runs on the audio thread.

/// OKLab to linear sRGB, with the matrices of its publication. Parts outside 0..=1 are colours that sRGB does not have.
pub fn linear_srgb(lightness: f32, a: f32, b: f32) -> [f32; 3] {
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
}

/// A linear part, clamped to 0..=1, through the sRGB transfer curve (IEC 61966-2-1) to 8 bits.
pub fn encode(part: f32) -> u8 {
    let part = part.clamp(0.0, 1.0);
    let encoded = if part <= 0.003_130_8 { 12.92 * part } else { 1.055 * part.powf(1.0 / 2.4) - 0.055 };
    (encoded * 255.0).round() as u8
}
