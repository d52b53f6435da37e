//! Tacet denoises speech in real time with DeepFilterNet3, in a DAW, on a microphone and for files.
//!
//! The modules in the order a hop of audio meets them:
//!
//! - [`frame`]: the types that travel.
//! - [`stft`]: samples to spectra and back, per channel. Audio thread.
//! - [`history`]: the noisy frames a late answer is applied to. Audio thread.
//! - [`features`] over [`erb`] bands: what the network hears. Inference thread.
//! - [`engine`]: what runs the network; [`engine::Engine`] is the contract. Inference thread.
//!   [`engine::native`]: ours, on the CPU. [`engine::torch`]: libtorch, opened on demand.
//! - [`enhance`]: the engine's answer applied to the noisy frame. Audio thread.
//! - [`weights`]: the embedded model, and models from files. Never on the audio thread.
//! - [`denoiser`]: all of it in one thread, for files.
//!   [`whole_file`]: the same with the network on a device, many hops at a time.
//! - [`device`]: what can run the network here, and what to know before choosing. Never on the audio thread.
//! - [`score`]: how good the result is, measured against a clean recording. Files only.
//! - `editor`: the panel. Only with the `plugin` feature; on the window's thread.
//! - [`lab`]: what each device costs, measured hop by hop. Off the audio thread.
//! - [`processor`]: the audio thread's half of a plugin; [`latency`] is what it tells the host.
//! - [`exchange`]: the lanes between it and the inference threads.
//! - [`inference`]: one inference thread per device, shared by every stream of the process.
//! - [`meters`]: what the audio thread tells the panel.
//! - `params`: the plugin's parameters, presets and saved state.
//! - `plugin`: all of it as CLAP, VST3 and Audio Unit.
//! - `standalone`: the plugin in a window of its own, on the microphone.
//! - [`oklab`]: colours of pictures and panel.
//! - [`sync`]: what the concurrent code is made of.
//! - [`denormals`]: flushing denormals to zero, on both threads.

pub use tacet_core::{denoiser, denormals, enhance, erb, features, frame, history, stft, weights};
pub use tacet_model as model;

pub mod device;
#[cfg(feature = "plugin")]
pub mod editor;
pub mod engine;
pub mod exchange;
pub mod inference;
pub mod lab;
pub mod latency;
pub mod meters;
pub mod oklab;
#[cfg(feature = "plugin")]
pub mod params;
#[cfg(feature = "plugin")]
pub mod plugin;
pub mod processor;
pub mod score;
#[cfg(feature = "standalone")]
pub mod standalone;
pub mod sync;
pub mod whole_file;

#[cfg(feature = "plugin")]
nice_plug::nice_export_clap!(plugin::Tacet);
#[cfg(feature = "plugin")]
nice_plug::nice_export_vst3!(plugin::Tacet);
#[cfg(all(feature = "plugin", target_os = "macos"))]
clap_wrapper::export_auv2!();
