//! The status of a stream, as its worker and the audio thread report it: its state, and why it does not serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::atomic::AtomicCell;
use parking_lot::Mutex;

use super::signal::WorkSignal;

/// State of a stream, in the order it goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamState {
    /// The worker has not opened it yet.
    #[default]
    Opening,
    /// The engine makes its first steps, which take longest.
    WarmingUp,
    /// The engine is compared with the native one.
    Checking,
    /// Requests are answered.
    Live,
    /// The engine could not be opened, or failed for good.
    Failed,
}

impl StreamState {
    /// Whether the engine is still being opened.
    pub(crate) fn is_opening(self) -> bool {
        matches!(self, Self::Opening | Self::WarmingUp | Self::Checking)
    }
}

/// A stream's state. Changing it never locks on the audio thread, and calls the owner's background thread.
#[derive(Debug, Default)]
pub struct StreamStatus {
    state: AtomicCell<StreamState>,
    /// Set by the audio thread when replies keep failing to come.
    tripped: AtomicBool,
    /// Set by the audio thread when the stream has taken over.
    heard: AtomicBool,
    reason: Mutex<Option<String>>,
    signal: Arc<WorkSignal>,
}

// The audio thread reads it.
const _: () = assert!(AtomicCell::<StreamState>::is_lock_free());

impl StreamStatus {
    pub(super) fn new(signal: Arc<WorkSignal>) -> Self {
        Self { signal, ..Self::default() }
    }

    /// The stream's state. Real-time safe.
    pub fn state(&self) -> StreamState {
        self.state.load()
    }

    /// Why the stream failed, or what was wrong with it last. Not for the audio thread.
    pub fn reason(&self) -> Option<String> {
        self.reason.lock().clone()
    }

    /// Whether the audio thread has given the stream up.
    pub(crate) fn is_tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }

    /// Gives the stream up. Real-time safe.
    pub fn trip(&self) {
        if !self.tripped.swap(true, Ordering::Relaxed) {
            self.signal.raise();
        }
    }

    /// Whether the stream has taken over. Until then it listens and warms up.
    pub fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Notes that the stream has taken over. Real-time safe.
    pub(crate) fn set_heard(&self) {
        if !self.heard.swap(true, Ordering::Relaxed) {
            self.signal.raise();
        }
    }

    /// Notes how far the worker is with the stream.
    pub(super) fn set(&self, state: StreamState) {
        // Publishes the reason, where there is one: a reader that sees `Failed` sees it too.
        self.state.store(state);
        self.signal.raise();
    }

    /// Keeps what went wrong, should the audio thread give the stream up for it.
    pub(super) fn note(&self, trouble: &str) {
        let mut reason = self.reason.lock();
        if reason.as_deref() != Some(trouble) {
            *reason = Some(trouble.to_owned());
        }
    }

    /// Notes that the stream will never be answered again, and why.
    pub(super) fn set_failed(&self, reason: &str) {
        self.note(reason);
        self.set(StreamState::Failed);
    }
}
