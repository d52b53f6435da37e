//! A parameter as a VST3 host sees it.

use std::sync::atomic::{AtomicU64, Ordering};

use nice_plug::prelude::ParamPtr;

/// No value: the bits of no number that a host may set.
const NO_VALUE: u64 = u64::MAX;

/// A parameter.
pub struct Param {
    /// Its identifier, the CLAP's.
    pub id: u32,
    /// The parameter; it lives as long as the instance.
    pub ptr: ParamPtr,
    /// Steps between its values, where it has any.
    pub n_steps: Option<usize>,
    /// Its group.
    pub group: &'static str,
    /// The bits of what the host set while audio runs and has not handed to the audio thread.
    edit: AtomicU64,
}

impl Param {
    /// Describes a parameter.
    ///
    /// # Safety
    /// `ptr` is valid as long as the description lives.
    pub unsafe fn new(id: u32, ptr: ParamPtr, group: &'static str) -> Self {
        // SAFETY: the caller's promise.
        let n_steps = unsafe { ptr.step_count() };
        Self { id, ptr, n_steps, group, edit: AtomicU64::new(NO_VALUE) }
    }

    /// CLAP's value per VST3's.
    pub fn scale(&self) -> f64 {
        self.n_steps.unwrap_or(1) as f64
    }

    /// The value, normalised: what was set last.
    pub fn value(&self) -> f64 {
        match self.edit.load(Ordering::Relaxed) {
            // SAFETY: the instance holds the parameters as long as the bridge lives.
            NO_VALUE => f64::from(unsafe { self.ptr.unmodulated_normalized_value() }),
            bits => f64::from_bits(bits),
        }
    }

    /// Sets the value. A parameter is an atomic: this may be done while audio is processed.
    pub fn set(&self, value: f64) {
        // SAFETY: as above.
        unsafe { self.ptr._internal_set_normalized_value(value as f32) };
    }

    /// Keeps what the host has set, until the audio thread has it.
    pub(crate) fn keep_edit(&self, value: f64) {
        self.edit.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Makes what was kept the value.
    pub(crate) fn take_edit(&self) {
        match self.edit.swap(NO_VALUE, Ordering::Relaxed) {
            NO_VALUE => (),
            bits => self.set(f64::from_bits(bits)),
        }
    }

    /// The audio thread or the panel has the last word. Real-time safe.
    pub(crate) fn forget_edit(&self) {
        self.edit.store(NO_VALUE, Ordering::Relaxed);
    }
}

/// The parameter with this identifier. Real-time safe.
pub fn find(params: &[Param], id: u32) -> Option<&Param> {
    params.iter().find(|param| param.id == id)
}
