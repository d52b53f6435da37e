//! The network over many hops of one stream, in passes: the same layers as a [step](super::step), bit-identical to it.
//!
//! A row is a channel of a hop, hop after hop. Grouped linear layers and the GRUs' input products take all rows of a chunk
//! at once, so that their weights are read once per chunk. Convolutions go row by row, their weights in the first-level
//! cache. Only the recurrent products go hop by hop, one layer after the other: a layer's matrix then stays in the
//! second-level cache for the whole chunk.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tacet_model::N_EMB;

use super::layers::{Bands, C0_LEN, C1_LEN, COEFS_LEN, ConvScratch, linear_relu};
use super::network::{Encoder, NativeModel, Stack};
use super::rounded::RoundedRows;
use super::state::{BandState, BinState, FilterState, MaskState};
use crate::engine::sequence::{Hops, Pass, SequenceEngine};
use crate::engine::{EngineError, Stage, StateUpdate};

/// Rows of which a pass keeps what it does not hand on. A multiple of every tile.
const BLOCK_ROWS: usize = 12;

/// The network on the CPU for one recording.
pub struct NativeSequence {
    model: Arc<NativeModel>,
    n_channels: usize,
}

impl NativeSequence {
    /// Channels of all hops of a chunk: long enough for reading a layer's weights anew to be a few percent of the work, short
    /// enough for the chunks of sixteen threads to stay small. A multiple of every tile of a matrix product.
    pub const CHUNK_ROWS: usize = 60;

    /// For a stream of `n_channels` channels.
    pub fn new(model: Arc<NativeModel>, n_channels: usize) -> Self {
        Self { model, n_channels: n_channels.max(1) }
    }
}

/// Buffers that the passes hand on. All rows of decoders are those of the hops for which they run, in order.
pub struct Work {
    bands: Vec<Bands>,
    /// `[rows][6144]`.
    c0: Vec<f32>,
    /// `[rows][512]`.
    emb: Vec<f32>,
    /// `[rows][512]`: what a stack takes.
    wide: Vec<f32>,
    /// `[rows][hidden]`: what a layer takes and puts out.
    hidden: Vec<f32>,
    /// `[rows][3 hidden]`: a layer's input products.
    products: Vec<f32>,
    /// Hops for which the mask's decoder runs.
    masked: Vec<usize>,
    /// Hops for which the deep filter's decoder runs.
    full: Vec<usize>,
}

impl Work {
    /// How many rows a stack sees.
    fn n_rows(&self, stack: Stack, hops: &Hops) -> usize {
        let n_hops = match stack {
            Stack::Encoder => hops.n_hops(),
            Stack::Erb => self.masked.len(),
            Stack::Df => self.full.len(),
        };
        n_hops * hops.n_channels()
    }

    /// Copies the embeddings of the rows that a decoder's stack sees to `wide`.
    fn gather(&mut self, stack: Stack, n_channels: usize) {
        let chosen = match stack {
            Stack::Encoder => return,
            Stack::Erb => &self.masked,
            Stack::Df => &self.full,
        };
        let len = n_channels * N_EMB;
        for (to, &hop) in self.wide.chunks_exact_mut(len).zip(chosen) {
            to.copy_from_slice(&self.emb[hop * len..(hop + 1) * len]);
        }
    }
}

impl SequenceEngine for NativeSequence {
    type Work = Work;

    fn n_channels(&self) -> usize {
        self.n_channels
    }

    fn lookahead_hops(&self) -> usize {
        self.model.config().lookahead()
    }

    fn norm_alpha(&self) -> f32 {
        self.model.config().norm_alpha
    }

    fn chunk_hops(&self) -> usize {
        (Self::CHUNK_ROWS / self.n_channels).max(1)
    }

    fn work(&self) -> Work {
        let n_rows = self.chunk_hops() * self.n_channels;
        let n_hidden = self.model.config.emb_hidden.max(self.model.config.df_hidden);
        let zeros = |len: usize| vec![0.0; n_rows * len];
        Work {
            bands: vec![Bands::ZERO; n_rows],
            c0: zeros(C0_LEN),
            emb: zeros(N_EMB),
            wide: zeros(N_EMB),
            hidden: zeros(n_hidden),
            products: zeros(3 * n_hidden),
            masked: Vec::with_capacity(self.chunk_hops()),
            full: Vec::with_capacity(self.chunk_hops()),
        }
    }

    fn into_passes(self) -> Vec<Box<dyn Pass<Work>>> {
        let Self { model, n_channels } = self;
        let config = &model.config;
        let conv = || ConvScratch::new(&model);
        let mut passes: Vec<Box<dyn Pass<Work>>> = vec![
            Box::new(BandPass {
                model: model.clone(),
                states: (0..n_channels).map(|_| BandState::new(config)).collect(),
                conv: conv(),
            }),
            Box::new(BinPass {
                model: model.clone(),
                states: (0..n_channels).map(|_| BinState::new(config)).collect(),
                conv: conv(),
                c1: vec![0.0; BLOCK_ROWS * C1_LEN],
            }),
        ];
        stack_passes(&mut passes, &model, Stack::Encoder, n_channels);
        passes.push(Box::new(EmbeddingPass { model: model.clone() }));
        stack_passes(&mut passes, &model, Stack::Erb, n_channels);
        passes.push(Box::new(MaskPass {
            model: model.clone(),
            states: (0..n_channels).map(|_| MaskState::new(config)).collect(),
            conv: conv(),
        }));
        stack_passes(&mut passes, &model, Stack::Df, n_channels);
        passes.push(Box::new(FilterPass {
            states: (0..n_channels).map(|_| FilterState::new()).collect(),
            conv: conv(),
            skip: vec![0.0; BLOCK_ROWS.max(n_channels) * config.df_hidden],
            coefs: vec![0.0; BLOCK_ROWS.max(n_channels) * COEFS_LEN],
            model,
        }));
        passes
    }
}

/// Two passes for each layer of a stack: the products that do not depend on its state, and the recurrence.
fn stack_passes(
    passes: &mut Vec<Box<dyn Pass<Work>>>,
    model: &Arc<NativeModel>,
    stack: Stack,
    n_channels: usize,
) {
    let n_hidden = model.stack(stack).n_hidden();
    for layer in 0..model.stack(stack).layers.len() {
        let rows = RoundedRows::for_inputs(0);
        passes.push(Box::new(InputPass { model: model.clone(), stack, layer, rows }));
        passes.push(Box::new(RecurrentPass {
            model: model.clone(),
            stack,
            layer,
            h: vec![0.0; n_channels * n_hidden].into(),
            products: vec![0.0; 3 * n_channels * n_hidden],
            rounded: RoundedRows::for_inputs(n_channels * n_hidden),
        }));
    }
}

/// The encoder's convolutions over bands.
struct BandPass {
    model: Arc<NativeModel>,
    states: Box<[BandState]>,
    conv: ConvScratch,
}

impl Pass<Work> for BandPass {
    fn run(&mut self, hops: &mut Hops, work: &mut Work) -> Result<(), EngineError> {
        let Self { model, states, conv } = self;
        for (row, (input, bands)) in hops.inputs().iter().zip(&mut work.bands).enumerate() {
            let state = &mut states[row % hops.n_channels()];
            model.encoder.bands(model.level, state, &input.erb, conv, bands);
        }
        Ok(())
    }
}

/// The encoder's convolutions over low bins, and the embedding of both.
struct BinPass {
    model: Arc<NativeModel>,
    states: Box<[BinState]>,
    conv: ConvScratch,
    c1: Vec<f32>,
}

impl Pass<Work> for BinPass {
    fn run(&mut self, hops: &mut Hops, work: &mut Work) -> Result<(), EngineError> {
        let Self { model, states, conv, c1 } = self;
        let (net, level) = (&model.encoder, model.level);
        let mut row = 0;
        for inputs in hops.inputs().chunks(BLOCK_ROWS) {
            let rows = row..row + inputs.len();
            let c0 = work.c0[rows.start * C0_LEN..].chunks_exact_mut(C0_LEN);
            for ((input, c0), c1) in inputs.iter().zip(c0).zip(c1.chunks_exact_mut(C1_LEN)) {
                net.bins(level, &mut states[row % hops.n_channels()], &input.cplx, conv, c0, c1);
                row += 1;
            }
            let wide = &mut work.wide[rows.start * N_EMB..rows.end * N_EMB];
            net.df_fc_emb.apply(level, &c1[..inputs.len() * C1_LEN], wide);
            for (embedded, bands) in wide.chunks_exact_mut(N_EMB).zip(&work.bands[rows]) {
                Encoder::join(embedded, bands);
            }
        }
        Ok(())
    }
}

/// Contribution of a layer's input to its gates; for a stack's first layer with the linear one in front.
struct InputPass {
    model: Arc<NativeModel>,
    stack: Stack,
    layer: usize,
    rows: RoundedRows,
}

impl Pass<Work> for InputPass {
    fn run(&mut self, hops: &mut Hops, work: &mut Work) -> Result<(), EngineError> {
        let (stack, level) = (self.model.stack(self.stack), self.model.level);
        let n = work.n_rows(self.stack, hops);
        let len = n * stack.n_hidden();
        if self.layer == 0 {
            work.gather(self.stack, hops.n_channels());
            linear_relu(level, &stack.linear_in, &work.wide[..n * N_EMB], &mut work.hidden[..len]);
        }
        let products = &mut work.products[..3 * len];
        stack.layers[self.layer].input_products(level, &work.hidden[..len], products, &mut self.rows);
        Ok(())
    }
}

/// A layer's recurrence, hop by hop.
struct RecurrentPass {
    model: Arc<NativeModel>,
    stack: Stack,
    layer: usize,
    /// The states, `[channels][hidden]`.
    h: Box<[f32]>,
    products: Vec<f32>,
    rounded: RoundedRows,
}

impl Pass<Work> for RecurrentPass {
    fn run(&mut self, hops: &mut Hops, work: &mut Work) -> Result<(), EngineError> {
        let Self { model, stack, layer, h, products, rounded } = self;
        let (layer, level) = (&model.stack(*stack).layers[*layer], model.level);
        let len = work.n_rows(*stack, hops) * layer.n_hidden();
        let Work { products: inputs, hidden, masked, full, .. } = work;
        let mut rows =
            inputs[..3 * len].chunks_exact(3 * h.len()).zip(hidden[..len].chunks_exact_mut(h.len()));
        let mut chosen = match stack {
            Stack::Encoder => None,
            Stack::Erb => Some(masked.iter().copied()),
            Stack::Df => Some(full.iter().copied()),
        };
        let mut next = chosen.as_mut().map(Iterator::next);
        for (hop, update) in hops.updates().iter().enumerate() {
            if *update == StateUpdate::Restart {
                h.fill(0.0);
            }
            // A decoder's rows are those of the hops for which it runs.
            if next.is_some_and(|next| next != Some(hop)) {
                continue;
            }
            next = chosen.as_mut().map(Iterator::next);
            let Some((input, hidden)) = rows.next() else { break };
            hidden.copy_from_slice(h);
            layer.advance(level, input, hidden, products, rounded);
            if *update != StateUpdate::Hold {
                h.copy_from_slice(hidden);
            }
        }
        Ok(())
    }
}

/// The embedding, the local SNR, and the decision which decoders run.
struct EmbeddingPass {
    model: Arc<NativeModel>,
}

impl Pass<Work> for EmbeddingPass {
    fn run(&mut self, hops: &mut Hops, work: &mut Work) -> Result<(), EngineError> {
        let (net, level) = (&self.model.encoder, self.model.level);
        let n = hops.inputs().len();
        let hidden = &work.hidden[..n * net.gru.n_hidden()];
        linear_relu(level, &net.linear_out, hidden, &mut work.emb[..n * N_EMB]);
        for (output, emb) in hops.split_mut().1.iter_mut().zip(work.emb.chunks_exact(N_EMB)) {
            output.lsnr_db = net.lsnr_db(level, emb);
        }
        hops.decide();
        work.masked.clear();
        work.full.clear();
        for (hop, stage) in hops.stages().iter().enumerate() {
            if stage.has_mask() {
                work.masked.push(hop);
            }
            if *stage == Stage::Full {
                work.full.push(hop);
            }
        }
        Ok(())
    }
}

/// The mask decoder behind its stack.
struct MaskPass {
    model: Arc<NativeModel>,
    states: Box<[MaskState]>,
    conv: ConvScratch,
}

impl Pass<Work> for MaskPass {
    fn run(&mut self, hops: &mut Hops, work: &mut Work) -> Result<(), EngineError> {
        let Self { model, states, conv } = self;
        let (net, level) = (&model.erb_decoder, model.level);
        let n = work.n_rows(Stack::Erb, hops);
        let n_channels = hops.n_channels();
        let Work { hidden, wide, bands, masked, .. } = work;
        let wide = &mut wide[..n * N_EMB];
        linear_relu(level, &net.linear_out, &hidden[..n * net.gru.n_hidden()], wide);
        let outputs = hops.split_mut().1;
        for (&hop, below) in masked.iter().zip(wide.chunks_exact_mut(n_channels * N_EMB)) {
            for (channel, below) in below.chunks_exact_mut(N_EMB).enumerate() {
                let row = hop * n_channels + channel;
                let mask = &mut outputs[row].mask;
                net.mask(level, &mut states[channel], &bands[row], below, conv, mask);
            }
        }
        Ok(())
    }
}

/// The deep filter's decoder behind its stack, and the filter.
struct FilterPass {
    model: Arc<NativeModel>,
    states: Box<[FilterState]>,
    conv: ConvScratch,
    skip: Vec<f32>,
    coefs: Vec<f32>,
}

impl Pass<Work> for FilterPass {
    fn run(&mut self, hops: &mut Hops, work: &mut Work) -> Result<(), EngineError> {
        let Self { model, states, conv, skip, coefs } = self;
        let (net, level) = (&model.df_decoder, model.level);
        let (n_channels, n_hidden) = (hops.n_channels(), net.gru.n_hidden());
        let (inputs, outputs) = hops.split_mut();
        // The filter sees the noisy frames of all hops, also of those for which its decoder does not run.
        let mut n_seen = 0;
        let mut see = |states: &mut [FilterState], n_hops: usize| {
            for inputs in inputs[n_seen * n_channels..n_hops * n_channels].chunks_exact(n_channels) {
                states.iter_mut().zip(inputs).for_each(|(state, input)| state.push_noisy(&input.noisy));
            }
            n_seen = n_hops;
        };
        let Work { hidden, wide, c0, full, .. } = work;
        let block_hops = (BLOCK_ROWS / n_channels).max(1);
        let rows = wide
            .chunks_mut(block_hops * n_channels * N_EMB)
            .zip(hidden.chunks_mut(block_hops * n_channels * n_hidden));
        for (block, (emb, hidden)) in full.chunks(block_hops).zip(rows) {
            let n = block.len() * n_channels;
            let (hidden, skip) = (&mut hidden[..n * n_hidden], &mut skip[..n * n_hidden]);
            let coefs = &mut coefs[..n * COEFS_LEN];
            net.coefs(level, &emb[..n * N_EMB], hidden, skip, coefs);
            for (&hop, coefs) in block.iter().zip(coefs.chunks_exact_mut(n_channels * COEFS_LEN)) {
                see(states, hop + 1);
                for (channel, coefs) in coefs.chunks_exact_mut(COEFS_LEN).enumerate() {
                    let row = hop * n_channels + channel;
                    let c0 = &c0[row * C0_LEN..(row + 1) * C0_LEN];
                    let filtered = &mut outputs[row].filtered;
                    net.filter(level, &mut states[channel], c0, coefs, conv, filtered);
                }
            }
        }
        see(states, inputs.len() / n_channels);
        Ok(())
    }
}
