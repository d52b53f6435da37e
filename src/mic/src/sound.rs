//! The denoiser between the two streams: a stream of its own, or the plugin that the window brings.

use std::fmt;
use std::sync::Arc;

use tacet_realtime::latency::Latency;
use tacet_realtime::live::Live;
use tacet_realtime::meters::Meters;

use crate::settings::Settings;

/// See the module. Made and dropped off the audio thread.
pub trait Sound: Send {
    /// Processes the first `n_samples` of each channel in place. Real-time safe.
    fn process(&mut self, channels: &mut [Vec<f32>], n_samples: usize, settings: &Settings);

    /// Forgets everything heard.
    fn reset(&mut self);

    /// Channels, 1 or 2.
    fn n_channels(&self) -> usize;

    /// Its latency.
    fn latency(&self) -> Latency;

    /// The audio thread's meters.
    fn meters(&self) -> Arc<Meters>;
}

impl fmt::Debug for dyn Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} channels", self.n_channels())
    }
}

/// Hands on the first `n_samples` of each channel, one or two. Real-time safe.
pub fn with_block(channels: &mut [Vec<f32>], n_samples: usize, process: impl FnOnce(&mut [&mut [f32]])) {
    match channels {
        [mono] => process(&mut [&mut mono[..n_samples]]),
        [left, right] => process(&mut [&mut left[..n_samples], &mut right[..n_samples]]),
        _ => {}
    }
}

impl Sound for Live {
    fn process(&mut self, channels: &mut [Vec<f32>], n_samples: usize, settings: &Settings) {
        let controls = settings.controls();
        with_block(channels, n_samples, |block| Live::process(self, block, &controls));
    }

    fn reset(&mut self) {
        Live::reset(self);
    }

    fn n_channels(&self) -> usize {
        self.setup().n_channels
    }

    fn latency(&self) -> Latency {
        *Live::latency(self)
    }

    fn meters(&self) -> Arc<Meters> {
        Live::meters(self).clone()
    }
}
