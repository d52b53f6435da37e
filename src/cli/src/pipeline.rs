//! Takes a signal of any sample rate through a processor of 48 kHz hops and back, sample-aligned and of equal length.
//!
//! Input -> [`Resampler`] to 48 kHz -> hops -> processor -> its delay dropped -> [`Resampler`] back -> output. The
//! processor may keep hops for as long as it likes: what comes out is numbered, not timed. The end is not treated apart:
//! silence is fed in at the front until as many samples have come out as went in. Runs on the thread that has the file;
//! holds a few blocks, never the signal.

use std::collections::VecDeque;

use anyhow::{Result, ensure};
use tacet_realtime::dry::{DryAhead, Noted};
use tacet_realtime::model::{HOP, SAMPLE_RATE_HZ};
use tacet_realtime::sequence::Sequence;

use super::resample::{Resampler, n_resampled};

/// Turns hops into new ones: the network, or in tests something simpler.
pub trait HopProcessor {
    /// Samples between an input and the same moment in the output; a multiple of [`HOP`].
    fn delay_samples(&self) -> usize;

    /// Takes one hop: one slice of [`HOP`] samples at 48 kHz per channel. May wait for hops taken before.
    ///
    /// # Errors
    /// The processor's own; the pipeline is then of no further use.
    fn push(&mut self, input: &[&[f32]]) -> Result<()>;

    /// Gives the next hop if it is ready.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    fn pop(&mut self, output: &mut [Vec<f32>]) -> Result<bool>;

    /// Facts known of the last hop.
    fn noted(&self) -> Noted {
        Noted::default()
    }

    /// Makes a beginning with the hops taken, as the next ones may be long in coming.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    fn flush(&mut self) -> Result<()>;

    /// Whether no hop is being worked on.
    fn is_idle(&self) -> bool;

    /// Waits until some more hops are ready; false if none is being worked on.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    fn wait(&mut self) -> Result<bool>;
}

impl<W: Send + 'static> HopProcessor for Sequence<W> {
    fn delay_samples(&self) -> usize {
        Sequence::delay_samples(self)
    }

    fn push(&mut self, input: &[&[f32]]) -> Result<()> {
        Ok(Sequence::push(self, input)?)
    }

    fn pop(&mut self, output: &mut [Vec<f32>]) -> Result<bool> {
        Ok(Sequence::pop(self, output)?)
    }

    fn noted(&self) -> Noted {
        Sequence::noted(self)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(Sequence::flush(self)?)
    }

    fn is_idle(&self) -> bool {
        Sequence::is_idle(self)
    }

    fn wait(&mut self) -> Result<bool> {
        Ok(Sequence::wait(self)?)
    }
}

/// Watches the signal at 48 kHz, hop by hop, before and after.
pub trait Observer {
    /// The same moment before and after, one slice per channel, of equal lengths up to [`HOP`] (less at the end).
    fn hop(&mut self, before: &[&[f32]], after: &[&[f32]]);

    /// The same for whole hops in which the input lives.
    fn active_hop(&mut self, _before: &[&[f32]], _after: &[&[f32]]) {}
}

/// Receives the output: one slice per channel, of equal lengths.
pub type Sink<'a> = dyn FnMut(&[&[f32]]) -> Result<()> + 'a;

/// A signal on its way through. See the module.
pub struct Pipeline {
    rate_hz: u32,
    up: Resampler,
    processor: Box<dyn HopProcessor>,
    down: Resampler,
    /// 48 kHz samples that do not fill a hop yet.
    pending: Vec<Vec<f32>>,
    /// Hops that are inside the processor, per channel.
    inside: Vec<VecDeque<f32>>,
    /// Hops still to come that belong to no input: the processor's delay.
    n_to_drop: usize,
    /// Lets through of the input what is due, two seconds later.
    dry_ahead: Option<DryAhead>,
    /// Hops that have come out of the processor and belong to the input.
    n_denoised: u64,
    hop_before: Vec<Vec<f32>>,
    hop_out: Vec<Vec<f32>>,
    /// Samples back at the input's rate.
    ready: Vec<Vec<f32>>,
    n_in: u64,
    n_out: u64,
    /// 48 kHz samples observed.
    n_observed: u64,
}

impl Pipeline {
    /// A pipeline for `n_channels` channels at `rate_hz` around a processor for as many channels.
    ///
    /// # Errors
    /// The rate cannot be converted, or the processor's delay is no whole number of hops.
    pub fn new(rate_hz: u32, n_channels: usize, processor: Box<dyn HopProcessor>) -> Result<Self> {
        let delay = processor.delay_samples();
        ensure!(delay.is_multiple_of(HOP), "a delay of {delay} samples is no whole number of hops");
        let empty = vec![Vec::new(); n_channels];
        Ok(Self {
            rate_hz,
            up: Resampler::new(rate_hz, SAMPLE_RATE_HZ, n_channels)?,
            processor,
            down: Resampler::new(SAMPLE_RATE_HZ, rate_hz, n_channels)?,
            pending: empty.clone(),
            inside: vec![VecDeque::new(); n_channels],
            n_to_drop: delay / HOP,
            dry_ahead: None,
            n_denoised: 0,
            hop_before: vec![vec![0.0; HOP]; n_channels],
            hop_out: vec![vec![0.0; HOP]; n_channels],
            ready: empty,
            n_in: 0,
            n_out: 0,
            n_observed: 0,
        })
    }

    /// Lets through of the input what the processor [notes](HopProcessor::noted), two seconds ahead. To be called
    /// before the first block.
    pub fn keeping_input(mut self) -> Self {
        self.dry_ahead = Some(DryAhead::new(self.pending.len()));
        self
    }

    /// Samples per channel put in so far.
    pub fn n_in(&self) -> u64 {
        self.n_in
    }

    /// Feeds a block (one slice per channel, equal lengths) and hands on what became ready.
    ///
    /// # Errors
    /// The processor's or the sink's.
    pub fn push<C: AsRef<[f32]>>(
        &mut self,
        block: &[C],
        observer: &mut dyn Observer,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        self.n_in += block.first().map_or(0, |channel| channel.as_ref().len()) as u64;
        self.feed(block, observer)?;
        self.drain(sink)
    }

    /// Hands on what became ready while the next block is not there yet, and lets the processor begin with what it has;
    /// false if there is nothing to hand on before the next block.
    ///
    /// # Errors
    /// The processor's or the sink's.
    pub fn pause(&mut self, observer: &mut dyn Observer, sink: &mut Sink<'_>) -> Result<bool> {
        self.collect(observer)?;
        // Only then: hops that came while others were being worked on wait for these.
        if self.processor.is_idle() {
            self.processor.flush()?;
            self.collect(observer)?;
        }
        self.drain(sink)?;
        Ok(!self.processor.is_idle())
    }

    /// Ends the signal: hands on the rest, so that as many samples have come out as went in.
    ///
    /// # Errors
    /// The processor's or the sink's.
    pub fn finish(mut self, observer: &mut dyn Observer, sink: &mut Sink<'_>) -> Result<()> {
        let silence = vec![[0.0; HOP]; self.pending.len()];
        loop {
            self.processor.flush()?;
            while self.processor.wait()? {
                self.collect(observer)?;
                self.drain(sink)?;
            }
            self.collect(observer)?;
            self.drain(sink)?;
            if self.n_out == self.n_in && self.n_observed >= self.n_to_observe() {
                return Ok(());
            }
            // The hops still missing, as far as can be known; the resamplers have their own delays.
            let n_inside = self.n_to_observe().div_ceil(HOP as u64).saturating_sub(self.n_denoised);
            let n_missing = match &mut self.dry_ahead {
                Some(dry_ahead) if n_inside == 0 && !dry_ahead.has_ended() => {
                    dry_ahead.end();
                    0
                }
                Some(dry_ahead) if !dry_ahead.has_ended() => n_inside,
                _ => (self.n_in - self.n_out).div_ceil(HOP as u64).max(1),
            };
            for _ in 0..n_missing {
                self.feed(&silence, observer)?;
            }
        }
    }

    fn feed<C: AsRef<[f32]>>(&mut self, block: &[C], observer: &mut dyn Observer) -> Result<()> {
        self.up.process(block, &mut self.pending)?;
        let n_hops = self.pending.first().map_or(0, Vec::len) / HOP;
        for hop in 0..n_hops {
            let input: Vec<&[f32]> =
                self.pending.iter().map(|channel| &channel[hop * HOP..(hop + 1) * HOP]).collect();
            self.processor.push(&input)?;
            for (inside, samples) in self.inside.iter_mut().zip(input) {
                inside.extend(samples);
            }
            self.collect(observer)?;
        }
        for channel in &mut self.pending {
            channel.drain(..n_hops * HOP);
        }
        Ok(())
    }

    /// Takes what the processor has ready.
    fn collect(&mut self, observer: &mut dyn Observer) -> Result<()> {
        while self.processor.pop(&mut self.hop_out)? {
            if self.n_to_drop > 0 {
                self.n_to_drop -= 1;
                continue;
            }
            for (inside, before) in self.inside.iter_mut().zip(&mut self.hop_before) {
                // In two pieces where the queue's end is before its beginning.
                let (older, newer) = inside.as_slices();
                let n_older = older.len().min(HOP);
                before[..n_older].copy_from_slice(&older[..n_older]);
                before[n_older..].copy_from_slice(&newer[..HOP - n_older]);
                inside.drain(..HOP);
            }
            self.n_denoised += 1;
            let noted = self.processor.noted();
            match &mut self.dry_ahead {
                Some(dry_ahead) => dry_ahead.push(&self.hop_before, &self.hop_out, noted),
                None => self.hand_on(noted.is_active, observer)?,
            }
            self.take_ready(observer)?;
        }
        self.take_ready(observer)
    }

    /// Takes the hops that have waited for what is due.
    fn take_ready(&mut self, observer: &mut dyn Observer) -> Result<()> {
        while let Some(noted) =
            self.dry_ahead.as_mut().and_then(|hops| hops.pop(&mut self.hop_before, &mut self.hop_out))
        {
            self.hand_on(noted.is_active, observer)?;
        }
        Ok(())
    }

    /// A hop that is done: shown to the observer, then back to the input's rate.
    fn hand_on(&mut self, is_active: bool, observer: &mut dyn Observer) -> Result<()> {
        if is_active {
            observer.active_hop(&first(&self.hop_before, HOP), &first(&self.hop_out, HOP));
        }
        // The last hop reaches past the end; what is behind it is the silence fed in to flush.
        let n_observed = (self.n_to_observe() - self.n_observed).min(HOP as u64);
        if n_observed > 0 {
            observer.hop(
                &first(&self.hop_before, n_observed as usize),
                &first(&self.hop_out, n_observed as usize),
            );
            self.n_observed += n_observed;
        }
        self.down.process(&self.hop_out, &mut self.ready)?;
        Ok(())
    }

    /// 48 kHz samples that the input so far covers.
    fn n_to_observe(&self) -> u64 {
        n_resampled(self.n_in, self.rate_hz, SAMPLE_RATE_HZ)
    }

    /// Hands on what is ready, up to the length of the input so far.
    fn drain(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let n_ready = self.ready.first().map_or(0, Vec::len);
        let n_sent = (self.n_in - self.n_out).min(n_ready as u64);
        if n_sent > 0 {
            let block: Vec<&[f32]> = self.ready.iter().map(|channel| &channel[..n_sent as usize]).collect();
            sink(&block)?;
            self.n_out += n_sent;
        }
        for channel in &mut self.ready {
            channel.drain(..n_sent as usize);
        }
        Ok(())
    }
}

/// The first samples of every channel.
fn first(hop: &[Vec<f32>], n_samples: usize) -> Vec<&[f32]> {
    hop.iter().map(|channel| &channel[..n_samples]).collect()
}

#[cfg(test)]
mod tests;
