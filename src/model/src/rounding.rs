//! Weights as 16-bit integers with one scale per row of a matrix: half the space, in a file and in memory. Finer than IEEE
//! halves, which spend five of their bits on an exponent.

/// Scale of a row of weights: its integers times this are the weights. Never 0. In lanes, which compilers vectorise.
#[inline]
pub fn row_scale(row: &[f32]) -> f32 {
    let (lines, rest) = row.as_chunks::<16>();
    let mut lanes = [f32::MIN_POSITIVE; 16];
    for line in lines {
        lanes = std::array::from_fn(|i| lanes[i].max(line[i].abs()));
    }
    lanes.iter().chain(rest).fold(0.0_f32, |m, w| m.max(w.abs())) / f32::from(i16::MAX)
}

/// The integer nearest to a weight of a row with that [scale](row_scale).
#[inline]
pub fn rounded(weight: f32, scale: f32) -> i16 {
    let steps = weight / scale;
    // `round` is a call on processors that may lack the instruction.
    (steps + 0.5_f32.copysign(steps)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_within_half_a_step_and_its_largest_weight_as_it_was() {
        let row: Vec<f32> = (0..37).map(|i| ((i * 37 % 23) as f32 - 11.0) * 0.013).collect();
        let scale = row_scale(&row);
        for &weight in &row {
            assert!((f32::from(rounded(weight, scale)) * scale - weight).abs() <= 0.5001 * scale);
        }
        assert_eq!(rounded(-0.143, scale), -i16::MAX);
        assert_eq!(rounded(0.0, row_scale(&[0.0; 20])), 0);
    }
}
