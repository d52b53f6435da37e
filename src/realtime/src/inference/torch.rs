//! Opens engines of libtorch. Everything that touches the library happens on the worker's thread: it may take seconds, and
//! Apple's GPU wants all calls from one thread of the process.

use tacet_model::ModelKind;

use super::native::model_of_kind;
use super::{BuildEngine, EngineOpener, OpenError, Progress};
use crate::engine::torch::{TorchDevice, TorchEngine, TorchOptions};
use crate::engine::{Engine, EngineError};

/// Empty round trips that are timed when a device is opened: some milliseconds in all.
const N_ROUND_TRIPS: usize = 51;

/// Opens the engines of one device.
pub struct TorchOpener {
    device: TorchDevice,
}

impl TorchOpener {
    /// Nothing is opened before an engine is built.
    pub fn new(device: TorchDevice) -> Self {
        Self { device }
    }
}

impl EngineOpener for TorchOpener {
    fn prepare(&self, model: ModelKind) -> Result<BuildEngine, OpenError> {
        let device = self.device;
        Ok(Box::new(move |tell| {
            let (model, options) = (model_of_kind(model)?, TorchOptions::default());
            let mut engine = TorchEngine::load(device, &model, &options)?;
            tell(Progress::WarmingUp);
            engine.warm_up(options.warm_up_channels)?;
            tell(Progress::Checking);
            engine.self_check(&model)?;
            if device != TorchDevice::Cpu {
                tell(Progress::RoundTrip(median_round_trip_us(&mut engine)?));
            }
            Ok(Box::new(engine) as Box<dyn Engine>)
        }))
    }
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
