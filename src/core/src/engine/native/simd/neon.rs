//! The aarch64 level.

use std::arch::aarch64::*;

use super::{Kernel, Simd};

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
    fn load_i16(self, src: &[i16]) -> float32x4_t {
        // SAFETY: the slice expression checks the length; the token proves the feature.
        unsafe { vcvtq_f32_s32(vmovl_s16(vld1_s16(src[..4].as_ptr()))) }
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
    fn prefetch<T>(self, _: &[T], _: usize) {}
}
