//! A device that fails: the native engine takes over, the reason is kept, and the user tries again.

use super::*;

/// A scripted device's programme: serves, then misbehaves. All gains are 1, so that in any case the output is
/// the input, late by the latency.
struct Fault {
    rig: Rig,
    torch: Arc<Script>,
    input: Vec<f32>,
    out: Vec<f32>,
}

impl Fault {
    /// The torch device is live in slot A.
    fn new() -> Self {
        let (services, _, torch) = scripted::services(1.0);
        let mut fault = Self {
            rig: Rig::new(services, 48e3, 1, LatencyMode::Safe),
            torch,
            input: programme(600_000, 8),
            out: Vec::new(),
        };
        fault.rig.choose(TORCH, None);
        fault.play(96_000);
        assert_eq!(fault.rig.slot_manager.state(SlotId::A), DeviceState::Live(TORCH));
        fault
    }

    /// Goes on to this sample and checks that the faults are inaudible.
    fn play(&mut self, until: usize) {
        let from = self.out.len();
        self.out.extend(self.rig.run(&self.input[from..until], |_| 480));
        let latency = self.rig.latency();
        assert!(error(&self.out, &self.input, latency, 1.0, latency.max(from)..until) < 1e-6);
    }

    /// Plays until slot A has fallen back, and returns the reason.
    fn fall_back(&mut self, until: usize) -> String {
        self.play(until);
        wait_for(|| {
            self.rig.slot_manager.attend();
            matches!(self.rig.slot_manager.state(SlotId::A), DeviceState::FellBack { .. })
        });
        let DeviceState::FellBack { device, reason } = self.rig.slot_manager.state(SlotId::A) else {
            unreachable!()
        };
        assert_eq!(device, TORCH);
        reason
    }

    /// The user tries again until it works: a worker that has just come back needs a moment to end.
    fn retry(&mut self, until: usize) {
        self.rig.is_offline = true;
        wait_for(|| {
            self.rig.slot_manager.retry(SlotId::A);
            self.rig.is_sent(SlotId::A, Some(TORCH))
        });
        self.play(until);
        assert_eq!(self.rig.slot_manager.state(SlotId::A), DeviceState::Live(TORCH));
    }
}

#[test]
fn a_device_that_fails_hands_over_to_the_native_engine_and_says_why() {
    const LOST: &str = "CUDA error: unspecified launch failure";
    const FULL: &str = "its memory is used up";
    for (act, reason, shown) in [
        (Act::Fail, LOST, LOST),
        (Act::Fail, FULL, FULL),
        (Act::Panic, "an exception in the middle", "an exception in the middle"),
        (Act::Flap, LOST, "again and again"),
        (Act::Nan, "", "not numbers"),
    ] {
        let mut fault = Fault::new();
        *fault.torch.reason.lock() = reason;
        fault.torch.set(act);
        let found = fault.fall_back(200_000);
        assert!(found.contains(shown), "{act:?}: {found}");
        fault.play(300_000);
        fault.torch.set(Act::Work);
        fault.retry(400_000);
    }
}

#[test]
fn slot_bs_device_is_opened_anew_after_another_could_not_be_opened() {
    let (services, ..) = scripted::services(0.5);
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    let input = programme(24_000, 14);
    // Nothing opens the second one.
    for (device, is_served) in [(TORCH, true), (Device::Native16, false), (TORCH, true)] {
        rig.slot_manager.choose(Device::Native, Some(device));
        if is_served {
            wait_for(|| rig.is_sent(SlotId::B, Some(device)));
        }
        rig.run(&input, |_| 480);
        assert_eq!(rig.processor.slots.serves(SlotId::B), is_served, "{device:?}");
    }
}

#[test]
fn a_step_that_hangs_is_left_alone_until_it_comes_back() {
    let mut fault = Fault::new();
    fault.rig.is_offline = false;
    fault.torch.set(Act::Hang);
    fault.play(97_000);
    std::thread::sleep(Duration::from_millis(400));
    let reason = fault.fall_back(200_000);
    assert!(reason.contains("hangs in a step") && reason.contains("restart"), "{reason}");
    fault.play(300_000);
    // Nobody gets a second thread on the device.
    fault.rig.slot_manager.retry(SlotId::A);
    let DeviceState::FellBack { reason, .. } = fault.rig.slot_manager.state(SlotId::A) else {
        panic!("it hangs")
    };
    assert!(reason.contains("hangs in a step"), "{reason}");
    fault.play(400_000);
    fault.torch.set(Act::Work);
    fault.retry(500_000);
}

#[test]
fn a_device_that_stays_lost_keeps_its_newest_reason_until_it_is_back() {
    let mut fault = Fault::new();
    fault.torch.set(Act::Fail);
    fault.fall_back(200_000);
    *fault.torch.missing.lock() = Some("libtorch finds no usable CUDA driver and device");
    fault.rig.slot_manager.retry(SlotId::A);
    let reason = fault.fall_back(300_000);
    assert!(reason.contains("no usable CUDA driver"), "{reason}");
    // Without the user nothing is tried again.
    *fault.torch.missing.lock() = None;
    fault.torch.set(Act::Work);
    let n_steps = fault.torch.n_steps();
    fault.play(400_000);
    assert_eq!(fault.torch.n_steps(), n_steps);
    assert!(matches!(fault.rig.slot_manager.state(SlotId::A), DeviceState::FellBack { .. }));
    fault.retry(500_000);
}

#[test]
fn slot_b_that_fails_says_why_and_slot_a_plays_on() {
    let (services, _, torch) = scripted::services(0.5);
    let mut rig = Rig::new(services, 48e3, 1, LatencyMode::Safe);
    rig.choose(Device::Native, Some(TORCH));
    let input = programme(200_000, 12);
    let mut out = rig.run(&input[..96_000], |_| 480);
    torch.set(Act::Fail);
    out.extend(rig.run(&input[96_000..144_000], |_| 480));
    wait_for(|| {
        rig.slot_manager.attend();
        matches!(rig.slot_manager.state(SlotId::B), DeviceState::FellBack { .. })
    });
    out.extend(rig.run(&input[144_000..], |_| 480));
    assert_eq!(rig.slot_manager.state(SlotId::A), DeviceState::Live(Device::Native));
    assert!(error(&out, &input, rig.latency(), 1.0, rig.latency()..200_000) < 1e-6);
}

#[test]
fn the_service_reports_the_transfers_alone() {
    let (services, _, torch) = scripted::services(0.5);
    torch.round_trip_us.store(70, Ordering::Relaxed);
    let mut rig = Rig::new(services, 48e3, 2, LatencyMode::Safe);
    rig.choose(TORCH, Some(Device::Native));
    let reported = |device| services.reports(device).first().and_then(|report| report.round_trip_us());
    assert_eq!((reported(TORCH), reported(Device::Native)), (Some(70.0), None));
}
