//! The two streams, and the way between them.
//!
//! Both belong to one group, so that one device drives both, and to one link group, so that no session manager links them
//! to each other. The server runs the first when samples have come; it triggers the second, and that moves the block
//! through in the same cycle: the only delay is the denoiser's.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use anyhow::{Result, ensure};
use parking_lot::Mutex;
use rtrb::{Consumer, Producer, RingBuffer};
use tacet_realtime::model::SAMPLE_RATE_HZ;

use super::chain::{Chain, MAX_BLOCK, N_ON_THE_WAY};
use super::format;
use super::library::{ANY, Context, Core, Events, Hook, Library, Loop, Stream, direction, flag, state};
use crate::Direction;
use crate::settings::Settings;
use crate::sound::Sound;

/// Keeps the [`Sound`] while no streams have it: it outlives them.
pub type Home = Arc<Mutex<Option<Box<dyn Sound>>>>;

/// Events of running streams.
#[derive(Debug)]
pub enum Event {
    /// A stream's new state.
    State {
        /// Whether it is the one that samples come from.
        is_input: bool,
        /// One of [`state`].
        state: i32,
        /// Why, where the server says it.
        reason: Option<String>,
    },
    /// Another slack or network is asked for.
    Setup,
    /// Denoise with this from now on; it has as many channels as its predecessor.
    Sound(Box<dyn Sound>),
    /// A stop was requested.
    Stop,
}

/// Options of the streams.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The direction of the sound.
    pub direction: Direction,
    /// The node on the other side, by name or serial number; else the default, whichever that is.
    pub target: Option<&'a str>,
    /// The block that the server is asked for, in samples.
    pub block_samples: u32,
}

/// Data of a stream's callbacks.
struct CallbackData {
    is_input: bool,
    events: Sender<Event>,
    chain: *mut Chain,
    hook: Hook,
}

/// The open streams. Dropping them closes them and gives nothing to anybody any more.
pub struct Streams<'a> {
    library: &'a Library,
    looped: NonNull<Loop>,
    context: *mut Context,
    core: *mut Core,
    streams: [*mut Stream; 2],
    /// Boxes whose addresses the library holds; written by its threads while the streams are there.
    listeners: [*mut CallbackData; 2],
    chain: *mut Chain,
    /// The other ends of the chain's.
    coming: Producer<Box<dyn Sound>>,
    leaving: Consumer<Box<dyn Sound>>,
    home: Home,
}

/// The callbacks of the first stream and the second.
static INPUT_EVENTS: Events = events(input_process);
static OUTPUT_EVENTS: Events = events(output_process);

const fn events(process: unsafe extern "C" fn(*mut c_void)) -> Events {
    Events {
        version: 0,
        destroy: None,
        state_changed: Some(state_changed),
        others: [None; 5],
        process: Some(process),
        drained: None,
    }
}

impl<'a> Streams<'a> {
    /// Connects to the user's server and opens both streams around what `home` holds, which comes back there in the end.
    ///
    /// # Errors
    /// There is no server, or it refuses.
    pub fn open(
        library: &'a Library,
        request: &Request<'_>,
        home: &Home,
        settings: Arc<Settings>,
        events: &Sender<Event>,
    ) -> Result<Self> {
        let sound = home.lock().take();
        let Some(mut sound) = sound else { anyhow::bail!("there is nothing that denoises") };
        sound.reset();
        let n_channels = sound.n_channels();
        let (coming, to_come) = RingBuffer::new(N_ON_THE_WAY);
        let (to_leave, leaving) = RingBuffer::new(N_ON_THE_WAY);
        // SAFETY: the functions are called as their documentation asks: the loop is made first and freed last, what is made
        // with its thread running is made under its lock, and every pointer is checked before it is used. `Self` is built
        // before anything can fail that must be undone.
        unsafe {
            let looped = NonNull::new((library.pw_thread_loop_new)(c"tacet mic".as_ptr(), ptr::null()));
            let Some(looped) = looped else {
                *home.lock() = Some(sound);
                anyhow::bail!("PipeWire's library gave no thread")
            };
            let chain = Box::into_raw(Box::new(Chain {
                sound,
                coming: to_come,
                leaving: to_leave,
                settings,
                trigger: library.pw_stream_trigger_process,
                dequeue: library.pw_stream_dequeue_buffer,
                queue: library.pw_stream_queue_buffer,
                input: ptr::null_mut(),
                output: ptr::null_mut(),
                samples: vec![vec![0.0; MAX_BLOCK]; n_channels],
            }));
            let listener = |is_input| {
                Box::into_raw(Box::new(CallbackData {
                    is_input,
                    events: events.clone(),
                    chain,
                    hook: Hook::default(),
                }))
            };
            let mut made = Self {
                library,
                looped,
                context: ptr::null_mut(),
                core: ptr::null_mut(),
                streams: [ptr::null_mut(); 2],
                listeners: [listener(true), listener(false)],
                chain,
                coming,
                leaving,
                home: home.clone(),
            };
            let plain = (library.pw_thread_loop_get_loop)(looped.as_ptr());
            // With the configuration whose clients process at real-time priority, where there is one.
            let realtime = (library.pw_properties_new_string)(c"config.name = client-rt.conf".as_ptr());
            made.context = (library.pw_context_new)(plain, realtime, 0);
            if made.context.is_null() {
                made.context = (library.pw_context_new)(plain, ptr::null_mut(), 0);
            }
            ensure!(
                !made.context.is_null(),
                "PipeWire's library gave no context: is its configuration installed?"
            );
            ensure!((library.pw_thread_loop_start)(looped.as_ptr()) == 0, "PipeWire's thread did not start");
            (library.pw_thread_loop_lock)(looped.as_ptr());
            let connected = made.connect(request, n_channels);
            (library.pw_thread_loop_unlock)(looped.as_ptr());
            connected?;
            Ok(made)
        }
    }

    /// Has something else, of as many channels, go on in the place of what denoises. Drops what was replaced before.
    ///
    /// # Errors
    /// Too much is on its way, because nobody listens; it comes back.
    pub fn replace(&mut self, sound: Box<dyn Sound>) -> Result<(), Box<dyn Sound>> {
        while let Ok(left) = self.leaving.pop() {
            drop(left);
        }
        self.coming.push(sound).map_err(|rtrb::PushError::Full(sound)| sound)
    }

    /// # Safety
    /// Under the loop's lock.
    unsafe fn connect(&mut self, request: &Request<'_>, n_channels: usize) -> Result<()> {
        let library = self.library;
        // SAFETY: the context is there, and the chain and the listeners live until the streams are destroyed; nothing runs on
        // the chain before `pw_stream_connect`.
        unsafe {
            self.core = (library.pw_context_connect)(self.context, ptr::null_mut(), 0);
            ensure!(!self.core.is_null(), "no sound server answers: is PipeWire running?");
            for (index, events) in [&INPUT_EVENTS, &OUTPUT_EVENTS].into_iter().enumerate() {
                let properties = (library.pw_properties_new_string)(c"".as_ptr());
                for (key, value) in properties_of(request, index == 0) {
                    let (key, value) = (CString::new(key)?, CString::new(value)?);
                    (library.pw_properties_set)(properties, key.as_ptr(), value.as_ptr());
                }
                let title = CString::new(request.direction.title())?;
                let stream = (library.pw_stream_new)(self.core, title.as_ptr(), properties);
                ensure!(!stream.is_null(), "PipeWire gave no stream");
                self.streams[index] = stream;
                let listener = self.listeners[index];
                (library.pw_stream_add_listener)(stream, &raw mut (*listener).hook, events, listener.cast());
            }
            let [input, output] = self.streams;
            ((*self.chain).input, (*self.chain).output) = (input, output);
            let offer = format::offer(n_channels, SAMPLE_RATE_HZ);
            let flags = flag::AUTOCONNECT | flag::MAP_BUFFERS | flag::RT_PROCESS;
            // The second first: when the first one runs, it can be triggered.
            for (stream, way, flags) in
                [(output, direction::OUTPUT, flags | flag::TRIGGER), (input, direction::INPUT, flags)]
            {
                let mut offers = [offer.as_ptr().cast::<c_void>()];
                let result = (library.pw_stream_connect)(stream, way, ANY, flags, offers.as_mut_ptr(), 1);
                ensure!(result >= 0, "PipeWire refused a stream (error {result})");
            }
        }
        Ok(())
    }
}

/// A stream's properties, for the server and the session manager.
fn properties_of(request: &Request<'_>, is_input: bool) -> Vec<(&'static str, String)> {
    let Request { direction, target, block_samples } = request;
    let name = direction.name();
    // The node that others see; its twin only takes from, or plays to, the device.
    let is_offered = is_input == (*direction == Direction::Speakers);
    let title = direction.title();
    let mut properties = vec![
        ("node.group", format!("{name}-{}", std::process::id())),
        ("node.link-group", format!("{name}-{}", std::process::id())),
        ("node.latency", format!("{block_samples}/{SAMPLE_RATE_HZ}")),
        ("node.virtual", "true".to_owned()),
        ("application.name", "Tacet".to_owned()),
        ("media.role", "DSP".to_owned()),
    ];
    if is_offered {
        let class = if is_input { "Audio/Sink" } else { "Audio/Source" };
        properties.extend([
            ("media.class", class.to_owned()),
            ("node.name", name.to_owned()),
            ("node.description", title.to_owned()),
        ]);
    } else {
        let class = if is_input { "Stream/Input/Audio" } else { "Stream/Output/Audio" };
        properties.extend([
            ("media.class", class.to_owned()),
            ("node.name", format!("{name}.device")),
            ("node.description", format!("{title}'s device")),
            // The device sleeps while nobody listens.
            ("node.passive", "true".to_owned()),
        ]);
        if let Some(target) = target {
            // The second is for session managers before 0.4.9.
            properties
                .extend([("target.object", (*target).to_owned()), ("node.target", (*target).to_owned())]);
        }
    }
    properties
}

impl Drop for Streams<'_> {
    fn drop(&mut self) {
        let library = self.library;
        // SAFETY: in the order that the documentation asks for. When the thread has been stopped and the streams are gone, nobody
        // holds the chain or the listeners, which were made by `Box::into_raw`.
        unsafe {
            (library.pw_thread_loop_lock)(self.looped.as_ptr());
            for stream in self.streams {
                if !stream.is_null() {
                    (library.pw_stream_destroy)(stream);
                }
            }
            if !self.core.is_null() {
                (library.pw_core_disconnect)(self.core);
            }
            (library.pw_thread_loop_unlock)(self.looped.as_ptr());
            (library.pw_thread_loop_stop)(self.looped.as_ptr());
            if !self.context.is_null() {
                (library.pw_context_destroy)(self.context);
            }
            (library.pw_thread_loop_destroy)(self.looped.as_ptr());
            for listener in self.listeners {
                drop(Box::from_raw(listener));
            }
            let mut chain = Box::from_raw(self.chain);
            // The newest request wins.
            while let Ok(sound) = chain.coming.pop() {
                chain.sound = sound;
            }
            *self.home.lock() = Some(chain.sound);
        }
    }
}

/// # Safety
/// `data` is a listener that lives as long as its stream.
unsafe extern "C" fn state_changed(data: *mut c_void, _old: c_int, new: c_int, reason: *const c_char) {
    // SAFETY: the caller's; the reason is a text or null. Nothing here panics.
    unsafe {
        let listener = data.cast::<CallbackData>();
        let reason = (!reason.is_null()).then(|| CStr::from_ptr(reason).to_string_lossy().into_owned());
        let event = Event::State { is_input: (*listener).is_input, state: new, reason };
        // Nobody listens any more where the streams are being closed.
        let _ = (*listener).events.send(event);
    }
}

/// Samples have come: runs the second stream.
///
/// # Safety
/// As [`state_changed`].
unsafe extern "C" fn input_process(data: *mut c_void) {
    // SAFETY: the caller's; the streams are there while one of them runs.
    unsafe {
        let chain = (*data.cast::<CallbackData>()).chain;
        ((*chain).trigger)((*chain).output);
    }
}

/// Samples are wanted: moves a block through. Real-time safe.
///
/// # Safety
/// As [`state_changed`]; the server runs both streams on one thread, so that the chain is nobody else's meanwhile.
unsafe extern "C" fn output_process(data: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { (*(*data.cast::<CallbackData>()).chain).process() };
}

/// The meaning of a state for the user.
pub fn describe(state: i32) -> &'static str {
    match state {
        state::STREAMING => "live",
        state::PAUSED => "waiting: nobody listens, or there is no device",
        state::UNCONNECTED => "not connected",
        state::ERROR => "failed",
        _ => "connecting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offered_side_has_the_name_and_the_other_one_the_target() {
        let find = |properties: &[(&str, String)], key: &str| {
            properties.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())
        };
        for (direction, class, other) in [
            (Direction::Microphone, "Audio/Source", "Stream/Input/Audio"),
            (Direction::Speakers, "Audio/Sink", "Stream/Output/Audio"),
        ] {
            let request = Request { direction, target: Some("42"), block_samples: 256 };
            let offered = properties_of(&request, direction == Direction::Speakers);
            let device = properties_of(&request, direction == Direction::Microphone);
            assert_eq!(find(&offered, "media.class").as_deref(), Some(class));
            assert_eq!(find(&offered, "node.description").as_deref(), Some(direction.title()));
            assert_eq!(find(&offered, "target.object"), None);
            assert_eq!(find(&device, "media.class").as_deref(), Some(other));
            assert_eq!(find(&device, "target.object").as_deref(), Some("42"));
            // Never linked to each other.
            assert_eq!(find(&offered, "node.link-group"), find(&device, "node.link-group"));
        }
    }
}
