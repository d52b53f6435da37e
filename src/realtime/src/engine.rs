//! The engines: [`Engine`] is the contract, [`native`] Tacet's own. libtorch's engines are here, because opening
//! them is a matter of the system.

pub use tacet_core::engine::{
    ChannelIn, ChannelOut, Engine, EngineError, FAR_THRESHOLDS, Job, NOT_FINITE, Stage, StateUpdate,
    StepTimings, StreamId, Thresholds, native, sequence,
};

pub mod torch;
