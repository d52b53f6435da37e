//! Vorbis of more than two channels, by lewton: symphonia 0.6.1 undoes the coupling of channels in the wrong order.

use anyhow::Result;
use lewton::audio::{PreviousWindowRight, get_decoded_sample_count, read_audio_packet_generic};
use lewton::header::{IdentHeader, SetupHeader, read_header_ident, read_header_setup};

use super::{refusal, xiph};
use crate::decode::foreign::foreign;

/// Bytes of a Vorbis stream's first packet.
const IDENT_LEN: usize = 30;

/// A Vorbis stream.
pub struct VorbisStream {
    ident: IdentHeader,
    setup: SetupHeader,
    /// The window that the next packet overlaps with.
    window: PreviousWindowRight,
    /// Samples of the last packet's window.
    last: Option<usize>,
    /// Decoded samples that belong to the next packet: lewton hands out all that is complete, the positions of Ogg count
    /// from the middle of a window to that of the next.
    ahead: Vec<Vec<f32>>,
}

impl VorbisStream {
    /// A stream by its first and its third packet, one behind the other.
    ///
    /// # Errors
    /// They make no sense.
    pub fn new(headers: &[u8]) -> Result<Self> {
        let Some((ident, setup)) = headers.split_at_checked(IDENT_LEN) else {
            return Err(refusal::damaged("has no description of its Vorbis stream"));
        };
        foreign(|| {
            let ident = read_header_ident(ident)?;
            let blocks = (ident.blocksize_0, ident.blocksize_1);
            let setup = read_header_setup(setup, ident.audio_channels, blocks)?;
            let ahead = vec![Vec::new(); ident.audio_channels.into()];
            Ok(Self { ident, setup, window: PreviousWindowRight::new(), last: None, ahead })
        })?
        .map_err(|error: lewton::header::HeaderReadError| {
            refusal::damaged(format!("has a description of its Vorbis stream that makes no sense ({error})"))
        })
    }

    /// Sample rate in Hz.
    pub fn rate_hz(&self) -> u32 {
        self.ident.audio_sample_rate
    }

    /// Speaker positions as WAV has them.
    pub fn channel_mask(&self) -> Option<u32> {
        xiph::channel_mask(self.ident.audio_channels.into())
    }

    /// Decodes a packet into `block`; false if it is damaged. The first makes no samples.
    ///
    /// # Errors
    /// It breaks the decoder.
    pub fn decode(&mut self, data: &[u8], block: &mut Vec<Vec<f32>>) -> Result<bool> {
        let (ident, setup, window) = (&self.ident, &self.setup, &mut self.window);
        let decoded = foreign(|| {
            let n_complete = get_decoded_sample_count(ident, setup, data)?;
            let channels: Vec<Vec<f32>> = read_audio_packet_generic(ident, setup, data, window)?;
            Ok((n_complete, channels))
        })?;
        let Ok((n_complete, channels)) = decoded.map_err(|_: lewton::audio::AudioReadError| ()) else {
            // The next packet has nothing to overlap with.
            (self.window, self.last) = (PreviousWindowRight::new(), None);
            self.ahead.iter_mut().for_each(Vec::clear);
            return Ok(false);
        };
        let (short, long) = (1_usize << ident.blocksize_0, 1_usize << ident.blocksize_1);
        let now = if n_complete * 2 == short { short } else { long };
        let n_samples = self.last.map_or(0, |last| (last + now) / 4);
        self.last = Some(now);
        for (ahead, samples) in self.ahead.iter_mut().zip(channels) {
            ahead.extend_from_slice(&samples);
            // The first of a stream, where its window is longer than the next.
            let n_lacking = n_samples.saturating_sub(ahead.len());
            ahead.splice(..0, std::iter::repeat_n(0.0, n_lacking));
        }
        let order =
            xiph::order(self.ahead.len()).map_or_else(|| (0..self.ahead.len()).collect(), <[_]>::to_vec);
        *block = order.iter().map(|&from| self.ahead[from].drain(..n_samples).collect()).collect();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_an_error() {
        for headers in [&b""[..], b"\x01vorbis", &[0; 60], &[0xff; 500]] {
            assert!(VorbisStream::new(headers).is_err());
        }
    }
}
