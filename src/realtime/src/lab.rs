//! The lab: what a device costs, hop by hop.
//!
//! Fed off the audio thread with one [`HopTiming`] per hop; read by the panel and by `tacet bench`. Nothing here
//! guesses: a quantity that was not measured is `None`, and the panel shows a dash.

mod csv;
mod distribution;
mod window;

pub use self::csv::{CsvError, Environment, Row, rows, write_csv};
pub use self::distribution::{Distribution, Histogram, N_BUCKETS};
pub use self::window::{COLD_HOPS, PAUSE_US, Phase, Statistics, Summary, WINDOW_HOPS};

use crate::engine::StepTimings;

/// Wall-clock length of a hop, microseconds: 480 samples at 48 kHz.
pub const HOP_US: f32 = 10_000.0;

/// Cost of one hop on one device.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HopTiming {
    /// Time at which the worker got the hop, microseconds since any fixed moment; tells pauses apart.
    pub pushed_us: u64,
    /// From the push to the begin of the step.
    pub queue_us: f32,
    /// The step that served the hop.
    pub step: StepTimings,
    /// Whether the reply came after its deadline.
    pub missed: bool,
}

impl HopTiming {
    /// From the push to the reply: queue wait and step.
    pub fn total_us(&self) -> f32 {
        self.queue_us + self.step.total_us()
    }
}

/// A measured duration of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// From the push to the begin of the step.
    QueueWait,
    /// Host to device.
    Upload,
    /// Network and deep filter.
    Compute,
    /// Device to host.
    Download,
    /// Queue wait and the whole step.
    Total,
}

impl Quantity {
    /// In the order of the panel's table.
    pub const ALL: [Self; 5] = [Self::QueueWait, Self::Upload, Self::Compute, Self::Download, Self::Total];

    /// Its share of a hop, microseconds.
    pub fn of(self, hop: &HopTiming) -> f32 {
        match self {
            Self::QueueWait => hop.queue_us,
            Self::Upload => hop.step.upload_us,
            Self::Compute => hop.step.compute_us,
            Self::Download => hop.step.download_us,
            Self::Total => hop.total_us(),
        }
    }

    /// Its name on the panel.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueWait => "Queue wait",
            Self::Upload => "Upload",
            Self::Compute => "Compute",
            Self::Download => "Download",
            Self::Total => "Total",
        }
    }

    /// Whether it is a transfer, which an engine on the CPU does not have.
    pub fn is_transfer(self) -> bool {
        matches!(self, Self::Upload | Self::Download)
    }
}
