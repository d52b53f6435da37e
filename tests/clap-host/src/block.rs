//! One block through a plugin.

use anyhow::{Context, Result};
use clack_host::events::event_types::ParamValueEvent;
use clack_host::prelude::*;

use super::{Change, Handlers};

/// Processes `input`, which may be announced as constant, into `output`.
pub(super) fn process(
    audio: &mut StartedPluginAudioProcessor<Handlers>,
    input: (&mut [Vec<f32>], bool),
    output: &mut [Vec<f32>],
    changes: &[Change],
    steady_time: u64,
) -> Result<ProcessStatus> {
    process_ports(audio, input, &mut [output], changes, steady_time)
}

/// Processes `input`, which may be announced as constant, into as many outputs as there are.
pub(super) fn process_ports(
    audio: &mut StartedPluginAudioProcessor<Handlers>,
    (input, is_constant): (&mut [Vec<f32>], bool),
    outputs: &mut [&mut [Vec<f32>]],
    changes: &[Change],
    steady_time: u64,
) -> Result<ProcessStatus> {
    let n_channels = input.len();
    let n_out: usize = outputs.iter().map(|output| output.len()).sum();
    let mut events = EventBuffer::with_capacity(changes.len());
    for change in changes {
        let id = ClapId::from_raw(change.id).context("an invalid parameter")?;
        events.push(&ParamValueEvent::new(change.at, id, Pckn::match_all(), change.value));
    }
    let mut output_events = EventBuffer::new();
    let mut input_ports = AudioPorts::with_capacity(n_channels, 1);
    let mut output_ports = AudioPorts::with_capacity(n_out, outputs.len());
    let channels = input.iter_mut().map(|channel| InputChannel::from_buffer(channel, is_constant));
    let inputs = input_ports.with_input_buffers([AudioPortBuffer {
        latency: 0,
        channels: AudioPortBufferType::f32_input_only(channels),
    }]);
    let mut outputs = output_ports.with_output_buffers(outputs.iter_mut().map(|output| AudioPortBuffer {
        latency: 0,
        channels: AudioPortBufferType::f32_output_only(output.iter_mut().map(Vec::as_mut_slice)),
    }));
    let (events, mut output_events) = (events.as_input(), output_events.as_output());
    Ok(audio.process(&inputs, &mut outputs, &events, &mut output_events, Some(steady_time), None)?)
}
