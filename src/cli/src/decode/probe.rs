//! Opens a file with symphonia's readers of containers: also one that is cut off, and with words for what fails.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom};

use anyhow::Result;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadBytes as _};
use symphonia::core::meta::MetadataOptions;
use symphonia::default::formats::IsoMp4Reader;
use symphonia::default::get_probe;

use super::matroska::described::DescribedReader;
use super::outline::outline;
use super::windows::{Part, Window};
use super::{caf, matroska, refusal};
use crate::decode::foreign::foreign;
use crate::io_errors::explained;

/// The box of the type that QuickTime's oldest files lack. symphonia 0.6 reads none without, and takes it anywhere.
const TYPE: &[u8] = b"\0\0\0\x14ftypqt  \0\0\0\0qt  ";

/// Opens a file, or parts of it, from its start.
///
/// # Errors
/// It cannot be read, or symphonia does not know it.
pub fn probe(
    file: &File,
    extension: Option<&str>,
    windows: Option<&[Window]>,
) -> Result<Box<dyn FormatReader>> {
    let file = file.try_clone().map_err(|error| explained("cannot be opened again", &error))?;
    let mut hint = Hint::new();
    if let Some(extension) = extension {
        hint.with_extension(extension);
    }
    let described = matroska::described::tracks(&file);
    let source = CutFile::new(file, windows).map_err(|error| explained("cannot be measured", &error))?;
    let lacks_type = !source.behind.is_empty();
    let mut stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
    if lacks_type {
        let open = || {
            // It goes four bytes back, to the start of the box whose name the probe has recognised.
            stream.read_quad_bytes()?;
            IsoMp4Reader::try_new(stream, FormatOptions::default())
        };
        return match foreign(open)? {
            Ok(reader) => Ok(Box::new(reader)),
            Err(error) => Err(explain_probe(&error)),
        };
    }
    foreign(|| get_probe().probe(&hint, stream, FormatOptions::default(), MetadataOptions::default()))?
        .map(|reader| DescribedReader::of(reader, described))
        .map_err(|error| explain_probe(&error))
}

/// A file that is as long as its boxes say when symphonia asks: it would refuse a recording that is cut off, of which it
/// reads what is there.
struct CutFile {
    part: Part,
    /// Stated end of the boxes, if the file ends before.
    cut_end: Option<u64>,
    /// Whether it is a Matroska that is cut off or read in parts, whose index at its end is not to be looked for.
    is_cut_matroska: bool,
    /// Bytes that seem to follow the file.
    behind: &'static [u8],
}

impl CutFile {
    fn new(mut file: File, windows: Option<&[Window]>) -> io::Result<Self> {
        let outline = if windows.is_none() { outline(&mut file) } else { None };
        let cut_end = outline.as_ref().and_then(|outline| outline.cut_end);
        let boxes_end = match &outline {
            Some(outline) => outline.rubbish_at,
            None => caf::chunks_end(&mut file),
        };
        let is_cut_matroska =
            matroska::cut_end(&mut file).is_some() || windows.is_some() && matroska::is_matroska(&mut file);
        let lacks_type = outline.is_some_and(|outline| !outline.has_type && outline.cut_end.is_none());
        let end = file.seek(SeekFrom::End(0))?;
        let whole = [Window { start: 0, end: boxes_end.unwrap_or(end) }];
        let part = Part::new(file, windows.unwrap_or(&whole))?;
        Ok(Self { part, cut_end, is_cut_matroska, behind: if lacks_type { TYPE } else { &[] } })
    }
}

impl Read for CutFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.part.read(buffer)?;
        if n_read > 0 || self.behind.is_empty() {
            return Ok(n_read);
        }
        let at = self.part.stream_position()?;
        let n_passed = usize::try_from(at.saturating_sub(self.part.len())).unwrap_or(usize::MAX);
        let n_read = self.behind.get(n_passed..).unwrap_or_default().read(buffer)?;
        self.part.seek(SeekFrom::Start(at + n_read as u64))?;
        Ok(n_read)
    }
}

impl io::Seek for CutFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match (to, self.cut_end) {
            (SeekFrom::End(offset), Some(end)) => {
                let to = end.checked_add_signed(offset).ok_or(ErrorKind::InvalidInput)?;
                self.part.seek(SeekFrom::Start(to))
            }
            (SeekFrom::End(offset), None) => self.part.seek(SeekFrom::End(offset + self.behind.len() as i64)),
            (to, _) => self.part.seek(to),
        }
    }
}

impl MediaSource for CutFile {
    fn is_seekable(&self) -> bool {
        !self.is_cut_matroska
    }

    fn byte_len(&self) -> Option<u64> {
        // Without a length, no tags are looked for at the end.
        (self.cut_end.is_none() && !self.is_cut_matroska)
            .then_some(self.part.len() + self.behind.len() as u64)
    }
}

/// A probe's error as a sentence with the next step; the file's name comes from the caller.
fn explain_probe(error: &SymphoniaError) -> anyhow::Error {
    match error {
        SymphoniaError::IoError(error) if error.kind() != ErrorKind::UnexpectedEof => {
            explained("cannot be read", error).into()
        }
        error => refusal::refused(format!(
            "cannot be read ({error}): it is cut off, damaged, or no audio; if a player opens it,"
        )),
    }
}
