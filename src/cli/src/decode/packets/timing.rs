//! Start and length of a container's sound, by its times, and the holes in between.

use std::collections::VecDeque;

use anyhow::Result;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::formats::Track;

use super::joined::Joined;
use super::{CODEC_ID_AAC, MAX_LOOK, MAX_PATCH, PacketSource};
use crate::decode::codec::PacketDecoder;
use crate::decode::foreign::foreign;
use crate::decode::matroska::Trims;
use crate::decode::parts::{GAP_S, LEAD_S, Part, Queued};
use crate::decode::probe::probe;

impl PacketSource {
    /// Everything from the start, without what the encoder was late by, behind what the picture is early by. What begins in
    /// the middle of a stream has nothing of the encoder's in front.
    pub(super) fn plain_parts(&mut self, picture_starts: Option<f64>, is_middle: bool) -> VecDeque<Part> {
        let seconds = |pts: i64| {
            self.time_base
                .map_or(0.0, |base| pts as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get()))
        };
        let rate = f64::from(self.format.rate_hz);
        let start_s = seconds(self.first_pts.unwrap_or(0));
        let skip = match &self.decoder {
            _ if is_middle && !self.has_picture => 0,
            _ if let Some(valid) = self.valid => valid.start,
            PacketDecoder::Opus(stream) => stream.pre_skip,
            _ if let Some(delay_ns) = self.trims.delay_ns => Trims::in_samples(delay_ns, self.format.rate_hz),
            decoder => {
                let before = if self.has_times { (-start_s * rate).round().max(0.0) as u64 } else { 0 };
                let usual = self.first_block(decoder);
                self.n_removed = usual.saturating_sub(before);
                before.max(usual)
            }
        };
        let sound_starts = start_s.max(start_s + skip as f64 / rate);
        let lead = picture_starts.map_or(0.0, |picture| sound_starts - picture);
        let mut parts = VecDeque::new();
        if LEAD_S.contains(&lead) {
            parts.push_back(Part::Silence((lead * rate).round() as u64));
        }
        parts.push_back(Part::Media { start: skip, left: self.valid.map(|valid| valid.n_samples) });
        parts
    }

    /// Samples of Opus that an edit list does not count, although it is one of a track whose first packet is decoded whole:
    /// GStreamer leaves the encoder's delay out of that packet's duration.
    pub(super) fn uncounted(&self) -> u64 {
        let (PacketDecoder::Opus(stream), Some(listed)) = (&self.decoder, &self.listed) else { return 0 };
        let n_first = self.queue.front().map_or(0, Queued::n_samples);
        let n_stated = self.in_samples(listed.first_duration()).unwrap_or(0);
        if n_stated > 0 && n_stated + stream.pre_skip == n_first { stream.pre_skip } else { 0 }
    }

    /// Samples before the first sound: of AAC the first block, which is half of what it takes to make sound, of MPEG audio
    /// the usual delay; none beside a picture, which would be late then.
    fn first_block(&self, decoder: &PacketDecoder) -> u64 {
        match decoder {
            PacketDecoder::Aac(stream) if !self.has_picture => {
                stream.shape().map_or(0, |shape| shape.n_samples as u64)
            }
            _ if self.unheard > 0 => self.in_samples(self.unheard).unwrap_or(0),
            _ if !self.has_picture => self.usual_delay,
            _ => 0,
        }
    }

    /// Silence in the place of a first packet that makes no samples, before what the next one makes.
    pub(super) fn queue_unheard(&mut self) {
        let n_samples = self.in_samples(self.unheard).unwrap_or(0).min(MAX_PATCH);
        if self.media_end == 0 && n_samples > 0 {
            self.media_end = n_samples;
            self.queue.push_back(Queued::Silence(n_samples));
        }
    }

    /// Reads up to the first packet of the track: when the first picture is shown, in seconds, if one comes before.
    pub(super) fn fill_to_first(&mut self) -> Result<Option<f64>> {
        let mut first: Option<f64> = None;
        for _ in 0..MAX_LOOK {
            let packet = match foreign(|| self.reader.next_packet())? {
                Ok(Some(packet)) => packet,
                Ok(None) | Err(_) => break,
            };
            if packet.track_id == self.track_id {
                break;
            }
            let track = self.reader.tracks().iter().find(|track| track.id == packet.track_id);
            let is_picture =
                track.is_some_and(|track| matches!(track.codec_params, Some(CodecParameters::Video(_))));
            if let Some(base) = track.and_then(|track| track.time_base).filter(|_| is_picture) {
                let s = packet.pts.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get());
                first = Some(first.map_or(s, |first| first.min(s)));
            }
        }
        self.reader = match self.joined.front() {
            Some(first) => first.reader(&self.file, self.hint.as_deref())?,
            None => probe(&self.file, self.hint.as_deref(), None)?,
        };
        Ok(first)
    }

    /// Samples per channel that will come, if it is said.
    pub(super) fn length(&self, track: &Track, is_mkv: bool) -> Option<u64> {
        let whole = if is_mkv { None } else { self.media_length(track) };
        self.parts
            .iter()
            .map(|part| match *part {
                Part::Silence(n) => Some(n),
                Part::Media { left: Some(n), .. } => Some(n),
                Part::Media { start, left: None } => whole.map(|whole| whole.saturating_sub(start)),
            })
            .sum()
    }

    fn media_length(&self, track: &Track) -> Option<u64> {
        let rate_hz = u128::from(self.format.rate_hz);
        match (track.num_frames.or(track.duration.map(|duration| duration.get())), track.time_base) {
            (Some(n), Some(base)) => {
                let scaled =
                    u128::from(n) * u128::from(base.numer.get()) * rate_hz / u128::from(base.denom.get());
                u64::try_from(scaled).ok()
            }
            (n, None) => n,
            (None, _) => None,
        }
        .filter(|&n| n > 0)
    }

    /// A time of the track in samples.
    pub(super) fn in_samples(&self, time: i64) -> Option<u64> {
        let base = self.time_base?;
        let scaled = i128::from(time) * i128::from(base.numer.get()) * i128::from(self.format.rate_hz)
            / i128::from(base.denom.get());
        u64::try_from(scaled).ok()
    }

    /// A time of the track in nanoseconds.
    pub(super) fn in_ns(&self, time: i64) -> Option<u64> {
        let base = self.time_base?;
        let scaled =
            i128::from(time) * i128::from(base.numer.get()) * 1_000_000_000 / i128::from(base.denom.get());
        u64::try_from(scaled).ok()
    }

    /// Silence where the packets' times, which are `step` behind the one before, leave a hole.
    pub(super) fn fill_gap(&mut self, time: i64, step: i64) {
        let Some(at) = self.in_samples(time) else { return };
        // In a sum of durations, which are sometimes wrong in all packets alike, a hole is one that is long.
        if !self.has_times {
            let n_step = self.in_samples(step).unwrap_or(0);
            let n_more = n_step.saturating_sub(self.n_last) as f64;
            if self.n_last == 0 || n_more < GAP_S.start * f64::from(self.format.rate_hz) {
                return;
            }
        }
        let gap = at.saturating_add(self.joined_at).saturating_sub(self.media_end);
        let gap_s = gap as f64 / f64::from(self.format.rate_hz);
        // FLAC counts in samples.
        let is_flac = matches!(self.joined.front(), Some(Joined::Flac(_)));
        let min_gap_s = if is_flac { 0.0 } else { GAP_S.start };
        if gap == 0 || !(min_gap_s..GAP_S.end).contains(&gap_s) {
            return;
        }
        // A writer without edit lists stretches the first packet where sound starts late; of AAC it is the encoder's own.
        let is_late = self.n_packets == 2 && self.params.codec == CODEC_ID_AAC && !self.has_times;
        self.n_gap_samples += if is_late && self.has_picture { 0 } else { gap };
        self.media_end += gap;
        self.queue.push_back(Queued::Silence(gap));
    }
}
