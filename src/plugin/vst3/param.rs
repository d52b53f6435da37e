//! A parameter as a VST3 host sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::parameters::ParamId;
use crate::params::TacetParams;
use crate::params::access::AnyParam;

/// No value: the bits of no number that a host may set.
const NO_VALUE: u64 = u64::MAX;

/// A parameter.
pub struct Param {
    /// Its identifier, the CLAP's.
    pub id: u32,
    /// The parameter in the table.
    pub of: ParamId,
    params: Arc<TacetParams>,
    /// The bits of what the host set while audio runs and has not handed to the audio thread.
    edit: AtomicU64,
}

impl Param {
    /// One of the instance's parameters under its identifier in CLAP.
    pub fn new(id: u32, of: ParamId, params: Arc<TacetParams>) -> Self {
        Self { id, of, params, edit: AtomicU64::new(NO_VALUE) }
    }

    /// The plugin's parameter. Real-time safe.
    pub fn get(&self) -> &dyn AnyParam {
        self.params.param(self.of)
    }

    /// CLAP's value per VST3's.
    pub fn scale(&self) -> f64 {
        self.get().steps().unwrap_or(1) as f64
    }

    /// The value, normalised: what was set last.
    pub fn value(&self) -> f64 {
        match self.edit.load(Ordering::Relaxed) {
            NO_VALUE => f64::from(self.get().value()),
            bits => f64::from_bits(bits),
        }
    }

    /// Sets the value. A parameter is an atomic: this may be done while audio is processed.
    pub fn set(&self, value: f64) {
        self.get().start(value as f32);
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
