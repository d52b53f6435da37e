//! Finds the frames of MPEG audio (ISO/IEC 11172-3, 13818-3: layers 1, 2, 3) and of AAC in ADTS (13818-7) and LATM
//! (14496-3: LOAS) in a run of bytes, whatever lies between them: tags, pieces of other files, damage.

use std::borrow::Cow;
use std::io;

use super::input::Input;

/// The longest frame, in bytes: ADTS and LATM have 13 bits for it, LATM behind a header.
const MAX_FRAME: usize = (1 << 13) + 3;

/// The family of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// MPEG audio of this layer, 1 to 3.
    Layer(u8),
    /// AAC of this profile: the audio object type.
    Adts(u8),
    /// AAC in LATM, which says within its frames what it is.
    Latm,
}

/// A parsed frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Layer or profile.
    pub family: Family,
    /// 1 for MPEG-1, 2 for MPEG-2 and 2.5.
    pub version: u8,
    /// Sample rate in Hz, for AAC of its core; 0 if the frame's content says so.
    pub rate_hz: u32,
    /// Channels; 0 if the frame's content says so.
    pub n_channels: usize,
    /// Bytes of the frame, this header included.
    pub len: usize,
    /// Bytes of the header, with its checksum.
    pub header_len: usize,
    /// Samples per channel, at that rate; 0 if the frame's content says so.
    pub n_samples: u64,
}

impl Header {
    /// Reads a header from the first bytes of a frame (7 suffice).
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match (*bytes.first()?, *bytes.get(1)? & 0xe0) {
            (0xff, 0xe0) => {}
            (0x56, 0xe0) => return Self::read_latm(bytes),
            _ => return None,
        }
        if bytes[1] & 0xf6 == 0xf0 { Self::read_adts(bytes) } else { Self::read_mpeg(bytes) }
    }

    fn read_mpeg(bytes: &[u8]) -> Option<Self> {
        /// kbit/s by index, for MPEG-1 layers 1, 2, 3, then MPEG-2 layer 1, and layers 2 and 3.
        const KBITS: [[u16; 14]; 5] = [
            [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
            [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
            [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
            [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
            [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        ];
        let bytes = bytes.first_chunk::<4>()?;
        let version_bits = bytes[1] >> 3 & 3;
        let layer = 4 - (bytes[1] >> 1 & 3);
        let (bitrate, rate) = (usize::from(bytes[2] >> 4), usize::from(bytes[2] >> 2 & 3));
        // Reserved values, and streams of a free rate, whose frames do not say how long they are.
        if version_bits == 1 || layer == 4 || !(1..15).contains(&bitrate) || rate == 3 || bytes[3] & 3 == 2 {
            return None;
        }
        let rate_hz = [44_100, 48_000, 32_000][rate] >> [2, 0, 1, 0][usize::from(version_bits)];
        let is_first_version = version_bits == 3;
        let row = match (is_first_version, layer) {
            (true, layer) => usize::from(layer) - 1,
            (false, 1) => 3,
            (false, _) => 4,
        };
        let bits_per_s = u32::from(KBITS[row][bitrate - 1]) * 1000;
        let padding = u32::from(bytes[2] >> 1 & 1);
        let (len, n_samples) = match (layer, is_first_version) {
            (1, _) => ((12 * bits_per_s / rate_hz + padding) * 4, 384),
            (3, false) => (72 * bits_per_s / rate_hz + padding, 576),
            _ => (144 * bits_per_s / rate_hz + padding, 1152),
        };
        Some(Self {
            family: Family::Layer(layer),
            version: if is_first_version { 1 } else { 2 },
            rate_hz,
            n_channels: if bytes[3] >> 6 == 3 { 1 } else { 2 },
            len: len as usize,
            header_len: 4,
            n_samples,
        })
    }

    fn read_latm(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<3>()?;
        let len = usize::from(bytes[1] & 0x1f) << 8 | usize::from(bytes[2]);
        (len > 0).then_some(Self {
            family: Family::Latm,
            version: 1,
            rate_hz: 0,
            n_channels: 0,
            len: len + 3,
            header_len: 3,
            n_samples: 0,
        })
    }

    fn read_adts(bytes: &[u8]) -> Option<Self> {
        /// ISO/IEC 14496-3, table 1.18.
        const RATES_HZ: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
            7_350,
        ];
        let bytes = bytes.first_chunk::<7>()?;
        let rate_hz = *RATES_HZ.get(usize::from(bytes[2] >> 2 & 15))?;
        let len = usize::from(bytes[3] & 3) << 11 | usize::from(bytes[4]) << 3 | usize::from(bytes[5] >> 5);
        let header_len = if bytes[1] & 1 == 1 { 7 } else { 9 };
        let n_blocks = u64::from(bytes[6] & 3) + 1;
        let n_channels = match bytes[2] << 2 & 4 | bytes[3] >> 6 {
            7 => 8,
            n => usize::from(n),
        };
        (len > header_len).then_some(Self {
            family: Family::Adts((bytes[2] >> 6) + 1),
            version: 1,
            rate_hz,
            n_channels,
            len,
            header_len,
            n_samples: n_blocks * 1024,
        })
    }

    /// Whether two frames are of one stream, for one decoder.
    pub fn is_like(&self, other: &Self) -> bool {
        self.is_near(other) && self.n_channels == other.n_channels
    }

    /// Whether two frames can follow each other: the number of channels may change.
    fn is_near(&self, other: &Self) -> bool {
        (self.family, self.version, self.rate_hz) == (other.family, other.version, other.rate_hz)
    }
}

/// Whether a frame is MP2 of one channel at a bit rate that the standard has for two only: some encoders write it.
pub fn is_wide_mono(frame: &[u8]) -> bool {
    let Some([_, second, third, fourth]) = frame.first_chunk::<4>() else { return false };
    Header::read(frame).is_some_and(|header| header.family == Family::Layer(2))
        && second & 0x08 != 0
        && third >> 4 > 10
        && fourth >> 6 == 3
}

/// MP2 of two channels at a bit rate that the standard has for one only, as a decoder takes it that holds to that: the
/// same bits behind a header of 96 kbit/s, which has the same tables.
pub fn allowed(frame: &[u8]) -> Cow<'_, [u8]> {
    /// The indices of 32, 48, 56 and 80 kbit/s, and that of 96.
    const NARROW: [u8; 4] = [1, 2, 3, 5];
    const WIDE: u8 = 6;
    let is_narrow = Header::read(frame).is_some_and(|header| {
        header.family == Family::Layer(2) && header.n_channels == 2 && NARROW.contains(&(frame[2] >> 4))
    });
    if !is_narrow || frame[1] & 0x08 == 0 {
        return Cow::Borrowed(frame);
    }
    let mut widened = frame.to_vec();
    widened[2] = WIDE << 4 | frame[2] & 0x0c;
    let n_bytes = Header::read(&widened).map_or(0, |header| header.len);
    widened.resize(n_bytes, 0);
    Cow::Owned(widened)
}

/// Walks from frame to frame.
pub struct Frames {
    input: Input,
    end: u64,
    last: Option<Header>,
    /// Bytes that belong to no frame and no tag.
    n_foreign: u64,
    /// Whether a tag stood before the last frame.
    is_behind_tag: bool,
    /// Whether the bytes ended within a frame.
    is_cut: bool,
}

impl Frames {
    /// Frames in the bytes of a file from `start` to `end`.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn new(mut input: Input, start: u64, end: u64) -> io::Result<Self> {
        input.seek(start)?;
        let end = end.min(input.len().unwrap_or(end));
        Ok(Self { input, end, last: None, n_foreign: 0, is_behind_tag: false, is_cut: false })
    }

    /// Back to `start`.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn rewind(&mut self, start: u64) -> io::Result<()> {
        self.input.seek(start)?;
        (self.last, self.n_foreign) = (None, 0);
        Ok(())
    }

    /// The position behind the last frame.
    pub fn at(&self) -> u64 {
        self.input.at()
    }

    /// Whether a tag stood before the last frame.
    pub fn is_behind_tag(&self) -> bool {
        self.is_behind_tag
    }

    /// Whether the bytes ended within a frame.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Bytes so far that belong to no frame and no tag.
    pub fn n_foreign(&self) -> u64 {
        self.n_foreign
    }

    /// The next frame, its bytes in `frame`; `None` at the end.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn next(&mut self, frame: &mut Vec<u8>) -> io::Result<Option<Header>> {
        self.is_behind_tag = false;
        loop {
            let left = self.end.saturating_sub(self.input.at());
            if left < 4 {
                self.n_foreign += left;
                self.input.skip(left)?;
                return Ok(None);
            }
            let n_tag = self.tag_len(left)?;
            if n_tag > 0 {
                self.input.skip(n_tag.min(left))?;
                self.is_behind_tag = true;
                continue;
            }
            let header = Header::read(self.input.peek(7)?);
            let is_next = match (header, self.last) {
                (Some(header), Some(last)) if header.is_like(&last) => true,
                (Some(header), _) => self.is_followed(&header, left)?,
                (None, _) => false,
            };
            let Some(header) = header.filter(|_| is_next) else {
                self.resync(left)?;
                continue;
            };
            if header.len as u64 > left {
                // Cut off: a piece of a frame is none.
                self.is_cut = true;
                self.input.skip(left)?;
                return Ok(None);
            }
            frame.resize(header.len, 0);
            self.input.read(frame)?;
            self.last = Some(header);
            return Ok(Some(header));
        }
    }

    /// Whether behind a frame comes another, a tag or the end: four bytes alone make a header too easily.
    fn is_followed(&mut self, header: &Header, left: u64) -> io::Result<bool> {
        let bytes = self.input.peek(MAX_FRAME + 16)?;
        let Some(behind) = bytes.get(header.len..) else { return Ok(false) };
        let n_behind = left.saturating_sub(header.len as u64);
        if header.len as u64 > left {
            return Ok(false);
        }
        Ok(n_behind < 4 || is_tag(behind) || Header::read(behind).is_some_and(|next| next.is_near(header)))
    }

    /// Passes bytes up to where a frame could begin.
    fn resync(&mut self, left: u64) -> io::Result<()> {
        let bytes = self.input.peek(MAX_FRAME)?;
        let n_seen = bytes.len().min(left as usize);
        let is_start = |window: &[u8]| {
            matches!(window[0], 0xff | 0x56) && window[1] & 0xe0 == 0xe0
                || matches!(window, b"ID" | b"TA" | b"AP" | b"LY")
        };
        let found = bytes[..n_seen].windows(2).skip(1).position(is_start);
        let n = found.map_or(n_seen.saturating_sub(1).max(1), |position| position + 1) as u64;
        self.n_foreign += n;
        self.input.skip(n)?;
        Ok(())
    }

    /// The length of a tag that begins here; 0 if none does.
    fn tag_len(&mut self, left: u64) -> io::Result<u64> {
        let head = self.input.peek(32)?;
        let size = |bytes: &[u8]| bytes.iter().fold(0_u64, |size, byte| size << 7 | u64::from(byte & 0x7f));
        if head.len() >= 10 && head.starts_with(b"ID3") && head[3] < 0xff {
            let n_footer = if head[5] & 0x10 != 0 { 10 } else { 0 };
            return Ok(10 + size(&head[6..10]) + n_footer);
        }
        if head.len() >= 32 && head.starts_with(b"APETAGEX") {
            // Without the header if this is one, which is as long as a footer; items follow a header only.
            let n_items = u64::from(u32::from_le_bytes([head[12], head[13], head[14], head[15]]));
            let is_header = head[23] & 0x20 != 0;
            return Ok(if is_header { 32 + n_items } else { 32 });
        }
        if head.starts_with(b"TAG") && left <= 128 + 227 + 32 {
            return Ok(if head.starts_with(b"TAG+") { 227 } else { 128 });
        }
        if head.starts_with(b"TAG") {
            // Between joined files.
            let behind = self.input.peek(132)?;
            let is_tag = behind.len() > 131
                && (Header::read(&behind[128..]).is_some() || behind[128..].starts_with(b"ID3"));
            return Ok(if is_tag { 128 } else { 0 });
        }
        if head.starts_with(b"LYRICSBEGIN") {
            let bytes = self.input.peek(super::input::BUFFER)?;
            let end = bytes.windows(9).position(|end| matches!(end, b"LYRICS200" | b"LYRICSEND"));
            return Ok(end.map_or(11, |end| end as u64 + 9));
        }
        Ok(0)
    }
}

fn is_tag(bytes: &[u8]) -> bool {
    [&b"ID3"[..], b"TAG", b"APETAGEX", b"LYRICSBEGIN"].iter().any(|tag| bytes.starts_with(tag))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// MPEG-1 layer 3, 128 kbit/s, 44.1 kHz, stereo: 417 bytes.
    const STEREO: [u8; 4] = [0xff, 0xfb, 0x90, 0x00];

    fn frame(header: [u8; 4]) -> Vec<u8> {
        let mut frame = header.to_vec();
        frame.resize(Header::read(&[&header[..], &[0; 3]].concat()).unwrap().len, 0);
        frame
    }

    fn walk(bytes: &[u8]) -> (Vec<Header>, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut frames = Frames::new(Input::file(file).unwrap(), 0, u64::MAX).unwrap();
        let (mut headers, mut bytes) = (Vec::new(), Vec::new());
        while let Some(header) = frames.next(&mut bytes).unwrap() {
            assert_eq!(bytes.len(), header.len);
            headers.push(header);
        }
        (headers, frames.n_foreign())
    }

    #[test]
    fn headers_say_what_the_standard_says() {
        let header = Header::read(&STEREO).unwrap();
        assert_eq!((header.len, header.n_samples, header.rate_hz, header.n_channels), (417, 1152, 44_100, 2));
        // MPEG-2 layer 3, 64 kbit/s, 24 kHz, mono.
        let header = Header::read(&[0xff, 0xf3, 0x84, 0xc0]).unwrap();
        assert_eq!((header.len, header.n_samples, header.rate_hz, header.n_channels), (192, 576, 24_000, 1));
        // AAC-LC, 44.1 kHz, mono, 371 bytes.
        let header = Header::read(&[0xff, 0xf1, 0x50, 0x40, 0x2e, 0x7f, 0xfc]).unwrap();
        assert_eq!((header.family, header.len, header.n_channels), (Family::Adts(2), 371, 1));
        for nonsense in
            [[0xff, 0xeb, 0x90, 0], [0xff, 0xfb, 0xf0, 0], [0xff, 0xfb, 0x9c, 0], [0xff, 0xf9, 0x00, 0]]
        {
            assert_eq!(Header::read(&nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn odd_bit_rates_of_layer_2_are_told_apart() {
        // 48 kHz, mono, 384 and 192 kbit/s; stereo, 384, 56 and 64.
        let header = |index: u8, mode: u8| [0xff, 0xfd, index << 4 | 4, mode, 0, 0, 0];
        assert!(is_wide_mono(&header(14, 0xc0)) && !is_wide_mono(&header(10, 0xc0)));
        assert!(!is_wide_mono(&header(14, 0)) && !is_wide_mono(&STEREO) && !is_wide_mono(&[]));
        let mut narrow = header(3, 0).to_vec();
        narrow.resize(168, 0x55);
        let widened = allowed(&narrow);
        assert_eq!(
            (widened.len(), &widened[..4], &widened[7..168]),
            (288, &[0xff, 0xfd, 0x64, 0][..], &narrow[7..])
        );
        assert!(matches!(allowed(&header(4, 0)), Cow::Borrowed(_)));
    }

    #[test]
    fn tags_and_rubbish_between_frames_are_passed() {
        let tag = [&b"ID3\x03\0\0\0\0\0\x05"[..], &[0xff; 5]].concat();
        let file = [
            &tag[..],
            &frame(STEREO),
            &frame(STEREO),
            &[b"TAG"[..].to_vec(), vec![0; 125]].concat(),
            &tag,
            &frame(STEREO),
            &[1, 2, 0xff, 0xfb, 3],
            &frame(STEREO),
            &frame(STEREO),
            &[b"TAG"[..].to_vec(), vec![0x20; 125]].concat(),
        ]
        .concat();
        let (headers, n_foreign) = walk(&file);
        assert_eq!((headers.len(), n_foreign), (5, 5));
    }

    #[test]
    fn a_change_on_the_way_is_followed_and_a_cut_frame_dropped() {
        let mono = [0xff, 0xfb, 0x90, 0xc0];
        let other = [0xff, 0xfb, 0x94, 0x00];
        let file =
            [frame(STEREO), frame(STEREO), frame(mono), frame(mono), frame(other), frame(other)].concat();
        let (headers, n_foreign) = walk(&file);
        assert_eq!(
            headers.iter().map(|h| (h.n_channels, h.rate_hz)).collect::<Vec<_>>(),
            [(2, 44_100), (2, 44_100), (1, 44_100), (1, 44_100), (2, 48_000), (2, 48_000)]
        );
        assert_eq!(n_foreign, 0);
        assert_eq!(walk(&file[..file.len() - 1]), (headers[..5].to_vec(), 0));
    }
}
