//! Names and shapes of the tensors that a configuration implies.
//!
//! Canonical names are `graph.layer[.part].role`: `.w` weight, `.b` bias; a separable convolution has `.dw` (depthwise
//! or grouped) and `.pw` (1x1) parts; a GRU has `.W`, `.R` and `.b` in ONNX gate order z, r, h.

use std::collections::BTreeMap;

use crate::{
    Config, DF_GRU_LINEAR_GROUPS, DF_ORDER, DF_PATHWAY_KERNEL_T, INPUT_KERNEL, KERNEL_F, N_BANDS, N_CONV,
    N_DF_BINS, N_EMB,
};

/// Shape of every tensor, by canonical name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    shapes: BTreeMap<String, Vec<usize>>,
}

impl Layout {
    /// The tensors of a model with this configuration.
    pub fn new(config: &Config) -> Self {
        let mut layout = Self::default();
        layout.encoder(config);
        layout.erb_decoder(config);
        layout.df_decoder(config);
        layout
    }

    /// Shape of a tensor, if the model has it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.shapes.get(name).map(Vec::as_slice)
    }

    /// Names and shapes in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// Number of tensors.
    pub fn n_tensors(&self) -> usize {
        self.shapes.len()
    }

    /// Number of weights in all tensors.
    pub fn n_parameters(&self) -> usize {
        self.shapes.values().map(|shape| shape.iter().product::<usize>()).sum()
    }

    fn encoder(&mut self, config: &Config) {
        let kt = config.conv_kernel_t;
        self.dense("enc.erb_conv0", [N_CONV, 1, INPUT_KERNEL, INPUT_KERNEL]);
        for layer in ["enc.erb_conv1", "enc.erb_conv2", "enc.erb_conv3", "enc.df_conv1"] {
            self.separable(layer, [N_CONV, 1, kt, KERNEL_F]);
        }
        self.separable("enc.df_conv0", [N_CONV, 1, INPUT_KERNEL, INPUT_KERNEL]);
        self.grouped_linear("enc.df_fc_emb", config.enc_linear_groups, N_CONV * N_DF_BINS / 2, N_EMB);
        self.emb_gru("enc.emb_gru", config, 1);
        self.linear_to_one("enc.lsnr_fc", N_EMB);
    }

    fn erb_decoder(&mut self, config: &Config) {
        let kt = config.conv_kernel_t;
        self.emb_gru("erb_dec.emb_gru", config, config.n_erb_dec_gru);
        for pathway in ["erb_dec.conv3p", "erb_dec.conv2p", "erb_dec.conv1p", "erb_dec.conv0p"] {
            self.dense(pathway, [N_CONV, 1, 1, 1]);
        }
        self.separable("erb_dec.convt3", [N_CONV, 1, kt, KERNEL_F]);
        for transposed in ["erb_dec.convt2", "erb_dec.convt1"] {
            self.separable(transposed, [N_CONV, 1, 1, KERNEL_F]);
        }
        self.dense("erb_dec.conv0_out", [1, N_CONV, kt, KERNEL_F]);
    }

    fn df_decoder(&mut self, config: &Config) {
        let (hidden, n_coefs) = (config.df_hidden, 2 * DF_ORDER);
        self.grouped_linear("df_dec.df_gru.linear_in", DF_GRU_LINEAR_GROUPS, N_EMB, hidden);
        self.grus("df_dec.df_gru", config.n_df_gru, hidden);
        self.grouped_linear("df_dec.df_skip", config.linear_groups, N_EMB, hidden);
        self.separable("df_dec.df_convp", [n_coefs, N_CONV / 2, DF_PATHWAY_KERNEL_T, 1]);
        // An output that no runtime uses; it belongs to the file all the same.
        self.linear_to_one("df_dec.df_fc_a", hidden);
        self.grouped_linear("df_dec.df_out", config.linear_groups, hidden, N_DF_BINS * n_coefs);
    }

    /// A convolution with bias, weights `[out, in / groups, frames, bins]`.
    fn dense(&mut self, layer: &str, shape: [usize; 4]) {
        self.insert(layer, "w", &shape);
        self.insert(layer, "b", &shape[..1]);
    }

    /// A grouped convolution without bias, then a 1x1 convolution with bias.
    fn separable(&mut self, layer: &str, shape: [usize; 4]) {
        let n_out = shape[0];
        self.insert(layer, "dw.w", &shape);
        self.insert(layer, "pw.w", &[n_out, n_out, 1, 1]);
        self.insert(layer, "pw.b", &[n_out]);
    }

    fn grouped_linear(&mut self, layer: &str, n_groups: usize, n_in: usize, n_out: usize) {
        self.insert(layer, "w", &[n_groups, n_in / n_groups, n_out / n_groups]);
    }

    fn linear_to_one(&mut self, layer: &str, n_in: usize) {
        self.insert(layer, "w", &[n_in, 1]);
        self.insert(layer, "b", &[1]);
    }

    fn emb_gru(&mut self, stack: &str, config: &Config, n_layers: usize) {
        let hidden = config.emb_hidden;
        self.grouped_linear(&format!("{stack}.linear_in"), config.linear_groups, N_EMB, hidden);
        self.grus(stack, n_layers, hidden);
        self.grouped_linear(&format!("{stack}.linear_out"), config.linear_groups, hidden, N_EMB);
    }

    fn grus(&mut self, stack: &str, n_layers: usize, hidden: usize) {
        for layer_idx in 0..n_layers {
            let layer = format!("{stack}.gru{layer_idx}");
            self.insert(&layer, "W", &[3 * hidden, hidden]);
            self.insert(&layer, "R", &[3 * hidden, hidden]);
            self.insert(&layer, "b", &[6 * hidden]);
        }
    }

    fn insert(&mut self, layer: &str, role: &str, shape: &[usize]) {
        self.shapes.insert(format!("{layer}.{role}"), shape.to_vec());
    }
}

const _: () = assert!(N_EMB == N_CONV * N_BANDS / 4, "the last ERB stage has a quarter of the bands");
