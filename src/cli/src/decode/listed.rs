//! A reader of the packets that an MP4's own tables and fragments list.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use symphonia::core::errors::{Error, Result};
use symphonia::core::formats::well_known::FORMAT_ID_ISOMP4;
use symphonia::core::formats::{FormatInfo, FormatReader, Track};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::edits::TrackEdits;
use super::fragments;
use super::input::Input;
use super::outline::Outline;
use super::own_reader::{OwnReader, Packets};
use super::packet_list::{Cursor, PacketList};
use super::probe::probe;
use super::windows::Window;
use crate::io_errors::explained;

/// The container, as symphonia names it.
const INFO: FormatInfo =
    FormatInfo { format: FORMAT_ID_ISOMP4, short_name: "isomp4", long_name: "ISO Base Media File Format" };

/// Opens a file, or parts of it, again from its start.
///
/// # Errors
/// Errors of the file.
pub fn again(
    file: &File,
    extension: Option<&str>,
    windows: Option<&[Window]>,
    listed: Option<&Listed>,
) -> anyhow::Result<Box<dyn FormatReader>> {
    match listed {
        Some(listed) => {
            listed.reader(file).map_err(|error| explained("cannot be opened again", &error).into())
        }
        None => probe(file, extension, windows),
    }
}

/// A track and its packets.
pub struct Listed {
    list: Arc<PacketList>,
    track: Track,
    /// Of a file in fragments: its tracks, and the times of their first packets.
    pub firsts: Option<Vec<(u32, i64)>>,
}

impl Listed {
    /// Lists the packets of the track `said`, of which `track` is the reader's description; `None` if there are none.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn read(
        mut file: &File,
        said: &TrackEdits,
        track: &Track,
        outline: Option<&Outline>,
        notes: &mut Vec<String>,
    ) -> io::Result<Option<Self>> {
        let mut input = Input::file(file.try_clone()?)?;
        let mut list = PacketList::of_tables(&mut input, &said.tables)?;
        let mut firsts = None;
        if let Some(outline) = outline.filter(|outline| outline.is_fragmented) {
            let has_tables = list.n_packets > 0;
            let found = fragments::read(&mut file, outline, said.track_id, list);
            notes.extend(found.note(said.timescale));
            list = found.list;
            // The tables' packets come first.
            firsts = Some(found.starts).filter(|_| !has_tables);
        }
        let (list, track) = (Arc::new(list), track.clone());
        Ok((list.n_packets > 0).then_some(Self { list, track, firsts }))
    }

    /// The duration of the first packet.
    pub fn first_duration(&self) -> i64 {
        self.list.first().map_or(0, |first| first.duration.into())
    }

    /// A reader from the first packet on.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn reader(&self, file: &File) -> io::Result<Box<dyn FormatReader>> {
        ListedPackets::reader(file, self.list.clone(), self.track.clone())
    }
}

/// A reader of a track without any packet: stands for its file where no other reader opens that.
///
/// # Errors
/// Errors of the file.
pub fn without_packets(file: &File, track: Track) -> io::Result<Box<dyn FormatReader>> {
    ListedPackets::reader(file, Arc::default(), track)
}

/// Reads the packets of a list, from a file that nothing else moves in.
struct ListedPackets {
    input: Input,
    list: Arc<PacketList>,
    cursor: Cursor,
}

impl ListedPackets {
    fn reader(file: &File, list: Arc<PacketList>, track: Track) -> io::Result<Box<dyn FormatReader>> {
        let packets = Self { input: Input::file(file.try_clone()?)?, list, cursor: Cursor::default() };
        Ok(Box::new(OwnReader::new(&INFO, track, packets)))
    }
}

impl Packets for ListedPackets {
    fn next(&mut self, track_id: u32) -> Result<Option<Packet>> {
        let Some(place) = self.cursor.next(&self.list) else { return Ok(None) };
        let is_there = self.input.len().is_some_and(|len| place.at.saturating_add(place.size.into()) <= len);
        if !is_there {
            return Err(Error::IoError(ErrorKind::UnexpectedEof.into()));
        }
        self.input.seek(place.at)?;
        let mut data = vec![0; place.size as usize];
        if self.input.read(&mut data)? < data.len() {
            return Err(Error::IoError(ErrorKind::UnexpectedEof.into()));
        }
        let time = Timestamp::new(i64::try_from(place.time).unwrap_or(i64::MAX));
        Ok(Some(Packet::new(track_id, time, Duration::new(place.duration.into()), data)))
    }
}
