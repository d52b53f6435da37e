//! `tacet score`: how close recordings come to a clean reference, as a table or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::scores::{Alignment, ChannelScores, Scores, Signal, score};
use anyhow::{Context as _, Result};
use serde::Serialize;

use super::decode;
use crate::io_errors::explained;
use crate::paths::as_text;

/// Below this correlation the best delay is hardly better than any other: noise at -20 dB SNR still reaches it.
const WEAK_CORRELATION: f64 = 0.1;
/// Longest search either way, in milliseconds; it bounds the memory of the search.
const LONGEST_SEARCH_MS: f64 = 10_000.0;

/// Score recordings against a clean reference.
///
/// For every recording, prints its delay relative to the reference and, with the delay removed: STOI (Taal 2011, as
/// published), STOI-DF (the same as DeepFilterNet's training code computes it), ESTOI (Jensen and Taal 2016), SI-SDR in
/// dB (Le Roux 2019), the segmental SNR in dB (each segment limited to -10..35), and the log-spectral distance in dB. For
/// all but the last, higher is better.
///
/// A recording at another sample rate is converted to the reference's. With several channels the row of the recording
/// is their mean; a mono reference is compared with every channel.
///
/// Exit code: 0 if all recordings have scores, 1 if some have none, 2 for a wrong command line.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The clean recording
    #[arg(value_name = "REF")]
    reference: PathBuf,

    /// The recordings to score
    #[arg(required = true, value_name = "DEG")]
    degraded: Vec<PathBuf>,

    /// Print JSON instead of the table; infinite ratios are "inf" and "-inf"
    #[arg(long)]
    json: bool,

    /// Delay of the recordings in samples at the reference's rate [default: estimated]
    #[arg(long, value_name = "SAMPLES", allow_negative_numbers = true)]
    delay: Option<i64>,

    /// Search range for the delay in both directions, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000.0, value_parser = search_ms, conflicts_with = "delay")]
    max_delay_ms: f64,

    /// Accepted for compatibility: scores are computed on the CPU
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
}

fn search_ms(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ms) if (0.0..=LONGEST_SEARCH_MS).contains(&ms) => Ok(ms),
        _ => Err(format!("a number of milliseconds from 0 to {LONGEST_SEARCH_MS}")),
    }
}

/// Everything that is printed.
#[derive(Debug, Serialize)]
struct Report {
    /// Version of this program.
    tacet: &'static str,
    #[serde(serialize_with = "as_text")]
    reference: PathBuf,
    /// The reference's sample rate, at which delays count.
    rate_hz: u32,
    files: Vec<FileReport>,
    /// The files without scores.
    failed: usize,
}

#[derive(Debug, Serialize)]
struct FileReport {
    #[serde(serialize_with = "as_text")]
    file: PathBuf,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Outcome {
    Done {
        delay_ms: f64,
        #[serde(flatten)]
        scores: Scores,
        warnings: Vec<String>,
    },
    Failed {
        error: String,
    },
}

/// Scores every recording and prints the result; true if all have scores. One that has none does not keep the others
/// from theirs.
///
/// # Errors
/// The reference cannot be read.
pub fn run(args: &Args) -> Result<bool> {
    if args.device != "cpu" {
        eprintln!(
            "note: scores are computed on the CPU in double precision, which not every device has; --device {} changes \
             nothing here",
            args.device
        );
    }
    let (format, clean) = decode::decode_all(&args.reference)?;
    let reference = Signal { rate_hz: format.rate_hz, channels: &clean };
    let files: Vec<FileReport> = args
        .degraded
        .iter()
        .map(|file| FileReport { file: file.clone(), outcome: score_file(reference, file, args) })
        .collect();
    let failed = files.iter().filter(|file| matches!(file.outcome, Outcome::Failed { .. })).count();
    let report = Report {
        tacet: env!("CARGO_PKG_VERSION"),
        reference: args.reference.clone(),
        rate_hz: format.rate_hz,
        files,
        failed,
    };

    let text = if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { table(&report) };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| explained("cannot write to standard output", &error))?;
    for file in &report.files {
        match &file.outcome {
            Outcome::Done { warnings, .. } => {
                warnings.iter().for_each(|warning| eprintln!("warning: {}: {warning}", file.file.display()));
            }
            Outcome::Failed { error } => eprintln!("error: {error}"),
        }
    }
    Ok(failed == 0)
}

fn score_file(reference: Signal<'_>, file: &Path, args: &Args) -> Outcome {
    let alignment = match args.delay {
        Some(delay_samples) => Alignment::Fixed(delay_samples),
        None => Alignment::Search { max_ms: args.max_delay_ms },
    };
    let scored = decode::decode_all(file).and_then(|(format, channels)| {
        let degraded = Signal { rate_hz: format.rate_hz, channels: &channels };
        score(reference, degraded, alignment).with_context(|| file.display().to_string())
    });
    match scored {
        Ok(scores) => {
            let delay_ms = scores.delay_samples as f64 * 1000.0 / f64::from(scores.rate_hz);
            let warnings = warnings(&scores, delay_ms, alignment);
            Outcome::Done { delay_ms, scores, warnings }
        }
        Err(error) => Outcome::Failed { error: format!("{error:#}") },
    }
}

fn warnings(scores: &Scores, delay_ms: f64, alignment: Alignment) -> Vec<String> {
    let mut warnings = Vec::new();
    if scores.correlation < WEAK_CORRELATION {
        warnings.push(format!(
            "hardly resembles the reference (correlation {:.3}): is it the same recording?",
            scores.correlation
        ));
    }
    let sample_ms = 1000.0 / f64::from(scores.rate_hz);
    if matches!(alignment, Alignment::Search { max_ms } if max_ms > 0.0 && delay_ms.abs() > max_ms - sample_ms)
    {
        warnings.push("its delay is at the limit of the search: allow more with --max-delay-ms".to_owned());
    }
    warnings
}

const HEADER: [&str; 8] = ["File", "Delay", "STOI", "STOI-DF", "ESTOI", "SI-SDR", "segSNR", "LSD"];

/// The table: one row per recording, below it one per channel where there are several.
fn table(report: &Report) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    for file in &report.files {
        let name = file.file.display().to_string();
        match &file.outcome {
            Outcome::Done { delay_ms, scores, .. } => {
                let delay = format!("{} ({delay_ms:.2} ms)", scores.delay_samples);
                rows.push(row(name, delay, &scores.mean));
                if scores.channels.len() > 1 {
                    for (n, channel) in scores.channels.iter().enumerate() {
                        rows.push(row(format!("  channel {}", n + 1), String::new(), channel));
                    }
                }
            }
            Outcome::Failed { .. } => {
                let mut row = HEADER.map(|_| "-".to_owned());
                row[0] = name;
                rows.push(row);
            }
        }
    }

    let widths: [usize; HEADER.len()] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = format!("Reference: {} ({} Hz)\n", report.reference.display(), report.rate_hz);
    for row in rows {
        // Names to the left, figures to the right.
        let _ = write!(text, "{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}

fn row(name: String, delay: String, scores: &ChannelScores) -> [String; HEADER.len()] {
    let unit = |value: f64| format!("{value:.4}");
    let db = |value: f64| format!("{value:.2} dB");
    [
        name,
        delay,
        unit(scores.stoi),
        unit(scores.stoi_training),
        unit(scores.estoi),
        db(scores.si_sdr_db),
        db(scores.segmental_snr_db),
        db(scores.lsd_db),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(delay_samples: i64, correlation: f64, n_channels: usize) -> Scores {
        let channel = ChannelScores {
            stoi: 0.91234,
            stoi_training: 0.91,
            estoi: 0.8,
            si_sdr_db: f64::INFINITY,
            segmental_snr_db: -1.5,
            lsd_db: 3.0,
        };
        Scores {
            rate_hz: 48_000,
            delay_samples,
            correlation,
            compared_samples: 100,
            channels: vec![channel; n_channels],
            mean: channel,
        }
    }

    fn report() -> Report {
        let done = Outcome::Done { delay_ms: 30.0, scores: scores(1440, 0.9, 2), warnings: Vec::new() };
        let failed = Outcome::Failed { error: "is empty".to_owned() };
        let files = vec![
            FileReport { file: "denoised.wav".into(), outcome: done },
            FileReport { file: "é.wav".into(), outcome: failed },
        ];
        Report { tacet: "1", reference: "clean.wav".into(), rate_hz: 48_000, files, failed: 1 }
    }

    #[test]
    fn the_table_is_aligned() {
        let expected = "\
Reference: clean.wav (48000 Hz)
File                    Delay    STOI  STOI-DF   ESTOI  SI-SDR    segSNR      LSD
denoised.wav  1440 (30.00 ms)  0.9123   0.9100  0.8000  inf dB  -1.50 dB  3.00 dB
  channel 1                    0.9123   0.9100  0.8000  inf dB  -1.50 dB  3.00 dB
  channel 2                    0.9123   0.9100  0.8000  inf dB  -1.50 dB  3.00 dB
é.wav                       -       -        -       -       -         -        -
";
        assert_eq!(table(&report()), expected);
    }

    #[test]
    fn json_is_flat_and_complete() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["failed"], 1);
        let done = &json["files"][0];
        assert_eq!((&done["status"], &done["delay_samples"]), (&"done".into(), &1440.into()));
        assert_eq!(
            (&done["mean"]["si_sdr_db"], &done["channels"][1]["stoi"]),
            (&"inf".into(), &0.91234.into())
        );
        assert_eq!(
            (&json["files"][1]["status"], &json["files"][1]["error"]),
            (&"failed".into(), &"is empty".into())
        );
    }

    #[test]
    fn doubtful_delays_are_pointed_out() {
        let search = Alignment::Search { max_ms: 1000.0 };
        assert!(warnings(&scores(1440, 0.9, 1), 30.0, search).is_empty());
        assert!(warnings(&scores(1440, 0.05, 1), 30.0, search)[0].contains("correlation 0.050"));
        assert!(warnings(&scores(-48_000, 0.9, 1), -1000.0, search)[0].contains("--max-delay-ms"));
        assert!(warnings(&scores(0, 0.9, 1), 0.0, Alignment::Search { max_ms: 0.0 }).is_empty());
        assert!(warnings(&scores(48_000, 0.9, 1), 1000.0, Alignment::Fixed(48_000)).is_empty());
    }

    #[test]
    fn the_search_has_a_range() {
        assert_eq!(search_ms("250.5"), Ok(250.5));
        for text in ["-1", "10001", "NaN", "inf", "much"] {
            assert!(search_ms(text).is_err(), "{text}");
        }
    }
}
