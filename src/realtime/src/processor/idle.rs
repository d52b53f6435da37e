//! Lets a stream sleep while its input is digitally silent. Audio thread; real-time safe.

use crate::samples::peak;

/// Peak below which a hop is digitally silent: -120 dBFS, below the dither of 20 bits.
const SILENCE_PEAK: f32 = 1e-6;

/// The gate's decision about a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Process it.
    Run,
    /// The first hop that sleeps.
    Sleep,
    /// Asleep: the output is silence.
    Idle,
}

/// Counts silent hops.
#[derive(Clone, Debug)]
pub struct SilenceGate {
    n_silent: usize,
    hold_hops: usize,
}

impl SilenceGate {
    /// A gate that sleeps after `hold_hops` silent hops: enough for everything before to have been put out.
    pub fn new(hold_hops: usize) -> Self {
        Self { n_silent: 0, hold_hops }
    }

    /// Judges the next hop, one slice of samples per channel.
    pub fn judge<C: AsRef<[f32]>>(&mut self, hop: &[C]) -> Gate {
        let is_silent = hop.iter().all(|channel| peak(channel.as_ref()) < SILENCE_PEAK);
        let was_idle = self.is_idle();
        self.n_silent = if is_silent { self.n_silent.saturating_add(1) } else { 0 };
        match (was_idle, self.is_idle()) {
            (_, false) => Gate::Run,
            (false, true) => Gate::Sleep,
            (true, true) => Gate::Idle,
        }
    }

    /// Whether the stream sleeps.
    pub fn is_idle(&self) -> bool {
        self.n_silent > self.hold_hops
    }

    /// Awake again.
    pub fn reset(&mut self) {
        self.n_silent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_after_the_hold_and_wakes_at_the_first_sample() {
        let mut gate = SilenceGate::new(2);
        let silent = [vec![0.0; 480], vec![-9e-7; 480]];
        let mut loud = silent.clone();
        loud[1][479] = 1e-5;
        let heard: Vec<Gate> =
            [&silent, &silent, &silent, &silent, &loud, &silent].map(|hop| gate.judge(hop)).into();
        assert_eq!(heard, [Gate::Run, Gate::Run, Gate::Sleep, Gate::Idle, Gate::Run, Gate::Run]);
    }
}
