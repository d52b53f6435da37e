//! Changes of parameters, as CLAP writes them. Real-time safe.

use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;

use clap_sys::events::{
    CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_IS_LIVE, CLAP_EVENT_PARAM_GESTURE_BEGIN,
    CLAP_EVENT_PARAM_GESTURE_END, CLAP_EVENT_PARAM_VALUE, clap_event_flags, clap_event_header,
    clap_event_param_gesture, clap_event_param_value, clap_event_type, clap_output_events,
};

/// A change that the user makes on the panel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The user takes hold of a parameter.
    Begin(u32),
    /// A parameter's new value, in CLAP's terms: its step, or 0 to 1 where it has none.
    Value(u32, f64),
    /// The user lets go of a parameter.
    End(u32),
}

/// A parameter's value at a sample of a block.
pub(crate) fn value_event(at: u32, flags: clap_event_flags, id: u32, value: f64) -> clap_event_param_value {
    clap_event_param_value {
        header: header::<clap_event_param_value>(at, CLAP_EVENT_PARAM_VALUE, flags),
        param_id: id,
        cookie: ptr::null_mut(),
        note_id: -1,
        port_index: -1,
        channel: -1,
        key: -1,
        value,
    }
}

fn header<T>(time: u32, type_: clap_event_type, flags: clap_event_flags) -> clap_event_header {
    clap_event_header { size: size_of::<T>() as u32, time, space_id: CLAP_CORE_EVENT_SPACE_ID, type_, flags }
}

impl Event {
    /// Reads an event; none if it is not a change of a parameter.
    ///
    /// # Safety
    /// `event` is null or an event as its header says.
    pub unsafe fn read(event: *const clap_event_header) -> Option<Self> {
        // SAFETY: the caller's promise.
        let header = unsafe { event.as_ref() }?;
        if header.space_id != CLAP_CORE_EVENT_SPACE_ID {
            return None;
        }
        // SAFETY: the header names the type, and the caller vouches for it.
        let gesture = || unsafe { (*event.cast::<clap_event_param_gesture>()).param_id };
        match header.type_ {
            CLAP_EVENT_PARAM_GESTURE_BEGIN => Some(Self::Begin(gesture())),
            CLAP_EVENT_PARAM_GESTURE_END => Some(Self::End(gesture())),
            CLAP_EVENT_PARAM_VALUE => {
                // SAFETY: as above.
                let event = unsafe { &*event.cast::<clap_event_param_value>() };
                Some(Self::Value(event.param_id, event.value))
            }
            _ => None,
        }
    }

    /// Hands the event to a host's list; whether it took it.
    ///
    /// # Safety
    /// `list` is valid.
    pub unsafe fn push(self, list: &clap_output_events) -> bool {
        let Some(try_push) = list.try_push else { return false };
        let gesture = |type_, param_id| clap_event_param_gesture {
            header: header::<clap_event_param_gesture>(0, type_, CLAP_EVENT_IS_LIVE),
            param_id,
        };
        match self {
            Self::Value(id, value) => {
                let event = value_event(0, CLAP_EVENT_IS_LIVE, id, value);
                // SAFETY: the list is valid, and the event lives until the call returns.
                unsafe { try_push(list, &event.header) }
            }
            Self::Begin(id) => {
                let event = gesture(CLAP_EVENT_PARAM_GESTURE_BEGIN, id);
                // SAFETY: as above.
                unsafe { try_push(list, &event.header) }
            }
            Self::End(id) => {
                let event = gesture(CLAP_EVENT_PARAM_GESTURE_END, id);
                // SAFETY: as above.
                unsafe { try_push(list, &event.header) }
            }
        }
    }
}

/// A list that gives what is pushed to `take`, which must outlive it.
pub fn list<F: FnMut(Event)>(take: &mut F) -> clap_output_events {
    clap_output_events { ctx: ptr::from_mut(take).cast::<c_void>(), try_push: Some(try_push::<F>) }
}

unsafe extern "C" fn try_push<F: FnMut(Event)>(
    list: *const clap_output_events,
    event: *const clap_event_header,
) -> bool {
    // SAFETY: the context is the closure that `list` was made of, and the event is the plugin's.
    if let Some(event) = unsafe { Event::read(event) } {
        // SAFETY: as above; nobody else holds the closure.
        unsafe { (*(*list).ctx.cast::<F>())(event) };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_were_pushed() {
        let events = [Event::Begin(3), Event::Value(3, 0.25), Event::Value(u32::MAX, 2.0), Event::End(3)];
        let mut taken = Vec::new();
        let mut take = |event| taken.push(event);
        let list = list(&mut take);
        for event in events {
            // SAFETY: the list is valid.
            assert!(unsafe { event.push(&list) });
        }
        assert_eq!(taken, events);
    }
}
