//! The built plugin in a VST3 host: what a workstation does to it, and what a user would notice.
#![cfg(any(target_os = "linux", windows))]

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use tacet_clap_host::library_under_test;
use tacet_clap_host::signal::{assert_adds_up, noise};
use tacet_vst3_host::objects::Report;
use tacet_vst3_host::{Plugin, PluginFile, Point};

/// VST3's flag for a latency that has changed.
const LATENCY_CHANGED: i32 = 8;

/// The library as a bundle, and its first plugin.
fn plugin() -> (tempfile::TempDir, PluginFile) {
    nth_plugin(0)
}

/// The library as a bundle, and its plugin of this index.
fn nth_plugin(index: i32) -> (tempfile::TempDir, PluginFile) {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("Tacet.vst3");
    std::fs::create_dir_all(&bundle).unwrap();
    let binary = tacet_vst3_host::binary(&bundle).unwrap();
    std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
    // A link where there are some: what is loaded is the tests' build.
    #[cfg(unix)]
    std::os::unix::fs::symlink(library_under_test(), binary).unwrap();
    #[cfg(windows)]
    std::fs::copy(library_under_test(), binary).unwrap();
    let plugin = PluginFile::load_nth(&bundle, index).unwrap();
    (folder, plugin)
}

fn active(file: &PluginFile, rate_hz: f64) -> Plugin {
    let mut plugin = file.create().unwrap();
    plugin.activate(rate_hz, 4096).unwrap();
    plugin
}

fn input() -> Vec<Vec<f32>> {
    vec![noise(24_000, 1), noise(24_000, 2)]
}

#[test]
fn it_describes_itself() -> Result<()> {
    let (_folder, file) = plugin();
    assert_eq!(file.name, "Tacet");
    assert!(file.vendor.iter().all(|text| !text.is_empty()), "{:?}", file.vendor);
    assert!(file.vendor[1].starts_with("https://") && file.vendor[2].contains('@'));
    assert_eq!(file.sdk_version, "VST 3.8.0");
    // Windows' identifiers begin with three little-endian numbers.
    let class = if cfg!(windows) { b"ecaTStepechDenoi" } else { b"TacetSpeechDenoi" };
    assert_eq!(&file.class(), class, "projects name it");
    let plugin = file.create()?;
    let params = plugin.params()?;
    // Projects name parameters by these numbers. Never change one of them.
    let ids: Vec<u32> = params.iter().map(|param| param.id).collect();
    let known = [
        102_976_443,
        108_124,
        106_855_366,
        3_165_055,
        1_044_975_047,
        773_352_680,
        1_073_454_565,
        1_066_350_961,
        103_672_038,
        3_321_850,
        1_037_602_523,
        104_069_929,
        3_079_916,
        3_079_917,
        792_671_104,
        102_865_796,
        69_834_524,
        1_292_694_837,
        1_152_162_109,
        94_746_185,
        112_386_354,
        1_255_338_631,
        3_208_383,
        1_090_594_823,
        1_044_730_209,
        1_044_732_131,
        102_974_698,
        102_974_760,
        102_974_915,
        1_044_730_454,
        351_971_013,
        1_316_693_890,
    ];
    assert_eq!(ids, known);
    let units: Vec<(&str, &str)> =
        params.iter().map(|param| (param.name.as_str(), param.unit.as_str())).collect();
    assert_eq!(units[0], ("Attenuation limit", "Denoise"));
    assert_eq!(units[5], ("Bypass", "Root"));
    assert_eq!(units[6], ("Noise below local SNR", "Stages"));
    assert_eq!(units[14], ("Compare", "Devices"));
    for param in &params {
        assert!((plugin.value(&param.name)? - param.default).abs() < 1e-6, "{}", param.name);
    }
    Ok(())
}

#[test]
fn it_is_bit_identical_to_the_clap_with_automation_at_its_samples() -> Result<()> {
    let (_folder, file) = plugin();
    let clap = tacet_clap_host::PluginFile::load(&library_under_test())?;
    let input = input();
    for rate_hz in [48e3, 44.1e3] {
        let mut reference = clap.create()?;
        reference.set_offline(true)?;
        reference.activate(rate_hz, 4096)?;
        let plugin = active(&file, rate_hz);
        assert_eq!(plugin.latency(), reference.latency());
        assert!(plugin.render(&input, &[512, 1, 4096])? == reference.render(&input, &[480])?, "{rate_hz} Hz");

        let id = reference.param("Mix")?.id;
        assert_eq!(plugin.id("Mix")?, id);
        let points: Vec<Point> =
            (0..40).map(|k| (k * 97, id, f64::from(k % 5) / 4.0)).filter(|point| point.0 < 4000).collect();
        let changes: Vec<_> = points
            .iter()
            .map(|&(at, id, value)| tacet_clap_host::Change { at: at as u32, id, value })
            .collect();
        let mut block: Vec<Vec<f32>> = input.iter().map(|channel| channel[..4000].to_vec()).collect();
        let (made, _) = plugin.audio().process(&block, &points)?;
        reference.process(&mut block, &changes)?;
        assert!(made == block, "{rate_hz} Hz: every point of an automation counts");
    }
    Ok(())
}

#[test]
fn the_second_plugin_has_the_removed_signal_beside_the_first_s_output() -> Result<()> {
    let ((_folder, file), (_other_folder, split)) = (plugin(), nth_plugin(1));
    assert_eq!(split.name, "Tacet (voice + removed)");
    let class = if cfg!(windows) { b"ecaTVtioce+Remov" } else { b"TacetVoice+Remov" };
    assert_eq!(&split.class(), class, "projects name it");
    for n_channels in [2, 1] {
        let input = input()[..n_channels].to_vec();
        let mut plain = file.create()?;
        assert!(plain.set_channels([n_channels; 2]));
        plain.activate(48e3, 4096)?;
        let expected = plain.render(&input, &[1024])?;

        let mut plugin = split.create()?;
        assert!(!plugin.set_channels([1, 2]) && plugin.set_channels([n_channels; 2]));
        plugin.activate(48e3, 4096)?;
        assert_eq!(plugin.latency(), plain.latency());
        let (audio, latency) = (plugin.audio(), plugin.latency());
        let mut at = 0;
        for n in [1000, 24, 4096].into_iter().cycle().take(6) {
            let block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..at + n].to_vec()).collect();
            let ([voice, removed], _) = audio.process_outputs::<2>(&block, &[])?;
            for (channel, input) in input.iter().enumerate() {
                assert!(voice[channel] == expected[channel][at..at + n]);
                assert_adds_up(&voice[channel], &removed[channel], input, at, latency);
            }
            at += n;
        }
        // A host may leave the second output out.
        let block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..at + 4096].to_vec()).collect();
        let (voice, _) = audio.process(&block, &[])?;
        assert!((0..n_channels).all(|channel| voice[channel] == expected[channel][at..at + 4096]));
        let state = plugin.save()?;
        plain.load(&state)?;
    }
    Ok(())
}

#[test]
fn layouts_are_mono_stereo_and_mono_to_stereo() -> Result<()> {
    let (_folder, file) = plugin();
    let mono = vec![noise(24_000, 3)];
    let mut plugin = file.create()?;
    for refused in [[2, 1], [1, 6], [6, 6], [0, 2]] {
        assert!(!plugin.set_channels(refused), "{refused:?}");
    }
    assert!(plugin.set_channels([1, 1]));
    plugin.activate(48e3, 512)?;
    let expected = plugin.render(&mono, &[512])?;
    plugin.deactivate();
    assert!(plugin.set_channels([1, 2]));
    plugin.activate(48e3, 512)?;
    let both = plugin.render(&mono, &[512])?;
    assert!(both[0] == expected[0] && both[1] == expected[0]);
    Ok(())
}

#[test]
fn stopping_around_each_block_changes_nothing_and_an_activation_clears() -> Result<()> {
    let (_folder, file) = plugin();
    let input = input();
    let mut plugin = active(&file, 48e3);
    let expected = plugin.render(&input, &[480])?;
    plugin.activate(48e3, 4096)?;
    let audio = plugin.audio();
    let mut made = vec![Vec::new(); 2];
    for at in (0..24_000).step_by(480) {
        let block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..at + 480].to_vec()).collect();
        audio.set_processing(true);
        let (output, _) = audio.process(&block, &[])?;
        audio.set_processing(false);
        made.iter_mut().zip(output).for_each(|(made, output)| made.extend(output));
    }
    assert!(made == expected);
    Ok(())
}

#[test]
fn silence_is_flagged() -> Result<()> {
    let (_folder, file) = plugin();
    let plugin = active(&file, 48e3);
    let audio = plugin.audio();
    let (_, flags) = audio.process(&[noise(4000, 4), noise(4000, 5)], &[])?;
    assert_eq!(flags, 0);
    let silent = vec![vec![0.0; 480]; 2];
    for _ in 0..40 {
        audio.process(&silent, &[])?;
    }
    assert_eq!(audio.process(&silent, &[])?.1, 0b11);
    Ok(())
}

#[test]
fn states_are_kept_before_and_after_a_handler_exists() -> Result<()> {
    let (_folder, file) = plugin();
    let saved = {
        let plugin = file.create()?;
        plugin.set("Attenuation limit", 0.24)?;
        plugin.set("Latency", 0.0)?;
        plugin.save()?
    };
    for has_handler in [false, true] {
        for is_active in [false, true] {
            let mut plugin = file.create()?;
            let log = has_handler.then(|| plugin.set_handler());
            if is_active {
                plugin.activate(48e3, 512)?;
            }
            plugin.load(&saved)?;
            assert!((plugin.value("Attenuation limit")? - 0.24).abs() < 1e-6);
            assert!(plugin.save()? == saved, "byte for byte");
            assert!(plugin.load(&saved[..saved.len() / 2]).is_err());
            assert!(plugin.load(&[]).is_err());
            assert!(plugin.save()? == saved, "a broken state changes nothing");
            if let Some(log) = log {
                let expected = if is_active { vec![Report::Restart(LATENCY_CHANGED)] } else { vec![] };
                assert_eq!(log.take(), expected);
                plugin.remove_handler();
                plugin.load(&saved)?;
            }
            plugin.activate(48e3, 512)?;
            assert_eq!(plugin.latency(), 1920);
        }
    }
    Ok(())
}

#[test]
fn a_state_holds_what_was_set_while_no_audio_is_called_for() -> Result<()> {
    let (_folder, file) = plugin();
    let mut plugin = active(&file, 48e3);
    let log = plugin.set_handler();
    plugin.render(&input(), &[512])?;
    plugin.set("Mix", 0.25)?;
    assert_eq!(plugin.value("Mix")?, 0.25);
    let saved = plugin.save()?;
    let other = file.create()?;
    other.load(&saved)?;
    assert!((other.value("Mix")? - 0.25).abs() < 1e-6);
    // The audio thread's word counts where it comes later.
    let id = plugin.id("Mix")?;
    plugin.set("Mix", 0.5)?;
    plugin.audio().process(&[vec![0.0; 64], vec![0.0; 64]], &[(0, id, 0.75)])?;
    assert_eq!(plugin.value("Mix")?, 0.75);
    other.load(&plugin.save()?)?;
    assert!((other.value("Mix")? - 0.75).abs() < 1e-6);
    assert_eq!(log.take(), [], "nothing is reported that the host did itself");
    Ok(())
}

#[test]
fn nothing_is_asked_for_at_an_activation_and_one_restart_per_choice() -> Result<()> {
    let (_folder, file) = plugin();
    let mut plugin = file.create()?;
    let log = plugin.set_handler();
    for rate_hz in [48e3, 44.1e3, 96e3] {
        plugin.activate(rate_hz, 512)?;
        plugin.render(&input(), &[512])?;
    }
    assert_eq!(log.take(), []);
    plugin.activate(48e3, 512)?;
    plugin.set("Latency", 0.0)?;
    plugin.render(&input(), &[512])?;
    plugin.set("Mix", 0.5)?;
    assert!(log.is_all_here());
    assert_eq!(log.take(), [Report::Restart(LATENCY_CHANGED)]);
    assert_eq!(plugin.latency(), 2400, "constant while active");
    plugin.activate(48e3, 512)?;
    assert_eq!(plugin.latency(), 1920);
    assert_eq!(log.take(), []);
    // Some hosts ask before they activate, and not again.
    plugin.deactivate();
    plugin.set_up(96e3, 512)?;
    let before = plugin.latency();
    plugin.activate(96e3, 512)?;
    assert_eq!(before, plugin.latency());
    Ok(())
}

#[test]
fn instances_end_in_any_order_while_audio_runs() -> Result<()> {
    let (_folder, file) = plugin();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let mut stays = active(&file, 48e3);
        stays.set_handler();
        let audio = stays.audio();
        let id = stays.id("Mix")?;
        let is_over = &is_over;
        scope.spawn(move || {
            let block = vec![vec![0.1; 64]; 2];
            for k in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let _ = audio.process(&block, &[(k % 64, id, f64::from(k % 7) / 6.0)]);
            }
        });
        for round in 0..30 {
            let mut goes = active(&file, 48e3);
            goes.set_handler();
            goes.audio().process(&[vec![0.1; 64], vec![0.1; 64]], &[(0, id, 0.5)])?;
            if round % 3 == 0 {
                goes.terminate();
            }
            stays.activate(48e3, 64 << (round % 4))?;
            let state = stays.save()?;
            stays.load(&state)?;
        }
        is_over.store(true, Ordering::Relaxed);
        Ok(())
    })
}
