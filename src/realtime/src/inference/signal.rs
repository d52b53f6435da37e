//! Signals work to an instance's background thread, and wakes it.

use crate::sync::{AtomicBool, OnceLock, Ordering, Thread};

/// A mark on an instance and the thread that looks for it: raised by a worker, the audio thread, the panel or the host.
#[derive(Debug, Default)]
pub struct WorkSignal {
    is_raised: AtomicBool,
    thread: OnceLock<Thread>,
}

impl WorkSignal {
    /// Marks the instance and wakes its background thread, unless that has been done already. Real-time safe.
    pub fn raise(&self) {
        // Release: who takes the mark sees what it was raised for.
        if !self.is_raised.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Takes the mark, before its cause is looked for: what comes up from now on raises it again.
    pub fn take(&self) -> bool {
        self.is_raised.swap(false, Ordering::AcqRel)
    }

    /// Whether there is work.
    pub fn is_raised(&self) -> bool {
        self.is_raised.load(Ordering::Acquire)
    }

    /// Names the thread to wake, and wakes it: the mark may have been raised before. The first call lasts.
    pub fn set_thread(&self, thread: Thread) {
        self.thread.get_or_init(|| thread).unpark();
    }
}
