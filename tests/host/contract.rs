//! Calls of validators and odd hosts: every rate with every block size, buffers in place or constant, blocks larger than
//! announced, parameters as text, states in pieces and from another thread than audio's, many short lives.

use std::time::Duration;

use tacet_clap_host::{PluginFile, ProcessStatus};

use super::{active, noise, plugin};

const RATES_HZ: [f64; 14] =
    [1234.5678, 8e3, 11.025e3, 12e3, 16e3, 22.05e3, 32e3, 44.1e3, 88.2e3, 96e3, 176.4e3, 192e3, 384e3, 768e3];

#[test]
fn every_rate_takes_blocks_of_one_sample_and_of_the_largest() {
    for rate_hz in RATES_HZ {
        let (_plugin, mut instance) = active(rate_hz, 1);
        let latency = instance.latency();
        // The latency and a tenth of a second after it, and never less than the two sizes of block.
        let input = [noise((latency + rate_hz as usize / 10).max(17_000), 1)];
        let output = instance.render(&input, &[1, 16_384, 479, 2]).unwrap();
        assert!(output[0].iter().all(|x| x.is_finite() && x.abs() < 4.0), "{rate_hz} Hz");
        instance.reset();
        assert!(instance.render(&input, &[441]).unwrap() == output, "{rate_hz} Hz: blocks are heard");
    }
}

#[test]
fn buffers_in_place_sound_the_same() {
    let input = [noise(9600, 2), noise(9600, 3)];
    let (_plugin, mut instance) = active(48e3, 2);
    let apart = instance.render(&input, &[512]).unwrap();
    instance.reset();
    let mut together = vec![Vec::new(); 2];
    for at in (0..9600).step_by(512) {
        let mut block: Vec<Vec<f32>> =
            input.iter().map(|channel| channel[at..(at + 512).min(9600)].to_vec()).collect();
        instance.process_in_place(&mut block).unwrap();
        together.iter_mut().zip(block).for_each(|(all, block)| all.extend(block));
    }
    assert!(together == apart);
}

#[test]
fn constant_inputs_are_taken_for_what_they_are() {
    let (_plugin, mut instance) = active(48e3, 1);
    let mut rendered = |is_announced: bool| {
        instance.reset();
        let mut output = Vec::new();
        for round in 0..40 {
            let mut block = vec![vec![if round < 20 { 0.25 } else { 0.0 }; 480]];
            if is_announced {
                instance.process_constant(&mut block).unwrap();
            } else {
                instance.process(&mut block, &[]).unwrap();
            }
            output.append(&mut block[0]);
        }
        output
    };
    let plain = rendered(false);
    assert!(rendered(true) == plain);
}

#[test]
fn blocks_larger_than_announced_are_processed() {
    let input = vec![noise(40_000, 4)];
    let (_plugin, mut instance) = active(48e3, 1);
    let expected = instance.render(&input, &[512]).unwrap();
    instance.activate(48e3, 64).unwrap();
    instance.reset();
    assert!(instance.render(&input, &[4096]).unwrap() == expected);
}

#[test]
fn empty_blocks_change_nothing() {
    let input = vec![noise(9600, 5)];
    let (_plugin, mut instance) = active(48e3, 1);
    let expected = instance.render(&input, &[480]).unwrap();
    instance.reset();
    let mut output = Vec::new();
    for portion in input[0].chunks(480) {
        instance.process(&mut [Vec::new()], &[]).unwrap();
        let mut block = vec![portion.to_vec()];
        instance.process(&mut block, &[]).unwrap();
        output.append(&mut block[0]);
    }
    assert!(output == expected[0]);
}

#[test]
fn every_value_has_a_text_that_means_it() {
    let mut instance = plugin().create().unwrap();
    for param in instance.params().to_vec() {
        for step in 0..=20 {
            let value = param.min + (param.max - param.min) * f64::from(step) / 20.0;
            let text = instance.text(param.id, value).unwrap();
            let back = instance.value_of_text(param.id, &text).unwrap();
            assert!((param.min..=param.max).contains(&back), "{}: `{text}` is {back}", param.name);
            assert_eq!(instance.text(param.id, back).unwrap(), text, "{}", param.name);
        }
    }
    for name in ["Mix", "Listen"] {
        let id = instance.param(name).unwrap().id;
        assert!(instance.value_of_text(id, "no such value").is_err(), "{name}");
    }
    let limit = instance.param("Attenuation limit").unwrap().id;
    assert_eq!(instance.text(limit, 0.24).unwrap(), "24.0 dB");
    let listen = instance.param("Listen").unwrap().id;
    assert_eq!(instance.text(listen, 1.0).unwrap(), "Removed");
    assert!(instance.value("Listen").unwrap() == 0.0, "asking for texts sets nothing");
}

#[test]
fn a_state_may_be_read_and_written_a_few_bytes_at_a_time() {
    let mut instance = plugin().create().unwrap();
    instance.set("Mix", 0.3).unwrap();
    let whole = instance.save().unwrap();
    assert!(instance.save_and_load_in_pieces().unwrap() == whole);
    assert!((instance.value("Mix").unwrap() - 0.3).abs() < 1e-6);
}

/// A loaded project sounds like the saved one.
#[test]
fn a_loaded_state_sounds_like_the_saved_one() {
    let input = vec![noise(48_000, 6), noise(48_000, 7)];
    for round in 0..3u32 {
        let (_plugin, mut one) = active(48e3, 2);
        for (index, param) in
            one.params().to_vec().iter().enumerate().filter(|(_, param)| param.is_automatable)
        {
            let share = noise(1, round * 100 + index as u32)[0] * 2.0 + 0.5;
            one.set(&param.name, param.min + (param.max - param.min) * f64::from(share)).unwrap();
        }
        // Bypass would hide the rest.
        one.set("Bypass", 0.0).unwrap();
        let state = one.save().unwrap();
        one.reset();
        let expected = one.render(&input, &[512]).unwrap();
        let (_plugin, mut other) = active(48e3, 2);
        other.load(&state).unwrap();
        other.reset();
        assert!(other.render(&input, &[480]).unwrap() == expected, "round {round}");
    }
}

#[test]
fn the_main_thread_may_do_its_work_while_audio_runs() {
    let (_plugin, mut instance) = active(48e3, 2);
    let state = instance.save().unwrap();
    instance.set("Mix", 0.5).unwrap();
    let n_blocks = instance
        .while_processing(64, |instance| {
            for _ in 0..30 {
                assert_eq!(instance.latency(), 2400);
                let changed = instance.save()?;
                instance.load(&state)?;
                assert!(instance.value("Mix")? == 1.0 && instance.load(&changed).is_ok());
                assert!(instance.load(&[]).is_err());
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        })
        .unwrap();
    assert!(n_blocks > 0);
    assert!((instance.value("Mix").unwrap() - 0.5).abs() < 1e-6);
}

#[test]
fn instances_come_and_go() {
    let plugin = plugin();
    for round in 0..20 {
        let mut instance = plugin.create().unwrap();
        if round % 2 == 0 {
            instance.set_channels(1 + round % 4 / 2).unwrap();
            instance.activate(48e3, 512).unwrap();
            let mut block = vec![vec![0.1; 512]; 1 + round % 4 / 2];
            instance.process(&mut block, &[]).unwrap();
        }
    }
}

/// The host may stop calling after a quiet block where the plugin says so: nothing may come after that.
#[test]
fn silence_is_reported_to_the_host_when_the_tail_is_out() {
    let (_plugin, mut instance) = active(48e3, 1);
    instance.render(&[noise(48_000, 8)], &[512]).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let mut block = vec![vec![0.0; 480]];
        let status = instance.process(&mut block, &[]).unwrap();
        statuses.push((status, block[0].iter().any(|&x| x != 0.0)));
    }
    let last_sound = statuses.iter().rposition(|(_, sounds)| *sounds).unwrap();
    let quiet = ProcessStatus::ContinueIfNotQuiet;
    let first_quiet = statuses.iter().position(|(status, _)| *status == quiet).unwrap();
    // A block that still sounds is not quiet, whatever it says.
    assert!(first_quiet >= last_sound, "{statuses:?}");
    assert!(statuses[first_quiet..].iter().all(|(status, _)| *status == quiet), "{statuses:?}");
}

/// Scanners open, try and close plugins on threads that end soon after. The thread runs the standard library's clean-up
/// then, which lies in the plugin.
#[test]
fn a_thread_may_end_after_it_has_closed_the_plugin() {
    let folder = tempfile::tempdir().unwrap();
    // A library of its own, which no other test keeps open.
    let copy = folder.path().join("alone.clap");
    std::fs::copy(super::library_under_test(), &copy).unwrap();
    let scanner = std::thread::spawn(move || {
        let plugin = PluginFile::load(&copy).unwrap();
        let mut instance = plugin.create().unwrap();
        instance.activate(48e3, 512).unwrap();
        instance.render(&[noise(4800, 9), noise(4800, 10)], &[512]).unwrap();
    });
    scanner.join().unwrap();
}
