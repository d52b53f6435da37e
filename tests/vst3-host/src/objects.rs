//! Objects that a host gives to a plugin.

use std::ffi::c_void;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use vst3::Steinberg::Vst::{
    IComponentHandler, IComponentHandlerTrait, IParamValueQueue, IParamValueQueueTrait, IParameterChanges,
    IParameterChangesTrait, ParamID, ParamValue,
};
use vst3::Steinberg::{
    IBStream, IBStream_, IBStreamTrait, int32, int64, kInvalidArgument, kResultOk, tresult,
};
use vst3::{Class, ComPtr, ComWrapper};

use crate::Point;

/// A state on its way. Reads and writes a few bytes at a time, as some hosts do.
#[derive(Default)]
pub struct Stream(Mutex<(Vec<u8>, usize)>);

/// Most bytes at a time.
const PORTION: usize = 97;

impl Class for Stream {
    type Interfaces = (IBStream,);
}

impl Stream {
    /// A stream to be read.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Mutex::new((bytes.to_vec(), 0)))
    }

    /// The bytes written.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().map(|state| state.0.clone()).unwrap_or_default()
    }
}

impl IBStreamTrait for Stream {
    unsafe fn read(&self, buffer: *mut c_void, n_bytes: int32, n_read: *mut int32) -> tresult {
        let Ok(mut state) = self.0.lock() else { return kInvalidArgument };
        let (bytes, at) = &mut *state;
        let n = (bytes.len() - *at).min(n_bytes.max(0) as usize).min(PORTION);
        // SAFETY: the plugin has room for what it asks for.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes[*at..].as_ptr(), buffer.cast::<u8>(), n);
            if let Some(n_read) = n_read.as_mut() {
                *n_read = n as int32;
            }
        }
        *at += n;
        kResultOk
    }

    unsafe fn write(&self, buffer: *mut c_void, n_bytes: int32, n_written: *mut int32) -> tresult {
        let Ok(mut state) = self.0.lock() else { return kInvalidArgument };
        let n = (n_bytes.max(0) as usize).min(PORTION);
        // SAFETY: the plugin has the bytes that it offers.
        unsafe {
            state.0.extend_from_slice(std::slice::from_raw_parts(buffer.cast::<u8>(), n));
            if let Some(n_written) = n_written.as_mut() {
                *n_written = n as int32;
            }
        }
        kResultOk
    }

    unsafe fn seek(&self, offset: int64, mode: int32, result: *mut int64) -> tresult {
        let Ok(mut state) = self.0.lock() else { return kInvalidArgument };
        let (bytes, at) = &mut *state;
        let from = match mode as IBStream_::IStreamSeekMode {
            IBStream_::IStreamSeekMode_::kIBSeekCur => *at,
            IBStream_::IStreamSeekMode_::kIBSeekEnd => bytes.len(),
            _ => 0,
        };
        *at = (from as int64 + offset).clamp(0, bytes.len() as int64) as usize;
        // SAFETY: null, or room for the answer.
        if let Some(result) = unsafe { result.as_mut() } {
            *result = *at as int64;
        }
        kResultOk
    }

    unsafe fn tell(&self, at: *mut int64) -> tresult {
        // SAFETY: null, or room for the answer.
        match (unsafe { at.as_mut() }, self.0.lock()) {
            (Some(at), Ok(state)) => {
                *at = state.1 as int64;
                kResultOk
            }
            _ => kInvalidArgument,
        }
    }
}

/// A block's changes of parameters.
pub struct Changes(Vec<ComPtr<IParamValueQueue>>);

struct Queue {
    id: ParamID,
    points: Vec<(int32, ParamValue)>,
}

impl Class for Changes {
    type Interfaces = (IParameterChanges,);
}

impl Class for Queue {
    type Interfaces = (IParamValueQueue,);
}

impl Changes {
    /// Sorts points into one queue per parameter.
    pub fn new(points: &[Point]) -> Self {
        let mut queues: Vec<Queue> = Vec::new();
        for &(at, id, value) in points {
            match queues.iter_mut().find(|queue| queue.id == id) {
                Some(queue) => queue.points.push((at, value)),
                None => queues.push(Queue { id, points: vec![(at, value)] }),
            }
        }
        Self(queues.into_iter().filter_map(|queue| ComWrapper::new(queue).to_com_ptr()).collect())
    }
}

impl IParameterChangesTrait for Changes {
    unsafe fn getParameterCount(&self) -> int32 {
        self.0.len() as int32
    }

    unsafe fn getParameterData(&self, index: int32) -> *mut IParamValueQueue {
        self.0.get(index as usize).map_or(std::ptr::null_mut(), |queue| queue.as_ptr())
    }

    unsafe fn addParameterData(&self, _id: *const ParamID, _index: *mut int32) -> *mut IParamValueQueue {
        std::ptr::null_mut()
    }
}

impl IParamValueQueueTrait for Queue {
    unsafe fn getParameterId(&self) -> ParamID {
        self.id
    }

    unsafe fn getPointCount(&self) -> int32 {
        self.points.len() as int32
    }

    unsafe fn getPoint(&self, index: int32, at: *mut int32, value: *mut ParamValue) -> tresult {
        let Some(point) = self.points.get(index as usize) else { return kInvalidArgument };
        // SAFETY: the plugin has room for the answer.
        unsafe { (*at, *value) = *point };
        kResultOk
    }

    unsafe fn addPoint(&self, _at: int32, _value: ParamValue, _index: *mut int32) -> tresult {
        kInvalidArgument
    }
}

/// Reports of a plugin to its host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Report {
    /// The user takes hold of a parameter.
    Begin(u32),
    /// A new value.
    Perform(u32, f64),
    /// The user lets go.
    End(u32),
    /// Something has changed that the host must ask for.
    Restart(i32),
}

/// All reports, and on which thread each came.
#[derive(Default)]
pub struct Log(Mutex<Vec<(Report, Option<ThreadId>)>>);

impl Log {
    /// All reports so far; forgotten then.
    pub fn take(&self) -> Vec<Report> {
        self.0.lock().map(|mut log| log.drain(..).map(|(report, _)| report).collect()).unwrap_or_default()
    }

    /// Whether all reports so far came on this thread.
    pub fn is_all_here(&self) -> bool {
        let here = Some(std::thread::current().id());
        self.0.lock().is_ok_and(|log| log.iter().all(|(_, thread)| *thread == here))
    }

    fn push(&self, report: Report) -> tresult {
        if let Ok(mut log) = self.0.lock() {
            log.push((report, Some(std::thread::current().id())));
        }
        kResultOk
    }
}

/// The receiver of edits and requests.
#[derive(Default)]
pub struct Handler {
    /// The reports received.
    pub log: Arc<Log>,
}

impl Class for Handler {
    type Interfaces = (IComponentHandler,);
}

impl IComponentHandlerTrait for Handler {
    unsafe fn beginEdit(&self, id: ParamID) -> tresult {
        self.log.push(Report::Begin(id))
    }

    unsafe fn performEdit(&self, id: ParamID, value: ParamValue) -> tresult {
        self.log.push(Report::Perform(id, value))
    }

    unsafe fn endEdit(&self, id: ParamID) -> tresult {
        self.log.push(Report::End(id))
    }

    unsafe fn restartComponent(&self, flags: int32) -> tresult {
        self.log.push(Report::Restart(flags))
    }
}
