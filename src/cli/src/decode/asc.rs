//! AAC's own description of a stream (AudioSpecificConfig, ISO/IEC 14496-3, 1.6.2.1), reduced to what is decoded.

use anyhow::{Result, bail};
use symphonia::core::codecs::audio::AudioCodecParameters;

use super::refusal;

/// AAC-LC's audio object type.
const LC: u32 = 2;
/// SBR and SBR with parametric stereo: HE-AAC and HE-AAC v2.
const SBR: u32 = 5;
const PS: u32 = 29;

/// Reduces the description of an HE-AAC stream to its core, AAC-LC at half the rate. Whether it was HE-AAC.
///
/// # Errors
/// The core is of another profile.
pub fn reduce_to_core(params: &mut AudioCodecParameters) -> Result<bool> {
    let Some(config) = params.extra_data.as_deref().and_then(Config::read) else { return Ok(false) };
    let name = match config.object_type {
        LC => {
            if config.is_he_aac {
                params.with_extra_data(config.core().into()).with_sample_rate(config.rate_hz);
            }
            return Ok(config.is_he_aac);
        }
        1 => "AAC Main",
        3 => "AAC-SSR",
        4 => "AAC-LTP",
        23 => "AAC-LD",
        39 => "AAC-ELD",
        42 => "xHE-AAC",
        _ => "AAC of a profile that is not LC",
    };
    if config.object_type == 0 {
        bail!("has a description of its AAC that makes no sense: it is damaged");
    }
    Err(refusal::codec("MP4", name))
}

/// A parsed description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Config {
    /// Of the core.
    object_type: u32,
    is_he_aac: bool,
    /// Of the core, in Hz, and its index.
    rate_hz: u32,
    rate_idx: u32,
    channels: u32,
}

impl Config {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut bits = Bits { bytes, at: 0 };
        let mut object_type = bits.object_type()?;
        let (rate_idx, rate_hz) = bits.rate()?;
        let channels = bits.take(4)?;
        let mut is_he_aac = false;
        if object_type == SBR || object_type == PS {
            is_he_aac = true;
            bits.rate()?;
            object_type = bits.object_type()?;
        } else if object_type == LC {
            // The core's own description, then perhaps SBR's: a sync word, its type, whether it is there.
            let _frame_length = bits.take(1)?;
            if bits.take(1)? == 1 {
                bits.take(14)?;
            }
            let _extension = bits.take(1)?;
            is_he_aac =
                bits.take(11) == Some(0x2b7) && bits.object_type() == Some(SBR) && bits.take(1) == Some(1);
        }
        Some(Self { object_type, is_he_aac, rate_hz, rate_idx, channels })
    }

    /// A description of the core alone.
    fn core(&self) -> Vec<u8> {
        let bits: u64 = if self.rate_idx == 15 {
            u64::from(LC) << 35 | 15 << 31 | u64::from(self.rate_hz) << 7 | u64::from(self.channels) << 3
        } else {
            (u64::from(LC) << 11 | u64::from(self.rate_idx) << 7 | u64::from(self.channels) << 3) << 24
        };
        let n_bytes = if self.rate_idx == 15 { 5 } else { 2 };
        bits.to_be_bytes()[3..3 + n_bytes].to_vec()
    }
}

/// Bits from the highest.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..n {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.take(5)? {
            31 => Some(32 + self.take(6)?),
            kind => Some(kind),
        }
    }

    fn rate(&mut self) -> Option<(u32, u32)> {
        /// Table 1.18.
        const RATES_HZ: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
            7_350,
        ];
        let idx = self.take(4)?;
        let rate_hz = if idx == 15 { self.take(24)? } else { *RATES_HZ.get(idx as usize)? };
        Some((idx, rate_hz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn he_aac_is_reduced_to_its_core() {
        // HE-AAC at 48 kHz, told first: type 5, core 24 kHz, mono, 48 kHz, type 2.
        let config = Config::read(&[0x2b, 0x09, 0x88, 0x00]).unwrap();
        assert_eq!((config.object_type, config.is_he_aac, config.rate_hz), (LC, true, 24_000));
        assert_eq!(config.core(), [0x13, 0x08]);
        // AAC-LC at 24 kHz, mono, with SBR told behind it.
        let config = Config::read(&[0x13, 0x08, 0x56, 0xe5, 0x98]).unwrap();
        assert_eq!((config.object_type, config.is_he_aac, config.rate_hz), (LC, true, 24_000));
        // AAC-LC at 44.1 kHz, stereo.
        let config = Config::read(&[0x12, 0x10]).unwrap();
        assert_eq!((config.object_type, config.is_he_aac, config.channels), (LC, false, 2));
        assert_eq!(config.core(), [0x12, 0x10]);
        assert_eq!(Config::read(&[0x12]), None);
    }

    #[test]
    fn a_rate_of_its_own_is_kept() {
        let config = Config { object_type: LC, is_he_aac: true, rate_hz: 23_456, rate_idx: 15, channels: 1 };
        let read = Config::read(&config.core()).unwrap();
        assert_eq!((read.rate_hz, read.rate_idx, read.channels), (23_456, 15, 1));
    }
}
