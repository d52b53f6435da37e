//! Layers as matrix products, the same for one hop of many lanes and for many hops of few.

use tch::{Device, Tensor};

use crate::Result;
use crate::target::Target;

/// A convolution as a product with windows.
#[derive(Debug)]
pub(crate) struct Conv {
    /// `[k * C, kt * n_out]`.
    pub weight: Tensor,
    /// `[kt * n_out]`, zero but for the current frame's block.
    pub bias: Tensor,
    pub n_out: i64,
    pub kt: i64,
}

impl Conv {
    /// `[rows, k * C]` to `[rows, kt * n_out]`.
    pub fn product(&self, rows: &Tensor) -> Result<Tensor> {
        Ok(self.bias.f_addmm(rows, &self.weight)?)
    }

    /// Values per frequency that the convolution carries to later frames.
    pub(crate) fn n_carried(&self) -> i64 {
        (self.kt - 1) * self.n_out
    }
}

/// `ReLU(scale * x + bias)` per channel.
#[derive(Debug)]
pub(crate) struct Pathway {
    pub scale: Tensor,
    pub bias: Tensor,
}

impl Pathway {
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.bias.f_addcmul(x, &self.scale)?.f_relu_()?)
    }
}

/// A block-diagonal linear layer without bias.
#[derive(Debug)]
pub(crate) enum Grouped {
    /// `[G, I, O]`.
    Blocks(Tensor),
    /// `[G * I, G * O]`.
    Dense(Tensor),
}

impl Grouped {
    /// `[rows, G * I]` to `[rows, G * O]`.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let blocks = match self {
            Self::Dense(weight) => return Ok(x.f_mm(weight)?),
            Self::Blocks(blocks) => blocks,
        };
        let (groups, n_in, _) = blocks.size3()?;
        let rows = x.size()[0];
        if rows == 1 {
            return Ok(x.f_view([groups, 1, n_in])?.f_bmm(blocks)?.f_view([1, -1])?);
        }
        let by_group = x.f_view([rows, groups, n_in])?.f_transpose(0, 1)?.f_bmm(blocks)?;
        Ok(by_group.f_transpose(0, 1)?.f_reshape([rows, -1])?)
    }
}

/// A GRU layer, gates r, z, n.
#[derive(Debug)]
pub(crate) struct Gru {
    /// `[3H, I]`.
    pub w_ih: Tensor,
    /// `[3H, H]`.
    pub w_hh: Tensor,
    /// `[3H]`.
    pub b_ih: Tensor,
    /// `[3H]`.
    pub b_hh: Tensor,
    pub hidden: i64,
}

impl Gru {
    /// One step: `x` `[rows, I]`, `h` `[rows, H]` to the new `h`.
    pub fn step(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        if x.device().is_cuda() {
            // There the element-wise part is one fused kernel.
            return Ok(x.f_gru_cell(h, &self.w_ih, &self.w_hh, Some(&self.b_ih), Some(&self.b_hh))?);
        }
        let (mut from_x, from_h) = (affine(&self.b_ih, &self.w_ih, x)?, affine(&self.b_hh, &self.w_hh, h)?);
        let hidden = self.hidden;
        let mut gates = from_x.f_narrow(1, 0, 2 * hidden)?;
        let gates = gates.f_add_(&from_h.f_narrow(1, 0, 2 * hidden)?)?.f_sigmoid_()?;
        let reset = gates.f_narrow(1, 0, hidden)?;
        let update = gates.f_narrow(1, hidden, hidden)?;
        from_x = from_x.f_narrow(1, 2 * hidden, hidden)?;
        let new = from_x.f_addcmul_(&reset, &from_h.f_narrow(1, 2 * hidden, hidden)?)?.f_tanh_()?;
        // (1 - z) n + z h.
        Ok(new.f_lerp_tensor(h, &update)?)
    }

    /// Moves the tensors into one run of memory. cuDNN needs that, and would do it with a warning in every call.
    pub(crate) fn join_for_cudnn(&self, n_in: i64) -> Result<()> {
        /// `CUDNN_GRU` of cuDNN's `cudnnRNNMode_t`.
        const GRU: i64 = 3;
        let tensors = [&self.w_ih, &self.w_hh, &self.b_ih, &self.b_hh];
        // The tensors themselves become views of what is returned.
        let _ = Tensor::f_internal_cudnn_rnn_flatten_weight(
            &tensors,
            4,
            n_in,
            GRU,
            self.hidden,
            0,
            1,
            true,
            false,
        )?;
        Ok(())
    }

    /// Many steps: `x` `[lanes, hops, I]` and `h` `[lanes, H]` to all `[lanes, hops, H]` and the last `h`.
    pub fn sequence(&self, x: &Tensor, h: &Tensor) -> Result<(Tensor, Tensor)> {
        let parameters = [&self.w_ih, &self.w_hh, &self.b_ih, &self.b_hh];
        let (all, last) = x.f_gru(&h.f_unsqueeze(0)?, &parameters, true, 1, 0.0, false, false, true)?;
        Ok((all, last.f_squeeze_dim(0)?))
    }
}

/// `weight x + bias`; for one row as a matrix-vector product, which libtorch does with less ado.
fn affine(bias: &Tensor, weight: &Tensor, x: &Tensor) -> Result<Tensor> {
    if x.size()[0] == 1 && x.device() == Device::Cpu {
        return Ok(bias.f_addmv(weight, &x.f_view([-1])?)?.f_unsqueeze(0)?);
    }
    Ok(bias.f_addmm(x, &weight.f_tr()?)?)
}

/// Activations with a zero on either side of the frequencies: `rows` x (F + 2) x C. Convolutions read windows of it;
/// what fills it writes the interior, so that padding costs nothing.
#[derive(Debug)]
pub(crate) struct Padded {
    /// `[rows, F, C]`, a view.
    pub interior: Tensor,
    /// `[rows, F', k * C]`, a view; with one row `[F', k * C]`.
    windows: Tensor,
    one_row: bool,
    window: i64,
}

/// The windows that a convolution reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Windows {
    /// Three neighbours around every `stride`-th frequency.
    Around {
        /// 1 or 2.
        stride: i64,
    },
    /// A frequency and the next one.
    Next,
}

impl Padded {
    pub fn new(target: Target, rows: i64, n_freqs: i64, n_channels: i64, windows: Windows) -> Result<Self> {
        let buffer = Tensor::f_zeros([rows, n_freqs + 2, n_channels], target.options())?;
        let (offset, k, stride, n_out) = match windows {
            Windows::Around { stride } => (0, 3, stride, n_freqs / stride),
            Windows::Next => (n_channels, 2, 1, n_freqs),
        };
        let one_row = rows == 1;
        let view = if one_row {
            buffer.f_as_strided([n_out, k * n_channels], [stride * n_channels, 1], offset)?
        } else {
            let row = (n_freqs + 2) * n_channels;
            buffer.f_as_strided([rows, n_out, k * n_channels], [row, stride * n_channels, 1], offset)?
        };
        Ok(Self { interior: buffer.f_narrow(1, 1, n_freqs)?, windows: view, one_row, window: k * n_channels })
    }

    /// Multiplies the windows: `[rows * F', kt * n_out]`.
    pub fn product(&self, conv: &Conv) -> Result<Tensor> {
        if self.one_row {
            return conv.product(&self.windows);
        }
        conv.product(&self.windows.f_reshape([-1, self.window])?)
    }

    /// Puts `ReLU(x)` inside; `x` of any shape with the interior's number of values in its order.
    pub(crate) fn fill_relu(&self, x: &Tensor) -> Result<()> {
        let _ = x.f_view_as(&self.interior)?.f_clamp_min_out(&self.interior, 0.0)?;
        Ok(())
    }

    /// Puts `a + b` inside.
    pub(crate) fn fill_sum(&self, a: &Tensor, b: &Tensor) -> Result<()> {
        let _ = a.f_add_out(&self.interior, b)?;
        Ok(())
    }
}
