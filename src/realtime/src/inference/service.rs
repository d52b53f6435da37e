//! A device's worker as the rest of the program sees it.
//!
//! Starting, joining and dropping happen off the audio thread. A [`Stream`] is what the audio thread gets: its end of a
//! exchange and a few atomics. The worker ends with the last stream and the last handle of its service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use atomic_float::AtomicF32;
use crossbeam_channel::{Sender, bounded, unbounded};
use parking_lot::Mutex;
use tacet_model::ModelKind;

use super::worker::{Command, Join, Worker};
use super::{EngineOpener, keep_loaded};
use crate::device::Device;
use crate::exchange::{self, AudioEnd, N_HOP_BOXES, Waker};

/// How long the end of a service waits for its worker. A worker that hangs in a driver is left behind.
pub(super) const END_PATIENCE: Duration = Duration::from_secs(2);
/// A step that takes longer hangs: thirty hops long nothing is answered.
pub(super) const HANG: Duration = Duration::from_millis(300);

/// State of a stream, in the order it goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StreamState {
    /// The worker has not opened it yet.
    Opening = 0,
    /// The engine makes its first steps.
    WarmingUp = 1,
    /// The engine is compared with the native one.
    Checking = 2,
    /// Requests are answered.
    Live = 3,
    /// The engine could not be opened, or failed for good.
    Failed = 4,
}

impl StreamState {
    /// Whether the engine is still being opened.
    pub fn is_opening(self) -> bool {
        matches!(self, Self::Opening | Self::WarmingUp | Self::Checking)
    }
}

/// What the worker and the audio thread tell about a stream. Setting it never locks on the audio thread.
#[derive(Debug, Default)]
pub struct StreamStatus {
    state: AtomicU8,
    /// Set by the audio thread when replies keep failing to come.
    tripped: AtomicBool,
    /// Set by the audio thread when the stream has taken over.
    heard: AtomicBool,
    reason: Mutex<Option<String>>,
    /// Raised whenever something here changes; the owner of the stream lowers it.
    attention: Arc<AtomicBool>,
}

impl StreamStatus {
    fn new(attention: Arc<AtomicBool>) -> Self {
        Self { attention, ..Self::default() }
    }

    /// Where the stream is. Real-time safe.
    pub fn state(&self) -> StreamState {
        // Acquire: a reader that sees `Failed` sees the reason too.
        match self.state.load(Ordering::Acquire) {
            0 => StreamState::Opening,
            1 => StreamState::WarmingUp,
            2 => StreamState::Checking,
            3 => StreamState::Live,
            _ => StreamState::Failed,
        }
    }

    /// Why the stream failed, or what was wrong with it last. Not for the audio thread.
    pub fn reason(&self) -> Option<String> {
        self.reason.lock().clone()
    }

    /// Whether the audio thread has given the stream up.
    pub fn is_tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }

    /// Gives the stream up. Real-time safe.
    pub fn trip(&self) {
        if !self.tripped.swap(true, Ordering::Relaxed) {
            self.attention.store(true, Ordering::Release);
        }
    }

    /// Whether the stream has taken over. Until then it listens and warms up.
    pub fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Notes that the stream has taken over. Real-time safe.
    pub fn set_heard(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Notes how far the opening has come; nobody has to act on it.
    pub(super) fn set_opening(&self, state: StreamState) {
        debug_assert!(state.is_opening());
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(super) fn set_live(&self) {
        self.state.store(StreamState::Live as u8, Ordering::Release);
        self.attention.store(true, Ordering::Release);
    }

    /// Keeps what went wrong, should the audio thread give the stream up for it.
    pub(super) fn note(&self, trouble: &str) {
        let mut reason = self.reason.lock();
        if reason.as_deref() != Some(trouble) {
            *reason = Some(trouble.to_owned());
        }
    }

    pub(super) fn set_failed(&self, reason: &str) {
        *self.reason.lock() = Some(reason.to_owned());
        // Release: publishes the reason.
        self.state.store(StreamState::Failed as u8, Ordering::Release);
        self.attention.store(true, Ordering::Release);
    }
}

/// A stream of one plugin instance to one engine, as the audio thread holds it. Dropping it leaves the service: not on the
/// audio thread.
pub struct Stream {
    /// The audio thread's end of the exchange.
    pub exchange: AudioEnd,
    status: Arc<StreamStatus>,
    n_channels: u32,
    // Dropped after the exchange: the worker sees the exchange closed before it is asked to end.
    service: Arc<Service>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.service.n_joined.fetch_sub(self.n_channels, Ordering::Relaxed);
    }
}

impl Stream {
    /// Where the stream is and why.
    pub fn status(&self) -> &Arc<StreamStatus> {
        &self.status
    }

    /// What the stream's engine runs on.
    pub fn device(&self) -> Device {
        self.service.device
    }
}

/// What a service tells about itself.
#[derive(Debug)]
pub struct ServiceReport {
    pub(super) n_streams: AtomicU32,
    pub(super) n_channels: AtomicU32,
    pub(super) is_realtime: AtomicBool,
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
            n_channels: AtomicU32::new(0),
            is_realtime: AtomicBool::new(false),
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

    /// How long the step under way has been running, if it hangs.
    pub fn hangs_since(&self) -> Option<Duration> {
        let began_us = self.step_began_us.load(Ordering::Relaxed);
        let age = self.started.elapsed().saturating_sub(Duration::from_micros(began_us));
        (began_us != 0 && age > HANG).then_some(age)
    }

    /// Streams served now.
    pub fn n_streams(&self) -> u32 {
        self.n_streams.load(Ordering::Relaxed)
    }

    /// Channels of all streams served now.
    pub fn n_channels(&self) -> u32 {
        self.n_channels.load(Ordering::Relaxed)
    }

    /// How long moving the tensors of a step to the device and back takes, nothing computed: median, microseconds.
    /// `None` where nothing moves, or no engine is open yet.
    pub fn round_trip_us(&self) -> Option<f32> {
        Some(self.round_trip_us.load(Ordering::Relaxed)).filter(|&us| us > 0.0)
    }

    /// Whether the worker has real-time priority.
    pub fn is_realtime(&self) -> bool {
        self.is_realtime.load(Ordering::Relaxed)
    }
}

/// A device's worker thread.
pub struct Service {
    device: Device,
    opener: Arc<dyn EngineOpener>,
    commands: Sender<Command>,
    waker: Waker,
    report: Arc<ServiceReport>,
    /// Channels of the streams that exist, served already or not.
    n_joined: AtomicU32,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts the worker of `device`; its engines come from `opener` as streams ask for them.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub fn start(device: Device, opener: Arc<dyn EngineOpener>) -> std::io::Result<Self> {
        let (commands, received) = unbounded();
        let report = Arc::new(ServiceReport::default());
        let worker = Worker::new(received, report.clone());
        let thread = std::thread::Builder::new()
            .name(format!("tacet {}", device.name()))
            .spawn(move || worker.run())?;
        let waker = Waker::new(thread.thread().clone());
        Ok(Self {
            device,
            opener,
            commands,
            waker,
            report,
            n_joined: AtomicU32::new(0),
            thread: Some(thread),
        })
    }

    /// What the worker runs on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Channels of the streams that have joined and not left.
    pub fn n_joined(&self) -> usize {
        self.n_joined.load(Ordering::Relaxed) as usize
    }

    /// The worker's state, for the panel.
    pub fn report(&self) -> &Arc<ServiceReport> {
        &self.report
    }

    /// Joins a stream of `n_channels`. It is [`StreamState::Opening`] at first; `attention` is raised when that changes.
    /// Runs the opener's preparation on this thread.
    pub fn join(self: &Arc<Self>, model: ModelKind, n_channels: usize, attention: Arc<AtomicBool>) -> Stream {
        let (audio, worker) = exchange::pair(n_channels, N_HOP_BOXES, self.waker.clone());
        let status = Arc::new(StreamStatus::new(attention));
        match self.opener.prepare(model) {
            Ok(build) => self.send(Command::Join(Join {
                model,
                n_channels,
                build,
                end: worker,
                status: status.clone(),
            })),
            Err(error) => status.set_failed(&error.to_string()),
        }
        let n_channels = n_channels as u32;
        self.n_joined.fetch_add(n_channels, Ordering::Relaxed);
        Stream { exchange: audio, status, n_channels, service: self.clone() }
    }

    /// Waits until the worker has opened a stream, or `patience` is over. Returns whether it is live.
    pub fn wait_until_open(stream: &Stream, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while stream.status.state().is_opening() && Instant::now() < deadline {
            // Opening takes milliseconds: finer than that need not be.
            std::thread::sleep(Duration::from_micros(200));
        }
        stream.status.state() == StreamState::Live
    }

    fn send(&self, command: Command) {
        // Fails only after the worker has ended, which takes its service with it.
        let _ = self.commands.send(command);
        self.waker.wake();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let (ended, has_ended) = bounded(1);
        self.send(Command::End(ended));
        let is_over = has_ended.recv_timeout(END_PATIENCE).is_ok();
        if let Some(thread) = self.thread.take() {
            if is_over {
                // A panic has been contained in the worker; there is nothing to learn from the result.
                let _ = thread.join();
            } else {
                keep_loaded::keep_library_loaded();
            }
        }
    }
}
