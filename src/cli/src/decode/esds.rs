//! The description of a track named "mp4a" in an MP4 (elementary stream descriptor, ISO/IEC 14496-1, 7.2.6.5): the
//! codec, by the object type, and the codec's own description.

/// Object types by the registry of MP4 (mp4ra.org).
const VORBIS: u8 = 0xdd;

/// A descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Esds {
    /// The codec's number.
    pub object_type: u8,
    /// The codec's own description.
    pub specific: Vec<u8>,
}

impl Esds {
    /// The first descriptor in a description of samples (`stsd`).
    pub fn read(stsd: &[u8]) -> Option<Self> {
        let at = stsd.windows(4).position(|name| name == b"esds")?;
        // Version and flags.
        let mut bytes = stsd.get(at + 8..)?;
        let stream = descriptor(&mut bytes, 0x03)?;
        let flags = *stream.get(2)?;
        let mut rest = stream.get(3..)?;
        if flags & 0x80 != 0 {
            rest = rest.get(2..)?;
        }
        if flags & 0x40 != 0 {
            rest = rest.get(1 + usize::from(*rest.first()?)..)?;
        }
        if flags & 0x20 != 0 {
            rest = rest.get(2..)?;
        }
        let config = descriptor(&mut rest, 0x04)?;
        let specific = config.get(13..).and_then(|mut rest| descriptor(&mut rest, 0x05)).unwrap_or_default();
        Some(Self { object_type: *config.first()?, specific: specific.to_vec() })
    }

    /// The codec, for people; `None` where it is AAC or MPEG audio, whose own descriptions say more.
    pub fn codec(&self) -> Option<String> {
        let name = match self.object_type {
            0x40 | 0x66..=0x69 | 0x6b => return None,
            VORBIS => "Vorbis",
            0xa0 | 0xd1 => "EVRC speech",
            0xa1 => "SMV speech",
            0xa5 => "AC-3",
            0xa6 => "E-AC-3",
            0xa8 => "G.719",
            0xa9..=0xac => "DTS",
            0xad => "Opus",
            0xae => "AC-4",
            0xe1 => "QCELP speech",
            other => return Some(format!("MPEG-4 audio of the object type {other:#04x}")),
        };
        Some(name.to_owned())
    }

    /// First and third packet of a Vorbis stream, one behind the other as Matroska's reader hands them out; `None` for any
    /// other codec, or where they are not there.
    pub fn vorbis_headers(&self) -> Option<Vec<u8>> {
        if self.object_type != VORBIS {
            return None;
        }
        // The number of packets less one, and the lengths of all but the last in bytes of 255 and less.
        let mut rest = self.specific.strip_prefix(&[2])?;
        let mut length = || -> Option<usize> {
            let mut sum = 0;
            loop {
                let (&byte, behind) = rest.split_first()?;
                rest = behind;
                sum += usize::from(byte);
                if byte < 255 {
                    return Some(sum);
                }
            }
        };
        let (n_first, n_second) = (length()?, length()?);
        let first = rest.get(..n_first)?;
        let third = rest.get(n_first + n_second..)?;
        Some([first, third].concat())
    }
}

/// The content of the descriptor that begins here, if it has this tag; cut where the bytes end.
fn descriptor<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&found, mut rest) = bytes.split_first()?;
    let mut size = 0;
    // Seven bits each, at most four.
    for _ in 0..4 {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (content, behind) = rest.split_at(size.min(rest.len()));
    *bytes = behind;
    (found == tag).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A box of this object type, whose lengths have as many bytes as `long` says.
    fn stsd(object_type: u8, specific: &[u8], long: bool) -> Vec<u8> {
        let wrapped = |tag: u8, content: Vec<u8>| -> Vec<u8> {
            let n = content.len();
            let size =
                if long { vec![0x80, 0x80, 0x80 | (n >> 7) as u8, (n & 0x7f) as u8] } else { vec![n as u8] };
            [vec![tag], size, content].concat()
        };
        let config = [&[object_type, 0x15][..], &[0; 11], &wrapped(5, specific.to_vec())].concat();
        let stream = [vec![0, 1, 0], wrapped(4, config)].concat();
        [&b"stsd....mp4a....esds\0\0\0\0"[..], &wrapped(3, stream)].concat()
    }

    #[test]
    fn a_codec_is_named_by_its_object_type() {
        for long in [false, true] {
            let aac = Esds::read(&stsd(0x40, &[0x12, 0x10], long)).unwrap();
            assert_eq!((aac.object_type, &aac.specific[..], aac.codec()), (0x40, &[0x12, 0x10][..], None));
            let speech = Esds::read(&stsd(0xe1, &[], long)).unwrap();
            assert_eq!(speech.codec().unwrap(), "QCELP speech");
            assert_eq!(speech.vorbis_headers(), None);
            let whole = stsd(0xdd, b"\x02\x02\x03aabbbcccc", long);
            assert_eq!(Esds::read(&whole).unwrap().vorbis_headers().unwrap(), b"aacccc");
            for cut in 0..whole.len() {
                let _ = Esds::read(&whole[..cut]).and_then(|esds| esds.vorbis_headers());
            }
        }
        assert_eq!(
            Esds::read(&stsd(0xcc, &[], true)).unwrap().codec().unwrap(),
            "MPEG-4 audio of the object type 0xcc"
        );
        assert_eq!(Esds::read(b""), None);
    }
}
