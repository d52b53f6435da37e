//! Reads the start and the end of the sound in a Matroska or WebM file, to the sample (RFC 9559): CodecDelay of a
//! track, DiscardPadding of its blocks. symphonia 0.6 rounds the first to milliseconds and passes over the second.
//!
//! SeekPreRoll is about seeking, which nothing does here: every packet is decoded from the first.

pub mod described;
mod packing;
pub mod resume;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::iter;

pub use packing::Packing;

use super::slide::slide;
use super::windows::Window;

/// More elements than any recording has: a limit for damaged files.
const MAX_ELEMENTS: u64 = 100_000_000;
/// More paddings than any recording has; one is usual.
const MAX_PADDINGS: usize = 100_000;
/// More joined files than there are: a limit for damaged ones.
const MAX_JOINED: usize = 10_000;
/// Bytes of a buffered read: blocks of sound are shorter, those of pictures are passed over.
const BUFFER: usize = 4_096;

/// Delay and paddings of one track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trims {
    /// The encoder's delay, in nanoseconds.
    pub delay_ns: Option<u64>,
    /// Nanoseconds to drop at the end of a packet (below 0: at its start), by the packet's place in the track from 0.
    pub paddings_ns: HashMap<u64, i64>,
    /// Packets of the track.
    pub n_packets: u64,
    /// Whether the file ends within a packet.
    pub is_cut: bool,
    /// Whether nothing but zeros is behind the last element.
    pub is_padded: bool,
    /// Starts of further files that are joined to it.
    pub joined: Vec<u64>,
}

impl Trims {
    /// Nanoseconds as samples.
    pub fn in_samples(ns: u64, rate_hz: u32) -> u64 {
        let scaled = u128::from(ns) * u128::from(rate_hz) + 500_000_000;
        u64::try_from(scaled / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// Drops a packet's padding from what was decoded of it.
    pub fn apply(&self, packet: u64, rate_hz: u32, block: &mut [Vec<f32>]) {
        let Some(&padding_ns) = self.paddings_ns.get(&packet) else { return };
        let n = usize::try_from(Self::in_samples(padding_ns.unsigned_abs(), rate_hz)).unwrap_or(usize::MAX);
        for channel in block {
            let n = n.min(channel.len());
            if padding_ns < 0 {
                channel.drain(..n);
            } else {
                channel.truncate(channel.len() - n);
            }
        }
    }
}

/// The tracks that are not to be played unless they are chosen. Empty for any other container.
pub fn not_default(file: &File) -> Vec<u32> {
    let mut tracks = Vec::new();
    if let Some(mut walk) = Walk::new(file) {
        let _ = walk.flags(&mut tracks);
    }
    tracks
}

/// Whether a file is one.
pub fn is_matroska(file: &mut (impl Read + Seek)) -> bool {
    let mut head = [0; 4];
    file.seek(SeekFrom::Start(0)).is_ok()
        && file.read_exact(&mut head).is_ok()
        && head == [0x1a, 0x45, 0xdf, 0xa3]
}

/// A file's stated end, if that is behind its actual one: it is cut off. `None` for any other container.
pub fn cut_end(file: &mut (impl Read + Seek)) -> Option<u64> {
    let end = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(0)).ok()?;
    let mut walk = Walk { reader: BufReader::with_capacity(BUFFER, file), at: 0, end, element_at: 0 };
    let (header, len) = (walk.id()?, walk.len()??);
    walk.skip(len)?;
    let (segment, len) = (walk.id()?, walk.len()??);
    let is_matroska = header == 0x1a45_dfa3 && segment == 0x1853_8067;
    walk.at.checked_add(len).filter(|&stated| is_matroska && stated > end)
}

/// A track's trims, as far as they stand before the first damage.
pub fn read(file: &File, track: u32) -> Trims {
    let mut trims = Trims::default();
    if let Some(mut walk) = Walk::new(file) {
        let _ = walk.all(u64::from(track), &mut trims);
        trims.is_padded = walk.is_padded(file);
    }
    trims
}

/// The paddings of a track in one of several files that are joined.
pub fn paddings_of(file: &File, window: Window, track: u32) -> HashMap<u64, i64> {
    let mut trims = Trims::default();
    if let Some(mut walk) = Walk::new(file)
        && walk.reader.seek(SeekFrom::Start(window.start)).is_ok()
    {
        (walk.at, walk.end) = (window.start, window.end);
        let _ = walk.all(u64::from(track), &mut trims);
    }
    trims.paddings_ns
}

/// The files that are joined, one by one; none if it is one.
///
/// # Errors
/// Errors of the file.
pub fn joined(file: &mut (impl Read + Seek), trims: &Trims) -> io::Result<VecDeque<Vec<Window>>> {
    if trims.joined.is_empty() {
        return Ok(VecDeque::new());
    }
    let end = file.seek(SeekFrom::End(0))?;
    let starts = iter::once(&0).chain(&trims.joined).copied();
    let ends = trims.joined.iter().copied().chain([end]);
    Ok(starts.zip(ends).map(|(start, end)| vec![Window { start, end }]).collect())
}

/// Walks over the elements. Those that hold others are entered without looking at their length, which a stream does not
/// state: what follows them is on the way anyhow.
struct Walk<R> {
    reader: BufReader<R>,
    at: u64,
    end: u64,
    /// The start of the element that is looked at.
    element_at: u64,
}

impl Walk<File> {
    fn new(file: &File) -> Option<Self> {
        let mut reader = BufReader::with_capacity(BUFFER, file.try_clone().ok()?);
        let end = reader.seek(SeekFrom::End(0)).ok()?;
        reader.seek(SeekFrom::Start(0)).ok()?;
        Some(Self { reader, at: 0, end, element_at: 0 })
    }

    /// Whether the walk ended in front of zeros that go on to the end.
    fn is_padded(&self, mut file: &File) -> bool {
        let is_reached = file.seek(SeekFrom::Start(self.element_at)).is_ok();
        let found = slide(&mut file, self.element_at, 0, |_, held| (held[0] != 0).then_some(()));
        is_reached && found.is_ok_and(|found| found.is_none())
    }
}

impl<R: Read + Seek> Walk<R> {
    /// Collects the tracks whose entry says that they are no default, in front of the first cluster.
    fn flags(&mut self, not_default: &mut Vec<u32>) -> Option<()> {
        let mut entry = (0, 1);
        for index in 0..MAX_ELEMENTS {
            let (id, len) = (self.id()?, self.len()?);
            if index == 0 && id != 0x1a45_dfa3 || id == 0x1f43_b675 {
                break;
            }
            match id {
                0x1853_8067 | 0x1654_ae6b => {}
                0xae => entry = (0, 1),
                0xd7 => entry.0 = self.number(len)?,
                0x88 => entry.1 = self.number(len)?,
                _ => self.skip(len?)?,
            }
            if let (number @ 1.., 0) = entry {
                not_default.extend(u32::try_from(number));
                entry = (0, 1);
            }
        }
        Some(())
    }

    fn all(&mut self, track: u64, trims: &mut Trims) -> Option<()> {
        let mut entry = (0, None);
        // The packets of the last block, if it is one of the track's; a padding that stands in front of its block.
        let (mut last, mut pending) = (None, None);
        for index in 0..MAX_ELEMENTS {
            if self.at >= self.end || trims.paddings_ns.len() >= MAX_PADDINGS {
                break;
            }
            self.element_at = self.at;
            let id = self.id()?;
            let len = self.len()?;
            match id {
                0x1a45_dfa3 if index > 0 && trims.joined.len() < MAX_JOINED => {
                    trims.joined.push(self.element_at);
                    self.skip(len?)?;
                }
                // Their packets are none of this file's.
                0xa3 | 0xa1 | 0x75a2 | 0xae if !trims.joined.is_empty() => self.skip(len?)?,
                // Segment, Tracks, Cluster; BlockGroup, in any order; a track's entry.
                0x1853_8067 | 0x1654_ae6b | 0x1f43_b675 => {}
                0xa0 => (last, pending) = (None, None),
                0xae => entry = (0, None),
                // A track's number and delay, in either order.
                0xd7 => entry.0 = self.number(len)?,
                0x56aa => entry.1 = Some(self.number(len)?),
                0xa3 | 0xa1 => {
                    let before = self.at;
                    let number = self.len()?.unwrap_or(0);
                    let flags = self.bytes::<3>()?[2];
                    let n_frames = if flags & 6 == 0 { 1 } else { 1 + u64::from(self.bytes::<1>()?[0]) };
                    last = None;
                    if number == track {
                        trims.n_packets += n_frames;
                        last = Some(trims.n_packets - 1);
                    }
                    if let (Some(packet), Some(padding_ns)) = (last, pending.take().filter(|_| id == 0xa1)) {
                        trims.paddings_ns.insert(packet, padding_ns);
                    }
                    let n_read = self.at - before;
                    self.skip(len?.checked_sub(n_read)?)?;
                }
                0x75a2 => {
                    let n_bytes = len?.min(8);
                    let value = self.number(Some(n_bytes))?;
                    let n_unused = 64 - 8 * n_bytes as u32;
                    let padding_ns = if n_unused < 64 { (value << n_unused) as i64 >> n_unused } else { 0 };
                    match last {
                        Some(packet) if padding_ns != 0 => {
                            trims.paddings_ns.insert(packet, padding_ns);
                        }
                        Some(_) => {}
                        None => pending = Some(padding_ns).filter(|&padding_ns| padding_ns != 0),
                    }
                }
                _ => self.skip(len?)?,
            }
            if entry.0 == track && entry.1.is_some() {
                trims.delay_ns = entry.1;
            }
            trims.is_cut = self.at > self.end && matches!(id, 0xa3 | 0xa1);
        }
        Some(())
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).ok()?;
        self.at += N as u64;
        Some(bytes)
    }

    fn skip(&mut self, n: u64) -> Option<()> {
        self.reader.seek_relative(i64::try_from(n).ok()?).ok()?;
        self.at += n;
        Some(())
    }

    /// An element's name, its marker included.
    fn id(&mut self) -> Option<u64> {
        let first = self.bytes::<1>()?[0];
        let n_more = first.leading_zeros();
        if n_more > 3 {
            return None;
        }
        self.more(first.into(), n_more)
    }

    /// A length, or a track's number; the inner `None` where it is not known.
    #[allow(clippy::option_option)]
    fn len(&mut self) -> Option<Option<u64>> {
        let first = self.bytes::<1>()?[0];
        let n_more = first.leading_zeros();
        if n_more > 7 {
            return None;
        }
        let value = self.more(u64::from(first) & (0x7f >> n_more), n_more)?;
        let is_open = value == (1 << (7 * (n_more + 1))) - 1;
        Some((!is_open).then_some(value))
    }

    fn more(&mut self, first: u64, n: u32) -> Option<u64> {
        let mut value = first;
        for _ in 0..n {
            value = value << 8 | u64::from(self.bytes::<1>()?[0]);
        }
        Some(value)
    }

    /// A number of up to eight bytes.
    fn number(&mut self, len: Option<u64>) -> Option<u64> {
        let n = len.filter(|&n| n <= 8)? as u32;
        self.more(0, n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x80 | content.len() as u8], content].concat()
    }

    /// Two tracks; the second's last block holds three packets and drops 1 ms.
    fn file() -> Vec<u8> {
        let entry = |number: u8, delay: &[u8]| {
            element(&[0xae], &[element(&[0xd7], &[number]), element(&[0x56, 0xaa], delay)].concat())
        };
        let tracks = [entry(1, &[1]), entry(2, &6_500_000_u32.to_be_bytes())].concat();
        let group = |block: &[u8], padding: &[u8]| {
            element(&[0xa0], &[element(&[0xa1], block), element(&[0x75, 0xa2], padding)].concat())
        };
        [
            &element(&[0x1a, 0x45, 0xdf, 0xa3], b"webm")[..],
            // Segment and cluster of a length that is not known.
            &[0x18, 0x53, 0x80, 0x67, 0xff],
            &element(&[0x16, 0x54, 0xae, 0x6b], &tracks),
            &[0x1f, 0x43, 0xb6, 0x75, 0xff],
            &element(&[0xa3], &[0x82, 0, 0, 0, 9, 9]),
            &group(&[0x81, 0, 0, 0, 9], &[0x7f]),
            &group(&[0x82, 0, 0, 2, 2, 9, 9, 9], &1_000_000_i32.to_be_bytes()),
            &group(&[0x82, 0, 0, 0, 9], &[0xff]),
        ]
        .concat()
    }

    fn read(bytes: &[u8], track: u32) -> Trims {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        super::read(&file, track)
    }

    #[test]
    fn delay_and_padding_are_those_of_the_track() {
        let trims = read(&file(), 2);
        assert_eq!(trims.delay_ns, Some(6_500_000));
        assert_eq!(trims.paddings_ns, HashMap::from([(3, 1_000_000), (4, -1)]));
        assert_eq!(Trims::in_samples(6_500_000, 48_000), 312);
        assert!(!trims.is_padded && trims.joined.is_empty());
        let joined = [file(), file(), vec![0; 40]].concat();
        let both = read(&joined, 2);
        assert_eq!((both.joined.clone(), both.n_packets), (vec![file().len() as u64], trims.n_packets));
        assert!(both.is_padded && !both.is_cut);
        let parts = super::joined(&mut Cursor::new(&joined), &both).unwrap();
        let (middle, end) = (file().len() as u64, joined.len() as u64);
        assert_eq!(parts, [[Window { start: 0, end: middle }], [Window { start: middle, end }]]);
        assert!(!trims.is_cut && read(&file()[..file().len() - 5], 2).is_cut);
        let mut block = vec![vec![0.0; 100]; 2];
        trims.apply(2, 48_000, &mut block);
        assert_eq!(block[1].len(), 100);
        trims.apply(3, 48_000, &mut block);
        assert_eq!(block[1].len(), 52);
        assert_eq!((trims.n_packets, read(&file(), 7)), (5, Trims::default()));
    }

    /// GStreamer writes the padding of a block in front of it.
    #[test]
    fn a_padding_may_stand_before_its_block() {
        let padding = element(&[0x75, 0xa2], &1_000_000_i32.to_be_bytes());
        let block = |number: u8| element(&[0xa1], &[0x80 | number, 0, 0, 0, 9]);
        let group = |content: &[&[u8]]| element(&[0xa0], &content.concat());
        let more = [
            group(&[&padding, &block(2)]),
            group(&[&padding, &block(1)]),
            group(&[&block(2)]),
            group(&[&block(2), &padding]),
        ];
        let trims = read(&[file(), more.concat()].concat(), 2);
        assert_eq!(
            trims.paddings_ns,
            HashMap::from([(3, 1_000_000), (4, -1), (5, 1_000_000), (7, 1_000_000)])
        );
    }

    #[test]
    fn a_file_that_ends_early_is_cut() {
        let header = element(&[0x1a, 0x45, 0xdf, 0xa3], b"webm");
        let whole = [header, element(&[0x18, 0x53, 0x80, 0x67], &[0xec; 50])].concat();
        let end_of = |bytes: &[u8]| cut_end(&mut Cursor::new(bytes));
        assert_eq!(end_of(&whole), None);
        assert_eq!(end_of(&whole[..30]), Some(whole.len() as u64));
        // Of a length that is not stated.
        assert_eq!(end_of(&file()), None);
        assert_eq!(end_of(b"RIFF\0\0\0\0WAVE"), None);
    }

    #[test]
    fn a_flag_that_is_absent_is_set() {
        let entry = |number: u8, flag: &[u8]| {
            element(&[0xae], &[element(&[0xd7], &[number]), flag.to_vec()].concat())
        };
        let tracks =
            [entry(1, &element(&[0x88], &[0])), entry(2, &[]), entry(3, &element(&[0x88], &[1]))].concat();
        let bytes = [
            &element(&[0x1a, 0x45, 0xdf, 0xa3], b"webm")[..],
            &[0x18, 0x53, 0x80, 0x67, 0xff],
            &element(&[0x16, 0x54, 0xae, 0x6b], &tracks),
        ]
        .concat();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        assert_eq!(not_default(&file), [1]);
        let mut other = tempfile::tempfile().unwrap();
        other.write_all(b"RIFF\0\0\0\0WAVE").unwrap();
        assert!(not_default(&other).is_empty());
    }

    #[test]
    fn any_cut_ends_it() {
        let whole = file();
        for cut in 0..whole.len() {
            let trims = read(&whole[..cut], 2);
            assert!(trims.paddings_ns.len() <= 2, "cut at {cut}");
        }
        let mut walk =
            Walk { reader: BufReader::new(Cursor::new([0_u8; 99])), at: 0, end: 99, element_at: 0 };
        assert_eq!(walk.all(1, &mut Trims::default()), None);
    }
}
