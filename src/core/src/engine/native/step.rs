//! One step of the network over a batch of channels, stage by stage. Never allocates.
//!
//! Convolutions run channel by channel: their weights stay in the first-level cache. The GRUs and grouped linear layers
//! run over all channels at once, because their weights do not: one pass reads them once for the whole batch.

#[cfg(test)]
mod golden;

use tacet_model::{DF_ORDER, LSNR_MAX_DB, LSNR_MIN_DB, N_BANDS, N_CONV, N_DF_BINS, N_EMB};

use super::conv::{FilterPathway, horizontal_sum};
use super::gru::GruScratch;
use super::math::{relu, sigmoid, tanh};
use super::matrix::Grouped;
use super::network::{GruStack, NativeModel};
use super::simd::{Kernel, Level, Simd, run};
use super::state::Lane;
use crate::engine::Job;
use crate::frame::Complex32;

const C0_LEN: usize = N_DF_BINS * N_CONV;
const COEFS_LEN: usize = N_DF_BINS * 2 * DF_ORDER;

/// What the encoder hands to the decoders, for one channel.
struct Encoded {
    e0: [f32; N_BANDS * N_CONV],
    e1: [f32; N_BANDS / 2 * N_CONV],
    e2: [f32; N_BANDS / 4 * N_CONV],
    e3: [f32; N_BANDS / 4 * N_CONV],
    c0: [f32; C0_LEN],
}

impl Encoded {
    const ZERO: Self = Self {
        e0: [0.0; N_BANDS * N_CONV],
        e1: [0.0; N_BANDS / 2 * N_CONV],
        e2: [0.0; N_BANDS / 4 * N_CONV],
        e3: [0.0; N_BANDS / 4 * N_CONV],
        c0: [0.0; C0_LEN],
    };
}

/// Buffers for a batch of channels; grown when a stream opens, never in a step.
pub struct Scratch {
    encoded: Vec<Encoded>,
    /// `[rows][512]`: embedding of every channel.
    emb: Vec<f32>,
    /// `[rows][512]`: embeddings gathered for a decoder, or what a decoder's stack gives back.
    wide: Vec<f32>,
    /// `[rows][hidden]`: a layer's input.
    hidden_in: Vec<f32>,
    /// `[rows][hidden]`: a layer's state.
    hidden: Vec<f32>,
    /// `[rows][960]`.
    coefs: Vec<f32>,
    /// `[rows][3072]`: flattened `c1`.
    c1: Vec<f32>,
    gru: GruScratch,
    /// Buffers of one channel's convolutions.
    patches: Vec<f32>,
    between: Vec<f32>,
    up: [Vec<f32>; 2],
    pathway: Vec<f32>,
    pathway_out: Vec<f32>,
}

impl Scratch {
    /// For up to `n_rows` channels.
    pub fn new(model: &NativeModel, n_rows: usize) -> Self {
        let n_hidden = model.config.emb_hidden.max(model.config.df_hidden);
        let zeros = |len: usize| vec![0.0; len];
        let patches =
            model.encoder.df_conv0.patch_len(N_DF_BINS).max(model.encoder.erb_conv0.patch_len(N_BANDS));
        Self {
            encoded: (0..n_rows).map(|_| Encoded::ZERO).collect(),
            emb: zeros(n_rows * N_EMB),
            wide: zeros(n_rows * N_EMB),
            hidden_in: zeros(n_rows * n_hidden),
            hidden: zeros(n_rows * n_hidden),
            coefs: zeros(n_rows * COEFS_LEN),
            c1: zeros(n_rows * C0_LEN / 2),
            gru: GruScratch::new(n_hidden, n_rows),
            patches: zeros(patches),
            between: zeros(C0_LEN),
            up: [zeros(N_BANDS * N_CONV), zeros(N_BANDS * N_CONV)],
            pathway: zeros(FilterPathway::SCRATCH),
            pathway_out: zeros(COEFS_LEN),
        }
    }
}

/// One channel of a batch: where its input, output and state are.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub(super) job: usize,
    pub(super) stream: usize,
    pub(super) channel: usize,
}

/// One step over the rows of a batch.
pub struct Step<'a> {
    pub(super) model: &'a NativeModel,
    pub(super) scratch: &'a mut Scratch,
    pub(super) streams: &'a mut [Option<Box<[Lane]>>],
    pub(super) jobs: &'a mut [Job],
    pub(super) rows: &'a [Row],
}

/// Which stack of GRUs a state belongs to.
#[derive(Clone, Copy)]
enum Stack {
    Encoder,
    Erb,
    Df,
}

impl Step<'_> {
    fn lane(&mut self, row: Row) -> &mut Lane {
        lane_of(self.streams, row)
    }

    /// Encodes every row: fills `encoded` and `emb` of the scratch and writes every channel's local SNR.
    pub fn encode(&mut self) {
        let (model, level) = (self.model, self.model.level);
        let net = &model.encoder;
        for (i, &row) in self.rows.iter().enumerate() {
            let input = &self.jobs[row.job].input[row.channel];
            let lane = lane_of(self.streams, row);
            let Scratch { encoded, c1, patches, between, .. } = &mut *self.scratch;
            let out = &mut encoded[i];
            let patch = &mut patches[..net.erb_conv0.patch_len(N_BANDS)];
            net.erb_conv0.apply(level, &mut lane.erb_conv0, &input.erb, patch, &mut out.e0);
            net.erb_conv1.apply(level, &mut lane.erb_conv1, &out.e0, between, &mut out.e1);
            net.erb_conv2.apply(level, &mut lane.erb_conv2, &out.e1, between, &mut out.e2);
            net.erb_conv3.apply(level, &mut lane.erb_conv3, &out.e2, between, &mut out.e3);
            let mut planar = [0.0; 2 * N_DF_BINS];
            for (bin, value) in input.cplx.iter().enumerate() {
                (planar[bin], planar[N_DF_BINS + bin]) = (value.re, value.im);
            }
            let patch = &mut patches[..net.df_conv0.patch_len(N_DF_BINS)];
            net.df_conv0.apply(level, &mut lane.df_conv0, &planar, patch, &mut out.c0);
            let c1 = &mut c1[i * C0_LEN / 2..(i + 1) * C0_LEN / 2];
            net.df_conv1.apply(level, &mut lane.df_conv1, &out.c0, between, c1);
            lane.noisy.rotate_left(1);
            lane.noisy[DF_ORDER - 1] = input.noisy;
        }
        let n = self.rows.len();
        let Scratch { c1, wide, encoded, .. } = &mut *self.scratch;
        let wide = &mut wide[..n * N_EMB];
        net.df_fc_emb.apply(level, &c1[..n * C0_LEN / 2], wide);
        for (sum, encoded) in wide.chunks_exact_mut(N_EMB).zip(encoded) {
            for (sum, e3) in sum.iter_mut().zip(&encoded.e3) {
                *sum = sum.max(0.0) + e3;
            }
        }
        self.gru_stack(&net.gru, Stack::Encoder, None);
        let n_hidden = net.gru.n_hidden();
        let Scratch { hidden_in, emb, .. } = &mut *self.scratch;
        let emb = &mut emb[..n * N_EMB];
        linear_relu(level, &net.linear_out, &hidden_in[..n * n_hidden], emb);
        for (row, emb) in self.rows.iter().zip(emb.chunks_exact(N_EMB)) {
            let logit = run(level, Dot { a: emb, b: &net.lsnr_weights }) + net.lsnr_bias;
            let lsnr_db = run(level, Sigmoid(logit)) * (LSNR_MAX_DB - LSNR_MIN_DB) + LSNR_MIN_DB;
            self.jobs[row.job].output[row.channel].lsnr_db = lsnr_db;
        }
    }

    /// Writes the masks of the rows whose indices are `chosen`.
    pub fn decode_mask(&mut self, chosen: &[usize]) {
        let (model, level, n) = (self.model, self.model.level, chosen.len());
        let net = &model.erb_decoder;
        self.gather(chosen);
        self.gru_stack(&net.gru, Stack::Erb, Some(chosen));
        let n_hidden = net.gru.n_hidden();
        let Scratch { hidden_in, wide, .. } = &mut *self.scratch;
        linear_relu(level, &net.linear_out, &hidden_in[..n * n_hidden], &mut wide[..n * N_EMB]);
        for (i, &at) in chosen.iter().enumerate() {
            let row = self.rows[at];
            let Scratch { encoded, wide, between, up, .. } = &mut *self.scratch;
            let lane = lane_of(self.streams, row);
            let Encoded { e0, e1, e2, e3, .. } = &encoded[at];
            let below = &mut wide[i * N_EMB..(i + 1) * N_EMB];
            let [a, b] = up;
            net.conv3p.apply(level, e3, below);
            net.convt3.apply(level, &mut lane.convt3, below, between, &mut a[..e3.len()]);
            net.conv2p.apply(level, e2, &mut a[..e2.len()]);
            net.convt2.apply(level, &a[..e2.len()], between, &mut b[..e1.len()]);
            net.conv1p.apply(level, e1, &mut b[..e1.len()]);
            net.convt1.apply(level, &b[..e1.len()], between, &mut a[..e0.len()]);
            net.conv0p.apply(level, e0, &mut a[..e0.len()]);
            let mask = &mut self.jobs[row.job].output[row.channel].mask;
            net.conv0_out.apply(level, &mut lane.conv0_out, &a[..e0.len()], mask);
        }
    }

    /// Filters the low bins of the rows whose indices are `chosen`.
    pub fn decode_filter(&mut self, chosen: &[usize]) {
        let (model, level, n) = (self.model, self.model.level, chosen.len());
        let net = &model.df_decoder;
        self.gather(chosen);
        self.gru_stack(&net.gru, Stack::Df, Some(chosen));
        let n_hidden = net.gru.n_hidden();
        // The stack has left the gathered embeddings in place.
        let Scratch { hidden_in, hidden, wide, coefs, .. } = &mut *self.scratch;
        let (sum, skip) = (&mut hidden_in[..n * n_hidden], &mut hidden[..n * n_hidden]);
        net.skip.apply(level, &wide[..n * N_EMB], skip);
        for (sum, skip) in sum.iter_mut().zip(skip) {
            *sum += *skip;
        }
        net.out.apply(level, sum, &mut coefs[..n * COEFS_LEN]);
        for (i, &at) in chosen.iter().enumerate() {
            let row = self.rows[at];
            let Scratch { encoded, coefs, pathway, pathway_out, .. } = &mut *self.scratch;
            let lane = lane_of(self.streams, row);
            net.convp.apply(level, &mut lane.convp, &encoded[at].c0, pathway, pathway_out);
            let coefs = &mut coefs[i * COEFS_LEN..(i + 1) * COEFS_LEN];
            run(level, Coefs { coefs, pathway: pathway_out });
            deep_filter(coefs, &lane.noisy, &mut self.jobs[row.job].output[row.channel].filtered);
        }
    }

    /// Copies the embeddings of the chosen rows to `wide`.
    fn gather(&mut self, chosen: &[usize]) {
        let Scratch { emb, wide, .. } = &mut *self.scratch;
        for (to, &at) in wide.chunks_exact_mut(N_EMB).zip(chosen) {
            to.copy_from_slice(&emb[at * N_EMB..(at + 1) * N_EMB]);
        }
    }

    /// Runs a stack over `wide`, for all rows or the chosen ones; leaves the last layer's states in `hidden_in`.
    fn gru_stack(&mut self, stack: &GruStack, which: Stack, chosen: Option<&[usize]>) {
        let level = self.model.level;
        let n = chosen.map_or(self.rows.len(), <[usize]>::len);
        let rows = self.rows;
        let row = |i: usize| rows[chosen.map_or(i, |chosen| chosen[i])];
        let n_hidden = stack.n_hidden();
        let len = n * n_hidden;
        let Scratch { wide, hidden_in, .. } = &mut *self.scratch;
        linear_relu(level, &stack.linear_in, &wide[..n * N_EMB], &mut hidden_in[..len]);
        for (l, layer) in stack.layers.iter().enumerate() {
            let mut hidden = std::mem::take(&mut self.scratch.hidden);
            for (i, h) in hidden[..len].chunks_exact_mut(n_hidden).enumerate() {
                h.copy_from_slice(self.lane(row(i)).hidden(which, l));
            }
            let Scratch { hidden_in, gru, .. } = &mut *self.scratch;
            layer.apply(level, &hidden_in[..len], &mut hidden[..len], gru);
            for (i, h) in hidden[..len].chunks_exact(n_hidden).enumerate() {
                self.lane(row(i)).hidden(which, l).copy_from_slice(h);
            }
            self.scratch.hidden = std::mem::replace(&mut self.scratch.hidden_in, hidden);
        }
    }
}

/// The state of a row's channel, borrowed apart from the scratch.
fn lane_of(streams: &mut [Option<Box<[Lane]>>], row: Row) -> &mut Lane {
    &mut streams[row.stream].as_mut().expect("rows name open streams")[row.channel]
}

impl Lane {
    fn hidden(&mut self, stack: Stack, layer: usize) -> &mut [f32] {
        match stack {
            Stack::Encoder => &mut self.enc_gru,
            Stack::Erb => &mut self.erb_gru[layer],
            Stack::Df => &mut self.df_gru[layer],
        }
    }
}

fn linear_relu(level: Level, linear: &Grouped, x: &[f32], y: &mut [f32]) {
    linear.apply(level, x, y);
    run(level, Relu(y));
}

struct Relu<'a>(&'a mut [f32]);

impl Kernel for Relu<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for values in self.0.chunks_exact_mut(S::N) {
            let v = relu(s, s.load(values));
            s.store(v, values);
        }
    }
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Kernel for Dot<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let mut sum = s.splat(0.0);
        for (a, b) in self.a.chunks_exact(S::N).zip(self.b.chunks_exact(S::N)) {
            sum = s.mul_add(s.load(a), s.load(b), sum);
        }
        horizontal_sum(s, sum)
    }
}

struct Sigmoid(f32);

impl Kernel for Sigmoid {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let mut values = [0.0; 16];
        s.store(sigmoid(s, s.splat(self.0)), &mut values);
        values[0]
    }
}

/// `coefs = tanh(coefs) + pathway`.
struct Coefs<'a> {
    coefs: &'a mut [f32],
    pathway: &'a [f32],
}

impl Kernel for Coefs<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (c, p) in self.coefs.chunks_exact_mut(S::N).zip(self.pathway.chunks_exact(S::N)) {
            let v = s.add(tanh(s, s.load(c)), s.load(p));
            s.store(v, c);
        }
    }
}

/// `out[f] = sum over k of frames[k][f] coefs[f][k]`, oldest frame first; coefficients are (re, im) pairs.
fn deep_filter(coefs: &[f32], frames: &[[Complex32; N_DF_BINS]; DF_ORDER], out: &mut [Complex32; N_DF_BINS]) {
    for ((f, out), taps) in out.iter_mut().enumerate().zip(coefs.as_chunks::<{ 2 * DF_ORDER }>().0) {
        let mut sum = Complex32::default();
        for (frame, tap) in frames.iter().zip(taps.as_chunks::<2>().0) {
            sum += frame[f] * Complex32::new(tap[0], tap[1]);
        }
        *out = sum;
    }
}
