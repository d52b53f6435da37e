//! Gated recurrent units for many streams at once.

use super::math::{sigmoid, tanh};
use super::matrix::{Matrix, PANEL, Precision};
use super::memory::WeightMemory;
use super::simd::{Kernel, Simd, SimdLevel, run};

/// One layer in the ONNX convention: gates z, r, h; the reset gate acts after the recurrent product and its bias.
pub struct Gru {
    input: Matrix,
    recurrent: Matrix,
}

/// Buffers of a layer for a number of streams.
pub struct GruScratch {
    input: Vec<f32>,
    recurrent: Vec<f32>,
}

impl GruScratch {
    /// For layers up to `n_hidden` wide and up to `n_rows` streams.
    pub fn new(n_hidden: usize, n_rows: usize) -> Self {
        let len = 3 * n_hidden * n_rows;
        Self { input: vec![0.0; len], recurrent: vec![0.0; len] }
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
            input: Matrix::new(input, input_bias, precision, memory),
            recurrent: Matrix::new(recurrent, recurrent_bias, precision, memory),
        }
    }

    /// Units.
    pub(crate) fn n_hidden(&self) -> usize {
        self.recurrent.n_in()
    }

    /// Advances the hidden states `h` `[rows][H]` by the inputs `x` `[rows][I]`.
    pub fn apply(&self, level: SimdLevel, x: &[f32], h: &mut [f32], scratch: &mut GruScratch) {
        let GruScratch { input, recurrent } = scratch;
        let input = &mut input[..3 * h.len()];
        self.input.apply(level, x, input);
        self.advance(level, input, h, recurrent);
    }

    /// The half that does not depend on the state, for many rows: `x` `[rows][I]` to `products` `[rows][3H]`; `expanded` is
    /// a buffer of [`Matrix::apply_many`].
    pub(crate) fn input_products(
        &self,
        level: SimdLevel,
        x: &[f32],
        products: &mut [f32],
        expanded: &mut Vec<f32>,
    ) {
        self.input.apply_many(level, x, products, expanded);
    }

    /// The other half: advances the hidden states `h` `[rows][H]` by the input products `[rows][3H]`; `recurrent` has room
    /// for as many.
    pub fn advance(&self, level: SimdLevel, input: &[f32], h: &mut [f32], recurrent: &mut [f32]) {
        let recurrent = &mut recurrent[..input.len()];
        self.recurrent.apply(level, h, recurrent);
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
