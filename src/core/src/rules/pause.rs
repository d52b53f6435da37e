//! Pauses: where no sound has lived for a while, normalisation and hidden states stay what they were with speech.
//!
//! Through a minute of room tone the network's memory would drift away from speech. So it is held as long as a pause sounds
//! the same; any hop in which something begins advances it. Where the pause itself changes, a fan that starts or noise
//! that grows, it is let go until it knows the new sound.

use super::activity::{Activity, Levels};

/// Hops without a sound that lives after which it is a pause.
pub const PAUSE_HOPS: u32 = 150;
/// Hops that hidden states take in after the last sound that lived, where it is known in time that a pause follows.
const ENDING_HOPS: u32 = 20;
/// Hops after which the levels are those of the pause.
const SETTLED_HOPS: u32 = 100;
/// Hops before a beginning from which hidden states advance again, where it is known in time.
pub const BEGINNING_HOPS: usize = 10;
/// Change from which something begins; stationary noise stays below.
const BEGINNING_CHANGE: f32 = 0.5;
/// Mean distance of the bands' levels, in dB, from which a pause sounds another way.
const ANOTHER_SOUND_DB: f32 = 2.0;
/// Hops in which hidden states take in another sound.
const ADAPTING_HOPS: u32 = 100;

/// Follows the pauses of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PauseTracker {
    has_lived: bool,
    /// Hops since the last that lived.
    n_idle: u32,
    /// Hops of silence in a row.
    n_silent: u32,
    /// Levels that the hidden states know.
    known_db: Levels,
    /// Hops for which they still take in another sound.
    n_adapting: u32,
    is_held: bool,
}

impl PauseTracker {
    /// Follows the next hop.
    pub fn follow(&mut self, activity: &Activity) {
        if activity.is_active() {
            *self = Self { has_lived: true, ..Self::default() };
        } else if self.has_lived {
            // Before the first sound that lives there is nothing to hold on to.
            self.n_idle = self.n_idle.saturating_add(1);
        }
        self.n_silent = if activity.mean_db().is_none() { self.n_silent.saturating_add(1) } else { 0 };
        if let Some(mean_db) = activity.mean_db().filter(|_| self.n_idle >= SETTLED_HOPS) {
            self.follow_sound(mean_db);
        }
        self.is_held = self.is_pause() && self.n_adapting == 0 && activity.is_still(BEGINNING_CHANGE);
    }

    fn follow_sound(&mut self, mean_db: &Levels) {
        let distances = mean_db.iter().zip(&self.known_db).map(|(now, known)| (now - known).abs());
        let is_another = distances.sum::<f32>() > ANOTHER_SOUND_DB * mean_db.len() as f32;
        if self.n_idle == SETTLED_HOPS {
            self.known_db = *mean_db;
        } else if self.n_adapting > 0 {
            self.n_adapting -= 1;
            self.known_db = *mean_db;
        } else if self.is_pause() && is_another {
            self.n_adapting = ADAPTING_HOPS;
        }
    }

    /// Whether it is a pause.
    pub fn is_pause(&self) -> bool {
        self.n_idle > PAUSE_HOPS
    }

    /// Whether hidden states are held.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Hops, the newest included, in which they are to be held where they have not advanced yet: those of a pause that has just
    /// become one. Of a sound that has fallen silent only the silence: a recording that ends does not change its last hops.
    pub fn n_held_late(&self) -> usize {
        let n_hops = if self.is_held && self.n_idle == PAUSE_HOPS + 1 { PAUSE_HOPS - ENDING_HOPS } else { 0 };
        (if self.n_silent > 0 { n_hops.min(self.n_silent.saturating_sub(ENDING_HOPS)) } else { n_hops })
            as usize
    }
}
