//! The samples of a container whose data are one run of bytes: WAV and its relatives, AIFF, AU, CAF.
//!
//! The length that the header states is a claim. It is held against the bytes: data that go on behind it are read (a
//! recorder that lost power has not written the length, or an old one), data that end before it are reported, and chunks
//! behind it are never taken for sound.

mod behind;
pub(super) mod ima4;
pub(super) mod unit;

use std::collections::VecDeque;

use anyhow::{Result, bail};

use super::input::Input;
use super::layout::{Announced, Codec, Layout};
use super::metadata::Metadata;
use super::source::{Findings, Format, Source};
pub use behind::ends_at;
use unit::Unit;

/// Samples per channel of a block, about: a live pipe waits for one to fill, 21 ms at 48 kHz.
const BLOCK: usize = 1024;
/// Bytes of a block at most, whatever the channels.
const MAX_BYTES: usize = 1 << 20;
/// More than this is missing from no recording, in seconds: ten days. Its header is wrong.
const MAX_MISSING_S: u64 = 864_000;
/// A length of 32 bits from here on that is not there is a placeholder, rounded down.
const MIN_PLACEHOLDER: u64 = 0xffff_0000;
/// Silence between runs of samples that is longer than this, in seconds, makes no sense: a day.
const MAX_SILENCE_S: u64 = 86_400;

/// A file or pipe of plain samples.
pub struct PlainSource {
    input: Input,
    layout: Layout,
    format: Format,
    decoder: Unit,
    /// Start of the data.
    data_at: u64,
    /// Bytes still to be read; `None`: to the end.
    left: Option<u64>,
    /// Whether what follows the data was read when the file was opened.
    has_tail: bool,
    n_samples: u64,
    n_missing: u64,
    /// Whether the header announces what cannot be.
    is_absurd: bool,
    /// Pieces behind the first run of samples.
    runs: VecDeque<Piece>,
    n_runs: usize,
    /// Samples at the end that fill up the last block of a codec.
    n_filled: u64,
    /// Silence that is handed out next.
    n_silent: u64,
    /// Whether silence was stated that makes no sense.
    is_silence_absurd: bool,
    /// The stated bytes of the run that is read.
    run_bytes: u64,
    /// Whether the data went on behind their stated length.
    is_longer: bool,
    /// Whether a recording of another format is joined, which is not read.
    is_followed: bool,
    bytes: Vec<u8>,
}

/// A part of a recording in several.
enum Piece {
    /// Samples: where they begin, and their bytes.
    Data(u64, u64),
    /// So many samples per channel of silence.
    Silence(u64),
}

impl PlainSource {
    /// The samples behind a header that was just read.
    ///
    /// # Errors
    /// The input cannot be read, or its blocks make no sense.
    pub fn new(input: Input, layout: Layout) -> Result<Self> {
        let decoder = Unit::new(&layout)?;
        if layout.codec == Codec::Mpeg {
            bail!("MPEG audio has a reader of its own");
        }
        let format = Format {
            name: format!("{}, {}", layout.container, layout.codec.name(layout.is_big_endian)),
            rate_hz: layout.rate_hz,
            n_channels: layout.n_channels,
            channel_mask: layout.channel_mask,
            depth: layout.codec.depth(),
            n_samples: None,
        };
        let data_at = input.at();
        let left = match layout.announced {
            Announced::Bytes(bytes) => Some(bytes),
            Announced::Open => None,
        };
        let mut this = Self {
            input,
            layout,
            format,
            decoder,
            data_at,
            left,
            has_tail: false,
            n_samples: 0,
            n_missing: 0,
            is_absurd: false,
            runs: VecDeque::new(),
            n_runs: 1,
            n_filled: 0,
            n_silent: 0,
            is_silence_absurd: false,
            run_bytes: left.unwrap_or(0),
            is_longer: false,
            is_followed: false,
            bytes: Vec::new(),
        };
        this.n_silent = this.believed(this.layout.n_silent_before);
        let n_before = this.n_silent;
        this.look_behind()?;
        let n_bytes = match (this.left, this.input.left()) {
            (Some(left), Some(rest)) => Some(left.min(rest)),
            (None, rest) => rest,
            // A pipe of no bytes is one whose length was never written.
            (left, None) => left.filter(|&left| left > 0),
        };
        let n_samples = |n_bytes: u64| n_bytes / this.unit_bytes() * this.unit_samples();
        let n_behind: u64 = this
            .runs
            .iter()
            .map(|piece| match *piece {
                Piece::Data(_, n_bytes) => n_samples(n_bytes),
                Piece::Silence(n) => n,
            })
            .sum();
        // The last block of a codec is filled up.
        let in_data = n_bytes.map(n_samples);
        let n_filled =
            in_data.zip(this.layout.n_stated).map_or(0, |(all, stated)| all.saturating_sub(stated));
        let is_filled = n_filled < this.unit_samples() && n_behind == 0 && this.left.is_some();
        this.n_filled = if is_filled { n_filled } else { 0 };
        this.format.n_samples = in_data.map(|in_data| n_before + in_data - this.n_filled + n_behind);
        Ok(this)
    }

    fn unit_bytes(&self) -> u64 {
        self.layout.block_align as u64
    }

    fn unit_samples(&self) -> u64 {
        match &self.decoder {
            Unit::Plain => 1,
            Unit::Block { n_samples, .. } => *n_samples as u64,
            Unit::QuickTime(_) => ima4::SAMPLES as u64,
        }
    }

    /// At the end of the stated data: whether there is more.
    fn goes_on(&mut self) -> Result<bool> {
        match self.runs.pop_front() {
            Some(Piece::Data(at, n_bytes)) => {
                self.input.seek(at)?;
                self.left = Some(n_bytes);
                return Ok(true);
            }
            Some(Piece::Silence(n)) => {
                self.n_silent = n;
                return Ok(true);
            }
            None => {}
        }
        if self.has_tail {
            return Ok(false);
        }
        self.has_tail = true;
        if self.layout.announced == Announced::Open {
            return Ok(false);
        }
        // The rest of a sample, behind which the data end as stated.
        let mut rest = vec![0; self.left.unwrap_or(0) as usize];
        let n_rest = self.input.read(&mut rest)?;
        self.is_longer = self.is_more_data(self.run_bytes)?;
        if self.is_longer {
            self.input.put_back(&rest[..n_rest]);
            self.left = None;
            return Ok(true);
        }
        self.read_tail()?;
        Ok(!self.has_tail)
    }

    /// Silence of a stated length, if it is not longer than any recording's.
    fn believed(&mut self, n_samples: u64) -> u64 {
        let is_absurd = n_samples / u64::from(self.format.rate_hz) > MAX_SILENCE_S;
        self.is_silence_absurd |= is_absurd;
        if is_absurd { 0 } else { n_samples }
    }

    /// Data that ended `left` bytes before their stated length, with `n_tail` bytes of chunks behind them.
    fn note_missing(&mut self, left: u64, n_tail: u64) {
        // Lengths that count the header in, that of the chunk, all of the file but its first 8 bytes, or the chunks behind:
        // nothing is missing.
        let is_counted_in = |left: u64| left == self.data_at || left + 8 == self.data_at || left == 8;
        let is_file_size = is_counted_in(left)
            || left.checked_sub(n_tail).is_some_and(|left| left == 0 || is_counted_in(left));
        let is_placeholder = (MIN_PLACEHOLDER..=u32::MAX.into()).contains(&self.run_bytes);
        let n_missing = (left / self.unit_bytes()).saturating_mul(self.unit_samples());
        self.is_absurd = n_missing / u64::from(self.format.rate_hz) > MAX_MISSING_S;
        if !is_file_size && !is_placeholder && !self.is_absurd {
            self.n_missing = n_missing;
        }
    }
}

impl Source for PlainSource {
    fn format(&self) -> &Format {
        &self.format
    }

    fn exact_length(&self) -> Option<u64> {
        self.format.n_samples
    }

    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        while self.n_silent == 0 && self.left.is_some_and(|left| left < self.unit_bytes()) {
            if !self.goes_on()? {
                return Ok(false);
            }
        }
        if self.n_silent > 0 {
            let n_now = self.n_silent.min(BLOCK as u64);
            self.n_silent -= n_now;
            *block = vec![vec![0.0; n_now as usize]; self.layout.n_channels];
            return Ok(true);
        }
        let unit = self.layout.block_align;
        let n_units = match self.decoder {
            Unit::Plain => BLOCK.min(MAX_BYTES / unit).max(1),
            Unit::Block { .. } | Unit::QuickTime(_) => 1,
        };
        let n_wanted = (n_units * unit) as u64;
        let n_wanted = self.left.map_or(n_wanted, |left| n_wanted.min(left / unit as u64 * unit as u64));
        self.bytes.resize(n_wanted as usize, 0);
        let n_read = self.input.read(&mut self.bytes)?;
        let n_data = if self.input.len().is_none() { self.n_before_chunks(n_read)? } else { n_read };
        if n_data < n_read {
            // Their length was wrong.
        } else if (n_read as u64) < n_wanted {
            if let Some(left) = self.left {
                self.note_missing(left - n_read as u64, 0);
            }
            self.left = Some(0);
            self.has_tail = true;
        } else {
            self.left = self.left.map(|left| left - n_wanted);
        }
        let n_read = n_data / unit * unit;
        if n_read == 0 {
            // Chunks begin here, or it is the end.
            return self.read(block);
        }
        block.resize_with(self.layout.n_channels, Vec::new);
        self.decoder.decode(&self.layout, &self.bytes[..n_read], block)?;
        let is_last = self.n_filled > 0 && self.left.is_some_and(|left| left < self.unit_bytes());
        // A pipe shows only now whether its data go on.
        if is_last && (self.has_tail || !self.is_more_data(self.run_bytes)?) {
            // Padding was passed.
            self.run_bytes = 0;
            let n_kept = block[0].len().saturating_sub(self.n_filled as usize);
            block.iter_mut().for_each(|channel| channel.truncate(n_kept));
        }
        self.n_samples += block[0].len() as u64;
        Ok(true)
    }

    fn findings(&self) -> Findings {
        let mut notes = Vec::new();
        let seconds = |n_samples: u64| n_samples as f64 / f64::from(self.format.rate_hz);
        if self.is_longer {
            let held_s = seconds(self.n_samples);
            notes.push(match self.layout.announced {
                Announced::Bytes(bytes) if bytes > 0 => {
                    let announced_s = seconds(bytes / self.unit_bytes() * self.unit_samples());
                    format!(
                        "its header announces {announced_s:.2} s, it holds {held_s:.2} s: all of it was read"
                    )
                }
                _ => format!(
                    "its header states no length (the recording was cut off before it was written): \
                     all {held_s:.2} s were read"
                ),
            });
        }
        if self.is_absurd {
            notes.push(
                "its header announces a length that no recording has: all that is there was read".to_owned(),
            );
        }
        if self.is_silence_absurd {
            notes.push(
                "states silence that is longer than a day (a slnt chunk): it was left out, the rest was read"
                    .to_owned(),
            );
        }
        if self.n_runs > 1 {
            notes.push(format!("holds {} runs of samples (data chunks): they were joined", self.n_runs));
        }
        if self.is_followed {
            notes.push(
                "is followed by another recording of another format, which was not read: split the two first"
                    .to_owned(),
            );
        }
        Findings { n_missing: self.n_missing, notes, ..Findings::default() }
    }

    fn metadata(&self) -> &Metadata {
        &self.layout.metadata
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use crate::decode::riff;

    /// A mono WAV of 16 bits at 8 kHz that announces `announced` bytes and holds 1000 samples, then `tail`.
    fn wav(announced: u32, tail: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        bytes.extend(8_000_u32.to_le_bytes());
        bytes.extend(16_000_u32.to_le_bytes());
        bytes.extend([2, 0, 16, 0]);
        bytes.extend(b"data");
        bytes.extend(announced.to_le_bytes());
        bytes.extend((0..1000_i16).flat_map(|i| (i * 29 - 15_000).to_le_bytes()));
        bytes.extend(tail);
        bytes
    }

    /// Samples, missing ones, notes and metadata, the same from a file and a pipe.
    fn read(bytes: &[u8]) -> (usize, u64, Vec<String>, Metadata) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let inputs = [Input::file(file).unwrap(), Input::pipe(Box::new(Cursor::new(bytes.to_vec())))];
        let [from_file, from_pipe] = inputs.map(|mut input| {
            let layout = riff::read(&mut input).unwrap();
            let mut source = PlainSource::new(input, layout).unwrap();
            let (mut samples, mut block) = (Vec::new(), Vec::new());
            while source.read(&mut block).unwrap() {
                samples.extend_from_slice(&block[0]);
            }
            let findings = source.findings();
            (samples, findings.n_missing, findings.notes, source.metadata().clone())
        });
        assert_eq!(from_file, from_pipe);
        (from_file.0.len(), from_file.1, from_file.2, from_file.3)
    }

    #[test]
    fn the_bytes_decide_how_long_a_recording_is() {
        let list = b"LIST\x04\0\0\0INFO";
        for (announced, tail, expected) in [
            (2_000, &b""[..], (1000, 0, 0)),
            // Chunks behind the data are no sound, nor are tags.
            (2_000, list, (1000, 0, 0)),
            (2_000, b"TAGtitle", (1000, 0, 0)),
            (2_000, b"xyzw\x02\0\0\0ab", (1000, 0, 0)),
            // Placeholders.
            (u32::MAX, b"", (1000, 0, 0)),
            (0x8000_0000, b"", (1000, 0, 0)),
            // Never written, or written before the end.
            (0, b"", (1000, 0, 1)),
            (500, b"", (1000, 0, 1)),
            // Within the last sample.
            (1_999, b"", (999, 0, 0)),
            // The file's own length, and that less 8.
            (2_044, b"", (1000, 0, 0)),
            (2_036, b"", (1000, 0, 0)),
            // The same, where chunks follow, and the length of the data with them.
            (2_056, list, (1000, 0, 0)),
            (2_048, list, (1000, 0, 0)),
            (2_012, list, (1000, 0, 0)),
            // Cut off, in front of chunks too.
            (6_000, b"", (1000, 2_000, 0)),
            (6_000, list, (1000, 2_000, 0)),
        ] {
            let (n_samples, n_missing, notes, _) = read(&wav(announced, tail));
            assert_eq!((n_samples, n_missing, notes.len()), expected, "{announced} {tail:?} {notes:?}");
        }
    }

    #[test]
    fn several_runs_of_samples_are_joined_and_a_description_may_follow() {
        let more = b"LIST\x04\0\0\0INFOdata\x04\0\0\0abcddata\x02\0\0\0ef";
        let (n_samples, n_missing, notes, _) = read(&wav(2_000, more));
        assert_eq!((n_samples, n_missing), (1_003, 0));
        assert!(notes[0].contains("3 runs"), "{notes:?}");
        // Silence between them, and behind the last; more of it than anyone records.
        let silence = |n: u32| [&b"slnt\x04\0\0\0"[..], &n.to_le_bytes()].concat();
        let more = [&silence(500), &b"data\x04\0\0\0abcd"[..], &silence(70), &silence(u32::MAX)].concat();
        let (n_samples, n_missing, notes, _) = read(&wav(2_000, &more));
        assert_eq!((n_samples, n_missing), (1_572, 0));
        assert!(notes[0].contains("longer than a day") && notes[1].contains("2 runs"), "{notes:?}");
        // In front of the first.
        let mut bytes = wav(2_000, b"");
        bytes.splice(36..36, silence(33));
        assert_eq!(read(&bytes).0, 1_033);
        // The description last: of a file only.
        let whole = wav(2_000, b"");
        let bytes = [&whole[..12], &whole[36..], &whole[12..36]].concat();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut input = Input::file(file).unwrap();
        let layout = riff::read(&mut input).unwrap();
        assert_eq!((input.at(), layout.rate_hz), (20, 8_000));
        assert!(riff::read(&mut Input::pipe(Box::new(Cursor::new(bytes)))).is_err());
    }

    #[test]
    fn chunks_on_either_side_are_kept() {
        let (_, _, _, metadata) = read(&wav(2_000, b"bext\x02\0\0\0abLIST\x04\0\0\0INFO"));
        assert_eq!(metadata.chunks, [(*b"bext", b"ab".to_vec()), (*b"LIST", b"INFO".to_vec())]);
    }

    #[test]
    fn chunks_behind_data_of_no_stated_length_are_no_sound() {
        let list = b"LIST\x05\0\0\0INFO!\0";
        let text = [&b"iXML\x88\x13\0\0"[..], &[b'x'; 5_000]].concat();
        for announced in [u32::MAX, 0x7fff_f000, 0, 500] {
            for (tail, n_chunks) in
                [(&list[..], 1), (&list[..13], 1), (&text[..], 1), (&[list, &text[..]].concat(), 2)]
            {
                let (n_samples, n_missing, _, metadata) = read(&wav(announced, tail));
                assert_eq!((n_samples, n_missing, metadata.chunks.len()), (1000, 0, n_chunks), "{announced}");
            }
            // Not to the end, of a name that nobody knows, at an odd place: samples.
            for tail in [&b"LIST\x04\0\0\0INFO12345678"[..], b"xyzw\x02\0\0\0ab", b".LIST\x05\0\0\0INFO!"] {
                assert_eq!(read(&wav(announced, tail)).0, 1000 + tail.len() / 2, "{announced}");
            }
        }
    }

    #[test]
    fn an_empty_recording_before_a_chunk_is_empty() {
        let mut bytes = wav(0, b"");
        bytes.truncate(44);
        assert_eq!(read(&bytes).0, 0);
        bytes.extend(b"LIST\x04\0\0\0INFO");
        assert_eq!(read(&bytes).0, 0);
    }
}
