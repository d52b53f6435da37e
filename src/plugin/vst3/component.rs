//! The plugin as a component: buses, activation, state.

use std::ffi::c_void;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap_sys::stream::{clap_istream, clap_ostream};
use nice_plug::prelude::AudioIOLayout;
use vst3::Steinberg::Vst::{
    BusDirection, BusDirections_, BusInfo, BusInfo_, BusTypes_, IAudioProcessor, IComponent, IComponentTrait,
    IEditController, IProcessContextRequirements, IUnitInfo, IoMode, MediaType, MediaTypes_, RoutingInfo,
};
use vst3::Steinberg::{
    FUnknown, IBStream, IBStreamTrait, IPluginBaseTrait, TBool, TUID, int32, kInvalidArgument,
    kNotImplemented, kResultFalse, kResultOk, tresult,
};
use vst3::{Class, ComRef};

use super::bridge::Bridge;
use super::text;
use crate::plugin::clap::instance::call;
use crate::plugin::variant::{LAYOUTS, Variant};

/// Largest state that is read, in bytes. Ours have a few thousand.
const MAX_STATE: usize = 1 << 24;

pub(super) const AUDIO: MediaType = MediaTypes_::kAudio as MediaType;
pub(super) const INPUT: BusDirection = BusDirections_::kInput as BusDirection;
pub(super) const OUTPUT: BusDirection = BusDirections_::kOutput as BusDirection;

/// One instance; component, processor and controller in one object.
pub struct Component {
    pub(super) bridge: Arc<Bridge>,
}

impl Class for Component {
    type Interfaces = (IComponent, IAudioProcessor, IEditController, IProcessContextRequirements, IUnitInfo);
}

impl Component {
    /// Creates an instance of `variant`.
    pub fn new(variant: Variant) -> Option<Self> {
        Bridge::new(variant).map(|bridge| Self { bridge })
    }

    /// The layout in use.
    pub(super) fn layout(&self) -> &'static AudioIOLayout {
        &LAYOUTS[self.bridge.layout.load(Ordering::Relaxed)]
    }

    /// Channels of a bus of the layout in use; `None` if there is no such bus.
    pub(super) fn n_channels(&self, direction: BusDirection, index: int32) -> Option<u32> {
        n_channels(self.layout(), direction, usize::try_from(index).ok()?)
    }

    /// Number of buses, which is that of all layouts of a variant.
    pub(super) fn n_buses(&self, direction: BusDirection) -> usize {
        match direction {
            INPUT => 1,
            OUTPUT => self.bridge.variant.n_outputs(),
            _ => 0,
        }
    }

    fn has_bus(&self, media: MediaType, direction: BusDirection, index: int32) -> bool {
        media == AUDIO && self.n_channels(direction, index).is_some()
    }
}

/// Channels of a layout's bus; `None` if it has no such bus.
pub(super) fn n_channels(layout: &AudioIOLayout, direction: BusDirection, index: usize) -> Option<u32> {
    let n_channels = match (direction, index) {
        (INPUT, 0) => layout.main_input_channels,
        (OUTPUT, 0) => layout.main_output_channels,
        (OUTPUT, _) => layout.aux_output_ports.get(index - 1).copied(),
        _ => None,
    };
    n_channels.map(NonZeroU32::get)
}

impl IPluginBaseTrait for Component {
    unsafe fn initialize(&self, _context: *mut FUnknown) -> tresult {
        kResultOk
    }

    unsafe fn terminate(&self) -> tresult {
        self.bridge.deactivate();
        self.bridge.set_handler(None);
        kResultOk
    }
}

impl IComponentTrait for Component {
    unsafe fn getControllerClassId(&self, _class: *mut TUID) -> tresult {
        // This object is the controller.
        kNotImplemented
    }

    unsafe fn setIoMode(&self, _mode: IoMode) -> tresult {
        kResultOk
    }

    unsafe fn getBusCount(&self, media: MediaType, direction: BusDirection) -> int32 {
        if media == AUDIO { self.n_buses(direction) as int32 } else { 0 }
    }

    unsafe fn getBusInfo(
        &self,
        media: MediaType,
        direction: BusDirection,
        index: int32,
        info: *mut BusInfo,
    ) -> tresult {
        // SAFETY: the host passes null or room for the description.
        let (AUDIO, Some(n_channels), Some(info)) =
            (media, self.n_channels(direction, index), unsafe { info.as_mut() })
        else {
            return kInvalidArgument;
        };
        let names = &self.layout().names;
        let name = match (direction, index) {
            (INPUT, _) => "Input",
            (_, 0) => names.main_output.unwrap_or("Output"),
            _ => names.aux_outputs.first().copied().unwrap_or("Output 2"),
        };
        info.mediaType = media;
        info.direction = direction;
        info.channelCount = n_channels as int32;
        text::write_wide(&mut info.name, name);
        info.busType = if index == 0 { BusTypes_::kMain } else { BusTypes_::kAux } as int32;
        info.flags = BusInfo_::BusFlags_::kDefaultActive as u32;
        kResultOk
    }

    unsafe fn getRoutingInfo(&self, input: *mut RoutingInfo, output: *mut RoutingInfo) -> tresult {
        // SAFETY: the host passes null, a question and room for the answer.
        let (Some(input), Some(output)) = (unsafe { input.as_ref() }, unsafe { output.as_mut() }) else {
            return kInvalidArgument;
        };
        if !self.has_bus(input.mediaType, INPUT, input.busIndex) {
            return kResultFalse;
        }
        output.mediaType = AUDIO;
        output.busIndex = 0;
        // One channel goes to both.
        output.channel =
            if self.n_channels(INPUT, 0) == self.n_channels(OUTPUT, 0) { input.channel } else { -1 };
        kResultOk
    }

    unsafe fn activateBus(
        &self,
        media: MediaType,
        direction: BusDirection,
        index: int32,
        _state: TBool,
    ) -> tresult {
        if self.has_bus(media, direction, index) { kResultOk } else { kInvalidArgument }
    }

    unsafe fn setActive(&self, state: TBool) -> tresult {
        if state == 0 {
            self.bridge.deactivate();
            self.bridge.serve();
            return kResultOk;
        }
        if self.bridge.activate() { kResultOk } else { kResultFalse }
    }

    unsafe fn setState(&self, state: *mut IBStream) -> tresult {
        // SAFETY: the host passes null or a stream that lives during the call.
        let Some(bytes) = (unsafe { ComRef::from_raw(state).and_then(|stream| read(stream)) }) else {
            return kResultFalse;
        };
        let instance = self.bridge.instance();
        let mut rest = bytes.as_slice();
        let stream =
            clap_istream { ctx: std::ptr::from_mut(&mut rest).cast::<c_void>(), read: Some(read_bytes) };
        // SAFETY: the instance lives, and the stream during the call.
        let is_loaded = unsafe { call!(instance.state(), load(instance.clap(), &stream)) };
        if !is_loaded {
            return kResultFalse;
        }
        self.bridge.params.iter().for_each(|param| param.forget_edit());
        self.bridge.shared().signal.raise();
        self.bridge.serve();
        kResultOk
    }

    unsafe fn getState(&self, state: *mut IBStream) -> tresult {
        // SAFETY: the host passes null or a stream that lives during the call.
        let Some(to) = (unsafe { ComRef::from_raw(state) }) else { return kInvalidArgument };
        self.bridge.serve();
        self.bridge.take_edits();
        let instance = self.bridge.instance();
        let mut bytes = Vec::<u8>::new();
        let stream =
            clap_ostream { ctx: std::ptr::from_mut(&mut bytes).cast::<c_void>(), write: Some(write_bytes) };
        // SAFETY: the instance lives, and the stream during the call.
        let is_saved = unsafe { call!(instance.state(), save(instance.clap(), &stream)) };
        // SAFETY: as above.
        if is_saved && unsafe { write(to, &bytes) } { kResultOk } else { kResultFalse }
    }
}

/// Reads a host's stream to its end.
///
/// # Safety
/// The stream lives.
unsafe fn read(stream: ComRef<'_, IBStream>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut portion = [0u8; 4096];
    while bytes.len() < MAX_STATE {
        let mut n_read = 0;
        // SAFETY: there is room for what is asked for. Some hosts fail at the end: what counts is how much they read.
        unsafe { stream.read(portion.as_mut_ptr().cast(), portion.len() as int32, &mut n_read) };
        let n_read = usize::try_from(n_read).ok().filter(|&n| n <= portion.len())?;
        if n_read == 0 {
            return Some(bytes);
        }
        bytes.extend_from_slice(&portion[..n_read]);
    }
    None
}

/// Writes all bytes to a host's stream; whether it took them.
///
/// # Safety
/// The stream lives.
unsafe fn write(stream: ComRef<'_, IBStream>, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut n_written = 0;
        // SAFETY: the bytes are there; the host does not write to them.
        let result = unsafe {
            stream.write(rest.as_ptr().cast_mut().cast(), rest.len().min(MAX_STATE) as int32, &mut n_written)
        };
        match usize::try_from(n_written) {
            Ok(n) if result == kResultOk && (1..=rest.len()).contains(&n) => rest = &rest[n..],
            _ => return false,
        }
    }
    true
}

unsafe extern "C" fn read_bytes(stream: *const clap_istream, buffer: *mut c_void, size: u64) -> i64 {
    // SAFETY: the context is the slice that `setState` lends, and there is room for what is asked for.
    unsafe {
        let rest = &mut *(*stream).ctx.cast::<&[u8]>();
        let n = rest.len().min(size as usize);
        std::ptr::copy_nonoverlapping(rest.as_ptr(), buffer.cast::<u8>(), n);
        *rest = &rest[n..];
        n as i64
    }
}

unsafe extern "C" fn write_bytes(stream: *const clap_ostream, buffer: *const c_void, size: u64) -> i64 {
    // SAFETY: the context is the vector that `getState` lends, and the bytes are there.
    unsafe {
        let bytes = &mut *(*stream).ctx.cast::<Vec<u8>>();
        bytes.extend_from_slice(std::slice::from_raw_parts(buffer.cast::<u8>(), size as usize));
    }
    size as i64
}
