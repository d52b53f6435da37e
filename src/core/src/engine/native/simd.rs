//! Vectors of `f32` with the instruction set as a type parameter.
//!
//! A kernel is written once against [`Simd`] and compiled for every level. A level's token can only be made where the
//! CPU was seen to support it, so holding one is the proof that its instructions may run. The level is chosen once per
//! process; `TACET_CPU` can lower it, never raise it. [`Scalar`] is the specification the other levels are tested
//! against.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

use std::sync::OnceLock;

/// Pairs of integers that are loaded at once.
pub(super) const PAIRS: usize = 4;
/// Integer weights of a pair of inputs for sixteen outputs, at the [index](position) that suits the processor.
pub(super) type PairWeights = [i16; 32];

/// Index of an output's weight for the first input of a pair, 0, or the second, 1: they are neighbours where one
/// instruction adds the products of both.
#[inline(always)]
pub(super) const fn position(output: usize, input: usize) -> usize {
    if cfg!(target_arch = "aarch64") { 16 * input + output } else { 2 * output + input }
}

/// Arithmetic on vectors of [`Simd::N`] values. Every method is meant to be inlined into a kernel that runs under
/// [`run`].
pub trait Simd: Copy {
    /// A vector.
    type F: Copy;
    /// Sums of products of integers for sixteen outputs, in 32 bits, which wrap.
    type Sums: Copy;
    /// Four pairs of integers.
    type Pairs: Copy;
    /// Values per vector; divides 16.
    const N: usize;
    /// Rows of a matrix tile that fit the registers beside their operands, if it is [`TILE_VECTORS`](Self::TILE_VECTORS)
    /// wide.
    const MAX_ROWS: usize;
    /// Vectors across a tile of four rows and more: a row's input is loaded once for all of them.
    const TILE_VECTORS: usize = 4;
    /// Whether [`mul_add_lane`](Self::mul_add_lane) is one instruction: a matrix product then loads four inputs of a row
    /// at once.
    const BY_LANE: bool = false;

    /// All values `x`.
    fn splat(self, x: f32) -> Self::F;
    /// The first `N` values of `src`.
    fn load(self, src: &[f32]) -> Self::F;
    /// Writes the first `N` values of `dst`.
    fn store(self, v: Self::F, dst: &mut [f32]);
    /// `a + b`.
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a - b`.
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a b`.
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a / b`.
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a b + c`, rounded once where the hardware can.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `a b[L] + c` for a lane `L` below 4, rounded as [`mul_add`](Self::mul_add) does.
    #[inline(always)]
    fn mul_add_lane<const L: i32>(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        let mut lanes = [0.0; 16];
        self.store(b, &mut lanes);
        self.mul_add(a, self.splat(lanes[L as usize]), c)
    }
    /// The larger of each pair.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller of each pair.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `2^n a`, where `b` is `n + 1.5 * 2^23` and neither `a` nor the product is zero, subnormal or infinite: the lowest
    /// bits of `b` are added to the exponent of `a`.
    fn add_exponent(self, a: Self::F, b: Self::F) -> Self::F;
    /// Sums that are 0.
    fn no_sums(self) -> Self::Sums;
    /// Pairs of integers, the first of each in the lower half.
    fn load_pairs(self, src: &[i32; PAIRS]) -> Self::Pairs;
    /// Adds `x[FIRST]` and `x[SECOND]`, each times the weight of every output: `FIRST` is even and `SECOND` the integer
    /// behind it.
    fn add_products<const FIRST: i32, const SECOND: i32>(
        self,
        w: &PairWeights,
        x: Self::Pairs,
        sums: Self::Sums,
    ) -> Self::Sums;
    /// `y[i] + scale sums[i]`, rounded as [`mul_add`](Self::mul_add) does.
    fn add_scaled(self, sums: Self::Sums, scale: f32, y: &mut [f32; 16]);
    /// Asks for the cache line at `src[at]`, which may lie beyond the end.
    fn prefetch<T>(self, src: &[T], at: usize);
}

/// A computation that can run at any level.
pub trait Kernel {
    /// The result.
    type Output;
    /// The computation; must be `#[inline(always)]`, so that it is compiled for the level that calls it.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// A level that the running CPU supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimdLevel {
    /// Portable code in the target's base instruction set.
    Scalar(Scalar),
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// Advanced SIMD.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl SimdLevel {
    /// Every level of this CPU, slowest first.
    pub fn available() -> Vec<SimdLevel> {
        let mut levels = vec![SimdLevel::Scalar(Scalar)];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(Avx2::detect().map(SimdLevel::Avx2));
            levels.extend(Avx512::detect().map(SimdLevel::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        levels.extend(Neon::detect().map(SimdLevel::Neon));
        levels
    }

    /// The level of this process: the best, or the best not above the one that `TACET_CPU` names.
    pub fn get() -> SimdLevel {
        static LEVEL: OnceLock<SimdLevel> = OnceLock::new();
        *LEVEL.get_or_init(|| Self::choose(std::env::var("TACET_CPU").ok().as_deref()))
    }

    fn choose(wish: Option<&str>) -> SimdLevel {
        let levels = Self::available();
        let cap = wish.and_then(|name| levels.iter().position(|level| level.name() == name));
        levels[cap.unwrap_or(levels.len() - 1)]
    }

    /// `scalar`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self {
            SimdLevel::Scalar(_) => "scalar",
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            SimdLevel::Neon(_) => "neon",
        }
    }
}

/// Runs `kernel` compiled for `level`.
#[inline]
pub fn run<K: Kernel>(level: SimdLevel, kernel: K) -> K::Output {
    match level {
        SimdLevel::Scalar(simd) => kernel.run(simd),
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2(simd) => simd.run(kernel),
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512(simd) => simd.run(kernel),
        #[cfg(target_arch = "aarch64")]
        SimdLevel::Neon(simd) => simd.run(kernel),
    }
}

/// Four values at a time in plain Rust; multiplication and addition round separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalar;

impl Simd for Scalar {
    type F = [f32; 4];
    type Sums = [i32; 16];
    type Pairs = [i32; PAIRS];
    const N: usize = 4;
    const MAX_ROWS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 4] {
        [x; 4]
    }
    #[inline(always)]
    fn load(self, src: &[f32]) -> [f32; 4] {
        [src[0], src[1], src[2], src[3]]
    }
    #[inline(always)]
    fn store(self, v: [f32; 4], dst: &mut [f32]) {
        dst[..4].copy_from_slice(&v);
    }
    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn add_exponent(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| f32::from_bits(a[i].to_bits().wrapping_add(b[i].to_bits() << 23)))
    }
    #[inline(always)]
    fn no_sums(self) -> [i32; 16] {
        [0; 16]
    }
    #[inline(always)]
    fn load_pairs(self, src: &[i32; PAIRS]) -> [i32; PAIRS] {
        *src
    }
    #[inline(always)]
    fn add_products<const FIRST: i32, const SECOND: i32>(
        self,
        w: &PairWeights,
        x: [i32; PAIRS],
        sums: [i32; 16],
    ) -> [i32; 16] {
        let pair = x[FIRST as usize / 2];
        let (first, second) = (i32::from(pair as i16), pair >> 16);
        std::array::from_fn(|i| {
            let products = i32::from(w[position(i, 0)]) * first + i32::from(w[position(i, 1)]) * second;
            sums[i].wrapping_add(products)
        })
    }
    #[inline(always)]
    fn add_scaled(self, sums: [i32; 16], scale: f32, y: &mut [f32; 16]) {
        for (y, sum) in y.iter_mut().zip(sums) {
            *y += sum as f32 * scale;
        }
    }
    #[inline(always)]
    fn prefetch<T>(self, _: &[T], _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_lowers_the_level_and_never_raises_it() {
        let best = *SimdLevel::available().last().unwrap();
        assert_eq!(SimdLevel::choose(Some("scalar")), SimdLevel::Scalar(Scalar));
        assert_eq!(SimdLevel::choose(None), best);
        assert_eq!(SimdLevel::choose(Some("nonsense")), best);
    }

    struct Check;

    impl Kernel for Check {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let a: Vec<f32> = (0..16).map(|i| i as f32 * 0.5 - 3.0).collect();
            let b: Vec<f32> = (0..16).map(|i| 1.5 - i as f32 * 0.25 + 0.01).collect();
            let weights = |i: usize| [(i * 4096) as i32 - 32_767, 99 - i as i32];
            let mut pairs = [0; 32];
            for (output, input) in (0..16).flat_map(|output| [(output, 0), (output, 1)]) {
                pairs[position(output, input)] = weights(output)[input] as i16;
            }
            let check = |name: &str, v: S::F, expected: &dyn Fn(usize) -> f32| {
                let mut out = [0.0; 16];
                s.store(v, &mut out);
                for (i, value) in out[..S::N].iter().enumerate() {
                    assert!((value - expected(i)).abs() <= 1e-6, "{name} [{i}]: {value} {}", expected(i));
                }
            };
            let (va, vb) = (s.load(&a), s.load(&b));
            check("add", s.add(va, vb), &|i| a[i] + b[i]);
            check("sub", s.sub(va, vb), &|i| a[i] - b[i]);
            check("mul", s.mul(va, vb), &|i| a[i] * b[i]);
            check("div", s.div(va, vb), &|i| a[i] / b[i]);
            check("mul_add", s.mul_add(va, vb, s.splat(2.0)), &|i| a[i] * b[i] + 2.0);
            check("mul_add_lane", s.mul_add_lane::<2>(va, vb, s.splat(2.0)), &|i| a[i] * b[2] + 2.0);
            check("max", s.max(va, vb), &|i| a[i].max(b[i]));
            check("min", s.min(va, vb), &|i| a[i].min(b[i]));
            let mut y = [0.5; 16];
            let x = s.load_pairs(&[0, 0, -3 & 0xffff | 7 << 16, 0]);
            s.add_scaled(s.add_products::<4, 5>(&pairs, x, s.no_sums()), 0.25, &mut y);
            let products = |i| -3 * weights(i)[0] + 7 * weights(i)[1];
            let expected: [f32; 16] = std::array::from_fn(|i| products(i) as f32 / 4.0 + 0.5);
            assert_eq!(y, expected);
            let exponents = [-3.0, 0.0, 5.0, -20.0];
            let vn = s.add(s.load(&exponents.repeat(4)), s.splat(12_582_912.0));
            check("add_exponent", s.add_exponent(vb, vn), &|i| b[i] * 2f32.powf(exponents[i % 4]));
            s.prefetch(&a, 1000);
        }
    }

    #[test]
    fn every_level_does_the_same_arithmetic() {
        for level in SimdLevel::available() {
            run(level, Check);
        }
    }
}
