//! Faults caused by a host or a user in the built plugin and the torch pack while audio plays. `docs/faults.md` has the
//! figures; each test prints its row. Faults of the inference thread are tested beside the processor, with scripted
//! engines.

use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tacet::device::Device;
use tacet::inference::device_state::DeviceState;
use tacet::inference::services::Services;
use tacet::inference::signal::WorkSignal;
use tacet::inference::slot_manager::SlotManager;
use tacet::latency::LatencyMode;
use tacet::meters::Meters;
use tacet::model::{HOP, ModelKind};
use tacet::processor::controls::Controls;
use tacet::processor::resample::Plan;
use tacet::processor::{Processor, Setup};
use tacet::slot::SlotId;
use tacet_clap_host::signal::noise;
use tacet_clap_host::{Instance, PluginFile, library_under_test};
use tacet_torch_pack::replace;

#[path = "support/emulator.rs"]
mod emulator;

/// Memory, threads and files are counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn active(file: &PluginFile) -> Instance {
    let mut instance = file.create().unwrap();
    instance.set_channels(1).unwrap();
    instance.set_offline(true).unwrap();
    instance.activate(48e3, 512).unwrap();
    instance
}

/// Threads of this process without those that are ending, which they do by themselves: the fewest within a moment.
fn n_threads() -> usize {
    let count = |_| {
        std::thread::sleep(Duration::from_millis(10));
        n_entries("/proc/self/task")
    };
    (0..20).map(count).min().unwrap_or(0)
}

fn n_entries(dir: &str) -> usize {
    fs::read_dir(dir).map_or(0, |entries| entries.count())
}

/// Memory of this process that is its own, in MB.
fn resident_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    kb.and_then(|kb| kb.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(0.0, |kb| kb / 1000.0)
}

#[test]
fn a_thousand_instances_come_and_go() {
    let _alone = alone();
    let file = PluginFile::load(&library_under_test()).unwrap();
    let input = [noise(4 * HOP, 1)];
    let mut neighbour = None;
    let mut before = (0, 0, 0.0);
    let began = Instant::now();
    for cycle in 0..1000 {
        match cycle % 10 {
            // Every tenth is alone in the process: the inference thread ends with it, and the weights go.
            0 => neighbour = None,
            1 => neighbour = Some(active(&file)),
            _ => {}
        }
        let mut instance = active(&file);
        let output = instance.render(&input, &[HOP]).unwrap();
        assert!(output[0].iter().all(|sample| sample.is_finite()));
        drop(instance);
        if cycle == 200 {
            before = (n_threads(), n_entries("/proc/self/fd"), resident_mb());
        }
    }
    // The same point of the cycle as where it was counted.
    neighbour.take();
    drop(active(&file));
    let after = (n_threads(), n_entries("/proc/self/fd"), resident_mb());
    let took_ms = began.elapsed().as_millis() / 1000;
    eprintln!(
        "| 1000 instances come and go ({took_ms} ms each) | 0 | threads {} to {}, files {} to {}, memory {:+.1} MB | none |",
        before.0,
        after.0,
        before.1,
        after.1,
        after.2 - before.2
    );
    if cfg!(target_os = "linux") {
        assert!(after.0 <= before.0 && after.1 <= before.1, "{before:?} before, {after:?} after");
        assert!(emulator::is_emulated() || after.2 < before.2 + 8.0, "{before:?} before, {after:?} after");
    }
}

#[test]
fn two_versions_of_the_plugin_live_in_one_process() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let paths = ["Tacet 1.clap", "Tacet 2.clap"].map(|name| dir.path().join(name));
    for path in &paths {
        fs::copy(library_under_test(), path).unwrap();
    }
    let files = paths.each_ref().map(|path| PluginFile::load(path).unwrap());
    let input = noise(60 * HOP, 1);
    let expected = active(&files[0]).render(std::slice::from_ref(&input), &[HOP]).unwrap().remove(0);

    let [first, second] = files;
    let mut instances = [active(&first), active(&second)];
    let mut outputs = [Vec::new(), Vec::new()];
    let (half, rest) = input.split_at(30 * HOP);
    for portion in half.chunks(HOP) {
        for (instance, output) in instances.iter_mut().zip(&mut outputs) {
            let mut block = [portion.to_vec()];
            instance.process(&mut block, &[]).unwrap();
            output.append(&mut block[0]);
        }
    }
    // One goes with its library, the other plays on.
    let [gone, mut stays] = instances;
    drop(gone);
    drop(first);
    for portion in rest.chunks(HOP) {
        let mut block = [portion.to_vec()];
        stays.process(&mut block, &[]).unwrap();
        outputs[1].append(&mut block[0]);
    }
    assert!(outputs[0] == expected[..30 * HOP] && outputs[1] == expected, "they disturb each other");
    eprintln!("| two versions in one process, one unloaded | 0 | 0 ms, bit-identical | none |");
}

/// As an installer does it, who knows nothing of the host. Where Windows refuses, everything is what it was.
#[test]
fn the_plugin_is_replaced_and_removed_while_it_plays() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let bundle = |name: &str| {
        let folder = dir.path().join(name).join("Contents");
        fs::create_dir_all(&folder).unwrap();
        let binary = folder.join("Tacet.plugin");
        fs::copy(library_under_test(), &binary).unwrap();
        fs::write(folder.join("text"), name).unwrap();
        binary
    };
    let file = PluginFile::load(&bundle("installed")).unwrap();
    let input = noise(60 * HOP, 1);
    let expected = active(&file).render(std::slice::from_ref(&input), &[HOP]).unwrap().remove(0);

    bundle("new");
    let installed = dir.path().join("installed");
    let is_whole =
        || installed.join("Contents/text").is_file() && installed.join("Contents/Tacet.plugin").is_file();
    let mut instance = active(&file);
    let mut output = Vec::new();
    let mut done = Vec::new();
    for (n_hop, portion) in input.chunks(HOP).enumerate() {
        match n_hop {
            20 => {
                done.push(replace::replace(&dir.path().join("new"), &installed).is_ok());
                assert!(is_whole());
            }
            40 => {
                done.push(replace::remove(&installed).is_ok());
                assert!(is_whole() || !installed.exists());
            }
            _ => {}
        }
        let mut block = [portion.to_vec()];
        instance.process(&mut block, &[]).unwrap();
        output.append(&mut block[0]);
    }
    assert!(output == expected, "it plays something else");
    assert!(cfg!(windows) || done == [true; 2], "{done:?}");
    drop((instance, file));
    replace::sweep(dir.path());
    eprintln!("| the plugin replaced and removed while it plays | 0 | 0 ms, bit-identical | none |");
}

/// A processor on one device, which is heard.
struct Playing {
    processor: Processor,
    slot_manager: SlotManager,
    meters: Arc<Meters>,
    signal: Arc<WorkSignal>,
}

impl Playing {
    fn new(device: Device) -> Self {
        let signal = Arc::new(WorkSignal::default());
        let (mut slot_manager, inbox) =
            SlotManager::new(Services::global(), ModelKind::DeepFilterNet3, 1, signal.clone());
        slot_manager.serve_at_once(Duration::from_secs(30));
        slot_manager.choose(device, None);
        let meters = Arc::new(Meters::default());
        let plan = Plan::new(48e3).unwrap();
        let setup = Setup { plan, n_channels: 1, lookahead_hops: 2, mode: LatencyMode::Safe };
        let processor = Processor::new(setup, inbox, meters.clone()).unwrap();
        let mut this = Self { processor, slot_manager, meters, signal };
        let deadline = Instant::now() + Duration::from_secs(60);
        while this.slot_manager.state(SlotId::A) != DeviceState::Live(device) {
            assert!(Instant::now() < deadline, "{:?}", this.slot_manager.state(SlotId::A));
            this.play(1, true);
        }
        this
    }

    fn play(&mut self, n_hops: usize, is_offline: bool) {
        for portion in noise(n_hops * HOP, 1).chunks(HOP) {
            let mut block = [portion.to_vec()];
            self.processor.process(&mut block, &Controls::default(), is_offline);
            assert!(block[0].iter().all(|sample| sample.is_finite()));
            if self.signal.take() {
                self.slot_manager.attend();
            }
        }
    }

    fn n_lost(&self) -> u64 {
        self.meters.slots[0].n_concealed.load(Ordering::Relaxed)
    }
}

/// Sixteen instances in real time for as many seconds as `TACET_SOAK_S` says: no frame may be lost on a machine that does
/// nothing else. An hour, in the build that users get:
///
///     TACET_SOAK_S=3600 cargo test --release --test faults soak -- --nocapture
#[test]
fn a_soak_loses_nothing() {
    const N_INSTANCES: usize = 16;
    let Some(seconds) = std::env::var("TACET_SOAK_S").ok().and_then(|text| text.parse::<usize>().ok()) else {
        eprintln!("skipped: TACET_SOAK_S is not set");
        return;
    };
    let _alone = alone();
    let mut instances: Vec<Playing> = (0..N_INSTANCES).map(|_| Playing::new(Device::Native)).collect();
    let began = Instant::now();
    for hop in 0..seconds * 100 {
        instances.iter_mut().for_each(|instance| instance.play(1, false));
        let next = began + Duration::from_millis(10 * (hop as u64 + 1));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let n_lost: u64 = instances.iter().map(Playing::n_lost).sum();
    eprintln!("| {seconds} s through {N_INSTANCES} instances | {n_lost} | | none |");
    assert_eq!(n_lost, 0);
}

/// The torch pack while its libraries run. Windows neither swaps nor deletes them.
#[cfg(unix)]
mod torch_pack {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use tacet::engine::torch::TorchDevice;

    use super::*;

    /// libtorch's CPU engine.
    const TORCH: Device = Device::Torch(TorchDevice::Cpu);

    /// The pack that `TACET_TORCH_DIR` names, linked to a place of its own; none where there is no pack.
    fn pack(dir: &Path) -> Option<PathBuf> {
        let source = PathBuf::from(std::env::var_os("TACET_TORCH_DIR")?);
        if !source.join("pack.json").is_file() {
            return None;
        }
        let copy = dir.join("pack");
        fs::create_dir_all(copy.join("lib")).unwrap();
        fs::copy(source.join("pack.json"), copy.join("pack.json")).unwrap();
        for entry in fs::read_dir(source.join("lib")).unwrap() {
            let entry = entry.unwrap();
            let place = copy.join("lib").join(entry.file_name());
            if fs::hard_link(entry.path(), &place).is_err() {
                fs::copy(entry.path(), &place).unwrap();
            }
        }
        Some(copy)
    }

    /// Says in the child process what is to happen to its pack.
    const ACT_VARIABLE: &str = "TACET_FAULT";

    /// Runs this test's other half in a process whose pack is at `pack`.
    fn run_child(act: &str, pack: &Path) {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "torch_pack::the_torch_pack_goes_away_while_it_runs", "--nocapture"])
            .env("TACET_TORCH_DIR", pack)
            .env(ACT_VARIABLE, act)
            .status()
            .unwrap();
        assert!(status.success(), "{act}: {status}");
    }

    #[test]
    fn the_torch_pack_goes_away_while_it_runs() {
        if let Ok(act) = std::env::var(ACT_VARIABLE) {
            return lose_the_pack(&act);
        }
        let _alone = alone();
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let Some(pack) = pack(dir.path()) else {
            assert!(std::env::var_os("TACET_REQUIRE_TORCH").is_none(), "no runtime pack");
            eprintln!("skipped: no runtime pack");
            return;
        };
        run_child("swapped", &pack);
        // The file there is no longer the one that was installed: nobody opens it.
        run_child("refused", &pack);
        fs::remove_dir_all(&pack).unwrap();
        let pack = self::pack(dir.path()).unwrap();
        run_child("deleted", &pack);
        run_child("refused", &pack);
    }

    /// The child: plays on libtorch, loses the pack, plays on.
    fn lose_the_pack(act: &str) {
        let pack = PathBuf::from(std::env::var_os("TACET_TORCH_DIR").unwrap());
        if act == "refused" {
            let error = tacet::engine::torch::TorchBackend::open().unwrap_err().to_string();
            return assert!(error.contains("tacet torch install"), "{error}");
        }
        let mut torch = Playing::new(TORCH);
        torch.play(50, true);
        let before = torch.n_lost();
        match act {
            "swapped" => {
                for entry in fs::read_dir(pack.join("lib")).unwrap() {
                    // As an installer does it: written beside, then moved over.
                    let path = entry.unwrap().path();
                    let new = path.with_extension("new");
                    fs::write(&new, b"another version").unwrap();
                    fs::rename(&new, &path).unwrap();
                }
            }
            _ => fs::remove_dir_all(&pack).unwrap(),
        }
        torch.play(100, true);
        let n_lost = torch.n_lost() - before;
        assert_eq!(torch.slot_manager.state(SlotId::A), DeviceState::Live(TORCH));
        assert_eq!(n_lost, 0);
        eprintln!("| torch libraries {act} while they run | {n_lost} | 0 ms | none |");
    }
}
