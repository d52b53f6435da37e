//! Opens engines of libtorch. Everything that touches the library happens on the worker's thread: it may take seconds, and
//! Apple's GPU wants all calls from one thread of the process.

use std::sync::Arc;

use super::native::model_of_kind;
use super::stream::StreamState;
use super::{EngineOpener, OpenedEngine};
use crate::engine::EngineError;
use crate::engine::torch::{TorchDevice, TorchEngine, TorchOptions};

/// Empty round trips that are timed when a device is opened: some milliseconds in all.
const N_ROUND_TRIPS: usize = 51;

/// Opens the engines of one device; nothing is opened before an engine is built.
pub fn opener(device: TorchDevice) -> EngineOpener {
    Arc::new(move |model| {
        Ok(Box::new(move |on_state| {
            let (model, options) = (model_of_kind(model)?, TorchOptions::default());
            let mut engine = TorchEngine::load(device, &model, &options)?;
            on_state(StreamState::WarmingUp);
            engine.warm_up(options.warm_up_channels)?;
            on_state(StreamState::Checking);
            engine.self_check(&model)?;
            let has_transfers = device != TorchDevice::Cpu;
            let round_trip_us = has_transfers.then(|| median_round_trip_us(&mut engine)).transpose()?;
            Ok(OpenedEngine { engine: Box::new(engine), round_trip_us })
        }))
    })
}

/// Median time of empty round trips with the tensors of one channel.
fn median_round_trip_us(engine: &mut TorchEngine) -> Result<f32, EngineError> {
    let mut us = [0.0; N_ROUND_TRIPS];
    for us in &mut us {
        *us = engine.round_trip(1)?.total_us();
    }
    us.sort_by(f32::total_cmp);
    Ok(us[N_ROUND_TRIPS / 2])
}
