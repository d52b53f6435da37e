//! Watches whether the audio system still calls, reports it if not, and restarts once it can; and has changed settings
//! remembered.
//!
//! The framework opens its devices once and goes on without sound when they are gone. A thread of its own counts blocks,
//! and listens for an input that reports an error and then delivers nothing.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use tacet::faults;
use tacet::plugin::window::audio::{self, Status};

use super::{Options, messages, restart};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Without a block for this long the audio system has failed: longer than any block, and than a start of another stream.
const SILENCE: Duration = Duration::from_secs(3);
/// Audio systems lose buffers while a client begins: nothing is said about them.
const BEGINNING: Duration = Duration::from_secs(3);
/// Between two tries to begin again.
const RETRY: Duration = Duration::from_millis(250);

/// The verdict of the counted blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing has been processed yet.
    Starting,
    /// Blocks come.
    Running,
    /// They came once and no longer do.
    Stalled,
}

/// Judges by the count of blocks.
#[derive(Debug, Default)]
struct Watch {
    n_blocks: u64,
    last: Option<Instant>,
}

impl Watch {
    fn look(&mut self, n_blocks: u64, now: Instant) -> Verdict {
        if n_blocks != self.n_blocks {
            self.n_blocks = n_blocks;
            self.last = Some(now);
        }
        match self.last {
            None => Verdict::Starting,
            Some(last) if now.duration_since(last) < SILENCE => Verdict::Running,
            Some(_) => Verdict::Stalled,
        }
    }
}

/// Judges whether the input still delivers: the output's blocks go on without it.
#[derive(Debug, Default)]
struct Input {
    failed: Option<Instant>,
}

impl Input {
    /// Whether nothing has been heard since the stream `has_failed`.
    fn look(&mut self, has_failed: bool, is_silent: bool, now: Instant) -> bool {
        if has_failed {
            self.failed = Some(now);
        }
        let Some(failed) = self.failed else { return false };
        if now.duration_since(failed) < SILENCE {
            return false;
        }
        if !is_silent {
            self.failed = None;
        }
        is_silent
    }
}

/// Starts to watch; `is_gone` reports at once that the server has ended, if it can know.
///
/// # Errors
/// There is no room for a thread.
pub fn start(options: &Options, is_gone: impl Fn() -> bool + Send + 'static) -> std::io::Result<()> {
    let options = options.clone();
    std::thread::Builder::new().name("tacet watch".into()).spawn(move || run(&options, &is_gone))?;
    Ok(())
}

fn run(options: &Options, is_gone: &dyn Fn() -> bool) -> ! {
    let mut watch = Watch::default();
    let mut input = Input::default();
    let mut problems = Problems::default();
    let mut said = Said::default();
    let mut remembered = None;
    loop {
        std::thread::sleep(PAUSE);
        // Without it Ctrl-C ends nothing; the window can still be closed.
        #[cfg(windows)]
        let _ = super::console::end_on_interrupt();
        let Some(status) = audio::status() else { continue };
        if remembered.as_ref() != Some(&status.memory) {
            audio::remember(&status.memory);
            remembered = Some(status.memory.clone());
        }
        let now = Instant::now();
        let verdict = watch.look(status.n_blocks, now);
        let is_input_gone = input.look(messages::has_capture_failed(), status.is_silent, now);
        if verdict == Verdict::Stalled || is_input_gone || is_gone() {
            recover(options, &status);
            // It could not begin again; the fault is shown, and the next look tries anew.
            watch.last = Some(Instant::now());
            input = Input::default();
        } else {
            // Without an audio system there is nothing to go wrong with it.
            if verdict == Verdict::Running && options.backend != super::AudioBackend::Dummy {
                problems.look(&status, Instant::now());
            }
            if options.headless {
                said.report(&status);
            }
        }
    }
}

/// Shows faults while sound is passed, in the terminal and on the panel.
#[derive(Debug, Default)]
struct Problems {
    watch: Option<faults::Watch>,
    began: Option<Instant>,
    next: Option<Instant>,
    silent_since: Option<Instant>,
    reported: Option<String>,
}

impl Problems {
    fn look(&mut self, status: &Status, now: Instant) {
        self.silent_since = status.is_silent.then(|| self.silent_since.unwrap_or(now));
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        self.next = Some(now + faults::LOOK);
        let counts = faults::Counts {
            is_streaming: true,
            processed_s: status.n_blocks as f64,
            silent_s: self.silent_since.map_or(0.0, |since| now.duration_since(since).as_secs_f64()),
            n_late: status.n_late,
            n_lost: status.n_lost,
        };
        // Late hops at the start do not count.
        if now.duration_since(*self.began.get_or_insert(now)) < BEGINNING {
            return;
        }
        let watch = self.watch.get_or_insert_with(|| faults::Watch::new(counts));
        let problem = watch.look(counts);
        if problem != self.reported {
            match &problem {
                Some(problem) => eprintln!("\n{problem}"),
                None => eprintln!("\nall is well again"),
            }
            audio::set_fault(problem.clone());
            self.reported = problem;
        }
    }
}

/// Says that the sound is gone, waits until devices are there, and begins again.
fn recover(options: &Options, status: &Status) {
    let gone = "The audio device or its server is gone. Tacet begins again as soon as it is back.";
    eprintln!("\n{gone}");
    audio::set_fault(Some(gone.into()));
    while !restart::can_open(options) {
        std::thread::sleep(RETRY);
    }
    eprintln!("The audio device is back.");
    let error = restart::again(options, &status.memory.values);
    audio::set_fault(Some(format!("The audio device is back, but Tacet cannot begin again: {error}")));
    eprintln!("Tacet cannot begin again: {error}");
}

/// The status line of a program without a window.
#[derive(Debug, Default)]
struct Said {
    /// Late hops and rate of the last line.
    last: Option<(u64, Option<String>)>,
}

impl Said {
    /// In a terminal one line, again and again; elsewhere a line at the start and where hops were late.
    fn report(&mut self, status: &Status) {
        let mut out = std::io::stdout();
        // The rate comes first, once there is audio.
        let now = (status.n_late, status.text.split(',').next().map(str::to_owned));
        let _ = if out.is_terminal() {
            write!(out, "\r{}\x1b[K", status.text).and_then(|()| out.flush())
        } else if self.last.as_ref() != Some(&now) {
            writeln!(out, "{}", status.text)
        } else {
            Ok(())
        };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_stop_are_noticed_and_a_slow_start_is_not() {
        let start = Instant::now();
        let mut watch = Watch::default();
        let at = |s: u64| start + Duration::from_secs(s);
        assert_eq!(watch.look(0, at(0)), Verdict::Starting);
        assert_eq!(watch.look(0, at(60)), Verdict::Starting);
        assert_eq!(watch.look(1, at(61)), Verdict::Running);
        assert_eq!(watch.look(1, at(62)), Verdict::Running);
        assert_eq!(watch.look(1, at(64)), Verdict::Stalled);
        assert_eq!(watch.look(2, at(65)), Verdict::Running);
    }

    #[test]
    fn an_input_is_gone_if_it_is_silent_after_an_error() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut input = Input::default();
        assert!(!input.look(false, true, at(0)), "a muted microphone");
        assert!(!input.look(true, false, at(1)));
        assert!(!input.look(false, true, at(2)), "what was on its way");
        assert!(input.look(false, true, at(4)));
        let mut input = Input::default();
        assert!(!input.look(true, false, at(1)));
        assert!(!input.look(false, false, at(4)), "it goes on");
        assert!(!input.look(false, true, at(60)));
    }
}
