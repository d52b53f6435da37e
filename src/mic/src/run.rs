//! The running microphone: opens the streams, watches them, and reconnects after the sound server was away.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;
use parking_lot::Mutex;
use tacet_realtime::device::Device;
use tacet_realtime::faults::{LOOK, Watch};
use tacet_realtime::inference::device_state::DeviceState;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::live::{self, Live};
use tacet_realtime::meters::Meters;
use tacet_realtime::model::{ModelKind, SAMPLE_RATE_HZ};

use crate::Direction;
use crate::commands::{Status, answer};
use crate::control::{self, Socket};
use crate::memory::Remembered;
use crate::pipewire::library::{Library, state};
use crate::pipewire::streams::{Event, Home, Request, Streams};
use crate::settings::Settings;
use crate::sound::Sound;

/// Default block that the server is asked for, in samples.
const BLOCK_SAMPLES: u32 = 256;
/// Pause between two tries to reach the server.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Options of the microphone, besides its parameters.
#[derive(Clone, Debug)]
pub struct Options {
    /// The direction of the sound.
    pub direction: Direction,
    /// The node to take from, or to play to, by name or serial number; else the default, whichever that is.
    pub target: Option<String>,
    /// Channels, 1 or 2.
    pub n_channels: usize,
    /// Block that the server is asked for, in samples.
    pub block_samples: u32,
    /// The device of the network.
    pub device: Device,
    /// The window's own settings.
    pub window: serde_json::Value,
}

impl Options {
    /// The options as they were remembered, with what is usual where nothing was.
    pub fn from_remembered(direction: Direction, remembered: &Remembered) -> Self {
        let usual = match direction {
            Direction::Microphone => 1,
            Direction::Speakers => 2,
        };
        Self {
            direction,
            target: remembered.target.clone(),
            n_channels: usize::from(remembered.n_channels.unwrap_or(usual).clamp(1, 2)),
            block_samples: remembered.block_samples.unwrap_or(BLOCK_SAMPLES).clamp(32, 8192),
            device: remembered.device().unwrap_or_default(),
            window: remembered.window.clone(),
        }
    }

    /// The options and parameters as they are remembered.
    pub fn remembered(&self, settings: &Settings) -> Remembered {
        Remembered {
            values: settings.to_values(),
            target: self.target.clone(),
            n_channels: u8::try_from(self.n_channels).ok(),
            block_samples: Some(self.block_samples),
            device: Some(self.device.id()),
            window: self.window.clone(),
        }
    }
}

/// Reaches a running microphone from any thread.
#[derive(Clone, Debug)]
pub struct Handle(Sender<Event>);

impl Handle {
    /// Stops it soon.
    pub fn stop(&self) {
        // It may have ended by itself.
        let _ = self.0.send(Event::Stop);
    }

    /// Denoises with this from now on.
    pub fn play(&self, sound: Box<dyn Sound>) {
        let _ = self.0.send(Event::Sound(sound));
    }
}

/// Receives the messages of a running microphone.
pub trait Listener {
    /// It begins; the handle reaches it.
    fn started(&mut self, handle: Handle);

    /// A line for every change.
    fn say(&mut self, text: &str);

    /// A fault begins, described with its remedy; `None` when it is over.
    fn problem(&mut self, _problem: Option<&str>) {}
}

/// Runs until it is stopped, denoises by itself, and remembers the options and every change of the settings.
///
/// # Errors
/// PipeWire's library is missing, another one runs, or a stream cannot be processed. A missing server is waited for.
pub fn run(options: &Options, settings: Arc<Settings>, listener: &mut dyn Listener) -> Result<()> {
    let remember = {
        let options = options.clone();
        move |settings: &Settings| {
            // A full disk is no reason to end: the next run begins with what was written last.
            let _ = options.remembered(settings).write(options.direction);
        }
    };
    serve(options, settings, listener, true, remember)
}

/// Runs until it is stopped, with what [`Handle::play`] brings; remembering is the caller's.
///
/// # Errors
/// As [`run`].
pub fn run_with(options: &Options, settings: Arc<Settings>, listener: &mut dyn Listener) -> Result<()> {
    serve(options, settings, listener, false, |_: &Settings| {})
}

fn serve(
    options: &Options,
    settings: Arc<Settings>,
    listener: &mut dyn Listener,
    is_own: bool,
    remember: impl Fn(&Settings) + Clone + Send + Sync + 'static,
) -> Result<()> {
    let library = Library::open()?;
    let (sender, events) = channel();
    let status = Arc::new(Mutex::new(Status::default()));
    let _socket = Socket::listen(&control::path(options.direction)?, {
        let (status, settings, remember) = (status.clone(), settings.clone(), remember.clone());
        let sender = Mutex::new(sender.clone());
        move |command| {
            let before = settings.to_values();
            let answer = answer(command, &status.lock(), &settings, |event| {
                let _ = sender.lock().send(event);
            });
            if settings.to_values() != before {
                remember(&settings);
            }
            answer
        }
    })?;
    // Only the one that runs remembers.
    remember(&settings);
    listener.started(Handle(sender.clone()));
    let mut service = RunLoop {
        options,
        settings,
        status,
        events,
        sender,
        listener,
        said: String::new(),
        home: Home::default(),
        is_own,
        setup: Default::default(),
    };
    let mut is_first = true;
    while !service.session(&library, is_first)? {
        is_first = false;
    }
    service.notify("stopped");
    Ok(())
}

/// A latency in milliseconds.
fn latency_ms(sound: &dyn Sound) -> f64 {
    let latency = sound.latency();
    latency.total_samples as f64 * 1e3 / latency.rate_hz
}

struct RunLoop<'a> {
    options: &'a Options,
    settings: Arc<Settings>,
    status: Arc<Mutex<Status>>,
    events: Receiver<Event>,
    sender: Sender<Event>,
    listener: &'a mut dyn Listener,
    /// The last message; it is not repeated.
    said: String,
    /// The [`Sound`], while no streams have it.
    home: Home,
    /// Whether it is opened here; otherwise somebody brings it.
    is_own: bool,
    /// The slack and the network of what is opened here.
    setup: (LatencyMode, ModelKind),
}

impl RunLoop<'_> {
    fn notify(&mut self, text: &str) {
        if self.said != text {
            self.said = text.to_owned();
            self.listener.say(text);
        }
    }

    /// Shows a problem in the status and in the window, and prints it.
    fn trouble(&mut self, problem: &str) {
        self.status.lock().problem = Some(problem.to_owned());
        self.listener.problem(Some(problem));
        self.notify(problem);
    }

    /// Opens a stream of the slack and the network that are asked for.
    fn open(&mut self) -> Result<Box<dyn Sound>> {
        self.setup = self.settings.mode_and_model();
        let (mode, model) = self.setup;
        let live = Live::open(&live::Options {
            rate_hz: f64::from(SAMPLE_RATE_HZ),
            n_channels: self.options.n_channels,
            model,
            mode,
            device: self.options.device,
        })?;
        if let DeviceState::FellBack { reason, .. } = live.state() {
            self.notify(&reason);
        }
        Ok(Box::new(live))
    }

    /// Makes sure that there is a [`Sound`]; true if a stop was requested first.
    fn provide(&mut self) -> Result<bool> {
        if self.is_own && (self.home.lock().is_none() || self.setup != self.settings.mode_and_model()) {
            let sound = self.open()?;
            *self.home.lock() = Some(sound);
        }
        while self.home.lock().is_none() {
            match self.events.recv() {
                Ok(Event::Sound(sound)) => *self.home.lock() = Some(sound),
                Ok(Event::Stop) | Err(_) => return Ok(true),
                Ok(_) => {}
            }
        }
        Ok(false)
    }

    /// Announces the running streams and their latency.
    fn present(&mut self, latency_ms: f64, meters: Arc<Meters>) {
        let mut status = self.status.lock();
        (status.latency_ms, status.meters) = (latency_ms, meters);
        drop(status);
        let title = self.options.direction.title();
        self.notify(&format!("{title} is there: {latency_ms:.0} ms of latency"));
    }

    /// One connection to the server, until it goes away; true if a stop was requested.
    fn session(&mut self, library: &Library, is_first: bool) -> Result<bool> {
        if self.provide()? {
            return Ok(true);
        }
        let Some((latency_ms, meters)) =
            self.home.lock().as_deref().map(|sound| (latency_ms(sound), sound.meters()))
        else {
            return Ok(true);
        };
        let Options { direction, target, block_samples, .. } = self.options;
        let request =
            Request { direction: *direction, target: target.as_deref(), block_samples: *block_samples };
        let opened = Streams::open(library, &request, &self.home, self.settings.clone(), &self.sender);
        let mut streams = match opened {
            Ok(streams) => streams,
            Err(error) => {
                self.trouble(&format!("{error:#}; waiting for it"));
                return Ok(self.wait_to_reconnect());
            }
        };
        {
            let mut status = self.status.lock();
            status.states = Some([state::PAUSED; 2]);
            status.problem = None;
            status.n_reconnects += usize::from(!is_first);
        }
        self.listener.problem(None);
        self.present(latency_ms, meters);
        let (is_over, left) = self.watch(&mut streams)?;
        self.status.lock().states = None;
        drop(streams);
        if let Some(sound) = left {
            *self.home.lock() = Some(sound);
        }
        if is_over {
            return Ok(true);
        }
        self.trouble("the sound server went away; waiting for it");
        Ok(self.wait_to_reconnect())
    }

    /// Follows the streams' states until the server is gone; whether somebody wants an end, and what could not be handed to the
    /// streams any more.
    fn watch(&mut self, streams: &mut Streams<'_>) -> Result<(bool, Option<Box<dyn Sound>>)> {
        let counts = self.status.lock().counts(&self.settings);
        let mut watch = Watch::new(counts);
        let mut next_look = Instant::now() + LOOK;
        loop {
            let event = self.events.recv_timeout(next_look.saturating_duration_since(Instant::now()));
            let sound = match event {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok((true, None)),
                Ok(Event::State { state: state::UNCONNECTED, .. }) => return Ok((false, None)),
                Ok(Event::State { state: state::ERROR, reason, .. }) => {
                    let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
                    self.notify(&format!("the sound server ended a stream: {reason}"));
                    return Ok((false, None));
                }
                Ok(Event::State { is_input, state, .. }) => {
                    if let Some(states) = &mut self.status.lock().states {
                        states[usize::from(!is_input)] = state;
                    }
                    continue;
                }
                Ok(Event::Setup) if self.is_own && self.setup != self.settings.mode_and_model() => {
                    self.open()?
                }
                Ok(Event::Setup) => continue,
                Ok(Event::Sound(sound)) => sound,
                Err(RecvTimeoutError::Timeout) => {
                    next_look = Instant::now() + LOOK;
                    let counts = self.status.lock().counts(&self.settings);
                    self.judge(watch.look(counts));
                    continue;
                }
            };
            let (latency_ms, meters) = (latency_ms(&*sound), sound.meters());
            if let Err(sound) = streams.replace(sound) {
                // Nobody listens, and nothing was taken: a new beginning is heard by nobody.
                return Ok((false, Some(sound)));
            }
            self.present(latency_ms, meters);
            watch = Watch::new(self.status.lock().counts(&self.settings));
        }
    }

    /// Announces a problem when it begins and when it is over.
    fn judge(&mut self, problem: Option<String>) {
        let before = std::mem::replace(&mut self.status.lock().problem, problem.clone());
        if before != problem {
            self.listener.problem(problem.as_deref());
        }
        match problem {
            Some(problem) => self.notify(&problem),
            None if before.is_some() => self.notify("all is well again"),
            None => {}
        }
    }

    /// Waits before reconnecting, discarding late events of the closed streams; true if a stop was requested.
    fn wait_to_reconnect(&mut self) -> bool {
        let until = Instant::now() + RETRY_PAUSE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Stop) => return true,
                Ok(Event::Sound(sound)) => *self.home.lock() = Some(sound),
                Ok(Event::State { .. } | Event::Setup) => {}
                Err(_) => return false,
            }
        }
    }
}
