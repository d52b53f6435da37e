//! One hop of a batch of lanes, entirely on the device.
//!
//! Recurrent state comes in as one matrix `[rows, S]` and goes out as another. Decoders that do not run for a lane keep
//! its state: on the device by masks, without anybody looking at the local SNR; on the CPU, where looking costs
//! nothing, a decoder that no lane needs is not run at all.

use tacet_model::{DF_ORDER, N_BANDS, N_CONV, N_DF_BINS, N_EMB};
use tch::Tensor;

use crate::Result;
use crate::dfop::one_step_low;
use crate::layers::{Conv, Grouped, Gru, Padded, Windows};
use crate::target::Target;
use crate::weights::{INPUT_KERNEL_T, Stack, Weights};

const BANDS: i64 = N_BANDS as i64;
const BINS: i64 = N_DF_BINS as i64;
const CONV: i64 = N_CONV as i64;
const EMB: i64 = N_EMB as i64;
const ORDER: i64 = DF_ORDER as i64;
/// Frames of the ring that the step reads, and where the three parts of an input lie.
pub(crate) const RING: i64 = ORDER;
pub(crate) const CPLX_AT: i64 = BANDS;
pub(crate) const NOISY_AT: i64 = BANDS + 2 * BINS;

/// The lanes that a decoder runs for.
#[derive(Debug)]
pub enum Run {
    /// All.
    All,
    /// None.
    Nobody,
    /// The lanes for which this mask `[rows, 1]` is false; the others keep their state.
    Unless(Tensor),
}

/// Decisions from the local SNR.
#[derive(Debug)]
pub struct StageGate {
    /// The ERB decoder.
    pub erb: Run,
    /// The deep-filter decoder.
    pub df: Run,
}

/// The results of a hop.
#[derive(Debug)]
pub struct Hop {
    /// Local SNR in dB, `[rows, 1]`.
    pub lsnr_db: Tensor,
    /// `[rows, 32]`.
    pub mask: Tensor,
    /// `[rows, 192]`.
    pub filtered: Tensor,
    /// `[rows, S]`.
    pub state: Tensor,
}

/// Activations of the encoder that convolutions read by windows, and the decoders as skips; allocated once per number
/// of rows.
#[derive(Debug)]
pub(crate) struct EncoderBuffers {
    pub rows: i64,
    features: FeatureWindows,
    pub e0: Padded,
    pub e1: Padded,
    pub e2: Padded,
    pub c0: Padded,
}

impl EncoderBuffers {
    pub fn new(target: Target, rows: i64) -> Result<Self> {
        let padded = |n_freqs, windows| Padded::new(target, rows, n_freqs, CONV, windows);
        Ok(Self {
            rows,
            features: FeatureWindows::new(target, rows)?,
            e0: padded(BANDS, Windows::Around { stride: 2 })?,
            e1: padded(BANDS / 2, Windows::Around { stride: 2 })?,
            e2: padded(BANDS / 4, Windows::Around { stride: 1 })?,
            c0: padded(BINS, Windows::Around { stride: 2 })?,
        })
    }
}

/// The ERB decoder's activations that convolutions read by windows.
#[derive(Debug)]
pub(crate) struct DecoderBuffers {
    t3: Padded,
    t2: Padded,
    t1: Padded,
    t0: Padded,
}

impl DecoderBuffers {
    pub fn new(target: Target, rows: i64) -> Result<Self> {
        let padded = |n_freqs, windows| Padded::new(target, rows, n_freqs, CONV, windows);
        Ok(Self {
            t3: padded(BANDS / 4, Windows::Around { stride: 1 })?,
            t2: padded(BANDS / 4, Windows::Next)?,
            t1: padded(BANDS / 2, Windows::Next)?,
            t0: padded(BANDS, Windows::Around { stride: 1 })?,
        })
    }
}

/// The last three feature frames with a zero on either side, for the encoder's first convolutions. Read by windows of
/// `[frame][frequency][channel]`.
#[derive(Debug)]
struct FeatureWindows {
    rows: i64,
    erb: Tensor,
    erb_windows: Tensor,
    cplx: Tensor,
    cplx_windows: Tensor,
}

impl FeatureWindows {
    fn new(target: Target, rows: i64) -> Result<Self> {
        let t = INPUT_KERNEL_T as i64;
        let zeros = |n_freqs: i64, c: i64| Tensor::f_zeros([rows, t, n_freqs + 2, c], target.options());
        let windows = |buffer: &Tensor, n_freqs: i64, c: i64| {
            let frame = (n_freqs + 2) * c;
            buffer.f_as_strided([rows, n_freqs, t, 3 * c], [t * frame, c, frame, 1], None)
        };
        let (erb, cplx) = (zeros(BANDS, 1)?, zeros(BINS, 2)?);
        Ok(Self {
            rows,
            erb_windows: windows(&erb, BANDS, 1)?,
            erb: erb.f_narrow(2, 1, BANDS)?,
            cplx_windows: windows(&cplx, BINS, 2)?,
            cplx: cplx.f_narrow(2, 1, BINS)?,
        })
    }

    /// Takes three feature frames `[rows, 3, >= 224]` (band features, then complex ones).
    fn fill(&mut self, frames: &Tensor) -> Result<()> {
        let shape = |n_freqs: i64, c: i64| [self.rows, INPUT_KERNEL_T as i64, n_freqs, c];
        self.erb.f_copy_(&frames.f_narrow(2, 0, BANDS)?.f_view(shape(BANDS, 1))?)?;
        self.cplx.f_copy_(&frames.f_narrow(2, CPLX_AT, 2 * BINS)?.f_view(shape(BINS, 2))?)?;
        Ok(())
    }

    /// `erb_conv0` and `df_conv0` before their ReLU.
    fn products(&self, weights: &Weights) -> Result<(Tensor, Tensor)> {
        let rows = |windows: &Tensor, c: i64| windows.f_reshape([-1, INPUT_KERNEL_T as i64 * 3 * c]);
        let e0 = weights.erb_conv0.product(&rows(&self.erb_windows, 1)?)?;
        let c0 = weights.df_conv0.product(&rows(&self.cplx_windows, 2)?)?;
        Ok((e0, c0))
    }
}

/// How layers remember, hop after hop or along a sequence.
pub(crate) trait Memory {
    /// A GRU layer over `x` `[rows, I]`.
    fn gru(&mut self, layer: &Gru, x: &Tensor) -> Result<Tensor>;
    /// Adds what earlier frames left for these: `product` `[rows * F, kt * n_out]` to `[rows, F, n_out]`.
    fn conv(&mut self, conv: &Conv, product: Tensor, n_freqs: i64) -> Result<Tensor>;
}

/// State of a hop: read in order from the old matrix, written in the same order.
pub(crate) struct Carry<'a> {
    old: &'a Tensor,
    at: i64,
    new: Vec<Tensor>,
}

impl<'a> Carry<'a> {
    pub fn new(old: &'a Tensor) -> Self {
        Self { old, at: 0, new: Vec::with_capacity(16) }
    }

    fn take(&mut self, length: i64) -> Result<Tensor> {
        let part = self.old.f_narrow(1, self.at, length)?;
        self.at += length;
        Ok(part)
    }

    /// Runs a decoder, or not: `keep` is the length of its state.
    fn gated<T>(
        &mut self,
        run: &Run,
        keep: i64,
        decoder: impl FnOnce(&mut Self) -> Result<T>,
        idle: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        match run {
            Run::All => decoder(self),
            Run::Nobody => {
                let kept = self.take(keep)?;
                self.new.push(kept);
                idle()
            }
            Run::Unless(frozen) => {
                let (from, first) = (self.at, self.new.len());
                let out = decoder(self)?;
                debug_assert_eq!(self.at, from + keep, "the state's layout and the decoder disagree");
                let new = Tensor::f_cat(&self.new[first..], 1)?;
                let old = self.old.f_narrow(1, from, keep)?;
                self.new.truncate(first);
                self.new.push(old.f_where_self(frozen, &new)?);
                Ok(out)
            }
        }
    }
}

impl Memory for Carry<'_> {
    fn gru(&mut self, layer: &Gru, x: &Tensor) -> Result<Tensor> {
        let h = layer.step(x, &self.take(layer.hidden)?)?;
        self.new.push(h.shallow_clone());
        Ok(h)
    }

    fn conv(&mut self, conv: &Conv, product: Tensor, n_freqs: i64) -> Result<Tensor> {
        let y = product.f_view([-1, n_freqs, conv.kt * conv.n_out])?;
        if conv.kt == 1 {
            return Ok(y);
        }
        let carried = conv.n_carried();
        let rows = y.size()[0];
        let _ = y
            .f_narrow(2, 0, carried)?
            .f_add_(&self.take(n_freqs * carried)?.f_view([rows, n_freqs, carried])?)?;
        self.new.push(y.f_narrow(2, conv.n_out, carried)?.f_reshape([rows, n_freqs * carried])?);
        Ok(y.f_narrow(2, 0, conv.n_out)?)
    }
}

/// The encoder's results beside the buffers `e0`, `e1`, `e2` and `c0` that it fills.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub e3: Tensor,
    pub emb: Tensor,
    pub lsnr_db: Tensor,
}

impl Weights {
    /// Values of a lane's state: encoder, ERB decoder, deep-filter decoder.
    pub(crate) fn state_sizes(&self) -> [i64; 3] {
        let grus = |stack: &Stack| stack.grus.iter().map(|gru| gru.hidden).sum::<i64>();
        let carried = |conv: &Conv, n_freqs: i64| conv.n_carried() * n_freqs;
        let encoder = carried(&self.erb_conv1, BANDS / 2)
            + carried(&self.erb_conv2, BANDS / 4)
            + carried(&self.erb_conv3, BANDS / 4)
            + carried(&self.df_conv1, BINS / 2)
            + grus(&self.emb);
        let erb = grus(&self.erb) + carried(&self.convt3, BANDS / 4) + carried(&self.conv0_out, BANDS);
        [encoder, erb, grus(&self.df) + carried(&self.df_convp, BINS)]
    }

    /// The columns of a lane's state that are hidden states, as pairs of begin and length.
    pub(crate) fn hidden_columns(&self) -> [(i64, i64); 3] {
        let grus = |stack: &Stack| stack.grus.iter().map(|gru| gru.hidden).sum::<i64>();
        let [encoder, erb, _] = self.state_sizes();
        // The encoder's come last in its part, those of the decoders first.
        let emb = grus(&self.emb);
        [(encoder - emb, emb), (encoder, grus(&self.erb)), (encoder + erb, grus(&self.df))]
    }

    /// One hop. `frames` `[rows, 5, 416]` are the last inputs, oldest first; `gate` sees the local SNR `[rows, 1]`.
    pub(crate) fn hop(
        &self,
        encoder: &mut EncoderBuffers,
        decoder: &DecoderBuffers,
        frames: &Tensor,
        state: &Tensor,
        gate: impl FnOnce(&Tensor) -> Result<StageGate>,
    ) -> Result<Hop> {
        let rows = encoder.rows;
        let mut carry = Carry::new(state);
        let newest = frames.f_narrow(1, RING - INPUT_KERNEL_T as i64, INPUT_KERNEL_T as i64)?;
        let encoded = self.encode(encoder, &newest, &mut carry)?;
        let gate = gate(&encoded.lsnr_db)?;
        let [_, erb_state, df_state] = self.state_sizes();
        let idle = |n: i64| Ok(Tensor::f_zeros([rows, n], self.target.options())?);
        let skips = [&encoder.e0.interior, &encoder.e1.interior, &encoder.e2.interior, &encoded.e3];
        let mask = carry.gated(
            &gate.erb,
            erb_state,
            |carry| self.erb_decode(decoder, &encoded.emb, skips, carry),
            || idle(BANDS),
        )?;
        let filtered = carry.gated(
            &gate.df,
            df_state,
            |carry| {
                let coefs = self.df_decode(&encoded.emb, &encoder.c0.interior, carry)?;
                let taps = frames.f_narrow(2, NOISY_AT, 2 * BINS)?.f_view([rows, ORDER, BINS, 2])?;
                Ok(one_step_low(&taps, &coefs.f_permute([0, 2, 1, 3])?)?.f_view([rows, 2 * BINS])?)
            },
            || idle(2 * BINS),
        )?;
        Ok(Hop { lsnr_db: encoded.lsnr_db, mask, filtered, state: Tensor::f_cat(&carry.new, 1)? })
    }

    /// The encoder over three feature frames a row, `[rows, 3, >= 224]`, the newest last.
    pub(crate) fn encode(
        &self,
        buffers: &mut EncoderBuffers,
        frames: &Tensor,
        memory: &mut impl Memory,
    ) -> Result<Encoded> {
        buffers.features.fill(frames)?;
        let EncoderBuffers { rows, features, e0, e1, e2, c0 } = buffers;
        let (bands, bins) = features.products(self)?;
        e0.fill_relu(&bands)?;
        e1.fill_relu(&memory.conv(&self.erb_conv1, e0.product(&self.erb_conv1)?, BANDS / 2)?)?;
        e2.fill_relu(&memory.conv(&self.erb_conv2, e1.product(&self.erb_conv2)?, BANDS / 4)?)?;
        let e3 = memory.conv(&self.erb_conv3, e2.product(&self.erb_conv3)?, BANDS / 4)?.f_relu()?;
        c0.fill_relu(&bins)?;
        let c1 = memory.conv(&self.df_conv1, c0.product(&self.df_conv1)?, BINS / 2)?.f_relu()?;
        let mut emb = self.df_fc_emb.apply(&c1.f_view([*rows, -1])?)?.f_relu_()?;
        let emb = emb.f_add_(&e3.f_view([*rows, EMB])?)?;
        let emb = self.emb.run(&emb, memory)?;
        let lsnr = self.lsnr_b.f_addmm(&emb, &self.lsnr_w)?.f_sigmoid_()?;
        let lsnr_db = self.lsnr_min.f_addcmul(&lsnr, &self.lsnr_span)?;
        Ok(Encoded { e3, emb, lsnr_db })
    }

    /// The ERB decoder over the embedding and the skips e0 to e3: `[rows, 32]` gains.
    pub(crate) fn erb_decode(
        &self,
        buffers: &DecoderBuffers,
        emb: &Tensor,
        [e0, e1, e2, e3]: [&Tensor; 4],
        memory: &mut impl Memory,
    ) -> Result<Tensor> {
        let [p0, p1, p2, p3] = &self.pathways;
        let u = self.erb.run(emb, memory)?.f_view([-1, BANDS / 4, CONV])?;
        buffers.t3.fill_sum(&p3.apply(e3)?, &u)?;
        let u = memory.conv(&self.convt3, buffers.t3.product(&self.convt3)?, BANDS / 4)?.f_relu()?;
        buffers.t2.fill_sum(&p2.apply(e2)?, &u)?;
        let u = buffers.t2.product(&self.convt2)?.f_relu_()?.f_view([-1, BANDS / 2, CONV])?;
        buffers.t1.fill_sum(&p1.apply(e1)?, &u)?;
        let u = buffers.t1.product(&self.convt1)?.f_relu_()?.f_view([-1, BANDS, CONV])?;
        buffers.t0.fill_sum(&p0.apply(e0)?, &u)?;
        let mask = memory.conv(&self.conv0_out, buffers.t0.product(&self.conv0_out)?, BANDS)?;
        Ok(mask.f_sigmoid()?.f_view([-1, BANDS])?)
    }

    /// The deep-filter decoder: coefs `[rows, 96, 5, 2]`.
    pub(crate) fn df_decode(&self, emb: &Tensor, c0: &Tensor, memory: &mut impl Memory) -> Result<Tensor> {
        let h = self.df.run(emb, memory)?;
        let q = self.df_skip.apply(emb)?.f_add_(&h)?;
        let bounded = self.df_out.apply(&q)?.f_tanh_()?.f_view([-1, BINS, 2 * ORDER])?;
        let product = self.df_convp.product(&c0.f_reshape([-1, CONV])?)?;
        let pathway = memory.conv(&self.df_convp, product, BINS)?.f_relu()?;
        Ok(pathway.f_add(&bounded)?.f_view([-1, BINS, ORDER, 2])?)
    }
}

impl Stack {
    fn run(&self, x: &Tensor, memory: &mut impl Memory) -> Result<Tensor> {
        let mut x = self.linear_in.apply(x)?.f_relu_()?;
        for layer in &self.grus {
            x = memory.gru(layer, &x)?;
        }
        match &self.linear_out {
            None => Ok(x),
            Some(linear) => Ok(Grouped::apply(linear, &x)?.f_relu_()?),
        }
    }
}
