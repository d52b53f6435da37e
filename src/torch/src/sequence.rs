//! Many hops at once, for whole files: every layer over all frames of a chunk, state carried from chunk to chunk.
//!
//! The result is that of the hop-by-hop path. A decoder that the local SNR stops keeps its state, which over a sequence
//! means that it runs over the remaining frames only, moved together.

use std::rc::Rc;
use std::time::Instant;

use tacet_model::{DF_ORDER, N_BANDS, N_DF_BINS};
use tacet_torch_pack::abi::{DfMethod, MAX_CHUNK_FRAMES, N_INPUT, N_OUTPUT, StateUpdate, Timings};
use tch::{Device, Kind, Tensor};

use crate::dfop::DfOp;
use crate::layers::{Conv, Gru};
use crate::network::{DecoderBuffers, EncoderBuffers, Memory, NOISY_AT};
use crate::streams::timings;
use crate::stretches::{Stretch, stretches};
use crate::target::Target;
use crate::weights::{INPUT_KERNEL_T, Weights};
use crate::{Result, TorchError};

const BANDS: i64 = N_BANDS as i64;
const BINS: i64 = N_DF_BINS as i64;
const ORDER: i64 = DF_ORDER as i64;
/// Inputs before a chunk that its first hops look back to.
const CONTEXT: i64 = ORDER - 1;

/// The thresholds of the stages, as in a lane.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Below: no decoder.
    pub min_db: f32,
    /// Above: no decoder.
    pub max_erb_db: f32,
    /// Above: no deep filter.
    pub max_df_db: f32,
}

/// A file being denoised: channels with one state, fed in chunks.
#[derive(Debug)]
pub struct Sequence {
    weights: Rc<Weights>,
    n_channels: i64,
    df_op: DfOp,
    /// The last inputs of the chunk before, `[channels, 4, 416]`.
    context: Tensor,
    encoder: Layers,
    erb: Layers,
    df: Layers,
    buffers: Option<(EncoderBuffers, DecoderBuffers)>,
}

impl Sequence {
    /// A file of `n_channels` channels, filtered by `method`.
    ///
    /// # Errors
    /// [`TorchError::Argument`] for no or too many channels; the device's errors.
    pub fn new(weights: Rc<Weights>, n_channels: usize, method: DfMethod) -> Result<Self> {
        if !(1..=MAX_CHUNK_FRAMES).contains(&n_channels) {
            return Err(TorchError::Argument(format!(
                "{n_channels} channels are not within 1..={MAX_CHUNK_FRAMES}"
            )));
        }
        let n = n_channels as i64;
        Ok(Self {
            n_channels: n,
            df_op: DfOp { method, lookahead: 0 },
            context: Tensor::f_zeros([n, CONTEXT, N_INPUT as i64], weights.target().options())?,
            encoder: Layers::new(n),
            erb: Layers::new(n),
            df: Layers::new(n),
            buffers: None,
            weights,
        })
    }

    /// Channels of the file.
    pub fn n_channels(&self) -> usize {
        self.n_channels as usize
    }

    /// The device it runs on.
    pub fn target(&self) -> Target {
        self.weights.target()
    }

    /// Infers as many hops as there are `updates`, which say what becomes of the hidden states in each: `input`
    /// `[channels][hops][416]` to `output` `[channels][hops][225]`. Channel 0's local SNR decides the stages of all channels.
    /// Where a decoder was stopped, its part of the output is 0.
    ///
    /// # Errors
    /// [`TorchError::Argument`] for lengths that do not fit and updates that are none, before anything is done; the device's
    /// errors, after which the run must be given up.
    pub fn push(
        &mut self,
        updates: &[StateUpdate],
        bounds: Bounds,
        input: &[f32],
        output: &mut [f32],
    ) -> Result<Timings> {
        let n_hops = updates.len();
        let rows = self.n_channels as usize * n_hops;
        if n_hops == 0
            || rows > MAX_CHUNK_FRAMES
            || input.len() != rows * N_INPUT
            || output.len() != rows * N_OUTPUT
        {
            return Err(TorchError::Argument(format!(
                "a chunk of {n_hops} hops of {} channels with {} inputs and {} outputs; at most {MAX_CHUNK_FRAMES} frames",
                self.n_channels,
                input.len(),
                output.len()
            )));
        }
        if let Some(update) = updates.iter().find(|update| update.0 > StateUpdate::RESTART.0) {
            return Err(TorchError::Argument(format!("update {} of hidden states", update.0)));
        }
        let target = self.weights.target();
        let start = Instant::now();
        let shape = [self.n_channels, n_hops as i64, N_INPUT as i64];
        let input = Tensor::f_from_slice(input)?.f_view(shape)?.f_to_device(target.device())?;
        target.synchronize()?;
        let uploaded = Instant::now();
        let out = self.infer(&input, updates, bounds)?;
        target.synchronize()?;
        let computed = Instant::now();
        out.f_to_device(Device::Cpu)?.f_view([-1])?.f_copy_data(output, rows * N_OUTPUT)?;
        Ok(timings(start, uploaded, computed))
    }

    fn infer(&mut self, input: &Tensor, updates: &[StateUpdate], bounds: Bounds) -> Result<Tensor> {
        let weights = Rc::clone(&self.weights);
        let target = weights.target();
        let (n, hops) = (self.n_channels, input.size()[1]);
        let rows = n * hops;
        let (mut encoder, decoder) = match self.buffers.take() {
            Some(buffers) if buffers.0.rows == rows => buffers,
            _ => (EncoderBuffers::new(target, rows)?, DecoderBuffers::new(target, rows)?),
        };
        let frames = Tensor::f_cat(&[&self.context, input], 1)?;
        self.context = frames.f_narrow(1, hops, CONTEXT)?.copy();

        let seen = INPUT_KERNEL_T as i64;
        let windows = frames.f_narrow(1, CONTEXT + 1 - seen, hops + seen - 1)?.f_unfold(1, seen, 1)?;
        let windows = windows.f_permute([0, 1, 3, 2])?.f_reshape([rows, seen, N_INPUT as i64])?;
        let encoded = weights.encode(
            &mut encoder,
            &windows,
            self.encoder.begin(stretches(updates, 0..updates.len())),
        )?;
        drop(windows);

        let lsnr_db = encoded.lsnr_db.f_view([n, hops, 1])?;
        let runs = Stages::decide(&lsnr_db, bounds)?;
        self.erb.begin(runs.erb.stretches(updates));
        self.df.begin(runs.df.stretches(updates));
        let skips = [&encoder.e0.interior, &encoder.e1.interior, &encoder.e2.interior, &encoded.e3];
        let mask = match runs.erb.pick(n, hops, target.device())? {
            None => {
                weights.erb_decode(&decoder, &encoded.emb, skips, &mut self.erb)?.f_view([n, hops, BANDS])?
            }
            Some(picked) if picked.is_empty() => {
                self.erb.idle()?;
                Tensor::f_zeros([n, hops, BANDS], target.options())?
            }
            Some(picked) => {
                let skips = [
                    picked.take(skips[0])?,
                    picked.take(skips[1])?,
                    picked.take(skips[2])?,
                    picked.take(skips[3])?,
                ];
                let decoder = DecoderBuffers::new(target, picked.rows())?;
                let emb = picked.take(&encoded.emb)?;
                let mask = weights.erb_decode(&decoder, &emb, skips.each_ref(), &mut self.erb)?;
                picked.put_back(&mask)?.f_view([n, hops, BANDS])?
            }
        };
        let coefs = match runs.df.pick(n, hops, target.device())? {
            None => Some(weights.df_decode(&encoded.emb, &encoder.c0.interior, &mut self.df)?),
            Some(picked) if picked.is_empty() => {
                self.df.idle()?;
                None
            }
            Some(picked) => {
                let (emb, c0) = (picked.take(&encoded.emb)?, picked.take(&encoder.c0.interior)?);
                Some(picked.put_back(&weights.df_decode(&emb, &c0, &mut self.df)?)?)
            }
        };
        let filtered = match coefs {
            None => Tensor::f_zeros([n, hops, 2 * BINS], target.options())?,
            Some(coefs) => {
                let coefs = coefs.f_view([n, hops, BINS, ORDER, 2])?.f_permute([0, 1, 3, 2, 4])?;
                // The context has no coefficients of its own; what it would give is dropped.
                let coefs = coefs.f_constant_pad_nd([0, 0, 0, 0, 0, 0, CONTEXT, 0])?;
                let noisy =
                    frames.f_narrow(2, NOISY_AT, 2 * BINS)?.f_reshape([n, 1, hops + CONTEXT, BINS, 2])?;
                let filtered = self.df_op.forward(&noisy, &coefs, None)?;
                filtered.f_narrow(2, CONTEXT, hops)?.f_reshape([n, hops, 2 * BINS])?
            }
        };
        self.buffers = Some((encoder, decoder));
        Ok(Tensor::f_cat(&[lsnr_db, mask, filtered], 2)?)
    }
}

/// The hops that the decoders run for, from channel 0's local SNR.
struct Stages {
    erb: Hops,
    df: Hops,
}

struct Hops(Vec<i64>);

impl Stages {
    fn decide(lsnr_db: &Tensor, bounds: Bounds) -> Result<Self> {
        let leader = lsnr_db.f_select(0, 0)?.f_reshape([-1])?.f_to_device(Device::Cpu)?;
        let mut values = vec![0.0_f32; leader.numel()];
        let n = values.len();
        leader.f_copy_data(&mut values, n)?;
        let stop_erb = |lsnr_db: f32| lsnr_db < bounds.min_db || lsnr_db > bounds.max_erb_db;
        let hops = |runs: &dyn Fn(f32) -> bool| {
            Hops((0_i64..).zip(&values).filter(|&(_, &lsnr_db)| runs(lsnr_db)).map(|(hop, _)| hop).collect())
        };
        Ok(Self {
            erb: hops(&|lsnr_db| !stop_erb(lsnr_db)),
            df: hops(&|lsnr_db| !(stop_erb(lsnr_db) || lsnr_db > bounds.max_df_db)),
        })
    }
}

impl Hops {
    fn stretches(&self, updates: &[StateUpdate]) -> Vec<Stretch> {
        stretches(updates, self.0.iter().map(|&hop| hop as usize))
    }

    /// `None` if that is all of them.
    fn pick(&self, n_channels: i64, n_hops: i64, device: Device) -> Result<Option<Picked>> {
        if self.0.len() as i64 == n_hops {
            return Ok(None);
        }
        let hops = Tensor::f_from_slice(&self.0)?.f_to_device(device)?;
        Ok(Some(Picked { hops, n_picked: self.0.len() as i64, n_channels, n_hops }))
    }
}

/// Some hops of a chunk.
struct Picked {
    hops: Tensor,
    n_picked: i64,
    n_channels: i64,
    n_hops: i64,
}

impl Picked {
    fn is_empty(&self) -> bool {
        self.n_picked == 0
    }

    fn rows(&self) -> i64 {
        self.n_channels * self.n_picked
    }

    /// Rows of all hops `[channels * hops, ..]` to rows of these.
    fn take(&self, rows: &Tensor) -> Result<Tensor> {
        let rest = rows.size();
        let by_hop = rows.f_reshape([&[self.n_channels, self.n_hops], &rest[1..]].concat())?;
        Ok(by_hop.f_index_select(1, &self.hops)?.f_reshape([&[self.rows()], &rest[1..]].concat())?)
    }

    /// Rows of these hops to rows of all, the others 0.
    fn put_back(&self, rows: &Tensor) -> Result<Tensor> {
        let rest = rows.size();
        let options = (rows.f_kind()?, rows.device());
        let mut all = Tensor::f_zeros([&[self.n_channels, self.n_hops], &rest[1..]].concat(), options)?;
        let by_hop = rows.f_reshape([&[self.n_channels, self.n_picked], &rest[1..]].concat())?;
        let _ = all.f_index_copy_(1, &self.hops, &by_hop)?;
        Ok(all)
    }
}

/// State of the layers between chunks, in the order in which they run.
#[derive(Debug)]
struct Layers {
    n_channels: i64,
    /// Whether a state is hidden, and the state.
    states: Vec<(bool, Tensor)>,
    next: usize,
    /// Of the chunk.
    stretches: Vec<Stretch>,
}

impl Layers {
    fn new(n_channels: i64) -> Self {
        Self { n_channels, states: Vec::new(), next: 0, stretches: Vec::new() }
    }

    fn begin(&mut self, stretches: Vec<Stretch>) -> &mut Self {
        (self.next, self.stretches) = (0, stretches);
        self
    }

    /// Takes a chunk in which the layers do not run.
    fn idle(&mut self) -> Result<()> {
        if self.stretches.iter().any(|stretch| stretch.restarts) {
            for (_, state) in self.states.iter_mut().filter(|(is_hidden, _)| *is_hidden) {
                *state = state.f_zeros_like()?;
            }
        }
        Ok(())
    }

    /// The next layer's state, zero in the first chunk.
    fn state(&mut self, is_hidden: bool, shape: &[i64], like: &Tensor) -> Result<Tensor> {
        if self.next == self.states.len() {
            self.states.push((is_hidden, Tensor::f_zeros(shape, (Kind::Float, like.device()))?));
        }
        Ok(self.states[self.next].1.shallow_clone())
    }

    fn replace(&mut self, state: Tensor) {
        self.states[self.next].1 = state;
        self.next += 1;
    }
}

impl Memory for Layers {
    fn gru(&mut self, layer: &Gru, x: &Tensor) -> Result<Tensor> {
        let (n, n_in) = (self.n_channels, x.size()[1]);
        let mut h = self.state(true, &[n, layer.hidden], x)?;
        let x = x.f_view([n, -1, n_in])?;
        let mut parts = Vec::with_capacity(self.stretches.len());
        let mut at = 0;
        for stretch in &self.stretches {
            if stretch.restarts {
                h = h.f_zeros_like()?;
            }
            if stretch.n_hops == 0 {
                continue;
            }
            let part = x.f_narrow(1, at, stretch.n_hops)?;
            at += stretch.n_hops;
            if stretch.holds {
                // Every hop goes on from the same state.
                let shape = [n, stretch.n_hops, layer.hidden];
                let held = h.f_unsqueeze(1)?.f_expand(shape, false)?.f_reshape([-1, layer.hidden])?;
                parts.push(layer.step(&part.f_reshape([-1, n_in])?, &held)?.f_view(shape)?);
            } else {
                let (all, last) = layer.sequence(&part, &h)?;
                parts.push(all);
                h = last;
            }
        }
        self.replace(h);
        let all = if parts.len() == 1 { parts.swap_remove(0) } else { Tensor::f_cat(&parts, 1)? };
        Ok(all.f_reshape([-1, layer.hidden])?)
    }

    fn conv(&mut self, conv: &Conv, product: Tensor, n_freqs: i64) -> Result<Tensor> {
        if conv.kt == 1 {
            return Ok(product.f_view([-1, n_freqs, conv.n_out])?);
        }
        let (n, late) = (self.n_channels, conv.kt - 1);
        let product = product.f_view([n, -1, n_freqs, conv.kt, conv.n_out])?;
        let hops = product.size()[1];
        // Sums of these frames and the carried ones, for these hops and the `late` next ones.
        let shape = [n, late, n_freqs, conv.n_out];
        let carried = self.state(false, &shape, &product)?;
        let sum = carried.f_constant_pad_nd([0, 0, 0, 0, 0, hops])?;
        for j in 0..conv.kt {
            let _ = sum.f_narrow(1, j, hops)?.f_add_(&product.f_select(3, j)?)?;
        }
        self.replace(sum.f_narrow(1, hops, late)?.copy());
        Ok(sum.f_narrow(1, 0, hops)?.f_reshape([n * hops, n_freqs, conv.n_out])?)
    }
}
