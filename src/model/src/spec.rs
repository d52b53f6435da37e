//! Numbers shared by every DeepFilterNet3 model. An archive whose `config.ini` says otherwise is refused.

/// Sample rate of the network, in hertz.
pub const SAMPLE_RATE_HZ: u32 = 48_000;
/// Samples transformed per frame: 20 ms.
pub const N_FFT: usize = 960;
/// Samples between frames: 10 ms, half a window.
pub const HOP: usize = 480;
/// FFT lines of a frame.
pub const N_BINS: usize = N_FFT / 2 + 1;
/// ERB bands of the mask.
pub const N_BANDS: usize = 32;
/// Bins that the deep filter replaces: 0 to 4750 Hz.
pub const N_DF_BINS: usize = 96;
/// Frames that the deep filter spans.
pub const DF_ORDER: usize = 5;
/// Channels of the convolutions.
pub const N_CONV: usize = 64;
/// Width of the embedding between encoder and decoders.
pub const N_EMB: usize = N_CONV * N_BANDS / 4;
/// Least bins of an ERB band.
pub const MIN_BAND_BINS: usize = 2;
/// Lower end of the local SNR's range, in dB.
pub const LSNR_MIN_DB: f32 = -15.0;
/// Upper end of the local SNR's range, in dB.
pub const LSNR_MAX_DB: f32 = 35.0;
/// Frames and bins that the first convolutions of both encoder branches span.
pub const INPUT_KERNEL: usize = 3;
/// Bins that the other convolutions span.
pub const KERNEL_F: usize = 3;
/// Frames that the deep-filter decoder's pathway convolution spans.
pub(crate) const DF_PATHWAY_KERNEL_T: usize = 5;
/// Groups of the deep-filter decoder's first linear layer; the reference model hard-codes them.
pub const DF_GRU_LINEAR_GROUPS: usize = 8;
