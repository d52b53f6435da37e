//! Inference for every stream of the process: one worker thread per device, shared by all plugin instances.
//!
//! - [`service`]: a device's worker as the rest of the program sees it; streams join and leave off the audio thread.
//! - [`worker`]: the thread itself: collect what is pending, compute features, step the engine once for all, answer, park.
//! - [`breaker`]: when an engine that fails is given up.
//! - [`priority`]: real-time priority for that thread.
//! - [`native`], [`torch`]: open this library's own engine, and those of libtorch.
//! - [`services`]: the services of the process by device.
//! - [`slot_manager`]: which engines one plugin instance uses for its slots A and B, and what happens when one fails.

use std::error::Error;

use tacet_model::ModelKind;

use crate::engine::Engine;

pub mod breaker;
mod keep_loaded;
pub mod native;
pub mod priority;
#[cfg(test)]
pub(crate) mod scripted;
pub mod service;
pub mod services;
pub mod slot_manager;
pub mod torch;
pub mod worker;

/// Why an opener gave no engine; its text holds the user's next step.
pub type OpenError = Box<dyn Error + Send + Sync>;

/// What opening an engine tells on its way, in this order; an engine that has none of it tells nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Loaded; the first steps follow, which take longest.
    WarmingUp,
    /// Its output is compared with the native engine's.
    Checking,
    /// Moving a step's tensors to the device and back took this long, nothing computed: median, microseconds.
    RoundTrip(f32),
}

/// The second half of opening an engine, run on the worker thread: a device may want all its calls from one thread.
pub type BuildEngine = Box<dyn FnOnce(&mut dyn FnMut(Progress)) -> Result<Box<dyn Engine>, OpenError> + Send>;

/// Opens the engines of a device.
pub trait EngineOpener: Send + Sync {
    /// Does what may take long and may run on any thread, off the audio thread and off the worker.
    ///
    /// # Errors
    /// The opener's own, with the user's next step in the text.
    fn prepare(&self, model: ModelKind) -> Result<BuildEngine, OpenError>;
}

impl<F> EngineOpener for F
where
    F: Fn(ModelKind) -> Result<BuildEngine, OpenError> + Send + Sync,
{
    fn prepare(&self, model: ModelKind) -> Result<BuildEngine, OpenError> {
        self(model)
    }
}
