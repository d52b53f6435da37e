//! A device's worker as the rest of the program sees it.
//!
//! Starting, joining and dropping happen off the audio thread. A [`Stream`] is what the audio thread gets: its end of an
//! exchange and a few atomics. The worker ends with the last stream and the last handle of its service.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use tacet_model::ModelKind;

use super::report::ServiceReport;
use super::signal::WorkSignal;
use super::stream::{StreamState, StreamStatus};
use super::worker::{Command, Join, Worker};
use super::{EngineOpener, keep_loaded};
use crate::device::Device;
use crate::exchange::{self, AudioEnd, N_HOP_BOXES};

/// How long the end of a service waits for its worker. A worker that hangs in a driver is left behind.
pub(super) const END_PATIENCE: Duration = Duration::from_secs(2);

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
        self.service.report.n_joined.fetch_sub(self.n_channels, Ordering::Relaxed);
    }
}

impl Stream {
    /// The stream's state and its reason.
    pub fn status(&self) -> &Arc<StreamStatus> {
        &self.status
    }

    /// Waits until the worker has opened it, or `patience` is over. Returns whether it is live.
    pub(crate) fn wait_until_open(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.status.state().is_opening() && Instant::now() < deadline {
            // Opening takes milliseconds: finer than that need not be.
            std::thread::sleep(Duration::from_micros(200));
        }
        self.status.state() == StreamState::Live
    }

    /// The device of the stream's engine.
    pub fn device(&self) -> Device {
        self.service.device
    }
}

/// A device's worker thread.
pub struct Service {
    device: Device,
    opener: EngineOpener,
    commands: Sender<Command>,
    report: Arc<ServiceReport>,
    worker: Thread,
    /// Taken when it is joined, at the end.
    handle: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts the worker of `device`; its engines come from `opener` as streams ask for them.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(device: Device, opener: EngineOpener) -> std::io::Result<Self> {
        let (commands, received) = unbounded();
        let report = Arc::new(ServiceReport::default());
        let worker = Worker::new(received, report.clone());
        let handle = std::thread::Builder::new()
            .name(format!("tacet {}", device.name()))
            .spawn(move || worker.run())?;
        let worker = handle.thread().clone();
        Ok(Self { device, opener, commands, report, worker, handle: Some(handle) })
    }

    /// The worker's state, for the panel.
    pub fn report(&self) -> &Arc<ServiceReport> {
        &self.report
    }

    /// Counts the channels of a stream that is about to [`join`](Self::join).
    pub(super) fn reserve(&self, n_channels: usize) {
        self.report.n_joined.fetch_add(n_channels as u32, Ordering::Relaxed);
    }

    /// Joins a stream of `n_channels`, which are [reserved](Self::reserve). It is [`StreamState::Opening`] at first;
    /// `signal` is raised whenever that changes. Runs the opener's preparation on this thread.
    pub(super) fn join(
        self: &Arc<Self>,
        model: ModelKind,
        n_channels: usize,
        signal: Arc<WorkSignal>,
    ) -> Stream {
        let (audio, end) = exchange::pair(n_channels, N_HOP_BOXES, self.worker.clone());
        let status = Arc::new(StreamStatus::new(signal));
        match (self.opener)(model) {
            Ok(build) => {
                self.send(Command::Join(Join { model, n_channels, build, end, status: status.clone() }))
            }
            Err(error) => status.set_failed(&error.to_string()),
        }
        Stream { exchange: audio, status, n_channels: n_channels as u32, service: self.clone() }
    }

    fn send(&self, command: Command) {
        // Fails only after the worker has ended, which takes its service with it.
        let _ = self.commands.send(command);
        self.worker.unpark();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let (ended, has_ended) = bounded(1);
        self.send(Command::End(ended));
        let is_over = has_ended.recv_timeout(END_PATIENCE).is_ok();
        if let Some(handle) = self.handle.take() {
            if is_over {
                // A panic has been contained in the worker; there is nothing to learn from the result.
                let _ = handle.join();
            } else {
                keep_loaded::keep_library_loaded();
            }
        }
    }
}
