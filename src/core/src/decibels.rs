//! Decibels of the rules: a logarithm of plain arithmetic, the same on every processor, which the compiler turns into
//! vectors.
//!
//! A fifth of the instructions of `libm`'s, which the network's features have: these equal the official runtime's.

/// Bits of `sqrt(1/2)` and of 1.
const ROOT_HALF: u32 = 0x3f35_04f3;
const ONE: u32 = 0x3f80_0000;
/// Bits of the part of a number that is no exponent, and how many they are.
const FRACTION: u32 = 0x007f_ffff;
const N_FRACTION_BITS: u32 = 23;
/// `10 log10(2)` and `10 log10(e)`.
const PER_OCTAVE_DB: f32 = 3.010_3;
const PER_UNIT_DB: f32 = 4.342_945;
/// `ln((1 + s) / (1 - s)) = s (2 + r)` with a polynomial `r` in `s^2` without constant, as in `logf` of FreeBSD's libm
/// (Sun Microsystems 1993; error of the polynomial below 2^-34).
const POLYNOMIAL: [f32; 4] = [0.666_666_6, 0.400_009_72, 0.284_987_87, 0.242_790_79];

/// A power in dB, not below -180.
#[inline]
pub fn decibels(power: f32) -> f32 {
    ten_log10(power + 1e-18)
}

/// `10 log10(x)` of a positive number that is not denormal, exact to its 1.2e-7th part and 5e-7; infinity and NaN stay so.
#[inline]
pub fn ten_log10(x: f32) -> f32 {
    // x is 2^octaves times a number from sqrt(1/2) to sqrt(2).
    let bits = x.to_bits().wrapping_add(ONE - ROOT_HALF);
    let octaves = (bits >> N_FRACTION_BITS) as i32 - 127;
    let f = f32::from_bits((bits & FRACTION) + ROOT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let [a, b, c, d] = POLYNOMIAL;
    let r = z * (a + z * (b + z * (c + z * d)));
    let level = octaves as f32 * PER_OCTAVE_DB + s * (2.0 + r) * PER_UNIT_DB;
    if x < f32::INFINITY { level } else { x }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether a number's level is exact but for rounding, which is seen to reach nine tenths of what is allowed, and the next
    /// one's no lower.
    fn is_right(bits: u32) -> bool {
        let [x, next] = [bits, bits + 1].map(f32::from_bits);
        let exact = 10.0 * f64::from(x).log10();
        let error_db = (f64::from(ten_log10(x)) - exact).abs();
        // Where an octave ends, a step of rounding down is seen.
        error_db < 1.2e-7 * exact.abs() + 5e-7 && ten_log10(next) >= ten_log10(x).next_down()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn levels_are_exact_but_for_rounding_and_rise(bits in f32::MIN_POSITIVE.to_bits()..f32::MAX.to_bits()) {
            prop_assert!(is_right(bits), "{:e}", f32::from_bits(bits));
        }
    }

    #[test]
    fn octaves_end_smoothly() {
        for octave in 1..254 {
            let end = (octave << N_FRACTION_BITS) + (ROOT_HALF & FRACTION);
            assert!((end - 8..end + 8).all(is_right), "{octave}");
        }
    }

    #[test]
    fn silence_has_a_level_and_what_is_no_number_none() {
        for silent in [0.0, f32::from_bits(1), 1e-30] {
            assert_eq!(decibels(silent), -180.0);
        }
        assert_eq!((ten_log10(1.0), decibels(1.0)), (0.0, 0.0));
        assert_eq!(decibels(f32::INFINITY), f32::INFINITY);
        assert!(decibels(f32::NAN).is_nan());
    }
}
