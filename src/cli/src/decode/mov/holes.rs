//! Holes in the time of a track of PCM: where its table of durations (`stts`), or the first fragment behind its tables,
//! says that sound comes later than the samples before it last.

use std::io;

use crate::decode::edits::TrackEdits;
use crate::decode::input::Input;
use crate::decode::packet_list::{MAX_ALIKE, PacketList};
use crate::decode::parts::GAP_S;
use crate::decode::sample_table::{Run, Tables, sizes, time_to_sample};

/// The units of a track's times and of its samples, per second.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Units of times.
    pub timescale: u32,
    /// Samples per channel.
    pub rate_hz: u32,
}

impl Clock {
    fn samples(self, time: u64) -> u64 {
        let n_samples = u128::from(time) * u128::from(self.rate_hz) / u128::from(self.timescale.max(1));
        u64::try_from(n_samples).unwrap_or(u64::MAX)
    }

    /// Samples that are missing in a time that has `n_there`; none where that is rounding, or makes no sense.
    pub fn hole(self, time: u64, n_there: u64) -> u64 {
        let n_samples = self.samples(time).saturating_sub(n_there);
        if GAP_S.contains(&(n_samples as f64 / f64::from(self.rate_hz))) { n_samples } else { 0 }
    }
}

/// A hole: the samples before it, and those that it is long.
pub type Hole = (u64, u64);

/// Holes behind samples that last longer than the sound in them, and whether the first of them is behind the first sample.
/// None where the table does not count as many samples as there are.
///
/// # Errors
/// Errors of the input.
pub fn holes(
    input: &mut Input,
    tables: &Tables,
    frame_bytes: u64,
    clock: Clock,
) -> io::Result<(Vec<Hole>, bool)> {
    let durations = time_to_sample(input, tables)?;
    let sizes = sizes(input, tables)?;
    let n_timed: u64 = durations.iter().map(|&(n, _)| u64::from(n)).sum();
    let (mut found, mut is_first) = (Vec::new(), false);
    if n_timed != sizes.len() as u64 {
        return Ok((found, is_first));
    }
    let (mut number, mut at) = (0, 0_u64);
    for (n_alike, duration) in durations {
        let end = number + n_alike as usize;
        if n_alike > MAX_ALIKE {
            at = at.saturating_add(sizes.n_frames(number..end, frame_bytes));
            number = end;
            continue;
        }
        for number in number..end {
            let n_frames = sizes.n_frames(number..number + 1, frame_bytes);
            at = at.saturating_add(n_frames);
            let hole = clock.hole(duration.into(), n_frames);
            // Behind the last sample comes nothing.
            if hole > 0 && number + 1 < sizes.len() {
                is_first |= number == 0;
                found.push((at, hole));
            }
        }
        number = end;
    }
    Ok((found, is_first))
}

/// Takes holes into account in the runs of samples that have none.
pub fn apart(runs: &[Run], frame_bytes: u64, holes: &[Hole]) -> Vec<Run> {
    let mut holes = holes.iter().peekable();
    let (mut passed, mut apart) = (0_u64, Vec::new());
    for &(mut run) in runs {
        while let Some(&(at, n)) = holes.next_if(|&&(at, _)| at < run.start.saturating_add(run.n_frames)) {
            let n_before = at.saturating_sub(run.start);
            if n_before > 0 {
                apart.push(Run { start: run.start.saturating_add(passed), n_frames: n_before, ..run });
                let n_bytes = n_before.saturating_mul(frame_bytes);
                run =
                    Run { start: at, at: run.at.saturating_add(n_bytes), n_frames: run.n_frames - n_before };
            }
            passed = passed.saturating_add(n);
        }
        apart.push(Run { start: run.start.saturating_add(passed), ..run });
    }
    apart
}

/// Takes the hole behind the first packet of a list out of its runs: it is silence in front.
pub fn take_first(list: &PacketList, runs: &mut [Run], frame_bytes: u64, clock: Clock) -> u64 {
    let Some(first) = list.first() else { return 0 };
    let hole = clock.hole(first.duration.into(), u64::from(first.size) / frame_bytes);
    // In many packets it is how they are counted.
    let is_apart = runs.len() > 1 && runs[0].start + runs[0].n_frames + hole == runs[1].start;
    let hole = if is_apart { hole } else { 0 };
    runs.iter_mut().skip(1).for_each(|run| run.start -= hole);
    hole
}

/// The hole between the samples of a track's tables and its first fragment, at `first`, in samples; and whether the track's
/// header counts it as well: its writer knew of it before, as the sound starts so much late.
pub fn before_fragments(track: &TrackEdits, first: i64, clock: Clock) -> (u64, bool) {
    let time = u64::try_from(first).unwrap_or(0).saturating_sub(track.duration);
    let is_counted = track.stated.saturating_sub(track.duration) == time;
    (clock.hole(time, 0), is_counted && track.edits.is_empty())
}

/// The note on a track whose header states more than its table lists.
pub fn note(track: &TrackEdits, clock: Clock) -> Option<String> {
    let n_more = clock.hole(track.stated.saturating_sub(track.duration), 0);
    let seconds = |time: u64| time as f64 / f64::from(clock.timescale.max(1));
    (n_more > 0 && track.edits.is_empty()).then(|| {
        format!(
            "announces {:.2} s of sound, and its index lists {:.2} s: the program that wrote it left the rest out, which can be the \
             silence before sound that starts later than the picture",
            seconds(track.stated),
            seconds(track.duration)
        )
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::decode::sample_table::runs;

    const CLOCK: Clock = Clock { timescale: 1_000, rate_hz: 8_000 };

    /// The runs of one chunk of samples of two bytes, by the durations and the sizes of a track's samples.
    fn found(stts: &[u32], stsz: &[u32]) -> (Vec<Run>, bool) {
        let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
        let tables = [words(&[0, 1, 1, 99_999, 1]), words(stsz), words(&[0, 1, 500]), words(stts)];
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&tables.concat()).unwrap();
        let mut input = Input::file(file).unwrap();
        let mut at = 0;
        let [stsc, stsz, stco, stts] = tables.map(|table| {
            let place = (at, table.len() as u64);
            at += table.len() as u64;
            Some(place)
        });
        let tables = Tables {
            stsc,
            stsz: stsz.map(|place| (place, false)),
            chunks: stco.map(|place| (place, false)),
            stts,
            ..Tables::default()
        };
        let (holes, is_first) = holes(&mut input, &tables, 2, CLOCK).unwrap();
        (apart(&runs(&mut input, &tables, 2).unwrap(), 2, &holes), is_first)
    }

    #[test]
    fn samples_that_last_longer_leave_holes() {
        let run = |start, at, n_frames| Run { start, at, n_frames };
        // Packets of 100 ms, of which the first and the fourth last 0.5 s, and the last one 1 s.
        let packets = [0, 1600, 6];
        let stts = [0, 5, 1, 500, 2, 100, 1, 500, 1, 100, 1, 1000];
        let apart = vec![run(0, 500, 800), run(4_000, 2_100, 2_400), run(9_600, 6_900, 1_600)];
        assert_eq!(found(&stts, &packets), (apart, true));
        let own = [0, 0, 6, 1600, 1600, 1600, 1600, 1600, 1600];
        assert_eq!(found(&stts, &own), found(&stts, &packets));
        // Samples one by one, of a clock that is too slow for them.
        let whole = (vec![run(0, 500, 9_000)], false);
        assert_eq!(found(&[0, 1, 9_000, 0], &[0, 2, 9_000]), whole);
        let late = (vec![run(0, 500, 1), run(4_000, 502, 8_999)], true);
        assert_eq!(found(&[0, 2, 1, 500, 8_999, 0], &[0, 2, 9_000]), late);
        // Every one of many is longer, or the table is of something else: no holes.
        assert_eq!(found(&[0, 1, 9_000, 500], &[0, 2, 9_000]), whole);
        assert_eq!(found(&[0, 1, 1, 500], &[0, 2, 9_000]), whole);
    }

    #[test]
    fn a_first_packet_that_lasts_longer_is_late() {
        let run = |start, at, n_frames| Run { start, at, n_frames };
        let late = |durations: &[u32]| {
            let mut list = PacketList::new(10_000);
            for (n, &duration) in durations.iter().enumerate() {
                assert!(list.push(100 + 1_600 * n as u64, 1, 1_600, duration));
            }
            let mut runs = list.runs(2, 0, |time, n| CLOCK.hole(time, n));
            (take_first(&list, &mut runs, 2, CLOCK), runs)
        };
        assert_eq!(late(&[600, 100, 100]), (4_000, vec![run(0, 100, 800), run(800, 1_700, 1_600)]));
        let hole = vec![run(0, 100, 1_600), run(5_600, 3_300, 800)];
        assert_eq!(late(&[100, 600, 100]), (0, hole));
        assert_eq!(late(&[100, 100, 100]), (0, vec![run(0, 100, 2_400)]));
    }

    #[test]
    fn a_header_that_counts_a_late_start_is_told() {
        let track = TrackEdits { timescale: 1_000, duration: 2_000, stated: 2_500, ..TrackEdits::default() };
        assert_eq!(before_fragments(&track, 2_500, CLOCK), (4_000, true));
        assert_eq!(before_fragments(&track, 2_700, CLOCK), (5_600, false));
        assert_eq!(before_fragments(&track, 2_010, CLOCK), (0, false));
        assert_eq!(before_fragments(&track, -7, CLOCK).0, 0);
        assert!(
            note(&track, CLOCK).unwrap().contains("announces 2.50 s of sound, and its index lists 2.00 s")
        );
        assert_eq!(note(&TrackEdits { stated: 2_010, ..track }, CLOCK), None);
    }
}
