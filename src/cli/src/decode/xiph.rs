//! The order of channels in Vorbis and Opus, and WAV's (Vorbis I, 4.3.9; RFC 7845, 5.1.1.2).

/// For each channel in WAV's order, where it is in the stream; `None` for more channels than have an order.
pub fn order(n_channels: usize) -> Option<&'static [usize]> {
    const ORDER: [&[usize]; 8] = [
        &[0],
        &[0, 1],
        &[0, 2, 1],
        &[0, 1, 2, 3],
        &[0, 2, 1, 3, 4],
        &[0, 2, 1, 5, 3, 4],
        &[0, 2, 1, 6, 5, 3, 4],
        &[0, 2, 1, 7, 5, 6, 3, 4],
    ];
    ORDER.get(n_channels.checked_sub(1)?).copied()
}

/// Speaker positions as WAV has them, for more than two channels that have an order.
pub fn channel_mask(n_channels: usize) -> Option<u32> {
    const MASKS: [Option<u32>; 8] =
        [None, None, Some(0x7), Some(0x33), Some(0x37), Some(0x3f), Some(0x70f), Some(0x63f)];
    MASKS.get(n_channels.checked_sub(1)?).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_one_place() {
        for n_channels in 1..=8 {
            let mut places = order(n_channels).unwrap().to_vec();
            places.sort_unstable();
            assert_eq!(places, (0..n_channels).collect::<Vec<_>>());
            let mask = channel_mask(n_channels).unwrap_or(0);
            assert!(n_channels < 3 || mask.count_ones() as usize == n_channels);
        }
        assert_eq!((order(0), order(9), channel_mask(9)), (None, None, None));
    }
}
