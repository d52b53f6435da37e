//! PCM in MP4, M4A and MOV, by the track's own table of samples: of any number of channels and every way to store them,
//! most of which symphonia 0.6 refuses.

mod holes;

use std::collections::VecDeque;
use std::fs::File;

use anyhow::Result;

use super::edits::{self, TrackEdits};
use super::fragments;
use super::ilst;
use super::input::Input;
use super::metadata::Metadata;
use super::options::Options;
use super::outline::{Outline, outline};
use super::packet_list::PacketList;
use super::parts::{BLOCK, Part, Start, open_end, part, take_silence};
use super::probe::probe;
use super::refusal;
use super::sample_table::{Description, Run, runs};
use super::source::{Findings, Format, Source};
use super::tracks::choose_described;
use crate::decode::foreign::foreign;
use crate::io_errors::explained;
use holes::Clock;

/// Most bytes of a block.
const MAX_BYTES: u64 = 1 << 20;
/// Passes over the samples, for edits that go back.
const MAX_REWINDS: u32 = 1_000;

/// The parts of a track that are heard, of as many samples as it lists.
fn parts(
    track: &TrackEdits,
    start: Start,
    is_fragmented: bool,
    rate_hz: u32,
    n_listed: u64,
) -> VecDeque<Part> {
    let whole = Part::Media { start: 0, left: None };
    let mut parts: VecDeque<Part> = match &track.edits[..] {
        [] => [whole].into(),
        edits => edits.iter().map(|edit| part(*edit, track.timescale, rate_hz)).collect(),
    };
    start.apply(&mut parts);
    if is_fragmented {
        open_end(parts.iter_mut());
    }
    // An edit goes no further than the samples.
    for part in &mut parts {
        if let Part::Media { start, left } = part {
            let rest = n_listed.saturating_sub(*start);
            *left = Some(left.map_or(rest, |left| left.min(rest)));
        }
    }
    parts
}

/// A track of PCM being read.
pub struct MovSource {
    input: Input,
    description: Description,
    runs: Vec<Run>,
    parts: VecDeque<Part>,
    format: Format,
    /// Samples that the file can hold: tables that point at the same bytes again and again are cut off there.
    n_held: u64,
    is_whole: bool,
    /// Behind the sample that was read last.
    position: u64,
    n_rewinds: u32,
    n_handed_out: u64,
    n_gap_samples: u64,
    n_lead: u64,
    notes: Vec<String>,
    metadata: Metadata,
    bytes: Vec<u8>,
}

impl MovSource {
    /// The chosen track of an MP4, if it is PCM whose samples a table lists; `None` for anything else.
    ///
    /// # Errors
    /// The file cannot be read, or has not the track that is asked for.
    pub fn open(mut file: File, extension: Option<&str>, options: &Options) -> Result<Option<Self>> {
        let tracks = edits::read(&mut file);
        let mut notes = Vec::new();
        let Some(track) = choose_described(&tracks, options, &mut notes)? else { return Ok(None) };
        let Some(description) = Description::read(&track.tables.stsd, track.timescale) else {
            return Ok(None);
        };
        let outline = outline(&mut file);
        notes.extend(outline.as_ref().and_then(Outline::note));
        let outline = outline.filter(|outline| outline.is_fragmented);
        let mut input =
            Input::file(file.try_clone().map_err(|error| explained("cannot be opened again", &error))?)?;
        let frame_bytes = description.frame_bytes();
        let clock = Clock { timescale: track.timescale, rate_hz: description.rate_hz };
        let (mut holes, is_first) = holes::holes(&mut input, &track.tables, frame_bytes, clock)?;
        // A writer without edit lists stretches the first sample where sound starts late.
        let is_late = is_first && track.edits.is_empty();
        let mut lead = if is_late { holes.remove(0).1 } else { 0 };
        let mut runs = holes::apart(&runs(&mut input, &track.tables, frame_bytes)?, frame_bytes, &holes);
        let mut firsts = None;
        if let Some(outline) = &outline {
            let mut n_before = runs.last().map_or(0, |run| run.start.saturating_add(run.n_frames));
            let list = PacketList::new(input.len().unwrap_or(0));
            let found = fragments::read(&mut file, outline, track.track_id, list);
            notes.extend(found.note(track.timescale));
            // The tables' samples come first.
            let is_alone = n_before == 0;
            let own_first =
                found.starts.iter().find(|&&(id, _)| id == track.track_id).map(|&(_, first)| first);
            if let Some(first) = own_first.filter(|_| !is_alone) {
                match holes::before_fragments(track, first, clock) {
                    (hole, true) => lead += hole,
                    (hole, false) => n_before = n_before.saturating_add(hole),
                }
            }
            let mut behind = found.list.runs(frame_bytes, n_before, |time, n| clock.hole(time, n));
            if is_alone && track.edits.is_empty() {
                lead += holes::take_first(&found.list, &mut behind, frame_bytes, clock);
            }
            runs.extend(behind);
            firsts = Some(found.starts).filter(|_| is_alone);
        } else if lead == 0 {
            notes.extend(holes::note(track, clock));
        }
        let Some(last) = runs.last() else { return Ok(None) };
        let mut start = Start::new(&tracks, track, firsts.as_deref(), description.rate_hz);
        start.lead = start.lead.saturating_add(lead);
        let n_listed = last.start.saturating_add(last.n_frames);
        let parts = parts(track, start, outline.is_some(), description.rate_hz, n_listed);
        let mut metadata = Metadata::default();
        // symphonia reads the tags, but not of every file that is read here.
        match probe(&file, extension, None) {
            Ok(mut reader) => foreign(|| metadata.read_tags(&mut *reader))?,
            Err(_) => track.tags.into_iter().for_each(|place| ilst::read(&mut file, place, &mut metadata)),
        }
        // The two share a position.
        let input = Input::file(file)?;
        Ok(Some(Self::new(input, description, runs, parts, metadata, notes)))
    }

    fn new(
        input: Input,
        description: Description,
        runs: Vec<Run>,
        parts: VecDeque<Part>,
        metadata: Metadata,
        notes: Vec<String>,
    ) -> Self {
        let Description { encoding, is_big_endian, rate_hz, n_channels, channel_mask } = description;
        let n_bytes = input.len().unwrap_or(0);
        let frame_bytes = description.frame_bytes();
        let n_listed = runs.last().map_or(0, |run| run.start.saturating_add(run.n_frames));
        let n_in_runs = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.n_frames));
        let n_held = n_listed - n_in_runs.saturating_sub(n_bytes / frame_bytes).min(n_listed);
        let is_in = |run: &Run| {
            let end = run.n_frames.checked_mul(frame_bytes).and_then(|bytes| bytes.checked_add(run.at));
            end.is_some_and(|end| end <= n_bytes)
        };
        let n_samples = parts.iter().fold(0_u64, |sum, part| match *part {
            Part::Silence(n) | Part::Media { left: Some(n), .. } => sum.saturating_add(n),
            Part::Media { left: None, .. } => sum,
        });
        let format = Format {
            name: format!("isomp4, {}", encoding.name(is_big_endian)),
            rate_hz,
            n_channels,
            channel_mask,
            depth: encoding.depth(),
            n_samples: Some(n_samples),
        };
        Self {
            is_whole: n_held == n_listed && runs.iter().all(is_in),
            n_lead: parts.front().map_or(0, |part| if let Part::Silence(n) = part { *n } else { 0 }),
            input,
            description,
            runs,
            parts,
            format,
            n_held,
            position: 0,
            n_rewinds: 0,
            n_handed_out: 0,
            n_gap_samples: 0,
            notes,
            metadata,
            bytes: Vec::new(),
        }
    }

    /// Decodes the samples from `start` on, at most `left`, as many as lie one behind the other; false where the file ends.
    fn media(&mut self, start: u64, left: u64, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        if start < self.position {
            self.n_rewinds += 1;
            if self.n_rewinds > MAX_REWINDS {
                return Err(refusal::damaged(format!(
                    "has an edit list that goes back more than {MAX_REWINDS} times"
                )));
            }
        }
        let index = self.runs.partition_point(|run| run.start <= start);
        let Some(run) = index.checked_sub(1).map(|index| self.runs[index]) else { return Ok(false) };
        let run_end = run.start.saturating_add(run.n_frames);
        if let Some(next) = self.runs.get(index).filter(|_| start >= run_end) {
            // A hole between fragments.
            let n = left.min(next.start - start).min(BLOCK);
            *block = vec![vec![0.0; n as usize]; self.description.n_channels];
            self.n_gap_samples += n;
            self.position = start + n;
            return Ok(true);
        }
        let frame_bytes = self.description.frame_bytes();
        let n = left
            .min(run_end.saturating_sub(start))
            .min(self.n_held.saturating_sub(start))
            .min(BLOCK.min(MAX_BYTES / frame_bytes).max(1));
        let at = run.at.saturating_add((start - run.start).saturating_mul(frame_bytes));
        if n == 0 || self.input.len().is_none_or(|len| at >= len) {
            return Ok(false);
        }
        self.input.seek(at)?;
        self.bytes.resize((n * frame_bytes) as usize, 0);
        let n_read = self.input.read(&mut self.bytes)?;
        let n_read = n_read - n_read % frame_bytes as usize;
        block.resize_with(self.description.n_channels, Vec::new);
        self.description.encoding.decode(&self.bytes[..n_read], self.description.is_big_endian, block);
        self.position = start + block[0].len() as u64;
        Ok(n_read > 0)
    }
}

impl Source for MovSource {
    fn format(&self) -> &Format {
        &self.format
    }

    fn exact_length(&self) -> Option<u64> {
        self.format.n_samples.filter(|_| self.is_whole)
    }

    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        while let Some(part) = self.parts.front().copied() {
            if let Some(silence) = take_silence(&mut self.parts, self.format.n_channels) {
                self.n_handed_out += silence[0].len() as u64;
                *block = silence;
                return Ok(true);
            }
            match part {
                Part::Media { start, left: Some(left) } if left > 0 && self.media(start, left, block)? => {
                    let n = block[0].len() as u64;
                    self.parts[0] = Part::Media { start: start + n, left: Some(left - n) };
                    self.n_handed_out += n;
                    return Ok(true);
                }
                _ => {
                    self.parts.pop_front();
                }
            }
        }
        Ok(false)
    }

    fn findings(&self) -> Findings {
        let n_samples = self.format.n_samples.unwrap_or(0);
        let n_missing = n_samples.saturating_sub(self.n_handed_out);
        let (n_gap_samples, notes) = (self.n_gap_samples, self.notes.clone());
        Findings { n_missing, n_gap_samples, notes, ..Findings::default() }
    }

    fn lead_samples(&self) -> u64 {
        self.n_lead
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
