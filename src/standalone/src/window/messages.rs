//! The framework's messages: written to the terminal, and read for what the framework tells in no other way.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use cpal::ErrorKind;

/// The beginning of what the framework (version 0.4) says when the input's stream reports an error, after which it plays
/// on with silence in its place.
const CAPTURE_ERROR: &str = "Error during capture: ";

/// Whether such an error has been reported.
static HAS_CAPTURE_FAILED: AtomicBool = AtomicBool::new(false);

/// Writes the framework's messages to the terminal from now on. The plugin in a host writes none.
pub fn log_to_terminal() {
    let log = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::INFO);
    let log = log.with_target(false).without_time().with_ansi(false).with_writer(|| Messages);
    // It fails where there is one already, which then has the messages.
    let _ = log.try_init();
}

/// Whether the input's stream has reported an error since the last call, other than a lost buffer or another route.
pub fn has_capture_failed() -> bool {
    HAS_CAPTURE_FAILED.swap(false, Ordering::Relaxed)
}

/// Gets one message with each write.
struct Messages;

impl Write for Messages {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        if tells_of_failed_capture(&String::from_utf8_lossy(message)) {
            HAS_CAPTURE_FAILED.store(true, Ordering::Relaxed);
        }
        io::stderr().write_all(message)?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn tells_of_failed_capture(message: &str) -> bool {
    let goes_on = [ErrorKind::Xrun, ErrorKind::DeviceChanged];
    message
        .split_once(CAPTURE_ERROR)
        .is_some_and(|(_, error)| goes_on.iter().all(|kind| !error.starts_with(&kind.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_ends_is_told_from_one_that_stumbles() {
        let message = |error: cpal::Error| format!("ERROR Error during capture: {error:#}\n");
        for kind in [ErrorKind::DeviceNotAvailable, ErrorKind::StreamInvalidated, ErrorKind::BackendError] {
            assert!(tells_of_failed_capture(&message(kind.into())), "{kind}");
            assert!(
                tells_of_failed_capture(&message(cpal::Error::with_message(kind, "unplugged"))),
                "{kind}"
            );
        }
        for kind in [ErrorKind::Xrun, ErrorKind::DeviceChanged] {
            assert!(!tells_of_failed_capture(&message(kind.into())), "{kind}");
        }
        assert!(!tells_of_failed_capture("ERROR Error during playback: The requested audio device\n"));
    }
}
