//! The whole frames of a FLAC file (RFC 9639), told from what lies in front of them, between and behind them.
//!
//! symphonia 0.6 takes everything up to the next frame for a part of the one before, which it gives up then: with rubbish
//! behind its last frame, a file would lose that frame. It refuses files whose tags are damaged, or whose description has
//! zeros for the sizes of blocks. Here the frames' own checksums say where they begin and end; of the metadata only the
//! description (STREAMINFO) is needed.

mod header;
mod reader;

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use anyhow::Result;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::foreign::foreign;
use super::refusal;
use super::slide::slide;
use super::source::words_on_foreign;
use super::windows::{self, Window};
use header::{FrameHeader, INFO, with_byte};

pub use header::{is_whole, widened};

/// The longest header of a frame, and the shortest frame, in bytes.
const MAX_HEADER: usize = 16;
const MIN_FRAME: usize = 10;
/// No frame is longer, in bytes: 65,535 samples of eight channels in 32 bits, and their headers.
const MAX_FRAME: u64 = 65_535 * 8 * 4 + 4_096;
/// Starts of frames within one frame, by chance, that are seen through.
const MAX_FALSE: usize = 4;
/// Places within a frame whose checksum fits by chance that are tried.
const MAX_TRIES: usize = 256;
/// More metadata blocks than there are in any file.
const MAX_BLOCKS: usize = 10_000;
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// Contents of a FLAC file.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its description.
    info: [u8; INFO],
    /// Its whole frames, at least one: where each begins, and its bytes.
    frames: Vec<(u64, u32)>,
    /// Bytes that belong to no frame. Zeros do not count.
    pub n_foreign: u64,
    /// Whether the first frame is not where the metadata end, so that some may be lost before it.
    pub is_start_lost: bool,
    /// Whether it has metadata that may hold tags.
    pub has_tags: bool,
    /// Whether its last frame is not whole.
    pub is_cut: bool,
}

/// The contents of the FLAC files within a file, which are joined end to end, and bytes that belong to none of them; no
/// contents if it is not one.
///
/// # Errors
/// Errors of the file.
pub fn files(file: &mut (impl Read + Seek)) -> Result<(Vec<Arc<Contents>>, u64)> {
    let (mut files, mut n_foreign) = (Vec::new(), 0);
    let end = file.seek(SeekFrom::End(0))?;
    if marker(file, Window { start: 0, end })?.is_none() {
        return Ok((files, n_foreign));
    }
    for window in windows::flac(file)? {
        match contents(file, window)? {
            Some(contents) => {
                n_foreign += contents.n_foreign;
                files.push(Arc::new(contents));
            }
            None => n_foreign += window.end.saturating_sub(window.start),
        }
    }
    Ok((files, n_foreign))
}

/// Words on what is no sound in them.
pub fn note(n_foreign: u64) -> Option<String> {
    (n_foreign > 0).then(|| words_on_foreign(n_foreign))
}

/// Finds the frames of the file within `window`; `None` if there are none, or nothing describes them.
///
/// # Errors
/// Errors of the file.
fn contents(file: &mut (impl Read + Seek), window: Window) -> Result<Option<Contents>> {
    let Some(Description { mut info, end, stated, has_tags }) = description(file, window)? else {
        return Ok(None);
    };
    let behind = Window { start: end, ..window };
    if header::rate_hz(&info) == 0 {
        // It was never written: the first frame that says all of it describes them as well.
        let Some(of_frame) = first_description(file, behind)? else { return Ok(None) };
        info = of_frame;
    }
    let starts = starts(file, behind, &info)?;
    // A block of metadata that states a wrong length leads to somewhere within a frame, or behind the end.
    let mut index = stated.and_then(|stated| starts.binary_search(&stated).ok()).unwrap_or(0);
    let mut frames: Vec<(u64, u32)> = Vec::new();
    let mut decoder = None;
    let mut bytes = Vec::new();
    while let Some(&start) = starts.get(index) {
        let next: Vec<u64> =
            starts[index + 1..].iter().copied().chain([window.end]).take(MAX_FALSE).collect();
        match frame_end(file, start, &next, &info, &mut decoder, &mut bytes)? {
            Some(end) => {
                frames.push((start, (end - start) as u32));
                index = starts.partition_point(|&start| start < end);
            }
            None => index += 1,
        }
    }
    let Some(&(first, _)) = frames.first() else { return Ok(None) };
    let is_start_lost = stated != Some(first);
    let has_tags = has_tags || is_start_lost;
    let mut contents = Contents { info, frames, n_foreign: 0, is_start_lost, has_tags, is_cut: false };
    // What begins like a frame is a damaged one; the times of those behind it tell that it is missing.
    let mut at = stated.filter(|&stated| stated <= first).unwrap_or(first);
    for (start, n_bytes) in contents.frames.iter().copied().chain([(window.end, 0)]) {
        if at < start && starts.binary_search(&at).is_ok() {
            contents.is_cut |= start == window.end;
        } else if at < start {
            contents.n_foreign += n_not_zero(file, at, start)?;
        }
        at = start + u64::from(n_bytes);
    }
    Ok(Some(contents))
}

/// The place behind the mark of a FLAC file, and behind the tags in front of it.
fn marker(file: &mut (impl Read + Seek), window: Window) -> io::Result<Option<u64>> {
    let mut at = window.start;
    let mut head = [0; 10];
    loop {
        file.seek(SeekFrom::Start(at))?;
        if at + 10 > window.end || file.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        if !head.starts_with(b"ID3") {
            return Ok(head.starts_with(b"fLaC").then_some(at + 4));
        }
        at += 10 + head[6..].iter().fold(0, |len, byte| len << 7 | u64::from(byte & 0x7f));
    }
}

/// The metadata of a file.
struct Description {
    /// Its description.
    info: [u8; INFO],
    /// The place behind it.
    end: u64,
    /// The place behind all metadata, if their lengths lead to one.
    stated: Option<u64>,
    /// Whether there are other metadata than those about the frames.
    has_tags: bool,
}

/// The metadata of a file; `None` if what describes its frames is damaged.
fn description(file: &mut (impl Read + Seek), window: Window) -> io::Result<Option<Description>> {
    /// Types of blocks: the description, padding, the table to seek by.
    const ABOUT_FRAMES: [u8; 3] = [0, 1, 3];
    let Some(mut at) = marker(file, window)? else { return Ok(None) };
    let mut found: Option<Description> = None;
    for _ in 0..MAX_BLOCKS {
        let mut block = [0; 4];
        file.seek(SeekFrom::Start(at))?;
        if at + 4 > window.end || file.read_exact(&mut block).is_err() {
            break;
        }
        let len = u64::from(u32::from_be_bytes([0, block[1], block[2], block[3]]));
        let kind = block[0] & 0x7f;
        if found.is_none() && kind == 0 && len == INFO as u64 {
            let mut info = [0; INFO];
            if file.read_exact(&mut info).is_err() {
                break;
            }
            found = Some(Description { info, end: at + 4 + len, stated: None, has_tags: false });
        }
        at += 4 + len;
        let Some(found) = found.as_mut().filter(|_| at <= window.end) else { break };
        found.has_tags |= !ABOUT_FRAMES.contains(&kind);
        if block[0] & 0x80 != 0 {
            found.stated = Some(at);
            break;
        }
    }
    Ok(found)
}

/// The description that the first frame makes of its file.
fn first_description(file: &mut (impl Read + Seek), window: Window) -> io::Result<Option<[u8; INFO]>> {
    file.seek(SeekFrom::Start(window.start))?;
    let mut file = file.take(window.end.saturating_sub(window.start));
    slide(&mut file, window.start, MAX_HEADER, |_, held| {
        FrameHeader::of_any(held).as_ref().and_then(FrameHeader::description)
    })
}

/// The places that begin like a frame of this file.
fn starts(file: &mut (impl Read + Seek), window: Window, info: &[u8; INFO]) -> io::Result<Vec<u64>> {
    file.seek(SeekFrom::Start(window.start))?;
    let mut file = file.take(window.end.saturating_sub(window.start));
    let mut starts = Vec::new();
    slide(&mut file, window.start, MAX_HEADER, |at, held| -> Option<()> {
        if held[0] == 0xff && FrameHeader::read(held, info).is_some() {
            starts.push(at);
        }
        None
    })?;
    Ok(starts)
}

/// The end of the frame that begins at `start`, at the first of the places in `next` where its checksum fits; or before
/// them, where what lies behind it is none of it. `None`: it is damaged.
fn frame_end(
    file: &mut (impl Read + Seek),
    start: u64,
    next: &[u64],
    info: &[u8; INFO],
    decoder: &mut Option<Box<dyn AudioDecoder>>,
    bytes: &mut Vec<u8>,
) -> Result<Option<u64>> {
    bytes.clear();
    let mut crc = 0_u16;
    // Where the checksum fits, except behind zeros, which leave it as it is.
    let mut fits: Vec<usize> = Vec::new();
    let mut last_fit = 0;
    for &end in next {
        let end = end.min(start + MAX_FRAME);
        let n_before = bytes.len();
        file.seek(SeekFrom::Start(start + n_before as u64))?;
        file.take(end.saturating_sub(start + n_before as u64)).read_to_end(bytes)?;
        for (at, &byte) in bytes.iter().enumerate().skip(n_before) {
            let is_new = crc != 0 || byte != 0;
            crc = with_byte(crc, &byte);
            if crc == 0 && is_new && at + 1 >= MIN_FRAME {
                last_fit = at + 1;
                if fits.len() < MAX_TRIES {
                    fits.push(last_fit);
                }
            }
        }
        // A zero behind it may be the end of the checksum.
        if crc == 0 && last_fit > 0 {
            return Ok(Some(end.min(start + last_fit as u64 + 1)));
        }
        if end == start + MAX_FRAME {
            break;
        }
    }
    for end in fits {
        // A frame needs all of its bytes but the checksum's two: where it can do without another one, it ends earlier.
        if can_decode(decoder, info, &bytes[..end])? && !can_decode(decoder, info, &bytes[..end - 3])? {
            return Ok(Some(start + end as u64));
        }
    }
    Ok(None)
}

/// Whether so many bytes of a frame, whose checksum is not looked at, are enough. What breaks the decoder is no frame.
fn can_decode(decoder: &mut Option<Box<dyn AudioDecoder>>, info: &[u8; INFO], frame: &[u8]) -> Result<bool> {
    let packet = Packet::new(0, Timestamp::ZERO, Duration::new(0), frame);
    let mut own = match decoder.take() {
        Some(own) => own,
        None => frame_decoder(info)?,
    };
    let is_decoded = foreign(|| own.decode(&packet).is_ok_and(|buffer| buffer.frames() > 0));
    // A broken one is of no further use.
    *decoder = is_decoded.is_ok().then_some(own);
    Ok(is_decoded.unwrap_or(false))
}

fn frame_decoder(info: &[u8; INFO]) -> Result<Box<dyn AudioDecoder>> {
    let mut params = AudioCodecParameters::new();
    params.for_codec(CODEC_ID_FLAC).with_extra_data(widened(info).into());
    let options = AudioDecoderOptions::default();
    foreign(|| symphonia::default::get_codecs().make_audio_decoder(&params, &options))?
        .map_err(|error| refusal::damaged(format!("cannot be decoded ({error})")))
}

/// Bytes from `start` to `end`; none if all of them are zeros.
fn n_not_zero(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(start))?;
    let mut file = file.take(end.saturating_sub(start));
    let mut buffer = vec![0; CHUNK];
    loop {
        let n_read = file.read(&mut buffer)?;
        if n_read == 0 {
            return Ok(0);
        }
        if buffer[..n_read].iter().any(|&byte| byte != 0) {
            return Ok(end - start);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flac_codec::encode::{FlacSampleWriter, Options};

    use super::*;

    /// A FLAC of ten frames, and where they begin.
    fn file() -> (Vec<u8>, Vec<u64>) {
        let mut cursor = Cursor::new(Vec::new());
        let options = Options::default().block_size(256).unwrap();
        let mut writer = FlacSampleWriter::new(&mut cursor, options, 44_100, 16, 2, None).unwrap();
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 19) as i32 - 4_096;
        writer.write(&(0..5_120).map(noise).collect::<Vec<_>>()).unwrap();
        writer.finalize().unwrap();
        let window = Window { start: 0, end: cursor.get_ref().len() as u64 };
        let found = description(&mut cursor, window).unwrap().unwrap();
        let starts = starts(&mut cursor, Window { start: found.end, ..window }, &found.info).unwrap();
        assert_eq!((starts.first().copied(), starts.len()), (found.stated, 10));
        (cursor.into_inner(), starts)
    }

    fn contents_of(bytes: &[u8]) -> Contents {
        contents(&mut Cursor::new(bytes), Window { start: 0, end: bytes.len() as u64 }).unwrap().unwrap()
    }

    /// Starts of the frames in it, and the end of the last.
    fn places(contents: &Contents) -> Vec<u64> {
        let starts = contents.frames.iter().map(|&(start, _)| start);
        starts.chain(contents.frames.last().map(|&(start, n_bytes)| start + u64::from(n_bytes))).collect()
    }

    #[test]
    fn rubbish_is_told_from_frames_wherever_it_lies() {
        let (bytes, starts) = file();
        let whole = contents_of(&bytes);
        assert_eq!(places(&whole), [&starts[..], &[bytes.len() as u64]].concat());
        assert_eq!((whole.n_foreign, whole.is_start_lost, whole.is_cut), (0, false, false));
        // Behind the last: zeros, text, and what looks like the frame before.
        let again = &bytes[starts[0] as usize..][..60];
        for (rubbish, n_foreign) in [(&[0; 999][..], 0), (b"\0text", 5), (&[255; 90], 90), (again, 0)] {
            let found = contents_of(&[&bytes, rubbish].concat());
            assert_eq!(
                (found.n_foreign, found.is_start_lost, found.is_cut),
                (n_foreign, false, rubbish == again)
            );
            assert_eq!(found.frames[..9], whole.frames[..9]);
            // With one of the zeros.
            let n_more = found.frames[9].1 - whole.frames[9].1;
            assert!(found.frames[9].0 == whole.frames[9].0 && n_more == u32::from(rubbish.len() == 999));
        }
        // Between two frames, and within one.
        let middle = starts[2] as usize;
        let between = contents_of(&[&bytes[..middle], &[7; 50], &bytes[middle..]].concat());
        assert_eq!((between.frames.len(), between.n_foreign), (10, 50));
        assert_eq!(between.frames[2], (starts[2] + 50, whole.frames[2].1));
        let within = contents_of(&[&bytes[..middle + 40], &[7; 50], &bytes[middle + 40..]].concat());
        assert_eq!((within.frames.len(), within.n_foreign, within.is_cut), (9, 0, false));
        assert_eq!(within.frames[2], (starts[3] + 50, whole.frames[3].1));
    }

    /// A block of metadata with a length that is not its own; a first frame that is damaged.
    #[test]
    fn frames_are_found_whatever_the_metadata_say() {
        let (bytes, starts) = file();
        let behind = 4 + 4 + INFO;
        let frames = &bytes[starts[0] as usize..];
        for stated in [0_u32, 90, 100, 110, 5_000, 0xff_ffff] {
            let mut header = stated.to_be_bytes();
            header[0] = 0x84;
            let info = [&b"fLaC\0"[..], &bytes[5..behind]].concat();
            let found = contents_of(&[&info[..], &header, &[7; 100], frames].concat());
            let (at, is_right) = (behind as u64 + 104, stated == 100);
            assert_eq!((found.frames.len(), found.frames[0].0, found.is_start_lost), (10, at, !is_right));
        }
        let mut damaged = bytes.clone();
        damaged[starts[0] as usize + 20..][..9].fill(0);
        let found = contents_of(&damaged);
        assert_eq!((found.frames.len(), found.frames[0].0, found.is_start_lost), (9, starts[1], true));
    }

    /// A recorder that lost power never came back to the description: its frames make one of their own.
    #[test]
    fn a_description_of_zeros_is_made_of_the_frames() {
        let (bytes, starts) = file();
        let whole = contents_of(&bytes);
        let mut never_written = bytes.clone();
        never_written[8..8 + INFO].fill(0);
        let found = contents_of(&never_written);
        assert_eq!((found.frames.clone(), found.is_start_lost), (whole.frames, false));
        let facts = |info: &[u8; INFO]| (header::rate_hz(info), header::n_bits(info), info[12] >> 1 & 7);
        assert_eq!((facts(&found.info), header::n_samples(&found.info)), ((44_100, 16, 1), None));
        // No frame, no description.
        let none = &never_written[..starts[0] as usize];
        assert_eq!(contents(&mut Cursor::new(none), Window { start: 0, end: starts[0] }).unwrap(), None);
    }

    #[test]
    fn a_damaged_frame_costs_no_other() {
        let (bytes, starts) = file();
        let (start, end) = (starts[3] as usize, starts[4] as usize);
        for at in (start..end).step_by(5) {
            for value in [0, 0x55, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at..(at + 7).min(end)].fill(value);
                let found = contents_of(&damaged);
                assert!((9..11).contains(&found.frames.len()), "{value} at {at}");
            }
        }
    }

    #[test]
    fn all_whole_frames_of_a_piece_are_kept() {
        let (bytes, starts) = file();
        for cut in (starts[0] as usize + 1..bytes.len()).step_by(97) {
            let n_whole = starts.iter().skip(1).take_while(|&&start| start <= cut as u64).count();
            let found =
                contents(&mut Cursor::new(&bytes[..cut]), Window { start: 0, end: cut as u64 }).unwrap();
            assert_eq!(found.map_or(0, |found| found.frames.len()), n_whole, "cut at {cut}");
        }
    }
}
