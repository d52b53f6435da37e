//! How the packets of a Matroska track are packed (RFC 9559, 5.1.4.1.31): symphonia 0.6 hands them out as they are stored.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek};

use anyhow::Result;
use flate2::read::ZlibDecoder;

use super::{MAX_ELEMENTS, Walk};
use crate::decode::refusal;

/// The longest packet that is unpacked, in bytes.
const MAX_PACKET: u64 = 1 << 24;
/// The longest beginning that packets share.
const MAX_PREFIX: u64 = 1 << 12;

/// How a track's packets are packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    #[default]
    Plain,
    /// All begin with the same bytes, which are left out.
    Prefix(Vec<u8>),
    /// Each by zlib.
    Zlib,
    /// In a way that is not read: its name.
    Other(&'static str),
}

impl Packing {
    /// A track's; the plain one for any other container.
    ///
    /// # Errors
    /// It is one that is not read.
    pub fn of(file: &File, track: u32) -> Result<Self> {
        let packing = Walk::new(file).and_then(|mut walk| walk.packing(u64::from(track))).unwrap_or_default();
        match packing {
            Self::Other(name) => Err(refusal::refused(format!(
                "holds packets that are {name} (in matroska), which Tacet does not read;"
            ))),
            packing => Ok(packing),
        }
    }

    /// A packet as its codec has it; empty if it is damaged.
    pub fn unpacked<'a>(&self, packet: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Prefix(prefix) => [prefix, packet].concat().into(),
            Self::Zlib => {
                let mut bytes = Vec::new();
                let is_read = ZlibDecoder::new(packet).take(MAX_PACKET).read_to_end(&mut bytes).is_ok();
                if is_read { bytes.into() } else { Cow::Borrowed(&[]) }
            }
            Self::Plain | Self::Other(_) => packet.into(),
        }
    }
}

impl<R: Read + Seek> Walk<R> {
    /// The packing of a track, whose description stands in front of the first cluster.
    fn packing(&mut self, track: u64) -> Option<Packing> {
        let mut number = 0;
        let mut packing = Packing::Plain;
        for index in 0..MAX_ELEMENTS {
            let (Some(id), Some(len)) = (self.id(), self.len()) else { break };
            if index == 0 && id != 0x1a45_dfa3 || id == 0x1f43_b675 {
                break;
            }
            match id {
                // Segment, Tracks, ContentEncodings.
                0x1853_8067 | 0x1654_ae6b | 0x6d80 => {}
                0xae if number == track && number > 0 => break,
                0xae => (number, packing) = (0, Packing::Plain),
                0xd7 => number = self.number(len)?,
                0x6240 if packing != Packing::Plain => packing = Packing::Other("packed twice"),
                // Of an encoding nothing has to be stated.
                0x6240 => packing = Packing::Zlib,
                // Its kind, and its algorithm.
                0x5033 if self.number(len)? == 1 => packing = Packing::Other("encrypted"),
                0x4254 => {
                    packing = match (packing, self.number(len)?) {
                        (Packing::Zlib, 0) => Packing::Zlib,
                        (Packing::Zlib, 1) => Packing::Other("packed by bzip2"),
                        (Packing::Zlib, 2) => Packing::Other("packed by LZO"),
                        (Packing::Zlib, 3) => Packing::Prefix(Vec::new()),
                        (Packing::Zlib, _) => Packing::Other("packed in a way that is not known here"),
                        (other, _) => other,
                    };
                }
                0x4255 if matches!(packing, Packing::Prefix(_)) => {
                    let mut prefix = vec![0; usize::try_from(len?.min(MAX_PREFIX)).ok()?];
                    self.reader.read_exact(&mut prefix).ok()?;
                    self.at += prefix.len() as u64;
                    packing = Packing::Prefix(prefix);
                }
                // The compression is within the encoding.
                0x5034 => {}
                0x5033 => {}
                _ => self.skip(len?)?,
            }
        }
        (number == track).then_some(packing)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x80 | content.len() as u8], content].concat()
    }

    /// Packings of two tracks, of which the second is packed as `encoding` says.
    fn packings(encoding: &[u8]) -> [Option<Packing>; 2] {
        let entry = |number: u8, more: &[u8]| {
            element(&[0xae], &[element(&[0xd7], &[number]), more.to_vec()].concat())
        };
        let encodings = if encoding.is_empty() { Vec::new() } else { element(&[0x6d, 0x80], encoding) };
        let tracks = [entry(1, &[]), entry(2, &encodings)].concat();
        let bytes = [
            &element(&[0x1a, 0x45, 0xdf, 0xa3], b"webm")[..],
            &[0x18, 0x53, 0x80, 0x67, 0xff],
            &element(&[0x16, 0x54, 0xae, 0x6b], &tracks),
            &[0x1f, 0x43, 0xb6, 0x75, 0xff],
        ]
        .concat();
        [1, 2].map(|track| {
            let reader = std::io::BufReader::new(Cursor::new(bytes.clone()));
            Walk { reader, at: 0, end: bytes.len() as u64, element_at: 0 }.packing(track)
        })
    }

    #[test]
    fn packings_are_those_of_the_track() {
        let encoding = |parts: &[Vec<u8>]| element(&[0x62, 0x40], &parts.concat());
        let compression = |parts: &[Vec<u8>]| encoding(&[element(&[0x50, 0x34], &parts.concat())]);
        let algorithm = |number: u8| element(&[0x42, 0x54], &[number]);
        let prefix = element(&[0x42, 0x55], &[0xff, 0xfb]);
        let twice = [compression(&[algorithm(0)]), compression(&[algorithm(0)])].concat();
        for (encoding, expected) in [
            (Vec::new(), Packing::Plain),
            (compression(&[]), Packing::Zlib),
            (compression(&[algorithm(0)]), Packing::Zlib),
            (compression(&[algorithm(3), prefix]), Packing::Prefix(vec![0xff, 0xfb])),
            (compression(&[algorithm(1)]), Packing::Other("packed by bzip2")),
            (encoding(&[element(&[0x50, 0x33], &[1])]), Packing::Other("encrypted")),
            (twice, Packing::Other("packed twice")),
        ] {
            assert_eq!(packings(&encoding), [Some(Packing::Plain), Some(expected)]);
        }
    }

    #[test]
    fn packets_are_unpacked() {
        let packet = [7; 1_000];
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&packet).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(*Packing::Zlib.unpacked(&packed), packet);
        assert!(Packing::Zlib.unpacked(b"no zlib").is_empty());
        assert_eq!(*Packing::Prefix(vec![1, 2]).unpacked(&[3]), [1, 2, 3]);
        assert_eq!(*Packing::Plain.unpacked(&[3]), [3]);
    }
}
