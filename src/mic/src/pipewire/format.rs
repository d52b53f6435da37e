//! The format that a stream offers, as PipeWire's plain-old-data object (`spa/pod/pod.h`): 48 kHz, 32-bit float, one plane
//! per channel.

/// `SPA_TYPE_*`.
const ID: u32 = 3;
const INT: u32 = 4;
const ARRAY: u32 = 13;
const OBJECT: u32 = 15;
/// `SPA_TYPE_OBJECT_Format` and `SPA_PARAM_EnumFormat`.
const OBJECT_FORMAT: u32 = 0x4_0003;
const ENUM_FORMAT: u32 = 3;
/// `SPA_FORMAT_*`: what the properties are.
const MEDIA_TYPE: u32 = 1;
const MEDIA_SUBTYPE: u32 = 2;
const AUDIO_FORMAT: u32 = 0x1_0001;
const AUDIO_RATE: u32 = 0x1_0003;
const AUDIO_CHANNELS: u32 = 0x1_0004;
const AUDIO_POSITION: u32 = 0x1_0005;
/// `SPA_MEDIA_TYPE_audio`, `SPA_MEDIA_SUBTYPE_raw`, `SPA_AUDIO_FORMAT_F32P`.
const AUDIO: u32 = 1;
const RAW: u32 = 1;
const F32_PLANES: u32 = 0x206;
/// `SPA_AUDIO_CHANNEL_MONO`, `_FL`, `_FR`.
const MONO: u32 = 2;
const LEFT: u32 = 3;
const RIGHT: u32 = 4;

/// The object for a stream of one channel or two, as words; eight bytes are its alignment.
pub fn offer(n_channels: usize, rate_hz: u32) -> Vec<u64> {
    let positions: &[u32] = if n_channels == 1 { &[MONO] } else { &[LEFT, RIGHT] };
    let mut words = vec![OBJECT_FORMAT, ENUM_FORMAT];
    for (key, kind, value) in [
        (MEDIA_TYPE, ID, AUDIO),
        (MEDIA_SUBTYPE, ID, RAW),
        (AUDIO_FORMAT, ID, F32_PLANES),
        (AUDIO_RATE, INT, rate_hz),
        (AUDIO_CHANNELS, INT, n_channels as u32),
    ] {
        // Key, flags, size and kind of the value, the value, filled up to eight bytes.
        words.extend([key, 0, 4, kind, value, 0]);
    }
    let n_bytes = 8 + 4 * positions.len() as u32;
    words.extend([AUDIO_POSITION, 0, n_bytes, ARRAY, 4, ID]);
    words.extend(positions);
    if positions.len() % 2 == 1 {
        words.push(0);
    }
    let header = [4 * words.len() as u32, OBJECT];
    let words: Vec<u32> = header.into_iter().chain(words).collect();
    words.as_chunks::<2>().0.iter().map(|pair| u64::from(pair[0]) | (u64::from(pair[1]) << 32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output of `spa_format_audio_raw_build` of PipeWire 0.3.65.
    #[test]
    fn it_is_what_pipewires_own_builder_writes() {
        let hex = |words: &[u64]| -> String {
            words.iter().map(|pair| format!("{:08x} {:08x} ", pair & 0xffff_ffff, pair >> 32)).collect()
        };
        let head = "000000a0 0000000f 00040003 00000003 00000001 00000000 00000004 00000003 00000001 00000000 \
                    00000002 00000000 00000004 00000003 00000001 00000000 00010001 00000000 00000004 00000003 \
                    00000206 00000000 00010003 00000000 00000004 00000004 0000bb80 00000000 00010004 00000000 \
                    00000004 00000004 ";
        let stereo =
            "00000002 00000000 00010005 00000000 00000010 0000000d 00000004 00000003 00000003 00000004 ";
        let mono =
            "00000001 00000000 00010005 00000000 0000000c 0000000d 00000004 00000003 00000002 00000000 ";
        // The builder of that version counts the padding behind the last value of both.
        assert_eq!(hex(&offer(2, 48_000)), format!("{head}{stereo}"));
        assert_eq!(hex(&offer(1, 48_000)), format!("{head}{mono}"));
    }
}
