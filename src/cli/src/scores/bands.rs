//! The front end that STOI and ESTOI share: silence removed, then third-octave band amplitudes over time.
//!
//! Two forms of it are in use, and on short recordings their scores differ in the third digit, so both are here:
//! [`Definition`].

use realfft::RealFftPlanner;

use super::{EPS, energy, hann, resample};

/// The rate at which STOI is defined, in hertz.
pub const STOI_RATE_HZ: u32 = 10_000;
/// Fewest samples at 10 kHz, once silence is removed, that have a STOI: two windows.
pub const MIN_SAMPLES: usize = 512;
/// Third-octave bands.
pub(super) const N_BANDS: usize = 15;
/// Frames per segment: 384 ms (Taal 2011, section II).
const SEGMENT_FRAMES: usize = 30;

/// Window in samples: 25.6 ms.
const WINDOW: usize = 256;
const HOP: usize = 128;
const N_FFT: usize = 512;
/// Centre of the lowest band, in hertz.
const LOWEST_HZ: f64 = 150.0;
/// Frames this far below the loudest are silence.
const DYNAMIC_RANGE_DB: f64 = 40.0;

/// The front end: definitions differ in where frames lie and how kept ones are joined, never in the measure itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// The authors' own code, which papers quote and `pystoi` follows: resampling as Octave's `resample`, frames from
    /// the first sample on without the last whole one, kept frames overlap-added as they are.
    Published,
    /// The training code of DeepFilterNet: resampling as torchaudio's, zeros to a whole number of windows half of them
    /// in front, every whole frame, the overlap-added frames divided by the overlap-added window.
    Training,
}

/// Amplitude per band of one frame.
pub(super) type Frame = [f64; N_BANDS];

/// Band amplitudes of both signals over the frames in which the clean one speaks.
pub(super) struct Bands {
    clean: Vec<Frame>,
    judged: Vec<Frame>,
}

impl Bands {
    /// Resamples two equally long signals as the definition says, then analyses them.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn resampled(definition: Definition, pair: [&[f64]; 2], rate_hz: u32) -> Result<Self, usize> {
        let resample = match definition {
            Definition::Published => resample::octave,
            Definition::Training => resample::sinc,
        };
        let [clean, judged] = pair.map(|x| resample(x, rate_hz, STOI_RATE_HZ));
        Self::of(definition, &clean, &judged)
    }

    /// Analyses two equally long signals at [`STOI_RATE_HZ`].
    ///
    /// # Errors
    /// The number of samples left once silence is removed, if fewer than [`MIN_SAMPLES`].
    pub(super) fn of(definition: Definition, clean: &[f64], judged: &[f64]) -> Result<Self, usize> {
        let [clean, judged] = remove_silence(definition, [clean, judged]);
        if clean.len() < MIN_SAMPLES {
            return Err(clean.len());
        }
        let edges = edges();
        Ok(Self {
            clean: amplitudes(definition, &clean, &edges),
            judged: amplitudes(definition, &judged, &edges),
        })
    }

    /// Every run of 30 frames, clean and judged; a single shorter one if there are not as many.
    pub(super) fn segments(&self) -> impl ExactSizeIterator<Item = (&[Frame], &[Frame])> {
        let n = SEGMENT_FRAMES.min(self.clean.len());
        self.clean.windows(n).zip(self.judged.windows(n))
    }
}

/// First samples of the frames of a signal of `n_samples`.
fn frame_starts(definition: Definition, n_samples: usize) -> impl Iterator<Item = usize> + Clone {
    let one_more = match definition {
        Definition::Published => 0,
        Definition::Training => 1,
    };
    (0..(n_samples + one_more).saturating_sub(WINDOW)).step_by(HOP)
}

/// Joins the frames of both signals in which the clean one is within 40 dB of its loudest frame. Empty if there is no
/// whole frame.
fn remove_silence(definition: Definition, pair: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let (front, back) = match definition {
        Definition::Published => (0, 0),
        Definition::Training => {
            let n_pad = WINDOW - pair[0].len() % WINDOW;
            (n_pad / 2, n_pad.div_ceil(2))
        }
    };
    let [clean, judged] = pair.map(|x| [&vec![0.0; front], x, &vec![0.0; back]].concat());
    let window = hann(WINDOW);
    let windowed = |x: &[f64], start: usize| -> Vec<f64> {
        window.iter().zip(&x[start..start + WINDOW]).map(|(w, x)| w * x).collect()
    };

    let starts = frame_starts(definition, clean.len());
    let level_db: Vec<f64> = starts
        .clone()
        .map(|start| 20.0 * ((energy(&windowed(&clean, start)) / WINDOW as f64).sqrt() + EPS).log10())
        .collect();
    let loudest_db = level_db.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let speaks = |level: &f64| *level > loudest_db - DYNAMIC_RANGE_DB;
    let kept: Vec<usize> =
        starts.zip(&level_db).filter(|(_, level)| speaks(level)).map(|(start, _)| start).collect();
    if kept.is_empty() {
        return [Vec::new(), Vec::new()];
    }

    let n_joined = (kept.len() - 1) * HOP + WINDOW;
    let mut weight = vec![1.0; n_joined];
    if definition == Definition::Training {
        weight.fill(0.0);
        for n in 0..kept.len() {
            add(&mut weight[n * HOP..], &window);
        }
    }
    // The added zeros go again where their frame was kept.
    let from = if level_db.first().is_some_and(speaks) { front } else { 0 };
    let until = if level_db.last().is_some_and(speaks) { n_joined - back } else { n_joined };
    [clean, judged].map(|x| {
        let mut joined = vec![0.0; n_joined];
        for (n, &start) in kept.iter().enumerate() {
            add(&mut joined[n * HOP..], &windowed(&x, start));
        }
        joined.iter().zip(&weight).map(|(x, w)| x / w).take(until).skip(from).collect()
    })
}

fn add(target: &mut [f64], addend: &[f64]) {
    for (t, a) in target.iter_mut().zip(addend) {
        *t += a;
    }
}

/// Band limits in FFT bins, half open: band `k` covers `2^((2k-1)/6)` to `2^((2k+1)/6)` times 150 Hz, each limit
/// moved to the nearest bin.
fn edges() -> [(usize, usize); N_BANDS] {
    let bin_hz = f64::from(STOI_RATE_HZ) / N_FFT as f64;
    let nearest = |sixths: i32| (LOWEST_HZ * 2f64.powf(f64::from(sixths) / 6.0) / bin_hz).round() as usize;
    std::array::from_fn(|k| (nearest(2 * k as i32 - 1), nearest(2 * k as i32 + 1)))
}

fn amplitudes(definition: Definition, signal: &[f64], edges: &[(usize, usize); N_BANDS]) -> Vec<Frame> {
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(N_FFT);
    let window = hann(WINDOW);
    let scale = match definition {
        Definition::Published => 1.0,
        Definition::Training => window.iter().sum(),
    };
    let mut time = fft.make_input_vec();
    let mut spectrum = fft.make_output_vec();
    frame_starts(definition, signal.len())
        .map(|start| {
            time.fill(0.0);
            for (t, (x, w)) in time.iter_mut().zip(signal[start..].iter().zip(&window)) {
                *t = x * w / scale;
            }
            fft.process(&mut time, &mut spectrum).expect("buffers were made by the plan");
            edges.map(|(low, high)| spectrum[low..high].iter().map(|c| c.norm_sqr()).sum::<f64>().sqrt())
        })
        .collect()
}
