//! The C ABI. Every function checks its pointers, catches panics, and turns errors into a status and a text.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tacet_model::Model;
use tacet_torch_pack::abi::{
    self, ABI_VERSION, Api, Chunk, DfMethod, EngineConfig, FLAG_GRAPHS, Lane, MAX_CHUNK_FRAMES, Message,
    N_INPUT, N_OUTPUT, Probe, Status, Timings,
};

use crate::sequence::{Bounds, Sequence};
use crate::streams::{MAX_LANES, Streams};
use crate::target::{self, Target};
use crate::weights::Weights;
use crate::{Inference, Result, TorchError};

static API: Api = Api {
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

/// The one exported symbol.
///
/// # Safety
/// None needed: it returns the address of a constant.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tacet_torch_api() -> *const Api {
    &API
}

unsafe extern "C" fn probe(device: abi::DeviceAddress, out: *mut Probe, message: *mut Message) -> Status {
    guarded(message, || {
        let _alone = alone(device.kind == abi::DeviceKind::MPS);
        let (found, problem) = target::probe(device);
        // SAFETY: the caller passes null or a place for one probe.
        *unsafe { out.as_mut() }.ok_or_else(null)? = found;
        problem.map_or(Ok(()), Err)
    })
}

unsafe extern "C" fn set_threads(n_threads: u32, message: *mut Message) -> Status {
    guarded(message, || {
        if !(1..=1024).contains(&n_threads) {
            return Err(TorchError::Argument(format!("{n_threads} threads are not within 1..=1024")));
        }
        N_THREADS.store(n_threads as i32, Ordering::Relaxed);
        apply_threads();
        Ok(())
    })
}

unsafe extern "C" fn engine_new(
    config: *const EngineConfig,
    out: *mut *mut abi::EngineHandle,
    message: *mut Message,
) -> Status {
    guarded(message, || {
        // SAFETY: the caller passes null or a valid configuration, and null or a place for a pointer.
        let (config, out) = unsafe { (config.as_ref().ok_or_else(null)?, out.as_mut().ok_or_else(null)?) };
        // SAFETY: the caller passes `model_length` readable bytes.
        let bytes = unsafe { slice(config.model, config.model_length) }?;
        let model = Model::from_safetensors(bytes)?;
        let _alone = alone(config.device.kind == abi::DeviceKind::MPS);
        let target = Target::open(config.device)?;
        let weights = Rc::new(Weights::new(&model, target)?);
        let streams = Streams::new(weights, config.max_lanes as usize, config.flags & FLAG_GRAPHS != 0)?;
        *out = Box::into_raw(Box::new(streams)).cast();
        Ok(())
    })
}

unsafe extern "C" fn engine_free(engine: *mut abi::EngineHandle) {
    guarded(std::ptr::null_mut(), || {
        if !engine.is_null() {
            // SAFETY: made by `engine_new`, freed once by the caller's promise.
            let engine = unsafe { Box::from_raw(engine.cast::<Streams>()) };
            let _alone = alone(engine.weights().target().is_metal());
            drop(engine);
        }
        Ok(())
    });
}

unsafe extern "C" fn engine_warm_up(
    engine: *mut abi::EngineHandle,
    n_lanes: u32,
    message: *mut Message,
) -> Status {
    guarded(message, || {
        // SAFETY: the caller passes null or an engine of `engine_new`, on its thread.
        let streams = unsafe { engine_of(engine) }?;
        let _alone = alone(streams.weights().target().is_metal());
        streams.warm_up(n_lanes as usize)
    })
}

unsafe extern "C" fn engine_step(
    engine: *mut abi::EngineHandle,
    lanes: *const Lane,
    n_lanes: u32,
    input: *const f32,
    output: *mut f32,
    timings: *mut Timings,
    message: *mut Message,
) -> Status {
    guarded(message, || {
        let n = n_lanes as usize;
        if n > MAX_LANES {
            return Err(TorchError::Argument(format!("{n} lanes in a step, at most {MAX_LANES}")));
        }
        // SAFETY: the caller passes null or an engine of `engine_new`, and null or `n_lanes` lanes, as many inputs and
        // as much room for outputs, which do not overlap; `n` is small, so sizes do not overflow.
        let (streams, lanes, input, output) = unsafe {
            (
                engine_of(engine)?,
                slice(lanes, n)?,
                slice(input, n * N_INPUT)?,
                slice_mut(output, n * N_OUTPUT)?,
            )
        };
        // SAFETY: the caller passes null or a place for the timings.
        let timings = unsafe { timings.as_mut() }.ok_or_else(null)?;
        let _alone = alone(streams.weights().target().is_metal());
        *timings = streams.step(lanes, input, output)?;
        Ok(())
    })
}

unsafe extern "C" fn engine_round_trip(
    engine: *mut abi::EngineHandle,
    n_lanes: u32,
    timings: *mut Timings,
    message: *mut Message,
) -> Status {
    guarded(message, || {
        // SAFETY: the caller passes null or an engine of `engine_new`, and null or a place for the timings.
        let (streams, timings) = unsafe { (engine_of(engine)?, timings.as_mut().ok_or_else(null)?) };
        let _alone = alone(streams.weights().target().is_metal());
        *timings = streams.round_trip(n_lanes as usize)?;
        Ok(())
    })
}

unsafe extern "C" fn file_new(
    engine: *mut abi::EngineHandle,
    n_channels: u32,
    method: DfMethod,
    out: *mut *mut abi::FileHandle,
    message: *mut Message,
) -> Status {
    guarded(message, || {
        // SAFETY: the caller passes null or an engine of `engine_new`, and null or a place for a pointer.
        let (streams, out) = unsafe { (engine_of(engine)?, out.as_mut().ok_or_else(null)?) };
        let _alone = alone(streams.weights().target().is_metal());
        let sequence = Sequence::new(Rc::clone(streams.weights()), n_channels as usize, method)?;
        *out = Box::into_raw(Box::new(sequence)).cast();
        Ok(())
    })
}

unsafe extern "C" fn file_push(
    file: *mut abi::FileHandle,
    chunk: *const Chunk,
    timings: *mut Timings,
    message: *mut Message,
) -> Status {
    guarded(message, || {
        // SAFETY: the caller passes null or a file of `file_new`, a chunk, and a place for the timings.
        let (file, chunk, timings) = unsafe {
            let file = file.cast::<Sequence>().as_mut().ok_or_else(null)?;
            (file, chunk.as_ref().ok_or_else(null)?, timings.as_mut().ok_or_else(null)?)
        };
        let rows = chunk.n_hops.saturating_mul(file.n_channels());
        if rows > MAX_CHUNK_FRAMES {
            return Err(TorchError::Argument(format!(
                "a chunk of {rows} frames, at most {MAX_CHUNK_FRAMES}"
            )));
        }
        let bounds =
            Bounds { min_db: chunk.min_db, max_erb_db: chunk.max_erb_db, max_df_db: chunk.max_df_db };
        // SAFETY: the caller passes buffers of these sizes that do not overlap; `rows` is small.
        let (updates, input, output) = unsafe {
            (
                slice(chunk.updates, chunk.n_hops)?,
                slice(chunk.input, rows * N_INPUT)?,
                slice_mut(chunk.output, rows * N_OUTPUT)?,
            )
        };
        let _alone = alone(file.target().is_metal());
        *timings = file.push(updates, bounds, input, output)?;
        Ok(())
    })
}

unsafe extern "C" fn file_free(file: *mut abi::FileHandle) {
    guarded(std::ptr::null_mut(), || {
        if !file.is_null() {
            // SAFETY: made by `file_new`, freed once by the caller's promise.
            let file = unsafe { Box::from_raw(file.cast::<Sequence>()) };
            let _alone = alone(file.target().is_metal());
            drop(file);
        }
        Ok(())
    });
}

/// Runs a call with one CPU thread (unless set otherwise) and without autograd, and reports how it ended.
fn guarded(message: *mut Message, call: impl FnOnce() -> Result<()>) -> Status {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        target::preload_cuda();
        apply_threads();
        let _inference = Inference::enter();
        call()
    }));
    let (status, text) = match outcome {
        Ok(Ok(())) => (Status::OK, String::new()),
        Ok(Err(error)) => (error.status(), error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            (Status::PANIC, text.unwrap_or_else(|| "the backend panicked without a text".into()))
        }
    };
    // SAFETY: the caller passes null or a message with room for `capacity` bytes.
    if let Some(message) = unsafe { message.as_mut() } {
        let mut length = text.len().min(message.capacity);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        if !message.text.is_null() {
            // SAFETY: `length` bytes are readable in the text and writable in the room, which is the caller's own.
            unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), message.text, length) };
        }
        message.length = length;
    }
    status
}

/// Keeps this thread alone on Apple's GPU while the guard lives: two threads that use it at once crash the process (PyTorch
/// #197805). One worker has all engines there, but a probe may come from anywhere.
fn alone(is_metal: bool) -> Option<MutexGuard<'static, ()>> {
    static METAL: Mutex<()> = Mutex::new(());
    is_metal.then(|| METAL.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Threads of libtorch's CPU kernels.
static N_THREADS: AtomicI32 = AtomicI32::new(1);

thread_local! {
    /// The number set on this thread; OpenMP's number is each thread's own.
    static TOLD: Cell<i32> = const { Cell::new(0) };
}

/// libtorch starts as many threads as there are cores at a thread's first operation, unless set before. In an audio host
/// that is ruinous: they fight the audio thread for cores.
fn apply_threads() {
    let n_threads = N_THREADS.load(Ordering::Relaxed);
    if TOLD.replace(n_threads) != n_threads {
        tch::set_num_threads(n_threads);
    }
}

fn null() -> TorchError {
    TorchError::Argument("a null pointer".into())
}

/// # Safety
/// Null, or an engine of `engine_new` that is used by this thread alone.
unsafe fn engine_of<'a>(engine: *mut abi::EngineHandle) -> Result<&'a mut Streams> {
    // SAFETY: the caller's promise.
    unsafe { engine.cast::<Streams>().as_mut() }.ok_or_else(null)
}

/// # Safety
/// Null, or `length` readable values.
unsafe fn slice<'a, T>(values: *const T, length: usize) -> Result<&'a [T]> {
    if values.is_null() {
        return if length == 0 { Ok(&[]) } else { Err(null()) };
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(values, length) })
}

/// # Safety
/// Null, or `length` writable values that nothing else refers to.
unsafe fn slice_mut<'a, T>(values: *mut T, length: usize) -> Result<&'a mut [T]> {
    if values.is_null() {
        return if length == 0 { Ok(&mut []) } else { Err(null()) };
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts_mut(values, length) })
}
