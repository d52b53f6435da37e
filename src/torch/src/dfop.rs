//! The deep filter: each low bin becomes a complex sum over a few frames, `sum_i coefs[t, i, f] * spec[t - (O - 1 -
//! lookahead) + i, f]`, blended with the bin itself by `alpha` where one is given. Bins from `F` up stay as they are.
//!
//! Six methods of the same, as in the original `DfOp`. Shapes: `spec` `[B, 1, T, F', 2]`, `coefs` `[B, T, O, F, 2]`
//! with `F <= F'`, `alpha` `[B, T, 1]`; the last axis is (re, im). Which one is fast depends on the device; complex
//! dtypes do not exist on every one.

use tacet_torch_pack::abi::DfMethod;
use tch::Tensor;

use crate::{Result, TorchError};

/// The deep filter by a method.
#[derive(Clone, Copy, Debug)]
pub struct DfOp {
    /// How it is computed.
    pub method: DfMethod,
    /// Frames after the filtered one that the taps reach, below the number of taps.
    pub lookahead: usize,
}

impl DfOp {
    /// Filters a sequence. All methods give the same but `REAL_HIDDEN_STATE_LOOP`, which is causal: its output `t` is
    /// frame `t - lookahead`, filtered with the coefficients and alpha of step `t`. `REAL_ONE_STEP` is applied hop by
    /// hop to a ring of frames that starts silent, and aligned here.
    ///
    /// # Errors
    /// [`TorchError::Argument`] for shapes that do not fit or an unknown method; the device's errors.
    pub fn forward(&self, spec: &Tensor, coefs: &Tensor, alpha: Option<&Tensor>) -> Result<Tensor> {
        let dims = Dims::of(spec, coefs, alpha, self.lookahead)?;
        let low = match self.method {
            DfMethod::REAL_LOOP => real_loop(&dims, &dims.padded(spec)?, coefs)?,
            DfMethod::REAL_STRIDED => real_products(&dims.strided(&dims.padded(spec)?)?, coefs)?,
            DfMethod::REAL_UNFOLD => {
                let frames = dims.padded(spec)?.f_unfold(1, dims.order, 1)?.f_permute([0, 1, 4, 2, 3])?;
                real_products(&frames, coefs)?
            }
            DfMethod::COMPLEX_STRIDED => complex_strided(&dims, &dims.padded(spec)?, coefs)?,
            DfMethod::REAL_ONE_STEP => return self.one_step_over(&dims, spec, coefs, alpha),
            DfMethod::REAL_HIDDEN_STATE_LOOP => {
                let mut state = HiddenState::new(dims.batch, dims.order, dims.width, spec)?;
                return state.forward(spec, coefs, alpha, self.lookahead);
            }
            other => return Err(TorchError::Argument(format!("unknown deep-filter method {}", other.0))),
        };
        dims.finish(spec, &low, alpha)
    }

    fn one_step_over(
        &self,
        dims: &Dims,
        spec: &Tensor,
        coefs: &Tensor,
        alpha: Option<&Tensor>,
    ) -> Result<Tensor> {
        let lookahead = self.lookahead as i64;
        let past = dims.order - 1 - lookahead;
        let ring = spec.f_constant_pad_nd([0, 0, 0, 0, past, lookahead])?;
        let mut frames = Vec::with_capacity(dims.hops as usize);
        for t in 0..dims.hops {
            let alpha = alpha.map(|alpha| alpha.f_narrow(1, t, 1)).transpose()?;
            let ring = ring.f_narrow(2, t, dims.order)?;
            frames.push(one_step(&ring, &coefs.f_narrow(1, t, 1)?, alpha.as_ref(), self.lookahead)?);
        }
        Ok(Tensor::f_stack(&frames, 2)?)
    }
}

/// Filters the newest hop: `spec` is a ring of exactly `O` frames `[B, 1, O, F', 2]`, oldest first, `coefs` `[B, 1, O,
/// F, 2]`, `alpha` `[B, 1, 1]`. Gives frame `O - 1 - lookahead` of the ring, `[B, 1, F', 2]`. Unlike the original, for
/// any batch.
///
/// # Errors
/// The device's, also for shapes that do not fit.
pub fn one_step(spec: &Tensor, coefs: &Tensor, alpha: Option<&Tensor>, lookahead: usize) -> Result<Tensor> {
    let (n_low, order) = (coefs.size()[3], coefs.size()[2]);
    let frame = spec.f_select(2, order - 1 - lookahead as i64)?;
    let taps = spec.f_squeeze_dim(1)?.f_narrow(2, 0, n_low)?;
    let mut low = one_step_low(&taps, &coefs.f_squeeze_dim(1)?)?.f_unsqueeze(1)?;
    if let Some(alpha) = alpha {
        low = frame.f_narrow(2, 0, n_low)?.f_lerp_tensor(&low, &alpha.f_unsqueeze(-1)?)?;
    }
    let width = frame.size()[2];
    if width == n_low {
        return Ok(low);
    }
    Ok(Tensor::f_cat(&[low, frame.f_narrow(2, n_low, width - n_low)?], 2)?)
}

/// The sum alone: taps `[B, O, F, 2]` and coefs `[B, O, F, 2]` to `[B, F, 2]`.
///
/// `spec * re(coefs)`, plus `spec` turned by a quarter `(-im, re)` times `im(coefs)`: five kernels.
pub(crate) fn one_step_low(taps: &Tensor, coefs: &Tensor) -> Result<Tensor> {
    let (re, im) = (coefs.f_narrow(3, 0, 1)?, coefs.f_narrow(3, 1, 1)?);
    let turned = quarter_turn(taps)?;
    Ok(taps.f_mul(&re)?.f_addcmul_(&turned, &im)?.f_sum_dim_intlist(1_i64, false, None)?)
}

/// Multiplies by i: (re, im) to (-im, re).
fn quarter_turn(z: &Tensor) -> Result<Tensor> {
    let last = z.dim() as i64 - 1;
    let (re, im) = (z.f_narrow(last, 0, 1)?, z.f_narrow(last, 1, 1)?);
    Ok(Tensor::f_cat(&[im.f_neg()?, re], last)?)
}

/// The ring of the causal loop, `[B, 1, O, F', 2]`, silent at first.
#[derive(Debug)]
pub struct HiddenState {
    ring: Tensor,
}

impl HiddenState {
    /// A silent ring on the device of `like`.
    ///
    /// # Errors
    /// The device's.
    pub fn new(batch: i64, order: i64, width: i64, like: &Tensor) -> Result<Self> {
        Ok(Self { ring: Tensor::f_zeros([batch, 1, order, width, 2], (like.f_kind()?, like.device()))? })
    }

    /// Filters a sequence hop by hop; the ring carries over to the next call.
    ///
    /// # Errors
    /// As [`DfOp::forward`].
    pub fn forward(
        &mut self,
        spec: &Tensor,
        coefs: &Tensor,
        alpha: Option<&Tensor>,
        lookahead: usize,
    ) -> Result<Tensor> {
        let dims = Dims::of(spec, coefs, alpha, lookahead)?;
        let mut frames = Vec::with_capacity(dims.hops as usize);
        for t in 0..dims.hops {
            // A copy of the ring moved by one, not a roll: rolls are slow on some devices.
            let kept = self.ring.f_narrow(2, 1, dims.order - 1)?;
            self.ring = Tensor::f_cat(&[kept, spec.f_narrow(2, t, 1)?], 2)?;
            let alpha = alpha.map(|alpha| alpha.f_narrow(1, t, 1)).transpose()?;
            frames.push(one_step(&self.ring, &coefs.f_narrow(1, t, 1)?, alpha.as_ref(), lookahead)?);
        }
        Ok(Tensor::f_stack(&frames, 2)?)
    }
}

struct Dims {
    batch: i64,
    hops: i64,
    order: i64,
    n_low: i64,
    width: i64,
    lookahead: i64,
}

impl Dims {
    fn of(spec: &Tensor, coefs: &Tensor, alpha: Option<&Tensor>, lookahead: usize) -> Result<Self> {
        let unfit = || {
            let alpha = alpha.map(Tensor::size);
            let (spec, coefs) = (spec.size(), coefs.size());
            TorchError::Argument(format!(
                "the deep filter's shapes do not fit: spec {spec:?}, coefs {coefs:?}, alpha {alpha:?}, lookahead \
                 {lookahead}"
            ))
        };
        let (&[batch, 1, hops, width, 2], &[b, t, order, n_low, 2]) = (&spec.size()[..], &coefs.size()[..])
        else {
            return Err(unfit());
        };
        let alpha_fits = alpha.is_none_or(|alpha| alpha.size() == [batch, hops, 1]);
        if b != batch || t != hops || n_low > width || order < 1 || lookahead as i64 >= order || !alpha_fits {
            return Err(unfit());
        }
        Ok(Self { batch, hops, order, n_low, width, lookahead: lookahead as i64 })
    }

    /// Low bins with silence before and after, `[B, T + O - 1, F, 2]`, contiguous.
    fn padded(&self, spec: &Tensor) -> Result<Tensor> {
        let low = spec.f_select(1, 0)?.f_narrow(2, 0, self.n_low)?;
        Ok(low.f_constant_pad_nd([0, 0, 0, 0, self.order - 1 - self.lookahead, self.lookahead])?)
    }

    /// All frames of every hop's sum, `[B, T, O, F, 2]`, without a copy.
    fn strided(&self, padded: &Tensor) -> Result<Tensor> {
        let frame = 2 * self.n_low;
        let item = (self.hops + self.order - 1) * frame;
        let size = [self.batch, self.hops, self.order, self.n_low, 2];
        Ok(padded.f_as_strided(size, [item, frame, frame, 2, 1], None)?)
    }

    /// Blends `low` `[B, T, F, 2]` and puts the other bins behind it.
    fn finish(&self, spec: &Tensor, low: &Tensor, alpha: Option<&Tensor>) -> Result<Tensor> {
        let spec_low = spec.f_narrow(3, 0, self.n_low)?;
        let low = low.f_unsqueeze(1)?;
        let low = match alpha {
            None => low,
            Some(alpha) => spec_low.f_lerp_tensor(&low, &alpha.f_unsqueeze(1)?.f_unsqueeze(-1)?)?,
        };
        if self.width == self.n_low {
            return Ok(low);
        }
        Ok(Tensor::f_cat(&[low, spec.f_narrow(3, self.n_low, self.width - self.n_low)?], 3)?)
    }
}

/// Tap by tap into planes of re and im.
fn real_loop(dims: &Dims, padded: &Tensor, coefs: &Tensor) -> Result<Tensor> {
    let mut sum: Option<(Tensor, Tensor)> = None;
    for tap in 0..dims.order {
        let frames = padded.f_narrow(1, tap, dims.hops)?;
        let coefs = coefs.f_select(2, tap)?;
        let (re, im) = real_product(&frames, &coefs)?;
        sum = Some(match sum {
            None => (re, im),
            Some((mut sum_re, mut sum_im)) => (sum_re.f_add_(&re)?, sum_im.f_add_(&im)?),
        });
    }
    let (re, im) = sum.ok_or_else(|| TorchError::Argument("the deep filter has no taps".into()))?;
    Ok(Tensor::f_stack(&[re, im], -1)?)
}

/// All taps at once, `[B, T, O, F, 2]` each, summed over `O`.
fn real_products(frames: &Tensor, coefs: &Tensor) -> Result<Tensor> {
    let (re, im) = real_product(frames, coefs)?;
    let sum = |part: Tensor| part.f_sum_dim_intlist(2_i64, false, None);
    Ok(Tensor::f_stack(&[sum(re)?, sum(im)?], -1)?)
}

/// Four real products of the last axis.
fn real_product(a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
    let (a_re, a_im) = (a.f_select(-1, 0)?, a.f_select(-1, 1)?);
    let (b_re, b_im) = (b.f_select(-1, 0)?, b.f_select(-1, 1)?);
    let re = a_re.f_mul(&b_re)?.f_sub_(&a_im.f_mul(&b_im)?)?;
    let im = a_re.f_mul(&b_im)?.f_addcmul_(&a_im, &b_re)?;
    Ok((re, im))
}

fn complex_strided(dims: &Dims, padded: &Tensor, coefs: &Tensor) -> Result<Tensor> {
    let padded = padded.f_view_as_complex()?;
    let frame = dims.n_low;
    let item = (dims.hops + dims.order - 1) * frame;
    let size = [dims.batch, dims.hops, dims.order, dims.n_low];
    let frames = padded.f_as_strided(size, [item, frame, frame, 1], None)?;
    let product = frames.f_mul(&coefs.f_contiguous()?.f_view_as_complex()?)?;
    Ok(product.f_sum_dim_intlist(2_i64, false, None)?.f_view_as_real()?)
}
