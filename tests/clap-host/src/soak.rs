//! Many instances in one process, in blocks of random sizes, with automation, for as long as one likes; every hop of every
//! instance must be bit-identical to an offline render of another instance.
//!
//! A frame that inference delivers too late is concealed, which makes its hops differ; whatever comes after must be equal
//! again. So one number shows late frames, and a delay that grew, a state that went astray or a block border that is heard
//! would show as hops that differ for good.

use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::signal::{Programme, mixed};
use super::{AudioThread, Change, Instance, PluginFile};

/// Sample rates and channels of the instances, in turn.
const KINDS: [(f64, usize); 4] = [(48e3, 1), (48e3, 2), (44.1e3, 2), (96e3, 1)];
/// Samples compared at a time.
const HOP: usize = 480;
/// Largest block.
const MAX_BLOCK: usize = 2048;
/// Samples at 48 kHz that an interface asks for at a time, live. They come in blocks of random sizes, as from a host that
/// cuts them at its automation; but the interface keeps its pace: buffers of random sizes would leave the inference thread
/// any time between none and twice a hop. An audio thread that is late by more than a buffer has missed the interface,
/// which goes on from there: rounds that are caught up in a burst would leave it no time either.
const LIVE_BUFFER: u64 = 128;
/// Samples of the offline render's blocks.
const REFERENCE_BLOCK: usize = 512;
/// Samples between changes of a parameter.
const CHANGE_EVERY: u64 = 7919;
/// Parameters that are automated and the values they take, in the plugin's terms.
const AUTOMATED: [(&str, &[f64]); 7] = [
    ("Mix", &[1.0, 0.7, 0.0, 1.0]),
    ("Attenuation limit", &[1.0, 0.12, 0.0, 1.0]),
    ("Output gain", &[0.5, 0.6, 0.4]),
    ("Post filter", &[0.0, 0.5, 1.0]),
    ("Listen", &[0.0, 1.0, 0.0]),
    ("Bypass", &[0.0, 0.0, 0.0, 1.0]),
    ("Stereo link", &[2.0, 1.0, 0.0]),
];

/// Audio threads, as a host that plays its tracks at once: the inference thread serves them together.
const N_AUDIO_THREADS: usize = 8;

/// How long and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Instances that play at once.
    pub n_instances: usize,
    /// Audio per instance.
    pub audio: Duration,
    /// At the pace of the wall clock, without the host's word that it renders offline; else as fast as it goes, with it.
    pub is_realtime: bool,
    /// For block sizes and programmes.
    pub seed: u64,
}

/// Result of a soak.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Hops compared, of all instances.
    pub n_hops: u64,
    /// Hops that differ from the offline render.
    pub n_different: u64,
    /// Longest run of them in one instance.
    pub longest_run: u64,
    /// Time that the instances took.
    pub took: Duration,
    /// When the first and the last of them were heard.
    pub different: Option<(Duration, Duration)>,
    /// Buffers that an audio thread, kept from its core, handed over too late for the interface. Live only.
    pub n_missed: u64,
    /// Resident memory after a tenth of the time and at the end, in bytes, if the system reports it.
    pub resident: Option<(u64, u64)>,
}

impl Report {
    /// Bytes by which the process has grown.
    pub fn growth(&self) -> Option<i64> {
        self.resident.map(|(early, late)| late as i64 - early as i64)
    }

    /// Counts in what another thread or another instance came to.
    fn add(&mut self, other: &Self) {
        self.n_hops += other.n_hops;
        self.n_different += other.n_different;
        self.longest_run = self.longest_run.max(other.longest_run);
        self.n_missed += other.n_missed;
        self.different = match (self.different, other.different) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.resident = self.resident.or(other.resident);
    }
}

/// One instance with its input and the expected output.
struct Player {
    /// Among the instances.
    index: usize,
    thread: AudioThread,
    source: Source,
    /// Hashes of the offline render's hops.
    expected: Arc<[u64]>,
    digest: Digest,
    report: Report,
    /// Hops that differ, in a row, until now.
    run: u64,
}

/// A kind's input and automation by position.
struct Source {
    programme: Programme,
    automation: Vec<(u32, &'static [f64])>,
    rate_hz: f64,
    n_channels: usize,
    at: u64,
    input: Vec<Vec<f32>>,
    changes: Vec<Change>,
}

impl Source {
    fn new(instance: &Instance, kind: usize, seed: u64) -> Result<Self> {
        let (rate_hz, n_channels) = KINDS[kind];
        let automation = AUTOMATED.map(|(name, values)| Ok((instance.param(name)?.id, values)));
        Ok(Self {
            programme: Programme::new(mixed(seed, kind as u64)),
            automation: automation.into_iter().collect::<Result<_>>()?,
            rate_hz,
            n_channels,
            at: 0,
            input: vec![Vec::with_capacity(MAX_BLOCK); n_channels],
            changes: Vec::with_capacity(4),
        })
    }

    /// The next `n` samples and the changes that fall into them.
    fn advance(&mut self, n: usize) {
        for (c, channel) in self.input.iter_mut().enumerate() {
            channel.clear();
            // The second channel is the first, later: a moving source.
            channel.extend((0..n as u64).map(|i| self.programme.sample(self.at + i + c as u64 * 37)));
        }
        self.changes.clear();
        let end = self.at + n as u64;
        for count in self.at.div_ceil(CHANGE_EVERY)..end.div_ceil(CHANGE_EVERY) {
            let (id, values) = self.automation[count as usize % self.automation.len()];
            let value = values[count as usize / self.automation.len() % values.len()];
            self.changes.push(Change { at: (count * CHANGE_EVERY - self.at) as u32, id, value });
        }
        self.at = end;
    }
}

/// Hashes a stream of samples hop by hop.
#[derive(Default)]
struct Digest {
    hash: u64,
    n: usize,
    is_sound: bool,
}

impl Digest {
    /// Takes a block; gives each complete hop's hash.
    fn take(&mut self, block: &[Vec<f32>], mut on_hop: impl FnMut(u64)) -> Result<()> {
        for i in 0..block.first().map_or(0, Vec::len) {
            for channel in block {
                ensure!(channel[i].is_finite(), "a sample is not a number");
                // Both zeros are one.
                self.hash =
                    (self.hash ^ u64::from((channel[i] + 0.0).to_bits())).wrapping_mul(0x100_0000_01B3);
                self.is_sound |= channel[i] != 0.0;
            }
            self.n += 1;
            if self.n == HOP {
                on_hop(self.hash);
                (self.hash, self.n) = (0, 0);
            }
        }
        Ok(())
    }
}

fn instance(plugin: &PluginFile, kind: usize, is_offline: bool) -> Result<Instance> {
    let (rate_hz, n_channels) = KINDS[kind];
    let mut instance = plugin.create()?;
    instance.set_channels(n_channels)?;
    instance.set_offline(is_offline)?;
    instance.activate(rate_hz, MAX_BLOCK as u32)?;
    Ok(instance)
}

/// Expected output of each kind, in hashes of hops.
fn references(plugin: &PluginFile, plan: &Plan) -> Result<Vec<Arc<[u64]>>> {
    let n_kinds = KINDS.len().min(plan.n_instances);
    let mut instances =
        (0..n_kinds).map(|kind| instance(plugin, kind, true)).collect::<Result<Vec<Instance>>>()?;
    std::thread::scope(|scope| {
        let mut renders = Vec::new();
        for (kind, instance) in instances.iter_mut().enumerate() {
            let source = Source::new(instance, kind, plan.seed)?;
            let thread = instance.part()?;
            renders.push(scope.spawn(move || reference(thread, source, plan)));
        }
        renders.into_iter().map(joined).collect()
    })
}

/// The hashes of a whole render.
fn reference(mut thread: AudioThread, mut source: Source, plan: &Plan) -> Result<Arc<[u64]>> {
    let n_samples = (plan.audio.as_secs_f64() * source.rate_hz) as u64;
    let (mut hashes, mut digest) = (Vec::new(), Digest::default());
    while source.at < n_samples {
        source.advance(REFERENCE_BLOCK.min((n_samples - source.at) as usize));
        let mut block = source.input.clone();
        thread.process(&mut block, &source.changes)?;
        digest.take(&block, |hash| hashes.push(hash))?;
    }
    ensure!(digest.is_sound, "the offline render is silent");
    Ok(hashes.into())
}

/// Result of a thread.
fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("an audio thread panicked"))?
}

/// Plays, after rendering what to compare with.
///
/// # Errors
/// The plugin refuses something, or puts out what is not a number.
pub fn run(plugin: &PluginFile, plan: &Plan) -> Result<Report> {
    let references = references(plugin, plan)?;
    let mut instances = (0..plan.n_instances)
        .map(|index| instance(plugin, index % KINDS.len(), !plan.is_realtime))
        .collect::<Result<Vec<Instance>>>()?;
    let mut players: Vec<Vec<Player>> = (0..N_AUDIO_THREADS).map(|_| Vec::new()).collect();
    for (index, instance) in instances.iter_mut().enumerate() {
        let kind = index % KINDS.len();
        players[index % N_AUDIO_THREADS].push(Player {
            index,
            source: Source::new(instance, kind, plan.seed)?,
            thread: instance.part()?,
            expected: references[kind].clone(),
            digest: Digest::default(),
            report: Report::default(),
            run: 0,
        });
    }
    let began = Instant::now();
    let parts: Vec<Report> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            players.into_iter().map(|players| scope.spawn(move || play(players, plan, began))).collect();
        threads.into_iter().map(joined).collect::<Result<_>>()
    })?;
    let mut report = Report { took: began.elapsed(), ..Report::default() };
    parts.iter().for_each(|part| report.add(part));
    Ok(report)
}

/// One audio thread: plays its instances in turn, to the end.
fn play(mut players: Vec<Player>, plan: &Plan, began: Instant) -> Result<Report> {
    if plan.is_realtime {
        // Without the right to it the machine has to be idle.
        let _ = audio_thread_priority::promote_current_thread_to_real_time(LIVE_BUFFER as u32, 48_000);
    }
    let period = Duration::from_secs_f64(LIVE_BUFFER as f64 / 48e3);
    let mut report = Report::default();
    let (mut played, mut round, mut slipped) = (Duration::ZERO, 0, Duration::ZERO);
    let mut early = None;
    while played < plan.audio {
        let n =
            if plan.is_realtime { LIVE_BUFFER } else { 1 + mixed(plan.seed ^ 1, round) % MAX_BLOCK as u64 };
        played = (played + Duration::from_secs_f64(n as f64 / 48e3)).min(plan.audio);
        if plan.is_realtime {
            // A block is handed over when its last sample has come.
            std::thread::sleep((played + slipped).saturating_sub(began.elapsed()));
        }
        for player in &mut players {
            player.play_until(played, mixed(plan.seed ^ 2, round * 64 + player.index as u64))?;
        }
        if plan.is_realtime {
            let late = began.elapsed().saturating_sub(played + slipped + period);
            report.n_missed += u64::from(!late.is_zero());
            slipped += late;
        }
        if early.is_none() && played * 10 >= plan.audio {
            early = resident_bytes();
        }
        round += 1;
    }
    report.resident = early.zip(resident_bytes());
    players.iter().for_each(|player| report.add(&player.report));
    Ok(report)
}

impl Player {
    /// Plays up to a moment, in blocks of sizes that `draw` decides.
    fn play_until(&mut self, moment: Duration, mut draw: u64) -> Result<()> {
        let end = (moment.as_secs_f64() * self.source.rate_hz) as u64;
        while self.source.at < end {
            draw = mixed(draw, 3);
            // Half of the time all that is left.
            let left = end - self.source.at;
            let n = (1 + draw % (2 * left).min(MAX_BLOCK as u64)).min(left);
            self.source.advance(n as usize);
            let mut block = self.source.input.clone();
            ensure!(block.len() == self.source.n_channels, "channels");
            self.thread.process(&mut block, &self.source.changes)?;
            let mut hops = [0; MAX_BLOCK / HOP + 1];
            let mut n_hops = 0;
            self.digest.take(&block, |hash| {
                hops[n_hops] = hash;
                n_hops += 1;
            })?;
            for &hash in &hops[..n_hops] {
                self.compare(hash)?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, hash: u64) -> Result<()> {
        let report = &mut self.report;
        let expected = *self.expected.get(report.n_hops as usize).context("more hops than were rendered")?;
        report.n_hops += 1;
        if hash == expected {
            self.run = 0;
            return Ok(());
        }
        let moment = Duration::from_secs_f64(self.source.at as f64 / self.source.rate_hz);
        self.run += 1;
        report.n_different += 1;
        report.longest_run = report.longest_run.max(self.run);
        report.different = Some((report.different.map_or(moment, |(first, _)| first), moment));
        Ok(())
    }
}

/// Resident memory of this process, if the system reports it.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
