//! PCM in MP4 and MOV: how its samples are stored (`stsd`), and where they lie in the file (`stsc`, `stsz`, `stco`).
//!
//! QuickTime File Format Specification, "Sound sample descriptions"; ISO/IEC 14496-12, 8.7; ISO/IEC 23003-5 (`ipcm`).

use std::io;
use std::ops::Range;

use super::input::Input;
use super::pcm::Encoding;

/// The contents of a box: where they begin, and their bytes.
pub type Place = (u64, u64);

/// The boxes of one track's sample table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The description of the samples.
    pub stsd: Vec<u8>,
    /// Samples in a chunk.
    pub stsc: Option<Place>,
    /// Bytes of a sample, and whether that is the compact box (`stz2`).
    pub stsz: Option<(Place, bool)>,
    /// Durations of samples.
    pub stts: Option<Place>,
    /// How much later than its decoding the first sample is presented, in units of the track.
    pub first_offset: i32,
    /// The offsets of the chunks, and whether they have 64 bits.
    pub chunks: Option<(Place, bool)>,
}

impl Tables {
    /// Whether all are there that locate samples and their times.
    pub fn is_complete(&self) -> bool {
        let are_read =
            self.stsc.is_some() && self.stsz.is_some() && self.stts.is_some() && self.chunks.is_some();
        are_read && !self.stsd.is_empty()
    }
}

/// How a track's PCM is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// A sample of one channel.
    pub encoding: Encoding,
    /// Its byte order.
    pub is_big_endian: bool,
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Channels, at least 1.
    pub n_channels: usize,
    /// Speaker positions as in WAVE_FORMAT_EXTENSIBLE, where they are stated and in that order.
    pub channel_mask: Option<u32>,
}

impl Description {
    /// The description in a box `stsd`, for media of `timescale` units per second; `None` if it is not of PCM.
    pub fn read(stsd: &[u8], timescale: u32) -> Option<Self> {
        let n_entries = long(stsd, 4)?;
        let n_bytes = long(stsd, 8)? as usize;
        let entry = stsd.get(8..)?;
        let entry = entry.get(..n_bytes.min(entry.len()))?;
        if n_entries != 1 {
            return None;
        }
        let code = entry.get(4..8)?;
        let is_wide = short(entry, 16)? == 2;
        let (n_channels, bits, rate_hz) = shape(stsd, timescale)?;
        let (encoding, is_big_endian) = match code {
            b"lpcm" if is_wide => linear(entry, n_channels, bits)?,
            b"ipcm" | b"fpcm" => {
                let config = behind(entry, *b"pcmC")?;
                let (flags, bits) = (*config.get(4)?, u32::from(*config.get(5)?));
                let encoding = match (code, bits) {
                    (b"ipcm", 8 | 16 | 24 | 32) => Encoding::int(bits as usize / 8, bits),
                    (b"fpcm", 32) => Encoding::F32,
                    (b"fpcm", 64) => Encoding::F64,
                    _ => return None,
                };
                (encoding, flags & 1 == 0)
            }
            code => {
                quicktime(code, bits, behind(entry, *b"enda").is_some_and(|enda| enda.starts_with(&[0, 1])))?
            }
        };
        let channel_mask = behind(entry, *b"chan").and_then(|layout| mask(layout, n_channels));
        (rate_hz > 0).then_some(Self { encoding, is_big_endian, rate_hz, n_channels, channel_mask })
    }

    /// Bytes of a sample of all channels.
    pub fn frame_bytes(&self) -> u64 {
        (self.encoding.n_bytes() * self.n_channels) as u64
    }
}

/// Channels, bits and sample rate in a description of sound; the rate of media of `timescale`, if it states none.
pub fn shape(stsd: &[u8], timescale: u32) -> Option<(usize, u32, u32)> {
    let entry = stsd.get(8..)?;
    let (n_channels, bits, rate_hz) = if short(entry, 16)? == 2 {
        let rate_hz = f64::from_be_bytes(*entry.get(40..)?.first_chunk()?);
        (long(entry, 48)?, long(entry, 56)?, rate_hz.round() as u32)
    } else {
        (short(entry, 24)?.into(), short(entry, 26)?.into(), long(entry, 32)? >> 16)
    };
    let n_channels = usize::from(u16::try_from(n_channels).ok().filter(|&n| n > 0)?);
    Some((n_channels, bits, if rate_hz > 0 { rate_hz } else { timescale }))
}

/// Samples and bytes of a packet of a codec whose samples are counted one by one, as QuickTime does: of a description of
/// version 1.
pub fn packet_of(stsd: &[u8]) -> Option<(u32, u32)> {
    let entry = stsd.get(8..)?;
    let (n_samples, n_bytes) = (long(entry, 36)?, long(entry, 44)?);
    (short(entry, 16)? == 1 && n_samples > 1 && n_bytes > 0).then_some((n_samples, n_bytes))
}

/// The formats that are named one by one; whether the samples are big-endian comes with them.
fn quicktime(code: &[u8], bits: u32, is_little: bool) -> Option<(Encoding, bool)> {
    let int = |bits: u32| match bits {
        8 => Encoding::int(1, 8),
        24 => Encoding::int(3, 24),
        32 => Encoding::int(4, 32),
        _ => Encoding::int(2, 16),
    };
    Some(match code {
        b"raw " | b"NONE" if bits <= 8 => (Encoding::Int { n_bytes: 1, n_bits: 8, is_unsigned: true }, true),
        b"raw " | b"NONE" | b"twos" => (int(bits), true),
        b"sowt" => (int(bits), false),
        b"in24" => (int(24), !is_little),
        b"in32" => (int(32), !is_little),
        b"fl32" => (Encoding::F32, !is_little),
        b"fl64" => (Encoding::F64, !is_little),
        b"alaw" => (Encoding::ALaw, true),
        b"ulaw" => (Encoding::MuLaw, true),
        _ => return None,
    })
}

/// `lpcm`, whose flags say everything.
fn linear(entry: &[u8], n_channels: usize, bits: u32) -> Option<(Encoding, bool)> {
    const FLOAT: u32 = 1;
    const BIG_ENDIAN: u32 = 2;
    const SIGNED: u32 = 4;
    const ALIGNED_HIGH: u32 = 16;
    const NON_INTERLEAVED: u32 = 32;
    let (flags, n_bytes, n_frames) = (long(entry, 60)?, long(entry, 64)? as usize, long(entry, 68)?);
    let container = n_bytes / n_channels;
    let is_interleaved = flags & NON_INTERLEAVED == 0 || n_channels == 1;
    if n_frames > 1 || n_bytes % n_channels != 0 || !(1..=8).contains(&container) || !is_interleaved {
        return None;
    }
    let n_container_bits = 8 * container as u32;
    let encoding = match (flags & FLOAT != 0, bits) {
        (true, 32) if container == 4 => Encoding::F32,
        (true, 64) if container == 8 => Encoding::F64,
        (true, _) => return None,
        (false, _)
            if bits == n_container_bits
                || (1..n_container_bits).contains(&bits) && flags & ALIGNED_HIGH != 0 =>
        {
            Encoding::Int { n_bytes: container, n_bits: bits, is_unsigned: flags & SIGNED == 0 }
        }
        (false, _) => return None,
    };
    Some((encoding, flags & BIG_ENDIAN != 0))
}

/// The positions of a channel layout that stands in the order of WAVE.
fn mask(layout: &[u8], n_channels: usize) -> Option<u32> {
    /// The positions that WAVE knows; Core Audio's bitmap has the same bits.
    const POSITIONS: u32 = (1 << 18) - 1;
    let mask = match long(layout, 4)? {
        // A bitmap follows.
        0x1_0000 => long(layout, 8)? & POSITIONS,
        0x65_0002 => 0x3,
        0x71_0003 => 0x7,
        0x6c_0004 => 0x33,
        0x79_0006 => 0x3f,
        0x7d_0007 => 0x13f,
        0x7e_0008 => 0xff,
        _ => return None,
    };
    (mask.count_ones() as usize == n_channels).then_some(mask)
}

/// Samples that lie one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first of them in the media, per channel.
    pub start: u64,
    /// Their start in the file.
    pub at: u64,
    /// Their number.
    pub n_frames: u64,
}

/// The chunks of a track: where each begins, and how many samples it has.
///
/// # Errors
/// Errors of the input.
pub fn chunks(input: &mut Input, tables: &Tables) -> io::Result<Vec<(u64, u32)>> {
    let (Some(stsc), Some((chunks, is_wide))) = (tables.stsc, tables.chunks) else { return Ok(Vec::new()) };
    let entries = pairs::<12>(input, stsc)?;
    input.seek(chunks.0)?;
    let n_bytes = if is_wide { 8 } else { 4 };
    let n_chunks = header(input, chunks.1, n_bytes)?;
    let mut found = Vec::new();
    let mut entry = 0;
    for number in 1..=n_chunks {
        let offset = if is_wide {
            input.take()?.map(u64::from_be_bytes)
        } else {
            input.take()?.map(|bytes| u32::from_be_bytes(bytes).into())
        };
        let Some(offset) = offset else { break };
        while entries.get(entry + 1).is_some_and(|&(first, _)| u64::from(first) <= number) {
            entry += 1;
        }
        found.push((offset, entries.get(entry).map_or(0, |&(_, n)| n)));
    }
    Ok(found)
}

/// The bytes of a track's samples.
pub enum Sizes {
    /// So many of one size.
    Same(usize, u32),
    /// Each of its own.
    Own(Vec<u32>),
}

impl Sizes {
    /// Their number.
    pub fn len(&self) -> usize {
        match self {
            Self::Same(n, _) => *n,
            Self::Own(sizes) => sizes.len(),
        }
    }

    /// The sound of some of them, in samples of `frame_bytes`.
    pub fn n_frames(&self, numbers: Range<usize>, frame_bytes: u64) -> u64 {
        match self {
            // Most writers' sample is one of all channels; some state one byte, or that of one channel.
            Self::Same(_, size) => {
                let size = u64::from(*size);
                let n_each = if size % frame_bytes == 0 { size / frame_bytes } else { 1 };
                (numbers.len() as u64).saturating_mul(n_each)
            }
            Self::Own(sizes) => {
                let own = sizes.get(numbers).unwrap_or_default();
                own.iter().map(|&size| u64::from(size)).sum::<u64>() / frame_bytes
            }
        }
    }

    /// The bytes of a sample, by its number from 0.
    pub fn get(&self, number: usize) -> Option<u32> {
        match self {
            Self::Same(n, size) => (number < *n).then_some(*size),
            Self::Own(sizes) => sizes.get(number).copied(),
        }
    }
}

/// The bytes of a track's samples (`stsz`, `stz2`).
///
/// # Errors
/// Errors of the input.
pub fn sizes(input: &mut Input, tables: &Tables) -> io::Result<Sizes> {
    let none = Sizes::Own(Vec::new());
    let Some(((at, n_bytes), is_compact)) = tables.stsz else { return Ok(none) };
    input.seek(at)?;
    let Some(head) = input.take::<12>()? else { return Ok(none) };
    let (size, n_samples) = (long(&head, 4).unwrap_or(0), long(&head, 8).unwrap_or(0) as usize);
    if !is_compact && size > 0 {
        return Ok(Sizes::Same(n_samples, size));
    }
    let n_bits = if is_compact { usize::from(head[7]) } else { 32 };
    if !matches!(n_bits, 4 | 8 | 16 | 32) {
        return Ok(none);
    }
    let n_samples = n_samples.min(n_bytes.saturating_sub(12) as usize * 8 / n_bits);
    let mut sizes = Vec::new();
    for _ in 0..n_samples.div_ceil(4) {
        // Four at a time, which fill whole bytes.
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..n_bits / 2];
        let n_read = input.read(bytes)?;
        let of_bits = |number: usize| -> Option<u32> {
            if n_bits == 4 {
                let byte = bytes[..n_read].get(number / 2)?;
                return Some(u32::from(if number.is_multiple_of(2) { byte >> 4 } else { byte & 15 }));
            }
            let own = bytes[..n_read].chunks_exact(n_bits / 8).nth(number)?;
            Some(own.iter().fold(0, |size, &byte| size << 8 | u32::from(byte)))
        };
        sizes.extend((0..4).map_while(of_bits));
        if n_read < n_bits / 2 {
            break;
        }
    }
    sizes.truncate(n_samples);
    Ok(Sizes::Own(sizes))
}

/// Numbers of samples and the duration of each (`stts`).
///
/// # Errors
/// Errors of the input.
pub fn time_to_sample(input: &mut Input, tables: &Tables) -> io::Result<Vec<(u32, u32)>> {
    tables.stts.map_or(Ok(Vec::new()), |stts| pairs::<8>(input, stts))
}

/// The first two numbers of each entry of `N` bytes.
fn pairs<const N: usize>(input: &mut Input, (at, n_bytes): Place) -> io::Result<Vec<(u32, u32)>> {
    input.seek(at)?;
    let n_entries = header(input, n_bytes, N as u64)?;
    let mut entries = Vec::new();
    for _ in 0..n_entries {
        let Some(entry) = input.take::<N>()? else { break };
        entries.push((long(&entry, 0).unwrap_or(0), long(&entry, 4).unwrap_or(0)));
    }
    Ok(entries)
}

/// The samples of a track of PCM, where its tables say; none where they make no sense. Their memory is bounded by the
/// tables' own bytes.
///
/// # Errors
/// Errors of the input.
pub fn runs(input: &mut Input, tables: &Tables, frame_bytes: u64) -> io::Result<Vec<Run>> {
    let chunks = chunks(input, tables)?;
    let sizes = sizes(input, tables)?;
    let mut samples_left = sizes.len();
    let (mut runs, mut start, mut number): (Vec<Run>, u64, usize) = (Vec::new(), 0, 0);
    for (at, n_samples) in chunks {
        let in_chunk = (n_samples as usize).min(samples_left);
        samples_left -= in_chunk;
        let n_frames = sizes.n_frames(number..number + in_chunk, frame_bytes);
        number += in_chunk;
        if n_frames == 0 {
            continue;
        }
        match runs.last_mut() {
            Some(last) if last.at.checked_add(last.n_frames * frame_bytes) == Some(at) => {
                last.n_frames += n_frames;
            }
            _ => runs.push(Run { start, at, n_frames }),
        }
        start += n_frames;
    }
    Ok(runs)
}

/// Passes version and flags: the entries, as many as fit into the box.
fn header(input: &mut Input, len: u64, n_bytes: u64) -> io::Result<u64> {
    let head = input.take::<8>()?;
    let n_entries = head.and_then(|head| long(&head, 4)).unwrap_or(0);
    Ok(u64::from(n_entries).min(len.saturating_sub(8) / n_bytes))
}

/// The bytes behind a box's name.
fn behind(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let at = bytes.windows(4).skip(36).position(|window| window == name)?;
    bytes.get(36 + at + 4..)
}

/// The content of a box within a description of samples; its name can stand elsewhere, too.
pub fn inner_box(stsd: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let names = (44..stsd.len()).filter(|&at| stsd[at..].starts_with(&name));
    let content = |at: usize| stsd.get(at + 4..(at - 4).checked_add(long(stsd, at - 4)? as usize)?);
    names.filter_map(content).next()
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A description of version 0, of stereo at 48 kHz.
    fn stsd(code: &[u8; 4], bits: u16, more: &[u8]) -> Vec<u8> {
        let head = [
            &[0; 8][..],
            &[0, 2],
            &bits.to_be_bytes(),
            &[0; 4],
            &48_000_u32.wrapping_shl(16).to_be_bytes(),
            more,
        ];
        let body = [&code[..], &[0; 8], &head.concat()].concat();
        let size = (body.len() as u32 + 4).to_be_bytes();
        [&[0, 0, 0, 0, 0, 0, 0, 1], &size[..], &body].concat()
    }

    #[test]
    fn formats_are_recognised() {
        let enda = b"\0\0\0\x0aenda\0\x01";
        let unsigned = Encoding::Int { n_bytes: 1, n_bits: 8, is_unsigned: true };
        for (code, bits, more, encoding, is_big_endian) in [
            (b"twos", 8, &[][..], Encoding::int(1, 8), true),
            (b"sowt", 16, &[], Encoding::int(2, 16), false),
            (b"raw ", 8, &[], unsigned, true),
            (b"in24", 16, &[], Encoding::int(3, 24), true),
            (b"in32", 16, enda, Encoding::int(4, 32), false),
            (b"fl64", 16, enda, Encoding::F64, false),
            (b"ulaw", 16, &[], Encoding::MuLaw, true),
            (b"ipcm", 16, b"\0\0\0\x0epcmC\0\0\0\0\x01\x18", Encoding::int(3, 24), false),
        ] {
            let found = Description::read(&stsd(code, bits, more), 600).unwrap();
            assert_eq!((found.encoding, found.is_big_endian), (encoding, is_big_endian), "{code:?}");
            assert_eq!((found.rate_hz, found.n_channels), (48_000, 2));
        }
        assert_eq!(Description::read(&stsd(b"mp4a", 16, &[]), 600), None);
        let whole = stsd(b"in24", 16, enda);
        for cut in 0..whole.len() {
            let _ = Description::read(&whole[..cut], 600);
        }
    }

    #[test]
    fn a_box_is_told_from_its_name_elsewhere() {
        let boxes = b"\0\0\0\x0cfrmams\0\x02\0\0\0\x0ams\0\x02ab";
        let stsd = stsd(b"ms\0\x02", 16, boxes);
        assert_eq!(inner_box(&stsd, *b"ms\0\x02"), Some(&b"ab"[..]));
        assert_eq!(inner_box(&stsd[..stsd.len() - 1], *b"ms\0\x02"), None);
        assert_eq!(inner_box(&stsd[..9], *b"frma"), None);
    }

    /// Sizes of 4, 8 and 16 bits.
    #[test]
    fn compact_sizes_are_read() {
        let read = |n_bits: u8, n_samples: u8, bytes: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[&[0, 0, 0, 0, 0, 0, 0, n_bits, 0, 0, 0, n_samples], bytes].concat()).unwrap();
            let tables = Tables { stsz: Some(((0, 12 + bytes.len() as u64), true)), ..Tables::default() };
            let sizes = sizes(&mut Input::file(file).unwrap(), &tables).unwrap();
            (0..).map_while(|number| sizes.get(number)).collect::<Vec<_>>()
        };
        assert_eq!(read(4, 5, &[0x12, 0x34, 0x50]), [1, 2, 3, 4, 5]);
        assert_eq!(read(8, 5, &[9, 8, 7, 6, 5]), [9, 8, 7, 6, 5]);
        assert_eq!(read(16, 2, &[1, 0, 0, 7]), [256, 7]);
        // More than there are, and a width that is none.
        assert_eq!(read(16, 99, &[1, 0, 0, 7]), [256, 7]);
        assert!(read(5, 2, &[1, 0]).is_empty());
    }

    #[test]
    fn chunks_become_runs() {
        let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
        let stsc = words(&[0, 2, 1, 10, 1, 3, 4, 1]);
        let stsz = words(&[0, 1, 26]);
        let stco = words(&[0, 4, 100, 140, 500, 600]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[&stsc[..], &stsz, &stco].concat()).unwrap();
        let mut input = Input::file(file).unwrap();
        let (a, b) = (stsc.len() as u64, stsz.len() as u64);
        let tables = Tables {
            stsc: Some((0, a)),
            stsz: Some(((a, b), false)),
            chunks: Some(((a + b, stco.len() as u64), false)),
            ..Tables::default()
        };
        let run = |start, at, n_frames| Run { start, at, n_frames };
        // The first two lie one behind the other; the last is cut to what is counted.
        let expected = [run(0, 100, 20), run(20, 500, 4), run(24, 600, 2)];
        assert_eq!(runs(&mut input, &tables, 4).unwrap(), expected);
        let none = Tables { stsz: None, ..tables };
        assert_eq!(runs(&mut input, &none, 4).unwrap(), []);
    }
}
