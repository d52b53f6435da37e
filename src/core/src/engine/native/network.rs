//! The layers of DeepFilterNet3 with packed weights, shared by all streams of a process.

use std::sync::Arc;

use tacet_model::{Config, DF_GRU_LINEAR_GROUPS, DF_ORDER, Model, ModelError, N_CONV, N_DF_BINS, N_EMB};

use super::conv::{FilterPathway, InputConv, MaskConv, Pathway, Separable, Transposed};
use super::grouped::Grouped;
use super::gru::{Gru, Precision};
use super::memory::WeightMemory;
use super::simd::SimdLevel;

/// A grouped linear layer in front of a stack of GRUs.
pub struct GruStack {
    pub(super) linear_in: Grouped,
    pub(super) layers: Vec<Gru>,
}

impl GruStack {
    /// Units of every layer.
    pub(crate) fn n_hidden(&self) -> usize {
        self.layers[0].n_hidden()
    }
}

/// The stacks of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// The encoder's.
    Encoder,
    /// The mask decoder's.
    Erb,
    /// The deep filter decoder's.
    Df,
}

/// The encoder's layers.
pub struct Encoder {
    pub(super) erb_conv0: InputConv,
    pub(super) erb_conv1: Separable,
    pub(super) erb_conv2: Separable,
    pub(super) erb_conv3: Separable,
    pub(super) df_conv0: InputConv,
    pub(super) df_conv1: Separable,
    pub(super) df_fc_emb: Grouped,
    pub(super) gru: GruStack,
    pub(super) linear_out: Grouped,
    pub(super) lsnr_weights: Vec<f32>,
    pub(super) lsnr_bias: f32,
}

/// The mask decoder's layers.
pub struct ErbDecoder {
    pub(super) gru: GruStack,
    pub(super) linear_out: Grouped,
    pub(super) conv3p: Pathway,
    pub(super) convt3: Separable,
    pub(super) conv2p: Pathway,
    pub(super) convt2: Transposed,
    pub(super) conv1p: Pathway,
    pub(super) convt1: Transposed,
    pub(super) conv0p: Pathway,
    pub(super) conv0_out: MaskConv,
}

/// The deep filter decoder's layers.
pub struct DfDecoder {
    pub(super) gru: GruStack,
    pub(super) skip: Grouped,
    pub(super) out: Grouped,
    pub(super) convp: FilterPathway,
}

/// A model packed for the CPU: immutable, shared by every engine and stream that uses it.
pub struct NativeModel {
    pub(super) config: Config,
    pub(super) level: SimdLevel,
    pub(super) precision: Precision,
    pub(super) encoder: Encoder,
    pub(super) erb_decoder: ErbDecoder,
    pub(super) df_decoder: DfDecoder,
}

impl NativeModel {
    /// Packs the published weights, exact.
    ///
    /// # Errors
    /// [`ModelError`] naming the tensor or the configuration value that does not fit.
    pub fn new(model: &Model) -> Result<Arc<Self>, ModelError> {
        Self::with(model, Precision::F32, SimdLevel::get())
    }

    /// Packs with the GRU weights at `precision`, for the instruction set `level`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(model: &Model, precision: Precision, level: SimdLevel) -> Result<Arc<Self>, ModelError> {
        let reader = Reader { model, precision, memory: WeightMemory::for_bytes(n_bytes(model, precision)) };
        let encoder = reader.encoder()?;
        let erb_decoder = reader.erb_decoder()?;
        let df_decoder = reader.df_decoder()?;
        let config = model.config.clone();
        Ok(Arc::new(Self { config, level, precision, encoder, erb_decoder, df_decoder }))
    }

    /// The model's configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The instruction set its engines use.
    pub fn level(&self) -> SimdLevel {
        self.level
    }

    /// How the GRU weights are stored.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The stack of that name.
    pub(super) fn stack(&self, stack: Stack) -> &GruStack {
        match stack {
            Stack::Encoder => &self.encoder.gru,
            Stack::Erb => &self.erb_decoder.gru,
            Stack::Df => &self.df_decoder.gru,
        }
    }
}

/// Bytes of the packed weights, to a few per cent: those of GRUs have 16 bits or 32.
fn n_bytes(model: &Model, precision: Precision) -> usize {
    let size = |name: &str| match precision {
        Precision::I16 if name.contains(".gru") => size_of::<i16>(),
        _ => size_of::<f32>(),
    };
    model.tensors().map(|(name, tensor)| tensor.data.len() * size(name)).sum()
}

/// Takes layers out of a model by their canonical names.
struct Reader<'a> {
    model: &'a Model,
    precision: Precision,
    memory: WeightMemory,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Result<&[f32], ModelError> {
        Ok(&self.model.tensor(name)?.data)
    }

    fn separable(&self, layer: &str, kernel_t: usize, stride: usize) -> Result<Separable, ModelError> {
        let [depthwise, pointwise, bias] = self.separable_parts(layer)?;
        Ok(Separable::new(depthwise, kernel_t, pointwise, bias, stride, &self.memory))
    }

    fn transposed(&self, layer: &str) -> Result<Transposed, ModelError> {
        let [depthwise, pointwise, bias] = self.separable_parts(layer)?;
        Ok(Transposed::new(depthwise, pointwise, bias, &self.memory))
    }

    fn separable_parts(&self, layer: &str) -> Result<[&[f32]; 3], ModelError> {
        Ok([
            self.get(&format!("{layer}.dw.w"))?,
            self.get(&format!("{layer}.pw.w"))?,
            self.get(&format!("{layer}.pw.b"))?,
        ])
    }

    fn grouped(
        &self,
        layer: &str,
        n_groups: usize,
        n_in: usize,
        n_out: usize,
    ) -> Result<Grouped, ModelError> {
        let weights = self.get(&format!("{layer}.w"))?;
        Ok(Grouped::new(weights, n_groups, n_in / n_groups, n_out / n_groups, &self.memory))
    }

    fn pathway(&self, layer: &str) -> Result<Pathway, ModelError> {
        Ok(Pathway::new(self.get(&format!("{layer}.w"))?, self.get(&format!("{layer}.b"))?))
    }

    fn gru_stack(
        &self,
        name: &str,
        groups: usize,
        n_hidden: usize,
        n_layers: usize,
    ) -> Result<GruStack, ModelError> {
        if !n_hidden.is_multiple_of(Gru::WIDTH_STEP) {
            let key = if name.starts_with("df") { "df_hidden_dim" } else { "emb_hidden_dim" };
            let reason = format!("{n_hidden} is no multiple of {}", Gru::WIDTH_STEP);
            return Err(ModelError::Config { section: "deepfilternet", key, reason });
        }
        let layer = |i: usize| {
            Ok(Gru::new(
                self.get(&format!("{name}.gru{i}.W"))?,
                self.get(&format!("{name}.gru{i}.R"))?,
                self.get(&format!("{name}.gru{i}.b"))?,
                self.precision,
                &self.memory,
            ))
        };
        Ok(GruStack {
            linear_in: self.grouped(&format!("{name}.linear_in"), groups, N_EMB, n_hidden)?,
            layers: (0..n_layers).map(layer).collect::<Result<_, _>>()?,
        })
    }

    fn encoder(&self) -> Result<Encoder, ModelError> {
        let Config { conv_kernel_t: kt, linear_groups, emb_hidden, .. } = self.model.config;
        let [df0_grouped, df0_pointwise, df0_bias] = self.separable_parts("enc.df_conv0")?;
        let c1_len = N_CONV * N_DF_BINS / 2;
        Ok(Encoder {
            erb_conv0: InputConv::dense(
                self.get("enc.erb_conv0.w")?,
                self.get("enc.erb_conv0.b")?,
                &self.memory,
            ),
            erb_conv1: self.separable("enc.erb_conv1", kt, 2)?,
            erb_conv2: self.separable("enc.erb_conv2", kt, 2)?,
            erb_conv3: self.separable("enc.erb_conv3", kt, 1)?,
            df_conv0: InputConv::merged(df0_grouped, df0_pointwise, df0_bias, &self.memory),
            df_conv1: self.separable("enc.df_conv1", kt, 2)?,
            df_fc_emb: self.grouped("enc.df_fc_emb", self.model.config.enc_linear_groups, c1_len, N_EMB)?,
            gru: self.gru_stack("enc.emb_gru", linear_groups, emb_hidden, 1)?,
            linear_out: self.grouped("enc.emb_gru.linear_out", linear_groups, emb_hidden, N_EMB)?,
            lsnr_weights: self.get("enc.lsnr_fc.w")?.to_vec(),
            lsnr_bias: self.get("enc.lsnr_fc.b")?[0],
        })
    }

    fn erb_decoder(&self) -> Result<ErbDecoder, ModelError> {
        let Config { conv_kernel_t: kt, linear_groups, emb_hidden, n_erb_dec_gru, .. } = self.model.config;
        Ok(ErbDecoder {
            gru: self.gru_stack("erb_dec.emb_gru", linear_groups, emb_hidden, n_erb_dec_gru)?,
            linear_out: self.grouped("erb_dec.emb_gru.linear_out", linear_groups, emb_hidden, N_EMB)?,
            conv3p: self.pathway("erb_dec.conv3p")?,
            convt3: self.separable("erb_dec.convt3", kt, 1)?,
            conv2p: self.pathway("erb_dec.conv2p")?,
            convt2: self.transposed("erb_dec.convt2")?,
            conv1p: self.pathway("erb_dec.conv1p")?,
            convt1: self.transposed("erb_dec.convt1")?,
            conv0p: self.pathway("erb_dec.conv0p")?,
            conv0_out: MaskConv::new(
                self.get("erb_dec.conv0_out.w")?,
                kt,
                self.get("erb_dec.conv0_out.b")?[0],
            ),
        })
    }

    fn df_decoder(&self) -> Result<DfDecoder, ModelError> {
        let Config { linear_groups, df_hidden, n_df_gru, .. } = self.model.config;
        let [grouped, pointwise, bias] = self.separable_parts("df_dec.df_convp")?;
        Ok(DfDecoder {
            gru: self.gru_stack("df_dec.df_gru", DF_GRU_LINEAR_GROUPS, df_hidden, n_df_gru)?,
            skip: self.grouped("df_dec.df_skip", linear_groups, N_EMB, df_hidden)?,
            out: self.grouped("df_dec.df_out", linear_groups, df_hidden, N_DF_BINS * 2 * DF_ORDER)?,
            convp: FilterPathway::new(grouped, pointwise, bias, &self.memory),
        })
    }
}
