//! Opus: one stream's packets, by libopus in Rust.
//!
//! The decoder is unsafe-libopus, libopus 1.3.1 as c2rust translated it: it needs no C compiler, so that Tacet builds
//! everywhere from Rust alone. It is called through [`Handle`] only.

use std::ptr::NonNull;

use anyhow::Result;
use unsafe_libopus::{
    OpusMSDecoder, opus_multistream_decode_float, opus_multistream_decoder_create,
    opus_multistream_decoder_destroy,
};

use super::source::MAX_CHANNELS;
use super::{refusal, xiph};

/// Opus always runs at this rate.
pub const RATE_HZ: u32 = 48_000;
/// Samples that libopus adds at the start, unless it is asked for less: 6.5 ms.
pub const USUAL_DELAY: u32 = 312;
/// The longest packet, in samples: 120 ms.
const MAX_PACKET: usize = 5760;

/// An Opus stream (RFC 7845).
pub struct OpusStream {
    decoder: Handle,
    n_channels: usize,
    /// Samples that the encoder was late: to be dropped.
    pub pre_skip: u64,
    gain: f32,
    /// For each output channel, the decoder's.
    order: Vec<usize>,
    channel_mask: Option<u32>,
    interleaved: Vec<f32>,
}

impl OpusStream {
    /// A stream by its identification header.
    ///
    /// # Errors
    /// The header makes no sense, or is of a mapping without speaker positions.
    pub fn new(head: &[u8]) -> Result<Self> {
        let Some(fixed) = head.first_chunk::<19>().filter(|head| head.starts_with(b"OpusHead")) else {
            return Err(refusal::damaged("has no description of its Opus stream"));
        };
        let n_channels = usize::from(fixed[9]);
        let pre_skip = u64::from(u16::from_le_bytes([fixed[10], fixed[11]]));
        let gain_db = f32::from(i16::from_le_bytes([fixed[16], fixed[17]])) / 256.0;
        let (n_streams, n_coupled, mapping) = match (fixed[18], n_channels) {
            (0, 1) => (1, 0, vec![0]),
            (0, 2) => (1, 1, vec![0, 1]),
            // Surround; ambisonics and channels without positions likewise, of any number.
            (family, n) if family == 1 && (1..=8).contains(&n) || matches!(family, 2 | 255) && n > 0 => {
                let Some(table) = head.get(19..21 + n_channels) else {
                    return Err(refusal::damaged("has no channel mapping for its Opus stream"));
                };
                (usize::from(table[0]), usize::from(table[1]), table[2..].to_vec())
            }
            (family, n) => {
                return Err(refusal::codec("ogg", &format!("Opus with {n} channels of mapping {family}")));
            }
        };
        // Only surround has positions.
        let order = match xiph::order(n_channels) {
            Some(order) if fixed[18] <= 1 => order.to_vec(),
            _ => (0..n_channels).collect(),
        };
        let channel_mask = xiph::channel_mask(n_channels).filter(|_| fixed[18] <= 1);
        let decoder = Handle::new(n_channels, n_streams, n_coupled, &mapping)?;
        Ok(Self {
            decoder,
            n_channels,
            pre_skip,
            gain: 10_f32.powf(gain_db / 20.0),
            order,
            channel_mask,
            interleaved: vec![0.0; MAX_PACKET * n_channels],
        })
    }

    /// Speaker positions as WAV has them, for more than two channels.
    pub fn channel_mask(&self) -> Option<u32> {
        self.channel_mask
    }

    /// Decodes a packet; false if it is damaged.
    pub fn decode(&mut self, data: &[u8], block: &mut Vec<Vec<f32>>) -> bool {
        block.resize_with(self.n_channels, Vec::new);
        block.iter_mut().for_each(Vec::clear);
        // Empty, it would ask for concealment.
        if data.is_empty() {
            return false;
        }
        let Some(n_samples) = self.decoder.decode(data, &mut self.interleaved, self.n_channels) else {
            return false;
        };
        for (channel, &from) in block.iter_mut().zip(&self.order) {
            let samples =
                self.interleaved[..n_samples * self.n_channels].iter().skip(from).step_by(self.n_channels);
            channel.extend(samples.map(|sample| sample * self.gain));
        }
        true
    }
}

/// The identification header of a stream in an MP4, whose numbers are big-endian there ("Encapsulation of Opus in ISO Base
/// Media File Format", 4.3.2). GStreamer 1.22 writes them as Ogg has them: read the other way round, neither rate nor delay
/// is one that an encoder states.
pub fn head_of_mp4(head: &[u8]) -> Vec<u8> {
    /// The longest delay that an encoder states, in samples, and the highest rate of its input.
    const MAX_DELAY: u16 = 3_840;
    const MAX_RATE_HZ: u32 = 192_000;
    let is_plain = |delay: u16, rate_hz: u32| delay <= MAX_DELAY && rate_hz <= MAX_RATE_HZ;
    let mut head = head.to_vec();
    if let Some(fixed) = head.get_mut(10..18) {
        let (delay, rate) = ([fixed[0], fixed[1]], [fixed[2], fixed[3], fixed[4], fixed[5]]);
        let is_turned = u16::from_be_bytes(delay) > MAX_DELAY && u32::from_be_bytes(rate) > MAX_RATE_HZ;
        if is_turned && is_plain(u16::from_le_bytes(delay), u32::from_le_bytes(rate)) {
            return head;
        }
        fixed[..2].reverse();
        fixed[2..6].reverse();
        fixed[6..].reverse();
    }
    head
}

/// The header of a stream that comes without one, as in Apple's CAF.
pub fn plain_head(n_channels: usize, pre_skip: u32) -> Vec<u8> {
    let n_channels = n_channels.clamp(1, 2) as u8;
    let pre_skip = u16::try_from(pre_skip).unwrap_or(0).to_le_bytes();
    let rate = RATE_HZ.to_le_bytes();
    [&b"OpusHead\x01"[..], &[n_channels], &pre_skip, &rate, &[0, 0, 0]].concat()
}

/// libopus's decoder, freed when dropped.
struct Handle {
    state: NonNull<OpusMSDecoder>,
}

// SAFETY: the state is an allocation of its own without thread-local parts; `&mut self` in `decode` keeps threads apart.
unsafe impl Send for Handle {}

impl Handle {
    fn new(n_channels: usize, n_streams: usize, n_coupled: usize, mapping: &[u8]) -> Result<Self> {
        let is_sound = mapping.len() == n_channels
            && (1..=MAX_CHANNELS).contains(&n_channels)
            && n_streams >= 1
            && n_coupled <= n_streams
            && n_streams + n_coupled <= 255
            && mapping.iter().all(|&from| from == 255 || usize::from(from) < n_streams + n_coupled);
        if !is_sound {
            return Err(refusal::damaged("has an Opus stream whose channels make no sense"));
        }
        let [n_channels, n_streams, n_coupled] = [n_channels, n_streams, n_coupled].map(|n| n as i32);
        let mut error = 0;
        // SAFETY: `mapping` has one byte per channel and names streams that there are (checked above); `error` outlives the
        // call.
        let state = unsafe {
            opus_multistream_decoder_create(
                RATE_HZ as i32,
                n_channels,
                n_streams,
                n_coupled,
                mapping.as_ptr(),
                &raw mut error,
            )
        };
        match NonNull::new(state).filter(|_| error == 0) {
            Some(state) => Ok(Self { state }),
            None => {
                Err(refusal::damaged(format!("has an Opus stream that cannot be decoded (error {error})")))
            }
        }
    }

    /// Samples per channel that were written to `interleaved`; `None` if the packet is damaged.
    fn decode(&mut self, data: &[u8], interleaved: &mut [f32], n_channels: usize) -> Option<usize> {
        let len = i32::try_from(data.len()).ok()?;
        assert!(interleaved.len() >= MAX_PACKET * n_channels);
        // SAFETY: the state was made by `new` for `n_channels` and lives; `data` has `len` bytes; `interleaved` has room for
        // `MAX_PACKET` samples of every channel (asserted above).
        let result = unsafe {
            opus_multistream_decode_float(
                self.state.as_ptr(),
                data.as_ptr(),
                len,
                interleaved.as_mut_ptr(),
                MAX_PACKET as i32,
                0,
            )
        };
        usize::try_from(result).ok().filter(|&n| n <= MAX_PACKET)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by `new`, used by nobody else, and not touched again.
        unsafe { opus_multistream_decoder_destroy(self.state.as_ptr()) };
    }
}

/// Samples of an Opus packet (RFC 6716, 3.1 and 3.2), 0 if it makes no sense.
pub fn duration(packet: &[u8]) -> u64 {
    let Some(&toc) = packet.first() else { return 0 };
    let frame = match toc >> 3 {
        config @ 0..12 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..16 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let n_frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1).copied().unwrap_or(0) & 63),
    };
    let n_samples = frame * n_frames;
    if n_samples <= MAX_PACKET as u64 { n_samples } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_opus_packets() {
        assert_eq!(duration(&[]), 0);
        // SILK 20 ms, one frame; CELT 2.5 ms, two; hybrid 10 ms, three; too many.
        assert_eq!(duration(&[1 << 3]), 960);
        assert_eq!(duration(&[16 << 3 | 1]), 240);
        assert_eq!(duration(&[12 << 3 | 3, 3]), 1440);
        assert_eq!(duration(&[3 << 3 | 3, 63]), 0);
    }

    #[test]
    fn a_header_of_mp4_is_turned_around() {
        let mp4 = b"OpusHead\x00\x02\x01\x38\x00\x00\xbb\x80\xfe\x00\x00";
        assert_eq!(head_of_mp4(mp4), b"OpusHead\x00\x02\x38\x01\x80\xbb\x00\x00\x00\xfe\x00");
        assert_eq!(head_of_mp4(b"OpusHead"), b"OpusHead");
        // GStreamer 1.22's, and one whose delay alone looks like it.
        let turned = b"OpusHead\x00\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";
        assert_eq!(OpusStream::new(&head_of_mp4(turned)).unwrap().pre_skip, 312);
        let long = b"OpusHead\x00\x02\x38\x01\x00\x00\xbb\x80\x00\x00\x00";
        assert_eq!(OpusStream::new(&head_of_mp4(long)).unwrap().pre_skip, 0x3801);
        assert_eq!(OpusStream::new(&plain_head(2, 312)).unwrap().pre_skip, 312);
    }

    #[test]
    fn headers_of_opus_streams() {
        let head = |n_channels: u8, family: u8, more: &[u8]| {
            let fixed = [&b"OpusHead\x01"[..], &[n_channels, 0x38, 1, 0, 0, 0, 0, 0, 0, family]].concat();
            OpusStream::new(&[fixed, more.to_vec()].concat())
        };
        assert_eq!(head(2, 0, &[]).unwrap().pre_skip, 312);
        assert_eq!(head(6, 1, &[4, 2, 0, 4, 1, 2, 3, 5]).unwrap().channel_mask(), Some(0x3f));
        let alone = head(10, 255, &[10, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]).unwrap();
        assert_eq!((alone.channel_mask(), alone.order[9]), (None, 9));
        for (n_channels, family, more) in [
            (0, 0, &[][..]),
            (3, 0, &[]),
            (6, 1, &[4, 2, 0]),
            (2, 1, &[1, 0, 9, 9]),
            (4, 3, &[]),
            (65, 255, &[0; 67]),
        ] {
            assert!(head(n_channels, family, more).is_err(), "{n_channels} {family}");
        }
        assert!(OpusStream::new(b"OpusHead").is_err());
    }
}
