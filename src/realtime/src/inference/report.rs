//! The report of a service: its streams, its transfers, and whether its worker hangs.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use atomic_float::AtomicF32;

/// A step that takes longer hangs: thirty hops long nothing is answered.
const HANG: Duration = Duration::from_millis(300);

/// The worker's side writes, everybody reads.
#[derive(Debug)]
pub struct ServiceReport {
    pub(super) n_streams: AtomicU32,
    /// Channels of the streams that exist, served already or not.
    pub(super) n_joined: AtomicU32,
    /// Zero where nothing was measured.
    pub(super) round_trip_us: AtomicF32,
    started: Instant,
    /// When the step under way began, in microseconds since the start and at least 1; 0 between steps.
    step_began_us: AtomicU64,
    is_ended: AtomicBool,
}

impl Default for ServiceReport {
    fn default() -> Self {
        Self {
            n_streams: AtomicU32::new(0),
            n_joined: AtomicU32::new(0),
            round_trip_us: AtomicF32::new(0.0),
            started: Instant::now(),
            step_began_us: AtomicU64::new(0),
            is_ended: AtomicBool::new(false),
        }
    }
}

impl ServiceReport {
    pub(super) fn begin_step(&self) {
        let now_us = self.started.elapsed().as_micros() as u64;
        self.step_began_us.store(now_us.max(1), Ordering::Relaxed);
    }

    pub(super) fn end_step(&self) {
        self.step_began_us.store(0, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        // Release: whoever sees it sees that the engines are gone.
        self.is_ended.store(true, Ordering::Release);
    }

    /// Whether the worker's thread is done: its engines are gone.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    /// Channels of the streams that have joined and not left.
    pub fn n_joined(&self) -> usize {
        self.n_joined.load(Ordering::Relaxed) as usize
    }

    /// How long the step under way has been running, if it hangs.
    pub(crate) fn hangs_since(&self) -> Option<Duration> {
        let began_us = self.step_began_us.load(Ordering::Relaxed);
        let age = self.started.elapsed().saturating_sub(Duration::from_micros(began_us));
        (began_us != 0 && age > HANG).then_some(age)
    }

    /// Streams served now.
    pub fn n_streams(&self) -> u32 {
        self.n_streams.load(Ordering::Relaxed)
    }

    /// How long moving the tensors of a step to the device and back takes, nothing computed: median, microseconds.
    /// `None` where nothing moves, or no engine is open yet.
    pub fn round_trip_us(&self) -> Option<f32> {
        Some(self.round_trip_us.load(Ordering::Relaxed)).filter(|&us| us > 0.0)
    }
}
