//! Opens an audio file or stream and decodes it block by block, with what the encoder added at its ends trimmed.
//!
//! Demuxing and decoding are symphonia's. On top of it: a format that is certain before the first block is handed
//! out, MP4's edit list (see [`edits`]), samples that are not finite replaced by silence, damaged packets replaced by
//! silence of the same length (so that the rest stays in place), and errors that name the next step. Runs on the
//! thread that denoises.

pub mod edits;

use std::fs::File;
use std::io::{self, ErrorKind, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use symphonia::core::audio::{Channels, GenericAudioBufferRef, Position};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions, well_known};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType, well_known as formats};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;
use symphonia::default::{get_codecs, get_probe};

use edits::Edit;

/// What can be read, for error texts and the help.
pub const SUPPORTED: &str = "WAV, FLAC, MP3, Ogg Vorbis, and AAC-LC in ADTS or M4A";

/// How the samples were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceDepth {
    /// Integers of this many bits, without loss.
    Int(u32),
    /// Floating point, 32 or 64 bits.
    Float(u32),
    /// A lossy codec: no depth of its own.
    Lossy,
}

/// What is known of a source before its samples are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// Container and codec, for people: "wav, pcm_s16le".
    pub name: String,
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Number of channels, at least 1.
    pub n_channels: usize,
    /// Speaker positions as in WAVE_FORMAT_EXTENSIBLE, where the source states them.
    pub channel_mask: Option<u32>,
    /// How the samples were stored.
    pub depth: SourceDepth,
    /// Samples per channel that the source announces, after trimming.
    pub n_samples: Option<u64>,
}

/// What went wrong without ending the decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blemishes {
    /// Samples that were NaN or infinite, now silent.
    pub n_not_finite: u64,
    /// Packets that could not be decoded, now silent.
    pub n_damaged_packets: u64,
    /// Samples per channel that were announced and did not come.
    pub n_missing: u64,
}

/// A source being decoded.
pub struct Decoder {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    format: Format,
    /// The last decoded block, one vector per channel.
    block: Vec<Vec<f32>>,
    /// Whether `block` was decoded ahead, by `open`, and not handed out yet.
    is_ahead: bool,
    /// Samples still to be dropped from the start, by the edit list.
    to_skip: u64,
    /// Samples still to be handed out, by the edit list.
    left: Option<u64>,
    n_decoded: u64,
    /// Whether fewer samples than announced mean a truncated file, not a rough estimate.
    is_length_exact: bool,
    blemishes: Blemishes,
}

impl Decoder {
    /// Opens a file.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or holds no audio that is supported.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            bail!("is a folder; name the files in it");
        }
        if metadata.is_file() && metadata.len() == 0 {
            bail!("is empty (0 bytes)");
        }
        let edits = if metadata.is_file() { edits::read(&mut file) } else { Vec::new() };
        if metadata.is_file() {
            file.seek(SeekFrom::Start(0))?;
        }
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
            hint.with_extension(extension);
        }
        Self::new(Box::new(file), &hint, &edits)
    }

    /// Opens standard input.
    ///
    /// # Errors
    /// As [`Decoder::open`]; also for files that must be read from their end (M4A with its index there).
    pub fn open_stdin() -> Result<Self> {
        Self::new(Box::new(ReadOnlySource::new(io::stdin())), &Hint::new(), &[])
    }

    fn new(source: Box<dyn MediaSource>, hint: &Hint, edits: &[Edit]) -> Result<Self> {
        let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        let reader = get_probe()
            .probe(hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| explain_probe(&error))?;
        let track = reader.default_track(TrackType::Audio).ok_or_else(|| anyhow!("holds no audio track"))?;
        let edit = edits.iter().find(|edit| edit.track_id == track.id).copied();
        let decoder = make_decoder(track)?;
        let container = reader.format_info();
        let params = decoder.codec_params();
        let depth = source_depth(params);
        let format = Format {
            name: format!("{}, {}", container.short_name, decoder.codec_info().short_name),
            rate_hz: 0,
            n_channels: 0,
            channel_mask: None,
            depth,
            n_samples: match edit {
                Some(edit) => edit.n_samples,
                None => track.num_frames,
            },
        };
        let is_length_exact = depth != SourceDepth::Lossy || container.format == formats::FORMAT_ID_ISOMP4;
        let mut this = Self {
            track_id: track.id,
            format,
            block: Vec::new(),
            is_ahead: false,
            to_skip: edit.map_or(0, |edit| edit.n_skip),
            left: edit.and_then(|edit| edit.n_samples),
            n_decoded: 0,
            is_length_exact,
            blemishes: Blemishes::default(),
            reader,
            decoder,
        };
        this.settle_format()?;
        Ok(this)
    }

    /// Decodes the first block, which alone knows rate and channels for certain (AAC and MP3 state them per packet).
    fn settle_format(&mut self) -> Result<()> {
        if self.decode_packet()? {
            let spec = self.decoder.last_decoded().spec().clone();
            self.format.rate_hz = spec.rate();
            self.format.n_channels = spec.channels().count();
            self.format.channel_mask = wave_mask(spec.channels());
            self.is_ahead = true;
        } else {
            // No packet at all: a file of no samples, if it says so itself.
            if self.blemishes.n_damaged_packets > 0 {
                bail!(
                    "none of its {} packets can be decoded: the file is damaged",
                    self.blemishes.n_damaged_packets
                );
            }
            let params = self.decoder.codec_params();
            let channels = params.channels.clone().unwrap_or_default();
            self.format.rate_hz = params.sample_rate.unwrap_or(0);
            self.format.n_channels = channels.count();
            self.format.channel_mask = wave_mask(&channels);
        }
        if self.format.rate_hz == 0 || self.format.n_channels == 0 {
            bail!("states neither sample rate nor channels and holds no samples");
        }
        if self.format.n_channels > MAX_CHANNELS {
            bail!("has {} channels; at most {MAX_CHANNELS} can be denoised", self.format.n_channels);
        }
        Ok(())
    }

    /// What is known of the source.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Samples per channel that will come, where the source is exact about it (an MP3 without a header is not).
    pub fn exact_length(&self) -> Option<u64> {
        self.format.n_samples.filter(|_| self.is_length_exact)
    }

    /// What went wrong so far; complete after the last block.
    pub fn blemishes(&self) -> Blemishes {
        let announced = self.exact_length().unwrap_or(0);
        Blemishes { n_missing: announced.saturating_sub(self.n_decoded), ..self.blemishes }
    }

    /// The next block, one vector per channel, all of one length of at least 1; `None` at the end.
    ///
    /// # Errors
    /// The source cannot be read any more, or changes its rate or channels on the way.
    pub fn next_block(&mut self) -> Result<Option<&[Vec<f32>]>> {
        loop {
            if !std::mem::take(&mut self.is_ahead) && (self.left == Some(0) || !self.decode_packet()?) {
                return Ok(None);
            }
            self.trim();
            if self.block[0].is_empty() {
                continue;
            }
            self.n_decoded += self.block[0].len() as u64;
            for sample in self.block.iter_mut().flatten().filter(|sample| !sample.is_finite()) {
                *sample = 0.0;
                self.blemishes.n_not_finite += 1;
            }
            return Ok(Some(&self.block));
        }
    }

    /// Applies the edit list to `block`.
    fn trim(&mut self) {
        let n_samples = self.block[0].len() as u64;
        let skip = self.to_skip.min(n_samples);
        self.to_skip -= skip;
        let keep = self.left.unwrap_or(u64::MAX).min(n_samples - skip);
        self.left = self.left.map(|left| left - keep);
        for channel in &mut self.block {
            channel.truncate((skip + keep) as usize);
            channel.drain(..skip as usize);
        }
    }

    /// Decodes the next packet of the track into `block`; false at the end of the source.
    fn decode_packet(&mut self) -> Result<bool> {
        loop {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                // A file cut off in the middle of a packet: its last whole packet was the end.
                Err(SymphoniaError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(false);
                }
                Err(SymphoniaError::ResetRequired) => {
                    // A chained Ogg stream: the next link begins.
                    let track = self
                        .reader
                        .default_track(TrackType::Audio)
                        .ok_or_else(|| anyhow!("lost its track"))?;
                    self.track_id = track.id;
                    self.decoder = make_decoder(track)?;
                    continue;
                }
                Err(error) => return Err(anyhow!(error).context("cannot be read further")),
            };
            if packet.track_id != self.track_id {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(buffer) if buffer.frames() == 0 => {}
                Ok(buffer) => {
                    check_unchanged(&self.format, &buffer)?;
                    buffer.copy_to_vecs_planar(&mut self.block);
                    return Ok(true);
                }
                Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                    self.blemishes.n_damaged_packets += 1;
                    // Before the first good packet nothing is known that could stand in its place.
                    if !self.block.is_empty() {
                        let n_samples = usize::try_from(packet.dur.get()).unwrap_or(0).min(MAX_PATCH);
                        self.block.iter_mut().for_each(|channel| {
                            channel.clear();
                            channel.resize(n_samples, 0.0);
                        });
                        return Ok(true);
                    }
                }
                Err(error) => return Err(anyhow!(error).context("cannot be decoded further")),
            }
        }
    }
}

/// More channels than any recording has: a limit for the memory that a broken header can ask for.
const MAX_CHANNELS: usize = 64;
/// The longest packet that silence stands in for, in samples: FLAC's largest block.
const MAX_PATCH: usize = 65_535;

fn check_unchanged(format: &Format, buffer: &GenericAudioBufferRef<'_>) -> Result<()> {
    let (rate_hz, n_channels) = (buffer.spec().rate(), buffer.spec().channels().count());
    let is_first = format.rate_hz == 0;
    if !is_first && (rate_hz, n_channels) != (format.rate_hz, format.n_channels) {
        bail!(
            "changes from {} Hz, {} channels to {rate_hz} Hz, {n_channels} channels on the way; split it there first",
            format.rate_hz,
            format.n_channels
        );
    }
    Ok(())
}

fn make_decoder(track: &Track) -> Result<Box<dyn AudioDecoder>> {
    let Some(CodecParameters::Audio(params)) = &track.codec_params else {
        bail!("holds audio in a codec that is not supported (supported: {SUPPORTED}); convert it first");
    };
    get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default()).map_err(|error| match error {
        SymphoniaError::Unsupported(what) if params.codec == well_known::CODEC_ID_OPUS => {
            anyhow!("holds Opus, which is not supported ({what}); convert it first, for example to FLAC")
        }
        SymphoniaError::Unsupported(what) => {
            anyhow!("is not supported ({what}; supported: {SUPPORTED}); convert it first")
        }
        error => anyhow!(error).context("cannot be decoded"),
    })
}

fn source_depth(params: &symphonia::core::codecs::audio::AudioCodecParameters) -> SourceDepth {
    use well_known::*;
    match params.codec {
        CODEC_ID_PCM_F32LE | CODEC_ID_PCM_F32BE => SourceDepth::Float(32),
        CODEC_ID_PCM_F64LE | CODEC_ID_PCM_F64BE => SourceDepth::Float(64),
        CODEC_ID_PCM_U8 | CODEC_ID_PCM_S8 => SourceDepth::Int(8),
        // Companded to 8 bits; 16 hold all their values.
        CODEC_ID_PCM_ALAW | CODEC_ID_PCM_MULAW => SourceDepth::Int(16),
        CODEC_ID_FLAC => SourceDepth::Int(params.bits_per_sample.unwrap_or(24)),
        _ => match params.bits_per_sample {
            Some(bits) if is_pcm(params.codec) => SourceDepth::Int(bits),
            _ => SourceDepth::Lossy,
        },
    }
}

fn is_pcm(codec: symphonia::core::codecs::audio::AudioCodecId) -> bool {
    use well_known::*;
    (CODEC_ID_PCM_S32LE..=CODEC_ID_PCM_F64BE_PLANAR).contains(&codec)
}

/// The channels as a WAVE_FORMAT_EXTENSIBLE mask; `None` where the source names no positions it could express.
fn wave_mask(channels: &Channels) -> Option<u32> {
    /// The 18 positions that WAVE knows.
    const STANDARD: u64 = (1 << 18) - 1;
    match channels {
        // What symphonia takes a plain mono WAV for.
        Channels::Positioned(Position::FRONT_LEFT) => None,
        Channels::Positioned(positions) if positions.bits() & !STANDARD == 0 => Some(positions.bits() as u32),
        _ => None,
    }
}

/// A probe's error as a sentence with the next step; the file's name comes from the caller.
fn explain_probe(error: &SymphoniaError) -> anyhow::Error {
    match error {
        SymphoniaError::Unsupported("isomp4: missing moov atom") => {
            anyhow!(
                "is an MP4 whose index is missing, or stands at its end and the input cannot be rewound; pass a file"
            )
        }
        SymphoniaError::IoError(error) if error.kind() != ErrorKind::UnexpectedEof => {
            anyhow!("cannot be read: {error}")
        }
        error => anyhow!("is no audio that is supported ({SUPPORTED}): {error}"),
    }
}

/// Decodes a whole source into memory: one vector per channel, and its format.
///
/// # Errors
/// As [`Decoder::open`] and [`Decoder::next_block`].
pub fn decode_all(path: &Path) -> Result<(Format, Vec<Vec<f32>>)> {
    let mut decoder = Decoder::open(path).with_context(|| path.display().to_string())?;
    let mut channels = vec![Vec::new(); decoder.format().n_channels];
    while let Some(block) = decoder.next_block().with_context(|| path.display().to_string())? {
        for (all, block) in channels.iter_mut().zip(block) {
            all.extend_from_slice(block);
        }
    }
    Ok((decoder.format().clone(), channels))
}
