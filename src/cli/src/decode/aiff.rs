//! Headers of the other containers of plain samples: AIFF and AIFF-C, Sun's AU, and CAF where it holds such samples.

use anyhow::{Result, bail};

use super::input::Input;
use super::layout::{Announced, Codec, Layout, Tail};
use super::metadata::Metadata;
use super::pcm::Encoding;
use super::plain::ima4;
use super::refusal;
use super::riff::{chunk_header, pass_padding};

/// Whether a file that begins like this is an AIFF or AIFF-C.
pub(crate) fn is_aiff(head: &[u8]) -> bool {
    head.starts_with(b"FORM") && matches!(head.get(8..12), Some(b"AIFF" | b"AIFC"))
}

/// Whether a file that begins like this is an AU, of either byte order.
pub(crate) fn is_au(head: &[u8]) -> bool {
    head.starts_with(b".snd") || head.starts_with(b"dns.")
}

/// Whether a file that begins like this is a CAF.
pub(crate) fn is_caf(head: &[u8]) -> bool {
    head.starts_with(b"caff")
}

/// Reads an AIFF up to the first byte of its data.
///
/// # Errors
/// It cannot be read, has no data, or holds a codec that is not supported.
pub(crate) fn read_aiff(input: &mut Input) -> Result<Layout> {
    let is_compressed = input.peek(12)?.get(8..12) == Some(b"AIFC");
    let container = if is_compressed { "aiff-c" } else { "aiff" };
    input.skip(12)?;
    let mut common: Option<Common> = None;
    // Samples that come before their description.
    let mut early = None;
    let mut metadata = Metadata::default();
    let announced = loop {
        let Some((name, len)) = chunk_header(input, true)? else {
            let Some((at, announced)) = early else {
                bail!(
                    "ends before its samples begin (no SSND chunk): it is cut off, or holds no recording; there is nothing in it to denoise"
                )
            };
            input.seek(at)?;
            break announced;
        };
        let mut len = u64::from(len);
        match &name {
            b"COMM" => {
                let mut bytes = vec![0; len.min(64) as usize];
                let n_read = input.read(&mut bytes)?;
                input.skip(len.saturating_sub(bytes.len() as u64))?;
                common = Some(Common::read(&bytes[..n_read])?);
            }
            b"SSND" => {
                let head = input.take::<8>()?.unwrap_or_default();
                let offset = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
                input.skip(offset)?;
                let n_head = 8 + offset;
                let announced = match len {
                    0xffff_ffff => Announced::Open,
                    len => Announced::Bytes(len.saturating_sub(n_head)),
                };
                if common.is_some() {
                    break announced;
                }
                early = Some((input.at(), announced));
                len = len.saturating_sub(n_head);
                input.skip(len)?;
            }
            _ => metadata.read_aiff_chunk(input, name, len)?,
        }
        pass_padding(input, len)?;
    };
    let common = common.ok_or_else(|| refusal::damaged("has no description of its samples (COMM chunk)"))?;
    common.layout(container, announced, metadata)
}

/// An AIFF's description of its samples.
struct Common {
    n_channels: u16,
    n_bits: u16,
    rate_hz: u32,
    /// AIFF-C's codec.
    codec: [u8; 4],
}

impl Common {
    fn read(bytes: &[u8]) -> Result<Self> {
        let Some(bytes18) = bytes.first_chunk::<18>() else {
            return Err(refusal::damaged(format!(
                "has a description of {} bytes (COMM chunk), too short",
                bytes.len()
            )));
        };
        let word = |at: usize| u16::from_be_bytes([bytes18[at], bytes18[at + 1]]);
        // An 80-bit float: sign and exponent, then 64 bits of which the first is the whole.
        let exponent = i32::from(word(8) & 0x7fff) - 16_383 - 63;
        let mantissa = u64::from_be_bytes([10, 11, 12, 13, 14, 15, 16, 17].map(|i| bytes18[i]));
        let rate_hz = (mantissa as f64 * 2_f64.powi(exponent)).round() as u32;
        let codec = bytes.get(18..22).and_then(|codec| codec.try_into().ok()).unwrap_or(*b"NONE");
        let this = Self { n_channels: word(0), n_bits: word(6), rate_hz, codec };
        if this.n_channels == 0 || this.rate_hz == 0 {
            return Err(refusal::damaged(format!(
                "states {} channels at {} Hz (COMM chunk)",
                this.n_channels, this.rate_hz
            )));
        }
        Ok(this)
    }

    fn layout(self, container: &'static str, announced: Announced, metadata: Metadata) -> Result<Layout> {
        let n_bits = u32::from(self.n_bits).clamp(1, 64);
        let int = Encoding::int(n_bits.div_ceil(8) as usize, n_bits);
        let (encoding, is_big_endian) = match &self.codec {
            b"NONE" | b"twos" | b"in24" | b"in32" | b"in16" => (int, true),
            b"ima4" => {
                let layout = plain(
                    container,
                    Encoding::int(1, 8),
                    true,
                    self.rate_hz,
                    self.n_channels.into(),
                    announced,
                    Tail::Chunks { is_big_endian: true },
                    metadata,
                );
                return Ok(in_packets(layout));
            }
            b"sowt" => (int, false),
            b"42ni" => (Encoding::int(3, 24), false),
            b"23ni" => (Encoding::int(4, 32), false),
            b"raw " => (Encoding::Int { n_bytes: 1, n_bits: 8, is_unsigned: true }, true),
            b"fl32" | b"FL32" => (Encoding::F32, true),
            b"fl64" | b"FL64" => (Encoding::F64, true),
            b"alaw" | b"ALAW" => (Encoding::ALaw, true),
            b"ulaw" | b"ULAW" => (Encoding::MuLaw, true),
            other => {
                let name = match other {
                    b"MAC3" | b"MAC6" => "MACE".to_owned(),
                    b"GSM " => "GSM 6.10".to_owned(),
                    b"G722" => "G.722".to_owned(),
                    other => format!("the codec \"{}\"", String::from_utf8_lossy(other).escape_default()),
                };
                return Err(refusal::codec(container, &name));
            }
        };
        let tail = Tail::Chunks { is_big_endian: true };
        Ok(plain(
            container,
            encoding,
            is_big_endian,
            self.rate_hz,
            self.n_channels.into(),
            announced,
            tail,
            metadata,
        ))
    }
}

#[expect(clippy::too_many_arguments, reason = "the fields of a layout")]
fn plain(
    container: &'static str,
    encoding: Encoding,
    is_big_endian: bool,
    rate_hz: u32,
    n_channels: usize,
    announced: Announced,
    tail: Tail,
    metadata: Metadata,
) -> Layout {
    Layout {
        container,
        codec: Codec::Pcm(encoding),
        is_big_endian,
        rate_hz,
        n_channels,
        channel_mask: None,
        block_align: encoding.n_bytes() * n_channels,
        announced,
        tail,
        n_stated: None,
        n_silent_before: 0,
        metadata,
    }
}

/// The layout of the same recording in packets of IMA ADPCM.
fn in_packets(layout: Layout) -> Layout {
    Layout { codec: Codec::AdpcmQuickTime, block_align: ima4::BYTES * layout.n_channels, ..layout }
}

/// Reads an AU up to the first byte of its data.
///
/// # Errors
/// It cannot be read, or holds a codec that is not supported.
pub(crate) fn read_au(input: &mut Input) -> Result<Layout> {
    let Some(head) = input.take::<24>()? else {
        bail!("ends within its header: it is cut off, and there is nothing in it to denoise")
    };
    let is_big_endian = head.starts_with(b".snd");
    let long = |index: usize| {
        let bytes = [0, 1, 2, 3].map(|i| head[4 * index + i]);
        if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    let (data_at, len, code, rate_hz, n_channels) = (long(1), long(2), long(3), long(4), long(5));
    if n_channels == 0 || n_channels > u32::from(u16::MAX) || rate_hz == 0 {
        return Err(refusal::damaged(format!("states {n_channels} channels at {rate_hz} Hz")));
    }
    let mut metadata = Metadata::default();
    // A note of any text, padded with zeros.
    let mut note = vec![0; u64::from(data_at.saturating_sub(24)).min(1 << 16) as usize];
    let n_read = input.read(&mut note)?;
    input.skip(u64::from(data_at.saturating_sub(24)) - note.len() as u64)?;
    let note = String::from_utf8_lossy(&note[..n_read]).trim_matches(['\0', ' ']).to_owned();
    if !note.is_empty() {
        metadata.tags.push(("COMMENT".to_owned(), note));
    }
    let encoding = match code {
        1 => Encoding::MuLaw,
        2 => Encoding::int(1, 8),
        3 => Encoding::int(2, 16),
        4 => Encoding::int(3, 24),
        5 => Encoding::int(4, 32),
        6 => Encoding::F32,
        7 => Encoding::F64,
        27 => Encoding::ALaw,
        23 => return Err(refusal::codec("au", "G.721 ADPCM")),
        24 => return Err(refusal::codec("au", "G.722")),
        25 | 26 => return Err(refusal::codec("au", "G.723 ADPCM")),
        code => return Err(refusal::codec("au", &format!("codec {code}"))),
    };
    let announced = if len == u32::MAX { Announced::Open } else { Announced::Bytes(len.into()) };
    let n_channels = n_channels as usize;
    Ok(plain("au", encoding, is_big_endian, rate_hz, n_channels, announced, Tail::Nothing, metadata))
}

/// Largest packet of a CAF that is believed, in bytes: far more than any codec's, and its bits still fit into 32 bits, in
/// which symphonia counts them.
const MAX_CAF_PACKET_BYTES: u32 = 1 << 24;

/// Reads a CAF up to the first byte of its data; `None` if it holds a codec, which symphonia reads.
///
/// # Errors
/// It cannot be read, or ends before its data.
pub(crate) fn read_caf(input: &mut Input) -> Result<Option<Layout>> {
    input.skip(8)?;
    let mut description: Option<(Encoding, bool, u32, usize)> = None;
    let mut is_in_packets = false;
    let mut metadata = Metadata::default();
    loop {
        let Some(header) = input.take::<12>()? else {
            bail!(
                "ends before its samples begin (no data chunk): it is cut off, or holds no recording; there is nothing in it to denoise"
            )
        };
        let len = i64::from_be_bytes([4, 5, 6, 7, 8, 9, 10, 11].map(|i| header[i]));
        let n_bytes = u64::try_from(len).unwrap_or(0);
        match &header[..4] {
            b"desc" => {
                let Some(bytes) = input.take::<32>()? else {
                    bail!("ends within its header: it is cut off, and there is nothing in it to denoise")
                };
                input.skip(n_bytes.saturating_sub(32))?;
                let long = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
                let rate_hz = f64::from_be_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| bytes[i])).round() as u32;
                let (flags, n_packet_bytes, n_channels, n_bits) = (long(12), long(16), long(24), long(28));
                if n_channels == 0 || n_channels > u32::from(u16::MAX) || rate_hz == 0 {
                    return Err(refusal::damaged(format!(
                        "states {n_channels} channels at {rate_hz} Hz (desc chunk)"
                    )));
                }
                if n_packet_bytes > MAX_CAF_PACKET_BYTES {
                    return Err(refusal::damaged(format!(
                        "states packets of {n_packet_bytes} bytes (desc chunk)"
                    )));
                }
                let n_container = (n_packet_bytes / n_channels) as usize;
                let encoding = match &bytes[8..12] {
                    b"lpcm" if flags & 1 != 0 && n_container == 8 => Encoding::F64,
                    b"lpcm" if flags & 1 != 0 => Encoding::F32,
                    b"lpcm" if (1..=8).contains(&n_container) => {
                        Encoding::int(n_container, n_bits.clamp(1, 64))
                    }
                    b"alaw" => Encoding::ALaw,
                    b"ulaw" => Encoding::MuLaw,
                    b"ima4" if n_container == ima4::BYTES => Encoding::int(1, 8),
                    _ => return Ok(None),
                };
                is_in_packets = &bytes[8..12] == b"ima4";
                description = Some((encoding, flags & 2 == 0, rate_hz, n_channels as usize));
            }
            b"data" => {
                let Some((encoding, is_big_endian, rate_hz, n_channels)) = description else {
                    return Err(refusal::damaged("has its samples before their description (desc chunk)"));
                };
                let _edit_count = input.skip(4)?;
                let announced = match len {
                    ..0 => Announced::Open,
                    _ => Announced::Bytes(n_bytes.saturating_sub(4)),
                };
                let tail = Tail::Caf;
                let layout =
                    plain("caf", encoding, is_big_endian, rate_hz, n_channels, announced, tail, metadata);
                return Ok(Some(if is_in_packets { in_packets(layout) } else { layout }));
            }
            name => metadata.pass_caf_chunk(input, name, n_bytes)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn input(bytes: &[u8]) -> Input {
        Input::pipe(Box::new(Cursor::new(bytes.to_vec())))
    }

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&name[..], &(content.len() as u32).to_be_bytes(), content].concat()
    }

    /// 44100 Hz as an 80-bit float.
    const RATE: [u8; 10] = [0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0];

    #[test]
    fn aiff_and_its_codecs() {
        for (codec, expected, is_big_endian) in [
            (None, Encoding::int(3, 20), true),
            (Some(b"sowt"), Encoding::int(3, 20), false),
            (Some(b"fl32"), Encoding::F32, true),
        ] {
            let mut common = [&[0, 2, 0, 0, 0, 1, 0, 20][..], &RATE].concat();
            common.extend(codec.into_iter().flatten());
            let kind: &[u8] = if codec.is_some() { b"AIFC" } else { b"AIFF" };
            let file = [
                &b"FORM\0\0\0\0"[..],
                kind,
                &chunk(b"COMM", &common),
                &chunk(b"NAME", b"Talk\0"),
                &[0][..],
                &chunk(b"SSND", &[0, 0, 0, 2, 0, 0, 0, 0, 9, 9, 1, 2, 3, 4, 5, 6]),
            ]
            .concat();
            assert!(is_aiff(&file));
            let mut input = input(&file);
            let layout = read_aiff(&mut input).unwrap();
            assert_eq!((layout.codec, layout.is_big_endian), (Codec::Pcm(expected), is_big_endian));
            assert_eq!(
                (layout.rate_hz, layout.n_channels, layout.announced),
                (44_100, 2, Announced::Bytes(6))
            );
            assert_eq!(layout.metadata.tags, [("TITLE".to_owned(), "Talk".to_owned())]);
            assert_eq!(input.take::<1>().unwrap(), Some([1]));
        }
    }

    #[test]
    fn a_caf_of_absurd_packets_is_refused() {
        for (n_packet_bytes, is_damaged) in [(0, false), (MAX_CAF_PACKET_BYTES + 1, true), (u32::MAX, true)] {
            let mut file = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
            file.extend(44_100_f64.to_be_bytes());
            file.extend(b"alac\0\0\0\0");
            for word in [n_packet_bytes, 4096, 1, 0] {
                file.extend(u32::to_be_bytes(word));
            }
            let outcome = read_caf(&mut input(&file));
            assert_eq!(outcome.is_err_and(|error| error.to_string().contains("damaged")), is_damaged);
        }
    }

    #[test]
    fn au_of_both_byte_orders() {
        let words = [28_u32, u32::MAX, 3, 8_000, 1];
        for (magic, is_big_endian) in [(b".snd", true), (b"dns.", false)] {
            let mut file = magic.to_vec();
            for word in words {
                file.extend(if is_big_endian { word.to_be_bytes() } else { word.to_le_bytes() });
            }
            file.extend(b"note\0\0\0\0");
            let mut input = input(&file);
            let layout = read_au(&mut input).unwrap();
            assert_eq!((layout.is_big_endian, layout.announced), (is_big_endian, Announced::Open));
            assert_eq!((layout.codec, layout.metadata.tags.len()), (Codec::Pcm(Encoding::int(2, 16)), 1));
            assert_eq!(input.at(), 28);
        }
    }

    #[test]
    fn any_cut_is_an_error_or_the_head_of_the_file() {
        let words = [24_u32, 8, 3, 8_000, 1];
        let file: Vec<u8> =
            b".snd".iter().copied().chain(words.iter().flat_map(|word| word.to_be_bytes())).collect();
        for cut in 0..file.len() {
            assert!(read_au(&mut input(&file[..cut])).is_err(), "cut at {cut}");
        }
    }
}
