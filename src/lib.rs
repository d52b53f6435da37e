//! Tacet denoises speech in real time with DeepFilterNet3: this is the plugin (CLAP, VST3, Audio Unit) and its panel.
//!
//! The modules in the order a hop of audio meets them, with the crates that they live in:
//!
//! - `tacet_core`: the processing of one hop.
//!   - [`frame`]: the types that travel.
//!   - [`stft`]: samples to spectra and back, per channel. Audio thread.
//!   - [`history`]: the noisy frames a late answer is applied to. Audio thread.
//!   - [`features`] over [`erb`] bands: the network's input. Inference thread.
//!   - [`engine`]: runs the network; [`engine::Engine`] is the contract. Inference thread.
//!     [`engine::native`]: Tacet's own, on the CPU. [`engine::torch`]: libtorch, opened on demand.
//!   - [`enhance`]: the engine's answer applied to the noisy frame. Audio thread.
//!   - [`weights`]: the embedded model. Never on the audio thread.
//!   - [`denoiser`]: all of it hop by hop in one thread. [`sequence`]: many hops at a time on several threads, for files.
//!   - [`denormals`]: flushing denormals to zero, on both threads.
//! - `tacet_realtime`: denoising while the sound plays.
//!   - [`processor`]: the audio thread's half; [`latency`] is what it reports to the host.
//!   - [`exchange`]: the way of a hop between it and the inference threads, and back.
//!   - [`inference`]: one inference thread per device, shared by every stream of the process.
//!   - [`device`]: the devices here, and advice before choosing. Never on the audio thread.
//!   - [`meters`]: the audio thread's measurements, for the panel.
//!   - [`lab`]: the cost of each device, measured hop by hop. Off the audio thread.
//! - this crate: the plugin.
//!   - [`params`]: parameters, presets and saved states, made from the table in [`parameters`].
//!   - [`plugin`]: all of it as CLAP, VST3 and Audio Unit.
//!   - [`panel`]: the panel. On the window's thread.
//! - `tacet_cli`: the program `tacet`, for files. `tacet_standalone`: the program `tacet-live`, this plugin in a window of
//!   its own, on the microphone.

pub use tacet_model as model;
pub use tacet_realtime::{
    clean, denoiser, denormals, device, dry, engine, enhance, erb, exchange, faults, features, frame,
    history, inference, lab, latency, limit, live, meters, models, oklab, parameters, presets, processor,
    random, rules, sequence, slot, stft, tails, user_files, weights,
};

pub mod panel;
pub mod params;
pub mod plugin;

#[cfg(all(target_os = "macos", feature = "audio-unit"))]
clap_wrapper::export_auv2!();
