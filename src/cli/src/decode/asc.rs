//! AAC's own description of a stream (AudioSpecificConfig, ISO/IEC 14496-3, 1.6.2.1): what it is called, and whether SBR
//! could hide behind it, or is of the core's rate.

/// AAC-LC's audio object type.
const LC: u32 = 2;
/// SBR and SBR with parametric stereo: HE-AAC and HE-AAC v2.
const SBR: u32 = 5;
const PS: u32 = 29;
/// The highest core rate that SBR is taken for possible at without being said: it doubles to 48 kHz.
const MAX_CORE_HZ: u32 = 24_000;
/// Sampling rates by index (table 1.18).
const RATES_HZ: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// A parsed description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Of the core.
    object_type: u32,
    /// Whether there is SBR.
    pub is_he_aac: bool,
    /// Of the core, in Hz.
    pub rate_hz: u32,
    /// Channel configuration; 0: said elsewhere.
    channels: u32,
}

impl Config {
    /// AAC-LC of this many channels; `None` for more than have a configuration.
    pub fn lc(rate_hz: u32, n_channels: u32) -> Option<Self> {
        let channels = match n_channels {
            1..=6 => n_channels,
            8 => 7,
            _ => return None,
        };
        (rate_hz > 0).then_some(Self { object_type: LC, is_he_aac: false, rate_hz, channels })
    }

    /// The description in an ADTS header of this profile (audio object type); `None` for channels of their own order.
    pub fn of_adts(object_type: u32, rate_hz: u32, n_channels: usize) -> Option<Self> {
        Some(Self { object_type, ..Self::lc(rate_hz, n_channels as u32)? })
    }

    /// Reads a description; `None` if it is cut off.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes, 0).map(|(config, _)| config)
    }

    /// Reads the description behind `at` bits; with it the rate that it states for SBR, in Hz, and that one's place.
    fn parse(bytes: &[u8], at: usize) -> Option<(Self, Option<(u32, usize)>)> {
        let mut bits = Bits { bytes, at };
        let mut object_type = bits.object_type()?;
        let rate_hz = bits.rate()?;
        let channels = bits.take(4)?;
        let mut is_he_aac = false;
        let mut sbr = None;
        if object_type == SBR || object_type == PS {
            is_he_aac = true;
            let place = bits.at;
            sbr = Some((bits.rate()?, place));
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
            let place = bits.at;
            sbr = bits.rate().filter(|_| is_he_aac).map(|rate_hz| (rate_hz, place));
        }
        Some((Self { object_type, is_he_aac, rate_hz, channels }, sbr))
    }

    /// The profile's name.
    pub fn profile(self) -> &'static str {
        match self.object_type {
            1 => "AAC Main",
            LC => "AAC-LC of an unusual kind",
            3 => "AAC-SSR",
            4 => "AAC-LTP",
            23 => "AAC-LD",
            39 => "AAC-ELD",
            42 => "xHE-AAC",
            7 => "TwinVQ",
            8 => "CELP speech",
            9 => "HVXC speech",
            32..=34 => "MPEG audio wrapped in MPEG-4",
            36 => "MPEG-4 ALS",
            37 | 38 => "MPEG-4 SLS",
            _ => "AAC of a profile that is not LC",
        }
    }

    /// The same with SBR, where that may be there without being said.
    pub fn with_sbr(self) -> Option<Self> {
        let is_possible = self.object_type == LC && !self.is_he_aac && self.channels > 0;
        (is_possible && self.rate_hz <= MAX_CORE_HZ).then_some(Self { is_he_aac: true, ..self })
    }

    /// As a description of its own.
    pub fn write(self) -> Vec<u8> {
        let mut bits = Vec::new();
        let mut put = |value: u32, n: u32| bits.extend((0..n).rev().map(|bit| (value >> bit & 1) as u8));
        let put_rate = |put: &mut dyn FnMut(u32, u32), rate_hz: u32| match RATES_HZ
            .iter()
            .position(|&rate| rate == rate_hz)
        {
            Some(index) => put(index as u32, 4),
            None => {
                put(15, 4);
                put(rate_hz, 24);
            }
        };
        put(if self.is_he_aac { SBR } else { self.object_type }, 5);
        put_rate(&mut put, self.rate_hz);
        put(self.channels, 4);
        if self.is_he_aac {
            put_rate(&mut put, 2 * self.rate_hz);
            put(self.object_type, 5);
        }
        put(0, 3);
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |sum, (i, bit)| sum | bit << (7 - i)))
            .collect()
    }
}

/// A description of 7350 Hz as one of 8000 Hz, whose tables hold for both (4.132, 4.133); `None` for other rates.
pub fn lowest(config: &[u8]) -> Option<Vec<u8>> {
    const INDEX_8000: u8 = 11;
    const INDEX_7350: u8 = 12;
    let [first, second, rest @ ..] = config else { return None };
    let index = (first & 7) << 1 | second >> 7;
    // Behind an object type of five bits.
    if first >> 3 == 31 || index != INDEX_7350 {
        return None;
    }
    let head = [first & 0xf8 | INDEX_8000 >> 1, second & 0x7f | INDEX_8000 << 7];
    Some([&head[..], rest].concat())
}

/// Whether the description behind `at` bits has SBR of the core's rate: downsampled SBR.
pub fn is_downsampled(bytes: &[u8], at: usize) -> bool {
    Config::parse(bytes, at)
        .is_some_and(|(core, sbr)| sbr.is_some_and(|(rate_hz, _)| rate_hz == core.rate_hz))
}

/// The same bytes with SBR of twice the core's rate; `None` where no index states that.
pub fn doubled(bytes: &[u8], at: usize) -> Option<Vec<u8>> {
    const N_INDEX: usize = 4;
    let (core, sbr) = Config::parse(bytes, at)?;
    let (_, place) = sbr?;
    let index = RATES_HZ.iter().position(|&rate_hz| rate_hz == 2 * core.rate_hz)?;
    let mut bits = Bits { bytes, at: place };
    // A rate that is written out is longer.
    if bits.take(N_INDEX)? == 15 {
        return None;
    }
    let mut bytes = bytes.to_vec();
    for i in 0..N_INDEX {
        let (byte, mask) = (&mut bytes[(place + i) / 8], 0x80 >> ((place + i) % 8));
        let is_set = index >> (N_INDEX - 1 - i) & 1 == 1;
        *byte = if is_set { *byte | mask } else { *byte & !mask };
    }
    Some(bytes)
}

/// The place in bits of the description in a frame of LATM (LOAS); `None` if it is that of the frame before, or no LATM.
pub fn place_in_latm(frame: &[u8]) -> Option<usize> {
    let mut bits = Bits { bytes: frame, at: 0 };
    if bits.take(11)? != 0x2b7 {
        return None;
    }
    let _length = bits.take(13)?;
    let is_as_before = bits.take(1)? == 1;
    let version = bits.take(1)?;
    if is_as_before || version == 1 && bits.take(1)? == 1 {
        return None;
    }
    if version == 1 {
        let _fullness = bits.latm_value()?;
    }
    // One time for all streams, frames, programs, layers.
    bits.take(1 + 6 + 4 + 3)?;
    if version == 1 {
        let _length = bits.latm_value()?;
    }
    Some(bits.at)
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

    fn rate(&mut self) -> Option<u32> {
        match self.take(4)? {
            15 => self.take(24),
            index => RATES_HZ.get(index as usize).copied(),
        }
    }

    /// A number of one to four bytes, as LATM has them.
    fn latm_value(&mut self) -> Option<u32> {
        let n_bytes = self.take(2)? + 1;
        self.take(8 * n_bytes as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn he_aac_is_recognised() {
        // HE-AAC at 48 kHz, announced first: type 5, core 24 kHz, mono, 48 kHz, type 2.
        let config = Config::read(&[0x2b, 0x09, 0x88, 0x00]).unwrap();
        assert_eq!((config.object_type, config.is_he_aac, config.rate_hz), (LC, true, 24_000));
        // AAC-LC at 24 kHz, mono, with SBR announced behind it.
        let config = Config::read(&[0x13, 0x08, 0x56, 0xe5, 0x98]).unwrap();
        assert_eq!((config.object_type, config.is_he_aac, config.rate_hz), (LC, true, 24_000));
        // AAC-LC at 44.1 kHz, stereo: SBR cannot hide there.
        let config = Config::read(&[0x12, 0x10]).unwrap();
        assert_eq!((config.object_type, config.is_he_aac, config.channels), (LC, false, 2));
        assert_eq!(config.with_sbr(), None);
        assert_eq!(Config::read(&[0x12]), None);
    }

    #[test]
    fn the_lowest_rate_becomes_the_one_above() {
        let config = |rate_hz| Config::lc(rate_hz, 2).unwrap().write();
        assert_eq!(lowest(&config(7_350)), Some(config(8_000)));
        assert_eq!(lowest(&config(8_000)), None);
        assert_eq!(lowest(&[0x16]), None);
    }

    #[test]
    fn sbr_of_the_cores_rate_is_doubled() {
        // Announced first, 24 kHz, mono; fdk-aac's at 48 kHz, stereo; announced behind it.
        for (given, wanted) in [
            (&[0x2b, 0x0b, 0x08, 0x00][..], &[0x2b, 0x09, 0x88, 0x00][..]),
            (&[0x29, 0x91, 0x88, 0x00], &[0x29, 0x90, 0x08, 0x00]),
            (&[0x13, 0x08, 0x56, 0xe5, 0xb0], &[0x13, 0x08, 0x56, 0xe5, 0x98]),
        ] {
            assert!(is_downsampled(given, 0) && !is_downsampled(wanted, 0));
            assert_eq!(doubled(given, 0).unwrap(), wanted);
        }
        assert!(!is_downsampled(&[0x13, 0x08], 0));
        // 96 kHz, and a rate without an index.
        assert!(is_downsampled(&[0x28, 0x08, 0x08, 0x00], 0));
        assert_eq!(doubled(&[0x28, 0x08, 0x08, 0x00], 0), None);
        // In a frame of LATM, of version 0 and, with two numbers of a byte, 1.
        let frame = [0x56, 0xe0, 0x06, 0x20, 0x00, 0x29, 0x91, 0x88, 0x00];
        assert_eq!(place_in_latm(&frame), Some(40));
        assert_eq!(doubled(&frame, 40).unwrap(), [0x56, 0xe0, 0x06, 0x20, 0x00, 0x29, 0x90, 0x08, 0x00]);
        assert_eq!(place_in_latm(&[0x56, 0xe0, 0x08, 0x40, 0, 0, 0, 0, 0, 0, 0]), Some(61));
        assert_eq!(place_in_latm(&[0x56, 0xe0, 0x06, 0xa0, 0x00, 0x29, 0x91, 0x88, 0x00]), None);
        assert_eq!(place_in_latm(&[0xff, 0xf1, 0x50]), None);
    }

    #[test]
    fn headers_written_are_read() {
        for rate_hz in [24_000, 23_456] {
            let config = Config::lc(rate_hz, 1).unwrap();
            assert_eq!(Config::read(&config.write()), Some(config));
            let config = config.with_sbr().unwrap();
            assert_eq!(Config::read(&config.write()), Some(config));
        }
        assert_eq!(Config::lc(24_000, 1).unwrap().with_sbr().unwrap().write(), [0x2b, 0x09, 0x88, 0x00]);
        assert_eq!(Config::lc(48_000, 7), None);
    }
}
