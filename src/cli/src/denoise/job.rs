//! One file from its bytes to its bytes: decode, denoise, encode, measure, draw.
//!
//! Two threads, so that a live input is never waited for with something left to hand on: one decodes, the other does the
//! rest.

use std::io::{self, BufWriter, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tacet_realtime::denoiser::Settings;
use tacet_realtime::rules::FILE_AHEAD_HOPS;

use super::engine::Engines;
use super::plan::{Place, Task};
use super::report::{Done, Level, Measured, NoiseMeter};
use crate::decode::{self, Decoder};
use crate::encode::{Spec, WavWriter};
use crate::model::LoadedModel;
use crate::output::Output;
use crate::pipeline::{HopProcessor, Observer, Pipeline, Sink};
use crate::progress::{FileProgress, Progress};
use crate::spectrogram::Spectrogram;

/// Blocks that are decoded ahead.
const BLOCKS_AHEAD: usize = 8;
/// How long the next block is waited for before what has become ready is handed on.
const WAIT: Duration = Duration::from_millis(5);
/// Bytes that standard output may be behind by: 21 ms of 16-bit audio in mono.
const PIPE_BYTES: usize = 2048;

/// What all files of a run share.
pub struct Context<'a> {
    /// The model.
    pub model: &'a LoadedModel,
    /// What runs it.
    pub engines: &'a Engines,
    /// How to denoise.
    pub settings: Settings,
    /// Whether to write floating point whatever the input's depth.
    pub is_float: bool,
    /// How inputs are opened.
    pub input: &'a decode::Options,
    /// Where progress shows.
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
    let name = task.input.path().file_name().unwrap_or_default().to_string_lossy();
    let progress = context.progress.file(&name, format.n_samples, format.rate_hz);
    let length = decoder.exact_length();
    // What comes through and goes on is handed on at once; what is to be a file is heard ahead.
    let is_live = matches!((&task.input, &task.output), (Place::Standard, Place::Standard));
    let ahead_hops = if is_live { 0 } else { FILE_AHEAD_HOPS };
    let mut flow = Flow::new(decoder, context, ahead_hops, task.spectrogram.is_some())?;

    let (n_over, output) = match &task.output {
        Place::Standard => {
            let mut writer = WavWriter::streaming(
                BufWriter::with_capacity(PIPE_BYTES, io::stdout().lock()),
                spec,
                length,
            )?;
            flow.run(&mut writer, &progress)?;
            let n_over = writer.n_over();
            writer.finish_streaming().context("standard output")?;
            (n_over, None)
        }
        Place::File(path) => {
            let output = Output::create(path)?;
            let is_seekable = output.is_seekable();
            let mut writer = if is_seekable {
                WavWriter::seekable(output, spec, format.n_samples)?
            } else {
                WavWriter::streaming(output, spec, length)?
            };
            flow.run(&mut writer, &progress)?;
            let n_over = writer.n_over();
            let output = if is_seekable { writer.finish() } else { writer.finish_streaming() };
            (n_over, Some(output.with_context(|| path.display().to_string())?))
        }
    };
    let (mut measured, spectrogram) = flow.into_results();
    measured.n_over = n_over;
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

/// A file's signal on its way, and what is measured of it.
struct Flow<'a> {
    decoder: Decoder,
    pipeline: Option<Pipeline<Box<dyn HopProcessor>>>,
    engines: &'a Engines,
    before: Level,
    after: Level,
    watch: Watch,
    n_samples: u64,
}

/// What observes the signal at 48 kHz.
struct Watch {
    noise: NoiseMeter,
    spectrogram: Option<Spectrogram>,
}

impl Observer for Watch {
    fn hop(&mut self, before: &[&[f32]], after: &[&[f32]]) {
        self.noise.hop(before, after);
        if let Some(spectrogram) = &mut self.spectrogram {
            spectrogram.hop(before, after);
        }
    }
}

impl<'a> Flow<'a> {
    fn new(decoder: Decoder, context: &Context<'a>, ahead_hops: usize, is_drawn: bool) -> Result<Self> {
        let (rate_hz, n_channels) = (decoder.format().rate_hz, decoder.format().n_channels);
        let processor = context.engines.processor(context.model, n_channels, context.settings, ahead_hops)?;
        let pipeline = Pipeline::new(rate_hz, n_channels, processor)?;
        let spectrogram = is_drawn.then(|| Spectrogram::new(n_channels, rate_hz));
        Ok(Self {
            decoder,
            pipeline: Some(pipeline),
            engines: context.engines,
            before: Level::default(),
            after: Level::default(),
            watch: Watch { noise: NoiseMeter::default(), spectrogram },
            n_samples: 0,
        })
    }

    fn run<W: Write>(&mut self, writer: &mut WavWriter<W>, progress: &FileProgress) -> Result<()> {
        let Some(mut pipeline) = self.pipeline.take() else { return Ok(()) };
        let Self { decoder, before, after, watch, n_samples, engines, .. } = self;
        let mut sink = |block: &[&[f32]]| {
            after.add(block);
            writer.write(block).context("cannot write the output")
        };
        thread::scope(|scope| {
            let (to_flow, blocks) = sync_channel(BLOCKS_AHEAD);
            let decoding = thread::Builder::new()
                .spawn_scoped(scope, move || super::with_panics_as_errors(|| decode(decoder, &to_flow)))
                .context("cannot start a thread")?;
            let mut flow = || -> Result<()> {
                while let Some(block) = next(&blocks, &mut pipeline, watch, &mut sink)? {
                    before.add(&block);
                    pipeline.push(&block, watch, &mut sink)?;
                    progress.at(pipeline.n_in());
                }
                *n_samples = pipeline.n_in();
                Ok(())
            };
            let flowed = flow();
            // Ends the decoding where it has not ended yet.
            drop(blocks);
            decoding.join().unwrap_or_else(|panic| resume_unwind(panic));
            flowed.and_then(|()| pipeline.finish(watch, &mut sink)).map_err(|error| engines.explain(error))
        })
    }

    fn into_results(self) -> (Measured, Option<Spectrogram>) {
        let measured = Measured {
            before: self.before,
            after: self.after,
            noise: self.watch.noise,
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
    pipeline: &mut Pipeline<Box<dyn HopProcessor>>,
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
