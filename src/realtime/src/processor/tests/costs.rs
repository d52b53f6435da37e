//! Costs of faults: frames lost, time to recover, clicks. In real time, one fault at a time, against engines whose
//! answers are known. `docs/faults.md` has the figures; each test prints its row:
//!
//!     cargo test -p tacet-realtime --lib costs -- --nocapture
//!
//! Results that depend on the wall clock (frames lost, time) are asserted only on a quiet machine: `cargo xtask test
//! costs` says so with `TACET_REQUIRE_REAL_TIME=1`. What has to hold on any machine (no click, the programme comes back,
//! the device's state) always is.
//!
//! A frame is lost when it is concealed. Recovery is the time from the fault's end to the first frame from which on half a
//! second goes without a loss. The programme is a tone whose second difference is -74 dBFS at most: a click is what the
//! output's second difference has beyond the programme's.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::*;

/// Hops played before a fault, and after its end.
const N_BEFORE: usize = 100;
const N_AFTER: usize = 150;
/// Hops without a loss that end a recovery: half a second.
const N_QUIET: usize = 50;
/// Limits of a fault's cost.
const MAX_RECOVERY_MS: usize = 1000;
const MAX_CLICK_DBFS: f32 = -40.0;
/// Gain of the engines: a concealed frame that opens to the noisy one is 12 dB louder.
const GAIN: f32 = 0.25;
/// Time is kept by one test at a time.
static REAL_TIME: Mutex<()> = Mutex::new(());

/// Whether what depends on the wall clock is to be asserted.
fn keeps_time() -> bool {
    std::env::var_os("TACET_REQUIRE_REAL_TIME").is_some_and(|required| required == "1")
}

/// A native engine and a torch one that both scale by [`GAIN`], with their scripts.
fn services() -> (&'static Services, Arc<Script>, Arc<Script>) {
    let (native, torch) = (Arc::new(Script::default()), Arc::new(Script::default()));
    let services = Services::new([
        (Device::Native, scripted::opener(native.clone(), GAIN, 2)),
        (TORCH, scripted::opener(torch.clone(), GAIN, 2)),
    ]);
    (Box::leak(Box::new(services)), native, torch)
}

/// A tone at -6 dBFS.
fn tone(n_hops: usize) -> Vec<f32> {
    (0..n_hops * HOP).map(|i| 0.5 * (i as f32 * 0.02).sin()).collect()
}

/// Largest second difference.
fn sharpest(samples: &[f32]) -> f32 {
    samples.windows(3).map(|x| (x[2] - 2.0 * x[1] + x[0]).abs()).fold(0.0, f32::max)
}

/// Plays in real time, calls `fault` before each of `n_fault` hops with their numbers and `mend` after them, prints the row
/// and checks what every fault has to keep. Returns the frames lost.
fn play(
    name: &str,
    rig: &mut Rig,
    n_fault: usize,
    mut fault: impl FnMut(usize),
    mend: impl FnOnce(),
) -> usize {
    let _alone = REAL_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    rig.is_offline = false;
    let n_hops = N_BEFORE + n_fault + N_AFTER;
    let input = tone(n_hops);
    let mut mend = Some(mend);
    let mut lost = Vec::with_capacity(n_hops);
    let mut out = Vec::with_capacity(input.len());
    let mut next = Instant::now();
    for (hop, portion) in input.chunks(HOP).enumerate() {
        // A host that was kept from calling goes on at its pace and makes nothing up for.
        next = (next + Duration::from_millis(10)).max(Instant::now());
        match hop.checked_sub(N_BEFORE) {
            Some(number) if number < n_fault => fault(number),
            Some(_) => {
                if let Some(mend) = mend.take() {
                    mend();
                }
            }
            None => {}
        }
        out.extend(rig.run(portion, |_| HOP));
        lost.push(rig.meters.slots[0].n_concealed.load(Ordering::Relaxed) as usize);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let before = lost[N_BEFORE - 1];
    let end = N_BEFORE + n_fault;
    let is_quiet = |hop: &usize| lost.get(hop - 1 + N_QUIET).is_some_and(|later| *later == lost[hop - 1]);
    let recovery_ms = (end..n_hops).find(is_quiet).map(|hop| (hop - end) * 10);
    let latency = rig.latency();
    let click = sharpest(&out[latency..]) - sharpest(&input);
    let click_dbfs = 20.0 * click.max(1e-5).log10();
    let n_lost = lost[n_hops - 1] - before;
    let shown = recovery_ms.map_or("never".into(), |ms| format!("{ms} ms"));
    eprintln!("| {name} | {n_lost} | {shown} | {click_dbfs:.0} dBFS |");
    assert!(!keeps_time() || recovery_ms.is_some_and(|ms| ms <= MAX_RECOVERY_MS), "{name}: {shown}");
    assert!(click_dbfs <= MAX_CLICK_DBFS, "{name}: {click_dbfs} dBFS");
    // The engines and the latency are what they were: after a recovery the last hops are the programme's again.
    let tail = out.len() - 20 * HOP..out.len();
    let is_programme = error(&out, &input, latency, GAIN, tail) < 1e-4;
    // A machine that is busy with something else may be late again: such a hop is concealed, and counted.
    let is_late_again = !keeps_time() && lost[n_hops - 1] > lost[n_hops - 30];
    assert!(is_programme || recovery_ms.is_none() || is_late_again, "{name}: the end is not the programme");
    n_lost
}

/// A rig that plays on the native engine, as chosen.
fn rig(services: &'static Services) -> Rig {
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    rig.choose(Device::Native, None);
    rig
}

/// A rig that plays on the torch engine already.
fn on_torch(services: &'static Services) -> Rig {
    let mut rig = rig(services);
    rig.choose(TORCH, None);
    rig.run(&tone(120), |_| HOP);
    assert_eq!(rig.slot_manager.state(SlotId::A), DeviceState::Live(TORCH));
    rig
}

#[test]
fn the_inference_thread_is_stuck_for_a_second() {
    let (services, native, _) = services();
    let lost = play(
        "thread stuck for 1 s",
        &mut rig(services),
        100,
        |_| native.set(Act::Hang),
        || native.set(Act::Work),
    );
    assert!(lost >= 90, "{lost}");
}

#[test]
fn the_inference_thread_dies() {
    let (services, native, _) = services();
    let die = |_| {
        native.resets_panic.store(true, Ordering::Relaxed);
        native.set(Act::Nan);
    };
    let mut rig = rig(services);
    let lost = play("thread dies", &mut rig, 1, die, || {
        native.set(Act::Work);
        native.resets_panic.store(false, Ordering::Relaxed);
    });
    assert!(lost > 0);
    assert_eq!(rig.slot_manager.state(SlotId::A), DeviceState::Live(Device::Native));
}

#[test]
fn the_native_engine_fails_for_good_and_is_opened_anew() {
    let (services, native, _) = services();
    let mut rig = rig(services);
    let lost = play("native engine fails", &mut rig, 3, |_| native.set(Act::Panic), || native.set(Act::Work));
    assert!(lost >= 3);
    assert_eq!(rig.slot_manager.state(SlotId::A), DeviceState::Live(Device::Native));
}

#[test]
fn a_native_engine_that_always_fails_is_given_up_with_its_reason() {
    let (services, native, _) = services();
    let mut rig = rig(services);
    native.set(Act::Fail);
    for _ in 0..40 {
        rig.run(&tone(1), |_| HOP);
        std::thread::sleep(Duration::from_millis(2));
    }
    wait_for(|| {
        rig.slot_manager.attend();
        rig.run(&tone(1), |_| HOP);
        matches!(rig.slot_manager.state(SlotId::A), DeviceState::FellBack { .. })
    });
    let DeviceState::FellBack { device, reason } = rig.slot_manager.state(SlotId::A) else { unreachable!() };
    assert_eq!(device, Device::Native);
    assert!(reason.contains("as scripted"), "{reason}");
    // The user tries again when it can work.
    native.set(Act::Work);
    rig.slot_manager.retry(SlotId::A);
    wait_for(|| {
        rig.slot_manager.attend();
        rig.run(&tone(1), |_| HOP);
        rig.slot_manager.state(SlotId::A) == DeviceState::Live(Device::Native)
    });
}

#[test]
fn one_step_of_a_device_fails() {
    let (services, _, torch) = services();
    let mut rig = on_torch(services);
    let lost =
        play("device error in one step", &mut rig, 1, |_| torch.set(Act::Fail), || torch.set(Act::Work));
    assert!(lost >= 1 && (lost < 20 || !keeps_time()), "{lost}");
    assert_eq!(rig.slot_manager.state(SlotId::A), DeviceState::Live(TORCH));
}

#[test]
fn a_device_fails_from_some_step_on() {
    let (services, _, torch) = services();
    let mut rig = on_torch(services);
    let lost = play("device fails for good", &mut rig, 1, |_| torch.set(Act::Fail), || {});
    assert!(lost >= 3, "{lost}");
    assert!(matches!(rig.slot_manager.state(SlotId::A), DeviceState::FellBack { device: TORCH, .. }));
    torch.set(Act::Work);
}

#[test]
fn every_processor_is_busy_with_something_else() {
    let (services, native, _) = services();
    native.busy_us.store(2000, Ordering::Relaxed);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    let start = |number: usize| {
        if number == 0 {
            let n_threads = 2 * std::thread::available_parallelism().map_or(1, |n| n.get());
            threads.extend((0..n_threads).map(|_| {
                let is_over = is_over.clone();
                std::thread::spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            }));
        }
    };
    play("all processors busy for 2 s", &mut rig(services), 200, start, || {
        is_over.store(true, Ordering::Relaxed)
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// The system takes back every page that it can read again from a file (code, constants, the embedded weights), over and
/// over. What lies in anonymous memory goes only where there is swap; then it goes too.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_taken_away() {
    let (services, ..) = services();
    let page_out = |_| {
        for line in std::fs::read_to_string("/proc/self/maps").unwrap().lines() {
            let Some((range, rest)) = line.split_once(' ') else { continue };
            let Some((start, end)) = range.split_once('-') else { continue };
            let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).unwrap());
            if !rest.contains("[v") {
                // SAFETY: paging out changes no content; a range that is gone meanwhile is an error code.
                unsafe { libc::madvise(start as *mut _, end - start, libc::MADV_PAGEOUT) };
            }
        }
    };
    play("memory paged out for 1 s", &mut rig(services), 100, page_out, || {});
}

#[test]
fn the_host_stops_calling() {
    let (services, ..) = services();
    let suspend = |_| std::thread::sleep(Duration::from_secs(2));
    let lost = play("host suspended (2 s of it)", &mut rig(services), 1, suspend, || {});
    assert!(lost == 0 || !keeps_time(), "{lost}");
}

/// Minutes of suspension, and a clock that jumps: only the wait rule looks at a clock, and the test hands it the time.
#[test]
fn the_clock_jumps() {
    let mut now = Instant::now();
    let mut rule = WaitRule::new(48e3, SLACK_GRACE);
    let mut longest = Duration::ZERO;
    for block in 0..1000 {
        now += Duration::from_millis(10);
        match block {
            300 => now += Duration::from_secs(15 * 60),
            // A monotonic clock does not go back; one that does is taken for one that stands.
            600 => now -= Duration::from_secs(3),
            _ => {}
        }
        rule.begin_block(now, HOP, false);
        if block > 100 {
            let sent = now - Duration::from_millis(10);
            longest = longest.max(rule.deadline(sent).saturating_duration_since(now));
        }
    }
    eprintln!(
        "| clock jumps by 15 min and back by 3 s | 0 | 0 ms, longest wait {} us | none |",
        longest.as_micros()
    );
    assert!(longest <= Duration::from_millis(5), "{longest:?}: half a block");
}
