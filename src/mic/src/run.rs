//! The running microphone: opens the streams, waits, and opens them again after the server was away.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use tacet_realtime::device::Device;
use tacet_realtime::inference::slot_manager::SlotState;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::live::{self, Live};
use tacet_realtime::meters::Meters;
use tacet_realtime::model::{ModelKind, SAMPLE_RATE_HZ};

use crate::Direction;
use crate::control::{self, Socket};
use crate::pipewire::library::{Library, state};
use crate::pipewire::streams::{Event, Request, Streams, describe};
use crate::settings::Settings;

/// Pause between two tries to reach the server.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Options of the microphone.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which way the sound goes.
    pub direction: Direction,
    /// The node to take from, or to play to, by name or serial number; else the default, whichever that is.
    pub target: Option<String>,
    /// Channels, 1 or 2.
    pub n_channels: usize,
    /// Block that the server is asked for, in samples.
    pub block_samples: u32,
    /// The network.
    pub model: ModelKind,
    /// The slack.
    pub mode: LatencyMode,
    /// The device of the network.
    pub device: Device,
}

/// The report of the command `status`.
#[derive(Default)]
struct Status {
    /// The streams' states, the one that samples come from first; `None` while there is no server.
    states: Option<[i32; 2]>,
    latency_ms: f64,
    meters: Arc<Meters>,
    /// How often the server went away and came back.
    n_reconnects: usize,
}

/// Ends a running microphone from any thread.
#[derive(Clone, Debug)]
pub struct Stop(Sender<Event>);

impl Stop {
    /// Ends it soon.
    pub fn stop(&self) {
        // It may have ended by itself.
        let _ = self.0.send(Event::Stop);
    }
}

/// Runs until it is stopped; `on_start` gets what stops it, `say` one line for every change.
///
/// # Errors
/// PipeWire's library is missing, another one runs, or a stream cannot be processed. A missing server is waited for.
pub fn run(
    options: &Options,
    settings: Arc<Settings>,
    on_start: impl FnOnce(Stop),
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let library = Library::open()?;
    let (sender, events) = channel();
    let status = Arc::new(Mutex::new(Status::default()));
    let _socket = Socket::listen(&control::path(options.direction)?, {
        let (status, settings, sender) = (status.clone(), settings.clone(), Mutex::new(sender.clone()));
        move |command| {
            let status = status.lock().unwrap_or_else(PoisonError::into_inner);
            answer(command, &status, &settings, || {
                let _ = sender.lock().unwrap_or_else(PoisonError::into_inner).send(Event::Stop);
            })
        }
    })?;
    on_start(Stop(sender.clone()));
    let mut service = RunLoop { options, settings, status, events, sender, say, said: String::new() };
    let mut is_first = true;
    while !service.session(&library, is_first)? {
        is_first = false;
    }
    service.tell("stopped");
    Ok(())
}

/// A stream's latency in milliseconds.
fn latency_ms(live: &Live) -> f64 {
    let latency = live.latency();
    latency.total_samples as f64 * 1e3 / latency.rate_hz
}

struct RunLoop<'a> {
    options: &'a Options,
    settings: Arc<Settings>,
    status: Arc<Mutex<Status>>,
    events: Receiver<Event>,
    sender: Sender<Event>,
    say: &'a mut dyn FnMut(&str),
    /// The last message; it is not repeated.
    said: String,
}

impl RunLoop<'_> {
    fn tell(&mut self, text: &str) {
        if self.said != text {
            self.said = text.to_owned();
            (self.say)(text);
        }
    }

    fn status(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One time with the server, until it goes away; true if somebody wants an end.
    fn session(&mut self, library: &Library, is_first: bool) -> Result<bool> {
        let Options { direction, target, n_channels, block_samples, model, mode, device } = self.options;
        let live = Live::open(&live::Options {
            rate_hz: f64::from(SAMPLE_RATE_HZ),
            n_channels: *n_channels,
            model: *model,
            mode: *mode,
            device: *device,
        })?;
        if let SlotState::FellBack { reason, .. } = live.state() {
            self.tell(&reason);
        }
        let (latency_ms, meters) = (latency_ms(&live), live.meters().clone());
        let request =
            Request { direction: *direction, target: target.as_deref(), block_samples: *block_samples };
        let opened = Streams::open(library, &request, live, self.settings.clone(), &self.sender);
        let streams = match opened {
            Ok(streams) => streams,
            Err(error) => {
                self.tell(&format!("{error:#}; waiting for it"));
                return Ok(self.pause());
            }
        };
        {
            let mut status = self.status();
            (status.latency_ms, status.meters) = (latency_ms, meters);
            status.states = Some([state::PAUSED; 2]);
            status.n_reconnects += usize::from(!is_first);
        }
        self.tell(&format!("{} is there: {latency_ms:.0} ms of latency", direction.title()));
        let is_over = self.watch();
        self.status().states = None;
        drop(streams);
        if is_over {
            return Ok(true);
        }
        self.tell("the sound server went away; waiting for it");
        Ok(self.pause())
    }

    /// Follows the streams' states until the server is gone; true if somebody wants an end.
    fn watch(&mut self) -> bool {
        loop {
            // Senders live as long as this does.
            let Ok(event) = self.events.recv() else { return true };
            match event {
                Event::Stop => return true,
                Event::State { state: state::UNCONNECTED, .. } => return false,
                Event::State { state: state::ERROR, reason, .. } => {
                    let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
                    self.tell(&format!("the sound server ended a stream: {reason}"));
                    return false;
                }
                Event::State { is_input, state, .. } => {
                    if let Some(states) = &mut self.status().states {
                        states[usize::from(!is_input)] = state;
                    }
                }
            }
        }
    }

    /// Waits before the next try, past what the closed streams still have to tell; true if somebody wants an end.
    fn pause(&mut self) -> bool {
        let until = Instant::now() + RETRY_PAUSE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Stop) => return true,
                Ok(Event::State { .. }) => {}
                Err(_) => return false,
            }
        }
    }
}

/// Does what a command asks; gives the answer's lines.
fn answer(
    command: &str,
    status: &Status,
    settings: &Settings,
    stop: impl FnOnce(),
) -> Result<String, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[..] {
        ["status"] => return Ok(report(status, settings)),
        ["mute"] => settings.is_muted.store(true, Relaxed),
        ["unmute"] => settings.is_muted.store(false, Relaxed),
        ["bypass", "on"] => settings.is_bypassed.store(true, Relaxed),
        ["bypass", "off"] => settings.is_bypassed.store(false, Relaxed),
        ["set", name, value] => settings.set(name, value)?,
        ["stop"] => stop(),
        _ => return Err(format!("{command:?} is no command: status, mute, unmute, bypass, set or stop")),
    }
    Ok(String::new())
}

fn report(status: &Status, settings: &Settings) -> String {
    let state = match status.states {
        None => "waiting for the sound server",
        // The state that is farther from sound.
        Some([input, output]) if input == state::STREAMING => describe(output),
        Some([input, _]) => describe(input),
    };
    let block_ms = f64::from(settings.block_samples.load(Relaxed)) * 1e3 / f64::from(SAMPLE_RATE_HZ);
    let lane = &status.meters.slots[0];
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut lines = vec![
        format!("state: {state}"),
        format!(
            "latency: {:.1} ms, and at most one block of the server's, {block_ms:.1} ms",
            status.latency_ms
        ),
        format!("processed: {:.1} s", settings.n_samples.load(Relaxed) as f64 / f64::from(SAMPLE_RATE_HZ)),
        format!("late hops: {} of {}", lane.n_late.load(Relaxed), lane.n_requests.load(Relaxed)),
        format!("lost blocks: {}", settings.n_lost.load(Relaxed)),
        format!("reconnected: {}", status.n_reconnects),
        format!("muted: {}", yes(settings.is_muted.load(Relaxed))),
        format!("bypass: {}", yes(settings.is_bypassed.load(Relaxed))),
    ];
    lines.extend(settings.values().map(|(parameter, value)| {
        let text = parameter.number.text(value).unwrap_or_else(|| value.to_string());
        format!("{}: {text}", parameter.name)
    }));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_do_what_they_say() {
        let (status, settings) = (Status::default(), Settings::default());
        let mut n_stops = 0;
        let mut answer = |command: &str| answer(command, &status, &settings, || n_stops += 1);
        assert_eq!(answer("mute"), Ok(String::new()));
        assert_eq!(answer("set post-filter 0.02"), Ok(String::new()));
        assert_eq!(answer("bypass on"), Ok(String::new()));
        let report = answer("status").unwrap();
        for line in ["waiting for the sound server", "muted: yes", "bypass: yes", "post-filter: 0.02"] {
            assert!(report.contains(line), "{report}");
        }
        assert!(answer("set post-filter 1").unwrap_err().contains("0.05"));
        assert!(answer("").unwrap_err().contains("is no command"));
        answer("stop").unwrap();
        assert_eq!(n_stops, 1);
    }
}
