//! Output of a container of packets: parts of its media, and silence.

use std::collections::VecDeque;
use std::ops::Range;

use super::edits::{Edit, TrackEdits};

/// How much later than the picture sound starts, in seconds: less is rounding, more a time that makes no sense.
pub const LEAD_S: Range<f64> = 0.001..3_600.0;
/// Holes in the times of packets, in seconds: less is rounding, as Matroska counts in milliseconds, more makes no sense.
pub const GAP_S: Range<f64> = 0.05..3_600.0;

/// Samples per channel of a block, at most.
pub const BLOCK: u64 = 4_096;

/// A part of what is handed out, in samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// So many of silence.
    Silence(u64),
    /// Of the media from `start`, as many as are `left`, or all.
    Media {
        /// The first sample.
        start: u64,
        /// How many; `None`: to the end.
        left: Option<u64>,
    },
}

impl Part {
    /// The same of media that begin with so many samples more.
    pub fn later(self, n_samples: u64) -> Self {
        match self {
            Self::Media { start, left } => Self::Media { start: start.saturating_add(n_samples), left },
            silence @ Self::Silence(_) => silence,
        }
    }
}

/// Lets the last part go on to the end of a file whose index is in pieces: what is stated in front of them counts the first
/// only.
pub fn open_end<'a>(parts: impl DoubleEndedIterator<Item = &'a mut Part>) {
    if let Some(Part::Media { left, .. }) = parts.into_iter().next_back() {
        *left = None;
    }
}

/// Takes a block of the silence that the parts begin with; `None` if they begin with something else.
pub fn take_silence(parts: &mut VecDeque<Part>, n_channels: usize) -> Option<Vec<Vec<f32>>> {
    let Some(Part::Silence(left @ 1..)) = parts.front_mut() else { return None };
    let n = (*left).min(BLOCK);
    *left -= n;
    Some(vec![vec![0.0; n as usize]; n_channels])
}

/// Place of an MP4's track among the others, in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Silence in front, after which its sound begins, as the file's first track begins at 0.
    pub lead: u64,
    /// The time of its first packet in the media.
    pub first: u64,
}

impl Start {
    /// The start of the track `own` of `tracks`, at `rate_hz`; `firsts` are the tracks of a fragmented file and the times of
    /// their first packets.
    pub fn new(tracks: &[TrackEdits], own: &TrackEdits, firsts: Option<&[(u32, i64)]>, rate_hz: u32) -> Self {
        let first = |track: &TrackEdits| match firsts {
            Some(firsts) => firsts.iter().find(|&&(id, _)| id == track.track_id).map(|&(_, first)| first),
            None => Some(track.tables.first_offset.into()).filter(|_| track.n_packets > 0),
        };
        // Seconds of gaps in the track's edits, and behind them up to its first packet.
        let presented = |track: &TrackEdits| -> Option<(f64, f64)> {
            let is_gap = |edit: &&Edit| matches!(edit, Edit::Gap(_));
            let gaps: f64 = track.edits.iter().take_while(is_gap).map(|edit| edit.length() as f64).sum();
            let from = match track.edits.iter().find(|edit| !is_gap(edit)) {
                Some(Edit::Media { start, .. }) => *start as f64,
                _ => 0.0,
            };
            let scale = f64::from(track.timescale.max(1));
            first(track).map(|first| (gaps / scale, (first as f64 - from).max(0.0) / scale))
        };
        let own_first = first(own).unwrap_or(0);
        let Some((gaps, media)) = presented(own) else { return Self::default() };
        let others = tracks.iter().filter(|track| track.track_id != own.track_id).filter_map(presented);
        // Alone, it begins as its edits say, whenever that was.
        let earliest = others.map(|(gaps, media)| gaps + media).reduce(f64::min);
        let lead_s = gaps + media - earliest.map_or(media, |earliest| earliest.min(gaps + media));
        let is_sensible = firsts.is_none() || lead_s < LEAD_S.end;
        let lead_s = if lead_s >= LEAD_S.start && is_sensible { lead_s } else { 0.0 };
        let first_s = own_first.max(0) as f64 / f64::from(own.timescale.max(1));
        let in_samples = |s: f64| (s * f64::from(rate_hz)).round() as u64;
        Self { lead: in_samples(lead_s), first: in_samples(first_s) }
    }

    /// Moves the parts of the media, which count from time 0, to where the first packet is 0, behind the silence in front.
    pub fn apply(self, parts: &mut VecDeque<Part>) {
        while let Some(Part::Silence(_)) = parts.front() {
            parts.pop_front();
        }
        for part in parts.iter_mut() {
            if let Part::Media { start, left } = part {
                let n_before = self.first.saturating_sub(*start);
                *start = start.saturating_sub(self.first);
                *left = left.map(|left| left.saturating_sub(n_before));
            }
        }
        if self.lead > 0 {
            parts.push_front(Part::Silence(self.lead));
        }
    }
}

/// Decoded samples that are left.
pub enum Queued {
    /// Samples, one vector per channel.
    Block(Vec<Vec<f32>>),
    /// Samples of silence: of whatever length, it takes no memory.
    Silence(u64),
}

impl Queued {
    /// Samples per channel.
    pub fn n_samples(&self) -> u64 {
        match self {
            Self::Block(block) => block.first().map_or(0, Vec::len) as u64,
            Self::Silence(n) => *n,
        }
    }
}

/// An edit, at `timescale` units a second, in samples at `rate_hz`.
pub fn part(edit: Edit, timescale: u32, rate_hz: u32) -> Part {
    let convert = |n: u64| {
        let scaled = u128::from(n) * u128::from(rate_hz) + u128::from(timescale) / 2;
        u64::try_from(scaled / u128::from(timescale)).unwrap_or(u64::MAX)
    };
    match edit {
        Edit::Gap(n) => Part::Silence(convert(n)),
        Edit::Media { start, length } => Part::Media { start: convert(start), left: length.map(convert) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(track_id: u32, edits: &[Edit]) -> TrackEdits {
        TrackEdits {
            track_id,
            timescale: 1_000,
            n_packets: 9,
            edits: edits.to_vec(),
            ..TrackEdits::default()
        }
    }

    #[test]
    fn sound_starts_behind_the_earliest_track() {
        let media = |start| Edit::Media { start, length: None };
        let lead = |tracks: &[TrackEdits], firsts: Option<&[(u32, i64)]>| {
            let start = Start::new(tracks, &tracks[0], firsts, 8_000);
            (start.lead, start.first)
        };
        let late = [track(1, &[Edit::Gap(500), media(21)]), track(2, &[Edit::Gap(200), media(40)])];
        assert_eq!(lead(&late, None), (2_400, 0));
        // Alone it begins as it says.
        assert_eq!(lead(&late[..1], None), (4_000, 0));
        // By the times of fragments: far from 0, and of a track alone no silence.
        let plain = [track(1, &[media(0)]), track(2, &[])];
        assert_eq!(lead(&plain, Some(&[(1, 90_300), (2, 90_000)])), (2_400, 722_400));
        assert_eq!(lead(&plain, Some(&[(1, 90_000), (2, 90_300)])), (0, 720_000));
        assert_eq!(lead(&plain, Some(&[(1, 90_000)])), (0, 720_000));
        assert_eq!(lead(&plain, Some(&[(1, 9_000_000), (2, 0)])).0, 0);
        // The part in front of the first packet of sound is no sound.
        let primed = [track(1, &[media(21)]), track(2, &[])];
        assert_eq!(lead(&primed, Some(&[(1, 0), (2, 0)])), (0, 0));
    }

    #[test]
    fn parts_count_from_the_first_packet() {
        let of = |start, left| Part::Media { start, left };
        let mut parts =
            VecDeque::from([Part::Silence(5), of(21, Some(100)), Part::Silence(5), of(200, None)]);
        Start { lead: 7, first: 40 }.apply(&mut parts);
        assert_eq!(parts, [Part::Silence(7), of(0, Some(81)), Part::Silence(5), of(160, None)]);
    }

    #[test]
    fn the_last_part_of_a_file_in_pieces_is_open() {
        let mut parts = [Part::Media { start: 0, left: Some(7) }, Part::Media { start: 9, left: Some(7) }];
        open_end(parts.iter_mut());
        assert_eq!(parts, [Part::Media { start: 0, left: Some(7) }, Part::Media { start: 9, left: None }]);
        let mut silence = [Part::Silence(7)];
        open_end(silence.iter_mut());
        assert_eq!(silence, [Part::Silence(7)]);
    }

    #[test]
    fn edits_become_samples() {
        assert_eq!(part(Edit::Gap(600), 600, 24_000), Part::Silence(24_000));
        let edit = Edit::Media { start: 2048, length: Some(48_000) };
        assert_eq!(part(edit, 48_000, 24_000), Part::Media { start: 1024, left: Some(24_000) });
    }
}
