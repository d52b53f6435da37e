//! Watches the JACK server beside the plugin's own client: lost buffers, its end, and the latency of its devices.
//!
//! The framework's client reports none of this. Called by the server's threads; counters only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use jack::{AsyncClient, Client, ClientOptions, ClientStatus, Control, LatencyType, NotificationHandler};

#[derive(Debug, Default)]
struct Counts {
    n_xruns: AtomicU64,
    is_gone: AtomicBool,
}

/// Called back by the server.
struct Listener(Arc<Counts>);

impl NotificationHandler for Listener {
    unsafe fn shutdown(&mut self, _status: ClientStatus, _reason: &str) {
        self.0.is_gone.store(true, Relaxed);
    }

    fn xrun(&mut self, _: &Client) -> Control {
        self.0.n_xruns.fetch_add(1, Relaxed);
        Control::Continue
    }
}

/// See the module.
#[derive(Debug)]
pub struct JackServer {
    counts: Arc<Counts>,
    /// Held as long as it is to count.
    client: AsyncClient<Listener, ()>,
}

impl JackServer {
    /// Watches the server that runs; `None` where it takes no further client.
    pub fn watch() -> Option<Self> {
        let (client, _) =
            Client::new(&format!("tacet-watch-{}", std::process::id()), ClientOptions::NO_START_SERVER)
                .ok()?;
        let counts = Arc::<Counts>::default();
        let client = client.activate_async(Listener(counts.clone()), ()).ok()?;
        Some(Self { counts, client })
    }

    /// Buffers that it has lost.
    pub fn n_xruns(&self) -> u64 {
        self.counts.n_xruns.load(Relaxed)
    }

    /// Tells whether it has ended.
    pub fn end(&self) -> impl Fn() -> bool + Send + 'static {
        let counts = self.counts.clone();
        move || counts.is_gone.load(Relaxed)
    }

    /// Samples from the input port's device to the output port's, Tacet's own apart; `None` where a port is missing.
    pub fn device_latency_samples(&self, input: &str, output: &str) -> Option<u32> {
        let client = self.client.as_client();
        let latency = |name: &str, way| Some(client.port_by_name(name)?.get_latency_range(way).1);
        Some(latency(input, LatencyType::Capture)? + latency(output, LatencyType::Playback)?)
    }
}
