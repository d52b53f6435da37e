//! Changes of parameters from VST3's queues to CLAP's events. Audio thread; real-time safe.
//!
//! Every point of an automation becomes an event, at its sample.

use std::ffi::c_void;
use std::ptr;

use clap_sys::events::{clap_event_header, clap_event_param_value, clap_input_events};
use vst3::ComRef;
use vst3::Steinberg::Vst::{IParamValueQueueTrait, IParameterChanges, IParameterChangesTrait};
use vst3::Steinberg::kResultOk;

use super::param::{self, Param};
use crate::plugin::clap::events::value_event;

/// Points of automation in a block; of what is more, each parameter's last ones count.
const MAX_POINTS: usize = 4096;

/// A block's changes of parameters.
pub struct Changes {
    /// The block's changes of parameters, and their order where the sample is the same.
    changes: Vec<(u32, clap_event_param_value)>,
}

impl Changes {
    /// Allocates.
    pub fn new() -> Self {
        Self { changes: Vec::with_capacity(MAX_POINTS) }
    }

    /// Reads the host's changes for a block of `n_samples`.
    ///
    /// # Safety
    /// The host's object lives during the call.
    pub unsafe fn read(&mut self, params: &[Param], changes: *mut IParameterChanges, n_samples: u32) {
        self.changes.clear();
        // SAFETY: the caller's promise; the queues are the object's.
        unsafe {
            let Some(changes) = ComRef::from_raw(changes) else { return };
            for index in 0..changes.getParameterCount() {
                let Some(queue) = ComRef::from_raw(changes.getParameterData(index)) else { continue };
                let Some(param) = param::find(params, queue.getParameterId()) else { continue };
                for point in 0..queue.getPointCount() {
                    let (mut at, mut value) = (0, 0.0);
                    if queue.getPoint(point, &mut at, &mut value) != kResultOk || !value.is_finite() {
                        continue;
                    }
                    let at = (at.max(0) as u32).min(n_samples.saturating_sub(1));
                    self.push(value_event(at, 0, param.id, value.clamp(0.0, 1.0) * param.scale()));
                    param.forget_edit();
                }
            }
        }
        self.changes.sort_unstable_by_key(|(order, event)| (event.header.time, *order));
    }

    fn push(&mut self, event: clap_event_param_value) {
        if self.changes.len() < MAX_POINTS {
            self.changes.push((self.changes.len() as u32, event));
        } else if let Some((_, last)) =
            self.changes.iter_mut().rev().find(|(_, last)| last.param_id == event.param_id)
        {
            *last = event;
        }
    }

    /// The changes as the CLAP reads them. They must outlive the list.
    pub fn events(&self) -> clap_input_events {
        clap_input_events {
            ctx: ptr::from_ref(&self.changes).cast_mut().cast::<c_void>(),
            size: Some(n_events),
            get: Some(event),
        }
    }
}

/// The changes behind a list.
///
/// # Safety
/// The list was made by [`Changes::events`].
unsafe fn changes<'a>(list: *const clap_input_events) -> &'a [(u32, clap_event_param_value)] {
    // SAFETY: the caller's promise.
    unsafe { &*(*list).ctx.cast::<Vec<(u32, clap_event_param_value)>>() }
}

unsafe extern "C" fn n_events(list: *const clap_input_events) -> u32 {
    // SAFETY: the CLAP passes what it was given.
    unsafe { changes(list) }.len() as u32
}

unsafe extern "C" fn event(list: *const clap_input_events, index: u32) -> *const clap_event_header {
    // SAFETY: the CLAP passes what it was given.
    match unsafe { changes(list) }.get(index as usize) {
        Some((_, event)) => &event.header,
        None => ptr::null(),
    }
}
