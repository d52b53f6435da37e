//! The sources of Tacet's concurrent code, compiled with loom's primitives: the same files, `crate::sync` replaced.
//!
//! Hops are stand-ins of a word or two, since their content has no part in the order of things.

/// Loom's primitives under the names of Tacet's.
pub mod sync {
    pub use std::sync::OnceLock;

    pub use loom::sync::Arc;
    pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
    pub use loom::thread::Thread;

    pub use crate::parking::{Parker, Unparker};
    pub use crate::queue::{Consumer, Producer, PushError, RingBuffer};
}

mod parking;
mod queue;

/// Stand-ins for what a hop carries.
pub mod frame {
    /// A frame of one value.
    pub type Spectrum = u32;
    /// Nothing heard.
    pub const SILENT_SPECTRUM: Spectrum = 0;
}

/// A stand-in for what a stream hands over to the next.
pub mod features {
    /// Nothing in particular.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Normalisation(pub u32);
}

/// Stand-ins for what an engine answers.
#[expect(missing_docs, reason = "the names are the engine's, documented there")]
pub mod engine {
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Thresholds(pub u32);
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Stage(pub u32);
    #[derive(Clone, Copy, Debug, Default)]
    pub struct StepTimings(pub u32);
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    pub struct ChannelOut(pub u32);
}

/// Stand-ins for the rules.
#[expect(missing_docs, reason = "the names are the rules', documented there")]
pub mod rules {
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Rules(pub u32);
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Conditions(pub u32);
}

#[path = "../../../src/realtime/src"]
mod tacet {
    pub mod exchange;
    pub mod inference {
        pub mod signal;
    }
    pub mod meters {
        pub mod ring;
    }
}

pub use tacet::exchange;
pub use tacet::inference::signal;
pub use tacet::meters::ring;
