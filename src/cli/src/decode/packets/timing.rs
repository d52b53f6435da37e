//! Start and length of a container's sound, by its times, and the holes in between.

use std::collections::VecDeque;

use symphonia::core::formats::Track;

use super::PacketSource;
use crate::decode::codec::PacketDecoder;
use crate::decode::matroska::Trims;
use crate::decode::parts::{Part, Queued};

/// A hole in the times of packets shorter than this is rounding, in seconds; Matroska counts in milliseconds.
const MIN_GAP_S: f64 = 0.05;
/// A hole longer than this is a time that makes no sense, in seconds.
const MAX_GAP_S: f64 = 3_600.0;

impl PacketSource {
    /// Everything from the start, without what the encoder was late by, behind what the picture is early by.
    pub(super) fn plain_parts(&self, picture_starts: Option<f64>) -> VecDeque<Part> {
        let seconds = |pts: i64| {
            self.time_base
                .map_or(0.0, |base| pts as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get()))
        };
        let rate = f64::from(self.format.rate_hz);
        let start_s = seconds(self.first_pts.unwrap_or(0));
        let skip = match &self.decoder {
            PacketDecoder::Opus(stream) => stream.pre_skip,
            _ if let Some(delay_ns) = self.trims.delay_ns => Trims::in_samples(delay_ns, self.format.rate_hz),
            _ if self.has_times => (-start_s * rate).round().max(0.0) as u64,
            _ => 0,
        };
        let sound_starts = start_s.max(start_s + skip as f64 / rate);
        let lead = picture_starts.map_or(0.0, |picture| sound_starts - picture);
        let mut parts = VecDeque::new();
        if (0.001..MAX_GAP_S).contains(&lead) {
            parts.push_back(Part::Silence((lead * rate).round() as u64));
        }
        parts.push_back(Part::Media { start: skip, left: None });
        parts
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

    /// Silence where the packets' times leave a hole.
    pub(super) fn fill_gap(&mut self, time: i64) {
        let Some(at) = self.in_samples(time).filter(|_| self.has_times) else { return };
        let gap = at.saturating_add(self.window_at).saturating_sub(self.media_end);
        let gap_s = gap as f64 / f64::from(self.format.rate_hz);
        if !(MIN_GAP_S..MAX_GAP_S).contains(&gap_s) {
            return;
        }
        self.n_gap_samples += gap;
        self.media_end += gap;
        self.queue.push_back(Queued::Silence(gap));
    }
}
