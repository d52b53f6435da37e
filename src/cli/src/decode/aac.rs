//! AAC: LC and HE-AAC (with SBR, and parametric stereo), of up to eight channels, by syom.
//!
//! Packets come with a description beside them (MP4, Matroska), or say themselves what they are (ADTS, LATM). HE-AAC may
//! hide in what describes itself as AAC-LC at half the rate: the first packets tell.

use std::borrow::Cow;

use anyhow::{Error, Result};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::formats::FormatReader;
use syom::{AacError, Channel, DecodeOptions, Decoder, Frame};

use super::asc::{self, Config};
use super::halve::Halving;
use super::matroska::Packing;
use super::refusal;
use crate::decode::foreign::foreign;

/// Packets that are looked at for SBR: encoders repeat its description within half a second.
pub const N_LOOK: usize = 24;

/// The format of a decoded packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Channels.
    pub n_channels: usize,
    /// Samples per channel.
    pub n_samples: usize,
    /// Speaker positions as WAV has them, for more than one channel.
    pub channel_mask: Option<u32>,
}

/// Decodes the packets of one stream.
pub struct AacStream {
    decoder: Decoder,
    /// The description of the packets; `None`: they describe themselves.
    config: Option<Vec<u8>>,
    /// Whether it is of 7350 Hz, described to the decoder as of 8000 Hz.
    is_lowest: bool,
    /// Whether its SBR is of the core's rate, described to the decoder, which takes no such thing, as of twice that.
    is_downsampled: bool,
    /// For each channel of such a stream.
    halvings: Vec<Halving>,
    shape: Option<Shape>,
    /// Packets that were decoded, and sound ones of another rate or channels than those.
    n_good: usize,
    n_other: usize,
    /// Whether the last packet was of a kind that is not decoded, rather than damaged.
    is_unsupported: bool,
}

impl AacStream {
    /// Packets (raw data blocks) that an AudioSpecificConfig describes.
    ///
    /// # Errors
    /// It makes no sense, or is of a profile that is not decoded.
    pub fn described(config: &[u8], container: &str) -> Result<Self> {
        let lowest = asc::lowest(config);
        let is_lowest = lowest.is_some();
        let is_downsampled = asc::is_downsampled(config, 0);
        let given = match is_downsampled {
            true => asc::doubled(config, 0).ok_or_else(|| of_unusual_rate(container))?,
            false => lowest.unwrap_or_else(|| config.to_vec()),
        };
        let mut this = Self { config: Some(given.clone()), is_lowest, is_downsampled, ..Self::framed() };
        match foreign(|| this.decoder.set_asc(&given))? {
            Ok(()) => Ok(this),
            Err(_) if is_lowest => Err(refusal::codec(container, "AAC of an unusual kind at 7350 Hz")),
            Err(AacError::Unsupported(_)) => {
                let name =
                    Config::read(config).map_or("AAC of a kind that is not known here", Config::profile);
                Err(refusal::codec(container, name))
            }
            Err(_) => Err(refusal::damaged("has a description of its AAC that makes no sense")),
        }
    }

    /// Frames that describe themselves: ADTS and LATM (LOAS).
    pub fn framed() -> Self {
        let options = DecodeOptions::unbounded();
        Self {
            decoder: Decoder::new(options),
            config: None,
            is_lowest: false,
            is_downsampled: false,
            halvings: Vec::new(),
            shape: None,
            n_good: 0,
            n_other: 0,
            is_unsupported: false,
        }
    }

    /// The format of the last good packet.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    /// Whether the last packet was of a kind that is not decoded.
    pub fn is_unsupported(&self) -> bool {
        self.is_unsupported
    }

    /// Decodes a packet into `block`; false if it is damaged, or of another rate or other channels than those before.
    ///
    /// # Errors
    /// It breaks the decoder, or most packets are sound and of another rate: damage is not alike.
    pub fn decode(&mut self, data: &[u8], block: &mut Vec<Vec<f32>>) -> Result<bool> {
        block.iter_mut().for_each(Vec::clear);
        let data = self.given(data)?;
        let mut shape = None;
        let mut take = |frame: Frame<'_>| -> syom::Result<()> {
            let (mask, order) = order(&frame);
            block.resize_with(order.len(), Vec::new);
            for (channel, &from) in block.iter_mut().zip(&order) {
                channel.extend_from_slice(&frame.planar[from][..frame.samples]);
            }
            let now = (frame.sample_rate, order.len(), mask);
            if *shape.get_or_insert(now) == now { Ok(()) } else { Err(AacError::NotAac) }
        };
        let is_described = self.config.is_some();
        let result = foreign(|| match is_described {
            true => self.decoder.decode_au(&data, &mut take),
            false => self.decoder.feed(&data, &mut take).map(|_| ()),
        })?;
        self.is_unsupported = matches!(result, Err(AacError::Unsupported(_)));
        if let (Ok(()), Some((rate_hz, n_channels, channel_mask))) = (result, shape) {
            let rate_hz = if self.is_downsampled {
                self.halve(block, rate_hz)
            } else if self.is_lowest {
                rate_hz / 160 * 147
            } else {
                rate_hz
            };
            let n_samples = block.first().map_or(0, Vec::len);
            let now = Shape { rate_hz, n_channels, n_samples, channel_mask };
            let last = *self.shape.get_or_insert(now);
            if (last.rate_hz, last.n_channels) == (rate_hz, n_channels) && n_samples > 0 {
                self.n_good += 1;
                return Ok(true);
            }
            self.n_other += 1;
            if self.n_other >= N_LOOK && self.n_other > self.n_good && rate_hz == 2 * last.rate_hz {
                let what = "holds HE-AAC of an unusual kind (SBR that begins late), which Tacet does not";
                return Err(refusal::refused(format!("{what} decode;")));
            }
        }
        self.restart()?;
        Ok(false)
    }

    /// A packet as the decoder takes it: LATM states downsampled SBR within its frames.
    fn given<'a>(&mut self, data: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        if self.config.is_none()
            && let Some(place) = asc::place_in_latm(data)
        {
            self.is_downsampled = asc::is_downsampled(data, place);
            match asc::doubled(data, place).filter(|_| self.is_downsampled) {
                Some(data) => return Ok(Cow::Owned(data)),
                None if self.is_downsampled && self.shape.is_none() => return Err(of_unusual_rate("latm")),
                // Behind sound ones, one of such a rate is damaged.
                None => {}
            }
        }
        Ok(Cow::Borrowed(data))
    }

    /// Takes a block of downsampled SBR down to its own rate.
    fn halve(&mut self, block: &mut [Vec<f32>], rate_hz: u32) -> u32 {
        self.halvings.resize_with(block.len(), Halving::default);
        for (channel, halving) in block.iter_mut().zip(&mut self.halvings) {
            halving.apply(channel);
        }
        rate_hz / 2
    }

    /// Begins anew: a decoder that met an error does nothing else.
    fn restart(&mut self) -> Result<()> {
        foreign(|| {
            self.decoder.reset();
            if let Some(config) = &self.config {
                // Taken before.
                let _ = self.decoder.set_asc(config);
            }
        })
    }
}

/// The error for downsampled SBR that cannot be described as of twice the rate.
fn of_unusual_rate(container: &str) -> Error {
    refusal::codec(container, "HE-AAC with downsampled SBR at an unusual rate")
}

/// A frame's channels in WAV's order, and their positions; one that has none stays where it is.
fn order(frame: &Frame<'_>) -> (Option<u32>, Vec<usize>) {
    let n_channels = frame.planar.len();
    let bits: Option<Vec<u32>> = frame.meta.labels().map(position).collect();
    let is_distinct = |bits: &[u32]| {
        bits.len() == n_channels
            && bits.iter().fold(0, |mask, bit| mask | bit).count_ones() as usize == n_channels
    };
    let mut order: Vec<usize> = (0..n_channels).collect();
    match bits.filter(|bits| is_distinct(bits)) {
        Some(_) if n_channels == 1 => (None, order),
        Some(bits) => {
            order.sort_by_key(|&channel| bits[channel]);
            (Some(bits.iter().fold(0, |mask, bit| mask | bit)), order)
        }
        // One channel that became two: parametric stereo.
        None if n_channels == 2 => (Some(0x3), order),
        None => (None, order),
    }
}

/// A position's bit in WAVE_FORMAT_EXTENSIBLE.
fn position(channel: Channel) -> Option<u32> {
    Some(match channel {
        Channel::FrontLeft => 0x1,
        Channel::FrontRight => 0x2,
        Channel::FrontCenter => 0x4,
        Channel::Lfe => 0x8,
        Channel::BackLeft => 0x10,
        Channel::BackRight => 0x20,
        Channel::BackCenter => 0x100,
        Channel::SideLeft => 0x200,
        Channel::SideRight => 0x400,
        _ => return None,
    })
}

/// The description in a container, or one made of what the container says itself.
pub fn config(params: &AudioCodecParameters) -> Vec<u8> {
    let given = params.extra_data.as_deref().unwrap_or_default();
    if given.len() >= 2 {
        return given.to_vec();
    }
    let n_channels = params.channels.as_ref().map_or(0, |channels| channels.count());
    Config::lc(params.sample_rate.unwrap_or(0), n_channels as u32)
        .map(|config| config.write())
        .unwrap_or_default()
}

/// Whether SBR may be there without being said.
pub fn may_hide_sbr(params: &AudioCodecParameters) -> bool {
    Config::read(&config(params)).is_some_and(|config| config.with_sbr().is_some())
}

/// Looks for SBR in the first packets of a track whose description may leave it out; what describes them then.
///
/// # Errors
/// They break a reader.
pub fn find_sbr_in(
    reader: &mut dyn FormatReader,
    track_id: u32,
    params: &AudioCodecParameters,
    packing: &Packing,
) -> Result<Option<Vec<u8>>> {
    /// Packets of all tracks.
    const MAX_LOOK: usize = 2_000;
    let mut packets = Vec::new();
    for _ in 0..MAX_LOOK {
        match foreign(|| reader.next_packet())? {
            Ok(Some(packet)) if packet.track_id == track_id => {
                packets.push(packing.unpacked(&packet.data).into_owned());
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
        if packets.len() == N_LOOK {
            break;
        }
    }
    find_sbr(&config(params), packets.iter().map(|packet| &packet[..]))
}

/// Looks for SBR in the first packets of a stream whose description may leave it out; what describes them then.
///
/// # Errors
/// They break the decoder.
pub fn find_sbr<'a>(config: &[u8], packets: impl Iterator<Item = &'a [u8]>) -> Result<Option<Vec<u8>>> {
    let Some(hidden) = Config::read(config).and_then(Config::with_sbr) else { return Ok(None) };
    let Ok(mut stream) = AacStream::described(config, "") else { return Ok(None) };
    let mut block = Vec::new();
    for packet in packets.take(N_LOOK) {
        let is_good = stream.decode(packet, &mut block)?;
        // A rate that comes later than the first counts as another: no longer good.
        let is_double = stream.shape().is_some_and(|shape| shape.rate_hz == 2 * hidden.rate_hz);
        if is_double || !is_good && !block.is_empty() && block[0].len() > 1024 {
            return Ok(Some(hidden.write()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a tone under a moving level, as AAC.
    fn encoded(options: &syom::EncodeOptions, rate_hz: u32, n_channels: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let tone = |channel: usize| -> Vec<f32> {
            (0..rate_hz).map(|i| 0.4 * ((0.05 + 0.01 * channel as f32) * i as f32).sin()).collect()
        };
        let channels: Vec<Vec<f32>> = (0..n_channels).map(tone).collect();
        let channels: Vec<&[f32]> = channels.iter().map(|channel| &channel[..]).collect();
        let mut encoder = syom::Encoder::new(rate_hz, n_channels, options).unwrap();
        let config = encoder.asc().to_vec();
        let mut packets = Vec::new();
        let mut take = |frame: syom::EncodedFrame<'_>| {
            packets.push(frame.payload.to_vec());
            Ok(())
        };
        encoder.feed(&channels, &mut take).unwrap();
        encoder.finish(&mut take).unwrap();
        (config, packets)
    }

    #[test]
    fn the_whole_band_of_he_aac_is_decoded() {
        let (config, packets) = encoded(&syom::EncodeOptions::raw().with_he(true), 48_000, 1);
        let mut stream = AacStream::described(&config, "mp4").unwrap();
        let mut block = Vec::new();
        for packet in &packets {
            assert!(stream.decode(packet, &mut block).unwrap());
            assert_eq!(block[0].len(), 2048);
        }
        assert_eq!(stream.shape().unwrap().rate_hz, 48_000);
        // Described as what it is at half the rate.
        let core = Config::lc(24_000, 1).unwrap().write();
        let found = find_sbr(&core, packets.iter().map(|packet| &packet[..])).unwrap();
        assert!(Config::read(&found.unwrap()).unwrap().is_he_aac);
        let (config, packets) = encoded(&syom::EncodeOptions::raw(), 24_000, 1);
        assert_eq!(find_sbr(&config, packets.iter().map(|packet| &packet[..])).unwrap(), None);
    }

    /// The same packets, with SBR that is to have the core's rate: the lower half of the band, by a description beside them
    /// and in LATM.
    #[test]
    fn downsampled_sbr_has_the_rate_of_its_core() {
        let (config, packets) = encoded(&syom::EncodeOptions::raw().with_he(true), 48_000, 2);
        assert_eq!(config, [0x2b, 0x11, 0x88, 0x00]);
        let downsampled = [0x2b, 0x13, 0x08, 0x00];
        let decoded = |mut stream: AacStream, packets: &[Vec<u8>]| {
            let mut block = Vec::new();
            let decode = |packet: &Vec<u8>| {
                assert!(stream.decode(packet, &mut block).unwrap());
                block[1].clone()
            };
            let samples: Vec<f32> = packets.iter().flat_map(decode).collect();
            (stream.shape().unwrap(), samples)
        };
        let (_, full) = decoded(AacStream::described(&config, "mp4").unwrap(), &packets);
        let (shape, half) = decoded(AacStream::described(&downsampled, "mp4").unwrap(), &packets);
        let wanted = Shape { rate_hz: 24_000, n_channels: 2, n_samples: 1024, channel_mask: Some(0x3) };
        assert_eq!((shape, half.len()), (wanted, full.len() / 2));
        // The tone is at 0.06 rad a sample, which the filter is late by 1.3 of.
        let error = |i: usize| f64::from(half[i] - 0.7 * full[2 * i - 1] - 0.3 * full[2 * i - 2]).powi(2);
        let range = 8_000..half.len() - 4_000;
        let energy: f64 = range.clone().map(|i| f64::from(half[i]).powi(2)).sum();
        assert!(energy / range.len() as f64 > 0.05, "{energy}");
        assert!(range.map(error).sum::<f64>() < 1e-3 * energy);
        let framed: Vec<Vec<u8>> =
            packets.iter().map(|packet| syom::wrap_loas_au(packet, &downsampled).unwrap()).collect();
        assert_eq!(decoded(AacStream::framed(), &framed), (wanted, half));
        // 96 kHz.
        let highest = [0x28, 0x08, 0x08, 0x00];
        let is_named = |error: Error| error.to_string().contains("downsampled SBR");
        assert!(AacStream::described(&highest, "mp4").is_err_and(is_named));
        let other = syom::wrap_loas_au(&packets[0], &highest).unwrap();
        let (mut stream, mut block) = (AacStream::framed(), Vec::new());
        assert!(stream.decode(&other, &mut block).is_err_and(is_named));
        for (frame, is_good) in [(&framed[0], true), (&other, false), (&framed[0], true)] {
            assert_eq!(stream.decode(frame, &mut block).unwrap(), is_good);
        }
    }

    #[test]
    fn six_channels_come_in_their_order() {
        let (config, packets) = encoded(&syom::EncodeOptions::raw(), 48_000, 6);
        let mut stream = AacStream::described(&config, "mp4").unwrap();
        let mut block = Vec::new();
        assert!(stream.decode(&packets[0], &mut block).unwrap());
        assert_eq!(stream.shape().unwrap().channel_mask, Some(0x3f));
        assert_eq!(block.len(), 6);
    }

    /// The decoder has no tables for 7350 Hz, whose are those of 8000 Hz.
    #[test]
    fn the_lowest_rate_is_decoded() {
        let options = syom::EncodeOptions::raw().with_bitrate_bps(24_000);
        let (config, packets) = encoded(&options, 8_000, 1);
        let lowest = Config::lc(7_350, 1).unwrap().write();
        let decoded = |config: &[u8]| {
            let mut stream = AacStream::described(config, "mp4").unwrap();
            let mut block = Vec::new();
            let decode = |packet: &Vec<u8>| {
                assert!(stream.decode(packet, &mut block).unwrap());
                block[0].clone()
            };
            let samples: Vec<f32> = packets.iter().flat_map(decode).collect();
            (stream.shape().unwrap().rate_hz, samples)
        };
        let (rate_hz, samples) = decoded(&lowest);
        assert_eq!(rate_hz, 7_350);
        assert_eq!(samples, decoded(&config).1);
        let error = AacStream::described(&Config::lc(7_350, 1).unwrap().with_sbr().unwrap().write(), "mp4");
        assert!(error.err().unwrap().to_string().contains("7350 Hz"));
    }

    /// Packets of twice the rate, one like the other, are no damage.
    #[test]
    fn a_rate_that_doubles_for_good_is_named() {
        let (config, plain) = encoded(&syom::EncodeOptions::raw(), 24_000, 1);
        let (_, doubled) = encoded(&syom::EncodeOptions::raw().with_he(true), 48_000, 1);
        let mut stream = AacStream::described(&config, "mp4").unwrap();
        let mut block = Vec::new();
        assert!(stream.decode(&plain[0], &mut block).unwrap());
        let mut outcomes =
            doubled.iter().cycle().take(2 * N_LOOK).map(|packet| stream.decode(packet, &mut block));
        let n_before = outcomes.by_ref().take_while(Result::is_ok).count();
        assert!((N_LOOK - 1..N_LOOK + 2).contains(&n_before), "{n_before}");
    }

    #[test]
    fn damage_costs_its_packet() {
        let (config, packets) = encoded(&syom::EncodeOptions::raw(), 48_000, 2);
        let mut stream = AacStream::described(&config, "mp4").unwrap();
        let mut block = Vec::new();
        for (index, packet) in packets.iter().enumerate() {
            let is_damaged = index == 5;
            let data = if is_damaged { vec![0xff; 40] } else { packet.clone() };
            assert_eq!(stream.decode(&data, &mut block).unwrap(), !is_damaged, "{index}");
        }
        assert!(AacStream::described(&[0xff], "mp4").is_err());
        // xHE-AAC.
        let error = AacStream::described(&[0xf9, 0x48, 0x00, 0x00], "mp4").err().unwrap().to_string();
        assert!(error.contains("xHE-AAC") && error.contains("convert it first"), "{error}");
    }
}
