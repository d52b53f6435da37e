//! State of one channel between hops: 27 KB for DeepFilterNet3.
//!
//! In parts, one for each group of layers, so that each pass of a sequence owns its own.

use tacet_model::{Config, DF_ORDER, N_BANDS, N_CONV, N_DF_BINS};

use super::conv::{FilterPathway, InputConv};
use crate::frame::{LowBins, SILENT_LOW_BINS};

/// Earlier frames of the encoder's convolutions over bands.
#[derive(Clone, Debug)]
pub struct BandState {
    pub(super) erb_conv0: Box<[f32]>,
    pub(super) erb_conv1: Box<[f32]>,
    pub(super) erb_conv2: Box<[f32]>,
    pub(super) erb_conv3: Box<[f32]>,
}

/// Earlier frames of the encoder's convolutions over low bins.
#[derive(Clone, Debug)]
pub struct BinState {
    pub(super) df_conv0: Box<[f32]>,
    pub(super) df_conv1: Box<[f32]>,
}

/// Earlier frames of the mask decoder's convolutions.
#[derive(Clone, Debug)]
pub struct MaskState {
    pub(super) convt3: Box<[f32]>,
    pub(super) conv0_out: Box<[f32]>,
}

/// The deep filter's memory of earlier hops.
#[derive(Clone, Debug)]
pub struct FilterState {
    pub(super) convp: Box<[f32]>,
    /// The noisy low bins of the last [`DF_ORDER`] hops, oldest first.
    pub(super) noisy: Box<[LowBins; DF_ORDER]>,
}

/// The hidden states of a stack of GRUs, one per layer.
pub type HiddenStates = Box<[Box<[f32]>]>;

/// The recurrent state of one channel. All zero at the start.
#[derive(Clone, Debug)]
pub struct ChannelState {
    pub(super) bands: BandState,
    pub(super) bins: BinState,
    pub(super) mask: MaskState,
    pub(super) filter: FilterState,
    pub(super) encoder_gru: HiddenStates,
    pub(super) erb_gru: HiddenStates,
    pub(super) df_gru: HiddenStates,
}

fn zeros(n: usize) -> Box<[f32]> {
    vec![0.0; n].into_boxed_slice()
}

/// The frames of `n_freqs` frequencies that a convolution needs besides the newest one.
fn earlier(config: &Config, n_freqs: usize) -> Box<[f32]> {
    zeros((config.conv_kernel_t - 1) * n_freqs * N_CONV)
}

impl BandState {
    /// All state zero.
    pub fn new(config: &Config) -> Self {
        Self {
            erb_conv0: zeros(InputConv::HISTORY * N_BANDS),
            erb_conv1: earlier(config, N_BANDS),
            erb_conv2: earlier(config, N_BANDS / 2),
            erb_conv3: earlier(config, N_BANDS / 4),
        }
    }
}

impl BinState {
    /// All state zero.
    pub fn new(config: &Config) -> Self {
        Self { df_conv0: zeros(InputConv::HISTORY * 2 * N_DF_BINS), df_conv1: earlier(config, N_DF_BINS) }
    }
}

impl MaskState {
    /// All state zero.
    pub fn new(config: &Config) -> Self {
        Self { convt3: earlier(config, N_BANDS / 4), conv0_out: earlier(config, N_BANDS) }
    }
}

impl FilterState {
    /// All state zero.
    pub fn new() -> Self {
        Self { convp: zeros(FilterPathway::STATE), noisy: Box::new([SILENT_LOW_BINS; DF_ORDER]) }
    }

    /// Takes in the noisy low bins of the next hop.
    pub(crate) fn push_noisy(&mut self, noisy: &LowBins) {
        self.noisy.rotate_left(1);
        self.noisy[DF_ORDER - 1] = *noisy;
    }
}

/// The states of a stack of `n_layers` layers, all zero.
pub(crate) fn hidden_states(n_layers: usize, n_hidden: usize) -> HiddenStates {
    (0..n_layers).map(|_| zeros(n_hidden)).collect()
}

impl ChannelState {
    /// All state zero.
    pub fn new(config: &Config) -> Self {
        Self {
            bands: BandState::new(config),
            bins: BinState::new(config),
            mask: MaskState::new(config),
            filter: FilterState::new(),
            encoder_gru: hidden_states(1, config.emb_hidden),
            erb_gru: hidden_states(config.n_erb_dec_gru, config.emb_hidden),
            df_gru: hidden_states(config.n_df_gru, config.df_hidden),
        }
    }

    fn floats(&mut self) -> impl Iterator<Item = &mut [f32]> {
        [
            &mut self.bands.erb_conv0,
            &mut self.bands.erb_conv1,
            &mut self.bands.erb_conv2,
            &mut self.bands.erb_conv3,
            &mut self.bins.df_conv0,
            &mut self.bins.df_conv1,
            &mut self.mask.convt3,
            &mut self.mask.conv0_out,
            &mut self.filter.convp,
        ]
        .into_iter()
        .chain(&mut self.encoder_gru)
        .chain(&mut self.erb_gru)
        .chain(&mut self.df_gru)
        .map(|state| &mut **state)
    }

    /// The hidden states zero again.
    pub(super) fn restart(&mut self) {
        let hidden = self.encoder_gru.iter_mut().chain(&mut self.erb_gru).chain(&mut self.df_gru);
        hidden.for_each(|state| state.fill(0.0));
    }

    /// All state zero again. Does not allocate.
    pub fn reset(&mut self) {
        self.floats().for_each(|state| state.fill(0.0));
        *self.filter.noisy = [SILENT_LOW_BINS; DF_ORDER];
    }
}
