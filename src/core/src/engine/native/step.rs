//! One step of the network over a batch of channels, stage by stage. Never allocates.
//!
//! Convolutions run channel by channel: their weights stay in the first-level cache. The GRUs and grouped linear layers
//! run over all channels at once, because their weights do not: one pass reads them once for the whole batch.

#[cfg(test)]
mod golden;

use tacet_model::N_EMB;

use super::gru::GruScratch;
use super::layers::{Bands, C0_LEN, C1_LEN, COEFS_LEN, ConvScratch, linear_relu};
use super::network::{Encoder, GruStack, NativeModel, Stack};
use super::state::ChannelState;
use crate::engine::{Job, StateUpdate};

/// Buffers for a batch of channels; grown when a stream opens, never in a step.
pub struct Scratch {
    bands: Vec<Bands>,
    /// `[rows][6144]`: what the filter's decoder sees of the encoder.
    c0: Vec<f32>,
    /// `[rows][3072]`.
    c1: Vec<f32>,
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
    gru: GruScratch,
    conv: ConvScratch,
}

impl Scratch {
    /// For up to `n_rows` channels.
    pub fn new(model: &NativeModel, n_rows: usize) -> Self {
        let n_hidden = model.config.emb_hidden.max(model.config.df_hidden);
        let zeros = |len: usize| vec![0.0; len];
        Self {
            bands: vec![Bands::ZERO; n_rows],
            c0: zeros(n_rows * C0_LEN),
            c1: zeros(n_rows * C1_LEN),
            emb: zeros(n_rows * N_EMB),
            wide: zeros(n_rows * N_EMB),
            hidden_in: zeros(n_rows * n_hidden),
            hidden: zeros(n_rows * n_hidden),
            coefs: zeros(n_rows * COEFS_LEN),
            gru: GruScratch::new(n_hidden, n_rows),
            conv: ConvScratch::new(model),
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
    pub(super) streams: &'a mut [Option<Box<[ChannelState]>>],
    pub(super) jobs: &'a mut [Job],
    pub(super) rows: &'a [Row],
}

impl Step<'_> {
    fn state(&mut self, row: Row) -> &mut ChannelState {
        state_of(self.streams, row)
    }

    /// Encodes every row: fills `bands`, `c0` and `emb` of the scratch and writes every channel's local SNR.
    pub fn encode(&mut self) {
        let (model, level) = (self.model, self.model.level);
        let net = &model.encoder;
        let Scratch { bands, c0, c1, conv, .. } = &mut *self.scratch;
        let buffers = bands.iter_mut().zip(c0.chunks_exact_mut(C0_LEN)).zip(c1.chunks_exact_mut(C1_LEN));
        for (&row, ((bands, c0), c1)) in self.rows.iter().zip(buffers) {
            let input = &self.jobs[row.job].input[row.channel];
            let state = state_of(self.streams, row);
            if self.jobs[row.job].update == StateUpdate::Restart {
                state.restart();
            }
            net.bands(level, &mut state.bands, &input.erb, conv, bands);
            net.bins(level, &mut state.bins, &input.cplx, conv, c0, c1);
            state.filter.push_noisy(&input.noisy);
        }
        let n = self.rows.len();
        let Scratch { c1, wide, bands, .. } = &mut *self.scratch;
        let wide = &mut wide[..n * N_EMB];
        net.df_fc_emb.apply(level, &c1[..n * C1_LEN], wide);
        for (embedded, bands) in wide.chunks_exact_mut(N_EMB).zip(bands) {
            Encoder::join(embedded, bands);
        }
        self.gru_stack(&net.gru, Stack::Encoder, None);
        let n_hidden = net.gru.n_hidden();
        let Scratch { hidden_in, emb, .. } = &mut *self.scratch;
        let emb = &mut emb[..n * N_EMB];
        linear_relu(level, &net.linear_out, &hidden_in[..n * n_hidden], emb);
        for (row, emb) in self.rows.iter().zip(emb.chunks_exact(N_EMB)) {
            self.jobs[row.job].output[row.channel].lsnr_db = net.lsnr_db(level, emb);
        }
    }

    /// Writes the masks of the rows whose indices are `chosen`.
    pub(crate) fn decode_mask(&mut self, chosen: &[usize]) {
        let (model, level, n) = (self.model, self.model.level, chosen.len());
        let net = &model.erb_decoder;
        self.gather(chosen);
        self.gru_stack(&net.gru, Stack::Erb, Some(chosen));
        let n_hidden = net.gru.n_hidden();
        let Scratch { hidden_in, wide, bands, conv, .. } = &mut *self.scratch;
        linear_relu(level, &net.linear_out, &hidden_in[..n * n_hidden], &mut wide[..n * N_EMB]);
        for (&at, below) in chosen.iter().zip(wide.chunks_exact_mut(N_EMB)) {
            let row = self.rows[at];
            let state = &mut state_of(self.streams, row).mask;
            let mask = &mut self.jobs[row.job].output[row.channel].mask;
            net.mask(level, state, &bands[at], below, conv, mask);
        }
    }

    /// Filters the low bins of the rows whose indices are `chosen`.
    pub(crate) fn decode_filter(&mut self, chosen: &[usize]) {
        let (model, level, n) = (self.model, self.model.level, chosen.len());
        let net = &model.df_decoder;
        self.gather(chosen);
        self.gru_stack(&net.gru, Stack::Df, Some(chosen));
        let len = n * net.gru.n_hidden();
        // The stack has left the gathered embeddings in place.
        let Scratch { hidden_in, hidden, wide, coefs, c0, conv, .. } = &mut *self.scratch;
        let coefs = &mut coefs[..n * COEFS_LEN];
        net.coefs(level, &wide[..n * N_EMB], &mut hidden_in[..len], &mut hidden[..len], coefs);
        for (&at, coefs) in chosen.iter().zip(coefs.chunks_exact_mut(COEFS_LEN)) {
            let row = self.rows[at];
            let state = &mut state_of(self.streams, row).filter;
            let c0 = &c0[at * C0_LEN..(at + 1) * C0_LEN];
            let filtered = &mut self.jobs[row.job].output[row.channel].filtered;
            net.filter(level, state, c0, coefs, conv, filtered);
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
                h.copy_from_slice(&self.state(row(i)).hidden(which)[l]);
            }
            let Scratch { hidden_in, gru, .. } = &mut *self.scratch;
            layer.apply(level, &hidden_in[..len], &mut hidden[..len], gru);
            for (i, h) in hidden[..len].chunks_exact(n_hidden).enumerate() {
                if self.jobs[row(i).job].update != StateUpdate::Hold {
                    self.state(row(i)).hidden(which)[l].copy_from_slice(h);
                }
            }
            self.scratch.hidden = std::mem::replace(&mut self.scratch.hidden_in, hidden);
        }
    }
}

/// The state of a row's channel, borrowed apart from the scratch.
fn state_of(streams: &mut [Option<Box<[ChannelState]>>], row: Row) -> &mut ChannelState {
    &mut streams[row.stream].as_mut().expect("rows name open streams")[row.channel]
}

impl ChannelState {
    fn hidden(&mut self, stack: Stack) -> &mut [Box<[f32]>] {
        match stack {
            Stack::Encoder => &mut self.encoder_gru,
            Stack::Erb => &mut self.erb_gru,
            Stack::Df => &mut self.df_gru,
        }
    }
}
