//! A small VST3 host, enough to load a built plugin and treat it as a workstation does: parameters, state, latency, any
//! blocks, automation from an audio thread, the window. What VST3 wants on the main thread runs on the caller's.
//!
//! - [`objects`]: what a plugin is given: streams, changes of parameters, a receiver of edits.
//! - [`window`]: the plugin's window, and the run loop that lends it time.

use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use libloading::Library;
use vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, BusDirections_, IAudioProcessor, IAudioProcessorTrait,
    IComponent, IComponentHandler, IComponentTrait, IEditController, IEditControllerTrait, IParameterChanges,
    IUnitInfo, IUnitInfoTrait, MediaTypes_, ParameterInfo, ProcessData, ProcessModes_, ProcessSetup,
    SymbolicSampleSizes_, UnitInfo,
};
use vst3::Steinberg::{
    IBStream, IPluginBaseTrait, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactoryTrait,
    PClassInfo, PClassInfo2, PFactoryInfo, TUID, int32, kResultOk, tresult,
};
use vst3::{ComPtr, ComWrapper, Interface};

pub mod objects;
#[cfg(target_os = "linux")]
pub mod window;

use objects::{Changes, Handler, Stream};

/// A loaded plugin.
pub struct PluginFile {
    factory: Option<ComPtr<IPluginFactory>>,
    class: TUID,
    /// The plugin's name.
    pub name: String,
    /// Its vendor: name, address, e-mail.
    pub vendor: [String; 3],
    /// The version of VST3 that it is made for.
    pub sdk_version: String,
    library: Library,
}

/// The binary of a bundle, or the path itself where it is no folder.
///
/// # Errors
/// The bundle has no name.
pub fn binary(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let (system, extension) = if cfg!(windows) { ("win", "vst3") } else { ("linux", "so") };
    let folder = path.join("Contents").join(format!("{}-{system}", std::env::consts::ARCH));
    let name = path.file_stem().context("a bundle has a name")?;
    Ok(folder.join(name).with_extension(extension))
}

/// A module's function for its start; it has no argument on Windows.
#[cfg(windows)]
const START: &[u8] = b"InitDll\0";
#[cfg(windows)]
const END: &[u8] = b"ExitDll\0";
#[cfg(windows)]
type Start = unsafe extern "system" fn() -> bool;
#[cfg(windows)]
type End = unsafe extern "system" fn() -> bool;
#[cfg(not(windows))]
const START: &[u8] = b"ModuleEntry\0";
#[cfg(not(windows))]
const END: &[u8] = b"ModuleExit\0";
#[cfg(not(windows))]
type Start = unsafe extern "C" fn(*mut std::ffi::c_void) -> bool;
#[cfg(not(windows))]
type End = unsafe extern "C" fn() -> bool;

fn text(characters: &[std::ffi::c_char]) -> String {
    let bytes = characters.iter().take_while(|&&character| character != 0).map(|&character| character as u8);
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

fn wide(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

fn ok(result: tresult, what: &str) -> Result<()> {
    ensure!(result == kResultOk, "{what}: the plugin answers {result}");
    Ok(())
}

impl PluginFile {
    /// Loads a bundle, or a library; its first class is used.
    ///
    /// # Errors
    /// It cannot be loaded or holds no plugin.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_nth(path, 0)
    }

    /// Loads a bundle, or a library; the class of this index is used.
    ///
    /// # Errors
    /// It cannot be loaded or holds no such class.
    pub fn load_nth(path: &Path, index: int32) -> Result<Self> {
        let binary = binary(path)?;
        // SAFETY: running the file's code is what is asked for; it is one that this workspace has built, and its functions
        // are those of VST3.
        unsafe {
            let library = Library::new(&binary).with_context(|| binary.display().to_string())?;
            let start = library.get::<Start>(START)?;
            #[cfg(windows)]
            let started = start();
            #[cfg(not(windows))]
            let started = start(ptr::null_mut());
            ensure!(started, "the module does not start");
            let get =
                library.get::<unsafe extern "system" fn() -> *mut IPluginFactory>(b"GetPluginFactory\0")?;
            let factory = ComPtr::from_raw(get()).context("there is no factory")?;
            ensure!(factory.countClasses() > index, "the factory has no such class");
            let mut made_by: PFactoryInfo = std::mem::zeroed();
            ok(factory.getFactoryInfo(&mut made_by), "the factory")?;
            let mut class: PClassInfo = std::mem::zeroed();
            ok(factory.getClassInfo(index, &mut class), "the class")?;
            let mut more: PClassInfo2 = std::mem::zeroed();
            if let Some(factory) = factory.cast::<IPluginFactory2>() {
                ok(factory.getClassInfo2(index, &mut more), "the class")?;
            }
            Ok(Self {
                class: class.cid,
                name: text(&class.name),
                vendor: [text(&made_by.vendor), text(&made_by.url), text(&made_by.email)],
                sdk_version: text(&more.sdkVersion),
                factory: Some(factory),
                library,
            })
        }
    }

    /// The class's identifier.
    pub fn class(&self) -> [u8; 16] {
        self.class.map(|byte| byte as u8)
    }

    /// Creates an instance, initialised, without a receiver of edits.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn create(&self) -> Result<Plugin> {
        let factory = self.factory.as_ref().context("unloaded")?;
        let mut object = ptr::null_mut();
        // SAFETY: the identifiers are of the right length, and what comes back is of the interface that was asked for.
        let component = unsafe {
            let result =
                factory.createInstance(self.class.as_ptr(), IComponent::IID.as_ptr().cast(), &mut object);
            ok(result, "creating")?;
            ComPtr::from_raw(object.cast::<IComponent>()).context("no instance")?
        };
        let processor = component.cast().context("it processes no audio")?;
        let controller = component.cast().context("it has no controller")?;
        // SAFETY: the object lives.
        ok(unsafe { component.initialize(ptr::null_mut()) }, "initialising")?;
        // SAFETY: the object lives.
        let n_outputs =
            unsafe { component.getBusCount(MediaTypes_::kAudio as int32, BusDirections_::kOutput as int32) };
        Ok(Plugin {
            component,
            processor,
            controller,
            handler: None,
            n_channels: [2, 2],
            n_outputs: n_outputs as usize,
        })
    }
}

impl Drop for PluginFile {
    fn drop(&mut self) {
        self.factory = None;
        // SAFETY: the function is VST3's.
        unsafe {
            if let Ok(end) = self.library.get::<End>(END) {
                end();
            }
        }
    }
}

/// A parameter as the plugin describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The plugin's identifier.
    pub id: u32,
    /// The name for people.
    pub name: String,
    /// The group that it is in; empty if the plugin describes none of that number.
    pub unit: String,
    /// Steps between values; zero where it has none.
    pub n_steps: i32,
    /// The value of a fresh instance, normalised.
    pub default: f64,
}

/// An instance of a plugin.
pub struct Plugin {
    component: ComPtr<IComponent>,
    processor: ComPtr<IAudioProcessor>,
    controller: ComPtr<IEditController>,
    handler: Option<ComWrapper<Handler>>,
    n_channels: [usize; 2],
    n_outputs: usize,
}

/// The audio thread's part of an instance.
pub struct AudioThread {
    processor: ComPtr<IAudioProcessor>,
    n_channels: [usize; 2],
}

/// One output's channels.
type Channels = Vec<Vec<f32>>;

// SAFETY: VST3 hosts call the processor on a thread of its own.
unsafe impl Send for AudioThread {}

/// A parameter's value at a sample of a block.
pub type Point = (i32, u32, f64);

impl AudioThread {
    /// Processes a block, one vector per channel of the input. Returns the output and the host's flags of its silence.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn process(&self, input: &[Vec<f32>], points: &[Point]) -> Result<(Channels, u64)> {
        let ([output], silence) = self.process_outputs(input, points)?;
        Ok((output, silence[0]))
    }

    /// As [`Self::process`], with `N` outputs of equally many channels.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn process_outputs<const N: usize>(
        &self,
        input: &[Vec<f32>],
        points: &[Point],
    ) -> Result<([Channels; N], [u64; N])> {
        let n_samples = input.first().map_or(0, Vec::len);
        let mut input = input.to_vec();
        let mut outputs = [(); N].map(|()| vec![vec![f32::NAN; n_samples]; self.n_channels[1]]);
        let pointers =
            |bus: &mut Channels| bus.iter_mut().map(|channel| channel.as_mut_ptr()).collect::<Vec<_>>();
        let bus = |pointers: &mut Vec<*mut f32>| AudioBusBuffers {
            numChannels: pointers.len() as int32,
            silenceFlags: 0,
            __field0: AudioBusBuffers__type0 { channelBuffers32: pointers.as_mut_ptr() },
        };
        let (mut in_pointers, mut out_pointers) = (pointers(&mut input), outputs.each_mut().map(pointers));
        let (mut in_bus, mut out_buses) = (bus(&mut in_pointers), out_pointers.each_mut().map(bus));
        let changes = ComWrapper::new(Changes::new(points));
        let changes = changes.to_com_ptr::<IParameterChanges>().context("changes")?;
        let mut data = ProcessData {
            processMode: ProcessModes_::kRealtime as int32,
            symbolicSampleSize: SymbolicSampleSizes_::kSample32 as int32,
            numSamples: n_samples as int32,
            numInputs: 1,
            numOutputs: N as int32,
            inputs: &mut in_bus,
            outputs: out_buses.as_mut_ptr(),
            inputParameterChanges: changes.as_ptr(),
            outputParameterChanges: ptr::null_mut(),
            inputEvents: ptr::null_mut(),
            outputEvents: ptr::null_mut(),
            processContext: ptr::null_mut(),
        };
        // SAFETY: every pointer is of something that lives until the call returns.
        ok(unsafe { self.processor.process(&mut data) }, "processing")?;
        Ok((outputs, out_buses.map(|bus| bus.silenceFlags)))
    }

    /// Says whether audio is called for.
    pub fn set_processing(&self, is_processing: bool) {
        // SAFETY: the object lives.
        unsafe { self.processor.setProcessing(is_processing.into()) };
    }
}

impl Plugin {
    /// The audio thread's part.
    pub fn audio(&self) -> AudioThread {
        AudioThread { processor: self.processor.clone(), n_channels: self.n_channels }
    }

    /// Gives the plugin a receiver of edits and requests.
    pub fn set_handler(&mut self) -> Arc<objects::Log> {
        let handler = ComWrapper::new(Handler::default());
        let log = handler.log.clone();
        let pointer = handler.to_com_ptr::<IComponentHandler>();
        // SAFETY: the handler lives as long as this instance.
        unsafe { self.controller.setComponentHandler(pointer.map_or(ptr::null_mut(), |p| p.as_ptr())) };
        self.handler = Some(handler);
        log
    }

    /// Takes the receiver away.
    pub fn remove_handler(&mut self) {
        // SAFETY: the object lives.
        unsafe { self.controller.setComponentHandler(ptr::null_mut()) };
        self.handler = None;
    }

    /// Asks for a number of channels of input and output. Whether the plugin has that.
    pub fn set_channels(&mut self, n_channels: [usize; 2]) -> bool {
        let [mut input, output] = n_channels.map(|n| if n == 1 { 1u64 << 19 } else { (1 << n) - 1 });
        let mut outputs = vec![output; self.n_outputs];
        // SAFETY: there are as many as said.
        let result = unsafe {
            self.processor.setBusArrangements(&mut input, 1, outputs.as_mut_ptr(), outputs.len() as int32)
        };
        if result == kResultOk {
            self.n_channels = n_channels;
        }
        result == kResultOk
    }

    /// Activates, and starts to call for audio. What was active is stopped before.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn activate(&mut self, rate_hz: f64, max_block: usize) -> Result<()> {
        self.deactivate();
        self.set_up(rate_hz, max_block)?;
        // SAFETY: the object lives.
        unsafe {
            for direction in 0..2 {
                let audio = MediaTypes_::kAudio as int32;
                ok(self.component.activateBus(audio, direction, 0, 1), "activating a bus")?;
            }
            ok(self.component.setActive(1), "activating")?;
            self.processor.setProcessing(1);
        }
        Ok(())
    }

    /// Says what audio is to be expected. Not while active.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn set_up(&mut self, rate_hz: f64, max_block: usize) -> Result<()> {
        let mut setup = ProcessSetup {
            processMode: ProcessModes_::kOffline as int32,
            symbolicSampleSize: SymbolicSampleSizes_::kSample32 as int32,
            maxSamplesPerBlock: max_block as int32,
            sampleRate: rate_hz,
        };
        // SAFETY: the object lives, and so does what it is given.
        ok(unsafe { self.processor.setupProcessing(&mut setup) }, "setting up")
    }

    /// Stops and deactivates.
    pub fn deactivate(&self) {
        // SAFETY: the object lives.
        unsafe {
            self.processor.setProcessing(0);
            self.component.setActive(0);
        }
    }

    /// Renders whole channels in blocks of the given sizes, in turn.
    ///
    /// # Errors
    /// As [`AudioThread::process`].
    pub fn render(&self, input: &[Vec<f32>], blocks: &[usize]) -> Result<Vec<Vec<f32>>> {
        let (audio, n_samples) = (self.audio(), input.first().map_or(0, Vec::len));
        let (mut output, mut at) = (vec![Vec::new(); self.n_channels[1]], 0);
        for &size in blocks.iter().cycle() {
            if at >= n_samples {
                break;
            }
            let end = (at + size).min(n_samples);
            let block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..end].to_vec()).collect();
            let (made, _) = audio.process(&block, &[])?;
            output.iter_mut().zip(made).for_each(|(output, made)| output.extend(made));
            at = end;
        }
        Ok(output)
    }

    /// The latency that the plugin reports, in samples.
    pub fn latency(&self) -> usize {
        // SAFETY: the object lives.
        unsafe { self.processor.getLatencySamples() as usize }
    }

    /// The parameters.
    ///
    /// # Errors
    /// The plugin does not describe one.
    pub fn params(&self) -> Result<Vec<Param>> {
        let units = self.units()?;
        // SAFETY: the object lives, and there is room for the descriptions.
        unsafe {
            let describe = |index| {
                let mut info: ParameterInfo = std::mem::zeroed();
                ok(self.controller.getParameterInfo(index, &mut info), "a parameter")?;
                let unit = units.iter().find(|(id, _)| *id == info.unitId);
                Ok(Param {
                    id: info.id,
                    name: wide(&info.title),
                    unit: unit.map(|(_, name)| name.clone()).unwrap_or_default(),
                    n_steps: info.stepCount,
                    default: info.defaultNormalizedValue,
                })
            };
            (0..self.controller.getParameterCount()).map(describe).collect()
        }
    }

    fn units(&self) -> Result<Vec<(i32, String)>> {
        let units = self.controller.cast::<IUnitInfo>().context("it has no units")?;
        // SAFETY: the object lives, and there is room for the descriptions.
        unsafe {
            let describe = |index| {
                let mut info: UnitInfo = std::mem::zeroed();
                ok(units.getUnitInfo(index, &mut info), "a unit")?;
                Ok((info.id, wide(&info.name)))
            };
            (0..units.getUnitCount()).map(describe).collect()
        }
    }

    /// The identifier of the parameter of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn id(&self, name: &str) -> Result<u32> {
        match self.params()?.into_iter().find(|param| param.name == name) {
            Some(param) => Ok(param.id),
            None => bail!("no parameter `{name}`"),
        }
    }

    /// A parameter's value, normalised, as the controller sees it.
    ///
    /// # Errors
    /// There is no such parameter.
    pub fn value(&self, name: &str) -> Result<f64> {
        // SAFETY: the object lives.
        Ok(unsafe { self.controller.getParamNormalized(self.id(name)?) })
    }

    /// Sets a parameter outside audio, as a host's own knob does. A host hands it to the audio thread as well.
    ///
    /// # Errors
    /// There is no such parameter.
    pub fn set(&self, name: &str, value: f64) -> Result<()> {
        // SAFETY: the object lives.
        ok(unsafe { self.controller.setParamNormalized(self.id(name)?, value) }, name)
    }

    /// The state.
    ///
    /// # Errors
    /// The plugin has none.
    pub fn save(&self) -> Result<Vec<u8>> {
        let stream = ComWrapper::new(Stream::default());
        let pointer = stream.to_com_ptr::<IBStream>().context("a stream")?;
        // SAFETY: the stream lives until the call returns.
        ok(unsafe { self.component.getState(pointer.as_ptr()) }, "saving")?;
        Ok(stream.bytes())
    }

    /// Loads a state, into component and controller as hosts do.
    ///
    /// # Errors
    /// The plugin refuses.
    pub fn load(&self, state: &[u8]) -> Result<()> {
        let stream = |bytes: &[u8]| ComWrapper::new(Stream::new(bytes)).to_com_ptr::<IBStream>();
        let [first, second] = [stream(state).context("a stream")?, stream(state).context("a stream")?];
        // SAFETY: the streams live until the calls return.
        unsafe {
            ok(self.component.setState(first.as_ptr()), "loading")?;
            ok(self.controller.setComponentState(second.as_ptr()), "loading")
        }
    }

    /// Asks for the plugin's window.
    ///
    /// # Errors
    /// It has none.
    #[cfg(target_os = "linux")]
    pub fn window(&self) -> Result<window::Window> {
        window::Window::new(&self.controller)
    }

    /// Ends the instance as VST3 wants it. Windows and audio threads may still hold it.
    pub fn terminate(&self) {
        // SAFETY: the object lives.
        unsafe { self.component.terminate() };
    }
}
