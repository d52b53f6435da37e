//! `tacet bench`: time per hop and throughput of whole files on each device.

mod measure;
mod plot;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;
use tacet_realtime::device::{self, Device, Facts};
use tacet_realtime::lab::HOP_US;

use super::model;
use crate::io_errors::explained;
use measure::{Measured, Throughput};

/// Measure every device: upload, compute and download of a hop, at the pace of real audio and back to back, for several
/// streams at once; then whole files.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Devices to measure: native, cpu, mps, cuda, cuda:N [default: all available]
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub device: Vec<Device>,

    /// DeepFilterNet3 (embedded), DeepFilterNet3_ll, or the path of an archive or a converted model
    /// [default: $TACET_MODEL, else the embedded one]
    #[arg(long, value_name = "NAME|PATH")]
    pub model: Option<String>,

    /// Mono streams in one step
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2, 8, 32])]
    pub streams: Vec<usize>,

    /// Hops per measurement, 10 ms of audio each
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub hops: usize,

    /// Pace of the hops
    #[arg(long, value_enum, default_value_t = PaceChoice::Both)]
    pub pace: PaceChoice,

    /// Skip the throughput of whole files
    #[arg(long)]
    pub no_files: bool,

    /// Write all results as JSON; `-` is standard output
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,

    /// Write the table as CSV; `-` is standard output
    #[arg(long, value_name = "PATH")]
    pub csv: Option<PathBuf>,

    /// Plot the results as PNG or SVG, by extension
    #[arg(long, value_name = "PATH")]
    pub plot: Option<PathBuf>,
}

/// Paces on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PaceChoice {
    /// A hop every 10 ms, as in live audio; a step that takes longer misses its deadline
    Live,
    /// Hops back to back
    BackToBack,
    /// Both, one after the other
    Both,
}

#[derive(Serialize)]
struct Report {
    system: String,
    libtorch: Option<String>,
    hop_us: f32,
    steps: Vec<Measured>,
    files: Vec<Throughput>,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct Skipped {
    device: String,
    reason: String,
}

/// Runs the command; false if a device that was named could not be measured.
///
/// # Errors
/// A file cannot be written.
pub fn run(args: &Args) -> Result<bool> {
    if args.streams.is_empty() || args.streams.contains(&0) || args.hops == 0 {
        return Err(super::usage("--streams and --hops must be at least 1"));
    }
    if let Some(path) = &args.plot {
        super::refuse_other_format("--plot", path, &["png", "svg"])?;
    }
    let model = model::find(args.model.as_deref())?;
    let facts = Facts::gather();
    let assessed = device::list(&facts, None);
    let mut report = Report {
        system: facts.system.to_string(),
        libtorch: facts.torch.as_ref().ok().map(|torch| torch.pack.clone()),
        hop_us: HOP_US,
        steps: Vec::new(),
        files: Vec::new(),
        skipped: Vec::new(),
    };
    let wanted = |device: Device| args.device.is_empty() || args.device.contains(&device);
    for found in assessed.iter().filter(|found| wanted(found.device)) {
        let name = found.device.name();
        if let Some(reason) = &found.unavailable {
            eprintln!("{name}: {reason}");
            report.skipped.push(Skipped { device: name, reason: reason.to_string() });
            continue;
        }
        eprintln!("Measuring {name}");
        if let Some(no_graphs) = found.no_graphs() {
            eprintln!("note: {name}: {no_graphs}");
        }
        match measure::device(found, &model, args) {
            Ok((steps, files)) => {
                report.steps.extend(steps);
                report.files.extend(files);
            }
            Err(error) => {
                eprintln!("{name}: {error:#}");
                report.skipped.push(Skipped { device: name, reason: format!("{error:#}") });
            }
        }
    }
    for device in args.device.iter().filter(|device| !assessed.iter().any(|found| found.device == **device)) {
        report.skipped.push(Skipped { device: device.name(), reason: "there is no such device here".into() });
    }
    let named_all = args.device.is_empty() || report.skipped.is_empty();
    publish(&report, args)?;
    Ok(named_all)
}

fn publish(report: &Report, args: &Args) -> Result<()> {
    let standard = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if !standard(&args.json) && !standard(&args.csv) {
        print!("{}", table(report));
    }
    if let Some(path) = &args.json {
        write(path, &(serde_json::to_string_pretty(report)? + "\n"))?;
    }
    if let Some(path) = &args.csv {
        write(path, &csv(report))?;
    }
    if let Some(path) = &args.plot {
        let svg = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
        let bytes = if svg { plot::svg(&report.steps).into_bytes() } else { plot::png(&report.steps)? };
        std::fs::write(path, bytes)
            .map_err(|error| explained(format_args!("cannot write {}", path.display()), &error))?;
    }
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    if path.as_os_str() == "-" {
        return Ok(std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| explained("cannot write to standard output", &error))?);
    }
    Ok(std::fs::write(path, text)
        .map_err(|error| explained(format_args!("cannot write {}", path.display()), &error))?)
}

/// Times in ms, as people read them.
fn table(report: &Report) -> String {
    let mut lines = vec![format!(
        "{:<12} {:>7}  {:<12} {:>8} {:>8} {:>8} | {:>8} {:>8} {:>8} {:>8} | {:>6} {:>6}  {:>8}",
        "device",
        "streams",
        "pace",
        "up",
        "compute",
        "down",
        "p50",
        "p95",
        "p99",
        "max",
        "load",
        "missed",
        "transfer"
    )];
    let ms = |us: f32| format!("{:.3}", us / 1000.0);
    for step in &report.steps {
        let total = &step.total;
        lines.push(format!(
            "{:<12} {:>7}  {:<12} {:>8} {:>8} {:>8} | {:>8} {:>8} {:>8} {:>8} | {:>5.1}% {:>6}  {:>8}",
            step.device,
            step.streams,
            step.pace,
            ms(step.upload.p50_us),
            ms(step.compute.p50_us),
            ms(step.download.p50_us),
            ms(total.p50_us),
            ms(total.p95_us),
            ms(total.p99_us),
            ms(total.max_us),
            step.load_percent,
            step.missed.map_or("-".into(), |missed| missed.to_string()),
            step.round_trip_us.map_or("-".into(), ms),
        ));
    }
    lines.push(
        "up, compute, down: medians; p50 to max: the whole step; all in ms. load: mean step / 10 ms.".into(),
    );
    lines.push(
        "transfer: an empty round trip with the same tensors. missed: live steps that ended too late.".into(),
    );
    if !report.files.is_empty() {
        lines.push(format!(
            "\n{:<12} {:>8}  {:<22} {:>12}",
            "whole files", "channels", "deep filter", "x real time"
        ));
    }
    for file in &report.files {
        lines.push(format!(
            "{:<12} {:>8}  {:<22} {:>12.0}",
            file.device, file.channels, file.df_method, file.times_real_time
        ));
    }
    lines.extend(
        report.skipped.iter().map(|skipped| format!("{}: not measured: {}", skipped.device, skipped.reason)),
    );
    lines.join("\n") + "\n"
}

fn csv(report: &Report) -> String {
    let mut text = String::from(
        "device,streams,pace,phase,upload_p50_us,compute_p50_us,download_p50_us,total_p50_us,total_p95_us,total_p99_us,\
         total_max_us,load_percent,missed,round_trip_us\n",
    );
    let optional = |value: Option<String>| value.unwrap_or_default();
    for step in &report.steps {
        for (phase, total) in [("warm", Some(step.total)), ("cold", step.cold_total)] {
            let Some(total) = total else { continue };
            let fields = [
                step.device.clone(),
                step.streams.to_string(),
                step.pace.to_owned(),
                phase.to_owned(),
                step.upload.p50_us.to_string(),
                step.compute.p50_us.to_string(),
                step.download.p50_us.to_string(),
                total.p50_us.to_string(),
                total.p95_us.to_string(),
                total.p99_us.to_string(),
                total.max_us.to_string(),
                step.load_percent.to_string(),
                optional(step.missed.map(|missed| missed.to_string())),
                optional(step.round_trip_us.map(|us| us.to_string())),
            ];
            text += &fields.join(",");
            text.push('\n');
        }
    }
    text
}

/// The length of a hop.
const HOP_TIME: Duration = Duration::from_micros(HOP_US as u64);

#[cfg(test)]
mod tests {
    use tacet_realtime::lab::Distribution;

    use super::*;

    fn report() -> Report {
        let timings = |us: f32| Distribution { p50_us: us, p95_us: us, p99_us: us, max_us: us, mean_us: us };
        let step = Measured {
            device: "torch CUDA".into(),
            streams: 8,
            pace: "live",
            upload: timings(20.0),
            compute: timings(300.0),
            download: timings(30.0),
            total: timings(350.0),
            cold_total: Some(timings(900.0)),
            load_percent: 3.5,
            missed: Some(2),
            round_trip_us: Some(41.0),
        };
        let files = Throughput {
            device: "torch CUDA".into(),
            channels: 2,
            df_method: "complex_strided",
            times_real_time: 800.4,
        };
        Report {
            system: "Linux".into(),
            libtorch: None,
            hop_us: HOP_US,
            steps: vec![step],
            files: vec![files],
            skipped: vec![Skipped { device: "torch MPS".into(), reason: "MPS exists on macOS only".into() }],
        }
    }

    #[test]
    fn the_table_holds_every_number_and_what_was_not_measured() {
        let table = table(&report());
        for part in
            ["torch CUDA", "0.020", "0.300", "0.350", "3.5%", "0.041", "800", "torch MPS: not measured: MPS"]
        {
            assert!(table.contains(part), "{part} is not in\n{table}");
        }
    }

    #[test]
    fn the_csv_has_as_many_fields_as_its_header_in_every_row() {
        let csv = csv(&report());
        let counts: Vec<_> = csv.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(counts, [14; 3], "{csv}");
        assert!(csv.contains("torch CUDA,8,live,cold,20,300,30,900"), "{csv}");
    }

    #[test]
    fn the_pictures_show_the_devices_and_the_hop() {
        let report = report();
        let svg = plot::svg(&report.steps);
        assert!(
            svg.starts_with("<svg") && svg.contains("torch CUDA, 8 streams, live") && svg.contains("10 ms"),
            "{svg}"
        );
        assert!(plot::png(&report.steps).unwrap().starts_with(b"\x89PNG"));
        assert!(plot::svg(&[]).ends_with("</svg>\n"));
    }
}
