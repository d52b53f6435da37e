//! The second output of the variant that has one, where a host does not give it.

use std::cell::UnsafeCell;
use std::ptr;

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::process::clap_process;
use nice_plug::prelude::AudioIOLayout;

/// Most channels of the second output.
const MAX_CHANNELS: usize = 2;

/// A second output in place of one that a host does not give, though the layout has it: nobody hears it.
#[derive(Default)]
pub struct SpareOutput {
    samples: UnsafeCell<Box<[f32]>>,
}

impl SpareOutput {
    /// Makes room for blocks of `max_frames` samples in `layout`. Allocates.
    ///
    /// # Safety
    /// No block is being processed.
    pub unsafe fn activate(&self, layout: &AudioIOLayout, max_frames: u32) {
        let n_samples = n_removed(layout) * max_frames as usize;
        // SAFETY: the caller's promise.
        unsafe { *self.samples.get() = vec![0.0; n_samples].into() };
    }

    /// Calls `process` with the host's block, or with one that has both outputs where the host's lacks the second. Real-time
    /// safe.
    ///
    /// # Safety
    /// The block is as CLAP describes it, and no other is being processed. Without room for it, as of [`Self::activate`], it
    /// is left as it is.
    pub unsafe fn complete<T>(
        &self,
        layout: &AudioIOLayout,
        block: &clap_process,
        process: impl FnOnce(&clap_process) -> T,
    ) -> T {
        let n_channels = n_removed(layout);
        if n_channels == 0 || block.audio_outputs_count == 0 || block.audio_outputs.is_null() {
            return process(block);
        }
        // SAFETY: the caller's promise.
        unsafe {
            if block.audio_outputs_count > 1 && has_channels(&*block.audio_outputs.add(1), n_channels) {
                return process(block);
            }
            let samples = &mut **self.samples.get();
            if samples.len() < n_channels * block.frames_count as usize {
                return process(block);
            }
            let mut channels = [ptr::null_mut(); MAX_CHANNELS];
            let room = samples.chunks_exact_mut((samples.len() / n_channels).max(1));
            for (channel, room) in channels.iter_mut().zip(room) {
                *channel = room.as_mut_ptr();
            }
            let spare = clap_audio_buffer {
                data32: channels.as_mut_ptr(),
                data64: ptr::null_mut(),
                channel_count: n_channels as u32,
                latency: 0,
                constant_mask: 0,
            };
            let mut outputs = [*block.audio_outputs, spare];
            process(&clap_process { audio_outputs: outputs.as_mut_ptr(), audio_outputs_count: 2, ..*block })
        }
    }
}

/// Channels of a layout's second output; 0 if it has none.
fn n_removed(layout: &AudioIOLayout) -> usize {
    layout.aux_output_ports.first().map_or(0, |n_channels| n_channels.get() as usize)
}

/// Whether an output has so many channels, all of which are there.
///
/// # Safety
/// The output's channels are as many as it says.
unsafe fn has_channels(output: &clap_audio_buffer, n_channels: usize) -> bool {
    output.channel_count as usize == n_channels
        && !output.data32.is_null()
        // SAFETY: the caller's promise.
        && (0..n_channels).all(|channel| !unsafe { *output.data32.add(channel) }.is_null())
}
