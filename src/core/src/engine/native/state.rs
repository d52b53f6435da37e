//! State of one channel between hops: 27 KB for DeepFilterNet3.

use tacet_model::{Config, DF_ORDER, N_BANDS, N_CONV, N_DF_BINS};

use super::conv::{FilterPathway, InputConv};
use crate::frame::Complex32;

/// The recurrent state of one channel. All zero at the start.
#[derive(Clone, Debug)]
pub struct Lane {
    pub(super) erb_conv0: Box<[f32]>,
    pub(super) erb_conv1: Box<[f32]>,
    pub(super) erb_conv2: Box<[f32]>,
    pub(super) erb_conv3: Box<[f32]>,
    pub(super) df_conv0: Box<[f32]>,
    pub(super) df_conv1: Box<[f32]>,
    pub(super) convt3: Box<[f32]>,
    pub(super) conv0_out: Box<[f32]>,
    pub(super) convp: Box<[f32]>,
    /// One hidden state per layer.
    pub(super) enc_gru: Box<[f32]>,
    pub(super) erb_gru: Box<[Box<[f32]>]>,
    pub(super) df_gru: Box<[Box<[f32]>]>,
    /// The noisy low bins of the last [`DF_ORDER`] hops, oldest first.
    pub(super) noisy: Box<[[Complex32; N_DF_BINS]; DF_ORDER]>,
}

impl Lane {
    /// All state zero.
    pub fn new(config: &Config) -> Self {
        let zeros = |n: usize| vec![0.0; n].into_boxed_slice();
        let earlier = |n_freqs: usize| zeros((config.conv_kernel_t - 1) * n_freqs * N_CONV);
        let layers = |n_layers: usize, n_hidden: usize| (0..n_layers).map(|_| zeros(n_hidden)).collect();
        Self {
            erb_conv0: zeros(InputConv::HISTORY * N_BANDS),
            erb_conv1: earlier(N_BANDS),
            erb_conv2: earlier(N_BANDS / 2),
            erb_conv3: earlier(N_BANDS / 4),
            df_conv0: zeros(InputConv::HISTORY * 2 * N_DF_BINS),
            df_conv1: earlier(N_DF_BINS),
            convt3: earlier(N_BANDS / 4),
            conv0_out: earlier(N_BANDS),
            convp: zeros(FilterPathway::STATE),
            enc_gru: zeros(config.emb_hidden),
            erb_gru: layers(config.n_erb_dec_gru, config.emb_hidden),
            df_gru: layers(config.n_df_gru, config.df_hidden),
            noisy: Box::new([[Complex32::default(); N_DF_BINS]; DF_ORDER]),
        }
    }

    fn floats(&mut self) -> impl Iterator<Item = &mut [f32]> {
        [
            &mut self.erb_conv0,
            &mut self.erb_conv1,
            &mut self.erb_conv2,
            &mut self.erb_conv3,
            &mut self.df_conv0,
            &mut self.df_conv1,
            &mut self.convt3,
            &mut self.conv0_out,
            &mut self.convp,
            &mut self.enc_gru,
        ]
        .into_iter()
        .chain(&mut self.erb_gru)
        .chain(&mut self.df_gru)
        .map(|state| &mut **state)
    }

    /// All state zero again. Does not allocate.
    pub fn reset(&mut self) {
        self.floats().for_each(|state| state.fill(0.0));
        *self.noisy = [[Complex32::default(); N_DF_BINS]; DF_ORDER];
    }
}
