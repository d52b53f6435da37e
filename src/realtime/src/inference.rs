//! Inference for every stream of the process: one worker thread per device, shared by all plugin instances.
//!
//! - [`stream`]: the state of a stream, as its worker and the audio thread report it.
//! - [`device_state`]: the state of a slot's device.
//! - [`report`]: a service's report about itself.
//! - [`signal`]: calls an instance's background thread.
//! - `service`: a device's worker as the rest of the program sees it; streams join and leave off the audio thread.
//! - `worker`: the thread itself: collect what is pending, compute features, step the engine once for all, answer, park.
//! - `breaker`: when an engine that fails is given up.
//! - [`priority`]: real-time priority for that thread.
//! - [`native`], `torch`: open this library's own engine, and those of libtorch.
//! - [`services`]: the services of the process by device.
//! - [`keep_loaded`]: the library stays where a thread of it must.
//! - [`slot_manager`]: which engines one plugin instance uses for its slots A and B, and what happens when one fails.

use std::error::Error;
use std::sync::Arc;

use tacet_model::ModelKind;

use crate::engine::Engine;

use stream::StreamState;

pub(crate) mod breaker;
pub mod device_state;
pub mod keep_loaded;
pub mod native;
pub mod priority;
pub mod report;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod service;
pub mod services;
pub mod signal;
pub mod slot_manager;
pub mod stream;
pub(crate) mod torch;
pub(crate) mod worker;

/// Why an opener gave no engine; its text holds the user's next step.
pub type OpenError = Box<dyn Error + Send + Sync>;

/// An engine that is ready, and what was measured while it was opened.
pub struct OpenedEngine {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// Moving a step's tensors to the device and back, nothing computed: median, microseconds. `None` where nothing moves.
    pub round_trip_us: Option<f32>,
}

impl<E: Engine + 'static> From<E> for OpenedEngine {
    /// An engine that moves nothing.
    fn from(engine: E) -> Self {
        Self { engine: Box::new(engine), round_trip_us: None }
    }
}

/// The second half of opening an engine, run on the worker thread: a device may want all its calls from one thread. It
/// reports the states between [`StreamState::Opening`] and [`StreamState::Live`] that the engine goes through, if any.
pub type BuildEngine = Box<dyn FnOnce(&mut dyn FnMut(StreamState)) -> Result<OpenedEngine, OpenError> + Send>;

/// Opens the engines of a device. Its first half, this call, does what may take long and may run on any thread, off the
/// audio thread and off the worker.
pub type EngineOpener = Arc<dyn Fn(ModelKind) -> Result<BuildEngine, OpenError> + Send + Sync>;
