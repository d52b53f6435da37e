//! An instance whose host does not process audio: what its panel shows, and for how long a frame may take.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::window::Window;
use super::*;
use crate::engine::native::Precision;
use crate::engine::torch::TorchDevice;
use crate::inference::device_state::DeviceState;
use crate::inference::services::Services;
use crate::inference::stream::StreamState;
use crate::inference::{EngineOpener, native};
use crate::parameters::{Choice as _, ParamId};
use crate::slot::SlotId;

const TORCH: Device = Device::Torch(TorchDevice::Cpu);
/// Less than the two seconds that a device is waited for when its thread is to end, and far more than a frame takes on a
/// loaded machine: not a speed, but whether there was such a wait.
const LONGEST_FRAME: Duration = Duration::from_millis(1500);

/// The next event while the torch device is being opened.
enum Next {
    Enter(StreamState),
    Fail(&'static str),
    Succeed,
}

/// Services whose native engine is there at once, and whose torch engine is opened step by step by the test.
fn services() -> (&'static Services, Sender<Next>) {
    let (sender, receiver) = channel();
    let script: Arc<Mutex<Receiver<Next>>> = Arc::new(Mutex::new(receiver));
    let native = native::opener(Precision::F32);
    let opener = native.clone();
    let torch: EngineOpener = Arc::new(move |model| {
        let (script, build) = (script.clone(), opener(model)?);
        Ok(Box::new(move |on_state| {
            loop {
                match script.lock().recv()? {
                    Next::Enter(state) => on_state(state),
                    Next::Fail(reason) => return Err(reason.into()),
                    Next::Succeed => return build(on_state),
                }
            }
        }))
    });
    let services = Services::new([(Device::Native, native), (TORCH, torch)]);
    (Box::leak(Box::new(services)), sender)
}

fn choose(shared: &Shared, device: Device) {
    let index = Device::ALL.iter().position(|known| *known == device).unwrap();
    let param = shared.params.param(ParamId::DeviceA);
    param.start(param.normalized(index as f32));
    shared.signal.raise();
}

/// Waits until slot A is in a state, and returns it.
fn wait_for(shared: &Shared, is_it: impl Fn(&DeviceState) -> bool) -> DeviceState {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let state = shared.slot_state(SlotId::A);
        if is_it(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "it stays {state:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_devices_state_moves_on_while_the_host_does_not_process() {
    let (services, torch) = services();
    let shared = Arc::new(Shared::on(services));
    choose(&shared, TORCH);
    let _background = BackgroundThread::join(&shared).unwrap();
    let _inbox = shared.connect(ModelKind::DeepFilterNet3, 1, OPEN_PATIENCE);
    wait_for(&shared, |state| *state == DeviceState::Opening(TORCH));
    torch.send(Next::Enter(StreamState::WarmingUp)).unwrap();
    wait_for(&shared, |state| *state == DeviceState::Warming(TORCH));
    torch.send(Next::Enter(StreamState::Checking)).unwrap();
    wait_for(&shared, |state| *state == DeviceState::Checking(TORCH));
    torch.send(Next::Fail("its library is damaged: install it again")).unwrap();
    let state = wait_for(&shared, |state| !matches!(state, DeviceState::Checking(_)));
    let reason = "its library is damaged: install it again".into();
    assert_eq!(state, DeviceState::FellBack { device: TORCH, reason });
    // The user does so and tries again. Until there is audio it does not take over.
    torch.send(Next::Succeed).unwrap();
    shared.ask_to_retry(SlotId::A);
    wait_for(&shared, |state| *state == DeviceState::Warming(TORCH));
    shared.disconnect();
}

#[test]
fn a_device_that_hangs_holds_up_neither_the_window_nor_the_host() {
    let (services, torch) = services();
    let shared = Arc::new(Shared::on(services));
    let _background = BackgroundThread::join(&shared).unwrap();
    let _inbox = shared.connect(ModelKind::DeepFilterNet3, 1, OPEN_PATIENCE);
    let mut window = Window::new(shared.clone(), nice_plug_egui::RepaintNotifier::new());
    // The first frame looks at files.
    window.refresh(false, 0.0);
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    let mut look = |until: &dyn Fn(&DeviceState) -> bool| {
        loop {
            let frame = Instant::now();
            window.refresh(false, began.elapsed().as_secs_f64());
            longest = longest.max(frame.elapsed());
            let state = shared.slot_state(SlotId::A);
            if until(&state) {
                return state;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "it stays {state:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // Its opening hangs, and the user chooses another device. The thread that hangs is left after two seconds.
    choose(&shared, TORCH);
    look(&|state| *state == DeviceState::Opening(TORCH));
    choose(&shared, Device::Native);
    look(&|_| began.elapsed() > Duration::from_millis(2500));
    // Tried again while it still hangs: it is unavailable, which is found out while the window goes on.
    choose(&shared, TORCH);
    let state = look(&|state| matches!(state, DeviceState::FellBack { .. }));
    assert!(
        matches!(&state, DeviceState::FellBack { reason, .. } if reason.contains("still being closed")),
        "{state:?}"
    );
    // The host restarts the plugin meanwhile.
    choose(&shared, Device::Native);
    let restart = Instant::now();
    let _inbox = shared.connect(ModelKind::DeepFilterNet3, 2, OPEN_PATIENCE);
    assert!(restart.elapsed() < LONGEST_FRAME, "the host waited {:?}", restart.elapsed());
    assert!(longest < LONGEST_FRAME, "a frame took {longest:?}");
    torch.send(Next::Fail("too late")).unwrap();
    shared.disconnect();
}
