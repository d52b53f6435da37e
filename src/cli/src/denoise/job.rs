//! One file from its bytes to its bytes: decode, denoise, encode, measure, draw.
//!
//! Two threads, so that a live input is never waited for with something left to hand on: one decodes, the other does the
//! rest.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tacet_realtime::denoiser::Settings;

use super::engine::Engines;
use super::listen::{Listen, Waiting};
use super::place::Place;
use super::plan::Task;
use super::report::{ActiveMeter, Done, Measured, NoiseMeter, SignalLevel};
use crate::decode::{self, Decoder};
use crate::encode::flac::{self, FlacWriter};
use crate::encode::{SampleSink, Spec, WavWriter, tags};
use crate::io_errors::explained;
use crate::model::LoadedModel;
use crate::output::Output;
use crate::panics::{Panicked, caught};
use crate::pipeline::{Observer, Pipeline, Sink};
use crate::progress::{FileProgress, Progress};
use crate::spectrogram::Spectrogram;
use crate::standard;

/// Blocks that are decoded ahead.
const BLOCKS_AHEAD: usize = 8;
/// Longest wait for the next block before the finished hops are written.
const WAIT: Duration = Duration::from_millis(5);
/// Bytes that standard output may be behind by: 21 ms of 16-bit audio in mono.
const PIPE_BYTES: usize = 2048;

/// State shared by all files of a run.
pub struct Context<'a> {
    /// The model.
    pub model: &'a LoadedModel,
    /// The engine that runs it.
    pub engines: &'a Engines,
    /// How to denoise.
    pub settings: Settings,
    /// Whether to write floating point whatever the input's depth.
    pub is_float: bool,
    /// The part of the signal that is written.
    pub listen: Listen,
    /// How inputs are opened.
    pub input: &'a decode::Options,
    /// The progress bars.
    pub progress: &'a Progress,
}

/// Processes one file.
///
/// # Errors
/// Anything that is wrong with the input or the output; then no output is left.
pub fn run(task: &Task, context: &Context<'_>) -> Result<Done> {
    let start = Instant::now();
    let decoder = match &task.input {
        Place::Standard => Decoder::open_stdin(context.input)?,
        Place::File(path) => Decoder::open(path, context.input)?,
    };
    let format = decoder.format().clone();
    let spec = Spec::of_source(&format, context.is_float)?;
    let spec = if task.is_flac { flac::spec(spec)? } else { spec };
    let name = task.input.path().file_name().unwrap_or_default().to_string_lossy();
    let progress = context.progress.file(&name, format.n_samples, format.rate_hz);
    // From pipe to pipe each hop goes out at once; a file may be processed with lookahead.
    let is_live = matches!((&task.input, &task.output), (Place::Standard, Place::Standard));
    let mut flow = Flow::new(decoder, context, !is_live, task.spectrogram.is_some())?;

    let (n_over, output, note) = match (task.is_flac, &task.output) {
        (true, place) => write_flac(&mut flow, place, &spec, &progress)?,
        (false, Place::Standard) => {
            let (n_over, note) =
                write_standard(&mut flow, spec, &progress).context("cannot write to standard output")?;
            (n_over, None, note)
        }
        (false, Place::File(path)) => write_wav(&mut flow, path, spec, &progress)?,
    };
    let (mut measured, spectrogram) = flow.into_results();
    measured.n_over = n_over;
    measured.blemishes.notes.extend(note);
    // Both or neither: the picture is complete before either file appears.
    let picture = match (spectrogram, &task.spectrogram) {
        (Some(spectrogram), Some(path)) => Some(draw(spectrogram, path, &name, &measured, context)?),
        _ => None,
    };
    for output in [output, picture].into_iter().flatten() {
        output.commit()?;
    }
    measured.time = start.elapsed();
    Ok(Done::new(format.name, &spec, &measured))
}

/// Samples beyond full scale, the output to commit, and what could not be kept.
type Written = (u64, Option<Output>, Option<String>);

fn write_wav(flow: &mut Flow<'_>, path: &Path, spec: Spec, progress: &FileProgress) -> Result<Written> {
    let output = Output::create(path)?;
    if !output.is_seekable() {
        let (n_over, note, output) = stream_wav(flow, output, spec, progress)?;
        return Ok((n_over, Some(output), note));
    }
    let (note, writer) = seekable_wav(flow, output, spec, progress)?;
    let n_over = writer.n_over();
    let output = writer.finish().with_context(|| path.display().to_string())?;
    Ok((n_over, Some(output), note))
}

/// To standard output: samples beyond full scale, and what could not be kept.
fn write_standard(flow: &mut Flow<'_>, spec: Spec, progress: &FileProgress) -> Result<(u64, Option<String>)> {
    let Some(file) = standard::output() else {
        let stdout = BufWriter::with_capacity(PIPE_BYTES, io::stdout().lock());
        let (n_over, note, _) = stream_wav(flow, stdout, spec, progress)?;
        return Ok((n_over, note));
    };
    let (note, writer) = seekable_wav(flow, BufWriter::new(file), spec, progress)?;
    let n_over = writer.n_over();
    writer.finish()?;
    Ok((n_over, note))
}

/// To where the header can be completed.
fn seekable_wav<W: Write + Seek>(
    flow: &mut Flow<'_>,
    sink: W,
    spec: Spec,
    progress: &FileProgress,
) -> Result<(Option<String>, WavWriter<W>)> {
    let at_start = flow.decoder.metadata().clone();
    let before = tags::for_wav(&at_start).content;
    let mut writer = WavWriter::seekable(sink, spec, flow.decoder.exact_length(), before)?;
    flow.run(&mut writer, progress)?;
    // The rest of a pipe's tags is known at its end.
    let at_end = flow.decoder.metadata();
    writer.set_behind(tags::for_wav(&at_end.since(&at_start)).content);
    let note = tags::for_wav(at_end).note();
    Ok((note, writer))
}

/// To where there is no way back.
fn stream_wav<W: Write>(
    flow: &mut Flow<'_>,
    sink: W,
    spec: Spec,
    progress: &FileProgress,
) -> Result<(u64, Option<String>, W)> {
    let carried = tags::for_wav(flow.decoder.metadata());
    let note = carried.note();
    let mut writer = WavWriter::streaming(sink, spec, flow.decoder.exact_length(), carried.content)?;
    flow.run(&mut writer, progress)?;
    let n_over = writer.n_over();
    Ok((n_over, note, writer.finish_streaming()?))
}

/// A FLAC's header is completed at its end: for a pipe, in a temporary file first.
fn write_flac(flow: &mut Flow<'_>, place: &Place, spec: &Spec, progress: &FileProgress) -> Result<Written> {
    let carried = tags::for_flac(flow.decoder.metadata());
    let note = carried.note();
    let encode = |flow: &mut Flow<'_>, sink: &mut dyn WriteSeek| -> Result<u64> {
        let mut writer = FlacWriter::new(BufWriter::new(sink), spec, &carried.content)?;
        flow.run(&mut writer, progress)?;
        let n_over = writer.n_over();
        writer.finish()?;
        Ok(n_over)
    };
    let mut output = match place {
        Place::Standard => None,
        Place::File(path) => Some(Output::create(path)?),
    };
    if let Some(mut file) = output.take_if(|output| output.is_seekable()) {
        let n_over = encode(flow, &mut file)?;
        return Ok((n_over, Some(file), note));
    }
    let mut file = tempfile::tempfile()
        .map_err(|error| explained("cannot make a temporary file for the FLAC", &error))?;
    let n_over = encode(flow, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    match &mut output {
        Some(output) => io::copy(&mut file, output)?,
        None => io::copy(&mut file, &mut io::stdout().lock())
            .map_err(|error| explained("cannot write to standard output", &error))?,
    };
    Ok((n_over, output, note))
}

/// The destination of a FLAC.
trait WriteSeek: Write + Seek {}
impl<T: Write + Seek> WriteSeek for T {}

/// A file's signal on its way, and what is measured of it.
struct Flow<'a> {
    decoder: Decoder,
    pipeline: Option<Pipeline>,
    engines: &'a Engines,
    before: SignalLevel,
    after: SignalLevel,
    watch: Watch,
    n_samples: u64,
    listen: Listen,
}

/// Observers of the signal at 48 kHz.
struct Watch {
    noise: NoiseMeter,
    active: ActiveMeter,
    spectrogram: Option<Spectrogram>,
}

impl Observer for Watch {
    fn hop(&mut self, before: &[&[f32]], after: &[&[f32]]) {
        self.noise.hop(before, after);
        if let Some(spectrogram) = &mut self.spectrogram {
            spectrogram.hop(before, after);
        }
    }

    fn active_hop(&mut self, before: &[&[f32]], after: &[&[f32]]) {
        self.active.hop(before, after);
    }
}

impl<'a> Flow<'a> {
    fn new(decoder: Decoder, context: &Context<'a>, is_heard_ahead: bool, is_drawn: bool) -> Result<Self> {
        let (rate_hz, n_channels) = (decoder.format().rate_hz, decoder.format().n_channels);
        let processor =
            context.engines.processor(context.model, n_channels, context.settings, is_heard_ahead)?;
        let mut pipeline = Pipeline::new(rate_hz, n_channels, processor)?;
        let shaping = &context.settings.shaping;
        if is_heard_ahead && (shaping.keeps_clean || shaping.keeps_whisper) {
            pipeline = pipeline.keeping_input();
        }
        let spectrogram = is_drawn.then(|| Spectrogram::new(n_channels, rate_hz));
        Ok(Self {
            decoder,
            pipeline: Some(pipeline),
            engines: context.engines,
            before: SignalLevel::default(),
            after: SignalLevel::default(),
            watch: Watch { noise: NoiseMeter::default(), active: ActiveMeter::default(), spectrogram },
            n_samples: 0,
            listen: context.listen,
        })
    }

    fn run(&mut self, writer: &mut dyn SampleSink, progress: &FileProgress) -> Result<()> {
        let Some(mut pipeline) = self.pipeline.take() else { return Ok(()) };
        let n_channels = self.decoder.format().n_channels;
        let Self { decoder, before, after, watch, n_samples, engines, .. } = self;
        let listen = self.listen;
        let waiting = Waiting::new(n_channels);
        let mut sink = |block: &[&[f32]]| {
            let mixed = listen.needs_input().then(|| waiting.mix(block, listen));
            let mixed: Option<Vec<&[f32]>> =
                mixed.as_ref().map(|channels| channels.iter().map(Vec::as_slice).collect());
            let block = mixed.as_deref().unwrap_or(block);
            after.add(block);
            writer.write(block)
        };
        thread::scope(|scope| {
            let (to_flow, blocks) = sync_channel(BLOCKS_AHEAD);
            let decoding = thread::Builder::new()
                .spawn_scoped(scope, move || caught(|| decode(decoder, &to_flow)))
                .map_err(|error| explained("cannot start a thread; --jobs 1 needs fewest", &error))?;
            let mut flow = || -> Result<()> {
                while let Some(block) = next(&blocks, &mut pipeline, watch, &mut sink)? {
                    before.add(&block);
                    if listen.needs_input() {
                        waiting.push(&block);
                    }
                    pipeline.push(&block, watch, &mut sink)?;
                    progress.at(pipeline.n_in());
                }
                *n_samples = pipeline.n_in();
                Ok(())
            };
            let flowed = flow();
            // Ends the decoding where it has not ended yet.
            drop(blocks);
            let decoded = decoding.join().unwrap_or_else(|_| Err(Panicked("no message".to_owned())));
            decoded?;
            flowed.and_then(|()| pipeline.finish(watch, &mut sink)).map_err(|error| engines.explain(error))
        })
    }

    fn into_results(self) -> (Measured, Option<Spectrogram>) {
        let measured = Measured {
            before: self.before,
            after: self.after,
            noise: self.watch.noise,
            active: self.watch.active,
            n_over: 0,
            blemishes: self.decoder.blemishes(),
            n_samples: self.n_samples,
            time: Default::default(),
        };
        (measured, self.watch.spectrogram)
    }
}

/// A block of samples, one vector per channel.
type Block = Vec<Vec<f32>>;

/// Decodes until the end, an error or nobody who listens.
fn decode(decoder: &mut Decoder, blocks: &SyncSender<Result<Block>>) {
    loop {
        let block = match decoder.next_block() {
            Ok(Some(block)) => Ok(block.to_vec()),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let is_last = block.is_err();
        if blocks.send(block).is_err() || is_last {
            return;
        }
    }
}

/// The next block; while it is not there, what the pipeline holds goes on its way.
fn next(
    blocks: &Receiver<Result<Block>>,
    pipeline: &mut Pipeline,
    watch: &mut Watch,
    sink: &mut Sink<'_>,
) -> Result<Option<Block>> {
    match blocks.try_recv() {
        Ok(block) => return block.map(Some),
        Err(TryRecvError::Disconnected) => return Ok(None),
        Err(TryRecvError::Empty) => {}
    }
    while pipeline.pause(watch, sink)? {
        match blocks.recv_timeout(WAIT) {
            Ok(block) => return block.map(Some),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    blocks.recv().ok().transpose()
}

fn draw(
    spectrogram: Spectrogram,
    path: &Path,
    name: &str,
    measured: &Measured,
    context: &Context<'_>,
) -> Result<Output> {
    let noise = match measured.noise.result() {
        Some((reduction_db, _)) => format!(", noise reduced by {reduction_db:.1} dB"),
        None => String::new(),
    };
    let png = spectrogram.finish(name, &format!("{}{noise}", context.model.name))?;
    let mut output = Output::create(path)?;
    output.write_all(&png)?;
    Ok(output)
}
