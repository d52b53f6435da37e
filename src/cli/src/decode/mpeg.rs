//! MP3, MP2 and AAC in ADTS and LATM: streams of frames without a table of contents.
//!
//! symphonia's readers believe the first frames: the count in a Xing header, or an estimate by the first bit rate. Here all
//! frames are counted before the first is decoded, so that the length is exact, files joined end to end are read to the
//! last, and a change of rate or channels is known. Each run that begins with an encoder's header (Xing, LAME) is trimmed
//! by its own delay and padding, others by the delay that any encoder has.

use anyhow::Result;

use super::conform::Conform;
use super::ends;
use super::frame_decoder::FrameDecoder;
use super::frames::{Family, Frames, Header};
use super::input::Input;
use super::metadata::Metadata;
use super::runs::{Run, scan};
use super::source::{Findings, Format, Source, SourceDepth, words_on_foreign};
use super::xing::EncoderInfo;
use crate::resample::n_resampled;

/// A stream of frames.
pub struct MpegSource {
    frames: Frames,
    n_foreign: u64,
    /// Whether the bytes end within a frame.
    is_cut: bool,
    format: Format,
    runs: Vec<Run>,
    /// The run that is decoded, and what is left of it.
    run_idx: usize,
    frames_left: u64,
    to_skip: u64,
    to_keep: u64,
    decoder: Option<FrameDecoder>,
    conform: Conform,
    frame: Vec<u8>,
    /// Frames of this run that were decoded or given up.
    n_frames: u64,
    /// Missing frames before the next one: of this hole, and the holes passed.
    gap_left: u64,
    n_gaps_passed: usize,
    n_damaged_samples: u64,
    n_gap_samples: u64,
    /// Samples, about, of the bytes that the container announces and that are not there.
    n_cut_samples: u64,
    metadata: Metadata,
}

impl MpegSource {
    /// The frames in the bytes of a file from `start` to `end`; `None` if there are none.
    ///
    /// # Errors
    /// The file cannot be read, or its codec is not supported.
    pub fn open(
        input: Input,
        start: u64,
        end: u64,
        container: Option<&str>,
        metadata: Metadata,
    ) -> Result<Option<Self>> {
        let len = input.len().unwrap_or(end);
        let n_cut_bytes = if end == u64::MAX { 0 } else { end.saturating_sub(len) };
        let n_bytes = len.saturating_sub(start).max(1);
        let mut frames = Frames::new(input, start, end)?;
        let (mut runs, n_foreign) = scan(&mut frames)?;
        ends::settle(&mut runs, &mut frames)?;
        let Some(first) = runs.first() else { return Ok(None) };
        let (own_container, codec) = match first.header.family {
            Family::Layer(1) => ("mp1", "mp1"),
            Family::Layer(2) => ("mp2", "mp2"),
            Family::Layer(_) => ("mp3", "mp3"),
            Family::Adts(_) => ("adts", "aac"),
            Family::Latm => ("latm", "aac"),
        };
        let rate_hz = first.rate_hz;
        let n_channels = runs.iter().map(|run| run.n_channels).max().unwrap_or(1);
        let n_samples = runs.iter().map(|run| n_resampled(run.n_samples(), run.rate_hz, rate_hz)).sum();
        let format = Format {
            name: format!("{}, {codec}", container.unwrap_or(own_container)),
            rate_hz,
            n_channels,
            channel_mask: first.channel_mask.filter(|_| n_channels > 2 && first.n_channels == n_channels),
            depth: SourceDepth::Lossy,
            n_samples: Some(n_samples),
        };
        frames.rewind(start)?;
        Ok(Some(Self {
            is_cut: frames.is_cut(),
            frames,
            n_foreign,
            format,
            run_idx: 0,
            frames_left: first.n_frames,
            to_skip: first.n_trim_start(),
            to_keep: first.n_samples(),
            runs,
            decoder: None,
            conform: Conform::new(rate_hz, n_channels),
            frame: Vec::new(),
            n_frames: 0,
            gap_left: 0,
            n_gaps_passed: 0,
            n_damaged_samples: 0,
            n_gap_samples: 0,
            n_cut_samples: (u128::from(n_cut_bytes) * u128::from(n_samples) / u128::from(n_bytes)) as u64,
            metadata,
        }))
    }

    /// Whether the frames were found by chance in what is something else: few follow each other.
    pub fn is_chance(&self) -> bool {
        let n_frames: u64 = self.runs.iter().map(|run| run.n_frames).sum();
        self.n_foreign > 0 && self.runs.len() > 20 && n_frames < 4 * self.runs.len() as u64
    }

    /// Bytes that belong to no frame.
    pub fn n_foreign(&self) -> u64 {
        self.n_foreign
    }

    /// Decodes a frame into `block`; silence of its length where it cannot be.
    fn decode(&mut self, header: &Header, block: &mut Vec<Vec<f32>>) -> Result<()> {
        let run = &self.runs[self.run_idx];
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            empty => empty.insert(FrameDecoder::new(run)?),
        };
        let n_samples = run.frame_samples(header);
        let is_good = decoder.decode(run, header, &self.frame, block)?;
        // The first frames of a piece cut out of a stream lean on what was before it.
        if !is_good && self.n_frames > 2 {
            self.n_damaged_samples += n_resampled(n_samples, run.rate_hz, self.format.rate_hz);
        }
        self.n_frames += 1;
        Ok(())
    }

    fn begin_run(&mut self) {
        self.run_idx += 1;
        if let Some(run) = self.runs.get(self.run_idx) {
            (self.frames_left, self.to_skip, self.to_keep) =
                (run.n_frames, run.n_trim_start(), run.n_samples());
        }
        self.decoder = None;
        (self.n_frames, self.gap_left, self.n_gaps_passed) = (0, 0, 0);
    }

    /// Silence in the place of a frame that is missing here; false if none is.
    fn fill_gap(&mut self, block: &mut Vec<Vec<f32>>) -> bool {
        let Some(run) = self.runs.get(self.run_idx) else { return false };
        let at = run.n_frames - self.frames_left;
        if self.gap_left == 0
            && let Some(&(_, n_frames)) =
                run.gaps.get(self.n_gaps_passed).filter(|&&(before, _)| before == at)
        {
            self.gap_left = n_frames;
            self.n_gaps_passed += 1;
            // The next frame depends on none before.
            self.decoder = None;
            self.n_frames = 0;
        }
        if self.gap_left == 0 {
            return false;
        }
        self.gap_left -= 1;
        let n_samples = run.frame_samples(&run.header);
        self.n_gap_samples += n_resampled(n_samples, run.rate_hz, self.format.rate_hz);
        *block = vec![vec![0.0; n_samples as usize]; run.n_channels];
        true
    }
}

impl Source for MpegSource {
    fn format(&self) -> &Format {
        &self.format
    }

    fn exact_length(&self) -> Option<u64> {
        self.format.n_samples
    }

    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        while self.run_idx < self.runs.len() {
            if self.frames_left == 0 {
                self.begin_run();
                if self.conform.end_part(block)? {
                    return Ok(true);
                }
                continue;
            }
            if !self.fill_gap(block) {
                let Some(header) = self.frames.next(&mut self.frame)? else {
                    // The file became shorter since it was counted.
                    self.frames_left = 0;
                    self.run_idx = self.runs.len();
                    return Ok(false);
                };
                if EncoderInfo::read(&header, &self.frame).is_some() {
                    continue;
                }
                self.frames_left -= 1;
                self.decode(&header, block)?;
            }
            let n_samples = block[0].len() as u64;
            let skip = self.to_skip.min(n_samples);
            self.to_skip -= skip;
            let keep = self.to_keep.min(n_samples - skip);
            self.to_keep -= keep;
            for channel in block.iter_mut() {
                channel.truncate((skip + keep) as usize);
                channel.drain(..skip as usize);
            }
            let rate_hz = self.runs[self.run_idx].rate_hz;
            self.conform.block(rate_hz, block)?;
            if !block[0].is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn findings(&self) -> Findings {
        let mut notes = Vec::new();
        let rate_hz = self.format.rate_hz;
        let n_missing = self.runs.iter().map(|run| n_resampled(run.n_missing(), run.rate_hz, rate_hz));
        let changes = |f: fn(&Run) -> usize| self.runs.iter().any(|run| f(run) != f(&self.runs[0]));
        if changes(|run| run.rate_hz as usize) {
            notes
                .push(format!("its sample rate changes on the way: all of it was converted to {rate_hz} Hz"));
        }
        if changes(|run| run.n_channels) {
            let n_channels = self.format.n_channels;
            notes.push(format!("its number of channels changes on the way: all of it has {n_channels} now"));
        }
        notes.extend(self.words_on_holes());
        let n_missing = n_missing.sum::<u64>().max(self.n_cut_samples);
        if self.is_cut && n_missing == 0 {
            notes.push(
                "ends within a frame: it is cut off there; copy it again if the original is longer"
                    .to_owned(),
            );
        }
        Findings {
            n_missing,
            n_damaged_samples: self.n_damaged_samples,
            notes,
            n_gap_samples: self.n_gap_samples,
        }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl MpegSource {
    /// The note on bytes that are no sound.
    fn words_on_holes(&self) -> Option<String> {
        let n_foreign = Some(self.n_foreign).filter(|&n_foreign| n_foreign > 0)?;
        let rate_hz = self.format.rate_hz;
        let mut run_at = 0;
        let (mut unknown, mut known) = (Vec::new(), Vec::new());
        for run in &self.runs {
            let place = |at: u64| run_at + n_resampled(at, run.rate_hz, rate_hz);
            unknown.extend(run.unknown_holes().map(place));
            let mut n_filled = 0;
            for &(before, n_frames) in &run.gaps {
                let n_samples = (before + n_filled) * run.frame_samples(&run.header);
                known.push(place(n_samples.saturating_sub(run.n_trim_start())));
                n_filled += n_frames;
            }
            run_at += n_resampled(run.n_samples(), run.rate_hz, rate_hz);
        }
        let places = |holes: &[u64]| {
            let mut words: Vec<String> =
                holes.iter().take(3).map(|&at| format!("{:.2} s", at as f64 / f64::from(rate_hz))).collect();
            if holes.len() > 3 {
                words.push(format!("{} more places", holes.len() - 3));
            }
            words.join(", ")
        };
        Some(match (&known[..], &unknown[..]) {
            ([], []) => words_on_foreign(n_foreign),
            (known, []) => {
                format!("{n_foreign} bytes in it are no sound: it has a hole at {}", places(known))
            }
            (_, unknown) => format!(
                "{n_foreign} bytes in it are no sound and were passed over, at {}: if sound was lost there, what follows \
                 comes earlier by its length",
                places(unknown)
            ),
        })
    }
}
