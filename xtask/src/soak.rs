//! `cargo xtask soak`: the release's CLAP, many instances of it, for a long time.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tacet_clap_host::PluginFile;
use tacet_clap_host::soak::{Plan, Report};

use crate::bundle;
use crate::shell;
use crate::venv::Venv;
use crate::workspace::Workspace;

/// Memory that a process may gain from a tenth of its time to the end: what allocators keep, and no leak of a byte per hop.
const MAX_GROWTH_BYTES: i64 = 4 << 20;

/// How long and how fast.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// Audio per instance
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// Instances
    #[arg(long, default_value_t = 16)]
    pub instances: usize,
    /// Play at the pace of the wall clock; otherwise as fast as it goes
    #[arg(long)]
    pub real_time: bool,
    /// The virtual microphone instead (Linux with PipeWire): `--minutes` of it in real time, then devices and servers that come
    /// and go
    #[arg(long)]
    pub microphone: bool,
    /// With --microphone: how often its source is taken away and put back
    #[arg(long, default_value_t = 100)]
    pub replugs: u32,
    /// With --microphone: how often the sound server is restarted
    #[arg(long, default_value_t = 20)]
    pub restarts: u32,
    /// Another programme, and blocks of other sizes
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Builds, bundles, plays and reports.
///
/// # Errors
/// Something cannot be built, an instance's output is not what it should be, or memory grows.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure!(options.minutes > 0.0 && options.instances > 0, "there is nothing to play");
    if options.microphone {
        return microphone(workspace, options);
    }
    let plugin = PluginFile::load(&bundle::clap_to_measure(workspace)?)?;
    let plan = Plan {
        n_instances: options.instances,
        audio: Duration::from_secs_f64(options.minutes * 60.0),
        is_realtime: options.real_time,
        seed: options.seed,
    };
    println!(
        "{} instances, {:.1} min of audio each; rendering what to compare with",
        plan.n_instances, options.minutes
    );
    let report = tacet_clap_host::soak::run(&plugin, &plan)?;
    println!("{}", screen(&plan, &report));
    judge(&plan, &report)
}

/// Builds the program and runs its microphone on a sound server of its own.
fn microphone(workspace: &Workspace, options: &Options) -> Result<()> {
    shell::run(&mut workspace.cargo("build --locked --release --package tacet-cli"))?;
    let scripts = workspace.root.join("tests/hosts");
    let mut python = Venv::provide(workspace, &scripts)?.python();
    python.arg("-u").arg(scripts.join("mic_soak.py")).arg(workspace.target.join("release/tacet")).args([
        format!("--minutes={}", options.minutes),
        format!("--replugs={}", options.replugs),
        format!("--restarts={}", options.restarts),
    ]);
    shell::run(&mut python)
}

/// The report for people.
fn screen(plan: &Plan, report: &Report) -> String {
    let times = plan.audio.as_secs_f64() * plan.n_instances as f64 / report.took.as_secs_f64();
    let mut lines = vec![
        format!(
            "  audio           {:.1} min in {:.1} min: {times:.1} instances in real time",
            plan.audio.as_secs_f64() / 60.0,
            report.took.as_secs_f64() / 60.0
        ),
        format!(
            "  hops            {} compared, {} differ, at most {} in a row",
            report.n_hops, report.n_different, report.longest_run
        ),
    ];
    if let Some((first, last)) = report.different {
        let (first, last) = (first.as_secs_f64(), last.as_secs_f64());
        lines.push(format!("  they were       heard between {first:.2} s and {last:.2} s"));
    }
    if plan.is_realtime {
        lines.push(format!("  host too late   for {} buffers: the machine kept it", report.n_missed));
    }
    if let (Some((early, late)), Some(growth)) = (report.resident, report.growth()) {
        let mb = |bytes: f64| bytes / f64::from(1 << 20);
        lines.push(format!(
            "  memory          {:.1} MiB after a tenth, {:.1} at the end: {:+.2}",
            mb(early as f64),
            mb(late as f64),
            mb(growth as f64)
        ));
    }
    lines.join("\n")
}

/// Fails on a hop that differs where nothing is ever late, and on differences that do not end where something may be.
fn judge(plan: &Plan, report: &Report) -> Result<()> {
    if !plan.is_realtime && report.n_different > 0 {
        bail!("{} hops differ from the offline render", report.n_different);
    }
    // A second of late frames is a machine that stood still; after it, everything is equal again.
    if report.longest_run > 200 {
        bail!("{} hops in a row differ from the offline render", report.longest_run);
    }
    if let Some(growth) = report.growth().filter(|growth| *growth > MAX_GROWTH_BYTES) {
        bail!("the process has grown by {growth} bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_growth_are_reported_and_judged() {
        let plan = Plan { n_instances: 16, audio: Duration::from_secs(60), is_realtime: false, seed: 1 };
        let good = Report {
            n_hops: 6000,
            took: Duration::from_secs(30),
            resident: Some((100 << 20, 101 << 20)),
            ..Report::default()
        };
        assert!(judge(&plan, &good).is_ok());
        let text = screen(&plan, &good);
        assert!(
            text.contains("32.0 instances") && text.contains("6000 compared") && text.contains("+1.00"),
            "{text}"
        );
        assert!(judge(&plan, &Report { n_different: 1, longest_run: 1, ..good.clone() }).is_err());
        let live = Plan { is_realtime: true, ..plan };
        assert!(judge(&live, &Report { n_different: 9, longest_run: 3, ..good.clone() }).is_ok());
        assert!(judge(&live, &Report { n_different: 900, longest_run: 900, ..good.clone() }).is_err());
        assert!(judge(&plan, &Report { resident: Some((0, 9 << 20)), ..good }).is_err());
    }
}
