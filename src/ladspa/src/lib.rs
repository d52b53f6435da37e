//! The denoiser as LADSPA and LV2 plugins: for PipeWire's filter chains, EasyEffects, ffmpeg, sox, Ardour, Audacity.
//!
//! The labels `deep_filter_mono` and `deep_filter_stereo` have the unique identifiers, ports, names, ranges and defaults of
//! DeepFilterNet's own LADSPA plugin, in its order, so that what was set up for that one works with this. `tacet_mono` and
//! `tacet_stereo` are the same with one port more at the end, `latency`, which hosts that compensate for it read; the other
//! two leave it out, because programs written for DeepFilterNet's ports connect them by their number.
//!
//! Any sample rate from 1 kHz; at 48 kHz the latency is 2400 samples, and it never changes. Nothing is logged.
//!
//! - [`ports`]: the table of ports.
//! - [`effect`]: an instance: buffers in, a [`Live`](tacet_realtime::live::Live) stream, buffers out.
//! - [`abi`]: LADSPA's C interface.
//! - [`lv2`]: LV2's, and what describes the plugins there.

pub mod abi;
pub mod effect;
pub mod lv2;
pub mod ports;
