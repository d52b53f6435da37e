//! One progress bar per file in work, and one for all; hidden when standard error is no terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bars of a run.
pub struct Progress {
    bars: MultiProgress,
    /// Of several files.
    total: Option<ProgressBar>,
    is_quiet: bool,
}

impl Progress {
    /// Bars for `n_files` files.
    pub fn new(n_files: usize, is_quiet: bool) -> Self {
        let target = if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bars = MultiProgress::with_draw_target(target);
        let total = (n_files > 1).then(|| {
            let style = style("{prefix:>30} {bar:32} {pos}/{len} files, {elapsed}");
            bars.add(ProgressBar::new(n_files as u64).with_style(style).with_prefix("all"))
        });
        Self { bars, total, is_quiet }
    }

    /// A bar for a file of `n_samples` samples, if known, at `rate_hz`.
    pub fn file(&self, name: &str, n_samples: Option<u64>, rate_hz: u32) -> FileProgress {
        let name: String = {
            let n_chars = name.chars().count();
            name.chars().skip(n_chars.saturating_sub(30)).collect()
        };
        let bar = match n_samples {
            Some(n_samples) => ProgressBar::new(milliseconds(n_samples, rate_hz))
                .with_style(style("{prefix:>30} {bar:32} {percent:>3} %, {eta} left")),
            None => ProgressBar::no_length().with_style(style("{prefix:>30} {spinner} {msg}")),
        };
        let bar = bar.with_prefix(name);
        let bar = match &self.total {
            // The total stays last.
            Some(total) => self.bars.insert_before(total, bar),
            None => self.bars.add(bar),
        };
        FileProgress { bar, rate_hz }
    }

    /// Counts a file that is done.
    pub(crate) fn file_done(&self) {
        if let Some(total) = &self.total {
            total.inc(1);
        }
    }

    /// Prints a line on standard error, above the bars, unless the user wants quiet.
    pub fn say(&self, line: &str) {
        if !self.is_quiet {
            self.complain(line);
        }
    }

    /// Prints a line on standard error, above the bars.
    pub(crate) fn complain(&self, line: &str) {
        self.bars.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(total) = &self.total {
            total.finish_and_clear();
        }
    }
}

/// One file's bar; gone when dropped.
pub struct FileProgress {
    bar: ProgressBar,
    rate_hz: u32,
}

impl FileProgress {
    /// Shows that `n_samples` samples are through.
    pub fn at(&self, n_samples: u64) {
        let position = milliseconds(n_samples, self.rate_hz);
        if self.bar.length().is_none() {
            self.bar.set_message(format!("{} s", position / 1000));
        }
        self.bar.set_position(position);
    }
}

impl Drop for FileProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(n_samples: u64, rate_hz: u32) -> u64 {
    Duration::from_secs_f64(n_samples as f64 / f64::from(rate_hz)).as_millis() as u64
}

fn style(template: &str) -> ProgressStyle {
    // The templates are this module's own; a test parses them.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_audio_time() {
        let one = Progress::new(1, true);
        one.file("x", Some(1), 1).at(1);
        one.file_done();
        let progress = Progress::new(2, true);
        let file = progress.file(&"long/".repeat(20), Some(96_000), 48_000);
        file.at(48_000);
        assert_eq!((file.bar.position(), file.bar.length()), (1_000, Some(2_000)));
        assert_eq!(file.bar.prefix().chars().count(), 30);
        let unknown = progress.file("x", None, 8_000);
        unknown.at(24_000);
        assert_eq!(unknown.bar.message(), "3 s");
        progress.file_done();
        assert_eq!(progress.total.as_ref().map(ProgressBar::position), Some(1));
    }

    #[test]
    fn templates_parse() {
        for template in [
            "{prefix:>30} {bar:32} {pos}/{len} files, {elapsed}",
            "{prefix:>30} {bar:32} {percent:>3} %, {eta} left",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
