//! IMA ADPCM of QuickTime, in CAF and AIFF-C: packets of 64 samples of one channel, the channels' one behind the other.
//!
//! symphonia 0.6 begins every packet with the 9 bits of its first value that the packet states; encoder, QuickTime and
//! ffmpeg go on from the last sample of the packet before, where the two agree.

/// Samples of a packet, and its bytes.
pub const SAMPLES: usize = 64;
/// Bytes of a packet.
pub const BYTES: usize = 34;

/// The steps of the IMA's "Recommended Practices for Enhancing Digital Audio Compatibility".
const STEPS: [i32; 89] = [
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88,
    97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658,
    724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660,
    4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818,
    18500, 20350, 22385, 24623, 27086, 29794, 32767,
];
/// How a value moves the step.
const MOVES: [i8; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];

/// One channel's last sample, and its step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Channel {
    last: i32,
    step: usize,
}

impl Channel {
    /// Decodes a packet behind what is in `samples`; a damaged one to silence.
    pub fn decode(&mut self, packet: &[u8], samples: &mut Vec<f32>) {
        let end = samples.len() + SAMPLES;
        if let Some((head, values)) = packet.split_first_chunk() {
            let head = u16::from_be_bytes(*head);
            let (first, step) = (i32::from((head & 0xff80) as i16), usize::from(head & 0x7f));
            if step < STEPS.len() {
                if step != self.step || (first - self.last).abs() > 0x7f {
                    *self = Self { last: first, step };
                }
                let values = values.iter().take(SAMPLES / 2).flat_map(|&byte| [byte & 15, byte >> 4]);
                samples.extend(values.map(|value| self.next(value)));
            }
        }
        samples.resize(end, 0.0);
    }

    fn next(&mut self, value: u8) -> f32 {
        let step = STEPS[self.step];
        let parts = [(4, step), (2, step >> 1), (1, step >> 2)];
        let size =
            parts.iter().filter(|(bit, _)| value & bit != 0).map(|(_, part)| part).sum::<i32>() + (step >> 3);
        let moved = if value & 8 == 0 { self.last + size } else { self.last - size };
        self.last = moved.clamp(i16::MIN.into(), i16::MAX.into());
        self.step =
            self.step.saturating_add_signed(MOVES[usize::from(value & 7)].into()).min(STEPS.len() - 1);
        self.last as f32 / 32_768.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_go_on_where_the_one_before_ended() {
        let mut channel = Channel::default();
        let mut samples = Vec::new();
        // Full steps up, of the smallest size first.
        channel.decode(&[&[0, 0][..], &[0x77; 32]].concat(), &mut samples);
        assert_eq!((samples.len(), samples[0], samples[1]), (64, 11.0 / 32_768.0, 41.0 / 32_768.0));
        assert_eq!(samples[63], 32_767.0 / 32_768.0);
        // Its end, rounded down to 9 bits, at the same step: no jump.
        channel.decode(&[&[0x7f, 0x80 | 88][..], &[0x80; 32]].concat(), &mut samples);
        let step = 4_095.0 / 32_768.0;
        assert!((samples[65] - (samples[63] - 0.0)).abs() < step * 1.01, "{}", samples[65]);
        // Elsewhere: where the packet says.
        channel.decode(&[&[0x10, 0][..], &[0; 32]].concat(), &mut samples);
        assert_eq!(samples[128], f32::from(0x1000_i16) / 32_768.0);
        // Damaged, or cut off.
        for packet in [&[0, 89, 7, 7][..], &[0], &[]] {
            let n_before = samples.len();
            channel.decode(packet, &mut samples);
            assert_eq!(samples[n_before..], [0.0; 64]);
        }
    }
}
