//! The inference thread: serves every stream of a device in one step, in order, and parks when nothing is pending.
//!
//! It never touches audio state and knows the audio threads only through the exchange. An engine that fails, panics or
//! returns what is not a number costs the hop and a reset of the streams; one that keeps failing is given up, with the
//! reason kept, and its streams are marked as failed. The thread itself outlives every panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use tacet_model::ModelKind;

use super::breaker::Breaker;
use super::report::ServiceReport;
use super::stream::{StreamState, StreamStatus};
use super::{BuildEngine, OpenError, OpenedEngine, priority};
use crate::denormals::FlushDenormals;
use crate::engine::{Engine, Job, NOT_FINITE, StateUpdate, StepTimings};
use crate::exchange::{ExchangeId, HopBox, Outcome, Request, WorkerEnd};
use crate::features::StreamFeatures;

/// Commands of a service to its worker.
pub enum Command {
    /// Serve another stream.
    Join(Join),
    /// End, and say so.
    End(Sender<()>),
}

/// A stream that wants to be served.
pub struct Join {
    /// The model it wants.
    pub model: ModelKind,
    /// Its channels.
    pub n_channels: usize,
    /// Makes the engine, if this is the first stream of the model.
    pub build: BuildEngine,
    /// The worker's end of its exchange.
    pub end: WorkerEnd,
    /// The status to keep up to date.
    pub status: Arc<StreamStatus>,
}

/// One stream as the worker sees it; its job stands at the same index in the group.
struct Served {
    end: WorkerEnd,
    features: StreamFeatures,
    status: Arc<StreamStatus>,
    /// The request that is being inferred.
    hop: Option<Box<HopBox>>,
    /// The hop that the engine's state has heard last.
    heard_seq: Option<u64>,
    /// Hops that the engine's state has heard, up to [`FRESH_HOPS`].
    n_heard: u32,
    /// The stream whose engine state this one goes on from, until it does.
    follows: Option<ExchangeId>,
    /// A request that waits until the stream that it follows has heard the hop before.
    held: Option<Box<HopBox>>,
}

/// Hops that an engine's fresh hidden states take in before they are ever held: a stream may begin on a device in a pause.
const FRESH_HOPS: u32 = 100;

/// Treatment of a hop in a stream that follows another.
enum Follow {
    /// Has it inferred.
    Infer,
    /// Waits for the other.
    Wait,
    /// Takes the other's answer.
    Share(usize),
    /// Lets it pass: the other is further already, and nobody asks for this one.
    Skip,
}

/// An engine with its streams.
struct Group {
    model: ModelKind,
    engine: Box<dyn Engine>,
    served: Vec<Served>,
    jobs: Vec<Job>,
    breaker: Breaker,
    /// Why the engine was given up.
    broken: Option<String>,
}

/// The thread's state.
pub struct Worker {
    commands: Receiver<Command>,
    report: Arc<ServiceReport>,
    groups: Vec<Group>,
    /// Whether the thread has real-time priority.
    is_realtime: bool,
}

impl Worker {
    /// A worker without engines.
    pub fn new(commands: Receiver<Command>, report: Arc<ServiceReport>) -> Self {
        Self { commands, report, groups: Vec::new(), is_realtime: false }
    }

    /// Serves until asked to end. A panic anywhere fails the streams, not the thread: those that join
    /// afterwards find it serving.
    pub fn run(mut self) {
        let _flush = FlushDenormals::new();
        // Also where a panic ends the thread.
        let _ended = Ended(self.report.clone());
        loop {
            match contain(|| self.serve()) {
                Ok(ended) => {
                    // Engines die before the answer: the library may be unloaded after it.
                    self.drop_groups();
                    let _ = ended.send(());
                    return;
                }
                Err(reason) => {
                    for served in self.groups.iter().flat_map(|group| &group.served) {
                        served.status.set_failed(&reason);
                    }
                    self.drop_groups();
                    self.count();
                }
            }
        }
    }

    /// Serves until it is asked to end, and returns whom to answer.
    fn serve(&mut self) -> Sender<()> {
        loop {
            while let Ok(command) = self.commands.try_recv() {
                match command {
                    Command::Join(join) => self.join(join),
                    Command::End(ended) => return ended,
                }
            }
            let mut was_busy = false;
            for group in &mut self.groups {
                was_busy |= group.step(&self.report);
            }
            if !was_busy {
                self.drop_closed();
                // A wake-up since the last look makes this return at once.
                std::thread::park();
            }
        }
    }

    fn drop_groups(&mut self) {
        for group in self.groups.drain(..) {
            // An engine that panics here has nothing left to lose.
            let _ = contain(|| drop(group));
        }
    }

    fn join(&mut self, join: Join) {
        let status = join.status.clone();
        if let Err(error) = self.try_join(join) {
            status.set_failed(&error.to_string());
        }
        self.count();
    }

    fn try_join(&mut self, join: Join) -> Result<(), OpenError> {
        self.drop_closed();
        let position =
            self.groups.iter().position(|group| group.model == join.model && group.broken.is_none());
        let group = match position {
            Some(position) => &mut self.groups[position],
            None => {
                let mut on_state = |state| join.status.set(state);
                let opened =
                    contain(|| (join.build)(&mut on_state)).unwrap_or_else(|panic| Err(panic.into()));
                let OpenedEngine { engine, round_trip_us } = opened?;
                self.report.round_trip_us.store(round_trip_us.unwrap_or_default(), Ordering::Relaxed);
                self.is_realtime = self.is_realtime || priority::promote_current_thread();
                self.groups.push(Group {
                    model: join.model,
                    engine,
                    served: Vec::new(),
                    jobs: Vec::new(),
                    breaker: Breaker::default(),
                    broken: None,
                });
                let last = self.groups.len() - 1;
                &mut self.groups[last]
            }
        };
        let stream = group.engine.open(join.n_channels)?;
        let norm_alpha = group.engine.norm_alpha();
        group.jobs.push(Job::new(stream, join.n_channels));
        group.served.push(Served {
            end: join.end,
            features: StreamFeatures::new(join.n_channels, norm_alpha),
            status: join.status.clone(),
            hop: None,
            heard_seq: None,
            n_heard: 0,
            follows: None,
            held: None,
        });
        join.status.set(StreamState::Live);
        Ok(())
    }

    /// Lets go of streams whose audio side is gone, and of engines that nobody uses any more.
    fn drop_closed(&mut self) {
        let mut has_changed = false;
        for group in &mut self.groups {
            for i in (0..group.served.len()).rev() {
                if group.served[i].end.is_closed() {
                    group.engine.close(group.jobs[i].stream);
                    group.served.swap_remove(i);
                    group.jobs.swap_remove(i);
                    has_changed = true;
                }
            }
        }
        if has_changed {
            self.groups.retain(|group| group.broken.is_none() || !group.served.is_empty());
            self.count();
        }
    }

    fn count(&self) {
        let n_streams: usize = self.groups.iter().map(|group| group.served.len()).sum();
        self.report.n_streams.store(n_streams as u32, Ordering::Relaxed);
    }
}

impl Group {
    /// Takes one request of every stream that has one and answers them all. Returns whether there were any.
    fn step(&mut self, report: &ServiceReport) -> bool {
        let began = Instant::now();
        let mut is_pending = false;
        for i in 0..self.served.len() {
            let Some(mut hop) = self.take(i) else { continue };
            let (served, job) = (&mut self.served[i], &mut self.jobs[i]);
            hop.queue_us = began.saturating_duration_since(hop.sent).as_secs_f32() * 1e6;
            job.thresholds = hop.thresholds;
            job.update = hop.conditions.update;
            if job.update == StateUpdate::Hold && served.n_heard < FRESH_HOPS {
                job.update = StateUpdate::Advance;
            }
            job.pending = true;
            served.hop = Some(hop);
            is_pending = true;
        }
        if !is_pending {
            return false;
        }
        if self.broken.is_some() {
            self.answer_failed();
            return true;
        }
        report.begin_step();
        let inferred = self.infer();
        report.end_step();
        match inferred {
            Ok(timings) => {
                self.breaker.succeed();
                self.answer(timings);
            }
            Err(reason) => self.fail(&reason),
        }
        true
    }

    /// The next hop of a stream that is to be inferred, its features in the job.
    fn take(&mut self, i: usize) -> Option<Box<HopBox>> {
        loop {
            let served = &mut self.served[i];
            let mut hop = match served.held.take() {
                Some(hop) => hop,
                None => {
                    let Request { hop, is_first } = served.end.receive()?;
                    if is_first {
                        self.engine.reset(self.jobs[i].stream);
                        served.features.reset();
                        (served.heard_seq, served.n_heard, served.follows) = (None, 0, None);
                    }
                    if hop.inherits.is_some() {
                        served.features.inherit(&hop.normalisation);
                        served.follows = hop.inherits;
                    }
                    hop
                }
            };
            let follow = self.follow(i, hop.seq);
            let (served, job) = (&mut self.served[i], &mut self.jobs[i]);
            if matches!(follow, Follow::Wait) {
                served.held = Some(hop);
                return None;
            }
            served.features.process(&hop.noisy, &hop.rules, &mut job.input);
            for (normalisation, used) in hop.normalisation.iter_mut().zip(served.features.normalisations()) {
                *normalisation = used;
            }
            hop.conditions = *served.features.conditions();
            match follow {
                Follow::Infer | Follow::Wait => return Some(hop),
                Follow::Share(other) => {
                    hop.outcome = Outcome::Answered;
                    hop.stage = self.jobs[other].stage;
                    hop.output.copy_from_slice(&self.jobs[other].output);
                }
                Follow::Skip => hop.outcome = Outcome::Returned,
            }
            self.served[i].end.answer(hop);
        }
    }

    /// Treatment of hop `seq` in a stream that follows another, whose engine state becomes its own as soon as both
    /// have heard the same.
    fn follow(&mut self, i: usize, seq: u64) -> Follow {
        let Some(from) = self.served[i].follows else { return Follow::Infer };
        let other = self.served.iter().position(|served| served.end.id() == from);
        let heard = other.and_then(|other| Some((other, self.served[other].heard_seq?)));
        if let Some((other, heard_seq)) = heard {
            if seq < heard_seq {
                return Follow::Skip;
            }
            let followed = &self.served[other];
            if seq > heard_seq + 1 && (followed.hop.is_some() || followed.end.is_pending()) {
                return Follow::Wait;
            }
            if seq <= heard_seq + 1 && self.engine.copy_state(self.jobs[other].stream, self.jobs[i].stream) {
                self.served[i].n_heard = self.served[other].n_heard;
                if seq == heard_seq {
                    (self.served[i].follows, self.served[i].heard_seq) = (None, Some(seq));
                    return Follow::Share(other);
                }
            }
        }
        self.served[i].follows = None;
        Follow::Infer
    }

    fn infer(&mut self) -> Result<StepTimings, String> {
        let (engine, jobs) = (&mut self.engine, &mut self.jobs);
        match contain(|| engine.step(jobs)) {
            Ok(Ok(timings)) => Ok(timings),
            Ok(Err(error)) => Err(error.to_string()),
            Err(panic) => Err(panic),
        }
    }

    fn answer(&mut self, timings: StepTimings) {
        for (served, job) in self.served.iter_mut().zip(&mut self.jobs) {
            let Some(mut hop) = served.hop.take() else { continue };
            job.pending = false;
            served.heard_seq = job.is_finite().then_some(hop.seq);
            if served.heard_seq.is_some() {
                served.n_heard = (served.n_heard + 1).min(FRESH_HOPS);
                hop.outcome = Outcome::Answered;
                hop.stage = job.stage;
                hop.output.copy_from_slice(&job.output);
            } else {
                // A state that is not a number never heals by itself.
                hop.outcome = Outcome::Failed;
                served.n_heard = 0;
                self.engine.reset(job.stream);
                served.status.note(NOT_FINITE);
            }
            hop.timings = timings;
            served.end.answer(hop);
        }
    }

    fn answer_failed(&mut self) {
        for (served, job) in self.served.iter_mut().zip(&mut self.jobs) {
            job.pending = false;
            (served.heard_seq, served.n_heard) = (None, 0);
            if let Some(mut hop) = served.hop.take() {
                hop.outcome = Outcome::Failed;
                served.end.answer(hop);
            }
        }
    }

    fn fail(&mut self, reason: &str) {
        self.answer_failed();
        let Some(reason) = self.breaker.fail(reason) else {
            for (served, job) in self.served.iter().zip(&self.jobs) {
                self.engine.reset(job.stream);
                served.status.note(reason);
            }
            return;
        };
        for served in &self.served {
            served.status.set_failed(&reason);
        }
        self.broken = Some(reason);
    }
}

/// Says that the worker is gone, when dropped.
struct Ended(Arc<ServiceReport>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Runs foreign code; a panic becomes its message.
fn contain<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|message| (*message).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        format!("the engine panicked: {message}")
    })
}
