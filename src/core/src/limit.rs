//! The attenuation limit: how much of the input stays at least, everywhere or by frequency.
//!
//! Six handles at fixed frequencies each say how much may be taken away there; a curve through them, over the logarithm
//! of frequency, says so in between, and never goes beyond two neighbours. The smaller of it and the limit for all
//! frequencies holds. Real-time safe after `new`.

use tacet_model::{N_BINS, SAMPLE_RATE_HZ};

use crate::frame::Spectrum;

/// Attenuation limits from here on limit nothing, in dB.
pub const NO_LIMIT_DB: f32 = 100.0;
/// Attenuation limits below this pass the delayed noisy signal, in dB.
pub(crate) const DRY_LIMIT_DB: f32 = 0.01;
/// Number of handles.
pub const N_HANDLES: usize = 6;
/// Frequencies of the handles, in Hz; beyond the first and the last the curve is level.
pub const HANDLES_HZ: [f32; N_HANDLES] = [100.0, 300.0, 1_000.0, 3_000.0, 8_000.0, 16_000.0];
/// Handles that limit nothing.
pub const NO_LIMITS_DB: [f32; N_HANDLES] = [NO_LIMIT_DB; N_HANDLES];

/// The limit that handles set at a frequency, in dB.
pub fn curve_db(handles_db: &[f32; N_HANDLES], hz: f32) -> f32 {
    let x = |hz: f32| libm::log2f(hz.max(1.0));
    let at = x(hz);
    let last = N_HANDLES - 1;
    if at <= x(HANDLES_HZ[0]) {
        return handles_db[0];
    }
    let Some(right) = (1..=last).find(|&i| at < x(HANDLES_HZ[i])) else { return handles_db[last] };
    let left = right - 1;
    let width = |i: usize| x(HANDLES_HZ[i + 1]) - x(HANDLES_HZ[i]);
    let slope = |i: usize| (handles_db[i + 1] - handles_db[i]) / width(i);
    // Weighted harmonic mean (Fritsch and Butland 1984): level at an extremum, so that nothing overshoots.
    let tangent = |i: usize| {
        if i == 0 || i == last || slope(i - 1) * slope(i) <= 0.0 {
            return 0.0;
        }
        let (a, b) = (2.0 * width(i) + width(i - 1), width(i) + 2.0 * width(i - 1));
        (a + b) / (a / slope(i - 1) + b / slope(i))
    };
    let t = (at - x(HANDLES_HZ[left])) / width(left);
    let (from, to) = (handles_db[left], handles_db[right]);
    let bend = t * t * (3.0 - 2.0 * t);
    let towards = width(left) * t * (1.0 - t) * ((1.0 - t) * tangent(left) - t * tangent(right));
    (from + (to - from) * bend + towards).clamp(from.min(to), from.max(to))
}

/// Share of the input that a limit in dB leaves.
fn share(limit_db: f32) -> f32 {
    match limit_db.abs() {
        NO_LIMIT_DB.. => 0.0,
        ..DRY_LIMIT_DB => 1.0,
        limit_db => libm::powf(10.0, -limit_db / 20.0),
    }
}

/// Applies a limit. Keeps the curve of the handles, which costs some ten microseconds where it changes.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// The limit and the handles that [`shares`](Self::shares) were computed from.
    curve: Option<(f32, [f32; N_HANDLES])>,
    shares: Box<[f32; N_BINS]>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { curve: None, shares: Box::new([0.0; N_BINS]) }
    }
}

impl Limiter {
    /// Lets through of the noisy frames what a limit and its handles ask for. Handles that are all equal cost nothing;
    /// without a limit nothing changes, and a limit of 0 dB is bit-identical to the noisy frames.
    pub fn apply(
        &mut self,
        limit_db: f32,
        handles_db: &[f32; N_HANDLES],
        noisy: &[Spectrum],
        enhanced: &mut [Spectrum],
    ) {
        let first = handles_db[0];
        if handles_db.iter().all(|handle| *handle == first) {
            let share = share(limit_db.abs().min(first.abs()));
            if share > 0.0 {
                mix(|_| share, noisy, enhanced);
            }
            return;
        }
        if self.curve != Some((limit_db, *handles_db)) {
            self.curve = Some((limit_db, *handles_db));
            for (bin, at) in self.shares.iter_mut().enumerate() {
                let hz = bin as f32 * (SAMPLE_RATE_HZ as f32 / 2.0 / (N_BINS - 1) as f32);
                *at = share(limit_db.abs().min(curve_db(handles_db, hz)));
            }
        }
        mix(|bin| self.shares[bin], noisy, enhanced);
    }
}

/// `wet (1 - dry) + noisy dry` for every bin; `dry` = 1 is bit-identical to the noisy frame, 0 to the wet one.
#[inline]
fn mix(dry: impl Fn(usize) -> f32, noisy: &[Spectrum], enhanced: &mut [Spectrum]) {
    for (noisy, enhanced) in noisy.iter().zip(enhanced) {
        for (bin, (y, n)) in enhanced.iter_mut().zip(noisy).enumerate() {
            let dry = dry(bin);
            *y = if dry == 1.0 { *n } else { *y * (1.0 - dry) + *n * dry };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Complex32;

    fn limited(limit_db: f32, handles_db: [f32; N_HANDLES]) -> Spectrum {
        let noisy = [[Complex32::new(1.0, -0.5); N_BINS]];
        let mut enhanced = [[Complex32::new(0.1, 0.0); N_BINS]];
        Limiter::default().apply(limit_db, &handles_db, &noisy, &mut enhanced);
        enhanced[0]
    }

    #[test]
    fn the_curve_goes_through_its_handles_and_never_beyond_them() {
        let handles = [100.0, 12.0, 18.0, 18.0, 0.0, 60.0];
        for (hz, db) in HANDLES_HZ.iter().zip(handles) {
            assert!((curve_db(&handles, *hz) - db).abs() < 1e-3, "{hz} Hz");
        }
        assert_eq!((curve_db(&handles, 0.0), curve_db(&handles, 24e3)), (100.0, 60.0));
        for pair in 0..N_HANDLES - 1 {
            let (low, high) = (HANDLES_HZ[pair], HANDLES_HZ[pair + 1]);
            let ends = [handles[pair], handles[pair + 1]];
            let mut last = handles[pair];
            for step in 0..=100 {
                let db = curve_db(&handles, low * (high / low).powf(step as f32 / 100.0));
                assert!(db >= ends[0].min(ends[1]) && db <= ends[0].max(ends[1]), "{pair}: {db}");
                assert!(
                    (db - last).abs() < 0.025 * (ends[1] - ends[0]).abs() + 1e-3,
                    "{pair}: a step at {step}"
                );
                last = db;
            }
        }
    }

    #[test]
    fn level_handles_are_a_plain_limit_to_the_bit() {
        for limit_db in [0.0, 6.5, 12.0, 100.0] {
            let plain = limited(limit_db, NO_LIMITS_DB);
            assert_eq!(limited(NO_LIMIT_DB, [limit_db; N_HANDLES]), plain);
            assert_eq!(limited(limit_db, [limit_db + 1.0; N_HANDLES]), plain);
        }
        assert_eq!(limited(NO_LIMIT_DB, NO_LIMITS_DB)[7], Complex32::new(0.1, 0.0));
        assert_eq!(limited(0.0, NO_LIMITS_DB)[7], Complex32::new(1.0, -0.5));
    }

    #[test]
    fn the_smaller_of_limit_and_curve_holds_at_each_frequency() {
        let frame = limited(20.0, [0.0, 0.0, 0.0, 40.0, 40.0, 40.0]);
        // 500 Hz passes; 12 kHz is limited to 20 dB although its handles would take more.
        assert_eq!(frame[10], Complex32::new(1.0, -0.5));
        assert_eq!(frame[240], limited(20.0, NO_LIMITS_DB)[240]);
    }
}
