//! The first walk over the pages of an Ogg file: its streams, and when its picture starts.

use anyhow::Result;

use super::head::Head;
use crate::decode::input::Input;
use crate::decode::page::Page;

/// Findings of the first walk over one stream's pages.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its number.
    pub serial: u32,
    /// Its description.
    pub head: Head,
    /// The last position that is said.
    pub end: Option<u64>,
    /// Whether its last page is there, which may end within its last packet.
    pub is_ended: bool,
}

/// A picture beside the sound: Theora, whose positions count pictures (Theora specification, 6.2 and A.2.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    serial: u32,
    /// Seconds that each is shown.
    duration_s: f64,
    /// Bits of a position that count from the last whole picture on.
    n_bits: u32,
    /// When the first is shown, in seconds.
    pub starts_s: Option<f64>,
}

impl Picture {
    /// The description in a stream's first packet; `None` if it is none of Theora.
    fn read(serial: u32, packet: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(f64::from(u32::from_be_bytes(*packet.get(at..)?.first_chunk()?)));
        if !packet.starts_with(b"\x80theora") {
            return None;
        }
        let (per_s, duration_s) = (long(22)?, long(26)? / long(22)?.max(1.0));
        let n_bits = u32::from(*packet.get(40)? & 3) << 3 | u32::from(*packet.get(41)? >> 5);
        (per_s > 0.0).then_some(Self { serial, duration_s, n_bits, starts_s: None })
    }

    /// Takes the time from the first page of pictures.
    fn place(&mut self, page: &Page) {
        let Some(position @ 1..) = page.position.filter(|_| self.starts_s.is_none()) else { return };
        let n_shown = (position >> self.n_bits) + (position & ((1 << self.n_bits) - 1));
        let n_here = page.lacing.iter().filter(|&&n| n < 255).count() as u64;
        self.starts_s = Some(n_shown.saturating_sub(n_here) as f64 * self.duration_s);
    }
}

/// The sounds that a file begins with, which go on at once.
///
/// # Errors
/// Errors of the input.
pub fn n_sounds(input: &mut Input) -> Result<usize> {
    let (mut n_sounds, mut n_foreign) = (0, 0);
    while let Some(page) = Page::read(input, &mut n_foreign)?.filter(|page| page.is_first) {
        let after = input.at() + page.n_bytes();
        // Only the first has to be read.
        n_sounds += usize::from(matches!(Head::read(&first_packet(input, &page)?), Ok(Some(_))));
        input.seek(after.min(input.len().unwrap_or(after)))?;
    }
    Ok(n_sounds)
}

/// The first packet of a page, as far as it lies in it.
fn first_packet(input: &mut Input, page: &Page) -> Result<Vec<u8>> {
    let n_first = page.lacing.iter().position(|&n| n < 255).map_or(page.lacing.len(), |last| last + 1);
    let n_bytes: usize = page.lacing[..n_first].iter().map(|&n| usize::from(n)).sum();
    let mut packet = vec![0; n_bytes];
    let n_read = input.read(&mut packet)?;
    packet.truncate(n_read);
    Ok(packet)
}

/// Walks over all pages: the streams of sound, one after the other, and the picture beside them. Of several sounds at once,
/// the one of this index, or the last.
///
/// # Errors
/// Errors of the input.
pub fn scan(input: &mut Input, wanted: usize) -> Result<(Vec<Link>, Option<Picture>)> {
    let mut links: Vec<Link> = Vec::new();
    // Sounds that began with the last link, itself included.
    let mut n_at_once = 0;
    let mut picture: Option<Picture> = None;
    let mut n_foreign = 0;
    let mut is_within = false;
    while let Some(page) = Page::read(input, &mut n_foreign)? {
        let after = input.at() + page.n_bytes();
        if let Some(picture) = picture.as_mut().filter(|picture| picture.serial == page.serial) {
            picture.place(&page);
        }
        if page.is_first && (!is_within || links.last().is_some_and(|link| link.end.is_none())) {
            let packet = first_packet(input, &page)?;
            picture = picture.or_else(|| Picture::read(page.serial, &packet));
            let link = |head| Link { serial: page.serial, head, end: None, is_ended: false };
            if !is_within && let Some(head) = Head::read(&packet)? {
                links.push(link(head));
                (is_within, n_at_once) = (true, 1);
            } else if let Ok(Some(head)) = Head::read(&packet) {
                if n_at_once <= wanted
                    && let Some(last) = links.last_mut()
                {
                    *last = link(head);
                }
                n_at_once += 1;
            }
        } else if let Some(link) = links.last_mut().filter(|link| link.serial == page.serial) {
            link.end = page.position.or(link.end);
            // Without a last page, the first page of another stream ends it.
            link.is_ended |= page.is_last;
            is_within &= !page.is_last;
        } else if page.is_first && links.last().is_some_and(|link| link.end.is_some_and(|end| end > 0)) {
            is_within = false;
            let at = input.at() - 27 - page.lacing.len() as u64;
            input.seek(at)?;
            continue;
        }
        if page.is_last && links.last().is_some_and(|link| link.serial == page.serial) {
            is_within = false;
        }
        input.seek(after.min(input.len().unwrap_or(after)))?;
    }
    Ok((links, picture))
}
