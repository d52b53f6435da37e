//! Threads that run the passes of sequences: a pass takes its chunks in order, one at a time, and any thread may run it.
//!
//! A [`Station`] is a pass with the chunks that wait for it. It is in the threads' queue while it has any, once: so its
//! state needs no lock that anybody waits for, and the threads share themselves out over all stations of all sequences.
//! Threads without work sleep.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::engine::EngineError;

/// A part of the work on a chunk.
pub type Work<C> = Box<dyn FnMut(&mut C) -> Result<(), EngineError> + Send>;

/// Something that a thread can run a piece of.
trait Task: Send + Sync {
    fn run(self: Arc<Self>);
}

/// Threads for the passes of any number of sequences. They end when the pool and all its sequences are gone.
#[derive(Clone)]
pub struct Pool {
    tasks: Sender<Arc<dyn Task>>,
    n_threads: usize,
}

impl Pool {
    /// Starts `n_threads` threads, at least one.
    ///
    /// # Errors
    /// The system gives no thread at all.
    pub fn new(n_threads: usize) -> std::io::Result<Self> {
        let (tasks, queue) = unbounded::<Arc<dyn Task>>();
        let mut n_started = 0;
        for index in 0..n_threads.max(1) {
            let queue = queue.clone();
            let thread = thread::Builder::new().name(format!("tacet sequence {index}"));
            match thread.spawn(move || queue.iter().for_each(Task::run)) {
                Ok(_) => n_started += 1,
                // Fewer are slower, and that is all.
                Err(error) if n_started == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(Self { tasks, n_threads: n_started })
    }

    /// Threads that were started.
    pub fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// Puts passes in a row: what is sent to the first comes out of the receiver after the last, in order. A chunk whose
    /// pass fails or panics comes out as the error.
    pub(super) fn line<C: Send + 'static>(
        &self,
        passes: Vec<Work<C>>,
    ) -> (Line<C>, Receiver<Result<C, EngineError>>) {
        let (done, results) = unbounded();
        let mut next = Line(Next::Done(done));
        for pass in passes.into_iter().rev() {
            let inbox = Mutex::new(Inbox { chunks: VecDeque::new(), is_queued: false });
            let station = Station { pass: Mutex::new(pass), inbox, next, tasks: self.tasks.clone() };
            next = Line(Next::Station(Arc::new(station)));
        }
        (next, results)
    }
}

/// The beginning of a row of passes.
pub struct Line<C>(Next<C>);

enum Next<C> {
    Station(Arc<Station<C>>),
    Done(Sender<Result<C, EngineError>>),
}

impl<C: Send + 'static> Line<C> {
    /// Sends a chunk on its way.
    pub fn send(&self, chunk: Result<C, EngineError>) {
        match &self.0 {
            Next::Station(station) => station.clone().take(chunk),
            // Nobody is left who would want it.
            Next::Done(done) => drop(done.send(chunk)),
        }
    }
}

struct Inbox<C> {
    chunks: VecDeque<Result<C, EngineError>>,
    is_queued: bool,
}

struct Station<C> {
    /// Locked by the one thread that runs the station.
    pass: Mutex<Work<C>>,
    inbox: Mutex<Inbox<C>>,
    next: Line<C>,
    tasks: Sender<Arc<dyn Task>>,
}

impl<C: Send + 'static> Station<C> {
    fn take(self: Arc<Self>, chunk: Result<C, EngineError>) {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.chunks.push_back(chunk);
        let was_queued = std::mem::replace(&mut inbox.is_queued, true);
        drop(inbox);
        if !was_queued {
            self.enqueue();
        }
    }

    fn enqueue(self: Arc<Self>) {
        let tasks = self.tasks.clone();
        // Threads live as long as any station does.
        drop(tasks.send(self));
    }
}

impl<C: Send + 'static> Task for Station<C> {
    fn run(self: Arc<Self>) {
        let chunk = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).chunks.pop_front();
        if let Some(chunk) = chunk {
            let done = chunk.and_then(|mut chunk| {
                let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
                caught(|| pass(&mut chunk))?;
                Ok(chunk)
            });
            self.next.send(done);
        }
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.is_queued = !inbox.chunks.is_empty();
        let again = inbox.is_queued;
        drop(inbox);
        if again {
            self.enqueue();
        }
    }
}

/// A panic of a pass as the error of its sequence.
pub fn caught(pass: impl FnOnce() -> Result<(), EngineError>) -> Result<(), EngineError> {
    catch_unwind(AssertUnwindSafe(pass)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(EngineError::Failed {
            device: "sequence".to_owned(),
            reason: text.unwrap_or("a pass panicked").to_owned(),
        })
    })
}
