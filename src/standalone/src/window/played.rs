//! The plugin's processor as it plays outside of the framework, on the audio thread of a microphone or of a JACK server.

use std::sync::Arc;

use tacet::plugin::shared::Shared;
use tacet::processor::Processor;

/// A processor with the parameters that it follows.
pub struct Played {
    pub processor: Processor,
    pub shared: Arc<Shared>,
}

impl Played {
    /// Denoises a block in place, channel by channel; `is_offline` where it may take its time.
    pub fn process(&mut self, block: &mut [&mut [f32]], is_offline: bool) {
        let controls = self.shared.controls();
        self.processor.process(block, &controls, is_offline);
    }
}
