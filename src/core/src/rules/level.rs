//! The feature gain: brings quiet speech to the level that the network knows, in its features alone.
//!
//! Mask and deep-filter coefficients are ratios, so that they fit the unscaled signal: nothing that is heard is ever
//! amplified. The gain is exactly 1 while speech is at a usual level. Speech decides, not noise: without a sound that
//! lives (`activity`), the gain stays where it is. It moves in jumps, and only for errors that last.
//!
//! Live, a stream knows the level when it has heard half a second of speech. Files have a lookahead: a jump reaches
//! back to where the sound that caused it begins.

use super::activity::Activity;
use super::pause::PAUSE_HOPS;

/// How a stream's feature gain is found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LevelRule {
    /// From the level of the speech.
    #[default]
    Auto,
    /// Fixed, in dB; 0 is the official behaviour.
    Fixed(f32),
}

/// The kinds of [`LevelRule`], as a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LevelMode {
    /// From the level of the speech.
    #[default]
    Auto,
    /// None: the official behaviour.
    Off,
    /// Always the same.
    Fixed,
}

impl LevelRule {
    /// The level of a mode; `gain_db` counts where it is fixed.
    pub fn new(mode: LevelMode, gain_db: f32) -> Self {
        match mode {
            LevelMode::Auto => Self::Auto,
            LevelMode::Off => Self::Fixed(0.0),
            LevelMode::Fixed => Self::Fixed(gain_db),
        }
    }
}

/// Level that speech is brought to, in dB below full scale: loudest 50 ms of a third of a second.
const TARGET_DBFS: f32 = -26.0;
/// Speech needs so much before gain 1 is left, in dB: at the first decision, and later, when its own past speaks
/// against it.
const FIRST_ENGAGE_DB: f32 = 14.0;
const ENGAGE_DB: f32 = 18.0;
/// Speech at a gain may be so much too quiet, in dB.
const TOO_QUIET_DB: f32 = 12.0;
/// Speech at a gain may be so much too loud before the gain is taken back at once, in dB: the network minds quiet, not
/// loud.
const TOO_LOUD_DB: f32 = 22.0;
/// Expected rise of a sound that has just begun, in dB.
const RISE_DB: f32 = 8.0;
/// Speech that needs less than this, for long, gets gain 1 again, in dB.
const RELEASE_DB: f32 = 10.0;
/// Largest gain, in dB.
pub const MAX_GAIN_DB: f32 = 60.0;
/// Hops over which the loudest counts.
const WINDOW_HOPS: usize = 30;
/// Hops of living sound before the first decision, how many more for each decibel of gain beyond [`SURE_DB`], for speech is
/// seldom so quiet, and how much each must have changed on average.
const FIRST_HOPS: f32 = 40.0;
const HOPS_PER_DB: f32 = 0.75;
const SURE_DB: f32 = 20.0;
const FIRST_CHANGE: f32 = 0.7;
/// Hops of living sound before a later decision, and how much they must have changed in all.
const LATER_HOPS: usize = 100;
const LATER_CHANGE: f32 = 100.0;
/// So many of them must have risen by so much each: a sound that ends only falls, and a breath or a noise that begins rises
/// once, where speech does with every syllable.
const LATER_RISEN_HOPS: usize = 34;
const RISEN: f32 = 0.5;
/// Hops at a usual level after which a gain is taken back.
const USUAL_HOPS: usize = 80;
/// Hops in which a loud sound's end fades from what is followed.
const SETTLING_HOPS: usize = 16;

/// A jump of the gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jump {
    /// The new gain in dB.
    pub gain_db: f32,
    /// For how many hops, the newest included, the sound has been at the level that the gain is for. All that were
    /// heard, at the first jump.
    pub n_hops: usize,
}

impl Jump {
    /// Whether it is the stream's first, so that the gain is right for all that was heard.
    pub fn is_first(&self) -> bool {
        self.n_hops == usize::MAX
    }
}

/// Follows the level of one stream's speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelTracker {
    gain_db: f32,
    has_decided: bool,
    /// Levels of the last hops that lived, and the power of all of them.
    window_dbfs: [f32; WINDOW_HOPS],
    lived_power: f64,
    n_lived: usize,
    /// Hops since the last that lived.
    n_idle: u32,
    /// Hops heard, living or not.
    n_heard: usize,
    /// How long the sound has been too quiet for the gain, and how long at a usual level with a gain.
    quiet: Lasting,
    usual: Lasting,
}

/// How long something has lasted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lasting {
    /// Living hops.
    n_lived: usize,
    /// All hops.
    n_hops: usize,
    /// Sum of the changes of the living hops.
    change: f32,
    /// How many of these rose.
    n_risen: usize,
}

impl Default for LevelTracker {
    fn default() -> Self {
        Self {
            gain_db: 0.0,
            has_decided: false,
            window_dbfs: [f32::MIN; WINDOW_HOPS],
            lived_power: 0.0,
            n_lived: 0,
            n_idle: 0,
            n_heard: 0,
            quiet: Lasting::default(),
            usual: Lasting::default(),
        }
    }
}

impl LevelTracker {
    /// Follows the next hop; returns a jump if the gain changes. The first decision waits until `first_hop` if there is any
    /// living sound before.
    pub fn follow(&mut self, activity: &Activity, first_hop: usize) -> Option<Jump> {
        self.n_heard = self.n_heard.saturating_add(1);
        self.quiet.n_hops += 1;
        self.usual.n_hops += 1;
        if !activity.is_active() {
            self.n_idle = self.n_idle.saturating_add(1);
            return None;
        }
        if std::mem::take(&mut self.n_idle) > PAUSE_HOPS && self.has_decided {
            self.quiet.forget_living();
        }
        let level_dbfs = activity.level_dbfs();
        self.n_lived += 1;
        self.window_dbfs[self.n_lived % WINDOW_HOPS] = level_dbfs;
        if !self.has_decided {
            self.lived_power += f64::from(activity.power());
            self.quiet.add(activity);
            return self.decide_first(first_hop);
        }
        let loudest_dbfs = self.loudest_dbfs();
        let error_db = needed_db(level_dbfs) - self.gain_db;
        let too_quiet_db = if self.gain_db == 0.0 { ENGAGE_DB } else { TOO_QUIET_DB };
        if error_db < too_quiet_db {
            self.quiet = Lasting::default();
        } else if self.quiet.n_hops > SETTLING_HOPS {
            self.quiet.add(activity);
        }
        if self.gain_db > 0.0 && needed_db(loudest_dbfs) < RELEASE_DB {
            self.usual.add(activity);
        } else {
            self.usual = Lasting::default();
        }
        if self.gain_db > 0.0 && error_db < -TOO_LOUD_DB {
            let needed_db = needed_db(level_dbfs);
            return self.jump(if needed_db < RELEASE_DB + RISE_DB { 0.0 } else { needed_db }, 1);
        }
        if self.usual.n_lived >= USUAL_HOPS {
            return self.jump(0.0, self.usual.n_hops);
        }
        let Lasting { n_lived, change, n_risen, .. } = self.quiet;
        if n_lived >= LATER_HOPS && change >= LATER_CHANGE && n_risen >= LATER_RISEN_HOPS {
            return self.jump(needed_db(loudest_dbfs), self.quiet.n_hops);
        }
        None
    }

    fn decide_first(&mut self, first_hop: usize) -> Option<Jump> {
        let mean_dbfs = 10.0 * libm::log10(self.lived_power / self.n_lived as f64) as f32;
        let needed_db = needed_db(self.loudest_dbfs().max(mean_dbfs));
        let n_hops = FIRST_HOPS + HOPS_PER_DB * (needed_db - SURE_DB).max(0.0);
        let has_lived = self.quiet.n_lived as f32 >= n_hops && self.quiet.change >= FIRST_CHANGE * n_hops;
        if !has_lived || self.n_heard < first_hop {
            return None;
        }
        self.has_decided = true;
        self.quiet = Lasting::default();
        if needed_db < FIRST_ENGAGE_DB { None } else { self.jump(needed_db, usize::MAX) }
    }

    /// Level of the loudest of the last hops that lived.
    fn loudest_dbfs(&self) -> f32 {
        self.window_dbfs.iter().fold(f32::MIN, |loudest, &level| loudest.max(level))
    }

    /// The gain in dB.
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    /// Whether the last hop was loud enough for the gain.
    pub(crate) fn is_loud(&self) -> bool {
        self.has_decided && self.quiet.n_hops == 0
    }

    fn jump(&mut self, gain_db: f32, n_hops: usize) -> Option<Jump> {
        self.quiet = Lasting::default();
        self.usual = Lasting::default();
        let gain_db = if gain_db < RELEASE_DB { 0.0 } else { gain_db };
        if gain_db == self.gain_db {
            return None;
        }
        self.gain_db = gain_db;
        self.window_dbfs.fill(f32::MIN);
        Some(Jump { gain_db, n_hops })
    }
}

impl Lasting {
    /// A pause later the end of a sound says nothing about the next one.
    fn forget_living(&mut self) {
        *self = Self { n_hops: self.n_hops, ..Self::default() };
    }

    fn add(&mut self, activity: &Activity) {
        self.n_lived += 1;
        self.change += activity.change();
        self.n_risen += usize::from(activity.rise() >= RISEN);
    }
}

/// Gain that brings a level to the target, in dB.
fn needed_db(level_dbfs: f32) -> f32 {
    (TARGET_DBFS - level_dbfs).min(MAX_GAIN_DB)
}
