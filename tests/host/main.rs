//! The built plugin in a CLAP host: what a workstation does to it, and what a user would notice.

mod artefact;
mod contract;
#[path = "../support/emulator.rs"]
mod emulator;
mod pauses;

use anyhow::Result;
use tacet::denoiser::{Denoiser, Settings};
use tacet::engine::native::{NativeEngine, NativeModel};
use tacet::model::HOP;
use tacet_clap_host::signal::{assert_adds_up, noise};
use tacet_clap_host::soak;
use tacet_clap_host::{Change, Instance, PluginFile, library_under_test};

/// Built for tests, its audio thread runs under an allocator that ends the process when it is used there.
fn plugin() -> PluginFile {
    PluginFile::load(&library_under_test()).unwrap()
}

fn active(rate_hz: f64, n_channels: usize) -> (PluginFile, Instance) {
    let plugin = plugin();
    let mut instance = plugin.create().unwrap();
    instance.set_channels(n_channels).unwrap();
    instance.set_offline(true).unwrap();
    instance.activate(rate_hz, 16_384).unwrap();
    (plugin, instance)
}

/// The demo's noisy recording, 48 kHz mono.
fn recording() -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo_noisy.wav");
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (48_000, 1));
    let scale = 2f32.powi(i32::from(reader.spec().bits_per_sample) - 1);
    reader.samples::<i32>().map(|sample| sample.unwrap() as f32 / scale).collect()
}

/// Output of the single-threaded pipeline, late by `delay` samples.
fn reference(input: &[Vec<f32>], delay: usize) -> Vec<Vec<f32>> {
    reference_with(input, delay, Settings::default())
}

/// The same with other settings.
fn reference_with(input: &[Vec<f32>], delay: usize, settings: Settings) -> Vec<Vec<f32>> {
    let model = NativeModel::new(&tacet::weights::embedded().unwrap()).unwrap();
    let mut denoiser = Denoiser::new(Box::new(NativeEngine::new(model)), input.len(), settings).unwrap();
    let n_samples = input[0].len();
    let shift = delay - denoiser.delay_samples();
    let mut output = vec![vec![0.0; shift]; input.len()];
    for at in (0..n_samples).step_by(HOP) {
        let hop = |channel: &Vec<f32>| {
            let mut hop = channel[at..(at + HOP).min(n_samples)].to_vec();
            hop.resize(HOP, 0.0);
            hop
        };
        let input: Vec<Vec<f32>> = input.iter().map(hop).collect();
        let input: Vec<&[f32]> = input.iter().map(Vec::as_slice).collect();
        let mut made = vec![vec![0.0; HOP]; input.len()];
        let mut out: Vec<&mut [f32]> = made.iter_mut().map(Vec::as_mut_slice).collect();
        denoiser.process(&input, &mut out).unwrap();
        output.iter_mut().zip(&made).for_each(|(output, made)| output.extend(made));
    }
    output.iter_mut().for_each(|channel| channel.truncate(n_samples));
    output
}

fn peak_index(samples: &[f32]) -> usize {
    (0..samples.len()).max_by(|&a, &b| samples[a].abs().total_cmp(&samples[b].abs())).unwrap()
}

#[test]
fn it_describes_itself() {
    let plugin = plugin();
    assert_eq!(plugin.name, "Tacet");
    let mut instance = plugin.create().unwrap();
    let names: Vec<&str> = instance.params().iter().map(|param| param.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Attenuation limit",
            "Mix",
            "Post filter",
            "Output gain",
            "Listen",
            "Bypass",
            "Noise below local SNR",
            "Clean above local SNR",
            "Mask only above local SNR",
            "Stereo link",
            "Latency",
            "Model",
            "Device A",
            "Device B",
            "Compare",
            "Level",
            "Level gain",
            "Fill narrow band",
            "Hold over pauses",
            "Keep clean",
            "Voice",
            "Ambience",
            "Hold",
            "Release",
            "Limit at 100 Hz",
            "Limit at 300 Hz",
            "Limit at 1 kHz",
            "Limit at 3 kHz",
            "Limit at 8 kHz",
            "Limit at 16 kHz",
            "Match bypass",
            "Keep whisper"
        ]
    );
    let bypass: Vec<&str> =
        instance.params().iter().filter(|param| param.is_bypass).map(|param| param.name.as_str()).collect();
    assert_eq!(bypass, ["Bypass"]);
    for name in ["Latency", "Model", "Device A", "Device B", "Compare"] {
        assert!(!instance.param(name).unwrap().is_automatable, "{name}");
    }
    // The framework forgets what is set beneath a modulation that clips.
    assert!(instance.params().iter().all(|param| !param.is_modulatable));
    for param in instance.params().to_vec() {
        assert_eq!(instance.value(&param.name).unwrap(), param.default, "{}", param.name);
    }
    let known: Vec<u32> = instance.params().iter().map(|param| param.id).collect();
    let pages = instance.remote_controls().unwrap();
    assert!(pages.len() >= 3 && pages.iter().all(|(.., ids)| ids.iter().all(|id| known.contains(id))));
    assert_eq!(pages[0].2[0], instance.param("Attenuation limit").unwrap().id, "the most wanted first");
}

#[test]
fn it_is_bit_identical_to_the_file_path() {
    let mono = recording();
    let n = mono.len().min(6 * 48_000);
    let stereo = vec![mono[..n].to_vec(), noise(n, 1)];
    for input in [vec![mono[..n].to_vec()], stereo] {
        let (_plugin, mut instance) = active(48e3, input.len());
        let delay = instance.latency();
        assert_eq!(delay, 2400);
        let expected = reference(&input, delay);
        for blocks in [&[512][..], &[1, 480, 37, 4096], &[16_384]] {
            instance.reset();
            let output = instance.render(&input, blocks).unwrap();
            assert!(output == expected, "{} channels, {blocks:?}", input.len());
        }
    }
}

#[test]
fn the_second_plugin_has_the_removed_signal_beside_the_first_s_output() {
    let (input, file) =
        (recording()[..48_000].to_vec(), PluginFile::load_nth(&library_under_test(), 1).unwrap());
    assert_eq!(file.id().to_str(), Ok("audio.tacet.tacet.voice-and-removed"), "projects name it");
    assert_eq!(plugin().id().to_str(), Ok("audio.tacet.tacet"), "projects name it");
    for n_channels in [2, 1] {
        let input = vec![input.clone(); n_channels];
        let (_plain, mut plain) = active(48e3, n_channels);
        let expected = plain.render(&input, &[512]).unwrap();
        let mut split = file.create().unwrap();
        split.set_channels(n_channels).unwrap();
        split.set_offline(true).unwrap();
        split.activate(48e3, 8192).unwrap();
        let latency = split.latency();
        assert_eq!(latency, plain.latency());
        let mut at = 0;
        for n in [480, 8192, 1, 3000].into_iter().cycle().take(12) {
            let mut block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..at + n].to_vec()).collect();
            let removed = split.process_split(&mut block).unwrap();
            for (channel, input) in input.iter().enumerate() {
                assert!(block[channel] == expected[channel][at..at + n]);
                assert_adds_up(&block[channel], &removed[channel], input, at, latency);
            }
            at += n;
        }
        // A host that gives no second output hears the first.
        let mut block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..at + 960].to_vec()).collect();
        split.process(&mut block, &[]).unwrap();
        assert!((0..n_channels).all(|channel| block[channel] == expected[channel][at..at + 960]));
    }
}

#[test]
fn without_the_offline_flag_a_render_is_the_same() {
    // An engine that is slower than real time conceals hops, as anywhere.
    if emulator::is_emulated() {
        return;
    }
    let input = vec![noise(5 * 48_000, 2)];
    let (_plugin, mut instance) = active(48e3, 1);
    let offline = instance.render(&input, &[512]).unwrap();
    instance.set_offline(false).unwrap();
    instance.activate(48e3, 1024).unwrap();
    for _ in 0..2 {
        instance.reset();
        assert!(instance.render(&input, &[512]).unwrap() == offline);
    }
}

#[test]
fn an_impulse_finds_the_reported_latency() {
    let (_plugin, mut instance) = active(48e3, 1);
    for (mode, expected) in [(1.0, 2400), (0.0, 1920)] {
        instance.deactivate();
        instance.set("Latency", mode).unwrap();
        // At 0 dB the whole pipeline passes the input.
        instance.set("Attenuation limit", 0.0).unwrap();
        for rate_hz in [48e3, 44.1e3, 88.2e3, 96e3, 192e3, 8e3, 22.05e3, 16e3, 1234.5678, 768e3] {
            instance.activate(rate_hz, 4096).unwrap();
            let latency = instance.latency();
            if rate_hz == 48e3 {
                assert_eq!(latency, expected);
            }
            let mut input = noise(latency + 3000, 3);
            input.iter_mut().for_each(|x| *x *= 1e-3);
            input[1200] += 1.0;
            let output = instance.render(&[input], &[512, 33]).unwrap();
            assert_eq!(peak_index(&output[0]) - 1200, latency, "{rate_hz} Hz");
        }
    }
}

#[test]
fn bypass_is_bit_identical_to_the_delayed_input() {
    for rate_hz in [48e3, 44.1e3, 96e3] {
        let (_plugin, mut instance) = active(rate_hz, 2);
        instance.set("Bypass", 1.0).unwrap();
        let input = vec![noise(30_000, 4), noise(30_000, 5)];
        let output = instance.render(&input, &[480, 7, 1000]).unwrap();
        let latency = instance.latency();
        for (input, output) in input.iter().zip(&output) {
            // The first call ramps to what it finds.
            assert_eq!(output[latency..], input[..input.len() - latency], "{rate_hz} Hz");
        }
    }
}

#[test]
fn automation_is_sample_accurate_and_independent_of_blocks() {
    let input = [noise(48_000, 6)];
    let (_plugin, mut instance) = active(48e3, 1);
    let id = instance.param("Mix").unwrap().id;
    let mut render = |blocks: &[usize]| {
        instance.deactivate();
        instance.set("Mix", 1.0).unwrap();
        instance.activate(48e3, 16_384).unwrap();
        let (mut output, mut at) = (Vec::new(), 0);
        for &size in blocks.iter().cycle() {
            if at >= input[0].len() {
                break;
            }
            let end = (at + size).min(input[0].len());
            let mut block = vec![input[0][at..end].to_vec()];
            // Every 997 samples the mix jumps.
            let due = (0..50).map(|k| (k * 997, f64::from(k as u32 % 4) / 4.0));
            let changes: Vec<Change> = due
                .filter(|(when, _)| (at..end).contains(when))
                .map(|(when, value)| Change { at: (when - at) as u32, id, value })
                .collect();
            instance.process(&mut block, &changes).unwrap();
            output.append(&mut block[0]);
            at = end;
        }
        output
    };
    let whole = render(&[16_384]);
    assert!(render(&[480]) == whole && render(&[1, 250, 64]) == whole);
}

#[test]
fn a_state_comes_back_and_a_broken_one_changes_nothing() -> Result<()> {
    let plugin = plugin();
    let mut instance = plugin.create()?;
    // CLAP hosts see a normalised value: 0..1 for 0..=100 dB.
    instance.set("Attenuation limit", 0.24)?;
    instance.set("Listen", 1.0)?;
    instance.set("Compare", 1.0)?;
    let saved = instance.save()?;
    assert!(saved == instance.save()?, "saving twice gives the same bytes");

    let mut other = plugin.create()?;
    other.set("Mix", 0.25)?;
    let length = (saved.len() - 8) as u64;
    let mut broken: Vec<Vec<u8>> = (0..saved.len()).step_by(7).map(|n| saved[..n].to_vec()).collect();
    broken.push([&length.to_le_bytes()[..], &saved[8..].to_vec().repeat(1)[..saved.len() - 9]].concat());
    broken.push([&u64::MAX.to_le_bytes()[..], &saved[8..]].concat());
    broken.push([&5u64.to_le_bytes()[..], b"{\"a\":"].concat());
    broken.push([&2u64.to_le_bytes()[..], b"[]"].concat());
    for state in broken {
        assert!(other.load(&state).is_err(), "{} bytes", state.len());
        assert_eq!(other.value("Mix")?, 0.25);
        assert_eq!(other.value("Attenuation limit")?, 1.0);
    }
    other.load(&saved)?;
    assert!((other.value("Attenuation limit")? - 0.24).abs() < 1e-6);
    assert_eq!(other.value("Listen")?.round(), 1.0);
    assert_eq!(other.value("Mix")?, 1.0, "what was saved at its default comes back to it");
    assert!(other.save()? == saved);

    // A state of a newer version: a parameter of its own, a choice of its own, one of this version missing.
    let json = r#"{"version":"9.0.0","params":{"limit":{"f32":6.0},"listen":{"string":"smell"},"new":{"f32":1.0}},
        "fields":{"tacet":"{\"version\":9}","more":"1"}}"#;
    other.load(&[&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat())?;
    assert!((other.value("Attenuation limit")? - 0.06).abs() < 1e-6);
    assert_eq!(other.value("Listen")?, 0.0);
    assert_eq!(other.value("Compare")?, 0.0);
    Ok(())
}

#[test]
fn the_latency_mode_asks_for_one_restart_and_takes_effect_with_it() {
    let (_plugin, mut instance) = active(48e3, 2);
    let input = vec![noise(4800, 7), noise(4800, 8)];
    instance.render(&input, &[480]).unwrap();
    let before = instance.n_restarts();
    assert_eq!(before, 0, "nothing is asked for by the first activation");
    instance.set("Latency", 0.0).unwrap();
    instance.render(&input, &[480]).unwrap();
    assert_eq!(instance.n_restarts(), before + 1, "asked once");
    assert_eq!(instance.latency(), 2400, "constant while active");
    instance.activate(48e3, 512).unwrap();
    assert_eq!(instance.latency(), 1920);
    instance.render(&input, &[480]).unwrap();
    instance.activate(44.1e3, 512).unwrap();
    instance.render(&input, &[480]).unwrap();
    assert_eq!(instance.n_restarts(), before + 1, "an activation reports its latency and asks for nothing");
}

#[test]
fn stopping_and_starting_around_each_block_changes_nothing() {
    let input = vec![noise(24_000, 12), noise(24_000, 13)];
    let (_plugin, mut instance) = active(48e3, 2);
    let expected = instance.render(&input, &[480]).unwrap();
    instance.reset();
    let mut made = vec![Vec::new(); 2];
    for at in (0..24_000).step_by(480) {
        let mut block: Vec<Vec<f32>> = input.iter().map(|channel| channel[at..at + 480].to_vec()).collect();
        instance.process(&mut block, &[]).unwrap();
        instance.stop_and_start().unwrap();
        made.iter_mut().zip(block).for_each(|(made, block)| made.extend(block));
    }
    assert!(made == expected);
}

#[test]
fn any_activation_in_any_order_works() {
    let (_plugin, mut instance) = active(48e3, 2);
    for (rate_hz, n_channels, block) in [
        (44.1e3, 1, 1),
        (48e3, 2, 16_384),
        (48e3, 2, 16_384),
        (1234.5678, 1, 333),
        (768e3, 2, 2048),
        (8e3, 1, 64),
    ] {
        instance.deactivate();
        instance.set_channels(n_channels).unwrap();
        instance.activate(rate_hz, 16_384).unwrap();
        // A low rate makes many hops of few samples: 32 seconds of the lowest.
        let longest = rate_hz as usize * emulator::bounded(40, 4);
        let input = vec![noise(longest.min(40_000).min(block * 2000), 9); n_channels];
        let output = instance.render(&input, &[block]).unwrap();
        assert!(output.iter().flatten().all(|x| x.is_finite() && x.abs() < 4.0), "{rate_hz} Hz");
        instance.reset();
        assert!(instance.render(&input, &[block]).unwrap() == output, "{rate_hz} Hz repeats");
    }
}

#[test]
fn hostile_samples_do_no_lasting_harm() {
    let (_plugin, mut instance) = active(48e3, 1);
    let clean = noise(96_000, 10);
    let expected = instance.render(std::slice::from_ref(&clean), &[512]).unwrap();
    instance.reset();
    let mut hostile = clean;
    hostile[1000] = f32::NAN;
    hostile[2000] = f32::INFINITY;
    hostile[3000] = 1e38;
    hostile[4000..4480].fill(f32::MIN_POSITIVE / 4.0);
    let output = instance.render(&[hostile], &[512]).unwrap();
    assert!(output[0].iter().all(|x| x.is_finite()));
    let difference = (72_000..96_000).map(|i| (output[0][i] - expected[0][i]).abs()).fold(0.0, f32::max);
    // The network has settled again after a second and a half.
    assert!(difference < 0.05, "{difference}");
}

#[test]
fn many_instances_side_by_side_do_not_disturb_each_other() {
    let plugin = plugin();
    let input = noise(48_000, 11);
    let mut instances: Vec<Instance> = (0..12)
        .map(|_| {
            let mut instance = plugin.create().unwrap();
            instance.set_channels(1).unwrap();
            instance.set_offline(true).unwrap();
            instance.activate(48e3, 512).unwrap();
            instance
        })
        .collect();
    let alone = instances[0].render(std::slice::from_ref(&input), &[480]).unwrap().remove(0);
    instances[0].reset();
    let mut outputs = vec![Vec::new(); instances.len()];
    for portion in input.chunks(480) {
        for (instance, output) in instances.iter_mut().zip(&mut outputs) {
            let mut block = vec![portion.to_vec()];
            instance.process(&mut block, &[]).unwrap();
            output.append(&mut block[0]);
        }
    }
    assert!(outputs.iter().all(|output| *output == alone));
}

/// The short form of `cargo xtask soak`.
#[test]
fn sixteen_instances_equal_their_offline_renders_under_automation_and_any_blocks() {
    // As above.
    if emulator::is_emulated() {
        return;
    }
    let audio = std::time::Duration::from_secs(3);
    let plan = soak::Plan { n_instances: 16, audio, is_realtime: false, seed: 1 };
    let report = soak::run(&plugin(), &plan).unwrap();
    // Four of each kind: 300 hops at 48 kHz (twice), 275 at 44.1, 600 at 96.
    assert_eq!(report.n_hops, 4 * (300 + 300 + 275 + 600));
    assert_eq!(report.n_different, 0, "{report:?}");
}
