//! For recordings: what is due is known before it is needed.

use tacet_model::HOP;

use super::ahead_bands::AheadBands;
use super::{Due, Glide, Noted};

/// Lookahead for recordings, in hops: two seconds.
const AHEAD_HOPS: usize = 200;

/// Lets through of every hop what is [due](super::DryShare::due) two seconds later. Not for the audio thread.
pub struct DryAhead {
    n_channels: usize,
    /// Input and output of the hops that wait, a ring: `[hop][before, after][channel][480]`.
    samples: Box<[f32]>,
    /// Their notes: `[hop]`.
    notes: Box<[Noted]>,
    /// The place of the next hop.
    at: usize,
    n_waiting: usize,
    due: Due,
    /// Shares at the end of the last hop put out; none before the first.
    shares: Option<Glide>,
    bands: AheadBands,
    has_ended: bool,
}

impl DryAhead {
    /// For `n_channels` channels.
    pub fn new(n_channels: usize) -> Self {
        Self {
            n_channels,
            samples: vec![0.0; (AHEAD_HOPS + 1) * 2 * n_channels * HOP].into(),
            notes: vec![Noted::default(); AHEAD_HOPS + 1].into(),
            at: 0,
            n_waiting: 0,
            due: Due::default(),
            shares: None,
            bands: AheadBands::new(n_channels),
            has_ended: false,
        }
    }

    /// Takes the next hop, input and output aligned, one slice of [`HOP`] samples per channel, with what is noted of it.
    ///
    /// # Panics
    /// If the channel count or a slice's length is another, or if what is [ready](Self::pop) has not been taken.
    pub fn push<C: AsRef<[f32]>>(&mut self, before: &[C], after: &[C], noted: Noted) {
        assert!(self.n_waiting <= AHEAD_HOPS, "what is ready is taken first");
        assert_eq!((before.len(), after.len()), (self.n_channels, self.n_channels), "channel count");
        let place = self.place(self.at).chunks_exact_mut(HOP);
        for (place, channel) in place.zip(before.iter().chain(after)) {
            place.copy_from_slice(channel.as_ref());
        }
        self.notes[self.at] = noted;
        self.at = (self.at + 1) % (AHEAD_HOPS + 1);
        self.n_waiting += 1;
        self.due = noted.dry;
    }

    /// Nothing comes any more that the recording could be judged by: all hops that wait are ready, and those that follow at
    /// once.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// Whether it has [ended](Self::end).
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Gives the oldest hop if it is ready: the input in `before`, what is put out in `after`, and what was noted.
    ///
    /// # Panics
    /// If the channel count or a channel's length is another.
    pub fn pop(&mut self, before: &mut [Vec<f32>], after: &mut [Vec<f32>]) -> Option<Noted> {
        if self.n_waiting <= if self.has_ended { 0 } else { AHEAD_HOPS } {
            return None;
        }
        assert_eq!((before.len(), after.len()), (self.n_channels, self.n_channels), "channel count");
        let oldest = (self.at + AHEAD_HOPS + 1 - self.n_waiting) % (AHEAD_HOPS + 1);
        let hops = self.place(oldest).chunks_exact(HOP);
        for (channel, samples) in before.iter_mut().chain(&mut *after).zip(hops) {
            channel.copy_from_slice(samples);
        }
        self.n_waiting -= 1;
        let from = self.shares.unwrap_or(Glide::at(&self.due));
        let to = from.next(&self.due);
        self.shares = Some(to);
        let next = (oldest + 1) % (AHEAD_HOPS + 1);
        if self.n_waiting == 0 {
            self.place(next).fill(0.0);
        }
        let len = 2 * self.n_channels * HOP;
        let samples = |hop: usize| {
            let channels = self.samples[hop * len..(hop + 1) * len].as_chunks().0;
            channels.split_at(self.n_channels)
        };
        let added = self.bands.process(samples(oldest), samples(next), &to, &self.due);
        if from.share > 0.0 || to.share > 0.0 {
            for (before, after) in before.iter().zip(&mut *after) {
                for (i, (x, y)) in before.iter().zip(after).enumerate() {
                    *y += (x - *y) * (from.share + (to.share - from.share) * (i as f32 / HOP as f32));
                }
            }
        }
        for (added, after) in added.into_iter().flatten().zip(after) {
            after.iter_mut().zip(added).for_each(|(y, added)| *y += added);
        }
        Some(self.notes[oldest])
    }

    fn place(&mut self, hop: usize) -> &mut [f32] {
        let len = 2 * self.n_channels * HOP;
        &mut self.samples[hop * len..(hop + 1) * len]
    }
}
