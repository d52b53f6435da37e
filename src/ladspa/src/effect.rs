//! An instance of a plugin: what the host has connected, and the stream behind it.
//!
//! [`Effect::new`] allocates and waits for the engine; [`Effect::run`] and [`Effect::reset`] are the audio thread's and do
//! neither. Buffers may be one another's: a block is copied in before anything of it is written.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use tacet_realtime::device::Device;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::live::{Live, LiveError, Options};
use tacet_realtime::model::ModelKind;
use tacet_realtime::processor::controls::Controls;

use crate::ports::{self, CONTROLS, MAX_PORTS, Plugin, Port};

/// Most samples that are taken at once: PipeWire's and JACK's largest block. Longer blocks are taken in parts, which only
/// hosts send that do not play.
const MAX_PORTION: usize = 8192;

/// See the module.
pub struct Effect {
    plugin: &'static Plugin,
    live: Live,
    /// The buffer connected to each port; null for none.
    ports: [*mut f32; MAX_PORTS],
    /// A block's samples, by channel.
    samples: Vec<Vec<f32>>,
    /// Whether processing has panicked: the input passes from then on.
    is_broken: bool,
}

impl Effect {
    /// Opens an instance at a sample rate in hertz. Not on the audio thread.
    ///
    /// # Errors
    /// The rate is not one that audio has.
    pub fn new(plugin: &'static Plugin, rate_hz: f64) -> Result<Self, LiveError> {
        let options = Options {
            rate_hz,
            n_channels: plugin.n_channels,
            model: ModelKind::DeepFilterNet3,
            mode: LatencyMode::Safe,
            device: Device::Native,
        };
        Ok(Self {
            plugin,
            live: Live::open(&options)?,
            ports: [ptr::null_mut(); MAX_PORTS],
            samples: vec![vec![0.0; MAX_PORTION]; plugin.n_channels],
            is_broken: false,
        })
    }

    /// Connects a port by its number; null is nothing, and a port that does not exist is ignored. Real-time safe.
    pub fn connect(&mut self, port: usize, data: *mut f32) {
        if let Some(known) = self.ports.get_mut(port) {
            *known = data;
        }
    }

    /// Forgets everything heard. Real-time safe.
    pub fn reset(&mut self) {
        self.live.reset();
    }

    /// Samples between an input and the same moment in the output.
    pub fn latency_samples(&self) -> usize {
        self.live.latency().total_samples
    }

    /// Processes a block. Real-time safe.
    ///
    /// # Safety
    /// Every connected port of audio points to at least `n_samples` samples, every other one to one value; they may overlap,
    /// and nobody else uses them during the call.
    pub unsafe fn run(&mut self, n_samples: usize) {
        // SAFETY: the caller's.
        let controls = unsafe { self.controls() };
        let mut at = 0;
        while at < n_samples {
            let n = (n_samples - at).min(MAX_PORTION);
            // SAFETY: the caller's, for the part of the block that `at` and `n` cut out.
            unsafe {
                self.read(at, n);
                self.process(n, &controls);
                self.write(at, n);
            }
            at += n;
        }
        if let (true, Some(latency)) = (self.plugin.has_latency, self.connected(Port::Latency)) {
            // SAFETY: the caller's: a connected port points to a value.
            unsafe { latency.write(self.latency_samples() as f32) };
        }
    }

    /// # Safety
    /// As [`Self::run`].
    unsafe fn controls(&self) -> Controls {
        // SAFETY: the caller's: a connected port points to a value.
        ports::controls(|index| self.connected(Port::Control(index)).map(|value| unsafe { value.read() }))
    }

    /// # Safety
    /// As [`Self::run`], for `n` samples from `at`; `n` is at most [`MAX_PORTION`].
    unsafe fn read(&mut self, at: usize, n: usize) {
        for channel in 0..self.plugin.n_channels {
            let input = self.connected(Port::Input(channel));
            let samples = &mut self.samples[channel][..n];
            match input {
                // SAFETY: the caller's: the input has these samples; ours are in memory that no host knows.
                Some(input) => unsafe { ptr::copy_nonoverlapping(input.add(at), samples.as_mut_ptr(), n) },
                None => samples.fill(0.0),
            }
        }
    }

    fn process(&mut self, n: usize, controls: &Controls) {
        if self.is_broken {
            return;
        }
        let Self { live, samples, .. } = self;
        let done = catch_unwind(AssertUnwindSafe(|| match samples.as_mut_slice() {
            [mono] => live.process(&mut [&mut mono[..n]], controls),
            [left, right] => live.process(&mut [&mut left[..n], &mut right[..n]], controls),
            _ => {}
        }));
        self.is_broken = done.is_err();
    }

    /// # Safety
    /// As [`Self::read`].
    unsafe fn write(&self, at: usize, n: usize) {
        for (channel, samples) in self.samples.iter().enumerate() {
            if let Some(output) = self.connected(Port::Output(channel)) {
                // SAFETY: the caller's: the output has room for these samples; ours are in memory that no host knows.
                unsafe { ptr::copy_nonoverlapping(samples.as_ptr(), output.add(at), n) };
            }
        }
    }

    /// The buffer connected to a port, if any.
    fn connected(&self, port: Port) -> Option<*mut f32> {
        let n_channels = self.plugin.n_channels;
        let number = match port {
            Port::Input(channel) => channel,
            Port::Output(channel) => n_channels + channel,
            Port::Control(index) => 2 * n_channels + index,
            Port::Latency => 2 * n_channels + CONTROLS.len(),
        };
        Some(self.ports[number]).filter(|data| !data.is_null())
    }
}

/// A new instance for a host, or null where the rate is not one that audio has.
pub fn instantiate(plugin: &'static Plugin, rate_hz: f64) -> *mut c_void {
    match catch_unwind(AssertUnwindSafe(|| Effect::new(plugin, rate_hz))) {
        Ok(Ok(effect)) => Box::into_raw(Box::new(effect)).cast(),
        _ => ptr::null_mut(),
    }
}

/// Begins anew, as both interfaces call it.
///
/// # Safety
/// `handle` comes from [`instantiate`] and is used by one thread at a time, as LADSPA and LV2 ask of hosts.
pub unsafe extern "C" fn activate(handle: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { &mut *handle.cast::<Effect>() }.reset();
}

/// Ends an instance, as both interfaces call it.
///
/// # Safety
/// As [`activate`]; the handle is used no more.
pub unsafe extern "C" fn cleanup(handle: *mut c_void) {
    // SAFETY: the caller's.
    let effect = unsafe { Box::from_raw(handle.cast::<Effect>()) };
    // A panic at the end must not take the host with it.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(effect)));
}
