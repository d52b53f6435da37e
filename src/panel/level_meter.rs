//! Level meters' ballistics: rises at once, falls steadily, holds peaks.

/// Lower end of the scale, dBFS.
pub const FLOOR_DB: f32 = -60.0;
/// Fall of the bar, dB per second: a syllable's end can be followed by eye.
const FALL_DB_PER_S: f32 = 26.0;
/// A peak stays this long, seconds.
const HOLD_S: f32 = 1.5;
/// Most channels shown.
pub const N_CHANNELS: usize = 2;

/// One channel.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Channel {
    bar_db: f32,
    hold_db: f32,
    held_s: f32,
    clipped: bool,
}

/// A level meter of one or two channels.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelMeter {
    channels: [Channel; N_CHANNELS],
    n_channels: usize,
}

impl Default for LevelMeter {
    fn default() -> Self {
        let silent =
            Channel { bar_db: f32::NEG_INFINITY, hold_db: f32::NEG_INFINITY, held_s: 0.0, clipped: false };
        Self { channels: [silent; N_CHANNELS], n_channels: 1 }
    }
}

impl LevelMeter {
    /// Takes the largest sample per channel, linear, of the last `elapsed_s` seconds; one slice element a channel.
    pub fn advance(&mut self, peaks: &[f32], elapsed_s: f32) {
        self.n_channels = peaks.len().clamp(1, N_CHANNELS);
        for (channel, &peak) in self.channels.iter_mut().zip(peaks) {
            let db = 20.0 * peak.log10();
            channel.clipped |= peak > 1.0;
            channel.bar_db = db.max(fallen(channel.bar_db, elapsed_s));
            channel.held_s += elapsed_s;
            if db >= channel.hold_db {
                (channel.hold_db, channel.held_s) = (db, 0.0);
            } else if channel.held_s > HOLD_S {
                channel.hold_db = fallen(channel.hold_db, elapsed_s).max(channel.bar_db);
            }
        }
    }

    /// Forgets that it clipped.
    pub fn reset_clip(&mut self) {
        self.channels.iter_mut().for_each(|channel| channel.clipped = false);
    }

    /// Channels shown.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// Level of a channel's bar, dBFS.
    pub(crate) fn bar_db(&self, channel: usize) -> f32 {
        self.channels[channel].bar_db
    }

    /// Level of a channel's peak hold, dBFS.
    pub(crate) fn hold_db(&self, channel: usize) -> f32 {
        self.channels[channel].hold_db
    }

    /// The larger peak hold, dBFS.
    pub(crate) fn max_db(&self) -> f32 {
        self.channels[..self.n_channels]
            .iter()
            .map(|channel| channel.hold_db)
            .fold(f32::NEG_INFINITY, f32::max)
    }

    /// Whether a sample was beyond full scale since the last [`reset_clip`](Self::reset_clip).
    pub fn clipped(&self) -> bool {
        self.channels[..self.n_channels].iter().any(|channel| channel.clipped)
    }

    /// Whether anything still moves.
    pub(crate) fn is_moving(&self) -> bool {
        self.channels[..self.n_channels].iter().any(|channel| channel.hold_db > f32::NEG_INFINITY)
    }
}

/// A level after falling for a while; silence once it leaves the scale, so that the meter comes to rest.
fn fallen(db: f32, elapsed_s: f32) -> f32 {
    let db = db - FALL_DB_PER_S * elapsed_s;
    if db < FLOOR_DB { f32::NEG_INFINITY } else { db }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_at_once_and_falls_steadily() {
        let mut level = LevelMeter::default();
        level.advance(&[0.5], 0.033);
        assert!((level.bar_db(0) + 6.02).abs() < 0.01);
        level.advance(&[0.0], 0.5);
        assert!((level.bar_db(0) + 19.02).abs() < 0.01);
        assert!((level.hold_db(0) + 6.02).abs() < 0.01, "the peak stays");
    }

    #[test]
    fn it_comes_to_rest() {
        let mut level = LevelMeter::default();
        level.advance(&[1.0, 0.2], 0.033);
        assert!(level.is_moving());
        for _ in 0..200 {
            level.advance(&[0.0, 0.0], 0.033);
        }
        assert!(!level.is_moving());
    }

    #[test]
    fn clipping_is_remembered_until_reset() {
        let mut level = LevelMeter::default();
        level.advance(&[1.0], 0.033);
        assert!(!level.clipped(), "full scale is not over");
        level.advance(&[1.01], 0.033);
        level.advance(&[0.1], 10.0);
        assert!(level.clipped());
        level.reset_clip();
        assert!(!level.clipped());
    }

    #[test]
    fn a_second_channel_is_shown_only_where_there_is_one() {
        let mut level = LevelMeter::default();
        level.advance(&[0.1, 0.9], 0.033);
        assert_eq!((level.n_channels(), level.max_db().round()), (2, -1.0));
        level.advance(&[0.1], 0.033);
        assert_eq!((level.n_channels(), level.max_db().round()), (1, -20.0));
    }
}
