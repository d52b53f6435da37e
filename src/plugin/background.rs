//! One thread of the process that does for all instances what must not be done on an audio thread: opens engines, falls
//! back, frees what has come back. It sleeps until an instance asks, and ends with the last instance.
//!
//! The framework's own background thread is not used. It ends for every instance when a task reaches it whose instance has
//! been destroyed meanwhile, and the last instance then ends the host.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::shared::Shared;
use crate::exchange::Waker;

/// The thread, as an instance holds it. Dropping the last one waits for its end: the host may unload this library then.
pub struct BackgroundThread {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    instances: Mutex<Vec<Weak<Shared>>>,
    is_over: AtomicBool,
}

/// The one that runs. Locked by those who join, never by the thread.
static RUNNING: Mutex<Weak<BackgroundThread>> = Mutex::new(Weak::new());

impl BackgroundThread {
    /// Starts the thread if it does not run, and has it see to an instance.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn join(instance: &Arc<Shared>) -> std::io::Result<Arc<Self>> {
        let mut running = RUNNING.lock();
        let background = match running.upgrade() {
            Some(background) => background,
            None => {
                let background = Arc::new(Self::start()?);
                *running = Arc::downgrade(&background);
                background
            }
        };
        background.state.instances.lock().push(Arc::downgrade(instance));
        if let Some(thread) = &background.thread {
            let waker = Waker::new(thread.thread().clone());
            instance.set_waker(waker.clone());
            // It may have asked before there was a waker.
            waker.wake();
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
        while !self.is_over.load(Ordering::Acquire) {
            let asking: Vec<Arc<Shared>> = {
                let mut instances = self.instances.lock();
                instances.retain(|instance| instance.strong_count() > 0);
                instances.iter().filter_map(Weak::upgrade).filter(|instance| instance.is_asking()).collect()
            };
            for instance in &asking {
                // A panic costs this attempt; the others are attended to all the same.
                let _ = catch_unwind(AssertUnwindSafe(|| instance.attend()));
            }
            if asking.is_empty() {
                // A wake-up since the last look makes this return at once.
                std::thread::park();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Waits until something is so, as long as a busy machine may need.
    fn wait_for(is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(Instant::now() < deadline, "it never happens");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn every_instance_that_asks_is_attended_to_whoever_dies_meanwhile() {
        let [stays, goes] = [(), ()].map(|()| Arc::new(Shared::default()));
        let (first, second) =
            (BackgroundThread::join(&stays).unwrap(), BackgroundThread::join(&goes).unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        for _ in 0..100 {
            stays.ask();
            goes.ask();
            wait_for(|| !stays.is_asking() && !goes.is_asking());
        }
        // Asks and is gone before anybody comes.
        goes.ask();
        drop((goes, second));
        stays.ask();
        wait_for(|| !stays.is_asking());
        drop(first);
        // Nobody listens any more, and nothing breaks.
        stays.ask();
        assert!(stays.is_asking());
    }
}
