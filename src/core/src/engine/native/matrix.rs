//! Matrix products with weights packed once for streaming: the part of the network that is bound by memory.
//!
//! A matrix is cut into panels of 64 outputs; a panel stores, input by input, the 64 weights that meet that input. One
//! pass reads the weights front to back. Every output is one chain of multiply-adds in input order, starting from its
//! bias: the same chain for any number of rows and at any level, so batching never changes a result.

use std::sync::atomic::{Ordering, compiler_fence};

use super::memory::{Aligned, WeightMemory};
use super::simd::{Kernel, Simd, SimdLevel, run};
use super::tile::{for_lanes, for_rows, for_vectors};

/// Outputs per panel.
pub(crate) const PANEL: usize = 64;

/// A dense matrix of `n_out` rows by `n_in` columns with its bias.
pub struct Matrix {
    weights: Aligned<f32>,
    bias: Vec<f32>,
    n_in: usize,
    n_out: usize,
}

impl Matrix {
    /// Packs row-major `weights` of shape `[n_out, n_in]` into `memory`; `n_out` is a multiple of 64, `bias` is `[n_out]`.
    pub fn new(weights: &[f32], bias: &[f32], memory: &WeightMemory) -> Self {
        let n_out = bias.len();
        let n_in = weights.len() / n_out;
        assert!(
            n_out.is_multiple_of(PANEL) && weights.len() == n_in * n_out,
            "checked with the tensors' shapes"
        );
        Self { weights: pack(weights, n_in, memory), bias: bias.to_vec(), n_in, n_out }
    }

    /// `y[r] = W x[r] + b` for every row `r`; rows of `x` are `n_in` long, rows of `y` `n_out`.
    pub fn apply(&self, level: SimdLevel, x: &[f32], y: &mut [f32]) {
        self.product(level, x, y, false);
    }

    /// As [`apply`](Self::apply), then negative values become 0.
    pub(crate) fn apply_relu(&self, level: SimdLevel, x: &[f32], y: &mut [f32]) {
        self.product(level, x, y, true);
    }

    fn product(&self, level: SimdLevel, x: &[f32], y: &mut [f32], relu: bool) {
        let n_rows = x.len() / self.n_in;
        assert!(x.len() == n_rows * self.n_in && y.len() == n_rows * self.n_out, "whole rows");
        run(level, Product { matrix: self, x, y, relu });
    }
}

/// Row-major weights in panels.
fn pack(weights: &[f32], n_in: usize, memory: &WeightMemory) -> Aligned<f32> {
    /// Inputs at a time: a cache line of every row, so that each is fetched once.
    const BLOCK: usize = 16;
    let mut packed = memory.zeros(weights.len());
    let panels = weights.chunks_exact(PANEL * n_in).zip(packed.get_mut().chunks_exact_mut(PANEL * n_in));
    for (weights, packed) in panels {
        for (block, packed) in packed.chunks_mut(PANEL * BLOCK).enumerate() {
            for (output, row) in weights.chunks_exact(n_in).enumerate() {
                let inputs = &row[block * BLOCK..];
                for (line, &w) in packed.as_chunks_mut::<PANEL>().0.iter_mut().zip(inputs) {
                    line[output] = w;
                }
            }
        }
    }
    packed
}

struct Product<'a> {
    matrix: &'a Matrix,
    x: &'a [f32],
    y: &'a mut [f32],
    relu: bool,
}

impl Kernel for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Matrix { n_in, n_out, .. } = *self.matrix;
        let w = self.matrix.weights.get();
        for panel in 0..n_out / PANEL {
            self.panel(s, panel, w, panel * PANEL * n_in..(panel + 1) * PANEL * n_in);
        }
    }
}

impl Product<'_> {
    /// All rows against one panel, in tiles that fit the registers.
    #[inline(always)]
    fn panel<S: Simd>(&mut self, s: S, panel: usize, w: &[f32], span: std::ops::Range<usize>) {
        let n_rows = self.x.len() / self.matrix.n_in;
        let mut row = 0;
        while row < n_rows {
            let (left, at, w) = (n_rows - row, (panel, row), (w, span.clone()));
            // Constants first: a level compiles only the tiles it uses.
            row += if const { S::MAX_ROWS >= 6 && S::TILE_VECTORS == 4 } && left >= 6 {
                self.tile::<S, 6, 4>(s, at, w)
            } else if const { S::MAX_ROWS >= 6 && S::TILE_VECTORS == 2 } && left >= 6 {
                self.tile::<S, 6, 2>(s, at, w)
            } else if const { S::MAX_ROWS >= 4 && S::TILE_VECTORS == 4 } && left >= 4 {
                self.tile::<S, 4, 4>(s, at, w)
            } else if const { S::MAX_ROWS >= 4 && S::TILE_VECTORS == 2 } && left >= 4 {
                self.tile::<S, 4, 2>(s, at, w)
            } else if const { S::BY_LANE } && left >= 2 {
                self.tile::<S, 2, 8>(s, at, w)
            } else if left >= 2 {
                self.tile::<S, 2, 4>(s, at, w)
            } else if const { S::N == 16 } {
                self.tile::<S, 1, 4>(s, at, w)
            } else if const { S::BY_LANE } {
                self.tile::<S, 1, 16>(s, at, w)
            } else {
                // As many vectors as hide the latency of an addition.
                self.tile::<S, 1, 8>(s, at, w)
            };
        }
    }

    /// `R` rows against one panel, `V` vectors of it at a time. Returns `R`.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(
        &mut self,
        s: S,
        (panel, row): (usize, usize),
        (w, span): (&[f32], std::ops::Range<usize>),
    ) -> usize {
        /// Panel rows to fetch ahead.
        const AHEAD: usize = 16;
        let Matrix { n_in, n_out, bias, .. } = self.matrix;
        let (n_in, n_out) = (*n_in, *n_out);
        let start = span.start;
        let lines = &w[span].as_chunks::<PANEL>().0[..n_in];
        let mut x: [&[f32]; R] = [&[]; R];
        for (r, x) in x.iter_mut().enumerate() {
            *x = &self.x[(row + r) * n_in..(row + r + 1) * n_in];
        }
        for column in (0..PANEL).step_by(V * S::N) {
            let output = panel * PANEL + column;
            let bias = &bias[output..output + V * S::N];
            let mut first = [s.splat(0.0); V];
            for (v, first) in first.iter_mut().enumerate() {
                *first = s.load(&bias[v * S::N..]);
            }
            let mut sum = [first; R];
            let mut n_done = 0;
            if const { S::BY_LANE } {
                // Four inputs are as far as an instruction that loads two vectors reaches.
                let n_quads = n_in / 4;
                let mut quads: [&[[f32; 4]]; R] = [&[]; R];
                for_rows!(R, |r| { quads[r] = &x[r].as_chunks::<4>().0[..n_quads] });
                let lines = &lines.as_chunks::<4>().0[..n_quads];
                for quad in 0..n_quads {
                    let lines = &lines[quad];
                    let mut xv = [first[0]; R];
                    for_rows!(R, |r| { xv[r] = s.load(&quads[r][quad]) });
                    for_lanes!(|LANE| {
                        // A lane's weights are loaded for it and not before: they would not fit the registers.
                        compiler_fence(Ordering::SeqCst);
                        let line = &lines[LANE][column..column + V * S::N];
                        for_vectors!(V, |v| {
                            let wv = s.load(&line[v * S::N..]);
                            for_rows!(R, |r| {
                                sum[r][v] = s.mul_add_lane::<{ LANE as i32 }>(wv, xv[r], sum[r][v]);
                            });
                        });
                    });
                }
                n_done = 4 * n_quads;
            }
            for i in n_done..n_in {
                for c in (0..V * S::N).step_by(64 / size_of::<f32>()) {
                    s.prefetch(w, start + (i + AHEAD) * PANEL + column + c);
                }
                let line = &lines[i][column..column + V * S::N];
                let mut wv = [s.splat(0.0); V];
                for v in 0..V {
                    wv[v] = s.load(&line[v * S::N..]);
                }
                for_rows!(R, |r| {
                    let xv = s.splat(x[r][i]);
                    for v in 0..V {
                        sum[r][v] = s.mul_add(wv[v], xv, sum[r][v]);
                    }
                });
            }
            for_rows!(R, |r| {
                let y = &mut self.y[(row + r) * n_out + output..][..V * S::N];
                if self.relu {
                    for_vectors!(V, |v| { sum[r][v] = s.max(sum[r][v], s.splat(0.0)) });
                }
                for_vectors!(V, |v| { s.store(sum[r][v], &mut y[v * S::N..]) });
            });
        }
        R
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::random::Random;
    use proptest::prelude::*;

    /// Values in -1..1 that depend on the seed alone.
    pub(in super::super) fn noise(n: usize, seed: u32) -> Vec<f32> {
        let mut random = Random(seed);
        (0..n).map(|_| random.sample()).collect()
    }

    /// `W x + b` of every row, in `f64`.
    pub(in super::super) fn plain(w: &[f32], bias: &[f32], x: &[f32], n_in: usize) -> Vec<f64> {
        let dot = |row: &[f32], w: &[f32]| -> f64 {
            row.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        x.chunks_exact(n_in)
            .flat_map(|row| w.chunks_exact(n_in).zip(bias).map(move |(w, b)| dot(row, w) + f64::from(*b)))
            .collect()
    }

    proptest! {
        #[test]
        fn products_match_plain_sums_at_every_level(
            n_in in 1usize..70, panels in 1usize..4, n_rows in 1usize..15, seed: u32,
        ) {
            let n_out = panels * PANEL;
            let (w, bias, x) = (noise(n_in * n_out, seed), noise(n_out, seed ^ 1), noise(n_in * n_rows, seed ^ 2));
            let expected = plain(&w, &bias, &x, n_in);
            let matrix = Matrix::new(&w, &bias, &WeightMemory::for_bytes(0));
            for level in SimdLevel::available() {
                let mut y = vec![0.0; n_rows * n_out];
                matrix.apply(level, &x, &mut y);
                for (a, b) in y.iter().zip(&expected) {
                    prop_assert!((f64::from(*a) - b).abs() <= 1e-7 * n_in as f64 + 1e-5);
                }
                // A row alone gives the same bits as in company.
                for (row, together) in x.chunks_exact(n_in).zip(y.chunks_exact(n_out)) {
                    let mut alone = vec![0.0; n_out];
                    matrix.apply(level, row, &mut alone);
                    prop_assert_eq!(&alone, together);
                }
                let mut relu = vec![0.0; n_rows * n_out];
                matrix.apply_relu(level, &x, &mut relu);
                prop_assert!(relu.iter().zip(&y).all(|(r, y)| *r == y.max(0.0)));
            }
        }
    }
}
