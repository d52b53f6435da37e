//! Reads the frames of a FLAC file that [`super::contents`] found, in place of symphonia's reader, which refuses a file for
//! the sake of its tags, or of sizes that its description states.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::sync::Arc;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;
use symphonia::core::errors::Result;
use symphonia::core::formats::well_known::FORMAT_ID_FLAC;
use symphonia::core::formats::{FormatInfo, FormatReader, Track};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase, Timestamp};

use super::Contents;
use super::header::{FrameHeader, n_bits, n_samples, rate_hz, widened};
use crate::decode::input::Input;
use crate::decode::own_reader::{OwnReader, Packets};

/// The container, as symphonia names it.
const INFO: FormatInfo =
    FormatInfo { format: FORMAT_ID_FLAC, short_name: "flac", long_name: "Free Lossless Audio Codec" };

impl Contents {
    /// A reader from the first frame on.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn reader(self: &Arc<Self>, file: &File) -> io::Result<Box<dyn FormatReader>> {
        let mut params = AudioCodecParameters::new();
        params.for_codec(CODEC_ID_FLAC).with_extra_data(widened(&self.info).into());
        params.with_sample_rate(rate_hz(&self.info)).with_bits_per_sample(n_bits(&self.info));
        let mut track = Track::new(0);
        track.with_codec_params(CodecParameters::Audio(params));
        track.num_frames = n_samples(&self.info);
        track.time_base = NonZero::new(rate_hz(&self.info)).map(TimeBase::from_recip);
        let input = Input::file(file.try_clone()?)?;
        let frames = Frames { input, contents: self.clone(), index: 0, times: Times::default() };
        Ok(Box::new(OwnReader::new(&INFO, track, frames)))
    }
}

/// Reads the frames of one file.
struct Frames {
    input: Input,
    contents: Arc<Contents>,
    index: usize,
    times: Times,
}

impl Packets for Frames {
    fn next(&mut self, track_id: u32) -> Result<Option<Packet>> {
        let Some(&(at, n_bytes)) = self.contents.frames.get(self.index) else { return Ok(None) };
        self.index += 1;
        let mut data = vec![0; n_bytes as usize];
        self.input.seek(at)?;
        let n_read = self.input.read(&mut data)?;
        data.truncate(n_read);
        // The file became shorter since its frames were found.
        let Some(header) = FrameHeader::read(&data, &self.contents.info) else { return Ok(None) };
        let time = Timestamp::new(i64::try_from(self.times.of(header)).unwrap_or(i64::MAX));
        Ok(Some(Packet::new(track_id, time, Duration::new(header.n_samples.into()), data)))
    }
}

/// The times of frames, one after the other.
#[derive(Debug, Default)]
pub struct Times {
    /// Number of the next frame if none is missing, and its time.
    next: Option<u64>,
    end: u64,
    /// Samples of the longest frame so far.
    n_longest: u64,
}

impl Times {
    /// The time of the next frame, in samples. Behind the one before, it does not depend on the size of frames.
    pub fn of(&mut self, header: FrameHeader) -> u64 {
        let FrameHeader { is_in_samples, number, n_samples, .. } = header;
        self.n_longest = self.n_longest.max(n_samples.into());
        let n_unit = if is_in_samples { 1 } else { self.n_longest };
        let time = match self.next {
            Some(next) => self.end.saturating_add(number.saturating_sub(next).saturating_mul(n_unit)),
            None => number.saturating_mul(n_unit),
        };
        self.next = Some(number + if is_in_samples { u64::from(n_samples) } else { 1 });
        self.end = time.saturating_add(n_samples.into());
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_times() {
        let times = |is_in_samples: bool, frames: &[(u64, u32)]| -> Vec<u64> {
            let mut times = Times::default();
            let header =
                |&(number, n_samples)| FrameHeader { is_in_samples, number, n_samples, rate_hz: 0, shape: 0 };
            frames.iter().map(|frame| times.of(header(frame))).collect()
        };
        // Frames 3 to 5 are missing; the last is short; another file's follow.
        assert_eq!(
            times(false, &[(1, 100), (2, 100), (6, 100), (7, 9), (0, 100)]),
            [100, 200, 600, 700, 709]
        );
        assert_eq!(times(true, &[(0, 100), (100, 50), (160, 20), (0, 9)]), [0, 100, 160, 180]);
        // Old encoders counted frames of any length.
        assert_eq!(times(false, &[(0, 100), (1, 40), (2, 100)]), [0, 100, 140]);
    }
}
