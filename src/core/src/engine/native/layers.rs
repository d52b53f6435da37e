//! Groups of layers as one channel's hop meets them, and what stands between the large products. Never allocates.
//!
//! A step over many streams and the passes of a sequence both call these, so that they cannot differ.

use tacet_model::{DF_ORDER, LSNR_MAX_DB, LSNR_MIN_DB, N_BANDS, N_CONV, N_DF_BINS, N_EMB};

use super::conv::{FilterPathway, Sums};
use super::grouped::Grouped;
use super::math::{relu, sigmoid, tanh};
use super::network::{DfDecoder, Encoder, ErbDecoder, NativeModel};
use super::simd::{Kernel, Simd, SimdLevel, run};
use super::state::{BandState, BinState, FilterState, MaskState};
use crate::frame::{Complex32, LowBins, Mask};

/// Floats of a frame of `c0`, the encoder's first convolution over low bins.
pub(crate) const C0_LEN: usize = N_DF_BINS * N_CONV;
/// Floats of a frame of `c1`, its second one.
pub(crate) const C1_LEN: usize = C0_LEN / 2;
/// Floats of the deep filter's coefficients of a frame: (re, im) per bin and tap.
pub(crate) const COEFS_LEN: usize = N_DF_BINS * 2 * DF_ORDER;

/// The encoder's convolutions over bands, which the mask decoder sees again.
#[derive(Clone)]
pub struct Bands {
    pub(super) e0: [f32; N_BANDS * N_CONV],
    pub(super) e1: [f32; N_BANDS / 2 * N_CONV],
    pub(super) e2: [f32; N_BANDS / 4 * N_CONV],
    pub(super) e3: [f32; N_BANDS / 4 * N_CONV],
}

impl Bands {
    /// All values 0.
    pub const ZERO: Self = Self {
        e0: [0.0; N_BANDS * N_CONV],
        e1: [0.0; N_BANDS / 2 * N_CONV],
        e2: [0.0; N_BANDS / 4 * N_CONV],
        e3: [0.0; N_BANDS / 4 * N_CONV],
    };
}

/// Buffers of one channel's convolutions.
pub struct ConvScratch {
    patches: Vec<f32>,
    between: Vec<f32>,
    up: [Vec<f32>; 2],
    pathway: Vec<f32>,
    pathway_out: Vec<f32>,
}

impl ConvScratch {
    /// For every convolution of the model.
    pub fn new(model: &NativeModel) -> Self {
        let zeros = |len: usize| vec![0.0; len];
        let net = &model.encoder;
        Self {
            patches: zeros(net.df_conv0.patch_len(N_DF_BINS).max(net.erb_conv0.patch_len(N_BANDS))),
            between: zeros(C0_LEN),
            up: [zeros(N_BANDS * N_CONV), zeros(N_BANDS * N_CONV)],
            pathway: zeros(FilterPathway::SCRATCH),
            pathway_out: zeros(COEFS_LEN),
        }
    }
}

impl Encoder {
    /// The convolutions over the bands of one hop: `erb` is its feature.
    pub fn bands(
        &self,
        level: SimdLevel,
        state: &mut BandState,
        erb: &[f32; N_BANDS],
        scratch: &mut ConvScratch,
        out: &mut Bands,
    ) {
        let ConvScratch { patches, between, .. } = scratch;
        let patches = &mut patches[..self.erb_conv0.patch_len(N_BANDS)];
        self.erb_conv0.apply(level, &mut state.erb_conv0, erb, patches, &mut out.e0);
        self.erb_conv1.apply(level, &mut state.erb_conv1, &out.e0, between, &mut out.e1);
        self.erb_conv2.apply(level, &mut state.erb_conv2, &out.e1, between, &mut out.e2);
        self.erb_conv3.apply(level, &mut state.erb_conv3, &out.e2, between, &mut out.e3);
    }

    /// The convolutions over the low bins of one hop: writes `c0` `[96][64]` and `c1` `[48][64]`.
    pub fn bins(
        &self,
        level: SimdLevel,
        state: &mut BinState,
        cplx: &LowBins,
        scratch: &mut ConvScratch,
        c0: &mut [f32],
        c1: &mut [f32],
    ) {
        let mut planar = [0.0; 2 * N_DF_BINS];
        for (bin, value) in cplx.iter().enumerate() {
            (planar[bin], planar[N_DF_BINS + bin]) = (value.re, value.im);
        }
        let ConvScratch { patches, between, .. } = scratch;
        let patches = &mut patches[..self.df_conv0.patch_len(N_DF_BINS)];
        self.df_conv0.apply(level, &mut state.df_conv0, &planar, patches, c0);
        self.df_conv1.apply(level, &mut state.df_conv1, c0, between, c1);
    }

    /// The stack's input: the rectified embedding of the bins, `[512]`, plus the last of the bands.
    pub fn join(embedded: &mut [f32], bands: &Bands) {
        for (sum, e3) in embedded.iter_mut().zip(&bands.e3) {
            *sum = sum.max(0.0) + e3;
        }
    }

    /// The local SNR in dB, of an embedding `[512]`.
    pub fn lsnr_db(&self, level: SimdLevel, emb: &[f32]) -> f32 {
        let logit = run(level, Dot { a: emb, b: &self.lsnr_weights }) + self.lsnr_bias;
        run(level, Sigmoid(logit)) * (LSNR_MAX_DB - LSNR_MIN_DB) + LSNR_MIN_DB
    }
}

impl ErbDecoder {
    /// The mask of one hop, of what the stack puts out, `below` `[512]`, and the encoder's `bands`.
    pub fn mask(
        &self,
        level: SimdLevel,
        state: &mut MaskState,
        bands: &Bands,
        below: &mut [f32],
        scratch: &mut ConvScratch,
        mask: &mut Mask,
    ) {
        debug_assert_eq!(below.len(), N_EMB);
        let Bands { e0, e1, e2, e3 } = bands;
        let ConvScratch { between, up: [a, b], .. } = scratch;
        self.conv3p.apply(level, e3, below);
        self.convt3.apply(level, &mut state.convt3, below, between, &mut a[..e3.len()]);
        self.conv2p.apply(level, e2, &mut a[..e2.len()]);
        self.convt2.apply(level, &a[..e2.len()], between, &mut b[..e1.len()]);
        self.conv1p.apply(level, e1, &mut b[..e1.len()]);
        self.convt1.apply(level, &b[..e1.len()], between, &mut a[..e0.len()]);
        self.conv0p.apply(level, e0, &mut a[..e0.len()]);
        self.conv0_out.apply(level, &mut state.conv0_out, &a[..e0.len()], mask);
    }
}

impl DfDecoder {
    /// The coefficients before their pathway, `[rows][960]`: of the embeddings `[rows][512]` and the stack's hidden states
    /// `[rows][hidden]`, which become their sum with what skips the stack; `skip` is as long.
    pub fn coefs(
        &self,
        level: SimdLevel,
        emb: &[f32],
        hidden: &mut [f32],
        skip: &mut [f32],
        coefs: &mut [f32],
    ) {
        self.skip.apply(level, emb, skip);
        for (sum, skip) in hidden.iter_mut().zip(skip) {
            *sum += *skip;
        }
        self.out.apply(level, hidden, coefs);
    }

    /// The filtered low bins of one hop, whose noisy ones the state has; finishes `coefs` `[960]`.
    pub fn filter(
        &self,
        level: SimdLevel,
        state: &mut FilterState,
        c0: &[f32],
        coefs: &mut [f32],
        scratch: &mut ConvScratch,
        filtered: &mut LowBins,
    ) {
        let ConvScratch { pathway, pathway_out, .. } = scratch;
        self.convp.apply(level, &mut state.convp, c0, pathway, pathway_out);
        run(level, Coefs { coefs, pathway: pathway_out });
        deep_filter(coefs, &state.noisy, filtered);
    }
}

/// `y[r] = max(W x[r], 0)` for every row.
pub(crate) fn linear_relu(level: SimdLevel, linear: &Grouped, x: &[f32], y: &mut [f32]) {
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
        let mut sums = Sums::new(s);
        sums.add(s, self.a, self.b);
        sums.total(s)
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
fn deep_filter(coefs: &[f32], frames: &[LowBins; DF_ORDER], out: &mut LowBins) {
    for ((f, out), taps) in out.iter_mut().enumerate().zip(coefs.as_chunks::<{ 2 * DF_ORDER }>().0) {
        let mut sum = Complex32::default();
        for (frame, tap) in frames.iter().zip(taps.as_chunks::<2>().0) {
            sum += frame[f] * Complex32::new(tap[0], tap[1]);
        }
        *out = sum;
    }
}
