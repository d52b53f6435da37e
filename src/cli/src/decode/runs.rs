//! Counts the frames of an MPEG stream, run by run: a run has one format and one encoder, and a decoder of its own.

use anyhow::Result;

use super::aac::{AacStream, N_LOOK};
use super::asc::Config;
use super::frames::{Family, Frames, Header, is_wide_mono};
use super::refusal;
use super::xing::{EncoderInfo, usual_delay};

/// More runs than anyone joins: a limit for damaged files.
const MAX_RUNS: usize = 100_000;

/// Most holes in a run that are kept in time.
const MAX_HOLES: usize = 10_000;

/// Frames at the end of a run that can be decoded anew: MP3's lean on up to 511 bytes before.
pub const N_LAST: usize = 24;

/// A hole longer than this is a count that makes no sense, in seconds.
const MAX_GAP_S: u64 = 600;

/// More frames than are ever missing: a year's.
const MAX_MISSING: u64 = 1_200_000_000;

/// A run of frames for one decoder.
#[derive(Clone, Debug)]
pub struct Run {
    /// The header of its frames.
    pub header: Header,
    /// Its start in the file.
    at: u64,
    /// Frames of sound.
    pub n_frames: u64,
    /// Samples that they announce, at the rate of their headers.
    n_announced: u64,
    /// Samples to drop at the start and at the end.
    trim: (u64, u64),
    /// Whether those at the start are what is usual, rather than stated.
    is_usual: bool,
    /// Whether its encoder states both.
    is_stated: bool,
    /// Samples at the end that are silence of the encoder's, where it does not state any.
    n_padding: u64,
    /// Places of its last frames, by their number.
    last: [u64; N_LAST],
    /// Frames that its encoder's header counts.
    counted: Option<u64>,
    /// Bytes that it states, and those that there are, its own included.
    stated_bytes: Option<u64>,
    n_bytes: u64,
    /// Holes: the frames before each, and the bytes in it that are no frames.
    holes: Vec<(u64, u64)>,
    /// Of these, those whose length is known: the frames before each, and the frames that are missing there.
    pub gaps: Vec<(u64, u64)>,
    /// Sample rate and channels of what is decoded.
    pub rate_hz: u32,
    /// Channels of what is decoded.
    pub n_channels: usize,
    /// Speaker positions, where they are known.
    pub channel_mask: Option<u32>,
    /// For AAC, what describes its frames; `None`: they do so themselves.
    config: Option<Vec<u8>>,
    /// Samples that a frame of LATM makes.
    n_latm: u64,
}

impl Run {
    fn new(header: Header, at: u64, info: Option<EncoderInfo>) -> Self {
        let info = info.unwrap_or_default();
        Self {
            header,
            at,
            n_frames: 0,
            n_announced: 0,
            trim: info.trim.unwrap_or_default(),
            is_usual: false,
            is_stated: info.trim.is_some(),
            n_padding: 0,
            last: [0; N_LAST],
            counted: info.n_frames,
            stated_bytes: info.n_bytes,
            n_bytes: 0,
            holes: Vec::new(),
            gaps: Vec::new(),
            rate_hz: header.rate_hz,
            n_channels: header.n_channels,
            channel_mask: None,
            config: None,
            n_latm: 0,
        }
    }

    /// Samples per channel that a frame makes.
    pub fn frame_samples(&self, header: &Header) -> u64 {
        match header.family {
            Family::Layer(_) => header.n_samples,
            Family::Adts(_) => header.n_samples * self.factor(),
            Family::Latm => self.n_latm,
        }
    }

    /// How many times the rate of what is decoded is that of the headers: 2 for HE-AAC.
    fn factor(&self) -> u64 {
        match self.header.family {
            Family::Latm => self.n_latm / 1024,
            _ => u64::from(self.rate_hz / self.header.rate_hz.max(1)),
        }
        .max(1)
    }

    /// Samples at the start that are no sound.
    pub fn n_trim_start(&self) -> u64 {
        self.trim.0
    }

    /// Whether these are what is usual, rather than stated.
    pub fn is_delay_usual(&self) -> bool {
        self.is_usual
    }

    /// Its place in the file.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The place of its last frames in the file, and how many they are.
    pub fn last_frames(&self) -> Option<(u64, u64)> {
        let n_frames = self.n_frames.min(N_LAST as u64);
        (n_frames > 0).then(|| (self.last[((self.n_frames - n_frames) % N_LAST as u64) as usize], n_frames))
    }

    /// Whether its encoder states what it added at the end.
    pub fn is_end_stated(&self) -> bool {
        self.is_stated && self.is_all_counted()
    }

    /// Another delay than the usual one.
    pub fn set_delay(&mut self, n_samples: u64) {
        self.trim.0 = n_samples;
    }

    /// Silence at the end that the encoder does not state.
    pub fn set_padding(&mut self, n_samples: u64) {
        self.n_padding = n_samples;
    }

    /// Samples per channel, after trimming.
    pub fn n_samples(&self) -> u64 {
        let n_decoded = match self.header.family {
            Family::Layer(_) | Family::Adts(_) => self.n_announced * self.factor(),
            Family::Latm => self.n_frames * self.n_latm,
        } + self.n_gap_frames() * self.frame_samples(&self.header);
        n_decoded.saturating_sub(self.trim.0).saturating_sub(self.n_trim_end().max(self.n_padding))
    }

    /// Samples that its encoder counted and that are missing nobody knows where.
    pub fn n_missing(&self) -> u64 {
        (self.n_missing_frames() - self.n_gap_frames()) * self.frame_samples(&self.header)
    }

    /// Frames that its encoder counted and that are not there. A count is wrong where all bytes are there that the encoder
    /// states beside it.
    fn n_missing_frames(&self) -> u64 {
        let is_whole = self.stated_bytes.is_some_and(|stated| stated <= self.n_bytes);
        let n_frames = self.counted.filter(|_| !is_whole).unwrap_or(0).saturating_sub(self.n_frames);
        // A placeholder.
        if n_frames > MAX_MISSING { 0 } else { n_frames }
    }

    fn n_gap_frames(&self) -> u64 {
        self.gaps.iter().map(|&(_, n_frames)| n_frames).sum()
    }

    /// Positions of holes of unknown length, in samples per channel at the rate of the decoded sound.
    pub fn unknown_holes(&self) -> impl Iterator<Item = u64> {
        let holes = if self.gaps.is_empty() { &self.holes[..] } else { &[] };
        holes.iter().map(|&(at, _)| (at * self.frame_samples(&self.header)).saturating_sub(self.trim.0))
    }

    /// Gives the frames that are missing to the holes, each in proportion to its bytes, unless the end is missing as well or
    /// the count does not fit the bytes.
    fn place_gaps(&mut self, is_cut: bool) {
        let n_missing = self.n_missing_frames();
        let n_bytes: u64 = self.holes.iter().map(|&(_, n_bytes)| n_bytes).sum();
        let missing_bytes = self.stated_bytes.map_or(n_bytes, |stated| stated.saturating_sub(self.n_bytes));
        let n_likely = missing_bytes * self.n_frames / self.n_bytes.max(1);
        let is_likely = (n_likely / 2..=2 * n_likely + 8).contains(&n_missing)
            && n_missing * self.header.n_samples <= MAX_GAP_S * u64::from(self.header.rate_hz);
        if is_cut || n_missing == 0 || n_bytes == 0 || !is_likely {
            return;
        }
        let share = |n: u64| (u128::from(n_missing) * u128::from(n) / u128::from(n_bytes)) as u64;
        let mut passed = 0;
        for &(at, n_bytes) in &self.holes {
            let before = share(passed);
            passed += n_bytes;
            self.gaps.push((at, share(passed) - before));
        }
    }

    /// Padding is at the end that the encoder counted to; further frames have none.
    fn n_trim_end(&self) -> u64 {
        if self.is_all_counted() { self.trim.1 } else { 0 }
    }

    fn is_all_counted(&self) -> bool {
        let n_frames = self.n_frames + self.n_gap_frames();
        self.counted.is_none_or(|counted| counted == n_frames)
    }

    /// A decoder for its frames, if they are AAC.
    ///
    /// # Errors
    /// Its profile is not decoded.
    pub fn aac_stream(&self, container: &str) -> Result<Option<AacStream>> {
        match (self.header.family, &self.config) {
            (Family::Layer(_), _) => Ok(None),
            (_, Some(config)) => AacStream::described(config, container).map(Some),
            (_, None) => Ok(Some(AacStream::framed())),
        }
    }

    /// The part of a frame that its decoder takes.
    pub fn content<'a>(&self, header: &Header, frame: &'a [u8]) -> &'a [u8] {
        if self.config.is_some() { &frame[header.header_len..] } else { frame }
    }

    /// Decodes the first frames of AAC: what comes out of it is not what its headers say.
    fn look(&mut self, frames: &mut Frames, container: &str) -> Result<()> {
        let profile = match self.header.family {
            Family::Layer(2) => {
                let mut frame = Vec::new();
                frames.rewind(self.at)?;
                return match frames.next(&mut frame)? {
                    Some(_) if is_wide_mono(&frame) => Err(refusal::codec("mp2", refusal::WIDE_MONO)),
                    _ => Ok(()),
                };
            }
            Family::Layer(_) => return Ok(()),
            Family::Adts(profile) => {
                Config::of_adts(profile.into(), self.header.rate_hz, self.header.n_channels)
            }
            Family::Latm => None,
        };
        // Several blocks in a frame, or channels of their own order: by its own header.
        let is_described = self.n_announced == self.n_frames * 1024;
        self.config = profile.filter(|_| is_described).map(Config::write);
        frames.rewind(self.at)?;
        let mut packets = Vec::new();
        let mut frame = Vec::new();
        while packets.len() < N_LOOK.min(usize::try_from(self.n_frames).unwrap_or(N_LOOK))
            && let Some(header) = frames.next(&mut frame)?
        {
            packets.push(self.content(&header, &frame).to_vec());
        }
        if let Some(config) = &self.config
            && let Some(with_sbr) = super::aac::find_sbr(config, packets.iter().map(|packet| &packet[..]))?
        {
            self.config = Some(with_sbr);
        }
        let Some(mut stream) = self.aac_stream(container)? else { return Ok(()) };
        let mut block = Vec::new();
        let mut is_unsupported = false;
        for packet in &packets {
            stream.decode(packet, &mut block)?;
            is_unsupported |= stream.is_unsupported();
        }
        match stream.shape() {
            Some(shape) => {
                (self.rate_hz, self.n_channels) = (shape.rate_hz, shape.n_channels);
                self.channel_mask = shape.channel_mask;
                self.n_latm = shape.n_samples as u64;
            }
            None if is_unsupported => {
                let name = profile.map_or("AAC of a kind that is not known here", Config::profile);
                return Err(refusal::codec(container, name));
            }
            // Nothing that says what it is: by chance it looks like frames.
            None if self.rate_hz == 0 || self.n_channels == 0 => self.n_frames = 0,
            None => {}
        }
        Ok(())
    }
}

/// Counts all frames, and looks at what the first of every run are; with them, the bytes that belong to none.
///
/// # Errors
/// The file cannot be read, or its codec is not supported.
pub fn scan(frames: &mut Frames) -> Result<(Vec<Run>, u64)> {
    let mut runs: Vec<Run> = Vec::new();
    let mut frame = Vec::new();
    // An encoder's header begins a run of which nothing was decoded yet.
    let mut is_begun = false;
    let mut n_foreign = 0;
    while let Some(header) = frames.next(&mut frame)? {
        let at = frames.at() - header.len as u64;
        let info = EncoderInfo::read(&header, &frame);
        // A file joined to another: behind its tag it leans on nothing before.
        let is_joined =
            frames.is_behind_tag() && header.family == Family::Layer(3) && usual_delay(&header, &frame) > 0;
        let is_new = !is_begun && (is_joined || runs.last().is_none_or(|run| !run.header.is_like(&header)));
        if is_new || info.is_some() {
            if runs.len() == MAX_RUNS {
                return Err(refusal::damaged(format!("changes its format more than {MAX_RUNS} times")));
            }
            runs.push(Run::new(header, at, info));
            is_begun = info.is_some();
        }
        let Some(run) = runs.last_mut() else { continue };
        run.n_bytes += header.len as u64;
        if info.is_some() {
            continue;
        }
        // Encoders write their header as a frame of any number of channels.
        if is_begun {
            *run = Run { header, n_channels: header.n_channels, ..run.clone() };
            is_begun = false;
        }
        // Behind rubbish it is a piece of something.
        if run.n_frames == 0 && run.trim == (0, 0) && frames.n_foreign() == n_foreign {
            run.trim.0 = usual_delay(&header, &frame);
            run.is_usual = true;
        }
        if run.n_frames > 0 && frames.n_foreign() > n_foreign && run.holes.len() < MAX_HOLES {
            run.holes.push((run.n_frames, frames.n_foreign() - n_foreign));
        }
        n_foreign = frames.n_foreign();
        run.last[(run.n_frames % N_LAST as u64) as usize] = at;
        run.n_frames += 1;
        run.n_announced += header.n_samples;
    }
    runs.retain(|run| run.n_frames > 0);
    let last = runs.len().saturating_sub(1);
    for (index, run) in runs.iter_mut().enumerate() {
        run.place_gaps(index == last && frames.is_cut());
    }
    let n_foreign = frames.n_foreign();
    let mut looked: Vec<Run> = Vec::new();
    for run in &mut runs {
        // Damage makes many short runs: those of one kind are looked at once.
        let is_same =
            |other: &&Run| other.header.is_like(&run.header) && other.config.is_some() && run.n_frames < 4;
        match looked.iter().find(is_same) {
            Some(other) => {
                (run.rate_hz, run.n_channels, run.channel_mask) =
                    (other.rate_hz, other.n_channels, other.channel_mask);
                run.config.clone_from(&other.config);
            }
            None => {
                let container = if run.header.family == Family::Latm { "latm" } else { "adts" };
                run.look(frames, container)?;
                looked.push(run.clone());
            }
        }
        match run.header.family {
            Family::Layer(3) => {}
            // A packet of AAC-LD has half of the samples, one of HE-AAC twice.
            Family::Latm => run.trim.0 = run.trim.0 * run.n_latm / 1024,
            _ => run.trim.0 *= run.factor(),
        }
    }
    runs.retain(|run| run.n_frames > 0);
    Ok((runs, n_foreign))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::decode::input::Input;

    /// Bytes of a frame: MPEG-1 layer 3, 128 kbit/s, 44.1 kHz, stereo.
    const N_FRAME: usize = 417;

    /// An encoder's header that counts 20 frames, and they.
    fn file() -> Vec<u8> {
        let mut frame = vec![0xff, 0xfb, 0x90, 0x00];
        frame.resize(N_FRAME, 0);
        let mut info = frame.clone();
        info[36..44].copy_from_slice(b"Info\0\0\0\x03");
        info[44..48].copy_from_slice(&20_u32.to_be_bytes());
        info[48..52].copy_from_slice(&(21 * N_FRAME as u32).to_be_bytes());
        [info, frame.repeat(20)].concat()
    }

    fn run_of(bytes: &[u8]) -> Run {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut frames = Frames::new(Input::file(file).unwrap(), 0, u64::MAX).unwrap();
        let (runs, _) = scan(&mut frames).unwrap();
        assert_eq!(runs.len(), 1);
        runs[0].clone()
    }

    #[test]
    fn a_hole_is_as_long_as_what_is_missing() {
        let whole = run_of(&file());
        assert_eq!((whole.n_missing(), whole.n_samples()), (0, 20 * 1152 - 1105));
        // Zeros in the place of three frames; pieces of two and all between them lost.
        let mut zeros = file();
        zeros[9 * N_FRAME..12 * N_FRAME].fill(0);
        let mut lost = file();
        lost.drain(9 * N_FRAME + 200..12 * N_FRAME + 300);
        for (bytes, gap) in [(zeros, (8, 3)), (lost, (9, 4))] {
            let run = run_of(&bytes);
            assert_eq!(
                (run.gaps.clone(), run.n_missing(), run.n_samples()),
                (vec![gap], 0, whole.n_samples())
            );
            assert_eq!(run.unknown_holes().count(), 0);
        }
    }

    #[test]
    fn holes_without_a_place_are_reported() {
        // The end is missing as well.
        let mut both = file();
        both[5 * N_FRAME..7 * N_FRAME].fill(0);
        both.truncate(16 * N_FRAME + 100);
        let run = run_of(&both);
        assert_eq!((run.gaps.len(), run.n_missing()), (0, 7 * 1152));
        assert_eq!(run.unknown_holes().collect::<Vec<_>>(), [4 * 1152 - 1105]);
        // A count that its bytes do not bear out.
        let mut wrong = file();
        wrong[44..48].copy_from_slice(&900_000_u32.to_be_bytes());
        wrong[9 * N_FRAME..12 * N_FRAME].fill(0);
        assert!(run_of(&wrong).gaps.is_empty());
    }
}
