//! Ogg (RFC 3533): Opus (RFC 7845), Vorbis and FLAC, chained streams one after the other.
//!
//! symphonia's reader trims every packet by its page's position, and takes a page without one (-1, which is legal and what
//! streaming programs write) for the end. Here positions are held against what was decoded: the start is trimmed by the
//! stream's header, the end by the last page, and what is missing in between is filled so that the rest stays in place.

mod head;
mod scan;

use std::collections::VecDeque;

use anyhow::Result;

use super::codec::{Outcome, PacketDecoder};
use super::conform::Conform;
use super::input::Input;
use super::metadata::{Metadata, stated_mask};
use super::options::Options;
use super::page::Page;
use super::parts::{GAP_S, LEAD_S};
use super::refusal;
use super::source::{Findings, Format, Source, words_on_foreign};
use super::tracks::choose_of;
use crate::resample::n_resampled;
use head::Kind;
use scan::{Link, Picture, n_sounds, scan};

/// The longest packet that is put together, in bytes.
const MAX_PACKET: usize = 1 << 24;
/// A hole in the first page longer than this is where the stream begins, in seconds.
const MAX_FIRST_GAP_S: f64 = 0.12;
/// A hole longer than this is a position that makes no sense, in seconds.
const MAX_GAP_S: f64 = 600.0;
/// Samples per channel of a block of silence.
const BLOCK: u64 = 4_096;

/// The next output, before trimming and conversion. Except at the end of a part, all of it is from one link.
enum Piece {
    Block(Vec<Vec<f32>>),
    /// Samples of silence: of whatever length, it takes no memory.
    Silence(u64),
    /// The link before ends.
    EndOfPart,
}

/// An Ogg file.
pub struct OggSource {
    input: Input,
    format: Format,
    links: Vec<Link>,
    link_idx: usize,
    decoder: Option<PacketDecoder>,
    conform: Conform,
    n_packets: usize,
    setup: Vec<u8>,
    /// A packet that goes on in the next page, and that page's number.
    partial: Vec<u8>,
    next_sequence: u32,
    /// Samples of the last packet that was decoded.
    n_last: usize,
    /// Samples of this link decoded, dropped ones included, and how far its positions are ahead of them.
    n_decoded: u64,
    offset: Option<i64>,
    to_skip: u64,
    /// Pending output of a page, before trimming and conversion.
    ready: VecDeque<Piece>,
    is_over: bool,
    n_gap_samples: u64,
    /// When the picture starts that the sound is beside, in seconds.
    picture_starts_s: Option<f64>,
    /// Samples of silence in front, because the sound starts later than the picture, and those that are left of them.
    n_lead: u64,
    lead_left: u64,
    /// Whether pages are missing in front of the one that is read.
    is_behind_hole: bool,
    /// Seconds of its stream in front of the sound, whose first pages are missing.
    begins_s: Option<f64>,
    /// Samples that the last page, which is cut off, announces.
    n_missing: u64,
    /// Whether the file ends within a page.
    is_cut: bool,
    n_foreign: u64,
    /// Number, position and checksum of the last page.
    last: Option<(u32, Option<u64>, u32)>,
    /// Pages, and those of them whose checksum does not fit.
    n_pages: u64,
    n_damaged_pages: u64,
    notes: Vec<String>,
    metadata: Metadata,
}

impl OggSource {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, holds no sound that is supported, or not the track that is asked for.
    pub fn open(mut input: Input, metadata: Metadata, options: &Options) -> Result<Self> {
        let mut notes = Vec::new();
        let wanted = match n_sounds(&mut input)? {
            0 => 0,
            n_sounds => choose_of(n_sounds, options, &mut notes)?,
        };
        input.seek(0)?;
        let (links, picture) = scan(&mut input, wanted)?;
        let Some(first) = links.first() else {
            let what = "holds no sound that Tacet reads (Opus, Vorbis or FLAC in Ogg);".to_owned();
            return Err(refusal::refused(what));
        };
        input.seek(0)?;
        let (codec, rate_hz) = (first.head.codec, first.head.rate_hz);
        let n_channels = links.iter().map(|link| link.head.n_channels).max().unwrap_or(1);
        let length = |link: &Link| {
            let end = link.end?.checked_sub(link.head.pre_skip)?;
            Some(n_resampled(end, link.head.rate_hz, rate_hz))
        };
        let n_samples = links.iter().map(length).sum();
        let kind = match codec {
            Kind::Opus => "opus",
            Kind::Vorbis => "vorbis",
            Kind::Flac => "flac",
        };
        let depth =
            first.head.decoder(&[]).map_or(super::source::SourceDepth::Lossy, |decoder| decoder.depth());
        let format = Format {
            name: format!("ogg, {kind}"),
            rate_hz,
            n_channels,
            channel_mask: None,
            depth,
            n_samples,
        };
        let mut this = Self {
            input,
            format,
            to_skip: first.head.pre_skip,
            links,
            link_idx: 0,
            decoder: None,
            conform: Conform::new(rate_hz, n_channels),
            n_packets: 0,
            setup: Vec::new(),
            partial: Vec::new(),
            next_sequence: 0,
            n_last: 0,
            n_decoded: 0,
            offset: None,
            ready: VecDeque::new(),
            is_over: false,
            n_gap_samples: 0,
            picture_starts_s: picture.and_then(|picture: Picture| picture.starts_s),
            n_lead: 0,
            lead_left: 0,
            is_behind_hole: false,
            begins_s: None,
            n_missing: 0,
            is_cut: false,
            n_foreign: 0,
            last: None,
            n_pages: 0,
            n_damaged_pages: 0,
            notes,
            metadata,
        };
        // The first page names the speaker positions.
        while this.ready.is_empty() && this.page()? {}
        this.lead_left = this.n_lead;
        this.format.channel_mask = stated_mask(this.metadata.flac_mask, n_channels)
            .filter(|_| codec == Kind::Flac)
            .or_else(|| this.decoder.as_ref()?.channel_mask());
        Ok(this)
    }

    /// Works through the next page; false at the end of the file.
    fn page(&mut self) -> Result<bool> {
        let Some(mut page) = Page::read(&mut self.input, &mut self.n_foreign)? else {
            self.is_over = true;
            return Ok(false);
        };
        let next = self.links.get(self.link_idx + 1);
        if page.is_first && next.is_some_and(|link| link.serial == page.serial) && self.n_packets > 0 {
            self.begin_link();
        }
        if self.links.get(self.link_idx).is_none_or(|link| link.serial != page.serial) {
            self.input.skip(page.n_bytes())?;
            return Ok(true);
        }
        // The same page again.
        let key = (page.sequence, page.position, page.stated);
        if self.last == Some(key) && page.stated != 0 {
            self.input.skip(page.n_bytes())?;
            return Ok(true);
        }
        self.last = Some(key);
        let packets = self.packets(&mut page)?;
        self.n_pages += 1;
        self.n_damaged_pages += u64::from(!page.is_good() && !self.is_over);
        // Of a page that is cut off, its end is not there to be placed.
        let is_cut = self.is_over;
        self.decode_page(&page, packets, is_cut)?;
        Ok(true)
    }

    fn begin_link(&mut self) {
        self.ready.push_back(Piece::EndOfPart);
        self.link_idx += 1;
        self.decoder = None;
        (self.n_packets, self.n_decoded, self.offset) = (0, 0, None);
        self.partial.clear();
        self.to_skip = self.links[self.link_idx].head.pre_skip;
    }

    /// The packets that end in a page.
    fn packets(&mut self, page: &mut Page) -> Result<Vec<Vec<u8>>> {
        let mut packets = Vec::new();
        if !page.is_continued || page.sequence != self.next_sequence {
            self.partial.clear();
        }
        self.is_behind_hole = self.n_packets > 0 && page.sequence != self.next_sequence;
        self.next_sequence = page.sequence.wrapping_add(1);
        // The rest of a packet whose beginning is lost.
        let mut is_rest = page.is_continued && self.partial.is_empty();
        let mut piece = [0; 255];
        for index in 0..page.lacing.len() {
            let n_bytes = page.lacing[index];
            let piece = &mut piece[..usize::from(n_bytes)];
            let n_read = self.input.read(piece)?;
            page.add(&piece[..n_read]);
            self.partial.extend_from_slice(&piece[..n_read]);
            if self.partial.len() > MAX_PACKET {
                return Err(refusal::damaged(format!("has a packet of more than {MAX_PACKET} bytes")));
            }
            if n_read < piece.len() {
                self.is_over = true;
                break;
            }
            if n_bytes < 255 {
                let packet = std::mem::take(&mut self.partial);
                if !std::mem::take(&mut is_rest) {
                    packets.push(packet);
                }
            }
        }
        Ok(packets)
    }

    fn decode_page(&mut self, page: &Page, packets: Vec<Vec<u8>>, is_cut: bool) -> Result<()> {
        let link = self.links[self.link_idx].clone();
        let mut blocks = Vec::new();
        let n_before = self.n_decoded;
        for packet in packets {
            let index = self.n_packets;
            self.n_packets += 1;
            if link.head.is_header(index, &packet) {
                if index == 2 && link.head.codec == Kind::Vorbis {
                    self.setup = packet;
                }
                continue;
            }
            if self.decoder.is_none() {
                self.decoder = Some(link.head.decoder(&self.setup)?);
            }
            let Some(decoder) = &mut self.decoder else { continue };
            let mut block = Vec::new();
            let (outcome, _) = decoder.decode(&packet, 0, &mut block)?;
            if outcome == Outcome::Damaged && self.offset.is_some() {
                // Filled below, by the page's position.
                continue;
            }
            if outcome == Outcome::Damaged {
                // The first position is where the stream begins: as long as the packet before.
                block = vec![vec![0.0; self.n_last]; link.head.n_channels];
                self.n_gap_samples += n_resampled(self.n_last as u64, link.head.rate_hz, self.format.rate_hz);
            }
            let n_samples = block.first().map_or(0, Vec::len);
            self.n_last = n_samples;
            if n_samples > 0 && block.len() == link.head.n_channels {
                self.n_decoded += n_samples as u64;
                blocks.push(block);
            }
        }
        let n_page = self.n_decoded - n_before;
        self.is_cut |= is_cut;
        if let Some(position) = page.position.filter(|_| is_cut) {
            let ahead = position as i64 - self.n_decoded as i64 - self.offset.unwrap_or(0);
            let n_missing = u64::try_from(ahead).unwrap_or(0);
            if (n_missing as f64) < MAX_GAP_S * f64::from(link.head.rate_hz) {
                self.n_missing = n_resampled(n_missing, link.head.rate_hz, self.format.rate_hz);
            }
            self.ready.extend(blocks.into_iter().map(Piece::Block));
            return Ok(());
        }
        if let Some(position) = page.position.filter(|_| n_page > 0 || self.offset.is_some()) {
            let gap = self.place(&link, page, position, n_page, &mut blocks);
            self.ready.extend((gap > 0).then_some(Piece::Silence(gap)));
        }
        self.ready.extend(blocks.into_iter().map(Piece::Block));
        Ok(())
    }

    /// The next block of a piece, trimmed and converted, which may be empty.
    fn hand_out(&mut self, piece: Piece, block: &mut Vec<Vec<f32>>) -> Result<()> {
        let head = &self.links[self.link_idx].head;
        match piece {
            Piece::EndOfPart => {
                if !self.conform.end_part(block)? {
                    block.clear();
                }
                return Ok(());
            }
            Piece::Block(piece) => *block = piece,
            Piece::Silence(n) => {
                let n_now = n.min(BLOCK);
                *block = vec![vec![0.0; n_now as usize]; head.n_channels];
                if n > n_now {
                    self.ready.push_front(Piece::Silence(n - n_now));
                }
            }
        }
        let skip = self.to_skip.min(block[0].len() as u64);
        self.to_skip -= skip;
        block.iter_mut().for_each(|channel| drop(channel.drain(..skip as usize)));
        if block[0].is_empty() { Ok(()) } else { self.conform.block(head.rate_hz, block) }
    }

    /// Holds a page's position against what was decoded; returns the samples that are missing before it.
    fn place(
        &mut self,
        link: &Link,
        page: &Page,
        position: u64,
        n_page: u64,
        blocks: &mut Vec<Vec<Vec<f32>>>,
    ) -> u64 {
        let ahead = position as i64 - self.n_decoded as i64;
        let Some(offset) = self.offset else {
            if ahead < 0 && !(page.is_last && link.is_ended) {
                // Vorbis: what was before the start.
                self.to_skip = self.to_skip.max(ahead.unsigned_abs());
            }
            let ahead_s = ahead as f64 / f64::from(link.head.rate_hz);
            let lead_s = self.picture_starts_s.map_or(0.0, |picture| ahead_s - picture);
            if self.link_idx == 0 && LEAD_S.contains(&lead_s) {
                self.n_lead = (lead_s * f64::from(self.format.rate_hz)).round() as u64;
                self.offset = Some(ahead);
                return 0;
            }
            // Packets lost in the first page: a piece of a longer stream does not start that early.
            let is_lost = link.head.codec != Kind::Vorbis && !page.is_last;
            if let Ok(gap @ 1..) = u64::try_from(ahead)
                && is_lost
                && gap as f64 <= MAX_FIRST_GAP_S * f64::from(link.head.rate_hz)
            {
                self.offset = Some(0);
                self.n_decoded += gap;
                self.n_gap_samples += n_resampled(gap, link.head.rate_hz, self.format.rate_hz);
                return gap;
            }
            if self.is_behind_hole && ahead_s > GAP_S.start {
                self.begins_s = self.begins_s.or(Some(ahead_s));
            }
            // A piece of a longer stream starts later: its own start is its start. A single page is trimmed at its end.
            self.offset = Some(if page.is_last && ahead < 0 { 0 } else { ahead });
            if page.is_last && ahead < 0 {
                drop_end(blocks, ahead.unsigned_abs());
            }
            return 0;
        };
        let gap = ahead - offset;
        let rate = f64::from(link.head.rate_hz);
        if gap < 0 && page.is_last {
            // A last page may end within its last packet.
            drop_end(blocks, gap.unsigned_abs().min(n_page));
        } else if gap as f64 > GAP_S.start * rate && (gap as f64) < MAX_GAP_S * rate {
            self.n_decoded += gap as u64;
            self.n_gap_samples += n_resampled(gap as u64, link.head.rate_hz, self.format.rate_hz);
            return gap as u64;
        } else if gap as f64 >= MAX_GAP_S * rate {
            self.offset = Some(ahead);
        }
        0
    }
}

/// Drops `n` samples from the end of some blocks.
fn drop_end(blocks: &mut Vec<Vec<Vec<f32>>>, mut n: u64) {
    while n > 0 {
        let Some(last) = blocks.last_mut() else { return };
        let n_samples = last.first().map_or(0, Vec::len) as u64;
        if n_samples > n {
            last.iter_mut().for_each(|channel| channel.truncate((n_samples - n) as usize));
            return;
        }
        n -= n_samples;
        blocks.pop();
    }
}

impl Source for OggSource {
    fn format(&self) -> &Format {
        &self.format
    }

    fn exact_length(&self) -> Option<u64> {
        // Positions are claims; and streams cut out of longer ones begin later.
        None
    }

    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        if self.lead_left > 0 {
            let n = self.lead_left.min(BLOCK);
            self.lead_left -= n;
            *block = vec![vec![0.0; n as usize]; self.format.n_channels];
            return Ok(true);
        }
        loop {
            if let Some(next) = self.ready.pop_front() {
                self.hand_out(next, block)?;
                if block.first().is_some_and(|channel| !channel.is_empty()) {
                    return Ok(true);
                }
                continue;
            }
            if self.is_over {
                return self.conform.end_part(block);
            }
            self.page()?;
        }
    }

    fn findings(&self) -> Findings {
        let mut notes = self.notes.clone();
        let first = &self.links[0].head;
        if self.links.iter().any(|link| link.head.rate_hz != first.rate_hz) {
            notes.push(format!(
                "its sample rate changes on the way: all of it was converted to {} Hz",
                first.rate_hz
            ));
        }
        if self.links.iter().any(|link| link.head.n_channels != first.n_channels) {
            let n_channels = self.format.n_channels;
            notes.push(format!("its number of channels changes on the way: all of it has {n_channels} now"));
        }
        if self.picture_starts_s.is_some() && self.links.len() > 1 {
            notes.push(
                "is several videos, joined end to end: the sound of each follows at once on that of the one before; split them \
                 first if it is to be put back beside the pictures"
                    .to_owned(),
            );
        }
        if self.n_foreign > 0 {
            notes.push(words_on_foreign(self.n_foreign));
        }
        if let Some(begins_s) = self.begins_s {
            notes.push(format!(
                "its first pages of sound are missing: it begins {begins_s:.2} s into its stream; copy it again if the \
                 original is whole"
            ));
        }
        let is_ended = self.links.last().is_none_or(|link| link.is_ended);
        if self.is_cut && self.n_missing == 0 {
            notes.push(
                "ends within a page: it is cut off there; copy it again if the original is longer".to_owned(),
            );
        } else if self.is_over && !is_ended && self.n_missing == 0 {
            notes.push(
                "has no last page: it may be cut off; copy it again if the original is longer".to_owned(),
            );
        }
        // Some programs write no checksums at all.
        if self.n_damaged_pages > 0 && self.n_damaged_pages < self.n_pages {
            notes.push(format!(
                "has damaged pages, by their checksums ({} of {}): what they hold was read as far as it goes, and may sound \
                 wrong; copy it again if the original is whole",
                self.n_damaged_pages, self.n_pages
            ));
        }
        Findings {
            n_gap_samples: self.n_gap_samples,
            n_missing: self.n_missing,
            notes,
            ..Findings::default()
        }
    }

    fn lead_samples(&self) -> u64 {
        self.n_lead
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
