//! Liberties of a host besides processing block by block on one thread: buffers in place, marked constant, larger than
//! announced; parameters as text; states in small pieces; and all of the main thread's while another thread processes.

use std::ffi::CString;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clack_extensions::params::PluginParams;
use clack_extensions::state::PluginState;
use clack_host::prelude::*;

use super::block::{process, process_ports};
use super::{Handlers, Instance};

/// Bytes that a [`Sip`] gives or takes at once.
const SIP_BYTES: usize = 3;

/// A stream that reads and writes little at a time, as a host's may.
struct Sip<T>(T);

impl<T: Read> Read for Sip<T> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(SIP_BYTES);
        self.0.read(&mut buffer[..n])
    }
}

impl<T: Write> Write for Sip<T> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.0.write(&buffer[..buffer.len().min(SIP_BYTES)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Processes a block in place.
fn in_place(
    audio: &mut StartedPluginAudioProcessor<Handlers>,
    block: &mut [Vec<f32>],
    steady_time: u64,
) -> Result<ProcessStatus> {
    let n_samples = block.first().map_or(0, Vec::len);
    anyhow::ensure!(block.iter().all(|channel| channel.len() == n_samples), "channels of unequal length");
    let mut ports = AudioPorts::with_capacity(block.len(), 1);
    let mut outputs = ports.with_output_buffers([AudioPortBuffer {
        latency: 0,
        channels: AudioPortBufferType::f32_output_only(block.iter_mut().map(Vec::as_mut_slice)),
    }]);
    let same = outputs.as_raw_buffers().to_vec();
    // SAFETY: the buffers point to the channels of `block`, which is borrowed until after the call and whose lengths were
    // checked above. The plugin may read and write one memory through both: that is what in place means in CLAP.
    let inputs = unsafe { InputAudioBuffers::from_raw_buffers(&same, n_samples as u32) };
    let (events, mut output_events) = (EventBuffer::new(), EventBuffer::new());
    let (events, mut output_events) = (events.as_input(), output_events.as_output());
    Ok(audio.process(&inputs, &mut outputs, &events, &mut output_events, Some(steady_time), None)?)
}

impl Instance {
    /// Processes a block whose inputs and outputs are the same memory.
    ///
    /// # Errors
    /// As [`Instance::process`].
    pub fn process_in_place(&mut self, block: &mut [Vec<f32>]) -> Result<ProcessStatus> {
        let audio = self.audio.as_mut().context("not active")?;
        let status = in_place(audio, block, self.steady_time)?;
        self.steady_time += block.first().map_or(0, Vec::len) as u64;
        self.idle();
        Ok(status)
    }

    /// Processes a block in place; gives the second output, of as many channels.
    ///
    /// # Errors
    /// As [`Instance::process`].
    pub fn process_split(&mut self, block: &mut [Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let audio = self.audio.as_mut().context("not active")?;
        let mut input = block.to_vec();
        // What the plugin does not write is noticed.
        let mut second: Vec<Vec<f32>> = block.iter().map(|channel| vec![f32::NAN; channel.len()]).collect();
        let mut outputs = [block, second.as_mut_slice()];
        process_ports(audio, (&mut input, false), &mut outputs, &[], self.steady_time)?;
        self.steady_time += outputs[0].first().map_or(0, Vec::len) as u64;
        self.idle();
        Ok(second)
    }

    /// Processes a block whose inputs are announced as constant; they must be.
    ///
    /// # Errors
    /// As [`Instance::process`].
    pub fn process_constant(&mut self, block: &mut [Vec<f32>]) -> Result<ProcessStatus> {
        let audio = self.audio.as_mut().context("not active")?;
        let mut input = block.to_vec();
        let status = process(audio, (&mut input, true), block, &[], self.steady_time)?;
        self.steady_time += block.first().map_or(0, Vec::len) as u64;
        self.idle();
        Ok(status)
    }

    /// Runs `main` on this thread while another processes noise in blocks of `n_samples`; gives how many blocks that were.
    ///
    /// # Errors
    /// The instance is not active, a block fails, or what `main` says.
    pub fn while_processing(
        &mut self,
        n_samples: usize,
        main: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<usize> {
        let mut audio = self.audio.take().context("not active")?;
        let (n_channels, is_over) = (self.n_channels, AtomicBool::new(false));
        let (audio, result, done) = std::thread::scope(|scope| {
            let processing = scope.spawn(|| {
                let mut n_blocks = 0;
                while !is_over.load(Ordering::Relaxed) || n_blocks == 0 {
                    let mut input = vec![super::signal::noise(n_samples, n_blocks as u32); n_channels];
                    let mut output = input.clone();
                    if let Err(error) = process(&mut audio, (&mut input, false), &mut output, &[], 0) {
                        return (audio, Err(error));
                    }
                    n_blocks += 1;
                }
                (audio, Ok(n_blocks))
            });
            let done = main(self);
            is_over.store(true, Ordering::Relaxed);
            let (audio, result) = processing.join().map_err(|_| anyhow::anyhow!("processing panicked"))?;
            anyhow::Ok((audio, result, done))
        })?;
        self.audio = Some(audio);
        self.idle();
        done?;
        result
    }

    /// A parameter's value as people read it.
    ///
    /// # Errors
    /// The plugin has no text for it.
    pub fn text(&mut self, id: u32, value: f64) -> Result<String> {
        let extension = self.extension::<PluginParams>()?;
        let id = ClapId::from_raw(id).context("an invalid parameter")?;
        let mut buffer = [0; 256];
        let text = extension.value_to_text(&self.plugin.plugin_handle(), id, value, &mut buffer);
        let text = text.map_err(|_| anyhow::anyhow!("{value} has no text"))?;
        Ok(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
    }

    /// The value that a text means.
    ///
    /// # Errors
    /// The plugin does not understand it.
    pub fn value_of_text(&mut self, id: u32, text: &str) -> Result<f64> {
        let extension = self.extension::<PluginParams>()?;
        let id = ClapId::from_raw(id).context("an invalid parameter")?;
        let c_text = CString::new(text)?;
        extension
            .text_to_value(&self.plugin.plugin_handle(), id, &c_text)
            .with_context(|| format!("`{text}` is not understood"))
    }

    /// Saves and loads a state through streams that move a few bytes at a time; gives what was saved.
    ///
    /// # Errors
    /// The plugin cannot save or refuses its own state.
    pub fn save_and_load_in_pieces(&mut self) -> Result<Vec<u8>> {
        let extension = self.extension::<PluginState>()?;
        let mut state = Sip(Vec::new());
        extension.save(&self.plugin.plugin_handle(), &mut state)?;
        extension.load(&self.plugin.plugin_handle(), &mut Sip(state.0.as_slice()))?;
        self.idle();
        Ok(state.0)
    }
}
