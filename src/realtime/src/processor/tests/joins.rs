//! Streams that join in the middle, and models of any lookahead.

use parking_lot::Mutex;

use super::*;
use crate::denoiser::{Denoiser, Settings};
use crate::engine::native::{NativeEngine, NativeModel, Precision};
use crate::engine::{Engine, EngineError, Job, StateUpdate, StepTimings, StreamId};
use crate::inference::{EngineOpener, native};
use crate::model::Model;
use crate::weights;

/// The embedded model as if it had been trained with another lookahead.
fn model_with_lookahead(hops: usize) -> Model {
    let mut model = weights::embedded().unwrap();
    (model.config.conv_lookahead, model.config.df_lookahead) = (hops, hops);
    model
}

#[test]
fn a_model_of_any_lookahead_is_aligned_as_in_a_file() {
    for lookahead_hops in [0, 1, 3, 4] {
        let native = NativeModel::new(&model_with_lookahead(lookahead_hops)).unwrap();
        let shared = native.clone();
        let opener: EngineOpener = Arc::new(move |_| {
            let native = shared.clone();
            Ok(Box::new(move |_| Ok(NativeEngine::new(native).into())))
        });
        let services = Box::leak(Box::new(Services::new([(Device::Native, opener)])));
        let (mut slot_manager, inbox) =
            SlotManager::new(services, ModelKind::DeepFilterNet3, 1, Arc::default());
        slot_manager.serve_at_once(Duration::from_secs(60));
        let plan = Plan::new(48e3).unwrap();
        let setup = Setup { plan, n_channels: 1, lookahead_hops, mode: LatencyMode::Lowest };
        let mut processor = Processor::new(setup, inbox, Arc::default()).unwrap();
        let mut denoiser =
            Denoiser::new(Box::new(NativeEngine::new(native)), 1, Settings::default()).unwrap();
        // Beyond what both put out, the processor collects a hop.
        assert_eq!(processor.latency().total_samples, denoiser.delay_samples() + HOP);
        let input = programme(30 * HOP, 13);
        let (mut live, mut file) = (Vec::new(), Vec::new());
        for portion in input.chunks(HOP) {
            let mut block = [portion.to_vec()];
            processor.process(&mut block, &Controls::default(), true);
            live.append(&mut block[0]);
            let mut out = vec![0.0; HOP];
            denoiser.process(&[portion], &mut [&mut out]).unwrap();
            file.append(&mut out);
        }
        assert!(live[HOP..] == file[..file.len() - HOP], "{lookahead_hops} hops");
    }
}

/// Puts the features that it gets into its mask, and so into what is compared, and notes what becomes of hidden states.
struct Echo(Arc<Mutex<Vec<StateUpdate>>>);

impl Echo {
    fn opener() -> (EngineOpener, Arc<Mutex<Vec<StateUpdate>>>) {
        let updates = Arc::<Mutex<Vec<StateUpdate>>>::default();
        let noted = updates.clone();
        let opener: EngineOpener = Arc::new(move |_| {
            let noted = noted.clone();
            Ok(Box::new(move |_| Ok(Echo(noted).into())))
        });
        (opener, updates)
    }
}

impl Engine for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn lookahead_hops(&self) -> usize {
        2
    }

    fn norm_alpha(&self) -> f32 {
        0.99
    }

    fn open(&mut self, _n_channels: usize) -> Result<StreamId, EngineError> {
        Ok(StreamId(0))
    }

    fn close(&mut self, _stream: StreamId) {}

    fn reset(&mut self, _stream: StreamId) {}

    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError> {
        for job in jobs.iter_mut().filter(|job| job.pending) {
            self.0.lock().push(job.update);
            job.pending = false;
            job.stage = Stage::MaskOnly;
            for (output, input) in job.output.iter_mut().zip(&job.input) {
                output.mask = input.erb.map(|level| (0.5 + 0.1 * level).clamp(0.0, 1.0));
            }
        }
        Ok(StepTimings::default())
    }
}

#[test]
fn a_stream_that_joins_goes_on_with_the_normalisation_of_the_one_that_plays() {
    for mode in [LatencyMode::Lowest, LatencyMode::Safe] {
        let (opener, _) = Echo::opener();
        let services =
            Box::leak(Box::new(Services::new([(Device::Native, opener.clone()), (TORCH, opener)])));
        let mut rig = Rig::new(services, 48e3, 2, mode);
        rig.choose(Device::Native, None);
        // Far from the average of the training.
        let input: Vec<f32> = programme(400 * HOP, 14).iter().map(|x| x * 0.01).collect();
        rig.run(&input[..150 * HOP], |_| HOP);
        // Another device's thread: nothing is shared.
        rig.choose(Device::Native, Some(TORCH));
        rig.run(&input[150 * HOP..300 * HOP], |_| HOP);
        let null_db = rig.meters.null_depth_db.load(Ordering::Relaxed);
        // Bit-identical: what remains is the meter's floor under a quiet signal.
        assert!(null_db < -120.0, "{mode:?}: {null_db} dB");
    }
}

#[test]
fn a_device_that_joins_in_a_pause_takes_in_its_sound_before_it_holds_on_to_it() {
    let ((native, of_native), (torch, of_torch)) = (Echo::opener(), Echo::opener());
    let services = Box::leak(Box::new(Services::new([(Device::Native, native), (TORCH, torch)])));
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Lowest);
    rig.choose(Device::Native, None);
    // A sound that lives, then noise alone.
    let mut input = speech_like(150 * HOP);
    input.extend(
        programme(600 * HOP, 15).iter().enumerate().map(|(i, x)| 0.1 * (x - 0.3 * (i as f32 * 0.05).sin())),
    );
    rig.run(&input[..500 * HOP], |_| HOP);
    assert_eq!(of_native.lock().last(), Some(&StateUpdate::Hold));
    rig.choose(Device::Native, Some(TORCH));
    rig.run(&input[500 * HOP..], |_| HOP);
    let of_torch = of_torch.lock();
    let (fresh, later) = of_torch.split_at(100);
    assert!(fresh.iter().all(|update| *update == StateUpdate::Advance), "{fresh:?}");
    let n_held = later.iter().filter(|update| **update == StateUpdate::Hold).count();
    assert!(n_held * 10 > later.len() * 9, "{n_held} of {}", later.len());
}

/// Bursts of harmonics in noise: what the network remembers for long.
fn speech_like(n: usize) -> Vec<f32> {
    let noise = programme(n, 15);
    let burst = |i: usize| if (i / 9600).is_multiple_of(3) { 0.0 } else { 0.2 };
    let voice = |i: usize| (1..9).map(|k| (i as f32 * 0.015 * k as f32).sin() / k as f32).sum::<f32>();
    (0..n).map(|i| 0.1 * noise[i] + burst(i) * voice(i)).collect()
}

#[test]
fn a_stream_that_joins_the_engine_of_the_one_that_plays_nulls_within_a_second() {
    for mode in [LatencyMode::Lowest, LatencyMode::Safe] {
        let services = Box::leak(Box::new(Services::new([(Device::Native, native::opener(Precision::F32))])));
        let mut rig = Rig::new(services, 48e3, 1, mode);
        rig.choose(Device::Native, None);
        let input = speech_like(300 * HOP);
        rig.run(&input[..200 * HOP], |_| HOP);
        rig.choose(Device::Native, Some(Device::Native));
        rig.run(&input[200 * HOP..], |_| HOP);
        let null_db = rig.meters.null_depth_db.load(Ordering::Relaxed);
        // Bit-identical from the first hop that is compared; without the engine's state it is about 0 dB.
        assert!(null_db < -120.0, "{mode:?}: {null_db} dB");
    }
}

/// A user who turns the comparison on and off while the host does not call: the processor has no B in the end, also where
/// the messages are more than it can be left.
#[test]
fn slot_b_leaves_where_the_host_did_not_call() {
    let (services, ..) = scripted::services(0.5);
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    // One message, then two for each time.
    rig.choose(TORCH, None);
    for _ in 0..8 {
        rig.choose(TORCH, Some(Device::Native));
        rig.slot_manager.choose(TORCH, None);
    }
    rig.controls.listen = Listen::B;
    let input = programme(96_000, 5);
    let latency = rig.latency();
    let out = rig.run(&input, |_| 480);
    let off = error(&out, &input, latency, 0.5, 90_000..96_000);
    assert!(off < 1e-6, "B is heard ({off})");
    assert!(rig.meters.null_depth_db.load(Ordering::Relaxed).is_nan());
}
