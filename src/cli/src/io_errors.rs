//! Errors of the system in words: the cause, and the next step.

use std::fmt::Display;
use std::io::{self, ErrorKind};

/// An error that says what could not be done and what helps; of the same kind.
pub fn explained(what: impl Display, error: &io::Error) -> io::Error {
    let next_step = match error.kind() {
        ErrorKind::NotFound => "check the name, and that its folder exists",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "check its permissions, or choose another place"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space, or choose another place",
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "a file is in its way: choose another name",
        ErrorKind::BrokenPipe => "its reader has ended",
        _ => "try again, or choose another place",
    };
    io::Error::new(error.kind(), format!("{what}: {error}; {next_step}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_and_gets_a_next_step() {
        for kind in [ErrorKind::NotFound, ErrorKind::StorageFull, ErrorKind::Other] {
            let error = explained("cannot write talk.wav", &io::Error::from(kind));
            assert_eq!(error.kind(), kind);
            let text = error.to_string();
            assert!(text.starts_with("cannot write talk.wav: ") && text.contains("; "), "{text}");
        }
    }
}
