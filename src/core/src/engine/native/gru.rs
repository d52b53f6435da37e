//! Gated recurrent units for many streams at once.

use super::math::{sigmoid, tanh};
use super::matrix::{Matrix, PANEL};
use super::memory::WeightMemory;
use super::rounded::{RoundedMatrix, RoundedRows};
use super::simd::{Kernel, Simd, SimdLevel, run};

/// How the weights of the GRUs are stored and multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// As published: exact.
    #[default]
    F32,
    /// As 16-bit integers with one scale per output row, multiplied by inputs of as many bits: half the memory traffic.
    I16,
}

/// A matrix of a layer.
enum Weights {
    Exact(Matrix),
    Rounded(RoundedMatrix),
}

impl Weights {
    fn new(weights: &[f32], bias: &[f32], precision: Precision, memory: &WeightMemory) -> Self {
        match precision {
            Precision::F32 => Self::Exact(Matrix::new(weights, bias, memory)),
            Precision::I16 => Self::Rounded(RoundedMatrix::new(weights, bias, memory)),
        }
    }

    fn apply(&self, level: SimdLevel, x: &[f32], y: &mut [f32], rows: &mut RoundedRows) {
        match self {
            Self::Exact(matrix) => matrix.apply(level, x, y),
            Self::Rounded(matrix) => matrix.apply(level, x, y, rows),
        }
    }
}

/// One layer in the ONNX convention: gates z, r, h; the reset gate acts after the recurrent product and its bias.
pub struct Gru {
    input: Weights,
    recurrent: Weights,
    n_hidden: usize,
}

/// Buffers of a layer for a number of streams.
pub struct GruScratch {
    input: Vec<f32>,
    recurrent: Vec<f32>,
    rows: RoundedRows,
}

impl GruScratch {
    /// For layers up to `n_hidden` wide and up to `n_rows` streams.
    pub fn new(n_hidden: usize, n_rows: usize) -> Self {
        let len = 3 * n_hidden * n_rows;
        let rows = RoundedRows::for_inputs(n_hidden * n_rows);
        Self { input: vec![0.0; len], recurrent: vec![0.0; len], rows }
    }
}

impl Gru {
    /// Widths that the packing supports are multiples of this.
    pub(crate) const WIDTH_STEP: usize = PANEL;

    /// `input` `[3H, I]`, `recurrent` `[3H, H]`, `bias` `[6H]`: input biases, then recurrent ones.
    pub fn new(
        input: &[f32],
        recurrent: &[f32],
        bias: &[f32],
        precision: Precision,
        memory: &WeightMemory,
    ) -> Self {
        let (input_bias, recurrent_bias) = bias.split_at(bias.len() / 2);
        Self {
            input: Weights::new(input, input_bias, precision, memory),
            recurrent: Weights::new(recurrent, recurrent_bias, precision, memory),
            n_hidden: bias.len() / 6,
        }
    }

    /// Units.
    pub(crate) fn n_hidden(&self) -> usize {
        self.n_hidden
    }

    /// Advances the hidden states `h` `[rows][H]` by the inputs `x` `[rows][I]`.
    pub fn apply(&self, level: SimdLevel, x: &[f32], h: &mut [f32], scratch: &mut GruScratch) {
        let GruScratch { input, recurrent, rows } = scratch;
        let input = &mut input[..3 * h.len()];
        self.input.apply(level, x, input, rows);
        self.advance(level, input, h, recurrent, rows);
    }

    /// The half that does not depend on the state, for many rows: `x` `[rows][I]` to `products` `[rows][3H]`.
    pub(super) fn input_products(
        &self,
        level: SimdLevel,
        x: &[f32],
        products: &mut [f32],
        rows: &mut RoundedRows,
    ) {
        self.input.apply(level, x, products, rows);
    }

    /// The other half: advances the hidden states `h` `[rows][H]` by the input products `[rows][3H]`; `recurrent` has room
    /// for as many.
    pub(super) fn advance(
        &self,
        level: SimdLevel,
        input: &[f32],
        h: &mut [f32],
        recurrent: &mut [f32],
        rows: &mut RoundedRows,
    ) {
        let recurrent = &mut recurrent[..input.len()];
        self.recurrent.apply(level, h, recurrent, rows);
        run(level, Gates { n_hidden: self.n_hidden(), input, recurrent, h });
    }
}

struct Gates<'a> {
    n_hidden: usize,
    input: &'a [f32],
    recurrent: &'a [f32],
    h: &'a mut [f32],
}

impl Kernel for Gates<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let n = self.n_hidden;
        let rows = self.input.chunks_exact(3 * n).zip(self.recurrent.chunks_exact(3 * n));
        for ((input, recurrent), h) in rows.zip(self.h.chunks_exact_mut(n)) {
            for u in (0..n).step_by(S::N) {
                let (az, bz) = (s.load(&input[u..u + S::N]), s.load(&recurrent[u..u + S::N]));
                let (ar, br) = (s.load(&input[n + u..]), s.load(&recurrent[n + u..]));
                let (ah, bh) = (s.load(&input[2 * n + u..]), s.load(&recurrent[2 * n + u..]));
                let z = sigmoid(s, s.add(az, bz));
                let r = sigmoid(s, s.add(ar, br));
                let candidate = tanh(s, s.mul_add(r, bh, ah));
                let old = s.load(&h[u..u + S::N]);
                // (1 - z) candidate + z old
                let keep = s.mul_add(z, s.sub(old, candidate), candidate);
                s.store(keep, &mut h[u..u + S::N]);
            }
        }
    }
}
