//! The plugin as a JACK client: a port for each channel of the devices, the latency reported to the server, and connections
//! made anew when a device comes back.
//!
//! The framework's own client has one fixed name, two channels and no latency. Here the framework runs the plugin without
//! devices, and the server's thread plays the plugin's processor.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jack::{
    AsyncClient, AudioIn, AudioOut, Client, ClientOptions, ClientStatus, Control, Frames, LatencyType,
    NotificationHandler, Port, PortId, ProcessHandler, ProcessScope, Unowned,
};
use jack_sys::{JackCaptureLatency, jack_recompute_total_latencies, jack_set_latency_callback};
use parking_lot::Mutex;
use rtrb::{Consumer, Producer, RingBuffer};
use tacet::plugin::shared::Shared;
use tacet::processor::Processor;

use super::choice::jack::Ports;
use super::played::Played;

/// Processors on their way to the audio thread, or back: one at a time, but a host may restart twice.
const N_ON_THE_WAY: usize = 4;
/// Between two looks at what came back and at the devices.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two tries for a name.
const RETRY: Duration = Duration::from_millis(20);

/// Counters that the server's threads write.
#[derive(Debug, Default)]
struct Counts {
    n_xruns: AtomicU64,
    is_gone: AtomicBool,
    are_ports_new: AtomicBool,
    is_one_gone: AtomicBool,
    is_freewheeling: AtomicBool,
    rate_hz: AtomicU32,
}

/// Called back by the server.
struct Listener(Arc<Counts>);

impl NotificationHandler for Listener {
    unsafe fn shutdown(&mut self, _status: ClientStatus, _reason: &str) {
        self.0.is_gone.store(true, Relaxed);
    }

    fn freewheel(&mut self, _: &Client, is_freewheeling: bool) {
        self.0.is_freewheeling.store(is_freewheeling, Relaxed);
    }

    fn sample_rate(&mut self, _: &Client, rate_hz: Frames) -> Control {
        // The plugin was activated at the former one: the program begins again.
        let before = self.0.rate_hz.swap(rate_hz, Relaxed);
        if before != rate_hz {
            self.0.is_gone.store(true, Relaxed);
        }
        Control::Continue
    }

    fn port_registration(&mut self, _: &Client, _: PortId, is_registered: bool) {
        self.0.are_ports_new.store(true, Relaxed);
        if !is_registered {
            self.0.is_one_gone.store(true, Relaxed);
        }
    }

    fn xrun(&mut self, _: &Client) -> Control {
        self.0.n_xruns.fetch_add(1, Relaxed);
        Control::Continue
    }
}

/// Plays on the server's thread.
struct Player {
    inputs: Vec<Port<AudioIn>>,
    outputs: Vec<Port<AudioOut>>,
    played: Option<Box<Played>>,
    inbox: Consumer<Box<Played>>,
    /// Former processors, which are dropped elsewhere.
    retired: Producer<Box<Played>>,
    counts: Arc<Counts>,
}

impl ProcessHandler for Player {
    fn process(&mut self, _: &Client, scope: &ProcessScope) -> Control {
        if self.retired.slots() > 0
            && let Ok(new) = self.inbox.pop()
            && let Some(before) = self.played.replace(new)
        {
            // There is room: seen above.
            let _ = self.retired.push(before);
        }
        for (input, output) in self.inputs.iter().zip(&mut self.outputs) {
            output.as_mut_slice(scope).copy_from_slice(input.as_slice(scope));
        }
        let Some(played) = self.played.as_deref_mut() else {
            self.outputs.iter_mut().for_each(|output| output.as_mut_slice(scope).fill(0.0));
            return Control::Continue;
        };
        played.shared.n_blocks.fetch_add(1, Relaxed);
        let is_offline = self.counts.is_freewheeling.load(Relaxed);
        match self.outputs.as_mut_slice() {
            [mono] => played.process(&mut [mono.as_mut_slice(scope)], is_offline),
            [left, right] => {
                played.process(&mut [left.as_mut_slice(scope), right.as_mut_slice(scope)], is_offline);
            }
            _ => {}
        }
        Control::Continue
    }
}

/// The latency of the ports, as the server asks for it.
#[derive(Debug)]
struct Report {
    inputs: Vec<Port<Unowned>>,
    outputs: Vec<Port<Unowned>>,
    n_samples: AtomicU32,
}

impl Report {
    /// Sound that leaves by an output came in by an input so many samples before.
    fn update(&self, way: LatencyType) {
        let (from, to) = match way {
            LatencyType::Capture => (&self.inputs, &self.outputs),
            LatencyType::Playback => (&self.outputs, &self.inputs),
        };
        let ranges = || from.iter().map(|port| port.get_latency_range(way));
        let shortest = ranges().map(|range| range.0).min().unwrap_or(0);
        let longest = ranges().map(|range| range.1).max().unwrap_or(0);
        let own = self.n_samples.load(Relaxed);
        let range = (shortest.saturating_add(own), longest.saturating_add(own));
        to.iter().for_each(|port| port.set_latency_range(way, range));
    }
}

/// The server's question.
unsafe extern "C" fn report_latency(mode: u32, report: *mut c_void) {
    // SAFETY: `JackClient::open` gave the address of a report that lives longer than the client.
    let report = unsafe { &*report.cast::<Report>() };
    report.update(if mode == JackCaptureLatency { LatencyType::Capture } else { LatencyType::Playback });
}

/// See the module.
pub struct JackClient {
    client: AsyncClient<Listener, Player>,
    counts: Arc<Counts>,
    name: String,
    own: Ports,
    inbox: Mutex<Producer<Box<Played>>>,
    retired: Mutex<Consumer<Box<Played>>>,
    // After the client, whose callback refers to it.
    report: Box<Report>,
}

impl JackClient {
    /// A client of the running server with `n_channels` inputs and outputs, not connected yet.
    ///
    /// For `patience` it waits for its name, which a program that was restarted has left a moment ago; then it takes the
    /// next one that is free.
    ///
    /// # Errors
    /// The server takes no client.
    pub fn open(name: &str, n_channels: usize, patience: Duration) -> Result<Arc<Self>> {
        let deadline = Instant::now() + patience;
        let client = loop {
            let exact = ClientOptions::NO_START_SERVER | ClientOptions::USE_EXACT_NAME;
            match Client::new(name, exact) {
                Ok((client, _)) => break client,
                Err(_) if Instant::now() < deadline => thread::sleep(RETRY),
                Err(_) => break Client::new(name, ClientOptions::NO_START_SERVER)?.0,
            }
        };
        let names = |kind: &'static str| (1..=n_channels).map(move |i| format!("{kind}_{i}"));
        let inputs = names("in").map(|name| client.register_port(&name, AudioIn::default()));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let outputs = names("out").map(|name| client.register_port(&name, AudioOut::default()));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let own = Ports {
            inputs: inputs.iter().map(Port::name).collect::<Result<_, _>>()?,
            outputs: outputs.iter().map(Port::name).collect::<Result<_, _>>()?,
        };
        let report = Box::new(Report {
            inputs: inputs.iter().map(Port::clone_unowned).collect(),
            outputs: outputs.iter().map(Port::clone_unowned).collect(),
            n_samples: AtomicU32::new(0),
        });
        let address = std::ptr::from_ref(&*report).cast_mut().cast();
        // SAFETY: the client is open, and the report stays at its address until the client, which is dropped first, is closed.
        let failed = unsafe { jack_set_latency_callback(client.raw(), Some(report_latency), address) };
        anyhow::ensure!(failed == 0, "JACK takes no report of the latency (error {failed})");
        let counts = Arc::new(Counts { rate_hz: AtomicU32::new(client.sample_rate()), ..Counts::default() });
        let (inbox, of_player) = RingBuffer::new(N_ON_THE_WAY);
        let (retired, of_client) = RingBuffer::new(N_ON_THE_WAY);
        let counted = counts.clone();
        let player = Player { inputs, outputs, played: None, inbox: of_player, retired, counts: counted };
        let name = client.name().to_owned();
        let client = client.activate_async(Listener(counts.clone()), player)?;
        Ok(Arc::new(Self {
            client,
            counts,
            name,
            own,
            inbox: Mutex::new(inbox),
            retired: Mutex::new(of_client),
            report,
        }))
    }

    /// The name that the server gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connects it to `ports`, and anew whenever `find`, which finds those of the moment, finds others: a device has
    /// come back, or another is the default one. Connections that a user has made or cut stay as they are.
    ///
    /// # Errors
    /// There is no room for a thread.
    pub fn keep_connected(
        self: &Arc<Self>,
        ports: &Ports,
        find: impl Fn() -> Option<Ports> + Send + 'static,
    ) -> Result<()> {
        self.connect(ports);
        let mut known = Some(ports.clone());
        let client = self.clone();
        let look = move || {
            loop {
                thread::sleep(PAUSE);
                client.collect();
                if !client.counts.are_ports_new.swap(false, Relaxed) {
                    continue;
                }
                // Without ports there is nothing to connect, or no server, whose client must not be asked for anything then.
                let Some(new) = find().filter(|_| !client.is_gone()) else {
                    known = None;
                    continue;
                };
                let is_another = known.as_ref() != Some(&new);
                if let Some(before) = &known
                    && is_another
                {
                    client.disconnect(before);
                }
                // A device may have been away for less than a pause: its connections are gone with it.
                if client.counts.is_one_gone.swap(false, Relaxed) || is_another {
                    client.connect(&new);
                }
                known = Some(new);
            }
        };
        thread::Builder::new().name("tacet jack".into()).spawn(look).context("no thread for JACK's ports")?;
        Ok(())
    }

    /// From a port of a card to a port of its own, and the other way round.
    fn pairs<'a>(&'a self, ports: &'a Ports) -> [Vec<(&'a str, &'a str)>; 2] {
        let names = |(from, to): (&'a String, &'a String)| (from.as_str(), to.as_str());
        let inputs = ports.inputs.iter().zip(&self.own.inputs).map(names);
        let outputs = self.own.outputs.iter().cycle().zip(&ports.outputs).map(names);
        [inputs.collect(), outputs.collect()]
    }

    /// Connects whichever side has no connection.
    fn connect(&self, ports: &Ports) {
        let client = self.client.as_client();
        for (own, pairs) in [&self.report.inputs, &self.report.outputs].into_iter().zip(self.pairs(ports)) {
            if own.iter().all(|port| port.connected_count() == Ok(0)) {
                for (from, to) in pairs {
                    // It may have gone again: then the server says so next.
                    let _ = client.connect_ports_by_name(from, to);
                }
            }
        }
    }

    /// Cuts what `connect` has connected and nobody else has cut.
    fn disconnect(&self, ports: &Ports) {
        for (from, to) in self.pairs(ports).into_iter().flatten() {
            let _ = self.client.as_client().disconnect_ports_by_name(from, to);
        }
    }

    /// Plays this processor from now on.
    pub fn play(&self, processor: Processor, shared: &Arc<Shared>) {
        self.collect();
        self.report.n_samples.store(processor.latency().total_samples as u32, Relaxed);
        let played = Box::new(Played { processor, shared: shared.clone() });
        if let Err(rtrb::PushError::Full(played)) = self.inbox.lock().push(played) {
            // The server calls no more: what plays next is made when the program begins again.
            shared.retire(played.processor);
        }
        if !self.is_gone() {
            // SAFETY: the client is open as long as `self` is, and its server has not ended.
            unsafe { jack_recompute_total_latencies(self.client.as_client().raw()) };
        }
    }

    /// Hands processors that came back to the thread that drops them.
    fn collect(&self) {
        while let Ok(before) = self.retired.lock().pop() {
            let Played { processor, shared } = *before;
            shared.retire(processor);
        }
    }

    /// Buffers that the server has lost.
    pub fn n_xruns(&self) -> u64 {
        self.counts.n_xruns.load(Relaxed)
    }

    fn is_gone(&self) -> bool {
        self.counts.is_gone.load(Relaxed)
    }

    /// Tells whether the server has ended or runs at another rate.
    pub fn end(&self) -> impl Fn() -> bool + Send + use<> {
        let counts = self.counts.clone();
        move || counts.is_gone.load(Relaxed)
    }

    /// Samples from the input's device to the output's, Tacet's own apart; `None` where a port is missing.
    pub fn device_latency_samples(&self, ports: &Ports) -> Option<u32> {
        let client = self.client.as_client();
        let latency = |name: Option<&String>, way| Some(client.port_by_name(name?)?.get_latency_range(way).1);
        Some(
            latency(ports.inputs.first(), LatencyType::Capture)?
                + latency(ports.outputs.first(), LatencyType::Playback)?,
        )
    }
}
