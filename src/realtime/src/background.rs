//! One thread of the process that does for all instances what must not be done on an audio thread: opens engines, falls
//! back, frees what has come back. It sleeps until an instance asks, and ends with the last instance.
//!
//! A plugin framework's own background thread is not used. The one that was tried ends for every instance when a task
//! reaches it whose instance has been destroyed meanwhile, and the last instance then ends the host.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::exchange::Waker;

/// What the thread does something for: a plugin's instance, a stream.
pub trait Attended: Send + Sync {
    /// Where it asks for [`Self::attend`].
    fn request(&self) -> &AttendRequest;

    /// Does what has become due. On the background thread.
    fn attend(&self);
}

/// An instance's request to be attended to.
#[derive(Debug, Default)]
pub struct AttendRequest {
    /// Whether it was made and has not been met yet.
    is_pending: AtomicBool,
    /// Wakes the background thread; set when the instance joins it.
    waker: OnceLock<Waker>,
}

impl AttendRequest {
    /// Asks for [`Attended::attend`] on the background thread; once until it comes. Real-time safe.
    pub fn ask(&self) {
        if !self.is_pending.swap(true, Ordering::AcqRel)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }

    /// Whether it was asked for and has not come yet.
    pub fn is_pending(&self) -> bool {
        // Acquire: what made somebody ask is seen by who attends.
        self.is_pending.load(Ordering::Acquire)
    }
}

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
            let waker = Waker::new(thread.thread().clone());
            // An instance keeps its thread, so that the first waker lasts.
            let _ = instance.request().waker.set(waker.clone());
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
            let asking: Vec<Arc<dyn Attended>> = {
                let mut instances = self.instances.lock();
                instances.retain(|instance| instance.strong_count() > 0);
                instances
                    .iter()
                    .filter_map(Weak::upgrade)
                    .filter(|instance| instance.request().is_pending())
                    .collect()
            };
            for instance in &asking {
                // Lowered first: what is asked for from now on is done in the next round.
                instance.request().is_pending.store(false, Ordering::Release);
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
    use std::sync::atomic::AtomicUsize;
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

    /// An instance that counts how often it is attended to.
    #[derive(Default)]
    struct Instance {
        request: AttendRequest,
        n_attended: AtomicUsize,
    }

    impl Attended for Instance {
        fn request(&self) -> &AttendRequest {
            &self.request
        }

        fn attend(&self) {
            self.n_attended.fetch_add(1, Ordering::Relaxed);
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
                instance.request.ask();
                wait_for(|| instance.n_attended.load(Ordering::Relaxed) == n_rounds);
            }
        }
        // Asks and is gone before anybody comes.
        goes.request.ask();
        drop((goes, second));
        stays.request.ask();
        wait_for(|| stays.n_attended.load(Ordering::Relaxed) == 101);
        drop(first);
        // Nobody listens any more, and nothing breaks.
        stays.request.ask();
        assert!(stays.request.is_pending());
    }
}
