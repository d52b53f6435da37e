//! Rules around the network, for the recordings that it was not trained for: quiet speech, band-limited input, pauses.
//!
//! A [`Listener`] hears every frame of a stream and says under which [`Conditions`] its features are to be computed;
//! [`StreamFeatures`](crate::features::StreamFeatures) computes them. Each rule is an exact no-op where the network works,
//! and each can be switched off; [`Rules::REFERENCE`] is the official runtime's behaviour. Rules hear the signal alone, and
//! not what the network makes of it: so every engine, hop by hop or many hops at once, sees the same features.
//!
//! Live, conditions are those of the newest frame. Files have a lookahead: level and band are then known before they are
//! needed.

use crate::engine::StateUpdate;
use crate::powers::FramePowers;

pub(crate) mod activity;
pub(crate) mod bandwidth;
pub mod level;
mod pause;
#[cfg(test)]
mod tests;

use activity::Activity;
use bandwidth::BandTracker;
pub use bandwidth::NarrowBand;
use level::{LevelRule, LevelTracker};
use pause::{BEGINNING_HOPS, PauseTracker};

/// Lookahead for files, in hops: three seconds.
pub const FILE_AHEAD_HOPS: usize = 300;

/// The rules of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// The feature gain.
    pub level: LevelRule,
    /// Whether the empty band of band-limited input is filled.
    pub fills_band: bool,
    /// Whether pauses leave normalisation and hidden states alone.
    pub bounds_pauses: bool,
}

impl Rules {
    /// The official runtime's behaviour.
    pub const REFERENCE: Self =
        Self { level: LevelRule::Fixed(0.0), fills_band: false, bounds_pauses: false };
}

impl Default for Rules {
    fn default() -> Self {
        Self { level: LevelRule::Auto, fills_band: true, bounds_pauses: true }
    }
}

/// Under which conditions the features of a hop are computed. The default is the official runtime's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Feature gain in dB; 0 is exactly 1.
    pub gain_db: f32,
    /// Band of band-limited input.
    pub band: Option<NarrowBand>,
    /// Whether this is a pause.
    pub is_pause: bool,
    /// Whether the sound lives.
    pub is_active: bool,
    /// Whether it is loud enough for the gain.
    pub is_loud: bool,
    /// Treatment of the network's hidden states.
    pub update: StateUpdate,
    /// A correction to apply before this hop.
    pub rescale: Option<Rescale>,
}

/// Hops already processed that were at a level which another gain is right for: the normalisation is to become what it
/// would be, had they been heard with that gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rescale {
    /// How many; all that the normalisation knows, or those since the last that was loud.
    pub n_hops: usize,
    /// Whether these are all.
    pub is_whole: bool,
    /// The new gain in dB, and by how much it is above the old one.
    pub gain_db: f32,
    /// The step in dB.
    pub step_db: f32,
}

/// Knowledge about a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    activity: Activity,
    level: LevelTracker,
    band: BandTracker,
    pause: PauseTracker,
    n_heard: usize,
}

/// Hears one stream, all channels, hop by hop. Real-time safe after `new`.
#[derive(Clone, Debug)]
pub struct Listener {
    known: Known,
    /// Conditions of the last hops heard, a ring.
    plan: Box<[Conditions]>,
    newest: usize,
}

impl Listener {
    /// A listener that is `ahead_hops` ahead of the processing; 0 for live audio. Allocates.
    pub fn new(ahead_hops: usize) -> Self {
        Self { known: Known::default(), plan: vec![Conditions::default(); ahead_hops + 1].into(), newest: 0 }
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.known = Known::default();
        self.plan.fill(Conditions::default());
        self.newest = 0;
    }

    /// Knowledge about the stream.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Goes on from what another listener knows.
    pub fn inherit(&mut self, known: &Known) {
        self.known = *known;
    }

    /// Hears the powers of every channel's next frame.
    pub fn hear(&mut self, channels: &[FramePowers], rules: &Rules) {
        self.newest = (self.newest + 1) % self.plan.len();
        self.known.n_heard = self.known.n_heard.saturating_add(1);
        self.plan[self.newest] = Conditions::default();
        if *rules == Rules::REFERENCE {
            return;
        }
        self.known.activity.hear(channels);
        self.known.pause.follow(&self.known.activity);
        if rules.fills_band {
            self.known.band.follow(channels);
        }
        let old_db = self.known.level.gain_db();
        let jump = self.known.level.follow(&self.known.activity, self.plan.len());
        self.plan[self.newest] = Conditions {
            gain_db: self.known.level.gain_db(),
            band: self.known.band.narrow_band().filter(|_| rules.fills_band),
            is_pause: rules.bounds_pauses && self.known.pause.is_pause(),
            is_active: self.known.activity.is_active(),
            is_loud: self.known.level.is_loud(),
            update: StateUpdate::Advance,
            rescale: None,
        };
        if rules.bounds_pauses {
            self.hold();
        }
        if let Some(jump) = jump.filter(|_| rules.level == LevelRule::Auto) {
            self.reach_back(jump, old_db);
        }
        if rules.fills_band && self.known.band.is_first() {
            let band = self.known.band.narrow_band();
            self.plan.iter_mut().for_each(|hop| hop.band = band);
        }
        if let LevelRule::Fixed(gain_db) = rules.level {
            self.plan[self.newest].gain_db = gain_db;
        }
    }

    /// Conditions of the hop heard `ahead_hops` before the newest. `None` until so many were heard.
    pub fn conditions(&self) -> Option<Conditions> {
        (self.known.n_heard >= self.plan.len()).then(|| self.plan[self.oldest()])
    }

    fn oldest(&self) -> usize {
        (self.newest + 1) % self.plan.len()
    }

    /// The hop planned `back` hops before the newest.
    fn planned(&mut self, back: usize) -> &mut Conditions {
        let n_planned = self.plan.len();
        &mut self.plan[(self.newest + n_planned - back) % n_planned]
    }

    /// Holds the hidden states in the newest hop and in the beginning of its pause, or lets them go a little before it, as far
    /// as these are not processed.
    fn hold(&mut self) {
        let n_planned = self.plan.len();
        if self.known.pause.is_held() {
            for back in 0..self.known.pause.n_held_late().clamp(1, n_planned) {
                self.planned(back).update = StateUpdate::Hold;
            }
        } else {
            for back in 0..BEGINNING_HOPS.min(n_planned) {
                self.planned(back).update = StateUpdate::Advance;
            }
        }
    }

    /// Gives the hops that a jump is for its gain, as far as they are not processed.
    fn reach_back(&mut self, jump: level::Jump, old_db: f32) {
        let n_planned = self.plan.len();
        for back in 0..jump.n_hops.min(n_planned) {
            self.planned(back).gain_db = jump.gain_db;
        }
        let n_processed = self.known.n_heard.saturating_sub(n_planned);
        let n_late = jump.n_hops.saturating_sub(n_planned).min(n_processed);
        if n_late > 0 {
            // The official gain's state is known from the beginning.
            let is_whole = n_late == n_processed || jump.gain_db == 0.0;
            let oldest = &mut self.plan[self.oldest()];
            if jump.is_first() {
                // What the states know of too quiet speech they would keep for seconds.
                oldest.update = StateUpdate::Restart;
            }
            oldest.rescale = Some(Rescale {
                n_hops: if is_whole { n_processed } else { n_late },
                is_whole,
                gain_db: jump.gain_db,
                step_db: jump.gain_db - old_db,
            });
        }
    }
}
