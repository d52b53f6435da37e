//! The report of `tacet denoise --json`, on one screen.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The fields that the screen shows.
#[derive(Debug, Deserialize)]
pub struct Report {
    tacet: String,
    model: String,
    delay_samples: usize,
    delay_ms: f64,
    live_latency_ms: f64,
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct File {
    source: String,
    sample_rate_hz: u32,
    channels: u16,
    duration_s: f64,
    time_s: f64,
    real_time_factor: Option<f64>,
    noise_level_dbfs: Option<f64>,
    noise_reduction_db: Option<f64>,
    warnings: Vec<String>,
}

impl Report {
    /// The report of the one file, for people.
    ///
    /// # Errors
    /// There is no file in it.
    pub fn screen(&self) -> Result<String> {
        let file = self.files.first().context("the report names no file")?;
        let mut screen = String::new();
        let mut row =
            |what: &str, value: String| writeln!(screen, "  {what:<18}{value}").context("no memory");
        row("tacet", format!("{}, model {}", self.tacet, self.model))?;
        row(
            "recording",
            format!("{}, {} Hz, {} channel(s)", file.source, file.sample_rate_hz, file.channels),
        )?;
        row("duration", format!("{:.2} s", file.duration_s))?;
        row("time taken", format!("{:.2} s, decoding and writing included", file.time_s))?;
        if let Some(factor) = file.real_time_factor.filter(|factor| *factor > 0.0) {
            row(
                "real-time factor",
                format!("{factor:.4} ({:.0} times faster than real time)", factor.recip()),
            )?;
        }
        if let (Some(reduction_db), Some(noise_dbfs)) = (file.noise_reduction_db, file.noise_level_dbfs) {
            row("noise", format!("{noise_dbfs:.1} dBFS in the pauses, reduced by {reduction_db:.1} dB"))?;
        }
        let delay = format!("{} samples ({:.0} ms) at 48 kHz, taken out", self.delay_samples, self.delay_ms);
        row("latency", format!("{delay}; {:.0} ms live", self.live_latency_ms))?;
        for warning in &file.warnings {
            row("warning", warning.clone())?;
        }
        Ok(screen.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{
        "tacet": "0.1.0", "model": "DeepFilterNet3", "delay_samples": 1440, "delay_ms": 30.0, "live_latency_ms": 40.0,
        "files": [{
            "input": "a.wav", "status": "done", "source": "WAV, 16-bit", "sample_rate_hz": 48000, "channels": 1,
            "duration_s": 10.19, "time_s": 0.25, "real_time_factor": 0.02453, "noise_level_dbfs": -26.85,
            "noise_reduction_db": 41.3, "warnings": ["look here"]
        }]
    }"#;

    #[test]
    fn every_figure_is_on_the_screen() {
        let screen = serde_json::from_str::<Report>(REPORT).unwrap().screen().unwrap();
        for figure in
            ["10.19 s", "0.25 s", "0.0245", "41 times", "41.3 dB", "1440 samples", "40 ms live", "look here"]
        {
            assert!(screen.contains(figure), "{figure} is not in\n{screen}");
        }
    }

    #[test]
    fn missing_measurements_are_not_shown() {
        let short = REPORT.replace("0.02453", "null").replace("41.3", "null");
        let screen = serde_json::from_str::<Report>(&short).unwrap().screen().unwrap();
        assert!(!screen.contains("real-time") && !screen.contains("dBFS"), "{screen}");
        let none = r#"{"tacet": "", "model": "", "delay_samples": 0, "delay_ms": 0, "live_latency_ms": 0, "files": []}"#;
        assert!(serde_json::from_str::<Report>(none).unwrap().screen().is_err());
    }
}
