//! Problems of a live program, judged once a second by what the audio thread counts, and what to say about them. Never on
//! the audio thread.

use std::time::Duration;

/// Between two looks.
pub const LOOK: Duration = Duration::from_secs(1);
/// An input that has been silent for this long is not a pause, in seconds: even a quiet room moves a converter's last bit.
const SILENCE_S: f64 = 10.0;
/// Looks without a sample while the streams run, until the device counts as stuck.
const N_STUCK: u32 = 3;
/// Looks that late hops and lost blocks are summed up over.
const N_SUMMED: u32 = 10;

/// The counts at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Whether the devices run.
    pub is_streaming: bool,
    /// Seconds processed so far.
    pub processed_s: f64,
    /// Seconds since the input was last more than silence.
    pub silent_s: f64,
    /// Hops that came too late so far.
    pub n_late: u64,
    /// Blocks lost so far.
    pub n_lost: u64,
}

/// Judges from look to look.
#[derive(Debug, Default)]
pub struct Watch {
    last: Counts,
    n_stuck: u32,
    /// Looks since the sums began, and what they began with.
    n_looks: u32,
    summed_from: Counts,
    is_late: bool,
}

impl Watch {
    /// Begins with these counts: what was lost before is past.
    pub fn new(counts: Counts) -> Self {
        Self { last: counts, summed_from: counts, ..Self::default() }
    }

    /// The problem at this moment, with what is done about it or can be; `None` while there is none.
    pub fn look(&mut self, now: Counts) -> Option<String> {
        let is_stuck = now.is_streaming && now.processed_s == self.last.processed_s;
        self.n_stuck = if is_stuck { self.n_stuck + 1 } else { 0 };
        self.last = now;
        self.n_looks += 1;
        let n_late = now.n_late.saturating_sub(self.summed_from.n_late);
        let n_lost = now.n_lost.saturating_sub(self.summed_from.n_lost);
        if self.n_looks >= N_SUMMED {
            (self.n_looks, self.summed_from) = (0, now);
            self.is_late = n_late + n_lost > 0;
        }
        if self.n_stuck >= N_STUCK {
            return Some(
                "the device gives no samples; waiting for it. If it stays so, connect it again".to_owned(),
            );
        }
        if now.is_streaming && now.silent_s >= SILENCE_S {
            let text = "the input is silent: is the microphone muted, or switched off? Choose another in the system's \
                        sound settings, or by --input";
            return Some(text.to_owned());
        }
        if n_late + n_lost > 0 || self.is_late {
            self.is_late = true;
            let text = "sound comes too late at times, and gaps are concealed: a larger --buffer, --latency safe, or less \
                        other work for this computer helps";
            return Some(text.to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks once a second for `n_s`, with everything well but for what `change` does; gives the last verdict.
    fn after(watch: &mut Watch, from_s: u32, n_s: u32, change: impl Fn(&mut Counts)) -> Option<String> {
        let mut said = None;
        for second in from_s..from_s + n_s {
            let mut counts =
                Counts { is_streaming: true, processed_s: f64::from(second), ..Counts::default() };
            change(&mut counts);
            said = watch.look(counts);
        }
        said
    }

    #[test]
    fn healthy_counts_are_no_problem() {
        let mut watch = Watch::default();
        assert_eq!(after(&mut watch, 1, 100, |_| {}), None);
        // Nobody listens: nothing comes, and nothing is wrong.
        let asleep = |counts: &mut Counts| (counts.is_streaming, counts.processed_s) = (false, 100.0);
        assert_eq!(after(&mut watch, 101, 100, asleep), None);
        assert_eq!(after(&mut watch, 201, 9, |counts| counts.silent_s = 9.0), None);
    }

    #[test]
    fn each_problem_is_named_and_ends() {
        let mut watch = Watch::default();
        let stuck = after(&mut watch, 1, 5, |counts| counts.processed_s = 7.0);
        assert!(stuck.unwrap().contains("no samples"));
        assert_eq!(after(&mut watch, 10, 1, |_| {}), None);
        let silent = after(&mut watch, 11, 1, |counts| counts.silent_s = 11.0);
        assert!(silent.unwrap().contains("silent"));
        assert_eq!(after(&mut watch, 12, 1, |_| {}), None);
        let late = after(&mut watch, 13, 1, |counts| counts.n_late = 3);
        assert!(late.unwrap().contains("too late"));
        // It stays for a while, so that it can be read, and goes.
        assert!(after(&mut watch, 14, 5, |counts| counts.n_late = 3).is_some());
        assert_eq!(after(&mut watch, 19, 20, |counts| counts.n_late = 3), None);
        assert!(after(&mut watch, 39, 1, |counts| (counts.n_late, counts.n_lost) = (3, 1)).is_some());
    }

    #[test]
    fn earlier_losses_are_past() {
        let mut watch = Watch::new(Counts { n_late: 8, n_lost: 2, ..Counts::default() });
        assert_eq!(after(&mut watch, 1, 20, |counts| (counts.n_late, counts.n_lost) = (8, 2)), None);
    }
}
