//! The plugin's window in a VST3 host, on an X server without a screen: it opens and closes while another thread automates,
//! and goes in any order with the plugin and the host's objects.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tacet::random::Random;
use tacet_clap_host::library_under_test;
use tacet_vst3_host::{AudioThread, PluginFile};

#[path = "support/screen.rs"]
mod screen;

use screen::{HEIGHT, Screen, WIDTH};

/// These parameters get new values in every block, until stopped.
fn automate(audio: &AudioThread, ids: &[u32], is_over: &AtomicBool) {
    let mut random = Random(1);
    while !is_over.load(Ordering::Relaxed) {
        let points: Vec<_> =
            ids.iter().map(|&id| ((random.bits() >> 26) as i32, id, f64::from(random.share()))).collect();
        // Refused while the plugin is not active.
        let _ = audio.process(&[vec![0.1; 64], vec![0.1; 64]], &points);
        std::thread::sleep(Duration::from_micros(300));
    }
}

#[test]
fn the_window_opens_and_closes_under_automation_and_ends_in_any_order() {
    let Some(screen) = Screen::open() else { return };
    // A failure here may be a hang.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(240));
        eprintln!("the window or the plugin hangs");
        std::process::abort();
    });
    let n_threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = n_threads();
    let file = PluginFile::load(&library_under_test()).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let plugins: Vec<_> = (0..2)
            .map(|_| {
                let mut plugin = file.create().unwrap();
                plugin.set_handler();
                plugin.activate(48_000.0, 512).unwrap();
                plugin
            })
            .collect();
        for plugin in &plugins {
            let (audio, is_over) = (plugin.audio(), &is_over);
            let ids: Vec<u32> = plugin.params().unwrap().iter().take(10).map(|param| param.id).collect();
            scope.spawn(move || automate(&audio, &ids, is_over));
        }
        for round in 0..50 {
            let plugin = &plugins[round % 2];
            let parent = screen.parent(WIDTH, HEIGHT);
            let window = plugin.window().unwrap();
            // Some hosts have no run loop.
            window.open(parent, round % 4 != 3).unwrap();
            for _ in 0..3 {
                window.run();
                std::thread::sleep(Duration::from_millis(3));
            }
            let state = plugin.save().unwrap();
            plugin.load(&state).unwrap();
            // Some hosts release what they have not closed.
            if round % 3 != 0 {
                window.close();
            }
            drop(window);
            screen.close(parent);
        }
        is_over.store(true, Ordering::Relaxed);
    });

    // It draws.
    let plugin = file.create().unwrap();
    let parent = screen.parent(WIDTH, HEIGHT);
    let window = plugin.window().unwrap();
    window.open(parent, true).unwrap();
    let n_colours = || screen.picture(400, 300).into_iter().collect::<HashSet<_>>().len();
    assert!(window.run_until(Duration::from_secs(20), || n_colours() >= 20), "the window stays empty");
    assert_eq!(window.size().unwrap(), (860, 560));
    assert_eq!(window.resize(100, 100).unwrap(), (320, 240), "no smaller than what can be read");
    window.set_scale(2.0);
    let is_told = || window.asked_size() == Some((640, 480));
    assert!(window.run_until(Duration::from_secs(20), is_told), "asked for {:?}", window.asked_size());
    assert_eq!(window.size().unwrap(), (640, 480));
    let deadline = Instant::now() + Duration::from_secs(20);
    // The window's thread takes the scale a moment later.
    while window.resize(100, 100).unwrap() != (640, 480) {
        assert!(Instant::now() < deadline, "{:?} are not as many points as before", window.resize(100, 100));
        window.run();
        std::thread::sleep(Duration::from_millis(20));
    }
    let below = || {
        let picture = screen.picture(640, 480);
        picture.iter().enumerate().filter(|(at, _)| at / 640 >= 240).map(|(_, colour)| *colour).collect()
    };
    let mut seen: HashSet<_> = below();
    while seen.len() < 20 {
        assert!(Instant::now() < deadline, "the lower half shows {} colours", seen.len());
        window.run();
        std::thread::sleep(Duration::from_millis(20));
        seen = below();
    }
    window.close();
    screen.close(parent);

    // Plugin, window and the host's objects, each of them last.
    for order in 0..4 {
        let mut plugin = file.create().unwrap();
        plugin.set_handler();
        plugin.activate(48_000.0, 512).unwrap();
        let audio = plugin.audio();
        let parent = screen.parent(WIDTH, HEIGHT);
        let window = plugin.window().unwrap();
        window.open(parent, true).unwrap();
        window.run();
        match order {
            0 => {
                plugin.terminate();
                drop(plugin);
                window.run();
                drop(window);
                drop(audio);
            }
            1 => {
                plugin.remove_handler();
                drop(window);
                drop(audio);
                drop(plugin);
            }
            2 => {
                drop(audio);
                window.close();
                drop(plugin);
                drop(window);
            }
            _ => {
                drop(plugin);
                window.close();
                drop(window);
                drop(audio);
            }
        }
        screen.close(parent);
    }
    // The graphics driver's threads end a little later than their window, and must not outlive the process's clean-up.
    drop(file);
    let deadline = Instant::now() + Duration::from_secs(10);
    while n_threads() > before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(200));
}
