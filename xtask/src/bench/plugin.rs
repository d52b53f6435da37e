//! `cargo xtask bench plugin`: what the release's CLAP costs a host: scan, instances, activations, memory. The audio
//! thread's cost per hop is the bench `audio_thread`'s.
//!
//! The library is copied for every load, so that each is a first one; the files are in the system's cache by then, as they
//! are when a host scans.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tacet_clap_host::signal::noise;
use tacet_clap_host::soak::resident_bytes;
use tacet_clap_host::{Instance, PluginFile};

use crate::bundle;
use crate::workspace::Workspace;

/// Repetitions of loading, creating and activating.
const N_LIVES: usize = 20;
/// Instances whose memory is measured.
const N_INSTANCES: usize = 32;
/// Samples of a hop at 48 kHz.
const HOP: usize = 480;

/// Builds, measures and prints a table.
///
/// # Errors
/// The plugin cannot be built or refuses something.
pub fn run(workspace: &Workspace) -> Result<()> {
    let clap = bundle::clap_to_measure(workspace)?;
    println!("{}, {:.1} MB", workspace.display(&clap), fs::metadata(&clap)?.len() as f64 / 1e6);
    println!("{:<44} {:>9} {:>9} {:>9}", "milliseconds", "median", "p99", "max");
    for (what, times) in lives(&clap)? {
        print_row(what, times);
    }
    let plugin = PluginFile::load(&clap)?;
    println!("{:<44} {:>9}", "mebibytes", "each");
    for n_channels in [1, 2] {
        let Some(bytes) = memory(&plugin, n_channels)? else { continue };
        let channels = if n_channels == 1 { "mono" } else { "stereo" };
        println!(
            "{:<44} {:>9.2}",
            format!("a further instance, active, {channels}"),
            bytes / f64::from(1 << 20)
        );
    }
    Ok(())
}

fn print_row(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    println!("{what:<44} {:>9.2} {:>9.2} {:>9.2}", at(0.5), at(0.99), at(1.0));
}

/// Times of the stages of an instance's life.
fn lives(clap: &Path) -> Result<Vec<(&'static str, Vec<Duration>)>> {
    let copies = tempfile::tempdir()?;
    let (mut scans, mut creations, mut firsts, mut furthers, mut again) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..N_LIVES {
        let copy = copies.path().join(format!("{round}.clap"));
        fs::copy(clap, &copy).context("no room for copies of the plugin")?;
        let start = Instant::now();
        drop(PluginFile::load(&copy)?);
        scans.push(start.elapsed());

        let plugin = PluginFile::load(&copy)?;
        let mut create = || {
            let start = Instant::now();
            let instance = plugin.create();
            creations.push(start.elapsed());
            instance
        };
        let activate = |instance: &mut Instance, rate_hz: f64, times: &mut Vec<Duration>| {
            let start = Instant::now();
            let result = instance.activate(rate_hz, 512);
            times.push(start.elapsed());
            result
        };
        let (mut one, mut other) = (create()?, create()?);
        activate(&mut one, 48e3, &mut firsts)?;
        activate(&mut other, 48e3, &mut furthers)?;
        activate(&mut other, 44.1e3, &mut again)?;
    }
    Ok(vec![
        ("scan: open, enumerate, close", scans),
        ("create an instance", creations),
        ("activate the first instance of a process", firsts),
        ("activate a further one", furthers),
        ("activate again at 44.1 kHz", again),
    ])
}

fn active(plugin: &PluginFile, rate_hz: f64, n_channels: usize) -> Result<Instance> {
    let mut instance = plugin.create()?;
    instance.set_channels(n_channels)?;
    instance.activate(rate_hz, 512)?;
    Ok(instance)
}

/// Bytes of each of many instances that have all processed, if the system reports them.
fn memory(plugin: &PluginFile, n_channels: usize) -> Result<Option<f64>> {
    let played = || {
        let mut instance = active(plugin, 48e3, n_channels)?;
        instance.render(&vec![noise(20 * HOP, 1); n_channels], &[HOP])?;
        anyhow::Ok(instance)
    };
    let _first = played()?;
    let before = resident_bytes();
    let instances = (0..N_INSTANCES).map(|_| played()).collect::<Result<Vec<_>>>()?;
    let after = resident_bytes();
    drop(instances);
    Ok(before.zip(after).map(|(before, after)| after.saturating_sub(before) as f64 / N_INSTANCES as f64))
}
