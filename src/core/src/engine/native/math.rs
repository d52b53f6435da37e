//! Vectorised activations, with their stated error.

use super::simd::Simd;

/// `e^x` for -87..=88 (clamped beyond), relative error below 3e-7.
///
/// Argument reduction by `ln 2` in two pieces (Cody and Waite 1980), degree-6 polynomial for the rest.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    let x = s.max(s.min(x, s.splat(88.0)), s.splat(-87.0));
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    let round = s.splat(12_582_912.0);
    let rounded = s.mul_add(x, s.splat(std::f32::consts::LOG2_E), round);
    let n = s.sub(rounded, round);
    let r = s.mul_add(n, s.splat(-0.693_359_4), x);
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    let p = s.splat(1.0 / 720.0);
    let p = s.mul_add(p, r, s.splat(1.0 / 120.0));
    let p = s.mul_add(p, r, s.splat(1.0 / 24.0));
    let p = s.mul_add(p, r, s.splat(1.0 / 6.0));
    let p = s.mul_add(p, r, s.splat(0.5));
    let p = s.mul_add(p, r, s.splat(1.0));
    let p = s.mul_add(p, r, s.splat(1.0));
    // `p` lies between 0.7 and 1.42: no exponent overflows.
    s.add_exponent(p, rounded)
}

/// `1 / (1 + e^-x)`, absolute error below 2e-7.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x))))
}

/// `tanh x = 1 - 2 / (e^2x + 1)`, absolute error below 3e-7.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    let (one, two) = (s.splat(1.0), s.splat(2.0));
    s.sub(one, s.div(two, s.add(exp(s, s.mul(two, x)), one)))
}

/// `max(x, 0)`.
#[inline(always)]
pub(crate) fn relu<S: Simd>(s: S, x: S::F) -> S::F {
    s.max(x, s.splat(0.0))
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Kernel, SimdLevel, run};
    use super::*;

    struct Sweep;

    impl Kernel for Sweep {
        type Output = [f64; 3];
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> [f64; 3] {
            let mut worst = [0f64; 3];
            for i in -1_000_000..1_000_000 {
                let x = i as f32 * 1e-4;
                let exact = f64::from(x);
                let value = |v: S::F| {
                    let mut out = [0.0; 16];
                    s.store(v, &mut out);
                    f64::from(out[0])
                };
                let v = s.splat(x);
                if (-87.0..=88.0).contains(&x) {
                    worst[0] = worst[0].max((value(exp(s, v)) / exact.exp() - 1.0).abs());
                }
                worst[1] = worst[1].max((value(sigmoid(s, v)) - 1.0 / (1.0 + (-exact).exp())).abs());
                worst[2] = worst[2].max((value(tanh(s, v)) - exact.tanh()).abs());
            }
            worst
        }
    }

    #[test]
    fn errors_are_as_stated_at_every_level() {
        for level in SimdLevel::available() {
            let [e, s, t] = run(level, Sweep);
            assert!(
                e < 3e-7 && s < 2e-7 && t < 3e-7,
                "{}: exp {e:e}, sigmoid {s:e}, tanh {t:e}",
                level.name()
            );
        }
    }
}
