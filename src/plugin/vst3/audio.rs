//! The plugin as an audio processor. [`IAudioProcessorTrait::process`] runs on the audio thread: real-time safe.

use std::ptr;
use std::sync::atomic::Ordering;

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::process::clap_process;
use nice_plug::prelude::Plugin;
use vst3::Steinberg::Vst::{
    AudioBusBuffers, BusDirection, IAudioProcessorTrait, IProcessContextRequirementsTrait, ProcessData,
    ProcessModes_, ProcessSetup, SpeakerArr, SpeakerArrangement, SymbolicSampleSizes_,
};
use vst3::Steinberg::{
    TBool, int32, kInvalidArgument, kNotInitialized, kResultFalse, kResultOk, tresult, uint32,
};

use super::bridge::Setup;
use super::component::{Component, INPUT, OUTPUT, channels};
use crate::inference::native::lookahead_hops;
use crate::latency::Latency;
use crate::plugin::Tacet;
use crate::plugin::clap::instance::{call, silent_channels};
use crate::processor::resample::Plan;

const SAMPLE_32: int32 = SymbolicSampleSizes_::kSample32 as int32;

/// A main bus with at least `n_channels` channels that are there, as the CLAP takes it.
///
/// # Safety
/// The buses are as many as said, and of 32 bits.
unsafe fn port(buses: *mut AudioBusBuffers, n_buses: int32, n_channels: u32) -> Option<clap_audio_buffer> {
    if n_buses < 1 {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let bus = buses.as_ref()?;
        let samples = bus.__field0.channelBuffers32;
        if bus.numChannels < n_channels as int32 || samples.is_null() {
            return None;
        }
        if (0..n_channels as usize).any(|channel| (*samples.add(channel)).is_null()) {
            return None;
        }
        Some(clap_audio_buffer {
            data32: samples,
            data64: ptr::null_mut(),
            channel_count: n_channels,
            latency: 0,
            constant_mask: bus.silenceFlags,
        })
    }
}

/// Silences what outputs there are.
///
/// # Safety
/// The buses are as many as said, of 32 bits, and each channel that is there has `n_samples` samples.
unsafe fn silence(buses: *mut AudioBusBuffers, n_buses: int32, n_samples: u32) {
    if buses.is_null() {
        return;
    }
    for bus in 0..n_buses.max(0) as usize {
        // SAFETY: the caller's promise.
        unsafe {
            let bus = &mut *buses.add(bus);
            let samples = bus.__field0.channelBuffers32;
            let n_channels = bus.numChannels.clamp(0, 64) as u32;
            for channel in 0..n_channels as usize {
                if !samples.is_null() && !(*samples.add(channel)).is_null() {
                    ptr::write_bytes(*samples.add(channel), 0, n_samples as usize);
                }
            }
            bus.silenceFlags = u64::MAX.checked_shr(u64::BITS - n_channels).unwrap_or(0);
        }
    }
}

impl IAudioProcessorTrait for Component {
    unsafe fn setBusArrangements(
        &self,
        inputs: *mut SpeakerArrangement,
        n_inputs: int32,
        outputs: *mut SpeakerArrangement,
        n_outputs: int32,
    ) -> tresult {
        if n_inputs != 1 || n_outputs != 1 || inputs.is_null() || outputs.is_null() {
            return kResultFalse;
        }
        // SAFETY: there is one of each.
        let wanted = unsafe { [*inputs, *outputs] }.map(SpeakerArrangement::count_ones);
        match Tacet::AUDIO_IO_LAYOUTS.iter().position(|layout| channels(layout) == wanted) {
            Some(_) if self.bridge.is_active() => kResultFalse,
            Some(index) => {
                self.bridge.layout.store(index, Ordering::Relaxed);
                kResultOk
            }
            None => kResultFalse,
        }
    }

    unsafe fn getBusArrangement(
        &self,
        direction: BusDirection,
        index: int32,
        arrangement: *mut SpeakerArrangement,
    ) -> tresult {
        let [n_in, n_out] = self.n_channels();
        let n_channels = match (direction, index) {
            (INPUT, 0) => n_in,
            (OUTPUT, 0) => n_out,
            _ => return kInvalidArgument,
        };
        // SAFETY: the host passes null or room for the answer.
        let Some(arrangement) = (unsafe { arrangement.as_mut() }) else { return kInvalidArgument };
        *arrangement = if n_channels == 1 { SpeakerArr::kMono } else { SpeakerArr::kStereo };
        kResultOk
    }

    unsafe fn canProcessSampleSize(&self, size: int32) -> tresult {
        if size == SAMPLE_32 { kResultOk } else { kResultFalse }
    }

    unsafe fn getLatencySamples(&self) -> uint32 {
        let shared = self.bridge.shared();
        if self.bridge.is_active()
            && let Some(latency) = *shared.latency.lock()
        {
            return latency.total_samples as u32;
        }
        // The future latency: some hosts ask between setting up and activating.
        let Some(plan) = Plan::new(self.bridge.setup.lock().rate_hz) else { return 0 };
        let Ok(lookahead_hops) = lookahead_hops(shared.available_model()) else { return 0 };
        Latency::new(lookahead_hops, shared.params.latency_mode(), &plan).total_samples as u32
    }

    unsafe fn setupProcessing(&self, setup: *mut ProcessSetup) -> tresult {
        // SAFETY: the host passes null or a description.
        let Some(setup) = (unsafe { setup.as_ref() }) else { return kInvalidArgument };
        if setup.symbolicSampleSize != SAMPLE_32 || Plan::new(setup.sampleRate).is_none() {
            return kResultFalse;
        }
        *self.bridge.setup.lock() = Setup {
            rate_hz: setup.sampleRate,
            max_block: setup.maxSamplesPerBlock.max(1) as u32,
            is_offline: setup.processMode == ProcessModes_::kOffline as int32,
        };
        kResultOk
    }

    unsafe fn setProcessing(&self, state: TBool) -> tresult {
        // Nothing is cleared: a host may do this around each block. An activation clears.
        self.bridge.is_processing.store(state != 0, Ordering::Relaxed);
        if state == 0 {
            // There is no audio thread that would hand them on.
            self.bridge.take_edits();
        }
        kResultOk
    }

    unsafe fn process(&self, data: *mut ProcessData) -> tresult {
        // SAFETY: the host passes null or a block, in which everything is null or as it says.
        let Some(data) = (unsafe { data.as_ref() }) else { return kInvalidArgument };
        let bridge = &*self.bridge;
        // Taken where the host deactivates meanwhile or calls twice at once.
        let Some(mut audio) = bridge.audio.try_lock() else { return kResultFalse };
        if !bridge.is_active() {
            return kNotInitialized;
        }
        if data.symbolicSampleSize != SAMPLE_32 {
            return kResultFalse;
        }
        let n_samples = data.numSamples.max(0) as u32;
        let [n_in, n_out] = self.n_channels();
        let instance = bridge.instance();
        // SAFETY: the block is as it says, the instance lives and is active, and no other block is being processed.
        unsafe {
            audio.read(&bridge.params, data.inputParameterChanges, n_samples);
            let events = audio.events();
            let input = port(data.inputs, data.numInputs, n_in);
            let output = port(data.outputs, data.numOutputs, n_out);
            let (Some(input), Some(mut output), 1..) = (input, output, n_samples) else {
                // Hosts hand over parameters alone, and leave out the buses of what is bypassed.
                call!(instance.params(), flush(instance.clap(), &events, ptr::null()));
                silence(data.outputs, data.numOutputs, n_samples);
                return kResultOk;
            };
            let block = clap_process {
                steady_time: -1,
                frames_count: n_samples,
                transport: ptr::null(),
                audio_inputs: &input,
                audio_outputs: &mut output,
                audio_inputs_count: 1,
                audio_outputs_count: 1,
                in_events: &events,
                // Edits on the panel go to the host on the main thread.
                out_events: ptr::null(),
            };
            let status = call!(instance.clap(), process(instance.clap(), &block));
            (*data.outputs).silenceFlags = silent_channels(&output, n_samples, status);
        }
        kResultOk
    }

    unsafe fn getTailSamples(&self) -> uint32 {
        // The last input comes out when the latency is over.
        // SAFETY: it asks nothing of the host.
        unsafe { self.getLatencySamples() }
    }
}

impl IProcessContextRequirementsTrait for Component {
    unsafe fn getProcessContextRequirements(&self) -> uint32 {
        0
    }
}
