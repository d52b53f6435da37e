//! The six deep-filter methods against a plain reference in f64, and against each other: any batch, any number of hops,
//! with alpha and without, every lookahead. On the CPU always; on CUDA and MPS where they are, else the reason is
//! printed, and `TACET_REQUIRE_CUDA=1` or `TACET_REQUIRE_MPS=1` make that a failure.

use tacet_torch::dfop::{DfOp, HiddenState, one_step};
use tacet_torch::target::Target;
use tacet_torch_pack::abi::{DeviceAddress, DeviceKind, DfMethod};
use tch::{Kind, Tensor};

const ALIGNED: [DfMethod; 5] = [
    DfMethod::REAL_LOOP,
    DfMethod::REAL_STRIDED,
    DfMethod::REAL_UNFOLD,
    DfMethod::COMPLEX_STRIDED,
    DfMethod::REAL_ONE_STEP,
];
/// Values are within -1..1 and sums have at most seven terms: float32 stays three orders below.
const TOLERANCE: f64 = 5e-6;

/// Sizes of a case and its numbers, the same in every run.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch: usize,
    hops: usize,
    order: usize,
    n_low: usize,
    width: usize,
    lookahead: usize,
    blended: bool,
    seed: u32,
}

struct Data {
    spec: Vec<f32>,
    coefs: Vec<f32>,
    alpha: Vec<f32>,
}

/// Random sizes, small enough for the reference to be quick.
fn cases() -> impl Iterator<Item = Case> {
    (0..60).map(|seed| {
        let mut random = generator(seed + 1);
        let mut below = |n: usize| (random() * 0.5 + 0.5).mul_add(n as f32, 0.0).min(n as f32 - 1.0) as usize;
        let order = 1 + below(7);
        let n_low = 1 + below(9);
        Case {
            batch: 1 + below(4),
            hops: 1 + below(12),
            order,
            n_low,
            width: n_low + below(5),
            lookahead: below(order),
            blended: below(2) == 1,
            seed,
        }
    })
}

/// A linear congruential generator (Numerical Recipes), -1..1.
fn generator(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9);
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / (1_u64 << 31) as f32 - 1.0
    }
}

impl Case {
    fn data(&self) -> Data {
        let mut random = generator(1000 + self.seed);
        let mut values = |n: usize| (0..n).map(|_| random()).collect::<Vec<f32>>();
        let frames = self.batch * self.hops;
        Data {
            spec: values(frames * self.width * 2),
            coefs: values(frames * self.order * self.n_low * 2),
            alpha: values(frames).into_iter().map(f32::abs).collect(),
        }
    }

    /// The formula, term by term, in f64: `[B, T, F', 2]`.
    fn reference(&self, data: &Data) -> Vec<f64> {
        let at = |b: usize, t: usize, f: usize| ((b * self.hops + t) * self.width + f) * 2;
        let mut out: Vec<f64> = data.spec.iter().map(|&value| f64::from(value)).collect();
        for b in 0..self.batch {
            for t in 0..self.hops {
                for f in 0..self.n_low {
                    let (mut re, mut im) = (0.0, 0.0);
                    for tap in 0..self.order {
                        let Some(from) = (t + tap).checked_sub(self.order - 1 - self.lookahead) else {
                            continue;
                        };
                        if from >= self.hops {
                            continue;
                        }
                        let s = at(b, from, f);
                        let c = (((b * self.hops + t) * self.order + tap) * self.n_low + f) * 2;
                        let part = |values: &[f32], i: usize| f64::from(values[i]);
                        let (sr, si) = (part(&data.spec, s), part(&data.spec, s + 1));
                        let (cr, ci) = (part(&data.coefs, c), part(&data.coefs, c + 1));
                        re += sr * cr - si * ci;
                        im += sr * ci + si * cr;
                    }
                    let alpha = if self.blended { f64::from(data.alpha[b * self.hops + t]) } else { 1.0 };
                    for (i, value) in [re, im].into_iter().enumerate() {
                        out[at(b, t, f) + i] = alpha * value + (1.0 - alpha) * out[at(b, t, f) + i];
                    }
                }
            }
        }
        out
    }

    fn tensors(&self, data: &Data, target: Target) -> (Tensor, Tensor, Option<Tensor>) {
        let sizes = [self.batch, self.hops, self.order, self.n_low, self.width].map(|n| n as i64);
        let [batch, hops, order, n_low, width] = sizes;
        let tensor =
            |values: &[f32], shape: &[i64]| Tensor::from_slice(values).view(shape).to_device(target.device());
        let spec = tensor(&data.spec, &[batch, 1, hops, width, 2]);
        let coefs = tensor(&data.coefs, &[batch, hops, order, n_low, 2]);
        (spec, coefs, self.blended.then(|| tensor(&data.alpha, &[batch, hops, 1])))
    }
}

fn largest_difference(found: &Tensor, expected: &[f64]) -> f64 {
    let found = found.to_device(tch::Device::Cpu).to_kind(Kind::Double).contiguous().view([-1]);
    let mut values = vec![0.0; found.numel()];
    let n = values.len();
    found.copy_data(&mut values, n);
    assert_eq!(n, expected.len(), "another number of values");
    values.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The device, or `None` with the reason printed.
fn target(kind: DeviceKind, required: &str) -> Option<Target> {
    match Target::open(DeviceAddress { kind, index: 0 }) {
        Ok(target) => Some(target),
        Err(reason) => {
            let required = std::env::var_os(required).is_some_and(|value| value == "1");
            assert!(!required, "the device is required here: {reason}");
            eprintln!("skipped: {reason}");
            None
        }
    }
}

fn all_methods_are_the_reference(target: Target) {
    for case in cases() {
        let data = case.data();
        let expected = case.reference(&data);
        let (spec, coefs, alpha) = case.tensors(&data, target);
        for method in ALIGNED {
            if method == DfMethod::COMPLEX_STRIDED && !target.multiplies_complex() {
                continue;
            }
            let found =
                DfOp { method, lookahead: case.lookahead }.forward(&spec, &coefs, alpha.as_ref()).unwrap();
            assert_eq!(found.size(), spec.size(), "{method:?}, {case:?}");
            let difference = largest_difference(&found, &expected);
            assert!(difference < TOLERANCE, "{method:?} is {difference:e} off in {case:?}");
        }
    }
}

/// Step `t` of the causal loop is frame `t - lookahead` of the others if its coefficients and alphas come as late.
fn the_causal_loop_is_the_reference_late(target: Target) {
    for case in cases() {
        let data = case.data();
        let expected = case.reference(&data);
        let (spec, coefs, alpha) = case.tensors(&data, target);
        let late = case.lookahead as i64;
        let hops = case.hops as i64;
        let delayed = |tensor: &Tensor| {
            let zeros = tensor.narrow(1, 0, 1).zeros_like().repeat_interleave_self_int(late.max(1), 1, None);
            Tensor::cat(&[zeros.narrow(1, 0, late), tensor.shallow_clone()], 1)
        };
        let silence = spec.narrow(2, 0, 1).zeros_like().repeat_interleave_self_int(late.max(1), 2, None);
        let spec = Tensor::cat(&[spec, silence.narrow(2, 0, late)], 2);
        let alpha = alpha.as_ref().map(delayed);
        let (coefs, batch) = (delayed(&coefs), case.batch as i64);
        let method = DfMethod::REAL_HIDDEN_STATE_LOOP;
        let whole =
            DfOp { method, lookahead: case.lookahead }.forward(&spec, &coefs, alpha.as_ref()).unwrap();
        let difference = largest_difference(&whole.narrow(2, late, hops), &expected);
        assert!(difference < TOLERANCE, "{difference:e} off in {case:?}");

        // In two parts with the state carried over it is the same.
        let mut state = HiddenState::new(batch, case.order as i64, case.width as i64, &spec).unwrap();
        let total = hops + late;
        let mut parts = Vec::new();
        for (from, n) in [(0, total / 2), (total / 2, total - total / 2)] {
            if n == 0 {
                continue;
            }
            let alpha = alpha.as_ref().map(|alpha| alpha.narrow(1, from, n));
            let (spec, coefs) = (spec.narrow(2, from, n), coefs.narrow(1, from, n));
            parts.push(state.forward(&spec, &coefs, alpha.as_ref(), case.lookahead).unwrap());
        }
        assert!(Tensor::cat(&parts, 2).equal(&whole), "{case:?}");
    }
}

#[test]
fn methods_on_the_cpu() {
    all_methods_are_the_reference(Target::CPU);
    the_causal_loop_is_the_reference_late(Target::CPU);
}

#[test]
fn methods_on_cuda() {
    if let Some(target) = target(DeviceKind::CUDA, "TACET_REQUIRE_CUDA") {
        all_methods_are_the_reference(target);
        the_causal_loop_is_the_reference_late(target);
    }
}

#[test]
fn methods_on_mps() {
    if let Some(target) = target(DeviceKind::MPS, "TACET_REQUIRE_MPS") {
        all_methods_are_the_reference(target);
        the_causal_loop_is_the_reference_late(target);
    }
}

#[test]
fn one_step_serves_any_batch_at_once() {
    let case = Case { batch: 3, hops: 5, order: 5, n_low: 4, width: 6, lookahead: 2, blended: true, seed: 9 };
    let data = case.data();
    let (spec, coefs, alpha) = case.tensors(&data, Target::CPU);
    let (coefs, alpha) = (coefs.narrow(1, 2, 1), alpha.unwrap().narrow(1, 2, 1));
    let whole = one_step(&spec, &coefs, Some(&alpha), case.lookahead).unwrap();
    for b in 0..3 {
        let one = |tensor: &Tensor| tensor.narrow(0, b, 1);
        let alone = one_step(&one(&spec), &one(&coefs), Some(&one(&alpha)), case.lookahead).unwrap();
        assert!(alone.equal(&whole.narrow(0, b, 1)));
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let case = Case { batch: 2, hops: 4, order: 3, n_low: 4, width: 4, lookahead: 0, blended: true, seed: 1 };
    let data = case.data();
    let (spec, coefs, alpha) = case.tensors(&data, Target::CPU);
    let forward = |spec: &Tensor, coefs: &Tensor, alpha: Option<&Tensor>, lookahead| {
        DfOp { method: DfMethod::REAL_LOOP, lookahead }.forward(spec, coefs, alpha)
    };
    assert!(forward(&spec, &coefs, alpha.as_ref(), 0).is_ok());
    assert!(forward(&spec, &coefs, alpha.as_ref(), 3).is_err(), "lookahead beyond the taps");
    assert!(forward(&spec.narrow(2, 0, 3), &coefs, None, 0).is_err(), "fewer hops than coefficients");
    assert!(forward(&spec.narrow(3, 0, 3), &coefs, None, 0).is_err(), "fewer bins than coefficients");
    assert!(forward(&spec.narrow(0, 0, 1), &coefs, None, 0).is_err(), "another batch");
    assert!(
        forward(&spec, &coefs, alpha.map(|alpha| alpha.narrow(1, 0, 2)).as_ref(), 0).is_err(),
        "fewer alphas"
    );
    let unknown = DfOp { method: DfMethod(99), lookahead: 0 };
    assert!(unknown.forward(&spec, &coefs, None).is_err());
}
