//! rtrb's ring on loom: the orderings are the ones that rtrb promises, no stronger. What is pushed happens before it is
//! popped, and what a place held is taken before it is written again; an empty or full ring promises nothing.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Makes the two ends.
pub struct RingBuffer;

struct Shared<T> {
    places: Box<[UnsafeCell<Option<T>>]>,
    /// Items ever pushed; written by the producer.
    tail: AtomicUsize,
    /// Items ever popped; written by the consumer.
    head: AtomicUsize,
    is_abandoned: AtomicBool,
}

// SAFETY: a place belongs to the producer from when `head` has passed it until `tail` does, and else to the consumer; both
// counts are released by their writer and acquired by the other side. Loom checks that at every access.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: it owns its items.
unsafe impl<T: Send> Send for Shared<T> {}

/// The end that pushes.
pub struct Producer<T>(Arc<Shared<T>>);

/// The end that pops.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    /// The element peeked at.
    front: Option<T>,
}

/// Nothing was pushed.
#[derive(Debug)]
pub enum PushError<T> {
    /// The ring is full; the item comes back.
    Full(T),
}

/// Nothing was there.
#[derive(Debug)]
pub struct Empty;

impl RingBuffer {
    /// A ring of so many places.
    #[expect(clippy::new_ret_no_self, reason = "rtrb's interface, as far as it is used")]
    pub fn new<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
        let shared = Arc::new(Shared {
            places: (0..capacity).map(|_| UnsafeCell::new(None)).collect(),
            tail: AtomicUsize::new(0),
            head: AtomicUsize::new(0),
            is_abandoned: AtomicBool::new(false),
        });
        (Producer(shared.clone()), Consumer { shared, front: None })
    }
}

impl<T> Producer<T> {
    /// Pushes an item.
    ///
    /// # Errors
    /// The ring is full.
    pub fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        let tail = self.0.tail.load(Ordering::Relaxed);
        if tail - self.0.head.load(Ordering::Acquire) == self.0.places.len() {
            return Err(PushError::Full(item));
        }
        let place = &self.0.places[tail % self.0.places.len()];
        // SAFETY: fewer than all places are in use, so that this one is the producer's, which this is, alone.
        place.with_mut(|place| unsafe { *place = Some(item) });
        self.0.tail.store(tail + 1, Ordering::Release);
        Ok(())
    }

    /// Whether the consumer is gone.
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned.load(Ordering::Acquire)
    }
}

impl<T> Consumer<T> {
    /// Pops the oldest item.
    ///
    /// # Errors
    /// There is none.
    pub fn pop(&mut self) -> Result<T, Empty> {
        if let Some(front) = self.front.take() {
            return Ok(front);
        }
        let head = self.shared.head.load(Ordering::Relaxed);
        if self.shared.tail.load(Ordering::Acquire) == head {
            return Err(Empty);
        }
        let place = &self.shared.places[head % self.shared.places.len()];
        // SAFETY: something was pushed that was not popped, so that this place is the consumer's, which this is, alone.
        let item = place.with_mut(|place| unsafe { (*place).take() });
        self.shared.head.store(head + 1, Ordering::Release);
        item.ok_or(Empty)
    }

    /// The oldest item.
    ///
    /// # Errors
    /// There is none.
    pub fn peek(&mut self) -> Result<&T, Empty> {
        if self.front.is_none() {
            self.front = self.pop().ok();
        }
        self.front.as_ref().ok_or(Empty)
    }

    /// Items to pop.
    pub fn slots(&self) -> usize {
        let n = self.shared.tail.load(Ordering::Acquire) - self.shared.head.load(Ordering::Relaxed);
        n + usize::from(self.front.is_some())
    }

    /// Whether there is nothing to pop.
    pub fn is_empty(&self) -> bool {
        self.slots() == 0
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.shared.is_abandoned.store(true, Ordering::Release);
    }
}
