//! The audio thread's half: host blocks in, host blocks out, and hops to and from the engines in between.
//!
//! [`Processor::process`] follows the signal: dry path and collector take the block; where a hop is complete it is
//! analysed, sent, and the hop that is due comes back as frames that are enhanced and synthesised; emitter and dry path
//! meet in the output stage. Nothing here allocates, locks, logs or panics, and the only wait is the [wait
//! rule](crate::exchange::wait)'s. No plugin framework is known here.
//!
//! - [`controls`]: settings that may change from block to block.
//! - [`crate::resample`]: to 48 kHz hops and back.
//! - `idle`: sleep in digital silence.
//! - `slots`: the exchanges with the engines of slots A and B.
//! - `conceal`: concealment of late or missing replies.
//! - `align`: the dry path.
//! - `metering`: measurements for the panel.
//! - `mix`: the output stage.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use rubato::ResamplerConstructionError;
use tacet_model::{DF_ORDER, HOP};

use crate::denormals::FlushDenormals;
use crate::engine::Stage;
use crate::exchange::wait::{LOWEST_GRACE, SLACK_GRACE, WaitRule};
use crate::halves::{Analyses, Enhancer, Syntheses};
use crate::history::History;
use crate::inference::slot_manager::SlotInbox;
use crate::latency::{Latency, LatencyMode, pipeline_samples};
use crate::meters::Meters;
use crate::samples::{make_finite, peak};
use crate::slot::{N_SLOTS, SlotId};

pub(crate) mod align;
pub(crate) mod conceal;
pub mod controls;
pub(crate) mod idle;
pub(crate) mod metering;
pub(crate) mod mix;
pub(crate) mod slots;

pub use crate::resample;
use crate::resample::{Collector, Emitter, Plan};
use align::DryDelay;
use conceal::Concealer;
use controls::Controls;
use idle::{Gate, SilenceGate};
use metering::Metering;
use mix::Output;
use slots::Slots;

/// Most samples that are taken through the stages at once.
const MAX_PORTION: usize = 512;

/// Setup of a processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// The host's rate.
    pub plan: Plan,
    /// Channels, 1 or 2.
    pub n_channels: usize,
    /// The model's lookahead.
    pub lookahead_hops: usize,
    /// The slack.
    pub mode: LatencyMode,
}

/// One slot's result for the hop that is due.
struct Heard {
    enhancer: Enhancer,
    concealer: Concealer,
}

/// The audio thread's state. Building and dropping it allocate and free: not on the audio thread.
pub struct Processor {
    setup: Setup,
    latency: Latency,
    collector: Collector,
    emitter: Emitter,
    dry: DryDelay,
    output: Output,
    gate: SilenceGate,
    analyses: Analyses,
    history: History,
    syntheses: Syntheses,
    slots: Slots,
    rule: WaitRule,
    results: [Heard; N_SLOTS],
    /// The hop that is collected now.
    seq: u64,
    /// When the last two hops were sent.
    sent: [Instant; 2],
    dry_portion: Box<[f32]>,
    metering: Metering,
}

impl Processor {
    /// Builds a processor whose engines come through `inbox`.
    ///
    /// # Errors
    /// Errors of the resampler; no plan leads there.
    pub fn new(
        setup: Setup,
        inbox: SlotInbox,
        meters: Arc<Meters>,
    ) -> Result<Self, ResamplerConstructionError> {
        let Setup { plan, n_channels, lookahead_hops, mode } = setup;
        let latency = Latency::new(lookahead_hops, mode, &plan);
        let depth_hops = lookahead_hops + mode.slack_hops();
        let grace = if mode.slack_hops() > 0 { SLACK_GRACE } else { LOWEST_GRACE };
        let result = || Heard { enhancer: Enhancer::new(n_channels), concealer: Concealer::new(n_channels) };
        meters.n_channels.store(n_channels as u32, Relaxed);
        Ok(Self {
            setup,
            latency,
            collector: Collector::new(&plan, n_channels)?,
            emitter: Emitter::new(&plan, pipeline_samples(lookahead_hops, mode), n_channels)?,
            dry: DryDelay::new(n_channels, latency.total_samples, MAX_PORTION),
            output: Output::new(plan.rate_hz(), MAX_PORTION),
            // The pipeline's depth and both halves of a window: then everything that sounded is out. The deep filter's frames
            // are silent as well then, so that nothing of before comes back when the stream wakes.
            gate: SilenceGate::new((depth_hops + 2).max(DF_ORDER)),
            analyses: Analyses::new(n_channels),
            history: History::new(n_channels, depth_hops + 1),
            syntheses: Syntheses::new(n_channels),
            slots: Slots::new(inbox, n_channels),
            rule: WaitRule::new(plan.rate_hz(), grace),
            results: [result(), result()],
            seq: 0,
            sent: [Instant::now(); 2],
            dry_portion: vec![0.0; MAX_PORTION].into(),
            metering: Metering::new(meters),
        })
    }

    /// Its setup.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The latency to report.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Whether the stream sleeps and has nothing left to put out.
    pub fn is_idle(&self) -> bool {
        self.gate.is_idle()
    }

    /// Announces a block of `n_samples`, which is processed in pieces, as where a parameter changes within it. Without this,
    /// whatever is processed at once is a block. Real-time safe.
    pub fn begin_block(&mut self, n_samples: usize, is_offline: bool) {
        self.rule.begin_block(Instant::now(), n_samples, is_offline);
    }

    /// Processes a block in place: one slice per channel, all of one length. `is_offline` is what the host says; nothing but
    /// the patience of waits depends on it. Real-time safe.
    pub fn process<C: AsRef<[f32]> + AsMut<[f32]>>(
        &mut self,
        block: &mut [C],
        controls: &Controls,
        is_offline: bool,
    ) {
        self.process_split(block, None::<&mut [C]>, controls, is_offline);
    }

    /// As [`Self::process`]; where `removed` is given, it gets the signal that was removed from the input, in as many channels
    /// of the same length. Denoised and removed signal add up to the input, delayed and with the output's gain, while *Voice*
    /// and *Ambience* are at their defaults. Real-time safe.
    pub fn process_split<C: AsRef<[f32]> + AsMut<[f32]>, R: AsMut<[f32]>>(
        &mut self,
        block: &mut [C],
        mut removed: Option<&mut [R]>,
        controls: &Controls,
        is_offline: bool,
    ) {
        debug_assert_eq!(block.len(), self.setup.n_channels);
        let _flush = FlushDenormals::new();
        let n_samples = block.first().map_or(0, |channel| channel.as_ref().len());
        self.rule.continue_block(Instant::now(), n_samples, is_offline);
        self.output.aim(controls);
        let mut at = 0;
        while at < n_samples {
            let n = (n_samples - at).min(self.collector.n_missing()).min(MAX_PORTION);
            for (channel, meter) in block.iter_mut().zip(&self.metering.meters().input_peak) {
                let portion = &mut channel.as_mut()[at..at + n];
                make_finite(portion);
                meter.raise(peak(portion));
            }
            self.dry.write(block, at, n);
            if self.collector.push(block, at, n) {
                self.hop(controls);
            }
            self.output.advance(n);
            for (c, channel) in block.iter_mut().enumerate() {
                let portion = &mut channel.as_mut()[at..at + n];
                let dry = &mut self.dry_portion[..n];
                self.dry.read(c, dry);
                self.emitter.peek(c, portion);
                if let Some(removed) = removed.as_deref_mut().and_then(|removed| removed.get_mut(c)) {
                    self.output.blend_removed(&mut removed.as_mut()[at..at + n], portion, dry);
                }
                self.output.blend(portion, dry);
                self.metering.meters().output_peak[c.min(1)].raise(peak(portion));
            }
            self.emitter.advance(n);
            at += n;
        }
    }

    /// One hop: what was collected goes to the engines, what is due comes back and goes to the emitter.
    fn hop(&mut self, controls: &Controls) {
        let began = Instant::now();
        self.slots.attend();
        match self.gate.judge(self.collector.hop()) {
            Gate::Run => {
                self.send(controls, began);
                self.receive(controls);
                self.synthesise(controls);
                self.seq += 1;
            }
            gate => self.sleep(gate == Gate::Sleep),
        }
        self.emitter.push_hop();
        let busy = began.elapsed().saturating_sub(self.slots.take_waited());
        let meters = self.metering.meters();
        meters.audio_us.store(busy.as_secs_f32() * 1e6, Relaxed);
        meters.is_idle.store(self.gate.is_idle(), Relaxed);
    }

    fn send(&mut self, controls: &Controls, now: Instant) {
        self.analyses.process(self.collector.hop(), self.history.push());
        self.sent[(self.seq % 2) as usize] = now;
        let Controls { thresholds, rules, .. } = *controls;
        self.slots.request(self.seq, thresholds, rules, &self.history, now, self.metering.meters());
    }

    fn receive(&mut self, controls: &Controls) {
        let slack_hops = self.setup.mode.slack_hops();
        let due = self.seq.checked_sub(slack_hops as u64);
        let noisy = self.history.get(slack_hops + self.setup.lookahead_hops);
        let mut n_answered = 0;
        for (id, result) in SlotId::ALL.into_iter().zip(&mut self.results) {
            if !self.slots.serves(id) {
                result.enhancer.pass(noisy);
                continue;
            }
            let reply = due.and_then(|due| {
                let deadline = self.rule.deadline(self.sent[(due % 2) as usize]);
                self.slots.reply(id, due, deadline, self.metering.meters())
            });
            match reply {
                Some(reply) => {
                    n_answered += 1;
                    result.enhancer.process(&controls.shaping, reply.stage, &reply.output, noisy);
                    result.concealer.note(reply.stage, &reply.output);
                    if id == SlotId::A {
                        self.metering.meters().lsnr_db.store(reply.output[0].lsnr_db, Relaxed);
                        self.metering.conditions(&reply.conditions);
                    }
                    self.slots.recycle(id, reply);
                }
                None => {
                    let concealed = result.concealer.conceal();
                    result.enhancer.process(&controls.shaping, Stage::MaskOnly, concealed, noisy);
                }
            }
        }
        let [a, b] = &mut self.results;
        if !self.slots.serves(SlotId::B) {
            // An engine that joins goes on from here.
            b.enhancer.inherit(&a.enhancer);
            self.metering.compare_nothing();
        } else if n_answered == N_SLOTS {
            // A concealed hop is neither engine's output.
            self.metering.compare(a.enhancer.frames(), b.enhancer.frames());
        }
        let heard = self.heard(controls.listen.slot()) as usize;
        self.metering.hop(noisy, self.results[heard].enhancer.frames(), controls.shares());
    }

    /// The slot that is heard: B only where it runs.
    fn heard(&self, wanted: SlotId) -> SlotId {
        if self.slots.serves(wanted) { wanted } else { SlotId::A }
    }

    fn synthesise(&mut self, controls: &Controls) {
        let heard = &self.results[self.heard(controls.listen.slot()) as usize].enhancer;
        self.syntheses.process(heard.frames(), self.emitter.hop_mut());
    }

    /// A hop of sleep. At the first one, everything that sounded is out: state that would sound on waking is cleared.
    fn sleep(&mut self, is_first: bool) {
        if is_first {
            self.clear_signal();
        }
        self.slots.sleep();
        self.emitter.hop_mut().fill([0.0; HOP]);
        self.metering.sleep();
    }

    fn clear_signal(&mut self) {
        self.analyses.reset();
        self.syntheses.reset();
        self.history.reset();
        self.results.iter_mut().for_each(|result| result.enhancer.clear_signal());
    }

    /// Forgets everything heard; what the engines have under way becomes stale. Real-time safe.
    pub fn reset(&mut self) {
        self.collector.reset();
        self.emitter.reset();
        self.dry.reset();
        self.output.reset();
        self.gate.reset();
        self.clear_signal();
        self.slots.attend();
        self.slots.reset();
        self.rule.reset();
        for result in &mut self.results {
            result.concealer.reset();
            result.enhancer.reset();
        }
    }
}

#[cfg(test)]
mod tests;
