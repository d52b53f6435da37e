//! The audio thread's half: moves a block from one stream to the other, through what denoises.

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rtrb::{Consumer, Producer};

use super::library::{Chunk, Data, Stream, StreamBuffer};
use crate::settings::Settings;
use crate::sound::Sound;

/// Most samples of a block: PipeWire's largest.
pub(super) const MAX_BLOCK: usize = 8192;

/// Most [`Sound`]s on their way to the audio thread, and back from it.
pub(super) const N_ON_THE_WAY: usize = 4;
/// Samples below this are silence: less than the last bit of any converter.
const SILENT: f32 = 1e-7;

/// The audio thread's.
pub(super) struct Chain {
    pub(super) sound: Box<dyn Sound>,
    /// Its successors, on their way to the audio thread.
    pub(super) coming: Consumer<Box<dyn Sound>>,
    /// Its predecessors, on their way to the thread that drops them.
    pub(super) leaving: Producer<Box<dyn Sound>>,
    pub(super) settings: Arc<Settings>,
    pub(super) trigger: unsafe extern "C" fn(*mut Stream) -> c_int,
    pub(super) dequeue: unsafe extern "C" fn(*mut Stream) -> *mut StreamBuffer,
    pub(super) queue: unsafe extern "C" fn(*mut Stream, *mut StreamBuffer) -> c_int,
    pub(super) input: *mut Stream,
    pub(super) output: *mut Stream,
    /// A block by channel.
    pub(super) samples: Vec<Vec<f32>>,
}

impl Chain {
    /// # Safety
    /// On the server's real-time thread, while both streams are there.
    pub(super) unsafe fn process(&mut self) {
        // SAFETY: the caller's: buffers are this side's from dequeuing to queuing.
        unsafe {
            let mut input = (self.dequeue)(self.input);
            // Only the newest counts: an older one would be a delay that never goes away.
            while !input.is_null() {
                let newer = (self.dequeue)(self.input);
                if newer.is_null() {
                    break;
                }
                self.settings.n_lost.fetch_add(1, Relaxed);
                (self.queue)(self.input, input);
                input = newer;
            }
            let output = (self.dequeue)(self.output);
            if input.is_null() || output.is_null() {
                self.settings.n_lost.fetch_add(1, Relaxed);
            } else {
                let n_samples = self.read(input);
                self.denoise(n_samples);
                self.write(output, n_samples);
            }
            if !input.is_null() {
                (self.queue)(self.input, input);
            }
            if !output.is_null() {
                (self.queue)(self.output, output);
            }
        }
    }

    /// Takes a block from a buffer; gives its length in samples.
    ///
    /// # Safety
    /// The buffer is this side's.
    unsafe fn read(&mut self, buffer: *mut StreamBuffer) -> usize {
        let mut n_samples = 0;
        for (channel, samples) in self.samples.iter_mut().enumerate() {
            // SAFETY: the caller's.
            let plane = unsafe { plane(buffer, channel) };
            let Some((data, chunk)) = plane else {
                samples[..n_samples].fill(0.0);
                continue;
            };
            // SAFETY: a plane with memory has a chunk; offset and size are cut to what the plane holds before they are used, and
            // a plane of floats is aligned as one.
            unsafe {
                let n_bytes = data.max_bytes as usize;
                let offset = ((*chunk).offset as usize).min(n_bytes) & !3;
                let n = (((*chunk).size as usize).min(n_bytes - offset) / 4).min(MAX_BLOCK);
                let from = data.data.cast::<u8>().add(offset).cast::<f32>();
                ptr::copy_nonoverlapping(from, samples.as_mut_ptr(), n);
                samples[n..n_samples.max(n)].fill(0.0);
                n_samples = n_samples.max(n);
            }
        }
        n_samples
    }

    fn denoise(&mut self, n_samples: usize) {
        while self.leaving.slots() > 0
            && let Ok(sound) = self.coming.pop()
        {
            // There is a slot for it.
            let _ = self.leaving.push(std::mem::replace(&mut self.sound, sound));
        }
        let Self { sound, samples, settings, .. } = self;
        if samples.iter().any(|channel| channel[..n_samples].iter().any(|sample| sample.abs() > SILENT)) {
            settings.n_silent.store(0, Relaxed);
        } else {
            settings.n_silent.fetch_add(n_samples as u64, Relaxed);
        }
        sound.process(samples, n_samples, settings);
        settings.block_samples.store(n_samples as u32, Relaxed);
        settings.n_samples.fetch_add(n_samples as u64, Relaxed);
    }

    /// Puts the block into a buffer.
    ///
    /// # Safety
    /// The buffer is this side's.
    unsafe fn write(&self, buffer: *mut StreamBuffer, n_samples: usize) {
        for (channel, samples) in self.samples.iter().enumerate() {
            // SAFETY: the caller's.
            let Some((data, chunk)) = (unsafe { plane(buffer, channel) }) else { continue };
            let n = n_samples.min(data.max_bytes as usize / 4);
            // SAFETY: the plane has room for `n` samples and is aligned as floats are; a plane with memory has a chunk.
            unsafe {
                ptr::copy_nonoverlapping(samples.as_ptr(), data.data.cast::<f32>(), n);
                let chunk: &mut Chunk = &mut *chunk;
                (chunk.offset, chunk.size, chunk.stride) = (0, 4 * n as u32, 4);
            }
        }
    }
}

/// A channel's plane with what of it is valid, if it is there and has memory.
///
/// # Safety
/// The buffer is this side's and stays it as long as the plane is used.
unsafe fn plane<'b>(buffer: *mut StreamBuffer, channel: usize) -> Option<(&'b Data, *mut Chunk)> {
    // SAFETY: the caller's; a buffer has as many planes as it says.
    unsafe {
        let planes = (*buffer).buffer;
        if channel >= (*planes).n_datas as usize {
            return None;
        }
        let data = &*(*planes).datas.add(channel);
        (!data.data.is_null() && !data.chunk.is_null()).then_some((data, data.chunk))
    }
}
