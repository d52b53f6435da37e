//! The aarch64 level.

use std::arch::aarch64::*;

use super::{Kernel, PAIRS, PairWeights, Simd};

/// Proof that the CPU has Advanced SIMD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neon(());

impl Neon {
    /// The token, where the CPU supports the level.
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// Runs `kernel` compiled for this level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "neon")]
        fn at_level<K: Kernel>(simd: Neon, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `self` exists only where `detect` found the feature.
        unsafe { at_level(self, kernel) }
    }
}

/// The arithmetic methods: the intrinsic of each name.
macro_rules! arithmetic {
    ($($name:ident($($arg:ident),*) = $intrinsic:ident($($order:ident),*);)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: Self::F),*) -> Self::F {
            // SAFETY: the token exists only where `detect` found the feature; values only, no memory.
            unsafe { $intrinsic($($order),*) }
        }
    )*};
}

impl Simd for Neon {
    type F = float32x4_t;
    type Sums = [int32x4_t; 4];
    type Pairs = int16x8_t;
    const N: usize = 4;
    const MAX_ROWS: usize = 6;
    const BY_LANE: bool = true;

    arithmetic! {
        add(a, b) = vaddq_f32(a, b);
        sub(a, b) = vsubq_f32(a, b);
        mul(a, b) = vmulq_f32(a, b);
        div(a, b) = vdivq_f32(a, b);
        mul_add(a, b, c) = vfmaq_f32(c, a, b);
        max(a, b) = vmaxq_f32(a, b);
        min(a, b) = vminq_f32(a, b);
    }
    #[inline(always)]
    fn mul_add_lane<const L: i32>(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: values only; the token proves the feature.
        unsafe { vfmaq_laneq_f32::<L>(c, a, b) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: the token proves the feature.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    fn load(self, src: &[f32]) -> float32x4_t {
        // SAFETY: the slice expression checks the length; the token proves the feature.
        unsafe { vld1q_f32(src[..4].as_ptr()) }
    }
    #[inline(always)]
    fn store(self, v: float32x4_t, dst: &mut [f32]) {
        // SAFETY: the slice expression checks the length; the token proves the feature.
        unsafe { vst1q_f32(dst[..4].as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add_exponent(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: values only; the token proves the feature.
        unsafe {
            let n = vshlq_n_s32::<23>(vreinterpretq_s32_f32(b));
            vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), n))
        }
    }
    #[inline(always)]
    fn no_sums(self) -> [int32x4_t; 4] {
        // SAFETY: the token proves the feature.
        [unsafe { vdupq_n_s32(0) }; 4]
    }
    #[inline(always)]
    fn load_pairs(self, src: &[i32; PAIRS]) -> int16x8_t {
        // SAFETY: four integers are the bytes of a vector; the token proves the feature. The lower half of each comes first.
        unsafe { vreinterpretq_s16_s32(vld1q_s32(src.as_ptr())) }
    }
    #[inline(always)]
    fn add_products<const FIRST: i32, const SECOND: i32>(
        self,
        w: &PairWeights,
        x: int16x8_t,
        [a, b, c, d]: [int32x4_t; 4],
    ) -> [int32x4_t; 4] {
        // SAFETY: each load takes eight of the weights; the token proves the feature.
        unsafe {
            let load = |at: usize| vld1q_s16(w[at..at + 8].as_ptr());
            let (low, high) = (load(0), load(8));
            let a = vmlal_laneq_s16::<FIRST>(a, vget_low_s16(low), x);
            let b = vmlal_high_laneq_s16::<FIRST>(b, low, x);
            let c = vmlal_laneq_s16::<FIRST>(c, vget_low_s16(high), x);
            let d = vmlal_high_laneq_s16::<FIRST>(d, high, x);
            let (low, high) = (load(16), load(24));
            [
                vmlal_laneq_s16::<SECOND>(a, vget_low_s16(low), x),
                vmlal_high_laneq_s16::<SECOND>(b, low, x),
                vmlal_laneq_s16::<SECOND>(c, vget_low_s16(high), x),
                vmlal_high_laneq_s16::<SECOND>(d, high, x),
            ]
        }
    }
    #[inline(always)]
    fn add_scaled(self, sums: [int32x4_t; 4], scale: f32, y: &mut [f32; 16]) {
        for (y, sums) in y.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            // SAFETY: values only; the token proves the feature.
            let sums = unsafe { vcvtq_f32_s32(sums) };
            self.store(self.mul_add(sums, self.splat(scale), self.load(y)), y);
        }
    }
    #[inline(always)]
    fn prefetch<T>(self, _: &[T], _: usize) {}
}
