//! Matrix products in 16-bit integers: half the memory traffic of exact weights, and fewer instructions.
//!
//! A row of weights is integers times a scale, and so is every chunk of 64 inputs. The products of a chunk are added up
//! exactly, in 32 bits: weights and inputs have norms of which the product fits (the inequality of Cauchy and Schwarz).
//! Only the chunks' sums become floats. A scale per row is finer than IEEE halves, which spend five of their bits on an
//! exponent.

use tacet_model::rounding;

use super::matrix::PANEL;
use super::memory::{Aligned, WeightMemory};
use super::simd::{Kernel, PAIRS, PairWeights, Simd, SimdLevel, position, run};
use super::tile::{for_lanes, for_rows, for_vectors};

/// Inputs whose products are added up as integers.
const CHUNK: usize = 64;
/// Largest norm of a chunk of integers before they are rounded, by which it grows by at most `sqrt(CHUNK) / 2`.
const MAX_NORM: f32 = 46_335.0;
const _: () = assert!((MAX_NORM as u64 + 5).pow(2) < 1 << 31, "the sum of a chunk's products fits 32 bits");
/// Least scale of inputs, far above the squares that vanish.
const MIN_SCALE: f32 = 1e-20;
/// Outputs of [`Simd::Sums`].
const BLOCK: usize = 16;
/// Inputs of [`Simd::load_pairs`].
const N_LOADED: usize = 2 * PAIRS;

/// Weights of a pair of inputs for a panel's outputs.
type Line = [PairWeights; PANEL / BLOCK];

/// A dense matrix of `n_out` rows by `n_in` columns, rounded, with its bias.
pub(super) struct RoundedMatrix {
    /// Panels of lines.
    weights: Aligned<Line>,
    /// Of every output's integers.
    scales: Vec<f32>,
    bias: Vec<f32>,
    n_in: usize,
}

/// Rows of inputs as integers, which a product makes for itself.
pub(super) struct RoundedRows {
    /// Pairs of integers, the first in the lower half.
    pairs: Vec<[i32; PAIRS]>,
    /// Of every chunk.
    scales: Vec<f32>,
}

impl RoundedRows {
    /// With room for that many inputs of all rows together.
    pub(super) fn for_inputs(n: usize) -> Self {
        Self { pairs: Vec::with_capacity(n / N_LOADED), scales: Vec::with_capacity(n / CHUNK) }
    }
}

impl RoundedMatrix {
    /// Rounds and packs row-major `weights` of shape `[n_out, n_in]` into `memory`; both are multiples of 64, `bias` is
    /// `[n_out]`.
    pub(super) fn new(weights: &[f32], bias: &[f32], memory: &WeightMemory) -> Self {
        let n_out = bias.len();
        let n_in = weights.len() / n_out;
        assert!(
            n_out.is_multiple_of(PANEL) && n_in.is_multiple_of(CHUNK) && weights.len() == n_in * n_out,
            "checked with the tensors' shapes"
        );
        let scales: Vec<f32> = weights.chunks_exact(n_in).map(scale_of_weights).collect();
        let weights = pack(weights, &scales, n_in, memory);
        Self { weights, scales, bias: bias.to_vec(), n_in }
    }

    /// `y[r] = W x[r] + b` for every row `r`; rows of `x` are `n_in` long, rows of `y` `n_out`.
    pub(super) fn apply(&self, level: SimdLevel, x: &[f32], y: &mut [f32], rows: &mut RoundedRows) {
        let n_rows = x.len() / self.n_in;
        assert!(x.len() == n_rows * self.n_in && y.len() == n_rows * self.bias.len(), "whole rows");
        run(level, Product { matrix: self, x, y, rows });
    }
}

/// Scale of a row of weights, with which no integer and no chunk of them is too large.
fn scale_of_weights(row: &[f32]) -> f32 {
    let norm = |chunk: &[f32; CHUNK]| squares(chunk).sqrt();
    let largest = row.as_chunks().0.iter().map(norm).fold(0.0, f32::max);
    rounding::row_scale(row).max(largest / MAX_NORM)
}

/// The sum of squares, in lanes, which compilers vectorise.
#[inline(always)]
fn squares(chunk: &[f32; CHUNK]) -> f32 {
    let mut lanes = [0.0; BLOCK];
    for line in chunk.as_chunks::<BLOCK>().0 {
        for (lane, x) in lanes.iter_mut().zip(line) {
            *lane += x * x;
        }
    }
    lanes.iter().sum()
}

/// Row-major weights as integers in panels of lines.
fn pack(weights: &[f32], scales: &[f32], n_in: usize, memory: &WeightMemory) -> Aligned<Line> {
    /// Pairs at a time: a cache line of every row, so that each is fetched once.
    const PAIRS_AT_ONCE: usize = 8;
    let mut packed: Aligned<Line> = memory.zeros(weights.len() / (2 * PANEL));
    let panels = weights.chunks_exact(PANEL * n_in).zip(packed.get_mut().chunks_exact_mut(n_in / 2));
    for ((weights, packed), scales) in panels.zip(scales.chunks_exact(PANEL)) {
        for (block, lines) in packed.chunks_exact_mut(PAIRS_AT_ONCE).enumerate() {
            for ((output, row), &scale) in weights.chunks_exact(n_in).enumerate().zip(scales) {
                let pairs = &row.as_chunks::<2>().0[block * PAIRS_AT_ONCE..];
                for (line, pair) in lines.iter_mut().zip(pairs) {
                    for (input, &w) in pair.iter().enumerate() {
                        line[output / BLOCK][position(output % BLOCK, input)] = rounding::rounded(w, scale);
                    }
                }
            }
        }
    }
    packed
}

/// Writes the integers nearest to a chunk of inputs; returns their scale. A chunk that holds no number has the scale NaN.
#[inline(always)]
fn round(chunk: &[f32; CHUNK], pairs: &mut [[i32; PAIRS]; CHUNK / N_LOADED]) -> f32 {
    /// Has a step of one, and zeros below.
    const INTEGERS_FROM: f32 = 12_582_912.0;
    let norm = squares(chunk).sqrt();
    let scale = rounding::row_scale(chunk).max(norm / MAX_NORM).max(MIN_SCALE);
    let n_per_unit = 1.0 / scale;
    for (pairs, inputs) in pairs.iter_mut().zip(chunk.as_chunks::<N_LOADED>().0) {
        let integers = inputs.map(|x| (x * n_per_unit + INTEGERS_FROM).to_bits());
        *pairs = std::array::from_fn(|p| (integers[2 * p] & 0xffff | integers[2 * p + 1] << 16) as i32);
    }
    if norm.is_finite() { scale } else { f32::NAN }
}

struct Product<'a> {
    matrix: &'a RoundedMatrix,
    x: &'a [f32],
    y: &'a mut [f32],
    rows: &'a mut RoundedRows,
}

impl Kernel for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let RoundedRows { pairs, scales } = &mut *self.rows;
        let (chunks, _) = self.x.as_chunks::<CHUNK>();
        pairs.resize(self.x.len() / N_LOADED, [0; PAIRS]);
        scales.clear();
        scales.extend(chunks.iter().zip(pairs.as_chunks_mut().0).map(|(chunk, pairs)| round(chunk, pairs)));
        self.y.fill(0.0);
        let n_rows = self.x.len() / self.matrix.n_in;
        for panel in 0..self.matrix.bias.len() / PANEL {
            let mut row = 0;
            while row < n_rows {
                // As many sums as fit the registers.
                row += match n_rows - row {
                    4.. if const { S::N == 16 } => self.tile::<S, 4, 4>(s, panel, row),
                    4.. => self.tile::<S, 4, 1>(s, panel, row),
                    2 | 3 => self.tile::<S, 2, 2>(s, panel, row),
                    _ => self.tile::<S, 1, 4>(s, panel, row),
                };
            }
        }
    }
}

impl Product<'_> {
    /// `R` rows against one panel, `B` blocks of outputs of it at a time. Returns `R`.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const B: usize>(&mut self, s: S, panel: usize, row: usize) -> usize {
        /// Lines to fetch ahead.
        const AHEAD: usize = 8;
        let RoundedMatrix { weights, scales, bias, n_in } = self.matrix;
        let (weights, start) = (weights.get(), panel * (n_in / 2));
        let lines = weights[start..start + n_in / 2].as_chunks::<PAIRS>().0;
        let (n_chunks, n_quads) = (n_in / CHUNK, n_in / N_LOADED);
        for first in (0..PANEL / BLOCK).step_by(B) {
            for chunk in 0..n_chunks {
                let quads = chunk * (CHUNK / N_LOADED)..(chunk + 1) * (CHUNK / N_LOADED);
                let mut inputs: [&[[i32; PAIRS]]; R] = [&[]; R];
                for_rows!(R, |r| {
                    inputs[r] = &self.rows.pairs[(row + r) * n_quads..][quads.clone()];
                });
                let mut sums = [[s.no_sums(); B]; R];
                for (quad, lines) in lines[quads.clone()].iter().enumerate() {
                    let mut x = [s.load_pairs(&inputs[0][quad]); R];
                    for_rows!(R, |r| { x[r] = s.load_pairs(&inputs[r][quad]) });
                    for_lanes!(|LANE| {
                        let line = &lines[LANE][first..first + B];
                        let at = start + (quads.start + quad) * PAIRS + LANE + AHEAD;
                        for_vectors!(B, |b| {
                            s.prefetch(weights.as_flattened(), at * (PANEL / BLOCK) + first + b);
                            for_rows!(R, |r| {
                                sums[r][b] = s.add_products::<{ 2 * LANE as i32 }, { 2 * LANE as i32 + 1 }>(
                                    &line[b], x[r], sums[r][b],
                                );
                            });
                        });
                    });
                }
                for_rows!(R, |r| {
                    let scale = self.rows.scales[(row + r) * n_chunks + chunk];
                    let y = &mut self.y[(row + r) * bias.len() + panel * PANEL..][..PANEL];
                    let y = &mut y.as_chunks_mut().0[first..first + B];
                    for_vectors!(B, |b| { s.add_scaled(sums[r][b], scale, &mut y[b]) });
                });
            }
        }
        let outputs = panel * PANEL..(panel + 1) * PANEL;
        let (scales, bias) = (&scales[outputs.clone()], &bias[outputs.clone()]);
        for r in row..row + R {
            let y = &mut self.y[r * self.matrix.bias.len()..][outputs.clone()];
            for at in (0..PANEL).step_by(S::N) {
                let of = |values: &[f32]| s.load(&values[at..at + S::N]);
                s.store(s.mul_add(of(y), of(scales), of(bias)), &mut y[at..at + S::N]);
            }
        }
        R
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::tests::{noise, plain};
    use super::*;
    use proptest::prelude::*;

    fn applied(matrix: &RoundedMatrix, level: SimdLevel, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; x.len() / matrix.n_in * matrix.bias.len()];
        matrix.apply(level, x, &mut y, &mut RoundedRows::for_inputs(0));
        y
    }

    proptest! {
        #[test]
        fn products_match_plain_sums_at_every_level(
            chunks in 1usize..5, panels in 1usize..4, n_rows in 1usize..15, seed: u32, loudness in -40.0f32..40.0,
        ) {
            let (n_in, n_out) = (chunks * CHUNK, panels * PANEL);
            let gain = 2f32.powf(loudness);
            let (w, bias) = (noise(n_in * n_out, seed), noise(n_out, seed ^ 1).iter().map(|b| b * gain).collect::<Vec<_>>());
            let x: Vec<f32> = noise(n_in * n_rows, seed ^ 2).iter().map(|x| x * gain).collect();
            let expected = plain(&w, &bias, &x, n_in);
            let matrix = RoundedMatrix::new(&w, &bias, &WeightMemory::for_bytes(0));
            let mut fused: Option<Vec<f32>> = None;
            for level in SimdLevel::available() {
                let y = applied(&matrix, level, &x);
                for (a, b) in y.iter().zip(&expected) {
                    let difference = (f64::from(*a) - b).abs() / f64::from(gain);
                    prop_assert!(difference <= 2e-4 * (n_in as f64).sqrt(), "{}: {a} {b}", level.name());
                }
                // A row alone gives the same bits as in company.
                for (row, together) in x.chunks_exact(n_in).zip(y.chunks_exact(n_out)) {
                    prop_assert_eq!(&applied(&matrix, level, row), together);
                }
                // Levels that round a multiply-add once agree.
                if level.name() != "scalar" {
                    prop_assert_eq!(fused.get_or_insert_with(|| y.clone()), &y);
                }
            }
        }
    }

    /// The largest sums that there can be: every input and weight of one sign and size, or a single one of each.
    #[test]
    fn no_sum_overflows() {
        for n_ones in [CHUNK, 2, 1] {
            let row: Vec<f32> = (0..CHUNK).map(|i| if i < n_ones { 1.0 } else { 0.0 }).collect();
            for sign in [1.0, -1.0] {
                let x: Vec<f32> = row.iter().map(|x| x * sign).collect();
                let matrix =
                    RoundedMatrix::new(&row.repeat(PANEL), &[0.0; PANEL], &WeightMemory::for_bytes(0));
                for level in SimdLevel::available() {
                    for y in applied(&matrix, level, &x) {
                        let expected = sign * n_ones as f32;
                        assert!((y / expected - 1.0).abs() < 1e-4, "{}: {y} for {expected}", level.name());
                    }
                }
            }
        }
    }

    #[test]
    fn silence_is_the_bias_and_what_is_no_number_stays_none() {
        let (w, bias) = (noise(CHUNK * PANEL, 1), noise(PANEL, 2));
        let matrix = RoundedMatrix::new(&w, &bias, &WeightMemory::for_bytes(0));
        for level in SimdLevel::available() {
            assert_eq!(applied(&matrix, level, &[0.0; CHUNK]), bias);
            for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut x = [0.25; 2 * CHUNK];
                x[5] = wrong;
                let y = applied(&matrix, level, &x);
                assert!(y[..PANEL].iter().all(|y| y.is_nan()));
                assert!(y[PANEL..].iter().all(|y| y.is_finite()));
            }
        }
    }
}
