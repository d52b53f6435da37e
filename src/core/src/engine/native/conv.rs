//! The convolutions of one frame. Activations are laid out `[frequency][64 channels]`, so a depthwise tap is a vector
//! product, a pointwise convolution is a matrix product with one row per frequency, and flattening costs nothing.

use tacet_model::{DF_ORDER, INPUT_KERNEL, KERNEL_F, MAX_KERNEL_T, N_CONV, N_DF_BINS};

use super::grouped::Grouped;
use super::math::{relu, sigmoid};
use super::matrix::{Matrix, PANEL};
use super::memory::WeightMemory;
use super::simd::{Kernel, Simd, SimdLevel, run};

/// Moves a history of earlier frames, oldest first, on by one frame.
pub(crate) fn push_frame(history: &mut [f32], frame: &[f32]) {
    if !history.is_empty() {
        history.copy_within(frame.len().., 0);
        let newest = history.len() - frame.len();
        history[newest..].copy_from_slice(frame);
    }
}

/// Reads `[64, 1, kt, 3]` as `[kt][3][64]`.
fn taps(weights: &[f32], n_taps: usize) -> Vec<f32> {
    (0..n_taps * N_CONV).map(|i| weights[i % N_CONV * n_taps + i / N_CONV]).collect()
}

/// The first convolution of a branch over planar features, 3 frames by 3 frequencies, with everything linear that
/// follows it merged into one matrix.
pub struct InputConv {
    matrix: Matrix,
    n_channels: usize,
}

impl InputConv {
    /// Patch values of an input channel.
    const TAPS: usize = INPUT_KERNEL * INPUT_KERNEL;
    /// Earlier frames that it needs.
    pub(crate) const HISTORY: usize = INPUT_KERNEL - 1;

    /// A dense convolution of one channel: `weights` `[64, 1, 3, 3]`, `bias` `[64]`.
    pub fn dense(weights: &[f32], bias: &[f32], memory: &WeightMemory) -> Self {
        Self { matrix: Matrix::new(weights, bias, memory), n_channels: 1 }
    }

    /// A convolution in two groups (`grouped` `[64, 1, 3, 3]`: the lower half of its outputs reads channel 0, the upper
    /// half channel 1) followed by a pointwise one (`pointwise` `[64, 64]`, `bias` `[64]`). Nothing stands between
    /// them, so their product is taken once, here: 110 thousand multiply-adds a frame instead of 449 thousand.
    pub fn merged(grouped: &[f32], pointwise: &[f32], bias: &[f32], memory: &WeightMemory) -> Self {
        let half = N_CONV / 2;
        let mut weights = Vec::with_capacity(N_CONV * 2 * Self::TAPS);
        for row in pointwise.chunks_exact(N_CONV) {
            for group in 0..2 {
                for tap in 0..Self::TAPS {
                    let product = |c: usize| f64::from(row[c]) * f64::from(grouped[c * Self::TAPS + tap]);
                    weights.push((group * half..(group + 1) * half).map(product).sum::<f64>() as f32);
                }
            }
        }
        Self { matrix: Matrix::new(&weights, bias, memory), n_channels: 2 }
    }

    /// Floats of `patches` for `n_freqs` frequencies.
    pub(crate) fn patch_len(&self, n_freqs: usize) -> usize {
        n_freqs * self.n_channels * Self::TAPS
    }

    /// `frame` is `[channels][n_freqs]`, `history` two earlier ones; writes `[n_freqs][64]`, rectified.
    pub fn apply(
        &self,
        level: SimdLevel,
        history: &mut [f32],
        frame: &[f32],
        patches: &mut [f32],
        out: &mut [f32],
    ) {
        let n_freqs = frame.len() / self.n_channels;
        let n_values = self.n_channels * Self::TAPS;
        for channel in 0..self.n_channels {
            let old = history.chunks_exact(frame.len());
            for (t, plane) in old.chain(std::iter::once(frame)).enumerate() {
                let line = &plane[channel * n_freqs..(channel + 1) * n_freqs];
                let start = channel * Self::TAPS + t * KERNEL_F;
                let mut patches =
                    patches.chunks_exact_mut(n_values).map(|patch| &mut patch[start..start + KERNEL_F]);
                // The lowest and the highest frequency have a neighbour of zero.
                if let ([first, second, ..], Some(patch)) = (line, patches.next()) {
                    patch.copy_from_slice(&[0.0, *first, *second]);
                }
                for (values, patch) in line.array_windows::<KERNEL_F>().zip(&mut patches) {
                    patch.copy_from_slice(values);
                }
                if let ([.., before, last], Some(patch)) = (line, patches.next()) {
                    patch.copy_from_slice(&[*before, *last, 0.0]);
                }
            }
        }
        self.matrix.apply_relu(level, patches, out);
        push_frame(history, frame);
    }
}

/// Most taps of a depthwise convolution.
const MAX_TAPS: usize = MAX_KERNEL_T * KERNEL_F;

/// A depthwise convolution over time and frequency, then a pointwise one, rectified.
pub struct Separable {
    taps: Vec<f32>,
    stride: usize,
    pointwise: Matrix,
}

impl Separable {
    /// `depthwise` `[64, 1, kernel_t, 3]`, `pointwise` `[64, 64]`, `bias` `[64]`; `stride` over frequency.
    pub fn new(
        depthwise: &[f32],
        kernel_t: usize,
        pointwise: &[f32],
        bias: &[f32],
        stride: usize,
        memory: &WeightMemory,
    ) -> Self {
        Self {
            taps: taps(depthwise, kernel_t * KERNEL_F),
            stride,
            pointwise: Matrix::new(pointwise, bias, memory),
        }
    }

    /// `frame` is `[n_freqs][64]`, `history` the `kernel_t - 1` earlier ones; writes `[n_freqs / stride][64]`.
    pub fn apply(
        &self,
        level: SimdLevel,
        history: &mut [f32],
        frame: &[f32],
        between: &mut [f32],
        out: &mut [f32],
    ) {
        let between = &mut between[..out.len()];
        run(level, Depthwise { conv: self, history, frame, out: between });
        self.pointwise.apply_relu(level, between, out);
        push_frame(history, frame);
    }
}

struct Depthwise<'a> {
    conv: &'a Separable,
    history: &'a [f32],
    frame: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Depthwise<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Separable { stride, taps, .. } = self.conv;
        let n_freqs = self.frame.len() / N_CONV;
        let taps = taps.as_chunks::<N_CONV>().0;
        let zero = [0.0; N_CONV];
        let mut terms = [(&zero, &zero); MAX_TAPS];
        for (f_out, out) in self.out.as_chunks_mut::<N_CONV>().0.iter_mut().enumerate() {
            // Taps and the inputs they meet, oldest frame first, without those in the padding of one frequency on both sides.
            let first = f_out * stride;
            let (from, to) = (usize::from(first == 0), KERNEL_F.min(n_freqs + 1 - first));
            let mut n_terms = 0;
            let planes = self.history.chunks_exact(self.frame.len()).chain(std::iter::once(self.frame));
            for (taps, plane) in taps.as_chunks::<KERNEL_F>().0.iter().zip(planes) {
                let plane = &plane.as_chunks::<N_CONV>().0[(first + from) - 1..];
                for (tap, x) in taps[from..to].iter().zip(plane) {
                    terms[n_terms] = (tap, x);
                    n_terms += 1;
                }
            }
            match &terms[..n_terms] {
                // A frame by itself away from the borders, which is most of them.
                &[a, b, c] => Self::sum(s, &[a, b, c], out),
                terms => Self::sum(s, terms, out),
            }
        }
    }
}

impl Depthwise<'_> {
    /// Writes the sums of products over all channels.
    #[inline(always)]
    fn sum<S: Simd>(s: S, terms: &[(&[f32; N_CONV], &[f32; N_CONV])], out: &mut [f32; N_CONV]) {
        // Two vectors at a time: their loads are one instruction where pairs can be loaded.
        for c in (0..N_CONV).step_by(2 * S::N) {
            let mut sum = [s.splat(0.0); 2];
            for (tap, x) in terms {
                let (tap, x) = (&tap[c..c + 2 * S::N], &x[c..c + 2 * S::N]);
                for v in 0..2 {
                    sum[v] = s.mul_add(s.load(&tap[v * S::N..]), s.load(&x[v * S::N..]), sum[v]);
                }
            }
            for v in 0..2 {
                s.store(sum[v], &mut out[c..c + 2 * S::N][v * S::N..]);
            }
        }
    }
}

/// A depthwise transposed convolution that doubles the frequencies, then a pointwise one, rectified. No time extent.
pub struct Transposed {
    taps: Vec<f32>,
    pointwise: Matrix,
}

impl Transposed {
    /// `depthwise` `[64, 1, 1, 3]`, `pointwise` `[64, 64]`, `bias` `[64]`.
    pub fn new(depthwise: &[f32], pointwise: &[f32], bias: &[f32], memory: &WeightMemory) -> Self {
        Self { taps: taps(depthwise, KERNEL_F), pointwise: Matrix::new(pointwise, bias, memory) }
    }

    /// `frame` is `[n_freqs][64]`; writes `[2 n_freqs][64]`.
    pub fn apply(&self, level: SimdLevel, frame: &[f32], between: &mut [f32], out: &mut [f32]) {
        let between = &mut between[..out.len()];
        run(level, Upsample { taps: &self.taps, frame, out: between });
        self.pointwise.apply_relu(level, between, out);
    }
}

struct Upsample<'a> {
    taps: &'a [f32],
    frame: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Upsample<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [w0, w1, w2] = self.taps.as_chunks::<N_CONV>().0 else { unreachable!("three taps") };
        let frame = self.frame.as_chunks::<N_CONV>().0;
        let out = self.out.as_chunks_mut::<N_CONV>().0.as_chunks_mut::<2>().0;
        for (f, [even, odd]) in out.iter_mut().enumerate() {
            for c in (0..N_CONV).step_by(S::N) {
                let here = s.load(&frame[f][c..c + S::N]);
                s.store(s.mul(s.load(&w1[c..c + S::N]), here), &mut even[c..c + S::N]);
                let mut value = s.mul(s.load(&w2[c..c + S::N]), here);
                if let Some(next) = frame.get(f + 1) {
                    value = s.mul_add(s.load(&w0[c..c + S::N]), s.load(&next[c..c + S::N]), value);
                }
                s.store(value, &mut odd[c..c + S::N]);
            }
        }
    }
}

/// A skip connection: scale and bias per channel, rectified, added to what comes from below.
pub struct Pathway {
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Pathway {
    /// `scale` and `bias` `[64]`.
    pub fn new(scale: &[f32], bias: &[f32]) -> Self {
        Self { scale: scale.to_vec(), bias: bias.to_vec() }
    }

    /// `below += max(scale skip + bias, 0)`, both `[n_freqs][64]`.
    pub fn apply(&self, level: SimdLevel, skip: &[f32], below: &mut [f32]) {
        run(level, AddSkip { pathway: self, skip, below });
    }
}

struct AddSkip<'a> {
    pathway: &'a Pathway,
    skip: &'a [f32],
    below: &'a mut [f32],
}

impl Kernel for AddSkip<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Pathway { scale, bias } = self.pathway;
        let (scale, bias) = (scale.as_chunks::<N_CONV>().0, bias.as_chunks::<N_CONV>().0);
        let ([scale], [bias]) = (scale, bias) else { unreachable!("a value per channel") };
        let rows = self.below.as_chunks_mut::<N_CONV>().0.iter_mut().zip(self.skip.as_chunks::<N_CONV>().0);
        for (below, skip) in rows {
            for c in (0..N_CONV).step_by(S::N) {
                let at = c..c + S::N;
                let (scale, bias) = (s.load(&scale[at.clone()]), s.load(&bias[at.clone()]));
                let value = relu(s, s.mul_add(scale, s.load(&skip[at.clone()]), bias));
                s.store(s.add(value, s.load(&below[at.clone()])), &mut below[at]);
            }
        }
    }
}

/// The last convolution of the ERB decoder: 64 channels to the mask, through a sigmoid.
pub struct MaskConv {
    taps: Vec<f32>,
    bias: f32,
    kernel_t: usize,
}

impl MaskConv {
    /// `weights` `[1, 64, kernel_t, 3]`.
    pub fn new(weights: &[f32], kernel_t: usize, bias: f32) -> Self {
        Self { taps: taps(weights, kernel_t * KERNEL_F), bias, kernel_t }
    }

    /// `frame` is `[n_bands][64]`, `history` the `kernel_t - 1` earlier ones; writes `[n_bands]`.
    pub fn apply(&self, level: SimdLevel, history: &mut [f32], frame: &[f32], mask: &mut [f32]) {
        run(level, ToMask { conv: self, history, frame, mask });
        push_frame(history, frame);
    }
}

struct ToMask<'a> {
    conv: &'a MaskConv,
    history: &'a [f32],
    frame: &'a [f32],
    mask: &'a mut [f32],
}

impl Kernel for ToMask<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let n_bands = self.mask.len();
        let taps = self.conv.taps.as_chunks::<N_CONV>().0;
        for band in 0..n_bands {
            let mut sums = Sums::new(s);
            for t in 0..self.conv.kernel_t {
                let plane = match t + 1 == self.conv.kernel_t {
                    true => self.frame,
                    false => &self.history[t * self.frame.len()..(t + 1) * self.frame.len()],
                };
                let plane = plane.as_chunks::<N_CONV>().0;
                for k in 0..KERNEL_F {
                    if band + k >= 1 && band + k <= n_bands {
                        sums.add(s, &taps[t * KERNEL_F + k], &plane[band + k - 1]);
                    }
                }
            }
            self.mask[band] = self.conv.bias + sums.total(s);
        }
        for mask in self.mask.chunks_exact_mut(S::N) {
            let value = sigmoid(s, s.load(mask));
            s.store(value, mask);
        }
    }
}

/// A dot product in sixteen partial sums, whatever the width of a vector: the same at every level that rounds alike.
pub struct Sums<S: Simd>([S::F; 4]);

impl<S: Simd> Sums<S> {
    /// All zero.
    #[inline(always)]
    pub fn new(s: S) -> Self {
        Self([s.splat(0.0); 4])
    }

    /// Adds the products of two slices of the same length, a multiple of 16.
    #[inline(always)]
    pub fn add(&mut self, s: S, a: &[f32], b: &[f32]) {
        for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
            for v in 0..16 / S::N {
                self.0[v] = s.mul_add(s.load(&a[v * S::N..]), s.load(&b[v * S::N..]), self.0[v]);
            }
        }
    }

    /// Their sum, first to last.
    #[inline(always)]
    pub fn total(&self, s: S) -> f32 {
        let mut values = [0.0; 16];
        for v in 0..16 / S::N {
            s.store(self.0[v], &mut values[v * S::N..]);
        }
        values.iter().sum()
    }
}

/// The deep filter's pathway: a grouped convolution of `c0` over five frames, then a small pointwise one, rectified.
///
/// Instead of the last four frames of `c0` (98 KB) it keeps what they will add to the next four results (15 KB): each
/// frame is multiplied with all five taps when it arrives. The sums run in the same order, oldest frame first.
pub struct FilterPathway {
    /// 64 inputs to five taps of five outputs in each of two groups of 32.
    taps: Grouped,
    /// `[10 inputs][16]`, the last six outputs empty.
    pointwise: [[f32; 16]; Self::OUT],
    bias: [f32; 16],
}

impl FilterPathway {
    /// Real and imaginary part of every deep-filter tap.
    pub const OUT: usize = 2 * DF_ORDER;
    /// Floats of state: what earlier frames add to the next four results.
    pub(crate) const STATE: usize = 2 * N_DF_BINS * Self::PENDING;
    /// Floats of `scratch`.
    pub(crate) const SCRATCH: usize = N_DF_BINS * PANEL;
    /// Outputs of a group, per tap.
    const GROUP: usize = Self::OUT / 2;
    /// Sums of a group and bin that are not complete: all taps but the newest frame's.
    const PENDING: usize = (DF_ORDER - 1) * Self::GROUP;
    /// Outputs of a group for all taps, padded to half a panel.
    const HALF: usize = PANEL / 2;

    /// `grouped` `[10, 32, 5, 1]`, `pointwise` `[10, 10]`, `bias` `[10]`.
    pub fn new(grouped: &[f32], pointwise: &[f32], bias: &[f32], memory: &WeightMemory) -> Self {
        let n_in = N_CONV / 2;
        let mut packed = vec![0.0; 2 * n_in * Self::HALF];
        for output in 0..Self::OUT {
            let (group, o) = (output / Self::GROUP, output % Self::GROUP);
            for input in 0..n_in {
                for tap in 0..DF_ORDER {
                    packed[(group * n_in + input) * Self::HALF + tap * Self::GROUP + o] =
                        grouped[(output * n_in + input) * DF_ORDER + tap];
                }
            }
        }
        let padded = |from: &dyn Fn(usize) -> f32| -> [f32; 16] {
            std::array::from_fn(|o| if o < Self::OUT { from(o) } else { 0.0 })
        };
        Self {
            taps: Grouped::new(&packed, 2, n_in, Self::HALF, memory),
            pointwise: std::array::from_fn(|input| padded(&|o| pointwise[o * Self::OUT + input])),
            bias: padded(&|o| bias[o]),
        }
    }

    /// `c0` is `[96][64]`; writes `[96][10]`.
    pub fn apply(
        &self,
        level: SimdLevel,
        state: &mut [f32],
        c0: &[f32],
        scratch: &mut [f32],
        out: &mut [f32],
    ) {
        self.taps.apply(level, c0, scratch);
        run(level, Accumulate { pathway: self, products: scratch, state, out });
    }
}

struct Accumulate<'a> {
    pathway: &'a FilterPathway,
    products: &'a mut [f32],
    state: &'a mut [f32],
    out: &'a mut [f32],
}

impl Kernel for Accumulate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        const OUT: usize = FilterPathway::OUT;
        const GROUP: usize = FilterPathway::GROUP;
        const PENDING: usize = FilterPathway::PENDING;
        let products = self.products.as_chunks_mut::<{ FilterPathway::HALF }>().0.as_chunks_mut::<2>().0;
        let states = self.state.as_chunks_mut::<PENDING>().0.as_chunks_mut::<2>().0;
        let bins = products.iter_mut().zip(states).zip(self.out.as_chunks_mut::<OUT>().0);
        for ((products, states), out) in bins {
            let mut due = [0.0; OUT];
            for ((sums, state), due) in products.iter_mut().zip(states).zip(due.as_chunks_mut::<GROUP>().0) {
                // Tap by tap: what was pending for the tap before, and this frame's share.
                for (sum, pending) in sums[GROUP..].iter_mut().zip(state.iter()) {
                    *sum += pending;
                }
                state.copy_from_slice(&sums[..PENDING]);
                due.copy_from_slice(&sums[PENDING..PENDING + GROUP]);
            }
            let mut values = [0.0; 16];
            for o in (0..16).step_by(S::N) {
                let mut sum = s.load(&self.pathway.bias[o..]);
                for (weights, x) in self.pathway.pointwise.iter().zip(due) {
                    sum = s.mul_add(s.load(&weights[o..]), s.splat(x), sum);
                }
                s.store(relu(s, sum), &mut values[o..]);
            }
            out.copy_from_slice(&values[..OUT]);
        }
    }
}
