//! The plugin's window in a host, on an X server without a screen: it draws, follows the sound, takes any size, and leaves
//! nothing behind when it is closed.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use tacet::random::Random;
use tacet_clap_host::{Instance, PluginFile, library_under_test};

#[path = "support/screen.rs"]
mod screen;

use screen::{HEIGHT, Screen, WIDTH};

const RATE_HZ: f64 = 48_000.0;
const HOP: usize = 480;
/// How long a window may take to show something: drawn by software on a loaded machine, the first picture takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Speech-like sound: a buzz that comes and goes, in noise.
fn hop(n: usize) -> Vec<f32> {
    let mut random = Random(n as u32 + 1);
    (0..HOP)
        .map(|i| {
            let t = (n * HOP + i) as f32 / RATE_HZ as f32;
            let buzz = (1..12).map(|k| (t * 140.0 * k as f32 * std::f32::consts::TAU).sin()).sum::<f32>();
            0.025 * random.sample() + 0.03 * buzz * (t * 9.0).sin().max(0.0)
        })
        .collect()
}

/// Plays sound in real time.
fn play(instance: &mut Instance, n_hops: usize, at: &mut usize) {
    let mut due = Instant::now();
    for _ in 0..n_hops {
        let mut block = vec![hop(*at), hop(*at + 7)];
        instance.process(&mut block, &[]).unwrap();
        *at += 1;
        due += Duration::from_millis(10);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Allocated memory in MiB, threads and open files of this process. Not the resident memory: the allocator keeps what the
/// windows' threads have freed.
fn holdings() -> (f64, usize, usize) {
    #[cfg(target_env = "gnu")]
    let allocated = {
        // SAFETY: it only reads the allocator's own numbers.
        let info = unsafe { libc::mallinfo2() };
        (info.uordblks + info.hblkhd) as f64 / 1024.0 / 1024.0
    };
    #[cfg(not(target_env = "gnu"))]
    let allocated = 0.0;
    let count = |dir: &str| fs::read_dir(dir).unwrap().count();
    (allocated, count("/proc/self/task"), count("/proc/self/fd"))
}

/// Processor time of this process, in seconds.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // Fields 14 and 15, counted behind the name in brackets, in hundredths of a second (proc(5)).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|&i| fields[i].parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

#[test]
fn the_window_draws_follows_and_leaves_nothing_behind() {
    let Some(screen) = Screen::open() else { return };
    let plugin = PluginFile::load(&library_under_test()).unwrap();
    let mut instance = plugin.create().unwrap();
    instance.activate(RATE_HZ, HOP as u32).unwrap();
    let mut at = 0;

    // CPU time of the sound without a window.
    play(&mut instance, 100, &mut at);
    let before_s = cpu_s();
    play(&mut instance, 100, &mut at);
    let closed_s = cpu_s() - before_s;

    let parent = screen.parent(WIDTH, HEIGHT);
    let (width, height) = instance.open_panel(parent).unwrap();
    assert_eq!((width, height), (860, 560));
    let n_colours = |picture: &[[u8; 4]]| picture.iter().collect::<HashSet<_>>().len();
    let deadline = Instant::now() + PATIENCE;
    let picture = loop {
        play(&mut instance, 150, &mut at);
        let picture = screen.picture(width as u16, height as u16);
        if n_colours(&picture) > 200 {
            break picture;
        }
        assert!(Instant::now() < deadline, "a spectrogram has more than {} colours", n_colours(&picture));
    };
    let before_s = cpu_s();
    play(&mut instance, 100, &mut at);
    let open_s = cpu_s() - before_s;
    println!(
        "with software rendering the open window takes {:.0} % of a core, the sound alone {:.0} %",
        100.0 * (open_s - closed_s),
        100.0 * closed_s
    );

    let deadline = Instant::now() + PATIENCE;
    loop {
        let later = screen.picture(width as u16, height as u16);
        let n_changed = picture.iter().zip(&later).filter(|(a, b)| a != b).count();
        if n_changed > 10_000 {
            break;
        }
        assert!(Instant::now() < deadline, "only {n_changed} pixels have moved");
        play(&mut instance, 50, &mut at);
    }

    // A small window shows a part, and the next one has its size.
    instance.resize_panel(400, 300).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        play(&mut instance, 50, &mut at);
        if n_colours(&screen.picture(400, 300)) > 50 {
            break;
        }
        assert!(Instant::now() < deadline, "a small window shows nothing");
    }
    instance.close_panel().unwrap();
    screen.close(parent);
    let parent = screen.parent(WIDTH, HEIGHT);
    assert_eq!(instance.open_panel(parent).unwrap(), (400, 300));
    instance.resize_panel(860, 560).unwrap();
    instance.close_panel().unwrap();
    screen.close(parent);

    // The first openings fill caches; the others must not add to them.
    let mut cycle = || {
        let parent = screen.parent(WIDTH, HEIGHT);
        instance.open_panel(parent).unwrap();
        play(&mut instance, 2, &mut at);
        instance.close_panel().unwrap();
        screen.close(parent);
    };
    (0..20).for_each(|_| cycle());
    let (memory, n_threads, n_files) = holdings();
    (0..100).for_each(|_| cycle());
    // The system lists a thread for a moment after it was joined.
    let deadline = Instant::now() + Duration::from_secs(10);
    let (memory_after, n_threads_after, n_files_after) = loop {
        let held = holdings();
        if (held.1 <= n_threads && held.2 <= n_files) || Instant::now() > deadline {
            break held;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    println!(
        "a hundred openings: {memory:.1} to {memory_after:.1} MiB, {n_threads} to {n_threads_after} threads, \
         {n_files} to {n_files_after} files"
    );
    // A window that stays holds a megabyte and more. A tenth of that a time is in the allocator's caches: heaptrack finds no
    // allocation that is never freed.
    assert!(memory_after - memory < 20.0, "memory grew from {memory:.1} to {memory_after:.1} MiB");
    assert!(n_threads_after <= n_threads && n_files_after <= n_files);

    // A click that reaches the panel when its window is hidden ends the thread that draws, and not the host.
    let parent = screen.parent(WIDTH, HEIGHT);
    instance.open_panel(parent).unwrap();
    play(&mut instance, 50, &mut at);
    screen.hide(parent);
    screen.click_within(parent);
    play(&mut instance, 50, &mut at);
    instance.close_panel().unwrap();
    screen.close(parent);

    // The next window works.
    let parent = screen.parent(WIDTH, HEIGHT);
    instance.open_panel(parent).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while n_colours(&screen.picture(400, 300)) <= 50 {
        assert!(Instant::now() < deadline, "the next window shows nothing");
        play(&mut instance, 50, &mut at);
    }
    instance.close_panel().unwrap();
    screen.close(parent);

    // A screen of twice the usual resolution: the host learns how many pixels the window has.
    screen.set_dpi(192);
    let mut other = plugin.create().unwrap();
    let parent = screen.parent(WIDTH, HEIGHT);
    assert_eq!(other.open_panel(parent).unwrap(), (1720, 1120));
    other.close_panel().unwrap();
    screen.close(parent);
}
