//! The network's tensors on the device, merged where that saves kernels, and laid out for matrix products.
//!
//! Activations are `[rows, F, C]`: frequency before channel, so that flattening is free and a window of neighbouring
//! frequencies is a run of memory. A convolution is one product of windows `[rows * F', k * C]` with a merged matrix:
//! depthwise times pointwise, a transposed convolution's two phases side by side. A convolution over `kt` frames
//! multiplies only the current frame, by `kt` matrices side by side, and carries what belongs to later frames.

use tacet_model::{DF_ORDER, Model, N_CONV, N_EMB, Tensor as Values};
use tch::Tensor;

use crate::layers::{Conv, Grouped, Gru, Pathway};
use crate::target::Target;
use crate::{Result, TorchError};

/// Taps over frequency of every convolution but `df_convp`.
const KERNEL_F: usize = 3;
/// Frames that the encoder's first convolutions see.
pub(crate) const INPUT_KERNEL_T: usize = 3;

/// Everything that a step reads and never writes.
#[derive(Debug)]
pub struct Weights {
    pub(crate) target: Target,
    pub(crate) erb_conv0: Conv,
    pub(crate) erb_conv1: Conv,
    pub(crate) erb_conv2: Conv,
    pub(crate) erb_conv3: Conv,
    pub(crate) df_conv0: Conv,
    pub(crate) df_conv1: Conv,
    pub(crate) df_fc_emb: Grouped,
    pub(crate) emb: Stack,
    pub(crate) lsnr_w: Tensor,
    pub(crate) lsnr_b: Tensor,
    pub(crate) lsnr_min: Tensor,
    pub(crate) lsnr_span: Tensor,
    pub(crate) erb: Stack,
    pub(crate) pathways: [Pathway; 4],
    pub(crate) convt3: Conv,
    pub(crate) convt2: Conv,
    pub(crate) convt1: Conv,
    pub(crate) conv0_out: Conv,
    pub(crate) df: Stack,
    pub(crate) df_skip: Grouped,
    pub(crate) df_out: Grouped,
    pub(crate) df_convp: Conv,
}

/// Grouped linear, ReLU, GRU layers, and in the embeddings' stacks again grouped linear and ReLU.
#[derive(Debug)]
pub(crate) struct Stack {
    pub linear_in: Grouped,
    pub grus: Vec<Gru>,
    pub linear_out: Option<Grouped>,
}

impl Weights {
    /// Merges a model's tensors and puts them on the device.
    ///
    /// # Errors
    /// [`TorchError::Model`] for a tensor that is not there; the device's errors.
    pub fn new(model: &Model, target: Target) -> Result<Self> {
        let make = Maker { model, target };
        let scalar = |value: f32| make.tensor(&[value], &[1]);
        let conv = |name: &str| make.separable(&format!("enc.{name}"));
        let pathway = |i: usize| make.pathway(&format!("erb_dec.conv{i}p"));
        Ok(Self {
            target,
            erb_conv0: make.input_conv("enc.erb_conv0", 1, None)?,
            erb_conv1: conv("erb_conv1")?,
            erb_conv2: conv("erb_conv2")?,
            erb_conv3: conv("erb_conv3")?,
            df_conv0: make.input_conv("enc.df_conv0.dw", 2, Some("enc.df_conv0.pw"))?,
            df_conv1: conv("df_conv1")?,
            df_fc_emb: make.grouped("enc.df_fc_emb")?,
            emb: make.stack("enc.emb_gru")?,
            lsnr_w: make.tensor(&make.values("enc.lsnr_fc.w")?.data, &[N_EMB as i64, 1])?,
            lsnr_b: make.tensor(&make.values("enc.lsnr_fc.b")?.data, &[1])?,
            lsnr_min: scalar(tacet_model::LSNR_MIN_DB)?,
            lsnr_span: scalar(tacet_model::LSNR_MAX_DB - tacet_model::LSNR_MIN_DB)?,
            erb: make.stack("erb_dec.emb_gru")?,
            pathways: [pathway(0)?, pathway(1)?, pathway(2)?, pathway(3)?],
            convt3: make.separable("erb_dec.convt3")?,
            convt2: make.transposed("erb_dec.convt2")?,
            convt1: make.transposed("erb_dec.convt1")?,
            conv0_out: make.dense("erb_dec.conv0_out")?,
            df: make.stack("df_dec.df_gru")?,
            df_skip: make.grouped("df_dec.df_skip")?,
            df_out: make.grouped("df_dec.df_out")?,
            df_convp: make.pathway_conv("df_dec.df_convp")?,
        })
    }

    /// The device they are on.
    pub fn target(&self) -> Target {
        self.target
    }
}

struct Maker<'a> {
    model: &'a Model,
    target: Target,
}

impl Maker<'_> {
    fn values(&self, name: &str) -> Result<&Values> {
        Ok(self.model.tensor(name)?)
    }

    fn tensor(&self, values: &[f32], shape: &[i64]) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(self.target.device())?)
    }

    /// A matrix made entry by entry in f64, `[n_in][n_out]` in float32.
    fn matrix(&self, n_in: usize, n_out: usize, entry: impl Fn(usize, usize) -> f64) -> Result<Tensor> {
        let mut values = vec![0.0; n_in * n_out];
        for (i, row) in values.chunks_exact_mut(n_out).enumerate() {
            for (o, value) in row.iter_mut().enumerate() {
                *value = entry(i, o) as f32;
            }
        }
        self.tensor(&values, &[n_in as i64, n_out as i64])
    }

    /// A bias for the current frame's block; later frames' blocks have none, as it must count once.
    fn bias(&self, name: &str, kt: usize) -> Result<Tensor> {
        let mut bias = self.values(name)?.data.clone();
        bias.resize(bias.len() * kt, 0.0);
        self.tensor(&bias, &[bias.len() as i64])
    }

    /// Depthwise times pointwise. Block `j` of the columns belongs to the frame `j` hops later, so to tap `kt - 1 - j`.
    fn separable(&self, name: &str) -> Result<Conv> {
        let dw = self.values(&format!("{name}.dw.w"))?;
        let pw = self.values(&format!("{name}.pw.w"))?;
        let (c, kt) = (dw.shape[0], dw.shape[2]);
        let weight = self.matrix(KERNEL_F * c, kt * c, |i, col| {
            let (k, channel, j, o) = (i / c, i % c, col / c, col % c);
            let tap = (channel * kt + kt - 1 - j) * KERNEL_F + k;
            f64::from(pw.data[o * c + channel]) * f64::from(dw.data[tap])
        })?;
        Ok(Conv { weight, bias: self.bias(&format!("{name}.pw.b"), kt)?, n_out: c as i64, kt: kt as i64 })
    }

    /// A dense convolution to few channels.
    fn dense(&self, name: &str) -> Result<Conv> {
        let w = self.values(&format!("{name}.w"))?;
        let (n_out, c, kt) = (w.shape[0], w.shape[1], w.shape[2]);
        let weight = self.matrix(KERNEL_F * c, kt * n_out, |i, col| {
            let (k, channel, j, o) = (i / c, i % c, col / n_out, col % n_out);
            f64::from(w.data[((o * c + channel) * kt + kt - 1 - j) * KERNEL_F + k])
        })?;
        Ok(Conv { weight, bias: self.bias(&format!("{name}.b"), kt)?, n_out: n_out as i64, kt: kt as i64 })
    }

    /// A first convolution: windows are `[frame][frequency][channel]` of the last three feature frames, so that it
    /// carries nothing. With a pointwise part its depthwise part has one group per input channel.
    fn input_conv(&self, name: &str, n_in: usize, pw: Option<&str>) -> Result<Conv> {
        let w = self.values(&format!("{name}.w"))?;
        let n_mid = w.shape[0];
        let tap = |m: usize, t: usize, k: usize| f64::from(w.data[(m * INPUT_KERNEL_T + t) * KERNEL_F + k]);
        let n_windows = INPUT_KERNEL_T * KERNEL_F * n_in;
        let split = |i: usize| (i / (KERNEL_F * n_in), i / n_in % KERNEL_F, i % n_in);
        let (weight, bias) = match pw {
            None => {
                (self.matrix(n_windows, n_mid, |i, o| tap(o, split(i).0, split(i).1))?, format!("{name}.b"))
            }
            Some(pw) => {
                let pointwise = self.values(&format!("{pw}.w"))?;
                let group = n_mid / n_in;
                let weight = self.matrix(n_windows, n_mid, |i, o| {
                    let (t, k, channel) = split(i);
                    (channel * group..(channel + 1) * group)
                        .map(|m| f64::from(pointwise.data[o * n_mid + m]) * tap(m, t, k))
                        .sum()
                })?;
                (weight, format!("{pw}.b"))
            }
        };
        Ok(Conv { weight, bias: self.bias(&bias, 1)?, n_out: n_mid as i64, kt: 1 })
    }

    /// A transposed convolution of stride 2, then pointwise. Windows are two neighbours `[x[i], x[i + 1]]`; the columns
    /// are the even output `w1 x[i]` and the odd one `w2 x[i] + w0 x[i + 1]`, so that rows come out interleaved.
    fn transposed(&self, name: &str) -> Result<Conv> {
        let dw = self.values(&format!("{name}.dw.w"))?;
        let pw = self.values(&format!("{name}.pw.w"))?;
        if dw.shape != [N_CONV, 1, 1, KERNEL_F] {
            return Err(TorchError::Argument(format!("{name} spans frames, which no published model does")));
        }
        let c = dw.shape[0];
        let weight = self.matrix(2 * c, 2 * c, |i, col| {
            let (next, channel, odd, o) = (i / c, i % c, col / c, col % c);
            let tap = match (next, odd) {
                (0, 0) => 1,
                (0, 1) => 2,
                (1, 1) => 0,
                _ => return 0.0,
            };
            f64::from(pw.data[o * c + channel]) * f64::from(dw.data[channel * KERNEL_F + tap])
        })?;
        let bias = &self.values(&format!("{name}.pw.b"))?.data;
        let bias = self.tensor(&[bias.as_slice(), bias].concat(), &[2 * c as i64])?;
        Ok(Conv { weight, bias, n_out: 2 * c as i64, kt: 1 })
    }

    /// The deep filter's pathway: five frames, two groups, then pointwise.
    fn pathway_conv(&self, name: &str) -> Result<Conv> {
        let dw = self.values(&format!("{name}.dw.w"))?;
        let pw = self.values(&format!("{name}.pw.w"))?;
        let (n_out, group, kt) = (dw.shape[0], dw.shape[1], dw.shape[2]);
        let weight = self.matrix(N_CONV, kt * n_out, |channel, col| {
            let (j, o) = (col / n_out, col % n_out);
            let members = channel / group * (n_out / 2)..(channel / group + 1) * (n_out / 2);
            members
                .map(|m| {
                    let tap = dw.data[(m * group + channel % group) * kt + kt - 1 - j];
                    f64::from(pw.data[o * n_out + m]) * f64::from(tap)
                })
                .sum()
        })?;
        debug_assert_eq!(n_out, 2 * DF_ORDER);
        Ok(Conv { weight, bias: self.bias(&format!("{name}.pw.b"), kt)?, n_out: n_out as i64, kt: kt as i64 })
    }

    fn pathway(&self, name: &str) -> Result<Pathway> {
        let scale = self.values(&format!("{name}.w"))?;
        let bias = self.values(&format!("{name}.b"))?;
        let shape = [scale.data.len() as i64];
        Ok(Pathway { scale: self.tensor(&scale.data, &shape)?, bias: self.tensor(&bias.data, &shape)? })
    }

    /// Block-diagonal. On CUDA one dense product is faster than a batch of small ones with its two permutations.
    fn grouped(&self, name: &str) -> Result<Grouped> {
        let w = self.values(&format!("{name}.w"))?;
        let (n_groups, n_in, n_out) = (w.shape[0], w.shape[1], w.shape[2]);
        if !self.target.device().is_cuda() {
            let blocks = self.tensor(&w.data, &[n_groups as i64, n_in as i64, n_out as i64])?;
            return Ok(Grouped::Blocks(blocks));
        }
        let dense = self.matrix(n_groups * n_in, n_groups * n_out, |i, o| {
            if i / n_in == o / n_out { f64::from(w.data[i * n_out + o % n_out]) } else { 0.0 }
        })?;
        Ok(Grouped::Dense(dense))
    }

    fn stack(&self, name: &str) -> Result<Stack> {
        let mut grus = Vec::new();
        while self.model.tensor(&format!("{name}.gru{}.W", grus.len())).is_ok() {
            grus.push(self.gru(&format!("{name}.gru{}", grus.len()))?);
        }
        let has_out = self.model.tensor(&format!("{name}.linear_out.w")).is_ok();
        let linear_out = if has_out { Some(self.grouped(&format!("{name}.linear_out"))?) } else { None };
        Ok(Stack { linear_in: self.grouped(&format!("{name}.linear_in"))?, grus, linear_out })
    }

    /// ONNX has the gates z, r, n and both biases in one; torch wants r, z, n.
    fn gru(&self, name: &str) -> Result<Gru> {
        let w = self.values(&format!("{name}.W"))?;
        let r = self.values(&format!("{name}.R"))?;
        let b = self.values(&format!("{name}.b"))?;
        let (hidden, n_in) = (r.shape[1], w.shape[1]);
        let gates = |values: &[f32], width: usize| -> Vec<f32> {
            let gate = |i: usize| &values[i * hidden * width..(i + 1) * hidden * width];
            [gate(1), gate(0), gate(2)].concat()
        };
        let rows = 3 * hidden as i64;
        let gru = Gru {
            w_ih: self.tensor(&gates(&w.data, n_in), &[rows, n_in as i64])?,
            w_hh: self.tensor(&gates(&r.data, hidden), &[rows, hidden as i64])?,
            b_ih: self.tensor(&gates(&b.data[..3 * hidden], 1), &[rows])?,
            b_hh: self.tensor(&gates(&b.data[3 * hidden..], 1), &[rows])?,
            hidden: hidden as i64,
        };
        if self.target.device().is_cuda() {
            gru.join_for_cudnn(n_in as i64)?;
        }
        Ok(gru)
    }
}
