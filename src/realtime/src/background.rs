//! One thread of the process that does for all instances what must not be done on an audio thread: opens engines, falls
//! back, frees what has come back. It sleeps until an instance asks, and ends with the last instance.
//!
//! A plugin framework's own background thread is not used. The one that was tried ends for every instance when a task
//! reaches it whose instance has been destroyed meanwhile, and the last instance then ends the host.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::inference::signal::WorkSignal;

/// A client of the thread: a plugin's instance, a stream.
pub trait Attended: Send + Sync {
    /// Raised when [`Self::attend`] is due.
    fn signal(&self) -> &WorkSignal;

    /// Does what has become due; takes the signal first, so that what comes up meanwhile is done in the next turn. Returns
    /// whether it is due again in a moment, without a signal: a thread that ends is waited for. On the background thread.
    fn attend(&self) -> bool;
}

/// Between two looks at a device's thread that is on its way out.
const CLOSING_PAUSE: Duration = Duration::from_millis(5);

/// The thread, as an instance holds it. Dropping the last one waits for its end: the host may unload this library then.
pub struct BackgroundThread {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    instances: Mutex<Vec<Weak<dyn Attended>>>,
    is_over: AtomicBool,
}

/// The one that runs. Locked by those who join, never by the thread.
static RUNNING: Mutex<Weak<BackgroundThread>> = Mutex::new(Weak::new());

impl BackgroundThread {
    /// Starts the thread if it does not run, and has it see to an instance.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn join<T: Attended + 'static>(instance: &Arc<T>) -> std::io::Result<Arc<Self>> {
        let mut running = RUNNING.lock();
        let background = match running.upgrade() {
            Some(background) => background,
            None => {
                let background = Arc::new(Self::start()?);
                *running = Arc::downgrade(&background);
                background
            }
        };
        let weak: Weak<T> = Arc::downgrade(instance);
        background.state.instances.lock().push(weak);
        if let Some(thread) = &background.thread {
            // An instance keeps its thread, so that the first one lasts.
            instance.signal().set_thread(thread.thread().clone());
        }
        Ok(background)
    }

    fn start() -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let thread = std::thread::Builder::new().name("tacet background".into()).spawn({
            let state = state.clone();
            move || state.run()
        })?;
        Ok(Self { state, thread: Some(thread) })
    }
}

impl Drop for BackgroundThread {
    fn drop(&mut self) {
        // Release: what was done before is seen by the thread as it ends.
        self.state.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic has been contained in the thread; there is nothing to learn from the result.
            let _ = thread.join();
        }
    }
}

impl State {
    fn run(&self) {
        let mut waiting: Vec<Weak<dyn Attended>> = Vec::new();
        while !self.is_over.load(Ordering::Acquire) {
            let waits = |instance: &Weak<dyn Attended>| waiting.iter().any(|other| other.ptr_eq(instance));
            let due: Vec<Arc<dyn Attended>> = {
                let mut instances = self.instances.lock();
                instances.retain(|instance| instance.strong_count() > 0);
                let is_due = |instance: &&Weak<dyn Attended>| {
                    waits(instance)
                        || instance.upgrade().is_some_and(|instance| instance.signal().is_raised())
                };
                instances.iter().filter(is_due).filter_map(Weak::upgrade).collect()
            };
            // A panic costs this attempt; the others are attended to all the same.
            let attend = |instance: &&Arc<dyn Attended>| {
                catch_unwind(AssertUnwindSafe(|| instance.attend())).unwrap_or(false)
            };
            waiting = due.iter().filter(attend).map(Arc::downgrade).collect();
            let is_idle = due.is_empty();
            // An instance must not outlive its host's call because this thread sleeps.
            drop(due);
            // A wake-up since the last look makes either return at once.
            if !waiting.is_empty() {
                std::thread::park_timeout(CLOSING_PAUSE);
            } else if is_idle {
                std::thread::park();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::inference::scripted::wait_for;

    /// An instance that counts how often it is attended to.
    #[derive(Default)]
    struct Instance {
        signal: WorkSignal,
        n_attended: AtomicUsize,
    }

    impl Attended for Instance {
        fn signal(&self) -> &WorkSignal {
            &self.signal
        }

        fn attend(&self) -> bool {
            self.signal.take();
            self.n_attended.fetch_add(1, Ordering::Relaxed);
            false
        }
    }

    #[test]
    fn every_instance_that_asks_is_attended_to_whoever_dies_meanwhile() {
        let [stays, goes] = [(), ()].map(|()| Arc::new(Instance::default()));
        let (first, second) =
            (BackgroundThread::join(&stays).unwrap(), BackgroundThread::join(&goes).unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        for n_rounds in 1..=100 {
            for instance in [&stays, &goes] {
                instance.signal.raise();
                wait_for(|| instance.n_attended.load(Ordering::Relaxed) == n_rounds);
            }
        }
        // Asks and is gone before anybody comes.
        goes.signal.raise();
        drop((goes, second));
        stays.signal.raise();
        wait_for(|| stays.n_attended.load(Ordering::Relaxed) == 101);
        drop(first);
        // Nobody listens any more, and nothing breaks.
        stays.signal.raise();
        assert!(stays.signal.is_raised());
    }
}
