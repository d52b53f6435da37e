//! Output of a container of packets: parts of its media, and silence.

use super::edits::Edit;

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

/// Lets the last part go on to the end of a file whose index is in pieces: what is stated in front of them counts the first
/// only.
pub fn open_end<'a>(parts: impl DoubleEndedIterator<Item = &'a mut Part>) {
    if let Some(Part::Media { left, .. }) = parts.into_iter().next_back() {
        *left = None;
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
