//! Readers and decoders that other people wrote: where one breaks, its file is refused.

use anyhow::Result;

use super::refusal::refused;
use crate::panics::{Panicked, caught};

/// Runs a reader or decoder that other people wrote on what a file holds. A sound one returns an error for anything that it
/// cannot read; an assertion or an index beyond the end of something is taken for one.
///
/// # Errors
/// The work panicked. Of a reader or decoder nothing but its end is left then.
pub fn foreign<T>(work: impl FnOnce() -> T) -> Result<T> {
    caught(work).map_err(|Panicked(text)| {
        refused(format!(
            "cannot be decoded, as its content breaks the decoder ({text}): it is damaged; if a player opens it,"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Options, convert::Refused, refusal};

    #[test]
    fn a_panic_of_a_decoder_becomes_an_error_with_the_next_step() {
        let error = foreign(|| [0_u8; 4][std::hint::black_box(7)]).unwrap_err();
        let error = refusal::named(error, &Refused::new(None, &Options::default())).to_string();
        assert!(error.contains("index out of bounds") && error.contains("ffmpeg -i"), "{error}");
        assert_eq!(foreign(|| 7).unwrap(), 7);
    }
}
