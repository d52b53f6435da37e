//! A recording through an engine's [passes](crate::engine::sequence), many hops at a time: analysis, features, network,
//! enhancement, synthesis. For files; bit-identical to the [denoiser](crate::denoiser) with the native engine.
//!
//! Hops are collected into chunks. A chunk goes through the passes on the caller's thread, or on a [`Pool`]'s while the
//! caller collects the next: then every pass may have a chunk of its own. Chunks are reused, so that memory stays bounded
//! however long the recording is.

mod ahead;
mod pool;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crossbeam_channel::Receiver;
use tacet_model::HOP;

pub use pool::Pool;

use crate::denoiser::Settings;
use crate::dry::{Due, Noted};
use crate::engine::EngineError;
use crate::engine::sequence::{Hops, Pass, SequenceEngine};
use crate::frame::{SILENT_SPECTRUM, Spectrum};
use crate::halves::{Analyser, Synthesiser};
use crate::rules::Conditions;
use crate::stft::OVERLAP_DELAY_SAMPLES;
use ahead::Ahead;
use pool::{Line, Work, caught};

/// Hops on their way, with all that is known of them.
struct Chunk<W> {
    hops: Hops,
    work: W,
    settings: Settings,
    /// `[hop][channel][480]`: the input, after the last pass the output.
    samples: Box<[f32]>,
    /// `[hop][channel]`.
    noisy: Box<[Spectrum]>,
    /// `[hop]`: found with the lookahead.
    conditions: Box<[Conditions]>,
    /// `[hop]`: input that would be let through.
    dues: Box<[Due]>,
    defers_dry: bool,
    /// Hops that are written, and of these as many as are read again.
    n_hops: usize,
    n_read: usize,
}

/// A recording of any channel count on its way through an engine whose passes hand on `W`.
pub struct Sequence<W> {
    n_channels: usize,
    delay_samples: usize,
    settings: Settings,
    /// Hops that are heard and not in a chunk yet.
    ahead: Ahead,
    defers_dry: bool,
    /// Of the last hop that was read.
    noted: Noted,
    runner: Runner<W>,
    /// The chunk that takes the next hops.
    filling: Option<Box<Chunk<W>>>,
    n_inside: usize,
    max_inside: usize,
    /// Chunks that are done, oldest first, not all of whose hops have been read.
    done: VecDeque<Box<Chunk<W>>>,
    free: Vec<Box<Chunk<W>>>,
}

/// The threads that run the passes.
enum Runner<W> {
    /// The caller, one pass after the other.
    Caller(Vec<Work<Box<Chunk<W>>>>),
    /// Threads.
    Pool { line: Line<Box<Chunk<W>>>, results: Receiver<Result<Box<Chunk<W>>, EngineError>> },
}

impl<W: Send + 'static> Sequence<W> {
    /// A recording on the caller's thread.
    pub fn new<E: SequenceEngine<Work = W>>(engine: E, settings: Settings) -> Self {
        Self::with(engine, settings, 1, Runner::Caller)
    }

    /// A recording on the threads of `pool`, with up to `max_inside` chunks in work at once, at least one: about two more
    /// than there are threads for it keep them all at work.
    pub fn on<E: SequenceEngine<Work = W>>(
        pool: &Pool,
        engine: E,
        settings: Settings,
        max_inside: usize,
    ) -> Self {
        Self::with(engine, settings, max_inside.max(1), |passes| {
            let (line, results) = pool.line(passes);
            Runner::Pool { line, results }
        })
    }

    fn with<E: SequenceEngine<Work = W>>(
        engine: E,
        settings: Settings,
        max_inside: usize,
        runner: impl FnOnce(Vec<Work<Box<Chunk<W>>>>) -> Runner<W>,
    ) -> Self {
        let (n_channels, chunk_hops) = (engine.n_channels(), engine.chunk_hops());
        let chunk = |_| {
            Box::new(Chunk {
                hops: Hops::new(n_channels, chunk_hops),
                work: engine.work(),
                settings,
                samples: vec![0.0; chunk_hops * n_channels * HOP].into(),
                noisy: vec![SILENT_SPECTRUM; chunk_hops * n_channels].into(),
                conditions: vec![Conditions::default(); chunk_hops].into(),
                dues: vec![Due::default(); chunk_hops].into(),
                defers_dry: false,
                n_hops: 0,
                n_read: 0,
            })
        };
        Self {
            n_channels,
            delay_samples: OVERLAP_DELAY_SAMPLES + engine.lookahead_hops() * HOP,
            settings,
            ahead: Ahead::new(n_channels, 0),
            defers_dry: false,
            noted: Noted::default(),
            filling: None,
            n_inside: 0,
            max_inside,
            done: VecDeque::with_capacity(max_inside + 2),
            // Beside those in work one that is read and one that is filled.
            free: (0..max_inside + 2).map(chunk).collect(),
            runner: runner(passes(engine)),
        }
    }

    /// Hears the recording `ahead_hops` before it is processed, so that its level and band are known: what was pushed goes on
    /// its way so much later. To be called before the first hop.
    pub fn hearing_ahead(mut self, ahead_hops: usize) -> Self {
        self.ahead = Ahead::new(self.n_channels, ahead_hops);
        self
    }

    /// Leaves it to the caller to [let through](crate::dry) of the input what is due: the caller looks farther ahead, and
    /// finds it [noted](Self::noted). To be called before the first hop.
    pub fn deferring_dry(mut self) -> Self {
        self.defers_dry = true;
        self
    }

    /// Facts noted of the hop read last.
    pub fn noted(&self) -> Noted {
        self.noted
    }

    /// Samples between an input and the same moment in the output, not counting the hops that have not been
    /// [read](Self::pop) yet.
    pub fn delay_samples(&self) -> usize {
        self.delay_samples
    }

    /// Whether every hop that is in has been read.
    pub fn is_empty(&self) -> bool {
        self.filling.is_none() && self.n_inside == 0 && self.done.is_empty()
    }

    /// Whether no chunk is being worked on.
    pub fn is_idle(&self) -> bool {
        self.n_inside == 0
    }

    /// Changes the settings from the next hop on.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn set(&mut self, settings: Settings) -> Result<(), EngineError> {
        if self.settings != settings {
            self.flush()?;
            self.settings = settings;
        }
        Ok(())
    }

    /// Takes one hop: one slice of [`HOP`] samples per channel, 48 kHz, full scale 1. When a chunk is full it goes on its
    /// way; waits if too many are.
    ///
    /// # Errors
    /// The engine's; the recording must then be given up.
    ///
    /// # Panics
    /// If the channel count or a slice's length is another, or if what was [ready](Self::pop) has not been read for two chunks.
    pub fn push<C: AsRef<[f32]>>(&mut self, input: &[C]) -> Result<(), EngineError> {
        assert_eq!(input.len(), self.n_channels, "channel count");
        self.receive()?;
        let Some((samples, conditions)) = self.ahead.push(input, &self.settings.rules) else { return Ok(()) };
        let (settings, defers_dry) = (self.settings, self.defers_dry);
        let free = &mut self.free;
        let chunk = self.filling.get_or_insert_with(|| {
            let mut chunk = free.pop().expect("what is ready is read first");
            (chunk.n_hops, chunk.n_read, chunk.settings) = (0, 0, settings);
            chunk.defers_dry = defers_dry;
            chunk
        });
        let len = self.n_channels * HOP;
        chunk.samples[chunk.n_hops * len..(chunk.n_hops + 1) * len].copy_from_slice(samples);
        chunk.conditions[chunk.n_hops] = conditions;
        chunk.n_hops += 1;
        if chunk.n_hops * len == chunk.samples.len() { self.flush() } else { Ok(()) }
    }

    /// Sends the hops that are in on their way, though they do not fill a chunk: the next ones may be long in coming.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn flush(&mut self) -> Result<(), EngineError> {
        let Some(mut chunk) = self.filling.take() else { return Ok(()) };
        chunk.hops.begin(chunk.n_hops, chunk.settings.thresholds);
        for (update, conditions) in chunk.hops.updates_mut().iter_mut().zip(&chunk.conditions) {
            *update = conditions.update;
        }
        while self.n_inside >= self.max_inside && self.wait()? {}
        match &mut self.runner {
            Runner::Caller(passes) => {
                for pass in passes {
                    caught(|| pass(&mut chunk))?;
                }
                self.done.push_back(chunk);
            }
            Runner::Pool { line, .. } => {
                line.send(Ok(chunk));
                self.n_inside += 1;
            }
        }
        Ok(())
    }

    /// Gives the next hop if it is ready, in the order of [`push`](Self::push); `false` if it is not.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Panics
    /// If the channel count or a slice's length is another.
    pub fn pop<C: AsMut<[f32]>>(&mut self, output: &mut [C]) -> Result<bool, EngineError> {
        assert_eq!(output.len(), self.n_channels, "channel count");
        self.receive()?;
        let Some(chunk) = self.done.front_mut() else { return Ok(false) };
        let hop = chunk.samples[chunk.n_read * self.n_channels * HOP..].chunks_exact(HOP);
        for (output, samples) in output.iter_mut().zip(hop) {
            output.as_mut().copy_from_slice(samples);
        }
        let is_active = chunk.conditions[chunk.n_read].is_active;
        self.noted = Noted { dry: chunk.dues[chunk.n_read], is_active };
        chunk.n_read += 1;
        if chunk.n_read == chunk.n_hops {
            self.free.extend(self.done.pop_front());
        }
        Ok(true)
    }

    /// Waits until a chunk that is being worked on is done; `false` if there is none.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn wait(&mut self) -> Result<bool, EngineError> {
        match &self.runner {
            Runner::Pool { results, .. } if self.n_inside > 0 => {
                let gone = || EngineError::Failed {
                    device: "sequence".to_owned(),
                    reason: "its threads are gone".to_owned(),
                };
                let chunk = results.recv().map_err(|_| gone())??;
                self.n_inside -= 1;
                self.done.push_back(chunk);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Waits until all hops that are in are done, and hands each that has not been read yet to `take`, by way of `hop`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Panics
    /// As [`pop`](Self::pop).
    pub fn drain<C: AsMut<[f32]>>(
        &mut self,
        hop: &mut [C],
        mut take: impl FnMut(&mut [C]),
    ) -> Result<(), EngineError> {
        self.flush()?;
        loop {
            while self.pop(hop)? {
                take(hop);
            }
            if !self.wait()? {
                return Ok(());
            }
        }
    }

    /// Takes in what is done.
    fn receive(&mut self) -> Result<(), EngineError> {
        if let Runner::Pool { results, .. } = &self.runner {
            while let Ok(chunk) = results.try_recv() {
                self.done.push_back(chunk?);
                self.n_inside -= 1;
            }
        }
        Ok(())
    }
}

/// The engine's passes between the two halves.
fn passes<E: SequenceEngine>(engine: E) -> Vec<Work<Box<Chunk<E::Work>>>> {
    let n_channels = engine.n_channels();
    let mut analyser = Analyser::new(n_channels, engine.norm_alpha());
    let mut synthesiser = Synthesiser::new(n_channels, engine.lookahead_hops());
    let mut passes: Vec<Work<Box<Chunk<E::Work>>>> = vec![Box::new(move |chunk| {
        let noisy = chunk.noisy.chunks_exact_mut(n_channels);
        let inputs = chunk.hops.inputs_mut().chunks_exact_mut(n_channels);
        let hops = chunk.samples.chunks_exact(n_channels * HOP).zip(&chunk.conditions);
        for (((samples, conditions), noisy), inputs) in hops.zip(noisy).zip(inputs) {
            analyser.process_heard(samples.as_chunks::<HOP>().0, conditions, noisy, inputs);
        }
        Ok(())
    })];
    let network = engine.into_passes().into_iter().map(|mut pass: Box<dyn Pass<E::Work>>| -> Work<_> {
        Box::new(move |chunk: &mut Box<Chunk<E::Work>>| pass.run(&mut chunk.hops, &mut chunk.work))
    });
    passes.extend(network);
    passes.push(Box::new(move |chunk| {
        let Chunk { hops, settings, samples, noisy, dues, defers_dry, .. } = &mut **chunk;
        synthesiser.dry_mut().set_deferred(*defers_dry);
        let answers = hops.outputs().chunks_exact(n_channels).zip(hops.stages());
        let frames = noisy.chunks_exact(n_channels).zip(samples.chunks_exact_mut(n_channels * HOP));
        for (((answers, stage), (noisy, samples)), due) in answers.zip(frames).zip(dues) {
            synthesiser.noisy().copy_from_slice(noisy);
            synthesiser.process(&settings.shaping, *stage, answers, samples.as_chunks_mut::<HOP>().0);
            *due = *synthesiser.dry_mut().due();
        }
        Ok(())
    }));
    passes
}
