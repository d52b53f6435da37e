//! Containers of packets, read by symphonia: MP4, MOV and M4A, Matroska and WebM, FLAC, and CAF with a codec.
//!
//! On top of symphonia's readers: a choice of the track, edit lists, sound that starts after the picture, holes in the
//! packets' times filled so that the rest stays in place.

mod joined;
mod onward;
mod output;
mod packet_table;
mod params;
mod timing;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Seek as _, SeekFrom};

use anyhow::{Result, bail};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecParameters, CODEC_ID_NULL_AUDIO};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::{FormatReader, Track, well_known as formats};
use symphonia::core::units::TimeBase;

use super::codec::{Outcome, PacketDecoder};
use super::conform::spread;
use super::edits::{self, TrackEdits};
use super::foreign::foreign;
use super::listed::{Listed, again, without_packets};
use super::matroska::{self, Packing, Trims};
use super::metadata::{Metadata, stated_mask};
use super::options::Options;
use super::outline::{Outline, outline};
use super::parts::{Part, Queued, Start, open_end, part};
use super::probe::probe;
use super::source::{Format, SourceDepth};
use super::tracks::{choose, choose_described};
use super::windows::Window;
use super::{aac, codec_id, flac, ilst, opus, refusal};
use crate::io_errors::explained;
use joined::Joined;
use packet_table::Valid;
use params::First;

/// The longest packet that silence stands in for, in samples: FLAC's largest block.
const MAX_PATCH: u64 = 65_535;
/// Packets of silence are no longer, in bytes.
const MAX_SILENT: usize = 8;
/// Packets to look at for the start of the picture, and for the first of sound.
const MAX_LOOK: usize = 2_000;

/// A container being read.
pub struct PacketSource {
    file: File,
    hint: Option<String>,
    reader: Box<dyn FormatReader>,
    decoder: PacketDecoder,
    params: AudioCodecParameters,
    track_id: u32,
    time_base: Option<TimeBase>,
    /// Whether the packets' times are their own; an MP4's are sums of durations.
    has_times: bool,
    /// Whether there are other tracks than of sound.
    has_picture: bool,
    /// Samples that MPEG audio has at the start before any sound.
    usual_delay: u64,
    /// Whether the first packet is an encoder's header, which makes no sound.
    has_info: bool,
    /// How the packets are packed.
    packing: Packing,
    /// Time that the first packet stands for without making samples: Vorbis in MP4.
    unheard: i64,
    format: Format,
    is_length_exact: bool,
    /// Samples that are announced, over all joined files; `None`: nothing says when some are missing.
    announced: Option<u64>,
    /// Packets that an MP4's index lists; 0: none does.
    n_listed: u64,
    /// The joined files, of which the first is read, and where in the media it begins.
    joined: VecDeque<Joined>,
    joined_at: u64,
    /// Samples of the encoder's that are left to drop at the start of a file that is joined to another.
    to_skip: u64,
    parts: VecDeque<Part>,
    /// Decoded samples that are left, and the position of the first in the media.
    queue: VecDeque<Queued>,
    queue_at: u64,
    /// The end of the packets read so far, dropped ones included.
    media_end: u64,
    first_pts: Option<i64>,
    last_pts: i64,
    /// Samples that the last packet made.
    n_last: u64,
    n_rewinds: u32,
    /// The cluster of a Matroska from which it was read on behind damage, and the packets before.
    resumed_at: u64,
    n_before_resumption: Option<u64>,
    n_handed_out: u64,
    n_packets: u64,
    n_damaged_packets: u64,
    n_damaged_samples: u64,
    n_gap_samples: u64,
    /// Samples of silence in front, because the sound starts later than the picture.
    n_lead: u64,
    /// Samples in front that times count and that are removed all the same.
    n_removed: u64,
    is_over: bool,
    /// Whether a Matroska that states no length ends within a packet.
    is_cut: bool,
    notes: Vec<String>,
    metadata: Metadata,
    /// Matroska's trims at both ends, exact to the sample.
    trims: Trims,
    /// The part that a CAF's packet table, or an encoder's header, says is sound.
    valid: Option<Valid>,
    /// The packets of an MP4.
    listed: Option<Listed>,
}

impl PacketSource {
    /// Opens a file that symphonia reads.
    ///
    /// # Errors
    /// It cannot be read, or holds no sound that is supported, or not the track that is asked for.
    pub fn open(mut file: File, extension: Option<&str>, options: &Options) -> Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let track_edits = edits::read(&mut file);
        let valid = packet_table::valid(&mut file);
        let outline = outline(&mut file);
        if outline.as_ref().is_some_and(|outline| !outline.has_index) {
            bail!(
                "is an MP4 without an index: the recording was cut off before it was written; a repair program such as untrunc \
                 can make one with the help of a whole recording of the same device"
            );
        }
        let is_fragmented = outline.as_ref().is_some_and(|outline| outline.is_fragmented);
        // Before the reader begins: the two share a position.
        let not_default = matroska::not_default(&file);
        let mut notes: Vec<String> = outline.as_ref().and_then(Outline::note).into_iter().collect();
        if is_fragmented && outline.as_ref().is_some_and(|outline| outline.cut_end.is_some()) {
            notes.push("is cut off: it ends within one of its fragments, whose rest is lost".to_owned());
        }
        let cut_end = matroska::cut_end(&mut file);
        if let Some(stated) = cut_end {
            let there = file.seek(SeekFrom::End(0))?;
            notes.push(format!("is cut off: {there} of the {stated} bytes that it announces are there"));
        }
        let (flacs, n_foreign) = flac::files(&mut file)?;
        notes.extend(flac::note(n_foreign));
        file.seek(SeekFrom::Start(0))?;
        let described = choose_described(&track_edits, options, &mut notes)?;
        let mut metadata = Metadata::default();
        let mut reader = match probe(&file, extension, None) {
            Ok(reader) => reader,
            Err(_) if let Some(first) = flacs.first() => {
                if first.has_tags {
                    metadata.lost.push("the tags of the file".to_owned());
                }
                first.reader(&file)?
            }
            Err(error) => {
                let track = described.filter(|track| track.n_packets > 0 || is_fragmented);
                let Some(track) = track.and_then(params::described) else {
                    let codec = codec_id::of_unread_caf(&file);
                    return Err(codec.map_or(error, |codec| refusal::codec("caf", &codec)));
                };
                if let Some(place) = described.and_then(|described| described.tags) {
                    ilst::read(&mut file, place, &mut metadata);
                }
                without_packets(&file, track)?
            }
        };
        let container = reader.format_info().short_name;
        let format_id = reader.format_info().format;
        let is_mp4 = format_id == formats::FORMAT_ID_ISOMP4;
        let is_mkv = format_id == formats::FORMAT_ID_MKV;
        let is_flac = format_id == formats::FORMAT_ID_FLAC;
        foreign(|| metadata.read_tags(&mut *reader))?;
        if let Some(first) = flacs.first() {
            reader = first.reader(&file)?;
        }
        let named = |error| codec_id::named(error, None, &file, container, options);
        let track = match described {
            Some(described) => {
                let track = reader.tracks().iter().find(|track| track.id == described.track_id).cloned();
                let is_read = matches!(&track, Some(track) if matches!(track.codec_params, Some(CodecParameters::Audio(_))));
                let track = track.filter(|_| is_read).or_else(|| params::described(described));
                track.ok_or_else(|| refusal::codec(container, &described.codec_name()))?
            }
            None => choose(&*reader, options, &names(&track_edits), &not_default, &mut notes)
                .map_err(named)?
                .clone(),
        };
        let Some(CodecParameters::Audio(params)) = &track.codec_params else {
            return Err(named(refusal::codec(container, refusal::UNKNOWN)));
        };
        let said = track_edits.iter().find(|edits| edits.track_id == track.id);
        let mut params = params::settled(params, said, is_mp4, track.delay);
        if params.codec == CODEC_ID_NULL_AUDIO {
            let name = said.map_or_else(|| refusal::mp4_codec([0; 4]), TrackEdits::codec_name);
            return Err(refusal::codec(container, &name));
        }
        let listed = match said.filter(|_| is_mp4) {
            Some(said) => Listed::read(&file, said, &track, outline.as_ref(), &mut notes)?,
            None => None,
        };
        let again = |windows: Option<&[Window]>| again(&file, extension, windows, listed.as_ref());
        if listed.is_some() {
            reader = again(None)?;
        }
        let (mut packing, mut trims) = (Packing::Plain, Trims::default());
        if is_mkv {
            packing = Packing::of(&file, track.id)?;
            trims = matroska::read(&file, track.id);
            // The two share a position.
            reader = again(None)?;
        }
        let mut first = None;
        if matches!(params.codec, CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3) {
            let found = params::first(&mut *reader, track.id, container, &packing)?;
            params.for_codec(found.codec);
            first = Some(found);
            reader = again(None)?;
        }
        if params.codec == CODEC_ID_AAC && aac::may_hide_sbr(&params) {
            if let Some(config) = aac::find_sbr_in(&mut *reader, track.id, &params, &packing)? {
                params.with_extra_data(config.into());
            }
            reader = again(None)?;
        }
        let mut joined: VecDeque<Joined> =
            matroska::joined(&mut &file, &trims)?.into_iter().map(Joined::Matroska).collect();
        joined.extend(flacs.into_iter().map(Joined::Flac));
        if let Some(first) = joined.front() {
            reader = first.reader(&file, extension)?;
        }
        let is_other = |track: &Track| !matches!(track.codec_params, Some(CodecParameters::Audio(_)));
        let has_picture =
            track_edits.iter().any(|track| !track.is_sound) || is_mkv && reader.tracks().iter().any(is_other);
        let decoder = PacketDecoder::new(&params, container)
            .map_err(|error| codec_id::named(error, Some(&params), &file, container, options))?;
        let depth = decoder.depth();
        // In Matroska an encoder's header is a packet like any other; beside a picture it keeps its place in time.
        let has_info = is_mkv && !has_picture && first.as_ref().is_some_and(|first| first.info.is_some());
        let valid = match &first {
            Some(first) if has_info && joined.is_empty() => first.valid(trims.n_packets),
            _ => valid,
        };
        let is_delay_known = |first: &First| first.info.is_none() || has_info;
        let usual_delay = first.filter(is_delay_known).map_or(0, |first| first.delay);
        let mut this = Self {
            format: Format {
                name: format!("{container}, {}", decoder.name()),
                rate_hz: 0,
                n_channels: 0,
                channel_mask: metadata.flac_mask.filter(|_| is_flac),
                depth,
                n_samples: None,
            },
            hint: extension.map(str::to_owned),
            reader,
            decoder,
            params,
            track_id: track.id,
            time_base: track.time_base,
            has_times: is_mkv || is_flac,
            usual_delay,
            has_info,
            packing,
            unheard: 0,
            has_picture,
            is_length_exact: is_mp4 && outline.as_ref().is_some_and(Outline::is_whole),
            announced: None,
            n_listed: said.map_or(0, |said| said.n_packets),
            joined,
            joined_at: 0,
            to_skip: 0,
            parts: VecDeque::new(),
            queue: VecDeque::new(),
            queue_at: 0,
            media_end: 0,
            first_pts: None,
            last_pts: 0,
            n_last: 0,
            n_rewinds: 0,
            resumed_at: 0,
            n_before_resumption: None,
            n_handed_out: 0,
            n_packets: 0,
            n_damaged_packets: 0,
            n_damaged_samples: 0,
            n_gap_samples: 0,
            n_lead: 0,
            n_removed: 0,
            is_over: false,
            is_cut: trims.is_cut && cut_end.is_none(),
            notes,
            metadata,
            trims,
            valid,
            listed,
            file,
        };
        let picture_starts = if is_mkv { this.fill_to_first()? } else { None };
        this.settle_format()?;
        let rate_hz = this.format.rate_hz;
        let edits = track_edits.iter().find(|edits| edits.track_id == track.id);
        let firsts = this.listed.as_ref().and_then(|listed| listed.firsts.as_deref());
        let start = edits.map_or_else(Start::default, |own| Start::new(&track_edits, own, firsts, rate_hz));
        this.parts = match edits {
            Some(track) if !track.edits.is_empty() => {
                let n_uncounted = this.uncounted();
                let edits = track.edits.iter().map(|edit| part(*edit, track.timescale, rate_hz));
                edits.map(|part| part.later(n_uncounted)).collect()
            }
            _ => this.plain_parts(picture_starts, start.first > 0),
        };
        if let Some(own) = edits {
            let first = if own.edits.is_empty() { 0 } else { start.first };
            Start { first, ..start }.apply(&mut this.parts);
        }
        if is_fragmented {
            open_end(this.parts.iter_mut());
        }
        this.n_lead = this.parts.front().map_or(0, |part| if let Part::Silence(n) = part { *n } else { 0 });
        // Without an edit list, times are those of packets, whose last may hold less.
        this.is_length_exact &= depth != SourceDepth::Lossy
            || !this.parts.iter().any(|part| matches!(part, Part::Media { left: None, .. }));
        this.format.n_samples = this.length(&track, is_mkv);
        let is_listed = is_mp4 && outline.is_some_and(|outline| !outline.is_fragmented);
        this.announced = this.format.n_samples.filter(|_| is_listed || is_flac);
        Ok(this)
    }

    /// Decodes the first block, which alone knows rate and channels for certain.
    fn settle_format(&mut self) -> Result<()> {
        while self.queue.is_empty() && self.fill()? {}
        if self.format.rate_hz == 0 {
            if self.n_damaged_packets > 0 {
                return Err(refusal::refused(format!(
                    "holds {} packets, none of which can be decoded: it is damaged or of an unusual kind; if a player opens it,",
                    self.n_damaged_packets
                )));
            }
            let channels = self.params.channels.clone().unwrap_or_default();
            self.format.rate_hz = self.params.sample_rate.unwrap_or(0);
            self.format.n_channels = channels.count();
            self.format.channel_mask = super::codec::wave_mask(&channels);
        }
        if self.format.rate_hz == 0 || self.format.n_channels == 0 {
            return Err(refusal::refused(
                "states neither sample rate nor channels and holds no samples: it is cut off or damaged; if a player plays it,"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Decodes the next packet into the queue; false at the end of the source.
    fn fill(&mut self) -> Result<bool> {
        let packet = loop {
            match foreign(|| self.reader.next_packet())? {
                Ok(Some(packet)) if packet.track_id == self.track_id => break packet,
                Ok(Some(_)) => {}
                Ok(None) if self.next_joined()? => {}
                Ok(None) => return Ok(false),
                // A file cut off in the middle of a packet: its last whole packet was the end.
                Err(SymphoniaError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    if !self.next_joined()? && !self.resume()? {
                        return Ok(false);
                    }
                }
                Err(SymphoniaError::ResetRequired) => {
                    return Err(refusal::refused("changes its tracks on the way;".to_owned()));
                }
                // The packets behind it cannot be found again.
                Err(SymphoniaError::DecodeError(_)) if self.n_packets > 0 => {
                    if self.resume()? {
                        continue;
                    }
                    if self.trims.is_padded {
                        return Ok(false);
                    }
                    self.notes.push(
                        "is damaged: what is behind the damage was not found; ffmpeg may find more"
                            .to_owned(),
                    );
                    return Ok(false);
                }
                Err(SymphoniaError::IoError(error)) => {
                    return Err(explained("cannot be read further", &error).into());
                }
                Err(error) => return Err(refusal::damaged(format!("cannot be read further ({error})"))),
            }
        };
        self.n_packets += 1;
        if self.n_packets == 1 && self.has_info {
            return Ok(true);
        }
        let pts = packet.pts.get();
        let step = pts - if self.first_pts.is_some() { self.last_pts } else { pts };
        self.last_pts = pts;
        let data = self.packing.unpacked(&packet.data);
        // A hole in the file, which the decoders of these take for a shorter packet.
        let is_hole = matches!(self.params.codec, CODEC_ID_OPUS | CODEC_ID_VORBIS)
            && data.len() > MAX_SILENT
            && data.iter().all(|&byte| byte == 0);
        let first_pts = *self.first_pts.get_or_insert(if self.is_start_lost(pts) { 0 } else { pts });
        let mut block = Vec::new();
        let (outcome, rate_hz) = match is_hole {
            true => (Outcome::Damaged, None),
            false => self.decoder.decode(&data, packet.block_dur().get(), &mut block)?,
        };
        if let Some(rate_hz) = rate_hz.filter(|_| !block.is_empty() && !block[0].is_empty()) {
            self.check_unchanged(rate_hz, block.len())?;
        }
        if self.format.rate_hz > 0 {
            self.fill_gap(pts - first_pts, step);
        }
        if outcome == Outcome::Damaged {
            self.n_damaged_packets += 1;
            let n = match self.params.codec {
                CODEC_ID_OPUS if !is_hole => opus::duration(&data),
                _ => self.in_samples(packet.block_dur().get() as i64).unwrap_or(0),
            };
            // Where nothing says how long it is, it is like the one before.
            let n = if n == 0 { self.n_last } else { n };
            // Before the first good packet nothing is known that could stand in its place.
            if self.format.rate_hz == 0 || n > MAX_PATCH {
                return Ok(true);
            }
            self.n_damaged_samples += n;
            block = vec![vec![0.0; n as usize]; self.format.n_channels];
        }
        let n_made = block.first().map_or(0, Vec::len) as u64;
        let n_stated = self.in_samples(packet.block_dur().get() as i64).unwrap_or(0);
        // Of a damaged packet the decoder makes less than its file states, which was right of the one before.
        let is_opus_of_mp4 = self.params.codec == CODEC_ID_OPUS && self.listed.is_some();
        if is_opus_of_mp4 && (1..n_stated).contains(&n_made) && n_stated == self.n_last {
            self.n_damaged_samples += n_stated - n_made;
            block.iter_mut().for_each(|channel| channel.resize(n_stated as usize, 0.0));
        }
        self.trims.apply(self.n_packets - 1, self.format.rate_hz, &mut block);
        self.to_skip -= drop_start(&mut block, self.to_skip);
        let n_samples = block.first().map_or(0, Vec::len);
        self.n_last = n_samples as u64;
        if n_samples == 0 && self.n_packets == 1 && self.params.codec == CODEC_ID_VORBIS && !self.has_times {
            self.unheard = packet.block_dur().get() as i64;
        }
        if n_samples > 0 {
            spread(&mut block, self.format.n_channels);
            self.queue_unheard();
            self.media_end += n_samples as u64;
            self.queue.push_back(Queued::Block(block));
        }
        Ok(true)
    }

    fn check_unchanged(&mut self, rate_hz: u32, n_channels: usize) -> Result<()> {
        let format = &mut self.format;
        if format.rate_hz == 0 {
            (format.rate_hz, format.n_channels) = (rate_hz, n_channels);
            format.channel_mask =
                stated_mask(format.channel_mask, n_channels).or_else(|| self.decoder.channel_mask());
        } else if rate_hz != format.rate_hz || n_channels > format.n_channels {
            return Err(refusal::refused(format!(
                "changes from {} Hz, {} channels to {rate_hz} Hz, {n_channels} channels on the way;",
                format.rate_hz, format.n_channels
            )));
        }
        Ok(())
    }
}

/// Drops as many samples of a block as it has, at most `n`, and says how many.
fn drop_start(block: &mut [Vec<f32>], n: u64) -> u64 {
    let n = block.first().map_or(0, Vec::len).min(usize::try_from(n).unwrap_or(usize::MAX));
    block.iter_mut().for_each(|channel| drop(channel.drain(..n)));
    n as u64
}

/// The codecs of an MP4's audio tracks, for people.
fn names(tracks: &[TrackEdits]) -> Vec<String> {
    tracks.iter().filter(|track| track.is_sound).map(TrackEdits::codec_name).collect()
}
