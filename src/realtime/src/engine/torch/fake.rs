//! An engine over functions that stand for the backend's, for what this side of the ABI does with their answers.

use tacet_torch_pack::abi::{self, ABI_VERSION, Api, Lane, Message, N_INPUT, N_OUTPUT, Status, Timings};

use super::loader::TorchBackend;
use super::*;

unsafe extern "C" fn probe(_: abi::DeviceAddress, _: *mut abi::Probe, _: *mut Message) -> Status {
    Status::OK
}

unsafe extern "C" fn set_threads(_: u32, _: *mut Message) -> Status {
    Status::OK
}

unsafe extern "C" fn engine_new(
    _: *const abi::EngineConfig,
    _: *mut *mut abi::EngineHandle,
    _: *mut Message,
) -> Status {
    Status::OK
}

unsafe extern "C" fn engine_free(_: *mut abi::EngineHandle) {}

unsafe extern "C" fn engine_warm_up(_: *mut abi::EngineHandle, _: u32, _: *mut Message) -> Status {
    Status::OK
}

/// Answers each lane with the first number of its input, everywhere.
unsafe extern "C" fn engine_step(
    _: *mut abi::EngineHandle,
    _: *const Lane,
    n_lanes: u32,
    input: *const f32,
    output: *mut f32,
    _: *mut Timings,
    _: *mut Message,
) -> Status {
    let n = n_lanes as usize;
    // SAFETY: the engine under test passes as many inputs and outputs as lanes.
    let (input, output) = unsafe {
        (std::slice::from_raw_parts(input, n * N_INPUT), std::slice::from_raw_parts_mut(output, n * N_OUTPUT))
    };
    for (answer, heard) in output.chunks_exact_mut(N_OUTPUT).zip(input.chunks_exact(N_INPUT)) {
        answer.fill(heard[0]);
    }
    Status::OK
}

unsafe extern "C" fn engine_round_trip(
    _: *mut abi::EngineHandle,
    _: u32,
    _: *mut Timings,
    _: *mut Message,
) -> Status {
    Status::OK
}

unsafe extern "C" fn file_new(
    _: *mut abi::EngineHandle,
    _: u32,
    _: abi::DfMethod,
    _: *mut *mut abi::FileHandle,
    _: *mut Message,
) -> Status {
    Status::OK
}

unsafe extern "C" fn file_push(
    _: *mut abi::FileHandle,
    _: *const abi::Chunk,
    _: *mut Timings,
    _: *mut Message,
) -> Status {
    Status::OK
}

unsafe extern "C" fn file_free(_: *mut abi::FileHandle) {}

fn engine() -> TorchEngine {
    let api = Api {
        abi_version: ABI_VERSION,
        size: size_of::<Api>() as u32,
        probe,
        set_threads,
        engine_new,
        engine_free,
        engine_warm_up,
        engine_step,
        engine_round_trip,
        file_new,
        file_push,
        file_free,
    };
    TorchEngine {
        backend: TorchBackend::fake(api),
        handle: std::ptr::null_mut(),
        device: TorchDevice::Cpu,
        name: "fake".into(),
        lookahead_hops: 2,
        norm_alpha: 0.99,
        streams: Vec::new(),
        free: (0..MAX_CHANNELS as u32).rev().collect(),
        lanes: Vec::new(),
        input: Vec::new(),
        output: Vec::new(),
    }
}

#[test]
fn a_stream_whose_values_are_no_numbers_costs_the_others_nothing() {
    let mut engine = engine();
    let mut jobs: Vec<Job> = (0..3).map(|_| Job::new(engine.open(2).unwrap(), 2)).collect();
    for (job, value) in jobs.iter_mut().zip([0.25, f32::NAN, 0.75]) {
        job.input.iter_mut().for_each(|input| input.erb[0] = value);
        job.pending = true;
    }
    engine.step(&mut jobs).unwrap();
    assert_eq!(jobs.iter().map(Job::is_finite).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!((jobs[0].output[1].mask[7], jobs[2].output[0].filtered[95].im), (0.25, 0.75));
}
