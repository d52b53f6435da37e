//! Products with block-diagonal matrices: the grouped linear layers. As [`matrix`](super::matrix) is for dense ones.

use super::matrix::PANEL;
use super::memory::{Aligned, WeightMemory};
use super::simd::{Kernel, Simd, SimdLevel, run};
use super::tile::{for_lanes, for_rows};

/// Outputs that share an input.
const CHUNK: usize = 16;

/// A block-diagonal matrix: the input is cut into groups, each with a matrix of its own, no bias.
pub struct Grouped {
    /// Panels of four chunks of 16 outputs.
    weights: Aligned<f32>,
    /// Of each chunk: its first input, its first output and the number of real outputs.
    chunks: Vec<(usize, usize, usize)>,
    n_in_group: usize,
    n_in: usize,
    n_out: usize,
}

impl Grouped {
    /// Packs `weights` of shape `[n_groups, n_in_group, n_out_group]` into `memory`.
    pub fn new(
        weights: &[f32],
        n_groups: usize,
        n_in_group: usize,
        n_out_group: usize,
        memory: &WeightMemory,
    ) -> Self {
        assert_eq!(weights.len(), n_groups * n_in_group * n_out_group, "checked with the tensors' shapes");
        let mut chunks = Vec::new();
        let mut sources = Vec::new();
        for group in 0..n_groups {
            for first in (0..n_out_group).step_by(CHUNK) {
                chunks.push((
                    group * n_in_group,
                    group * n_out_group + first,
                    CHUNK.min(n_out_group - first),
                ));
                sources.push((group, first));
            }
        }
        let per_panel = PANEL / CHUNK;
        while chunks.len() % per_panel != 0 {
            chunks.push((0, 0, 0));
            sources.push((0, n_out_group));
        }
        let mut packed = memory.zeros(chunks.len() * CHUNK * n_in_group);
        for (chunk, (&(group, first), &(.., n))) in sources.iter().zip(&chunks).enumerate() {
            let (panel, column) = (chunk / per_panel, chunk % per_panel * CHUNK);
            for input in 0..n_in_group {
                let from = (group * n_in_group + input) * n_out_group + first;
                let to = (panel * n_in_group + input) * PANEL + column;
                packed.get_mut()[to..to + n].copy_from_slice(&weights[from..from + n]);
            }
        }
        Self {
            weights: packed,
            chunks,
            n_in_group,
            n_in: n_groups * n_in_group,
            n_out: n_groups * n_out_group,
        }
    }

    /// `y[r] = W x[r]` for every row.
    pub fn apply(&self, level: SimdLevel, x: &[f32], y: &mut [f32]) {
        let n_rows = x.len() / self.n_in;
        assert!(x.len() == n_rows * self.n_in && y.len() == n_rows * self.n_out, "whole rows");
        run(level, GroupedProduct { matrix: self, x, y });
    }
}

struct GroupedProduct<'a> {
    matrix: &'a Grouped,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for GroupedProduct<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let n_rows = self.x.len() / self.matrix.n_in;
        for panel in 0..self.matrix.chunks.len() * CHUNK / PANEL {
            let mut row = 0;
            while row < n_rows {
                let left = n_rows - row;
                // As in a dense product, with half a panel's sums in the registers.
                row += if const { S::N == 16 && S::MAX_ROWS >= 6 } && left >= 6 {
                    self.tile::<S, 6>(s, panel, row)
                } else if const { S::MAX_ROWS >= 3 } && left >= 3 {
                    self.tile::<S, 3>(s, panel, row)
                } else if left >= 2 {
                    self.tile::<S, 2>(s, panel, row)
                } else {
                    self.tile::<S, 1>(s, panel, row)
                };
            }
        }
    }
}

impl GroupedProduct<'_> {
    /// `R` rows against one panel; each of its four chunks reads inputs of its own. Returns `R`.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(&mut self, s: S, panel: usize, row: usize) -> usize {
        /// Vectors of a chunk at the narrowest level.
        const MAX_V: usize = 4;
        let Grouped { n_in_group, n_in, n_out, chunks, weights } = self.matrix;
        let (n_in_group, n_in, n_out) = (*n_in_group, *n_in, *n_out);
        let per_chunk = CHUNK / S::N;
        let chunks = chunks[panel * 4..].first_chunk::<4>().expect("whole panels");
        let lines = &weights.get()[panel * PANEL * n_in_group..].as_chunks::<PANEL>().0[..n_in_group];
        for pair in 0..2 {
            let mut sum = [[[s.splat(0.0); MAX_V]; 2]; R];
            let mut x: [[&[f32]; 2]; R] = [[&[]; 2]; R];
            for (r, x) in x.iter_mut().enumerate() {
                for (c, x) in x.iter_mut().enumerate() {
                    let start = (row + r) * n_in + chunks[pair * 2 + c].0;
                    *x = &self.x[start..start + n_in_group];
                }
            }
            let mut n_done = 0;
            if const { S::BY_LANE } {
                let n_quads = n_in_group / 4;
                let mut quads: [[&[[f32; 4]]; 2]; R] = [[&[]; 2]; R];
                for_rows!(R, |r| { quads[r] = x[r].map(|x| &x.as_chunks::<4>().0[..n_quads]) });
                let lines = &lines.as_chunks::<4>().0[..n_quads];
                for quad in 0..n_quads {
                    let lines = &lines[quad];
                    for c in 0..2 {
                        let mut xv = [s.splat(0.0); R];
                        for_rows!(R, |r| { xv[r] = s.load(&quads[r][c][quad]) });
                        for_lanes!(|LANE| {
                            let line = &lines[LANE][(pair * 2 + c) * CHUNK..(pair * 2 + c + 1) * CHUNK];
                            for v in 0..per_chunk {
                                let w = s.load(&line[v * S::N..]);
                                for_rows!(R, |r| {
                                    sum[r][c][v] = s.mul_add_lane::<{ LANE as i32 }>(w, xv[r], sum[r][c][v]);
                                });
                            }
                        });
                    }
                }
                n_done = 4 * n_quads;
            }
            for i in n_done..n_in_group {
                for c in 0..2 {
                    let line = &lines[i][(pair * 2 + c) * CHUNK..(pair * 2 + c + 1) * CHUNK];
                    for v in 0..per_chunk {
                        let w = s.load(&line[v * S::N..]);
                        for_rows!(R, |r| {
                            sum[r][c][v] = s.mul_add(w, s.splat(x[r][c][i]), sum[r][c][v]);
                        });
                    }
                }
            }
            for_rows!(R, |r| {
                for c in 0..2 {
                    let (_, to, n) = chunks[pair * 2 + c];
                    let to = (row + r) * n_out + to;
                    let y = &mut self.y[to..to + n];
                    if let Some(y) = y.first_chunk_mut::<CHUNK>() {
                        for v in 0..per_chunk {
                            s.store(sum[r][c][v], &mut y[v * S::N..]);
                        }
                    } else {
                        let mut values = [0.0; CHUNK];
                        for v in 0..per_chunk {
                            s.store(sum[r][c][v], &mut values[v * S::N..]);
                        }
                        y.copy_from_slice(&values[..n]);
                    }
                }
            });
        }
        R
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::tests::noise;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn grouped_products_match_plain_sums(
            n_groups in 1usize..9, n_in in 1usize..20, n_out in 1usize..70, n_rows in 1usize..15, seed: u32,
        ) {
            let w = noise(n_groups * n_in * n_out, seed);
            let x = noise(n_groups * n_in * n_rows, seed ^ 3);
            let matrix = Grouped::new(&w, n_groups, n_in, n_out, &WeightMemory::for_bytes(0));
            for level in SimdLevel::available() {
                let mut y = vec![0.0; n_rows * n_groups * n_out];
                matrix.apply(level, &x, &mut y);
                for (i, value) in y.iter().enumerate() {
                    let (row, group, o) = (i / (n_groups * n_out), i / n_out % n_groups, i % n_out);
                    let expected: f64 = (0..n_in)
                        .map(|k| {
                            let input = x[row * n_groups * n_in + group * n_in + k];
                            f64::from(input) * f64::from(w[(group * n_in + k) * n_out + o])
                        })
                        .sum();
                    prop_assert!((f64::from(*value) - expected).abs() < 1e-5);
                }
            }
        }
    }
}
