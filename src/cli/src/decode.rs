//! Opens an audio file or stream and decodes it block by block, with what the encoder added at its ends trimmed.
//!
//! The first bytes say what a file is. Then one of these reads it:
//!
//! - [`plain`]: samples in one run of bytes, behind the headers of [`riff`] (WAV, RF64, BW64, Wave64) and [`aiff`] (AIFF,
//!   AU, CAF).
//! - [`mpeg`]: MP3, MP2 and AAC in ADTS, frames without a table of contents.
//! - [`ogg`]: Opus, Vorbis and FLAC in Ogg.
//! - [`mov`]: PCM in MP4 and MOV, by the tables of [`sample_table`].
//! - [`packets`]: what symphonia's readers do: MP4, Matroska, FLAC, CAF with a codec.
//! - [`ffmpeg`]: anything else, in a child process, where that is asked for.
//!
//! A header's length is a claim that is held against the bytes: what a file holds is read to its end, and what it does not
//! hold is reported. A format is certain before the first block is handed out, samples that are not finite become silence,
//! damaged packets silence of the same length (so that the rest stays in place), and errors name the next step. Runs on
//! the thread that denoises.

mod aac;
mod aiff;
mod asc;
mod blocks;
mod caf;
mod codec;
mod codec_id;
mod conform;
mod convert;
mod edits;
mod ends;
mod esds;
mod ffmpeg;
mod flac;
mod foreign;
mod fragments;
mod frame_decoder;
mod frames;
mod halve;
mod headerless;
mod headers;
mod ilst;
mod input;
mod layout;
mod listed;
mod matroska;
pub mod metadata;
mod moof;
mod mov;
mod mpeg;
mod ogg;
mod options;
mod opus;
mod outline;
mod own_reader;
mod packet_list;
mod packets;
mod page;
mod parts;
mod pcm;
mod plain;
mod probe;
mod refusal;
mod riff;
mod runs;
mod sample_table;
mod slide;
mod source;
mod tracks;
mod vorbis;
mod windows;
mod xing;
pub(crate) mod xiph;

use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tacet_realtime::samples::make_finite;

use super::io_errors::explained;
use super::standard;
use convert::Refused;
use ffmpeg::FfmpegSource;
use headers::plain_layout;
use input::Input;
use layout::{Announced, Codec};
use metadata::Metadata;
use mov::MovSource;
use mpeg::MpegSource;
use ogg::OggSource;
use packets::PacketSource;
use plain::PlainSource;
use source::{MAX_CHANNELS, Source};

pub use options::{Options, TrackChoice};
pub use refusal::SUPPORTED;
pub use source::{Format, SourceDepth};

/// Damage that did not end the decoding. Samples are per channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blemishes {
    /// Samples that were NaN or infinite, over all channels; now silent.
    pub n_not_finite: u64,
    /// Samples whose packets could not be decoded; now silent.
    pub n_damaged_samples: u64,
    /// Samples that are missing in between, by the times of what is there; now silent.
    pub n_gap_samples: u64,
    /// Samples that were announced and did not come.
    pub n_missing: u64,
    /// Samples of silence in front, where the sound of a video starts after the picture.
    pub n_lead: u64,
    /// Samples in front that the file's times count and that were removed, as what an encoder of the kind adds.
    pub n_removed: u64,
    /// Anything else that the user should know, as sentences about the file.
    pub notes: Vec<String>,
}

/// Advice on a file (a pipe, if `None`) that cannot be read, with the command to copy.
pub(crate) fn conversion(path: Option<&Path>, options: &Options) -> String {
    Refused::new(path, options).advice(convert::Program::Ffmpeg(""))
}

/// Bytes that a file's format is recognised by.
const HEAD: usize = 4096;

/// A source being decoded.
pub struct Decoder {
    source: Box<dyn Source>,
    block: Vec<Vec<f32>>,
    n_decoded: u64,
    n_not_finite: u64,
    /// Bytes of the file; 0 for a pipe.
    n_bytes: u64,
    /// The input, for words on what turns out to be unreadable on the way.
    input: Refused,
}

impl Decoder {
    /// Opens a file.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or holds no audio that is supported.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        // Before it is opened: Windows opens no folders and calls that a lack of rights.
        if path.is_dir() {
            bail!("is a folder: name the files in it, or all of them with --recursive");
        }
        let file = File::open(path).map_err(|error| explained("cannot be opened", &error))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Self::open_pipe(Box::new(file), options);
        }
        if metadata.len() == 0 {
            bail!(
                "is empty (0 bytes): the recording was cut off before anything was written, and nothing can be made of it"
            );
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let input = Refused::new(Some(path), options);
        match Self::open_file(file, extension, options, input.clone()) {
            Err(reason) => {
                let reason = refusal::named(reason, &input);
                match refusal::ffmpeg_options(&reason).filter(|_| options.by_ffmpeg) {
                    Some(words) => {
                        let source = FfmpegSource::open(path, words, options, &reason)?;
                        Self::new(Box::new(source), metadata.len(), input)
                    }
                    None => Err(reason),
                }
            }
            opened => opened,
        }
    }

    /// Opens standard input.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn open_stdin(options: &Options) -> Result<Self> {
        let Some(file) = standard::input() else { return Self::open_pipe(Box::new(io::stdin()), options) };
        let input = Refused::new(None, options);
        Self::open_file(file, None, options, input.clone()).map_err(|error| refusal::named(error, &input))
    }

    fn open_pipe(pipe: Box<dyn Read + Send + Sync>, options: &Options) -> Result<Self> {
        let input = Refused::new(None, options);
        Self::open_stream(pipe, options, input.clone()).map_err(|error| refusal::named(error, &input))
    }

    /// Plain samples stream through. Anything else is kept in a temporary file first: it is read exactly like a file,
    /// whose end can describe its beginning.
    fn open_stream(
        mut pipe: Box<dyn Read + Send + Sync>,
        options: &Options,
        refused: Refused,
    ) -> Result<Self> {
        let mut head = Vec::new();
        pipe.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            bail!(
                "is empty (0 bytes): the program that should write into the pipe wrote nothing; see what it says"
            );
        }
        let is_plain = match plain_layout(&mut Input::pipe(Box::new(Cursor::new(head.clone())))) {
            Ok(Some(layout)) => layout.codec != Codec::Mpeg,
            _ => false,
        };
        if is_plain {
            let mut input = Input::pipe(Box::new(Cursor::new(head).chain(pipe)));
            if let Some(layout) = plain_layout(&mut input)? {
                tracks::refuse_others(options)?;
                return Self::new(Box::new(PlainSource::new(input, layout)?), 0, refused);
            }
            return Err(refusal::damaged("cannot be read"));
        }
        let mut file = tempfile::tempfile()
            .map_err(|error| explained("cannot make a temporary file for standard input", &error))?;
        io::copy(&mut Cursor::new(head).chain(pipe), &mut file)
            .map_err(|error| explained("cannot be kept in a temporary file", &error))?;
        Self::open_file(file, None, options, refused)
    }

    fn open_file(
        mut file: File,
        extension: Option<&str>,
        options: &Options,
        refused: Refused,
    ) -> Result<Self> {
        let n_bytes = file.seek(SeekFrom::End(0))?;
        let mut input = Input::file(file.try_clone()?)?;
        let source = open_source(&mut input, file, extension, options)?;
        Self::new(source, n_bytes, refused)
    }

    fn new(source: Box<dyn Source>, n_bytes: u64, input: Refused) -> Result<Self> {
        let format = source.format();
        if format.n_channels > MAX_CHANNELS {
            bail!(
                "has {} channels; at most {MAX_CHANNELS} can be denoised: split it into files of fewer first",
                format.n_channels
            );
        }
        Ok(Self { source, block: Vec::new(), n_decoded: 0, n_not_finite: 0, n_bytes, input })
    }

    /// Facts about the source.
    pub fn format(&self) -> &Format {
        self.source.format()
    }

    /// Samples per channel that will come, where the source is exact about it. The header of a pipe is a claim that only
    /// its end bears out.
    pub fn exact_length(&self) -> Option<u64> {
        self.source.exact_length().filter(|_| self.n_bytes > 0)
    }

    /// Damage so far; complete after the last block.
    pub fn blemishes(&self) -> Blemishes {
        let findings = self.source.findings();
        Blemishes {
            n_not_finite: self.n_not_finite,
            n_damaged_samples: findings.n_damaged_samples,
            n_gap_samples: findings.n_gap_samples,
            n_missing: findings.n_missing,
            n_lead: self.source.lead_samples(),
            n_removed: self.source.removed_samples(),
            notes: findings.notes,
        }
    }

    /// Metadata for an output. Complete after the last block; for a file, from the start.
    pub fn metadata(&self) -> &Metadata {
        self.source.metadata()
    }

    /// The next block, one vector per channel, all of one length of at least 1; `None` at the end.
    ///
    /// # Errors
    /// The source cannot be read any more, or ended without a single sample although it holds something.
    pub fn next_block(&mut self) -> Result<Option<&[Vec<f32>]>> {
        loop {
            let is_read =
                self.source.read(&mut self.block).map_err(|error| refusal::named(error, &self.input))?;
            if !is_read {
                let n_damaged = self.source.findings().n_damaged_samples;
                if n_damaged > 0 && n_damaged >= self.n_decoded {
                    let what = "holds sound, none of which can be decoded";
                    return Err(refusal::named(refusal::damaged(what), &self.input));
                }
                if self.n_decoded == 0 && self.n_bytes > 0 && self.exact_length() != Some(0) {
                    let what = format!(
                        "yields no sound, although it holds {} bytes: it is damaged or cut off; if a player plays it,",
                        self.n_bytes
                    );
                    return Err(refusal::named(refusal::refused(what), &self.input));
                }
                return Ok(None);
            }
            if self.block.first().is_none_or(Vec::is_empty) {
                continue;
            }
            self.n_decoded += self.block[0].len() as u64;
            let n_not_finite: usize = self.block.iter_mut().map(|channel| make_finite(channel)).sum();
            self.n_not_finite += n_not_finite as u64;
            return Ok(Some(&self.block));
        }
    }
}

/// Recognises a file's format by its beginning, and opens its reader.
fn open_source(
    input: &mut Input,
    file: File,
    extension: Option<&str>,
    options: &Options,
) -> Result<Box<dyn Source>> {
    // Shares its position with `file`: of the two, the one made last is read.
    let again = || Input::file(file.try_clone()?).context("cannot be rewound");
    let head = input.peek(HEAD)?.to_vec();
    // Tags in front do not decide the format; the bytes behind them do.
    let mut start = 0;
    while let n @ 1.. = tag_len(input.peek(10)?).min(input.left().unwrap_or(0)) {
        start += n;
        input.seek(start)?;
    }
    if let Some(layout) = plain_layout(input)? {
        tracks::refuse_others(options)?;
        let at = input.at();
        let mut input = again()?;
        if layout.codec != Codec::Mpeg {
            input.seek(at)?;
            return Ok(Box::new(PlainSource::new(input, layout)?));
        }
        let end = match layout.announced {
            Announced::Bytes(bytes) if bytes > 0 => at.saturating_add(bytes),
            _ => u64::MAX,
        };
        let end = if plain::ends_at(&mut input, end, layout.tail)? { end } else { u64::MAX };
        return match MpegSource::open(input, at, end, Some(layout.container), layout.metadata)? {
            Some(source) => Ok(Box::new(source)),
            None => return Err(refusal::damaged("holds no MPEG frame, although it says so")),
        };
    }
    let mut input = again()?;
    input.seek(start)?;
    let inner = input.peek(HEAD)?.to_vec();
    let is_mp4 =
        inner.first_chunk::<8>().is_some_and(|&[.., a, b, c, d]| outline::is_first_box(&[a, b, c, d]));
    let is_matroska = inner.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]);
    // Also behind rubbish.
    if inner.starts_with(b"OggS") || inner.windows(6).any(|bytes| bytes == b"OggS\0\x02") {
        let metadata = Metadata::of_file(&file, extension);
        return Ok(Box::new(OggSource::open(again()?, metadata, options)?));
    }
    if is_mp4 && let Some(source) = MovSource::open(file.try_clone()?, extension, options)? {
        return Ok(Box::new(source));
    }
    if is_mp4 || is_matroska || inner.starts_with(b"fLaC") || aiff::is_caf(&head) {
        return Ok(Box::new(PacketSource::open(file, extension, options)?));
    }
    if refusal::container(&inner).is_some() {
        return Err(refusal::unknown(&inner, extension));
    }
    let metadata = Metadata::of_file(&file, extension);
    let n_bytes = input.len().unwrap_or(0);
    match MpegSource::open(again()?, 0, u64::MAX, None, metadata)? {
        // Rubbish in which a few frames are found by chance is no recording.
        Some(source) if source.n_foreign() * 2 < n_bytes && !source.is_chance() => {
            tracks::refuse_others(options)?;
            Ok(Box::new(source))
        }
        _ => Err(refusal::unknown(&inner, extension)),
    }
}

/// The length of an ID3v2 tag at the start; 0 if there is none.
fn tag_len(head: &[u8]) -> u64 {
    match head.first_chunk::<10>() {
        Some([b'I', b'D', b'3', _, _, _, size @ ..]) => {
            10 + size.iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7f))
        }
        _ => 0,
    }
}

/// Decodes a whole source into memory: one vector per channel, and its format.
///
/// # Errors
/// As [`Decoder::open`] and [`Decoder::next_block`].
pub fn decode_all(path: &Path) -> Result<(Format, Vec<Vec<f32>>)> {
    let mut decoder = Decoder::open(path, &Options::default()).with_context(|| path.display().to_string())?;
    let mut channels = vec![Vec::new(); decoder.format().n_channels];
    while let Some(block) = decoder.next_block().with_context(|| path.display().to_string())? {
        for (all, block) in channels.iter_mut().zip(block) {
            all.extend_from_slice(block);
        }
    }
    Ok((decoder.format().clone(), channels))
}
