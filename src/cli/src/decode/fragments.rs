//! Places of the samples in a fragmented MP4: its index is in pieces (`moof`), each in front of its samples.
//!
//! ISO/IEC 14496-12, 8.8.

use std::io;

use super::input::Input;
use super::sample_table::Run;

/// More boxes than this are in no recording.
const MAX_BOXES: usize = 4_000_000;

/// A track's defaults (`trex`, `tfhd`), and where the next samples lie.
struct Track {
    id: u32,
    /// Bytes of a sample, unless a fragment says otherwise.
    size: u32,
    frame_bytes: u64,
    runs: Vec<Run>,
    /// Frames before the next run.
    start: u64,
}

/// A box: its name, where its content begins, and where it ends.
struct Box {
    kind: [u8; 4],
    content: u64,
    end: u64,
}

/// The samples that the fragments of a track list, behind the `start` that come before; their memory is bounded by the
/// fragments' own bytes.
///
/// # Errors
/// Those of the input.
pub fn runs(input: &mut Input, track_id: u32, frame_bytes: u64, start: u64) -> io::Result<Vec<Run>> {
    let mut track = Track { id: track_id, size: 0, frame_bytes, runs: Vec::new(), start };
    let end = input.len().unwrap_or(0);
    let (mut at, mut budget) = (0, MAX_BOXES);
    while let Some(found) = next(input, at, end, &mut budget)? {
        let start = at;
        at = found.end;
        match &found.kind {
            b"moov" => track.read_defaults(input, &found, &mut budget)?,
            b"moof" => track.read_fragment(input, start, &found, &mut budget)?,
            _ => {}
        }
    }
    Ok(track.runs)
}

/// The box at a position in front of `end`.
fn next(input: &mut Input, at: u64, end: u64, budget: &mut usize) -> io::Result<Option<Box>> {
    if *budget == 0 || at.saturating_add(8) > end {
        return Ok(None);
    }
    *budget -= 1;
    input.seek(at)?;
    let Some([a, b, c, d, kind @ ..]) = input.take::<8>()? else { return Ok(None) };
    let (mut size, mut n_header) = (u64::from(u32::from_be_bytes([a, b, c, d])), 8);
    if size == 1 {
        let Some(wide) = input.take()? else { return Ok(None) };
        (size, n_header) = (u64::from_be_bytes(wide), 16);
    }
    if size == 0 {
        size = end - at;
    }
    let box_end = at.saturating_add(size).min(end);
    Ok((size >= n_header).then_some(Box { kind, content: at + n_header, end: box_end }))
}

impl Track {
    fn read_defaults(&mut self, input: &mut Input, movie: &Box, budget: &mut usize) -> io::Result<()> {
        let mut at = movie.content;
        while let Some(found) = next(input, at, movie.end, budget)? {
            at = found.end;
            if &found.kind == b"mvex" {
                // Goes on within it.
                at = found.content;
            } else if &found.kind == b"trex"
                && let Some([_, id, _, _, size]) = words(input)?
                && id == self.id
            {
                self.size = size;
            }
        }
        Ok(())
    }

    fn read_fragment(
        &mut self,
        input: &mut Input,
        start: u64,
        moof: &Box,
        budget: &mut usize,
    ) -> io::Result<()> {
        let mut at = moof.content;
        // Where the samples of the next track begin, unless it says so: the first track's count from the fragment, others'
        // behind those before.
        let mut data_at = start;
        while let Some(traf) = next(input, at, moof.end, budget)? {
            at = traf.end;
            if &traf.kind == b"traf" {
                data_at = self.read_track(input, start, data_at, &traf, budget)?;
            }
        }
        Ok(())
    }

    /// The runs of one track in a fragment; where its samples end.
    fn read_track(
        &mut self,
        input: &mut Input,
        moof_at: u64,
        data_at: u64,
        traf: &Box,
        budget: &mut usize,
    ) -> io::Result<u64> {
        let (mut base, mut size, mut is_mine) = (data_at, self.size, false);
        let mut end = base;
        let mut at = traf.content;
        while let Some(found) = next(input, at, traf.end, budget)? {
            at = found.end;
            match &found.kind {
                b"tfhd" => {
                    let Some([flags, id]) = words(input)? else { continue };
                    is_mine = id == self.id;
                    if flags & 0x1 != 0 {
                        base = input.take()?.map_or(base, u64::from_be_bytes);
                    } else if flags & 0x2_0000 != 0 {
                        base = moof_at;
                    }
                    for flag in [0x2, 0x8] {
                        input.skip(if flags & flag != 0 { 4 } else { 0 })?;
                    }
                    if flags & 0x10 != 0
                        && let Some([default]) = words(input)?
                    {
                        size = default;
                    }
                    end = base;
                }
                b"trun" => {
                    let from = end;
                    let (first, n_bytes) = run_bytes(input, base, from, size, found.end)?;
                    end = first.saturating_add(n_bytes);
                    if is_mine {
                        self.push(first, n_bytes);
                    }
                }
                _ => {}
            }
        }
        Ok(end)
    }

    fn push(&mut self, at: u64, n_bytes: u64) {
        let n_frames = n_bytes / self.frame_bytes;
        match self.runs.last_mut() {
            _ if n_frames == 0 => return,
            Some(last) if last.n_frames.saturating_mul(self.frame_bytes).saturating_add(last.at) == at => {
                last.n_frames = last.n_frames.saturating_add(n_frames);
            }
            _ => self.runs.push(Run { start: self.start, at, n_frames }),
        }
        self.start = self.start.saturating_add(n_frames);
    }
}

/// The place of the samples of a `trun`, `from` if it states none, and their bytes.
fn run_bytes(input: &mut Input, base: u64, from: u64, size: u32, end: u64) -> io::Result<(u64, u64)> {
    let Some([flags, n_samples]) = words(input)? else { return Ok((from, 0)) };
    let mut first = from;
    if flags & 0x1 != 0
        && let Some(offset) = input.take()?
    {
        first = base.saturating_add_signed(i32::from_be_bytes(offset).into());
    }
    input.skip(if flags & 0x4 != 0 { 4 } else { 0 })?;
    if flags & 0x200 == 0 {
        return Ok((first, u64::from(n_samples) * u64::from(size)));
    }
    // Duration, size, flags, offset in time: those that are there.
    let n_before = if flags & 0x100 != 0 { 4 } else { 0 };
    let n_behind = [0x400, 0x800].iter().filter(|&&flag| flags & flag != 0).count() as u64 * 4;
    let n_entries = u64::from(n_samples).min(end.saturating_sub(input.at()) / (4 + n_before + n_behind));
    let mut n_bytes = 0_u64;
    for _ in 0..n_entries {
        input.skip(n_before)?;
        let Some([size]) = words(input)? else { break };
        n_bytes += u64::from(size);
        input.skip(n_behind)?;
    }
    Ok((first, n_bytes))
}

/// The next numbers of 32 bits.
fn words<const N: usize>(input: &mut Input) -> io::Result<Option<[u32; N]>> {
    let mut words = [0; N];
    for word in &mut words {
        let Some(bytes) = input.take()? else { return Ok(None) };
        *word = u32::from_be_bytes(bytes);
    }
    Ok(Some(words))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    fn found(bytes: &[u8], start: u64) -> Vec<Run> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        runs(&mut Input::file(file).unwrap(), 2, 4, start).unwrap()
    }

    #[test]
    fn fragments_become_runs() {
        let trex = mp4_box(b"trex", &numbers(&[0, 2, 1, 1, 4, 0]));
        let moov = mp4_box(b"moov", &mp4_box(b"mvex", &trex));
        let traf = |id: u32, flags: u32, more: &[u32], trun: &[u32]| {
            let tfhd = mp4_box(b"tfhd", &numbers(&[&[flags, id], more].concat()));
            mp4_box(b"traf", &[tfhd, mp4_box(b"trun", &numbers(trun))].concat())
        };
        // Ten samples of the default size, counted from the fragment; another track's samples are passed.
        let moof = mp4_box(
            b"moof",
            &[traf(1, 0x2_0000, &[], &[1, 9, 7]), traf(2, 0x2_0000, &[], &[1, 10, 500])].concat(),
        );
        // Three sizes of their own, at a stated place.
        let sizes = traf(2, 0x1, &[0, 3_000], &[0x301, 3, 40, 1, 4, 1, 8, 1, 4]);
        let file = [moov.clone(), moof.clone(), mp4_box(b"moof", &sizes)].concat();
        let at = moov.len() as u64 + 500;
        let run = |start, at, n_frames| Run { start, at, n_frames };
        assert_eq!(found(&file, 100), [run(100, at, 10), run(110, 3_040, 4)]);
        for cut in 0..file.len() {
            found(&file[..cut], 0);
        }
        // One run behind the other is one.
        let behind = traf(2, 0x2_0000, &[], &[1, 10, 540 - moof.len() as u32]);
        let file = [moov, moof, mp4_box(b"moof", &behind)].concat();
        assert_eq!(found(&file, 0), [run(0, at, 20)]);
    }
}
