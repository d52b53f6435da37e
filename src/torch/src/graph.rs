//! CUDA graphs through a small library of their own, `libtacet_torch_cuda.so`, in packs with CUDA.
//!
//! A step of about a hundred kernels is bound by launching them; a graph replays the recorded kernels with one launch.

use std::ffi::{c_char, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use tacet_torch_pack::with_cause;

use crate::shim::with_text;
use crate::{Result, TorchError};

type Begin = unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> i32;

#[derive(Clone, Copy, Debug)]
struct Functions {
    new: unsafe extern "C" fn(i32, *mut *mut c_void, *mut c_char, usize) -> i32,
    begin: Begin,
    end: Begin,
    leave: Begin,
    replay: Begin,
    free: unsafe extern "C" fn(*mut c_void),
}

/// A recorded step.
#[derive(Debug)]
pub struct Graph {
    handle: NonNull<c_void>,
    functions: Functions,
}

impl Graph {
    /// Records what `work` launches on CUDA device `index`. `work` runs three times: twice to warm up, then to be
    /// recorded, which does not execute it; so it must leave the same state however often it ran.
    ///
    /// # Errors
    /// [`TorchError::NoDevice`] if the pack has no graph library; what `work` or the recording reports.
    pub fn record(index: usize, mut work: impl FnMut() -> Result<()>) -> Result<Self> {
        let functions = functions()?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: `handle` and the text buffer are ours.
        with_text(|text| unsafe {
            (functions.new)(index as i32, &mut handle, text.as_mut_ptr(), text.len())
        })?;
        let handle =
            NonNull::new(handle).ok_or_else(|| TorchError::Device("no CUDA graph was made".into()))?;
        let graph = Self { handle, functions };
        let recorded = (|| {
            work()?;
            work()?;
            graph.call(functions.begin)?;
            let worked = work();
            let ended = graph.call(functions.end);
            worked.and(ended)
        })();
        let left = graph.call(functions.leave);
        recorded.and(left)?;
        Ok(graph)
    }

    /// Launches the recorded step.
    ///
    /// # Errors
    /// [`TorchError::Device`] from CUDA.
    pub(crate) fn replay(&self) -> Result<()> {
        self.call(self.functions.replay)
    }

    fn call(&self, function: Begin) -> Result<()> {
        // SAFETY: the handle is live until drop; the text buffer is ours.
        with_text(|text| unsafe { function(self.handle.as_ptr(), text.as_mut_ptr(), text.len()) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { (self.functions.free)(self.handle.as_ptr()) };
    }
}

/// Whether steps can be recorded.
///
/// # Errors
/// [`TorchError::NoDevice`] with the reason why not.
pub fn available() -> Result<()> {
    functions().map(|_| ())
}

fn functions() -> Result<Functions> {
    static FUNCTIONS: OnceLock<std::result::Result<Functions, String>> = OnceLock::new();
    FUNCTIONS.get_or_init(load).clone().map_err(TorchError::NoDevice)
}

#[cfg(target_os = "linux")]
fn load() -> std::result::Result<Functions, String> {
    let path =
        crate::shim::library_dirs().map(|dir| dir.join("libtacet_torch_cuda.so")).find(|path| path.is_file());
    let path = path.ok_or("no CUDA graphs: libtacet_torch_cuda.so is not in this runtime pack")?;
    // SAFETY: absolute, in the pack that the loader has checked; it has no initialisers of its own.
    let library = unsafe { libloading::Library::new(&path) };
    let library = library.map_err(|error| format!("no CUDA graphs: {}", with_cause(&error)))?;
    let missing = |error: libloading::Error| format!("no CUDA graphs: {}", with_cause(&error));
    // SAFETY: the types are those that shim/cuda_graph.cpp declares; pack and backend are built together.
    let functions = unsafe {
        Functions {
            new: *library.get(b"tacet_graph_new\0").map_err(missing)?,
            begin: *library.get(b"tacet_graph_begin\0").map_err(missing)?,
            end: *library.get(b"tacet_graph_end\0").map_err(missing)?,
            leave: *library.get(b"tacet_graph_leave\0").map_err(missing)?,
            replay: *library.get(b"tacet_graph_replay\0").map_err(missing)?,
            free: *library.get(b"tacet_graph_free\0").map_err(missing)?,
        }
    };
    // The functions above stay valid as it is never closed.
    std::mem::forget(library);
    Ok(functions)
}

#[cfg(not(target_os = "linux"))]
fn load() -> std::result::Result<Functions, String> {
    Err("CUDA graphs are offered on Linux only".into())
}
