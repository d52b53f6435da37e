//! Going on elsewhere in a file: in the one that is joined to it, behind damage, and again at its start.

use anyhow::Result;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::formats::well_known::FORMAT_ID_MKV;

use super::PacketSource;
use crate::decode::codec::PacketDecoder;
use crate::decode::listed::again;
use crate::decode::options::Options;
use crate::decode::probe::probe;
use crate::decode::tracks::choose;
use crate::decode::{matroska, refusal};

/// Passes over the packets, for edits that go back.
const MAX_REWINDS: u32 = 1_000;

impl PacketSource {
    /// Goes on behind the damage in a Matroska file; false if nothing is there.
    pub(super) fn resume(&mut self) -> Result<bool> {
        let is_mkv = self.reader.format_info().format == FORMAT_ID_MKV && self.windows.is_empty();
        let Some(time_ns) = self.in_ns(self.last_pts).filter(|_| is_mkv) else { return Ok(false) };
        let Some(windows) = matroska::resume::behind(&self.file, self.resumed_at, time_ns)? else {
            return Ok(false);
        };
        (self.resumed_at, self.n_before_resumption) = (windows[1].start, Some(self.n_packets));
        self.reader = probe(&self.file, self.hint.as_deref(), Some(&windows))?;
        Ok(true)
    }

    /// Goes on with the file that is joined behind this one; false if there is none.
    pub(super) fn next_window(&mut self) -> Result<bool> {
        self.windows.pop_front();
        let Some(windows) = self.windows.front() else { return Ok(false) };
        self.reader = probe(&self.file, self.hint.as_deref(), Some(windows))?;
        let track = choose(&*self.reader, &Options::default(), &[], &[], &mut Vec::new())?.clone();
        let Some(CodecParameters::Audio(params)) = &track.codec_params else {
            return Err(refusal::refused("is joined to a file without sound;".to_owned()));
        };
        self.announced = match (self.announced, track.num_frames) {
            (Some(before), Some(n)) => Some(before + n),
            _ => None,
        };
        self.decoder = PacketDecoder::new(params, self.reader.format_info().short_name)?;
        self.params = params.clone();
        (self.track_id, self.time_base) = (track.id, track.time_base);
        (self.window_at, self.first_pts) = (self.media_end, None);
        Ok(true)
    }

    /// Begins again at the start of the media, for an edit that goes back.
    pub(super) fn rewind(&mut self) -> Result<()> {
        self.n_rewinds += 1;
        if self.n_rewinds > MAX_REWINDS {
            return Err(refusal::damaged(format!(
                "has an edit list that goes back more than {MAX_REWINDS} times"
            )));
        }
        self.reader = again(&self.file, self.hint.as_deref(), None, self.listed.as_ref())?;
        self.decoder = PacketDecoder::new(&self.params, self.reader.format_info().short_name)?;
        self.n_packets = 0;
        self.queue.clear();
        (self.queue_at, self.media_end) = (0, 0);
        Ok(())
    }
}
