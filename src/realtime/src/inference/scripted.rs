//! Engines scripted by a test: they work, lag, hang, fail, panic, or return NaN.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tacet_model::N_BANDS;

use super::services::Services;
use super::{EngineOpener, OpenedEngine};
use crate::device::Device;
use crate::engine::torch::TorchDevice;
use crate::engine::{ChannelOut, Engine, EngineError, Job, Stage, StepTimings, StreamId};
use crate::frame::{LowBins, SILENT_LOW_BINS};

/// The engine's behaviour in its next step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Act {
    /// Scales the aligned frame.
    #[default]
    Work,
    /// Hangs until released.
    Hang,
    /// Reports an error, [`Script::reason`].
    Fail,
    /// Reports an error in every other step.
    Flap,
    /// Panics.
    Panic,
    /// Returns NaN.
    Nan,
}

/// The test's hand on its engines.
pub struct Script {
    act: Mutex<Act>,
    has_changed: Condvar,
    pub n_steps: AtomicU64,
    pub n_resets: AtomicU64,
    pub largest_batch: AtomicU64,
    pub delay_us: AtomicU64,
    /// Text of an error.
    pub reason: Mutex<&'static str>,
    /// Why opening an engine fails, if it does.
    pub missing: Mutex<Option<&'static str>>,
    /// An empty round trip in microseconds; 0 where nothing is moved.
    pub round_trip_us: AtomicU64,
    /// Time that a step computes, which unlike a delay needs a processor.
    pub busy_us: AtomicU64,
    /// Whether a reset panics, where the worker does not expect it.
    pub resets_panic: AtomicBool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            act: Mutex::default(),
            has_changed: Condvar::default(),
            n_steps: AtomicU64::default(),
            n_resets: AtomicU64::default(),
            largest_batch: AtomicU64::default(),
            delay_us: AtomicU64::default(),
            reason: Mutex::new("as scripted"),
            missing: Mutex::default(),
            round_trip_us: AtomicU64::default(),
            busy_us: AtomicU64::default(),
            resets_panic: AtomicBool::default(),
        }
    }
}

impl Script {
    pub fn set(&self, act: Act) {
        *self.act.lock() = act;
        self.has_changed.notify_all();
    }

    pub fn n_steps(&self) -> u64 {
        self.n_steps.load(Ordering::Relaxed)
    }
}

/// Scales every bin by `gain`, `lookahead` hops late, as a network would that does nothing else.
pub struct Scripted {
    script: Arc<Script>,
    gain: f32,
    lookahead_hops: usize,
    streams: HashMap<StreamId, Vec<VecDeque<LowBins>>>,
    n_opened: u32,
}

impl Scripted {
    pub fn new(script: Arc<Script>, gain: f32, lookahead_hops: usize) -> Self {
        Self { script, gain, lookahead_hops, streams: HashMap::new(), n_opened: 0 }
    }

    fn failed(&self) -> EngineError {
        EngineError::Failed { device: "scripted".into(), reason: (*self.script.reason.lock()).into() }
    }

    fn empty(&self) -> VecDeque<LowBins> {
        vec![SILENT_LOW_BINS; self.lookahead_hops].into()
    }
}

impl Engine for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn lookahead_hops(&self) -> usize {
        self.lookahead_hops
    }

    fn norm_alpha(&self) -> f32 {
        0.99
    }

    fn open(&mut self, n_channels: usize) -> Result<StreamId, EngineError> {
        self.n_opened += 1;
        let stream = StreamId(self.n_opened);
        let channels = (0..n_channels).map(|_| self.empty()).collect();
        self.streams.insert(stream, channels);
        Ok(stream)
    }

    fn close(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
    }

    fn reset(&mut self, stream: StreamId) {
        self.script.n_resets.fetch_add(1, Ordering::Relaxed);
        assert!(!self.script.resets_panic.load(Ordering::Relaxed), "as scripted");
        let empty = self.empty();
        for channel in self.streams.get_mut(&stream).into_iter().flatten() {
            channel.clone_from(&empty);
        }
    }

    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError> {
        let start = Instant::now();
        let step = self.script.n_steps.fetch_add(1, Ordering::Relaxed);
        let batch = jobs.iter().filter(|job| job.pending).count();
        self.script.largest_batch.fetch_max(batch as u64, Ordering::Relaxed);
        let mut act = self.script.act.lock();
        while *act == Act::Hang {
            self.script.has_changed.wait(&mut act);
        }
        let act = *act;
        std::thread::sleep(Duration::from_micros(self.script.delay_us.load(Ordering::Relaxed)));
        let busy = Duration::from_micros(self.script.busy_us.load(Ordering::Relaxed));
        while !busy.is_zero() && start.elapsed() < busy {
            std::hint::spin_loop();
        }
        match act {
            Act::Fail => return Err(self.failed()),
            Act::Flap if step.is_multiple_of(2) => return Err(self.failed()),
            Act::Panic => panic!("{}", self.script.reason.lock()),
            _ => {}
        }
        for job in jobs.iter_mut().filter(|job| job.pending) {
            job.pending = false;
            job.stage = Stage::Full;
            let channels = self.streams.get_mut(&job.stream).ok_or(EngineError::UnknownStream(job.stream))?;
            for ((channel, input), output) in channels.iter_mut().zip(&job.input).zip(&mut job.output) {
                channel.push_back(input.noisy);
                let aligned = channel.pop_front().unwrap_or(SILENT_LOW_BINS);
                *output = ChannelOut {
                    lsnr_db: 10.0,
                    mask: [self.gain; N_BANDS],
                    filtered: aligned.map(|bin| bin * self.gain),
                };
                if act == Act::Nan {
                    output.mask[3] = f32::NAN;
                }
            }
        }
        Ok(StepTimings::compute_since(start))
    }
}

/// An opener of scripted engines.
pub fn opener(script: Arc<Script>, gain: f32, lookahead_hops: usize) -> EngineOpener {
    Arc::new(move |_| {
        let script = script.clone();
        Ok(Box::new(move |_| {
            if let Some(reason) = *script.missing.lock() {
                return Err(reason.into());
            }
            let us = script.round_trip_us.load(Ordering::Relaxed);
            let engine = Box::new(Scripted::new(script, gain, lookahead_hops));
            Ok(OpenedEngine { engine, round_trip_us: (us > 0).then_some(us as f32) })
        }))
    })
}

/// Waits for what another thread does; panics where it does not come.
pub fn wait_for(mut what: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Services whose native engine scales by 1 and whose torch CPU engine scales by `gain_b`, with their scripts.
pub fn services(gain_b: f32) -> (&'static Services, Arc<Script>, Arc<Script>) {
    let (native, other) = (Arc::new(Script::default()), Arc::new(Script::default()));
    let services = Services::new([
        (Device::Native, opener(native.clone(), 1.0, 2)),
        (Device::Torch(TorchDevice::Cpu), opener(other.clone(), gain_b, 2)),
    ]);
    (Box::leak(Box::new(services)), native, other)
}
