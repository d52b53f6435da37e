//! Sliding window over the hops of one device, and its statistics.

use std::collections::VecDeque;

use super::{Distribution, HOP_US, Histogram, HopTiming, Quantity};

/// Hops in the window: one minute, so that p99 rests on 60 hops.
pub const WINDOW_HOPS: usize = 6_000;
/// Without a hop for this long the next one counts as a start: an idle accelerator has lowered its clocks by then.
pub const PAUSE_US: u64 = 500_000;
/// Hops after a start that count as cold: half a second.
pub const COLD_HOPS: u32 = 50;

/// The hops that a summary covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// All hops of the window.
    All,
    /// The first hops after a start or a pause.
    Cold,
    /// All others.
    #[default]
    Warm,
}

impl Phase {
    /// In the order of the panel's switch.
    pub const EACH: [Self; 3] = [Self::All, Self::Cold, Self::Warm];

    /// Its name on the panel.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Cold => "Cold",
            Self::Warm => "Warm",
        }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    hop: HopTiming,
    cold: bool,
}

/// The last [`WINDOW_HOPS`] hops of one device. [`push`](Self::push) is real-time safe.
pub struct Statistics {
    window: VecDeque<Entry>,
    n_cold_left: u32,
    last_pushed_us: Option<u64>,
    n_hops: u64,
    n_missed: u64,
    // One per phase, in the order of `Phase::EACH`.
    histograms: [Histogram; 3],
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            window: VecDeque::with_capacity(WINDOW_HOPS),
            n_cold_left: COLD_HOPS,
            last_pushed_us: None,
            n_hops: 0,
            n_missed: 0,
            histograms: Default::default(),
        }
    }
}

impl Statistics {
    /// Adds a hop; the oldest leaves a full window. Real-time safe.
    pub fn push(&mut self, hop: HopTiming) {
        if self.last_pushed_us.is_some_and(|last| hop.pushed_us.saturating_sub(last) > PAUSE_US) {
            self.n_cold_left = COLD_HOPS;
        }
        self.last_pushed_us = Some(hop.pushed_us);
        let entry = Entry { hop, cold: self.n_cold_left > 0 };
        self.n_cold_left = self.n_cold_left.saturating_sub(1);
        self.n_hops += 1;
        self.n_missed += u64::from(hop.missed);

        if self.window.len() == WINDOW_HOPS
            && let Some(left) = self.window.pop_front()
        {
            self.each_histogram(left.cold, |histogram| histogram.remove(left.hop.total_us()));
        }
        self.window.push_back(entry);
        self.each_histogram(entry.cold, |histogram| histogram.add(entry.hop.total_us()));
    }

    fn each_histogram(&mut self, cold: bool, mut change: impl FnMut(&mut Histogram)) {
        change(&mut self.histograms[Phase::All as usize]);
        change(&mut self.histograms[if cold { Phase::Cold } else { Phase::Warm } as usize]);
    }

    /// Forgets all hops; the next ones count as a start. Does not allocate.
    pub fn reset(&mut self) {
        self.window.clear();
        self.n_cold_left = COLD_HOPS;
        self.last_pushed_us = None;
        self.n_hops = 0;
        self.n_missed = 0;
        self.histograms = Default::default();
    }

    /// Hops since the last reset.
    pub fn n_hops(&self) -> u64 {
        self.n_hops
    }

    /// The window's summary. Allocates: not for the audio thread.
    pub fn summary(&self, phase: Phase) -> Summary {
        let chosen = || {
            self.window.iter().filter(move |entry| match phase {
                Phase::All => true,
                Phase::Cold => entry.cold,
                Phase::Warm => !entry.cold,
            })
        };
        let mut values = Vec::with_capacity(self.window.len());
        let mut of = |quantity: &dyn Fn(&HopTiming) -> f32| {
            values.clear();
            values.extend(chosen().map(|entry| quantity(&entry.hop)));
            Distribution::of(&mut values)
        };
        let quantities = Quantity::ALL.map(|quantity| of(&|hop| quantity.of(hop)));
        let transfer = of(&|hop| hop.step.upload_us + hop.step.download_us);
        let step = of(&|hop| hop.step.total_us());
        Summary {
            n_window_hops: chosen().count(),
            quantities,
            transfer,
            step,
            n_hops: self.n_hops,
            n_missed: self.n_missed,
            histogram: self.histograms[phase as usize].clone(),
        }
    }
}

/// Summary of a device in a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Hops of the chosen phase in the window.
    pub n_window_hops: usize,
    /// One per [`Quantity::ALL`]; `None` without hops.
    pub quantities: [Option<Distribution>; 5],
    /// Upload and download together.
    pub transfer: Option<Distribution>,
    /// Upload, compute and download together.
    pub step: Option<Distribution>,
    /// Hops since the last reset, all phases.
    pub n_hops: u64,
    /// Hops since the last reset whose reply came late, all phases.
    pub n_missed: u64,
    /// Of the totals in the window.
    pub histogram: Histogram,
}

impl Summary {
    /// One quantity's distribution.
    pub fn quantity(&self, quantity: Quantity) -> Option<Distribution> {
        self.quantities[quantity as usize]
    }

    /// Mean step time over hop time, per cent. 100 % is all the time there is.
    pub fn load_percent(&self) -> Option<f32> {
        self.step.map(|step| step.mean_us / HOP_US * 100.0)
    }

    /// Median transfer time and its share of the median step, per cent; `None` if the device transfers nothing.
    pub fn transfer_overhead(&self) -> Option<(f32, f32)> {
        let (transfer, step) = (self.transfer?, self.step?);
        (transfer.p50_us > 0.0).then(|| (transfer.p50_us, transfer.p50_us / step.p50_us * 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::StepTimings;

    fn hop(i: u64, compute_us: f32) -> HopTiming {
        let step = StepTimings { upload_us: 60.0, compute_us, download_us: 40.0 };
        HopTiming { pushed_us: i * 10_000, queue_us: 50.0, step, missed: false }
    }

    #[test]
    fn nothing_measured_gives_nothing() {
        let summary = Statistics::default().summary(Phase::All);
        assert_eq!(summary, Summary::default());
        assert_eq!((summary.load_percent(), summary.transfer_overhead()), (None, None));
    }

    #[test]
    fn totals_loads_and_overheads_add_up() {
        let mut statistics = Statistics::default();
        for i in 0..100 {
            statistics.push(HopTiming { missed: i % 10 == 0, ..hop(i, 400.0) });
        }
        let summary = statistics.summary(Phase::All);
        assert_eq!(summary.quantity(Quantity::Total).unwrap().p50_us, 550.0);
        assert_eq!(summary.quantity(Quantity::QueueWait).unwrap().max_us, 50.0);
        assert_eq!(summary.load_percent(), Some(5.0));
        assert_eq!(summary.transfer_overhead(), Some((100.0, 20.0)));
        assert_eq!((summary.n_hops, summary.n_missed, summary.histogram.n_counted()), (100, 10, 100));
    }

    #[test]
    fn the_cpu_transfers_nothing() {
        let mut statistics = Statistics::default();
        let step = StepTimings { compute_us: 400.0, ..Default::default() };
        statistics.push(HopTiming { step, ..Default::default() });
        assert_eq!(statistics.summary(Phase::All).transfer_overhead(), None);
    }

    #[test]
    fn hops_after_a_start_and_after_a_pause_are_cold() {
        let mut statistics = Statistics::default();
        for i in 0..200 {
            // The pause of 600 ms lies before hop 100; cold hops take four times as long.
            let at = if i < 100 { i } else { i + 60 };
            let cold = i % 100 < u64::from(COLD_HOPS);
            statistics.push(hop(at, if cold { 1600.0 } else { 400.0 }));
        }
        let [all, cold, warm] = Phase::EACH.map(|phase| statistics.summary(phase));
        assert_eq!((all.n_window_hops, cold.n_window_hops, warm.n_window_hops), (200, 100, 100));
        assert_eq!(cold.quantity(Quantity::Compute).unwrap().mean_us, 1600.0);
        assert_eq!(warm.quantity(Quantity::Compute).unwrap().max_us, 400.0);
        assert_eq!(cold.histogram.n_counted() + warm.histogram.n_counted(), all.histogram.n_counted());
    }

    #[test]
    fn the_window_slides_and_counters_do_not() {
        let mut statistics = Statistics::default();
        for i in 0..WINDOW_HOPS as u64 {
            statistics.push(HopTiming { missed: true, ..hop(i, 9_000.0) });
        }
        for i in 0..WINDOW_HOPS as u64 {
            statistics.push(hop(WINDOW_HOPS as u64 + i, 400.0));
        }
        let summary = statistics.summary(Phase::All);
        assert_eq!(summary.n_window_hops, WINDOW_HOPS);
        assert_eq!(summary.quantity(Quantity::Compute).unwrap().max_us, 400.0);
        assert_eq!(summary.histogram.n_counted() as usize, WINDOW_HOPS);
        assert_eq!((summary.n_hops, summary.n_missed), (2 * WINDOW_HOPS as u64, WINDOW_HOPS as u64));
    }

    #[test]
    fn reset_forgets_everything() {
        let mut statistics = Statistics::default();
        for i in 0..70 {
            statistics.push(hop(i, 400.0));
        }
        statistics.reset();
        assert_eq!(statistics.summary(Phase::All), Summary::default());
        statistics.push(hop(70, 400.0));
        assert_eq!(statistics.summary(Phase::Cold).n_window_hops, 1);
    }

    #[test]
    fn pushing_does_not_allocate() {
        let mut statistics = Statistics::default();
        let capacity = statistics.window.capacity();
        for i in 0..2 * WINDOW_HOPS as u64 {
            statistics.push(hop(i, 400.0));
        }
        assert_eq!(statistics.window.capacity(), capacity);
    }
}
