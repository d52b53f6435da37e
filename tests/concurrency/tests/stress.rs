//! Streams that join and leave, reset and sleep, while others play: what the others play does not change by a bit.
//!
//! CONTRIBUTING.md says how to run this under ThreadSanitizer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tacet_realtime::device::Device;
use tacet_realtime::engine::{ChannelOut, Engine, EngineError, Job, Stage, StepTimings, StreamId};
use tacet_realtime::inference::EngineOpener;
use tacet_realtime::inference::services::Services;
use tacet_realtime::inference::signal::WorkSignal;
use tacet_realtime::inference::slot_manager::SlotManager;
use tacet_realtime::latency::LatencyMode;
use tacet_realtime::meters::Meters;
use tacet_realtime::model::{HOP, ModelKind, N_BANDS};
use tacet_realtime::processor::controls::Controls;
use tacet_realtime::processor::resample::Plan;
use tacet_realtime::processor::{Processor, Setup};
use tacet_realtime::slot::SlotId;

/// Threads that play, and threads that come and go.
const N_PLAYERS: usize = 3;
const N_GUESTS: usize = 3;
/// Hops that each player plays.
const N_HOPS: usize = 1500;

/// Lets every frame through under a mask of a half.
#[derive(Default)]
struct Half {
    n_opened: u32,
    open: Vec<StreamId>,
}

impl Engine for Half {
    fn name(&self) -> &str {
        "half"
    }

    fn lookahead_hops(&self) -> usize {
        0
    }

    fn norm_alpha(&self) -> f32 {
        0.99
    }

    fn open(&mut self, _n_channels: usize) -> Result<StreamId, EngineError> {
        self.n_opened += 1;
        self.open.push(StreamId(self.n_opened));
        Ok(StreamId(self.n_opened))
    }

    fn close(&mut self, stream: StreamId) {
        self.open.retain(|open| *open != stream);
    }

    fn reset(&mut self, stream: StreamId) {
        assert!(self.open.contains(&stream), "a stream that is not open is reset");
    }

    fn step(&mut self, jobs: &mut [Job]) -> Result<StepTimings, EngineError> {
        for job in jobs.iter_mut().filter(|job| job.pending) {
            if !self.open.contains(&job.stream) {
                return Err(EngineError::UnknownStream(job.stream));
            }
            job.pending = false;
            job.stage = Stage::MaskOnly;
            job.output.fill(ChannelOut { mask: [0.5; N_BANDS], ..ChannelOut::default() });
        }
        Ok(StepTimings::default())
    }
}

fn services() -> &'static Services {
    let opener: EngineOpener = Arc::new(|_| Ok(Box::new(|_| Ok(Half::default().into()))));
    Box::leak(Box::new(Services::new([(Device::Native, opener)])))
}

struct Player {
    processor: Processor,
    slot_manager: SlotManager,
    meters: Arc<Meters>,
    signal: Arc<WorkSignal>,
}

impl Player {
    fn join(services: &'static Services) -> Self {
        let signal = Arc::new(WorkSignal::default());
        let (mut slot_manager, inbox) =
            SlotManager::new(services, ModelKind::DeepFilterNet3, 1, signal.clone());
        slot_manager.serve_at_once(Duration::from_secs(60));
        slot_manager.choose(Device::Native, None);
        let meters = Arc::new(Meters::default());
        let setup = Setup {
            plan: Plan::new(48e3).unwrap(),
            n_channels: 1,
            lookahead_hops: 0,
            mode: LatencyMode::Lowest,
        };
        let processor = Processor::new(setup, inbox, meters.clone()).unwrap();
        Self { processor, slot_manager, meters, signal }
    }

    fn play(&mut self, n_hops: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(n_hops * HOP);
        for hop in 0..n_hops {
            let mut block =
                [(0..HOP).map(|i| 0.3 * ((hop * HOP + i) as f32 * 0.05).sin()).collect::<Vec<f32>>()];
            self.processor.process(&mut block, &Controls::default(), true);
            out.append(&mut block[0]);
            if self.signal.take() {
                self.slot_manager.attend();
            }
        }
        out
    }
}

#[test]
fn streams_join_and_leave_while_others_play() {
    let services = services();
    let alone = Player::join(services).play(N_HOPS);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let players: Vec<_> = (0..N_PLAYERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut player = Player::join(services);
                    let out = player.play(N_HOPS);
                    assert_eq!(
                        player.meters.slots[SlotId::A as usize].n_concealed.load(Ordering::Relaxed),
                        0
                    );
                    out
                })
            })
            .collect();
        let guests: Vec<_> = (0..N_GUESTS)
            .map(|guest| {
                let is_over = &is_over;
                scope.spawn(move || {
                    let mut n_joined = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        let mut player = Player::join(services);
                        player.play(n_joined % 7);
                        if guest == 0 {
                            player.processor.reset();
                            player.play(2);
                        }
                        n_joined += 1;
                    }
                    n_joined
                })
            })
            .collect();
        // Panels look on.
        let watcher = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let n_streams: u32 =
                    services.reports(Device::Native).iter().map(|report| report.n_streams()).sum();
                // A stream that has left is counted until the worker has noticed.
                assert!(n_streams <= 2 * (N_PLAYERS + N_GUESTS) as u32);
                std::thread::yield_now();
            }
        });
        let outs: Vec<Vec<f32>> = players.into_iter().map(|player| player.join().unwrap()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(outs.iter().all(|out| *out == alone), "what plays depends on who comes and goes");
        for guest in guests {
            assert!(guest.join().unwrap() > 10, "nobody came and went");
        }
        watcher.join().unwrap();
    });
    assert!(services.reports(Device::Native).is_empty(), "the thread ends with its last stream");
}
