//! The x86-64 levels.

use std::arch::x86_64::*;

use super::{Kernel, PAIRS, PairWeights, Simd};

/// Proof that the CPU has AVX2 and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

/// Proof that the CPU has AVX-512 F, BW, DQ and VL, and AVX2 and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx2 {
    /// The token, where the CPU and the operating system support the level.
    pub(crate) fn detect() -> Option<Self> {
        let ok = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        ok.then_some(Self(()))
    }

    /// Runs `kernel` compiled for this level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma")]
        fn at_level<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `self` exists only where `detect` found these features.
        unsafe { at_level(self, kernel) }
    }
}

impl Avx512 {
    /// The token, where the CPU and the operating system support the level.
    pub(crate) fn detect() -> Option<Self> {
        let ok = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        ok.then_some(Self(()))
    }

    /// Runs `kernel` compiled for this level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn at_level<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `self` exists only where `detect` found these features.
        unsafe { at_level(self, kernel) }
    }
}

/// The arithmetic methods of a level: the intrinsic of each name. All need only the features its token proves.
macro_rules! arithmetic {
    ($($name:ident($($arg:ident),*) = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: Self::F),*) -> Self::F {
            // SAFETY: the token exists only where `detect` found the features; values only, no memory.
            unsafe { $intrinsic($($arg),*) }
        }
    )*};
}

#[inline(always)]
fn prefetch<T>(src: &[T], at: usize) {
    // SAFETY: a prefetch never faults, and SSE is part of x86-64; the address is only computed, by wrapping arithmetic.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(src.as_ptr().wrapping_add(at).cast()) }
}

impl Simd for Avx2 {
    type F = __m256;
    type Sums = [__m256i; 2];
    type Pairs = [i32; PAIRS];
    const N: usize = 8;
    const MAX_ROWS: usize = 6;
    const TILE_VECTORS: usize = 2;

    arithmetic! {
        add(a, b) = _mm256_add_ps;
        sub(a, b) = _mm256_sub_ps;
        mul(a, b) = _mm256_mul_ps;
        div(a, b) = _mm256_div_ps;
        mul_add(a, b, c) = _mm256_fmadd_ps;
        max(a, b) = _mm256_max_ps;
        min(a, b) = _mm256_min_ps;
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, src: &[f32]) -> __m256 {
        // SAFETY: the slice expression checks the length; the token proves AVX.
        unsafe { _mm256_loadu_ps(src[..8].as_ptr()) }
    }
    #[inline(always)]
    fn store(self, v: __m256, dst: &mut [f32]) {
        // SAFETY: the slice expression checks the length; the token proves AVX.
        unsafe { _mm256_storeu_ps(dst[..8].as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add_exponent(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: values only; the token proves AVX2.
        unsafe {
            let n = _mm256_slli_epi32::<23>(_mm256_castps_si256(b));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), n))
        }
    }
    #[inline(always)]
    fn no_sums(self) -> [__m256i; 2] {
        // SAFETY: the token proves AVX.
        [unsafe { _mm256_setzero_si256() }; 2]
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
        sums: [__m256i; 2],
    ) -> [__m256i; 2] {
        // SAFETY: eight pairs are the bytes of a vector; the token proves AVX2.
        unsafe {
            let pair = _mm256_set1_epi32(x[FIRST as usize / 2]);
            let w = [0, 16].map(|at| _mm256_loadu_si256(w[at..at + 16].as_ptr().cast()));
            [0, 1].map(|i| _mm256_add_epi32(sums[i], _mm256_madd_epi16(w[i], pair)))
        }
    }
    #[inline(always)]
    fn add_scaled(self, sums: [__m256i; 2], scale: f32, y: &mut [f32; 16]) {
        for (y, sums) in y.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
            // SAFETY: values only; the token proves AVX.
            let sums = unsafe { _mm256_cvtepi32_ps(sums) };
            self.store(self.mul_add(sums, self.splat(scale), self.load(y)), y);
        }
    }
    #[inline(always)]
    fn prefetch<T>(self, src: &[T], at: usize) {
        prefetch(src, at);
    }
}

impl Simd for Avx512 {
    type F = __m512;
    type Sums = __m512i;
    type Pairs = [i32; PAIRS];
    const N: usize = 16;
    const MAX_ROWS: usize = 6;

    arithmetic! {
        add(a, b) = _mm512_add_ps;
        sub(a, b) = _mm512_sub_ps;
        mul(a, b) = _mm512_mul_ps;
        div(a, b) = _mm512_div_ps;
        mul_add(a, b, c) = _mm512_fmadd_ps;
        max(a, b) = _mm512_max_ps;
        min(a, b) = _mm512_min_ps;
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: the token proves AVX-512 F.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, src: &[f32]) -> __m512 {
        // SAFETY: the slice expression checks the length; the token proves AVX-512 F.
        unsafe { _mm512_loadu_ps(src[..16].as_ptr()) }
    }
    #[inline(always)]
    fn store(self, v: __m512, dst: &mut [f32]) {
        // SAFETY: the slice expression checks the length; the token proves AVX-512 F.
        unsafe { _mm512_storeu_ps(dst[..16].as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add_exponent(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: values only; the token proves AVX-512 F.
        unsafe {
            let n = _mm512_slli_epi32::<23>(_mm512_castps_si512(b));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), n))
        }
    }
    #[inline(always)]
    fn no_sums(self) -> __m512i {
        // SAFETY: the token proves AVX-512 F.
        unsafe { _mm512_setzero_si512() }
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
        sums: __m512i,
    ) -> __m512i {
        // SAFETY: sixteen pairs are the bytes of a vector; the token proves AVX-512 F and BW.
        unsafe {
            let pair = _mm512_set1_epi32(x[FIRST as usize / 2]);
            _mm512_add_epi32(sums, _mm512_madd_epi16(_mm512_loadu_si512(w.as_ptr().cast()), pair))
        }
    }
    #[inline(always)]
    fn add_scaled(self, sums: __m512i, scale: f32, y: &mut [f32; 16]) {
        // SAFETY: values only; the token proves AVX-512 F.
        let sums = unsafe { _mm512_cvtepi32_ps(sums) };
        self.store(self.mul_add(sums, self.splat(scale), self.load(y)), y);
    }
    #[inline(always)]
    fn prefetch<T>(self, src: &[T], at: usize) {
        prefetch(src, at);
    }
}
