//! The plugin as an audio processor. [`IAudioProcessorTrait::process`] runs on the audio thread: real-time safe.

use std::ptr;
use std::sync::atomic::Ordering;

use clap_sys::audio_buffer::clap_audio_buffer;
use clap_sys::process::clap_process;
use nice_plug::prelude::AudioIOLayout;
use vst3::Steinberg::Vst::{
    AudioBusBuffers, BusDirection, IAudioProcessorTrait, IProcessContextRequirementsTrait, ProcessData,
    ProcessModes_, ProcessSetup, SpeakerArr, SpeakerArrangement, SymbolicSampleSizes_,
};
use vst3::Steinberg::{
    TBool, int32, kInvalidArgument, kNotInitialized, kResultFalse, kResultOk, tresult, uint32,
};

use super::bridge::Setup;
use super::component::{Component, INPUT, OUTPUT, n_channels};
use crate::latency::Latency;
use crate::plugin::clap::instance::{call, silent_channels};
use crate::plugin::variant::LAYOUTS;
use crate::processor::resample::Plan;

const SAMPLE_32: int32 = SymbolicSampleSizes_::kSample32 as int32;

/// The bus of this index with at least `n_channels` channels that are there, as the CLAP takes it.
///
/// # Safety
/// The buses are as many as said, and of 32 bits.
unsafe fn port(
    buses: *mut AudioBusBuffers,
    n_buses: int32,
    index: usize,
    n_channels: u32,
) -> Option<clap_audio_buffer> {
    if buses.is_null() || index >= usize::try_from(n_buses).unwrap_or(0) {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let bus = &*buses.add(index);
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
        let wanted = [(INPUT, inputs, n_inputs), (OUTPUT, outputs, n_outputs)];
        let is_whole = |(direction, buses, n_buses): &(BusDirection, *mut SpeakerArrangement, int32)| {
            !buses.is_null() && usize::try_from(*n_buses) == Ok(self.n_buses(*direction))
        };
        if !wanted.iter().all(is_whole) {
            return kResultFalse;
        }
        let is_wanted = |layout: &AudioIOLayout| {
            wanted.iter().all(|&(direction, buses, n_buses)| {
                (0..n_buses as usize).all(|index| {
                    // SAFETY: the host passes as many as it says.
                    let n_wanted = unsafe { *buses.add(index) }.count_ones();
                    n_channels(layout, direction, index) == Some(n_wanted)
                })
            })
        };
        match self.bridge.variant.layouts().find(|&index| is_wanted(&LAYOUTS[index])) {
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
        let Some(n_channels) = self.n_channels(direction, index) else { return kInvalidArgument };
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
        let Ok(playable) = shared.playable_model() else { return 0 };
        Latency::new(playable.lookahead_hops, shared.params.latency_mode(), &plan).total_samples as u32
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
        let layout = self.layout();
        let n_channels = |direction, index| n_channels(layout, direction, index).unwrap_or(0);
        let instance = bridge.instance();
        // SAFETY: the block is as it says, the instance lives and is active, and no other block is being processed.
        unsafe {
            audio.read(&bridge.params, data.inputParameterChanges, n_samples);
            let events = audio.events();
            let input = port(data.inputs, data.numInputs, 0, n_channels(INPUT, 0));
            let output = port(data.outputs, data.numOutputs, 0, n_channels(OUTPUT, 0));
            let (Some(input), Some(output), 1..) = (input, output, n_samples) else {
                // Hosts hand over parameters alone, and leave out the buses of what is bypassed.
                call!(instance.params(), flush(instance.clap(), &events, ptr::null()));
                silence(data.outputs, data.numOutputs, n_samples);
                return kResultOk;
            };
            // An output that is not given, or whose bus is not active, is nobody's.
            let second = match n_channels(OUTPUT, 1) {
                0 => None,
                n_channels => port(data.outputs, data.numOutputs, 1, n_channels),
            };
            let n_outputs = 1 + usize::from(second.is_some());
            let mut outputs = [output, second.unwrap_or(output)];
            let block = clap_process {
                steady_time: -1,
                frames_count: n_samples,
                transport: ptr::null(),
                audio_inputs: &input,
                audio_outputs: outputs.as_mut_ptr(),
                audio_inputs_count: 1,
                audio_outputs_count: n_outputs as u32,
                in_events: &events,
                // Edits on the panel go to the host on the main thread.
                out_events: ptr::null(),
            };
            let status = call!(instance.clap(), process(instance.clap(), &block));
            for (index, output) in outputs.iter().enumerate().take(n_outputs) {
                (*data.outputs.add(index)).silenceFlags = silent_channels(output, n_samples, status);
            }
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
