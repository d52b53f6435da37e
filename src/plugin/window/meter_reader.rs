//! Reads an instance's meters into what the panel shows.

use std::sync::atomic::Ordering::Relaxed;

use tacet_model::{ModelKind, N_FFT, SAMPLE_RATE_HZ};

use crate::device::Device;
use crate::engine::native::SimdLevel;
use crate::inference::device_state::DeviceState;
use crate::lab::{HopTiming, Phase, Statistics};
use crate::meters::Meters;
use crate::meters::feed::{FeedFrame, N_FRAMES};
use crate::panel::view_model::{SlotView, StreamView, ViewModel};
use crate::parameters::Choice as _;
use crate::slot::{N_SLOTS, SlotId};

use super::super::shared::Shared;

/// Between two summaries of the measurements, seconds: numbers that change faster cannot be read.
const SUMMARY_S: f64 = 0.5;
/// A null depth below this is equality: one unit in the last place of a sample is -144 dB.
const EQUAL_DB: f32 = -150.0;

/// The values read so far.
#[derive(Default)]
pub struct MeterReader {
    next_frame: u64,
    next_hops: [u64; N_SLOTS],
    statistics: [Statistics; N_SLOTS],
    frame: FeedFrame,
    hops: Vec<HopTiming>,
    read_s: f64,
    summed_s: Option<f64>,
    /// Device of each slot at the last look: the measurements are of one device each.
    measured: [Option<Device>; N_SLOTS],
}

impl MeterReader {
    /// A window opens: what happened before is not shown.
    pub fn open(&mut self, meters: &Meters) {
        let next_hops = std::array::from_fn(|slot| meters.slots[slot].timings.n_written());
        *self = Self { next_frame: meters.feed.n_written(), next_hops, ..Self::default() };
    }

    /// Forgets all measurements, here and in the meters' counters.
    pub fn reset(&mut self, meters: &Meters) {
        meters.slots.iter().for_each(|slot| slot.reset());
        self.statistics.iter_mut().for_each(Statistics::reset);
        self.next_hops = [0; N_SLOTS];
        self.summed_s = None;
    }

    /// The measurements of a slot.
    pub fn statistics(&self, slot: usize) -> &Statistics {
        &self.statistics[slot]
    }

    /// The device that a slot's measurements are of.
    pub fn device(&self, slot: usize) -> Option<Device> {
        self.measured[slot]
    }

    /// Brings everything up to date; says whether anything moves. `in_detail` asks for cold and warm hops apart.
    pub fn read(&mut self, shared: &Shared, view_model: &mut ViewModel, in_detail: bool, now_s: f64) -> bool {
        let meters = &*shared.meters;
        let elapsed_s = (now_s - self.read_s).clamp(0.0, 1.0) as f32;
        self.read_s = now_s;
        let latency = *shared.latency.lock();
        let n_channels = (meters.n_channels.load(Relaxed) as usize).clamp(1, meters.input_peak.len());

        let n_new = self.frames(meters, view_model);
        for (level, peaks) in
            [(&mut view_model.input, &meters.input_peak), (&mut view_model.output, &meters.output_peak)]
        {
            let peaks: Vec<f32> = peaks[..n_channels].iter().map(|peak| peak.take()).collect();
            level.advance(&peaks, elapsed_s);
        }
        view_model.lsnr_db = (view_model.trace.n_pushed() > 0).then(|| meters.lsnr_db.load(Relaxed));
        view_model.feature_gain_db = meters.feature_gain_db.load(Relaxed);
        view_model.active_reduction_db = meters.active_reduction_db.load(Relaxed);
        let edge_bin = Some(meters.edge_bin.load(Relaxed)).filter(|&bin| bin > 0);
        view_model.edge_hz = edge_bin.map(|bin| bin as f32 * SAMPLE_RATE_HZ as f32 / N_FFT as f32);
        view_model.null_db = match meters.null_depth_db.load(Relaxed) {
            db if db.is_nan() => None,
            db if db < EQUAL_DB => Some(f32::NEG_INFINITY),
            db => Some(db),
        };
        view_model.stream = StreamView {
            rate_hz: latency.as_ref().map_or(0.0, |latency| latency.rate_hz),
            n_channels: if latency.is_some() { n_channels } else { 0 },
            n_hops: meters.slots[0].n_requests.load(Relaxed),
            n_late: meters.slots[0].n_late.load(Relaxed) + meters.slots[0].n_dropped.load(Relaxed),
            is_idle: meters.is_idle.load(Relaxed),
        };
        view_model.latency = latency;
        self.slots(shared, view_model, in_detail, now_s);
        n_new > 0 || view_model.input.is_moving() || view_model.output.is_moving()
    }

    /// Takes the spectra since the last look; returns how many.
    fn frames(&mut self, meters: &Meters, view_model: &mut ViewModel) -> u64 {
        let n_written = meters.feed.n_written();
        // After a long pause between two looks the oldest are gone.
        let from = self.next_frame.max((n_written + 1).saturating_sub(N_FRAMES as u64));
        for number in from..n_written {
            if meters.feed.read(number, &mut self.frame) {
                view_model.trace.push(&self.frame.input, &self.frame.output);
            }
        }
        self.next_frame = n_written;
        n_written.saturating_sub(from)
    }

    fn slots(&mut self, shared: &Shared, view_model: &mut ViewModel, in_detail: bool, now_s: f64) {
        let due = self.summed_s.is_none_or(|summed_s| now_s - summed_s >= SUMMARY_S);
        for id in SlotId::ALL {
            let slot = id as usize;
            let state = shared.slot_state(id);
            let device = match state {
                DeviceState::Live(device) => Some(device),
                DeviceState::FellBack { .. } if slot == 0 => Some(Device::Native),
                _ => None,
            };
            // Hops of another device are none of this one's.
            if device.is_some() && device != self.measured[slot] {
                self.measured[slot] = device;
                self.statistics[slot].reset();
            }
            self.hops.clear();
            self.next_hops[slot] =
                shared.meters.slots[slot].timings.read(self.next_hops[slot], &mut self.hops);
            self.hops.iter().for_each(|&hop| self.statistics[slot].push(hop));
            let target = &mut view_model.slots[slot];
            show_state(target, state);
            if due {
                let reports = device.map(|device| shared.services().reports(device)).unwrap_or_default();
                target.probe_us = reports.iter().find_map(|report| report.round_trip_us());
                for phase in Phase::EACH {
                    if in_detail || phase == Phase::All {
                        target.summaries[phase as usize] = self.statistics[slot].summary(phase);
                    }
                }
            }
        }
        if due {
            self.summed_s = Some(now_s);
            view_model.process.version = env!("CARGO_PKG_VERSION").into();
            view_model.process.n_instances = Shared::n_instances();
            view_model.process.workers = workers(shared);
            let model = shared.playable_model().map_or(ModelKind::DeepFilterNet3, |playable| playable.model);
            view_model.model = ModelKind::NAMES[model.index()].into();
        }
    }
}

fn show_state(target: &mut SlotView, state: DeviceState) {
    let device = state.device();
    target.has_transfers = device.is_some_and(Device::has_transfers);
    target.detail = match device {
        None => String::new(),
        Some(Device::Native) => format!("{} · 32-bit", SimdLevel::get().name()),
        Some(Device::Native16) => format!("{} · 16-bit", SimdLevel::get().name()),
        Some(_) => "real_one_step".into(),
    };
    target.state = state;
}

/// Every worker of the process with the streams that it serves.
fn workers(shared: &Shared) -> Vec<(String, usize)> {
    let of = |device: Device| {
        let reports = shared.services().reports(device).into_iter().enumerate();
        reports.map(move |(i, report)| {
            let number = if i == 0 { String::new() } else { format!(", worker {}", i + 1) };
            (device.name() + &number, report.n_streams() as usize)
        })
    };
    Device::ALL.iter().copied().flat_map(of).collect()
}
