//! A ring of entries that one thread writes without waiting and any number read without a lock: a reader gets an entry
//! whole or not at all. (The rings of rtrb keep the oldest entries while nobody reads, and have one reader.)
//!
//! The count of entries is the sequence lock of all of them: an entry is there from when it is counted until the count
//! says that its place is being written again.

use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// The ring. See the module.
pub struct Ring {
    n_words: usize,
    n_entries: u64,
    /// Entries written since the start.
    n_written: AtomicU64,
    /// The first entry that was not forgotten.
    first: AtomicU64,
    words: Box<[AtomicU32]>,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("n_written", &self.n_written).finish_non_exhaustive()
    }
}

impl Ring {
    /// A ring of `n_entries` places, each of `n_words`. A place is being written at any time, so that one entry less can
    /// be read.
    pub fn new(n_entries: usize, n_words: usize) -> Self {
        Self {
            n_words,
            n_entries: n_entries as u64,
            n_written: AtomicU64::new(0),
            first: AtomicU64::new(0),
            words: (0..n_entries * n_words).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Adds an entry: as many words as it has, no more are taken. Real-time safe; one thread at a time.
    pub fn write(&self, entry: impl IntoIterator<Item = u32>) {
        let n = self.n_written.load(Ordering::Relaxed);
        // A reader that sees a word of this entry sees the count before it, and so that the oldest entry is going.
        fence(Ordering::Release);
        for (word, new) in self.place(n).iter().zip(entry) {
            word.store(new, Ordering::Relaxed);
        }
        // Release: a reader that sees the count sees the words.
        self.n_written.store(n + 1, Ordering::Release);
    }

    /// Entries written since the start; the next one has this number.
    pub fn n_written(&self) -> u64 {
        self.n_written.load(Ordering::Acquire)
    }

    /// The oldest entry that may be there.
    pub fn oldest(&self) -> u64 {
        let n_readable = self.n_entries - 1;
        // Relaxed: forgetting publishes nothing but itself.
        self.first.load(Ordering::Relaxed).max(self.n_written().saturating_sub(n_readable))
    }

    /// Copies entry `number` to `entry`. Returns whether it was there; if not, `entry` holds anything.
    pub fn read(&self, number: u64, entry: &mut [u32]) -> bool {
        let is_there = |n: u64| number < n && n - number < self.n_entries;
        if number < self.first.load(Ordering::Relaxed) || !is_there(self.n_written()) {
            return false;
        }
        for (word, copy) in self.place(number).iter().zip(entry) {
            *copy = word.load(Ordering::Relaxed);
        }
        // A writer that had begun to overwrite had counted up to a ring's length after this entry.
        fence(Ordering::Acquire);
        is_there(self.n_written.load(Ordering::Relaxed))
    }

    /// Forgets what has been written so far; what is being written meanwhile stays.
    pub fn forget(&self) {
        self.first.store(self.n_written(), Ordering::Relaxed);
    }

    fn place(&self, number: u64) -> &[AtomicU32] {
        let at = (number % self.n_entries) as usize * self.n_words;
        &self.words[at..at + self.n_words]
    }
}
