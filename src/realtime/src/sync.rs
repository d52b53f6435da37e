//! Building blocks of the concurrent code: the standard library's atomics and threads, wait-free rings, parking.
//!
//! `tests/concurrency` compiles [`crate::exchange`] and [`crate::meters::ring`] with loom's primitives under the same
//! names, and tries every interleaving and every value that the memory orderings allow.

pub use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
pub use std::sync::{Arc, OnceLock};
pub use std::thread::Thread;

pub use crossbeam_utils::sync::{Parker, Unparker};
pub use rtrb::{Consumer, Producer, PushError, RingBuffer};
