//! `tacet denoise`: files in, denoised WAV or FLAC files out.

mod choices;
mod engine;
mod find;
mod format;
mod job;
mod listen;
mod place;
mod plan;
mod read_files;
mod report;
mod room;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::ArgMatches;
use clap::parser::ValueSource;
use tacet_realtime::denoiser::{Denoiser, Settings};
use tacet_realtime::engine::{FAR_THRESHOLDS, Thresholds};
use tacet_realtime::enhance::{Shaping, StereoLink};
use tacet_realtime::parameters::{Choice as _, ParamId};
use tacet_realtime::presets::{Preset, PresetValue};
use tacet_realtime::rules::Rules;
use tacet_realtime::rules::level::LevelRule;

use super::decode;
use super::model::LoadedModel;
use super::options::one_of;
use super::output::{self, Output};
use super::panics::{Panicked, caught};
use super::progress::Progress;

pub use format::FileFormat;

use crate::io_errors::explained;
use choices::{DeviceChoice, EngineChoice, MethodChoice};
use engine::Engines;
use listen::Listen;
use place::Place;
use plan::Task;
use report::{FileReport, Outcome, RunReport};
use room::Room;

/// Remove noise from recordings of speech.
///
/// Reads WAV (also RF64, BW64, Wave64), AIFF, AU, CAF, FLAC, MP3, Ogg Vorbis and Opus, AAC, HE-AAC and ALAC in M4A, MP4 and
/// MOV, and Matroska and WebM, at any sample rate and with up to 64 channels; writes WAV or FLAC with the input's rate,
/// channels, length and bit depth. The network works at 48 kHz: other rates are converted there and back, and content
/// above 24 kHz is lost. Nothing is shifted: the sound of a video stays with its picture, and the delay of the network and
/// of the conversions is taken out.
///
/// 16-bit and 24-bit inputs keep their depth, 8-bit and lossy ones become 16-bit, 32-bit ones 32-bit float. 16-bit
/// outputs are dithered. Outputs appear under their name only when complete, and never replace an input.
///
/// Exit code: 0 if all files were written, 1 if some failed, 2 for a wrong command line.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files to denoise; `-` is standard input
    #[arg(required = true, value_name = "IN")]
    pub inputs: Vec<PathBuf>,

    /// Output file, for a single input; `-` is standard output [default: NAME-denoised.wav next to the input]
    #[arg(short, long, value_name = "OUT", conflicts_with = "out_dir")]
    pub output: Option<PathBuf>,

    /// Output folder for NAME.wav, created if missing
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,

    /// Format of the outputs [default: by the extension of -o, else wav]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<FileFormat>,

    /// Denoise the recordings in the folders named, and in the folders within; --out-dir mirrors them
    #[arg(short, long)]
    pub recursive: bool,

    #[arg(long, value_name = "NAME", help = choices::preset_help(), value_parser = choices::preset)]
    pub preset: Option<Preset>,

    #[arg(long, value_name = "PERCENT", help = ParamId::Mix.spec().plain_help(), default_value = "100",
        allow_negative_numbers = true, value_parser = ParamId::Mix.reader())]
    pub mix: f32,

    /// Write the removed signal instead; speech in it means that the reduction is too strong
    #[arg(long)]
    pub removed: bool,

    /// DeepFilterNet3 (embedded), DeepFilterNet3_ll, or the path of an archive or a converted model
    /// [default: $TACET_MODEL, else the embedded one]
    #[arg(long, value_name = "NAME|PATH")]
    pub model: Option<String>,

    /// Engine that runs the network [default: native, or the engine of --device]
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub engine: Option<EngineChoice>,

    /// Device that runs the network: auto (CUDA, else MPS, else the CPU), native, native16 (16-bit weights), or libtorch's
    /// cpu, mps, cuda, cuda:N
    /// [default: $TACET_DEVICE, else the CPU with the native engine]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,

    #[arg(long, value_name = "METHOD", help = choices::method_help(), value_parser = choices::method)]
    pub df_op: Option<MethodChoice>,

    #[arg(long, value_name = "DB", help = ParamId::Limit.spec().plain_help(), default_value_t = ParamId::Limit.number().default,
        allow_negative_numbers = true, value_parser = ParamId::Limit.reader())]
    pub attenuation_limit: f32,

    #[arg(long, value_name = "BETA", help = ParamId::PostFilter.spec().plain_help(), default_value_t = ParamId::PostFilter.number().default,
        allow_negative_numbers = true, value_parser = ParamId::PostFilter.reader())]
    pub post_filter: f32,

    #[arg(long, value_name = "DB", help = ParamId::MinSnr.spec().plain_help(), default_value_t = ParamId::MinSnr.number().default,
        allow_negative_numbers = true, value_parser = choices::threshold)]
    pub min_db: f32,

    #[arg(long, value_name = "DB", help = ParamId::MaxErb.spec().plain_help(), default_value_t = ParamId::MaxErb.number().default,
        allow_negative_numbers = true, value_parser = choices::threshold)]
    pub max_erb_db: f32,

    #[arg(long, value_name = "DB", help = ParamId::MaxDf.spec().plain_help(), default_value_t = ParamId::MaxDf.number().default,
        allow_negative_numbers = true, value_parser = choices::threshold)]
    pub max_df_db: f32,

    #[command(flatten)]
    pub room: Room,

    /// How channels share their masks; in any case the first channel's local SNR decides which stages run for all
    #[arg(long, value_parser = one_of::<StereoLink>(), default_value = StereoLink::default().choice_id())]
    pub stereo_link: StereoLink,

    #[arg(long, value_name = "auto|off|DB", help = choices::level_help(), default_value = "auto", allow_negative_numbers = true, value_parser = choices::level)]
    pub level: LevelRule,

    /// Do not mirror the sound of band-limited recordings into their empty band for the network's analysis
    #[arg(long)]
    pub no_fill_band: bool,

    /// Let the network's analysis get used to the noise of long pauses
    #[arg(long)]
    pub no_hold_pauses: bool,

    /// Do not return to the input where there is hardly any noise
    #[arg(long)]
    pub no_keep_clean: bool,

    /// Do not limit the reduction of whispering, which the network would remove as noise
    #[arg(long)]
    pub no_keep_whisper: bool,

    /// Behave like the official runtime: --level off --no-fill-band --no-hold-pauses --no-keep-clean --no-keep-whisper
    #[arg(long)]
    pub reference: bool,

    /// Write 32-bit float whatever the input's depth: nothing is clipped, nothing rounded
    #[arg(long)]
    pub float: bool,

    /// Audio track to read from a file with several: its number from 1, or its language (eng, de) [default: the file's default
    /// track, else the first]
    #[arg(long, value_name = "N|LANGUAGE")]
    pub track: Option<decode::TrackChoice>,

    /// Read files that Tacet does not decode itself through the program ffmpeg, if it is installed
    #[arg(long)]
    pub ffmpeg: bool,

    /// Files in work at once [default: the number of processor cores; on CUDA at most 4, on MPS always 1]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,

    /// Threads for the native engine, which all files in work share [default: the number of processor cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,

    /// Write spectrograms of input and output; a folder for several inputs
    #[arg(long, value_name = "PNG")]
    pub spectrogram: Option<PathBuf>,

    /// Write a report as JSON; `-` is standard output
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,

    /// No progress, no summary; errors and warnings only
    #[arg(short, long)]
    pub quiet: bool,
}

impl Args {
    fn rules(&self) -> Rules {
        if self.reference {
            return Rules::REFERENCE;
        }
        Rules { level: self.level, fills_band: !self.no_fill_band, bounds_pauses: !self.no_hold_pauses }
    }

    /// Takes over what the preset sets, except what the command line gives beside it.
    pub fn apply_preset(&mut self, matches: &ArgMatches) {
        let Some(preset) = self.preset.clone() else { return };
        let is_given = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        for (id, value) in preset.values.iter() {
            let (name, number) = match id {
                ParamId::Limit => ("attenuation_limit", &mut self.attenuation_limit),
                ParamId::PostFilter => ("post_filter", &mut self.post_filter),
                ParamId::MinSnr => ("min_db", &mut self.min_db),
                ParamId::MaxErb => ("max_erb_db", &mut self.max_erb_db),
                ParamId::MaxDf => ("max_df_db", &mut self.max_df_db),
                ParamId::Link => {
                    if let PresetValue::Choice(chosen) = value
                        && !is_given("stereo_link")
                    {
                        self.stereo_link = StereoLink::from_choice_id(chosen).unwrap_or_default();
                    }
                    continue;
                }
                _ => match self.room.option(id) {
                    Some(option) => option,
                    // Files know no delay.
                    None => continue,
                },
            };
            if let PresetValue::Number(value) = value
                && !is_given(name)
            {
                *number = *value;
            }
        }
    }

    fn listen(&self) -> Listen {
        let (voice_gain, ambience_gain) = self.room.gains();
        Listen { voice_gain, ambience_gain, share: self.mix, is_removed: self.removed }
    }

    fn settings(&self) -> Settings {
        Settings {
            thresholds: Thresholds {
                min_db: self.min_db,
                max_erb_db: self.max_erb_db,
                max_df_db: self.max_df_db,
            },
            shaping: Shaping {
                attenuation_limit_db: self.attenuation_limit,
                limits_db: self.room.limit_curve,
                post_filter_beta: self.post_filter,
                link: self.stereo_link,
                keeps_clean: !self.no_keep_clean && !self.reference,
                keeps_whisper: !self.no_keep_whisper && !self.reference,
                closing: self.room.closing(),
            },
            rules: self.rules(),
        }
    }
}

/// Runs the command; true if every file was written.
///
/// # Errors
/// Problems of the run as a whole: its arguments, the model, the report.
pub fn run(args: &Args) -> Result<bool> {
    let start = Instant::now();
    let tasks = plan::plan(args)?;
    output::clean_up_when_interrupted()?;
    let model = LoadedModel::load(args.model.as_deref())?;
    let settings = args.settings();
    let mut engines = Engines::open(args, &model)?;
    let n_jobs = engines.share_out(args.jobs, args.threads, tasks.len());
    let delay_samples = Denoiser::new(model.engine(), 1, settings)?.delay_samples();

    let progress = Progress::new(tasks.len(), args.quiet);
    engines.notes().iter().for_each(|note| progress.say(note));
    if settings.thresholds.are_far() {
        progress.say(&format!("note: {FAR_THRESHOLDS}"));
    }
    let input = decode::Options { track: args.track.clone(), by_ffmpeg: args.ffmpeg };
    let context = job::Context {
        model: &model,
        engines: &engines,
        settings,
        is_float: args.float,
        listen: args.listen(),
        input: &input,
        progress: &progress,
    };
    let files = process_all(&tasks, n_jobs, &context);
    drop(progress);

    let engine = engines.report().clone();
    let report = RunReport::new(model.name.clone(), engine, delay_samples, files, start.elapsed());
    if let Some(path) = &args.json {
        write_json(&report, path)?;
    }
    Ok(report.failed == 0)
}

/// Works through the tasks on this many threads; the reports are in the tasks' order.
fn process_all(tasks: &[Task], n_threads: usize, context: &job::Context<'_>) -> Vec<FileReport> {
    let next = AtomicUsize::new(0);
    let reports: Vec<Mutex<Option<FileReport>>> = tasks.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            // A counter alone: nothing else is published by it.
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(index) else { break };
            let report = process(task, context);
            *reports[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        }
    };
    thread::scope(|scope| {
        // This thread works too, so that the files get done even where the system gives no other.
        for _ in 1..n_threads.min(tasks.len()) {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let report =
        |report: Mutex<Option<FileReport>>| report.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.into_iter().filter_map(report).collect()
}

/// The report of a panic on one file.
fn broken(Panicked(text): &Panicked, input: &Place, options: &decode::Options) -> anyhow::Error {
    let path = if let Place::File(path) = input { Some(path.as_path()) } else { None };
    anyhow!(
        "broke the program ({text}); please report it, with the file if you can; a copy may work: {}",
        decode::conversion(path, options)
    )
}

/// One task, its errors and even a decoder's panic kept from the others.
fn process(task: &Task, context: &job::Context<'_>) -> FileReport {
    let result = match &task.refusal {
        Some(reason) => Err(anyhow!("{reason}")),
        None => caught(|| job::run(task, context)).unwrap_or_else(|panicked| Err(panicked.into())),
    };
    let result = result.map_err(|error| match error.downcast_ref() {
        Some(panicked) => broken(panicked, &task.input, context.input),
        None => error,
    });
    let progress = context.progress;
    progress.file_done();
    let outcome = match result {
        Ok(done) => {
            for warning in &done.warnings {
                progress.complain(&format!("warning: {}: {warning}", task.input));
            }
            let target = match &task.output {
                Place::Standard => "standard output".to_owned(),
                Place::File(path) => path.display().to_string(),
            };
            progress.say(&format!("{} -> {target}: {}", task.input, done.line()));
            Outcome::Done(Box::new(done))
        }
        Err(error) => {
            progress.complain(&format!("error: {}: {error:#}", task.input));
            Outcome::Failed { error: format!("{error:#}") }
        }
    };
    FileReport { input: task.input.path().to_owned(), output: task.output.path().to_owned(), outcome }
}

fn write_json(report: &RunReport, path: &std::path::Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    if path == Place::Standard.path() {
        let written = io::stdout().write_all(text.as_bytes());
        written.map_err(|error| explained("cannot write the report to standard output", &error).into())
    } else {
        let mut output = Output::create(path)?;
        output.write_all(text.as_bytes())?;
        output.commit()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tacet_realtime::tails::Closing;

    use tacet_realtime::presets;

    use super::*;

    #[derive(clap::Parser, Debug)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &[&str]) -> Result<Args, clap::Error> {
        Line::try_parse_from([&["tacet", "in.wav"], line].concat()).map(|line| line.args)
    }

    #[test]
    fn without_options_the_settings_are_the_librarys_defaults() {
        assert_eq!(parse(&[]).unwrap().settings(), Settings::default());
    }

    #[test]
    fn options_reach_the_settings() {
        let line = "--attenuation-limit 12 --post-filter 0.02 --min-db -10 --max-erb-db 30 --max-df-db 20 --stereo-link max \
                    --hold 50 --release 200 --limit-curve 12,12,18,24.5,30,none";
        let settings = parse(&line.split_whitespace().collect::<Vec<_>>()).unwrap().settings();
        let thresholds = Thresholds { min_db: -10.0, max_erb_db: 30.0, max_df_db: 20.0 };
        let shaping = Shaping {
            attenuation_limit_db: 12.0,
            post_filter_beta: 0.02,
            link: StereoLink::Max,
            closing: Closing { hold_ms: 50.0, release_ms: 200.0 },
            limits_db: [12.0, 12.0, 18.0, 24.5, 30.0, 100.0],
            ..Shaping::default()
        };
        assert_eq!(settings, Settings { thresholds, shaping, rules: Rules::default() });
    }

    #[test]
    fn the_reference_is_every_rule_off() {
        let line = "--level off --no-fill-band --no-hold-pauses --no-keep-clean --no-keep-whisper";
        let off = parse(&line.split(' ').collect::<Vec<_>>()).unwrap().settings();
        assert_eq!(off, Settings::reference());
        assert!(!parse(&["--no-keep-whisper"]).unwrap().settings().shaping.keeps_whisper);
        assert_eq!(parse(&["--reference"]).unwrap().settings(), off);
        assert_eq!(parse(&["--level", "18.5"]).unwrap().level, LevelRule::Fixed(18.5));
        for wrong in ["-1", "61", "loud"] {
            let error = parse(&["--level", wrong]).unwrap_err().to_string();
            assert!(error.contains("auto, off, or a number from 0 to 60"), "{error}");
        }
    }

    #[test]
    fn a_preset_sets_what_is_not_given_beside_it() {
        use clap::{CommandFactory as _, FromArgMatches as _};
        for preset in presets::factory() {
            for (id, _) in preset.values.iter() {
                use ParamId::*;
                let known = [Limit, PostFilter, MinSnr, MaxErb, MaxDf, Link, LatencyMode];
                assert!(known.contains(&id), "{id:?} of {} does not reach files", preset.name);
            }
        }
        let with = |line: &[&str]| {
            let matches = Line::command().get_matches_from([&["tacet", "in.wav"], line].concat());
            let mut args = Line::from_arg_matches(&matches).unwrap().args;
            args.apply_preset(&matches);
            args.settings()
        };
        let settings = with(&["--preset", "Music under voice"]);
        assert_eq!(settings.shaping.attenuation_limit_db, 12.0);
        assert_eq!((settings.thresholds, settings.shaping.link), (Thresholds::default(), StereoLink::Max));
        let settings =
            with(&["--stereo-link", "none", "--preset", "field-recording", "--attenuation-limit", "100"]);
        assert_eq!((settings.shaping.attenuation_limit_db, settings.shaping.link), (100.0, StereoLink::None));
        assert!(parse(&["--preset", "loud"]).unwrap_err().to_string().contains("voice-over-gentle"));
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        for (line, range) in [
            (["--attenuation-limit", "101"], "0 to 100"),
            (["--attenuation-limit", "nan"], "0 to 100"),
            (["--post-filter", "0.06"], "0 to 0.05"),
            (["--min-db", "x"], "-100 to 100"),
            (["--limit-curve", "12,12"], "at 100 Hz, 300 Hz"),
            (["--limit-curve", "1,2,3,4,5,101"], "0 to 100"),
        ] {
            let error = parse(&line).unwrap_err().to_string();
            assert!(error.contains(range), "{error}");
        }
        assert!(parse(&["--jobs", "0"]).is_err());
        assert!(parse(&["-o", "a", "--out-dir", "b"]).is_err());
    }
}
