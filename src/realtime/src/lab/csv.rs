//! The lab's measurements as CSV: one value a row, so that any table program can sort, filter and pivot them.

use std::io::Write;

use serde::Serialize;

use super::{Distribution, Histogram, Phase, Quantity, Statistics};

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Row {
    /// "A", "B", "B against A", or empty for the environment.
    pub slot: String,
    /// The slot's device.
    pub device: String,
    /// "All", "Cold", "Warm", or empty where it does not apply.
    pub phase: String,
    /// The measurements.
    pub quantity: String,
    /// The statistic's name: "p50", "max", "count", a bucket, ...
    pub statistic: String,
    /// The value; text for the environment.
    pub value: String,
    /// Its unit, or empty.
    pub unit: String,
}

/// Circumstances of the measurements: name and value, for example ("macOS", "14.5").
pub type Environment<'a> = &'a [(&'a str, String)];

/// Why a CSV could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// A row could not be written.
    #[error("the lab's CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The file could not be completed.
    #[error("the lab's CSV could not be written: {0}; choose another folder or free some space")]
    Write(#[from] std::io::Error),
}

/// All rows: the environment, each device's distributions, counters and histogram, and the null depth in dB of B
/// against A where measured.
pub fn rows(
    environment: Environment<'_>,
    devices: &[(&str, &str, &Statistics)],
    null_db: Option<f32>,
) -> Vec<Row> {
    let mut out = Vec::new();
    for (name, value) in environment {
        out.push(row(["", "", "", name, "", value, ""]));
    }
    for &(slot, device, statistics) in devices {
        for phase in Phase::EACH {
            let summary = statistics.summary(phase);
            let mut add = |quantity: &str, statistic: &str, value: String, unit: &str| {
                out.push(row([slot, device, phase.name(), quantity, statistic, &value, unit]));
            };
            add("Hops in the window", "count", summary.n_window_hops.to_string(), "hops");
            let distributions = Quantity::ALL.iter().map(|q| (q.name(), summary.quantity(*q)));
            for (name, distribution) in
                distributions.chain([("Transfer", summary.transfer), ("Step", summary.step)])
            {
                let Some(Distribution { p50_us, p95_us, p99_us, max_us, mean_us }) = distribution else {
                    continue;
                };
                for (statistic, us) in
                    [("p50", p50_us), ("p95", p95_us), ("p99", p99_us), ("max", max_us), ("mean", mean_us)]
                {
                    add(name, statistic, us.to_string(), "us");
                }
            }
            if let Some(percent) = summary.load_percent() {
                add("Load", "mean", percent.to_string(), "% of the hop");
            }
            if let Some((_, percent)) = summary.transfer_overhead() {
                add("Transfer overhead", "p50", percent.to_string(), "% of the step");
            }
            for (bucket, &count) in
                summary.histogram.counts().iter().enumerate().filter(|(_, count)| **count > 0)
            {
                let (low, high) = Histogram::edges_us(bucket);
                add("Histogram of totals", &format!("{low:.1} to {high:.1} us"), count.to_string(), "hops");
            }
            if phase == Phase::All {
                add("Hops since the reset", "count", summary.n_hops.to_string(), "hops");
                add("Missed deadlines since the reset", "count", summary.n_missed.to_string(), "hops");
            }
        }
    }
    if let Some(db) = null_db {
        out.push(row(["B against A", "", "", "Null depth", "mean", &db.to_string(), "dB"]));
    }
    out
}

fn row([slot, device, phase, quantity, statistic, value, unit]: [&str; 7]) -> Row {
    Row {
        slot: slot.into(),
        device: device.into(),
        phase: phase.into(),
        quantity: quantity.into(),
        statistic: statistic.into(),
        value: value.into(),
        unit: unit.into(),
    }
}

/// Writes rows under a header line.
///
/// # Errors
/// [`CsvError`] from the sink; what was written before remains.
pub fn write_csv(rows: &[Row], sink: impl Write) -> Result<(), CsvError> {
    let mut writer = csv::Writer::from_writer(sink);
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::StepTimings, lab::HopTiming};

    fn measured(n_hops: u64) -> Statistics {
        let mut statistics = Statistics::default();
        for i in 0..n_hops {
            let step = StepTimings { upload_us: 60.5, compute_us: 400.0 + i as f32, download_us: 40.0 };
            statistics.push(HopTiming { pushed_us: i * 10_000, queue_us: 50.0, step, missed: i == 3 });
        }
        statistics
    }

    #[test]
    fn written_tables_read_back() {
        let (a, b) = (measured(200), measured(60));
        let environment = [("System", "macOS 14.5, \"quoted\"\nand broken".to_owned())];
        let rows = rows(&environment, &[("A", "native CPU", &a), ("B", "torch, MPS", &b)], Some(-71.8));
        let mut file = Vec::new();
        write_csv(&rows, &mut file).unwrap();
        let read: Result<Vec<Row>, _> =
            csv::Reader::from_reader(file.as_slice()).into_deserialize().collect();
        assert_eq!(read.unwrap(), rows);
    }

    #[test]
    fn values_are_those_of_the_summary() {
        let a = measured(200);
        let rows = rows(&[], &[("A", "native CPU", &a)], None);
        let value = |phase: &str, quantity: &str, statistic: &str| {
            let found =
                rows.iter().find(|r| r.phase == phase && r.quantity == quantity && r.statistic == statistic);
            found.unwrap_or_else(|| panic!("{phase} {quantity} {statistic}")).value.parse::<f32>().unwrap()
        };
        let warm = a.summary(Phase::Warm);
        assert_eq!(value("Warm", "Compute", "p99"), warm.quantity(Quantity::Compute).unwrap().p99_us);
        assert_eq!(value("Warm", "Upload", "p50"), 60.5);
        assert_eq!(value("Warm", "Load", "mean"), warm.load_percent().unwrap());
        assert_eq!(value("All", "Missed deadlines since the reset", "count"), 1.0);
        assert!(!rows.iter().any(|r| r.quantity == "Null depth"));
    }

    #[test]
    fn a_device_that_never_ran_has_counts_only() {
        let rows = rows(&[], &[("B", "torch CUDA", &Statistics::default())], None);
        assert!(rows.iter().all(|r| r.statistic == "count" && r.value == "0"), "{rows:?}");
    }
}
