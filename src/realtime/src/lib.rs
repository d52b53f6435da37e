//! Denoising while the sound plays, without a plugin framework: what runs the network here, the inference threads, and the
//! audio thread's half of it. Files and windows are other crates' business.
//!
//! The modules in the order a hop of audio meets them:
//!
//! - [`processor`]: the audio thread's half; [`latency`] is what it reports to the host.
//! - [`resample`]: to 48 kHz hops and back, exact in its delay.
//! - [`exchange`]: the way of a hop between it and the inference threads, and back.
//! - [`inference`]: one inference thread per device, shared by every stream of the process.
//! - [`engine`]: what runs the network; [`engine::native`] on the CPU, [`engine::torch`] on libtorch, opened on demand.
//! - [`live`]: all of that as one stream, for whoever has no plugin framework around it.
//! - [`background`]: the thread that does for every stream what the audio thread may not.
//! - [`faults`]: what goes wrong in a live program, and what is said about it.
//! - [`device`]: what can run the network here, and what to know before choosing. Never on the audio thread.
//! - [`models`]: models that are not embedded. Never on the audio thread.
//! - [`user_files`]: where this user's files lie, and writing them. Never on the audio thread.
//! - [`meters`]: the audio thread's measurements, for the panel.
//! - [`lab`]: what each device costs, measured hop by hop. Off the audio thread.
//! - [`parameters`]: the table of parameters: ranges, units, defaults, texts.
//! - [`presets`]: sets of values for them, the factory's and the user's.
//! - [`slot`]: A and B, what is heard and what it is compared with.
//! - [`oklab`]: colours of pictures and panel.
//! - [`sync`]: what the concurrent code is made of.

pub use tacet_core::{
    clean, denoiser, denormals, dry, enhance, erb, features, frame, halves, history, limit, powers, random,
    rules, samples, sequence, stft, tails, weights, whisper,
};
pub use tacet_model as model;

pub mod background;
pub mod device;
pub mod engine;
pub mod exchange;
pub mod faults;
pub mod inference;
pub mod lab;
pub mod latency;
pub mod live;
pub mod meters;
pub mod models;
pub mod oklab;
pub mod parameters;
pub mod presets;
pub mod processor;
pub mod resample;
pub mod slot;
pub mod sync;
pub mod user_files;
