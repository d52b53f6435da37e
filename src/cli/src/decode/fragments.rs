//! Packets in a fragmented MP4: its index is in pieces, each in front of its packets.

use std::io::{Read, Seek};

use super::moof::{Said, contents, pieces, usual_of};
use super::outline::walk;
use super::packet_list::PacketList;

/// The packets of a track, and when each track begins.
pub struct Fragments {
    /// The packets.
    pub list: PacketList,
    /// Tracks and the times at which their first packets are presented, in units of the track.
    pub starts: Vec<(u32, i64)>,
}

/// Reads the fragments of an MP4; the packets of a track come behind those of `list`.
pub fn read(file: &mut (impl Read + Seek), track_id: u32, list: PacketList) -> Fragments {
    let mut found = Fragments { list, starts: Vec::new() };
    let mut usual = Vec::new();
    let mut times: Vec<(u32, u64)> = Vec::new();
    walk(file, |file, outer| match &outer.kind {
        b"moov" => usual = usual_of(file, outer),
        b"moof" => pieces(&contents(file, outer), outer.start, &usual, |id, said| match said {
            Said::Time(time) => {
                times.retain(|&(known, _)| known != id);
                times.push((id, time));
                if id == track_id {
                    found.list.set_time(time);
                }
            }
            Said::Packets { at, n, size, duration, offset } => {
                if found.starts.iter().all(|&(known, _)| known != id) {
                    let time = times.iter().find(|&&(known, _)| known == id).map_or(0, |&(_, time)| time);
                    let time = i64::try_from(time).unwrap_or(i64::MAX).saturating_add(offset.into());
                    found.starts.push((id, time));
                }
                if id == track_id {
                    found.list.push(at, n, size, duration);
                }
            }
        }),
        _ => {}
    });
    found
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
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

    fn found(bytes: &[u8]) -> Fragments {
        read(&mut Cursor::new(bytes), 2, PacketList::new(1 << 20))
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
        assert_eq!(all.list.runs(4, 100, |_| 0), [run(100, at, 10), run(110, 3_040, 4)]);
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
            |bytes: &[u8]| found(bytes).list.runs(4, 0, |_| 0).iter().map(|run| run.n_frames).sum::<u64>();
        let outline = |bytes: &[u8]| crate::decode::outline::outline(&mut Cursor::new(bytes)).unwrap();
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
            assert_eq!(found(&file).list.runs(4, 0, |_| 0).iter().map(n_frames).sum::<u64>(), 20, "{size}");
            let outline = crate::decode::outline::outline(&mut Cursor::new(&file)).unwrap();
            assert_eq!((outline.cut_end, outline.rubbish_at), (None, None));
            let cut = &file[..file.len() - 9];
            let outline = crate::decode::outline::outline(&mut Cursor::new(cut)).unwrap();
            assert_eq!(outline.cut_end, Some(file.len() as u64));
        }
    }
}
