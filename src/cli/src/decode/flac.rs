//! The whole frames of a FLAC file (RFC 9639), told from what lies between and behind them.
//!
//! symphonia 0.6 takes everything up to the next frame for a part of the one before, which it gives up then: with rubbish
//! behind its last frame, a file would lose that frame. Here the frames' own checksums say where they end.

use std::io::{self, Read, Seek, SeekFrom};

use anyhow::Result;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::foreign::foreign;
use super::refusal;
use super::slide::slide;
use super::source::words_on_foreign;
use super::windows::Window;

/// The description of a file (STREAMINFO), in bytes.
const INFO: usize = 34;
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
    /// Its description, and its whole frames, where they lie one behind the other.
    pub pieces: Vec<Window>,
    /// Bytes that belong to no frame. Zeros do not count.
    pub n_foreign: u64,
    /// Whether its last frame is not whole, and nothing else says that something is missing.
    is_cut: bool,
}

impl Contents {
    /// Words on what is no sound in it, and on its end if its length is not stated.
    pub fn notes(&self) -> Vec<String> {
        let foreign = (self.n_foreign > 0).then(|| words_on_foreign(self.n_foreign));
        let cut = self.is_cut.then(|| {
            "its last frame is cut off or damaged and was left out; copy it again if the original is longer"
                .to_owned()
        });
        foreign.into_iter().chain(cut).collect()
    }
}

/// Finds the frames of the file within `window`; of one whose description is damaged, all of it is one piece.
///
/// # Errors
/// Errors of the file.
pub fn contents(file: &mut (impl Read + Seek), window: Window) -> Result<Contents> {
    let mut contents = Contents { pieces: vec![window], n_foreign: 0, is_cut: false };
    let Some((info, first)) = description(file, window)? else { return Ok(contents) };
    let starts = starts(file, Window { start: first, ..window }, &info)?;
    let mut pieces = vec![Window { start: window.start, end: first }];
    let mut decoder = None;
    let mut bytes = Vec::new();
    let mut index = 0;
    while let Some(&start) = starts.get(index) {
        let next: Vec<u64> =
            starts[index + 1..].iter().copied().chain([window.end]).take(MAX_FALSE).collect();
        match frame_end(file, start, &next, &info, &mut decoder, &mut bytes)? {
            Some(end) => {
                match pieces.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => pieces.push(Window { start, end }),
                }
                index = starts.partition_point(|&start| start < end);
            }
            None => index += 1,
        }
    }
    if pieces.len() == 1 && pieces[0].end == first {
        return Ok(contents);
    }
    let is_length_stated = info[13] & 15 != 0 || info[14..18] != [0; 4];
    // What begins like a frame is a damaged one; the times of those behind it tell that it is missing.
    let ends = pieces.iter().skip(1).map(|piece| piece.start).chain([window.end]);
    for (start, end) in pieces.iter().map(|piece| piece.end).zip(ends) {
        let is_frame = starts.binary_search(&start).is_ok();
        contents.is_cut |= is_frame && end == window.end && !is_length_stated;
        if !is_frame {
            contents.n_foreign += n_not_zero(file, start, end)?;
        }
    }
    contents.pieces = pieces;
    Ok(contents)
}

/// A file's description, and where its first frame begins; `None` if it is damaged.
fn description(file: &mut (impl Read + Seek), window: Window) -> io::Result<Option<([u8; INFO], u64)>> {
    let mut at = window.start;
    let mut head = [0; 10];
    // Tags in front of it.
    loop {
        file.seek(SeekFrom::Start(at))?;
        if at + 10 > window.end || file.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        if !head.starts_with(b"ID3") {
            break;
        }
        at += 10 + head[6..].iter().fold(0, |len, byte| len << 7 | u64::from(byte & 0x7f));
    }
    if !head.starts_with(b"fLaC") {
        return Ok(None);
    }
    at += 4;
    let mut info = None;
    for _ in 0..MAX_BLOCKS {
        let mut block = [0; 4];
        file.seek(SeekFrom::Start(at))?;
        if at + 4 > window.end || file.read_exact(&mut block).is_err() {
            return Ok(None);
        }
        let len = u64::from(u32::from_be_bytes([0, block[1], block[2], block[3]]));
        if block[0] & 0x7f == 0 && len == INFO as u64 {
            let mut bytes = [0; INFO];
            if file.read_exact(&mut bytes).is_err() {
                return Ok(None);
            }
            info = Some(bytes);
        }
        at += 4 + len;
        if at > window.end {
            return Ok(None);
        }
        if block[0] & 0x80 != 0 {
            return Ok(info.map(|info| (info, at)));
        }
    }
    Ok(None)
}

/// The places that begin like a frame of this file.
fn starts(file: &mut (impl Read + Seek), window: Window, info: &[u8; INFO]) -> io::Result<Vec<u64>> {
    file.seek(SeekFrom::Start(window.start))?;
    let mut file = file.take(window.end.saturating_sub(window.start));
    let mut starts = Vec::new();
    slide(&mut file, window.start, MAX_HEADER, |at, held| -> Option<()> {
        if held[0] == 0xff && is_header(held, info) {
            starts.push(at);
        }
        None
    })?;
    Ok(starts)
}

/// Whether a frame of the file that `info` describes begins here: its mark, what it says of itself, and its checksum.
fn is_header(bytes: &[u8], info: &[u8; INFO]) -> bool {
    let Some(&[_, second, sizes, shape]) = bytes.first_chunk::<4>() else { return false };
    let (size, rate) = (sizes >> 4, sizes & 15);
    let is_plain = second & 0xfe == 0xf8 && size != 0 && rate != 15 && shape & 1 == 0;
    let n_channels = (info[12] >> 1 & 7) + 1;
    let is_shape = match shape >> 4 {
        independent @ 0..8 => independent + 1 == n_channels,
        8..11 => n_channels == 2,
        _ => false,
    };
    let n_bits = (info[12] & 1) << 4 | info[13] >> 4;
    let is_depth = match shape >> 1 & 7 {
        0 => true,
        3 => false,
        code => [8, 12, 0, 16, 20, 24, 32][usize::from(code) - 1] == n_bits + 1,
    };
    if !(is_plain && is_shape && is_depth) {
        return false;
    }
    // The frame's number, as UTF-8 is written.
    let n_number = match bytes.get(4).map_or(8, |byte| byte.leading_ones()) {
        0 => 1,
        n @ 2..8 => n as usize,
        _ => return false,
    };
    let n_more = [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0][usize::from(size)]
        + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 0][usize::from(rate)];
    let len = 4 + n_number + n_more;
    let is_continued = bytes.get(5..4 + n_number).is_some_and(|rest| rest.iter().all(|b| b & 0xc0 == 0x80));
    is_continued
        && bytes.get(..len).zip(bytes.get(len)).is_some_and(|(header, &sum)| {
            let byte_sum = header.iter().fold(0_u8, |crc, byte| {
                (0..8).fold(crc ^ byte, |crc, _| crc << 1 ^ if crc & 0x80 == 0 { 0 } else { 7 })
            });
            byte_sum == sum
        })
}

/// Checksums of one byte, by the frames' polynomial: x^16 + x^15 + x^2 + 1.
const SUMS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Whether a packet is a whole frame, by its checksum.
pub fn is_whole(packet: &[u8]) -> bool {
    packet.iter().fold(0, with_byte) == 0
}

fn with_byte(crc: u16, &byte: &u8) -> u16 {
    crc << 8 ^ SUMS[usize::from(crc >> 8) ^ usize::from(byte)]
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
    // Where the checksum fits, except before zeros, which leave it as it is.
    let mut fits: Vec<usize> = Vec::new();
    for &end in next {
        let end = end.min(start + MAX_FRAME);
        let n_before = bytes.len();
        file.seek(SeekFrom::Start(start + n_before as u64))?;
        file.take(end.saturating_sub(start + n_before as u64)).read_to_end(bytes)?;
        for (at, &byte) in bytes.iter().enumerate().skip(n_before) {
            let is_new = crc != 0 || byte != 0;
            crc = with_byte(crc, &byte);
            if crc == 0 && is_new && at + 1 >= MIN_FRAME && fits.len() < MAX_TRIES {
                fits.push(at + 1);
            }
        }
        if crc == 0 && bytes.len() >= MIN_FRAME && fits.last() == Some(&bytes.len()) {
            return Ok(Some(end));
        }
        if end == start + MAX_FRAME {
            break;
        }
    }
    for end in fits {
        if decoder.is_none() {
            *decoder = Some(frame_decoder(info)?);
        }
        let Some(decoder) = decoder.as_mut() else { break };
        // A frame needs all of its bytes but the checksum's two: where it can do without another one, it ends earlier.
        if can_decode(decoder, &bytes[..end])? && !can_decode(decoder, &bytes[..end - 3])? {
            return Ok(Some(start + end as u64));
        }
    }
    Ok(None)
}

/// Whether so many bytes of a frame, whose checksum is not looked at, are enough.
fn can_decode(decoder: &mut Box<dyn AudioDecoder>, frame: &[u8]) -> Result<bool> {
    let packet = Packet::new(0, Timestamp::ZERO, Duration::new(0), frame);
    foreign(|| decoder.decode(&packet).is_ok_and(|buffer| buffer.frames() > 0))
}

fn frame_decoder(info: &[u8; INFO]) -> Result<Box<dyn AudioDecoder>> {
    let mut params = AudioCodecParameters::new();
    params.for_codec(CODEC_ID_FLAC).with_extra_data(info.to_vec().into_boxed_slice());
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
        let (info, first) = description(&mut cursor, window).unwrap().unwrap();
        let starts = starts(&mut cursor, Window { start: first, ..window }, &info).unwrap();
        assert_eq!((starts[0], starts.len()), (first, 10));
        (cursor.into_inner(), starts)
    }

    fn contents_of(bytes: &[u8]) -> Contents {
        contents(&mut Cursor::new(bytes), Window { start: 0, end: bytes.len() as u64 }).unwrap()
    }

    #[test]
    fn rubbish_is_told_from_frames_wherever_it_lies() {
        let (bytes, starts) = file();
        let whole = bytes.len() as u64;
        assert_eq!(contents_of(&bytes).pieces, [Window { start: 0, end: whole }]);
        // Behind the last: zeros, text, and what looks like the frame before.
        let again = &bytes[starts[0] as usize..][..60];
        for (rubbish, n_foreign) in [(&[0; 999][..], 0), (b"\0text", 5), (&[255; 90], 90), (again, 0)] {
            let found = contents_of(&[&bytes, rubbish].concat());
            assert_eq!((found.pieces, found.n_foreign), (vec![Window { start: 0, end: whole }], n_foreign));
        }
        // Between two frames, and within one.
        let (middle, next) = (starts[2] as usize, starts[3]);
        let between = [&bytes[..middle], &[7; 50], &bytes[middle..]].concat();
        let at = middle as u64;
        let pieces = [Window { start: 0, end: at }, Window { start: at + 50, end: whole + 50 }];
        assert_eq!(contents_of(&between), Contents { pieces: pieces.to_vec(), n_foreign: 50, is_cut: false });
        let within = [&bytes[..middle + 40], &[7; 50], &bytes[middle + 40..]].concat();
        let pieces = [Window { start: 0, end: at }, Window { start: next + 50, end: whole + 50 }];
        assert_eq!(contents_of(&within), Contents { pieces: pieces.to_vec(), n_foreign: 0, is_cut: false });
    }

    #[test]
    fn all_whole_frames_of_a_piece_are_kept() {
        let (bytes, starts) = file();
        for cut in (starts[0] as usize + 1..bytes.len()).step_by(97) {
            let n_whole = starts.iter().skip(1).take_while(|&&start| start <= cut as u64).count();
            let end = if n_whole == 0 { cut as u64 } else { starts[n_whole] };
            assert_eq!(contents_of(&bytes[..cut]).pieces, [Window { start: 0, end }], "cut at {cut}");
        }
    }
}
