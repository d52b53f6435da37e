//! Packets in a fragmented MP4: its index is in pieces, each in front of its packets.

use std::io::{Read, Seek};

use super::moof::{OuterBox, Said, Usual, contents, pieces, usual_of};
use super::outline::Outline;
use super::packet_list::PacketList;

/// The packets of a track, and when each track begins.
#[derive(Default)]
pub struct Fragments {
    /// The packets.
    pub list: PacketList,
    /// Tracks and the times at which their first packets are presented, in units of the track.
    pub starts: Vec<(u32, i64)>,
    /// How long the packets are that are listed and not there, in units of the track.
    lost: u64,
    /// Its fragments in the order of the file.
    spans: Vec<Span>,
}

impl Fragments {
    /// The note on packets that are not there, of a track of so many units a second.
    pub fn note(&self, timescale: u32) -> Option<String> {
        (self.lost > 0).then(|| {
            format!(
                "is damaged: the samples of some fragments are lost, {:.2} s in all; copy it again if the original is whole",
                self.lost as f64 / f64::from(timescale.max(1))
            )
        })
    }
}

/// A fragment of a track, and its time.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
    moof: OuterBox,
}

/// Reads the fragments of an MP4; the packets of a track come behind those of `list`.
pub fn read(file: &mut (impl Read + Seek), outline: &Outline, track_id: u32, list: PacketList) -> Fragments {
    let of_kind = |kind| outline.boxes.iter().copied().filter(move |outer| &outer.kind == kind);
    let usual = of_kind(b"moov").next().map_or_else(Vec::new, |movie| usual_of(file, movie));
    let mut read = |moofs: &[OuterBox], list| {
        let mut found = Fragments { list, ..Fragments::default() };
        for &moof in moofs {
            found.add(&contents(file, moof), moof, (outline, &usual), track_id);
        }
        found
    };
    let moofs: Vec<OuterBox> = of_kind(b"moof").collect();
    let found = read(&moofs, list.clone());
    match by_time(&found.spans) {
        Some(moofs) => read(&moofs, list),
        None => found,
    }
}

impl Fragments {
    /// Adds a fragment's packets.
    fn add(&mut self, moof: &[u8], outer: OuterBox, (outline, usual): (&Outline, &[Usual]), track_id: u32) {
        let mut first = u64::MAX;
        pieces(moof, outer.start, usual, |_, said| {
            if let Said::Packets { at, n: 1.., .. } = said {
                first = first.min(at);
            }
        });
        let is_lost = first >= outer.end && outline.is_index_at(first);
        let (mut span, mut time, mut lost) = (None, 0, 0);
        pieces(moof, outer.start, usual, |id, said| match said {
            Said::Time(stated) => {
                time = stated;
                if id == track_id {
                    self.list.set_time(stated);
                }
            }
            Said::Packets { n, duration, .. } if is_lost => {
                lost += if id == track_id { u64::from(n) * u64::from(duration) } else { 0 };
            }
            Said::Packets { at, n, size, duration, offset } => {
                if self.starts.iter().all(|&(known, _)| known != id) {
                    let time = i64::try_from(time).unwrap_or(i64::MAX).saturating_add(offset.into());
                    self.starts.push((id, time));
                }
                if id == track_id {
                    span.get_or_insert(self.list.time());
                    self.list.push(at, n, size, duration);
                }
            }
        });
        if lost > 0 {
            self.lost = self.lost.saturating_add(lost);
            self.list.set_time(self.list.time().saturating_add(lost));
        }
        self.spans.extend(span.map(|start| Span { start, end: self.list.time(), moof: outer }));
    }
}

/// Fragments by their times, if they are stored in another order. A clock that begins again is none: its times are there
/// twice, or have longer holes than in the order of the file.
fn by_time(spans: &[Span]) -> Option<Vec<OuterBox>> {
    if spans.is_sorted_by_key(|span| span.start) {
        return None;
    }
    let holes = |spans: &[Span]| -> u64 {
        let hole = |pair: &[Span]| pair[1].start.saturating_sub(pair[0].end);
        spans.windows(2).map(hole).fold(0, u64::saturating_add)
    };
    let mut sorted = spans.to_vec();
    sorted.sort_by_key(|span| span.start);
    let is_apart = sorted.windows(2).all(|pair| pair[0].end <= pair[1].start.midpoint(pair[1].end));
    (is_apart && holes(&sorted) <= holes(spans)).then(|| sorted.iter().map(|span| span.moof).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::decode::outline::outline;
    use crate::decode::sample_table::Run;

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    fn traf(id: u32, flags: u32, more: &[u32], time: u32, trun: &[u32]) -> Vec<u8> {
        let tfhd = mp4_box(b"tfhd", &numbers(&[&[flags, id], more].concat()));
        let tfdt = mp4_box(b"tfdt", &numbers(&[0, time]));
        mp4_box(b"traf", &[tfhd, tfdt, mp4_box(b"trun", &numbers(trun))].concat())
    }

    fn movie() -> Vec<u8> {
        let trex = mp4_box(b"trex", &numbers(&[0, 2, 1, 3, 4, 0]));
        mp4_box(b"moov", &mp4_box(b"mvex", &trex))
    }

    /// The time between fragments as it is; packets have no holes of their own.
    fn gap(time: u64, n_frames: u64) -> u64 {
        if n_frames == 0 { time } else { 0 }
    }

    fn found(bytes: &[u8]) -> Fragments {
        let mut file = Cursor::new(bytes);
        let outline = outline(&mut file).unwrap_or_default();
        read(&mut file, &outline, 2, PacketList::new(1 << 20))
    }

    #[test]
    fn fragments_become_packets() {
        let moov = movie();
        // Ten packets of the default size, counted from the fragment; another track's packets are passed.
        let moof = mp4_box(
            b"moof",
            &[traf(1, 0x2_0000, &[], 70, &[1, 9, 7]), traf(2, 0x2_0000, &[], 80, &[1, 10, 500])].concat(),
        );
        // Three sizes of their own, at a stated place; presented later than decoded.
        let sizes = traf(2, 0x1, &[0, 3_000], 110, &[0xb01, 3, 40, 5, 4, 9, 5, 8, 9, 5, 4, 9]);
        let file = [moov.clone(), moof.clone(), mp4_box(b"moof", &sizes)].concat();
        let at = moov.len() as u64 + 500;
        let run = |start, at, n_frames| Run { start, at, n_frames };
        let all = found(&file);
        assert_eq!(all.list.runs(4, 100, |_, _| 0), [run(100, at, 10), run(110, 3_040, 4)]);
        assert_eq!(all.starts, [(1, 70), (2, 80)]);
        let mut expected = PacketList::new(1 << 20);
        expected.set_time(80);
        assert!(expected.push(at, 10, 4, 3) && expected.push(3_040, 1, 4, 5));
        assert!(expected.push(3_044, 1, 8, 5) && expected.push(3_052, 1, 4, 5));
        assert_eq!(all.list, expected);
        for cut in 0..file.len() {
            found(&file[..cut]);
        }
        assert_eq!(found(&[moov, mp4_box(b"moof", &sizes)].concat()).starts, [(2, 119)]);
    }

    #[test]
    fn a_fragment_is_found_behind_damage() {
        let piece = |number: u32| {
            let track = traf(2, 0x2_0000, &[], 30 * number, &[1, 10, 100]);
            let moof = mp4_box(b"moof", &[mp4_box(b"mfhd", &numbers(&[0, number])), track].concat());
            [moof, mp4_box(b"mdat", &[7; 40])].concat()
        };
        let whole = [movie(), piece(0), piece(1), piece(2)].concat();
        let n_frames =
            |bytes: &[u8]| found(bytes).list.runs(4, 0, |_, _| 0).iter().map(|run| run.n_frames).sum::<u64>();
        let outline = |bytes: &[u8]| outline(&mut Cursor::new(bytes)).unwrap();
        assert_eq!((n_frames(&whole), outline(&whole).note()), (30, None));
        let second = movie().len() + piece(0).len();
        // Its head is gone, its length is too much, bytes of the one before are lost.
        let (mut headless, mut long) = (whole.clone(), whole.clone());
        headless[second..second + 16].fill(0);
        long[second] = 0x7f;
        let shorter = [&whole[..second - 30], &whole[second..]].concat();
        for (damaged, n_left) in [(headless, 20), (long, 20), (shorter, 30)] {
            assert_eq!(n_frames(&damaged), n_left);
            assert!(outline(&damaged).note().unwrap().contains("damaged"));
        }
        let tagged = [&whole[..], b"\0tag behind it"].concat();
        assert_eq!((n_frames(&tagged), outline(&tagged).is_damaged), (30, false));
        assert!(outline(&tagged).note().unwrap().contains("14 bytes"));
    }

    /// A writer that never comes back states no length of its samples, or the longest, in every fragment.
    #[test]
    fn samples_end_where_the_index_says() {
        let moof = |data_at: u32| mp4_box(b"moof", &traf(2, 0x2_0000, &[], 0, &[1, 10, data_at]));
        let data_at = moof(0).len() as u32 + 8;
        for size in [0, u32::MAX] {
            let data = [&size.to_be_bytes()[..], b"mdat", &[7; 40]].concat();
            let file = [movie(), moof(data_at), data.clone(), moof(data_at), data].concat();
            let n_frames = |run: &Run| run.n_frames;
            assert_eq!(
                found(&file).list.runs(4, 0, |_, _| 0).iter().map(n_frames).sum::<u64>(),
                20,
                "{size}"
            );
            let whole = outline(&mut Cursor::new(&file)).unwrap();
            assert_eq!((whole.cut_end, whole.rubbish_at), (None, None));
            let cut = &file[..file.len() - 9];
            let cut = outline(&mut Cursor::new(cut)).unwrap();
            assert_eq!(cut.cut_end, Some(file.len() as u64));
        }
    }

    /// A fragment of ten packets of 40 bytes at a time of its own, and its samples.
    fn timed(time: u32) -> [Vec<u8>; 2] {
        let moof = |data_at: u32| mp4_box(b"moof", &traf(2, 0x2_0000, &[], time, &[1, 10, data_at]));
        [moof(moof(0).len() as u32 + 8), mp4_box(b"mdat", &[7; 40])]
    }

    #[test]
    fn fragments_come_in_the_order_of_their_times() {
        // Places of the samples in the order of their times, as numbers of their fragments in the file, and holes.
        let order = |times: &[u32]| -> Vec<(u64, u64)> {
            let pieces: Vec<u8> = times.iter().flat_map(|&time| timed(time).concat()).collect();
            let n_piece = (pieces.len() / times.len()) as u64;
            let n_moof = timed(0)[0].len() as u64 + 8;
            let file = [movie(), pieces].concat();
            let number = |run: &Run| (run.at - movie().len() as u64 - n_moof) / n_piece;
            let runs = found(&file).list.runs(4, 0, gap);
            runs.iter().map(|run| (number(run), run.start)).collect()
        };
        assert_eq!(order(&[0, 30, 60]), [(0, 0), (1, 10), (2, 20)]);
        assert_eq!(order(&[0, 60, 30]), [(0, 0), (2, 10), (1, 20)]);
        assert_eq!(order(&[60, 30, 0]), [(2, 0), (1, 10), (0, 20)]);
        // A clock that begins again: its times are there twice, or their order would leave a hole.
        let numbers = |times: &[u32]| order(times).iter().map(|&(number, _)| number).collect::<Vec<_>>();
        assert_eq!(numbers(&[0, 30, 0, 30]), [0, 1, 2, 3]);
        assert_eq!(numbers(&[100, 130, 0, 30]), [0, 1, 2, 3]);
    }

    /// The index of the next fragment lies where the samples of one should.
    #[test]
    fn samples_that_are_lost_leave_their_time() {
        let [first, lost, last] = [timed(0), timed(30), timed(60)];
        let whole = [movie(), first.concat(), lost.concat(), last.concat()].concat();
        assert_eq!(found(&whole).note(10), None);
        let file = [movie(), first.concat(), lost[0].clone(), last.concat()].concat();
        let all = found(&file);
        let starts =
            |all: &Fragments| -> Vec<u64> { all.list.runs(4, 0, gap).iter().map(|run| run.start).collect() };
        assert_eq!((starts(&found(&whole)), starts(&all)), (vec![0, 10, 20], vec![0, 10 + 30]));
        assert!(all.note(10).unwrap().contains("lost, 3.00 s in all"));
    }
}
