//! crossbeam's parker on loom. Deadlines never pass: a wake-up that is lost is a deadlock, which loom reports.

use std::time::Instant;

use loom::sync::{Arc, Notify};

/// Waits for its [`Unparker`].
#[derive(Debug)]
pub struct Parker(Unparker);

/// Ends the wait of its [`Parker`], or makes the next one return at once.
#[derive(Clone, Debug)]
pub struct Unparker(Arc<Notify>);

impl Parker {
    /// A parker that was not woken.
    #[expect(clippy::new_without_default, reason = "crossbeam's interface, as far as it is used")]
    pub fn new() -> Self {
        Self(Unparker(Arc::new(Notify::new())))
    }

    /// The waker.
    pub fn unparker(&self) -> &Unparker {
        &self.0
    }

    /// Waits.
    pub fn park(&self) {
        self.0.0.wait();
    }

    /// Waits; time stands still.
    pub fn park_deadline(&self, _deadline: Instant) {
        self.0.0.wait();
    }
}

impl Unparker {
    /// Wakes.
    pub fn unpark(&self) {
        self.0.notify();
    }
}
