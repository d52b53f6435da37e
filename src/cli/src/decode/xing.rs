//! Reads an MP3 encoder's own first frame (Xing, with LAME's extension, or VBRI), and knows the usual values without one.

use super::frames::{Family, Header};

/// Samples by which any layer 3 decoder is late (Xing's headers count the encoder's delay only).
pub const DECODER_DELAY: u64 = 529;
/// Samples by which LAME, and most encoders after it, are late.
pub const ENCODER_DELAY: u64 = 576;
/// Both.
pub const USUAL_DELAY: u64 = ENCODER_DELAY + DECODER_DELAY;
/// Samples by which the filter banks of layers 1 and 2 are late, encoder's and decoder's together.
const LAYER_2_DELAY: u64 = 481;

/// Samples at the start of a stream that hold no sound yet, where no encoder says how many they are. A piece cut out of a
/// stream has none: its first frame leans on the one before.
pub fn usual_delay(header: &Header, frame: &[u8]) -> u64 {
    match header.family {
        Family::Layer(3) => {
            // How far its data reach back into frames before.
            let n_crc = if frame.get(1).is_some_and(|byte| byte & 1 == 0) { 2 } else { 0 };
            let bytes = [4, 5].map(|at| frame.get(at + n_crc).copied().unwrap_or(0));
            let n_back =
                if header.version == 1 { bytes[0] != 0 || bytes[1] & 0x80 != 0 } else { bytes[0] != 0 };
            if n_back { 0 } else { USUAL_DELAY }
        }
        Family::Layer(_) => LAYER_2_DELAY,
        // The first block of AAC is half of what it takes to make sound.
        Family::Adts(_) | Family::Latm => 1024,
    }
}

/// An encoder's header frame (Xing, with LAME's extension, or VBRI).
#[derive(Clone, Copy, Debug, Default)]
pub struct EncoderInfo {
    /// Frames that follow; `None` if it does not say.
    pub n_frames: Option<u64>,
    /// Bytes of all frames, this one included; `None` if it does not say.
    pub n_bytes: Option<u64>,
    /// Samples to drop at the start and at the end; `None` if it does not say.
    pub trim: Option<(u64, u64)>,
}

impl EncoderInfo {
    /// Reads it; `None` if a frame is none.
    pub fn read(header: &Header, frame: &[u8]) -> Option<Self> {
        if header.family != Family::Layer(3) {
            return None;
        }
        let n_side = match (header.version, header.n_channels) {
            (1, 1) => 17,
            (1, _) => 32,
            (_, 1) => 9,
            _ => 17,
        };
        let long =
            |at: usize| -> Option<u32> { Some(u32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?)) };
        if frame.get(36..40) == Some(b"VBRI") {
            let n_frames = long(36 + 14).filter(|&n| n > 0).map(u64::from);
            let n_bytes = long(36 + 10).map(u64::from);
            return Some(Self { n_frames, n_bytes, trim: None });
        }
        // Behind a checksum some encoders begin two bytes later.
        let is_here = |at: &usize| matches!(frame.get(*at..*at + 4), Some(b"Xing" | b"Info"));
        let at = [4 + n_side, 6 + n_side].into_iter().find(is_here)?;
        let flags = long(at + 4)?;
        let mut next = at + 8;
        let mut n_frames = None;
        if flags & 1 != 0 {
            // 0: never written.
            n_frames = long(next).filter(|&n| n > 0).map(u64::from);
            next += 4;
        }
        let mut n_bytes = None;
        if flags & 2 != 0 {
            n_bytes = long(next).filter(|&n| n > 0).map(u64::from);
            next += 4;
        }
        next += if flags & 4 != 0 { 100 } else { 0 };
        next += if flags & 8 != 0 { 4 } else { 0 };
        // Encoder's name, nine bytes; its delay and padding are twelve bits each, 21 bytes in.
        let is_named = frame.get(next).is_some_and(|byte| byte.is_ascii_alphanumeric());
        let trim = match frame.get(next + 21..next + 24) {
            Some(&[a, b, c]) if is_named => {
                let (delay, padding) =
                    (u64::from(a) << 4 | u64::from(b >> 4), u64::from(b & 15) << 8 | u64::from(c));
                Some((delay + DECODER_DELAY, padding.saturating_sub(DECODER_DELAY)))
            }
            _ => None,
        };
        Some(Self { n_frames, n_bytes, trim })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of MPEG-1 layer 3, 128 kbit/s, 44.1 kHz, stereo.
    fn frame() -> (Header, Vec<u8>) {
        let mut frame = vec![0xff, 0xfb, 0x90, 0x00];
        frame.resize(417, 0);
        (Header::read(&frame).unwrap(), frame)
    }

    #[test]
    fn an_encoder_says_its_delay_and_its_frames() {
        let (header, mut frame) = frame();
        assert!(EncoderInfo::read(&header, &frame).is_none());
        frame[36..40].copy_from_slice(b"Info");
        frame[43] = 1;
        frame[44..48].copy_from_slice(&126_u32.to_be_bytes());
        let info = EncoderInfo::read(&header, &frame).unwrap();
        assert_eq!((info.n_frames, info.trim), (Some(126), None));
        frame[48..57].copy_from_slice(b"LAME3.100");
        frame[69..72].copy_from_slice(&[0x24, 0x04, 0x80]);
        let info = EncoderInfo::read(&header, &frame).unwrap();
        assert_eq!(info.trim, Some((576 + 529, 1152 - 529)));
        // Two bytes later behind a checksum; a count that was never written.
        frame.splice(4..4, [0, 0]);
        frame[46..50].fill(0);
        let info = EncoderInfo::read(&header, &frame).unwrap();
        assert_eq!((info.n_frames, info.trim), (None, Some((576 + 529, 1152 - 529))));
    }

    #[test]
    fn a_start_is_late_and_a_piece_is_not() {
        let (header, mut frame) = frame();
        assert_eq!(usual_delay(&header, &frame), 1105);
        frame[5] = 0x80;
        assert_eq!(usual_delay(&header, &frame), 0);
    }
}
