//! Common parts of our own readers: one track, read once from its start, without tags.

use std::io;

use symphonia::core::errors::{Error, Result};
use symphonia::core::formats::{FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::{Metadata, MetadataLog};
use symphonia::core::packet::Packet;

/// The packets of one track.
pub trait Packets: Send + Sync {
    /// The next one, of the track that has this number; `None` behind the last.
    ///
    /// # Errors
    /// Errors of the file.
    fn next(&mut self, track_id: u32) -> Result<Option<Packet>>;
}

/// Reads the packets of one track.
pub struct OwnReader<P> {
    format: &'static FormatInfo,
    packets: P,
    tracks: [Track; 1],
    media: MediaInfo,
    tags: MetadataLog,
}

impl<P: Packets> OwnReader<P> {
    /// The packets of `track`, and the container as symphonia names it.
    pub fn new(format: &'static FormatInfo, track: Track, packets: P) -> Self {
        Self { format, packets, tracks: [track], media: MediaInfo::new(), tags: MetadataLog::default() }
    }
}

impl<P: Packets> FormatReader for OwnReader<P> {
    fn format_info(&self) -> &FormatInfo {
        self.format
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.tags.metadata()
    }

    fn seek(&mut self, _mode: SeekMode, _to: SeekTo) -> Result<SeekedTo> {
        Err(Error::Unsupported("is read from its start only"))
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        self.packets.next(self.tracks[0].id)
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        MediaSourceStream::new(Box::new(io::Cursor::new(Vec::new())), MediaSourceStreamOptions::default())
    }
}
