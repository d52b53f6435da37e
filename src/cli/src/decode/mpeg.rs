//! MP3, MP2 and AAC in ADTS: streams of frames without a table of contents.
//!
//! symphonia's readers believe the first frames: the count in a Xing header, or an estimate by the first bit rate. Here all
//! frames are counted before the first is decoded, so that the length is exact, files joined end to end are read to the
//! last, and a change of rate or channels is known. Each part that begins with an encoder's header (Xing, LAME) is trimmed
//! by its own delay and padding.

use anyhow::{Result, anyhow, bail};
use symphonia::core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::conform::Conform;
use super::frames::{Family, Frames, Header};
use super::input::Input;
use super::metadata::Metadata;
use super::refusal;
use super::sbr::SbrMeter;
use super::{Findings, Format, Source, SourceDepth};
use crate::panics::foreign;
use crate::resample::n_resampled;

/// Samples by which any layer 3 decoder is late (Xing's headers count the encoder's delay only).
const DECODER_DELAY: u64 = 529;
/// More parts than anyone joins: a limit for damaged files.
const MAX_PARTS: usize = 100_000;

/// A run of frames for one decoder.
#[derive(Clone, Copy, Debug)]
struct Part {
    header: Header,
    n_frames: u64,
    /// Samples to drop at the start and at the end, where the encoder says so.
    trim: (u64, u64),
    /// Frames that its encoder's header counts.
    announced: Option<u64>,
}

impl Part {
    /// Samples per channel at its own rate, after trimming.
    fn n_samples(&self) -> u64 {
        let n_decoded = self.n_frames * self.header.n_samples;
        n_decoded.saturating_sub(self.trim.0).saturating_sub(self.n_trim_end())
    }

    /// Padding is at the end that the encoder counted to; further frames have none.
    fn n_trim_end(&self) -> u64 {
        if self.announced.is_none_or(|announced| announced == self.n_frames) { self.trim.1 } else { 0 }
    }
}

/// A stream of frames.
pub struct MpegSource {
    frames: Frames,
    n_foreign: u64,
    format: Format,
    parts: Vec<Part>,
    /// The part that is decoded, and what is left of it.
    part_idx: usize,
    frames_left: u64,
    to_skip: u64,
    to_keep: u64,
    decoder: Option<Box<dyn AudioDecoder>>,
    conform: Conform,
    frame: Vec<u8>,
    /// Frames of this part that were decoded or given up.
    n_frames: u64,
    n_damaged_samples: u64,
    sbr: SbrMeter,
    metadata: Metadata,
}

impl MpegSource {
    /// The frames in the bytes of a file from `start` to `end`; `None` if there are none.
    ///
    /// # Errors
    /// The file cannot be read, or its codec is not supported.
    pub fn open(
        input: Input,
        start: u64,
        end: u64,
        container: Option<&str>,
        metadata: Metadata,
    ) -> Result<Option<Self>> {
        let mut frames = Frames::new(input, start, end)?;
        let parts = scan(&mut frames)?;
        let Some(first) = parts.first() else { return Ok(None) };
        let codec = match first.header.family {
            Family::Layer(layer) => format!("mp{layer}"),
            Family::Adts(_) => "aac".to_owned(),
        };
        for part in &parts {
            check_supported(&part.header)?;
        }
        let rate_hz = first.header.rate_hz;
        let n_channels = parts.iter().map(|part| part.header.n_channels).max().unwrap_or(1);
        let n_samples =
            parts.iter().map(|part| n_resampled(part.n_samples(), part.header.rate_hz, rate_hz)).sum();
        let container = container
            .map_or_else(|| if codec == "aac" { "adts".to_owned() } else { codec.clone() }, str::to_owned);
        let format = Format {
            name: format!("{container}, {codec}"),
            rate_hz,
            n_channels,
            channel_mask: None,
            depth: SourceDepth::Lossy,
            n_samples: Some(n_samples),
        };
        let n_foreign = frames.n_foreign();
        frames.rewind(start)?;
        Ok(Some(Self {
            frames,
            n_foreign,
            format,
            part_idx: 0,
            frames_left: first.n_frames,
            to_skip: first.trim.0,
            to_keep: first.n_samples(),
            parts,
            decoder: None,
            conform: Conform::new(rate_hz, n_channels),
            frame: Vec::new(),
            n_frames: 0,
            n_damaged_samples: 0,
            sbr: SbrMeter::default(),
            metadata,
        }))
    }

    /// Bytes that belong to no frame.
    pub fn n_foreign(&self) -> u64 {
        self.n_foreign
    }

    /// Decodes a frame into `block`; silence of its length where it cannot be.
    fn decode(&mut self, header: &Header, block: &mut Vec<Vec<f32>>) -> Result<()> {
        if self.decoder.is_none() {
            self.decoder = Some(make_decoder(header)?);
        }
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let content = match header.family {
            Family::Layer(_) => &self.frame[..],
            Family::Adts(_) => &self.frame[header.header_len..],
        };
        if let Family::Adts(_) = header.family {
            self.sbr.add(content);
        }
        let packet = Packet::new(0, Timestamp::ZERO, Duration::new(header.n_samples), content);
        let is_good = foreign(|| match decoder.decode(&packet) {
            Ok(buffer) if buffer.frames() as u64 <= header.n_samples && buffer.frames() > 0 => {
                buffer.copy_to_vecs_planar(block);
                true
            }
            _ => false,
        })?;
        block.resize_with(header.n_channels, Vec::new);
        for channel in block.iter_mut() {
            if !is_good {
                channel.clear();
            }
            channel.resize(header.n_samples as usize, 0.0);
        }
        // The first frames of a piece cut out of a stream lean on what was before it.
        if !is_good && self.n_frames > 2 {
            self.n_damaged_samples += header.n_samples;
        }
        self.n_frames += 1;
        Ok(())
    }

    fn begin_part(&mut self) {
        self.part_idx += 1;
        if let Some(part) = self.parts.get(self.part_idx) {
            (self.frames_left, self.to_skip, self.to_keep) = (part.n_frames, part.trim.0, part.n_samples());
        }
        self.decoder = None;
        self.n_frames = 0;
    }
}

impl Source for MpegSource {
    fn format(&self) -> &Format {
        &self.format
    }

    fn exact_length(&self) -> Option<u64> {
        self.format.n_samples
    }

    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        while self.part_idx < self.parts.len() {
            if self.frames_left == 0 {
                self.begin_part();
                if self.conform.end_part(block)? {
                    return Ok(true);
                }
                continue;
            }
            let Some(header) = self.frames.next(&mut self.frame)? else {
                // The file became shorter since it was counted.
                self.frames_left = 0;
                self.part_idx = self.parts.len();
                return Ok(false);
            };
            if is_encoder_header(&header, &self.frame) {
                continue;
            }
            self.frames_left -= 1;
            self.decode(&header, block)?;
            let n_samples = block[0].len() as u64;
            let skip = self.to_skip.min(n_samples);
            self.to_skip -= skip;
            let keep = self.to_keep.min(n_samples - skip);
            self.to_keep -= keep;
            for channel in block.iter_mut() {
                channel.truncate((skip + keep) as usize);
                channel.drain(..skip as usize);
            }
            self.conform.block(header.rate_hz, block)?;
            if !block[0].is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn findings(&self) -> Findings {
        let mut notes = Vec::new();
        let rate_hz = self.format.rate_hz;
        let n_missing = self.parts.iter().map(|part| {
            let n_frames = part.announced.unwrap_or(0).saturating_sub(part.n_frames);
            n_resampled(n_frames * part.header.n_samples, part.header.rate_hz, rate_hz)
        });
        let first = &self.parts[0].header;
        let changes = |f: fn(&Header) -> usize| self.parts.iter().any(|part| f(&part.header) != f(first));
        if changes(|header| header.rate_hz as usize) {
            notes
                .push(format!("its sample rate changes on the way: all of it was converted to {rate_hz} Hz"));
        }
        if changes(|header| header.n_channels) {
            let n_channels = self.format.n_channels;
            notes.push(format!("its number of channels changes on the way: all of it has {n_channels} now"));
        }
        let n_foreign = self.n_foreign;
        if n_foreign > 0 {
            notes.push(format!("{n_foreign} bytes in it are no sound and were passed over"));
        }
        if self.sbr.is_present() {
            notes.push(super::sbr::lost_band(rate_hz));
        }
        Findings {
            n_missing: n_missing.sum(),
            n_damaged_samples: self.n_damaged_samples,
            notes,
            n_gap_samples: 0,
        }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// Counts all frames.
fn scan(frames: &mut Frames) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut frame = Vec::new();
    // A header frame begins a part of which nothing was decoded yet.
    let mut is_begun = false;
    while let Some(header) = frames.next(&mut frame)? {
        let info = EncoderInfo::read(&header, &frame);
        let is_new = parts.last().is_none_or(|part| !part.header.is_like(&header)) && !is_begun;
        if is_new || info.is_some() {
            if parts.len() == MAX_PARTS {
                bail!("changes its format more than {MAX_PARTS} times: it is damaged");
            }
            let info = info.unwrap_or_default();
            parts.push(Part { header, n_frames: 0, trim: info.trim, announced: info.n_frames });
            is_begun = info.is_header;
        }
        let Some(part) = parts.last_mut() else { continue };
        if EncoderInfo::read(&header, &frame).is_none() {
            // Encoders write their header as a frame of any number of channels.
            if is_begun {
                part.header = header;
                is_begun = false;
            }
            part.n_frames += 1;
        }
    }
    parts.retain(|part| part.n_frames > 0);
    Ok(parts)
}

fn is_encoder_header(header: &Header, frame: &[u8]) -> bool {
    EncoderInfo::read(header, frame).is_some()
}

/// An encoder's header frame (Xing, with LAME's extension, or VBRI).
#[derive(Clone, Copy, Debug, Default)]
struct EncoderInfo {
    is_header: bool,
    n_frames: Option<u64>,
    trim: (u64, u64),
}

impl EncoderInfo {
    fn read(header: &Header, frame: &[u8]) -> Option<Self> {
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
            return Some(Self { is_header: true, n_frames, trim: (0, 0) });
        }
        let at = 4 + n_side;
        if !matches!(frame.get(at..at + 4), Some(b"Xing" | b"Info")) {
            return None;
        }
        let flags = long(at + 4)?;
        let mut next = at + 8;
        let mut n_frames = None;
        if flags & 1 != 0 {
            // 0: never written.
            n_frames = long(next).filter(|&n| n > 0).map(u64::from);
            next += 4;
        }
        next += if flags & 2 != 0 { 4 } else { 0 } + if flags & 4 != 0 { 100 } else { 0 };
        next += if flags & 8 != 0 { 4 } else { 0 };
        // Encoder's name, nine bytes; its delay and padding are twelve bits each, 21 bytes in.
        let is_named = frame.get(next).is_some_and(|byte| byte.is_ascii_alphanumeric());
        let trim = match frame.get(next + 21..next + 24) {
            Some(&[a, b, c]) if is_named => {
                let (delay, padding) =
                    (u64::from(a) << 4 | u64::from(b >> 4), u64::from(b & 15) << 8 | u64::from(c));
                (delay + DECODER_DELAY, padding.saturating_sub(DECODER_DELAY))
            }
            _ => (0, 0),
        };
        Some(Self { is_header: true, n_frames, trim })
    }
}

fn check_supported(header: &Header) -> Result<()> {
    let name = match header.family {
        Family::Layer(_) => return Ok(()),
        Family::Adts(2) if (1..=2).contains(&header.n_channels) && header.n_samples == 1024 => return Ok(()),
        Family::Adts(2) if header.n_samples != 1024 => "AAC with several blocks in a frame".to_owned(),
        Family::Adts(2) if header.n_channels == 0 => "AAC with channels of its own order".to_owned(),
        Family::Adts(2) => format!("AAC with {} channels", header.n_channels),
        Family::Adts(1) => "AAC Main".to_owned(),
        Family::Adts(3) => "AAC-SSR".to_owned(),
        Family::Adts(_) => "AAC-LTP".to_owned(),
    };
    Err(refusal::codec("adts", &name))
}

fn make_decoder(header: &Header) -> Result<Box<dyn AudioDecoder>> {
    let id = match header.family {
        Family::Layer(1) => CODEC_ID_MP1,
        Family::Layer(2) => CODEC_ID_MP2,
        Family::Layer(_) => CODEC_ID_MP3,
        Family::Adts(_) => CODEC_ID_AAC,
    };
    let channels = if header.n_channels == 1 { CHANNEL_LAYOUT_MONO } else { CHANNEL_LAYOUT_STEREO };
    let mut params = AudioCodecParameters::new();
    params.for_codec(id).with_sample_rate(header.rate_hz).with_channels(channels);
    foreign(|| symphonia::default::get_codecs().make_audio_decoder(&params, &AudioDecoderOptions::default()))?
        .map_err(|error| anyhow!(error).context("cannot be decoded"))
}
