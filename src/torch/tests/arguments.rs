//! The C ABI under arguments of any value: null pointers, numbers out of range, models that are none, messages without
//! room. Every call is refused with a status that says why or does what it should; none is a defect's, and none that was
//! refused leaves a trace in the engine.
//!
//! Pointers are null or valid: that is all that a callee can be asked to bear. `TACET_FUZZ_INPUTS` sets the number of
//! calls.

use std::path::PathBuf;
use std::ptr::{null, null_mut};

use tacet_torch::entry::tacet_torch_api;
use tacet_torch::streams::MAX_LANES;
use tacet_torch_pack::abi::{
    Api, Chunk, DeviceAddress, DeviceKind, DfMethod, EngineConfig, EngineHandle, FileHandle, Lane, Message,
    N_INPUT, N_OUTPUT, Probe, StateUpdate, Status, Timings,
};

const N_CALLS: usize = 300;
/// Lanes of the engine under test.
const N_LANES: u32 = 4;

/// Numerical Recipes' congruential generator.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0.rotate_left(11)
    }

    fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }

    /// Small numbers, the engine's own limits and their neighbours, and the largest.
    fn number(&mut self) -> u32 {
        let lanes = MAX_LANES as u32;
        let odd = [0, 1, 2, N_LANES, N_LANES + 1, 63, lanes, lanes + 1, 1 << 16, 1 << 31, u32::MAX];
        if self.below(2) == 0 { self.below(N_LANES + 1) } else { odd[self.below(odd.len() as u32) as usize] }
    }

    fn float(&mut self) -> f32 {
        match self.below(6) {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::MIN,
            3 => f32::from_bits(self.next()),
            _ => self.below(2000) as f32 / 1000.0 - 1.0,
        }
    }

    /// The pointer, or null one time in eight.
    fn or_null<T>(&mut self, pointer: *mut T) -> *mut T {
        if self.below(8) == 0 { null_mut() } else { pointer }
    }

    fn update(&mut self) -> StateUpdate {
        StateUpdate(if self.below(8) == 0 { self.number() } else { self.below(3) })
    }

    fn device(&mut self) -> DeviceAddress {
        DeviceAddress {
            kind: DeviceKind(self.below(5)),
            index: [0, 0, 1, 63, u32::MAX][self.below(5) as usize],
        }
    }
}

fn api() -> Api {
    // SAFETY: it returns the address of a constant table.
    unsafe { *tacet_torch_api() }
}

fn model() -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("target"),
        PathBuf::from,
    );
    let path = target.join("model/DeepFilterNet3.safetensors");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", path.display()))
}

fn cpu_engine(api: &Api, model: &[u8]) -> *mut EngineHandle {
    let config = EngineConfig {
        device: DeviceAddress { kind: DeviceKind::CPU, index: 0 },
        max_lanes: N_LANES,
        flags: 0,
        model: model.as_ptr(),
        model_length: model.len(),
    };
    let mut engine = null_mut();
    // SAFETY: the configuration and the place for the engine live through the call; no message is asked for.
    let status = unsafe { (api.engine_new)(&config, &mut engine, null_mut()) };
    assert_eq!(status, Status::OK);
    engine
}

/// One hop of one lane whose state is zero before it.
fn first_hop(api: &Api, engine: *mut EngineHandle) -> Vec<f32> {
    let lane = Lane { reset: 1, min_db: -15.0, max_erb_db: 35.0, max_df_db: 35.0, ..Lane::default() };
    let input: Vec<f32> = (0..N_INPUT).map(|i| (i as f32 * 0.7).sin()).collect();
    let mut output = vec![0.0; N_OUTPUT];
    let mut timings = Timings::default();
    // SAFETY: one lane, its input and room for its output; the engine is this thread's.
    let status = unsafe {
        (api.engine_step)(engine, &lane, 1, input.as_ptr(), output.as_mut_ptr(), &mut timings, null_mut())
    };
    assert_eq!(status, Status::OK);
    output
}

#[test]
fn no_argument_does_harm() {
    let given = std::env::var("TACET_FUZZ_INPUTS").ok();
    let n_calls = given.map_or(N_CALLS, |given| given.parse().expect("TACET_FUZZ_INPUTS is a number"));
    let api = api();
    let model = model();
    let engine = cpu_engine(&api, &model);
    let expected = first_hop(&api, engine);
    assert!(expected.iter().all(|value| value.is_finite()));

    let random = &mut Random(1);
    let mut lanes = vec![Lane::default(); MAX_LANES];
    let mut input = vec![0.0_f32; MAX_LANES * N_INPUT];
    let mut output = vec![0.0_f32; MAX_LANES * N_OUTPUT];
    let mut text = [0_u8; 64];
    let mut counts = [0_usize; 7];
    for call in 0..n_calls {
        let capacity = random.below(65) as usize;
        let mut message = Message { text: random.or_null(text.as_mut_ptr()), capacity, length: usize::MAX };
        let message_at = random.or_null(&raw mut message);
        let held = random.or_null(engine);
        let mut timings = Timings::default();
        let timed = random.or_null(&raw mut timings);
        // SAFETY, for all calls below: every pointer is null or points to a live object of its type with room for the
        // largest count that a function accepts (`MAX_LANES` lanes); the engine is this thread's.
        let status = match random.below(8) {
            0 => {
                let mut probe = Probe::default();
                let out = random.or_null(&raw mut probe);
                // SAFETY: above.
                unsafe { (api.probe)(random.device(), out, message_at) }
            }
            1 => {
                // One thread, or a number that is refused: the others are set for the whole process.
                let n = [0, 1, 1025, u32::MAX][random.below(4) as usize];
                // SAFETY: above.
                unsafe { (api.set_threads)(n, message_at) }
            }
            2 => new_engine(&api, random, &model, message_at),
            3 => {
                let n = random.number();
                // SAFETY: above.
                unsafe { (api.engine_warm_up)(held, if n > N_LANES { n } else { 1 }, message_at) }
            }
            // SAFETY: above.
            4 => unsafe { (api.engine_round_trip)(held, random.number(), timed, message_at) },
            5 => file(&api, random, held, message_at),
            _ => {
                let n = random.number();
                for (i, lane) in lanes.iter_mut().take(n as usize).enumerate() {
                    *lane = Lane {
                        number: if random.below(4) == 0 { random.number() } else { i as u32 },
                        leader: if random.below(4) == 0 { random.number() } else { 0 },
                        reset: random.below(3),
                        update: random.update(),
                        min_db: random.float(),
                        max_erb_db: random.float(),
                        max_df_db: random.float(),
                    };
                }
                input.iter_mut().take(n as usize * 8).for_each(|value| *value = random.float());
                let (from, into) = (random.or_null(input.as_mut_ptr()), random.or_null(output.as_mut_ptr()));
                let of = random.or_null(lanes.as_mut_ptr());
                // SAFETY: above.
                unsafe { (api.engine_step)(held, of, n, from, into, timed, message_at) }
            }
        };
        assert!((0..=5).contains(&status.0), "call {call}: status {status:?}");
        assert_ne!(status, Status::DEVICE, "call {call}: {}", String::from_utf8_lossy(&text));
        counts[status.0 as usize] += 1;
        if !message_at.is_null() {
            assert!(message.length <= capacity, "call {call}");
        }
    }
    assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
    assert_eq!(first_hop(&api, engine), expected, "something is left in the engine");
    eprintln!("{n_calls} calls; by status: {counts:?}");
    // SAFETY: made above, freed once; null is ignored.
    unsafe {
        (api.engine_free)(engine);
        (api.engine_free)(null_mut());
        (api.file_free)(null_mut());
    }
}

/// An engine from a configuration that makes no sense somewhere: rarely a whole model, which takes a while to read.
fn new_engine(api: &Api, random: &mut Random, model: &[u8], message: *mut Message) -> Status {
    let mut damaged = model[..random.below(4096) as usize].to_vec();
    if let Some(byte) = damaged.get_mut(random.below(64) as usize) {
        *byte = random.next() as u8;
    }
    let is_whole = random.below(20) == 0;
    let bytes = if is_whole { model } else { &damaged };
    let config = EngineConfig {
        device: random.device(),
        max_lanes: random.number(),
        flags: random.next(),
        model: if random.below(8) == 0 { null() } else { bytes.as_ptr() },
        model_length: bytes.len(),
    };
    let mut made = null_mut();
    let out = random.or_null(&raw mut made);
    // SAFETY: the configuration names readable bytes or null; the place for the engine is null or ours.
    let status = unsafe { (api.engine_new)(random.or_null((&raw const config).cast_mut()), out, message) };
    assert_eq!(status == Status::OK, !made.is_null());
    // SAFETY: made by this call or null.
    unsafe { (api.engine_free)(made) };
    status
}

/// A whole-file run and a chunk for it.
fn file(api: &Api, random: &mut Random, engine: *mut EngineHandle, message: *mut Message) -> Status {
    const MAX_HOPS: usize = 4;
    let mut made: *mut FileHandle = null_mut();
    let out = random.or_null(&raw mut made);
    let n_channels = random.number();
    // SAFETY: the engine is null or this thread's; the place for the file is null or ours.
    let status = unsafe { (api.file_new)(engine, n_channels, DfMethod(random.below(8)), out, message) };
    assert_eq!(status == Status::OK, !made.is_null());
    if made.is_null() {
        return status;
    }
    let n_rows = MAX_HOPS * n_channels as usize;
    let input = vec![random.float(); n_rows * N_INPUT];
    let mut output = vec![0.0; n_rows * N_OUTPUT];
    let updates: [_; MAX_HOPS] = std::array::from_fn(|_| random.update());
    let chunk = Chunk {
        n_hops: [0, 1, MAX_HOPS, usize::MAX, usize::MAX / 2][random.below(5) as usize],
        min_db: random.float(),
        max_erb_db: random.float(),
        max_df_db: random.float(),
        updates: random.or_null(updates.as_ptr().cast_mut()),
        input: random.or_null(input.as_ptr().cast_mut()),
        output: random.or_null(output.as_mut_ptr()),
    };
    let mut timings = Timings::default();
    // SAFETY: the file was made above; the chunk is null or names null or buffers of its size, or a size that no file
    // accepts.
    let status = unsafe {
        let chunk = random.or_null((&raw const chunk).cast_mut());
        (api.file_push)(made, chunk, random.or_null(&raw mut timings), message)
    };
    // SAFETY: made above, freed once.
    unsafe { (api.file_free)(made) };
    status
}
