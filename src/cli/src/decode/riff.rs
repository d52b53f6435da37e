//! Headers of WAV and its relatives: RIFF, RIFX, RF64 (EBU Tech 3306), BW64 (ITU-R BS.2088) and Sony Wave64.
//!
//! More tolerant than symphonia's reader, which takes `fmt ` chunks of three lengths, up to 26 channels and no file past
//! 4 GiB, and believes the lengths. What writers leave in them when they are cut off, or write into a pipe, is recognised
//! here and, at the end of the data, in [`super::plain`].

use anyhow::Result;

use super::input::Input;
use super::layout::{Announced, Codec, Layout, Tail};
use super::metadata::Metadata;
use super::pcm::Encoding;
use super::refusal;

/// The longest `fmt ` chunk that is read, in bytes.
const MAX_FMT: u32 = 4096;
/// Sony Wave64 aligns its chunks to this.
const WAVE64_ALIGN: u64 = 8;
/// Bytes of a Wave64 chunk's header: name and length.
const WAVE64_HEADER: u64 = 24;
/// How the name of Wave64's outer chunk goes on after "riff".
const WAVE64_RIFF: [u8; 12] = [0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 0x04, 0xc1, 0x00, 0x00];

/// Whether a file that begins like this is one of them.
pub(crate) fn is_riff(head: &[u8]) -> bool {
    let is_wave = head.get(8..12) == Some(b"WAVE");
    is_wave && matches!(&head[..4], b"RIFF" | b"RIFX" | b"RF64" | b"BW64") || is_wave64(head)
}

fn is_wave64(head: &[u8]) -> bool {
    head.starts_with(b"riff") && head.get(4..16) == Some(&WAVE64_RIFF[..])
}

/// Reads up to the first byte of the data.
///
/// # Errors
/// The file cannot be read, ends before its data, or holds a codec that is not supported: named, with the next step.
pub fn read(input: &mut Input) -> Result<Layout> {
    let head = input.peek(16)?.to_vec();
    if is_wave64(&head) { read_wave64(input) } else { read_riff(input, &head) }
}

/// The error of a file without samples.
fn no_data() -> anyhow::Error {
    anyhow::anyhow!(
        "ends before its samples begin (no data chunk): it is cut off, or holds no recording; there is nothing in it to denoise"
    )
}

/// The error of samples that nothing describes.
fn no_fmt() -> anyhow::Error {
    refusal::refused("has no description of its samples (fmt chunk), so that nobody knows what they are; if a player opens it,".to_owned())
}

fn read_riff(input: &mut Input, head: &[u8]) -> Result<Layout> {
    let is_big_endian = head.starts_with(b"RIFX");
    let container = match head.get(..4).unwrap_or_default() {
        b"RF64" => "rf64",
        b"BW64" => "bw64",
        b"RIFX" => "rifx",
        _ => "wav",
    };
    input.skip(12)?;
    let mut fmt = None;
    let mut long_data = None;
    let (mut n_silent_before, mut n_stated) = (0, None);
    let mut metadata = Metadata::default();
    // Samples in front of their description: where they begin.
    let mut passed: Option<(u64, u32)> = None;
    loop {
        let (name, len) = match (chunk_header(input, is_big_endian)?, passed, fmt) {
            (_, Some((at, len)), Some(_)) => {
                input.seek(at)?;
                (*b"data", len)
            }
            (Some(header), ..) => header,
            (None, None, _) => return Err(no_data()),
            (None, Some(_), None) => return Err(no_fmt()),
        };
        match &name {
            b"data" if fmt.is_none() && input.len().is_some() => {
                passed = Some((input.at(), len));
                input.skip(len.into())?;
            }
            // Several runs of samples: a list of data chunks.
            b"LIST" if input.peek(4)?.starts_with(b"wavl") => {
                input.skip(4)?;
                continue;
            }
            b"data" => {
                let fmt: Fmt = fmt.ok_or_else(no_fmt)?;
                let announced = match long_data {
                    Some(0) | None => announced(len),
                    Some(bytes) if len == u32::MAX => Announced::Bytes(bytes),
                    Some(_) => announced(len),
                };
                let tail = Tail::Chunks { is_big_endian };
                let layout = fmt.layout(container, is_big_endian, announced, tail, metadata)?;
                return Ok(Layout { n_stated, n_silent_before, ..layout });
            }
            b"fmt " => fmt = Some(read_fmt(input, len.into(), is_big_endian)?),
            b"ds64" if len >= 24 => {
                let Some(bytes) = input.take::<24>()? else { return Err(no_data()) };
                long_data = Some(u64::from_le_bytes([8, 9, 10, 11, 12, 13, 14, 15].map(|i| bytes[i])));
                input.skip(u64::from(len) - 24)?;
            }
            b"fact" if len >= 4 => {
                n_stated = Some(number(input, is_big_endian)?);
                input.skip(u64::from(len) - 4)?;
            }
            b"slnt" if len == 4 => n_silent_before += number(input, is_big_endian)?,
            _ => metadata.read_chunk(input, name, u64::from(len))?,
        }
        pass_padding(input, u64::from(len))?;
    }
}

/// The number of 32 bits that a chunk begins with: the length of silence (slnt), or of all (fact), in samples per channel.
pub(crate) fn number(input: &mut Input, is_big_endian: bool) -> Result<u64> {
    let bytes = input.take::<4>()?.unwrap_or_default();
    Ok(u64::from(if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }))
}

/// A chunk's name and length; `None` at the end.
pub(crate) fn chunk_header(input: &mut Input, is_big_endian: bool) -> Result<Option<([u8; 4], u32)>> {
    let Some([a, b, c, d, len @ ..]) = input.take::<8>()? else { return Ok(None) };
    let len = if is_big_endian { u32::from_be_bytes(len) } else { u32::from_le_bytes(len) };
    Ok(Some(([a, b, c, d], len)))
}

/// Passes the byte that makes an odd length even; some writers leave it out.
pub(crate) fn pass_padding(input: &mut Input, len: u64) -> Result<()> {
    if len % 2 == 1 && input.peek(1)?.first().is_none_or(|&byte| byte == 0) {
        input.skip(1)?;
    }
    Ok(())
}

/// Whether the description where the input stands (a fmt chunk of `len` bytes) is of the same samples as `layout`.
pub(crate) fn is_fmt_of(input: &mut Input, len: u32, is_big_endian: bool, layout: &Layout) -> Result<bool> {
    let fmt = read_fmt(input, len.into(), is_big_endian)?;
    let other =
        fmt.layout(layout.container, is_big_endian, layout.announced, layout.tail, Metadata::default())?;
    let key = |layout: &Layout| (layout.codec, layout.rate_hz, layout.n_channels, layout.block_align);
    Ok(key(&other) == key(layout))
}

/// The layout of samples in packets of another container, which a `fmt ` chunk's content describes.
///
/// # Errors
/// It makes no sense, or is of a codec that is not supported.
pub(crate) fn described(fmt: &[u8], container: &'static str) -> Result<Layout> {
    let fmt = Fmt::read(fmt, false)?;
    let layout = fmt.layout(container, false, Announced::Open, Tail::Nothing, Metadata::default())?;
    if layout.codec == Codec::Mpeg {
        return Err(refusal::codec(container, "MPEG audio"));
    }
    Ok(layout)
}

/// Reads a `fmt ` chunk of `len` bytes, and passes it.
fn read_fmt(input: &mut Input, len: u64, is_big_endian: bool) -> Result<Fmt> {
    let mut bytes = vec![0; len.min(MAX_FMT.into()) as usize];
    let n_read = input.read(&mut bytes)?;
    bytes.truncate(n_read);
    input.skip(len - bytes.len() as u64)?;
    Fmt::read(&bytes, is_big_endian)
}

/// The length of the data, unless it is a placeholder of a writer into a pipe: ffmpeg's 0xFFFFFFFF, sox's 0x7FFFF000
/// (plus or minus its header), arecord's 0x80000000, others' 0x7FFFFFFF.
fn announced(len: u32) -> Announced {
    let is_placeholder =
        len >= u32::MAX - 0xff || len.abs_diff(0x7fff_f000) <= 0x100 || len.abs_diff(0x8000_0000) <= 0x100;
    if is_placeholder { Announced::Open } else { Announced::Bytes(len.into()) }
}

fn read_wave64(input: &mut Input) -> Result<Layout> {
    input.skip(40)?;
    let mut fmt = None;
    let mut metadata = Metadata::default();
    loop {
        let Some((name, content)) = wave64_header(input)? else { return Err(no_data()) };
        match &name {
            b"data" => {
                let fmt: Fmt = fmt.ok_or_else(no_fmt)?;
                let is_open = content >= (u64::MAX >> 1) - WAVE64_HEADER;
                let announced = if is_open { Announced::Open } else { Announced::Bytes(content) };
                return fmt.layout("w64", false, announced, Tail::Wave64, metadata);
            }
            b"fmt " => fmt = Some(read_fmt(input, content, false)?),
            // Broadcast metadata lie in chunks of the same names.
            _ => metadata.read_chunk(input, name, content)?,
        }
        pass_wave64_padding(input, content)?;
    }
}

/// The name of a chunk of Wave64 and the bytes of its content; `None` at the end.
pub(crate) fn wave64_header(input: &mut Input) -> Result<Option<([u8; 4], u64)>> {
    let Some(header) = input.take::<24>()? else { return Ok(None) };
    let len = u64::from_le_bytes([16, 17, 18, 19, 20, 21, 22, 23].map(|i| header[i]));
    Ok(Some(([header[0], header[1], header[2], header[3]], len.saturating_sub(WAVE64_HEADER))))
}

/// Passes what aligns the next chunk of Wave64 behind one whose content has `len` bytes.
pub(crate) fn pass_wave64_padding(input: &mut Input, len: u64) -> Result<()> {
    // Their headers keep the alignment.
    let n_padding = len.checked_next_multiple_of(WAVE64_ALIGN).map_or(0, |end| end - len);
    input.skip(n_padding)?;
    Ok(())
}

/// A parsed `fmt ` chunk.
#[derive(Clone, Copy)]
struct Fmt {
    code: u16,
    n_channels: u16,
    rate_hz: u32,
    block_align: u16,
    n_bits: u16,
    channel_mask: Option<u32>,
}

impl Fmt {
    /// Reads a chunk of 14 bytes (WAVEFORMAT) or more. Unknown bytes at its end are passed over.
    fn read(bytes: &[u8], is_big_endian: bool) -> Result<Self> {
        const EXTENSIBLE: u16 = 0xfffe;
        if bytes.len() < 14 {
            return Err(refusal::damaged(format!(
                "has a description of {} bytes (fmt chunk), too short for any codec",
                bytes.len()
            )));
        }
        let word = |at: usize| -> u16 {
            let bytes = [bytes.get(at), bytes.get(at + 1)].map(|byte| byte.copied().unwrap_or(0));
            if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        let long = |at: usize| -> u32 {
            let (a, b) = (u32::from(word(at)), u32::from(word(at + 2)));
            if is_big_endian { a << 16 | b } else { b << 16 | a }
        };
        let mut this = Self {
            code: word(0),
            n_channels: word(2),
            rate_hz: long(4),
            block_align: word(12),
            n_bits: word(14),
            channel_mask: None,
        };
        if this.code == EXTENSIBLE && bytes.len() >= 26 {
            this.code = word(24);
            this.channel_mask = Some(long(20));
            // Valid bits; their container is known by the block.
            if word(18) != 0 && word(18) <= this.n_bits {
                this.n_bits = word(18);
            }
        } else if this.code == EXTENSIBLE {
            this.code = 1;
        }
        if this.n_channels == 0 || this.rate_hz == 0 {
            return Err(refusal::damaged(format!(
                "states {} channels at {} Hz (fmt chunk)",
                this.n_channels, this.rate_hz
            )));
        }
        Ok(this)
    }

    fn layout(
        self,
        container: &'static str,
        is_big_endian: bool,
        announced: Announced,
        tail: Tail,
        metadata: Metadata,
    ) -> Result<Layout> {
        let n_channels = usize::from(self.n_channels);
        let codec = match self.code {
            1 => Codec::Pcm(self.int()?),
            3 => match self.container_bytes() {
                8 => Codec::Pcm(Encoding::F64),
                4 | 0 => Codec::Pcm(Encoding::F32),
                n_bytes => {
                    let name = format!("floating point of {} bits", 8 * n_bytes);
                    return Err(refusal::codec(container, &name));
                }
            },
            6 => Codec::Pcm(Encoding::ALaw),
            7 => Codec::Pcm(Encoding::MuLaw),
            2 => Codec::AdpcmMs,
            0x11 => Codec::AdpcmIma,
            0x50 | 0x55 => Codec::Mpeg,
            code => return Err(refusal::codec(container, &refusal::wave_codec(code))),
        };
        let block_align = match codec {
            Codec::Pcm(encoding) => encoding.n_bytes() * n_channels,
            _ => usize::from(self.block_align),
        };
        Ok(Layout {
            container,
            codec,
            is_big_endian,
            rate_hz: self.rate_hz,
            n_channels,
            channel_mask: self.channel_mask,
            block_align,
            announced,
            tail,
            n_stated: None,
            n_silent_before: 0,
            metadata,
        })
    }

    /// Bytes of one sample, by the block where that is divisible, else by the bits.
    fn container_bytes(self) -> usize {
        let n_channels = usize::from(self.n_channels);
        let by_bits = usize::from(self.n_bits).div_ceil(8);
        let by_block = usize::from(self.block_align) / n_channels;
        let is_plausible = usize::from(self.block_align) % n_channels == 0
            && (1..=8).contains(&by_block)
            && by_block >= by_bits;
        if is_plausible { by_block } else { by_bits }
    }

    fn int(self) -> Result<Encoding> {
        let n_bytes = self.container_bytes();
        if !(1..=8).contains(&n_bytes) {
            return Err(refusal::damaged(format!("states samples of {} bits (fmt chunk)", self.n_bits)));
        }
        let n_bits = if self.n_bits == 0 { n_bytes as u32 * 8 } else { self.n_bits.into() };
        Ok(Encoding::Int { n_bytes, n_bits, is_unsigned: n_bytes == 1 })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn fmt(code: u16, n_channels: u16, block_align: u16, n_bits: u16, more: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(code.to_le_bytes());
        bytes.extend(n_channels.to_le_bytes());
        bytes.extend(48_000_u32.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(block_align.to_le_bytes());
        bytes.extend(n_bits.to_le_bytes());
        bytes.extend(more);
        bytes
    }

    fn wav(fmt: &[u8], data_len: u32) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        bytes.extend((fmt.len() as u32).to_le_bytes());
        bytes.extend(fmt);
        bytes.extend(b"data");
        bytes.extend(data_len.to_le_bytes());
        bytes
    }

    fn layout(bytes: Vec<u8>) -> Result<Layout> {
        read(&mut Input::pipe(Box::new(Cursor::new(bytes))))
    }

    #[test]
    fn descriptions_of_every_length_are_read() {
        for n_more in [0, 2, 4, 24, 34] {
            let layout = layout(wav(&fmt(1, 2, 4, 16, &vec![0; n_more]), 8)).unwrap();
            assert_eq!(layout.codec, Codec::Pcm(Encoding::int(2, 16)));
            assert_eq!((layout.block_align, layout.announced), (4, Announced::Bytes(8)));
        }
        assert!(layout(wav(&fmt(1, 2, 4, 16, &[])[..12], 8)).is_err());
    }

    #[test]
    fn the_block_says_how_large_a_container_is() {
        let codec = |n_channels, block_align, n_bits| {
            layout(wav(&fmt(1, n_channels, block_align, n_bits, &[]), 0)).unwrap().codec
        };
        assert_eq!(codec(1, 4, 24), Codec::Pcm(Encoding::int(4, 24)));
        assert_eq!(codec(2, 6, 20), Codec::Pcm(Encoding::int(3, 20)));
        assert_eq!(codec(2, 0, 12), Codec::Pcm(Encoding::int(2, 12)));
        assert_eq!(codec(28, 56, 16), Codec::Pcm(Encoding::int(2, 16)));
    }

    #[test]
    fn placeholders_are_no_lengths() {
        for len in [u32::MAX, 0x7fff_f000, 0x8000_0000, 0x7fff_ffff, 0x7fff_efdc, u32::MAX - 36] {
            assert_eq!(announced(len), Announced::Open, "{len:#x}");
        }
        for len in [0, 8, 0x7000_0000, 0x9000_0000, 0xfff0_0000] {
            assert_eq!(announced(len), Announced::Bytes(len.into()), "{len:#x}");
        }
    }

    #[test]
    fn a_codec_that_is_not_supported_is_named() {
        let error = layout(wav(&fmt(0x31, 1, 65, 0, &[]), 65)).unwrap_err().to_string();
        assert!(error.contains("GSM") && error.contains("convert it first"), "{error}");
    }

    #[test]
    fn any_cut_is_an_error() {
        let whole = wav(&fmt(1, 2, 4, 16, &[]), 8);
        for cut in 0..whole.len() {
            assert!(layout(whole[..cut].to_vec()).is_err(), "cut at {cut}");
        }
    }
}
